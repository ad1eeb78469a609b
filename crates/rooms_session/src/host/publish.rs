//! What a host publishes: states and welcomes, and their pace.

use std::time::Duration;

use web_time::Instant;

use super::{lease::Phase, state::HostState};
use crate::{
    context::Context,
    state::replica::Replica,
    timer::Timer,
    wire::{
        message::{State, Welcome},
        outbound::{Hold, Lane, Outbound, Turn},
    },
};

/// Shortest time between two rounds of welcomes. Each welcome holds the whole document, and a hello is short.
const MIN_WELCOME_INTERVAL: Duration = Duration::from_millis(100);

impl HostState {
    /// What has to stay in the queues. A host that does not act sends nothing but leases. It opens with its first state
    /// alone, because what is sent with a state counts only if the state does.
    pub(crate) fn hold(&self) -> Hold {
        match self.phase() {
            Phase::Active => Hold::Nothing,
            Phase::Opening => Hold::AllButState,
            Phase::Suspended { .. } | Phase::Reclaiming | Phase::HandingOver => Hold::Everything,
        }
    }

    /// When the next state or welcome is due: `now` if it may go at once. `None`: none waits, or the server has to answer first.
    pub(crate) fn next_state_at(&self, outbound: &Outbound, now: Instant) -> Option<Instant> {
        let is_dirty = self.working.is_dirty();
        if !is_dirty && self.welcomes.is_empty() {
            return None;
        }
        let not_before = if is_dirty { self.working.not_before() } else { self.welcomes.not_before() };
        match outbound.turn(&Lane::Room, now) {
            Turn::Now => Some(not_before.unwrap_or(now)),
            Turn::At(at) => Some(not_before.map_or(at, |not_before| not_before.max(at))),
            Turn::WhenAnswered => None,
        }
    }

    /// Publishes what the host changed, before everything that it sent meanwhile, and then welcomes the newcomers. Does so
    /// once the room's channel may be published on.
    pub(crate) fn publish_state(&mut self, now: Instant, cx: &mut Context) {
        let waits = self.working.is_dirty() || !self.welcomes.is_empty();
        if !waits
            || !matches!(self.phase(), Phase::Active | Phase::Opening)
            || self.working.not_before().is_some_and(|at| at > now)
            || !cx.outbound.is_ready(&Lane::Room, now)
        {
            return;
        }
        // Until the first snapshot of a new reign came back, nothing else of it goes out.
        if self.phase() == Phase::Opening && !self.working.is_snapshot_due() {
            return;
        }
        let reign = self.reign().clone();
        if let Some((version, body)) = self.working.next_state(&reign) {
            cx.outbound.send_state(State { generation: cx.config.generation, reign, version, body });
            cx.timers.set(Timer::Lease, now + cx.config.timing.lease_interval);
        }
        self.send_welcomes(now, cx);
    }

    fn send_welcomes(&mut self, now: Instant, cx: &mut Context) {
        if !self.is_active() {
            return;
        }
        for (player, nonce) in self.welcomes.take_due(cx.config.timing.publish_interval.max(MIN_WELCOME_INTERVAL), now)
        {
            if !self.document().roster.contains(&player) {
                continue;
            }
            let welcome = Welcome {
                generation: cx.config.generation,
                nonce,
                host: cx.player().clone(),
                reign: self.reign().clone(),
                version: self.working.version(),
                snapshot: self.document().clone(),
            };
            cx.outbound.send_welcome(player, welcome);
        }
    }

    /// Notes that a state did not reach the others: the next one goes out whole.
    pub(crate) fn on_state_failed(&mut self, cx: &Context) {
        self.working.demand_snapshot(Some(cx.last_step + cx.config.timing.lease_interval));
    }

    /// Sends the state again that an own lease announced, if it still has not come back.
    pub(crate) fn check_behind(&mut self, replica: &Replica, cx: &Context) {
        if self.lease.take_overdue(replica) && !self.working.is_snapshot_due() {
            self.on_state_failed(cx);
        }
    }

    /// Whether the echo of an own state shows a gap: a message is missing. A state that the server refused leaves a gap as
    /// well, and the snapshot that is due closes that one.
    pub(crate) fn is_gap_a_loss(&self) -> bool {
        !self.working.is_snapshot_due() && self.is_active()
    }
}
