//! The places of sockets that are not WebSockets, or not yet. A newcomer always gets one.
//!
//! A socket has a place from when it is accepted until the hub has let its WebSocket in, or until it is gone. There are few for
//! those that stay open for plain HTTP. New ones, which made no request yet, may take those of the WebSockets that they are to
//! become. Where places are short, the socket is closed that has been idle longest. Every phase of a request has a deadline,
//! which the task of the socket keeps: [`Place::ended`] tells it when to close.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    Limits,
    auth::owner::Address,
    budget::{Charge, MemoryBudget, Purpose},
};

/// How long nothing may go through a socket whose client is to send a request or to read an answer.
const SILENCE: Duration = Duration::from_secs(10);

/// What a socket takes beside what comes over it, about, in bytes: its task, its buffers and its place.
const SOCKET_BYTES: usize = 16 * 1024;

/// New sockets may take this part of the memory budget.
const NEW_PART: usize = 8;

/// How many sockets are looked at for one of the address that has most.
const LOOKS: usize = 64;

/// All places, which the listener hands out.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How many sockets may stay open for plain HTTP.
    most: usize,
    /// How many there may be in all.
    total: usize,
    budget: MemoryBudget,
    sockets: Mutex<Sockets>,
}

#[derive(Debug, Default)]
struct Sockets {
    by_id: HashMap<u64, Socket>,
    /// Those that made no request yet, the oldest first.
    new: BTreeSet<(Instant, u64)>,
    /// Those between two requests, the one first that has been idle longest.
    idle: BTreeSet<(Instant, u64)>,
    /// Those with a request under way, the oldest request first.
    busy: BTreeSet<(Instant, u64)>,
    by_address: HashMap<Address, usize>,
    /// The address that had more than half of all sockets when one of it was accepted last.
    crowd: Option<Address>,
    next: u64,
}

#[derive(Debug)]
struct Socket {
    address: Address,
    phase: Phase,
    /// Since when it is there, it is idle, or its request is under way.
    since: Instant,
    state: watch::Sender<State>,
}

/// Whom a socket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client is to send its first request.
    New,
    /// The client is to send its next request.
    Idle,
    /// The client is to send the rest of its request, or to read its answer.
    Busy,
    /// The relay is to answer. Such a socket is not closed for others: the relay is slow, not the client.
    Own,
}

/// What the task of a socket has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may stay until then.
    Until {
        deadline: Instant,
        /// Whether it has to send or read something all the time until then.
        is_busy: bool,
    },
    /// Another socket needs the place.
    Evicted,
    /// It became a WebSocket and needs no place any more.
    Left,
}

/// The place of one socket, which its task and its requests share. It is free again when all of them dropped it.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    places: Places,
    state: watch::Sender<State>,
    born: Instant,
    /// When bytes went through the socket last, in milliseconds since it was accepted.
    touched: AtomicU64,
    /// Whether it became a WebSocket.
    has_left: AtomicBool,
    /// What the socket takes, also when it is a WebSocket.
    _charge: Charge,
}

impl Places {
    /// As many places as the limits say, and as many for new sockets as there may be connections, as far as there is memory for
    /// them. So thousands of players who come at once all get in, and however many sockets strangers open, a newcomer has time
    /// for its request.
    pub(super) fn new(limits: &Limits, budget: &MemoryBudget) -> Self {
        let most = limits.http_sockets.max(1);
        let new = limits.connections.min(budget.total() / NEW_PART / SOCKET_BYTES);
        Self(Arc::new(Inner {
            most,
            total: most.saturating_add(new),
            budget: budget.clone(),
            sockets: Mutex::default(),
        }))
    }

    /// A place for a newcomer, whose first request has to be there in `time`.
    pub(super) fn take(&self, address: IpAddr, time: Duration) -> Arc<Place> {
        let now = Instant::now();
        let (state, _) = watch::channel(State::Until { deadline: now + time, is_busy: false });
        let mut sockets = self.lock();
        while sockets.by_id.len() >= self.0.total
            && let Some(victim) = sockets.oldest_new().or(sockets.longest_idle())
        {
            sockets.evict(victim);
        }
        let socket = Socket { address: address.into(), phase: Phase::New, since: now, state: state.clone() };
        let id = sockets.insert(socket);
        Arc::new(Place {
            id,
            places: self.clone(),
            state,
            born: now,
            touched: AtomicU64::new(0),
            has_left: AtomicBool::new(false),
            _charge: self.0.budget.charge(Purpose::Tables, SOCKET_BYTES),
        })
    }

    /// Closes the socket that has been idle longest. Returns whether there was one.
    pub(super) fn evict_one(&self) -> bool {
        let mut sockets = self.lock();
        let victim = sockets.longest_idle().or(sockets.oldest_new());
        victim.map(|victim| sockets.evict(victim)).is_some()
    }

    /// Closes all sockets.
    pub(super) fn close(&self) {
        let mut sockets = self.lock();
        while let Some(id) = sockets.by_id.keys().next().copied() {
            sockets.evict(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        // Nothing panics while it has the lock. If something did, the table would still be whole.
        self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().by_id.len()
    }
}

impl Sockets {
    /// The socket that is closed for another one that stays open: the one that has been idle longest. Where most are busy, it is
    /// the one whose request takes longest, so that requests without an end do not squeeze the others into the few places that
    /// are left. If one address has more than half of all sockets, it is one of that address.
    fn longest_idle(&self) -> Option<u64> {
        let (idle, busy) = (self.first_of(&self.idle), self.first_of(&self.busy));
        if self.idle.len() >= self.busy.len() { idle } else { busy }
    }

    /// The new socket that has waited longest without a request.
    fn oldest_new(&self) -> Option<u64> {
        self.first_of(&self.new)
    }

    /// The oldest, or the oldest of the address that has most sockets.
    fn first_of(&self, sockets: &BTreeSet<(Instant, u64)>) -> Option<u64> {
        let is_crowd =
            |address: &Address| self.by_address.get(address).is_some_and(|count| 2 * count > self.by_id.len());
        let crowd = self.crowd.filter(is_crowd);
        let of_crowd = |(_, id): &&(Instant, u64)| {
            let address = self.by_id.get(id).map(|socket| socket.address);
            address.is_some() && address == crowd
        };
        sockets.iter().take(LOOKS).find(of_crowd).or(sockets.first()).map(|(_, id)| *id)
    }

    fn insert(&mut self, socket: Socket) -> u64 {
        let id = self.next;
        self.next += 1;
        let address = socket.address;
        if let Some(set) = self.set_of(socket.phase) {
            set.insert((socket.since, id));
        }
        self.by_id.insert(id, socket);
        let of_address = self.by_address.entry(address).or_default();
        *of_address += 1;
        if 2 * *of_address > self.by_id.len() {
            self.crowd = Some(address);
        }
        id
    }

    fn set_of(&mut self, phase: Phase) -> Option<&mut BTreeSet<(Instant, u64)>> {
        match phase {
            Phase::Own => None,
            Phase::New => Some(&mut self.new),
            Phase::Idle => Some(&mut self.idle),
            Phase::Busy => Some(&mut self.busy),
        }
    }

    /// Changes a socket, and puts it where it belongs then.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut Socket)) {
        let Some(mut socket) = self.by_id.remove(&id) else { return };
        if let Some(set) = self.set_of(socket.phase) {
            set.remove(&(socket.since, id));
        }
        change(&mut socket);
        if let Some(set) = self.set_of(socket.phase) {
            set.insert((socket.since, id));
        }
        self.by_id.insert(id, socket);
    }

    fn evict(&mut self, id: u64) {
        if let Some(socket) = self.remove(id) {
            socket.state.send_replace(State::Evicted);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Socket> {
        let socket = self.by_id.remove(&id)?;
        if let Some(set) = self.set_of(socket.phase) {
            set.remove(&(socket.since, id));
        }
        if let Some(count) = self.by_address.get_mut(&socket.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&socket.address);
            }
        }
        Some(socket)
    }
}

impl Place {
    /// The client has to send the rest of its request, or to read its answer, in `time`.
    pub(super) fn work(&self, time: Duration) {
        self.set(Phase::Busy, time);
    }

    /// The relay has the request and is to answer it, in `time`.
    pub(super) fn own(&self, time: Duration) {
        self.set(Phase::Own, time);
    }

    /// The answer is handed over. The next request has to be there in `time`.
    pub(super) fn rest(&self, time: Duration) {
        self.set(Phase::Idle, time);
    }

    fn set(&self, phase: Phase, time: Duration) {
        let now = Instant::now();
        self.touch();
        let mut sockets = self.places.lock();
        sockets.change(self.id, |socket| {
            // An answer belongs to its request, so that a slow reader does not seem new by it.
            let is_begun = matches!(socket.phase, Phase::Busy | Phase::Own) && phase != Phase::Idle;
            socket.since = if is_begun { socket.since } else { now };
            socket.phase = phase;
            socket.state.send_replace(State::Until { deadline: now + time, is_busy: phase == Phase::Busy });
        });
        while sockets.idle.len() + sockets.busy.len() > self.places.0.most
            && let Some(victim) = sockets.longest_idle()
        {
            sockets.evict(victim);
        }
    }

    /// Notes that bytes went through the socket.
    pub(super) fn touch(&self) {
        if self.has_left.load(Ordering::Relaxed) {
            return;
        }
        let since = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.touched.store(since, Ordering::Relaxed);
    }

    /// When the socket is given up, if nothing goes through it from now on.
    fn gives_up(&self) -> Instant {
        self.born + Duration::from_millis(self.touched.load(Ordering::Relaxed)) + SILENCE
    }

    /// Frees the place of a socket that became a WebSocket, unless the socket was to be closed before.
    pub(super) fn leave(&self) {
        if let Some(socket) = self.places.lock().remove(self.id) {
            socket.state.send_replace(State::Left);
            self.has_left.store(true, Ordering::Relaxed);
        }
    }

    /// Closes the socket, whatever became of it.
    pub(super) fn close(&self) {
        self.state.send_replace(State::Evicted);
    }

    /// Done when the socket has to be closed: its time is over, or another socket needs the place. Where it left, only if it is
    /// [closed](Self::close).
    pub(super) async fn ended(&self) {
        let mut states = self.state.subscribe();
        loop {
            let state = *states.borrow_and_update();
            let until = match state {
                State::Until { deadline, is_busy: true } => deadline.min(self.gives_up()),
                State::Until { deadline, .. } => deadline,
                State::Evicted => return,
                State::Left => {
                    // The sender is this place's own, so it is not gone.
                    let _ = states.changed().await;
                    continue;
                }
            };
            tokio::select! {
                () = sleep_until(until) => {
                    let goes_on = matches!(state, State::Until { deadline, is_busy: true } if until < deadline);
                    if !(goes_on && until < self.gives_up()) {
                        return;
                    }
                }
                // The sender is this place's own, so it is not gone.
                _ = states.changed() => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const TIME: Duration = Duration::from_secs(10);

    /// Places, and twice as many beside them for new sockets.
    fn places(most: usize) -> Places {
        let limits = Limits { http_sockets: most, connections: 2 * most, ..Limits::default() };
        Places::new(&limits, &MemoryBudget::new(usize::MAX))
    }

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    async fn is_closed(place: &Place) -> bool {
        timeout(Duration::ZERO, place.ended()).await.is_ok()
    }

    /// A socket that made a request, which was answered.
    fn idle(places: &Places, last: u8) -> Arc<Place> {
        let place = places.take(address(last), TIME);
        place.own(TIME);
        place.rest(TIME);
        place
    }

    #[tokio::test(start_paused = true)]
    async fn the_socket_that_is_idle_longest_is_closed_for_one_more() {
        let places = places(2);
        let (first, second) = (idle(&places, 1), idle(&places, 2));
        advance(SECOND).await;
        first.rest(TIME);
        let third = idle(&places, 3);
        assert!(is_closed(&second).await && !is_closed(&first).await && !is_closed(&third).await);
        drop(first);
        let fourth = idle(&places, 4);
        assert!(!is_closed(&third).await && !is_closed(&fourth).await, "a socket that is gone leaves its place");
    }

    #[tokio::test(start_paused = true)]
    async fn many_newcomers_get_in_at_once_and_the_oldest_goes_where_they_are_too_many() {
        const MOST: usize = 4;
        let places = places(MOST);
        let new: Vec<_> = (0..3 * MOST).map(|_| places.take(address(1), TIME)).collect();
        assert_eq!(places.len(), 3 * MOST);
        let one_more = places.take(address(1), TIME);
        assert_eq!(places.len(), 3 * MOST);
        assert!(is_closed(&new[0]).await && !is_closed(&new[1]).await && !is_closed(&one_more).await);
        for place in &new {
            place.own(TIME);
            place.rest(TIME);
        }
        assert_eq!(places.len(), MOST + 1, "few of them stay open");
        let poor = Places::new(&Limits::default(), &MemoryBudget::new(0));
        let _rich: Vec<_> = (0..999).map(|_| poor.take(address(1), TIME)).collect();
        assert_eq!(poor.len(), Limits::default().http_sockets);
    }

    #[tokio::test(start_paused = true)]
    async fn the_crowd_of_one_address_is_closed_before_others() {
        let places = places(4);
        let other = idle(&places, 9);
        let crowd = [(); 3].map(|()| idle(&places, 1));
        let newcomer = idle(&places, 1);
        assert!(!is_closed(&other).await && is_closed(&crowd[0]).await && !is_closed(&newcomer).await);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_without_an_end_do_not_squeeze_others() {
        let places = places(4);
        let busy = [(); 4].map(|()| places.take(address(1), TIME));
        for place in &busy {
            place.work(TIME);
        }
        advance(SECOND).await;
        let others = [(); 2].map(|()| idle(&places, 1));
        assert!(is_closed(&busy[0]).await && is_closed(&busy[1]).await && !is_closed(&busy[2]).await);
        let last = idle(&places, 1);
        assert!(is_closed(&others[0]).await && !is_closed(&busy[2]).await && !is_closed(&last).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_relay_is_not_closed_for_others() {
        let places = places(1);
        let own = places.take(address(1), TIME);
        own.own(TIME);
        let _others = [(); 9].map(|()| idle(&places, 1));
        assert!(!is_closed(&own).await);
        own.work(TIME);
        let next = places.take(address(1), TIME);
        next.work(TIME);
        assert!(is_closed(&own).await && !is_closed(&next).await);
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_a_deadline_and_a_websocket_has_none() {
        let places = places(4);
        let place = places.take(address(1), TIME);
        assert!(timeout(TIME - SECOND, place.ended()).await.is_err());
        place.work(TIME);
        assert!(timeout(TIME - SECOND, place.ended()).await.is_err());
        place.rest(SECOND);
        assert!(timeout(SECOND * 2, place.ended()).await.is_ok());
        place.leave();
        assert_eq!(places.len(), 0);
        assert!(timeout(TIME * 9, place.ended()).await.is_err());
        place.rest(Duration::ZERO);
        assert!(!is_closed(&place).await);
        place.close();
        assert!(is_closed(&place).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_has_its_time_as_long_as_it_is_read() {
        let places = places(4);
        let place = places.take(address(1), TIME);
        place.work(TIME * 9);
        for _ in 0..3 {
            assert!(timeout(SILENCE - SECOND, place.ended()).await.is_err());
            place.touch();
        }
        let start = Instant::now();
        place.ended().await;
        assert_eq!(start.elapsed(), SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_was_to_be_closed_does_not_stay_as_a_websocket() {
        let places = places(4);
        let place = places.take(address(1), TIME);
        assert!(places.evict_one() && !places.evict_one());
        place.leave();
        assert!(is_closed(&place).await);
        let next = places.take(address(1), TIME);
        places.close();
        assert!(is_closed(&next).await);
        drop((place, next));
        let sockets = places.lock();
        assert!(sockets.by_address.is_empty() && sockets.new.is_empty());
    }
}
