//! Accepting sockets, and serving each until it is closed or becomes a WebSocket.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{
    intake::{Intake, MeteredStream},
    places::{Place, Places},
    proxy::client_address,
    routes::{self, AppState},
    tls::Stream,
    watched::Watched,
};
use axum::http::HeaderMap;

/// Bytes of a request's head at most. A token in the address takes half of it.
const HEAD_BYTES: usize = 64 * 1024;

/// Pause after the system did not accept a socket. Most often it has no free file descriptor, and has one as soon as an idle
/// socket is closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long what was sent may stay unacknowledged before the system gives a socket up: more than a phone in a tunnel takes. Its own
/// choice is a quarter of an hour. A client of a WebSocket is asked for signs of life besides, but one of a stream of events never sends.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// A failure after another is told in the log once for so many: every ten seconds.
const FAILURES_A_LINE: usize = 200;

/// Who is at the other end of a socket.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// The address of the socket, which may be a proxy's.
    socket: IpAddr,
    /// The place of the socket.
    pub(super) place: Arc<Place>,
    /// What came over the socket and is no message yet.
    pub(super) intake: Arc<Intake>,
}

impl Peer {
    /// The address of the client that sent these headers.
    pub(super) fn client(&self, headers: &HeaderMap, state: &AppState) -> IpAddr {
        client_address(self.socket, headers, &state.trusted_proxies)
    }
}

/// Accepts sockets for ever.
pub(super) async fn serve(listener: TcpListener, state: Arc<AppState>) -> Infallible {
    loop {
        let (stream, address) = accept(&listener, &state.places).await;
        prepare(&stream, address);
        let place = state.places.take(address.ip(), state.context.limits.now().handshake_timeout);
        let peer = Peer { socket: address.ip(), place, intake: Intake::new(&state.context.budget) };
        let open = state.vitals.count_socket();
        let served = serve_socket(Stream::new(stream, state.tls.as_ref()), peer, Arc::clone(&state));
        tokio::spawn(async move {
            served.await;
            drop(open);
        });
        // Each newcomer's task runs before the next is accepted, however many wait.
        tokio::task::yield_now().await;
    }
}

/// Sets what a socket needs. It works without it, too.
fn prepare(stream: &TcpStream, address: SocketAddr) {
    // Frames are small, and players wait for them.
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("cannot turn off Nagle's algorithm for {address}: {error}");
    }
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(stream);
        if let Err(error) = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)) {
            log::debug!("the system's own time to give {address} up holds: {error}");
        }
        // On a line that loses packets, the pauses between two tries do not double: with few packets on the way, as in a game,
        // it is the doubling that makes a frame come seconds late.
        if let Err(error) = socket.set_tcp_thin_linear_timeouts(true) {
            log::debug!("what is lost on the way to {address} is sent again at longer and longer intervals: {error}");
        }
    }
}

async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, SocketAddr) {
    let mut failures = 0_usize;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_about_one_socket(&error) => {}
            Err(error) => {
                if failures.is_multiple_of(FAILURES_A_LINE) {
                    log::error!("cannot accept a socket: {error}; the one that is idle longest is closed");
                }
                failures += 1;
                places.evict_one();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_socket(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Answers the requests of one socket, until its place ends or it becomes a WebSocket, which has a task of its own.
fn serve_socket(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    state: Arc<AppState>,
) -> impl Future<Output = ()> + Send {
    let place = Arc::clone(&peer.place);
    let stream = MeteredStream::new(stream, Arc::clone(&peer.intake));
    let service = service_fn(move |request: Request<Incoming>| {
        let (state, peer) = (Arc::clone(&state), peer.clone());
        async move { Ok::<_, Infallible>(routes::handle(state, peer, request.map(Body::new)).await) }
    });
    let stream = Watched::new(stream, Arc::clone(&place));
    async move {
        let connection = http1::Builder::new().max_buf_size(HEAD_BYTES).serve_connection(TokioIo::new(stream), service);
        // Whatever the connection waits for, its reader or its writer, it ends with its place.
        tokio::select! {
            biased;
            () = place.ended() => {}
            ended = connection.with_upgrades() => {
                if let Err(error) = ended {
                    log::debug!("a socket failed: {error}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        sync::mpsc,
        task::JoinHandle,
        time::Instant,
    };

    use super::*;
    use crate::{
        Limits,
        budget::{MemoryBudget, Purpose},
        counters::Counters,
        http::Room,
        server::{
            admin::Admin, config::RelayConfig, control::RelayControl, http::HeavyWork, live_limits::LiveLimits,
            socket::SocketContext, vitals::Vitals,
        },
    };

    /// What fits between the two ends of the test's sockets.
    const PIPE: usize = 1_024;

    /// A socket to a relay without a hub, which answers with its greeting alone, and the task of its other end.
    fn connect() -> (DuplexStream, JoinHandle<()>) {
        let (inbox, _) = mpsc::channel(1);
        let budget = MemoryBudget::new(1_000_000);
        let (counters, vitals) = (Arc::<Counters>::default(), Arc::new(Vitals::new(web_time::Instant::now())));
        let (control, _) = RelayControl::new(RelayConfig::default(), None);
        let admin = Admin::new(control, Arc::clone(&vitals), Arc::clone(&counters), budget.clone(), Duration::ZERO);
        let intake = Intake::new(&budget);
        let limits = LiveLimits::new(Limits::default());
        let context = SocketContext { inbox, limits, budget: budget.clone(), counters, heavy: Arc::default() };
        let state = Arc::new(AppState {
            places: Places::new(&context.limits.now(), &budget),
            context,
            files: None,
            trusted_proxies: Vec::new(),
            heavy: HeavyWork::default(),
            bodies: Room::new(budget, Purpose::Bodies),
            admin,
            tls: None,
            vitals,
        });
        let address = Ipv4Addr::LOCALHOST.into();
        let place = state.places.take(address, state.context.limits.now().handshake_timeout);
        let (client, server) = duplex(PIPE);
        (client, tokio::spawn(serve_socket(server, Peer { socket: address, place, intake }, state)))
    }

    /// How long the relay keeps the socket after `request`, if the client reads `count` bytes a second.
    async fn life(request: &str, count: usize) -> Duration {
        let (mut client, mut served) = connect();
        let start = Instant::now();
        client.write_all(request.as_bytes()).await.unwrap();
        let reading = async {
            let mut read = vec![0; count];
            while client.read(&mut read).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = reading => panic!("a pipe does not fail"),
            _ = &mut served => start.elapsed(),
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_system_gives_a_socket_up_whose_client_acknowledges_nothing() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        prepare(&stream, address);
        let socket = socket2::SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
        assert!(
            socket.tcp_thin_linear_timeouts().unwrap(),
            "what is lost is sent again without longer and longer pauses"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_has_ten_seconds() {
        let expected = Duration::from_secs(10);
        assert_eq!(life("", 1).await, expected);
        assert_eq!(life("GET / HTTP/1.1\r\nHost: ", 1).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_socket_is_closed_soon_after_its_answer_also_with_a_byte_of_the_next_request() {
        for more in ["", "G"] {
            let life = life(&format!("GET / HTTP/1.1\r\nHost: x\r\n\r\n{more}"), PIPE).await;
            assert!((5..8).contains(&life.as_secs()), "{life:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_a_byte_a_second_is_closed_too() {
        let requests = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20);
        let life = life(&requests, 1).await;
        assert!(life.as_secs() < 20, "{life:?}");
    }
}
