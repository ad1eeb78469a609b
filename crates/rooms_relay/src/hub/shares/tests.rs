use std::time::Duration;

use super::*;
use crate::{ApiKey, Identity, auth::Principal};

fn shares(change: impl FnOnce(&mut Limits)) -> Shares {
    let mut limits = Limits::default();
    change(&mut limits);
    Shares::new(Arc::new(limits), false)
}

fn owner_with(key: &str, client: Option<&str>, address: u8) -> Owner {
    let key: ApiKey = key.parse().unwrap();
    let identity = client.map_or(Identity::Anonymous, |id| Identity::Known(id.into()));
    Owner::of(&Principal::of_key(&Arc::new(key), identity), Some([10, 0, 0, address].into()))
}

fn owner(client: &str) -> Owner {
    owner_with("app.id:s", Some(client), 1)
}

/// Begins a connection, whose name is `id`, if its owner may.
fn begin(shares: &mut Shares, id: &str, owner: &Owner, now: Instant) -> Result<Option<String>, u32> {
    let mut ended = None;
    loop {
        match shares.admit_connection(owner, now).map_err(|error| error.code.0)? {
            Admission::Free => break,
            Admission::After(other) => {
                shares.remove_connection(&other);
                ended = Some(other.to_string());
            }
        }
    }
    shares.add_connection(id.into(), owner.clone(), now);
    Ok(ended)
}

#[test]
fn who_has_its_share_of_connections_is_refused_alone() {
    let now = Instant::now();
    let mut shares = shares(|limits| limits.connections_per_client = 2);
    for id in ["a", "b"] {
        assert_eq!(begin(&mut shares, id, &owner("mallory"), now), Ok(None));
    }
    assert_eq!(begin(&mut shares, "c", &owner("mallory"), now), Err(40111));
    assert_eq!(begin(&mut shares, "d", &owner("ada"), now), Ok(None));
    shares.remove_connection(&"a".into());
    assert_eq!(begin(&mut shares, "e", &owner("mallory"), now), Ok(None));
}

#[test]
fn a_new_connection_takes_the_place_of_one_that_its_client_dropped() {
    let now = Instant::now();
    let mut shares = shares(|limits| limits.connections_per_client = 3);
    for id in ["a", "b", "c"] {
        begin(&mut shares, id, &owner("ada"), now).unwrap();
    }
    shares.drop_connection(&"a".into(), true);
    shares.drop_connection(&"b".into(), false);
    assert_eq!(begin(&mut shares, "d", &owner("ada"), now), Ok(Some("b".to_owned())), "nobody used it");
    shares.drop_connection(&"c".into(), true);
    shares.resume_connection(&"a".into());
    assert_eq!(begin(&mut shares, "e", &owner("ada"), now), Ok(Some("c".to_owned())));
    assert_eq!(begin(&mut shares, "f", &owner("ada"), now), Err(40111));
    shares.drop_connection(&"a".into(), false);
    assert!(shares.unused.is_empty(), "what was used once stays so");
}

#[test]
fn a_full_relay_ends_what_was_dropped_and_never_used_before_it_refuses() {
    let now = Instant::now();
    let mut shares = shares(|limits| limits.connections = 2);
    for id in ["a", "b"] {
        begin(&mut shares, id, &owner(id), now).unwrap();
    }
    shares.drop_connection(&"a".into(), true);
    assert_eq!(shares.admit_connection(&owner("late"), now), Ok(Admission::Free), "the relay's own limit refuses it");
    shares.drop_connection(&"b".into(), false);
    assert_eq!(shares.admit_connection(&owner("late"), now), Ok(Admission::After("b".into())));
}

#[test]
fn connections_begin_at_the_rate_of_their_client() {
    let now = Instant::now();
    let mut shares = shares(|limits| limits.client_connection_rate = Some(3));
    for id in ["a", "b", "c"] {
        begin(&mut shares, id, &owner("mallory"), now).unwrap();
        shares.remove_connection(&id.into());
    }
    assert_eq!(begin(&mut shares, "d", &owner("mallory"), now), Err(42910));
    assert_eq!(begin(&mut shares, "d", &owner("ada"), now), Ok(None));
    assert_eq!(begin(&mut shares, "e", &owner("mallory"), now + Duration::from_secs(1)), Ok(None));
}

#[test]
fn an_address_and_a_key_have_shares_too() {
    let now = Instant::now();
    let mut shares = shares(|limits| limits.sockets_per_address = Some(2));
    for client in ["a", "b"] {
        begin(&mut shares, client, &owner(client), now).unwrap();
    }
    assert_eq!(begin(&mut shares, "c", &owner("c"), now), Err(40111));
    assert_eq!(begin(&mut shares, "d", &owner_with("app.id:s", Some("d"), 2), now), Ok(None));
    shares.drop_connection(&"d".into(), false);
    assert_eq!(begin(&mut shares, "c", &owner("c"), now), Err(40111), "what others dropped makes no room here");
    shares.drop_connection(&"a".into(), false);
    assert_eq!(begin(&mut shares, "c", &owner("c"), now), Ok(Some("a".to_owned())));

    let limits = Limits { connections: 20, ..Limits::default() };
    let mut shares = Shares::new(Arc::new(limits), true);
    for client in 0..18 {
        begin(&mut shares, &format!("c{client}"), &owner(&format!("client{client}")), now).unwrap();
    }
    assert_eq!(begin(&mut shares, "late", &owner("late"), now), Err(40111), "nine tenths for a key");
    assert_eq!(begin(&mut shares, "late", &owner_with("app.other:s", Some("late"), 1), now), Ok(None));
}

#[test]
fn clients_without_an_id_share_half_of_what_their_address_has() {
    let now = Instant::now();
    let mut shares = shares(|limits| limits.sockets_per_address = Some(400));
    let nameless = owner_with("app.id:s", None, 1);
    for id in 0..200 {
        begin(&mut shares, &id.to_string(), &nameless, now).unwrap();
    }
    assert_eq!(begin(&mut shares, "late", &nameless, now), Err(40111));
    assert_eq!(begin(&mut shares, "late", &owner_with("app.id:s", None, 2), now), Ok(None));
    assert_eq!(begin(&mut shares, "ada", &owner("ada"), now), Ok(None));
}

#[test]
fn channels_count_for_whom_they_came_into_being_until_they_are_gone() {
    let now = Instant::now();
    let mut shares = shares(|limits| {
        limits.channels_per_client = 2;
        limits.client_channel_rate = Some(3);
    });
    let key = |name: &str| ChannelKey { app: ApiKey::development().app().clone(), name: name.into() };
    let check =
        |shares: &Shares, client: &str, now| shares.check_channel(&owner(client), now).map_err(|error| error.code.0);
    for name in ["a", "b"] {
        assert_eq!(check(&shares, "mallory", now), Ok(()));
        shares.add_channel(key(name), owner("mallory"), now);
    }
    assert_eq!(check(&shares, "mallory", now), Err(40113));
    assert_eq!(check(&shares, "ada", now), Ok(()));
    shares.remove_channel(&key("a"));
    assert_eq!(check(&shares, "mallory", now), Ok(()));
    shares.add_channel(key("c"), owner("mallory"), now);
    assert_eq!(check(&shares, "mallory", now), Err(42910));
    assert_eq!(check(&shares, "mallory", now + Duration::from_secs(1)), Err(40113));
    shares.remove_channels_of(ApiKey::development().app());
    assert_eq!(check(&shares, "mallory", now + Duration::from_secs(1)), Ok(()));
    assert!(shares.creators.is_empty());
}
