//! Requests at the host: each is handed to the game when its turn comes, exactly once.

use serde_json::Value;
use smol_str::SmolStr;

use super::state::HostState;
use crate::{
    context::Context,
    id::PlayerId,
    requests::OwnRequests,
    state::document::Applied,
    wire::message::{Origin, RESERVED, Request},
};

impl HostState {
    /// Takes in a peer's request.
    pub(crate) fn on_request(&mut self, from: &Origin, request: Request, cx: &mut Context) {
        let seat = self.document().roster.get(&from.player);
        if seat.is_none_or(|seat| seat.generation != request.generation) {
            cx.stats.stale += 1;
            return;
        }
        let mut applied = self.document().applied(&from.player);
        let given_up = request.first_unconfirmed.saturating_sub(1);
        if self.is_active() && given_up > applied {
            self.set_applied(&from.player, Some(Applied { generation: request.generation, sequence: given_up }));
            applied = given_up;
        }
        self.intake.keep(&from.player, applied, request.sequence, request.kind, request.data);
        self.apply_requests_of(&from.player, cx);
    }

    /// Applies every request whose turn it is, the host's own too.
    pub(crate) fn apply_requests(&mut self, own: &OwnRequests, cx: &mut Context) {
        self.intake.players().iter().for_each(|player| self.apply_requests_of(player, cx));
        self.apply_own_requests(own, cx);
    }

    /// Applies every request of a peer whose turn it is.
    pub(super) fn apply_requests_of(&mut self, player: &PlayerId, cx: &mut Context) {
        while cx.feed.has_capacity() && self.is_active() {
            let applied = self.document().applied(player);
            let Some((sequence, kind, data)) = self.intake.take_next(player, applied) else { return };
            self.apply(player.clone(), sequence, kind, data, cx);
        }
    }

    /// Applies the host's own requests.
    pub(crate) fn apply_own_requests(&mut self, own: &OwnRequests, cx: &mut Context) {
        let player = cx.player().clone();
        while cx.feed.has_capacity() && self.is_active() {
            let Some(sequence) = self.document().applied(&player).checked_add(1) else { return };
            let Some((kind, data)) = own.get(sequence) else { return };
            self.apply(player.clone(), sequence, kind.clone(), data.clone(), cx);
        }
    }

    /// Hands a request to the game. Its counter goes out in the same patch as what the game makes of it.
    fn apply(&mut self, sender: PlayerId, sequence: u64, kind: SmolStr, data: Value, cx: &mut Context) {
        if let Some(generation) = self.document().roster.get(&sender).map(|seat| seat.generation) {
            self.set_applied(&sender, Some(Applied { generation, sequence }));
        }
        if kind.starts_with(RESERVED) {
            return cx.note_malformed("a request of a reserved kind");
        }
        cx.feed.emit_request(sender, kind, data);
    }
}
