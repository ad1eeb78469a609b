//! The connection: its state, its figures, and what was wrong with it.

use std::time::Duration;

use bevy_rooms::{
    prelude::*,
    testing::{AppIndex, LinkConditions, Rig},
    ui::RoomsWindows,
};

use super::screen::{click, only, seen, sees, wait_to_see, with_screen};

const CONNECTION: RoomsWindows = RoomsWindows { connection: true, ..RoomsWindows::NONE };

fn two(seed: u64) -> (Rig, [AppIndex; 2]) {
    Rig::room(seed, ["ada", "ben"], |app| with_screen(app, only(CONNECTION)))
}

/// What stands beside a label.
fn beside<'a>(rig: &'a Rig, app: AppIndex, label: &str) -> Option<&'a str> {
    let texts = seen(rig, app);
    let at = texts.iter().position(|text| *text == label)?;
    texts.get(at + 1).copied()
}

#[test]
fn before_anything_was_asked_for_it_says_that_there_is_no_connection() {
    let mut rig = Rig::new(1);
    let ada = rig.add("ada", |app| with_screen(app, only(CONNECTION)));
    wait_to_see(&mut rig, ada, "not connected");
    assert_eq!(beside(&rig, ada, "Round trip"), Some("–"));
}

#[test]
fn a_cut_shows_the_wait_for_the_next_attempt_and_afterwards_what_it_was() {
    let (mut rig, [_, ben]) = two(2);
    wait_to_see(&mut rig, ben, "connected");
    assert_eq!(beside(&rig, ben, "Reconnects"), Some("0"));
    rig.cut(ben, Duration::from_secs(6));
    wait_to_see(&mut rig, ben, "reconnecting");
    let gone = "The connection to the server is gone. Trying again in ";
    let tries_again = |rig: &Rig| seen(rig, ben).iter().any(|text| text.starts_with(gone));
    rig.run_until(Duration::from_secs(10), tries_again).unwrap();
    let told = seen(&rig, ben).into_iter().find(|text| text.starts_with(gone)).unwrap();
    let (next, cause) = told.split_once(" (2nd try). ").unwrap_or_else(|| panic!("{told}"));
    assert!(
        next.ends_with(" s") && cause.len() > 10 && cause.ends_with('.'),
        "which try it is, and why the last one failed: {told}"
    );
    wait_to_see(&mut rig, ben, "connected");
    rig.run_for(Duration::from_secs(1));
    assert_eq!(beside(&rig, ben, "Reconnects"), Some("1"));
    assert!(seen(&rig, ben).iter().any(|text| text.starts_with("Last trouble: ")), "{:?}", seen(&rig, ben));
    assert!(!sees(&rig, ben, "reconnecting") && !tries_again(&rig));
}

#[test]
fn the_round_trip_is_that_of_the_line() {
    let (mut rig, [_, ben]) = two(3);
    let latency = Duration::from_millis(40);
    rig.set_link(ben, LinkConditions { latency, jitter: Duration::ZERO, ..LinkConditions::default() });
    rig.run_for(Duration::from_secs(15));
    let shown = beside(&rig, ben, "Round trip").and_then(|text| text.strip_suffix(" ms")).map(str::parse::<u64>);
    let millis = shown.expect("a figure").expect("a number");
    assert_eq!(u128::from(millis), rig.resource::<Connection>(ben).round_trip.unwrap().as_millis());
    assert!((80..400).contains(&millis), "{millis} ms");
}

#[test]
fn a_host_that_is_silent_is_told() {
    let (mut rig, [ada, ben]) = two(4);
    let told =
        |rig: &Rig| seen(rig, ben).into_iter().find(|text| text.starts_with("The host has not")).map(str::to_owned);
    assert_eq!(told(&rig), None);
    rig.freeze(ada);
    rig.run_until(Duration::from_secs(20), |rig| told(rig).is_some()).unwrap();
    let first = "The host has not been heard for 3 s. If it stays silent, another player takes over.";
    assert_eq!(told(&rig).as_deref(), Some(first), "before anybody takes over");
    wait_to_see(&mut rig, ben, "The host has not been heard for 5 s. Another player is about to take over.");
    rig.run_until(Duration::from_secs(20), |rig| told(rig).is_none()).unwrap();
    assert!(rig.is_host(ben));
}

#[test]
fn a_switch_shows_the_frames() {
    let (mut rig, [_, ben]) = two(5);
    assert!(!sees(&rig, ben, "Copy all"));
    click(&mut rig, ben, "Show frames");
    wait_to_see(&mut rig, ben, "Copy all");
    rig.world_mut(ben).resource_mut::<RoomsWindows>().inspector = false;
    wait_to_see(&mut rig, ben, "Show frames");
    rig.run_until(Duration::from_secs(2), |rig| !sees(rig, ben, "Copy all")).unwrap();
}
