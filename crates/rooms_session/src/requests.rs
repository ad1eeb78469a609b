//! Requests: what a player asks the host to do, exactly once and in order.
//!
//! [`OwnRequests`] is the side that asks: it numbers requests, sends them again, and keeps what a new host may not know.
//! [`Intake`] is the host's side: it holds what came before its turn. The shared document says which were applied.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

use crate::{
    context::Context,
    id::{Generation, PlayerId, Reign},
    state::{document::Document, json::json_size},
    timer::Timer,
    wire::{message, outbound::Lane},
};

/// Shortest wait before requests are looked at again.
const MIN_RETRY: Duration = Duration::from_millis(50);

/// When requests are applied that the game made, or let in, after a step: later than that step, and with the next one.
pub(crate) const NEXT_STEP: Duration = Duration::from_millis(1);

/// Most requests of one player that are under way. More wait for their turn.
pub(crate) const WINDOW: u64 = 64;

/// Most requests that wait for confirmation.
pub(crate) const MAX_REQUESTS: usize = 1000;

/// Most bytes that the host keeps of requests before their turn, of all players together.
const MAX_INTAKE_SIZE: usize = 4 * 1024 * 1024;

/// The requests of this process that are not yet known to be applied for good.
#[derive(Debug)]
pub(crate) struct OwnRequests {
    generation: Generation,
    /// In order of their numbers, one after the other without a gap.
    pending: VecDeque<Pending>,
    /// The number of the last request made.
    last: u64,
    /// The number that the shared document shows as applied.
    applied: u64,
    /// The reign to which all open requests were sent.
    sent_to: Option<Reign>,
}

#[derive(Debug)]
struct Pending {
    sequence: u64,
    kind: SmolStr,
    data: Value,
    sent_at: Option<Instant>,
    confirmed_at: Option<Instant>,
}

impl OwnRequests {
    pub(crate) fn new(generation: Generation) -> Self {
        Self { generation, pending: VecDeque::new(), last: 0, applied: 0, sent_to: None }
    }

    /// The reign to which all open requests were sent.
    pub(crate) fn sent_to(&self) -> Option<&Reign> {
        self.sent_to.as_ref()
    }

    /// Notes to which reign all open requests are sent from now on.
    pub(crate) fn set_sent_to(&mut self, reign: Option<Reign>) {
        self.sent_to = reign;
    }

    /// How many wait for confirmation.
    pub(crate) fn unconfirmed(&self) -> usize {
        usize::try_from(self.last.saturating_sub(self.applied)).unwrap_or(usize::MAX).min(self.pending.len())
    }

    /// Makes a request. The caller checks [`MAX_REQUESTS`].
    pub(crate) fn push(&mut self, kind: SmolStr, data: Value) {
        self.last = self.last.saturating_add(1);
        self.pending.push_back(Pending { sequence: self.last, kind, data, sent_at: None, confirmed_at: None });
    }

    /// The first request that can still be sent. A host need not wait for those before it. A confirmed request counts for as
    /// long as it is kept: the state that confirmed it may give way, and then the next host knows less.
    pub(crate) fn first_kept(&self) -> u64 {
        let first = self.pending.front().map(|pending| pending.sequence);
        first.unwrap_or_else(|| self.last.max(self.applied).saturating_add(1))
    }

    /// Notes what the document shows as applied. The number goes back if a new host knows less.
    fn confirm(&mut self, applied: u64, kept: Duration, now: Instant) {
        self.applied = applied;
        for pending in &mut self.pending {
            if pending.sequence > applied {
                pending.confirmed_at = None;
            } else if pending.confirmed_at.is_none() {
                pending.confirmed_at = Some(now);
            }
        }
        let outlived = |pending: &Pending| pending.confirmed_at.is_some_and(|at| now.duration_since(at) >= kept);
        while self.pending.front().is_some_and(outlived)
            || (self.pending.len() > MAX_REQUESTS && self.pending.front().is_some_and(|p| p.confirmed_at.is_some()))
        {
            self.pending.pop_front();
        }
    }

    /// Makes all unconfirmed requests due now.
    pub(crate) fn send_all_again(&mut self) {
        self.pending.iter_mut().for_each(|pending| pending.sent_at = None);
    }

    /// The requests to send now, each with whether it was sent before, and when to look again.
    fn due(&mut self, retry: Duration, now: Instant) -> (Vec<(message::Request, bool)>, Option<Instant>) {
        let (first_unconfirmed, applied) = (self.first_kept(), self.applied);
        let mut due = Vec::new();
        let mut next = None;
        let open = |pending: &&mut Pending| pending.sequence > applied && pending.sequence - applied <= WINDOW;
        for pending in self.pending.iter_mut().filter(open) {
            let at = pending.sent_at.map_or(now, |sent_at| sent_at + retry);
            if at <= now {
                let request = message::Request {
                    generation: self.generation,
                    sequence: pending.sequence,
                    first_unconfirmed,
                    kind: pending.kind.clone(),
                    data: pending.data.clone(),
                };
                due.push((request, pending.sent_at.is_some()));
                pending.sent_at = Some(now);
            }
            let again = at.max(now) + if at <= now { retry } else { Duration::ZERO };
            next = Some(next.map_or(again, |next: Instant| next.min(again)));
        }
        (due, next)
    }

    /// Sends the requests to `host` that are new or were not confirmed in time.
    pub(crate) fn send_due(&mut self, host: &PlayerId, now: Instant, cx: &mut Context) {
        let (due, next) = self.due(cx.config.timing.request_retry, now);
        for (request, repeated) in due {
            let lane = Lane::Inbox(host.clone());
            if repeated {
                cx.outbound.send_urgent(lane, request.into());
            } else {
                cx.outbound.send(lane, request.into());
            }
        }
        if let Some(next) = next {
            cx.timers.hasten(Timer::Requests, next.max(now + MIN_RETRY));
        }
    }

    /// Notes which of the own requests `document` shows as applied.
    pub(crate) fn on_document(&mut self, document: &Document, now: Instant, cx: &mut Context) {
        let own = |generation| generation == self.generation;
        let sequence = match document.applied.get(cx.player()) {
            Some(applied) => own(applied.generation).then_some(applied.sequence),
            // A host has no counter before its first request. What it counted on its own is void once it gave way.
            None => document.roster.get(cx.player()).and_then(|seat| own(seat.generation).then_some(0)),
        };
        if let Some(sequence) = sequence {
            self.confirm(sequence, cx.config.timing.request_kept, now);
            if self.unconfirmed() > 0 {
                cx.timers.hasten(Timer::Requests, now);
            }
        }
    }

    /// The request with a number, for a host that is its own peer.
    pub(crate) fn get(&self, sequence: u64) -> Option<(&SmolStr, &Value)> {
        let pending = self.pending.iter().find(|pending| pending.sequence == sequence)?;
        Some((&pending.kind, &pending.data))
    }
}

/// The requests that reached the host before their turn.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    waiting: BTreeMap<PlayerId, BTreeMap<u64, (SmolStr, Value)>>,
    size: usize,
}

impl Intake {
    /// Keeps a request until its turn. Drops what is applied already, too far ahead, or over the bounds: the peer sends it
    /// again.
    pub(crate) fn keep(&mut self, player: &PlayerId, applied: u64, sequence: u64, kind: SmolStr, data: Value) {
        if sequence <= applied || sequence - applied > WINDOW {
            return;
        }
        let size = json_size(&data).saturating_add(kind.len());
        if self.size.saturating_add(size) > MAX_INTAKE_SIZE {
            return;
        }
        let waiting = self.waiting.entry(player.clone()).or_default();
        if waiting.insert(sequence, (kind, data)).is_none() {
            self.size = self.size.saturating_add(size);
        }
    }

    /// Takes the request after the last one applied.
    pub(crate) fn take_next(&mut self, player: &PlayerId, applied: u64) -> Option<(u64, SmolStr, Value)> {
        let sequence = applied.checked_add(1)?;
        let waiting = self.waiting.get_mut(player)?;
        let (kind, data) = waiting.remove(&sequence)?;
        if waiting.is_empty() {
            self.waiting.remove(player);
        }
        self.size = self.size.saturating_sub(json_size(&data).saturating_add(kind.len()));
        Some((sequence, kind, data))
    }

    /// Drops what waits of a player.
    pub(crate) fn forget(&mut self, player: &PlayerId) {
        for (kind, data) in self.waiting.remove(player).into_iter().flat_map(BTreeMap::into_values) {
            self.size = self.size.saturating_sub(json_size(&data).saturating_add(kind.len()));
        }
    }

    /// The players of whom something waits.
    pub(crate) fn players(&self) -> Vec<PlayerId> {
        self.waiting.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RETRY: Duration = Duration::from_secs(3);
    const KEPT: Duration = Duration::from_secs(60);

    fn requests(count: u64) -> OwnRequests {
        let mut requests = OwnRequests::new(Generation(1));
        (1..=count).for_each(|number| requests.push("ask".into(), json!(number)));
        requests
    }

    fn sequences(requests: &mut OwnRequests, now: Instant) -> Vec<u64> {
        requests.due(RETRY, now).0.into_iter().map(|(request, _)| request.sequence).collect()
    }

    #[test]
    fn requests_are_sent_again_until_the_document_shows_them() {
        let now = Instant::now();
        let mut requests = requests(2);
        assert_eq!(sequences(&mut requests, now), [1, 2]);
        assert_eq!(sequences(&mut requests, now + RETRY / 2), [0; 0]);
        requests.confirm(1, KEPT, now);
        let (due, next) = requests.due(RETRY, now + RETRY);
        assert_eq!(due.len(), 1);
        let (request, repeated) = &due[0];
        assert_eq!(
            (request.sequence, request.first_unconfirmed, *repeated),
            (2, 1, true),
            "the first may have to be sent again"
        );
        assert_eq!(next, Some(now + RETRY + RETRY));
        requests.confirm(2, KEPT, now);
        assert_eq!(requests.due(RETRY, now + RETRY + RETRY), (Vec::new(), None));
        assert_eq!((requests.unconfirmed(), requests.first_kept()), (0, 1));
        requests.confirm(2, KEPT, now + KEPT);
        assert_eq!(requests.first_kept(), 3);
    }

    #[test]
    fn a_confirmed_request_is_sent_again_to_a_host_that_does_not_know_it() {
        let now = Instant::now();
        let mut requests = requests(3);
        sequences(&mut requests, now);
        requests.confirm(3, KEPT, now);
        requests.confirm(1, KEPT, now + KEPT / 2);
        requests.send_all_again();
        assert_eq!(sequences(&mut requests, now + KEPT / 2), [2, 3]);
        requests.confirm(3, KEPT, now + KEPT);
        requests.confirm(3, KEPT, now + KEPT + KEPT);
        requests.confirm(0, KEPT, now + KEPT + KEPT);
        assert_eq!(requests.first_kept(), 4, "what was kept long enough is given up");
    }

    #[test]
    fn no_more_than_a_window_is_under_way() {
        let now = Instant::now();
        let mut requests = requests(200);
        assert_eq!(sequences(&mut requests, now).len() as u64, WINDOW);
        requests.confirm(10, KEPT, now);
        assert_eq!(sequences(&mut requests, now), (WINDOW + 1..=WINDOW + 10).collect::<Vec<_>>());
    }

    #[test]
    fn gaps_wait_doubles_fall_out_and_hostile_numbers_do_no_harm() {
        let ada = PlayerId::new("ada").unwrap();
        let mut intake = Intake::default();
        for sequence in [2, 3, 3, 1, 0, 1 + WINDOW, u64::MAX] {
            intake.keep(&ada, 0, sequence, "ask".into(), json!(sequence));
        }
        let mut applied = 0;
        while let Some((sequence, _, _)) = intake.take_next(&ada, applied) {
            applied = sequence;
        }
        assert_eq!((applied, intake.size), (3, 0));
        intake.keep(&ada, u64::MAX - 1, u64::MAX, "ask".into(), json!(1));
        assert_eq!(intake.take_next(&ada, u64::MAX - 1).map(|(sequence, ..)| sequence), Some(u64::MAX));
        assert_eq!(intake.take_next(&ada, u64::MAX), None);
    }

    #[test]
    fn what_waits_at_the_host_is_bounded() {
        let mut intake = Intake::default();
        let large = json!("x".repeat(60_000));
        for player in 0..3 {
            let player = PlayerId::new(format!("p{player}")).unwrap();
            (2..64).for_each(|sequence| intake.keep(&player, 0, sequence, "ask".into(), large.clone()));
        }
        assert!(intake.size <= MAX_INTAKE_SIZE);
        intake.players().iter().for_each(|player| intake.forget(player));
        assert_eq!(intake.size, 0);
    }
}
