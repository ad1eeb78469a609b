//! Strangers who know the relay's key, or none, and do to it whatever might hurt others. Each does one thing again and again.
//!
//! They write bytes to sockets, without a library that would keep them from what is not allowed. Each comes from an address
//! of its own: on Linux all of 127.0.0.0/8 is this machine.

use std::{
    fmt::Write as _,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rooms_protocol::DEVELOPMENT_KEY;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long an attacker waits for bytes before it does something else.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time between two steps of an attacker. Without it, the attackers would take all of the machine's time for themselves, and
/// the relay would never be the one that is short of it.
const PACE: Duration = Duration::from_millis(20);

/// Bytes of the largest frame that a relay reads.
const FRAME: usize = 512 * 1024;

/// Someone at an address, who attacks a relay.
#[derive(Clone)]
pub struct Attacker {
    relay: SocketAddr,
    from: Ipv4Addr,
    /// What it did.
    steps: Arc<AtomicU64>,
}

/// One attack, and how often its step was done.
pub struct Attack {
    pub name: &'static str,
    steps: Arc<AtomicU64>,
}

impl Attack {
    /// How often the attacker did what it does.
    pub fn steps(&self) -> u64 {
        self.steps.load(Relaxed)
    }
}

/// All attackers together. They stop when this is dropped.
pub struct Siege {
    pub attacks: Vec<Attack>,
    tasks: JoinSet<()>,
}

impl Siege {
    /// Begins all attacks on the relay at `address`. Has to be called in a runtime.
    pub fn begin(address: &str) -> Self {
        let relay = address.parse().expect("an address with a port");
        let mut siege = Self { attacks: Vec::new(), tasks: JoinSet::new() };
        macro_rules! attacks {
            ($($attack:ident),*) => { $(siege.add(relay, stringify!($attack), Attacker::$attack);)* };
        }
        attacks!(
            take_many_names,
            send_trees,
            enter_many_channels,
            hold_sockets,
            post_trees,
            fill_the_table_of_channels,
            connect_and_drop,
            ask_for_all_that_is_kept,
            send_what_cannot_be_read,
            leave_answers_unread,
            read_nothing,
            guess_keys,
            begin_messages
        );
        siege
    }

    /// Adds an attack, which begins anew whenever the relay ended what it needs.
    fn add<F>(&mut self, relay: SocketAddr, name: &'static str, attack: impl Fn(Attacker) -> F + Send + 'static)
    where
        F: Future<Output = io::Result<()>> + Send,
    {
        let steps = Arc::<AtomicU64>::default();
        let number = u8::try_from(self.attacks.len()).expect("few attacks");
        self.attacks.push(Attack { name, steps: Arc::clone(&steps) });
        let attacker = Attacker { relay, from: Ipv4Addr::new(127, 0, 7, number + 2), steps };
        self.tasks.spawn(async move {
            loop {
                // The relay may refuse it or cut it off. It comes again.
                let _ = attack(attacker.clone()).await;
                sleep(PACE).await;
            }
        });
    }

    /// Checks that none of the attackers broke.
    pub fn goes_on(&mut self) {
        assert!(self.tasks.try_join_next().is_none(), "an attacker broke");
    }
}

/// A WebSocket as bytes.
struct Socket(TcpStream);

impl Socket {
    /// Sends a text, with a mask of zeros.
    async fn send(&mut self, text: &str) -> io::Result<()> {
        let mut bytes = head(text.len());
        bytes.extend_from_slice(text.as_bytes());
        // Whoever is not read for long gives up.
        timeout(PATIENCE, self.0.write_all(&bytes)).await?
    }

    /// Reads whatever came, so that the relay can send more. Fails where the relay closed the socket.
    fn read(&self) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.0.try_read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The head of a text of so many bytes from a client.
fn head(length: usize) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match length {
        0..=125 => bytes.push(0x80 | u8::try_from(length).expect("a small number")),
        126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(length).expect("a small number").to_be_bytes());
        }
        _ => {
            bytes.push(0xff);
            bytes.extend(u64::try_from(length).expect("a number").to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

/// `{"a":[{"":0},{"":0},…]}`: little as text, and much as a tree.
fn tree(bytes: usize) -> String {
    format!(r#"{{"a":[{}]}}"#, vec![r#"{"":0}"#; bytes / 7].join(","))
}

fn publish(channel: &str, serial: usize, message: &str) -> String {
    format!(r#"{{"action":15,"channel":"{channel}","msgSerial":{serial},"messages":[{message}]}}"#)
}

fn basic() -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(DEVELOPMENT_KEY))
}

impl Attacker {
    fn step(&self) {
        self.steps.fetch_add(1, Relaxed);
    }

    async fn stream(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddrV4::new(self.from, 0).into())?;
        timeout(PATIENCE, socket.connect(self.relay)).await?
    }

    /// A WebSocket of a client with the key.
    async fn connect(&self, query: &str) -> io::Result<Socket> {
        let mut stream = self.stream().await?;
        let request = format!(
            "GET /?v=6&key={DEVELOPMENT_KEY}&{query} HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: \
             Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0; 1024];
        let read = timeout(PATIENCE, stream.read(&mut answer)).await??;
        match answer[..read].starts_with(b"HTTP/1.1 101") {
            true => Ok(Socket(stream)),
            false => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    async fn ask(&self, stream: &mut TcpStream, request: &str) -> io::Result<()> {
        timeout(PATIENCE, stream.write_all(request.as_bytes())).await??;
        let mut answer = [0; 4 * 1024];
        match timeout(PATIENCE, stream.read(&mut answer)).await?? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Attaches to one channel under many names, and has each message sent to all of them.
    async fn take_many_names(self) -> io::Result<()> {
        let mut readers = Vec::new();
        for _ in 0..10 {
            let mut reader = self.connect("").await?;
            for name in 0..40 {
                reader.send(&format!(r#"{{"action":10,"channel":"[?x={name}]names"}}"#)).await?;
            }
            readers.push(reader);
        }
        let mut publisher = self.connect("").await?;
        for serial in 0.. {
            publisher.send(&publish("names", serial, r#"{"data":"x"}"#)).await?;
            publisher.read()?;
            self.step();
            sleep(PACE / 4).await;
        }
        Ok(())
    }

    /// Publishes and enters with extras and data that are large as trees.
    async fn send_trees(self) -> io::Result<()> {
        let mut sockets = Vec::new();
        for client in 0..8 {
            sockets.push(self.connect(&format!("clientId=trees{client}")).await?);
        }
        let (fitting, large) = (tree(60_000), tree(FRAME - 200));
        for serial in 0.. {
            let index = serial % sockets.len();
            let socket = &mut sockets[index];
            let number = serial / 8;
            let channel = format!("trees{}", serial % 50);
            let text = match number % 4 {
                0 => publish(&channel, number, &format!(r#"{{"extras":{large}}}"#)),
                1 => format!(
                    r#"{{"action":14,"channel":"{channel}","msgSerial":{number},"presence":[{{"action":2,"data":{fitting}}}]}}"#
                ),
                _ => publish(&channel, number, &format!(r#"{{"extras":{fitting}}}"#)),
            };
            socket.send(&text).await?;
            socket.read()?;
            self.step();
            sleep(PACE).await;
        }
        Ok(())
    }

    /// Enters members on channels that it is not attached to, and goes.
    async fn enter_many_channels(self) -> io::Result<()> {
        let mut socket = self.connect("").await?;
        let data = "x".repeat(500);
        for channel in 0..100 {
            let mut members = String::new();
            for member in 0..100 {
                let comma = if member > 0 { "," } else { "" };
                let _ = write!(members, r#"{comma}{{"action":2,"clientId":"m{member}","data":"{data}"}}"#);
            }
            let frame =
                format!(r#"{{"action":14,"channel":"members{channel}","msgSerial":{channel},"presence":[{members}]}}"#);
            socket.send(&frame).await?;
            socket.read()?;
            self.step();
            sleep(PACE).await;
        }
        Ok(())
    }

    /// Holds as many sockets as it can, each with a request now and then.
    async fn hold_sockets(self) -> io::Result<()> {
        let mut sockets = Vec::new();
        for _ in 0..500 {
            let mut socket = self.stream().await?;
            let _ = socket.write_all(b"GET /time HTTP/1.1\r\nHost: relay\r\n\r\nG").await;
            sockets.push(socket);
            self.step();
            sleep(PACE / 4).await;
        }
        Ok(())
    }

    /// Asks for tokens, without a key, with bodies that are large as trees.
    async fn post_trees(self) -> io::Result<()> {
        let body = tree(FRAME - 200);
        let mut stream = self.stream().await?;
        loop {
            let request = format!(
                "POST /keys/rooms.dev/requestToken HTTP/1.1\r\nHost: relay\r\nContent-Type: \
                 application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            self.step();
            if self.ask(&mut stream, &request).await.is_err() {
                stream = self.stream().await?;
            }
            sleep(PACE).await;
        }
    }

    /// Brings channels into being, as a player does who sends to others that are not there.
    async fn fill_the_table_of_channels(self) -> io::Result<()> {
        let mut sockets = Vec::new();
        for client in 0..4 {
            sockets.push(self.connect(&format!("clientId=filler{client}")).await?);
        }
        for number in 0.. {
            let index = number % sockets.len();
            let channel = format!("room:den:to:{number}");
            sockets[index].send(&publish(&channel, number / 4, r#"{"data":"x"}"#)).await?;
            sockets[index].read()?;
            self.step();
            sleep(PACE / 4).await;
        }
        Ok(())
    }

    /// Connects and drops the socket, so that the relay keeps the connection for two minutes.
    async fn connect_and_drop(self) -> io::Result<()> {
        for number in 0.. {
            // Beyond its share it is refused.
            drop(self.connect(&format!("clientId=dropper{}", number % 50)).await?);
            self.step();
            sleep(PACE / 4).await;
        }
        Ok(())
    }

    /// Attaches again and again to channels that keep much, with all that they keep, and reads nothing of it.
    async fn ask_for_all_that_is_kept(self) -> io::Result<()> {
        let mut publisher = self.connect("clientId=keeper").await?;
        let data = "x".repeat(30_000);
        for serial in 0..150 {
            let channel = format!("kept{}", serial % 3);
            publisher.send(&publish(&channel, serial, &format!(r#"{{"data":"{data}"}}"#))).await?;
            publisher.read()?;
            sleep(PACE / 4).await;
        }
        let mut readers = Vec::new();
        for reader in 0..60 {
            let mut socket = self.connect(&format!("clientId=reader{reader}")).await?;
            for round in 0..8 {
                let channel = format!("kept{}", round % 3);
                socket.send(&format!(r#"{{"action":10,"channel":"[?rewind=100&r={round}]{channel}"}}"#)).await?;
            }
            readers.push(socket);
            self.step();
            sleep(PACE).await;
        }
        Ok(())
    }

    /// Sends frames that cannot be read, and some that come again after a disconnect.
    async fn send_what_cannot_be_read(self) -> io::Result<()> {
        let mut socket = self.connect("clientId=nonsense").await?;
        for serial in 0.. {
            let text = match serial % 8 {
                0 => publish("c", serial, r#"{"data":"cut \ud83d"}"#),
                1 => publish("c", serial, r#"{"name":5}"#),
                2 => publish("c", serial, r#"{"extras":[1]}"#),
                3 => r#"{"action":"x"}"#.to_owned(),
                4 => "[".repeat(10_000),
                5 => format!(r#"{{"action":10,"channel":"{}"}}"#, "[?".repeat(900)),
                6 => format!(
                    r#"{{"action":15,"channel":"c","msgSerial":{serial},"messages":[{}{{}}]}}"#,
                    "{},".repeat(20_000)
                ),
                _ => format!(r#"{{"action":10,"channel":"c","params":{{"rewind":"{}"}}}}"#, "9".repeat(5_000)),
            };
            self.step();
            if socket.send(&text).await.is_err() || socket.read().is_err() {
                socket = self.connect("clientId=nonsense").await?;
            }
            sleep(PACE / 2).await;
        }
        Ok(())
    }

    /// Asks for large answers over HTTP and reads none of them.
    async fn leave_answers_unread(self) -> io::Result<()> {
        let mut host = self.connect("").await?;
        let data = "x".repeat(50_000);
        for member in 0..60 {
            host.send(&format!(
                r#"{{"action":14,"channel":"answers","msgSerial":{member},"presence":[{{"action":2,"clientId":"m{member}","data":"{data}"}}]}}"#
            ))
            .await?;
            host.read()?;
            sleep(PACE / 4).await;
        }
        let request = format!("GET /channels/answers/presence?limit=1000 HTTP/1.1\r\nHost: relay\r\n{}\r\n", basic());
        let mut unread = Vec::new();
        for _ in 0..200 {
            let mut stream = self.stream().await?;
            let _ = stream.write_all(request.as_bytes()).await;
            unread.push(stream);
            host.read()?;
            self.step();
            sleep(PACE).await;
        }
        Ok(())
    }

    /// Attaches to channels that carry much, and reads nothing.
    async fn read_nothing(self) -> io::Result<()> {
        let mut readers = Vec::new();
        for reader in 0..40 {
            let mut socket = self.connect(&format!("clientId=deaf{reader}")).await?;
            socket.send(r#"{"action":10,"channel":"loud"}"#).await?;
            readers.push(socket);
        }
        let mut publisher = self.connect("clientId=loud").await?;
        let data = "x".repeat(60_000);
        for serial in 0..600 {
            publisher.send(&publish("loud", serial, &format!(r#"{{"data":"{data}"}}"#))).await?;
            publisher.read()?;
            self.step();
            sleep(PACE).await;
        }
        Ok(())
    }

    /// Asks without credentials and with wrong ones.
    async fn guess_keys(self) -> io::Result<()> {
        let wrong = format!("Authorization: Basic {}\r\n", STANDARD.encode("rooms.dev:guessed"));
        let request = format!("GET /channels HTTP/1.1\r\nHost: relay\r\n{wrong}\r\n");
        let mut streams = Vec::new();
        for _ in 0..10 {
            streams.push(self.stream().await?);
        }
        loop {
            for stream in &mut streams {
                self.step();
                if self.ask(stream, &request).await.is_err() {
                    *stream = self.stream().await?;
                }
            }
            sleep(PACE).await;
        }
    }

    /// Begins messages of the largest size and never ends them.
    async fn begin_messages(self) -> io::Result<()> {
        let part = vec![b'x'; 300_000];
        let mut sockets = Vec::new();
        for number in 0..300 {
            let mut socket = self.connect(&format!("clientId=endless{}", number % 20)).await?;
            let _ = timeout(PACE, async {
                socket.0.write_all(&head(FRAME - 100)).await?;
                socket.0.write_all(&part).await
            })
            .await;
            sockets.push(socket);
            self.step();
            sleep(PACE).await;
        }
        Ok(())
    }
}
