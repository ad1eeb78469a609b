//! What whoever runs the relay does to a hub: another configuration, revoked tokens, and a drain.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{Credentials, RestRequest, TokenEndpoint};

const SECOND: Duration = Duration::from_secs(1);

const OLD: &str = "app.old:old";
const NEW: &str = "app.new:new";

fn config(keys: &[&str]) -> HubConfig {
    HubConfig { keys: keys.iter().map(|key| key.parse().unwrap()).collect(), ..HubConfig::default() }
}

fn world() -> World {
    World::with_config(config(&[OLD, NEW]))
}

impl World {
    fn connect_by(&mut self, query: &str) -> Client {
        let link = self.open_raw(query);
        let connected = self.take_one(link, Action::Connected);
        let key = connected.connection_details.unwrap().connection_key.unwrap();
        Client { link, id: connected.connection_id.unwrap(), key, serial: 0 }
    }

    /// A token that `key` makes for a client.
    fn token_of(&mut self, key: &str, client: &str) -> String {
        let (name, _) = key.split_once(':').unwrap();
        let credentials = Credentials::Key(key.to_owned());
        let body = json!({ "clientId": client });
        self.hub.request_token(name, &body, Some(&credentials), self.now).unwrap().token
    }

    fn connect_as(&mut self, client: &str) -> Client {
        let token = self.token_of(OLD, client);
        self.connect_by(&format!("access_token={token}"))
    }

    fn reconfigure(&mut self, config: HubConfig) {
        self.hub.reconfigure(config, self.now);
        self.drain();
    }

    fn refused_with(&mut self, query: &str) -> Option<u32> {
        let link = self.open_raw(query);
        error_code(&self.take_one(link, Action::Error))
    }

    /// Asks with these credentials to revoke tokens of the old key. Returns the status and the answer.
    fn revoke(&mut self, authorization: &str, body: &Value) -> (u16, Value) {
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        let request = RestRequest {
            method: "POST".to_owned(),
            target: "/keys/app.old/revokeTokens".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: body.to_string().into_bytes(),
        };
        let response = self.hub.rest(&request, self.now);
        self.drain();
        (response.status, serde_json::from_slice(&response.body).unwrap())
    }

    fn revoke_with_key(&mut self, body: &Value) -> Value {
        let (status, answer) = self.revoke(&basic(OLD), body);
        assert_eq!(status, 201, "{answer}");
        answer
    }
}

fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(key))
}

#[test]
fn a_reload_drops_whose_key_is_gone_and_nobody_else() {
    let mut world = world();
    let (gone, kept) = (world.connect_by("key=app.old:old"), world.connect_by("key=app.new:new"));
    let by_token = world.connect_as("ada");
    let kept_token = world.token_of(NEW, "bob");
    let kept_by_token = world.connect_by(&format!("access_token={kept_token}"));
    world.attach(&kept, "c");
    world.reconfigure(config(&[NEW, "app.third:third"]));
    assert_eq!(error_code(&world.take_one(gone.link, Action::Error)), Some(40131));
    assert_eq!(error_code(&world.take_one(by_token.link, Action::Disconnected)), Some(40141));
    world.closed.sort_unstable();
    assert_eq!(world.closed, [gone.link, by_token.link]);
    assert!(world.take(kept.link).is_empty() && world.take(kept_by_token.link).is_empty());
    assert_eq!(world.refused_with("key=app.old:old"), Some(40400));
    world.connect_by("key=app.third:third");
    let token = world.token_of(NEW, "ada");
    let again = world.connect_by(&format!("access_token={token}&{}", by_token.resume_query()));
    assert_eq!(again.id, by_token.id, "with a token of another key it is the same connection");
}

#[test]
fn a_secret_that_is_replaced_drops_who_knows_the_old_one_alone() {
    let mut world = World::with_config(config(&[OLD, "app.old:newer"]));
    let (old, newer) = (world.connect_by("key=app.old:old"), world.connect_by("key=app.old:newer"));
    world.reconfigure(config(&["app.old:newer"]));
    assert_eq!(error_code(&world.take_one(old.link, Action::Error)), Some(40131));
    assert!(world.take(newer.link).is_empty());
}

#[test]
fn a_key_that_allows_less_after_a_reload_takes_it_away_at_once() {
    let mut world = world();
    let mut client = world.connect_by("key=app.old:old&clientId=ada");
    let token = world.token_of(OLD, "bob");
    let mut by_token = world.connect_by(&format!("access_token={token}"));
    for client in [&client, &by_token] {
        world.attach(client, "listen");
        world.attach(client, "talk");
    }
    world.reconfigure(config(&[r#"app.old:old={"listen":["subscribe"]}"#, NEW]));
    for client in [&mut client, &mut by_token] {
        let frames = world.take(client.link);
        let codes: Vec<_> = frames.iter().map(|frame| (frame.channel.clone().unwrap(), error_code(frame))).collect();
        assert_eq!(codes, [("listen".into(), None), ("talk".into(), Some(40160))]);
        assert_eq!(error_code(&world.publish(client, "listen", &["no"])), Some(40160));
    }
}

#[test]
fn limits_count_from_the_reload_on_and_end_nothing() {
    let mut world = world();
    let mut clients = [(); 3].map(|()| world.connect_by("key=app.new:new"));
    let mut lower = config(&[OLD, NEW]);
    lower.limits.connections = 2;
    lower.limits.max_message_size = 10;
    lower.token_endpoint = Some(TokenEndpoint::new("app.new"));
    world.reconfigure(lower);
    assert!(world.closed.is_empty());
    assert_eq!(world.refused_with("key=app.new:new"), Some(40111));
    assert_eq!(error_code(&world.publish(&mut clients[0], "c", &["a name that is too long"])), Some(40009));
    assert!(world.hub.game_token("otter", "ada", world.now).is_ok());
    world.reconfigure(config(&[OLD, NEW]));
    world.connect_by("key=app.new:new");
    assert_eq!(world.publish(&mut clients[0], "c", &["a name that is too long"]).action, Action::Ack);
}

#[test]
fn a_revoked_token_ends_its_sessions_and_is_refused_and_a_new_one_is_taken() {
    let mut world = world();
    let token = world.token_of(OLD, "ada");
    let ada = world.connect_by(&format!("access_token={token}"));
    let (bob, by_key) = (world.connect_as("bob"), world.connect_by("key=app.old:old&clientId=ada"));
    world.pass(SECOND);
    let answer = world.revoke_with_key(&json!({ "targets": ["clientId:ada", "user:ada"] }));
    assert_eq!((&answer["successCount"], &answer["failureCount"]), (&json!(1), &json!(1)));
    let now = WALL.0 + 1_000;
    let expected = json!({ "target": "clientId:ada", "issuedBefore": now, "appliesAt": now });
    assert_eq!((&answer["results"][0], &answer["results"][1]["error"]["code"]), (&expected, &json!(40000)));
    assert_eq!(error_code(&world.take_one(ada.link, Action::Disconnected)), Some(40141));
    assert!(world.take(bob.link).is_empty() && world.take(by_key.link).is_empty());
    let used_again = format!("access_token={token}&{}", ada.resume_query());
    assert_eq!(world.refused_with(&used_again), Some(40141));
    let fresh = world.token_of(OLD, "ada");
    let again = world.connect_by(&format!("access_token={fresh}&{}", ada.resume_query()));
    assert_eq!(again.id, ada.id);
}

#[test]
fn who_may_get_a_new_token_first_is_asked_to_and_has_half_a_minute() {
    let mut world = world();
    let (ada, twin) = (world.connect_as("ada"), world.connect_as("ada"));
    world.pass(SECOND);
    let answer = world.revoke_with_key(&json!({ "targets": ["clientId:ada"], "allowReauthMargin": true }));
    assert_eq!(answer["results"][0]["appliesAt"], json!(WALL.0 + 31_000));
    for client in [&ada, &twin] {
        world.take_one(client.link, Action::Auth);
    }
    let token = world.token_of(OLD, "ada");
    let auth = Some(Box::new(rooms_protocol::Auth { access_token: Some(token) }));
    world.send(ada.link, Frame { auth, ..Frame::new(Action::Auth) });
    world.take_one(ada.link, Action::Connected);
    world.pass(SECOND * 29);
    assert!(world.closed.is_empty());
    world.pass(SECOND);
    assert_eq!(world.closed, [twin.link]);
    assert_eq!(error_code(&world.take_one(twin.link, Action::Disconnected)), Some(40141));
}

#[test]
fn tokens_are_revoked_with_their_own_key_and_within_an_hour() {
    let mut world = world();
    let ada = world.connect_as("ada");
    let token = world.token_of(OLD, "ada");
    let target = json!({ "targets": ["clientId:ada"] });
    for (authorization, expected) in
        [(format!("Bearer {token}"), 40162), (basic(NEW), 40101), (basic("app.old:wrong"), 40101)]
    {
        let (status, answer) = world.revoke(&authorization, &target);
        assert_eq!((status, &answer["error"]["code"]), (401, &json!(expected)));
    }
    for body in [
        json!({ "targets": [] }),
        json!({ "targets": vec!["clientId:ada"; 101] }),
        json!({ "targets": ["clientId:ada"], "issuedBefore": WALL.0 + 1 }),
        json!({ "targets": ["clientId:ada"], "issuedBefore": WALL.0 - 3_600_001 }),
        json!({}),
    ] {
        let (status, answer) = world.revoke(&basic(OLD), &body);
        assert!(status == 400 && [40001, 40003].map(Value::from).contains(&answer["error"]["code"]), "{answer}");
    }
    world.revoke_with_key(&json!({ "targets": ["clientId:ada"], "issuedBefore": WALL.0 - 1_000 }));
    assert!(world.take(ada.link).is_empty() && world.closed.is_empty(), "its token is younger");
}

#[test]
fn a_drain_lets_nobody_in_and_disconnects_in_portions() {
    let mut world = World::new();
    let clients: Vec<_> = (0..100).map(|_| world.connect("")).collect();
    world.hub.drain(SECOND * 10, world.now);
    let late = world.open("");
    assert_eq!(error_code(&world.take_one(late, Action::Disconnected)), Some(80003));
    world.closed.clear();
    let mut before = 0;
    for second in 1..=9 {
        world.pass(SECOND);
        let gone = world.closed.len() - before;
        assert!((5..=20).contains(&gone), "{gone} in second {second}");
        assert!(!world.hub.is_drained());
        before = world.closed.len();
    }
    world.pass(SECOND);
    assert!(world.closed.len() == 100 && world.hub.is_drained());
    for client in &clients {
        assert_eq!(error_code(&world.take_one(client.link, Action::Disconnected)), Some(80003));
    }
    assert!(world.hub.poll_timeout().is_none_or(|at| at > world.now), "nothing is due for ever");
}

#[test]
fn a_drain_without_time_disconnects_all_at_once() {
    let mut world = World::new();
    let client = world.connect("");
    world.hub.drain(Duration::ZERO, world.now);
    world.pass(Duration::ZERO);
    assert_eq!(error_code(&world.take_one(client.link, Action::Disconnected)), Some(80003));
    assert!(world.hub.is_drained() && world.hub.is_draining());
}

#[test]
fn what_is_refused_and_who_is_cut_off_is_counted() {
    let mut world = World::new();
    let mut client = world.connect("clientId=ada");
    let reader = world.connect("");
    world.attach(&reader, "c");
    world.publish(&mut client, "c", &["one", "two"]);
    world.publish(&mut client, "c", &["x".repeat(70_000).as_str()]);
    world.refused_with("key=rooms.dev:wrong");
    world.hub.handle_cut_off(reader.link, world.now);
    world.drain();
    let counters = world.hub.counters();
    assert_eq!((counters.messages_in.get(), counters.messages_out.get(), counters.cut_offs.get()), (2, 2, 1));
    let refusals: Vec<_> = counters.refusals().into_iter().map(|(code, count)| (code.0, count)).collect();
    assert_eq!(refusals, [(40009, 1), (40101, 1)]);
    world.publish(&mut client, "c", &["three"]);
    assert_eq!(names(&world.take(reader.link)), ["one", "two"], "nothing goes to who was cut off");
}
