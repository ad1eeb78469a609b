//! Terminal input, for players without a window.

use bevy::prelude::*;

/// Reads lines from standard input and writes them as [`TerminalInput`] messages. It never blocks the game. For bots,
/// servers and players without a window. A web page has no standard input.
///
/// ```no_run
/// use bevy::prelude::*;
/// use bevy_rooms::prelude::*;
///
/// App::new().add_plugins((MinimalPlugins, RoomsPlugin::default(), TerminalPlugin)).add_systems(Update, obey).run();
///
/// fn obey(mut input: MessageReader<TerminalInput>, mut exit: MessageWriter<AppExit>) {
///     for input in input.read() {
///         match input {
///             TerminalInput::Line(line) => println!("you said {line}"),
///             TerminalInput::End => drop(exit.write(AppExit::Success)),
///         }
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminalPlugin;

/// Input from standard input. Every app of the process with a [`TerminalPlugin`] gets all input since it was built.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub enum TerminalInput {
    /// A line, without its end.
    Line(String),
    /// The input ended. Written once.
    End,
}

impl Plugin for TerminalPlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<TerminalInput>();
        #[cfg(not(target_arch = "wasm32"))]
        app.insert_resource(reader::Lines::listen()).add_systems(PreUpdate, reader::emit);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod reader {
    use std::{
        io,
        sync::{Mutex, PoisonError},
        thread,
    };

    use bevy::prelude::*;
    use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

    use super::TerminalInput;

    /// The lines that may wait for an app. With more, the reader waits, as a full pipe makes its writer wait.
    const WAITING: usize = 1024;

    /// The apps that get the lines. The process has one standard input, so it has one list.
    static LISTENERS: Mutex<Listeners> = Mutex::new(Listeners { state: State::Idle, all: Vec::new() });

    struct Listeners {
        state: State,
        all: Vec<Sender<String>>,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum State {
        Idle,
        Reading,
        Ended,
    }

    fn listeners() -> std::sync::MutexGuard<'static, Listeners> {
        LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines that wait for this app.
    #[derive(Resource)]
    pub(super) struct Lines {
        waiting: Receiver<String>,
        has_ended: bool,
    }

    impl Lines {
        pub(super) fn listen() -> Self {
            let (sender, waiting) = bounded(WAITING);
            let mut listeners = listeners();
            // At the end of the input the sender is dropped, and the app learns of it.
            if listeners.state != State::Ended {
                listeners.all.push(sender);
            }
            if listeners.state == State::Idle {
                listeners.state = State::Reading;
                let started = thread::Builder::new().name("terminal input".to_owned()).spawn(read);
                if let Err(error) = started {
                    log::error!("the thread that reads standard input could not be started: {error}");
                    (listeners.state, listeners.all) = (State::Ended, Vec::new());
                }
            }
            Self { waiting, has_ended: false }
        }
    }

    /// Reads to the end of the input. The thread may outlive all apps, blocked in a read; the process ends it.
    fn read() {
        for line in io::stdin().lines().map_while(Result::ok) {
            // The lock is released first, since a slow app makes this wait.
            let all = listeners().all.clone();
            let gone: Vec<Sender<String>> = all.into_iter().filter(|app| app.send(line.clone()).is_err()).collect();
            listeners().all.retain(|app| !gone.iter().any(|gone| gone.same_channel(app)));
        }
        let mut listeners = listeners();
        (listeners.state, listeners.all) = (State::Ended, Vec::new());
    }

    pub(super) fn emit(mut lines: ResMut<Lines>, mut input: MessageWriter<TerminalInput>) {
        while !lines.has_ended {
            match lines.waiting.try_recv() {
                Ok(line) => drop(input.write(TerminalInput::Line(line))),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    lines.has_ended = true;
                    input.write(TerminalInput::End);
                }
            }
        }
    }
}
