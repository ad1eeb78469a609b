//! What lies between a client and its socket: encoding and decoding, the frame tap, the traffic counters, and the frames that
//! the socket has not taken yet.
//!
//! The background task of `rooms_net` and the simulated network of `rooms_sim` both drive a client through this type. So what
//! is simulated is what ships.

use std::{collections::VecDeque, fmt};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use web_time::Instant;

use super::{
    frame_tap::{FrameDirection, FrameTap},
    traffic::TrafficSnapshot,
};
use crate::{
    auth::token::{TokenAnswer, TokenParams, TokenRequest},
    client::Client,
    command::Command,
    event::Event,
    options::Credentials,
    output::{HttpRequest, HttpResponse, Output, RequestId, TransportId},
};
use rooms_protocol::{ErrorInfo, Timestamp, WireFrame};

/// Random bytes of a token request's nonce, which make more than the 16 characters that `RSA9c` asks for.
pub const NONCE_BYTES: usize = 18;

/// What the driver is to do. Credentials in it are not shown in debug output.
#[derive(Clone, PartialEq)]
pub enum PumpAction {
    /// Open a socket. The URL holds credentials; do not log it.
    Open {
        /// Names the socket.
        transport: TransportId,
        /// Where to.
        url: String,
    },
    /// Frames wait for the current socket: take them with [`Pump::poll_frame`], now or once the socket has capacity.
    Transmit,
    /// Take the frames that wait as far as the socket has capacity, then close the socket. [`Pump::poll_action`] drops what is
    /// left.
    Shut {
        /// The socket.
        transport: TransportId,
    },
    /// Get a token, from the callback or the URL of the credentials. The answer goes to [`Pump::handle_token`].
    NeedToken {
        /// Names the answer.
        request: RequestId,
        /// What the token must be.
        params: TokenParams,
    },
    /// Give the time and random bytes to sign a token request with, to [`Pump::sign_token`].
    SignToken {
        /// Names the answer.
        request: RequestId,
    },
    /// POST a signed token request, without credentials. The answer goes to [`Pump::handle_token`].
    ExchangeToken {
        /// Names the answer.
        request: RequestId,
        /// What to send.
        http: HttpRequest,
    },
    /// Send a request over HTTP. The answer goes to [`Pump::handle_http`].
    Http {
        /// Names the answer.
        request: RequestId,
        /// What to send.
        http: HttpRequest,
    },
    /// GET the URL. Whether an answer came that holds `yes` goes to [`Pump::handle_connectivity`].
    CheckConnectivity {
        /// Names the answer.
        request: RequestId,
        /// What to ask.
        url: String,
    },
}

impl fmt::Debug for PumpAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // URLs and bodies may hold credentials.
            Self::Open { transport, .. } => {
                f.debug_struct("Open").field("transport", transport).finish_non_exhaustive()
            }
            Self::Transmit => f.write_str("Transmit"),
            Self::Shut { transport } => f.debug_struct("Shut").field("transport", transport).finish(),
            Self::NeedToken { request, params } => {
                f.debug_struct("NeedToken").field("request", request).field("params", params).finish()
            }
            Self::SignToken { request } => f.debug_struct("SignToken").field("request", request).finish(),
            Self::ExchangeToken { request, http } => {
                f.debug_struct("ExchangeToken").field("request", request).field("http", http).finish()
            }
            Self::Http { request, http } => {
                f.debug_struct("Http").field("request", request).field("http", http).finish()
            }
            Self::CheckConnectivity { request, url } => {
                f.debug_struct("CheckConnectivity").field("request", request).field("url", url).finish()
            }
        }
    }
}

/// A client with what lies between it and its socket, without I/O.
///
/// Drive it as the [client](crate#how-to-drive-it) itself: hand in what happened, then take [`poll_action`](Self::poll_action)
/// and [`poll_event`](Self::poll_event) until they give `None`.
#[derive(Debug)]
pub struct Pump {
    client: Client,
    /// The current socket, opening or open.
    transport: Option<TransportId>,
    /// Frames that the socket has not taken yet. The client's outbox bounds them.
    pending: VecDeque<WireFrame>,
    /// Whether the driver was told to shut the socket that the pending frames are for.
    is_shutting: bool,
    /// The token request that waits to be signed.
    to_sign: Option<(RequestId, TokenParams)>,
    traffic: TrafficSnapshot,
    tap: FrameTap,
}

impl Pump {
    /// A client that shows its frames at `tap`.
    pub fn new(client: Client, tap: FrameTap) -> Self {
        Self {
            client,
            transport: None,
            pending: VecDeque::new(),
            is_shutting: false,
            to_sign: None,
            traffic: TrafficSnapshot::default(),
            tap,
        }
    }

    /// Shows frames at this tap from now on.
    pub fn set_tap(&mut self, tap: FrameTap) {
        self.tap = tap;
    }

    /// The client, to look at.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What was sent and received so far. Events that wait or were dropped are not counted here.
    pub fn traffic(&self) -> TrafficSnapshot {
        self.traffic
    }

    /// Does what the game asks.
    pub fn handle_command(&mut self, command: Command, now: Instant) {
        self.client.handle_command(command, now);
    }

    /// The machine of the server takes the connection. As [`Client::handle_reached`].
    pub fn handle_reached(&mut self, transport: TransportId) {
        self.client.handle_reached(transport);
    }

    /// The socket is open.
    pub fn handle_opened(&mut self, transport: TransportId, now: Instant) {
        self.client.handle_opened(transport, now);
    }

    /// A frame came. One of a socket that is not the current one is ignored.
    pub fn handle_frame(&mut self, transport: TransportId, wire: &WireFrame, now: Instant) {
        if self.transport != Some(transport) {
            return;
        }
        self.traffic.frames_in += 1;
        self.traffic.bytes_in += wire.len() as u64;
        match wire.decode() {
            Ok(frame) => {
                self.tap.show(FrameDirection::In, &frame, wire.len(), now);
                self.client.handle_frame(transport, frame, now);
            }
            Err(error) => {
                self.tap.show_malformed(&error, wire.len(), now);
                self.traffic.malformed += 1;
                self.client.handle_malformed(transport, &error, now);
            }
        }
    }

    /// Something came that is not a frame, such as a WebSocket ping. It shows that the server is still there.
    pub fn handle_activity(&mut self, transport: TransportId, now: Instant) {
        self.client.handle_activity(transport, now);
    }

    /// The socket is gone, or could not be opened.
    pub fn handle_closed(&mut self, transport: TransportId, reason: Option<ErrorInfo>, now: Instant) {
        if self.transport == Some(transport) {
            self.forget_socket();
        }
        self.client.handle_closed(transport, reason, now);
    }

    /// The answer to [`PumpAction::NeedToken`] or [`PumpAction::ExchangeToken`].
    pub fn handle_token(&mut self, request: RequestId, answer: Result<TokenAnswer, ErrorInfo>, now: Instant) {
        self.client.handle_token(request, answer, now);
    }

    /// Signs the token request of [`PumpAction::SignToken`], at this time of the machine's clock. Nobody may be able to guess the
    /// nonce.
    pub fn sign_token(&mut self, request: RequestId, time: Timestamp, nonce: [u8; NONCE_BYTES], now: Instant) {
        let Some((_, params)) = self.to_sign.take_if(|(asked, _)| *asked == request) else { return };
        let Credentials::Key(key) = &self.client.options().credentials else { return };
        // A client that goes by the server's clock has set the time already.
        let time = params.timestamp.unwrap_or(time);
        let signed = TokenRequest::sign(key, &params, time, &BASE64_URL_SAFE_NO_PAD.encode(nonce));
        self.client.handle_token(request, signed.map(TokenAnswer::from), now);
    }

    /// The answer to [`PumpAction::Http`], or why there is none.
    pub fn handle_http(&mut self, request: RequestId, answer: Result<HttpResponse, ErrorInfo>, now: Instant) {
        self.client.handle_http(request, answer, now);
    }

    /// The answer to [`PumpAction::CheckConnectivity`].
    pub fn handle_connectivity(&mut self, request: RequestId, up: bool, now: Instant) {
        self.client.handle_connectivity(request, up, now);
    }

    /// The operating system says that the network went away or came back.
    pub fn handle_network(&mut self, up: bool, now: Instant) {
        self.client.handle_network(up, now);
    }

    /// As [`Client::shelve`].
    pub fn shelve(&mut self, now: Instant) {
        self.client.shelve(now);
    }

    /// As [`Client::check_socket`].
    pub fn check_socket(&mut self, now: Instant) {
        self.client.check_socket(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    /// The next thing for the game to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.client.poll_event()
    }

    /// The next thing for the driver to do.
    pub fn poll_action(&mut self, now: Instant) -> Option<PumpAction> {
        if std::mem::take(&mut self.is_shutting) {
            self.forget_socket();
        }
        // Skips what was meant for a socket that is gone.
        let is_stale = |output: &Output, present| match output {
            Output::Send { transport, .. } | Output::Shut { transport } => present != Some(*transport),
            _ => false,
        };
        let mut output = self.client.poll_output()?;
        while is_stale(&output, self.transport) {
            output = self.client.poll_output()?;
        }
        Some(match output {
            Output::Open { transport, url } => {
                self.forget_socket();
                self.transport = Some(transport);
                self.traffic.sockets += 1;
                PumpAction::Open { transport, url }
            }
            Output::Send { frame, .. } => {
                let copy = self.tap.is_open().then(|| frame.clone());
                let wire = self.client.format().encode(frame);
                self.traffic.frames_out += 1;
                self.traffic.bytes_out += wire.len() as u64;
                if let Some(copy) = copy {
                    self.tap.show(FrameDirection::Out, &copy, wire.len(), now);
                }
                self.pending.push_back(wire);
                PumpAction::Transmit
            }
            Output::Shut { transport } => {
                self.is_shutting = true;
                PumpAction::Shut { transport }
            }
            Output::NeedToken { request, params } => match self.client.options().credentials {
                Credentials::Key(_) => {
                    self.to_sign = Some((request, params));
                    PumpAction::SignToken { request }
                }
                _ => PumpAction::NeedToken { request, params },
            },
            Output::ExchangeToken { request, http } => PumpAction::ExchangeToken { request, http },
            Output::Http { request, http } => PumpAction::Http { request, http },
            Output::CheckConnectivity { request, url } => PumpAction::CheckConnectivity { request, url },
        })
    }

    /// The next frame for the current socket. Take it only where the socket has capacity.
    pub fn poll_frame(&mut self) -> Option<WireFrame> {
        self.pending.pop_front()
    }

    /// Whether frames wait for the current socket.
    pub fn has_frames(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The socket takes no more frames.
    pub fn discard_frames(&mut self) {
        self.pending.clear();
    }

    fn forget_socket(&mut self) {
        self.transport = None;
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::{ClientOptions, ConnectionState, Endpoint};
    use rooms_protocol::{Action, Format, Frame};

    fn pump(options: impl FnOnce(&mut ClientOptions)) -> Pump {
        let endpoint = Endpoint::Url("ws://127.0.0.1:8787".to_owned());
        let credentials = Credentials::Key("rooms.dev:secret".to_owned());
        let mut all = ClientOptions::new(endpoint, credentials);
        options(&mut all);
        let tap = FrameTap::default();
        tap.set_open(true);
        Pump::new(Client::new(all, 7), tap)
    }

    fn actions(pump: &mut Pump, now: Instant) -> Vec<PumpAction> {
        iter::from_fn(|| pump.poll_action(now)).collect()
    }

    fn connected(now: Instant) -> (Pump, TransportId) {
        let mut pump = pump(|_| {});
        pump.handle_command(Command::Connect, now);
        let [PumpAction::Open { transport, .. }] = actions(&mut pump, now)[..] else { panic!("it opens a socket") };
        let welcome = Frame { connection_id: Some("c1".into()), ..Frame::new(Action::Connected) };
        pump.handle_opened(transport, now);
        pump.handle_frame(transport, &Format::Json.encode(welcome), now);
        assert_eq!(pump.client().state(), ConnectionState::Connected);
        (pump, transport)
    }

    #[test]
    fn frames_are_counted_shown_and_kept_until_the_socket_takes_them() {
        let now = Instant::now();
        let (mut pump, _) = connected(now);
        pump.handle_command(Command::Ping, now);
        assert_eq!(actions(&mut pump, now), [PumpAction::Transmit]);
        assert!(pump.has_frames());
        let wire = pump.poll_frame().unwrap();
        assert_eq!(wire.decode().unwrap().action, Action::Heartbeat);
        let traffic = pump.traffic();
        assert_eq!((traffic.sockets, traffic.frames_in, traffic.frames_out), (1, 1, 1));
        assert_eq!(traffic.bytes_out, wire.len() as u64);
        assert_eq!(pump.tap.take().0.len(), 2);
    }

    #[test]
    fn what_a_socket_that_is_shut_did_not_take_is_dropped() {
        let now = Instant::now();
        let (mut pump, transport) = connected(now);
        pump.handle_command(Command::Ping, now);
        pump.shelve(now);
        assert_eq!(pump.poll_action(now), Some(PumpAction::Transmit));
        assert_eq!(pump.poll_action(now), Some(PumpAction::Shut { transport }));
        assert!(pump.has_frames(), "the socket may still take it");
        assert_eq!(pump.poll_action(now), None);
        assert!(!pump.has_frames());
    }

    #[test]
    fn frames_of_another_socket_and_frames_that_cannot_be_read_do_no_harm() {
        let now = Instant::now();
        let (mut pump, transport) = connected(now);
        let wire = Format::Json.encode(Frame::new(Action::Heartbeat));
        pump.handle_frame(TransportId(99), &wire, now);
        assert_eq!(pump.traffic().frames_in, 1);
        pump.handle_frame(transport, &WireFrame::Text("{".into()), now);
        assert_eq!((pump.traffic().frames_in, pump.traffic().malformed), (2, 1));
        assert_eq!(pump.client().stats().malformed, 1);
    }

    #[test]
    fn a_client_with_a_key_signs_its_token_requests_with_what_the_driver_gives() {
        let now = Instant::now();
        let mut pump = pump(|options| options.use_token_auth = true);
        pump.handle_command(Command::Connect, now);
        let [PumpAction::SignToken { request }] = actions(&mut pump, now)[..] else { panic!("it signs a request") };
        pump.sign_token(request, Timestamp(5), [7; NONCE_BYTES], now);
        pump.sign_token(request, Timestamp(5), [7; NONCE_BYTES], now);
        let signed = actions(&mut pump, now);
        let [PumpAction::ExchangeToken { http, .. }] = &signed[..] else { panic!("it exchanges the request once") };
        let signed: TokenRequest = serde_json::from_str(http.body.as_ref().unwrap()).unwrap();
        assert_eq!((signed.key_name.as_str(), signed.rest["timestamp"].as_i64()), ("rooms.dev", Some(5)));
        assert!(signed.rest["nonce"].as_str().unwrap().len() >= 16);
        assert!(!format!("{:?}", actions(&mut pump, now)).contains("secret"));
    }
}
