//! The cases about channels.
//!
//! `Command::Attach` stands for `attach`, `subscribe` and `setOptions`, its outcome for theirs: a change of the channel.
//! Where a case is about an answer that a caller waits for, the test is about the event that tells it. Cases about
//! listeners are not here: whoever drives the client reads all events, and there is nobody to register.

mod attach;
mod connection_state;
mod detach;
mod fields;
mod history;
mod options;
mod pending;
mod properties;
mod publish;
mod server_detach;
mod state;
mod subscribe;

use rooms_client::{ChannelState, Command};

use crate::support::Bench;

/// The states that the channels went through, and forgets all events.
fn states(bench: &mut Bench) -> Vec<ChannelState> {
    bench.channel_changes().into_iter().map(|change| change.current).collect()
}

fn release(bench: &mut Bench, channel: &str) {
    bench.command(Command::Release { channel: channel.into() });
}

/// The code of what went wrong with the channel `c`.
fn error_code(bench: &Bench) -> Option<u32> {
    bench.client.channel_error_reason(&"c".into()).map(|error| error.code.0)
}
