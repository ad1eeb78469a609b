//! Several apps at one table, in one thread and on a clock that only moves when it is told to, with nothing mocked between
//! two of them. So a test waits for events, never for time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[cfg_attr(not(target_arch = "wasm32"), path = "table/runtime.rs")]
#[cfg_attr(target_arch = "wasm32", path = "table/simulated.rs")]
mod line;

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::prelude::*;

use line::Line;

/// One frame of a game at 60 per second.
pub const FRAME: Duration = Duration::from_millis(16);

/// Far more simulated time than anything takes that should happen.
pub const LONG: Duration = Duration::from_secs(40);

/// The table: a relay's hub, the lines to it, and the apps.
pub struct Table {
    line: Line,
    pub apps: Vec<App>,
}

impl Table {
    pub fn new() -> Self {
        Self { line: Line::new(), apps: Vec::new() }
    }

    /// The plugin, set up for this table.
    pub fn plugin(&self, player: &str) -> RoomsPlugin {
        RoomsPlugin {
            connect: Connect::relay("ws://127.0.0.1:1"),
            player: Some(PlayerId::new(player).unwrap()),
            ..self.line.plugin()
        }
    }

    /// Seats an app; `set_up` adds what the game has. Returns its number.
    pub fn seat(&mut self, player: &str, set_up: impl FnOnce(&mut App)) -> usize {
        let plugin = self.plugin(player);
        self.seat_plugin(plugin, set_up)
    }

    /// Seats an app with a plugin that was set up otherwise. Returns its number.
    pub fn seat_plugin(&mut self, plugin: RoomsPlugin, set_up: impl FnOnce(&mut App)) -> usize {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, plugin));
        set_up(&mut app);
        self.apps.push(app);
        self.apps.len() - 1
    }

    /// One frame of every app, and the time until the next.
    pub fn frame(&mut self) {
        for app in &mut self.apps {
            app.update();
        }
        self.wait(FRAME);
    }

    /// Time passes for the line, and no app gets a frame.
    pub fn wait(&mut self, duration: Duration) {
        self.line.pass(duration);
    }

    /// Frames until `done`, at most `limit` of simulated time; tells whether it came to that.
    pub fn until(&mut self, limit: Duration, mut done: impl FnMut(&mut Vec<App>) -> bool) -> bool {
        let end = self.line.now() + limit;
        while self.line.now() < end {
            self.frame();
            if done(&mut self.apps) {
                return true;
            }
        }
        false
    }

    /// Drops every socket.
    pub fn cut_all(&mut self) {
        self.line.cut_all();
    }
}

/// What an app's state is.
pub fn state(app: &App) -> RoomState {
    *app.world().resource::<State<RoomState>>().get()
}

/// Runs a command on an app, as one of its systems would.
pub fn command(app: &mut App, run: impl FnOnce(&mut Commands)) {
    run(&mut app.world_mut().commands());
    app.world_mut().flush();
}

/// All messages of one type that an app has not dropped yet.
pub fn messages<M: Message + Clone>(app: &App) -> Vec<M> {
    let messages = app.world().resource::<Messages<M>>();
    messages.get_cursor().read(messages).cloned().collect()
}
