//! Messages of the game that reach a newcomer before its welcome. They are kept, and delivered once the newcomer is in.
//!
//! The host publishes the state that admits a player, and sends the welcome after it. What others send in between belongs
//! to the newcomer as well: everything in its inbox, and on the room's channel what followed the state of the welcome.

use std::collections::VecDeque;

use super::payload::GameMessage;
use crate::id::Stamp;

/// Most messages that are kept. The oldest are dropped for new ones. A welcome follows its state
/// soon, and a server with limits lets few messages come in between.
const MAX_EARLY: usize = 64;

/// The messages of the game that came before the welcome.
#[derive(Debug, Default)]
pub(crate) struct PreJoin {
    /// The last state that was published.
    state: Option<Stamp>,
    /// Each with the last state before it.
    kept: VecDeque<(Option<Stamp>, GameMessage)>,
}

impl PreJoin {
    pub(crate) fn note_state(&mut self, stamp: Stamp) {
        self.state = Some(stamp);
    }

    pub(crate) fn keep(&mut self, message: GameMessage) {
        if self.kept.len() >= MAX_EARLY {
            self.kept.pop_front();
        }
        self.kept.push_back((self.state.clone(), message));
    }

    /// The last state that was published.
    pub(crate) fn last_state(&self) -> Option<&Stamp> {
        self.state.as_ref()
    }

    /// What belongs to a player that was welcomed with this state, in order.
    pub(crate) fn take(&mut self, welcome: &Stamp) -> Vec<GameMessage> {
        let follows = |after: &Option<Stamp>| after.as_ref().is_some_and(|after| !welcome.is_better_than(after));
        let kept = std::mem::take(self).kept;
        kept.into_iter()
            .filter(|(after, message)| message.inbox || follows(after))
            .map(|(_, message)| message)
            .collect()
    }
}
