//! Where the background task runs, and by which clock.
//!
//! | implementation | where |
//! | --- | --- |
//! | `native` | a thread with a tokio runtime; every target but wasm32 |
//! | `web` | the event loop of the page or worker; wasm32 |

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use self::native::{Runtime, now};
#[cfg(not(target_arch = "wasm32"))]
pub(super) use self::native::{Task, run_aside, sleep_until, within};
#[cfg(target_arch = "wasm32")]
pub use self::web::{Runtime, now};
#[cfg(target_arch = "wasm32")]
pub(super) use self::web::{Task, run_aside, sleep_until, within};
