//! How a game tests that it outlives its host: whole apps on a simulated network and clock, in milliseconds.
//!
//! Copy this file into your game, and have `game` add what your `main` adds.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::{
    prelude::*,
    testing::{AppIndex, Rig},
};
use serde::{Deserialize, Serialize};

#[derive(Resource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Score(u32);

/// A peer wants a point.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point;

fn game(app: &mut App) {
    app.share_resource::<Score>().add_room_message::<Point>().add_systems(Update, count.run_if(is_host));
}

/// Whoever hosts counts.
fn count(mut points: MessageReader<FromRoom<Point>>, mut score: ResMut<Score>) {
    for _ in points.read() {
        score.0 += 1;
    }
}

/// Whether all of these see that one of them leads.
fn agree_on_a_host(rig: &Rig, apps: &[AppIndex]) -> bool {
    let host = rig.host(apps[0]);
    apps.iter().any(|app| rig.is_host(*app)) && apps.iter().all(|app| rig.host(*app) == host)
}

#[test]
fn three_players_go_on_with_the_score_when_their_host_dies() {
    let (mut rig, [ada, ben, cy]) = Rig::room(7, ["ada", "ben", "cy"], game);
    rig.world_mut(ada).resource_mut::<Score>().0 = 40;
    rig.run_for(Duration::from_secs(1));

    rig.kill(ada);
    rig.run_until(Duration::from_secs(10), |rig| agree_on_a_host(rig, &[ben, cy])).unwrap();
    assert_eq!((rig.resource::<Score>(ben).0, rig.resource::<Score>(cy).0), (40, 40));

    rig.world_mut(cy).write_message(ToRoom::host(Point));
    rig.run_until(Duration::from_secs(5), |rig| rig.resource::<Score>(ben).0 == 41).unwrap();
}

#[test]
fn a_request_that_the_old_host_never_heard_counts_once_with_the_new_one() {
    for seed in 0..10 {
        let (mut rig, [ada, ben, cy]) = Rig::room(seed, ["ada", "ben", "cy"], game);
        rig.partition(&[ada]);
        for _ in 0..5 {
            rig.world_mut(cy).write_message(ToRoom::host(Point));
            rig.frame();
        }
        rig.kill(ada);
        rig.run_until(Duration::from_secs(15), |rig| agree_on_a_host(rig, &[ben, cy])).unwrap();
        rig.run_for(Duration::from_secs(10));
        assert_eq!((rig.resource::<Score>(ben).0, rig.resource::<Score>(cy).0), (5, 5), "seed {seed}");
    }
}

#[test]
fn a_host_that_was_frozen_comes_back_as_a_peer_and_takes_nothing_back() {
    let (mut rig, [ada, ben, cy]) = Rig::room(7, ["ada", "ben", "cy"], game);
    rig.freeze(ada);
    rig.run_until(Duration::from_secs(10), |rig| agree_on_a_host(rig, &[ben, cy])).unwrap();
    rig.world_mut(cy).write_message(ToRoom::host(Point));
    rig.run_for(Duration::from_secs(5));

    rig.thaw(ada);
    rig.run_until(Duration::from_secs(5), |rig| agree_on_a_host(rig, &[ada, ben, cy])).unwrap();
    assert!(!rig.is_host(ada));
    rig.run_until(Duration::from_secs(5), |rig| rig.resource::<Score>(ada).0 == 1).unwrap();
}

/// Every value that a player was shown, by [`Confirmed`] and by the resource itself.
#[derive(Resource, Default)]
struct Shown {
    confirmed: Vec<u32>,
    working: Vec<u32>,
}

fn show(confirmed: Res<Confirmed<Score>>, working: Res<Score>, mut shown: ResMut<Shown>) {
    if confirmed.is_changed() && shown.confirmed.last() != Some(&confirmed.0) {
        shown.confirmed.push(confirmed.0);
    }
    if shown.working.last() != Some(&working.0) {
        shown.working.push(working.0);
    }
}

fn game_that_shows_what_is_confirmed(app: &mut App) {
    game(app);
    app.confirm_resource::<Score>().init_resource::<Shown>().add_systems(Update, show);
}

#[test]
fn nobody_shows_what_a_host_did_alone_before_it_was_replaced() {
    for seed in 0..5 {
        let (mut rig, [ada, ben, cy]) = Rig::room(seed, ["ada", "ben", "cy"], game_that_shows_what_is_confirmed);
        rig.world_mut(ada).resource_mut::<Score>().0 = 40;
        rig.run_for(Duration::from_secs(1));
        let confirmed = |rig: &Rig, app| rig.resource::<Confirmed<Score>>(app).0;
        assert_eq!([ada, ben, cy].map(|app| confirmed(&rig, app)), [40; 3]);

        rig.partition(&[ada]);
        for _ in 0..20 {
            rig.world_mut(ada).resource_mut::<Score>().0 += 1;
            rig.run_for(Duration::from_millis(100));
        }
        assert_eq!((rig.resource::<Score>(ada).0, confirmed(&rig, ada)), (60, 40), "what it did is not confirmed");
        rig.run_until(Duration::from_secs(10), |rig| agree_on_a_host(rig, &[ben, cy])).unwrap();
        rig.world_mut(cy).write_message(ToRoom::host(Point));
        rig.run_for(Duration::from_secs(5));
        rig.heal();
        rig.run_until(Duration::from_secs(60), |rig| confirmed(rig, ada) == 41).unwrap();
        for app in [ada, ben, cy] {
            assert_eq!(rig.resource::<Shown>(app).confirmed, [0, 40, 41], "seed {seed}");
        }
        assert!(
            rig.resource::<Shown>(ada).working.contains(&60),
            "it was undone: {:?}",
            rig.resource::<Shown>(ada).working
        );
        assert_eq!(rig.resource::<Score>(ada).0, 41);
    }
}

#[test]
fn outside_a_room_the_confirmed_value_is_the_default() {
    let (mut rig, [ada, ben]) = Rig::room(7, ["ada", "ben"], game_that_shows_what_is_confirmed);
    rig.world_mut(ada).resource_mut::<Score>().0 = 40;
    rig.run_for(Duration::from_secs(1));
    rig.command(ben, |commands| commands.leave_room());
    rig.run_until(Duration::from_secs(5), |rig| rig.state(ben) == RoomState::Outside).unwrap();
    let seen = (rig.resource::<Confirmed<Score>>(ben).0, rig.resource::<Score>(ben).0);
    assert_eq!(seen, (0, 40), "the plugin keeps the one, the game the other");
}

#[test]
fn what_is_not_shared_cannot_be_confirmed() {
    #[derive(Resource, Default, Serialize, Deserialize)]
    struct Own;
    let mut rig = Rig::new(7);
    let ada = rig.add("ada", |app| {
        app.confirm_resource::<Own>();
    });
    rig.frame();
    assert_eq!(rig.recorded::<RoomError>(ada), [RoomError::NotRegistered { name: "Own".to_owned() }]);
}
