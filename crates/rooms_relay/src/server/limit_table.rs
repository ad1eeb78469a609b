//! All limits as operators see them: the one table from which the configuration file, `--limit`, `--help`, `--check` and the
//! documentation get their names, units and codes.

use std::{fmt, time::Duration};

use super::size;
use crate::Limits;

/// The word for a limit that is off.
const NONE: &str = "none";

/// Where a limit is, and how it is written.
#[derive(Clone, Copy)]
enum Field {
    /// A number.
    Count(fn(&mut Limits) -> &mut usize),
    /// Bytes.
    Bytes(fn(&mut Limits) -> &mut usize),
    /// Bytes, or what the server finds.
    OptionalBytes(fn(&mut Limits) -> &mut Option<usize>),
    /// A number, or one that follows from another limit.
    OptionalCount(fn(&mut Limits) -> &mut Option<usize>),
    /// A number for each second, or no limit.
    Rate(fn(&mut Limits) -> &mut Option<u32>),
    /// A number of bytes for each second, or no limit.
    Bandwidth(fn(&mut Limits) -> &mut Option<u32>),
    /// A time, in seconds.
    Time(fn(&mut Limits) -> &mut Duration),
}

/// One limit as operators see it.
#[derive(Clone, Copy)]
pub struct LimitInfo {
    /// Its name in the table `[limits]` of the configuration file, and in `--limit NAME=VALUE`.
    pub name: &'static str,
    /// What it limits.
    pub what: &'static str,
    /// What a client gets that reaches it.
    pub code: &'static str,
    field: Field,
}

/// A value that a limit cannot have. It does not contain the value, which may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// There is no limit with this name.
    #[error("there is no limit with this name; `rooms-relay --help` lists all")]
    Unknown,
    /// The value is none that the limit can have.
    #[error("{name} is {form}")]
    Value {
        /// The name of the limit.
        name: &'static str,
        /// What would be right.
        form: &'static str,
    },
}

impl LimitInfo {
    /// All limits.
    pub fn all() -> &'static [Self] {
        TABLE
    }

    /// The limit with this name.
    ///
    /// # Errors
    /// [`LimitError::Unknown`].
    pub fn named(name: &str) -> Result<&'static Self, LimitError> {
        TABLE.iter().find(|limit| limit.name == name).ok_or(LimitError::Unknown)
    }

    /// Its unit.
    pub fn unit(&self) -> &'static str {
        match self.field {
            Field::Count(_) | Field::OptionalCount(_) => "a number",
            Field::Bytes(_) | Field::OptionalBytes(_) => "bytes",
            Field::Rate(_) => "a second",
            Field::Bandwidth(_) => "bytes a second",
            Field::Time(_) => "seconds",
        }
    }

    /// Gives it the value that a text says.
    ///
    /// # Errors
    /// [`LimitError::Value`] says what would be right.
    pub fn set(&self, limits: &mut Limits, text: &str) -> Result<(), LimitError> {
        let wrong = |form| LimitError::Value { name: self.name, form };
        let number = text.trim().replace('_', "");
        match self.field {
            Field::Count(field) => *field(limits) = number.parse().map_err(|_| wrong("a number, such as 500"))?,
            Field::Bytes(field) => *field(limits) = size::parse(text).ok_or_else(|| wrong(size::FORM))?,
            Field::OptionalBytes(field) => {
                let bytes = (text != NONE).then(|| size::parse(text).ok_or_else(|| wrong(size::FORM)));
                *field(limits) = bytes.transpose()?;
            }
            Field::OptionalCount(field) => {
                let count = (text != NONE).then(|| number.parse());
                *field(limits) = count.transpose().map_err(|_| wrong("a number, such as 500, or none"))?;
            }
            Field::Rate(field) => {
                let rate = (text != NONE).then(|| number.parse());
                *field(limits) = rate.transpose().map_err(|_| wrong("a number for each second, or none"))?;
            }
            Field::Bandwidth(field) => {
                let most = || size::parse(text).and_then(|bytes| u32::try_from(bytes).ok());
                let rate = (text != NONE).then(|| most().ok_or_else(|| wrong("a size for each second, or none")));
                *field(limits) = rate.transpose()?;
            }
            Field::Time(field) => {
                let seconds = number.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                *field(limits) = seconds.ok_or_else(|| wrong("a time in seconds, such as 30 or 0.5"))?;
            }
        }
        Ok(())
    }

    /// Its value, in the form in which the configuration file has it.
    pub fn value(&self, limits: &Limits) -> String {
        let mut limits = limits.clone();
        let or_none = |value: Option<String>| value.unwrap_or_else(|| format!("\"{NONE}\""));
        match self.field {
            Field::Count(field) => field(&mut limits).to_string(),
            Field::Bytes(field) => size::write(*field(&mut limits)),
            Field::OptionalBytes(field) => or_none(field(&mut limits).map(size::write)),
            Field::OptionalCount(field) => or_none(field(&mut limits).map(|count| count.to_string())),
            Field::Rate(field) => or_none(field(&mut limits).map(|rate| rate.to_string())),
            Field::Bandwidth(field) => or_none(field(&mut limits).map(|rate| size::write(rate as usize))),
            Field::Time(field) => field(&mut limits).as_secs_f64().to_string(),
        }
    }

    /// Its value where nobody says otherwise.
    pub fn default_value(&self) -> String {
        self.value(&Limits::default())
    }

    /// Whether it is zero, which turns off what it limits.
    pub(super) fn is_zero(&self, limits: &Limits) -> bool {
        let mut limits = limits.clone();
        match self.field {
            Field::Count(field) | Field::Bytes(field) => *field(&mut limits) == 0,
            Field::OptionalBytes(field) | Field::OptionalCount(field) => *field(&mut limits) == Some(0),
            Field::Rate(field) | Field::Bandwidth(field) => *field(&mut limits) == Some(0),
            Field::Time(field) => field(&mut limits).is_zero(),
        }
    }
}

impl fmt::Debug for LimitInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LimitInfo").field(&self.name).finish()
    }
}

const fn limit(name: &'static str, field: Field, what: &'static str, code: &'static str) -> LimitInfo {
    LimitInfo { name, what, code, field }
}

/// All limits, the most important first.
const TABLE: &[LimitInfo] = &[
    limit(
        "memory",
        Field::OptionalBytes(|limits| &mut limits.memory),
        "bytes held for all clients; none: a quarter of the machine's memory or of its cgroup's, 2 GiB at most",
        "42910",
    ),
    limit(
        "connections",
        Field::Count(|limits| &mut limits.connections),
        "connections, with those that can still be resumed",
        "ERROR 40111",
    ),
    limit("channels", Field::Count(|limits| &mut limits.channels), "channels in memory", "ERROR or NACK 40113"),
    limit(
        "channels_per_connection",
        Field::Count(|limits| &mut limits.channels_per_connection),
        "channels that one connection may be attached to",
        "ERROR 90010",
    ),
    limit(
        "members_per_channel",
        Field::Count(|limits| &mut limits.members_per_channel),
        "members of one channel",
        "NACK 91003",
    ),
    limit(
        "members_per_connection",
        Field::Count(|limits| &mut limits.members_per_connection),
        "members that one connection has on all channels together",
        "NACK 91003",
    ),
    limit(
        "max_message_size",
        Field::Bytes(|limits| &mut limits.max_message_size),
        "all messages of one publish",
        "NACK 40009",
    ),
    limit("max_frame_size", Field::Bytes(|limits| &mut limits.max_frame_size), "one frame", "the socket is closed"),
    limit(
        "messages_per_frame",
        Field::Count(|limits| &mut limits.messages_per_frame),
        "messages, or members, in one frame",
        "NACK 40034",
    ),
    limit(
        "connection_rate",
        Field::Rate(|limits| &mut limits.connection_rate),
        "messages that one connection publishes",
        "NACK 42911",
    ),
    limit(
        "channel_rate",
        Field::Rate(|limits| &mut limits.channel_rate),
        "messages that one channel carries",
        "NACK 42913",
    ),
    limit(
        "channel_bandwidth",
        Field::Bandwidth(|limits| &mut limits.channel_bandwidth),
        "bytes of messages that one channel carries",
        "NACK 42914",
    ),
    limit(
        "delivery_rate",
        Field::Rate(|limits| &mut limits.delivery_rate),
        "messages that one connection receives; others are left out",
        "ATTACHED with 80020",
    ),
    limit(
        "account_rate",
        Field::Rate(|limits| &mut limits.account_rate),
        "messages that all connections send and receive",
        "NACK 42917",
    ),
    limit(
        "request_rate",
        Field::Rate(|limits| &mut limits.request_rate),
        "requests over HTTP with right credentials",
        "429 with 42918",
    ),
    limit(
        "new_connection_rate",
        Field::Rate(|limits| &mut limits.new_connection_rate),
        "new connections",
        "ERROR 42910",
    ),
    limit(
        "new_channel_rate",
        Field::Rate(|limits| &mut limits.new_channel_rate),
        "new channels",
        "ERROR or NACK 42910",
    ),
    limit("token_rate", Field::Rate(|limits| &mut limits.token_rate), "tokens that clients ask for", "429 with 42918"),
    limit(
        "connection_state_ttl_seconds",
        Field::Time(|limits| &mut limits.connection_state_ttl),
        "how long a connection without a socket can be resumed",
        "80018",
    ),
    limit(
        "max_idle_interval_seconds",
        Field::Time(|limits| &mut limits.max_idle_interval),
        "the longest silence that clients are promised",
        "-",
    ),
    limit(
        "remain_present_for_seconds",
        Field::Time(|limits| &mut limits.remain_present_for),
        "how long members stay after an abrupt drop",
        "-",
    ),
    limit(
        "replay_window_seconds",
        Field::Time(|limits| &mut limits.replay_window),
        "how long a channel keeps its messages",
        "-",
    ),
    limit(
        "resume_window_seconds",
        Field::Time(|limits| &mut limits.resume_window),
        "how long a client may be away and still get all that it missed",
        "ATTACHED without RESUMED",
    ),
    limit("replay_frames", Field::Count(|limits| &mut limits.replay_frames), "frames that a channel keeps", "-"),
    limit("replay_bytes", Field::Bytes(|limits| &mut limits.replay_bytes), "what a channel keeps", "-"),
    limit(
        "replay_bytes_total",
        Field::Bytes(|limits| &mut limits.replay_bytes_total),
        "what all channels keep together",
        "-",
    ),
    limit(
        "queue_frames",
        Field::Count(|limits| &mut limits.queue_frames),
        "frames that wait for one socket",
        "the client is cut off",
    ),
    limit(
        "queue_bytes",
        Field::Bytes(|limits| &mut limits.queue_bytes),
        "bytes that wait for one socket",
        "the client is cut off",
    ),
    limit(
        "handshake_timeout_seconds",
        Field::Time(|limits| &mut limits.handshake_timeout),
        "how long a socket may take to become a WebSocket, or to make its next request",
        "the socket is closed",
    ),
    limit(
        "http_sockets",
        Field::Count(|limits| &mut limits.http_sockets),
        "sockets that stay open for plain HTTP, beside new ones",
        "the one that was idle longest is closed",
    ),
    limit(
        "sockets_per_address",
        Field::OptionalCount(|limits| &mut limits.sockets_per_address),
        "connections from one address; none: half of connections, 100 at least",
        "ERROR 40111",
    ),
    limit(
        "connections_per_client",
        Field::Count(|limits| &mut limits.connections_per_client),
        "connections of one client id",
        "ERROR 40111",
    ),
    limit(
        "connections_per_key",
        Field::OptionalCount(|limits| &mut limits.connections_per_key),
        "connections of one key and its tokens; none: nine tenths of connections where there are several keys",
        "ERROR 40111",
    ),
    limit(
        "channels_per_client",
        Field::Count(|limits| &mut limits.channels_per_client),
        "channels that came into being for one client id",
        "ERROR or NACK 40113",
    ),
    limit(
        "channels_per_address",
        Field::OptionalCount(|limits| &mut limits.channels_per_address),
        "channels that came into being for one address; none: half of channels, 500 at least",
        "ERROR or NACK 40113",
    ),
    limit(
        "client_connection_rate",
        Field::Rate(|limits| &mut limits.client_connection_rate),
        "new connections of one client id",
        "ERROR 42910",
    ),
    limit(
        "client_channel_rate",
        Field::Rate(|limits| &mut limits.client_channel_rate),
        "new channels of one client id",
        "ERROR or NACK 42910",
    ),
    limit(
        "stranger_rate_per_address",
        Field::Rate(|limits| &mut limits.stranger_rate_per_address),
        "requests over HTTP from one address that show no right credentials",
        "429 with 42918",
    ),
    limit(
        "stranger_rate",
        Field::Rate(|limits| &mut limits.stranger_rate),
        "requests over HTTP from all addresses that show no right credentials",
        "429 with 42918",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the fields of [`Limits`], as its debug output shows them.
    fn fields() -> Vec<String> {
        let text = format!("{:#?}", Limits::default());
        let is_field = |line: &&str| line.starts_with("    ") && !line.starts_with("     ");
        let lines = text.lines().filter(is_field).filter_map(|line| line.trim().split_once(": "));
        lines.map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn every_limit_is_in_the_table() {
        let missing: Vec<_> = fields()
            .into_iter()
            .filter(|field| LimitInfo::named(field).or(LimitInfo::named(&format!("{field}_seconds"))).is_err())
            .collect();
        assert_eq!((missing, TABLE.len()), (Vec::new(), fields().len()));
    }

    #[test]
    fn a_value_is_read_as_it_is_written() {
        for limit in TABLE {
            let default = Limits::default();
            let mut limits = Limits { connections: 0, ..Limits::default() };
            let text = limit.value(&default);
            limit.set(&mut limits, text.trim_matches('"')).unwrap();
            assert_eq!(limit.value(&limits), text, "{limit:?}");
        }
    }

    #[test]
    fn sizes_have_units_and_times_have_parts() {
        let mut limits = Limits::default();
        for (name, text) in [
            ("memory", "1.5 GiB"),
            ("queue_bytes", "4MiB"),
            ("connections", "1_000"),
            ("connection_rate", "50"),
            ("channel_bandwidth", "1 MiB"),
            ("handshake_timeout_seconds", "0.5"),
        ] {
            LimitInfo::named(name).unwrap().set(&mut limits, text).unwrap();
        }
        assert_eq!((limits.memory, limits.queue_bytes, limits.connections), (Some(3 << 29), 4 << 20, 1_000));
        assert_eq!((limits.connection_rate, limits.channel_bandwidth), (Some(50), Some(1 << 20)));
        assert_eq!(limits.handshake_timeout, Duration::from_millis(500));
        LimitInfo::named("connection_rate").unwrap().set(&mut limits, "none").unwrap();
        assert_eq!(limits.connection_rate, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_without_being_repeated() {
        for limit in TABLE {
            for text in ["", "s3cret", "-1", "NaN", "1e400"] {
                let error = limit.set(&mut Limits::default(), text).unwrap_err();
                assert!(!error.to_string().contains("s3cret") && error.to_string().starts_with(limit.name));
            }
        }
        assert_eq!(LimitInfo::named("speed").map(|_| ()), Err(LimitError::Unknown));
    }
}
