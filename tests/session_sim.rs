//! Sessions over real clients and the relay's real hub, on a simulated network with faults: what a room promises.

#![expect(clippy::expect_used, reason = "a test may fail by panicking in its helpers too")]

use std::{collections::BTreeMap, time::Duration};

use bevy_rooms::{
    client::Command,
    session::{
        CloseReason, Generation, Migration, PlayerId, Profile, RoomName, Session, SessionConfig, SessionEvent,
        SessionStatus, SessionTiming, Stamp, Target, Wish,
    },
    testing::{ClientIndex, FaultKind, FaultPlan, SimNet},
};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(50);

struct Player {
    client: ClientIndex,
    session: Session,
    /// How many requests it made.
    asked: u64,
    best: Option<Stamp>,
    closed: Option<CloseReason>,
}

struct World {
    seed: u64,
    net: SimNet,
    players: Vec<Player>,
}

fn key(player: &PlayerId) -> String {
    format!("heard of {player}")
}

impl World {
    fn new(seed: u64) -> Self {
        Self { seed, net: SimNet::new(seed), players: Vec::new() }
    }

    fn add(&mut self, name: &str, wish: Wish) {
        let client = self.net.add_client(SimNet::options(name));
        self.net.command(client, Command::Connect);
        let config = SessionConfig {
            room: RoomName::new("den").expect("a good name"),
            player: PlayerId::new(name).expect("a good name"),
            generation: Generation(1),
            profile: Profile::named(name),
            wish,
            migration: Migration::Automatic,
            fingerprint: String::new(),
            timing: SessionTiming::default(),
        };
        let seed = self.seed * 100 + self.players.len() as u64;
        let session = Session::new(config, seed, self.net.now());
        self.players.push(Player { client, session, asked: 0, best: None, closed: None });
    }

    fn frame(&mut self) {
        self.net.run_for(FRAME);
        let (now, seed) = (self.net.now(), self.seed);
        for player in &mut self.players {
            for event in self.net.take_events(player.client) {
                player.session.handle_event(event, now);
            }
            player.session.step(now);
            while let Some(event) = player.session.poll_event() {
                match event {
                    SessionEvent::Message { sender, kind, data } if kind == "ask" => {
                        // The game's own rule: the requests of each player are counted in the shared state.
                        let count = player.session.shared(&key(&sender)).and_then(Value::as_u64).unwrap_or_default();
                        assert_eq!(
                            data["number"],
                            json!(count),
                            "seed {seed}: a request of {sender} is lost or doubled"
                        );
                        player.session.set_shared(&key(&sender), json!(count + 1)).expect("only the host is asked");
                    }
                    SessionEvent::Closed(reason) => player.closed = Some(reason),
                    _ => {}
                }
            }
            player.session.flush(now);
            while let Some(command) = player.session.poll_command() {
                self.net.command(player.client, command);
            }
            let stamp = player.session.stamp().cloned();
            if let (Some(best), Some(stamp)) = (&player.best, &stamp) {
                assert!(stamp == best || stamp.is_better_than(best), "seed {seed}: {best:?} went back to {stamp:?}");
            }
            player.best = stamp.or(player.best.take());
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.net.now() + time;
        while self.net.now() < end {
            self.frame();
        }
    }

    fn ask(&mut self, number: usize) {
        let player = &mut self.players[number];
        let data = json!({ "number": player.asked });
        if player.session.send(Target::Host, "ask", data).is_ok() {
            player.asked += 1;
        }
    }

    /// A minute of play with faults, and then time to recover.
    fn play(&mut self, kinds: &[FaultKind], every: Duration) {
        self.net.set_faults(Some(FaultPlan { every, kinds: kinds.to_vec() }));
        for turn in 0..120 {
            self.ask(turn % self.players.len());
            self.run(Duration::from_millis(200 + 300 * (turn as u64 % 3)));
        }
        self.net.set_faults(None);
        self.run(120 * SECOND);
    }

    fn assert_well(&self) {
        let seed = self.seed;
        let mut shown = BTreeMap::new();
        for player in &self.players {
            let session = &player.session;
            match session.status() {
                SessionStatus::Closed => assert!(player.closed.is_some(), "seed {seed}: it is told why"),
                SessionStatus::Arriving => panic!("seed {seed}: {} is still arriving", session.local()),
                SessionStatus::Joined => {
                    let roster: Vec<_> = session.roster().iter().cloned().collect();
                    let shared: Vec<_> = session.shared_keys().map(|key| (key, session.shared(key))).collect();
                    shown.insert(session.local(), (session.stamp(), session.host(), roster, shared));
                }
            }
        }
        let mut all = shown.iter();
        let Some((first, expected)) = all.next() else { return };
        for (other, state) in all {
            assert_eq!(state, expected, "seed {seed}: {other} and {first} see different rooms");
        }
        let joined = || self.players.iter().filter(|player| player.session.status() == SessionStatus::Joined);
        assert_eq!(joined().filter(|player| player.session.is_host()).count(), 1, "seed {seed}: one host");
        for player in joined() {
            let session = &player.session;
            let heard = session.shared(&key(session.local())).and_then(Value::as_u64).unwrap_or_default();
            assert_eq!(heard, player.asked, "seed {seed}: requests of {} are lost", session.local());
            assert_eq!(session.stats().unconfirmed, 0, "seed {seed}");
        }
    }
}

/// How many of all players are still in their room.
fn outlive(seeds: std::ops::Range<u64>, kinds: &[FaultKind], every: Duration) -> usize {
    let mut joined = 0;
    for seed in seeds {
        let mut world = World::new(seed);
        world.add("ada", Wish::Host);
        ["bob", "eve", "kim"].into_iter().for_each(|name| world.add(name, Wish::Join));
        world.run(4 * SECOND);
        assert!(world.players.iter().all(|player| player.session.status() == SessionStatus::Joined), "seed {seed}");
        world.play(kinds, every);
        world.assert_well();
        joined += world.players.iter().filter(|player| player.session.status() == SessionStatus::Joined).count();
    }
    joined
}

#[test]
fn a_room_survives_the_faults_of_its_lines() {
    let joined = outlive(0..150, &FaultKind::LINES, 3 * SECOND);
    assert!(joined > 500, "most players are still in the room, or this proves little: {joined} of 600");
}

#[test]
fn a_room_survives_a_relay_that_forgets_everything() {
    let kinds = [FaultKind::Cut, FaultKind::Delay, FaultKind::Refuse, FaultKind::RestartRelay];
    let joined = outlive(1000..1050, &kinds, 6 * SECOND);
    assert!(joined > 150, "most players are still in the room, or this proves little: {joined} of 200");
}

#[test]
fn players_who_arrive_at_once_while_lines_fail_end_in_one_room() {
    for seed in 2000..2050 {
        let mut world = World::new(seed);
        ["ada", "bob", "eve", "kim"].into_iter().for_each(|name| world.add(name, Wish::JoinOrHost));
        world.play(&[FaultKind::Cut, FaultKind::CutAfter, FaultKind::Truncate], 2 * SECOND);
        world.assert_well();
        assert!(world.players.iter().all(|player| player.closed.is_none()), "seed {seed}");
    }
}
