//! One player's end of a room: owns the parts, and passes events, timers and calls on to them.
//!
//! The parts decide; a session applies their verdicts. Its own methods are layered, and a file calls only those below it:
//!
//! 1. this file: events, timers, and the end of a frame
//! 2. `control`: what the host's game sets
//! 3. `messages`: each message to its handler, and those of the game to the game
//! 4. `claims`: claims, and the change of host
//! 5. `from_host`: what a host sends, and whether it counts
//! 6. `connection`: what the connection's changes lead to
//! 7. `transitions`: from one role to another
//! 8. `unsent`: what follows when messages do not go out
//! 9. `view`: what the game can ask

mod claims;
mod connection;
mod control;
mod from_host;
mod messages;
mod transitions;
mod unsent;
mod view;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rooms_client::{Command, Event, PresenceCommand};
use serde_json::Value;
use smol_str::{SmolStr, format_smolstr};
use web_time::Instant;

use crate::{
    config::{Profile, SessionConfig},
    context::Base,
    election::claim::Election,
    event::{CloseReason, SessionError, SessionEvent, Target},
    host::state::{HandOverVerdict, HostState},
    peer::{hello::Hellos, state::PeerState},
    requests::{MAX_REQUESTS, NEXT_STEP, OwnRequests},
    state::{
        document::Document,
        json::{MAX_DEPTH, is_shallow, json_size},
        replica::Replica,
    },
    timer::Timer,
    wire::{
        inbound::Inbound,
        message::RESERVED,
        outbound::{Hold, Lane, MAX_PUBLISH_SIZE},
        payload::{Audience, ENVELOPE, MAX_KIND},
    },
};

/// Most timers handled in one step. Each handler sets its timer later than now, so this is never reached. It keeps a
/// mistake there from hanging a game.
const MAX_TIMERS_PER_STEP: usize = 64;

/// One player's end of a room.
#[derive(Debug)]
pub struct Session {
    base: Base,
    role: Role,
    /// The document that came over the wire.
    replica: Replica,
    election: Election,
    requests: OwnRequests,
    hellos: Hellos,
    inbound: Inbound,
    /// Whether the game says who is admitted.
    asks_game: bool,
    /// What the game sees outside a room.
    outside: Document,
}

/// What the player is in the room.
#[derive(Debug)]
enum Role {
    /// Not admitted yet.
    Arriving {
        /// Since when nobody who leads has sent anything while the connection was up.
        silent_since: Option<Instant>,
    },
    Peer(PeerState),
    Host(Box<HostState>),
    Closed,
}

impl Role {
    /// The document as the player sees it: a host has its own.
    fn document<'a>(&'a self, replica: &'a Replica) -> &'a Document {
        match self {
            Self::Host(host) => host.document(),
            _ => replica.document(),
        }
    }
}

/// Whether an event shows that the socket carries what the server sends.
fn is_from_server(event: &Event) -> bool {
    matches!(event, Event::Messages { .. } | Event::Presence { .. } | Event::RoundTrip(_))
}

impl Session {
    /// A session on its way into a room. `seed` makes its jitter and its nonce. Two processes take different seeds.
    pub fn new(config: SessionConfig, seed: u64, now: Instant) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let number = rng.random::<u64>();
        let config = SessionConfig { profile: config.profile.fitting(), timing: config.timing.bounded(), ..config };
        let mut base = Base::new(config, rng, number, now);
        for channel in [base.facts.room_channel().clone(), base.facts.inbox_channel().clone()] {
            base.outbound.attach(channel);
        }
        base.show_presence(PresenceCommand::Enter);
        Self {
            role: Role::Arriving { silent_since: None },
            replica: Replica::default(),
            election: Election::default(),
            requests: OwnRequests::new(base.config.generation),
            hellos: Hellos::new(format_smolstr!("{number:016x}")),
            inbound: Inbound::default(),
            asks_game: false,
            outside: Document::default(),
            base,
        }
    }

    /// Takes in what the client tells. Events about other channels are ignored.
    pub fn handle_event(&mut self, event: Event, now: Instant) {
        if self.is_closed() {
            return;
        }
        self.notice_stall(now);
        if is_from_server(&event) {
            self.base.facts.note_heard(now);
        }
        match event {
            Event::Connection(change) => self.on_connection(change, now),
            Event::Channel(change) => self.on_channel(change, now),
            Event::Messages { channel, messages } => {
                let inbox = channel == *self.base.facts.inbox_channel();
                if inbox || channel == *self.base.facts.room_channel() {
                    self.on_messages(inbox, messages, now);
                }
            }
            Event::Presence { channel, members } if channel == *self.base.facts.room_channel() => {
                self.on_presence(&members, now);
            }
            Event::PresenceSynced { channel } if channel == *self.base.facts.room_channel() => {
                self.base.facts.set_synced();
                self.consider_founding(now);
            }
            Event::Published { operation, outcome } => self.on_outcome(operation, outcome.err(), now),
            Event::Overflow { .. } => {
                self.base.facts.lose_events();
                self.base.outbound.lose_outcomes();
                self.lose_continuity(now);
            }
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
        if self.is_closed() {
            return;
        }
        self.notice_stall(now);
        self.base.last_step = now;
        for _ in 0..MAX_TIMERS_PER_STEP {
            let Some(timer) = self.base.timers.expire(now) else { break };
            self.on_timer(timer, now);
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Hello => self.send_hello(now),
            Timer::Silence => self.on_silence(now),
            Timer::Election => self.elect(now),
            Timer::Counter => self.counter(now),
            Timer::Claim => self.advance_claim(now),
            Timer::Lapse => self.lapse_claims(now),
            Timer::Behind => self.check_behind(now),
            Timer::Requests => self.send_requests(now),
            Timer::Presence => self.base.show_presence(PresenceCommand::Update),
            Timer::Doubt => self.doubt_socket(now),
            Timer::Lease | Timer::Fence | Timer::Seats => {
                let Role::Host(host) = &mut self.role else { return };
                match timer {
                    Timer::Lease => host.send_lease(now, &mut self.base.lend()),
                    Timer::Fence => host.fence(now, &mut self.base.lend()),
                    _ => host.check_seats(now, &mut self.base.lend()),
                }
            }
        }
    }

    /// Sends a hello, if something is missing.
    fn send_hello(&mut self, now: Instant) {
        let is_missing = match &self.role {
            Role::Arriving { .. } => true,
            Role::Peer(_) => self.hellos.wants_welcome() || self.hellos.has_doubts(now),
            Role::Host(_) => self.hellos.has_doubts(now),
            Role::Closed => false,
        };
        if is_missing && self.base.facts.is_up() {
            self.note_company();
            if self.hellos.waits_for_turn(now, &mut self.base.lend()) {
                return;
            }
            let best = self.election.leadership().best().map(|best| best.reign.clone());
            self.hellos.send(self.requests.first_kept(), best, now, &mut self.base.lend());
        }
    }

    /// Asks for the state that a lease announced, if it still has not come. A host sends it again.
    fn check_behind(&mut self, now: Instant) {
        match &mut self.role {
            Role::Host(host) => host.check_behind(&self.replica, &self.base.lend()),
            Role::Peer(peer) => {
                if peer.take_overdue(&self.replica).is_some() {
                    self.hellos.want_welcome(now, &mut self.base.lend());
                }
            }
            Role::Arriving { .. } | Role::Closed => {}
        }
    }

    /// Sends requests that are new or were not confirmed in time. A host applies its own.
    fn send_requests(&mut self, now: Instant) {
        match &mut self.role {
            Role::Host(host) => host.apply_requests(&self.requests, &mut self.base.lend()),
            Role::Peer(_) if self.base.facts.is_up() && self.base.feed.is_joined() => {
                if let Some(host) = self.base.feed.host().cloned() {
                    self.requests.send_due(&host, now, &mut self.base.lend());
                }
            }
            Role::Peer(_) | Role::Arriving { .. } | Role::Closed => {}
        }
    }

    /// Changes one value of the shared state. Nothing goes out if it is the same as before.
    ///
    /// # Errors
    /// Only the host may, once it has joined. Key and value have to fit the state's limits.
    pub fn set_shared(&mut self, key: &str, value: Value) -> Result<(), SessionError> {
        self.confirmed_host()?.set_shared(key, value)
    }

    /// Sends a message of the game.
    ///
    /// # Errors
    /// Tells why it cannot be sent. A failure after this call is a [`SessionEvent::SendFailed`].
    pub fn send(&mut self, to: Target, kind: &str, data: Value) -> Result<(), SessionError> {
        self.check_sendable(&to, kind, &data)?;
        let (lane, audience) = match to {
            Target::Host => {
                self.requests.push(SmolStr::new(kind), data);
                match self.role {
                    // The game hears of its own requests with the next step, and not now: what it makes of a request has to
                    // go out in the same state as the request's counter, and this frame's game has had its turn.
                    Role::Host(_) => self.base.timers.hasten(Timer::Requests, self.base.last_step + NEXT_STEP),
                    _ => self.send_requests(self.base.last_step),
                }
                return Ok(());
            }
            Target::Everyone => (Lane::Room, Audience::All),
            Target::Others => (Lane::Room, Audience::Others),
            Target::Player(player) => (Lane::Inbox(player), Audience::All),
        };
        let sequence = self.inbound.next_sequence(lane != Lane::Room);
        self.base.outbound.send_game(lane, kind, data, audience, sequence);
        Ok(())
    }

    /// Whether a message can be sent at all.
    fn check_sendable(&self, to: &Target, kind: &str, data: &Value) -> Result<(), SessionError> {
        if !self.base.feed.is_joined() {
            return Err(SessionError::NotJoined);
        }
        if kind.starts_with(RESERVED) {
            return Err(SessionError::ReservedKind(kind.into()));
        }
        if let Target::Player(player) = to
            && !self.roster().contains(player)
        {
            return Err(SessionError::UnknownPlayer(player.clone()));
        }
        if !is_shallow(data) {
            return Err(SessionError::TooDeep { kind: kind.into(), max: MAX_DEPTH });
        }
        let (size, max) = (json_size(data), MAX_PUBLISH_SIZE - ENVELOPE);
        if size > max || kind.len() > MAX_KIND {
            return Err(SessionError::TooLarge { kind: kind.into(), size: size.saturating_add(kind.len()), max });
        }
        let (waiting, is_full) = match to {
            Target::Host => (self.requests.unconfirmed(), self.requests.unconfirmed() >= MAX_REQUESTS),
            _ => (self.base.outbound.waiting(), !self.base.outbound.has_capacity()),
        };
        if is_full { Err(SessionError::Full { waiting }) } else { Ok(()) }
    }

    /// Changes how the player shows itself. A profile of more than 1 KiB is cut down to its name.
    pub fn set_profile(&mut self, profile: Profile) {
        let profile = profile.fitting();
        if profile == self.base.config.profile {
            return;
        }
        self.base.config.profile = profile;
        match &mut self.role {
            Role::Host(host) => host.refresh_own_seat(&mut self.base.lend()),
            // The hello carries the profile.
            Role::Arriving { .. } | Role::Peer(_) => {
                self.hellos.want_welcome_at(self.base.last_step, &mut self.base.timers);
            }
            Role::Closed => {}
        }
    }

    /// Publishes what the frame brought. Called at the end of a frame. On a server with limits, some of it waits for its turn
    /// ([`PaceConfig`](crate::PaceConfig)), and with a
    /// [`SessionTiming::publish_interval`](crate::SessionTiming::publish_interval) until that is over.
    pub fn flush(&mut self, now: Instant) {
        if self.is_closed() || self.base.outbound.is_full() {
            return;
        }
        if !self.base.facts.is_up() {
            self.base.outbound.drop_urgent();
            return;
        }
        self.note_company();
        let mut hold = Hold::Nothing;
        if let Role::Host(host) = &mut self.role {
            host.publish_state(now, &mut self.base.lend());
            // The hand-over itself goes out although the host no longer acts after it.
            hold = host.hold();
            let cx = &mut self.base.lend();
            if host.send_hand_over(now, cx) == HandOverVerdict::HandedOver {
                self.election.await_successor(now, cx);
            }
        }
        if !self.base.outbound.is_idle() {
            self.base.outbound.flush(hold, now);
        }
    }

    /// Notes messages that went out on the same connection and are not of this session, such as those of other channels, so that the
    /// session stays within what the server takes from the connection.
    pub fn note_sent_elsewhere(&mut self, messages: usize, now: Instant) {
        (0..messages).for_each(|_| self.base.outbound.pace_mut().note_sent_elsewhere(now));
    }

    /// Notes with how many players this one shares what the server takes.
    fn note_company(&mut self) {
        let players = self.roster().len().max(self.base.facts.members());
        self.base.outbound.pace_mut().set_room(players, matches!(self.role, Role::Host(_)));
    }

    /// Leaves the room: sends a goodbye and detaches. [`SessionEvent::Closed`] is the last event.
    pub fn leave(&mut self, now: Instant) {
        self.depart(CloseReason::Left, now);
    }

    /// The next thing to ask of the client.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.base.outbound.poll_command()
    }

    /// The next thing to tell the game. A value of the shared state is the newest, also if it changed again meanwhile.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        let document = if self.base.feed.is_joined() { self.role.document(&self.replica) } else { &self.outside };
        self.base.feed.poll(document)
    }

    /// When to step and flush at the latest. `None` once closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed() {
            return None;
        }
        let timing = &self.base.config.timing;
        // Twice within the time after which a session counts as frozen.
        let alive = Some(self.base.last_step + timing.stall / 2);
        let publish = self.next_publish();
        [alive, self.base.timers.next(), publish].into_iter().flatten().min()
    }

    /// When the next publish is due.
    fn next_publish(&self) -> Option<Instant> {
        let (outbound, now) = (&self.base.outbound, self.base.last_step);
        let (hold, state) = match &self.role {
            Role::Host(host) => (host.hold(), host.next_state_at(outbound, now)),
            _ => (Hold::Nothing, None),
        };
        if !self.base.facts.is_up() || hold == Hold::Everything {
            return None;
        }
        let waiting = outbound.next_publish(now).filter(|_| hold == Hold::Nothing);
        [state, waiting].into_iter().flatten().min()
    }
}
