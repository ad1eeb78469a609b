//! The numbers that name the requests of an app.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::client::{Asker, OperationId};

/// A number that no other operation of this process has.
///
/// The counter belongs to the process and not to an app, since [`ToChannel::new`](super::ToChannel::new) and
/// [`Commands`](bevy::prelude::Commands) name an operation before any world sees it.
pub(super) fn next_operation() -> OperationId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    OperationId::of(Asker::Channels, NEXT.fetch_add(1, Relaxed))
}
