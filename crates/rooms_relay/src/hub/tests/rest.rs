//! The hub's answers over HTTP.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{CloudPlan, RestRequest, RestResponse};
use rooms_protocol::msgpack;

const JSON: &str = "application/json";
const MSGPACK: &str = "application/x-msgpack";

impl World {
    pub(super) fn ask(&mut self, method: &str, target: &str, body: impl Into<Vec<u8>>) -> RestResponse {
        self.ask_with(method, target, &[("content-type", JSON)], body)
    }

    /// Asks with the development key.
    fn ask_with(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> RestResponse {
        let basic = format!("Basic {}", STANDARD.encode(DEVELOPMENT_KEY));
        let headers = [&[("authorization", basic.as_str())], headers].concat();
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = RestRequest { method: method.to_owned(), target: target.to_owned(), headers, body: body.into() };
        let response = self.hub.rest(&request, self.now);
        self.drain();
        response
    }

    /// Reads a list, and the path of its next page.
    #[track_caller]
    pub(super) fn list(&mut self, target: &str) -> (Vec<Value>, Option<String>) {
        let response = self.ask("GET", target, "");
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        let links = response.list("link");
        let next = links.split(", ").find(|link| link.ends_with("rel=\"next\"")).map(|link| {
            let (query, _) = link.split_once('?').unwrap().1.split_once('>').unwrap();
            format!("{}?{query}", target.split('?').next().unwrap())
        });
        (serde_json::from_slice(&response.body).unwrap(), next)
    }
}

fn read(response: &RestResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn code(response: &RestResponse) -> Value {
    read(response)["error"]["code"].clone()
}

fn fields<'a>(items: &'a [Value], field: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[field].as_str().unwrap_or_default()).collect()
}

#[test]
fn everybody_can_read_the_time_in_both_formats() {
    let mut world = World::new();
    let request = RestRequest { method: "GET".to_owned(), target: "/time".to_owned(), ..RestRequest::default() };
    assert_eq!(read(&world.hub.rest(&request, world.now)), json!([WALL.0]));
    let response = world.ask_with("GET", "/time", &[("accept", MSGPACK)], "");
    assert_eq!(msgpack::from_slice::<Vec<i64>>(&response.body).unwrap(), [WALL.0]);
}

#[test]
fn what_is_published_over_http_reaches_subscribers_and_history() {
    let mut world = World::new();
    let client = world.connect("");
    world.attach(&client, "a/b");
    let body = r#"[{"name":"one","data":"x"},{"name":"two","data":{"k":1},"clientId":"ada"}]"#;
    let response = world.ask("POST", "/channels/a%2Fb/messages", body);
    assert_eq!(response.status, 201);
    let result = read(&response);
    assert_eq!((&result["channel"], result["serials"].as_array().map(Vec::len)), (&json!("a/b"), Some(2)));
    let frame = world.take_one(client.link, Action::Message);
    assert_eq!(names(std::slice::from_ref(&frame)), ["one", "two"]);
    assert_eq!(frame.connection_id, None);
    let (items, next) = world.list("/channels/a%2Fb/messages");
    assert_eq!((fields(&items, "name"), next), (vec!["two", "one"], None));
    assert_eq!((&items[0]["data"], &items[0]["encoding"]), (&json!(r#"{"k":1}"#), &json!("json")));
    assert_eq!((&items[0]["clientId"], &items[0]["timestamp"]), (&json!("ada"), &json!(WALL.0)));
    assert_eq!(items[1]["id"], format!("{}:0", result["messageId"].as_str().unwrap()));
    assert_eq!(items[1]["serial"], result["serials"][0]);
}

#[test]
fn what_is_published_over_http_goes_to_subscribers_alone() {
    let mut world = World::new();
    let (eve, bob) = (world.connect(""), world.connect(""));
    let only = |flags| move |frame: &mut Frame| frame.flags = Some(flags);
    world.attach_with(&eve, "c", only(Flags::PUBLISH));
    world.attach_with(&bob, "c", only(Flags::SUBSCRIBE));
    assert_eq!(world.ask("POST", "/channels/c/messages", r#"{"name":"a"}"#).status, 201);
    assert_eq!((names(&world.take(eve.link)), names(&world.take(bob.link))), (vec![], vec!["a"]));
    let rewound = |frame: &mut Frame| {
        frame.flags = Some(Flags::PUBLISH);
        frame.params = [("rewind".into(), "10".into())].into();
    };
    world.send(eve.link, Frame::for_channel(Action::Detach, "c".into()));
    world.take(eve.link);
    assert_eq!(world.attach_with(&eve, "c", rewound).len(), 1, "nothing that was published before");
}

#[test]
fn a_relay_that_is_being_stopped_takes_nothing_more() {
    let mut world = World::new();
    world.hub.shut_down(world.now);
    let answer = world.ask("POST", "/channels/c/messages", r#"{"name":"a"}"#);
    assert_eq!((answer.status, code(&answer)), (503, json!(80003)));
}

#[test]
fn a_publish_with_the_same_ids_again_succeeds_and_is_not_delivered_again() {
    let mut world = World::new();
    let publish = |world: &mut World| read(&world.ask("POST", "/channels/c/messages", r#"{"id":"own:0","name":"a"}"#));
    let serials = publish(&mut world)["serials"].clone();
    assert_eq!(publish(&mut world)["serials"], serials);
    assert_eq!(world.list("/channels/c/messages").0.len(), 1);
}

#[test]
fn bad_publishes_are_refused_with_their_codes() {
    let mut world = World::with_limits(|limits| limits.max_message_size = 10);
    let mut refused = |target: &str, body: &str| {
        let response = world.ask("POST", target, body);
        assert_eq!(response.header("x-ably-errorcode").map(str::to_owned), Some(code(&response).to_string()));
        (response.status, code(&response))
    };
    assert_eq!(refused("/channels/c/messages", "{"), (400, json!(40001)));
    assert_eq!(refused("/channels/c/messages", r#"{"data":"01234567890"}"#), (400, json!(40009)));
    assert_eq!(refused("/channels/%3Ac/messages", "{}"), (400, json!(40010)));
    assert_eq!(refused("/channels//messages", "{}"), (400, json!(40010)));
    assert_eq!(refused("/channels/c/messages", r#"[{"id":"a:0"},{"id":"b:1"}]"#), (400, json!(40031)));
    assert_eq!(refused("/channels/c/messages", r#"{"connectionKey":"no!key"}"#), (400, json!(40006)));
    assert_eq!(refused("/channels/c/messages?_forceNack=true", "{}"), (400, json!(40099)));
    assert_eq!(refused("/nowhere", "{}"), (404, json!(40400)));
    let ada = [("x-ably-clientid", "YWRh"), ("content-type", JSON)];
    let response = world.ask_with("POST", "/channels/c/messages", &ada, r#"{"clientId":"bob"}"#);
    assert_eq!((response.status, code(&response)), (400, json!(40012)));
}

#[test]
fn without_or_with_wrong_credentials_nothing_is_answered() {
    let mut world = World::new();
    let mut ask = |authorization: Option<&str>| {
        let mut request =
            RestRequest { method: "GET".to_owned(), target: "/channels/c".to_owned(), ..Default::default() };
        request.headers.extend(authorization.map(|value| ("authorization".to_owned(), value.to_owned())));
        let response = world.hub.rest(&request, world.now);
        (response.status, code(&response))
    };
    assert_eq!(ask(None).0, 401);
    let wrong = format!("Basic {}", STANDARD.encode("rooms.dev:wrong"));
    assert_eq!(ask(Some(&wrong)), (401, json!(40101)));
    let unknown = format!("Basic {}", STANDARD.encode("rooms.none:wrong"));
    assert_eq!(ask(Some(&unknown)), (401, json!(40400)));
}

#[test]
fn a_message_on_behalf_of_a_connection_comes_from_it_without_its_key() {
    let mut world = World::new();
    let (ada, bob) = (world.connect("clientId=ada"), world.connect(""));
    world.attach(&bob, "c");
    let body = json!({ "name": "a", "connectionKey": ada.key.as_str() }).to_string();
    assert_eq!(world.ask("POST", "/channels/c/messages", body).status, 201);
    let frame = world.take_one(bob.link, Action::Message);
    assert_eq!(frame.connection_id, Some(ada.id));
    assert_eq!((&frame.messages[0].client_id, &frame.messages[0].connection_key), (&Some("ada".into()), &None));
}

#[test]
fn bytes_published_in_messagepack_are_base64_in_json() {
    let mut world = World::new();
    let message = Message::new("a", Data::Binary(vec![0, 255]));
    let headers = [("content-type", MSGPACK)];
    assert_eq!(world.ask_with("POST", "/channels/c/messages", &headers, msgpack::to_vec(&message)).status, 201);
    let (items, _) = world.list("/channels/c/messages");
    assert_eq!((&items[0]["data"], &items[0]["encoding"]), (&json!("AP8="), &json!("base64")));
    let response = world.ask_with("GET", "/channels/c/messages", &[("accept", MSGPACK)], "");
    let items: Vec<Message> = msgpack::from_slice(&response.body).unwrap();
    assert_eq!((&items[0].data, &items[0].encoding), (&Some(Data::Binary(vec![0, 255])), &None));
}

#[test]
fn history_comes_in_pages_in_both_directions_and_each_message_once() {
    let mut world = World::new();
    let mut client = world.connect("");
    world.publish(&mut client, "c", &["a", "b", "c"]);
    world.publish(&mut client, "c", &["d", "e"]);
    for (direction, expected) in [("forwards", "abcde"), ("backwards", "edcba")] {
        let (mut seen, mut pages) = (String::new(), 0);
        let mut target = Some(format!("/channels/c/messages?limit=2&direction={direction}"));
        while let Some(page) = target {
            let (items, next) = world.list(&page);
            seen.extend(fields(&items, "name"));
            pages += 1;
            target = next;
        }
        assert_eq!((seen.as_str(), pages), (expected, 3), "{direction}");
    }
}

#[test]
fn history_is_bounded_by_times_and_by_a_serial() {
    let mut world = World::new();
    let mut client = world.connect("");
    let mut serials = Vec::new();
    for name in ["a", "b", "c"] {
        world.publish(&mut client, "c", &[name]);
        world.take(client.link);
        let attached = world.attach(&client, "c").remove(0);
        serials.push(attached.channel_serial.unwrap().as_str().replace('@', "%40"));
        world.pass(SECOND);
    }
    let mut names = |query: &str| {
        let (items, _) = world.list(&format!("/channels/c/messages?{query}"));
        assert_eq!(world.list(&format!("/channels/c/history?{query}")).0, items, "the same under its other name");
        fields(&items, "name").concat()
    };
    assert_eq!(names(&format!("start={}&end={}", WALL.0 + 1000, WALL.0 + 1999)), "b");
    assert_eq!(names(&format!("start={}", WALL.0 + 1000)), "cb");
    for name in ["from_serial", "fromSerial"] {
        assert_eq!(names(&format!("{name}={}", serials[1])), "ba");
    }
    let response = world.ask("GET", "/channels/c/messages?from_serial=x", "");
    assert_eq!((response.status, code(&response)), (400, json!(40003)));
}

#[test]
fn history_is_kept_for_two_minutes() {
    let mut world = World::new();
    let mut client = world.connect("clientId=ada");
    world.publish(&mut client, "c", &["a"]);
    world.presence(&mut client, "c", presence_message(PresenceAction::Enter, "", "here"));
    world.pass(SECOND * 119);
    assert_eq!(world.list("/channels/c/messages").0.len(), 1);
    world.pass(SECOND * 2);
    assert_eq!(world.list("/channels/c/messages").0.len(), 0);
    assert_eq!(world.list("/channels/c/presence/history?direction=forwards").0.len(), 1, "the leave is younger");
}

#[test]
fn members_and_their_presence_messages_can_be_read() {
    let mut world = World::new();
    let (mut ada, mut bob) = (world.connect("clientId=ada"), world.connect("clientId=bob"));
    world.attach(&ada, "c");
    world.presence(&mut ada, "c", presence_message(PresenceAction::Enter, "", "first"));
    world.presence(&mut ada, "c", presence_message(PresenceAction::Update, "", "second"));
    world.attach(&bob, "c");
    world.presence(&mut bob, "c", presence_message(PresenceAction::Enter, "", "hello"));
    let (page, next) = world.list("/channels/c/presence?limit=1");
    let (rest, end) = world.list(&next.unwrap());
    let mut data = fields(&[page, rest].concat(), "data").iter().map(|data| (*data).to_owned()).collect::<Vec<_>>();
    data.sort();
    assert_eq!((data, end), (vec!["hello".to_owned(), "second".to_owned()], None));
    let (items, _) = world.list("/channels/c/presence?clientId=bob");
    assert_eq!((fields(&items, "clientId"), &items[0]["action"]), (vec!["bob"], &json!(1)));
    assert_eq!(world.list(&format!("/channels/c/presence?connectionId={}", ada.id)).0.len(), 1);
    let (items, next) = world.list("/channels/c/presence/history?limit=2&direction=forwards");
    assert_eq!(fields(&items, "data"), ["first", "second"]);
    assert_eq!(fields(&world.list(&next.unwrap()).0, "data"), ["hello"]);
}

#[test]
fn an_app_sees_which_channels_there_are_and_how_many_use_them() {
    let mut world = World::new();
    let client = world.connect("");
    for channel in ["a:1", "a:2", "b"] {
        world.attach(&client, channel);
    }
    let (names, next) = world.list("/channels?prefix=a&limit=1");
    assert_eq!((&names, world.list(&next.unwrap()).0), (&vec![json!("a:1")], vec![json!("a:2")]));
    let details = read(&world.ask("GET", "/channels/b", ""));
    assert_eq!(details["status"]["isActive"], true);
    assert_eq!(details["status"]["occupancy"]["metrics"]["subscribers"], 1);
    assert_eq!(read(&world.ask("GET", "/channels/nobody", ""))["status"]["isActive"], false);
}

#[test]
fn apps_are_made_in_the_sandbox_only() {
    let mut world = World::new();
    for (method, target) in [("POST", "/apps"), ("DELETE", "/apps/x"), ("POST", "/stats")] {
        assert_eq!(world.ask(method, target, "{}").status, 404, "{method} {target}");
    }
}

#[test]
fn what_a_connection_and_a_channel_carry_is_bounded_as_in_the_cloud() {
    let mut world = World::with_limits(|limits| *limits = Limits::of_plan(CloudPlan::Free));
    let mut client = world.connect("");
    for _ in 0..50 {
        assert_eq!(world.publish(&mut client, "c", &["a"]).action, Action::Ack);
    }
    assert_eq!(error_code(&world.publish(&mut client, "c", &["a"])), Some(42911));
    let response = world.ask("POST", "/channels/c/messages", "{}");
    assert_eq!((response.status, code(&response)), (429, json!(42913)));
    world.pass(SECOND);
    let large = Data::Text("x".repeat(60_000));
    for _ in 0..17 {
        let answer = world.publish_messages(&mut client, "d", vec![Message::new("", large.clone())]);
        assert_eq!(answer.action, Action::Ack);
    }
    let answer = world.publish_messages(&mut client, "d", vec![Message::new("", large)]);
    assert_eq!(error_code(&answer), Some(42914));
}

#[test]
fn requests_are_answered_at_the_rate_that_they_may_come() {
    let mut world = World::with_limits(|limits| limits.request_rate = Some(1));
    assert_eq!(world.ask("GET", "/time", "").status, 200);
    let refused = world.ask("GET", "/time", "");
    assert_eq!((refused.status, refused.header("x-ably-errorcode")), (429, Some("42918")));
    world.pass(SECOND);
    assert_eq!(world.ask("GET", "/time", "").status, 200);
}

#[test]
fn tokens_are_given_at_the_rate_that_they_may_be_asked_for() {
    let mut config = HubConfig { token_endpoint: Some(crate::TokenEndpoint::new("rooms.dev")), ..HubConfig::default() };
    config.limits.token_rate = Some(2);
    let mut world = World::with_config(config);
    let (keys, game) = (("POST", "/keys/rooms.dev/requestToken", "{}"), ("GET", "/token?room=den&player=ada", ""));
    for ((method, target, body), status) in [(keys, 201), (game, 200), (game, 429), (keys, 429)] {
        assert_eq!(world.ask(method, target, body).status, status, "{target}");
    }
    let refused = world.ask("GET", game.1, "");
    assert_eq!(refused.header("x-ably-errorcode"), Some("42918"));
    assert_eq!(world.ask("GET", "/time", "").status, 200, "other requests are not tokens");
    world.pass(SECOND);
    assert_eq!(world.ask("GET", game.1, "").status, 200);
}

#[test]
fn the_player_of_a_game_token_may_come_as_client_id_but_not_as_two() {
    let token_endpoint = Some(crate::TokenEndpoint::new("rooms.dev"));
    let mut world = World::with_config(HubConfig { token_endpoint, ..HubConfig::default() });
    for (query, status) in [
        ("room=den&player=ada", 200),
        ("room=den&clientId=ada", 200),
        ("room=den&player=ada&clientId=ada", 200),
        ("room=den&player=ada&clientId=bob", 400),
        ("room=den", 400),
        ("player=ada", 400),
    ] {
        assert_eq!(world.ask("GET", &format!("/token?{query}"), "").status, status, "{query}");
    }
}

#[test]
fn a_body_is_not_looked_at_before_the_credentials() {
    let mut world = World::new();
    let mut code_of = |target: &str| {
        let wrong = format!("Basic {}", STANDARD.encode("rooms.dev:wrong"));
        let request = RestRequest {
            method: "POST".to_owned(),
            target: target.to_owned(),
            headers: vec![("authorization".to_owned(), wrong)],
            body: b"{ this is no JSON".to_vec(),
        };
        code(&world.hub.rest(&request, world.now))
    };
    assert_eq!(code_of("/channels/c/messages"), 40101);
    assert_eq!(code_of("/keys/rooms.dev/revokeTokens"), 40101);
    assert_eq!(code_of("/keys/other.dev/requestToken"), 40400, "there is no such key");
}

#[test]
fn many_empty_messages_are_counted_before_they_are_built() {
    let mut world = World::new();
    let body = format!("[{}{{}}]", "{},".repeat(1_000));
    let response = world.ask("POST", "/channels/c/messages", body);
    assert_eq!((response.status, code(&response)), (400, json!(40034)));
    let packed = msgpack::to_vec(&vec![Message::default(); 1_001]);
    let headers = [("content-type", MSGPACK)];
    let response = world.ask_with("POST", "/channels/c/messages", &headers, packed);
    assert_eq!(code(&response), 40034);
}

#[test]
fn a_page_ends_where_it_is_large_and_the_next_one_goes_on() {
    const SIZE: usize = 60_000;
    const COUNT: usize = 60;
    let mut world = World::with_limits(|limits| limits.replay_bytes = 64 * 1024 * 1024);
    let mut client = world.connect("");
    world.attach(&client, "c");
    let data = "x".repeat(SIZE);
    for number in 0..COUNT {
        let member = presence_message(PresenceAction::Enter, &format!("client{number:03}"), &data);
        assert_eq!(world.presence(&mut client, "c", member).action, Action::Ack);
        let message = Message::new(format!("{number:03}"), data.as_str());
        assert_eq!(world.publish_messages(&mut client, "c", vec![message]).action, Action::Ack);
    }
    for (list, field) in [("presence", "clientId"), ("messages", "name"), ("presence/history", "clientId")] {
        let mut next = Some(format!("/channels/c/{list}?limit=1000&direction=forwards"));
        let (mut seen, mut pages) = (Vec::new(), 0);
        while let Some(page) = next {
            let (items, following) = world.list(&page);
            assert!(items.len() * SIZE < 1_200_000, "{list}: {} items", items.len());
            seen.extend(fields(&items, field).iter().map(|text| (*text).to_owned()));
            (next, pages) = (following, pages + 1);
        }
        assert!(pages >= 3 && seen.is_sorted(), "{list}");
        assert_eq!(seen.len(), COUNT, "{list}");
    }
}

#[test]
fn where_memory_is_short_a_large_answer_is_refused() {
    let mut world = World::with_limits(|limits| limits.memory = Some(2 * 1024 * 1024));
    let mut client = world.connect("");
    for number in 0..8 {
        let member = presence_message(PresenceAction::Enter, &format!("client{number}"), &"x".repeat(60_000));
        world.presence(&mut client, "c", member);
    }
    let response = world.ask("GET", "/channels/c/presence", "");
    assert_eq!((response.status, code(&response)), (429, json!(42910)));
    assert_eq!(world.list("/channels/c/presence?limit=1").0.len(), 1);
}

#[test]
fn a_list_of_channels_looks_at_a_few_at_a_time() {
    let capability: serde_json::Map<String, Value> = (0..200)
        .map(|number| (format!("none{number}"), json!(["*"])))
        .chain([("z:*".to_owned(), json!(["*"]))])
        .collect();
    let narrow = format!("app.narrow:s={}", Value::Object(capability));
    let keys = vec!["app.all:s".parse().unwrap(), narrow.parse().unwrap(), "other.all:s".parse().unwrap()];
    let mut world = World::with_config(HubConfig { keys, ..HubConfig::default() });
    let link = world.open_raw("v=6&key=app.all:s");
    let connected = world.take_one(link, Action::Connected);
    let details = connected.connection_details.unwrap();
    let client = Client { link, id: connected.connection_id.unwrap(), key: details.connection_key.unwrap(), serial: 0 };
    for number in 0..100 {
        world.attach(&client, &format!("a:{number}"));
    }
    world.attach(&client, "z:1");
    let mut list = |target: &str, key: &str| {
        let basic = format!("Basic {}", STANDARD.encode(key));
        let headers = vec![("authorization".to_owned(), basic)];
        let request =
            RestRequest { method: "GET".to_owned(), target: target.to_owned(), headers, ..RestRequest::default() };
        let response = world.hub.rest(&request, world.now);
        let next = response.list("link").split(", ").find(|link| link.ends_with("rel=\"next\"")).map(|link| {
            format!("/channels{}", link.split(['<', '>']).nth(1).unwrap().trim_start_matches("./channels"))
        });
        (read(&response).as_array().unwrap().clone(), next)
    };
    let (mut target, mut names, mut pages) = (Some("/channels".to_owned()), Vec::new(), 0);
    while let Some(page) = target {
        let (found, next) = list(&page, "app.narrow:s");
        names.extend(found);
        (target, pages) = (next, pages + 1);
    }
    assert_eq!(names, [json!("z:1")]);
    assert!(pages > 3, "{pages} pages");
    assert_eq!(list("/channels?limit=1000", "app.all:s").0.len(), 101);
    assert_eq!(list("/channels?prefix=a:9&limit=1000", "app.all:s").0.len(), 11);
    assert_eq!(list("/channels", "other.all:s"), (Vec::new(), None));
}

#[test]
fn strangers_take_no_tokens_from_those_who_have_a_key() {
    let token_endpoint = Some(crate::TokenEndpoint::new("rooms.dev"));
    let mut config = HubConfig { token_endpoint, ..HubConfig::default() };
    config.limits.token_rate = Some(2);
    config.limits.request_rate = Some(10);
    let mut world = World::with_config(config);
    let mut stranger = |method: &str, target: &str, body: &str| {
        let (method, target) = (method.to_owned(), target.to_owned());
        let request = RestRequest { method, target, headers: Vec::new(), body: body.as_bytes().to_vec() };
        world.hub.rest(&request, world.now).status
    };
    for _ in 0..100 {
        assert_eq!(stranger("POST", "/keys/rooms.dev/requestToken", r#"{"mac":"AAAA"}"#), 401);
        assert_eq!(stranger("POST", "/channels/c/messages", "{}"), 401);
    }
    let games = [(); 3].map(|()| stranger("GET", "/token?room=den&player=ada", ""));
    assert_eq!(games, [200, 200, 429], "their own rate");
    for expected in [201, 201, 429] {
        assert_eq!(world.ask("POST", "/keys/rooms.dev/requestToken", "{}").status, expected);
    }
    assert_eq!(world.ask("POST", "/channels/c/messages", "{}").status, 201);
}

#[test]
fn a_form_is_published_as_a_message_of_text() {
    let mut world = World::new();
    let client = world.connect("");
    world.attach(&client, "c");
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    let publish = |world: &mut World, body: &str| world.ask_with("POST", "/channels/c/messages", &[FORM], body);
    let body = "name=shout&data=%7B%22k%22%3A1%7D+%C3%A9&clientId=ada&id=own&extras=%7B%22headers%22%3A%7B%22a%22%3A1%7D%7D&x=y";
    assert_eq!(publish(&mut world, body).status, 201);
    let frame = world.take_one(client.link, Action::Message);
    let [message] = &frame.messages[..] else { panic!("{frame:?}") };
    assert_eq!(message.data, Some("{\"k\":1} é".into()));
    assert_eq!((message.id.as_deref(), message.client_id.as_ref()), (Some("own"), Some(&"ada".into())));
    assert_eq!(message.extras.as_ref().unwrap().as_str(), r#"{"headers":{"a":1}}"#);
    assert_eq!(publish(&mut world, "data=aGk%3D&encoding=base64").status, 201);
    let frame = world.take_one(client.link, Action::Message);
    assert_eq!(frame.messages[0].data, Some(rooms_protocol::Data::Binary(b"hi".to_vec())));
    assert_eq!(publish(&mut world, r#"[{"name":"one"},{"name":"two"}]"#).status, 201, "JSON whatever curl calls it");
    assert_eq!(names(&world.take(client.link)), ["one", "two"]);
    let brief = world.ask_with("POST", "/channels/c/messages?ephemeral=true", &[FORM], "data=brief&extras=");
    assert_eq!(brief.status, 201);
    let frame = world.take_one(client.link, Action::Message);
    assert_eq!(frame.messages[0].extras.as_ref().unwrap().as_str(), r#"{"ephemeral":true}"#);
    for body in ["extras=x", "extras=%5B1%5D"] {
        let refused = publish(&mut world, body);
        assert_eq!((refused.status, code(&refused)), (400, json!(40001)), "{body}");
    }
}

#[test]
fn what_can_be_read_has_a_head() {
    let mut world = World::new();
    assert_eq!(world.ask("POST", "/channels/c/messages", r#"{"name":"a"}"#).status, 201);
    for target in ["/time", "/channels", "/channels/c", "/channels/c/messages", "/channels/c/history", "/stats"] {
        let (head, get) = (world.ask("HEAD", target, ""), world.ask("GET", target, ""));
        assert_eq!((head.status, head.headers), (200, get.headers), "{target}");
    }
    assert_eq!(world.ask("HEAD", "/nothing", "").status, 404);
}

#[test]
fn statistics_are_an_empty_list_of_whatever_unit() {
    let mut world = World::new();
    assert_eq!(world.list("/stats"), (Vec::new(), None));
    assert_eq!(world.list("/stats?unit=hour&start=1&end=2&limit=10&direction=forwards"), (Vec::new(), None));
    for query in ["unit=year", "start=x", "limit=0", "direction=up"] {
        assert_eq!(code(&world.ask("GET", &format!("/stats?{query}"), "")), json!(40003), "{query}");
    }
}

#[test]
fn each_link_of_a_page_is_a_header_of_its_own() {
    let mut world = World::new();
    let body = r#"[{"name":"a"},{"name":"b"}]"#;
    assert_eq!(world.ask("POST", "/channels/c/messages", body).status, 201);
    let response = world.ask("GET", "/channels/c/history?limit=1", "");
    let links = response.headers.iter().filter(|(name, _)| *name == "link").map(|(_, value)| value.as_str());
    let relations: Vec<_> = links.map(|link| link.rsplit_once("; ").unwrap().1).collect();
    assert_eq!(relations, [r#"rel="first""#, r#"rel="current""#, r#"rel="next""#]);
}

#[test]
fn who_tries_comet_is_told_which_option_to_set() {
    let mut world = World::new();
    let query = format!("key={DEVELOPMENT_KEY}&v=1.2&stream=false");
    let target = format!("/comet/connect?{query}");
    let request = RestRequest { method: "GET".to_owned(), target, ..RestRequest::default() };
    let answer = world.hub.rest(&request, world.now);
    assert_eq!((answer.status, code(&answer)), (404, json!(40400)));
    let told = read(&answer)["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.contains("transports: ['web_socket']"), "{told}");
}
