//! Identifiers and points in time, each a type of its own so that one is never taken for another.

use std::{borrow::Borrow, collections::BTreeMap, fmt, time::Duration};

use base64::Engine;
use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;

use super::lenient;

macro_rules! string_id {
    ($(#[$meta:meta])* $name:ident) => {
        string_id!(@type $(#[$meta])* $name);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.0.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
    (@type $(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(SmolStr);

        impl $name {
            /// Takes the text as it is; the server decides whether it is legal.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(SmolStr::new(text))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

string_id! {
    /// The name of a channel, such as `room:otter-badger-fox`.
    ChannelName
}

impl ChannelName {
    /// The channel that carries those messages of this one that meet a JMESPath `filter`, as the server picks them
    /// (`RTS5`). Parameters such as `rewind` go into the name with it. This one is to have no qualifier of its own.
    pub fn derived(&self, filter: &str, params: &BTreeMap<SmolStr, String>) -> Self {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        let separator = if query.is_empty() { "" } else { "?" };
        let filter = base64::engine::general_purpose::STANDARD.encode(filter);
        Self::from(format!("[filter={filter}{separator}{query}]{self}"))
    }
}

string_id! {
    /// Who a client is, as the server stamped it; in a room it is the player's id.
    ClientId
}

string_id! {
    /// The public id of a connection. It survives a resume.
    ConnectionId
}

string_id! {
    /// Where a channel's stream stands. Opaque, ordered as text in the order of the stream.
    ChannelSerial
}

string_id! {
    /// The identity of one message on its channel. Opaque, ordered as text in order of creation.
    MessageSerial
}

string_id! {
    @type
    /// The secret that resumes a connection. Never printed.
    ConnectionKey
}

impl fmt::Debug for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionKey(…)")
    }
}

/// The number of a frame that the server acknowledges: from 0, one more per frame, per connection (`RTN7b`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MsgSerial(pub i64);

impl MsgSerial {
    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// This number plus `count`.
    pub fn plus(self, count: u32) -> Self {
        Self(self.0.saturating_add(i64::from(count)))
    }
}

impl<'de> Deserialize<'de> for MsgSerial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::integer(deserializer).map(Self)
    }
}

/// A point in time by the server's clock, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time plus `duration`, to the millisecond.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::integer(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_key_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", ConnectionKey::new("s3cret")).contains("s3cret"));
    }

    #[test]
    fn timestamps_add_durations_in_milliseconds() {
        assert_eq!(Timestamp(5).plus(Duration::from_secs(2)), Timestamp(2005));
        assert_eq!(Timestamp(i64::MAX).plus(Duration::MAX), Timestamp(i64::MAX));
    }
}
