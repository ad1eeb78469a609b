//! A room, seen by one of its players: arriving, the roster, who hosts, the shared state, and messages.
//!
//! # What it is
//! A [`Session`] is one player's end of the room protocol, for host and peer alike. It is sans-IO: no socket, no clock,
//! no randomness of its own. It speaks through a [client](rooms_client), whose events it is given and whose commands it
//! makes.
//!
//! # How to drive it
//! The client connects with the player's id as its client id and with echo. A session stands for one process of a player:
//! after [`SessionEvent::Closed`] make a new one, with a higher generation if the seat was ever taken.
//!
//! 1. Make it with [`Session::new`], a seed and the time. If the client is connected already, hand in its last
//!    [`Event::Connection`] again, since it tells the connection's id.
//! 2. Once a frame, hand every event of the client to [`Session::handle_event`], then call [`Session::step`].
//! 3. Take everything from [`Session::poll_event`] and let the game act on it: [`Session::set_shared`],
//!    [`Session::send`].
//! 4. End the frame with [`Session::flush`]. What the host changed and said in the frame goes out as one publish.
//! 5. Take everything from [`Session::poll_command`] and give it to the client.
//! 6. Without frames, come back at [`Session::poll_timeout`] at the latest. A session that is not stepped for
//!    [`SessionTiming::stall`] is taken for a frozen one, and its host's lease is not kept.
//!
//! # What it does not do
//! It does not connect, and never blocks. It trusts those it shares a room with to follow the protocol, though not to be
//! who they say: the sender of a message is what the server stamped on it. Nothing that comes over the wire makes it
//! panic or grow without bound.

#![cfg_attr(docsrs, feature(doc_cfg))]

// Makes every `#[test]` of the crate one of the browser's.
#[cfg(all(test, target_arch = "wasm32"))]
#[macro_use]
extern crate browser_test;

mod admission;
mod claim;
mod config;
mod connection;
mod control;
mod directory;
mod document;
mod early;
mod election;
mod event;
mod fingerprint;
mod follow;
mod heard;
mod host;
mod id;
mod invite;
mod lead;
mod line;
mod names;
mod outgoing;
mod parts;
mod peer;
mod promise;
mod replica;
mod request;
mod roster;
mod rules;
mod stats;
mod talk;
#[cfg(test)]
mod tests;
mod timer;
mod wire;

use std::collections::{BTreeMap, VecDeque};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use smol_str::{SmolStr, format_smolstr};
use web_time::Instant;

pub use config::{Migration, Profile, SessionConfig, SessionTiming, Wish};
pub use directory::{LIST_CHANNEL, ListedRoom, MAX_LISTED, RoomDirectory};
pub use document::{MAX_DEPTH, MAX_SHARED_KEYS, MAX_SHARED_SIZE};
pub use event::{
    Admission, CloseReason, Continuity, InterruptReason, LeaveReason, Refusal, SessionError, SessionEvent,
    SessionStatus, Target,
};
pub use fingerprint::Fingerprint;
pub use id::{Generation, InvalidName, PlayerId, Reign, RoomName, Stamp, Term, Version, is_room_channel};
pub use invite::{Invite, InviteError};
pub use names::{ANIMALS, CODE_LEN, CODE_LETTERS, random_player};
pub use roster::{MAX_PLAYERS, Roster, Seat, SeatStatus};
pub use rules::{DEFAULT_CAPACITY, Listing, MAX_BANS, MAX_REASON, MAX_TITLE, Newcomers, Removal, RoomRules};
pub use stats::SessionStats;

use claim::OwnClaim;
use early::Early;
use heard::Heard;
use lead::Lead;
use line::Line;
use outgoing::{Lane, Outgoing};
use parts::Joiner;
use peer::Peer;
use promise::Promise;
use replica::Replica;
use request::Requests;
use rooms_client::{ChannelOptions, Command, Event, PresenceCommand};
use rooms_protocol::ChannelName;
use talk::Publish;
use timer::{Timer, Timers};

/// Most timers handled in one step. Each handler sets its timer later than now, so that this is never reached; it keeps
/// a mistake there from hanging a game.
const MAX_TIMERS_PER_STEP: usize = 64;

/// Most commands that wait for the client; a flush adds none beyond them.
const MAX_COMMANDS: usize = 4096;

/// One player's end of a room.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    room_channel: ChannelName,
    inbox_channel: ChannelName,
    rng: ChaCha8Rng,
    /// Tells this process from others of the same player and generation.
    nonce: SmolStr,
    role: Role,
    /// Whether the game was told that it is in the room.
    joined: bool,
    line: Line,
    promise: Promise,
    replica: Replica,
    /// The player whose state is followed.
    host: Option<PlayerId>,
    /// The reign to which all open requests were sent.
    followed: Option<Reign>,
    claim: Option<OwnClaim>,
    requests: Requests,
    outgoing: Outgoing,
    joiner: Joiner,
    heard: Heard,
    /// What others said before the welcome came.
    early: Early,
    timers: Timers,
    last_step: Instant,
    last_hello: Option<Instant>,
    /// Set until a welcome: something is missing that only the host can give.
    wants_welcome: bool,
    /// Whether a newer process of this player said hello.
    newer_process: bool,
    /// Set from a loss of continuity until a welcome or a new reign made it good.
    lost_continuity: bool,
    /// When the room as this player knows it was last seen to have a host.
    alive_at: Option<Instant>,
    /// Whether the game has to be told that messages may be missing.
    missed: bool,
    /// Whether the game was told of an interruption.
    interrupted: bool,
    /// Those who said goodbye lately.
    goodbyes: VecDeque<PlayerId>,
    events: VecDeque<Told>,
    commands: VecDeque<Command>,
    /// Whether the game says who is admitted.
    asks_game: bool,
    /// Whether the host asked to wait.
    waiting: bool,
    /// Parts are numbered by message.
    last_part: u64,
    /// What [`roster`](Self::roster) shows outside a room.
    nobody: Roster,
    /// What [`rules`](Self::rules) shows outside a room.
    no_rules: RoomRules,
    stats: SessionStats,
}

/// Something to tell the game.
#[derive(Debug)]
struct Told {
    event: SessionEvent,
    /// Whether it is a request, which a player that hosts no more must not act on: its sender makes it again.
    request: bool,
}

#[derive(Debug)]
enum Role {
    /// Not admitted. Holds since when nobody leading was heard while the line was up.
    Arriving {
        silent_since: Option<Instant>,
    },
    Peer(Peer),
    Host(Box<Lead>),
    Closed,
}

impl Session {
    /// A session on its way into a room. `seed` makes its jitter and its nonce; two processes take different ones.
    pub fn new(config: SessionConfig, seed: u64, now: Instant) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let number = rng.random::<u64>();
        let nonce = format_smolstr!("{number:016x}");
        let (room_channel, inbox_channel) = (config.room.channel(), config.room.inbox(&config.player));
        let mut session = Self {
            requests: Requests::new(config.generation),
            config: SessionConfig { profile: talk::fitting(config.profile), timing: config.timing.bounded(), ..config },
            room_channel,
            inbox_channel,
            rng,
            nonce,
            role: Role::Arriving { silent_since: None },
            joined: false,
            line: Line::default(),
            promise: Promise::default(),
            replica: Replica::default(),
            host: None,
            followed: None,
            claim: None,
            outgoing: Outgoing::new(number),
            joiner: Joiner::default(),
            heard: Heard::default(),
            early: Early::default(),
            timers: Timers::default(),
            last_step: now,
            last_hello: None,
            wants_welcome: true,
            newer_process: false,
            lost_continuity: false,
            alive_at: None,
            missed: false,
            interrupted: false,
            goodbyes: VecDeque::new(),
            events: VecDeque::new(),
            commands: VecDeque::new(),
            asks_game: false,
            waiting: false,
            last_part: 0,
            nobody: Roster::default(),
            no_rules: RoomRules::default(),
            stats: SessionStats::default(),
        };
        for channel in [session.room_channel.clone(), session.inbox_channel.clone()] {
            session.commands.push_back(Command::Attach { channel, options: ChannelOptions::default() });
        }
        session.show_presence(PresenceCommand::Enter);
        session
    }

    /// Takes in what the client tells. Events about channels of others are ignored.
    pub fn handle_event(&mut self, event: Event, now: Instant) {
        if matches!(self.role, Role::Closed) {
            return;
        }
        self.notice_stall(now);
        match event {
            Event::Connection(change) => self.hear_connection(change, now),
            Event::Channel(change) => self.hear_channel(change, now),
            Event::Messages { channel, messages } => {
                let inbox = channel == self.inbox_channel;
                if inbox || channel == self.room_channel {
                    let mut publish = Publish::default();
                    messages.into_iter().for_each(|message| self.hear_message(inbox, message, &mut publish, now));
                }
            }
            Event::Presence { channel, members } if channel == self.room_channel => self.hear_presence(&members, now),
            Event::PresenceSynced { channel } if channel == self.room_channel => {
                self.line.synced = true;
                self.consider_founding(now);
            }
            Event::Published { operation, outcome } => self.hear_outcome(operation, outcome.err(), now),
            Event::Overflow { .. } => self.lose_continuity(now),
            Event::Presence { .. }
            | Event::PresenceSynced { .. }
            | Event::RoundTrip(_)
            | Event::Members { .. }
            | Event::History { .. }
            | Event::Time { .. }
            | Event::PingFailed(_)
            | Event::Authorized { .. } => {}
        }
    }

    /// Does what is due. Called once a frame, after the frame's events.
    pub fn step(&mut self, now: Instant) {
        if matches!(self.role, Role::Closed) {
            return;
        }
        self.notice_stall(now);
        self.last_step = now;
        for _ in 0..MAX_TIMERS_PER_STEP {
            let Some(timer) = self.timers.expire(now) else { break };
            match timer {
                Timer::Hello => self.say_hello(now),
                Timer::Silence => self.hear_silence(now),
                Timer::Election => self.elect(now),
                Timer::Counter => self.counter(now),
                Timer::Claim => self.advance_claim(now),
                Timer::Lapse => self.lapse_claims(now),
                Timer::Lease => self.send_lease(now),
                Timer::Fence => self.fence(now),
                Timer::Behind => self.check_behind(now),
                Timer::Requests => self.send_requests(now),
                Timer::Seats => self.check_seats(now),
                Timer::Presence => self.show_presence(PresenceCommand::Update),
            }
        }
    }

    /// Changes one value of the shared state. Nothing goes out where it is the same as before.
    ///
    /// # Errors
    /// Only the host may, once it has joined; key and value have to fit the state's limits.
    pub fn set_shared(&mut self, key: &str, value: Value) -> Result<(), SessionError> {
        if !self.joined {
            return Err(SessionError::NotJoined);
        }
        if !self.is_host() {
            return Err(SessionError::NotHost);
        }
        let Role::Host(lead) = &mut self.role else { return Err(SessionError::NotHost) };
        lead.set_shared(key, value)
    }

    /// One value of the shared state; `None` outside a room.
    pub fn shared(&self, key: &str) -> Option<&Value> {
        self.shared_values()?.get(key)
    }

    /// The keys of the shared state, in order.
    pub fn shared_keys(&self) -> impl Iterator<Item = &str> {
        self.shared_values().into_iter().flat_map(|shared| shared.keys().map(SmolStr::as_str))
    }

    /// Sends a message of the game.
    ///
    /// # Errors
    /// Tells why it cannot be sent. Failures after this call are a [`SessionEvent::SendFailed`].
    pub fn send(&mut self, to: Target, kind: &str, data: Value) -> Result<(), SessionError> {
        self.check_sendable(&to, kind, &data)?;
        match to {
            Target::Host => self.request(SmolStr::new(kind), data),
            Target::Everyone => self.say_game(Lane::Room, kind, data, false),
            Target::Others => self.say_game(Lane::Room, kind, data, true),
            Target::Player(player) => self.say_game(Lane::Inbox(player), kind, data, false),
        }
        Ok(())
    }

    /// Changes how the player shows itself. A profile of more than 1 KiB is cut down to its name.
    pub fn set_profile(&mut self, profile: Profile) {
        let profile = talk::fitting(profile);
        if profile == self.config.profile {
            return;
        }
        self.config.profile = profile;
        match &mut self.role {
            Role::Host(_) => self.refresh_own_seat(),
            // The hello carries the profile.
            _ => self.want_welcome_at(self.last_step),
        }
    }

    /// Publishes what the frame brought. Called at the end of a frame; the first word goes at once, later ones when
    /// [`SessionTiming::publish_interval`] is over.
    pub fn flush(&mut self, now: Instant) {
        if matches!(self.role, Role::Closed) || self.commands.len() >= MAX_COMMANDS {
            return;
        }
        if !self.line.is_up() {
            self.outgoing.drop_urgent();
            return;
        }
        let interval = self.config.timing.publish_interval;
        self.publish_state(interval, now);
        let hold = self.hold();
        self.say_hand_over(now);
        if !self.outgoing.is_idle() {
            self.outgoing.flush(&self.config.room, interval, hold, now, &mut self.commands);
        }
    }

    /// Leaves the room: says goodbye and detaches. [`SessionEvent::Closed`] is the last event.
    pub fn leave(&mut self, now: Instant) {
        self.go(CloseReason::Left, now);
    }

    /// Says what is still to be said, and goodbye, and closes.
    fn go(&mut self, reason: CloseReason, now: Instant) {
        if matches!(self.role, Role::Closed) {
            return;
        }
        if self.line.is_up() {
            let at_once = std::time::Duration::ZERO;
            self.publish_state(at_once, now);
            // Also on the way in: the host may have let the player in by now.
            self.say_goodbye();
            let hold = self.hold();
            self.outgoing.flush(&self.config.room, at_once, hold, now, &mut self.commands);
        }
        self.close(reason);
    }

    /// The next thing to ask of the client.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The next thing to tell the game.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front().map(|told| told.event)
    }

    /// When to step and flush at the latest; `None` once closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if matches!(self.role, Role::Closed) {
            return None;
        }
        let timing = &self.config.timing;
        // Twice within the time after which a session counts as frozen.
        let alive = Some(self.last_step + timing.stall / 2);
        let publish = self.next_publish(timing.publish_interval);
        [alive, self.timers.next(), publish].into_iter().flatten().min()
    }

    /// Where the player stands with the room.
    pub fn status(&self) -> SessionStatus {
        match self.role {
            Role::Closed => SessionStatus::Closed,
            _ if self.joined => SessionStatus::Joined,
            _ => SessionStatus::Arriving,
        }
    }

    /// Whether this player is the room's host.
    pub fn is_host(&self) -> bool {
        self.joined && matches!(self.role, Role::Host(_)) && self.host.as_ref() == Some(&self.config.player)
    }

    /// Who hosts the room; `None` outside a room.
    pub fn host(&self) -> Option<&PlayerId> {
        self.host.as_ref().filter(|_| self.joined)
    }

    /// The term of the state that is followed; 0 outside a room.
    pub fn term(&self) -> Term {
        self.stamp().map_or(Term::default(), |stamp| stamp.reign.term)
    }

    /// The state that came over the wire: whose, and how far. `None` outside a room.
    pub fn stamp(&self) -> Option<&Stamp> {
        self.replica.stamp().filter(|_| self.joined)
    }

    /// Who is in the room, in order of admission; empty outside a room.
    pub fn roster(&self) -> &Roster {
        match &self.role {
            _ if !self.joined => &self.nobody,
            Role::Host(lead) => &lead.working.roster,
            _ => &self.replica.document().roster,
        }
    }

    /// This player.
    pub fn local(&self) -> &PlayerId {
        &self.config.player
    }

    /// The room.
    pub fn room(&self) -> &RoomName {
        &self.config.room
    }

    /// What was dropped and what waits.
    pub fn stats(&self) -> SessionStats {
        SessionStats {
            waiting: self.outgoing.waiting(),
            unconfirmed: self.requests.unconfirmed(),
            kept: self.replica.kept(),
            ..self.stats
        }
    }

    fn shared_values(&self) -> Option<&BTreeMap<SmolStr, Value>> {
        match &self.role {
            _ if !self.joined => None,
            Role::Host(lead) => Some(&lead.working.shared),
            _ => Some(&self.replica.document().shared),
        }
    }
}
