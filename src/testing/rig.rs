//! Whole apps on the simulated network, and how their frames pass.
//!
//! Each app has the real plugin, session and bridge; the client behind the bridge is one of a [`SimNet`], and the relay
//! is that net's hub. Only the thread, the socket, the clock and the source of randomness are replaced.

mod accessors;
mod clock;
mod place;
mod recorder;
mod timed_out;
mod trouble;

use std::{rc::Rc, time::Duration};

use bevy::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rooms_sim::SimNet;
use web_time::Instant;

use self::{
    clock::SimClock,
    place::{Place, Program},
};
pub use self::{recorder::Recorder, timed_out::TimedOut};
use crate::{
    plugin::{RoomState, RoomsCommandsExt, RoomsPlugin, Roster},
    relay::HubConfig,
    session::{PlayerId, Profile},
};

/// Time between two frames of an app. What a game does is coarser than on a screen, and a minute costs a third.
const FRAME: Duration = Duration::from_millis(50);

/// Far longer than it takes to found or enter a room when nothing goes wrong.
const ARRIVAL: Duration = Duration::from_secs(15);

/// The room of [`Rig::room`].
const ROOM: &str = "den";

/// Names an app of a [`Rig`]; it stays the same when the app is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppIndex(usize);

/// Any number of apps, each with [`RoomsPlugin`], on a simulated network and clock, in one thread.
///
/// The [module](super) shows how to use it. Equal seeds make equal runs, if no system of the game reads the real clock
/// or the machine's randomness. Bevy's `Time` follows the simulated clock.
#[derive(Debug)]
pub struct Rig {
    net: SimNet,
    /// Decides when each app has its frames, and seeds its plugin.
    rng: ChaCha8Rng,
    frame_time: Duration,
    clock: SimClock,
    places: Vec<Place>,
}

impl Rig {
    /// A relay with its default configuration, and no app. Equal seeds make equal runs.
    pub fn new(seed: u64) -> Self {
        Self::with_relay(seed, HubConfig::default())
    }

    /// A relay with this configuration, and no app.
    pub fn with_relay(seed: u64, config: HubConfig) -> Self {
        let net = SimNet::with_relay(seed, config);
        let clock = SimClock::at(net.now());
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { net, rng, frame_time: FRAME, clock, places: Vec::new() }
    }

    /// These players in one room, in this order; the first hosts it. `game` adds to each app what the game has.
    ///
    /// # Panics
    /// If one of them does not get in. The message shows the state of the apps.
    #[track_caller]
    pub fn room<const N: usize>(
        seed: u64,
        players: [&str; N],
        game: impl Fn(&mut App) + Clone + 'static,
    ) -> (Self, [AppIndex; N]) {
        let mut rig = Self::new(seed);
        let apps = players.map(|player| {
            let app = rig.add(player, game.clone());
            rig.command(app, |commands| commands.join_or_host(ROOM, Profile::named(player)));
            let all = rig.apps().count();
            let is_in = |rig: &Self| {
                rig.apps().all(|app| rig.state(app) == RoomState::Joined && rig.resource::<Roster>(app).len() == all)
            };
            if let Err(error) = rig.run_until(ARRIVAL, is_in) {
                panic!("{player} did not get into the room: {error}");
            }
            app
        });
        (rig, apps)
    }

    /// Adds the app of a player. `game` adds what the game has, and is called again when the app is
    /// [restarted](Self::restart).
    ///
    /// `MinimalPlugins` and [`RoomsPlugin`] are there already.
    ///
    /// # Panics
    /// If `player` is not a valid [`PlayerId`].
    #[track_caller]
    pub fn add(&mut self, player: &str, game: impl Fn(&mut App) + 'static) -> AppIndex {
        self.add_with(player, |plugin| plugin, game)
    }

    /// As [`add`](Self::add), with other settings: `set` takes the plugin that the rig would use and returns another.
    ///
    /// # Panics
    /// If `player` is not a valid [`PlayerId`].
    #[track_caller]
    pub fn add_with(
        &mut self,
        player: &str,
        set: impl Fn(RoomsPlugin) -> RoomsPlugin + 'static,
        game: impl Fn(&mut App) + 'static,
    ) -> AppIndex {
        let player = PlayerId::new(player).unwrap_or_else(|error| panic!("{player:?} cannot be a player: {error}"));
        let program = Program { player, set: Rc::new(set), game: Rc::new(game) };
        // Apps have their frames at different times, as processes do.
        let first_frame = self.net.now() + self.frame_time.mul_f64(self.rng.random_range(0.0..1.0));
        self.places.push(Place::new(program, first_frame, &self.clock, self.rng.random()));
        AppIndex(self.places.len() - 1)
    }

    /// Sets the time between two frames of an app. Defaults to 50 ms, a millisecond at least: most of what a run costs
    /// is frames in which nothing happens.
    pub fn set_frame_time(&mut self, frame_time: Duration) {
        self.frame_time = frame_time.max(Duration::from_millis(1));
    }

    /// Runs commands on an app, as one of its systems would.
    ///
    /// # Panics
    /// If the app does not run.
    #[track_caller]
    pub fn command(&mut self, app: AppIndex, run: impl FnOnce(&mut Commands)) {
        let world = self.world_mut(app);
        run(&mut world.commands());
        world.flush();
        self.after_frame(app.0);
    }

    /// Lets the time of one frame pass. Each app has one frame, unless it stands still.
    pub fn frame(&mut self) {
        let end = self.net.now() + self.frame_time;
        while let Some((at, place)) = self.next_frame().filter(|(at, _)| *at <= end) {
            self.pass_time(at);
            self.places[place].next_frame = at + self.frame_time;
            if self.has_frames(place) {
                self.places[place].update(at);
                self.after_frame(place);
            }
        }
        self.pass_time(end);
    }

    /// Lets time pass, in whole frames: it may be a little more.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.net.now() + time;
        while self.net.now() < end {
            self.frame();
        }
    }

    /// Lets time pass until `condition` is true. It is checked after each frame. Returns how long it took.
    ///
    /// # Errors
    /// [`TimedOut`] if it is not true within `limit`, with the state of the apps.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Result<Duration, TimedOut> {
        let start = self.net.now();
        while !condition(self) {
            if self.net.now() >= start + limit {
                return Err(TimedOut { limit, apps: self.to_string() });
            }
            self.frame();
        }
        Ok(self.net.now() - start)
    }

    fn next_frame(&self) -> Option<(Instant, usize)> {
        self.places.iter().enumerate().map(|(index, place)| (place.next_frame, index)).min()
    }

    /// Whether a place has frames: an app that is not stalled, in a process that does not stand still.
    fn has_frames(&self, place: usize) -> bool {
        let place = &self.places[place];
        let is_frozen = place.is_frozen || place.line.as_ref().is_some_and(|line| self.net.is_frozen(line.client));
        place.app.is_some() && !place.is_stalled && !is_frozen
    }

    /// Advances the net, and delivers its events to the apps.
    fn pass_time(&mut self, until: Instant) {
        self.net.advance_to(until);
        self.clock.set(until);
        for place in &mut self.places {
            place.take_events(&mut self.net);
        }
    }

    /// Takes the commands of an app from its bridge.
    fn after_frame(&mut self, place: usize) {
        let place = &mut self.places[place];
        if let Some(client) = place.connect(&mut self.net) {
            self.net.set_link(client, place.link);
            if place.is_isolated {
                self.net.isolate(client);
            }
        }
        place.take_commands(&mut self.net);
    }
}
