use serde_json::{Value, json};

use super::*;
use crate::Credentials;

fn sandbox() -> World {
    World::with_config(HubConfig { sandbox: true, ..HubConfig::default() })
}

fn description() -> Value {
    json!({
        "limits": {"presence": {"maxMembers": 250}},
        "keys": [{}, {"capability": "{ \"b\":[\"subscribe\", \"publish\"] }"}, {"revocableTokens": true}],
        "namespaces": [{"id": "persisted", "persisted": true}],
        "channels": [{"name": "persisted:fixtures", "presence": [
            {"clientId": "ada", "data": "24"},
            {"clientId": "bob", "data": "{\"a\":1}", "encoding": "json"},
        ]}],
    })
}

fn key_of(app: &Value, index: usize) -> String {
    app["keys"][index]["keyStr"].as_str().unwrap().to_owned()
}

impl World {
    fn create_app(&mut self) -> Value {
        self.hub.create_app(&description(), self.now).unwrap()
    }

    fn connect_to_app(&mut self, key: &str) -> Client {
        let link = self.open_raw(&format!("v=6&key={key}&clientId=eve"));
        let connected = self.take_one(link, Action::Connected);
        let key = connected.connection_details.unwrap().connection_key.unwrap();
        Client { link, id: connected.connection_id.unwrap(), key, serial: 0 }
    }
}

#[test]
fn outside_a_sandbox_nobody_makes_or_deletes_applications() {
    let mut world = World::new();
    let code = |error: ErrorInfo| (error.code.0, error.status_code);
    assert_eq!(world.hub.create_app(&description(), world.now).map_err(code), Err((40400, 404)));
    let key = Credentials::Key(DEVELOPMENT_KEY.to_owned());
    assert_eq!(world.hub.delete_app("rooms", Some(&key), world.now).map_err(code), Err((40400, 404)));
}

#[test]
fn a_suite_gets_the_keys_of_its_application() {
    let mut world = sandbox();
    let app = world.create_app();
    let id = app["appId"].as_str().unwrap();
    assert_eq!((app["keys"].as_array().unwrap().len(), app["namespaces"].as_array().unwrap().len()), (3, 1));
    let key = &app["keys"][1];
    assert_eq!(key["capability"], r#"{"b":["publish","subscribe"]}"#);
    assert_eq!(app["keys"][0]["capability"], r#"{"*":["*"]}"#);
    let name = key["keyName"].as_str().unwrap();
    assert_eq!(name, format!("{id}.{}", key["id"].as_str().unwrap()));
    assert_eq!(key["keyStr"], format!("{name}:{}", key["keySecret"].as_str().unwrap()));
    let mut client = world.connect_to_app(&key_of(&app, 1));
    assert_eq!(world.publish(&mut client, "b", &["a"]).action, Action::Ack);
    assert_eq!(error_code(&world.publish(&mut client, "c", &["a"])), Some(40160));
}

#[test]
fn applications_do_not_see_each_other() {
    let mut world = sandbox();
    let (one, two) = (world.create_app(), world.create_app());
    let listener = world.connect_to_app(&key_of(&one, 0));
    world.attach(&listener, "c");
    let mut speaker = world.connect_to_app(&key_of(&two, 0));
    world.publish(&mut speaker, "c", &["a"]);
    assert!(world.take(listener.link).is_empty());
}

#[test]
fn an_application_begins_with_the_members_that_it_names() {
    let mut world = sandbox();
    let app = world.create_app();
    let client = world.connect_to_app(&key_of(&app, 0));
    let frames = world.attach(&client, "persisted:fixtures");
    assert_eq!(actions(&frames), [Action::Attached, Action::Sync]);
    let members = &frames[1].presence;
    let ids: Vec<_> = members.iter().filter_map(|member| member.client_id.clone()).collect();
    assert_eq!(ids, ["ada".into(), "bob".into()]);
    assert_eq!(members[0].connection_id, members[1].connection_id);
    assert_eq!((members[1].action, members[1].encoding.as_deref()), (PresenceAction::Present, Some("json")));
    world.pass(SECOND * 600);
    assert_eq!(world.hub.stats().members, 2, "they stay, though no client has their connection");
}

#[test]
fn an_application_has_its_own_limit_of_members() {
    let mut world = World::with_config({
        let mut config = HubConfig { sandbox: true, ..HubConfig::default() };
        config.limits.members_per_channel = 1;
        config
    });
    let app = world.create_app();
    let mut own = world.connect_raw_key(&key_of(&app, 0));
    let mut other = world.connect_raw_key(DEVELOPMENT_KEY);
    for index in 0..2 {
        let answer =
            world.presence(&mut own, "c", presence_message(PresenceAction::Enter, &format!("client{index}"), ""));
        assert_eq!(error_code(&answer), None);
    }
    world.presence(&mut other, "c", presence_message(PresenceAction::Enter, "a", ""));
    let answer = world.presence(&mut other, "c", presence_message(PresenceAction::Enter, "b", ""));
    assert_eq!(error_code(&answer), Some(91003));
}

impl World {
    fn connect_raw_key(&mut self, key: &str) -> Client {
        let link = self.open_raw(&format!("v=6&key={key}"));
        let connected = self.take_one(link, Action::Connected);
        let key = connected.connection_details.unwrap().connection_key.unwrap();
        Client { link, id: connected.connection_id.unwrap(), key, serial: 0 }
    }
}

#[test]
fn with_an_application_go_its_connections_and_channels() {
    let mut world = sandbox();
    let before = world.hub.stats();
    let (app, other) = (world.create_app(), world.create_app());
    let id = app["appId"].as_str().unwrap();
    let mut client = world.connect_to_app(&key_of(&app, 0));
    world.attach(&client, "c");
    world.publish(&mut client, "c", &["a"]);
    world.take(client.link);
    let delete = |world: &mut World, key: &str| {
        let key = Credentials::Key(key.to_owned());
        world.hub.delete_app(id, Some(&key), world.now).map_err(|error| error.code.0)
    };
    assert_eq!(delete(&mut world, &key_of(&other, 0)), Err(40160), "not with the key of another");
    assert_eq!(world.hub.delete_app(id, None, world.now).map_err(|error| error.code.0), Err(40106));
    assert_eq!(delete(&mut world, &key_of(&app, 0)), Ok(()));
    world.drain();
    assert_eq!(error_code(&world.take_one(client.link, Action::Error)), Some(40400));
    assert_eq!(world.closed, [client.link]);
    let other_key = Credentials::Key(key_of(&other, 0));
    world.hub.delete_app(other["appId"].as_str().unwrap(), Some(&other_key), world.now).unwrap();
    assert_eq!(world.hub.stats(), before);
    let link = world.open_raw(&format!("key={}", key_of(&app, 0)));
    assert_eq!(error_code(&world.take_one(link, Action::Error)), Some(40101));
}

#[test]
fn an_application_of_the_configuration_is_not_deleted() {
    let mut world = sandbox();
    let key = Credentials::Key(DEVELOPMENT_KEY.to_owned());
    let deleted = world.hub.delete_app("rooms", Some(&key), world.now);
    assert_eq!(deleted.map_err(|error| error.code.0), Err(40400));
}

#[test]
fn descriptions_that_make_no_sense_are_refused_and_leave_nothing() {
    let mut world = sandbox();
    let before = world.hub.stats();
    let many = vec![json!({}); 65];
    let members: Vec<Value> = (0..257).map(|index| json!({"clientId": index.to_string()})).collect();
    for body in [
        json!(null),
        json!([]),
        json!({ "keys": many }),
        json!({"keys": [{"capability": "x"}]}),
        json!({"channels": [{"name": "c", "presence": ["x"]}]}),
        json!({"channels": [{"name": "c", "presence": members}]}),
        json!({"channels": [{"name": ":", "presence": [{"clientId": "ada"}]}]}),
    ] {
        let error = world.hub.create_app(&body, world.now).unwrap_err();
        assert_eq!(error.status_code, 400, "{error}");
    }
    assert_eq!(world.hub.stats(), before);
    assert!(world.hub.create_app(&json!({}), world.now).is_ok(), "everything may be left out");
}

#[test]
fn there_is_an_end_to_applications() {
    let mut world = sandbox();
    let made = (0..2_000).take_while(|_| world.hub.create_app(&json!({}), world.now).is_ok()).count();
    assert_eq!(made, 1_024);
}
