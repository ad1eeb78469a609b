//! One player's place: its app while it runs, and the line from the app to the net.

use std::{
    fmt,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use bevy::{ecs::schedule::SingleThreadedExecutor, prelude::*, time::TimeUpdateStrategy};
use rooms_sim::{ClientIndex, LinkConditions, SimNet};
use web_time::Instant;

use super::{clock::SimClock, recorder};
use crate::{
    bridge::{Bridge, BridgeBackend},
    client::{ClientOptions, Command},
    plugin::{Clock, Connect, RoomsPlugin, Transport},
    session::{Generation, PlayerId},
};

/// Where the relay is said to be. Nothing connects there.
const RELAY: &str = "ws://127.0.0.1:8787";

/// How many times a process of a player can enter a room before the next process starts.
const GENERATIONS_PER_PROCESS: u64 = 1_000_000;

/// How an app is made.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) player: PlayerId,
    pub(super) set: Rc<dyn Fn(RoomsPlugin) -> RoomsPlugin>,
    pub(super) game: Rc<dyn Fn(&mut App)>,
}

/// One player's place.
pub(super) struct Place {
    pub(super) program: Program,
    /// `None` where the process is no more.
    pub(super) app: Option<App>,
    pub(super) line: Option<Line>,
    pub(super) next_frame: Instant,
    /// No frames, though the process goes on.
    pub(super) is_stalled: bool,
    /// The process stands still, and has no line yet that would.
    pub(super) is_frozen: bool,
    pub(super) is_isolated: bool,
    pub(super) link: LinkConditions,
    /// How many processes of the player there were.
    processes: u64,
    /// The line that the plugin asked for in this frame.
    asked: Asked,
}

/// What the plugin leaves when it connects.
type Asked = Arc<Mutex<Option<(ClientOptions, BridgeBackend)>>>;

/// The line from an app to the net.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) client: ClientIndex,
    backend: BridgeBackend,
    /// Whether the client was told to close since the app is gone.
    closing: bool,
}

impl Place {
    pub(super) fn new(program: Program, next_frame: Instant, clock: &SimClock, seed: u64) -> Self {
        let mut place = Self {
            program,
            app: None,
            line: None,
            next_frame,
            is_stalled: false,
            is_frozen: false,
            is_isolated: false,
            link: LinkConditions::default(),
            processes: 0,
            asked: Asked::default(),
        };
        place.start(clock, seed);
        place
    }

    /// Starts a process of the player; one that was there is to be ended before.
    pub(super) fn start(&mut self, clock: &SimClock, seed: u64) {
        self.processes += 1;
        self.asked = Asked::default();
        (self.is_stalled, self.is_frozen) = (false, false);
        let (asked, time) = (Arc::clone(&self.asked), clock.clone());
        let plugin = RoomsPlugin {
            connect: Connect::relay(RELAY),
            player: Some(self.program.player.clone()),
            generation: Some(Generation(self.processes * GENERATIONS_PER_PROCESS)),
            transport: Transport::driven(move |options| {
                let (bridge, backend) = Bridge::pair();
                *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((options, backend));
                bridge
            }),
            clock: Clock::Custom(Arc::new(move || time.now())),
            seed: Some(seed),
            ..RoomsPlugin::default()
        };
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, (self.program.set)(plugin)));
        recorder::record_the_rooms_own(&mut app);
        (self.program.game)(&mut app);
        app.finish();
        app.cleanup();
        run_in_this_thread(&mut app);
        self.app = Some(app);
    }

    /// One frame.
    pub(super) fn update(&mut self, now: Instant) {
        if let Some(app) = &mut self.app {
            app.insert_resource(TimeUpdateStrategy::ManualInstant(now));
            app.update();
            recorder::after_frame(app.world_mut());
        }
    }

    /// Gives the app the client that it asked for, if it did.
    pub(super) fn connect(&mut self, net: &mut SimNet) -> Option<ClientIndex> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (options, backend) = asked?;
        let client = net.add_client(options);
        net.set_tap(client, backend.tap().clone());
        self.line = Some(Line { client, backend, closing: false });
        Some(client)
    }

    /// Hands the app's commands to its client.
    pub(super) fn take_commands(&mut self, net: &mut SimNet) {
        let Some(line) = &mut self.line else { return };
        while let Some(command) = line.backend.poll_command() {
            net.command(line.client, command);
        }
        if line.backend.is_ended() && !std::mem::replace(&mut line.closing, true) {
            net.command(line.client, Command::Close);
        }
    }

    /// Hands what the client tells to the app, as far as the bridge has room.
    pub(super) fn take_events(&mut self, net: &mut SimNet) {
        let Some(line) = &mut self.line else { return };
        net.take_events(line.client).into_iter().for_each(|event| line.backend.emit(event));
        line.backend.flush();
        line.backend.set_traffic(&net.traffic(line.client));
    }
}

/// Makes all systems run in this thread and in one order: only then equal seeds make equal runs.
fn run_in_this_thread(app: &mut App) {
    for (_, schedule) in app.world_mut().resource_mut::<Schedules>().iter_mut() {
        schedule.set_executor(SingleThreadedExecutor::new());
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("player", &self.program.player)
            .field("runs", &self.app.is_some())
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}
