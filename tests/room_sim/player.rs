//! One player of a simulated room: a real session over a real client, and the game that it plays.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bevy_rooms::{
    client::Event,
    protocol::ConnectionId,
    session::{CloseReason, Continuity, PlayerId, Session, SessionEvent, SessionStatus, Stamp, Target},
    testing::ClientIndex,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use web_time::Instant;

/// Longest time by which a message may be overtaken by those of other publishers.
const OVERTAKEN: u64 = 300;

/// A message to everyone, by its sender's name, process and number.
pub type Said = (String, u64, u64);

/// One process of one player.
pub struct Player {
    pub name: String,
    pub generation: u64,
    pub client: ClientIndex,
    pub session: Session,
    /// Whether its process is there at all.
    pub alive: bool,
    /// Until when its frames stand still.
    pub stalled_until: Option<Instant>,
    /// How fast its clock goes.
    pub rate: f64,
    /// How many requests it made.
    pub asked: u64,
    /// How many messages it sent to everyone.
    pub said: u64,
    pub best: Option<Stamp>,
    pub closed: Option<CloseReason>,
    /// What it heard since its continuity was last lost.
    pub heard: Vec<Said>,
    /// Whether it missed nothing since it joined.
    pub unbroken: bool,
    /// What comes to it, each with its time.
    coming: VecDeque<(Instant, Event)>,
    last: BTreeMap<Option<ConnectionId>, Instant>,
}

impl Player {
    pub fn new(name: String, generation: u64, client: ClientIndex, session: Session, rate: f64) -> Self {
        Self {
            name,
            generation,
            client,
            session,
            alive: true,
            stalled_until: None,
            rate,
            asked: 0,
            said: 0,
            best: None,
            closed: None,
            heard: Vec::new(),
            unbroken: true,
            coming: VecDeque::new(),
            last: BTreeMap::new(),
        }
    }

    pub fn is_joined(&self) -> bool {
        self.alive && self.session.status() == SessionStatus::Joined
    }

    /// Takes in what the client told, out of order where the order is only kept by publisher.
    pub fn take_in(&mut self, events: Vec<Event>, shuffle: Option<&mut ChaCha8Rng>, now: Instant) {
        let Some(rng) = shuffle else {
            return self.coming.extend(events.into_iter().map(|event| (now, event)));
        };
        for event in events {
            let publisher = match &event {
                Event::Messages { messages, .. } => messages.first().and_then(|message| message.connection_id.clone()),
                _ => None,
            };
            // What the client itself tells is overtaken by nothing and overtakes nothing.
            let at = match &publisher {
                Some(_) => now + Duration::from_millis(rng.random_range(0..=OVERTAKEN)),
                None => self.last.values().max().copied().unwrap_or(now).max(now),
            };
            let own = self.last.get(&publisher).copied().unwrap_or(at);
            let after_client = self.last.get(&None).copied().unwrap_or(at);
            let at = at.max(own).max(after_client);
            self.last.insert(publisher, at);
            let place = self.coming.iter().position(|(other, _)| *other > at).unwrap_or(self.coming.len());
            self.coming.insert(place, (at, event));
        }
    }

    /// One frame of the game. Gives what the session told, and what must not be. What was counted in a room that gave way to
    /// an older founding gave way too, so the counting is looked at only where the room was not `refounded`.
    pub fn frame(
        &mut self,
        now: Instant,
        own_now: Instant,
        refounded: bool,
    ) -> (Vec<SessionEvent>, Result<(), String>) {
        while self.coming.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, event)) = self.coming.pop_front() {
                self.session.handle_event(event, own_now);
            }
        }
        self.session.step(own_now);
        let told: Vec<_> = std::iter::from_fn(|| self.session.poll_event()).collect();
        let verdicts: Vec<_> = told.iter().map(|event| self.play(event, refounded)).collect();
        let verdict = verdicts.into_iter().collect();
        self.session.flush(own_now);
        (told, verdict)
    }

    fn play(&mut self, event: &SessionEvent, refounded: bool) -> Result<(), String> {
        match event {
            SessionEvent::Message { sender, kind, data } if kind == "ask" => {
                return self.count(sender, data, refounded);
            }
            SessionEvent::Message { sender, data, .. } => {
                let number = |name: &str| data[name].as_u64().unwrap_or_default();
                let said = (sender.as_str().to_owned(), number("generation"), number("number"));
                let after = |other: &&Said| (&other.0, other.1) == (&said.0, said.1) && other.2 >= said.2;
                if self.heard.iter().any(|other| after(&other)) {
                    return Err(format!("{} heard {said:?} twice or out of order", self.name));
                }
                self.heard.push(said);
            }
            SessionEvent::Resumed { continuity: Continuity::Lost } => self.unbroken = false,
            SessionEvent::Closed(reason) => self.closed = Some(reason.clone()),
            _ => {}
        }
        Ok(())
    }

    /// The game's own rule: the host counts everybody's requests in the shared state.
    fn count(&mut self, sender: &PlayerId, data: &Value, refounded: bool) -> Result<(), String> {
        let process = format!("{sender}/{}", data["generation"]);
        let count = self.session.shared(&process).and_then(Value::as_u64).unwrap_or_default();
        if data["number"] != json!(count) && !refounded {
            return Err(format!("{} applied {data} of {process} where {count} was next", self.name));
        }
        self.session.set_shared(&process, json!(count + 1)).map_err(|error| format!("the host may not count: {error}"))
    }

    pub fn ask(&mut self) {
        let data = json!({ "generation": self.generation, "number": self.asked });
        if self.session.send(Target::Host, "ask", data).is_ok() {
            self.asked += 1;
        }
    }

    pub fn say(&mut self) {
        let data = json!({ "generation": self.generation, "number": self.said });
        if self.session.send(Target::Everyone, "say", data).is_ok() {
            self.said += 1;
        }
    }

    /// How many of this process's requests are counted in the state that it sees.
    pub fn counted(&self) -> u64 {
        self.session.shared(&format!("{}/{}", self.name, self.generation)).and_then(Value::as_u64).unwrap_or_default()
    }
}
