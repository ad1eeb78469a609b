//! The examples as real processes over real sockets, on the relay's program: rounds of bingo judged by a referee, also when
//! processes are killed, and the examples without a room.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

#[cfg(target_os = "linux")]
mod attackers;
mod bingo;
mod chat;
mod player;
mod program;
mod referee;
mod relay;
#[cfg(target_os = "linux")]
mod siege;
#[cfg(unix)]
mod survival;
mod ticker;
mod words;
