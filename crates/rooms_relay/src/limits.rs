//! Every limit of the relay, with its default and the error that clients get when they reach it.
//!
//! The defaults are those that Ably documents for its cloud, so that a game that runs within them here runs there. There are
//! exceptions: the rates of the whole relay, of connections and of channels are not limited unless you set them, the numbers of
//! connections and channels suit one machine, and each client, address and key has a share of them, so that nobody takes all.

use std::{str::FromStr, time::Duration};

use web_time::Instant;

use rooms_protocol::{DEFAULT_MAX_FRAME_SIZE, DEFAULT_MAX_MESSAGE_SIZE, ErrorCode, ErrorInfo};

/// Longest name of a channel, in bytes (Ably's limit).
pub(super) const MAX_CHANNEL_NAME: usize = 2048;

/// Longest id that a client may give a message, in bytes. The relay keeps it as long as the message.
pub(super) const MAX_MESSAGE_ID: usize = 256;

/// Most messages that one `rewind` returns (Ably's limit).
pub(super) const MAX_REWIND: usize = 100;

/// Most messages from before an attachment that a connection gets which published before it: as many as one publish may hold.
pub(super) const MOST_EARLY: usize = 1_000;

/// Most channels on which a connection that is not attached to them can find its own messages later, when it attaches.
pub(super) const EARLY_CHANNELS: usize = 64;

/// Longest body of a request for a token, in bytes. It holds a capability, which is most of it.
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub(super) const TOKEN_REQUEST_BYTES: usize = 16 * 1024;

/// Longest body of a request that revokes tokens, in bytes. It holds a hundred client ids.
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub(super) const REVOCATION_BYTES: usize = 64 * 1024;

/// Bytes that the items of one answer over HTTP take in memory, about, before the next page begins.
pub(super) const ANSWER_BYTES: usize = 1024 * 1024;

/// Members in one page of a SYNC, or of leaves: so few that a client can read them between two frames of a game.
pub(super) const PAGE_MEMBERS: usize = 100;

/// Bytes of member data after which a page ends. With one more member of the largest size, escaped as JSON, the page is still
/// smaller than a frame may be.
pub(super) const PAGE_BYTES: usize = 16 * 1024;

/// How many outcomes of published frames a connection keeps for frames that come again, counted in serials. A client that
/// waits for more outcomes at once gets plain ACKs for the oldest.
pub(super) const OUTCOMES_KEPT: usize = 1024;

/// The range of a client's `heartbeatInterval` (documented by Ably).
pub(super) const HEARTBEAT_INTERVALS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1800));

/// Shortest `remainPresentFor` (documented by Ably).
pub(super) const MIN_REMAIN_PRESENT: Duration = Duration::from_secs(1);

/// Longest of the durations in [`Limits`]: beyond it they mean the same, and sums of times cannot overflow.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What the relay accepts before it refuses.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
// One field for each limit, since an operator sets each of them alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that the relay holds for all its clients together: what came in and waits, what channels keep, members, queues to
    /// sockets, and answers. When they are nearly used up, it refuses what would take the most, with 42910. Defaults to `None`:
    /// the server takes a quarter of the memory that the machine, or the process's group, gives it, and 2 GiB at most. A hub
    /// without a server takes 2 GiB.
    pub memory: Option<usize>,
    /// Sum of message sizes in one publish, in bytes; NACK 40009. Defaults to 64 KiB.
    pub max_message_size: usize,
    /// One frame, in bytes; the socket is closed. Defaults to 512 KiB.
    pub max_frame_size: usize,
    /// Messages, or presence messages, in one frame; NACK 40034. Defaults to 1,000.
    pub messages_per_frame: usize,
    /// Messages a second that one connection may publish; NACK 42911. Defaults to no limit; Ably's is 50.
    pub connection_rate: Option<u32>,
    /// Messages a second that one channel carries; NACK 42913. Defaults to no limit; Ably's is 50.
    pub channel_rate: Option<u32>,
    /// Bytes of messages a second that one channel carries; NACK 42914. Defaults to no limit; Ably's is 1 MiB.
    pub channel_bandwidth: Option<u32>,
    /// Messages a second that one connection receives. The relay leaves out the others, and within a second tells the client
    /// that the channel lost continuity, by ATTACHED with 80020. Defaults to no limit; Ably's is 50.
    pub delivery_rate: Option<u32>,
    /// Messages a second that all connections send and receive together; NACK 42917. Defaults to no limit; Ably's is 500 on
    /// the free plan.
    pub account_rate: Option<u32>,
    /// Requests over HTTP a second with right credentials, of which one client takes three quarters at most; 429 with 42918.
    /// Defaults to no limit; Ably's is 50 on the free plan.
    pub request_rate: Option<u32>,
    /// New connections a second, of which one client takes three quarters at most; ERROR 42910. Defaults to no limit; Ably's is
    /// 42 on the free plan.
    pub new_connection_rate: Option<u32>,
    /// New channels a second, of which one client takes three quarters at most; ERROR or NACK 42910. Defaults to no limit; Ably's
    /// is 42 on the free plan.
    pub new_channel_rate: Option<u32>,
    /// Tokens a second for requests with a right signature or key, and as many more for players who show nothing, where the relay
    /// gives tokens to games: three quarters of them from one address; 429 with 42918. Defaults to no limit; Ably's is 50 on the
    /// free plan.
    pub token_rate: Option<u32>,
    /// Channels that one connection may be attached to, or have members on; ERROR 90010 on the channel, or NACK. Defaults to 200.
    pub channels_per_connection: usize,
    /// Members of one channel; NACK 91003. Defaults to 200.
    pub members_per_channel: usize,
    /// Members that one connection may have on all channels together; NACK 91003. Defaults to 250.
    pub members_per_connection: usize,
    /// Connections, with those that can still be resumed; ERROR 40111. Defaults to 10,000.
    pub connections: usize,
    /// Channels in memory; ERROR or NACK 40113. Defaults to 10,000.
    pub channels: usize,
    /// How long a connection without a transport can be resumed. Defaults to 2 minutes.
    pub connection_state_ttl: Duration,
    /// The longest silence that the relay promises its clients. Defaults to 15 s.
    pub max_idle_interval: Duration,
    /// How long members stay after an abrupt drop. Defaults to 15 s.
    pub remain_present_for: Duration,
    /// How long a channel keeps its messages: for clients that come back, for `rewind` and for history. Defaults to 2 minutes.
    pub replay_window: Duration,
    /// How long a client may be away and still resume a channel without a gap, if that is less than
    /// [`replay_window`](Self::replay_window). A client that missed more is told that continuity was lost, and may read the
    /// history.
    /// Defaults to 2 minutes.
    pub resume_window: Duration,
    /// Frames that a channel keeps for clients that come back. Defaults to 8,192.
    pub replay_frames: usize,
    /// Bytes that a channel keeps for clients that come back. Defaults to 4 MiB.
    pub replay_bytes: usize,
    /// Bytes that all channels keep together. Defaults to 256 MiB.
    pub replay_bytes_total: usize,
    /// Frames that may wait for one socket; the relay cuts off a slower consumer. Defaults to 32,768.
    pub queue_frames: usize,
    /// Bytes that may wait for one socket; the relay cuts off a slower consumer. Defaults to 16 MiB, enough for the replay of
    /// several busy channels at once.
    pub queue_bytes: usize,
    /// How long a socket may take to become a WebSocket, or a client to send a request. A large body or answer may take longer,
    /// as its size asks. Defaults to 10 s.
    pub handshake_timeout: Duration,
    /// Sockets that stay open for plain HTTP: between two requests, or while a request or an answer is on its way. For one more,
    /// the one that has been idle longest is closed. New sockets are beside them until their first request, as many as there
    /// may be [`connections`](Self::connections), and then the oldest is closed. Defaults to 256.
    pub http_sockets: usize,
    /// Connections that come from one address, with those that can still be resumed; ERROR 40111. Defaults to half of
    /// [`connections`](Self::connections), and to 100 at least. Clients without a client id, counted by their key and address,
    /// have half of that. An IPv6 address counts by its first 64 bits.
    pub sockets_per_address: Option<usize>,
    /// Connections of one client id, with those that can still be resumed; ERROR 40111. Defaults to 100.
    pub connections_per_client: usize,
    /// Connections of one key and its tokens; ERROR 40111. Defaults to nine tenths of [`connections`](Self::connections) where
    /// there are several keys, and to no limit where there is one.
    pub connections_per_key: Option<usize>,
    /// Channels in memory that came into being for one client id; ERROR or NACK 40113. Defaults to 500.
    pub channels_per_client: usize,
    /// Channels in memory that came into being for one address; ERROR or NACK 40113. Defaults to half of
    /// [`channels`](Self::channels), and to 500 at least. Clients without a client id, counted by their key and address, have
    /// half of that.
    pub channels_per_address: Option<usize>,
    /// New connections a second of one client id; ERROR 42910. Defaults to 50.
    pub client_connection_rate: Option<u32>,
    /// New channels a second that one client id brings into being; ERROR or NACK 42910. Defaults to 100.
    pub client_channel_rate: Option<u32>,
    /// Requests over HTTP a second without credentials, or with wrong ones, of one address; 429 with 42918. Defaults to 1,000.
    pub stranger_rate_per_address: Option<u32>,
    /// The same of all addresses together. Defaults to 5,000.
    pub stranger_rate: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: None,
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
            max_frame_size: DEFAULT_MAX_FRAME_SIZE,
            messages_per_frame: 1_000,
            connection_rate: None,
            channel_rate: None,
            channel_bandwidth: None,
            delivery_rate: None,
            account_rate: None,
            request_rate: None,
            new_connection_rate: None,
            new_channel_rate: None,
            token_rate: None,
            channels_per_connection: 200,
            members_per_channel: 200,
            members_per_connection: 250,
            connections: 10_000,
            channels: 10_000,
            connection_state_ttl: Duration::from_secs(120),
            max_idle_interval: Duration::from_secs(15),
            remain_present_for: Duration::from_secs(15),
            replay_window: Duration::from_secs(120),
            resume_window: Duration::from_secs(120),
            replay_frames: 8_192,
            replay_bytes: 4 * 1024 * 1024,
            replay_bytes_total: 256 * 1024 * 1024,
            queue_frames: 32_768,
            queue_bytes: 16 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            http_sockets: 256,
            sockets_per_address: None,
            connections_per_client: 100,
            connections_per_key: None,
            channels_per_client: 500,
            channels_per_address: None,
            client_connection_rate: Some(50),
            client_channel_rate: Some(100),
            stranger_rate_per_address: Some(1_000),
            stranger_rate: Some(5_000),
        }
    }
}

/// A plan of Ably's cloud, whose documented limits the relay can enforce: a game that runs within them here runs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloudPlan {
    /// The plan that costs nothing.
    Free,
    /// The smaller of the paid plans.
    Standard,
    /// The larger of the paid plans.
    Pro,
}

/// A text that names no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such plan; the plans are free, standard and pro")]
pub struct CloudPlanError;

impl FromStr for CloudPlan {
    type Err = CloudPlanError;

    fn from_str(text: &str) -> Result<Self, CloudPlanError> {
        match text {
            "free" => Ok(Self::Free),
            "standard" => Ok(Self::Standard),
            "pro" => Ok(Self::Pro),
            _ => Err(CloudPlanError),
        }
    }
}

impl Limits {
    /// The limits of a plan, for what the relay counts: sizes, rates, members, channels and connections.
    ///
    /// The cloud also counts messages and requests per hour and month, limits that a short game does not reach. And it ends
    /// connections that exceed their rates by far, but does not document by how much.
    pub fn of_plan(plan: CloudPlan) -> Self {
        let (max_message_size, most, account_rate, request_rate, begin_rate, token_rate) = match plan {
            CloudPlan::Free => (64 * 1024, 200, 500, 50, 42, 50),
            CloudPlan::Standard => (64 * 1024, 10_000, 2_500, 362, 250, 250),
            CloudPlan::Pro => (256 * 1024, 50_000, 10_000, 1_447, 500, 500),
        };
        Self {
            max_message_size,
            connections: most,
            channels: most,
            delivery_rate: Some(50),
            account_rate: Some(account_rate),
            request_rate: Some(request_rate),
            new_connection_rate: Some(begin_rate),
            new_channel_rate: Some(begin_rate),
            token_rate: Some(token_rate),
            connection_rate: Some(50),
            channel_rate: Some(50),
            channel_bandwidth: Some(1024 * 1024),
            ..Self::default()
        }
    }

    /// Shortens durations that mean "for ever" to a year.
    pub(super) fn bound_durations(&mut self) {
        for duration in [
            &mut self.connection_state_ttl,
            &mut self.max_idle_interval,
            &mut self.remain_present_for,
            &mut self.replay_window,
            &mut self.resume_window,
            &mut self.handshake_timeout,
        ] {
            *duration = (*duration).min(LONGEST);
        }
    }

    /// Connections of one address.
    pub(super) fn connections_of_address(&self) -> usize {
        self.sockets_per_address.unwrap_or((self.connections / 2).max(100))
    }

    /// Connections of all clients without an id of one key and address.
    pub(super) fn connections_of_nameless(&self) -> usize {
        (self.connections_of_address() / 2).max(100)
    }

    /// Channels of one address.
    pub(super) fn channels_of_address(&self) -> usize {
        self.channels_per_address.unwrap_or((self.channels / 2).max(500))
    }

    /// Channels of all clients without an id of one key and address.
    pub(super) fn channels_of_nameless(&self) -> usize {
        (self.channels_of_address() / 2).max(500)
    }

    pub(super) fn check_count(&self, count: usize) -> Result<(), ErrorInfo> {
        let most = self.messages_per_frame;
        check(count <= most, ErrorCode::TOO_MANY_MESSAGES, 400, || {
            format!("a frame may hold {most} messages, not {count}; send them in several")
        })
    }

    pub(super) fn check_size(&self, size: usize) -> Result<(), ErrorInfo> {
        let most = self.max_message_size;
        check(size <= most, ErrorCode::MESSAGE_TOO_LARGE, 400, || {
            format!("a publish may hold {most} bytes, not {size}; send less or in several")
        })
    }

    pub(super) fn check_frame(&self, size: usize) -> Result<(), ErrorInfo> {
        let most = self.max_frame_size;
        check(size <= most, ErrorCode::MESSAGE_TOO_LARGE, 400, || {
            format!("with its ids and serials, a publish may take {most} bytes, not {size}; send it in several")
        })
    }

    pub(super) fn check_attached(&self, attached: usize) -> Result<(), ErrorInfo> {
        let most = self.channels_per_connection;
        check(attached < most, ErrorCode::TOO_MANY_CHANNELS, 400, || {
            format!("a connection may be attached to {most} channels; detach from one first")
        })
    }

    pub(super) fn check_present(&self, channels: usize) -> Result<(), ErrorInfo> {
        let most = self.channels_per_connection;
        check(channels < most, ErrorCode::TOO_MANY_CHANNELS, 400, || {
            format!("a connection may be present on {most} channels; leave one first")
        })
    }

    pub(super) fn check_connections(&self, connections: usize) -> Result<(), ErrorInfo> {
        let most = self.connections;
        check(connections < most, ErrorCode::TOO_MANY_CONNECTIONS, 403, || {
            format!("this relay serves {most} connections; come back later")
        })
    }

    pub(super) fn check_channels(&self, channels: usize) -> Result<(), ErrorInfo> {
        let most = self.channels;
        check(channels < most, ErrorCode::SERVER_FULL_OF_CHANNELS, 429, || {
            format!("this relay serves {most} channels; come back later")
        })
    }
}

/// Most names under which one connection may be attached to one channel: its own, and some with params.
const MAX_NAMES: usize = 8;

/// Refuses more names of one channel than a connection may use.
pub(super) fn check_names(names: usize) -> Result<(), ErrorInfo> {
    check(names < MAX_NAMES, ErrorCode::TOO_MANY_CHANNELS, 400, || {
        format!("a connection may be attached to one channel under {MAX_NAMES} names; detach from one first")
    })
}

/// Refuses more than `most` members of one channel that are of one connection.
pub(super) fn check_own_members(members: usize, most: usize) -> Result<(), ErrorInfo> {
    check(members <= most, ErrorCode::TOO_MANY_MEMBERS, 400, || {
        "the connection has as many members on its channels as it may; have one leave first".to_owned()
    })
}

/// Refuses more than `most` members of one channel.
pub(super) fn check_members(members: usize, most: usize) -> Result<(), ErrorInfo> {
    check(members <= most, ErrorCode::TOO_MANY_MEMBERS, 400, || {
        format!("a channel may have {most} members; wait until one leaves")
    })
}

/// The error for more messages in a second than `what` carries.
pub(super) fn rate_exceeded(code: ErrorCode, what: &str) -> ErrorInfo {
    ErrorInfo::new(code, 429, format!("the {what} carries more messages a second than it may; send fewer"))
}

fn check(fits: bool, code: ErrorCode, status: u16, message: impl FnOnce() -> String) -> Result<(), ErrorInfo> {
    if fits { Ok(()) } else { Err(ErrorInfo::new(code, status, message())) }
}

/// Counts messages, or their bytes, in the current second. A second starts with its first message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RateMeter {
    second: Option<Instant>,
    count: usize,
}

impl RateMeter {
    /// Whether `amount` more would still fit into the current second.
    pub(super) fn has_capacity(&self, amount: usize, limit: Option<u32>, now: Instant) -> bool {
        let Some(limit) = limit else { return true };
        let used = if self.is_over(now) { 0 } else { self.count };
        used.saturating_add(amount) <= usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// Counts `amount`.
    pub(super) fn count(&mut self, amount: usize, now: Instant) {
        if self.is_over(now) {
            *self = Self { second: Some(now), count: 0 };
        }
        self.count = self.count.saturating_add(amount);
    }

    /// Whether what it counted is of a second that is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.second.is_none_or(|second| now.saturating_duration_since(second) >= Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_plan_nothing_is_limited_by_the_second() {
        let limits = Limits::default();
        let rates = [
            limits.connection_rate,
            limits.channel_rate,
            limits.channel_bandwidth,
            limits.delivery_rate,
            limits.account_rate,
            limits.request_rate,
            limits.new_connection_rate,
            limits.new_channel_rate,
            limits.token_rate,
        ];
        assert_eq!(rates, [None; 9]);
    }

    #[test]
    fn a_plan_limits_what_is_not_limited_otherwise() {
        let free = Limits::of_plan("free".parse().unwrap());
        assert_eq!((free.connection_rate, free.channel_rate, free.connections), (Some(50), Some(50), 200));
        assert_eq!((free.delivery_rate, free.account_rate, free.request_rate), (Some(50), Some(500), Some(50)));
        assert_eq!((free.new_connection_rate, free.new_channel_rate, free.token_rate), (Some(42), Some(42), Some(50)));
        assert_eq!(Limits::of_plan("pro".parse().unwrap()).max_message_size, 256 * 1024);
        assert_eq!("none".parse::<CloudPlan>(), Err(CloudPlanError));
    }

    #[test]
    fn a_rate_has_capacity_again_in_the_next_second() {
        let now = Instant::now();
        let mut meter = RateMeter::default();
        assert!(meter.has_capacity(3, Some(3), now));
        meter.count(3, now);
        assert!(!meter.has_capacity(1, Some(3), now + Duration::from_millis(999)));
        assert!(meter.has_capacity(1, Some(3), now + Duration::from_secs(1)));
        assert!(meter.has_capacity(usize::MAX, None, now));
    }
}
