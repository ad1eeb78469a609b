//! The log of frames: what a game sees of what goes over its line.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::{
    plugin::{FrameDirection, FrameLog, FrameLogPlugin},
    prelude::*,
    protocol::Action,
    testing::{AppIndex, Rig},
};

/// Longer than it takes to hear a few leases of the host.
const A_WHILE: Duration = Duration::from_secs(12);

fn game(app: &mut App) {
    app.add_plugins(FrameLogPlugin);
}

fn watching(app: &mut App) {
    game(app);
    app.world_mut().resource_mut::<FrameLog>().watch(true);
}

fn log(rig: &Rig, app: AppIndex) -> &FrameLog {
    rig.resource::<FrameLog>(app)
}

#[test]
fn whoever_watches_from_the_start_sees_both_ways_and_the_first_frame() {
    let (rig, [_, ben]) = Rig::room(1, ["ada", "ben"], watching);
    let log = log(&rig, ben);
    let first = log.iter().next().unwrap();
    assert_eq!((first.action, first.direction), (Some(Action::Connected), FrameDirection::In));
    let hello = log.iter().find(|frame| frame.summary.contains("room.hello")).unwrap();
    assert_eq!((hello.direction, hello.channel.as_ref().unwrap().as_str()), (FrameDirection::Out, "room:den"));
    let welcome = log.iter().find(|frame| frame.summary.contains("room.welcome")).unwrap();
    assert_eq!(welcome.direction, FrameDirection::In);
}

#[test]
fn a_frame_is_as_long_as_it_was_on_the_line() {
    let (rig, [ada, _]) = Rig::room(2, ["ada", "ben"], watching);
    let log = log(&rig, ada);
    // An acknowledgement has neither a payload nor a secret: its text is what went over the line.
    let acks = log.iter().filter(|frame| frame.action == Some(Action::Ack) && frame.direction == FrameDirection::In);
    let mut lengths = acks.map(|frame| (frame.bytes, frame.text.len()));
    assert!(lengths.all(|(bytes, text)| bytes == text));
    assert_eq!(log.missed(), 0);
}

#[test]
fn the_key_of_the_connection_is_not_in_the_log() {
    let (rig, [_, ben]) = Rig::room(3, ["ada", "ben"], watching);
    let connected = log(&rig, ben).iter().next().unwrap();
    let frame: serde_json::Value = serde_json::from_str(&connected.text).unwrap();
    assert_eq!(frame["connectionDetails"]["connectionKey"], "(hidden)");
}

#[test]
fn while_nobody_watches_nothing_is_logged_and_what_was_stays() {
    let (mut rig, [_, ben]) = Rig::room(4, ["ada", "ben"], game);
    rig.run_for(A_WHILE);
    assert!(log(&rig, ben).is_empty());
    rig.world_mut(ben).resource_mut::<FrameLog>().watch(true);
    rig.run_for(A_WHILE);
    let leases = log(&rig, ben).len();
    assert!(leases > 0);
    rig.world_mut(ben).resource_mut::<FrameLog>().watch(false);
    // What passed before the tap was closed is still taken.
    rig.run_for(Duration::from_secs(1));
    let before = log(&rig, ben).len();
    rig.run_for(A_WHILE);
    assert_eq!(log(&rig, ben).len(), before);
}

#[test]
fn the_log_goes_on_over_a_new_line() {
    let (mut rig, [_, ben]) = Rig::room(5, ["ada", "ben"], watching);
    rig.world_mut(ben).resource_mut::<FrameLog>().clear();
    rig.cut(ben, Duration::from_secs(3));
    rig.run_for(A_WHILE);
    assert!(log(&rig, ben).iter().any(|frame| frame.action == Some(Action::Connected)));
}

#[test]
fn an_app_knows_when_the_line_is_tried_again_and_what_was_wrong_last() {
    let (mut rig, [_, ben]) = Rig::room(6, ["ada", "ben"], game);
    assert_eq!(
        (rig.resource::<Connection>(ben).retry_in, &rig.resource::<Connection>(ben).last_trouble),
        (None, &None)
    );
    rig.cut(ben, Duration::from_secs(5));
    rig.run_until(A_WHILE, |rig| rig.resource::<Connection>(ben).retry_in.is_some()).unwrap();
    rig.run_until(A_WHILE, |rig| rig.resource::<Connection>(ben).is_connected()).unwrap();
    let connection = rig.resource::<Connection>(ben);
    assert_eq!((connection.retry_in, connection.trouble.as_ref()), (None, None));
    assert!(connection.last_trouble.is_some());
}
