//! 90-ball bingo for friends, in a window or in the terminal.
//!
//! ```sh
//! cargo run --example bingo                                            # a window
//! cargo run --example bingo -- --bots 3                                # the same with company
//! cargo run --example bingo -- --headless --automark --bots 3 --json   # a round in the terminal
//! web/build bingo                                                      # a page, see the README
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | `card`, `caller`, `rules` | the game itself: no engine, no network |
//! | `net`, `host`, `seal` | the game in a room: messages, shared state, the host's desk, and what a next host needs |
//! | `view` | the window |
//! | `page` | the web page around it, in a browser |
//! | `headless`, `report` | the terminal, and events as JSON |

mod caller;
mod card;
mod flags;
mod headless;
mod host;
mod net;
mod page;
mod report;
mod rules;
mod seal;
#[cfg(test)]
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../../tests/support/table.rs"]
mod table;
mod view;

use std::process::ExitCode;

use bevy::platform::time::Instant;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> ExitCode {
    use clap::Parser;

    let started = Instant::now();
    let flags = flags::Flags::parse().with_defaults();
    let outcome = if flags.headless {
        headless::run(&flags, started)
    } else if flags.window || view::display::has_display() {
        view::run(&flags, started)
    } else {
        eprintln!(
            "There is no display here (DISPLAY names none that answers): playing in the terminal. --window insists on one."
        );
        headless::run(&flags::Flags { headless: true, ..flags }.with_defaults(), started)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("bingo cannot go on: {reason}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_arch = "wasm32")]
fn main() -> ExitCode {
    let started = Instant::now();
    let outcome = page::flags().and_then(|flags| view::run(&flags.with_defaults(), started));
    if let Err(reason) = outcome {
        bevy_rooms::plugin::end_page(&reason);
    }
    ExitCode::SUCCESS
}
