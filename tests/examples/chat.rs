//! The chat: everybody sees the same.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::{
    program::{Program, of_kind},
    relay::Relay,
};

/// What a script does with `curl -u KEY -d BODY`.
fn publish(relay: &Relay, channel: &str, body: &Value) {
    // The development key in base64.
    const KEY: &str = "cm9vbXMuZGV2Omluc2VjdXJlLWRldmVsb3BtZW50LWtleQ==";
    let (address, body) = (&relay.address, body.to_string());
    let mut socket = TcpStream::connect(address).expect("the relay listens");
    write!(
        socket,
        "POST /channels/{channel}/messages HTTP/1.1\r\nhost: {address}\r\nauthorization: Basic {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("the relay reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("the relay answers");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

fn enter(relay: &Relay, name: &str, all: &[&str]) -> Program {
    let mut program = Program::start("chat", &relay.url, &["--name", name, "--room", "den"]);
    is_here(&mut program, all);
    program
}

/// Waits until these are here, in whatever order.
fn is_here(program: &mut Program, all: &[&str]) {
    program.wait_for("list of all", |event| {
        let names = event["names"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>());
        names.is_some_and(|mut names| {
            names.sort_unstable();
            names == all
        })
    });
}

/// What was said, with who said it, when and where on the channel.
fn transcript(events: &[Value]) -> Vec<[&Value; 4]> {
    of_kind(events, "said").map(|said| [&said["name"], &said["text"], &said["at"], &said["serial"]]).collect()
}

#[test]
fn three_people_and_a_script_see_one_transcript_and_a_newcomer_the_last_of_it() {
    let relay = Relay::start();
    let mut ada = enter(&relay, "Ada", &["Ada"]);
    let mut ben = enter(&relay, "Ben", &["Ada", "Ben"]);
    let mut cy = enter(&relay, "Cy", &["Ada", "Ben", "Cy"]);
    is_here(&mut ada, &["Ada", "Ben", "Cy"]);
    is_here(&mut ben, &["Ada", "Ben", "Cy"]);
    for round in 0..5 {
        for (name, program) in [("Ada", &mut ada), ("Ben", &mut ben), ("Cy", &mut cy)] {
            program.say(&format!("{round} from {name}"));
        }
        let notice = json!({ "name": "Said", "data": { "name": "Builds", "text": format!("{round} is green") } });
        publish(&relay, "chat:den", &notice);
    }
    for program in [&mut ada, &mut ben, &mut cy] {
        program.wait_until("transcript", |told| transcript(told).len() == 20);
    }
    let seen = transcript(&ada.told);
    assert_eq!(transcript(&ben.told), seen);
    assert_eq!(transcript(&cy.told), seen);
    for name in ["Ada", "Ben", "Cy", "Builds"] {
        let said: Vec<_> = seen.iter().filter(|said| said[0] == name).map(|said| said[1].as_str()).collect();
        assert_eq!(said.len(), 5, "{name}");
        assert!(said.is_sorted(), "what one says stays in order: {said:?}");
    }

    let many: Vec<_> = (0..60)
        .map(|number| json!({ "name": "Said", "data": { "name": "Bot", "text": format!("{number}") } }))
        .collect();
    publish(&relay, "chat:den", &Value::Array(many));
    ada.wait_until("longer transcript", |told| transcript(told).len() == 80);
    let mut di = enter(&relay, "Di", &["Ada", "Ben", "Cy", "Di"]);
    di.wait_until("rewind", |told| transcript(told).len() == 50);
    assert_eq!(transcript(&di.told), transcript(&ada.told)[30..], "the last 50");
}

#[test]
fn others_see_who_types_until_it_is_said_or_given_up_and_who_comes_and_goes() {
    let relay = Relay::start();
    let mut ada = enter(&relay, "Ada", &["Ada"]);
    let mut ben = enter(&relay, "Ben", &["Ada", "Ben"]);
    ada.wait_for("newcomer", |event| event["event"] == "joined" && event["name"] == "Ben");
    let types = |event: &Value| event["typing"] == json!(["Ada"]);
    let nobody_types = |told: &[Value]| of_kind(told, "here").last().is_some_and(|here| here["typing"] == json!([]));
    ada.say("/typing");
    ben.wait_for("typing", types);
    ben.wait_until("end of it after a while", nobody_types);
    ada.say("/typing");
    ben.wait_for("typing", types);
    ada.say("hello");
    ben.wait_until("message and end of typing", |told| {
        of_kind(told, "said").any(|said| said["text"] == "hello") && nobody_types(told)
    });
    ada.say("/quit");
    ada.finish();
    ben.wait_for("goodbye", |event| event["event"] == "left" && event["name"] == "Ada");
    is_here(&mut ben, &["Ben"]);
}
