//! The client: owns its parts and dispatches to them.
//!
//! Each input goes to the part that it concerns. `steps` does what a part then wants of others.

mod accessors;
mod parts;
mod stats;
mod steps;

use web_time::Instant;

use self::parts::connectivity;
pub use self::stats::ClientStats;
use crate::{
    auth::{Auth, token::TokenAnswer},
    channel::{Channels, presence::Needs},
    command::{Command, MemberQuery, OperationId},
    connection::{Connection, Step, recovery::RecoveryKey},
    context::Base,
    event::{ConnectionState, Event},
    http::{Http, request::Request, route::Routes},
    options::ClientOptions,
    outbox::Outbox,
    output::{HttpResponse, Output, RequestId, TransportId},
    timer::Timer,
};
use rooms_protocol::{Action, ChannelName, DecodeError, ErrorCode, ErrorInfo, Frame, Message, PresenceMessage};

/// A realtime client. The [crate](crate) says how to drive it.
#[derive(Debug)]
pub struct Client {
    base: Base,
    connection: Connection,
    auth: Auth,
    channels: Channels,
    outbox: Outbox,
    http: Http,
    routes: Routes,
}

impl Client {
    /// A client that does nothing yet. Equal seeds make equal decisions; a game's seed is random.
    pub fn new(mut options: ClientOptions, seed: u64) -> Self {
        let recover = options.recover.take();
        let mut client = Self {
            connection: Connection::new(&options),
            auth: Auth::new(&options),
            channels: Channels::default(),
            outbox: Outbox::new(options.outbox_limit),
            http: Http::default(),
            routes: Routes::default(),
            base: Base::new(options, seed),
        };
        if let Some(mut key) = recover.as_deref().and_then(RecoveryKey::parse) {
            client.outbox.set_serial(key.msg_serial);
            client.channels.restore_serials(std::mem::take(&mut key.channel_serials));
            client.connection.recover(key);
        }
        client
    }

    /// Does what the game asks. An event tells what is refused.
    pub fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Connect => self.connect(now),
            Command::Close => {
                let step = self.connection.close(&mut self.base.at(now));
                self.follow(step, now);
            }
            Command::Attach { channel, options } => {
                let (channels, mut cx) = self.channels_at(now);
                channels.attach(&channel, options, &mut cx);
            }
            Command::Detach { channel } => {
                let (channels, mut cx) = self.channels_at(now);
                channels.detach(&channel, &mut cx);
            }
            Command::Release { channel } => {
                let (channels, mut cx) = self.channels_at(now);
                channels.release(&channel, &mut cx);
            }
            Command::Publish { operation, channel, messages, lifetime } => {
                let (channels, mut cx) = self.channels_at(now);
                channels.publish(operation, channel, messages, lifetime, &mut cx);
            }
            Command::Presence { operation, channel, action, data } => {
                // The server knows who this client is; naming it would be entering for somebody else (`RTP8c`).
                let message = PresenceMessage { action: action.into(), data, ..PresenceMessage::default() };
                self.publish_presence(operation, &channel, message, now);
            }
            Command::PresenceFor { operation, channel, client_id, action, data } => {
                let (action, client_id) = (action.into(), Some(client_id));
                let message = PresenceMessage { action, client_id, data, ..PresenceMessage::default() };
                self.publish_presence(operation, &channel, message, now);
            }
            Command::Members { operation, channel, query } => self.query_members(operation, &channel, query, now),
            Command::History { operation, channel, of, query } => {
                let cx = &mut self.base.at(now);
                if let Some(request) = Request::history(operation, channel, of, &query, &self.channels, cx) {
                    self.submit(request, now);
                }
            }
            Command::NextPage { operation, page } => {
                if let Some(request) = Request::page(operation, page, &mut self.base.at(now)) {
                    self.submit(request, now);
                }
            }
            Command::PublishByHttp { operation, channel, messages } => {
                self.publish_by_http(operation, &channel, messages, now);
            }
            Command::Time { operation } => self.submit(Request::time(operation), now),
            Command::Authorize { operation } => self.authorize(operation, now),
            Command::Network { up } => {
                let step = self.connection.set_network(up, &mut self.base.at(now));
                self.follow(step, now);
            }
            Command::CheckSocket => {
                let step = self.connection.check_socket(&mut self.base.at(now));
                self.follow(step, now);
            }
            Command::Ping => {
                let state = self.connection.state();
                self.connection.liveness_mut().ping(state, &mut self.base.at(now));
            }
        }
    }

    fn publish_presence(
        &mut self,
        operation: OperationId,
        channel: &ChannelName,
        message: PresenceMessage,
        now: Instant,
    ) {
        let (channels, mut cx) = self.channels_at(now);
        if channels.publish_presence(operation, channel, message, &mut cx) == Needs::Attach {
            channels.attach_as_before(channel, &mut cx);
        }
    }

    fn publish_by_http(&mut self, operation: OperationId, channel: &ChannelName, messages: Vec<Message>, now: Instant) {
        let mut cx = self.base.at(now);
        let connectivity = connectivity(cx.options, &self.connection, &self.auth);
        let request = Request::publish(operation, channel, messages, &connectivity, &self.channels, &mut cx);
        if let Some(request) = request {
            self.submit(request, now);
        }
    }

    fn query_members(&mut self, operation: OperationId, channel: &ChannelName, query: MemberQuery, now: Instant) {
        let (channels, mut cx) = self.channels_at(now);
        if channels.query_members(operation, channel, query, &mut cx) == Needs::Attach {
            channels.attach_as_before(channel, &mut cx);
        }
    }

    /// The machine of the server takes the connection, and the socket is being opened. A driver that does not know this leaves
    /// it out: it only makes the reason better for which an attempt fails.
    pub fn handle_reached(&mut self, transport: TransportId) {
        if self.base.effects.is_current(transport) {
            self.connection.on_transport_reached();
        }
    }

    /// The socket is open. The server sends the first frame.
    pub fn handle_opened(&mut self, transport: TransportId, now: Instant) {
        if self.base.effects.is_current(transport) {
            self.connection.on_transport_opened();
        }
        self.handle_activity(transport, now);
    }

    /// A frame came.
    pub fn handle_frame(&mut self, transport: TransportId, frame: Frame, now: Instant) {
        if !self.base.effects.is_current(transport) {
            return;
        }
        self.handle_activity(transport, now);
        match (self.connection.state(), frame.action) {
            (_, Action::Connected | Action::Disconnected | Action::Closed | Action::Auth | Action::Heartbeat) => {
                self.dispatch_to_connection(frame, now);
            }
            (_, Action::Error) if frame.channel.is_none() => self.dispatch_to_connection(frame, now),
            (ConnectionState::Connected, _) | (ConnectionState::Closing, Action::Ack | Action::Nack) => {
                self.dispatch_to_channels(frame, now);
            }
            (state, action) => log::debug!("ignored {action:?} while {state:?}"),
        }
    }

    /// A frame about the connection.
    fn dispatch_to_connection(&mut self, frame: Frame, now: Instant) {
        let is_connected = self.connection.state() == ConnectionState::Connected;
        let cx = &mut self.base.at(now);
        let step = match frame.action {
            Action::Connected => self.connection.on_connected(frame, cx),
            Action::Disconnected => self.connection.on_disconnected(frame.error, cx),
            Action::Closed => self.connection.on_closed(frame.error, cx),
            Action::Error => self.connection.on_error(frame.error, cx.options.can_renew()),
            Action::Heartbeat if is_connected => {
                return self.connection.liveness_mut().on_heartbeat(frame.id.as_deref(), cx);
            }
            Action::Auth if is_connected => return self.on_auth_requested(now),
            action => return log::debug!("ignored {action:?} while {:?}", self.connection.state()),
        };
        self.follow(step, now);
    }

    /// A frame about channels.
    fn dispatch_to_channels(&mut self, frame: Frame, now: Instant) {
        let (channels, mut cx) = self.channels_at(now);
        match frame.action {
            Action::Ack => channels.on_ack(frame, &mut cx),
            Action::Nack => channels.on_nack(frame, &mut cx),
            Action::Error => channels.on_error(frame, &mut cx),
            Action::Attached => channels.on_attached(frame, &mut cx),
            Action::Detached => channels.on_detached(frame, &mut cx),
            Action::Message => channels.on_messages(frame, &mut cx),
            Action::Presence => channels.on_presence(frame, &mut cx),
            Action::Sync => channels.on_sync(frame, &mut cx),
            action => log::debug!("ignored {action:?}"),
        }
    }

    /// Something came that is not a frame, such as a WebSocket ping. It shows that the server is still there.
    pub fn handle_activity(&mut self, transport: TransportId, now: Instant) {
        if self.base.effects.is_current(transport) && self.connection.state() == ConnectionState::Connected {
            self.connection.liveness_mut().watch_silence(&mut self.base.at(now));
        }
    }

    /// Something came that should have been a frame and cannot be read.
    ///
    /// Its content is lost. So the client drops the socket and resumes the connection, which makes the server send it again.
    /// If the client did that a short while ago, it did not help. Then the client goes on and tells every channel that
    /// messages may be missing.
    pub fn handle_malformed(&mut self, transport: TransportId, error: &DecodeError, now: Instant) {
        if !self.base.effects.is_current(transport) {
            return;
        }
        log::warn!("a frame of the server was dropped: {error}");
        let reason = ErrorInfo::new(ErrorCode::PROTOCOL_ERROR, 400, error.to_string());
        self.handle_activity(transport, now);
        let step = self.connection.on_malformed(reason, &mut self.base.at(now));
        self.follow(step, now);
    }

    /// The socket is gone, or could not be opened.
    pub fn handle_closed(&mut self, transport: TransportId, reason: Option<ErrorInfo>, now: Instant) {
        if self.base.effects.is_current(transport) {
            let step = self.connection.on_transport_closed(reason, &mut self.base.at(now));
            self.follow(step, now);
        }
    }

    /// The answer to [`Output::NeedToken`] or [`Output::ExchangeToken`].
    pub fn handle_token(&mut self, request: RequestId, answer: Result<TokenAnswer, ErrorInfo>, now: Instant) {
        let host = self.connection.connected_host();
        let step = self.auth.on_answer(request, answer, &mut self.routes, host, &mut self.base.at(now));
        self.follow_token(step, now);
    }

    /// The answer to [`Output::Http`], or why there is none.
    pub fn handle_http(&mut self, request: RequestId, answer: Result<HttpResponse, ErrorInfo>, now: Instant) {
        let (http, access, mut cx) = self.http_at(now);
        let answered = http.on_answer(request, answer, access, &mut cx);
        self.follow_answer(answered, now);
    }

    /// The answer to [`Output::CheckConnectivity`].
    pub fn handle_connectivity(&mut self, request: RequestId, up: bool, now: Instant) {
        let step = self.connection.on_connectivity(request, up, &mut self.base.at(now));
        self.follow(step, now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for timer in self.base.timers.due(now) {
            if self.base.timers.expire(&timer, now) {
                self.on_timer(timer, now);
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Instant) {
        let cx = &mut self.base.at(now);
        let step = match timer {
            Timer::Attempt => self.connection.on_attempt_timeout(cx),
            Timer::Retry => self.connection.attempt(cx),
            Timer::Suspend => self.connection.on_suspend_timeout(cx),
            Timer::Idle => self.connection.on_silence(),
            Timer::Doubt if cx.timers.awaits_channel() => {
                cx.start_doubt();
                self.connection.check_socket(cx)
            }
            Timer::Doubt => Step::Stay,
            Timer::Close => Step::Close(None),
            Timer::Connectivity => self.connection.on_connectivity_timeout(cx),
            Timer::Ping => return self.connection.liveness_mut().on_ping_timeout(cx),
            Timer::Token => {
                let step = self.auth.on_timeout(cx);
                return self.follow_token(step, now);
            }
            Timer::Renewal => return self.renew_token(now),
            Timer::ChannelAnswer(channel) => {
                let (channels, mut cx) = self.channels_at(now);
                return channels.on_answer_timeout(&channel, &mut cx);
            }
            Timer::ChannelRetry(channel) => {
                let (channels, mut cx) = self.channels_at(now);
                return channels.attach_again(&channel, None, &mut cx);
            }
        };
        self.follow(step, now);
    }

    /// The operating system says that the network went away or came back (`RTN20`).
    pub fn handle_network(&mut self, up: bool, now: Instant) {
        let step = self.connection.on_network(up, &mut self.base.at(now));
        self.follow(step, now);
    }

    /// The program is about to pause for an unknown time, as a page in the browser's back and forward cache does. Drops the
    /// socket, and opens no new one before [`check_socket`](Self::check_socket).
    pub fn shelve(&mut self, now: Instant) {
        let step = self.connection.shelve(&mut self.base.at(now));
        self.follow(step, now);
    }

    /// The program was frozen, hidden or shelved, and goes on. Finds out within 2 seconds whether the socket still works. If
    /// there is no socket, the next attempt to connect begins now.
    pub fn check_socket(&mut self, now: Instant) {
        self.connection.wake();
        self.handle_timeout(now);
        let step = self.connection.check_socket(&mut self.base.at(now));
        self.follow(step, now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.base.timers.next()
    }

    /// The next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.base.effects.poll_output()
    }

    /// The next thing for the game to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.base.effects.poll_event()
    }
}
