//! The server without a socket: it takes frames and requests, and says which frames go out where.
//!
//! [`Hub`] owns the parts and dispatches. Each part owns its state: [`Links`] the transports, [`Connections`] what outlives them,
//! [`Channels`] the streams and their members, [`Authorizer`] keys and tokens, [`RateLimits`] the rates of the whole relay,
//! [`Shares`] what each client has of what all share. Parts do not know each other. They return verdicts, which the hub applies
//! to the others.
//!
//! Sans-IO: the hub knows no socket, thread or clock.

mod batch;
mod channel;
mod config;
mod connect_request;
mod connection;
mod departures;
mod drain;
mod effects;
mod frames;
mod kept_frame;
mod lifecycle;
mod links;
mod output;
mod rates;
mod reconfigure;
mod refusals;
pub(crate) mod rest;
mod sandbox;
mod shares;
mod timer;

use std::{sync::Arc, time::Duration};

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use smol_str::SmolStr;
use web_time::Instant;

pub use self::{
    batch::Batch,
    config::{HubConfig, HubStats},
    connect_request::ConnectRequest,
    output::{LinkId, Output},
};
use self::{
    channel::Channels,
    connection::Connections,
    departures::Departures,
    drain::Drain,
    effects::Effects,
    frames::is_numbered,
    links::Links,
    rates::RateLimits,
    refusals::{Party, Refusals},
    shares::{Shares, has_several_keys},
    timer::HubTimer,
};
pub(crate) use self::{channel::kept_presence::KeptPresence, kept_frame::KeptMessage};
use crate::{
    auth::{Authorizer, Credentials, Principal, TokenDetails},
    budget::{MemoryBudget, Purpose},
    error::{disconnected, draining, shutting_down},
    http::Room,
    limits::Limits,
    moment::Clock,
    random::random_text,
};
use rooms_protocol::{Action, ClientId, ErrorInfo, Frame, Outline, Timestamp, Unreadable};

/// Bytes of the relay's own id, which all its serials carry: after a restart, old serials do not fit by chance.
const NODE_BYTES: usize = 6;

/// The memory budget of a hub that nobody gives one: 2 GiB.
const DEFAULT_MEMORY: usize = 2 * 1024 * 1024 * 1024;

/// Time between two looks at all histories while memory is short.
const RELIEF_INTERVAL: Duration = Duration::from_millis(10);

/// The server without a socket, for a listener or a simulation to drive.
///
/// The driver gives it links, frames and the time, and after each of these
///
/// 1. takes all of [`poll_output`](Self::poll_output) and does it, in order;
/// 2. calls [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is reached.
///
/// A link carries one connection. A connection outlives its links: for a while, the client can resume it over another link.
/// Everything that a client receives about one channel over one link comes in the channel's order, ATTACHED first.
pub struct Hub {
    /// All secrets come from here.
    random: ChaCha20Rng,
    clock: Clock,
    limits: Arc<Limits>,
    /// Whether anybody may make apps with keys of their own.
    is_sandbox: bool,
    links: Links,
    connections: Connections,
    channels: Channels,
    authorizer: Authorizer,
    rates: RateLimits,
    shares: Shares,
    departures: Departures,
    /// Where answers over HTTP take room.
    answers: Room,
    budget: MemoryBudget,
    /// When the hub last looked for histories to drop.
    relieved: Option<Instant>,
    effects: Effects,
    refusals: Refusals,
    /// Set while the hub is being emptied.
    drain: Option<Drain>,
    is_shut_down: bool,
}

impl Hub {
    /// A hub without clients. `wall` is the wall clock at `now`. All secrets come from `seed`, which must be random wherever
    /// somebody could gain from guessing them.
    pub fn new(mut config: HubConfig, seed: [u8; 32], now: Instant, wall: Timestamp) -> Self {
        config.limits.bound_durations();
        let limits = Arc::new(config.limits);
        let mut random = ChaCha20Rng::from_seed(seed);
        let node: SmolStr = random_text::<NODE_BYTES>(&mut random).into();
        let budget = MemoryBudget::new(limits.memory.unwrap_or(DEFAULT_MEMORY));
        let refusals = Refusals::default();
        Self {
            random,
            clock: Clock::new(now, wall),
            is_sandbox: config.sandbox,
            links: Links::new(Arc::clone(&limits)),
            connections: Connections::new(node.clone(), Arc::clone(&limits), budget.clone()),
            channels: Channels::new(node, Arc::clone(&limits), budget.clone(), config.sandbox),
            authorizer: Authorizer::new(&config.keys, config.token_endpoint, limits.token_rate, wall),
            rates: RateLimits::new(Arc::clone(&limits)),
            shares: Shares::new(Arc::clone(&limits), has_several_keys(&config.keys)),
            departures: Departures::default(),
            effects: Effects::new(budget.clone(), Arc::clone(refusals.counters())),
            refusals,
            answers: Room::new(budget.clone(), Purpose::Answers),
            limits,
            budget,
            relieved: None,
            drain: None,
            is_shut_down: false,
        }
    }

    /// Tells the hub what the wall clock shows at `now`. Drivers do so at each input, or each second: somebody may set the clock,
    /// and while a machine sleeps the wall clock alone goes on. Tokens are judged by the wall clock as it was told last.
    pub fn set_wall(&mut self, now: Instant, wall: Timestamp) {
        if self.clock.tell(now, wall) {
            self.connections.watch_all_tokens(self.clock.at(now), &mut self.effects.timers);
        }
    }

    /// What is counted for operators.
    #[cfg(any(test, all(feature = "server", not(target_arch = "wasm32"))))]
    pub(crate) fn counters(&self) -> Arc<crate::counters::Counters> {
        Arc::clone(self.refusals.counters())
    }

    /// A client opened a transport. The hub answers with CONNECTED, or with an error and [`Output::Close`].
    pub fn open(&mut self, request: &ConnectRequest, now: Instant) -> LinkId {
        let link = self.links.next_id();
        let refusal = if self.is_shut_down {
            Some(disconnected(shutting_down()))
        } else if self.is_draining() {
            Some(disconnected(draining()))
        } else {
            self.connect(link, request, self.clock.at(now)).err().map(|error| {
                let party = Party::stranger(request.client_id.as_ref(), request.key.as_deref(), request.address);
                self.refusals.refuse("a connection", &error, &party, now);
                Frame::error(None, error)
            })
        };
        if let Some(frame) = refusal {
            self.effects.out.send(link, frame);
            self.effects.out.close(link);
        }
        link
    }

    /// Whether a link carries a connection. It does not where the hub refused its client, or closed it.
    pub fn is_open(&self, link: LinkId) -> bool {
        self.links.connection(link).is_some()
    }

    /// A frame came in. The hub ignores links that it has closed.
    pub fn handle_frame(&mut self, link: LinkId, frame: Frame, now: Instant) {
        let moment = self.clock.at(now);
        let connection = self.links.connection(link);
        let Some(caller) = connection.and_then(|id| self.connections.caller(link, id)) else { return };
        match frame.action {
            Action::Heartbeat => self.effects.out.send(link, Frame { id: frame.id, ..Frame::new(Action::Heartbeat) }),
            Action::Attach => self.attach(&caller, &frame, moment),
            Action::Detach => self.detach(&caller, &frame, moment),
            Action::Sync => self.sync(&caller, &frame),
            action if is_numbered(action) => self.handle_numbered(&caller, frame, moment),
            Action::Close => {
                self.end_connection(&caller.id, moment);
                self.effects.out.send(link, Frame::new(Action::Closed));
                self.effects.out.close(link);
            }
            Action::Disconnect => {
                self.close_link(link, moment);
                self.effects.out.close(link);
            }
            Action::Auth => self.reauthenticate(&caller, &frame, moment),
            // Unknown actions, and those that only a server sends, are ignored (RTF1).
            _ => {}
        }
        self.relieve(now);
    }

    /// Something came in that the hub cannot take as a frame. It refuses the publish or the attachment that it would have been.
    /// Where that is not known either, it disconnects the client: the fault may be on the way, so the client may resume.
    pub fn handle_malformed(&mut self, link: LinkId, unreadable: &Unreadable, now: Instant) {
        let connection = self.links.connection(link);
        if let Some(caller) = connection.and_then(|id| self.connections.caller(link, id)) {
            self.refuse_unreadable(&caller, unreadable, self.clock.at(now));
        }
    }

    /// The driver cut off a transport whose client reads slower than the hub sends.
    pub fn handle_cut_off(&mut self, link: LinkId, now: Instant) {
        self.refusals.cut_off(&self.party(link), now);
        self.handle_closed(link, now);
    }

    /// Who is at the other end of a link.
    fn party(&self, link: LinkId) -> Party {
        let connection = self.links.connection(link).and_then(|id| self.connections.get(id));
        connection.map(|connection| Party::of(&connection.principal, self.links.address(link))).unwrap_or_default()
    }

    /// A frame came in that the driver has no room for. The hub refuses what its outline says that it is.
    pub fn refuse_frame(&mut self, link: LinkId, outline: &Outline, error: ErrorInfo, now: Instant) {
        let connection = self.links.connection(link);
        if let Some(caller) = connection.and_then(|id| self.connections.caller(link, id)) {
            self.refuse_outline(&caller, outline, error, self.clock.at(now));
        }
    }

    /// The transport is gone: the socket closed.
    pub fn handle_closed(&mut self, link: LinkId, now: Instant) {
        self.close_link(link, self.clock.at(now));
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let moment = self.clock.at(now);
        while let Some(timer) = self.effects.timers.pop_due(now) {
            match timer {
                HubTimer::Heartbeat(link) => self.links.show_liveness(link, now, &mut self.effects),
                HubTimer::ReportGaps(link) => self.report_gaps(link, moment),
                HubTimer::LeaveMembers(connection) => self.leave_abandoned(&connection, moment),
                HubTimer::Departures => self.depart(moment),
                HubTimer::ForgetConnection(connection) => self.end_connection(&connection, moment),
                HubTimer::RequestToken(connection) => self.connections.request_token(&connection, &mut self.effects),
                HubTimer::ExpireToken(connection) => self.expire_token(&connection, moment),
                HubTimer::EndRevoked(revocation) => self.end_revoked(&revocation, moment),
                HubTimer::Drain => self.drain_some(moment),
                HubTimer::TellOccupancy(channel) => {
                    self.channels.tell_occupancy(channel, moment, &mut self.effects);
                }
                HubTimer::TrimChannel(channel) => self.trim_channel(channel, now),
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.effects.timers.next()
    }

    /// What to do next; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.effects.out.pop()
    }

    /// Tells all clients that the relay shuts down, and closes their links. Clients that come later are told the same.
    pub fn shut_down(&mut self, now: Instant) {
        self.is_shut_down = true;
        for link in self.links.iter().collect::<Vec<_>>() {
            self.effects.out.send(link, disconnected(shutting_down()));
            self.effects.out.close(link);
            self.close_link(link, self.clock.at(now));
        }
    }

    /// Whose the connection of a link is. `None` where the link carries none.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn owner(&self, link: LinkId) -> Option<&crate::auth::owner::Owner> {
        self.shares.owner(self.links.connection(link)?)
    }

    /// The account of the bytes that are held for clients. The server charges what waits in its queues to it.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Drops the histories of the channels that keep most while memory is short.
    fn relieve(&mut self, now: Instant) {
        let excess = self.budget.excess();
        let is_due = |last: Instant| now.saturating_duration_since(last) >= RELIEF_INTERVAL;
        if excess > 0 && self.relieved.is_none_or(is_due) {
            self.relieved = Some(now);
            let shed = self.channels.shed(excess);
            self.refusals.counters().shed_bytes.add(shed);
        }
    }

    /// How much the hub holds. Looks at every channel.
    pub fn stats(&self) -> HubStats {
        let (links, connections) = (self.links.len(), self.connections.len());
        let mut stats = HubStats { links, connections, ..HubStats::default() };
        self.channels.add_stats(&mut stats);
        stats
    }

    /// Decides who shows `credentials` and wants to be `client_id`.
    ///
    /// # Errors
    /// 40106 without credentials, 40101 for wrong ones, 40102 for a client id that they do not allow, 4014x for a token
    /// that is not valid, 40400 for a key, or a token of one, that the relay does not have.
    pub fn authenticate(
        &self,
        credentials: Option<&Credentials>,
        client_id: Option<&ClientId>,
        now: Instant,
    ) -> Result<Principal, ErrorInfo> {
        self.authorizer.authenticate(credentials, client_id, self.clock.at(now).wall)
    }

    /// Makes a token of the key `key_name`, for a request that was signed with it or comes with it.
    ///
    /// # Errors
    /// 42918 for one too many in a second, 40101 for a request without a right signature or key, 40104 and 40105 for one that is
    /// old, older than the hub, or was used, 40003 for a ttl, 40000 for a capability and 40012 for a client id that makes no sense, 40160 where the
    /// key allows nothing of what is asked for, 40400 for a key of an application that is not served here.
    pub fn request_token(
        &mut self,
        key_name: &str,
        body: &Value,
        credentials: Option<&Credentials>,
        now: Instant,
    ) -> Result<TokenDetails, ErrorInfo> {
        self.authorizer.request_token(key_name, body, credentials, self.clock.at(now))
    }

    /// Makes a token for one player in one room, where that is switched on.
    ///
    /// # Errors
    /// 42918 for one too many in a second, 40400 where it is not switched on, 40003 for names that are not allowed.
    pub fn game_token(&mut self, room: &str, player: &str, now: Instant) -> Result<TokenDetails, ErrorInfo> {
        self.authorizer.game_token(room, player, self.clock.at(now))
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("node", &self.channels.node()).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
