//! What a game sees of a change of host: whole apps on a simulated network and clock.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::{
    prelude::*,
    testing::{AppIndex, Rig},
};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

/// The rig records the room's own messages by itself.
fn game(_: &mut App) {}

fn three() -> (Rig, [AppIndex; 3]) {
    Rig::room(7, ["ada", "ben", "cy"], game)
}

/// Who is marked as host among the player entities.
fn marked(rig: &mut Rig, app: AppIndex) -> Vec<String> {
    let world = rig.world_mut(app);
    let mut query = world.query_filtered::<&Player, With<HostPlayer>>();
    query.iter(world).map(|player| player.id.to_string()).collect()
}

#[test]
fn the_game_is_told_of_the_silence_the_new_host_and_the_recovery() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.kill(ada);
    rig.run_until(10 * SECOND, |rig| rig.is_host(ben) && rig.host(cy) == Some(rig.player(ben))).unwrap();
    rig.run_for(SECOND);
    for app in [ben, cy] {
        let [.., change] = rig.recorded::<HostChanged>(app) else { panic!("the game is told") };
        let from = change.from.as_ref().map(PlayerId::as_str);
        assert_eq!((from, change.to.as_str(), change.term.0), (Some("ada"), "ben", 2));
        assert_eq!(rig.recorded::<RoomInterrupted>(app).len(), 1);
        let resumed: Vec<_> = rig.recorded::<RoomResumed>(app).iter().map(|resumed| resumed.continuity).collect();
        assert_eq!(resumed, [Continuity::Kept]);
        assert_eq!(marked(&mut rig, app), ["ben"]);
        assert_eq!(rig.resource::<Room>(app).term.0, 2);
    }
}

#[test]
fn a_successor_keeps_the_rules_the_bans_and_the_listing() {
    let (mut rig, [ada, ben, cy]) = three();
    let eve = PlayerId::new("eve").unwrap();
    rig.command(ada, |commands| {
        commands.set_capacity(5);
        commands.ban(&eve, "cheats");
        commands.list_room(Listing::titled("Ada's den").with_data(json!({ "map": "hills" })));
    });
    rig.command(cy, |commands| commands.watch_rooms());
    rig.run_for(2 * SECOND);
    assert_eq!(rig.resource::<RoomList>(cy).iter().count(), 1);
    rig.kill(ada);
    rig.run_until(10 * SECOND, |rig| rig.is_host(ben)).unwrap();
    rig.run_for(20 * SECOND);
    let rules = &rig.resource::<Room>(cy).rules;
    assert_eq!((rules.capacity(), rules.bans().count()), (5, 1));
    let listed: Vec<_> = rig.resource::<RoomList>(cy).iter().cloned().collect();
    assert_eq!(listed.len(), 1, "one entry, the new host's");
    assert_eq!(listed[0].host.as_str(), "ben");
    assert_eq!(listed[0].title, "Ada's den");

    let stranger = rig.add("eve", game);
    rig.command(stranger, |commands| commands.join_room("den", Profile::named("Eve")));
    rig.run_until(5 * SECOND, |rig| !rig.recorded::<RoomClosed>(stranger).is_empty()).unwrap();
    let [closed] = rig.recorded::<RoomClosed>(stranger) else { panic!("told once") };
    assert!(matches!(&closed.reason, CloseReason::Refused(Refusal::Banned { .. })));
}

#[test]
fn a_host_hands_over_on_purpose_and_others_may_not() {
    let (mut rig, [ada, ben, cy]) = three();
    let id = rig.player(cy).clone();
    rig.command(ben, |commands| commands.hand_over_to(&id));
    rig.run_for(SECOND);
    assert_eq!(rig.recorded::<RoomError>(ben).len(), 1, "only the host may");
    rig.command(ada, |commands| commands.hand_over_to(&id));
    rig.run_until(3 * SECOND, |rig| [ada, ben, cy].iter().all(|app| rig.host(*app) == Some(&id))).unwrap();
    assert!(rig.is_host(cy) && !rig.is_host(ada));
    rig.run_for(SECOND);
    assert!(rig.recorded::<RoomInterrupted>(ben).is_empty(), "nobody was missed");
    assert_eq!(rig.resource::<Roster>(ben).len(), 3);
}

#[test]
fn a_host_that_leaves_is_followed_by_another_within_two_seconds() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.command(ada, |commands| commands.leave_room());
    let time = rig.run_until(3 * SECOND, |rig| rig.is_host(ben) && rig.host(cy) == Some(rig.player(ben))).unwrap();
    assert!(time <= 2 * SECOND, "{time:?}");
    rig.run_for(SECOND);
    assert_eq!(rig.resource::<Roster>(cy).len(), 2);
}

#[test]
fn a_room_that_does_not_migrate_closes_with_a_reason_when_its_host_leaves() {
    let mut rig = Rig::new(7);
    let never = |plugin: RoomsPlugin| RoomsPlugin { migration: Migration::Never, ..plugin };
    let [ada, ben] = ["ada", "ben"].map(|player| rig.add_with(player, never, game));
    rig.command(ada, |commands| commands.host_room("den", Profile::named("Ada")));
    rig.run_until(5 * SECOND, |rig| rig.is_host(ada)).unwrap();
    rig.command(ben, |commands| commands.join_room("den", Profile::named("Ben")));
    rig.run_until(5 * SECOND, |rig| rig.state(ben) == RoomState::Joined).unwrap();
    rig.command(ada, |commands| commands.leave_room());
    rig.run_until(3 * SECOND, |rig| rig.state(ben) == RoomState::Outside).unwrap();
    let [closed] = rig.recorded::<RoomClosed>(ben) else { panic!("told once") };
    assert!(matches!(closed.reason, CloseReason::HostLost));
}
