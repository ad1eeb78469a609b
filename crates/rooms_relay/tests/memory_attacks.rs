//! What strangers do to a relay's memory, over real sockets on loopback. The relay is a process of its own, and its memory is
//! what the system says: it stays within the budget, and others are served meanwhile.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    future::Future,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex as SyncMutex},
    time::{Duration, Instant},
};

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use rooms_protocol::{
    Action, ChannelSerial, DEVELOPMENT_KEY, Flags, Format, Frame, Message, MsgSerial, PresenceAction, PresenceMessage,
    WireFrame, json, msgpack,
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};

const MIB: usize = 1024 * 1024;

/// What the relay may hold in these tests: so little that an attack is over soon.
const BUDGET: usize = 64 * MIB;

/// One attack after the other, so that none takes the machine's time from the witness of another.
static ALONE: Mutex<()> = Mutex::const_new(());

/// No answer in this time is a failure, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

/// The relay as a process of its own.
struct Program {
    _alone: MutexGuard<'static, ()>,
    child: Child,
    address: String,
    /// Its memory before anybody came.
    base: usize,
}

impl Program {
    async fn start() -> Self {
        let alone = ALONE.lock().await;
        let memory = format!("memory={BUDGET}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_rooms-relay"))
            .args(["--listen", "127.0.0.1:0", "--limit", &memory, "--limit", "client_connection_rate=none"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        let address = address.trim_end_matches(['/', ',']).to_owned();
        let mut program = Self { _alone: alone, child, address, base: 0 };
        program.base = program.memory("VmRSS");
        program
    }

    /// A line of what the system tells about the process, in bytes.
    fn memory(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// The most that clients took at any time.
    fn most_taken(&self) -> usize {
        self.memory("VmHWM").saturating_sub(self.base)
    }

    /// Checks that the process never went beyond the budget by more than a part that the library for WebSockets keeps.
    #[track_caller]
    fn stays_within_the_budget(&self) {
        let most = self.most_taken();
        assert!(most <= BUDGET + BUDGET / 2, "clients took {} MiB of {}", most / MIB, BUDGET / MIB);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client {
    sink: SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, tungstenite::Message>,
    stream: SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    format: Format,
    serial: i64,
    key: String,
}

impl Client {
    async fn connect(program: &Program, query: &str) -> Self {
        let url = format!("ws://{}/?v=6&key={DEVELOPMENT_KEY}&{query}", program.address);
        let (socket, _) = in_time("connecting", connect_async(url)).await.unwrap();
        let (sink, stream) = socket.split();
        let format = if query.contains("msgpack") { Format::MsgPack } else { Format::Json };
        let mut client = Self { sink, stream, format, serial: 0, key: String::new() };
        let connected = client.expect(Action::Connected).await;
        client.key = connected.connection_details.unwrap().connection_key.unwrap().as_str().to_owned();
        client
    }

    async fn send(&mut self, frame: Frame) {
        let message = match self.format.encode(frame) {
            WireFrame::Text(text) => tungstenite::Message::text(text),
            WireFrame::Binary(bytes) => tungstenite::Message::binary(bytes),
        };
        self.sink.send(message).await.unwrap();
    }

    async fn send_numbered(&mut self, mut frame: Frame) {
        frame.msg_serial = Some(MsgSerial(self.serial));
        self.serial += 1;
        self.send(frame).await;
    }

    async fn send_text(&mut self, text: String) {
        self.sink.send(tungstenite::Message::text(text)).await.unwrap();
    }

    /// The next frame; `None` at the end, however it came.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            match in_time("a frame", self.stream.next()).await? {
                Ok(tungstenite::Message::Text(text)) => return Some(json::decode(&text).unwrap()),
                Ok(tungstenite::Message::Binary(bytes)) => return Some(msgpack::decode(&bytes).unwrap()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    async fn expect(&mut self, action: Action) -> Frame {
        let frame = self.next().await.unwrap_or_else(|| panic!("the stream ended before {action:?}"));
        assert_eq!(frame.action, action, "{frame:?}");
        frame
    }

    /// The answer to what was sent last with a number, past everything else.
    async fn answer(&mut self) -> Option<u32> {
        loop {
            let frame = self.next().await.unwrap();
            if matches!(frame.action, Action::Ack | Action::Nack)
                && frame.msg_serial == Some(MsgSerial(self.serial - 1))
            {
                return frame.error.map(|error| error.code.0);
            }
        }
    }

    async fn attach(&mut self, channel: &str) -> Frame {
        self.send(Frame::for_channel(Action::Attach, channel.into())).await;
        self.expect(Action::Attached).await
    }

    async fn publish(&mut self, channel: &str, data: String) -> Option<u32> {
        let messages = vec![Message::new("m", data)];
        self.send_numbered(Frame { messages, ..Frame::for_channel(Action::Message, channel.into()) }).await;
        self.answer().await
    }
}

/// Somebody who plays meanwhile.
struct Witness {
    task: JoinHandle<()>,
    /// How long each of their messages took to come back.
    times: Arc<SyncMutex<Vec<Duration>>>,
}

/// How long nearly all messages take at most in a build that is not optimised, on a machine that does other things too. What
/// these attacks once did took longer in a release build on an idle one.
const SOON: Duration = Duration::from_secs(3);

impl Witness {
    async fn begin(program: &Program) -> Self {
        let mut client = Client::connect(program, "clientId=witness").await;
        client.attach("witness").await;
        let times = Arc::new(SyncMutex::new(Vec::new()));
        let taken = Arc::clone(&times);
        let task = tokio::spawn(async move {
            loop {
                let start = Instant::now();
                let messages = vec![Message::new("m", "x")];
                let frame = Frame { messages, ..Frame::for_channel(Action::Message, "witness".into()) };
                client.send_numbered(frame).await;
                client.expect(Action::Message).await;
                client.expect(Action::Ack).await;
                taken.lock().unwrap().push(start.elapsed());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { task, times }
    }

    /// Checks that they were served all the time.
    fn was_served(self) {
        assert!(!self.task.is_finished(), "the witness was thrown out");
        self.task.abort();
        let mut times = self.times.lock().unwrap().clone();
        times.sort_unstable();
        let slow = times[times.len() * 95 / 100];
        println!("{} messages of the witness, 95 % of them within {slow:?}", times.len());
        assert!(slow < SOON, "95 % of the messages of the witness took {slow:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_names_of_one_channel_cost_no_more_than_one() {
    let program = Program::start().await;
    let witness = Witness::begin(&program).await;
    let mut readers = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(&program, "echo=false").await;
        for name in 0..8 {
            client.attach(&format!("[?x={name}]c")).await;
        }
        client.send(Frame::for_channel(Action::Attach, "[?x=8]c".into())).await;
        assert_eq!(client.expect(Action::Error).await.error.unwrap().code.0, 90010);
        readers.push(client);
    }
    let before = program.memory("VmRSS");
    let mut publisher = Client::connect(&program, "").await;
    for _ in 0..200 {
        assert_eq!(publisher.publish("c", "x".repeat(1_000)).await, None);
    }
    // Nobody reads: it all waits, in eight names for each of ten readers.
    let held = program.memory("VmHWM").saturating_sub(before);
    assert!(held < 20 * 200 * 1_000, "{held} bytes are held for 200,000");
    for reader in &mut readers {
        for index in 0..8 {
            assert_eq!(reader.expect(Action::Message).await.channel, Some(format!("[?x={index}]c").as_str().into()));
        }
    }
    witness.was_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_in_extras_and_in_presence_are_held_as_text() {
    let program = Program::start().await;
    let witness = Witness::begin(&program).await;
    let tree = format!(r#"{{"a":[{}]}}"#, vec![r#"{"":0}"#; 8_000].join(","));
    let mut attackers = Vec::new();
    for index in 0..20 {
        let program_address = program.address.clone();
        let tree = tree.clone();
        let mut client = Client::connect(&program, &format!("clientId=a{index}")).await;
        attackers.push(tokio::spawn(async move {
            let mut sent = 0;
            for round in 0..20_i64 {
                let channel = format!("c{}", (index + round) % 40);
                let kind = if round % 4 == 3 { (14, "presence", r#""action":2,"#) } else { (15, "messages", "") };
                let (action, list, begin) = kind;
                let text = format!(
                    r#"{{"action":{action},"channel":"{channel}","msgSerial":{round},"{list}":[{{{begin}"extras":{tree}}}]}}"#
                );
                sent += text.len();
                client.send_text(text).await;
                client.serial = round + 1;
                let answer = client.answer().await;
                assert!(matches!(answer, None | Some(42910)), "{answer:?} from {program_address}");
            }
            sent
        }));
    }
    let mut sent = 0;
    for attacker in attackers {
        sent += in_time("an attacker", attacker).await.unwrap();
    }
    let taken = program.most_taken();
    assert!(taken < 4 * sent + 16 * MIB, "{taken} bytes are held for {sent}");
    program.stays_within_the_budget();
    witness.was_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_on_many_channels_have_a_total_and_leave_without_delaying_anybody() {
    let program = Program::start().await;
    let witness = Witness::begin(&program).await;
    let mut refused = 0;
    for attacker in 0..10 {
        let mut client = Client::connect(&program, "").await;
        for channel in 0..20 {
            let member = |index| PresenceMessage {
                action: PresenceAction::Enter,
                client_id: Some(format!("m{index}").as_str().into()),
                data: Some("x".repeat(1_000).into()),
                ..PresenceMessage::default()
            };
            let presence = (0..25).map(member).collect();
            let frame = Frame {
                presence,
                ..Frame::for_channel(Action::Presence, format!("c{attacker}-{channel}").as_str().into())
            };
            client.send_numbered(frame).await;
            let answer = client.answer().await;
            assert!(matches!(answer, None | Some(91003)), "{answer:?}");
            refused += usize::from(answer.is_some());
        }
        client.send(Frame::new(Action::Close)).await;
        client.expect(Action::Closed).await;
    }
    assert_eq!(refused, 10 * 10, "each has 250 members");
    program.stays_within_the_budget();
    witness.was_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_do_not_read_are_cut_off_before_memory_is_full() {
    // More for each reader than the system's own buffers take.
    const ROUNDS: usize = 250;
    let program = Program::start().await;
    let witness = Witness::begin(&program).await;
    let mut readers = Vec::new();
    for index in 0..20 {
        let mut client = Client::connect(&program, "").await;
        client.attach(&format!("c{index}")).await;
        readers.push(client);
    }
    let mut publisher = Client::connect(&program, "").await;
    let (mut sent, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        for index in 0..20 {
            let answer = publisher.publish(&format!("c{index}"), "x".repeat(60_000)).await;
            assert!(matches!(answer, None | Some(42910)), "{answer:?} in round {round}");
            refused += usize::from(answer.is_some());
            sent += 60_000;
        }
    }
    assert!(sent > 2 * BUDGET && refused < ROUNDS, "{refused} of {} were refused", 20 * ROUNDS);
    program.stays_within_the_budget();
    let mut cut_off = 0;
    for reader in &mut readers {
        let mut frames = 0;
        while reader.next().await.is_some() {
            frames += 1;
            if frames == ROUNDS {
                break;
            }
        }
        cut_off += usize::from(frames < ROUNDS);
    }
    assert!(cut_off > 0, "none was cut off");
    assert_eq!(publisher.publish("c0", "x".to_owned()).await, None);
    witness.was_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_never_end_wait_outside() {
    let program = Program::start().await;
    let witness = Witness::begin(&program).await;
    let mut sockets = Vec::new();
    let part = vec![b'x'; 400_000];
    for _ in 0..300 {
        let mut socket = TcpStream::connect(&program.address).await.unwrap();
        let request = format!(
            "GET /?v=6&key={DEVELOPMENT_KEY} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        // A text of half a megabyte, of which most comes.
        socket.write_all(&[0x81, 0xff, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let part = part.clone();
        sockets.push(tokio::spawn(async move {
            let _ = timeout(Duration::from_secs(5), socket.write_all(&part)).await;
            socket
        }));
    }
    for socket in sockets.drain(..) {
        drop(in_time("a part", socket).await.unwrap());
    }
    program.stays_within_the_budget();
    let mut client = Client::connect(&program, "").await;
    assert_eq!(client.publish("c", "x".to_owned()).await, None);
    witness.was_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_resumes_after_missing_more_than_may_wait_gets_all_of_it_and_so_does_a_newcomer_to_a_large_room() {
    let program = Program::start().await;
    let mut reader = Client::connect(&program, "").await;
    let mut serials: Vec<Option<ChannelSerial>> = Vec::new();
    for index in 0..15 {
        serials.push(reader.attach(&format!("c{index}")).await.channel_serial);
    }
    let key = reader.key.clone();
    drop(reader);
    let mut publisher = Client::connect(&program, "").await;
    for _ in 0..22 {
        for index in 0..15 {
            assert_eq!(publisher.publish(&format!("c{index}"), "x".repeat(60_000)).await, None);
        }
    }
    // The second time the key is unknown, but the serials still say what was missed.
    for format in ["json", "msgpack"] {
        let mut again = Client::connect(&program, &format!("format={format}&resume={key}")).await;
        for (index, serial) in serials.iter().enumerate() {
            let channel = format!("c{index}");
            let attach =
                Frame { channel_serial: serial.clone(), ..Frame::for_channel(Action::Attach, channel.as_str().into()) };
            again.send(attach).await;
        }
        let (mut attached, mut messages) = (0, 0);
        while messages < 15 * 22 {
            let frame = again.next().await.unwrap_or_else(|| panic!("cut off after {messages} messages"));
            attached += usize::from(frame.action == Action::Attached && frame.has(Flags::RESUMED));
            messages += usize::from(frame.action == Action::Message);
        }
        assert_eq!(attached, 15);
    }
    let mut host = Client::connect(&program, "").await;
    for index in 0..200 {
        let member = PresenceMessage {
            action: PresenceAction::Enter,
            client_id: Some(format!("m{index}").as_str().into()),
            data: Some("y".repeat(60_000).into()),
            ..PresenceMessage::default()
        };
        let frame = Frame { presence: vec![member], ..Frame::for_channel(Action::Presence, "room".into()) };
        host.send_numbered(frame).await;
        assert_eq!(host.answer().await, None);
    }
    for format in ["json", "msgpack"] {
        let mut newcomer = Client::connect(&program, &format!("format={format}")).await;
        newcomer.attach("room").await;
        let (mut members, mut pages) = (0, 0);
        loop {
            let page = newcomer.expect(Action::Sync).await;
            members += page.presence.len();
            pages += 1;
            if page.channel_serial.is_some_and(|serial| serial.as_str().ends_with(':')) {
                break;
            }
        }
        assert_eq!(members, 200, "in {pages} pages");
    }
    program.stays_within_the_budget();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_of_requests_that_never_end_have_a_small_part_of_the_budget() {
    let program = Program::start().await;
    let witness = Witness::begin(&program).await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{}", format!("X: {}\r\n", "h".repeat(700)).repeat(85));
    let mut sockets = Vec::new();
    for _ in 0..1_500 {
        let mut socket = TcpStream::connect(&program.address).await.unwrap();
        // The system takes what the relay does not, or the relay has closed a socket for a newer one.
        let _ = timeout(Duration::from_millis(50), socket.write_all(head.as_bytes())).await;
        sockets.push(socket);
    }
    let most = program.most_taken();
    assert!(most <= BUDGET * 5 / 8, "strangers took {} MiB of {}", most / MIB, BUDGET / MIB);
    witness.was_served();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_buffer_of_a_socket_keeps_after_a_large_message_counts() {
    let program = Program::start().await;
    let witness = Witness::begin(&program).await;
    let mut clients = Vec::new();
    for index in 0..250 {
        let url = format!("ws://{}/?v=6&key={DEVELOPMENT_KEY}&clientId=a{index}", program.address);
        // Where memory is short, some are refused or cut off.
        let Ok((mut socket, _)) = in_time("connecting", connect_async(url)).await else { continue };
        let messages = vec![Message::new("m", "x".repeat(500_000))];
        let msg_serial = Some(MsgSerial(0));
        let frame = Frame { messages, msg_serial, ..Frame::for_channel(Action::Message, "c".into()) };
        let WireFrame::Text(text) = Format::Json.encode(frame) else { panic!("it is text") };
        let _ = timeout(Duration::from_millis(500), socket.send(tungstenite::Message::text(text))).await;
        clients.push(socket);
    }
    program.stays_within_the_budget();
    witness.was_served();
}
