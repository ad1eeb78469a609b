//! The limits that the server enforces itself, which a reload changes.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Limits;

/// The limits as they are now. Its clones are the same.
#[derive(Clone, Debug)]
pub(super) struct LiveLimits(Arc<RwLock<Arc<Limits>>>);

impl LiveLimits {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(limits))))
    }

    /// The limits now. Whoever does something keeps these until it is done.
    pub(super) fn now(&self) -> Arc<Limits> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets other limits.
    pub(super) fn set(&self, limits: Limits) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}
