//! What reaches the game (`RTL7`, `RTL17`, `RTL22`).

use rooms_client::{ChannelState::*, ClientOptions, MessageFilter};
use rooms_protocol::{Action, Flags, Message};
use serde_json::{Value, json};

use crate::support::*;

fn tell(bench: &mut Bench, messages: Value) {
    bench.receive(json!({ "action": 15, "channel": "c", "messages": messages }));
}

/// All messages that came, and forgets all events.
fn received(bench: &mut Bench) -> Vec<Message> {
    bench.messages().into_iter().flatten().collect()
}

/// The payloads of those that the filter picks.
fn picked(filter: &MessageFilter, messages: Value) -> Vec<String> {
    let mut bench = Bench::attached();
    tell(&mut bench, messages);
    let messages = received(&mut bench).into_iter().filter(|message| filter.matches(message));
    messages.map(|message| message.data.unwrap().as_text().unwrap().to_owned()).collect()
}

/// Case: RTL7a/subscribe-all-messages-0
#[test]
fn rtl7a_all_messages_are_told_with_and_without_a_name() {
    let mut bench = Bench::attached();
    tell(&mut bench, json!([{ "name": "event1", "data": "data1" }]));
    tell(&mut bench, json!([{ "name": "event2", "data": "data2" }]));
    tell(&mut bench, json!([{ "data": "data3" }]));
    let messages = received(&mut bench);
    let names: Vec<_> = messages.iter().map(|message| message.name.as_deref()).collect();
    assert_eq!(names, [Some("event1"), Some("event2"), None]);
    assert_eq!(messages[2].data, Some("data3".into()));
}

/// Case: RTL7a/multiple-messages-per-protocol-1
#[test]
fn rtl7a_messages_of_one_frame_are_told_together_in_order() {
    let mut bench = Bench::attached();
    tell(&mut bench, json!([{ "name": "batch1" }, { "name": "batch2" }, { "name": "batch3" }]));
    let frames = bench.messages();
    let names: Vec<_> = frames[0].iter().map(|message| message.name.as_deref().unwrap()).collect();
    assert_eq!((frames.len(), names), (1, vec!["batch1", "batch2", "batch3"]));
}

/// Case: RTL7b/name-filtered-subscribe-0
/// Case: RTL7b/multiple-name-subscriptions-1
/// Case: RTL22a/filter-matching-name-0
#[test]
fn rtl7b_messages_are_picked_by_name() {
    let messages = json!([
        { "name": "alpha", "data": "a1" }, { "name": "beta", "data": "b1" }, { "name": "alpha", "data": "a2" },
        { "name": "gamma", "data": "g1" }, { "data": "nameless" },
    ]);
    assert_eq!(picked(&MessageFilter::named("alpha"), messages.clone()), ["a1", "a2"]);
    assert_eq!(picked(&MessageFilter::named("beta"), messages), ["b1"]);
}

/// Case: RTL7g/implicit-attach-initialized-0
/// Case: RTL7g/implicit-attach-detached-1
#[test]
fn rtl7g_wanting_messages_attaches_the_channel() {
    let mut bench = Bench::connected();
    for serial in ["s0", "s1"] {
        bench.attach("c");
        assert_eq!(bench.sent_actions(), [Action::Attach]);
        bench.receive(attached("c", serial, Flags::empty()));
        tell(&mut bench, json!([{ "name": "test", "data": "hello" }]));
        assert_eq!(received(&mut bench).len(), 1);
        bench.detach("c");
        bench.receive(detached("c", json!(null)));
        bench.forget();
    }
}

/// Case: RTL7g/listener-registered-attach-fails-2
#[test]
fn rtl7g_after_an_attach_that_failed_the_next_one_brings_messages() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(channel_error("c", 40160, 401));
    bench.attach("c");
    bench.receive(attached("c", "s0", Flags::empty()));
    tell(&mut bench, json!([{ "name": "test", "data": "after-reattach" }]));
    assert_eq!(received(&mut bench).len(), 1);
}

/// Case: RTL7g/no-attach-when-attached-3
/// Case: RTL7g/no-attach-when-attaching-4
#[test]
fn rtl7g_wanting_messages_twice_attaches_once() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.attach("c");
    assert_eq!((bench.channel("c"), bench.sent.len()), (Attaching, 1));
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.attach("c");
    assert_eq!((bench.channel("c"), bench.sent_actions()), (Attached, vec![Action::Attach]));
}

/// Case: RTL7h/no-attach-on-subscribe-0
#[test]
fn rtl7h_reading_what_comes_attaches_nothing() {
    let mut bench = Bench::connected();
    assert_eq!((received(&mut bench).len(), bench.channel("c"), bench.sent.len()), (0, Initialized, 0));
}

/// Case: RTL17/no-delivery-when-not-attached-0
#[test]
fn rtl17_messages_are_told_only_while_attached() {
    let mut bench = Bench::connected();
    let premature = json!([{ "name": "premature", "data": "should-not-deliver" }]);
    tell(&mut bench, premature.clone());
    bench.attach("c");
    tell(&mut bench, premature.clone());
    assert_eq!(received(&mut bench), []);
    bench.receive(attached("c", "s0", Flags::empty()));
    bench.detach("c");
    tell(&mut bench, premature);
    assert_eq!(received(&mut bench), []);
}

/// Case: RTL7f/no-echo-messages-0
///
/// The server is asked not to send them, as the case allows.
#[test]
fn rtl7f_without_echo_the_server_is_asked_to_send_none() {
    let bench = Bench::connected_with(ClientOptions { echo: false, ..options() });
    assert_eq!(bench.param("echo").as_deref(), Some("false"));
    assert_ne!(Bench::connected().param("echo").as_deref(), Some("false"));
}

fn with_ref(data: &str, name: &str, serial: &str, kind: &str) -> Value {
    json!({ "data": data, "name": name, "extras": { "ref": { "timeserial": serial, "type": kind } } })
}

/// Case: RTL22a/filter-matching-ref-timeserial-1
#[test]
fn rtl22a_messages_are_picked_by_the_message_that_they_refer_to() {
    let filter = MessageFilter { ref_serial: Some("abc".to_owned()), ..MessageFilter::default() };
    let messages = json!([
        with_ref("match", "reply", "abc", "com.ably.reply"), with_ref("no", "reply", "xyz", "com.ably.reply"),
        { "data": "plain" }, with_ref("match-2", "reaction", "abc", "com.ably.reaction"),
    ]);
    assert_eq!(picked(&filter, messages), ["match", "match-2"]);
}

/// Case: RTL22b/filter-isref-false-0
#[test]
fn rtl22b_messages_are_picked_that_refer_to_none() {
    let filter = MessageFilter { is_ref: Some(false), ..MessageFilter::default() };
    let messages = json!([
        { "data": "no-extras" }, with_ref("has-ref", "reply", "abc", "com.ably.reply"),
        { "data": "extras-no-ref", "extras": { "headers": { "custom-key": "custom-value" } } },
    ]);
    assert_eq!(picked(&filter, messages.clone()), ["no-extras", "extras-no-ref"]);
    assert_eq!(picked(&MessageFilter { is_ref: Some(true), ..filter }, messages), ["has-ref"]);
}

/// Case: RTL22c/filter-multiple-criteria-0
#[test]
fn rtl22c_messages_have_to_meet_all_that_is_asked() {
    let reply = Some("com.ably.reply".to_owned());
    let filter = MessageFilter { ref_type: reply, ..MessageFilter::named("comment") };
    let messages = json!([
        with_ref("both", "comment", "abc", "com.ably.reply"), with_ref("name", "comment", "def", "com.ably.reaction"),
        with_ref("type", "update", "ghi", "com.ably.reply"), { "data": "neither", "name": "update" },
        with_ref("both-2", "comment", "jkl", "com.ably.reply"),
    ]);
    assert_eq!(picked(&filter, messages), ["both", "both-2"]);
}

/// Case: RTL22a/filter-matching-clientid-2
#[test]
fn rtl22a_messages_are_picked_by_publisher() {
    let filter = MessageFilter { client_id: Some("user-42".into()), ..MessageFilter::default() };
    let messages = json!([
        { "data": "hello", "clientId": "user-42" }, { "data": "hi", "clientId": "user-99" }, { "data": "broadcast" },
        { "data": "world", "clientId": "user-42" },
    ]);
    assert_eq!(picked(&filter, messages), ["hello", "world"]);
}
