//! A line on which opening takes long. Natively: a browser opens its sockets by itself.

use std::time::{Duration, Instant};

use rooms_net::transport::{Connector, Incoming};
use tokio::{io::AsyncReadExt, net::TcpListener, test, time::timeout};
use tokio_tungstenite::accept_async;

use super::{connector, next};

/// After how long another socket is opened, with room for a busy machine.
const BESIDE: Duration = Duration::from_millis(2500);

#[test]
async fn another_socket_is_opened_beside_one_that_takes_long_and_the_first_that_is_open_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let started = Instant::now();
    let mut link = connector().open(&format!("ws://{}/?key=k", listener.local_addr().unwrap()));
    let (mut slow, _) = listener.accept().await.unwrap();
    let (other, _) = timeout(BESIDE, listener.accept()).await.unwrap().unwrap();
    assert!(started.elapsed() > Duration::from_secs(1), "not at once");
    let _socket = accept_async(other).await.unwrap();
    while next(&mut link).await != Some(Incoming::Opened) {}
    // The slow one asked for a WebSocket, and is closed now.
    let mut asked = Vec::new();
    timeout(BESIDE, slow.read_to_end(&mut asked)).await.unwrap().unwrap();
    assert!(asked.starts_with(b"GET /?key=k"));
}

#[test]
async fn a_connection_that_is_resumed_is_asked_for_on_one_socket_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _link = connector().open(&format!("ws://{}/?key=k&resume=r", listener.local_addr().unwrap()));
    let _slow = listener.accept().await.unwrap();
    assert!(timeout(BESIDE, listener.accept()).await.is_err());
}
