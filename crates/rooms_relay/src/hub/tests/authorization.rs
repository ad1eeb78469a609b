use serde_json::{Value, json};

use super::*;
use crate::{Credentials, TokenDetails, TokenEndpoint};
use rooms_protocol::Auth;

/// The keys of these tests: one for everything, one for a few channels, and one of another application.
fn world() -> World {
    World::with_config(config())
}

fn config() -> HubConfig {
    let few = r#"app.few:few={"listen":["subscribe"],"talk":["publish"],"meet":["presence"],"all:*":["*"]}"#;
    let keys = ["app.all:all", few, "other.all:all"];
    HubConfig { keys: keys.map(|key| key.parse().unwrap()).into(), ..HubConfig::default() }
}

/// The same, with tokens for games.
fn world_with_endpoint(key: &str) -> World {
    World::with_config(HubConfig { token_endpoint: Some(TokenEndpoint::new(key)), ..config() })
}

impl World {
    fn token(&mut self, body: Value) -> TokenDetails {
        let key = Credentials::Key("app.all:all".to_owned());
        self.hub.request_token("app.all", &body, Some(&key), self.now).unwrap()
    }

    /// Connects with the token that `body` asks for.
    fn connect_with_token(&mut self, body: Value) -> Client {
        let token = self.token(body).token;
        self.connect_raw(&format!("v=6&access_token={token}"))
    }

    fn connect_raw(&mut self, query: &str) -> Client {
        let link = self.open_raw(query);
        let connected = self.take_one(link, Action::Connected);
        let key = connected.connection_details.unwrap().connection_key.unwrap();
        Client { link, id: connected.connection_id.unwrap(), key, serial: 0 }
    }

    /// Sends AUTH with the token that `body` asks for.
    fn reauthenticate(&mut self, client: &Client, body: Value) -> Vec<Frame> {
        let token = self.token(body).token;
        self.send_token(client, token)
    }

    fn send_token(&mut self, client: &Client, token: String) -> Vec<Frame> {
        let auth = Some(Box::new(Auth { access_token: Some(token) }));
        self.send(client.link, Frame { auth, ..Frame::new(Action::Auth) });
        self.take(client.link)
    }

    fn refusal(&mut self, query: &str) -> Option<u32> {
        let link = self.open_raw(query);
        let frame = self.take_one(link, Action::Error);
        assert!(frame.channel.is_none() && self.closed.contains(&link));
        error_code(&frame)
    }
}

fn ask_for(client: Option<&str>, ttl: u64, capability: Value) -> Value {
    json!({"clientId": client, "ttl": ttl, "capability": capability.to_string()})
}

fn everything(client: &str) -> Value {
    json!({ "clientId": client })
}

#[test]
fn a_token_connects_as_the_client_that_it_is_for() {
    let mut world = world();
    let details = |world: &mut World, query: &str| {
        let link = world.open_raw(query);
        world.take_one(link, Action::Connected).connection_details.unwrap().client_id
    };
    let ada = world.token(everything("ada")).token;
    for name in ["access_token", "accessToken"] {
        assert_eq!(details(&mut world, &format!("{name}={ada}")), Some("ada".into()));
    }
    assert_eq!(details(&mut world, &format!("access_token={ada}&clientId=ada")), Some("ada".into()));
    assert_eq!(world.refusal(&format!("access_token={ada}&clientId=bob")), Some(40102));
    let any = world.token(everything("*")).token;
    assert_eq!(details(&mut world, &format!("access_token={any}")), Some("*".into()));
    assert_eq!(details(&mut world, &format!("access_token={any}&clientId=bob")), Some("bob".into()));
    let nobody = world.token(json!({})).token;
    assert_eq!(details(&mut world, &format!("access_token={nobody}")), None);
    assert_eq!(world.refusal(&format!("access_token={nobody}&clientId=bob")), Some(40102));
}

#[test]
fn an_anonymous_client_publishes_as_nobody_and_enters_nowhere() {
    let mut world = world();
    let mut client = world.connect_with_token(json!({}));
    world.attach(&client, "c");
    assert_eq!(world.publish(&mut client, "c", &["a"]).action, Action::Ack);
    assert_eq!(world.take(client.link)[0].messages[0].client_id, None);
    let forged = Message { client_id: Some("ada".into()), ..Message::new("a", "x") };
    assert_eq!(error_code(&world.publish_messages(&mut client, "c", vec![forged])), Some(40012));
    assert_eq!(
        error_code(&world.presence(&mut client, "c", presence_message(PresenceAction::Enter, "", ""))),
        Some(91000)
    );
    assert_eq!(
        error_code(&world.presence(&mut client, "c", presence_message(PresenceAction::Enter, "ada", ""))),
        Some(40012)
    );
}

#[test]
fn a_client_id_cannot_be_forged_in_messages_or_presence() {
    let mut world = world();
    let mut ada = world.connect_with_token(everything("ada"));
    world.attach(&ada, "c");
    let forged = Message { client_id: Some("bob".into()), ..Message::new("a", "x") };
    assert_eq!(error_code(&world.publish_messages(&mut ada, "c", vec![forged])), Some(40012));
    assert_eq!(
        error_code(&world.presence(&mut ada, "c", presence_message(PresenceAction::Enter, "bob", ""))),
        Some(40012)
    );
    assert!(world.take(ada.link).is_empty(), "nothing of it reaches the channel");
}

#[test]
fn a_key_attaches_in_the_modes_that_it_allows() {
    let mut world = world();
    let client = world.connect_raw("v=6&key=app.few:few&clientId=ada");
    let mut modes = |channel: &str| world.attach(&client, channel)[0].flags.unwrap().modes();
    assert_eq!(modes("listen"), Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE);
    assert_eq!(modes("talk"), Flags::PUBLISH);
    assert_eq!(modes("meet"), Flags::PRESENCE);
    assert_eq!(modes("all:of:it"), Flags::MODES | Flags::ANNOTATION_PUBLISH);
    assert_eq!(modes("[?rewind=1]listen"), Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE);
}

#[test]
fn a_channel_that_is_not_allowed_fails_alone() {
    let mut world = world();
    let client = world.connect_raw("v=6&key=app.few:few&clientId=ada");
    let asked = Frame { flags: Some(Flags::PUBLISH), ..Frame::for_channel(Action::Attach, "listen".into()) };
    for frame in [Frame::for_channel(Action::Attach, "secret".into()), asked] {
        let channel = frame.channel.clone();
        world.send(client.link, frame);
        let error = world.take_one(client.link, Action::Error);
        assert_eq!((error_code(&error), error.channel), (Some(40160), channel));
        assert_eq!(error.error.unwrap().status_code, 401);
    }
    assert!(world.closed.is_empty());
    world.attach(&client, "listen");
}

#[test]
fn publishing_without_attaching_needs_the_permission_too() {
    let mut world = world();
    let mut client = world.connect_raw("v=6&key=app.few:few&clientId=ada");
    assert_eq!(world.publish(&mut client, "talk", &["a"]).action, Action::Ack);
    for channel in ["listen", "secret", "[?x=1]secret"] {
        let answer = world.publish(&mut client, channel, &["a"]);
        assert_eq!((answer.action, error_code(&answer)), (Action::Nack, Some(40160)), "{channel}");
    }
    let enter = |world: &mut World, client: &mut Client, channel| {
        world.presence(client, channel, presence_message(PresenceAction::Enter, "", "")).action
    };
    assert_eq!(enter(&mut world, &mut client, "meet"), Action::Ack);
    assert_eq!(enter(&mut world, &mut client, "talk"), Action::Nack);
    world.attach(&client, "listen");
    assert_eq!(error_code(&world.publish(&mut client, "listen", &["a"])), Some(40160), "attached, without the mode");
}

#[test]
fn a_token_that_has_run_out_does_not_connect() {
    let mut world = world();
    let token = world.token(ask_for(None, 1, json!({"*": ["*"]}))).token;
    world.pass(Duration::from_millis(1));
    let link = world.open_raw(&format!("access_token={token}"));
    let error = *world.take_one(link, Action::Error).error.unwrap();
    assert_eq!((error.code.0, error.is_token_error()), (40142, true));
}

#[test]
fn at_the_end_of_its_token_a_client_is_disconnected_and_may_resume_with_a_new_one() {
    let mut world = world();
    let client = world.connect_with_token(ask_for(Some("ada"), 5_000, json!({"*": ["*"]})));
    world.attach(&client, "c");
    world.pass(Duration::from_millis(4_999));
    assert!(world.take(client.link).is_empty(), "too short for a warning");
    world.pass(Duration::from_millis(1));
    let frame = world.take_one(client.link, Action::Disconnected);
    assert_eq!((error_code(&frame), frame.error.unwrap().status_code), (Some(40142), 401));
    assert_eq!(world.closed, [client.link]);
    let token = world.token(everything("ada")).token;
    let resumed = world.connect_raw(&format!("access_token={token}&{}", client.resume_query()));
    assert_eq!(resumed.id, client.id);
    world.pass(SECOND * 60);
    assert_eq!(world.closed, [client.link], "the old end does not count any more");
}

#[test]
fn half_a_minute_before_the_end_a_client_is_asked_for_a_new_token() {
    let mut world = world();
    let client = world.connect_with_token(ask_for(Some("ada"), 35_000, json!({"*": ["*"]})));
    world.pass(Duration::from_millis(4_999));
    assert!(world.take(client.link).is_empty());
    world.pass(Duration::from_millis(1));
    world.take_one(client.link, Action::Auth);
    let frames = world.reauthenticate(&client, everything("ada"));
    assert_eq!(actions(&frames), [Action::Connected]);
    let details = frames[0].connection_details.as_ref().unwrap();
    assert_eq!(frames[0].connection_id, Some(client.id.clone()));
    assert_eq!((details.connection_key.clone(), details.client_id.clone()), (Some(client.key), Some("ada".into())));
    assert_eq!((details.max_idle_interval, details.max_message_size), (Some(15_000), Some(65_536)));
    world.pass(SECOND * 60);
    assert!(world.closed.is_empty());
}

#[test]
fn a_client_without_a_link_is_not_asked_and_not_disconnected() {
    let mut world = world();
    let client = world.connect_with_token(ask_for(Some("ada"), 35_000, json!({"*": ["*"]})));
    world.close(client.link);
    world.pass(SECOND * 60);
    assert!(world.take(client.link).is_empty() && world.closed.is_empty());
}

#[test]
fn a_token_that_runs_out_in_the_far_future_is_no_trouble() {
    let mut world = world();
    let claims = json!({"exp": 253_402_300_799_u64});
    let header = jsonwebtoken::Header { kid: Some("app.all".to_owned()), ..jsonwebtoken::Header::default() };
    let token = jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(b"all")).unwrap();
    world.connect_raw(&format!("access_token={token}"));
}

#[test]
fn a_new_token_may_open_further_channels() {
    let mut world = world();
    let client = world.connect_with_token(ask_for(Some("ada"), 60_000, json!({"wrong": ["*"]})));
    world.send(client.link, Frame::for_channel(Action::Attach, "right".into()));
    world.take_one(client.link, Action::Error);
    let frames = world.reauthenticate(&client, ask_for(Some("ada"), 60_000, json!({"wrong": ["*"], "right": ["*"]})));
    assert_eq!(actions(&frames), [Action::Connected]);
    world.attach(&client, "right");
}

#[test]
fn a_new_token_widens_what_an_attachment_may_do() {
    let mut world = world();
    let mut client = world.connect_with_token(ask_for(Some("ada"), 60_000, json!({"c": ["subscribe"]})));
    world.attach_with(&client, "c", |frame| {
        frame.params.insert("modes".into(), "publish,subscribe".to_owned());
    });
    assert_eq!(world.publish(&mut client, "c", &["a"]).action, Action::Nack);
    let frames = world.reauthenticate(&client, ask_for(Some("ada"), 60_000, json!({"c": ["subscribe", "publish"]})));
    assert_eq!(actions(&frames), [Action::Connected, Action::Attached]);
    assert_eq!(frames[1].flags, Some(Flags::PUBLISH | Flags::SUBSCRIBE | Flags::RESUMED));
    assert_eq!(frames[1].params.get("modes").map(String::as_str), Some("publish,subscribe"));
    assert_eq!(world.publish(&mut client, "c", &["a"]).action, Action::Ack);
}

#[test]
fn a_new_token_may_narrow_what_an_attachment_may_do() {
    let mut world = world();
    let mut client = world.connect_with_token(everything("ada"));
    let bob = world.connect_with_token(everything("bob"));
    for client in [&client, &bob] {
        world.attach(client, "c");
    }
    world.presence(&mut client, "c", presence_message(PresenceAction::Enter, "", "hi"));
    world.take(bob.link);
    let frames = world.reauthenticate(&client, ask_for(Some("ada"), 60_000, json!({"c": ["subscribe"]})));
    assert_eq!(frames.last().unwrap().flags.unwrap().modes(), Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE);
    assert_eq!(error_code(&world.publish(&mut client, "c", &["a"])), Some(40160));
    let left = ("ada".to_owned(), PresenceAction::Leave, "hi".to_owned());
    assert_eq!(presence_in(&world.take(bob.link)), [left], "who may not be present any more leaves");
}

#[test]
fn a_new_token_may_take_a_channel_away_and_leaves_the_others() {
    let mut world = world();
    let client = world.connect_with_token(ask_for(Some("ada"), 60_000, json!({"channel": ["*"], "another": ["*"]})));
    world.attach(&client, "channel");
    world.attach(&client, "another");
    let frames = world.reauthenticate(&client, ask_for(Some("ada"), 60_000, json!({"another": ["*"]})));
    assert_eq!(actions(&frames), [Action::Connected, Action::Error]);
    assert_eq!((error_code(&frames[1]), frames[1].channel.clone()), (Some(40160), Some("channel".into())));
    assert_eq!(frames[1].error.as_ref().unwrap().status_code, 401);
    let mut bob = world.connect_with_token(everything("bob"));
    for channel in ["channel", "another"] {
        world.publish(&mut bob, channel, &["a"]);
    }
    let received: Vec<_> = world.take(client.link).into_iter().filter_map(|frame| frame.channel).collect();
    assert_eq!(received, ["another".into()]);
}

#[test]
fn a_bad_token_in_band_ends_the_connection() {
    let mut world = world();
    let bob = world.token(everything("bob")).token;
    let nobody = world.token(json!({})).token;
    let other = Credentials::Key("other.all:all".to_owned());
    let elsewhere = world.hub.request_token("other.all", &everything("ada"), Some(&other), world.now).unwrap().token;
    let short = world.token(ask_for(Some("ada"), 1, json!({"*": ["*"]}))).token;
    world.pass(Duration::from_millis(1));
    let cases = [(bob, 40102), (nobody, 40102), (elsewhere, 40102), (short, 40142), ("x".to_owned(), 40101)];
    for (token, code) in cases {
        let client = world.connect_with_token(everything("ada"));
        let frames = world.send_token(&client, token);
        assert_eq!((actions(&frames), error_code(&frames[0])), (vec![Action::Error], Some(code)));
        assert!(frames[0].channel.is_none() && world.closed.contains(&client.link));
        let again = world.token(everything("ada")).token;
        let link = world.open_raw(&format!("access_token={again}&{}", client.resume_query()));
        assert_eq!(error_code(&world.take_one(link, Action::Connected)), Some(80018));
    }
}

#[test]
fn a_connection_is_resumed_with_what_the_new_credentials_allow() {
    let mut world = world();
    let client = world.connect_with_token(everything("ada"));
    world.close(client.link);
    let token = world.token(ask_for(Some("ada"), 60_000, json!({"c": ["subscribe"]}))).token;
    let mut resumed = world.connect_raw(&format!("access_token={token}&{}", client.resume_query()));
    assert_eq!(resumed.id, client.id);
    assert_eq!(error_code(&world.publish(&mut resumed, "c", &["a"])), Some(40160));
    world.close(resumed.link);
    let bob = world.token(everything("bob")).token;
    assert_eq!(world.refusal(&format!("access_token={bob}&{}", resumed.resume_query())), Some(40102));
}

#[test]
fn who_resumes_without_the_right_to_be_present_leaves() {
    let mut world = world();
    let bob = world.connect_with_token(everything("bob"));
    world.attach(&bob, "c");
    let mut ada = world.connect_with_token(everything("ada"));
    world.attach(&ada, "c");
    world.presence(&mut ada, "c", presence_message(PresenceAction::Enter, "", ""));
    world.take(bob.link);
    world.close(ada.link);
    let token = world.token(ask_for(Some("ada"), 60_000, json!({ "c": ["subscribe"] }))).token;
    world.connect_raw(&format!("v=6&access_token={token}&{}", ada.resume_query()));
    assert_eq!(presence_in(&world.take(bob.link)), [("ada".to_owned(), PresenceAction::Leave, String::new())]);
}

#[test]
fn a_token_is_given_for_a_signature_or_a_key_and_not_otherwise() {
    let mut world = world();
    let mut code = |name: &str, body: Value, credentials: Option<&str>| {
        let credentials = credentials.map(|key| Credentials::Key(key.to_owned()));
        world.hub.request_token(name, &body, credentials.as_ref(), world.now).err().map(|error| error.code.0)
    };
    assert_eq!(code("app.all", json!({}), Some("app.all:all")), None);
    assert_eq!(code("app.all", json!({}), None), Some(40101));
    assert_eq!(code("app.all", json!({}), Some("app.few:few")), Some(40101), "the key of another name");
    assert_eq!(code("app.all", json!({}), Some("app.all:wrong")), Some(40101));
    assert_eq!(code("app.all", json!({"mac": "AAAA"}), Some("app.all:all")), Some(40101), "a wrong signature counts");
    assert_eq!(code("app.none", json!({}), Some("app.all:all")), Some(40400));
    assert_eq!(code("none.all", json!({}), None), Some(40400));
    assert_eq!(code("app.all", json!({"keyName": "app.few"}), Some("app.all:all")), Some(40000));
    let far = json!({"capability": "{\"far\":[\"publish\"]}"});
    assert_eq!(code("app.few", far, Some("app.few:few")), Some(40160));
}

#[test]
fn a_signed_request_gives_one_token() {
    let mut world = world();
    let mac = "EhE9YqQ+pu6I0AJb2/TviLGZZScv9LR3aw2PfDdX3KY=";
    let body = json!({"keyName": "app.all", "timestamp": WALL.0, "nonce": "0123456789abcdef", "mac": mac});
    let details = world.hub.request_token("app.all", &body, None, world.now).unwrap();
    assert_eq!((details.issued, details.expires), (WALL, Timestamp(WALL.0 + 3_600_000)));
    assert_eq!((details.capability.as_str(), details.client_id), (r#"{"*":["*"]}"#, None));
    let again = world.hub.request_token("app.all", &body, None, world.now);
    assert_eq!(again.map_err(|error| error.code.0), Err(40105));
    world.pass(SECOND * 121);
    let late = world.hub.request_token("app.all", &body, None, world.now);
    assert_eq!(late.map_err(|error| error.code.0), Err(40104));
}

#[test]
fn games_get_tokens_only_where_that_is_switched_on() {
    let mut world = world();
    let off = world.hub.game_token("otter", "ada", world.now).unwrap_err();
    assert_eq!((off.code.0, off.status_code), (40400, 404));
    let mut world = world_with_endpoint("app.all");
    let details = world.hub.game_token("otter", "ada", world.now).unwrap();
    let mut ada = world.connect_raw(&format!("access_token={}", details.token));
    world.attach(&ada, "room:otter");
    world.attach(&ada, "room:otter:to:ada");
    assert_eq!(world.publish(&mut ada, "room:otter:to:bob", &["hello"]).action, Action::Ack);
    let listen = Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE;
    for channel in ["room:otter:to:bob", "room:badger", "room:badger:to:ada"] {
        world.send(ada.link, Frame { flags: Some(listen), ..Frame::for_channel(Action::Attach, channel.into()) });
        assert_eq!(error_code(&world.take_one(ada.link, Action::Error)), Some(40160), "{channel}");
    }
    let forged = Message { client_id: Some("bob".into()), ..Message::new("a", "x") };
    assert_eq!(error_code(&world.publish_messages(&mut ada, "room:otter", vec![forged])), Some(40012));
    let mut world = world_with_endpoint("none.none");
    assert!(world.hub.game_token("otter", "ada", world.now).is_err());
}

#[test]
fn secrets_do_not_show_in_the_debug_output_of_configuration_and_hub() {
    let world = world();
    let debug = format!("{:?} {:?} {:?}", config(), world.hub, world.hub.authorizer);
    assert!(debug.contains("app.few") && !debug.contains(":few") && !debug.contains(":all"), "{debug}");
}

#[test]
fn when_the_wall_clock_is_set_on_expired_tokens_are_refused_and_fresh_ones_taken() {
    let mut world = world();
    let old = world.token(everything("ada")).token;
    let client = world.connect_with_token(everything("ada"));
    let later = Timestamp(WALL.0 + 2 * 3_600_000);
    world.hub.set_wall(world.now, later);
    world.pass(SECOND);
    assert_eq!(error_code(&world.take_one(client.link, Action::Disconnected)), Some(40142), "its token has expired");
    assert_eq!(world.refusal(&format!("access_token={old}")), Some(40142));
    let fresh = world.token(everything("ada"));
    assert_eq!(fresh.issued, Timestamp(later.0 + 1_000));
    let link = world.open_raw(&format!("access_token={}&{}", fresh.token, client.resume_query()));
    assert_eq!(world.take_one(link, Action::Connected).connection_id, Some(client.id));
}

#[test]
fn when_the_wall_clock_is_set_back_tokens_last_longer_and_serials_still_grow() {
    let mut world = world();
    let mut client = world.connect_with_token(everything("ada"));
    world.attach(&client, "c");
    world.publish(&mut client, "c", &["before"]);
    let before = world.take_one(client.link, Action::Message);
    world.hub.set_wall(world.now, Timestamp(WALL.0 - 3_600_000));
    world.publish(&mut client, "c", &["after"]);
    let after = world.take_one(client.link, Action::Message);
    assert!(before.channel_serial < after.channel_serial && before.messages[0].serial < after.messages[0].serial);
    assert_eq!(after.timestamp, Some(Timestamp(WALL.0 - 3_600_000)));
    world.pass(SECOND * 3600);
    assert!(!world.closed.contains(&client.link), "by the wall clock there is an hour left");
    world.pass(SECOND * 3601);
    assert!(world.closed.contains(&client.link));
}

#[test]
fn a_wall_clock_that_is_corrected_in_small_steps_leaves_timers_alone() {
    let mut world = world();
    world.connect_with_token(everything("ada"));
    let due = world.hub.poll_timeout();
    world.hub.set_wall(world.now, Timestamp(WALL.0 + 900));
    assert_eq!(world.hub.poll_timeout(), due);
}

#[test]
fn occupancy_events_end_with_the_right_to_them() {
    let mut world = world();
    let client = world.connect_with_token(everything("ada"));
    world.attach(&client, "[?occupancy=metrics.presenceMembers]c");
    let mut bob = world.connect_raw("v=6&key=app.all:all&clientId=bob");
    let mut change = |world: &mut World, action| {
        world.presence(&mut bob, "c", presence_message(action, "", ""));
        world.pass(SECOND);
        names(&world.take(client.link)).len()
    };
    assert_eq!(change(&mut world, PresenceAction::Enter), 1);
    let capability = json!({"c": ["subscribe", "publish", "presence", "annotation-publish"]});
    world.reauthenticate(&client, ask_for(Some("ada"), 60_000, capability));
    assert_eq!(change(&mut world, PresenceAction::Leave), 0);
}
