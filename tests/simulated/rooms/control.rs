//! Who may come into a room and who has to go, as a game sees it.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::{
    prelude::*,
    protocol::ErrorCode,
    relay::HubConfig,
    session::{DEFAULT_CAPACITY, SessionError},
    testing::Rig,
};

use crate::table::{LONG, Table, command, state};

const SECOND: Duration = Duration::from_secs(1);

/// What an app saw.
#[derive(Resource, Default)]
struct Seen {
    closed: Vec<CloseReason>,
    left: Vec<(String, LeaveReason)>,
    errors: Vec<RoomError>,
}

fn game(app: &mut App) {
    app.init_resource::<Seen>().add_systems(
        Update,
        |mut seen: ResMut<Seen>,
         mut closed: MessageReader<RoomClosed>,
         mut left: MessageReader<PlayerLeft>,
         mut errors: MessageReader<RoomError>| {
            seen.closed.extend(closed.read().map(|closed| closed.reason.clone()));
            seen.left.extend(left.read().map(|left| (left.player.to_string(), left.reason)));
            seen.errors.extend(errors.read().cloned());
        },
    );
}

fn seen(app: &App) -> &Seen {
    app.world().resource::<Seen>()
}

fn id(player: &str) -> PlayerId {
    PlayerId::new(player).unwrap()
}

fn join(table: &mut Table, seat: usize, player: &str) {
    command(&mut table.apps[seat], |commands| commands.join_room("den", Profile::named(player)));
}

/// A table with these players in one room; the first hosts it.
fn room(players: &[&str]) -> Table {
    let mut table = Table::new();
    for player in players {
        let seat = table.seat(player, game);
        command(&mut table.apps[seat], |commands| commands.join_or_host("den", Profile::named(*player)));
        assert!(table.until(LONG, |apps| state(&apps[seat]) == RoomState::Joined), "{player} did not get in");
    }
    table
}

/// Brings one more to the table, who wants in.
fn newcomer(table: &mut Table, player: &str) -> usize {
    let seat = table.seat(player, game);
    join(table, seat, player);
    seat
}

fn refusal(table: &mut Table, seat: usize) -> Refusal {
    assert!(table.until(LONG, |apps| !seen(&apps[seat]).closed.is_empty()));
    match &seen(&table.apps[seat]).closed[0] {
        CloseReason::Refused(refusal) => refusal.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_host_sets_capacity_and_lock_and_everyone_can_read_them() {
    let mut table = room(&["ada", "ben"]);
    assert_eq!(table.apps[1].world().resource::<Room>().rules.capacity(), DEFAULT_CAPACITY);
    command(&mut table.apps[0], |commands| commands.set_capacity(2));
    let third = newcomer(&mut table, "cy");
    assert_eq!(refusal(&mut table, third), Refusal::Full { limit: 2 });
    command(&mut table.apps[0], |commands| {
        commands.set_capacity(9);
        commands.lock_room();
    });
    let shown = |app: &App| {
        let rules = &app.world().resource::<Room>().rules;
        (rules.capacity(), rules.locked)
    };
    assert!(table.until(LONG, |apps| shown(&apps[0]) == (9, true) && shown(&apps[1]) == (9, true)));
    let fourth = newcomer(&mut table, "di");
    assert_eq!(refusal(&mut table, fourth), Refusal::Locked);
    command(&mut table.apps[0], |commands| commands.unlock_room());
    join(&mut table, fourth, "di");
    assert!(table.until(LONG, |apps| state(&apps[fourth]) == RoomState::Joined));
    command(&mut table.apps[fourth], |commands| commands.leave_room());
    assert!(table.until(LONG, |apps| state(&apps[fourth]) == RoomState::Outside));
    assert_eq!(shown(&table.apps[fourth]), (DEFAULT_CAPACITY, false), "outside there are no rules");
}

#[test]
fn who_is_kicked_hears_why_and_who_is_banned_does_not_come_back() {
    let mut table = room(&["ada", "ben", "cy"]);
    let entity = table.apps[2].world().resource::<Roster>().get(&id("ben")).unwrap().entity;
    command(&mut table.apps[0], |commands| commands.kick(&id("ben"), "too loud"));
    assert!(table.until(LONG, |apps| state(&apps[1]) == RoomState::Outside));
    assert_eq!(seen(&table.apps[1]).closed, [CloseReason::Kicked { reason: "too loud".into() }]);
    assert!(table.until(LONG, |apps| apps[2].world().get_entity(entity).is_err()));
    assert_eq!(seen(&table.apps[2]).left, [("ben".to_owned(), LeaveReason::Kicked)]);
    join(&mut table, 1, "ben");
    assert!(table.until(LONG, |apps| state(&apps[1]) == RoomState::Joined), "it may come back");
    command(&mut table.apps[0], |commands| commands.ban(&id("ben"), "cheats"));
    assert!(table.until(LONG, |apps| state(&apps[1]) == RoomState::Outside));
    join(&mut table, 1, "ben");
    assert!(table.until(LONG, |apps| seen(&apps[1]).closed.len() == 3));
    let refused = CloseReason::Refused(Refusal::Banned { reason: "cheats".into() });
    assert_eq!(seen(&table.apps[1]).closed[2], refused);
    assert!(refused.to_string().ends_with("banned this player from the room: cheats"), "{refused}");
    command(&mut table.apps[0], |commands| commands.unban(&id("ben")));
    join(&mut table, 1, "ben");
    assert!(table.until(LONG, |apps| state(&apps[1]) == RoomState::Joined));
}

#[test]
fn who_finds_the_channel_full_is_told_that_it_cannot_be_present() {
    let mut config = HubConfig::default();
    config.limits.members_per_channel = 2;
    let mut rig = Rig::with_relay(7, config);
    let apps = ["ada", "ben", "cy"].map(|player| {
        let app = rig.add(player, |_| {});
        rig.command(app, |commands| commands.join_or_host("den", Profile::named(player)));
        rig.run_for(3 * SECOND);
        app
    });
    let [closed] = rig.recorded::<RoomClosed>(apps[2]) else { panic!("it is told") };
    let CloseReason::NotPresent(reason) = &closed.reason else { panic!("{}", closed.reason) };
    assert_eq!(reason.code, ErrorCode::TOO_MANY_MEMBERS);
    rig.run_for(10 * SECOND);
    for app in &apps[..2] {
        assert_eq!(rig.state(*app), RoomState::Joined);
        assert_eq!(rig.resource::<Roster>(*app).len(), 2, "nobody holds a seat for it");
    }
}

#[test]
fn who_does_not_host_is_told_that_it_cannot_control_the_room() {
    let mut table = room(&["ada", "ben"]);
    command(&mut table.apps[1], |commands| {
        commands.kick(&id("ada"), "");
        commands.lock_room();
    });
    command(&mut table.apps[0], |commands| commands.kick(&id("ada"), ""));
    table.frame();
    table.frame();
    let error = |action: &str, error| RoomError::NotControlled { action: action.to_owned(), error };
    let expected = [error("kick ada", SessionError::NotHost), error("lock the room", SessionError::NotHost)];
    assert_eq!(seen(&table.apps[1]).errors, expected);
    assert_eq!(seen(&table.apps[0]).errors, [error("kick ada", SessionError::OwnSeat)]);
    assert_eq!(table.apps[0].world().resource::<Roster>().len(), 2);
}

#[test]
fn latecomers_watch_the_round_and_are_players_in_the_next() {
    let mut table = room(&["ada", "ben"]);
    command(&mut table.apps[0], |commands| commands.set_newcomers(Newcomers::Spectate));
    let late = newcomer(&mut table, "cy");
    assert!(table.until(LONG, |apps| state(&apps[late]) == RoomState::Joined));
    let spectators = |app: &mut App| {
        let mut query = app.world_mut().query_filtered::<&Player, With<Spectator>>();
        query.iter(app.world()).map(|player| player.id.to_string()).collect::<Vec<_>>()
    };
    for app in &mut table.apps {
        assert_eq!(spectators(app), ["cy"]);
        assert!(app.world().resource::<Roster>().get(&id("cy")).unwrap().is_spectator);
    }
    command(&mut table.apps[0], |commands| commands.set_newcomers(Newcomers::Play));
    assert!(table.until(LONG, |apps| apps.iter_mut().all(|app| spectators(app).is_empty())));
}

#[test]
fn who_has_to_wait_can_see_it_and_comes_in_by_itself() {
    let mut table = room(&["ada"]);
    command(&mut table.apps[0], |commands| commands.set_newcomers(Newcomers::Wait));
    let late = newcomer(&mut table, "cy");
    let waits = |app: &App| app.world().resource::<Room>().waiting;
    assert!(table.until(LONG, |apps| waits(&apps[late])));
    assert!(!table.until(Duration::from_secs(20), |apps| state(&apps[late]) != RoomState::Arriving));
    command(&mut table.apps[0], |commands| commands.set_newcomers(Newcomers::Play));
    assert!(table.until(Duration::from_secs(3), |apps| state(&apps[late]) == RoomState::Joined));
    assert!(!waits(&table.apps[late]));
}

#[derive(Resource, Default)]
struct Asked(Vec<String>);

#[test]
fn the_games_own_rule_lets_in_has_wait_and_refuses() {
    let mut table = Table::new();
    let host = table.seat("ada", |app| {
        game(app);
        app.init_resource::<Asked>()
            .add_admission_rule(|In(newcomer): In<Newcomer>, mut asked: ResMut<Asked>| {
                asked.0.push(newcomer.player.to_string());
                Admission::Admit
            })
            .add_admission_rule(|In(newcomer): In<Newcomer>| match newcomer.profile.name.as_str() {
                "cy" => Admission::Refuse("no cards left".to_owned()),
                "di" => Admission::Spectate,
                _ => Admission::Admit,
            });
    });
    command(&mut table.apps[host], |commands| commands.host_room("den", Profile::named("ada")));
    assert!(table.until(LONG, |apps| state(&apps[host]) == RoomState::Joined));
    let seats = ["ben", "cy", "di"].map(|player| newcomer(&mut table, player));
    let refused = Refusal::NotAdmitted { why: "no cards left".into() };
    assert_eq!(refusal(&mut table, seats[1]), refused);
    assert!(table.until(LONG, |apps| [seats[0], seats[2]].iter().all(|seat| state(&apps[*seat]) == RoomState::Joined)));
    let roster = table.apps[host].world().resource::<Roster>();
    assert!(!roster.get(&id("ben")).unwrap().is_spectator && roster.get(&id("di")).unwrap().is_spectator);
    let mut asked = table.apps[host].world().resource::<Asked>().0.clone();
    asked.sort();
    assert_eq!(asked, ["ben", "cy", "di"]);
}

#[derive(Resource)]
struct Missing;

#[test]
fn a_rule_that_cannot_run_makes_the_newcomer_wait_and_is_told() {
    let mut table = Table::new();
    let host = table.seat("ada", |app| {
        game(app);
        app.add_admission_rule(|In(_): In<Newcomer>, _: Res<Missing>| Admission::Admit);
    });
    command(&mut table.apps[host], |commands| commands.host_room("den", Profile::named("ada")));
    assert!(table.until(LONG, |apps| state(&apps[host]) == RoomState::Joined));
    let late = newcomer(&mut table, "ben");
    assert!(table.until(LONG, |apps| apps[late].world().resource::<Room>().waiting));
    assert!(matches!(&seen(&table.apps[host]).errors[0], RoomError::RuleFailed { player, .. } if *player == id("ben")));
    table.apps[host].insert_resource(Missing);
    assert!(table.until(LONG, |apps| state(&apps[late]) == RoomState::Joined));
}
