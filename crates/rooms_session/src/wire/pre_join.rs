//! What others said to a newcomer before its welcome came: kept, and heard once it is in.
//!
//! The host admits a player with a state, and says welcome after it. What is said in between belongs to the newcomer as
//! well: everything in its inbox, and on the room's channel what followed the state that it was welcomed with.

use std::collections::VecDeque;

use serde_json::Value;
use smol_str::SmolStr;

use crate::{Stamp, wire::inbound::Origin};
use rooms_protocol::Extras;

/// Most messages that are kept; the oldest give way. A welcome follows its state within one publish interval.
const MAX_EARLY: usize = 64;

/// A message of the game that came before the welcome.
#[derive(Debug)]
pub(crate) struct PreJoinMessage {
    pub inbox: bool,
    pub from: Origin,
    pub kind: SmolStr,
    pub data: Value,
    pub extras: Option<Extras>,
}

/// The messages of the game that came before the welcome.
#[derive(Debug, Default)]
pub(crate) struct PreJoin {
    /// The last state heard of.
    state: Option<Stamp>,
    /// Each with the last state before it.
    kept: VecDeque<(Option<Stamp>, PreJoinMessage)>,
}

impl PreJoin {
    pub(crate) fn note_state(&mut self, stamp: Stamp) {
        self.state = Some(stamp);
    }

    pub(crate) fn keep(&mut self, message: PreJoinMessage) {
        if self.kept.len() >= MAX_EARLY {
            self.kept.pop_front();
        }
        self.kept.push_back((self.state.clone(), message));
    }

    /// What a player has missed who was welcomed with this state, in order.
    pub(crate) fn take(&mut self, welcome: &Stamp) -> Vec<PreJoinMessage> {
        let follows = |after: &Option<Stamp>| after.as_ref().is_some_and(|after| !welcome.is_better_than(after));
        let kept = std::mem::take(self).kept;
        kept.into_iter()
            .filter(|(after, message)| message.inbox || follows(after))
            .map(|(_, message)| message)
            .collect()
    }
}
