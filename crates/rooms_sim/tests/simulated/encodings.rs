//! Clients of both formats, with and without encryption, on one channel of a real relay's hub and on simulated time.

use std::time::Duration;

use rooms_client::{
    ChannelOptions, CipherKey, CipherParams, ClientOptions, Command, Event, Lifetime, OperationId, PresenceCommand,
};
use rooms_protocol::{Data, Format, Message};
use rooms_sim::{ClientIndex, Direction, Fault, SimNet};
use serde_json::json;

const FORMATS: [Format; 2] = [Format::Json, Format::MsgPack];

fn payloads() -> [Data; 5] {
    let mixed = json!({ "text": "Grüße 🎲", "list": [1, -2.5, null, true], "deep": { "er": {} } });
    ["".into(), "Grüße 🎲".into(), vec![0, 159, 146, 150].into(), vec![].into(), mixed.into()]
}

fn join(net: &mut SimNet, name: &str, format: Format, cipher: Option<&CipherParams>) -> ClientIndex {
    let client = net.add_client(ClientOptions { format, ..SimNet::options(name) });
    net.command(client, Command::Connect);
    let options = ChannelOptions { cipher: cipher.cloned(), ..ChannelOptions::default() };
    net.command(client, Command::Attach { channel: "c".into(), options });
    net.run_for(Duration::from_secs(1));
    net.take_events(client);
    client
}

fn publish(net: &mut SimNet, client: ClientIndex, messages: Vec<Message>) {
    let (operation, lifetime) = (OperationId(1), Lifetime::Durable);
    net.command(client, Command::Publish { operation, channel: "c".into(), messages, lifetime });
    net.run_for(Duration::from_secs(1));
}

fn received(net: &mut SimNet, client: ClientIndex) -> Vec<(Option<Data>, Option<String>)> {
    let frames = net.take_events(client).into_iter().filter_map(|event| match event {
        Event::Messages { messages, .. } => Some(messages),
        _ => None,
    });
    frames.flatten().map(|message| (message.data, message.encoding)).collect()
}

fn keys() -> [Option<CipherParams>; 3] {
    let key = |length: usize| Some(CipherParams::new(CipherKey::from_bytes(&vec![7; length]).unwrap()));
    [None, key(16), key(32)]
}

#[test]
fn every_payload_crosses_between_the_formats_in_the_clear_and_encrypted() {
    for cipher in keys() {
        let mut net = SimNet::new(1);
        let clients = FORMATS.map(|format| join(&mut net, format.name(), format, cipher.as_ref()));
        for publisher in clients {
            publish(&mut net, publisher, payloads().map(|data| Message::new("m", data)).into());
            for client in clients {
                let expected = payloads().map(|data| (Some(data), None));
                assert_eq!(received(&mut net, client), expected, "{cipher:?} from {publisher:?} to {client:?}");
            }
        }
    }
}

#[test]
fn members_know_each_other_across_the_formats_in_the_clear_and_encrypted() {
    for cipher in keys() {
        let mut net = SimNet::new(2);
        let mut clients = vec![];
        for format in FORMATS {
            let client = join(&mut net, format.name(), format, cipher.as_ref());
            let (operation, channel, action) = (OperationId(2), "c".into(), PresenceCommand::Enter);
            let data = Some(json!({ "seat": clients.len() }).into());
            net.command(client, Command::Presence { operation, channel, action, data });
            net.run_for(Duration::from_secs(1));
            clients.push(client);
        }
        for client in clients {
            let seats = net.client(client).members(&"c".into()).map(|member| member.data.clone());
            let mut seats: Vec<String> = seats.map(|data| format!("{data:?}")).collect();
            seats.sort();
            let expected = [0, 1].map(|seat| format!("{:?}", Some(Data::Json(json!({ "seat": seat })))));
            assert_eq!(seats, expected);
        }
    }
}

#[test]
fn without_the_key_a_client_gets_the_encrypted_bytes() {
    let [_, _, key] = keys();
    let mut net = SimNet::new(3);
    let sender = join(&mut net, "sender", Format::Json, key.as_ref());
    let outsiders = FORMATS.map(|format| join(&mut net, format.name(), format, None));
    publish(&mut net, sender, vec![Message::new("m", "secret")]);
    for outsider in outsiders {
        let (data, encoding) = received(&mut net, outsider).remove(0);
        assert!(matches!(data, Some(Data::Binary(bytes)) if bytes.len() == 32));
        assert_eq!(encoding.as_deref(), Some("utf-8/cipher+aes-256-cbc"));
    }
}

#[test]
fn what_was_missed_comes_again_in_the_format_of_the_client() {
    for format in FORMATS {
        let mut net = SimNet::new(4);
        let [lost, sender] = [format, Format::Json].map(|format| join(&mut net, "ada", format, None));
        net.inflict(lost, Fault::Refuse(Duration::from_secs(10)));
        publish(&mut net, sender, vec![Message::new("m", vec![0, 255])]);
        net.run_for(Duration::from_secs(60));
        assert_eq!(received(&mut net, lost), [(Some(vec![0, 255].into()), None)]);
    }
}

#[test]
fn a_frame_cut_short_on_its_way_is_said_again() {
    for format in FORMATS {
        let mut net = SimNet::new(5);
        let [receiver, sender] = [format, Format::Json].map(|format| join(&mut net, "ada", format, None));
        net.inflict(receiver, Fault::Truncate(Direction::Down));
        publish(&mut net, sender, vec![Message::new("m", "x".repeat(100))]);
        net.run_for(Duration::from_secs(60));
        assert_eq!(received(&mut net, receiver), [(Some("x".repeat(100).into()), None)], "{format:?}");
    }
}
