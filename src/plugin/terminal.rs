//! What somebody types in the terminal, for players without a window.

use bevy::prelude::*;

/// Reads lines from standard input and tells them as [`TerminalInput`], without ever holding the game up: for bots,
/// servers and players without a window. In a web page nobody types.
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

/// What came from standard input. Every app of the process that has a [`TerminalPlugin`] gets all that came since it
/// was built.
#[derive(Message, Clone, Debug, PartialEq, Eq)]
pub enum TerminalInput {
    /// A line, without its end.
    Line(String),
    /// Nothing more will come. Told once.
    End,
}

impl Plugin for TerminalPlugin {
    fn build(&self, app: &mut App) {
        app.add_message::<TerminalInput>();
        #[cfg(not(target_arch = "wasm32"))]
        app.insert_resource(reader::Lines::listen()).add_systems(PreUpdate, reader::tell);
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

    /// Lines that wait for an app; where more came, the reader waits, as a pipe makes its writer wait.
    const WAITING: usize = 1024;

    /// Who gets the lines. There is one standard input, so there is one of it.
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
            // At the end of the input the sender is dropped, which tells the app.
            if listeners.state != State::Ended {
                listeners.all.push(sender);
            }
            if listeners.state == State::Idle {
                listeners.state = State::Reading;
                let started = thread::Builder::new().name("terminal input".to_owned()).spawn(read);
                if let Err(error) = started {
                    log::error!("nothing can be typed: the thread that reads it could not be started: {error}");
                    (listeners.state, listeners.all) = (State::Ended, Vec::new());
                }
            }
            Self { waiting, has_ended: false }
        }
    }

    /// Reads to the end of the input. The thread may outlive all apps, blocked in a read; the process ends it.
    fn read() {
        for line in io::stdin().lines().map_while(Result::ok) {
            // Not under the lock, since an app that takes its time makes this wait.
            let all = listeners().all.clone();
            let gone: Vec<Sender<String>> = all.into_iter().filter(|app| app.send(line.clone()).is_err()).collect();
            listeners().all.retain(|app| !gone.iter().any(|gone| gone.same_channel(app)));
        }
        let mut listeners = listeners();
        (listeners.state, listeners.all) = (State::Ended, Vec::new());
    }

    pub(super) fn tell(mut lines: ResMut<Lines>, mut input: MessageWriter<TerminalInput>) {
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
