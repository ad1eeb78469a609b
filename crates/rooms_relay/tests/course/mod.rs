//! The relay's hub: strangers who connect, send anything, ask over HTTP, and go. What it holds for them is counted by the
//! allocator.
//!
//! The fuzz targets of `fuzz/` run this too.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use allocation_counter::measure;
use rooms_protocol::{Format, Timestamp, WireFrame, msgpack};
use rooms_relay::{
    Batch, ConnectRequest, Hub, HubConfig, HubStats, Limits, LinkId, Output, RestRequest, TokenEndpoint,
};
use serde_json::Value;
use web_time::Instant;

/// What the wall clock shows when a course begins.
const WALL: Timestamp = Timestamp(1_700_000_000_000);

/// Long enough for everything to end that ends by itself.
const LONG: Duration = Duration::from_secs(3600);

/// Most bytes that the hub holds for each byte that came.
const FACTOR: i64 = 20;

/// What it may hold beside that, however little came: for each connection and each channel, of which there are limits, and for
/// tables that are ready for more.
const CONNECTION: usize = 4 * 1024;
const CHANNEL: usize = 4 * 1024;
const TABLES: usize = 16 * 1024;

/// What a frame takes in the queue of each client that does not read, beside the frame itself, which all of them share.
const PLACE: usize = 2 * size_of::<Batch>();

/// What a request to open a WebSocket takes beside its query, and a frame or request beside its text, on the wire.
const OPENING: usize = 150;
const HEAD: usize = 6;

struct World {
    hub: Hub,
    now: Instant,
    links: Vec<LinkId>,
    closed: Vec<LinkId>,
    /// What was sent to those who do not read.
    unread: BTreeMap<LinkId, VecDeque<Batch>>,
    /// Bytes that came.
    sent: usize,
    /// Bytes that are held.
    held: i64,
}

/// A course of events at the hub:
///
/// * `open QUERY`: somebody connects; the links are numbered from 0
/// * `json LINK TEXT`, `msgpack LINK JSON`: something comes, in either format
/// * `get TARGET`, `post TARGET JSON`, `pack TARGET JSON`, `delete TARGET`: a request over HTTP
/// * `close LINK`, `wait MILLISECONDS`
/// * `stop LINK`, `read LINK`: a client does not read from here on, and reads all
///
/// At most `most` of them are looked at. `change` changes the hub's limits, which are low so that a course reaches them.
pub fn hub(data: &[u8], most: usize, change: impl FnOnce(&mut Limits)) {
    let Ok(text) = str::from_utf8(data) else { return };
    let lines = text.lines().take(most).map(|line| line.split_once(' ').unwrap_or((line, "")));
    let mut config = HubConfig::default();
    config.limits.connections = 5;
    config.limits.channels = 8;
    config.limits.channels_per_connection = 4;
    config.limits.members_per_channel = 5;
    config.limits.replay_frames = 16;
    change(&mut config.limits);
    config.token_endpoint = Some(TokenEndpoint::new("rooms.dev"));
    let limits = config.limits.clone();
    let now = Instant::now();
    let hub = Hub::new(config, [7; 32], now, WALL);
    let (links, closed, unread) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut world = World { hub, now, links, closed, unread, sent: 0, held: 0 };
    for (word, rest) in lines {
        let used = measure(|| world.step(word, rest));
        world.held += used.bytes_current;
        world.check_held(word);
        let stats = world.hub.stats();
        assert!(stats.connections <= limits.connections && stats.links <= stats.connections);
        assert!(stats.channels <= limits.channels);
        assert!(stats.members <= limits.channels * limits.members_per_channel);
        assert!(stats.message_bytes <= limits.replay_bytes_total);
    }
    world.unread.clear();
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
                self.sent += OPENING + rest.len();
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
            "stop" => {
                if let Some(link) = self.link(first) {
                    self.unread.entry(link).or_default();
                }
            }
            "read" => {
                if let Some(link) = self.link(first)
                    && let Some(unread) = self.unread.remove(&link)
                {
                    unread.into_iter().for_each(read);
                }
            }
            // A minute at a time keeps the number of heartbeats small.
            "wait" => self.wait(Duration::from_millis(first.parse().unwrap_or(0)).min(Duration::from_secs(60))),
            _ => {}
        }
        self.drain();
    }

    /// Checks that little is held for what came.
    fn check_held(&self, word: &str) {
        let stats = self.hub.stats();
        let places: usize = self.unread.values().map(VecDeque::len).sum();
        let fixed = TABLES + stats.connections * CONNECTION + stats.channels * CHANNEL + places * PLACE;
        let (sent, fixed) = (i64::try_from(self.sent), i64::try_from(fixed));
        let (Ok(sent), Ok(fixed)) = (sent, fixed) else { return };
        let held = self.held;
        assert!(held <= FACTOR * sent + fixed, "after {word}: {sent} bytes came, and {held} are held: {stats:?}");
    }

    fn link(&self, number: &str) -> Option<LinkId> {
        self.links.get(number.parse::<usize>().ok()?).copied()
    }

    fn receive(&mut self, link: &str, wire: WireFrame) {
        let Some(link) = self.link(link) else { return };
        self.sent += HEAD + wire.len();
        match wire.decode_checked(HubConfig::default().limits.messages_per_frame) {
            Ok(frame) => self.hub.handle_frame(link, frame, self.now),
            Err(unreadable) => self.hub.handle_malformed(link, &unreadable, self.now),
        }
    }

    fn ask(&mut self, method: &str, target: &str, body: Option<Vec<u8>>, format: Format) {
        let kind = if format == Format::MsgPack { "application/x-msgpack" } else { "application/json" };
        let headers = vec![("content-type".to_owned(), kind.to_owned()), ("accept".to_owned(), kind.to_owned())];
        let (method, target, body) = (method.to_owned(), target.to_owned(), body.unwrap_or_default());
        self.sent += HEAD + target.len() + body.len();
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
                Output::Send { link, batch } => {
                    assert!(!self.closed.contains(&link), "nothing is sent to a closed link");
                    match self.unread.get_mut(&link) {
                        Some(unread) => unread.push_back(batch),
                        None => read(batch),
                    }
                }
                Output::Close { link } => {
                    self.unread.remove(&link);
                    self.closed.push(link);
                }
                _ => {}
            }
        }
    }
}

/// Reads what a client is sent.
fn read(mut batch: Batch) {
    while let Some(frame) = batch.next_frame() {
        for format in [Format::Json, Format::MsgPack] {
            let wire = format.encode(frame.clone());
            assert!(wire.decode().is_ok(), "clients can read what is sent");
        }
    }
}

/// The same in MessagePack; where the text is no JSON, its bytes.
fn packed(text: &str) -> Vec<u8> {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.as_bytes().to_vec(), |value| msgpack::to_vec(&value))
}
