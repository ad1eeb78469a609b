//! A server that does to a socket what the socket's address tells, right or wrong.
//!
//! | address | what it does |
//! | --- | --- |
//! | `/echo` | sends every frame back |
//! | `/send?frames=N&bytes=B&kind=text` | sends `N` frames of `B` bytes, each beginning with its number, or `kind=binary` |
//! | `/close?code=C` | sends a frame, then closes with this code |
//! | `/abort` | sends a frame, then drops the line without a word |
//! | `/ping` | sends a ping, then a frame |
//! | `/refuse` | answers the handshake with 503 |
//! | `/silent?name=X` | answers nothing; `/tried?name=X` sends a frame once somebody tried, `/gone?name=X` once it gave up |
//! | `/aside` | sends another port, where the same is served: a browser opens one socket at a time to each |
//! | `/count?name=X` | counts frames; `/counted?name=X` sends their number once that socket is gone |
//! | `/held?name=X` | reads nothing before `/release?name=X` was opened, then tells the number of frames before `end` |

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// What one socket has to tell to another, by the name of both.
#[derive(Clone)]
struct Board {
    names: Arc<Mutex<HashMap<String, watch::Sender<Option<usize>>>>>,
    /// The other port.
    aside: u16,
}

impl Board {
    fn tell(&self, name: &str, number: usize) {
        self.sender(name).send_replace(Some(number));
    }

    async fn told(&self, name: &str) -> usize {
        let mut told = self.sender(name).subscribe();
        told.wait_for(Option::is_some).await.unwrap().unwrap()
    }

    fn sender(&self, name: &str) -> watch::Sender<Option<usize>> {
        let mut names = self.names.lock().unwrap();
        names.entry(name.to_owned()).or_insert_with(|| watch::channel(None).0).clone()
    }
}

/// Serves on a free port of this machine, and on another beside it, for as long as the runtime lives.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let aside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let board = Board { names: Arc::default(), aside: aside.local_addr().unwrap().port() };
    for listener in [listener, aside] {
        let board = board.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, board.clone()));
            }
        });
    }
    addr
}

/// What the address of a socket says.
struct Address {
    path: String,
    query: HashMap<String, String>,
}

impl Address {
    /// Reads it from the head of the handshake, and leaves that where it is.
    async fn peek(stream: &TcpStream) -> Option<Self> {
        let mut head = [0; 4096];
        // A handshake of a client on the same machine comes in one piece.
        let length = stream.peek(&mut head).await.ok()?;
        let head = String::from_utf8_lossy(&head[..length]);
        let target = head.split(' ').nth(1)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Some(Self { path: path.to_owned(), query })
    }

    fn name(&self) -> &str {
        &self.query["name"]
    }

    fn number(&self, name: &str) -> usize {
        self.query[name].parse().unwrap()
    }
}

async fn serve(mut stream: TcpStream, board: Board) {
    let Some(address) = Address::peek(&stream).await else { return };
    match address.path.as_str() {
        "/refuse" => {
            let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
        }
        "/silent" => {
            board.tell(&tried(address.name()), 0);
            while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {}
            board.tell(address.name(), 0);
        }
        _ => {
            if let Ok(socket) = accept_async(stream).await {
                talk(socket, &address, &board).await;
            }
        }
    }
}

async fn talk(mut socket: WebSocketStream<TcpStream>, address: &Address, board: &Board) {
    match address.path.as_str() {
        "/echo" => {
            while let Some(Ok(message)) = socket.next().await {
                if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                    return;
                }
            }
        }
        "/send" => {
            let padding = " ".repeat(address.number("bytes"));
            for number in 0..address.number("frames") {
                let mut text = format!("{number}{padding}");
                text.truncate(padding.len());
                let message = match address.query["kind"].as_str() {
                    "binary" => Message::binary(text.into_bytes()),
                    _ => Message::text(text),
                };
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        }
        "/close" => {
            let code = CloseCode::from(u16::try_from(address.number("code")).unwrap());
            let _ = socket.send(Message::text("last")).await;
            let _ = socket.close(Some(CloseFrame { code, reason: "enough".into() })).await;
        }
        "/abort" => {
            let _ = socket.send(Message::text("last")).await;
            return;
        }
        "/ping" => {
            let _ = socket.send(Message::Ping("?".into())).await;
            let _ = socket.send(Message::text("pinged")).await;
        }
        "/tried" | "/gone" | "/counted" => {
            let name = if address.path == "/tried" { tried(address.name()) } else { address.name().to_owned() };
            let number = board.told(&name).await;
            let _ = socket.send(Message::text(number.to_string())).await;
        }
        "/aside" => drop(socket.send(Message::text(board.aside.to_string())).await),
        "/count" => board.tell(address.name(), count(&mut socket).await),
        "/release" => board.tell(address.name(), 0),
        "/held" => {
            board.told(address.name()).await;
            let number = count(&mut socket).await;
            let _ = socket.send(Message::text(number.to_string())).await;
        }
        other => panic!("{other} is no address of this server"),
    }
    // Until the client closes.
    while let Some(Ok(_)) = socket.next().await {}
}

/// Where it is told that somebody tried to connect.
fn tried(name: &str) -> String {
    format!("{name}-tried")
}

/// Counts frames up to one that says `end`, or to the end of the socket.
async fn count(socket: &mut WebSocketStream<TcpStream>) -> usize {
    let mut number = 0;
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) if text.as_str() == "end" => break,
            Message::Text(_) | Message::Binary(_) => number += 1,
            _ => {}
        }
    }
    number
}
