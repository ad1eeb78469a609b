//! What a delivery costs a relay: CPU of its process for each message that reaches a subscriber, and memory for each
//! connection.
//!
//! It starts relays in processes of their own and reads from `/proc` what they used, so that it runs on Linux alone. It
//! measures one program beside another: each round of a row asks all programs one after the other, so that other work on the
//! machine disturbs all of them alike.
//!
//! ```sh
//! cargo build --release -p rooms_relay
//! cargo run --release -p rooms_relay --example load -- target/release/rooms-relay [another/rooms-relay …]
//! ```

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use futures_util::{SinkExt, StreamExt};
use rooms_protocol::DEVELOPMENT_KEY;
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// Measures what deliveries and connections cost a relay.
#[derive(Parser)]
struct Options {
    /// The relays' programs. Each table has a column for each.
    #[arg(required = true)]
    programs: Vec<String>,
    /// What to measure: all of it unless this says otherwise. It may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// How often each row is measured. The tables show medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that one measurement takes, about.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// The rows of the first table with these numbers alone, from 1 on.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<usize>,
}

/// A table.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU for each delivery from one publisher to many.
    Deliveries,
    /// CPU for each delivery and latency, of 200 rooms of 5 who publish 5 messages a second each.
    Rooms,
    /// Memory for each connection that is attached and idle, and how long 2,000 take to connect and attach.
    Connections,
}

/// One row of the first table.
#[derive(Clone, Copy)]
struct Case {
    /// Messages that are published before the first has to have arrived.
    in_flight: usize,
    /// Bytes of each message.
    bytes: usize,
    subscribers: usize,
}

const CASES: [Case; 9] = [
    Case { in_flight: 64, bytes: 100, subscribers: 1 },
    Case { in_flight: 64, bytes: 100, subscribers: 10 },
    Case { in_flight: 64, bytes: 100, subscribers: 100 },
    Case { in_flight: 64, bytes: 100, subscribers: 1_000 },
    Case { in_flight: 64, bytes: 1_024, subscribers: 100 },
    Case { in_flight: 64, bytes: 1_024, subscribers: 1_000 },
    Case { in_flight: 1, bytes: 100, subscribers: 1 },
    Case { in_flight: 1, bytes: 100, subscribers: 100 },
    Case { in_flight: 1, bytes: 100, subscribers: 1_000 },
];

/// The rooms of the second table, their players, and how often each publishes.
const ROOMS: usize = 200;
const PLAYERS: usize = 5;
const INTERVAL: Duration = Duration::from_millis(200);

/// Connections of the third table.
const CONNECTIONS: usize = 2_000;

/// Modes of an attachment.
const PUBLISH: u32 = 1 << 17;
const SUBSCRIBE: u32 = 1 << 18;

/// The kernel's unit of CPU time, which has been the same on all of Linux' platforms for decades.
const TICKS_PER_SECOND: f64 = 100.0;

/// How long a relay has for what should take it milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A relay in a process of its own, which ends with this.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(program: &str) -> Outcome<Self> {
        let arguments = ["--listen", "127.0.0.1:0"];
        let mut command = Command::new(program);
        let mut process = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take().ok_or("the relay has no output")?;
        let line = BufReader::new(output).lines().next().ok_or("the relay ended")??;
        let address = line.split_once("ws://").ok_or("the relay told no address")?.1;
        let end = address.find(|letter: char| letter.is_whitespace() || letter == ')').unwrap_or(address.len());
        Ok(Self { process, url: format!("ws://{}", &address[..end]) })
    }

    /// CPU time that it used, in seconds.
    fn cpu(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let fields = stat.rsplit_once(") ").ok_or("unknown form of stat")?.1.split(' ').collect::<Vec<_>>();
        // utime and stime are fields 14 and 15, of which the first two come before the bracket.
        Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS_PER_SECOND)
    }

    /// Memory that is resident, in KiB.
    fn resident(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("unknown form of status")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn connect(url: &str, client: &str, more: &str) -> Outcome<Socket> {
    let url = format!("{url}/?v=6&format=json&key={DEVELOPMENT_KEY}&clientId={client}{more}");
    // A thousand of them are in this process.
    let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
    let (mut socket, _) = connect_async_with_config(url, Some(config), true).await?;
    wait_for(&mut socket, "\"action\":4").await?;
    Ok(socket)
}

/// Reads until a frame contains `text`.
async fn wait_for(socket: &mut Socket, text: &str) -> Outcome<()> {
    while let Some(message) = timeout(PATIENCE, socket.next()).await? {
        if let Message::Text(frame) = message?
            && frame.contains(text)
        {
            return Ok(());
        }
    }
    Err("the socket ended".into())
}

async fn attach(socket: &mut Socket, channel: &str, flags: u32) -> Outcome<()> {
    let attach = format!(r#"{{"action":10,"channel":"{channel}","flags":{flags}}}"#);
    socket.send(Message::text(attach)).await?;
    wait_for(socket, "\"action\":11").await
}

fn publish(channel: &str, serial: usize, data: &str) -> Message {
    Message::text(format!(
        r#"{{"action":15,"channel":"{channel}","msgSerial":{serial},"messages":[{{"name":"m","data":"{data}"}}]}}"#
    ))
}

/// Frames that came in, of all subscribers.
#[derive(Default)]
struct Arrivals {
    count: AtomicUsize,
    expected: AtomicUsize,
    complete: Notify,
}

impl Arrivals {
    /// Counts a frame.
    fn add(&self) {
        if self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.expected.load(Ordering::SeqCst) {
            self.complete.notify_one();
        }
    }

    /// Expects so many more. Nobody sends any before this.
    fn expect(&self, more: usize) {
        self.expected.fetch_add(more, Ordering::SeqCst);
    }

    async fn wait(&self) -> Outcome<()> {
        timeout(PATIENCE, self.complete.notified()).await.map_err(|_| "messages did not arrive".into())
    }
}

async fn subscribe(mut socket: Socket, arrivals: Arc<Arrivals>) {
    while let Some(Ok(message)) = socket.next().await {
        if matches!(message, Message::Text(frame) if frame.starts_with("{\"action\":15")) {
            arrivals.add();
        }
    }
}

/// CPU of the relay for each delivery, in microseconds.
async fn delivery(server: &Server, case: Case, span: Duration) -> Outcome<f64> {
    let channel = "load";
    let arrivals = Arc::<Arrivals>::default();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..case.subscribers {
        let mut socket = connect(&server.url, &format!("subscriber-{number}"), "").await?;
        attach(&mut socket, channel, SUBSCRIBE).await?;
        tasks.spawn(subscribe(socket, Arc::clone(&arrivals)));
    }
    let mut publisher = connect(&server.url, "publisher", "").await?;
    attach(&mut publisher, channel, PUBLISH).await?;
    let data = "x".repeat(case.bytes);
    let (mut serial, mut deliveries) = (0, 0);
    let mut begun: Option<(f64, Instant)> = None;
    loop {
        arrivals.expect(case.in_flight * case.subscribers);
        for _ in 0..case.in_flight {
            publisher.feed(publish(channel, serial, &data)).await?;
            serial += 1;
        }
        publisher.flush().await?;
        arrivals.wait().await?;
        wait_for_acknowledgement(&mut publisher, serial - 1).await?;
        match begun {
            // The first messages only warm it up.
            None => begun = Some((server.cpu()?, Instant::now())),
            Some((before, since)) => {
                deliveries += case.in_flight * case.subscribers;
                if since.elapsed() >= span {
                    return Ok(per(server.cpu()? - before, deliveries));
                }
            }
        }
    }
}

/// Reads until the message with this number is acknowledged. One frame may acknowledge several.
async fn wait_for_acknowledgement(publisher: &mut Socket, serial: usize) -> Outcome<()> {
    while let Some(message) = timeout(PATIENCE, publisher.next()).await? {
        let Message::Text(text) = message? else { continue };
        let frame = rooms_protocol::json::decode(&text)?;
        if frame.action == rooms_protocol::Action::Ack
            && let (Some(first), count) = (frame.msg_serial, frame.count.unwrap_or(1))
            && first.0 + i64::from(count) > i64::try_from(serial)?
        {
            return Ok(());
        }
    }
    Err("the publisher's socket ended".into())
}

/// Seconds for one of `count`, in microseconds.
#[expect(clippy::cast_precision_loss, reason = "a count far below the numbers that a float cannot hold")]
fn per(seconds: f64, count: usize) -> f64 {
    seconds * 1e6 / count.max(1) as f64
}

/// One player of a room: publishes, and notes how long each message of the others took.
async fn play(
    mut socket: Socket,
    room: String,
    start: Instant,
    delay: Duration,
    latencies: mpsc::UnboundedSender<Duration>,
) -> Outcome<()> {
    sleep(delay).await;
    let mut turns = interval(INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let filler = "x".repeat(80);
    let mut serial = 0;
    loop {
        tokio::select! {
            _ = turns.tick() => {
                let data = format!("t{}t{filler}", start.elapsed().as_micros());
                socket.send(publish(&room, serial, &data)).await?;
                serial += 1;
            }
            message = socket.next() => {
                let Message::Text(text) = message.ok_or("a player's socket ended")?? else { continue };
                let sent = text.split_once("\"data\":\"t").and_then(|(_, rest)| rest.split_once('t'));
                if let Some((sent, _)) = sent {
                    let took = start.elapsed().saturating_sub(Duration::from_micros(sent.parse()?));
                    latencies.send(took)?;
                }
            }
        }
    }
}

/// CPU for each delivery in microseconds, and the time in milliseconds within which 99 of 100 messages arrived.
async fn rooms(server: &Server, span: Duration) -> Outcome<[f64; 2]> {
    let (latencies, mut arrived) = mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    let mut players = Vec::new();
    for number in 0..ROOMS * PLAYERS {
        let room = format!("room-{}", number / PLAYERS);
        let mut socket = connect(&server.url, &format!("player-{number}"), "&echo=false").await?;
        attach(&mut socket, &room, PUBLISH | SUBSCRIBE).await?;
        players.push((socket, room));
    }
    for (number, (socket, room)) in players.into_iter().enumerate() {
        // Spread over the interval, as players are.
        let delay = INTERVAL * u32::try_from(number)? / u32::try_from(ROOMS * PLAYERS)?;
        tasks.spawn(play(socket, room, start, delay, latencies.clone()));
    }
    sleep(2 * INTERVAL).await;
    while arrived.try_recv().is_ok() {}
    let before = server.cpu()?;
    sleep(span.max(Duration::from_secs(1)) * 2).await;
    let used = server.cpu()? - before;
    let mut latencies = Vec::new();
    while let Ok(latency) = arrived.try_recv() {
        latencies.push(latency);
    }
    if let Some(Ok(ended)) = tasks.try_join_next() {
        ended?;
    }
    latencies.sort_unstable();
    let slowest = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
    Ok([per(used, latencies.len()), slowest.as_secs_f64() * 1e3])
}

/// Memory for each connection that is attached and idle in KiB, and how long all took to connect and attach, in milliseconds.
async fn connections(server: &Server) -> Outcome<[f64; 2]> {
    const AT_ONCE: usize = 50;
    let (before, start) = (server.resident()?, Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for group in 0..AT_ONCE {
        let url = server.url.clone();
        tasks.spawn(async move {
            let mut sockets = Vec::new();
            for number in 0..CONNECTIONS / AT_ONCE {
                let mut socket = connect(&url, &format!("idle-{group}-{number}"), "").await?;
                attach(&mut socket, "idle", 0).await?;
                sockets.push(socket);
            }
            Outcome::Ok(sockets)
        });
    }
    let mut sockets = Vec::new();
    while let Some(group) = tasks.join_next().await {
        sockets.push(group??);
    }
    let took = start.elapsed();
    sleep(Duration::from_millis(500)).await;
    // What the process took for all, for one.
    let memory = per((server.resident()? - before) / 1e6, CONNECTIONS);
    Ok([memory, took.as_secs_f64() * 1e3])
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures `N` figures of each program, and returns their medians.
async fn medians<const N: usize>(
    options: &Options,
    measure: impl AsyncFn(&Server) -> Outcome<[f64; N]>,
) -> Outcome<[Vec<String>; N]> {
    let mut rows = vec![vec![Vec::new(); options.programs.len()]; N];
    for _ in 0..options.rounds.max(1) {
        for (column, program) in options.programs.iter().enumerate() {
            let figures = measure(&Server::start(program)?).await?;
            for (row, figure) in rows.iter_mut().zip(figures) {
                row[column].push(figure);
            }
        }
    }
    Ok(std::array::from_fn(|row| rows[row].iter_mut().map(|cell| format!("{:.2}", median(cell))).collect()))
}

fn head(first: &str, programs: &[String]) {
    println!("\n| {first} | {} |", programs.join(" | "));
    let columns = first.matches('|').count() + 1 + programs.len();
    println!("|{}", " ---: |".repeat(columns));
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let options = Options::parse();
    let span = Duration::try_from_secs_f64(options.seconds)?;
    let wants = |part| options.only.is_empty() || options.only.contains(&part);
    if wants(Part::Deliveries) {
        println!("CPU for each delivery, in µs: medians of {} interleaved rounds", options.rounds);
        head("in flight | bytes | subscribers", &options.programs);
        for (number, case) in CASES.into_iter().enumerate() {
            if !options.rows.is_empty() && !options.rows.contains(&(number + 1)) {
                continue;
            }
            let [cells] = medians(&options, async |server| Ok([delivery(server, case, span).await?])).await?;
            println!("| {} | {} | {} | {} |", case.in_flight, case.bytes, case.subscribers, cells.join(" | "));
        }
    }
    if wants(Part::Rooms) {
        head(&format!("{ROOMS} rooms of {PLAYERS}"), &options.programs);
        let [cpu, latency] = medians(&options, async |server| rooms(server, span).await).await?;
        println!("| CPU for each delivery, µs | {} |", cpu.join(" | "));
        println!("| 99 of 100 messages arrive within, ms | {} |", latency.join(" | "));
    }
    if wants(Part::Connections) {
        head(&format!("{CONNECTIONS} idle connections"), &options.programs);
        let [memory, time] = medians(&options, async |server| connections(server).await).await?;
        println!("| memory for each, KiB | {} |", memory.join(" | "));
        println!("| connect and attach all, ms | {} |", time.join(" | "));
    }
    Ok(())
}
