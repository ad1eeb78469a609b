//! The line and the session behind the resources: what the systems work on.

use bevy::prelude::*;
use web_time::Instant;

use super::{
    RoomError,
    channels::{self, Channel, ChannelError, Front},
    settings::{Clock, Settings, Transport},
};
use crate::{
    bridge::{Bridge, SendRefused, TappedFrame, TrafficSnapshot},
    client::{ClientOptions, Command, ConnectionChange, ConnectionState, Event},
    session::{
        Fingerprint, Generation, Profile, RoomDirectory, RoomName, Session, SessionConfig, SessionEvent, SessionStatus,
        Wish,
    },
};

/// The connection of this app and the session in its room. One of each at most.
#[derive(Resource, Debug)]
pub(super) struct RoomsLink {
    settings: Settings,
    bridge: Option<Bridge>,
    pub(super) session: Option<Session>,
    /// Whether the room is to be left once this frame's messages and changes are out.
    leaving: bool,
    /// The room to enter after the one that is being left.
    pub(super) next: Option<NextRoom>,
    /// The public list of rooms.
    pub(super) directory: RoomDirectory,
    /// The app's own channels.
    pub(super) channels: Front,
    /// The connection's last change, for sessions that start after it.
    connection: Option<ConnectionChange>,
    /// Whether frames are copied, on the next line too.
    watches_frames: bool,
    /// Whether the game takes the network for gone, on the next line too.
    offline: bool,
    /// Whether the background task has still to hear of that.
    offline_untold: bool,
    /// What came and was not applied to the world yet.
    pub(super) received: Received,
    /// Runs the relay where the game asked for one on this machine.
    #[cfg(all(feature = "relay", not(target_arch = "wasm32")))]
    relay: Option<crate::relay::RelayHandle>,
}

/// A room that a player wants to be in.
#[derive(Debug)]
pub(super) struct NextRoom {
    pub(super) room: RoomName,
    pub(super) profile: Profile,
    pub(super) wish: Wish,
}

/// What came and was not applied to the world yet. The vectors are kept, so that a quiet frame allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) events: Vec<SessionEvent>,
    pub(super) connection: Vec<ConnectionChange>,
    /// About the app's own channels.
    pub(super) channels: Vec<Event>,
    pub(super) round_trip: Option<std::time::Duration>,
    pub(super) errors: Vec<RoomError>,
    /// Whether the list of rooms is another.
    pub(super) list: bool,
}

impl Received {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.connection.is_empty()
            && self.channels.is_empty()
            && self.round_trip.is_none()
            && self.errors.is_empty()
            && !self.list
    }
}

impl RoomsLink {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            bridge: None,
            session: None,
            leaving: false,
            next: None,
            directory: RoomDirectory::default(),
            channels: Front::default(),
            connection: None,
            watches_frames: false,
            offline: false,
            offline_untold: false,
            received: Received::default(),
            #[cfg(all(feature = "relay", not(target_arch = "wasm32")))]
            relay: None,
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.settings.clock
    }

    pub(super) fn traffic(&self) -> Option<TrafficSnapshot> {
        self.bridge.as_ref().map(Bridge::traffic)
    }

    /// Has frames copied, or no more, and takes the copies that wait, with how many found no room.
    pub(super) fn take_frames(&mut self, watch: bool) -> Option<(impl Iterator<Item = TappedFrame> + use<>, u64)> {
        self.watches_frames = watch;
        let bridge = self.bridge.as_ref()?;
        bridge.watch_frames(watch);
        Some(bridge.take_frames())
    }

    /// Enters a room: connects where there is no connection yet.
    ///
    /// `fingerprint` stands for the game's messages and shared resources.
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
        let config = SessionConfig {
            room,
            player: self.settings.player.clone(),
            generation: self.next_generation(),
            profile,
            wish,
            migration: self.settings.migration,
            fingerprint: Fingerprint { version: self.settings.version.clone(), ..fingerprint }.to_string(),
            timing: self.settings.timing,
        };
        let now = self.settings.clock.now();
        let mut session = Session::new(config, self.next_seed(), now);
        // A connection that failed is taken up afresh: how it ended is no news for this session.
        if let Some(change) = self.connection.clone().filter(|change| change.current == ConnectionState::Connected) {
            session.handle_event(Event::Connection(change), now);
        }
        self.session = Some(session);
        self.hand_over_commands();
        Ok(())
    }

    /// Leaves the room at the end of the frame, with what the game says and changes in it. Returns false where there is none.
    pub(super) fn leave(&mut self) -> bool {
        self.leaving = self.session.is_some();
        // Whoever leaves has thought better of what it wanted before.
        self.next = None;
        self.leaving
    }

    /// Whether the room is on its way to its end, and another can be entered after it.
    pub(super) fn is_on_the_way_out(&self) -> bool {
        let is_closed = |session: &Session| session.status() == SessionStatus::Closed;
        self.leaving || self.session.as_ref().is_some_and(is_closed)
    }

    /// Connects where there is no connection yet.
    pub(super) fn connect(&mut self) -> Result<(), RoomError> {
        if self.bridge.is_none() {
            self.run_local_relay();
            let bridge = self.start_bridge()?;
            bridge.watch_frames(self.watches_frames);
            self.bridge = Some(bridge);
            self.offline_untold = self.offline;
            self.tell_offline();
        }
        self.send(Command::Connect);
        Ok(())
    }

    /// Takes the network for gone, or for back.
    pub(super) fn set_offline(&mut self, offline: bool) {
        (self.offline, self.offline_untold) = (offline, true);
        self.tell_offline();
    }

    /// Tells the background task of it; a full queue has room later.
    fn tell_offline(&mut self) {
        if self.offline_untold
            && let Some(bridge) = &self.bridge
        {
            self.offline_untold = bridge.send(Command::Network { up: !self.offline }).is_err();
        }
    }

    /// Attaches a channel: connects where there is no connection yet.
    pub(super) fn attach(&mut self, entity: Entity, channel: &Channel) -> Result<(), ChannelError> {
        self.connect().map_err(|error| ChannelError::NoBackgroundTask { why: error.to_string() })?;
        self.channels.attach(entity, channel)
    }

    /// A player that enters again takes its own seat over.
    fn next_generation(&mut self) -> Generation {
        let generation = self.settings.generation;
        self.settings.generation = Generation(generation.0.saturating_add(1));
        generation
    }

    /// A number that nobody can guess, or the next one of a test's.
    fn next_seed(&mut self) -> u64 {
        let Some(next) = &mut self.settings.seed else { return random_seed() };
        std::mem::replace(next, next.wrapping_add(1))
    }

    fn start_bridge(&mut self) -> Result<Bridge, RoomError> {
        let seed = self.next_seed();
        let options = self.settings.connect.client_options(&self.settings.player);
        let Settings { format, use_token_auth, query_time, .. } = self.settings;
        let options = ClientOptions { format, use_token_auth, query_time, ..options };
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

    /// Takes in what the background task has for us, and moves the session on.
    pub(super) fn receive(&mut self) {
        let now = self.settings.clock.now();
        let Self { bridge, session, directory, connection, received, .. } = self;
        if let Some(bridge) = bridge {
            bridge.receive(|event| {
                if channels::is_ours(&event) {
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
                if let Some(session) = session {
                    session.handle_event(event, now);
                }
            });
        }
        received.list |= directory.take_changed();
        if received.connection.last().is_some_and(|change| change.current == ConnectionState::Disconnected) {
            self.run_local_relay();
        }
        self.step(now);
    }

    fn step(&mut self, now: Instant) {
        let Self { session, received, .. } = self;
        if let Some(session) = session {
            session.step(now);
            received.events.extend(std::iter::from_fn(|| session.poll_event()));
        }
    }

    /// Publishes what the frame said and changed.
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

    /// Hands the session's commands over as far as there is room; the rest waits in the session.
    fn hand_over_commands(&mut self) {
        self.tell_offline();
        let Self { bridge: Some(bridge), session, directory, channels, .. } = self else { return };
        let mut next = || {
            let of_room = session.as_mut().and_then(Session::poll_command).or_else(|| directory.poll_command());
            of_room.or_else(|| channels.poll_command())
        };
        while bridge.capacity() > 0 {
            let Some(command) = next() else { break };
            if let Err(SendRefused::Ended(_)) = bridge.send(command) {
                let why = "it ended by itself";
                self.received.errors.push(RoomError::NoBackgroundTask { why: why.to_owned() });
                self.received.channels.extend(self.channels.end(why));
                self.bridge = None;
                self.directory = RoomDirectory::default();
                return;
            }
        }
    }

    /// Hands over a command that matters only now.
    pub(super) fn send(&self, command: Command) {
        if let Some(Err(refused)) = self.bridge.as_ref().map(|bridge| bridge.send(command)) {
            log::debug!("a command found no room and was dropped: {refused:?}");
        }
    }

    /// Whether this app runs the relay of this machine.
    pub(super) fn runs_relay(&self) -> bool {
        #[cfg(all(feature = "relay", not(target_arch = "wasm32")))]
        return self.relay.is_some();
        #[cfg(not(all(feature = "relay", not(target_arch = "wasm32"))))]
        return false;
    }

    /// Runs the relay of this machine where the game asked for it and nobody else does.
    #[cfg(all(feature = "relay", not(target_arch = "wasm32")))]
    fn run_local_relay(&mut self) {
        use crate::{
            protocol::DEFAULT_RELAY_PORT,
            relay::{RelayConfig, RelayError, spawn},
        };

        if self.settings.connect != super::Connect::Local || self.relay.is_some() {
            return;
        }
        let listen = (std::net::Ipv4Addr::LOCALHOST, DEFAULT_RELAY_PORT).into();
        match spawn(RelayConfig { listen, ..RelayConfig::default() }) {
            Ok(relay) => {
                log::info!("this game runs the relay of this machine, at {}", relay.url());
                self.relay = Some(relay);
            }
            // Somebody else runs it, as it should be.
            Err(RelayError::PortInUse { .. }) => {}
            Err(error) => log::warn!("the relay of this machine could not be started: {error}"),
        }
    }

    #[cfg(not(all(feature = "relay", not(target_arch = "wasm32"))))]
    fn run_local_relay(&mut self) {}
}

/// A seed that nobody can guess. Without a source of randomness it falls back to the clock: jitter needs no secrecy.
pub(super) fn random_seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| unix_millis())
}

/// Milliseconds since 1970, by the machine's clock.
pub(super) fn unix_millis() -> u64 {
    let since = web_time::SystemTime::now().duration_since(web_time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
