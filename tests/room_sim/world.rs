//! A room under a plan: time, the network, the players, and what holds at every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bevy_rooms::{
    client::{ClientOptions, Command, Timing},
    protocol::MessageSerial,
    session::{
        Generation, Migration, PlayerId, Profile, RoomName, Session, SessionConfig, SessionEvent, SessionTiming, Term,
        Wish,
    },
    testing::{Fault, LinkConditions, SimNet},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use web_time::Instant;

use crate::{
    plan::{Deed, Order, Plan},
    player::Player,
};

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(50);

/// How long players take at most to found and enter the room before anything goes wrong.
const SETTING_UP: Duration = Duration::from_secs(15);

/// How long after the last fault has ended all have to see the same.
const BOUND: Duration = Duration::from_secs(60);

/// How long they have to go on seeing the same, so that late words show.
const AFTERWARDS: Duration = Duration::from_secs(40);

/// Most by which a clock is fast or slow.
const SKEW: f64 = 0.03;

/// What a room went through, for the summary of many.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// From the end of the last fault until all saw the same.
    pub settled_after: Duration,
    pub joined: usize,
    pub closed: usize,
    pub hosts: usize,
    /// Whether the room was founded more than once, so that one founding gave way.
    pub refounded: bool,
    /// How many processes missed nothing at all.
    pub unbroken: usize,
}

pub struct World {
    plan: Plan,
    net: SimNet,
    rng: ChaCha8Rng,
    start: Instant,
    players: Vec<Player>,
    /// Who is to come back, as whom.
    restarts: Vec<(Instant, String, u64)>,
    /// Who was obeyed in which term.
    obeyed: BTreeMap<Term, PlayerId>,
    incarnations: BTreeSet<MessageSerial>,
    /// When the last fault has ended.
    quiet_from: Instant,
    pub trace: Vec<String>,
}

impl World {
    pub fn new(plan: &Plan) -> Self {
        let net = SimNet::new(plan.seed);
        let now = net.now();
        Self {
            plan: plan.clone(),
            net,
            rng: ChaCha8Rng::seed_from_u64(!plan.seed),
            start: now,
            players: Vec::new(),
            restarts: Vec::new(),
            obeyed: BTreeMap::new(),
            incarnations: BTreeSet::new(),
            quiet_from: now,
            trace: Vec::new(),
        }
    }

    /// Plays the plan through.
    pub fn run(&mut self) -> Result<Report, String> {
        let set_up = self.net.now() + SETTING_UP;
        for number in 0..self.plan.players {
            self.enter(format!("p{number}"), 1, Wish::JoinOrHost);
            // In every other room they come one after the other, so that the first is the host.
            let in_turn = self.plan.seed.is_multiple_of(2) || number + 1 == self.plan.players;
            while in_turn && !self.players.iter().all(Player::is_joined) {
                self.frame()?;
                if self.net.now() >= set_up {
                    return Err("the room was not even set up".to_owned());
                }
            }
        }
        let from = self.net.now();
        for (at, deed) in self.plan.steps.clone() {
            while self.net.now() < from + at {
                self.work();
                self.frame_until(from + at)?;
            }
            self.perform(&deed);
        }
        while self.net.now() < self.quiet_from {
            self.work();
            self.frame()?;
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<Report, String> {
        let settled_after = self.agree_within(BOUND)?;
        let until = self.net.now() + AFTERWARDS;
        while self.net.now() < until {
            self.frame()?;
        }
        // A seat may have been given up just now.
        self.agree_within(SECOND)?;
        self.check_end()?;
        Ok(Report {
            settled_after,
            joined: self.players.iter().filter(|player| player.is_joined()).count(),
            closed: self.players.iter().filter(|player| player.alive && player.closed.is_some()).count(),
            hosts: self.obeyed.values().collect::<BTreeSet<_>>().len(),
            refounded: self.incarnations.len() > 1,
            unbroken: self.players.iter().filter(|player| player.is_joined() && player.unbroken).count(),
        })
    }

    /// Lets time pass until all see the same, and tells how long that took.
    fn agree_within(&mut self, bound: Duration) -> Result<Duration, String> {
        let from = self.net.now();
        while let Err(why) = self.agreed() {
            if self.net.now() >= from + bound {
                return Err(format!("{bound:?} after the last fault {why}"));
            }
            self.frame()?;
        }
        Ok(self.net.now() - from)
    }

    fn note(&mut self, what: String) {
        let at = self.net.elapsed().as_secs_f64();
        self.trace.push(format!("{at:>8.3} {what}"));
    }

    fn enter(&mut self, name: String, generation: u64, wish: Wish) {
        let options = SimNet::options(&name);
        let timing =
            Timing { disconnected_retry: SECOND, suspended_retry: 2 * SECOND, channel_retry: SECOND, ..options.timing };
        let client = self.net.add_client(ClientOptions { timing, ..options });
        self.net.command(client, Command::Connect);
        let config = SessionConfig {
            room: RoomName::new("den").expect("a good name"),
            player: PlayerId::new(&name).expect("a good name"),
            generation: Generation(generation),
            profile: Profile::named(&name),
            wish,
            migration: Migration::Automatic,
            fingerprint: String::new(),
            timing: SessionTiming::default(),
        };
        self.note(format!("{name}/{generation} comes"));
        let rate = 1.0 + self.rng.random_range(-SKEW..=SKEW);
        let now = own_time(self.start, self.net.now(), rate);
        let session = Session::new(config, self.rng.random(), now);
        self.players.push(Player::new(name, generation, client, session, rate));
    }

    /// The process of a player that is there now.
    fn process(&mut self, number: usize) -> Option<&mut Player> {
        let name = format!("p{number}");
        self.players.iter_mut().find(|player| player.alive && player.name == name)
    }

    fn perform(&mut self, deed: &Deed) {
        self.note(format!("--- {deed:?}"));
        let now = self.net.now();
        let mut lasts = Duration::ZERO;
        match deed {
            Deed::Line(number, fault) => {
                lasts = lasting(fault);
                if let Some(client) = self.process(*number).map(|player| player.client) {
                    self.net.inflict(client, *fault);
                }
            }
            Deed::Stall(number, time) => {
                lasts = *time;
                if let Some(player) = self.process(*number) {
                    player.stalled_until = Some(now + *time);
                }
            }
            Deed::Crash(number, back) => {
                lasts = back.unwrap_or_default();
                if let Some(player) = self.process(*number) {
                    player.alive = false;
                    let (client, name, generation) = (player.client, player.name.clone(), player.generation);
                    self.net.kill(client);
                    self.restarts.extend(back.map(|back| (now + back, name, generation + 1)));
                }
            }
            Deed::Leave(number) => {
                let (start, net_now) = (self.start, now);
                if let Some(player) = self.process(*number) {
                    player.session.leave(own_time(start, net_now, player.rate));
                }
            }
            Deed::Slow(number, latency) => {
                if let Some(client) = self.process(*number).map(|player| player.client) {
                    self.net.set_link(client, LinkConditions { latency: *latency, ..LinkConditions::default() });
                }
            }
            Deed::Partition(group, time) => {
                lasts = *time;
                for number in group {
                    if let Some(client) = self.process(*number).map(|player| player.client) {
                        self.net.inflict(client, Fault::Isolate(*time));
                    }
                }
            }
            Deed::RestartRelay(down) => {
                lasts = *down;
                self.net.restart_relay(*down);
            }
            Deed::HandOver(number, to) => {
                let to = PlayerId::new(format!("p{to}")).expect("a good name");
                if let Some(player) = self.process(*number) {
                    // Who is no host, or names somebody who is not there, is told so.
                    let _ = player.session.hand_over_to(&to);
                }
            }
            Deed::Arrive => {
                let number = 100 + self.players.len();
                self.enter(format!("p{number}"), 1, Wish::JoinOrHost);
            }
        }
        self.quiet_from = self.quiet_from.max(now + lasts);
    }

    /// Players ask and say things.
    fn work(&mut self) {
        let number = self.rng.random_range(0..self.players.len());
        let ask = self.rng.random_range(0..6);
        let player = &mut self.players[number];
        if player.is_joined() && player.stalled_until.is_none() && !self.net.is_frozen(player.client) {
            match ask {
                0 => player.ask(),
                1 => player.say(),
                _ => {}
            }
        }
    }

    fn frame(&mut self) -> Result<(), String> {
        self.frame_until(self.net.now() + FRAME)
    }

    /// Lets time pass by a frame, or to `end` where that is earlier.
    fn frame_until(&mut self, end: Instant) -> Result<(), String> {
        let next = self.net.now() + FRAME;
        self.net.advance_to(next.min(end));
        let now = self.net.now();
        let due = |restart: &(Instant, String, u64)| restart.0 <= now;
        let back: Vec<_> = self.restarts.extract_if(.., |restart| due(restart)).collect();
        for (_, name, generation) in back {
            self.enter(name, generation, Wish::JoinOrHost);
        }
        for place in 0..self.players.len() {
            self.frame_of(place, now)?;
        }
        Ok(())
    }

    fn frame_of(&mut self, place: usize, now: Instant) -> Result<(), String> {
        let events = self.net.take_events(self.players[place].client);
        let player = &mut self.players[place];
        if !player.alive {
            return Ok(());
        }
        let shuffle = (self.plan.order == Order::PerPublisher).then_some(&mut self.rng);
        player.take_in(events, shuffle, now);
        if self.net.is_frozen(player.client) || player.stalled_until.is_some_and(|until| until > now) {
            return Ok(());
        }
        player.stalled_until = None;
        let (told, verdict) = player.frame(now, own_time(self.start, now, player.rate), self.incarnations.len() > 1);
        let (client, name) = (player.client, format!("{}/{}", player.name, player.generation));
        let commands: Vec<_> = std::iter::from_fn(|| player.session.poll_command()).collect();
        let stamp = player.session.stamp().cloned();
        let best = player.best.take();
        let went_back = match (&best, &stamp) {
            (Some(best), Some(stamp)) if stamp.reign.incarnation == best.reign.incarnation => {
                stamp != best && !stamp.is_better_than(best)
            }
            _ => false,
        };
        player.best = stamp.clone().or(best.clone());
        self.incarnations.extend(stamp.iter().map(|stamp| stamp.reign.incarnation.clone()));
        for command in commands {
            self.net.command(client, command);
        }
        for event in told {
            if let SessionEvent::HostChanged { to, term, .. } = &event {
                self.check_host(&name, to, *term)?;
            }
            match event {
                SessionEvent::SharedChanged { .. } => {}
                SessionEvent::Message { sender, kind, data } => {
                    self.note(format!("{name} hears {kind} {data} of {sender}"))
                }
                event => self.note(format!("{name} {event:?}")),
            }
        }
        if went_back {
            return Err(format!("{name} went back from {best:?} to {stamp:?}"));
        }
        verdict
    }

    /// At most one host is obeyed in a term of one founding.
    fn check_host(&mut self, name: &str, to: &PlayerId, term: Term) -> Result<(), String> {
        let obeyed = self.obeyed.entry(term).or_insert_with(|| to.clone());
        if obeyed != to && self.incarnations.len() == 1 {
            return Err(format!("{name} obeys {to} in {term:?}, where {obeyed} was obeyed"));
        }
        Ok(())
    }

    /// Whether all who are in the room see the same room.
    fn agreed(&self) -> Result<(), String> {
        let alive = || self.players.iter().filter(|player| player.alive);
        for player in alive() {
            if player.closed.is_none() && !player.is_joined() {
                return Err(format!("{}/{} is still arriving: {:?}", player.name, player.generation, player.session));
            }
        }
        let joined = || alive().filter(|player| player.is_joined());
        let shown = |player: &Player| {
            let session = &player.session;
            let roster: Vec<_> = session.roster().iter().cloned().collect();
            let shared: Vec<_> =
                session.shared_keys().map(|key| (key.to_owned(), session.shared(key).cloned())).collect();
            (session.stamp().cloned(), session.host().cloned(), roster, shared)
        };
        let Some(first) = joined().next() else { return Ok(()) };
        let expected = shown(first);
        for other in joined() {
            if shown(other) != expected {
                return Err(format!("{} and {} see different rooms", first.name, other.name));
            }
        }
        let hosts: Vec<_> = joined().filter(|player| player.session.is_host()).map(|player| &player.name).collect();
        if hosts.len() != 1 {
            return Err(format!("the hosts are {hosts:?}"));
        }
        for player in joined() {
            let (counted, asked) = (player.counted(), player.asked);
            if counted != asked && self.incarnations.len() == 1 {
                return Err(format!("{counted} of {}'s {asked} requests are counted", player.name));
            }
            if player.session.stats().unconfirmed > 0 {
                return Err(format!("{} still waits for its requests", player.name));
            }
        }
        Ok(())
    }

    /// Whoever missed nothing heard what everybody heard who missed nothing.
    fn check_end(&self) -> Result<(), String> {
        let whole = self.players.iter().filter(|player| player.is_joined() && player.unbroken);
        let whole: Vec<_> = whole.filter(|player| player.generation == 1 && player.name.len() == 2).collect();
        let Some(first) = whole.first() else { return Ok(()) };
        for other in &whole {
            let senders: BTreeSet<_> = first.heard.iter().chain(&other.heard).map(|said| (&said.0, said.1)).collect();
            // Without one order for all, a claim reaches some before and some after what the old host says last.
            let hosted = |name: &str| self.obeyed.values().any(|host| host.as_str() == name);
            for sender in senders {
                if self.plan.order == Order::PerPublisher && hosted(sender.0) {
                    continue;
                }
                let of = |player: &Player| -> Vec<u64> {
                    let heard = player.heard.iter().filter(|said| (&said.0, said.1) == sender);
                    heard.map(|said| said.2).collect()
                };
                let (one, two) = (of(first), of(other));
                if one != two {
                    return Err(format!("of {sender:?} {} heard {one:?}, and {} {two:?}", first.name, other.name));
                }
            }
            if self.plan.order == Order::Total && first.heard != other.heard {
                return Err(format!("{} and {} heard the same in different order", first.name, other.name));
            }
        }
        Ok(())
    }
}

/// The time by a clock that goes at `rate`.
fn own_time(start: Instant, now: Instant, rate: f64) -> Instant {
    start + (now - start).mul_f64(rate)
}

fn lasting(fault: &Fault) -> Duration {
    match fault {
        Fault::Stall(time) | Fault::Delay(time) | Fault::Refuse(time) | Fault::Isolate(time) | Fault::Freeze(time) => {
            *time
        }
        _ => Duration::ZERO,
    }
}
