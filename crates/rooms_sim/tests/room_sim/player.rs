//! One player of a simulated room: a real session over a real client, and the game that it plays.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rooms_client::Event;
use rooms_protocol::ConnectionId;
use rooms_session::{CloseReason, Continuity, PlayerId, Reign, Session, SessionEvent, SessionStatus, Stamp, Target};
use rooms_sim::ClientIndex;
use serde_json::{Value, json};
use web_time::Instant;

/// Longest time by which a message may be overtaken by those of other publishers.
const OVERTAKEN: u64 = 300;

/// To whom a message goes, as the game writes it down.
pub mod stream {
    /// To everyone.
    pub const ALL: &str = "all";
    /// To everyone but the sender.
    pub const OTHERS: &str = "others";
    /// To everyone, from a host that changes the state in the same frame.
    pub const BEAT: &str = "beat";

    /// To one player, over its inbox.
    pub fn to(player: &str) -> String {
        format!("to {player}")
    }
}

/// A message: the number that it has among those of one process of one player in one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub sender: String,
    pub generation: u64,
    pub stream: String,
    pub number: u64,
}

impl Said {
    /// Whose it is, and in which stream.
    pub fn source(&self) -> (&str, u64, &str) {
        (&self.sender, self.generation, &self.stream)
    }
}

/// What a room's past says about what may be missing.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The messages of all have one order.
    pub total_order: bool,
    /// The room was founded more than once: what gave way to an older founding is void.
    pub refounded: bool,
}

/// What the game does in a frame, after it took in what came and before anything is published.
pub enum Act {
    Ask,
    Say(Target, String),
    Beat,
}

/// One process of one player.
pub struct Player {
    pub name: String,
    pub generation: u64,
    pub client: ClientIndex,
    pub session: Session,
    pub process: Process,
    /// What the game does in its next frame.
    pub todo: Vec<Act>,
    pub sent: Sent,
    pub heard: Heard,
    /// Whether it hosted at any time.
    pub led: bool,
    pub best: Option<Stamp>,
    pub closed: Option<CloseReason>,
    beats: Beats,
    arrivals: Arrivals,
}

/// How the operating system runs it.
pub struct Process {
    /// Whether it is there at all.
    pub alive: bool,
    /// Until when its frames stand still.
    pub stalled_until: Option<Instant>,
    /// How fast its clock goes.
    pub rate: f64,
}

/// What a player sent.
#[derive(Default)]
pub struct Sent {
    /// How many requests it made.
    pub asked: u64,
    /// How many messages it sent in each stream.
    pub said: BTreeMap<String, u64>,
    /// Whether it was told that a message of its own was not sent.
    pub failed: bool,
}

/// What a player heard.
pub struct Heard {
    /// The messages since its continuity was last lost.
    pub said: Vec<Said>,
    /// Whether it missed nothing since it joined.
    pub unbroken: bool,
    /// What must not be, unless it turns out that something was missed.
    pub suspicion: Option<String>,
}

/// The host's beats, as the shared state shows them.
#[derive(Default)]
struct Beats {
    /// Whether the player's line or its host is gone, as far as it knows.
    interrupted: bool,
    /// Whose state was shown last while nothing was interrupted, and its beat.
    shown: (Option<Reign>, Value),
    /// Whether a beat was heard in that reign: before, it opens with its state alone, said again until it comes back.
    opened: bool,
}

/// What comes to a player, each with its time.
#[derive(Default)]
struct Arrivals {
    waiting: VecDeque<(Instant, Event)>,
    /// When the last event of each publisher comes.
    last: BTreeMap<Option<ConnectionId>, Instant>,
}

impl Arrivals {
    /// Takes in what the client told, out of order where the order is only kept by publisher.
    fn take_in(&mut self, events: Vec<Event>, shuffle: Option<&mut ChaCha8Rng>, now: Instant) {
        let Some(rng) = shuffle else {
            return self.waiting.extend(events.into_iter().map(|event| (now, event)));
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
            let place = self.waiting.iter().position(|(other, _)| *other > at).unwrap_or(self.waiting.len());
            self.waiting.insert(place, (at, event));
        }
    }

    /// The next event whose time has come.
    fn next(&mut self, now: Instant) -> Option<Event> {
        self.waiting.pop_front_if(|(at, _)| *at <= now).map(|(_, event)| event)
    }
}

impl Player {
    pub fn new(name: String, generation: u64, client: ClientIndex, session: Session, rate: f64) -> Self {
        Self {
            name,
            generation,
            client,
            session,
            process: Process { alive: true, stalled_until: None, rate },
            todo: Vec::new(),
            sent: Sent::default(),
            heard: Heard { said: Vec::new(), unbroken: true, suspicion: None },
            led: false,
            best: None,
            closed: None,
            beats: Beats::default(),
            arrivals: Arrivals::default(),
        }
    }

    pub fn is_joined(&self) -> bool {
        self.process.alive && self.session.status() == SessionStatus::Joined
    }

    /// Takes in what the client told, out of order where the order is only kept by publisher.
    pub fn take_in(&mut self, events: Vec<Event>, shuffle: Option<&mut ChaCha8Rng>, now: Instant) {
        self.arrivals.take_in(events, shuffle, now);
    }

    /// One frame of the game. Gives what the session told, and what must not be.
    pub fn frame(&mut self, now: Instant, own_now: Instant, past: Past) -> (Vec<SessionEvent>, Result<(), String>) {
        while let Some(event) = self.arrivals.next(now) {
            self.session.handle_event(event, own_now);
        }
        self.session.step(own_now);
        let told: Vec<_> = std::iter::from_fn(|| self.session.poll_event()).collect();
        let verdicts: Vec<_> = told.iter().map(|event| self.play(event, past)).collect();
        self.led |= self.session.is_host();
        self.check_beat(past);
        for act in std::mem::take(&mut self.todo) {
            match act {
                Act::Ask => self.ask(),
                Act::Say(to, stream) => self.say(to, &stream),
                Act::Beat => self.beat(),
            }
        }
        let verdict = verdicts.into_iter().collect();
        self.session.flush(own_now);
        (told, verdict)
    }

    fn play(&mut self, event: &SessionEvent, past: Past) -> Result<(), String> {
        match event {
            SessionEvent::Message { .. } if self.session.status() == SessionStatus::Closed => {}
            SessionEvent::Message { sender, kind, data } if kind == "ask" => {
                return self.count(sender, data, past);
            }
            SessionEvent::Message { sender, data, .. } => {
                let number = |name: &str| data[name].as_u64().unwrap_or_default();
                let said = Said {
                    sender: sender.to_string(),
                    generation: number("generation"),
                    stream: data["stream"].as_str().unwrap_or_default().to_owned(),
                    number: number("number"),
                };
                let after = |other: &Said| other.source() == said.source() && other.number >= said.number;
                if self.heard.said.iter().any(after) {
                    return Err(format!("{} heard {said:?} twice or out of order", self.name));
                }
                self.check_is_for_me(&said, past)?;
                self.heard.said.push(said);
            }
            SessionEvent::SendFailed { .. } => self.sent.failed = true,
            SessionEvent::Interrupted { .. } => self.beats.interrupted = true,
            SessionEvent::Resumed { continuity } => {
                self.beats.interrupted = false;
                if *continuity == Continuity::Lost {
                    (self.heard.unbroken, self.heard.suspicion) = (false, None);
                }
            }
            SessionEvent::Closed(reason) => self.closed = Some(reason.clone()),
            _ => {}
        }
        Ok(())
    }

    /// The game's own rule: the host counts everybody's requests in the shared state.
    fn count(&mut self, sender: &PlayerId, data: &Value, past: Past) -> Result<(), String> {
        let process = format!("{sender}/{}", data["generation"]);
        let count = self.session.shared(&process).and_then(Value::as_u64).unwrap_or_default();
        let number = data["number"].as_u64().unwrap_or_default();
        // A room that gave way took requests with it; not even then is one applied twice.
        if number < count || (number > count && !past.refounded) {
            return Err(format!("{} applied {data} of {process} where {count} was next", self.name));
        }
        self.session.set_shared(&process, json!(number + 1)).map_err(|error| format!("the host may not count: {error}"))
    }

    fn ask(&mut self) {
        let data = json!({ "generation": self.generation, "number": self.sent.asked });
        if self.session.send(Target::Host, "ask", data).is_ok() {
            self.sent.asked += 1;
        }
    }

    fn say(&mut self, to: Target, stream: &str) {
        let number = self.sent.said.get(stream).copied().unwrap_or_default();
        let data = json!({ "generation": self.generation, "stream": stream, "number": number });
        if self.session.send(to, "say", data).is_ok() {
            self.sent.said.insert(stream.to_owned(), number + 1);
        }
    }

    /// As host: changes the state, and says so in the same frame.
    fn beat(&mut self) {
        let number = self.sent.said.get(stream::BEAT).copied().unwrap_or_default();
        let beat = json!({ "by": self.name, "generation": self.generation, "number": number });
        if self.session.is_host() && self.session.set_shared(stream::BEAT, beat).is_ok() {
            self.say(Target::Everyone, stream::BEAT);
        }
    }

    /// What goes to one player, or to the others, reaches nobody else; a beat comes with its state. Without one order for
    /// all, that state may have given way in this frame to the one of a host that had not heard it.
    fn check_is_for_me(&mut self, said: &Said, past: Past) -> Result<(), String> {
        let for_me = match said.stream.as_str() {
            stream::ALL => true,
            stream::OTHERS => (said.sender.as_str(), said.generation) != (self.name.as_str(), self.generation),
            stream::BEAT => {
                let shown = self.session.shared(stream::BEAT).unwrap_or(&Value::Null);
                let is_later = shown["number"].as_u64().is_some_and(|number| number >= said.number);
                let is_another = shown["by"] != said.sender || shown["generation"] != said.generation;
                if past.total_order && !is_later && !is_another {
                    let name = &self.name;
                    self.heard
                        .suspicion
                        .get_or_insert_with(|| format!("{name} heard {said:?} before it saw its state"));
                }
                true
            }
            to => to == stream::to(&self.name),
        };
        if for_me { Ok(()) } else { Err(format!("{} heard {said:?}, which is not for it", self.name)) }
    }

    /// A beat that came with a patch was heard in the same frame.
    fn check_beat(&mut self, past: Past) {
        if self.beats.interrupted {
            return;
        }
        let shown = self.session.shared(stream::BEAT).cloned().unwrap_or_default();
        let reign = self.session.stamp().map(|stamp| stamp.reign.clone());
        let (reign_before, before) = std::mem::replace(&mut self.beats.shown, (reign.clone(), shown.clone()));
        // A reign opens with its state alone, and whoever joins sees what was before; a host sees its own beats at once,
        // before they come back. Without one order for all, the next host may have heard what comes here after its claim.
        self.beats.opened &= reign == reign_before;
        let may_differ = self.led || !past.total_order || past.refounded || !self.heard.unbroken;
        if shown.is_null() || shown == before || may_differ {
            return;
        }
        let was_heard = self.heard.said.iter().any(|said| {
            said.stream == stream::BEAT
                && shown["by"] == said.sender
                && shown["generation"] == said.generation
                && shown["number"] == said.number
        });
        if self.beats.opened && !was_heard {
            let name = &self.name;
            self.heard.suspicion.get_or_insert_with(|| format!("{name} saw the beat {shown} and did not hear it"));
        }
        self.beats.opened |= was_heard;
    }

    /// How many of this process's requests are counted in the state that it sees.
    pub fn counted(&self) -> u64 {
        self.session.shared(&format!("{}/{}", self.name, self.generation)).and_then(Value::as_u64).unwrap_or_default()
    }
}
