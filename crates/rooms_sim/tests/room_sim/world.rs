//! A room under a plan: time, the network, the players, and what is done to them.

mod checks;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rooms_client::{ClientOptions, Command, Event, Timing};
use rooms_protocol::MessageSerial;
use rooms_relay::{CloudPlan, HubConfig, Limits};
use rooms_session::{
    Generation, Migration, PaceConfig, PlayerId, Profile, RoomName, Session, SessionConfig, SessionEvent,
    SessionTiming, Target, Term, Wish,
};
use rooms_sim::{ClientIndex, Fault, LinkConditions, SimNet};
use web_time::Instant;

use crate::{
    plan::{Blow, Boundary, Deed, Order, Plan},
    player::{Act, Past, Player, stream},
};

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(50);

/// How long players take at most to found and enter the room before anything goes wrong.
const SETTING_UP: Duration = Duration::from_secs(15);

/// How long after the last fault has ended all have to see the same.
const BOUND: Duration = Duration::from_secs(60);

/// How long they have to go on seeing the same, so that late words show.
const AFTERWARDS: Duration = Duration::from_secs(40);

/// The same where only one thing is done to a room.
const SHORTLY_AFTERWARDS: Duration = Duration::from_secs(8);

/// How long everything waits at most on a line that loses much, until what was lost was sent again.
const LONGEST_RESEND: Duration = Duration::from_secs(3);

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
    /// Whether frames waited at any time since a socket took no more.
    pub congested: bool,
}

pub struct World {
    plan: Plan,
    net: SimNet,
    rng: ChaCha8Rng,
    start: Instant,
    players: Vec<Player>,
    /// Who is to come back, as whom.
    restarts: Vec<(Instant, String)>,
    /// Whose line loses much, and until when.
    lossy: Vec<(Instant, ClientIndex)>,
    /// Who was obeyed at any time.
    hosts: BTreeSet<PlayerId>,
    /// The claims whose states were followed, by founding and term, and by which processes.
    followed: BTreeMap<(MessageSerial, Term), (MessageSerial, BTreeSet<usize>)>,
    /// Who led on which claim.
    claims: BTreeMap<MessageSerial, String>,
    incarnations: BTreeSet<MessageSerial>,
    /// How many messages about the room were about to be heard since the first step; `None` before.
    messages: Option<usize>,
    /// Whether frames waited at any time since a socket took no more.
    congested: bool,
    /// When the last fault has ended.
    quiet_from: Instant,
    pub trace: Vec<String>,
}

impl World {
    pub fn new(plan: &Plan) -> Self {
        let limits = if plan.twists.limited { Limits::of_plan(CloudPlan::Free) } else { Limits::default() };
        let net = SimNet::with_relay(plan.seed, HubConfig { limits, ..HubConfig::default() });
        let now = net.now();
        Self {
            plan: plan.clone(),
            net,
            rng: ChaCha8Rng::seed_from_u64(!plan.seed),
            start: now,
            players: Vec::new(),
            restarts: Vec::new(),
            lossy: Vec::new(),
            hosts: BTreeSet::new(),
            followed: BTreeMap::new(),
            claims: BTreeMap::new(),
            messages: None,
            incarnations: BTreeSet::new(),
            congested: false,
            quiet_from: now,
            trace: Vec::new(),
        }
    }

    /// Plays the plan through.
    pub fn run(&mut self) -> Result<Report, String> {
        let set_up = self.net.now() + SETTING_UP;
        for number in 0..self.plan.players {
            self.enter(format!("p{number}"), Wish::JoinOrHost);
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
            self.messages.get_or_insert(0);
            self.perform(&deed);
        }
        // What is said is heard by many, so that there are messages to come between.
        while self.plan.boundary.as_ref().is_some_and(|boundary| self.messages < Some(boundary.message)) {
            self.work();
            self.frame()?;
        }
        while self.net.now() < self.quiet_from {
            self.work();
            self.frame()?;
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<Report, String> {
        let settled_after = self.agree_within(BOUND)?;
        let until = self.net.now() + if self.plan.boundary.is_some() { SHORTLY_AFTERWARDS } else { AFTERWARDS };
        while self.net.now() < until {
            self.frame()?;
        }
        // A seat may have been given up just now.
        self.agree_within(SECOND)?;
        self.check_end()?;
        Ok(Report {
            settled_after,
            joined: self.players.iter().filter(|player| player.is_joined()).count(),
            closed: self.players.iter().filter(|player| player.process.alive && player.closed.is_some()).count(),
            hosts: self.hosts.len(),
            refounded: self.incarnations.len() > 1,
            unbroken: self.players.iter().filter(|player| player.is_joined() && player.heard.unbroken).count(),
            congested: self.congested,
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

    /// A new process of a player comes, of a generation above those before it.
    fn enter(&mut self, name: String, wish: Wish) {
        let before = self.players.iter().filter(|player| player.name == name).map(|player| player.generation).max();
        let generation = before.unwrap_or_default() + 1;
        let options = SimNet::options(&name);
        let timing =
            Timing { disconnected_retry: SECOND, suspended_retry: 2 * SECOND, channel_retry: SECOND, ..options.timing };
        let client = self.net.add_client(ClientOptions { timing, ..options });
        if let Some(socket_capacity) = self.plan.twists.socket_capacity {
            self.net.set_link(client, LinkConditions { socket_capacity, ..LinkConditions::default() });
        }
        self.net.command(client, Command::Connect);
        let config = SessionConfig {
            room: RoomName::new("den").expect("a good name"),
            player: PlayerId::new(&name).expect("a good name"),
            generation: Generation(generation),
            profile: Profile::named(&name),
            wish,
            migration: Migration::Automatic,
            fingerprint: String::new(),
            timing: match self.plan.twists.all_claim_at_once {
                true => SessionTiming { stagger: Duration::ZERO, ..SessionTiming::default() },
                false => SessionTiming::default(),
            },
            pace: PaceConfig::default(),
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
        self.players.iter_mut().find(|player| player.process.alive && player.closed.is_none() && player.name == name)
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
                    player.process.stalled_until = Some(now + *time);
                }
            }
            Deed::Crash(number, back) => {
                lasts = back.unwrap_or_default();
                if let Some(player) = self.process(*number) {
                    player.process.alive = false;
                    let (client, name) = (player.client, player.name.clone());
                    self.net.kill(client);
                    self.restarts.extend(back.map(|back| (now + back, name)));
                }
            }
            Deed::Leave(number) => {
                let (start, net_now) = (self.start, now);
                if let Some(player) = self.process(*number) {
                    player.session.leave(own_time(start, net_now, player.process.rate));
                }
            }
            Deed::Slow(number, latency) => {
                if let Some(client) = self.process(*number).map(|player| player.client) {
                    // With all of a socket's capacity: a small one on a slow line would carry less than a player says.
                    self.net.set_link(client, LinkConditions { latency: *latency, ..LinkConditions::default() });
                }
            }
            Deed::Lossy(number, time) => {
                // The last that waits arrives later.
                lasts = *time + LONGEST_RESEND;
                let client = self.process(*number).map(|player| player.client);
                self.lossy.extend(client.map(|client| (now + *time, client)));
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
                self.enter(format!("p{number}"), Wish::JoinOrHost);
            }
            Deed::Twin(number) => {
                if let Some(player) = self.process(*number) {
                    let name = player.name.clone();
                    self.enter(name, Wish::JoinOrHost);
                }
            }
        }
        self.quiet_from = self.quiet_from.max(now + lasts);
    }

    /// Something happens to a player, or to the relay, between two messages.
    fn strike(&mut self, place: usize, blow: Blow) {
        self.note(format!("--- {blow:?} as {} is about to hear", self.players[place].name));
        let now = self.net.now();
        let player = &mut self.players[place];
        let lasts = match blow {
            Blow::Line(fault) => {
                self.net.inflict(player.client, fault);
                lasting(&fault)
            }
            Blow::Stall(time) => {
                player.process.stalled_until = Some(now + time);
                time
            }
            Blow::Crash(back) => {
                player.process.alive = false;
                self.net.kill(player.client);
                let name = player.name.clone();
                self.restarts.extend(back.map(|back| (now + back, name)));
                back.unwrap_or_default()
            }
            Blow::Leave => {
                player.session.leave(own_time(self.start, now, player.process.rate));
                Duration::ZERO
            }
            Blow::RestartRelay(down) => {
                self.net.restart_relay(down);
                down
            }
        };
        self.quiet_from = self.quiet_from.max(now + lasts);
    }

    /// Players ask and say things.
    fn work(&mut self) {
        let number = self.rng.random_range(0..self.players.len());
        let what = self.rng.random_range(0..12);
        let other = self.rng.random_range(0..self.plan.players);
        let player = &mut self.players[number];
        if player.is_joined() && player.process.stalled_until.is_none() && !self.net.is_frozen(player.client) {
            player.todo.extend(match what {
                0..2 => Some(Act::Ask),
                2..4 => Some(Act::Say(Target::Everyone, stream::ALL.to_owned())),
                4 => Some(Act::Say(Target::Others, stream::OTHERS.to_owned())),
                5..7 => {
                    let to = format!("p{other}");
                    Some(Act::Say(Target::Player(PlayerId::new(&to).expect("a good name")), stream::to(&to)))
                }
                7..9 => Some(Act::Beat),
                _ => None,
            });
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
        self.lossy.retain(|(until, _)| *until > now);
        for (_, client) in self.lossy.clone() {
            if self.rng.random_range(0..20) == 0 {
                let time = LONGEST_RESEND.mul_f64(self.rng.random::<f64>().powi(2));
                self.net.inflict(client, Fault::Delay(time));
            }
        }
        let due = |restart: &(Instant, String)| restart.0 <= now;
        let back: Vec<_> = self.restarts.extract_if(.., |restart| due(restart)).collect();
        for (_, name) in back {
            self.enter(name, Wish::JoinOrHost);
        }
        for place in 0..self.players.len() {
            self.frame_of(place, now)?;
        }
        Ok(())
    }

    fn frame_of(&mut self, place: usize, now: Instant) -> Result<(), String> {
        let events = self.net.take_events(self.players[place].client);
        if self.players[place].process.alive {
            self.take_in(place, events, now);
        }
        let past = self.past();
        let player = &mut self.players[place];
        if !player.process.alive {
            return Ok(());
        }
        if self.net.is_frozen(player.client) || player.process.stalled_until.is_some_and(|until| until > now) {
            return Ok(());
        }
        player.process.stalled_until = None;
        let (told, verdict) = player.frame(now, own_time(self.start, now, player.process.rate), past);
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
        self.congested |= self.net.has_waiting_frames(client);
        for event in told {
            if let SessionEvent::HostChanged { to, term, .. } = &event {
                self.check_host(place, to, *term)?;
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
        stamp.map_or(Ok(()), |stamp| self.check_followed(place, &stamp))?;
        verdict
    }

    /// Hands a player what came, with what happens in between.
    fn take_in(&mut self, place: usize, events: Vec<Event>, now: Instant) {
        let hear = |world: &mut Self, events: Vec<Event>| {
            let shuffle = (world.plan.order == Order::PerPublisher).then_some(&mut world.rng);
            world.players[place].take_in(events, shuffle, now);
        };
        let mut coming = Vec::new();
        for event in events {
            let names: Vec<_> = match &event {
                Event::Messages { messages, .. } => {
                    messages.iter().filter_map(|message| message.name.as_deref()).collect()
                }
                _ => Vec::new(),
            };
            let is_message = !names.is_empty();
            let is_about_the_room = names.iter().any(|name| name.starts_with("room."));
            if let Some(messages) = self.messages.as_mut().filter(|_| is_about_the_room) {
                *messages += 1;
                let number = *messages;
                if let Some(Boundary { what, .. }) = self.plan.boundary.clone().filter(|at| at.message == number) {
                    hear(self, std::mem::take(&mut coming));
                    self.strike(place, what);
                    if !self.players[place].process.alive {
                        return;
                    }
                }
            }
            // Not what the game says: who speaks without a seat is heard as often as it speaks.
            let is_double = |name: &&str| name.starts_with("room.") && *name != "room.bundle";
            let may_double = is_message && names.iter().all(is_double);
            if may_double && self.plan.twists.doubled && self.rng.random_range(0..8) == 0 {
                coming.push(event.clone());
            }
            coming.push(event);
        }
        hear(self, coming);
    }

    fn past(&self) -> Past {
        Past { total_order: self.plan.order == Order::Total, refounded: self.incarnations.len() > 1 }
    }
}

/// The time by a clock that goes at `rate`.
fn own_time(start: Instant, now: Instant, rate: f64) -> Instant {
    start + (now - start).mul_f64(rate)
}

fn lasting(fault: &Fault) -> Duration {
    match fault {
        Fault::Stall(time)
        | Fault::Delay(time)
        | Fault::Refuse(time)
        | Fault::Isolate(time)
        | Fault::OneWay(_, time)
        | Fault::Freeze(time) => *time,
        _ => Duration::ZERO,
    }
}
