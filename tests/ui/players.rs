//! The roster: who is here, and what is to be known of them.

use std::time::Duration;

use bevy_rooms::{
    prelude::*,
    testing::{AppIndex, Rig},
    ui::RoomsWindows,
};

use super::screen::{only, seen, sees, wait_to_see, with_screen};

const ROSTER: RoomsWindows = RoomsWindows { roster: true, ..RoomsWindows::NONE };

/// What is written below the title of the window, one line for each player.
fn rows(rig: &Rig, app: AppIndex) -> Vec<&str> {
    seen(rig, app).into_iter().filter(|text| *text != "Players").collect()
}

fn three(seed: u64) -> (Rig, [AppIndex; 3]) {
    let (mut rig, apps) = Rig::room(seed, ["ada", "ben", "cy"], |app| with_screen(app, only(ROSTER)));
    rig.run_for(Duration::from_secs(1));
    (rig, apps)
}

#[test]
fn all_players_are_there_with_marks_for_the_host_and_for_us() {
    let (rig, [ada, ben, _]) = three(1);
    assert_eq!(rows(&rig, ben), ["host", "ada", "you", "ben", "cy"]);
    // Each line has its tags first, the last of them outermost.
    assert_eq!(rows(&rig, ada), ["you", "host", "ada", "ben", "cy"]);
}

#[test]
fn who_is_gone_is_marked_until_it_is_back() {
    let (mut rig, [ada, ben, _]) = three(2);
    rig.kill(ben);
    wait_to_see(&mut rig, ada, "lost");
    assert_eq!(rows(&rig, ada), ["you", "host", "ada", "lost", "ben", "cy"]);
    rig.restart(ben);
    rig.command(ben, |commands| commands.join_room("den", Profile::named("ben")));
    rig.run_until(Duration::from_secs(20), |rig| !sees(rig, ada, "lost")).unwrap();
    assert_eq!(rows(&rig, ada), ["you", "host", "ada", "ben", "cy"]);
}

#[test]
fn who_leaves_is_no_longer_there_and_the_next_host_is_marked() {
    let (mut rig, [ada, ben, _]) = three(3);
    rig.command(ada, |commands| commands.leave_room());
    rig.run_until(Duration::from_secs(20), |rig| rows(rig, ben) == ["you", "host", "ben", "cy"]).unwrap();
}

#[test]
fn who_came_while_a_round_runs_is_marked_as_watching() {
    let (mut rig, [ada, ..]) = three(4);
    rig.command(ada, |commands| commands.set_newcomers(Newcomers::Spectate));
    rig.run_for(Duration::from_secs(1));
    let di = rig.add("di", |app| with_screen(app, only(ROSTER)));
    assert!(!sees(&rig, ada, "watching"));
    rig.command(di, |commands| commands.join_room("den", Profile::named("di")));
    wait_to_see(&mut rig, ada, "watching");
    wait_to_see(&mut rig, di, "watching");
}

#[test]
fn outside_a_room_it_says_that_nobody_is_there() {
    let mut rig = Rig::new(5);
    let ada = rig.add("ada", |app| with_screen(app, only(ROSTER)));
    wait_to_see(&mut rig, ada, "Nobody is here yet.");
}
