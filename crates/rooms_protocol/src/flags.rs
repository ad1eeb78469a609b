//! The bits of a frame's `flags` (`TR3`).

use bitflags::bitflags;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lenient;

bitflags! {
    /// What an ATTACH asks for and an ATTACHED grants or tells. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u64 {
        /// The channel has members; a SYNC follows.
        const HAS_PRESENCE = 1;
        /// Messages that were published earlier follow.
        const HAS_BACKLOG = 1 << 1;
        /// Nothing was missed since the serial that the client named.
        const RESUMED = 1 << 2;
        /// Set by older SDKs when they attach again; no rewind then.
        const ATTACH_RESUME = 1 << 5;
        /// Mode: may enter presence.
        const PRESENCE = 1 << 16;
        /// Mode: may publish.
        const PUBLISH = 1 << 17;
        /// Mode: receives messages.
        const SUBSCRIBE = 1 << 18;
        /// Mode: receives presence.
        const PRESENCE_SUBSCRIBE = 1 << 19;
        /// Mode: may publish annotations. Rooms have none.
        const ANNOTATION_PUBLISH = 1 << 21;
        /// Keeps bits that have no name here.
        const _ = !0;
    }
}

impl Flags {
    /// The modes that rooms use.
    pub const MODES: Self = Self::from_bits_retain(
        Self::PRESENCE.bits() | Self::PUBLISH.bits() | Self::SUBSCRIBE.bits() | Self::PRESENCE_SUBSCRIBE.bits(),
    );

    /// The first bit that stands for a channel mode; all above do too.
    const FIRST_MODE_BIT: u64 = 1 << 16;

    /// The mode bits alone.
    pub fn modes(self) -> Self {
        Self::from_bits_retain(self.bits() & !(Self::FIRST_MODE_BIT - 1))
    }
}

impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.bits())
    }
}

impl<'de> Deserialize<'de> for Flags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bits = lenient::optional_u64(deserializer)?.unwrap_or_default();
        Ok(Self::from_bits_retain(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_bits_survive_a_round_trip() {
        let flags: Flags = serde_json::from_str("1073741828").unwrap();
        assert!(flags.contains(Flags::RESUMED));
        assert_eq!(serde_json::to_string(&flags).unwrap(), "1073741828");
    }

    #[test]
    fn modes_leave_out_what_an_attached_frame_tells() {
        let flags = Flags::RESUMED | Flags::PUBLISH | Flags::HAS_BACKLOG;
        assert_eq!(flags.modes(), Flags::PUBLISH);
    }
}
