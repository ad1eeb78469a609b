//! The rig that games are tested with: each thing that can go wrong has its effect, and a seed repeats its run.

use std::{num::NonZeroU32, time::Duration};

use bevy::prelude::*;
use bevy_rooms::{
    prelude::*,
    relay::HubConfig,
    session::{InterruptReason, Term},
    testing::{AppIndex, Fault, FaultKind, FaultPlan, LinkConditions, Recorder, Rig},
};
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);

/// Far longer than anything takes that should happen.
const LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wave(u32);

#[derive(Clone, Serialize, Deserialize)]
struct Shout;

#[derive(Resource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Score(u32);

#[derive(Resource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Pictures(String);

#[derive(Resource, Default)]
struct Frames {
    count: u32,
    longest: Duration,
}

fn game(app: &mut App) {
    app.add_room_message::<Wave>()
        .share_resource::<Score>()
        .add_plugins(Recorder::<FromRoom<Wave>>::default())
        .init_resource::<Frames>()
        .add_systems(Update, |time: Res<Time<Real>>, mut frames: ResMut<Frames>| {
            frames.count += 1;
            frames.longest = frames.longest.max(time.delta());
        });
}

fn three() -> (Rig, [AppIndex; 3]) {
    Rig::room(7, ["ada", "ben", "cy"], game)
}

fn say(rig: &mut Rig, app: AppIndex, number: u32) {
    rig.world_mut(app).write_message(ToRoom::others(Wave(number)));
}

fn heard(rig: &Rig, app: AppIndex) -> Vec<u32> {
    rig.recorded::<FromRoom<Wave>>(app).iter().map(|wave| wave.0).collect()
}

fn connection(rig: &Rig, app: AppIndex) -> ConnectionState {
    rig.resource::<Connection>(app).state
}

fn status(rig: &Rig, seen_by: AppIndex, app: AppIndex) -> Option<PlayerStatus> {
    rig.resource::<Roster>(seen_by).get(rig.player(app)).map(|player| player.status)
}

#[test]
fn a_room_of_players_has_the_first_as_its_host() {
    let (rig, [ada, ben, cy]) = three();
    assert!(rig.is_host(ada) && !rig.is_host(ben));
    assert_eq!(rig.host(cy), Some(rig.player(ada)));
    let roster: Vec<&str> = rig.resource::<Roster>(cy).iter().map(|player| player.id.as_str()).collect();
    assert_eq!(roster, ["ada", "ben", "cy"]);
}

#[test]
fn frames_pass_at_the_set_time_and_bevys_clock_follows() {
    let (mut rig, [ada, ..]) = three();
    rig.set_frame_time(Duration::from_millis(20));
    rig.frame();
    rig.world_mut(ada).insert_resource(Frames::default());
    rig.run_for(10 * SECOND);
    let frames = rig.resource::<Frames>(ada);
    assert_eq!((frames.count, frames.longest), (500, Duration::from_millis(20)));
}

/// Everything that the apps of a run with faults can tell.
fn story(seed: u64) -> String {
    let (mut rig, apps) = Rig::room(seed, ["ada", "ben", "cy"], game);
    let kinds = vec![FaultKind::Cut, FaultKind::Delay, FaultKind::CutAfter, FaultKind::Freeze, FaultKind::Isolate];
    rig.set_faults(Some(FaultPlan { every: 3 * SECOND, kinds }));
    for number in 0..60 {
        rig.world_mut(apps[0]).resource_mut::<Score>().0 = number;
        say(&mut rig, apps[1], number);
        rig.run_for(SECOND / 2);
    }
    let tell = |app: AppIndex| {
        let (interrupted, resumed) = (rig.recorded::<RoomInterrupted>(app), rig.recorded::<RoomResumed>(app));
        format!("{:?} {interrupted:?} {resumed:?} {:?} {:?}", heard(&rig, app), rig.traffic(app), rig.state(app))
    };
    format!("{rig}\n{}", apps.map(tell).join("\n"))
}

#[test]
fn equal_seeds_make_equal_runs_and_others_make_others() {
    let stories = [1, 2, 3].map(story);
    assert_eq!([1, 2, 3].map(story), stories);
    assert!(stories[0] != stories[1] && stories[1] != stories[2]);
}

#[test]
fn a_cut_line_comes_back_and_nothing_is_missing() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.cut(ben, 5 * SECOND);
    for number in 0..20 {
        say(&mut rig, ada, number);
        rig.run_for(SECOND / 10);
    }
    assert!(connection(&rig, ben) != ConnectionState::Connected);
    assert!(matches!(
        rig.recorded::<RoomInterrupted>(ben),
        [RoomInterrupted { reason: InterruptReason::Disconnected(_) }]
    ));
    rig.run_until(15 * SECOND, |rig| heard(rig, ben).len() == 20).unwrap();
    assert_eq!(heard(&rig, ben), (0..20).collect::<Vec<_>>());
    assert_eq!(rig.recorded::<RoomResumed>(ben), [RoomResumed { continuity: Continuity::Kept }]);
    assert_eq!(rig.recorded::<RoomInterrupted>(cy), []);
}

#[test]
fn a_stalled_app_has_no_frames_and_keeps_its_line() {
    let (mut rig, [ada, ben, _]) = three();
    rig.stall(ben);
    let before = rig.resource::<Frames>(ben).count;
    rig.run_for(100 * SECOND);
    assert_eq!(rig.resource::<Frames>(ben).count, before);
    assert_eq!(rig.traffic(ben).sockets, 1);
    assert_eq!(status(&rig, ada, ben), Some(PlayerStatus::Present));
    say(&mut rig, ada, 1);
    rig.run_for(SECOND);
    assert!(heard(&rig, ben).is_empty());
    rig.thaw(ben);
    rig.run_for(SECOND);
    assert_eq!(heard(&rig, ben), [1]);
    assert!(rig.resource::<Frames>(ben).longest > 100 * SECOND);
}

#[test]
fn a_frozen_process_does_nothing_and_hears_everything_afterwards() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.freeze(ben);
    let sent = rig.traffic(ben).frames_out;
    say(&mut rig, ada, 1);
    rig.run_for(10 * SECOND);
    assert_eq!((heard(&rig, ben), heard(&rig, cy)), (vec![], vec![1]));
    assert_eq!(rig.traffic(ben).frames_out, sent, "its client stands still too");
    rig.thaw(ben);
    rig.run_until(5 * SECOND, |rig| heard(rig, ben) == [1]).unwrap();
}

#[test]
fn a_frozen_host_is_missed_after_its_lease() {
    let (mut rig, [ada, ben, _]) = three();
    rig.freeze(ada);
    let took = rig.run_until(10 * SECOND, |rig| !rig.recorded::<RoomInterrupted>(ben).is_empty()).unwrap();
    assert!((3 * SECOND..7 * SECOND).contains(&took), "{took:?}");
    assert_eq!(rig.recorded::<RoomInterrupted>(ben)[0].reason, InterruptReason::HostSilent);
}

#[test]
fn a_killed_app_is_lost_within_the_relays_patience_and_not_before() {
    let (mut rig, [ada, ben, _]) = three();
    rig.kill(ben);
    assert!(!rig.is_running(ben));
    let took = rig.run_until(LONG, |rig| status(rig, ada, ben) == Some(PlayerStatus::Lost)).unwrap();
    assert!((14 * SECOND..18 * SECOND).contains(&took), "a resume was possible for 15 s: {took:?}");
}

#[test]
fn a_killed_host_interrupts_the_room() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.kill(ada);
    rig.run_until(10 * SECOND, |rig| [ben, cy].into_iter().all(|app| !rig.recorded::<RoomInterrupted>(app).is_empty()))
        .unwrap();
}

#[test]
fn a_closed_app_says_goodbye() {
    let (mut rig, [ada, ben, _]) = three();
    rig.close(ben);
    let gone = |rig: &Rig| status(rig, ada, ben) != Some(PlayerStatus::Present);
    rig.run_until(2 * SECOND, gone).unwrap();
}

#[test]
fn a_restarted_app_has_its_seat_again() {
    let (mut rig, [ada, ben, _]) = three();
    rig.world_mut(ada).resource_mut::<Score>().0 = 7;
    rig.restart(ben);
    assert_eq!((rig.state(ben), rig.resource::<Score>(ben).0), (RoomState::Outside, 0));
    rig.command(ben, |commands| commands.join_room("den", Profile::named("ben")));
    rig.run_until(5 * SECOND, |rig| rig.state(ben) == RoomState::Joined).unwrap();
    assert_eq!(rig.resource::<Score>(ben).0, 7);
    let roster: Vec<&str> = rig.resource::<Roster>(ada).iter().map(|player| player.id.as_str()).collect();
    assert_eq!(roster, ["ada", "ben", "cy"]);
}

#[test]
fn who_is_partitioned_is_told_by_nobody_and_notices_the_silence() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.partition(&[ben, cy]);
    say(&mut rig, ada, 1);
    rig.run_for(3 * SECOND);
    assert_eq!((heard(&rig, ben), connection(&rig, ben)), (vec![], ConnectionState::Connected));
    let silent = rig.run_until(LONG, |rig| connection(rig, ben) != ConnectionState::Connected).unwrap();
    assert!(
        silent < 3 * SECOND,
        "who hears nothing of a room doubts the line long before the server's promise ends: {silent:?}"
    );
    rig.run_for(30 * SECOND);
    assert!(connection(&rig, ben) != ConnectionState::Connected, "new sockets do not get through either");
    rig.heal();
    rig.run_until(LONG, |rig| [ben, cy].iter().all(|app| heard(rig, *app) == [1])).unwrap();
}

#[test]
fn a_host_that_nobody_hears_is_told_before_another_takes_over() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.partition(&[ada]);
    let took = rig.run_until(10 * SECOND, |rig| rig.resource::<Room>(ada).interrupted).unwrap();
    assert!(took <= 4 * SECOND, "it stops acting after 3.5 s: {took:?}");
    assert_eq!(rig.recorded::<RoomInterrupted>(ada), [RoomInterrupted { reason: InterruptReason::NoEcho }]);
    assert!(rig.is_host(ada) && !rig.is_host(ben));
    rig.run_until(LONG, |rig| rig.is_host(ben)).unwrap();
    rig.heal();
    rig.run_until(LONG, |rig| !rig.is_host(ada) && !rig.resource::<Room>(ada).interrupted).unwrap();
    assert_eq!(rig.resource::<Room>(ada).term, rig.resource::<Room>(cy).term);
}

#[test]
fn a_host_that_is_heard_again_in_time_goes_on() {
    let (mut rig, [ada, ben, _]) = three();
    rig.partition(&[ada]);
    rig.run_until(10 * SECOND, |rig| rig.resource::<Room>(ada).interrupted).unwrap();
    rig.heal();
    rig.run_until(SECOND, |rig| !rig.resource::<Room>(ada).interrupted).unwrap();
    assert_eq!(rig.recorded::<RoomResumed>(ada), [RoomResumed { continuity: Continuity::Kept }]);
    rig.world_mut(ada).resource_mut::<Score>().0 = 7;
    rig.run_until(SECOND, |rig| rig.resource::<Score>(ben).0 == 7).unwrap();
}

#[test]
fn a_host_that_closes_its_app_is_replaced_within_two_seconds() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.world_mut(ada).resource_mut::<Score>().0 = 7;
    rig.run_for(SECOND);
    rig.close(ada);
    rig.run_until(2 * SECOND, |rig| {
        rig.is_host(ben) && rig.resource::<Host>(cy).player == Some(rig.player(ben).clone())
    })
    .unwrap();
    assert_eq!(rig.resource::<Score>(cy).0, 7);
}

#[test]
fn who_is_away_for_longer_than_a_line_resumes_is_told_and_has_the_state_as_it_is() {
    let (mut rig, [ada, ben, _]) = three();
    rig.cut(ben, 150 * SECOND);
    rig.run_for(SECOND);
    rig.world_mut(ada).resource_mut::<Score>().0 = 7;
    say(&mut rig, ada, 1);
    rig.run_for(149 * SECOND);
    rig.run_until(LONG, |rig| !rig.recorded::<RoomResumed>(ben).is_empty()).unwrap();
    assert_eq!(rig.recorded::<RoomResumed>(ben), [RoomResumed { continuity: Continuity::Lost }]);
    assert_eq!((rig.resource::<Score>(ben).0, heard(&rig, ben)), (7, vec![]));
    say(&mut rig, ada, 2);
    rig.run_until(SECOND, |rig| heard(rig, ben) == [2]).unwrap();
}

#[test]
fn what_a_newcomer_costs_the_others_does_not_grow_with_the_state() {
    let cost = |size: usize| {
        let mut rig = Rig::new(7);
        let big = move |app: &mut App| {
            app.share_resource::<Pictures>();
        };
        let [ada, ben] = ["ada", "ben"].map(|player| rig.add(player, big));
        let enter = |rig: &mut Rig, app| {
            rig.command(app, |commands| commands.join_or_host("den", Profile::named("somebody")));
            rig.run_until(LONG, |rig| rig.state(app) == RoomState::Joined).unwrap();
        };
        enter(&mut rig, ada);
        rig.world_mut(ada).resource_mut::<Pictures>().0 = "x".repeat(size);
        rig.run_for(5 * SECOND);
        enter(&mut rig, ben);
        let before = rig.traffic(ben).bytes_in;
        let cy = rig.add("cy", big);
        enter(&mut rig, cy);
        rig.run_until(LONG, |rig| rig.resource::<Roster>(ben).len() == 3).unwrap();
        assert_eq!(rig.resource::<Pictures>(cy).0.len(), size, "in the room, with all of the state");
        assert!(rig.traffic(cy).bytes_in as usize > size);
        rig.traffic(ben).bytes_in - before
    };
    let (small, large) = (cost(10), cost(500_000));
    assert!(large < small + 1000, "{small} bytes, and with half a megabyte of state {large}");
}

#[test]
fn a_game_of_another_version_is_told_what_differs() {
    let mut rig = Rig::new(7);
    let of_version = |version: &'static str| move |plugin| RoomsPlugin { version: version.to_owned(), ..plugin };
    let ada = rig.add_with("ada", of_version("2"), game);
    let ben = rig.add_with("ben", of_version("1"), |app| {
        game(app);
        app.add_room_message::<Shout>();
    });
    for app in [ada, ben] {
        rig.command(app, |commands| commands.join_or_host("den", Profile::named("somebody")));
        rig.run_for(5 * SECOND);
    }
    let [closed] = rig.recorded::<RoomClosed>(ben) else { panic!("{rig}") };
    let reason = closed.reason.to_string();
    for part in ["its version is \"1\", the host's is \"2\"", "only this game has the message Shout"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(rig.resource::<Roster>(ada).len(), 1);
}

#[test]
fn a_short_partition_holds_up_what_is_sent_both_ways() {
    let (mut rig, [ada, ben, _]) = three();
    rig.partition(&[ben]);
    say(&mut rig, ada, 1);
    say(&mut rig, ben, 2);
    rig.run_for(2 * SECOND);
    assert_eq!((heard(&rig, ada), heard(&rig, ben)), (vec![], vec![]));
    rig.heal();
    rig.run_for(SECOND);
    assert_eq!((heard(&rig, ada), heard(&rig, ben)), (vec![2], vec![1]));
    assert_eq!(rig.traffic(ben).sockets, 1, "the socket stood");
}

#[test]
fn a_slow_link_takes_its_time_and_keeps_the_order() {
    let (mut rig, [ada, ben, cy]) = three();
    let latency = 2 * SECOND;
    rig.set_link(ben, LinkConditions { latency, ..LinkConditions::default() });
    for number in 0..10 {
        say(&mut rig, ada, number);
        rig.frame();
    }
    rig.run_for(SECOND);
    assert_eq!((heard(&rig, ben).len(), heard(&rig, cy).len()), (0, 10));
    rig.run_for(2 * SECOND);
    assert_eq!(heard(&rig, ben), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_reader_that_is_too_slow_is_cut_off_and_catches_up_when_it_is_fast_again() {
    let mut config = HubConfig::default();
    config.limits.queue_bytes = 4096;
    let mut rig = Rig::with_relay(7, config);
    let [ada, ben] = ["ada", "ben"].map(|player| rig.add(player, game));
    for app in [ada, ben] {
        rig.command(app, |commands| commands.join_or_host("den", Profile::named("somebody")));
        rig.run_until(LONG, |rig| rig.state(app) == RoomState::Joined).unwrap();
    }
    rig.set_link(ben, LinkConditions::slow(NonZeroU32::new(500).unwrap()));
    let mut sent = 0;
    while connection(&rig, ben) == ConnectionState::Connected {
        assert!(sent < 600, "{rig}");
        say(&mut rig, ada, sent);
        sent += 1;
        rig.run_for(SECOND / 10);
    }
    rig.set_link(ben, LinkConditions::default());
    rig.run_until(LONG, |rig| heard(rig, ben).len() >= sent as usize).unwrap();
    assert_eq!(heard(&rig, ben), (0..sent).collect::<Vec<_>>());
}

#[test]
fn a_relay_that_starts_anew_has_the_room_again_with_the_state_that_was() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.world_mut(ada).resource_mut::<Score>().0 = 40;
    rig.run_for(SECOND);
    rig.restart_relay(2 * SECOND);
    rig.run_for(SECOND);
    assert!([ada, ben, cy].iter().all(|app| connection(&rig, *app) != ConnectionState::Connected));
    rig.run_until(LONG, |rig| [ada, ben, cy].iter().all(|app| !rig.recorded::<RoomResumed>(*app).is_empty())).unwrap();
    assert_eq!(rig.recorded::<RoomResumed>(ben), [RoomResumed { continuity: Continuity::Lost }]);
    let term = rig.resource::<Room>(ada).term;
    assert!(term > Term(1), "its host has claimed anew");
    rig.run_until(SECOND, |rig| [ben, cy].iter().all(|app| rig.resource::<Room>(*app).term == term)).unwrap();
    rig.world_mut(ada).resource_mut::<Score>().0 += 1;
    rig.run_until(LONG, |rig| [ben, cy].iter().all(|app| rig.resource::<Score>(*app).0 == 41)).unwrap();
}

#[test]
fn faults_that_end_by_themselves_do() {
    let (mut rig, [ada, ben, _]) = three();
    rig.inflict(ben, Fault::Freeze(2 * SECOND));
    say(&mut rig, ada, 1);
    rig.run_for(SECOND);
    assert!(heard(&rig, ben).is_empty());
    rig.run_for(2 * SECOND);
    assert_eq!(heard(&rig, ben), [1]);
    rig.inflict(ben, Fault::Isolate(2 * SECOND));
    say(&mut rig, ada, 2);
    rig.run_for(SECOND);
    assert_eq!(heard(&rig, ben), [1]);
    rig.run_for(2 * SECOND);
    assert_eq!(heard(&rig, ben), [1, 2]);
}

#[test]
fn what_does_not_come_to_be_is_told_with_what_the_apps_show() {
    let (mut rig, [ada, ben, cy]) = three();
    rig.kill(cy);
    rig.freeze(ben);
    let error = rig.run_until(SECOND, |rig| rig.is_host(ben)).unwrap_err().to_string();
    for part in
        ["within 1s", "ada: Joined, the connection is Connected, ada hosts in term 1", "frozen", "cy: does not run"]
    {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(rig.is_host(ada));
}

#[test]
fn twenty_apps_play_a_minute_without_losing_anything() {
    let names: [String; 20] = std::array::from_fn(|number| format!("player-{number}"));
    let (mut rig, apps) = Rig::room(7, names.each_ref().map(String::as_str), game);
    for number in 0..60 {
        say(&mut rig, apps[number as usize % 20], number);
        rig.run_for(SECOND);
    }
    rig.run_for(SECOND);
    for (place, app) in apps.into_iter().enumerate() {
        let expected: Vec<u32> = (0..60).filter(|number| *number as usize % 20 != place).collect();
        assert_eq!(heard(&rig, app), expected);
    }
}

#[test]
fn all_screens_show_the_same_time_on_a_bad_line_and_over_a_change_of_host() {
    let mut rig = Rig::new(7);
    rig.set_frame_time(Duration::from_millis(16));
    let apps = ["ada", "ben", "cy"].map(|player| rig.add(player, game));
    let [ada, ben, cy] = apps;
    for app in apps {
        // 100 ms, and 50 ms more or less, each way.
        let (latency, jitter) = (Duration::from_millis(50), Duration::from_millis(100));
        rig.set_link(app, LinkConditions { latency, jitter, ..LinkConditions::default() });
        rig.command(app, |commands| commands.join_or_host("den", Profile::named("somebody")));
        rig.run_until(LONG, |rig| rig.state(app) == RoomState::Joined).unwrap();
    }
    rig.run_for(60 * SECOND);
    let now = |rig: &Rig, app| rig.resource::<RoomClock>(app).now();
    let turn = Deadline::after(rig.resource::<RoomClock>(ada), 40 * SECOND).unwrap();
    let mut before = apps.map(|app| now(&rig, app));
    let mut widest = Duration::ZERO;
    let mut check = |rig: &Rig, apps: &[AppIndex]| {
        let times: Vec<Duration> = apps.iter().map(|app| now(rig, *app)).collect();
        let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
        widest = widest.max(last - first);
        assert!(last - first < Duration::from_millis(20), "{times:?}");
        for (app, time) in apps.iter().zip(times) {
            let place = [ada, ben, cy].iter().position(|one| one == app).unwrap();
            assert!(time > before[place], "a clock went back");
            before[place] = time;
        }
    };
    for _ in 0..600 {
        rig.frame();
        check(&rig, &[ada, ben, cy]);
    }
    rig.kill(ada);
    while !turn.is_over(rig.resource::<RoomClock>(cy)) {
        rig.frame();
        check(&rig, &[ben, cy]);
    }
    assert!(rig.is_host(ben) || rig.is_host(cy), "another leads");
    let left = turn.remaining(rig.resource::<RoomClock>(ben));
    assert!(left < Duration::from_millis(20), "{left:?}");
    assert!(!widest.is_zero(), "the line does not disturb");
}
