//! Random and mutated frames: nothing panics, nothing grows without bound.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use rooms_protocol::{WireFrame, json};

/// What a stranger may do.
#[derive(Clone, Debug)]
enum Step {
    Open(String),
    Frame(usize, Box<Frame>),
    Text(usize, String),
    Closed(usize),
    Pass(u64),
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["a", "b", "[?rewind=2]a", "[?rewind=1m&modes=subscribe]b", ":", "", "[", "\n"]).prop_map(str::to_owned),
        1 => ".{0,20}",
    ]
}

fn serial() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0_i64..20, 1 => any::<i64>()]
}

prop_compose! {
    fn frame()(
        action in prop_oneof![4 => select(vec![10_i64, 12, 14, 15, 16]), 1 => -1_i64..25],
        channel in option::weighted(0.9, name()),
        channel_serial in option::of(prop_oneof!["[0-9]{14}-[0-9]{3}@x", ".{0,30}"]),
        msg_serial in option::weighted(0.9, serial()),
        flags in option::of(any::<u64>().prop_map(|bits| bits & ((1 << 34) - 1))),
        params in vec((select(vec!["rewind", "modes", "x"]), prop_oneof!["[0-9]{1,20}[sm]?", "[a-z,_]{0,20}"]), 0..3),
        clients in vec(option::of(select(vec!["ada", "bob", "*", ""])), 0..4),
        ids in vec(option::of(prop_oneof!["[ab]:[01]", ".{0,5}"]), 0..4),
        actions in vec(-1_i64..7, 0..4),
    ) -> Frame {
        let mut frame = Frame::new(Action::from(action));
        frame.channel = channel.map(Into::into);
        frame.channel_serial = channel_serial.map(Into::into);
        frame.msg_serial = msg_serial.map(MsgSerial);
        frame.flags = flags.map(Flags::from_bits_retain);
        frame.params = params.into_iter().map(|(name, value)| (name.into(), value)).collect();
        for ((client, id), action) in clients.into_iter().zip(ids).zip(actions) {
            let client_id = client.map(Into::into);
            frame.messages.push(Message { id: id.clone(), client_id, ..Message::new("n", "d") });
            frame.presence.push(PresenceMessage { id, action: action.into(), ..presence_message(PresenceAction::Enter, client.unwrap_or_default(), "d") });
        }
        frame
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => "(clientId=ada|echo=false|heartbeats=true|remainPresentFor=[0-9]{1,20}|heartbeatInterval=[0-9]{1,20}|)"
            .prop_map(Step::Open),
        12 => (0_usize..6, frame()).prop_map(|(link, frame)| Step::Frame(link, Box::new(frame))),
        1 => (0_usize..6, ".{0,40}").prop_map(|(link, text)| Step::Text(link, text)),
        1 => (0_usize..6).prop_map(Step::Closed),
        2 => (0_u64..200).prop_map(Step::Pass),
    ]
}

fn small(limits: &mut Limits) {
    limits.connections = 5;
    limits.channels = 4;
    limits.channels_per_connection = 2;
    limits.members_per_channel = 3;
    limits.replay_frames = 10;
}

proptest! {
    #[test]
    fn whatever_comes_the_hub_stays_whole_and_small(steps in vec(step(), 1..80)) {
        let mut world = World::with_limits(small);
        let mut links = vec![world.open("")];
        for step in steps {
            match step {
                Step::Open(query) => links.push(world.open(&query)),
                Step::Frame(index, frame) => world.send(links[index % links.len()], *frame),
                Step::Text(index, text) => {
                    let link = links[index % links.len()];
                    world.receive(link, WireFrame::Text(text));
                }
                Step::Closed(index) => world.close(links[index % links.len()]),
                Step::Pass(seconds) => world.pass(Duration::from_secs(seconds)),
            }
            let stats = world.hub.stats();
            prop_assert!(stats.connections <= 5 && stats.links <= stats.connections);
            prop_assert!(stats.channels <= 4 && stats.members <= 12);
            prop_assert!(stats.messages <= 4 * 10 * 4);
        }
        for link in links {
            world.close(link);
        }
        world.pass(Duration::from_secs(600));
        prop_assert_eq!(world.hub.stats(), HubStats::default());
        prop_assert_eq!(world.hub.poll_timeout(), None);
        prop_assert!(world.hub.links.len() == 0 && world.hub.stats().message_bytes == 0);
    }

    #[test]
    fn a_frame_that_was_cut_or_changed_on_the_way_does_no_harm(
        frame in frame(), at in any::<prop::sample::Index>(), byte in any::<Option<u8>>(),
    ) {
        let mut world = World::new();
        let client = world.connect("");
        let mut bytes = json::encode(frame).into_bytes();
        let at = at.index(bytes.len());
        match byte {
            Some(byte) => bytes[at] = byte,
            None => bytes.truncate(at),
        }
        world.receive(client.link, WireFrame::Text(String::from_utf8_lossy(&bytes).into_owned()));
        world.connect(&client.resume_query());
    }
}
