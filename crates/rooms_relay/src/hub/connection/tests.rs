//! Connections alone, without a hub.

use super::*;
use crate::auth::{ApiKey, Identity};
use crate::moment::Moment;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

const SECOND: Duration = Duration::from_secs(1);

fn principal() -> Principal {
    Principal::of_key(&ApiKey::development().into(), Identity::Any)
}

fn channel() -> ChannelKey {
    ChannelKey { app: ApiKey::development().app().clone(), name: "a".into() }
}

struct Fixture {
    connections: Connections,
    random: ChaCha20Rng,
    timers: Timers,
    moment: Moment,
}

impl Fixture {
    fn new(limits: Limits) -> Self {
        let moment = Moment { now: Instant::now(), wall: Timestamp(0) };
        let connections = Connections::new("node".into(), Arc::new(limits), MemoryBudget::new(1 << 30));
        Self { connections, random: ChaCha20Rng::from_seed([1; 32]), timers: Timers::default(), moment }
    }

    fn begin(&mut self, principal: Principal) -> ConnectionId {
        let id = self.connections.begin(principal, self.moment.now, &mut self.random).unwrap();
        self.connections.put_on_link(LinkId::new(0), &id, &ConnectRequest::default(), &mut self.timers);
        id
    }

    fn due(&mut self, after: Duration) -> Vec<HubTimer> {
        std::iter::from_fn(|| self.timers.pop_due(self.moment.now + after)).collect()
    }
}

#[test]
fn a_connection_is_resumed_with_its_key_in_its_app_and_by_nobody_else() {
    let mut fixture = Fixture::new(Limits::default());
    let id = fixture.begin(principal());
    let key = fixture.connections.get(&id).unwrap().key(&id);
    let other = Principal::of_key(&Arc::new("other.id:secret".parse().unwrap()), Identity::Any);
    let Fixture { connections, random, .. } = &mut fixture;
    assert!(connections.resume(&"nonsense".into(), &principal(), random).unwrap().is_none());
    assert!(connections.resume(&key, &other, random).unwrap().is_none());
    let resumed = connections.resume(&key, &principal(), random).unwrap().unwrap();
    assert_eq!((resumed.id, resumed.replaced), (id.clone(), Some(LinkId::new(0))));
    assert_ne!(connections.get(&id).unwrap().key(&id), key, "each resume gives a new secret");
}

#[test]
fn without_a_link_a_connection_is_forgotten_later_and_its_members_leave_before() {
    let mut fixture = Fixture::new(Limits::default());
    let (id, now) = (fixture.begin(principal()), fixture.moment.now);
    let verdict = PresenceVerdict { members: 1, is_attached: true };
    fixture.connections.note_presence(&id, &channel(), verdict, now, &mut fixture.timers);
    assert_eq!(fixture.timers.next(), None);
    fixture.connections.lose_link(&id, now, &mut fixture.timers);
    assert_eq!(fixture.due(SECOND * 15), [HubTimer::LeaveMembers(id.clone())]);
    assert_eq!(fixture.due(SECOND * 120), [HubTimer::ForgetConnection(id)]);
}

#[test]
fn a_client_is_asked_for_a_new_token_before_the_old_one_expires() {
    let mut fixture = Fixture::new(Limits::default());
    let id = fixture.begin(Principal { expires: Some(Timestamp(60_000)), ..principal() });
    fixture.connections.watch_token(&id, fixture.moment, &mut fixture.timers);
    assert_eq!(fixture.due(SECOND * 30), [HubTimer::RequestToken(id.clone())]);
    assert_eq!(fixture.due(SECOND * 60), [HubTimer::ExpireToken(id.clone())]);
    fixture.connections.watch_token(&id, fixture.moment, &mut fixture.timers);
    assert!(fixture.connections.end(&id, &mut fixture.timers).is_some());
    assert_eq!((fixture.timers.next(), fixture.connections.len()), (None, 0));
}

#[test]
fn no_more_connections_begin_than_there_may_be() {
    let mut fixture = Fixture::new(Limits { connections: 1, ..Limits::default() });
    fixture.begin(principal());
    let refused = fixture.connections.begin(principal(), fixture.moment.now, &mut fixture.random);
    assert_eq!(refused.map_err(|error| error.code.0), Err(40111));
}
