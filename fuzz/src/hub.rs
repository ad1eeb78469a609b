//! The relay's hub: strangers who connect, send anything, ask over HTTP, and go.

use std::time::Duration;

use rooms_protocol::{Format, WireFrame, msgpack};
use rooms_relay::{ConnectRequest, Hub, HubConfig, HubStats, LinkId, Output, RestRequest, TokenEndpoint};
use serde_json::Value;
use web_time::Instant;

use crate::{WALL, lines};

/// Long enough for everything to end that ends by itself.
const LONG: Duration = Duration::from_secs(3600);

struct World {
    hub: Hub,
    now: Instant,
    links: Vec<LinkId>,
    closed: Vec<LinkId>,
}

/// A course of events at the hub:
///
/// * `open QUERY`: somebody connects; the links are numbered from 0
/// * `json LINK TEXT`, `msgpack LINK JSON`: something comes, in either format
/// * `get TARGET`, `post TARGET JSON`, `pack TARGET JSON`, `delete TARGET`: a request over HTTP
/// * `close LINK`, `wait MILLISECONDS`
pub fn hub(data: &[u8]) {
    let Some(lines) = lines(data) else { return };
    let mut config = HubConfig::default();
    config.limits.connections = 5;
    config.limits.channels = 8;
    config.limits.channels_per_connection = 4;
    config.limits.members_per_channel = 5;
    config.limits.replay_frames = 16;
    config.token_endpoint = Some(TokenEndpoint::new("rooms.dev"));
    let limits = config.limits.clone();
    let now = Instant::now();
    let hub = Hub::new(config, [7; 32], now, WALL);
    let mut world = World { hub, now, links: Vec::new(), closed: Vec::new() };
    for (word, rest) in lines {
        world.step(word, rest);
        let stats = world.hub.stats();
        assert!(stats.connections <= limits.connections && stats.links <= stats.connections);
        assert!(stats.channels <= limits.channels);
        assert!(stats.members <= limits.channels * limits.members_per_channel);
        assert!(stats.message_bytes <= limits.replay_bytes_total);
    }
    for link in world.links.clone() {
        world.hub.handle_closed(link, world.now);
        world.drain();
    }
    world.wait(LONG);
    assert_eq!(world.hub.stats(), HubStats::default(), "nothing is left when all are gone");
    assert_eq!(world.hub.poll_timeout(), None);
}

impl World {
    fn step(&mut self, word: &str, rest: &str) {
        let (first, more) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "open" => {
                let link = self.hub.open(&ConnectRequest::from_query(rest), self.now);
                self.links.push(link);
            }
            "json" => self.receive(first, WireFrame::Text(more.to_owned())),
            "msgpack" => self.receive(first, WireFrame::Binary(packed(more))),
            "close" => {
                if let Some(link) = self.link(first) {
                    self.hub.handle_closed(link, self.now);
                }
            }
            "get" => self.ask("GET", first, None, Format::Json),
            "delete" => self.ask("DELETE", first, None, Format::Json),
            "post" => self.ask("POST", first, Some(more.into()), Format::Json),
            "pack" => self.ask("POST", first, Some(packed(more)), Format::MsgPack),
            // A minute at a time keeps the number of heartbeats small.
            "wait" => self.wait(Duration::from_millis(first.parse().unwrap_or(0)).min(Duration::from_secs(60))),
            _ => {}
        }
        self.drain();
    }

    fn link(&self, number: &str) -> Option<LinkId> {
        self.links.get(number.parse::<usize>().ok()?).copied()
    }

    fn receive(&mut self, link: &str, wire: WireFrame) {
        let Some(link) = self.link(link) else { return };
        match wire.decode_checked(HubConfig::default().limits.messages_per_frame) {
            Ok(frame) => self.hub.handle_frame(link, frame, self.now),
            Err(unreadable) => self.hub.handle_malformed(link, &unreadable, self.now),
        }
    }

    fn ask(&mut self, method: &str, target: &str, body: Option<Vec<u8>>, format: Format) {
        let kind = if format == Format::MsgPack { "application/x-msgpack" } else { "application/json" };
        let headers = vec![("content-type".to_owned(), kind.to_owned()), ("accept".to_owned(), kind.to_owned())];
        let (method, target, body) = (method.to_owned(), target.to_owned(), body.unwrap_or_default());
        let answer = self.hub.rest(&RestRequest { method, target, headers, body }, self.now);
        assert!((200..500).contains(&answer.status), "{} for what somebody asked", answer.status);
        let asked = answer.header("content-type").is_none_or(|kind| kind.starts_with("application/"));
        assert!(asked, "an answer has a type that clients know");
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.hub.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.hub.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Send { link, mut batch } => {
                    assert!(!self.closed.contains(&link), "nothing is sent to a closed link");
                    while let Some(frame) = batch.next_frame() {
                        for format in [Format::Json, Format::MsgPack] {
                            let wire = format.encode(frame.clone());
                            assert!(wire.decode().is_ok(), "clients can read what is sent");
                        }
                    }
                }
                Output::Close { link } => self.closed.push(link),
                _ => {}
            }
        }
    }
}

/// The same in MessagePack; where the text is no JSON, its bytes.
fn packed(text: &str) -> Vec<u8> {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.as_bytes().to_vec(), |value| msgpack::to_vec(&value))
}
