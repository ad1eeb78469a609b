//! Rooms on a server with the limits of a cloud's free plan: it refuses nothing, and everybody is heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rooms_client::{Command, Event};
use rooms_protocol::ErrorCode;
use rooms_relay::{CloudPlan, HubConfig, Limits};
use rooms_session::{PlayerId, Profile, RoomName, Session, SessionConfig, SessionEvent, SessionStatus, Target, Wish};
use rooms_sim::{ClientIndex, SimNet};
use serde_json::{Value, json};
use web_time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(16);

/// One player, and what it heard.
struct Seat {
    name: String,
    client: ClientIndex,
    session: Session,
    /// When words of each player came, and the last one.
    heard: BTreeMap<String, Vec<(Instant, u64)>>,
    /// The requests that this player applied as host.
    applied: Vec<(String, u64)>,
    sent: u64,
    asked: u64,
}

/// A room of players on a server with the free plan's limits.
struct Room {
    net: SimNet,
    seats: Vec<Seat>,
    hosts: BTreeSet<PlayerId>,
    /// What the server refused, or left out.
    refused: Vec<String>,
}

impl Room {
    /// All come at the same time.
    fn new(players: usize, seed: u64) -> Self {
        let limits = Limits::of_plan(CloudPlan::Free);
        let mut net = SimNet::with_relay(seed, HubConfig { limits, ..HubConfig::default() });
        let seat = |number: usize| {
            let name = format!("p{number}");
            let client = net.add_client(SimNet::options(&name));
            net.command(client, Command::Connect);
            let config = SessionConfig {
                profile: Profile::named(&name),
                wish: Wish::JoinOrHost,
                ..SessionConfig::new(
                    RoomName::new("den").expect("a good name"),
                    PlayerId::new(&name).expect("a good name"),
                )
            };
            let session = Session::new(config, seed + number as u64, net.now());
            Seat { name, client, session, heard: BTreeMap::new(), applied: Vec::new(), sent: 0, asked: 0 }
        };
        let seats = (0..players).map(seat).collect();
        Self { net, seats, hosts: BTreeSet::new(), refused: Vec::new() }
    }

    fn say(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        seat.session.send(Target::Others, "word", json!(seat.sent)).expect("there is a place for a word");
        seat.sent += 1;
    }

    fn ask(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        seat.session.send(Target::Host, "ask", json!(seat.asked)).expect("there is a place for a request");
        seat.asked += 1;
    }

    fn frame(&mut self) {
        self.net.run_for(FRAME);
        let now = self.net.now();
        for seat in &mut self.seats {
            for event in self.net.take_events(seat.client) {
                let error = match &event {
                    Event::Published { outcome: Err(error), .. } => Some(error.clone()),
                    Event::Channel(change) => {
                        change.reason.clone().filter(|reason| reason.code == ErrorCode::DELIVERY_RATE_EXCEEDED)
                    }
                    _ => None,
                };
                self.refused.extend(error.map(|error| {
                    let (at, what) = (self.net.elapsed(), matches!(event, Event::Published { .. }));
                    format!("{at:.2?} {} {}: {error}", seat.name, if what { "sent" } else { "was to hear" })
                }));
                seat.session.handle_event(event, now);
            }
            seat.session.step(now);
            while let Some(event) = seat.session.poll_event() {
                match event {
                    SessionEvent::Message { sender, kind, data } if kind == "ask" => {
                        seat.applied.push((sender.to_string(), data.as_u64().unwrap_or_default()));
                        let key = format!("count of {sender}");
                        let count = seat.session.shared(&key).and_then(Value::as_u64).unwrap_or_default();
                        seat.session.set_shared(&key, json!(count + 1)).expect("the host may count");
                    }
                    SessionEvent::Message { sender, data, .. } => {
                        let words = seat.heard.entry(sender.to_string()).or_default();
                        words.push((now, data.as_u64().unwrap_or_default()));
                    }
                    SessionEvent::HostChanged { to, .. } => {
                        self.hosts.insert(to);
                    }
                    SessionEvent::SendFailed { kind, reason } => self.refused.push(format!("{kind}: {reason}")),
                    SessionEvent::Closed(reason) => panic!("{} is out: {reason:?}", seat.name),
                    _ => {}
                }
            }
            seat.session.flush(now);
            while let Some(command) = seat.session.poll_command() {
                self.net.command(seat.client, command);
            }
        }
    }

    fn is_full(&self) -> bool {
        let is_in = |seat: &Seat| {
            seat.session.status() == SessionStatus::Joined && seat.session.roster().len() == self.seats.len()
        };
        self.seats.iter().all(is_in)
    }

    fn wait(&mut self, most: Duration, is_done: impl Fn(&Self) -> bool) -> Duration {
        let from = self.net.now();
        while !is_done(self) {
            assert!(self.net.now() < from + most, "not within {most:?}");
            self.frame();
        }
        self.net.now() - from
    }

    /// Everybody heard all words of the others in order, and all requests were counted once.
    fn is_all_heard(&self) -> bool {
        let heard_all = |seat: &Seat| {
            let others = self.seats.iter().filter(|other| other.name != seat.name);
            others.filter(|other| other.sent > 0).all(|other| {
                let words: Vec<_> = seat.heard.get(&other.name).into_iter().flatten().map(|(_, word)| *word).collect();
                words == (0..other.sent).collect::<Vec<_>>()
            })
        };
        let counted = |seat: &Seat| {
            let count = |other: &Seat| other.session.shared(&format!("count of {}", seat.name)).and_then(Value::as_u64);
            self.seats.iter().all(|other| count(other).unwrap_or_default() == seat.asked)
        };
        self.seats.iter().all(|seat| heard_all(seat) && counted(seat) && seat.session.stats().unconfirmed == 0)
    }

    fn assert_undisturbed(&self) {
        assert!(self.refused.is_empty(), "the server refuses nothing: {:#?}", self.refused);
        assert_eq!(self.hosts.len(), 1, "the host stays: {:?}", self.hosts);
        assert!(self.seats.iter().all(|seat| seat.session.stats().pace.refused == 0));
    }
}

#[test]
fn eight_players_who_move_twenty_times_a_second_are_seen_three_times_a_second() {
    let mut room = Room::new(8, 1);
    room.wait(15 * SECOND, Room::is_full);
    let start = room.net.now();
    let mut moves = 0;
    while room.net.now() < start + 40 * SECOND {
        room.frame();
        // Twenty times a second, however long a frame is.
        while start + moves * Duration::from_millis(50) <= room.net.now() {
            (0..8).for_each(|place| room.say(place));
            moves += 1;
        }
    }
    for seat in &room.seats {
        for (sender, words) in &seat.heard {
            let moments: BTreeSet<_> = words.iter().map(|(at, _)| *at).filter(|at| *at > start + 5 * SECOND).collect();
            assert!(moments.len() >= 3 * 35, "{} heard {sender} {} times in 35 s", seat.name, moments.len());
            let gaps = moments.iter().zip(moments.iter().skip(1)).map(|(one, next)| *next - *one);
            let longest = gaps.max().unwrap_or_default();
            assert!(longest < SECOND, "{} did not hear {sender} for {longest:?}", seat.name);
        }
        assert_eq!(seat.heard.len(), 7);
    }
    room.wait(10 * SECOND, Room::is_all_heard);
    room.assert_undisturbed();
}

#[test]
fn twenty_players_who_come_together_play_for_a_minute_and_nothing_is_refused() {
    for seed in 2..6 {
        play_for_a_minute(seed);
    }
}

fn play_for_a_minute(seed: u64) {
    let mut room = Room::new(20, seed);
    let arrival = room.wait(30 * SECOND, Room::is_full);
    println!("twenty players were in the room after {arrival:?}");
    let start = room.net.now();
    let mut frame = 0_usize;
    while room.net.now() < start + 60 * SECOND {
        room.frame();
        frame += 1;
        // Each says something every 8 s and asks for something every 6 s; now and then all do so at once.
        let (word, request) = (8_000 / 16, 6_000 / 16);
        for place in 0..20 {
            if (frame + place * word / 20).is_multiple_of(word) {
                room.say(place);
            }
            if (frame + place * request / 20).is_multiple_of(request) {
                room.ask(place);
            }
        }
        if frame.is_multiple_of(20_000 / 16) {
            (0..20).for_each(|place| room.ask(place));
        }
    }
    room.wait(30 * SECOND, Room::is_all_heard);
    room.assert_undisturbed();
}

#[test]
fn a_word_in_a_quiet_room_arrives_as_soon_as_the_line_allows() {
    let mut room = Room::new(5, 3);
    room.wait(15 * SECOND, Room::is_full);
    // Everybody's share is there again.
    (0..200).for_each(|_| room.frame());
    let said_at = room.net.now();
    room.say(1);
    room.wait(SECOND, |room| room.seats[3].heard.contains_key("p1"));
    // Two ways of 20 to 30 ms each, and up to two frames.
    let took = room.net.now() - said_at;
    assert!(took < Duration::from_millis(60) + 2 * FRAME, "{took:?}");
}
