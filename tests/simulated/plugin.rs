//! Games at one table: what a game sees of its room, with nothing mocked between two apps.

use std::time::Duration;

use super::table::{LONG, Table, command, messages, state};
use bevy::prelude::*;
use bevy_rooms::{
    plugin::{FrameDirection, FrameLog, FrameLogPlugin},
    prelude::*,
    protocol::{Action, ErrorCode},
    relay::HubConfig,
    session::{InvalidName, SessionError},
    testing::{AppIndex, Rig},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wave(String);

#[derive(Resource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Score {
    points: u32,
}

/// What an app saw, kept for as long as the test needs it.
#[derive(Resource, Default)]
struct Seen {
    waves: Vec<(String, String)>,
    joined: Vec<String>,
    left: Vec<String>,
    lost: Vec<String>,
    returned: Vec<String>,
    closed: Vec<CloseReason>,
    errors: Vec<RoomError>,
    interrupted: usize,
    resumed: Vec<Continuity>,
    entered: usize,
    score_changes: usize,
}

fn game(app: &mut App) {
    app.add_room_message::<Wave>()
        .share_resource::<Score>()
        .init_resource::<Seen>()
        .add_systems(OnEnter(RoomState::Joined), |mut seen: ResMut<Seen>| seen.entered += 1)
        .add_systems(Update, (see, see_trouble, see_score));
}

fn see(
    mut seen: ResMut<Seen>,
    mut waves: MessageReader<FromRoom<Wave>>,
    mut joined: MessageReader<PlayerJoined>,
    mut left: MessageReader<PlayerLeft>,
    mut lost: MessageReader<PlayerLost>,
    mut returned: MessageReader<PlayerReturned>,
) {
    seen.waves.extend(waves.read().map(|wave| (wave.sender.to_string(), wave.0.clone())));
    seen.joined.extend(joined.read().map(|joined| joined.player.to_string()));
    seen.left.extend(left.read().map(|left| left.player.to_string()));
    seen.lost.extend(lost.read().map(|lost| lost.player.to_string()));
    seen.returned.extend(returned.read().map(|returned| returned.player.to_string()));
}

fn see_trouble(
    mut seen: ResMut<Seen>,
    mut closed: MessageReader<RoomClosed>,
    mut errors: MessageReader<RoomError>,
    mut interrupted: MessageReader<RoomInterrupted>,
    mut resumed: MessageReader<RoomResumed>,
) {
    seen.closed.extend(closed.read().map(|closed| closed.reason.clone()));
    seen.errors.extend(errors.read().cloned());
    seen.interrupted += interrupted.read().count();
    seen.resumed.extend(resumed.read().map(|resumed| resumed.continuity));
}

fn see_score(score: Res<Score>, mut seen: ResMut<Seen>) {
    if score.is_changed() {
        seen.score_changes += 1;
    }
}

fn seen(app: &App) -> &Seen {
    app.world().resource::<Seen>()
}

/// A table with these players in one room; the first hosts it.
fn room(players: &[&str]) -> Table {
    let mut table = Table::new();
    for (index, player) in players.iter().enumerate() {
        let seat = table.seat(player, game);
        command(&mut table.apps[seat], |commands| commands.join_or_host("den", Profile::named(player.to_uppercase())));
        let all_in = move |apps: &mut Vec<App>| {
            apps.iter()
                .all(|app| state(app) == RoomState::Joined && app.world().resource::<Roster>().len() == index + 1)
        };
        assert!(table.until(LONG, all_in), "{player} did not get in");
    }
    table
}

fn send(app: &mut App, message: ToRoom<Wave>) {
    app.world_mut().write_message(message);
}

fn wave(text: &str) -> Wave {
    Wave(text.to_owned())
}

#[test]
fn two_players_see_each_other_in_order_of_admission() {
    let table = room(&["ada", "ben"]);
    for app in &table.apps {
        let roster = app.world().resource::<Roster>();
        let names: Vec<&str> = roster.iter().map(|player| player.profile.name.as_str()).collect();
        assert_eq!(names, ["ADA", "BEN"]);
        assert_eq!(app.world().resource::<Host>().player.as_ref().map(PlayerId::as_str), Some("ada"));
        assert_eq!(seen(app).joined, ["ada", "ben"]);
        assert_eq!(seen(app).entered, 1, "OnEnter runs once");
    }
    assert!(table.apps[0].world().resource::<Host>().is_us && !table.apps[1].world().resource::<Host>().is_us);
}

#[test]
fn a_player_is_an_entity_with_its_name_and_marks() {
    let mut table = room(&["ada", "ben"]);
    let world = table.apps[1].world_mut();
    let mut query = world.query::<(&Player, &Name, &PlayerStatus, Has<HostPlayer>, Has<OwnPlayer>)>();
    let mut found: Vec<_> = query
        .iter(world)
        .map(|(player, name, status, host, own)| (player.id.to_string(), name.to_string(), *status, host, own))
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        found,
        [
            ("ada".to_owned(), "ADA".to_owned(), PlayerStatus::Present, true, false),
            ("ben".to_owned(), "BEN".to_owned(), PlayerStatus::Present, false, true),
        ]
    );
}

#[test]
fn messages_reach_those_they_are_for_and_nobody_else() {
    let mut table = room(&["ada", "ben", "cy"]);
    let ben = PlayerId::new("ben").unwrap();
    send(&mut table.apps[2], ToRoom::everyone(wave("all")));
    send(&mut table.apps[2], ToRoom::others(wave("others")));
    send(&mut table.apps[2], ToRoom::host(wave("host")));
    send(&mut table.apps[2], ToRoom::player(&ben, wave("ben")));
    table.until(Duration::from_secs(3), |_| false);
    let texts = |app: &App| {
        let mut texts: Vec<String> = seen(app).waves.iter().map(|(_, text)| text.clone()).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(&table.apps[0]), ["all", "host", "others"]);
    assert_eq!(texts(&table.apps[1]), ["all", "ben", "others"]);
    assert_eq!(texts(&table.apps[2]), ["all"]);
    assert!(table.apps.iter().all(|app| seen(app).waves.iter().all(|(sender, _)| sender == "cy")));
}

#[test]
fn players_of_one_room_may_write_their_frames_differently() {
    let mut table = room(&["ada"]);
    let plugin = RoomsPlugin { format: Format::MsgPack, ..table.plugin("ben") };
    let ben = table.seat_plugin(plugin, game);
    command(&mut table.apps[ben], |commands| commands.join_or_host("den", Profile::named("Ben")));
    assert!(table.until(LONG, |apps| apps.iter().all(|app| app.world().resource::<Roster>().len() == 2)));
    for app in &mut table.apps {
        send(app, ToRoom::others(wave("hi")));
    }
    let heard = |app: &App, sender: &str| seen(app).waves == [(sender.to_owned(), "hi".to_owned())];
    assert!(table.until(LONG, |apps| heard(&apps[0], "ben") && heard(&apps[1], "ada")));
}

#[test]
fn a_message_may_be_any_kind_of_json() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Anything(serde_json::Value);
    #[derive(Resource, Default)]
    struct Got(Vec<serde_json::Value>);
    let mut table = Table::new();
    for player in ["ada", "ben"] {
        let seat = table.seat(player, |app| {
            app.add_room_message::<Anything>().init_resource::<Got>().add_systems(
                Update,
                |mut read: MessageReader<FromRoom<Anything>>, mut got: ResMut<Got>| {
                    got.0.extend(read.read().map(|message| message.message.0.clone()));
                },
            );
        });
        command(&mut table.apps[seat], |commands| commands.join_or_host("den", Profile::named(player)));
        assert!(table.until(LONG, |apps| state(&apps[seat]) == RoomState::Joined));
    }
    let values = serde_json::json!([null, true, 7, -1.5, "text", "", [1, [2]], { "a": { "b": null } }]);
    let values: Vec<serde_json::Value> = serde_json::from_value(values).unwrap();
    for value in &values {
        table.apps[1].world_mut().write_message(ToRoom::others(Anything(value.clone())));
    }
    assert!(table.until(LONG, |apps| apps[0].world().resource::<Got>().0.len() >= values.len()));
    assert_eq!(table.apps[0].world().resource::<Got>().0, values);
    table.apps[1].world_mut().write_message(ToRoom::host(Anything(7.into())));
    assert!(table.until(LONG, |apps| apps[0].world().resource::<Got>().0.len() > values.len()), "requests too");
}

#[test]
fn what_the_host_says_to_a_newcomer_in_the_frame_of_its_admission_arrives() {
    let greet =
        |mut joined: MessageReader<PlayerJoined>, us: Res<LocalPlayer>, mut send: MessageWriter<ToRoom<Wave>>| {
            for newcomer in joined.read().filter(|newcomer| newcomer.player != us.id) {
                send.write(ToRoom::player(&newcomer.player, wave("to you")));
                send.write(ToRoom::everyone(wave("to all")));
            }
        };
    let mut table = room(&["ada"]);
    table.apps[0].add_systems(Update, greet.run_if(is_host));
    for (index, player) in ["ben", "cy", "di"].into_iter().enumerate() {
        let seat = table.seat(player, game);
        command(&mut table.apps[seat], |commands| commands.join_room("den", Profile::named(player)));
        assert!(table.until(LONG, |apps| state(&apps[seat]) == RoomState::Joined));
        table.until(Duration::from_secs(1), |_| false);
        let mut texts: Vec<&str> = seen(&table.apps[seat]).waves.iter().map(|(_, text)| text.as_str()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["to all", "to you"], "{player}");
        assert_eq!(seen(&table.apps[0]).waves.len(), index + 1);
    }
}

#[test]
fn messages_of_one_sender_come_in_order() {
    let mut table = room(&["ada", "ben"]);
    for number in 0..50 {
        send(&mut table.apps[1], ToRoom::everyone(wave(&number.to_string())));
        table.frame();
    }
    assert!(table.until(LONG, |apps| apps.iter().all(|app| seen(app).waves.len() >= 50)));
    let expected: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for app in &table.apps {
        let texts: Vec<String> = seen(app).waves.iter().map(|(_, text)| text.clone()).collect();
        assert_eq!(texts, expected);
    }
}

#[test]
fn what_is_said_in_one_frame_leaves_as_one_publish() {
    let (mut rig, [ada, ben]) = Rig::room(7, ["ada", "ben"], |app| {
        game(app);
        app.add_plugins(FrameLogPlugin);
    });
    rig.world_mut(ben).resource_mut::<FrameLog>().watch(true);
    let publishes = |rig: &mut Rig, said: fn(&mut Rig, AppIndex)| {
        // The last publish is longer ago than the publish interval, and a peer says nothing by itself.
        rig.run_for(Duration::from_secs(1));
        rig.world_mut(ben).resource_mut::<FrameLog>().clear();
        said(rig, ben);
        rig.run_for(Duration::from_millis(500));
        let log = rig.resource::<FrameLog>(ben).iter();
        log.filter(|frame| frame.direction == FrameDirection::Out && frame.action == Some(Action::Message)).count()
    };
    let in_one_frame = |rig: &mut Rig, app| {
        for number in 0..20 {
            rig.world_mut(app).write_message(ToRoom::everyone(wave(&number.to_string())));
        }
    };
    let each_in_its_own = |rig: &mut Rig, app| {
        for number in 0..3 {
            rig.world_mut(app).write_message(ToRoom::everyone(wave(&number.to_string())));
            rig.run_for(Duration::from_millis(200));
        }
    };
    assert_eq!(publishes(&mut rig, |_, _| {}), 0);
    assert_eq!(publishes(&mut rig, in_one_frame), 1);
    assert_eq!(rig.resource::<Seen>(ada).waves.len(), 20);
    assert_eq!(publishes(&mut rig, each_in_its_own), 3);
}

#[test]
fn the_hosts_resource_is_everyones_and_a_late_joiner_has_it_at_once() {
    let mut table = room(&["ada", "ben"]);
    table.apps[0].world_mut().resource_mut::<Score>().points = 7;
    assert!(table.until(LONG, |apps| apps[1].world().resource::<Score>().points == 7));
    let late = table.seat("cy", game);
    command(&mut table.apps[late], |commands| commands.join_room("den", Profile::named("Cy")));
    assert!(table.until(LONG, |apps| state(&apps[late]) == RoomState::Joined));
    assert_eq!(table.apps[late].world().resource::<Score>().points, 7);
}

#[test]
fn what_a_peer_changes_itself_reaches_nobody() {
    let mut table = room(&["ada", "ben"]);
    table.apps[1].world_mut().resource_mut::<Score>().points = 99;
    table.until(Duration::from_secs(2), |_| false);
    assert_eq!(table.apps[0].world().resource::<Score>().points, 0);
    table.apps[0].world_mut().resource_mut::<Score>().points = 1;
    assert!(table.until(LONG, |apps| apps[1].world().resource::<Score>().points == 1));
}

#[test]
fn a_resource_that_is_written_but_not_changed_is_not_sent() {
    let mut table = room(&["ada", "ben"]);
    table.until(Duration::from_secs(2), |_| false);
    let before = seen(&table.apps[1]).score_changes;
    for _ in 0..100 {
        table.apps[0].world_mut().resource_mut::<Score>().points = 0;
        table.frame();
    }
    assert_eq!(seen(&table.apps[1]).score_changes, before);
}

#[test]
fn a_second_host_is_refused_and_told_who_hosts() {
    let mut table = room(&["ada"]);
    let second = table.seat("ben", game);
    command(&mut table.apps[second], |commands| commands.host_room("den", Profile::named("Ben")));
    assert!(table.until(LONG, |apps| !seen(&apps[second]).closed.is_empty()));
    let expected = Refusal::HostExists { host: PlayerId::new("ada").unwrap(), name: "ADA".to_owned() };
    assert_eq!(seen(&table.apps[second]).closed, [CloseReason::Refused(expected)]);
    assert_eq!(state(&table.apps[second]), RoomState::Outside);
    command(&mut table.apps[second], |commands| commands.join_room("den", Profile::named("Ben")));
    assert!(table.until(LONG, |apps| state(&apps[second]) == RoomState::Joined), "and may join instead");
}

#[test]
fn a_joiner_without_a_host_is_told_so_after_ten_seconds() {
    let mut table = Table::new();
    let alone = table.seat("ada", game);
    command(&mut table.apps[alone], |commands| commands.join_room("den", Profile::named("Ada")));
    assert!(!table.until(Duration::from_secs(9), |apps| state(&apps[alone]) == RoomState::Outside && {
        !seen(&apps[alone]).closed.is_empty()
    }));
    assert!(table.until(Duration::from_secs(3), |apps| !seen(&apps[alone]).closed.is_empty()));
    assert_eq!(seen(&table.apps[alone]).closed, [CloseReason::NoHost]);
}

#[test]
fn waiting_joiners_do_not_keep_a_host_from_hosting() {
    let mut table = Table::new();
    for player in ["ben", "cy"] {
        let seat = table.seat(player, game);
        command(&mut table.apps[seat], |commands| commands.join_room("den", Profile::named(player)));
    }
    table.until(Duration::from_secs(2), |_| false);
    let host = table.seat("ada", game);
    command(&mut table.apps[host], |commands| commands.host_room("den", Profile::named("Ada")));
    assert!(
        table.until(Duration::from_secs(5), |apps| apps.iter().all(|app| state(app) == RoomState::Joined)),
        "players who are waiting for a host are no sign of a living room"
    );
}

#[test]
fn players_with_other_messages_are_refused_and_told_what_differs() {
    let mut table = room(&["ada"]);
    let other = table.seat("ben", |app| {
        app.init_resource::<Seen>().add_systems(Update, see_trouble);
    });
    command(&mut table.apps[other], |commands| commands.join_room("den", Profile::named("Ben")));
    assert!(table.until(LONG, |apps| !seen(&apps[other]).closed.is_empty()));
    let closed = seen(&table.apps[other]).closed[0].to_string();
    let differs = "only the host has the message Wave; only the host has the shared resource Score";
    assert!(closed.contains(differs), "{closed}");
}

#[test]
fn who_leaves_is_off_the_roster_at_once_and_its_entity_is_gone() {
    let mut table = room(&["ada", "ben"]);
    let entity = table.apps[0].world().resource::<Roster>().get(&PlayerId::new("ben").unwrap()).unwrap().entity;
    command(&mut table.apps[1], |commands| commands.leave_room());
    assert!(table.until(Duration::from_secs(2), |apps| seen(&apps[0]).left == ["ben"]));
    table.frame();
    assert!(table.apps[0].world().get_entity(entity).is_err());
    assert_eq!(table.apps[0].world().resource::<Roster>().len(), 1);
    assert_eq!(seen(&table.apps[1]).closed, [CloseReason::Left]);
    assert_eq!(table.apps[1].world().resource::<Roster>().len(), 0);
}

#[test]
fn whose_app_ends_is_gone_for_the_others_at_once() {
    let mut table = room(&["ada", "ben"]);
    drop(table.apps.pop());
    let gone = |apps: &mut Vec<App>| !seen(&apps[0]).left.is_empty() || !seen(&apps[0]).lost.is_empty();
    assert!(table.until(Duration::from_secs(2), gone), "the line said goodbye");
}

#[test]
fn a_cut_line_loses_no_message_and_says_that_it_kept_all() {
    let mut table = room(&["ada", "ben"]);
    for number in 0..30 {
        if number == 10 {
            table.cut_all();
        }
        send(&mut table.apps[1], ToRoom::everyone(wave(&number.to_string())));
        table.frame();
    }
    assert!(table.until(LONG, |apps| seen(&apps[0]).waves.len() >= 30));
    table.until(Duration::from_secs(5), |_| false);
    let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    for app in &table.apps {
        let texts: Vec<String> = seen(app).waves.iter().map(|(_, text)| text.clone()).collect();
        assert_eq!(texts, expected);
        assert_eq!(seen(app).resumed, [Continuity::Kept]);
        assert_eq!(seen(app).interrupted, 1);
    }
}

#[test]
fn a_stalled_game_keeps_its_connection() {
    let mut table = room(&["ada", "ben"]);
    let id = table.apps[1].world().resource::<Connection>().id.clone();
    table.wait(Duration::from_secs(100));
    table.until(Duration::from_secs(5), |_| false);
    let connection = table.apps[1].world().resource::<Connection>();
    assert_eq!((connection.state, &connection.id), (ConnectionState::Connected, &id));
    assert_eq!(seen(&table.apps[1]).resumed.len(), seen(&table.apps[1]).interrupted);
}

#[test]
fn misuse_is_told_as_a_typed_error() {
    let mut table = Table::new();
    let seat = table.seat("ada", |app| {
        game(app);
        app.add_room_message::<Wave>();
        assert!(matches!(app.try_add_room_message::<u8>("Wave"), Err(RoomError::RegisteredTwice { .. })));
        assert!(matches!(app.try_add_room_message::<u8>("room.x"), Err(RoomError::NotSent { .. })));
        assert!(matches!(app.try_share_resource::<Score>("other"), Err(RoomError::RegisteredTwice { .. })));
    });
    table.frame();
    let app = &mut table.apps[seat];
    assert_eq!(seen(app).errors, [RoomError::RegisteredTwice { name: "Wave".to_owned() }]);
    send(app, ToRoom::everyone(wave("too early")));
    command(app, |commands| commands.leave_room());
    command(app, |commands| commands.join_room("not a name", Profile::named("Ada")));
    command(app, |commands| commands.join_or_host("den", Profile::named("Ada")));
    command(app, |commands| commands.join_or_host("den", Profile::named("Ada")));
    table.frame();
    table.frame();
    let errors = &seen(&table.apps[seat]).errors;
    assert!(errors.contains(&RoomError::NotInRoom));
    assert!(errors.contains(&RoomError::AlreadyInRoom { room: "den".to_owned() }));
    assert!(
        errors.contains(&InvalidName::Character { what: "room name", character: ' ' }.into()),
        "the name is told: {errors:?}"
    );
    assert!(
        errors.contains(&RoomError::NotSent { kind: "Wave".to_owned(), error: SessionError::NotJoined }),
        "{errors:?}"
    );
}

/// A room of Ada, who hosts it, and Ben.
fn two() -> (Rig, [AppIndex; 2]) {
    Rig::room(7, ["ada", "ben"], game)
}

#[test]
fn what_is_said_and_changed_in_the_frame_of_leaving_still_reaches_the_room() {
    let (mut rig, [ada, ben]) = two();
    rig.world_mut(ada).resource_mut::<Score>().points = 5;
    rig.world_mut(ada).write_message(ToRoom::others(wave("bye")));
    rig.command(ada, |commands| commands.leave_room());
    rig.run_for(Duration::from_secs(1));
    assert_eq!(rig.state(ada), RoomState::Outside);
    assert_eq!(rig.resource::<Seen>(ada).errors, []);
    assert_eq!(rig.resource::<Seen>(ben).waves, [("ada".to_owned(), "bye".to_owned())]);
    assert_eq!(rig.resource::<Score>(ben).points, 5);
    rig.run_until(LONG, |rig| rig.is_host(ben)).unwrap();
    assert_eq!(rig.resource::<Score>(ben).points, 5, "whoever takes over goes on from there");
}

#[test]
fn a_player_changes_rooms_within_a_frame() {
    let (mut rig, [ada, ben]) = two();
    rig.command(ben, |commands| {
        commands.leave_room();
        commands.join_or_host("other", Profile::named("Ben"));
    });
    rig.run_for(Duration::from_secs(3));
    assert_eq!(rig.state(ben), RoomState::Joined);
    assert_eq!(rig.resource::<Room>(ben).name.as_ref().unwrap().as_str(), "other");
    let seen = rig.resource::<Seen>(ben);
    assert_eq!((&seen.closed[..], &seen.errors[..]), (&[CloseReason::Left][..], &[][..]));
    assert_eq!(rig.resource::<Seen>(ada).left, ["ben"]);
}

#[test]
fn a_new_host_begins_with_what_the_last_one_confirmed() {
    let (mut rig, [ada, ben]) = two();
    rig.world_mut(ada).resource_mut::<Score>().points = 40;
    rig.run_for(Duration::from_secs(1));
    rig.world_mut(ben).resource_mut::<Score>().points = 99;
    rig.kill(ada);
    rig.run_until(LONG, |rig| rig.is_host(ben)).unwrap();
    rig.run_for(Duration::from_secs(1));
    assert_eq!(rig.resource::<Score>(ben).points, 40, "what a peer makes of it is nothing to others");
}

#[test]
fn a_message_that_the_server_does_not_take_is_told() {
    let mut config = HubConfig::default();
    config.limits.max_message_size = 16 * 1024;
    let mut rig = Rig::with_relay(7, config);
    let ada = rig.add("ada", game);
    rig.command(ada, |commands| commands.join_or_host("den", Profile::named("Ada")));
    rig.run_until(LONG, |rig| rig.state(ada) == RoomState::Joined).unwrap();
    rig.world_mut(ada).write_message(ToRoom::everyone(wave(&"x".repeat(20_000))));
    rig.run_for(Duration::from_secs(1));
    let [RoomError::NotDelivered { kind, why }] = &rig.resource::<Seen>(ada).errors[..] else {
        panic!("{:?}", rig.resource::<Seen>(ada).errors);
    };
    assert!(kind == "Wave" && why.contains("16384"), "{kind}: {why}");
}

#[test]
fn a_message_that_does_not_fit_its_type_is_told_with_its_sender() {
    #[derive(Serialize, Deserialize)]
    struct Other(Vec<u8>);
    let mut table = room(&["ada"]);
    let seat = table.seat("ben", |app| {
        app.try_add_room_message::<Other>("Wave").unwrap();
        app.share_resource::<Score>();
    });
    command(&mut table.apps[seat], |commands| commands.join_room("den", Profile::named("Ben")));
    assert!(table.until(LONG, |apps| state(&apps[seat]) == RoomState::Joined));
    table.apps[seat].world_mut().write_message(ToRoom::others(Other(vec![1])));
    assert!(table.until(LONG, |apps| !seen(&apps[0]).errors.is_empty()));
    let error = &seen(&table.apps[0]).errors[0];
    assert!(matches!(error, RoomError::Undecodable { kind, sender: Some(_), .. } if kind == "Wave"), "{error}");
}

#[test]
fn a_wrong_key_closes_the_room_with_the_servers_reason() {
    let mut table = Table::new();
    let mut app = App::new();
    let connect = Connect::Relay { url: "ws://127.0.0.1:1".to_owned(), key: "rooms.dev:wrong".to_owned() };
    app.add_plugins((MinimalPlugins, RoomsPlugin { connect, ..table.plugin("ada") }));
    game(&mut app);
    table.apps.push(app);
    command(&mut table.apps[0], |commands| commands.join_or_host("den", Profile::named("Ada")));
    assert!(table.until(LONG, |apps| !seen(&apps[0]).closed.is_empty()));
    let reason = &seen(&table.apps[0]).closed[0];
    assert!(matches!(reason, CloseReason::Failed(error) if error.code == ErrorCode::INVALID_CREDENTIALS), "{reason:?}");
}

#[test]
fn run_conditions_are_false_without_the_plugin() {
    let mut app = App::new();
    app.add_systems(
        Update,
        (|| panic!("no room, no run")).run_if(is_host.or_else(is_peer).or_else(in_room).or_else(host_changed)),
    );
    app.update();
}

#[test]
fn a_game_that_clears_its_entities_gets_the_players_back_with_the_next_change() {
    let mut table = room(&["ada", "ben"]);
    let entity = table.apps[0].world().resource::<Roster>().iter().next().unwrap().entity;
    table.apps[0].world_mut().despawn(entity);
    command(&mut table.apps[1], |commands| commands.leave_room());
    assert!(table.until(LONG, |apps| seen(&apps[0]).left == ["ben"]));
    let entity = table.apps[0].world().resource::<Roster>().iter().next().unwrap().entity;
    assert!(table.apps[0].world().get::<Player>(entity).is_some());
    assert!(messages::<RoomError>(&table.apps[0]).is_empty());
}
