//! The connection and the session behind the resources: what the systems work on.
//!
//! Owns the bridge, the session, the public list and the requests to channels. Starts and steps them, and hands their
//! commands to the bridge. What arrives waits in [`Received`] for the systems that apply it to the world.

use std::collections::{BTreeSet, VecDeque};

use bevy::prelude::*;
use smol_str::SmolStr;
use web_time::Instant;

use super::{
    channels::{
        error::ChannelError,
        requests::{ChannelRequests, is_of_app_channels},
    },
    entropy::random_seed,
    error::RoomError,
    local_relay::LocalRelay,
    settings::{Clock, Settings, Transport},
};
use crate::{
    bridge::{Bridge, SendRefused, TappedFrame, TrafficSnapshot},
    client::{Asker, ChannelOptions, ClientOptions, Command, ConnectionChange, ConnectionState, Event},
    protocol::ChannelName,
    session::{
        Fingerprint, Generation, Profile, RoomDirectory, RoomName, ServerClock, Session, SessionConfig, SessionEvent,
        SessionStatus, Wish,
    },
};

/// The last commands of closed rooms that may wait. With more, no room can be entered: the background task stands still.
const MAX_PARTING: usize = 4096;

/// The connection of this app and the session in its room. One of each at most.
#[derive(Resource, Debug)]
pub(super) struct RoomsEngine {
    settings: Settings,
    bridge: Option<Bridge>,
    pub(super) session: Option<Session>,
    /// Whether we leave the room once this frame's messages and changes are sent.
    leaving: bool,
    /// The last commands of rooms that closed.
    parting: VecDeque<Command>,
    /// The room to enter after the one that we leave.
    pub(super) next: Option<NextRoom>,
    /// The public list of rooms.
    pub(super) directory: RoomDirectory,
    pub(super) server_clock: ServerClock,
    /// What the app asks of its own channels.
    pub(super) channels: ChannelRequests,
    /// The connection's last change, for sessions that start after it.
    connection: Option<ConnectionChange>,
    /// Whether the frame log gets copies of frames, on the next connection too.
    watches_frames: bool,
    /// Whether the game plays without a network, on the next connection too.
    offline: bool,
    /// Whether the background task does not know of `offline` yet.
    offline_unsent: bool,
    /// What arrived and is not applied to the world yet.
    pub(super) received: Received,
    local_relay: LocalRelay,
}

/// A room that a player wants to be in.
#[derive(Debug)]
pub(super) struct NextRoom {
    pub(super) room: RoomName,
    pub(super) profile: Profile,
    pub(super) wish: Wish,
}

/// What arrived and is not applied to the world yet. The vectors are reused, so that a quiet frame allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) events: Vec<SessionEvent>,
    pub(super) connection: Vec<ConnectionChange>,
    /// Events about the app's own channels.
    pub(super) channels: Vec<Event>,
    pub(super) round_trip: Option<std::time::Duration>,
    pub(super) errors: Vec<RoomError>,
    /// The keys of shared values that came back from the room.
    pub(super) confirmed: BTreeSet<SmolStr>,
    /// Whether the list of rooms changed.
    pub(super) list: bool,
}

impl Received {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.connection.is_empty()
            && self.channels.is_empty()
            && self.round_trip.is_none()
            && self.errors.is_empty()
            && self.confirmed.is_empty()
            && !self.list
    }
}

impl RoomsEngine {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            server_clock: ServerClock::new(settings.clock.now()),
            settings,
            bridge: None,
            session: None,
            leaving: false,
            parting: VecDeque::new(),
            next: None,
            directory: RoomDirectory::default(),
            channels: ChannelRequests::default(),
            connection: None,
            watches_frames: false,
            offline: false,
            offline_unsent: false,
            received: Received::default(),
            local_relay: LocalRelay::default(),
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.settings.clock
    }

    pub(super) fn traffic(&self) -> Option<TrafficSnapshot> {
        self.bridge.as_ref().map(Bridge::traffic)
    }

    /// Switches the copying of frames on or off. Takes the copies that wait, and the number of those that found no place.
    pub(super) fn take_frames(&mut self, watch: bool) -> Option<(impl Iterator<Item = TappedFrame> + use<>, u64)> {
        self.watches_frames = watch;
        let bridge = self.bridge.as_ref()?;
        bridge.watch_frames(watch);
        Some(bridge.take_frames())
    }

    /// Enters a room. Connects if there is no connection yet. What the session asks of the client goes out with the
    /// frame.
    ///
    /// `fingerprint` names the game's messages and shared resources.
    pub(super) fn enter(
        &mut self,
        room: RoomName,
        profile: Profile,
        wish: Wish,
        fingerprint: Fingerprint,
    ) -> Result<(), RoomError> {
        if let Some(session) = &self.session {
            return Err(RoomError::AlreadyInRoom { room: session.room().to_string() });
        }
        self.connect()?;
        if self.parting.len() >= MAX_PARTING {
            let why = "it does not take the last commands of earlier rooms; restart the game";
            return Err(RoomError::NoBackgroundTask { why: why.to_owned() });
        }
        let config = SessionConfig {
            room,
            player: self.settings.player.clone(),
            generation: self.next_generation(),
            profile,
            wish,
            migration: self.settings.migration,
            fingerprint: Fingerprint { version: self.settings.version.clone(), ..fingerprint }.to_string(),
            timing: self.settings.timing,
            pace: self.settings.pace(),
        };
        let now = self.settings.clock.now();
        let mut session = Session::new(config, self.next_seed(), now);
        // A connection that failed starts afresh: how it ended does not concern this session.
        if let Some(change) = self.connection.clone().filter(|change| change.current == ConnectionState::Connected) {
            session.handle_event(Event::Connection(change), now);
        }
        self.session = Some(session);
        Ok(())
    }

    /// Leaves the room at the end of the frame, with what the game sends and changes in it. Returns false if there is
    /// no room.
    pub(super) fn leave(&mut self) -> bool {
        self.leaving = self.session.is_some();
        // Leaving cancels a room that the game asked for before.
        self.next = None;
        self.leaving
    }

    /// Whether the room is about to end, so that another can be entered after it.
    pub(super) fn is_on_the_way_out(&self) -> bool {
        let is_closed = |session: &Session| session.status() == SessionStatus::Closed;
        self.leaving || self.session.as_ref().is_some_and(is_closed)
    }

    /// Drops the session of a room that closed. Its last commands, such as the goodbye, go out with the frame, before
    /// those of the next room. Gives the room to enter next.
    pub(super) fn end_session(&mut self) -> Option<NextRoom> {
        self.leaving = false;
        let session = self.session.take().filter(|_| self.bridge.is_some());
        if let Some(mut session) = session {
            self.parting.extend(std::iter::from_fn(|| session.poll_command()));
        }
        self.next.take()
    }

    /// Connects if there is no connection yet.
    pub(super) fn connect(&mut self) -> Result<(), RoomError> {
        if self.bridge.is_none() {
            self.local_relay.start_if_asked(&self.settings.connect);
            let bridge = self.start_bridge()?;
            bridge.watch_frames(self.watches_frames);
            self.bridge = Some(bridge);
            self.offline_unsent = self.offline;
            self.send_offline();
        }
        self.send(Command::Connect);
        Ok(())
    }

    /// Acts as if the network was gone, or was back.
    pub(super) fn set_offline(&mut self, offline: bool) {
        (self.offline, self.offline_unsent) = (offline, true);
        self.send_offline();
    }

    /// Informs the background task of `offline`. If the queue is full, it tries again later.
    fn send_offline(&mut self) {
        if self.offline_unsent
            && let Some(bridge) = &self.bridge
        {
            self.offline_unsent = bridge.send(Command::Network { up: !self.offline }).is_err();
        }
    }

    /// Attaches a channel. Connects if there is no connection yet.
    pub(super) fn attach(
        &mut self,
        entity: Entity,
        name: &ChannelName,
        options: &ChannelOptions,
        catches_up: bool,
    ) -> Result<(), ChannelError> {
        self.connect().map_err(|error| ChannelError::NoBackgroundTask { why: error.to_string() })?;
        self.channels.attach(entity, name, options, catches_up)
    }

    /// The next generation: a player that enters again takes over its own seat.
    fn next_generation(&mut self) -> Generation {
        let generation = self.settings.generation;
        self.settings.generation = Generation(generation.0.saturating_add(1));
        generation
    }

    /// A seed that nobody can guess, or the next seed of a test.
    fn next_seed(&mut self) -> u64 {
        let Some(next) = &mut self.settings.seed else { return random_seed() };
        std::mem::replace(next, next.wrapping_add(1))
    }

    fn start_bridge(&mut self) -> Result<Bridge, RoomError> {
        let seed = self.next_seed();
        let options = self.settings.connect.client_options(&self.settings.player);
        let Settings { format, side, use_token_auth, query_time, .. } = self.settings;
        let options = ClientOptions { format, side, use_token_auth, query_time, ..options };
        let runtime = &self.settings.runtime;
        let started = match &self.settings.transport {
            Transport::Driven(make) => Ok(make(options)),
            Transport::Custom(make) => Bridge::start(options, make(), runtime, seed),
            #[cfg(not(target_arch = "wasm32"))]
            Transport::Platform => crate::transport::native::NativeConnector::new()
                .map_err(|error| crate::bridge::BridgeError::Tls(error.to_string()))
                .and_then(|connector| Bridge::start(options, connector, runtime, seed)),
            #[cfg(target_arch = "wasm32")]
            Transport::Platform => Bridge::start(options, crate::transport::web::WebConnector, runtime, seed),
        };
        started.map_err(|error| RoomError::NoBackgroundTask { why: error.to_string() })
    }

    /// Receives the events of the background task, and steps the session.
    pub(super) fn receive(&mut self) {
        let now = self.settings.clock.now();
        let Self { bridge, session, directory, server_clock, connection, received, .. } = self;
        if let Some(bridge) = bridge {
            bridge.receive(|event| {
                if is_of_app_channels(&event) {
                    return received.channels.push(event);
                }
                match &event {
                    Event::Connection(change) => {
                        *connection = Some(change.clone());
                        received.connection.push(change.clone());
                    }
                    Event::Overflow { .. } => received.channels.push(event.clone()),
                    Event::RoundTrip(duration) => received.round_trip = Some(*duration),
                    _ => {}
                }
                directory.handle_event(&event);
                server_clock.handle_event(&event, now);
                if let Some(session) = session {
                    session.handle_event(event, now);
                }
            });
        }
        received.list |= directory.take_changed();
        if received.connection.last().is_some_and(|change| change.current == ConnectionState::Disconnected) {
            self.local_relay.start_if_asked(&self.settings.connect);
        }
        self.step(now);
    }

    fn step(&mut self, now: Instant) {
        let Self { session, received, server_clock, .. } = self;
        server_clock.step(session.is_some(), now);
        if let Some(session) = session {
            session.step(now);
            received.events.extend(std::iter::from_fn(|| session.poll_event()));
            received.confirmed.append(&mut session.take_confirmed());
        }
    }

    /// Publishes what the game sent and changed in this frame.
    pub(super) fn flush(&mut self) {
        let now = self.settings.clock.now();
        if let Some(session) = &mut self.session {
            match std::mem::take(&mut self.leaving) {
                true => session.leave(now),
                false => session.flush(now),
            }
        }
        self.directory.step(self.session.as_ref(), now);
        self.hand_over_commands();
    }

    /// Hands commands to the background task as far as its queue has places. The rest waits.
    fn hand_over_commands(&mut self) {
        self.send_offline();
        let Self { bridge: Some(bridge), parting, session, directory, server_clock, channels, .. } = self else {
            return;
        };
        let mut next = || {
            let of_room = parting.pop_front().or_else(|| session.as_mut().and_then(Session::poll_command));
            let of_others = of_room.or_else(|| directory.poll_command()).or_else(|| channels.poll_command());
            of_others.or_else(|| server_clock.poll_command())
        };
        let mut elsewhere = 0;
        while bridge.capacity() > 0 {
            let Some(command) = next() else { break };
            elsewhere += messages_elsewhere(&command);
            if let Err(SendRefused::Ended(_)) = bridge.send(command) {
                let why = "it ended by itself";
                self.received.errors.push(RoomError::NoBackgroundTask { why: why.to_owned() });
                self.received.channels.extend(self.channels.end(why));
                self.bridge = None;
                self.parting.clear();
                self.directory = RoomDirectory::default();
                return;
            }
        }
        if elsewhere > 0
            && let Some(session) = session
        {
            session.note_sent_elsewhere(elsewhere, self.settings.clock.now());
        }
    }

    /// Hands over a command that is worthless later. If the queue is full, it is dropped.
    pub(super) fn send(&self, command: Command) {
        if let Some(Err(refused)) = self.bridge.as_ref().map(|bridge| bridge.send(command)) {
            log::debug!("the queue is full and a command was dropped: {refused:?}");
        }
    }

    /// Whether this app runs the relay of this machine.
    pub(super) fn runs_relay(&self) -> bool {
        self.local_relay.is_running()
    }
}

/// How many messages a command sends over the connection that are not those of a room.
fn messages_elsewhere(command: &Command) -> usize {
    match command {
        Command::Publish { operation, messages, .. } if !operation.is_of(Asker::Room) => messages.len(),
        Command::Presence { operation, .. } | Command::PresenceFor { operation, .. }
            if !operation.is_of(Asker::Room) =>
        {
            1
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        bridge::{BridgeBackend, COMMAND_CAPACITY},
        plugin::{RoomsPlugin, settings::Connect},
        session::{CloseReason, PlayerId},
    };

    fn enter(engine: &mut RoomsEngine) -> Result<(), RoomError> {
        engine.enter(RoomName::new("den").unwrap(), Profile::default(), Wish::Join, Fingerprint::default())
    }

    /// An engine on its way into a room, and the other end of its bridge.
    fn arriving() -> (RoomsEngine, BridgeBackend) {
        let made = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&made);
        let transport = Transport::driven(move |_| {
            let (bridge, backend) = Bridge::pair();
            *kept.lock().unwrap() = Some(backend);
            bridge
        });
        let (connect, player) = (Connect::relay("ws://127.0.0.1:9"), PlayerId::new("ada").ok());
        let plugin = RoomsPlugin { connect, player, transport, ..RoomsPlugin::default() };
        let mut engine = RoomsEngine::new(plugin.settings());
        enter(&mut engine).unwrap();
        let backend = made.lock().unwrap().take().unwrap();
        (engine, backend)
    }

    fn taken(backend: &mut BridgeBackend) -> Vec<Command> {
        std::iter::from_fn(|| backend.poll_command()).collect()
    }

    fn releases(command: &Command) -> bool {
        matches!(command, Command::Release { channel } if channel.as_str() == "room:den")
    }

    #[test]
    fn a_closed_room_is_released_when_the_background_task_takes_commands_again() {
        let (mut engine, mut backend) = arriving();
        engine.flush();
        taken(&mut backend);
        (0..COMMAND_CAPACITY).for_each(|_| engine.send(Command::Ping));
        engine.leave();
        engine.flush();
        engine.receive();
        assert_eq!(engine.received.events, [SessionEvent::Closed(CloseReason::Left)]);
        assert!(engine.end_session().is_none() && engine.session.is_none());
        assert!(!taken(&mut backend).iter().any(releases), "the queue was full");
        engine.flush();
        assert!(taken(&mut backend).iter().any(releases));
    }

    #[test]
    fn what_arrives_sends_nothing_before_the_end_of_the_frame() {
        let (mut engine, mut backend) = arriving();
        engine.flush();
        taken(&mut backend);
        engine.session.as_mut().unwrap().leave(engine.settings.clock.now());
        engine.receive();
        engine.end_session();
        assert_eq!(taken(&mut backend), []);
        engine.flush();
        assert!(taken(&mut backend).iter().any(releases));
    }

    #[test]
    fn no_room_can_be_entered_while_too_many_last_commands_wait() {
        let (mut engine, _backend) = arriving();
        engine.session = None;
        engine.parting.extend(std::iter::repeat_n(Command::Ping, MAX_PARTING));
        assert!(matches!(enter(&mut engine), Err(RoomError::NoBackgroundTask { .. })));
    }
}
