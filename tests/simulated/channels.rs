//! Channels beyond rooms: what apps see of them, on a simulated network, with nothing mocked between two apps.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::{
    client::{CipherKey, CipherParams},
    prelude::*,
    protocol::{ErrorCode, Flags},
    relay::{ApiKey, Capability, HubConfig},
    testing::{AppIndex, Recorder, Rig},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

/// Far longer than anything takes that should happen.
const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tick(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Said {
    text: String,
}

/// Ticks that an observer of a channel's entity saw.
#[derive(Resource, Default)]
struct Observed(Vec<u32>);

fn game(app: &mut App) {
    app.add_channel_message::<Tick>().add_channel_message::<Said>().init_resource::<Observed>().add_plugins((
        Recorder::<FromChannel<Tick>>::default(),
        Recorder::<FromChannel<Said>>::default(),
        Recorder::<ChannelHistory>::default(),
        Recorder::<ServerTime>::default(),
    ));
}

fn rig<const N: usize>(players: [&str; N]) -> (Rig, [AppIndex; N]) {
    rig_with(HubConfig::default(), players)
}

fn rig_with<const N: usize>(config: HubConfig, players: [&str; N]) -> (Rig, [AppIndex; N]) {
    let mut rig = Rig::with_relay(7, config);
    let apps = players.map(|player| rig.add(player, game));
    (rig, apps)
}

fn attach(rig: &mut Rig, app: AppIndex, channel: impl Into<Channel>) -> Entity {
    let mut entity = Entity::PLACEHOLDER;
    rig.command(app, |commands| entity = commands.attach_channel(channel).id());
    entity
}

/// Attaches and waits until messages flow.
fn attached(rig: &mut Rig, app: AppIndex, channel: impl Into<Channel>) -> Entity {
    let entity = attach(rig, app, channel);
    rig.run_until(LONG, |rig| status(rig, app, entity).is_attached()).unwrap();
    entity
}

fn status(rig: &Rig, app: AppIndex, channel: Entity) -> &ChannelStatus {
    rig.world(app).get::<ChannelStatus>(channel).unwrap()
}

fn members(rig: &Rig, app: AppIndex, channel: Entity) -> Vec<String> {
    let members = rig.world(app).get::<ChannelMembers>(channel).unwrap();
    members.iter().map(|member| member.client_id.to_string()).collect()
}

fn tick(rig: &mut Rig, app: AppIndex, channel: Entity, number: u32) -> OperationId {
    let message = ToChannel::new(channel, Tick(number));
    let operation = message.operation;
    rig.world_mut(app).write_message(message);
    operation
}

fn ticks(rig: &Rig, app: AppIndex) -> Vec<u32> {
    rig.recorded::<FromChannel<Tick>>(app).iter().map(|tick| tick.0).collect()
}

fn outcome(rig: &Rig, app: AppIndex, operation: OperationId) -> Option<&Published> {
    rig.recorded::<Published>(app).iter().find(|published| published.operation == operation)
}

#[test]
fn an_app_without_a_room_connects_when_it_first_attaches() {
    let (mut rig, [ada]) = rig(["ada"]);
    rig.run_for(SECOND);
    assert_eq!(rig.resource::<Connection>(ada).state, ConnectionState::Initialized);
    let chat = attached(&mut rig, ada, "chat");
    let connection = rig.resource::<Connection>(ada);
    assert!(connection.is_connected() && connection.id.is_some());
    assert_eq!(connection.client_id, Some("ada".into()));
    let states: Vec<_> = rig.recorded::<ConnectionChanged>(ada).iter().map(|change| change.current).collect();
    assert_eq!(states, [ConnectionState::Connecting, ConnectionState::Connected]);
    let states: Vec<_> = rig.recorded::<ChannelChanged>(ada).iter().map(|change| change.current).collect();
    assert_eq!(states, [ChannelState::Attaching, ChannelState::Attached]);
    assert!(status(&rig, ada, chat).modes.contains(Flags::PUBLISH | Flags::SUBSCRIBE));
    assert_eq!(rig.state(ada), RoomState::Outside);
}

#[test]
fn typed_messages_go_to_all_on_the_channel_with_sender_time_and_serial() {
    let (mut rig, [ada, ben, cy]) = rig(["ada", "ben", "cy"]);
    let [chat, ..] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    attached(&mut rig, cy, "elsewhere");
    let operation = tick(&mut rig, ada, chat, 7);
    rig.run_until(LONG, |rig| !ticks(rig, ben).is_empty() && outcome(rig, ada, operation).is_some()).unwrap();
    let [came] = rig.recorded::<FromChannel<Tick>>(ben) else { panic!("one tick") };
    assert_eq!((came.message.clone(), came.sender.clone(), came.is_recovered), (Tick(7), Some("ada".into()), false));
    let taken = outcome(&rig, ada, operation).unwrap();
    assert_eq!((taken.channel, taken.outcome.clone()), (chat, Ok(vec![came.serial.clone()])));
    assert!(came.serial.is_some() && came.timestamp.is_some());
    assert_eq!((ticks(&rig, ada), ticks(&rig, cy)), (vec![7], vec![]));
}

#[test]
fn raw_messages_carry_any_name_and_data_and_arrive_together() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [chat, _] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    rig.command(ada, |commands| {
        commands.entity(chat).publish("Said", json!({ "text": "hi" }));
        commands.entity(chat).publish("odd", "text");
    });
    rig.run_until(LONG, |rig| rig.recorded::<ChannelMessage>(ben).len() == 2).unwrap();
    let [said, odd] = rig.recorded::<ChannelMessage>(ben) else { panic!("two messages") };
    assert_eq!(said.data.as_ref().unwrap().read::<Said>().unwrap(), Said { text: "hi".to_owned() });
    assert_eq!((odd.name.as_deref(), odd.data.as_ref().unwrap().as_text()), (Some("odd"), Some("text")));
    assert_eq!(rig.recorded::<FromChannel<Said>>(ben).len(), 1, "and typed where the name has a type");
}

#[test]
fn observers_of_the_entity_hear_of_their_channel_alone() {
    let (mut rig, [ada]) = rig(["ada"]);
    let [heard, other] = ["heard", "other"].map(|name| attached(&mut rig, ada, name));
    rig.command(ada, |commands| {
        commands.entity(heard).observe(|tick: On<FromChannel<Tick>>, mut observed: ResMut<Observed>| {
            observed.0.push(tick.0);
        });
    });
    tick(&mut rig, ada, other, 1);
    tick(&mut rig, ada, heard, 2);
    rig.run_until(LONG, |rig| ticks(rig, ada).len() == 2).unwrap();
    assert_eq!(rig.resource::<Observed>(ada).0, [2]);
}

#[test]
fn a_message_that_fits_no_type_is_told_and_given_as_it_came() {
    let (mut rig, [ada]) = rig(["ada"]);
    let chat = attached(&mut rig, ada, "chat");
    rig.command(ada, |commands| {
        commands.entity(chat).publish("Said", json!({ "words": 3 }));
    });
    rig.run_until(LONG, |rig| !rig.recorded::<ChannelMessage>(ada).is_empty()).unwrap();
    let [trouble] = rig.recorded::<ChannelTrouble>(ada) else { panic!("one word of trouble") };
    assert!(matches!(&trouble.error, ChannelError::Undecodable { name, .. } if name == "Said"), "{trouble:?}");
    assert!(rig.recorded::<FromChannel<Said>>(ada).is_empty());
}

#[test]
fn members_come_change_and_go_and_who_comes_later_sees_who_is_there() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let chat = attached(&mut rig, ada, "chat");
    rig.command(ada, |commands| {
        commands.entity(chat).enter_presence(&json!({ "mood": "fine" }));
    });
    rig.run_until(LONG, |rig| members(rig, ada, chat) == ["ada"]).unwrap();
    let seen = attached(&mut rig, ben, "chat");
    rig.run_until(LONG, |rig| rig.world(ben).get::<ChannelMembers>(seen).unwrap().complete).unwrap();
    assert_eq!(members(&rig, ben, seen), ["ada"]);
    rig.command(ada, |commands| {
        commands.entity(chat).update_presence(&json!({ "mood": "tired" }));
    });
    let mood = |rig: &Rig| {
        let members = rig.world(ben).get::<ChannelMembers>(seen).unwrap();
        members.get(&"ada".into()).and_then(|ada| ada.read::<serde_json::Value>().ok())
    };
    rig.run_until(LONG, |rig| mood(rig) == Some(json!({ "mood": "tired" }))).unwrap();
    rig.command(ada, |commands| {
        commands.entity(chat).leave_presence();
    });
    rig.run_until(LONG, |rig| members(rig, ben, seen).is_empty()).unwrap();
    let actions: Vec<_> = rig.recorded::<MemberChanged>(ben).iter().map(|change| change.action).collect();
    assert_eq!(actions, [PresenceAction::Present, PresenceAction::Update, PresenceAction::Leave]);
}

#[test]
fn an_app_that_ends_is_a_member_no_more_without_any_clean_up() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [chat, seen] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    rig.command(ada, |commands| {
        commands.entity(chat).enter_presence(&());
    });
    rig.run_until(LONG, |rig| members(rig, ben, seen) == ["ada"]).unwrap();
    rig.close(ada);
    rig.run_until(SECOND, |rig| members(rig, ben, seen).is_empty()).unwrap();
}

#[test]
fn a_despawned_channel_is_detached_and_can_be_attached_anew_at_once() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [first, theirs] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    rig.command(ada, |commands| commands.detach_channel(first));
    rig.run_for(SECOND);
    tick(&mut rig, ben, theirs, 1);
    rig.run_until(LONG, |rig| ticks(rig, ben) == [1]).unwrap();
    assert!(ticks(&rig, ada).is_empty());
    let second = attached(&mut rig, ada, "chat");
    rig.command(ada, |commands| commands.detach_channel(second));
    attached(&mut rig, ada, "chat");
    tick(&mut rig, ben, theirs, 2);
    rig.run_until(LONG, |rig| ticks(rig, ada) == [2]).unwrap();
}

#[test]
fn a_channel_removed_from_its_entity_is_detached_and_shows_so() {
    let (mut rig, [ada]) = rig(["ada"]);
    let chat = attached(&mut rig, ada, "chat");
    rig.command(ada, |commands| {
        commands.entity(chat).remove::<Channel>();
    });
    assert_eq!(status(&rig, ada, chat).state, ChannelState::Detached);
    let operation = tick(&mut rig, ada, chat, 1);
    rig.run_until(LONG, |rig| outcome(rig, ada, operation).is_some()).unwrap();
    assert_eq!(outcome(&rig, ada, operation).unwrap().outcome, Err(ChannelError::NotAttached));
}

#[test]
fn a_newcomer_rewinds_by_count_or_time() {
    let (mut rig, [ada, ben, cy]) = rig(["ada", "ben", "cy"]);
    let chat = attached(&mut rig, ada, "chat");
    for number in 1..=4 {
        tick(&mut rig, ada, chat, number);
        rig.run_for(SECOND);
    }
    attached(&mut rig, ben, Channel::new("chat").rewind(2));
    attached(&mut rig, cy, Channel::new("chat").rewind_time(10 * SECOND));
    rig.run_for(SECOND);
    assert_eq!((ticks(&rig, ben), ticks(&rig, cy)), (vec![3, 4], vec![1, 2, 3, 4]));
    assert!(rig.recorded::<ChannelChanged>(ben).iter().any(|change| change.has_backlog));
}

#[test]
fn other_options_are_asked_for_by_inserting_the_channel_anew() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [chat, theirs] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    rig.command(ada, |commands| {
        commands.entity(chat).insert(Channel::new("chat").modes(Flags::PUBLISH));
    });
    rig.run_for(SECOND);
    tick(&mut rig, ben, theirs, 1);
    rig.run_until(LONG, |rig| ticks(rig, ben) == [1]).unwrap();
    assert!(ticks(&rig, ada).is_empty(), "it only publishes now");
}

#[test]
fn what_is_encrypted_is_read_by_those_who_have_the_key() {
    let (mut rig, [ada, ben, eve]) = rig(["ada", "ben", "eve"]);
    let channel = |key: u8| Channel::new("chat").cipher(CipherParams::new(CipherKey::from_bytes(&[key; 32]).unwrap()));
    let chat = attached(&mut rig, ada, channel(1));
    attached(&mut rig, ben, channel(1));
    attached(&mut rig, eve, "chat");
    tick(&mut rig, ada, chat, 7);
    rig.run_until(LONG, |rig| ticks(rig, ben) == [7] && !rig.recorded::<ChannelMessage>(eve).is_empty()).unwrap();
    let [seen] = rig.recorded::<ChannelMessage>(eve) else { panic!("one message") };
    assert!(seen.encoding.as_ref().is_some_and(|encoding| encoding.contains("cipher")), "{seen:?}");
    assert!(ticks(&rig, eve).is_empty());
}

#[test]
fn history_comes_in_pages_and_says_when_there_is_no_more() {
    let (mut rig, [ada]) = rig(["ada"]);
    let chat = attached(&mut rig, ada, "chat");
    (1..=3).for_each(|number| {
        tick(&mut rig, ada, chat, number);
    });
    rig.run_until(LONG, |rig| ticks(rig, ada).len() == 3).unwrap();
    let query = HistoryQuery { limit: Some(2), ..default() };
    rig.command(ada, |commands| {
        commands.entity(chat).history(query);
    });
    let page = |rig: &Rig, index: usize| rig.recorded::<ChannelHistory>(ada).get(index).cloned();
    rig.run_until(LONG, |rig| page(rig, 0).is_some()).unwrap();
    let first = page(&rig, 0).unwrap().outcome.unwrap();
    let numbers = |page: &bevy_rooms::client::HistoryPage| {
        page.messages.iter().map(|message| message.data.as_ref().unwrap().read().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(numbers(&first), [3, 2]);
    rig.command(ada, |commands| {
        commands.entity(chat).next_page(first.next.unwrap());
    });
    rig.run_until(LONG, |rig| page(rig, 1).is_some()).unwrap();
    let second = page(&rig, 1).unwrap().outcome.unwrap();
    assert_eq!((numbers(&second), second.next), (vec![1], None));
}

#[test]
fn a_history_that_cannot_be_had_says_why() {
    let (mut rig, [ada]) = rig(["ada"]);
    let chat = attached(&mut rig, ada, "chat");
    let nobody = HistoryQuery { limit: Some(5_000), ..default() };
    rig.command(ada, |commands| {
        commands.entity(chat).history(nobody);
        commands.spawn_empty().history(HistoryQuery::default());
    });
    rig.run_until(LONG, |rig| rig.recorded::<ChannelHistory>(ada).len() == 2).unwrap();
    let mut errors = rig.recorded::<ChannelHistory>(ada).iter().map(|page| page.outcome.clone().unwrap_err());
    assert_eq!(errors.next(), Some(ChannelError::NotAttached));
    assert!(matches!(errors.next(), Some(ChannelError::Refused(error)) if error.code == ErrorCode::INVALID_PARAMETER));
}

#[test]
fn a_channel_that_is_refused_takes_neither_the_others_nor_the_room_along() {
    let capability = json!({ "room:*": ["*"], "rooms": ["*"], "open": ["*"] });
    let key: ApiKey = bevy_rooms::protocol::DEVELOPMENT_KEY.parse().unwrap();
    let key = key.with_capability(Capability::from_json(&capability).unwrap());
    let config = HubConfig { keys: vec![key], ..HubConfig::default() };
    let (mut rig, [ada]) = rig_with(config, ["ada"]);
    rig.command(ada, |commands| commands.host_room("den", Profile::named("Ada")));
    let [open, closed] = ["open", "closed"].map(|name| attach(&mut rig, ada, name));
    rig.run_until(LONG, |rig| {
        status(rig, ada, open).is_attached()
            && status(rig, ada, closed).has_failed()
            && rig.state(ada) == RoomState::Joined
    })
    .unwrap();
    let refused = |error: &Option<ChannelError>| match error {
        Some(ChannelError::Refused(error)) => error.code == ErrorCode::NOT_PERMITTED,
        _ => false,
    };
    assert!(refused(&status(&rig, ada, closed).error), "{:?}", status(&rig, ada, closed));
    let lost = tick(&mut rig, ada, closed, 1);
    tick(&mut rig, ada, open, 2);
    rig.run_until(LONG, |rig| ticks(rig, ada) == [2] && outcome(rig, ada, lost).is_some()).unwrap();
    assert!(outcome(&rig, ada, lost).unwrap().outcome.is_err());
    assert_eq!((rig.state(ada), rig.recorded::<RoomError>(ada).len()), (RoomState::Joined, 0));
    rig.command(ada, |commands| {
        commands.entity(closed).reattach();
    });
    let again = |rig: &Rig| rig.recorded::<ChannelChanged>(ada).iter().filter(|it| refused(&it.reason)).count() == 2;
    rig.run_until(LONG, again).unwrap();
}

#[test]
fn rooms_keep_their_channels_and_one_channel_has_one_entity() {
    let (mut rig, [ada]) = rig(["ada"]);
    let room = attach(&mut rig, ada, "room:den");
    let first = attached(&mut rig, ada, "chat");
    let second = attach(&mut rig, ada, "chat");
    assert!(matches!(status(&rig, ada, room).error, Some(ChannelError::Reserved { .. })));
    assert!(matches!(status(&rig, ada, second).error, Some(ChannelError::AttachedTwice { .. })));
    rig.command(ada, |commands| commands.detach_channel(second));
    rig.run_for(SECOND);
    assert!(status(&rig, ada, first).is_attached(), "the one that had nothing took nothing away");
}

#[test]
fn a_cut_line_loses_nothing_and_says_so() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [chat, _] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    rig.command(ben, |commands| commands.set_offline(true));
    for number in 0..10 {
        tick(&mut rig, ada, chat, number);
        rig.run_for(SECOND / 2);
    }
    let connection = rig.resource::<Connection>(ben);
    assert!(!connection.is_connected() && connection.retry_in.is_some() && connection.trouble.is_some());
    assert!(ticks(&rig, ben).is_empty());
    rig.command(ben, |commands| commands.set_offline(false));
    rig.run_until(SECOND, |rig| ticks(rig, ben).len() == 10).unwrap();
    assert_eq!(ticks(&rig, ben), (0..10).collect::<Vec<_>>());
    let back = rig.recorded::<ChannelChanged>(ben).last().unwrap();
    assert_eq!((back.current, back.continuity), (ChannelState::Attached, Some(Continuity::Kept)));
    assert_eq!(rig.resource::<Connection>(ben).reconnects, 1);
}

#[test]
fn what_is_said_while_offline_goes_out_once_when_the_line_is_back() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [chat, _] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    rig.command(ada, |commands| commands.set_offline(true));
    let kept = tick(&mut rig, ada, chat, 1);
    let gone = ToChannel::volatile(chat, Tick(2));
    let operation = gone.operation;
    rig.world_mut(ada).write_message(gone);
    rig.run_for(5 * SECOND);
    assert_eq!(outcome(&rig, ada, kept), None, "it waits");
    assert!(outcome(&rig, ada, operation).unwrap().outcome.is_err(), "this one does not");
    rig.command(ada, |commands| commands.set_offline(false));
    rig.run_until(SECOND, |rig| ticks(rig, ben) == [1] && outcome(rig, ada, kept).is_some()).unwrap();
    rig.run_for(SECOND);
    assert_eq!(ticks(&rig, ben), [1]);
}

#[test]
fn an_app_that_is_offline_from_the_beginning_connects_when_it_no_longer_is() {
    let (mut rig, [ada]) = rig(["ada"]);
    rig.command(ada, |commands| commands.set_offline(true));
    let chat = attach(&mut rig, ada, "chat");
    rig.run_for(20 * SECOND);
    assert!(!status(&rig, ada, chat).is_attached());
    assert!(!rig.recorded::<ConnectionChanged>(ada).iter().any(|it| it.current == ConnectionState::Connected));
    rig.command(ada, |commands| commands.set_offline(false));
    rig.run_until(SECOND, |rig| status(rig, ada, chat).is_attached()).unwrap();
}

#[test]
fn an_entity_that_is_given_another_channel_shows_the_members_of_that_one_alone() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [red, blue] = ["red", "blue"].map(|channel| attached(&mut rig, ada, channel));
    rig.command(ada, |commands| {
        commands.entity(red).enter_presence(&json!("red"));
        commands.entity(blue).enter_presence(&json!("blue"));
    });
    let seen = attached(&mut rig, ben, "red");
    rig.run_until(LONG, |rig| members(rig, ben, seen) == ["ada"]).unwrap();
    rig.command(ben, |commands| {
        commands.entity(seen).insert(Channel::new("blue"));
    });
    assert!(members(&rig, ben, seen).is_empty());
    rig.run_until(LONG, |rig| rig.world(ben).get::<ChannelMembers>(seen).unwrap().complete).unwrap();
    let word = |rig: &Rig| {
        let members = rig.world(ben).get::<ChannelMembers>(seen).unwrap();
        members.get(&"ada".into()).and_then(|ada| ada.read::<String>().ok())
    };
    assert_eq!(word(&rig), Some("blue".to_owned()));
    rig.command(ada, |commands| {
        commands.entity(blue).leave_presence();
    });
    rig.run_until(LONG, |rig| members(rig, ben, seen).is_empty()).unwrap();
}

/// A relay that goes on by itself over a second, and keeps two minutes.
fn short_resume() -> HubConfig {
    let mut config = HubConfig::default();
    config.limits.resume_window = SECOND;
    config
}

#[test]
fn past_the_resume_window_a_channel_that_catches_up_misses_nothing_and_says_so() {
    let (mut rig, [ada, ben, cy]) = rig_with(short_resume(), ["ada", "ben", "cy"]);
    let chat = attached(&mut rig, ada, "chat");
    attached(&mut rig, ben, Channel::new("chat").catch_up());
    attached(&mut rig, cy, "chat");
    tick(&mut rig, ada, chat, 0);
    rig.run_for(SECOND);
    for app in [ben, cy] {
        rig.command(app, |commands| commands.set_offline(true));
    }
    for number in 1..10 {
        tick(&mut rig, ada, chat, number);
        rig.run_for(SECOND / 2);
    }
    for app in [ben, cy] {
        rig.command(app, |commands| commands.set_offline(false));
    }
    rig.run_until(SECOND, |rig| !rig.recorded::<ChannelCaughtUp>(ben).is_empty()).unwrap();
    tick(&mut rig, ada, chat, 10);
    rig.run_until(SECOND, |rig| ticks(rig, ben).last() == Some(&10)).unwrap();
    assert_eq!(ticks(&rig, ben), (0..=10).collect::<Vec<_>>());
    let [caught_up] = rig.recorded::<ChannelCaughtUp>(ben) else { panic!("once") };
    assert_eq!((caught_up.recovered, caught_up.is_complete, &caught_up.error), (9, true, &None));
    let recovered = rig.recorded::<FromChannel<Tick>>(ben).iter().filter(|tick| tick.is_recovered).count();
    assert_eq!(recovered, 9);
    let lost = |app| rig.recorded::<ChannelChanged>(app).iter().any(|it| it.continuity == Some(Continuity::Lost));
    assert!(lost(ben) && lost(cy));
    assert_eq!(ticks(&rig, cy), [0, 10], "who does not catch up is told of the loss");
}

#[test]
fn more_channels_catch_up_than_ask_at_once() {
    let (mut rig, [ada, ben]) = rig_with(short_resume(), ["ada", "ben"]);
    let name = |number: u32| format!("chat-{number}");
    let chats: Vec<_> = (0..20).map(|number| attached(&mut rig, ada, name(number))).collect();
    for number in 0..20 {
        attach(&mut rig, ben, Channel::new(name(number)).catch_up());
    }
    rig.run_for(5 * SECOND);
    rig.command(ben, |commands| commands.set_offline(true));
    for (number, chat) in (0..20).zip(&chats) {
        tick(&mut rig, ada, *chat, number);
    }
    rig.run_for(5 * SECOND);
    rig.command(ben, |commands| commands.set_offline(false));
    rig.run_until(5 * SECOND, |rig| rig.recorded::<ChannelCaughtUp>(ben).len() == 20).unwrap();
    assert!(rig.recorded::<ChannelCaughtUp>(ben).iter().all(|it| it.is_complete && it.recovered == 1));
    let mut heard = ticks(&rig, ben);
    heard.sort_unstable();
    assert_eq!(heard, (0..20).collect::<Vec<_>>());
}

#[test]
fn who_heard_nothing_before_the_loss_catches_up_from_where_it_attached() {
    let (mut rig, [ada, ben]) = rig_with(short_resume(), ["ada", "ben"]);
    let chat = attached(&mut rig, ada, "chat");
    tick(&mut rig, ada, chat, 1);
    rig.run_for(SECOND);
    attached(&mut rig, ben, Channel::new("chat").catch_up());
    rig.run_for(SECOND);
    rig.command(ben, |commands| commands.set_offline(true));
    tick(&mut rig, ada, chat, 2);
    rig.run_for(5 * SECOND);
    rig.command(ben, |commands| commands.set_offline(false));
    rig.run_until(SECOND, |rig| !rig.recorded::<ChannelCaughtUp>(ben).is_empty()).unwrap();
    assert_eq!(ticks(&rig, ben), [2]);
}

#[test]
fn an_app_that_stalls_for_too_long_is_told_of_the_loss_and_catches_up() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [chat, theirs] = [ada, ben].map(|app| attached(&mut rig, app, Channel::new("chat").catch_up()));
    rig.command(ada, |commands| {
        commands.entity(chat).enter_presence(&());
    });
    tick(&mut rig, ada, chat, 0);
    rig.run_for(SECOND);
    rig.stall(ben);
    // More than the bridge keeps for an app that takes nothing, and fewer than the relay keeps.
    const ALL: u32 = 6_000;
    for first in (1..ALL).step_by(60) {
        (first..first + 60).for_each(|number| {
            tick(&mut rig, ada, chat, number);
        });
        rig.frame();
    }
    rig.command(ada, |commands| {
        commands.entity(chat).leave_presence();
    });
    rig.run_for(SECOND);
    rig.thaw(ben);
    rig.run_until(LONG, |rig| !rig.recorded::<ChannelCaughtUp>(ben).is_empty()).unwrap();
    assert!(rig.recorded::<ChannelChanged>(ben).iter().any(|it| it.continuity == Some(Continuity::Lost)));
    let last = *ticks(&rig, ada).last().unwrap();
    assert_eq!(ticks(&rig, ben), (0..=last).collect::<Vec<_>>());
    rig.run_until(LONG, |rig| members(rig, ben, theirs).is_empty()).unwrap();
}

#[test]
fn channels_come_back_after_the_relay_was_started_anew() {
    let (mut rig, [ada, ben]) = rig(["ada", "ben"]);
    let [chat, seen] = [ada, ben].map(|app| attached(&mut rig, app, "chat"));
    rig.command(ada, |commands| {
        commands.entity(chat).enter_presence(&());
    });
    rig.run_until(LONG, |rig| members(rig, ben, seen) == ["ada"]).unwrap();
    rig.restart_relay(2 * SECOND);
    rig.run_until(LONG, |rig| {
        let lost = |change: &ChannelChanged| change.continuity == Some(Continuity::Lost);
        [ada, ben].iter().all(|app| rig.recorded::<ChannelChanged>(*app).iter().any(lost))
    })
    .unwrap();
    rig.run_until(LONG, |rig| members(rig, ben, seen) == ["ada"]).unwrap();
    tick(&mut rig, ada, chat, 1);
    rig.run_until(LONG, |rig| ticks(rig, ben) == [1]).unwrap();
}

#[test]
fn the_servers_time_is_told_to_whoever_asks() {
    let (mut rig, [ada]) = rig(["ada"]);
    let mut operation = None;
    rig.command(ada, |commands| operation = Some(commands.query_server_time()));
    rig.run_until(LONG, |rig| !rig.recorded::<ServerTime>(ada).is_empty()).unwrap();
    let [told] = rig.recorded::<ServerTime>(ada) else { panic!("once") };
    assert_eq!(Some(told.operation), operation);
    assert!(told.outcome.as_ref().unwrap().0 >= 1_700_000_000_000, "the simulation's time");
}

#[test]
fn a_name_that_two_types_want_is_told() {
    #[derive(Serialize, Deserialize)]
    struct Other;
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, RoomsPlugin::default())).add_channel_message::<Tick>();
    assert!(app.try_add_channel_message::<Other>("Tick").is_err());
    assert!(app.try_add_channel_message::<Tick>("again").is_err());
}
