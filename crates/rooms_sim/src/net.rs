//! The simulated network: who is on it, and what happens next.

mod agenda;
mod node;
mod trouble;

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use web_time::Instant;

use self::{agenda::Agenda, node::Node};
use super::{
    faults::{Direction, FaultPlan, LinkConditions},
    halt::Halt,
    socket::{Parcel, SocketId},
    wire::Wire,
};
use rooms_client::{
    Client, ClientOptions, Command, Credentials, Endpoint, Event, HttpRequest, HttpResponse, TokenAnswer,
    driver::{FrameTap, Pump, PumpAction, TrafficSnapshot},
};
use rooms_protocol::{DEVELOPMENT_KEY, ErrorCode, ErrorInfo, Format, Timestamp};
use rooms_relay::{ConnectRequest, Hub, HubConfig, HubStats, RestRequest};

/// The wall clock when a simulation starts: any time will do, as long as it is always the same.
const WALL_START: Timestamp = Timestamp(1_700_000_000_000);

/// Names a client of a [`SimNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientIndex(usize);

/// One relay, any number of clients, and the network between them, on simulated time.
///
/// Hand commands in with [`command`](Self::command), let time pass with [`step`](Self::step),
/// [`advance_to`](Self::advance_to), [`run_for`](Self::run_for) or [`run_until`](Self::run_until), and take events out
/// with [`take_events`](Self::take_events). A caller that has timers of its own lets time pass to the earlier of
/// those and [`next_at`](Self::next_at).
#[derive(Debug)]
pub struct SimNet {
    start: Instant,
    now: Instant,
    rng: ChaCha8Rng,
    config: HubConfig,
    hub: Hub,
    /// Until when the relay takes no sockets.
    relay_down_until: Instant,
    nodes: Vec<Node>,
    /// When each of the nodes acts by itself next.
    agenda: Agenda,
    wire: Wire,
    plan: Option<(FaultPlan, Instant)>,
}

impl SimNet {
    /// A relay with its default configuration and nobody on it. Equal seeds make equal simulations.
    pub fn new(seed: u64) -> Self {
        Self::with_relay(seed, HubConfig::default())
    }

    /// A relay with this configuration and nobody on it.
    pub fn with_relay(seed: u64, config: HubConfig) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // The only read of a clock: there is no other way to make an `Instant`. Only distances from it matter.
        let now = Instant::now();
        Self {
            start: now,
            now,
            hub: Hub::new(config.clone(), rng.random(), now, WALL_START),
            config,
            rng,
            relay_down_until: now,
            nodes: Vec::new(),
            agenda: Agenda::default(),
            wire: Wire::default(),
            plan: None,
        }
    }

    /// Options of a client called `client_id` that the relay's default configuration lets in.
    pub fn options(client_id: &str) -> ClientOptions {
        let endpoint = Endpoint::Url("ws://127.0.0.1:8787".to_owned());
        let credentials = Credentials::Key(DEVELOPMENT_KEY.to_owned());
        ClientOptions { client_id: Some(client_id.into()), ..ClientOptions::new(endpoint, credentials) }
    }

    /// Adds a client, which does nothing before a [`Command::Connect`].
    pub fn add_client(&mut self, options: ClientOptions) -> ClientIndex {
        self.nodes.push(Node {
            pump: Pump::new(Client::new(options, self.rng.random()), FrameTap::default()),
            link: LinkConditions::default(),
            refused_until: self.now,
            events: Vec::new(),
            socket: None,
            isolated: Halt::No,
            mute: Halt::No,
            deaf: Halt::No,
            frozen: Halt::No,
            dead: false,
        });
        ClientIndex(self.nodes.len() - 1)
    }

    /// Shows a client's frames at this tap from now on.
    pub fn set_tap(&mut self, client: ClientIndex, tap: FrameTap) {
        self.nodes[client.0].pump.set_tap(tap);
    }

    /// Hands a command to a client. One that was [killed](Self::kill) takes none.
    pub fn command(&mut self, client: ClientIndex, command: Command) {
        if !self.nodes[client.0].dead {
            self.nodes[client.0].pump.handle_command(command, self.now);
            self.drain_client(client.0);
        }
    }

    /// Takes the client's events since the last time.
    pub fn take_events(&mut self, client: ClientIndex) -> Vec<Event> {
        std::mem::take(&mut self.nodes[client.0].events)
    }

    /// A client, to look at.
    pub fn client(&self, client: ClientIndex) -> &Client {
        self.nodes[client.0].pump.client()
    }

    /// All clients.
    pub fn clients(&self) -> impl Iterator<Item = ClientIndex> + use<> {
        (0..self.nodes.len()).map(ClientIndex)
    }

    /// What a client sent and received so far.
    pub fn traffic(&self, client: ClientIndex) -> TrafficSnapshot {
        self.nodes[client.0].pump.traffic()
    }

    /// Whether frames of a client wait in it, since its socket takes no more for now.
    pub fn has_waiting_frames(&self, client: ClientIndex) -> bool {
        self.nodes[client.0].pump.has_frames()
    }

    /// How much the relay holds.
    pub fn relay_stats(&self) -> HubStats {
        self.hub.stats()
    }

    /// The present.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How much time has passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// When something happens next, unless a command comes before.
    pub fn next_at(&self) -> Option<Instant> {
        let fault = self.plan.as_ref().map(|(_, at)| *at);
        let all = [self.agenda.next(), self.hub.poll_timeout(), self.wire.next(), fault];
        all.into_iter().flatten().min().map(|at| at.max(self.now))
    }

    /// Lets time pass until the next thing happens, and lets it happen. Returns whether anything happened.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next_at() else { return false };
        self.now = at;
        self.end_halts();
        if let Some((socket, direction, parcel)) = self.wire.arrive(at) {
            match direction {
                Direction::Up => {
                    self.arrive_at_relay(socket, parcel);
                    self.send_more(socket);
                }
                Direction::Down => self.arrive_at_client(socket, parcel),
            }
            self.wire.tidy();
        } else if self.hub.poll_timeout().is_some_and(|due| due <= at) {
            self.hub.handle_timeout(at);
            self.drain_hub();
        } else if let Some((plan, _)) = self.plan.take_if(|(_, due)| *due <= at) {
            self.strike(plan);
        } else {
            for index in self.agenda.due(at) {
                if self.nodes[index].is_due(at) {
                    self.nodes[index].pump.handle_timeout(at);
                    self.drain_client(index);
                }
            }
        }
        true
    }

    /// Lets everything happen that happens until `at`, which is then the present.
    pub fn advance_to(&mut self, at: Instant) {
        while self.next_at().is_some_and(|next| next <= at) {
            self.step();
        }
        self.now = self.now.max(at);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.advance_to(self.now + time);
    }

    /// Lets things happen until `condition` holds, no longer than `limit`. Returns whether it holds in the end.
    pub fn run_until(&mut self, mut condition: impl FnMut(&Self) -> bool, limit: Duration) -> bool {
        let end = self.now + limit;
        while !condition(self) {
            if self.next_at().is_none_or(|next| next > end) {
                self.now = end;
                return condition(self);
            }
            self.step();
        }
        true
    }

    fn arrive_at_relay(&mut self, id: SocketId, parcel: Parcel) {
        let now = self.now;
        let Some(socket) = self.wire.get_mut(id) else { return };
        match (parcel, socket.link) {
            (Parcel::Dial(query), _) => {
                let refused_until = self.nodes[socket.client].refused_until.max(self.relay_down_until);
                if now < refused_until {
                    return self.close(id, Direction::Down);
                }
                let link = self.hub.open(&ConnectRequest::from_query(&query), now);
                self.wire.set_link(id, link);
                self.send(id, Direction::Down, Parcel::Opened);
            }
            (Parcel::Frame(wire), Some(link)) => match wire.decode_checked(self.config.limits.messages_per_frame) {
                Ok(frame) => self.hub.handle_frame(link, frame, now),
                Err(unreadable) => self.hub.handle_malformed(link, &unreadable, now),
            },
            (Parcel::Gone, Some(link)) => self.hub.handle_closed(link, now),
            (Parcel::Frame(_) | Parcel::Gone | Parcel::Opened | Parcel::Ping, _) => {}
        }
        self.drain_hub();
    }

    fn arrive_at_client(&mut self, id: SocketId, parcel: Parcel) {
        let now = self.now;
        let Some(socket) = self.wire.get_mut(id) else { return };
        let (index, transport) = (socket.client, socket.transport);
        let pump = &mut self.nodes[index].pump;
        match parcel {
            Parcel::Opened => pump.handle_opened(transport, now),
            Parcel::Frame(wire) => pump.handle_frame(transport, &wire, now),
            Parcel::Ping => pump.handle_activity(transport, now),
            Parcel::Gone => {
                let reason = ErrorInfo::new(ErrorCode::DISCONNECTED, 400, "the simulated socket is gone");
                pump.handle_closed(transport, Some(reason), now);
            }
            Parcel::Dial(_) => {}
        }
        self.drain_client(index);
    }

    fn drain_client(&mut self, index: usize) {
        while let Some(action) = self.nodes[index].pump.poll_action(self.now) {
            self.run_action(index, action);
        }
        let node = &mut self.nodes[index];
        node.events.extend(std::iter::from_fn(|| node.pump.poll_event()));
        self.agenda.set(index, node.next_at());
    }

    /// Does what a client wants done.
    fn run_action(&mut self, index: usize, action: PumpAction) {
        match action {
            PumpAction::Open { transport, url } => {
                let id = self.wire.add(index, transport, self.now);
                self.nodes[index].socket = Some(id);
                let query = url.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
                self.send(id, Direction::Up, Parcel::Dial(query));
            }
            PumpAction::Transmit => self.transmit(index),
            PumpAction::Shut { transport } => {
                // What was sent just before, such as a goodbye, goes out where the socket has capacity.
                self.transmit(index);
                if let Some(id) = self.wire.of_client(index, transport) {
                    self.close(id, Direction::Up);
                }
            }
            // A simulated client has no game's server to ask.
            PumpAction::NeedToken { request, .. } => {
                let error = ErrorInfo::new(ErrorCode::AUTH_CALLBACK_FAILED, 401, "nobody issues tokens");
                self.nodes[index].pump.handle_token(request, Err(error), self.now);
            }
            PumpAction::SignToken { request } => {
                let (time, nonce) = (WALL_START.plus(self.elapsed()), self.rng.random());
                self.nodes[index].pump.sign_token(request, time, nonce, self.now);
            }
            // HTTP takes no time here and meets no faults.
            PumpAction::ExchangeToken { request, http } => {
                let answer = self.hub.rest(&rest_request(http), self.now);
                let content_type = answer.header("content-type").unwrap_or_default();
                let answer = TokenAnswer::from_response(answer.status, "", content_type, &answer.body);
                self.nodes[index].pump.handle_token(request, answer, self.now);
            }
            PumpAction::Http { request, http } => {
                let answer = self.hub.rest(&rest_request(http), self.now);
                let link = answer.list("link");
                let response =
                    HttpResponse { status: answer.status, link, body: answer.body, ..HttpResponse::default() };
                self.nodes[index].pump.handle_http(request, Ok(response), self.now);
                self.drain_hub();
            }
            // The simulated network is all there is.
            PumpAction::CheckConnectivity { request, .. } => {
                self.nodes[index].pump.handle_connectivity(request, true, self.now);
            }
        }
    }

    /// Hands a client's frames to its socket, as far as the socket has capacity.
    fn transmit(&mut self, index: usize) {
        let Some(id) = self.nodes[index].socket else { return };
        while self.wire.has_capacity(id, self.nodes[index].link) {
            let Some(wire) = self.nodes[index].pump.poll_frame() else { return };
            self.send(id, Direction::Up, Parcel::Frame(wire));
        }
    }

    /// A frame has arrived, so the socket has capacity for another one.
    fn send_more(&mut self, id: SocketId) {
        let Some(client) = self.wire.get_mut(id).map(|socket| socket.client) else { return };
        if self.nodes[client].socket == Some(id) && self.nodes[client].can_act() {
            self.transmit(client);
        }
    }

    fn drain_hub(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                rooms_relay::Output::Send { link, mut batch } => {
                    if let Some((id, format)) = self.format_of_link(link) {
                        while let Some(wire) = batch.next_wire(format) {
                            self.send(id, Direction::Down, Parcel::Frame(wire));
                        }
                        self.cut_off_if_slow(id, link);
                    }
                }
                rooms_relay::Output::Ping { link } => {
                    if let Some(id) = self.wire.of_link(link) {
                        self.send(id, Direction::Down, Parcel::Ping);
                    }
                }
                rooms_relay::Output::Close { link } => {
                    if let Some(id) = self.wire.of_link(link) {
                        self.close(id, Direction::Down);
                    }
                }
            }
        }
    }

    /// Cuts off a slow reader, as the relay's listener does.
    fn cut_off_if_slow(&mut self, id: SocketId, link: rooms_relay::LinkId) {
        let (frames, bytes) = self.wire.backlog(id, self.now);
        let limits = &self.config.limits;
        if frames > limits.queue_frames || bytes > limits.queue_bytes {
            self.wire.cut_off(id, self.now + LinkConditions::default().latency);
            self.hub.handle_closed(link, self.now);
        }
    }

    /// The socket behind a link, and the encoding that its client asked for.
    fn format_of_link(&mut self, link: rooms_relay::LinkId) -> Option<(SocketId, Format)> {
        let id = self.wire.of_link(link)?;
        let client = self.wire.get_mut(id)?.client;
        Some((id, self.nodes[client].pump.client().format()))
    }

    fn send(&mut self, id: SocketId, direction: Direction, parcel: Parcel) {
        let Some(client) = self.wire.get_mut(id).map(|socket| socket.client) else { return };
        self.wire.send(id, direction, parcel, self.nodes[client].link, self.now, &mut self.rng);
    }

    fn close(&mut self, id: SocketId, from: Direction) {
        let Some(client) = self.wire.get_mut(id).map(|socket| socket.client) else { return };
        self.wire.close(id, from, self.nodes[client].link, self.now, &mut self.rng);
    }
}

/// A client's request as the relay's listener would hand it on.
fn rest_request(http: HttpRequest) -> RestRequest {
    let method = if http.body.is_some() { "POST" } else { "GET" };
    let path = http.url.find("://").map_or(0, |scheme| scheme + "://".len());
    let target = http.url[path..].find('/').map_or("/", |start| &http.url[path + start..]).to_owned();
    let headers = http.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    RestRequest { method: method.to_owned(), target, headers, body: http.body.unwrap_or_default().into_bytes() }
}
