//! What waits for the hub, and whose turn it is: of those who wait, whoever took least of the hub's time.
//!
//! Time is shared between addresses first, and then between the clients of an address. So a flood delays the client that sends
//! it, however many sockets it has, and somebody who sends little is next at once. What is known of nobody's client yet, such as
//! connects and the heads of requests, is one more client of its address.
//!
//! This is start-time fair queueing, with the time that each thing took in fact. Whoever was idle has saved nothing up: it begins
//! where the others are.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use crate::auth::owner::{Address, Holder, Owner};

/// Clients among whom those that have nothing here any more are looked for, at least.
const FEW: usize = 1_024;

/// Whose something is that waits: the client where it is known, or else whoever comes from an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Whose {
    address: Option<Address>,
    holder: Option<Holder>,
}

impl Whose {
    /// Of somebody who is not known yet.
    pub(super) fn stranger(address: Option<Address>) -> Self {
        Self { address, holder: None }
    }
}

impl From<&Owner> for Whose {
    fn from(owner: &Owner) -> Self {
        Self { address: owner.address, holder: Some(owner.holder.clone()) }
    }
}

/// A client's place among those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneId(u64);

/// A time of the hub that somebody took, in nanoseconds, or at which its turn comes.
type Taken = u64;

/// All that waits.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    lanes: HashMap<LaneId, Lane<T>>,
    by_owner: HashMap<Whose, LaneId>,
    addresses: HashMap<Option<Address>, OfAddress>,
    /// The addresses with something that waits, by when their turn comes.
    ready: BTreeSet<(Taken, Option<Address>)>,
    /// The turn that came last.
    now: Taken,
    /// Whose turn it is.
    current: Option<LaneId>,
    len: usize,
    next: u64,
    /// How many clients there are when those that have nothing here any more are looked for.
    many: usize,
}

/// One client.
#[derive(Debug)]
struct Lane<T> {
    whose: Whose,
    /// When its turn comes.
    turn: Taken,
    items: VecDeque<T>,
    /// The sockets that it has.
    users: usize,
}

/// One address.
#[derive(Debug, Default)]
struct OfAddress {
    turn: Taken,
    /// The clients with something that waits, by when their turn comes.
    ready: BTreeSet<(Taken, LaneId)>,
    now: Taken,
    lanes: usize,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            by_owner: HashMap::new(),
            addresses: HashMap::new(),
            ready: BTreeSet::new(),
            now: 0,
            current: None,
            len: 0,
            next: 0,
            many: FEW,
        }
    }
}

impl<T> Waiting<T> {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives a client's socket its place. It is the client's until [`leave`](Self::leave).
    pub(super) fn enter(&mut self, whose: Whose) -> LaneId {
        let id = self.lane_of(whose);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.users += 1;
        }
        id
    }

    /// A socket of a client is gone.
    pub(super) fn leave(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.users = lane.users.saturating_sub(1);
        }
    }

    /// Has something wait that is of no socket.
    pub(super) fn push_for(&mut self, whose: Whose, item: T) {
        let id = self.lane_of(whose);
        self.push(id, item);
    }

    /// Has something wait.
    pub(super) fn push(&mut self, id: LaneId, item: T) {
        self.done(Duration::ZERO);
        let Some(lane) = self.lanes.get_mut(&id) else { return self.push_for(Whose::default(), item) };
        lane.items.push_back(item);
        self.len += 1;
        if lane.items.len() > 1 {
            return;
        }
        let address = self.addresses.entry(lane.whose.address).or_default();
        lane.turn = lane.turn.max(address.now);
        if address.ready.is_empty() {
            address.turn = address.turn.max(self.now);
            self.ready.insert((address.turn, lane.whose.address));
        }
        address.ready.insert((lane.turn, id));
    }

    /// What is next. Its client's next turn comes after it is [`done`](Self::done).
    pub(super) fn pop(&mut self) -> Option<T> {
        self.done(Duration::ZERO);
        let (turn, whose) = self.ready.pop_first()?;
        self.now = turn;
        let address = self.addresses.get_mut(&whose)?;
        let (turn, id) = address.ready.pop_first()?;
        address.now = turn;
        self.current = Some(id);
        let item = self.lanes.get_mut(&id)?.items.pop_front();
        self.len = self.len.saturating_sub(usize::from(item.is_some()));
        item
    }

    /// What came last from [`pop`](Self::pop) took so much time. Nothing else is called in between.
    pub(super) fn done(&mut self, took: Duration) {
        let Some(id) = self.current.take() else { return };
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let Some(address) = self.addresses.get_mut(&lane.whose.address) else { return };
        // Whatever it was, it took some time.
        let took = Taken::try_from(took.as_nanos()).unwrap_or(Taken::MAX).max(1);
        lane.turn = lane.turn.saturating_add(took);
        address.turn = address.turn.saturating_add(took);
        if !lane.items.is_empty() {
            address.ready.insert((lane.turn, id));
        }
        if !address.ready.is_empty() {
            self.ready.insert((address.turn, lane.whose.address));
        }
    }

    fn lane_of(&mut self, whose: Whose) -> LaneId {
        if let Some(id) = self.by_owner.get(&whose) {
            return *id;
        }
        self.forget_unused();
        let id = LaneId(self.next);
        self.next += 1;
        self.addresses.entry(whose.address).or_default().lanes += 1;
        self.by_owner.insert(whose.clone(), id);
        self.lanes.insert(id, Lane { whose, turn: 0, items: VecDeque::new(), users: 0 });
        id
    }

    /// Forgets the clients that have nothing here any more, if they may be many. Whoever comes back begins where the others are.
    fn forget_unused(&mut self) {
        if self.lanes.len() < self.many {
            return;
        }
        let (addresses, by_owner) = (&mut self.addresses, &mut self.by_owner);
        self.lanes.retain(|_, lane| {
            let is_used = lane.users > 0 || !lane.items.is_empty();
            if !is_used {
                by_owner.remove(&lane.whose);
                if let Some(address) = addresses.get_mut(&lane.whose.address) {
                    address.lanes = address.lanes.saturating_sub(1);
                }
            }
            is_used
        });
        addresses.retain(|_, address| address.lanes > 0);
        self.many = FEW.max(2 * self.lanes.len());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::auth::AppId;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn client(name: &str, address: u8) -> Whose {
        let address = Address::from(std::net::IpAddr::from(Ipv4Addr::new(10, 0, 0, address)));
        let app = crate::ApiKey::development().app().clone();
        Whose { address: Some(address), holder: Some(holder(app, name)) }
    }

    fn holder(app: AppId, name: &str) -> Holder {
        Holder::Client(app, name.into())
    }

    /// Takes `count` things, each of which takes a millisecond.
    fn take<T>(waiting: &mut Waiting<T>, count: usize) -> Vec<T> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.extend(waiting.pop());
            waiting.done(MILLISECOND);
        }
        taken
    }

    #[test]
    fn what_one_client_sends_is_handled_in_order_over_all_its_sockets() {
        let mut waiting = Waiting::default();
        let sockets = [(); 2].map(|()| waiting.enter(client("ada", 1)));
        assert_eq!(sockets[0], sockets[1]);
        (0..6).for_each(|item| waiting.push(sockets[item % 2], item));
        assert_eq!(take(&mut waiting, 9), [0, 1, 2, 3, 4, 5]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn whoever_sends_little_is_next_however_much_others_sent_before() {
        let mut waiting = Waiting::default();
        let mallory: Vec<_> = (0..100).map(|_| waiting.enter(client("mallory", 1))).collect();
        let ada = waiting.enter(client("ada", 1));
        (0..1_000).for_each(|item| waiting.push(mallory[item % 100], "flood"));
        assert_eq!(take(&mut waiting, 300), ["flood"; 300]);
        for _ in 0..5 {
            waiting.push(ada, "hello");
            assert_eq!(take(&mut waiting, 2), ["hello", "flood"]);
        }
    }

    #[test]
    fn what_takes_long_counts_for_more() {
        let mut waiting = Waiting::default();
        let [heavy, light] = ["heavy", "light"].map(|name| waiting.enter(client(name, 1)));
        for _ in 0..100 {
            waiting.push(heavy, 10);
            waiting.push(light, 1);
        }
        let mut count = [0, 0];
        for _ in 0..110 {
            let weight = waiting.pop().unwrap();
            count[usize::from(weight == 1)] += 1;
            waiting.done(weight * MILLISECOND);
        }
        assert_eq!(count, [10, 100]);
    }

    #[test]
    fn an_address_has_a_share_however_many_clients_it_has() {
        let mut waiting = Waiting::default();
        for name in 0..500 {
            let lane = waiting.enter(client(&format!("m{name}"), 1));
            waiting.push(lane, "flood");
            waiting.push(lane, "flood");
        }
        waiting.push_for(Whose::stranger(client("", 1).address), "flood");
        let ada = waiting.enter(client("ada", 2));
        for _ in 0..100 {
            waiting.push(ada, "hello");
        }
        let taken = take(&mut waiting, 200);
        assert_eq!(taken.iter().filter(|item| **item == "hello").count(), 100);
    }

    #[test]
    fn whoever_was_idle_has_saved_nothing_up_and_owes_nothing_for_when_nobody_waited() {
        let mut waiting = Waiting::default();
        let [ada, bob] = ["ada", "bob"].map(|name| waiting.enter(client(name, 1)));
        for _ in 0..1_000 {
            waiting.push(ada, "ada");
            take(&mut waiting, 1);
        }
        for _ in 0..10 {
            waiting.push(ada, "ada");
            waiting.push(bob, "bob");
        }
        let taken = take(&mut waiting, 10);
        assert!((4..=6).contains(&taken.iter().filter(|name| **name == "ada").count()), "{taken:?}");
    }

    #[test]
    fn clients_that_are_gone_are_forgotten() {
        let mut waiting = Waiting::default();
        for name in 0..100_000 {
            let lane = waiting.enter(client(&name.to_string(), u8::try_from(name % 200).unwrap()));
            waiting.push(lane, name);
            waiting.leave(lane);
            assert_eq!(take(&mut waiting, 1), [name]);
        }
        assert!(waiting.lanes.len() <= FEW && waiting.by_owner.len() <= FEW);
        assert_eq!(waiting.addresses.values().map(|address| address.lanes).sum::<usize>(), waiting.lanes.len());
    }

    #[test]
    fn what_waits_of_a_client_that_is_gone_is_handled_nevertheless() {
        let mut waiting = Waiting::default();
        let ada = waiting.enter(client("ada", 1));
        waiting.push(ada, 1);
        waiting.leave(ada);
        for name in 0..2 * FEW {
            let lane = waiting.enter(client(&name.to_string(), 2));
            waiting.leave(lane);
        }
        waiting.push(ada, 2);
        assert_eq!(take(&mut waiting, 3), [1, 2]);
    }
}
