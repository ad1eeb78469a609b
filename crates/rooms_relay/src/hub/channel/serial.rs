//! Positions in a channel's stream, and the serials by which clients know them.

use rooms_protocol::{ChannelSerial, MessageSerial, Timestamp};

/// Digits of the time, so that the order of text is the order of numbers.
const MILLIS_DIGITS: usize = 14;

/// Largest time that fits the digits: in the year 5138.
const MAX_MILLIS: u64 = 99_999_999_999_999;

/// Digits of the counter.
const COUNTER_DIGITS: usize = 3;

/// Largest counter that fits the digits. After it, the time moves one millisecond on.
const MAX_COUNTER: u16 = 999;

/// A position in the stream of one channel. Every frame of the channel has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    millis: u64,
    counter: u16,
}

impl Position {
    /// The first position of a channel that comes into being at `wall`.
    pub(crate) fn at(wall: Timestamp) -> Self {
        Self { millis: u64::try_from(wall.0).unwrap_or(0).min(MAX_MILLIS), counter: 0 }
    }

    /// The position after this one: at `wall`, or just after this one where the clock stands or stepped back.
    pub(crate) fn next(self, wall: Timestamp) -> Self {
        let fresh = Self::at(wall);
        if fresh > self {
            fresh
        } else if self.counter < MAX_COUNTER {
            Self { millis: self.millis, counter: self.counter + 1 }
        } else {
            Self { millis: (self.millis + 1).min(MAX_MILLIS), counter: 0 }
        }
    }

    /// The serial that stands for this position on the relay `node`.
    pub(crate) fn channel_serial(self, node: &str) -> ChannelSerial {
        ChannelSerial::from(self.text(node))
    }

    /// The serial of the message at `index` of the frame at this position.
    pub(crate) fn message_serial(self, node: &str, index: usize) -> MessageSerial {
        let mut text = self.text(node);
        text.push(':');
        push_number(&mut text, u64::try_from(index).unwrap_or(u64::MAX), COUNTER_DIGITS);
        MessageSerial::from(text)
    }

    fn text(self, node: &str) -> String {
        let mut text = String::with_capacity(MILLIS_DIGITS + COUNTER_DIGITS + node.len() + 8);
        push_number(&mut text, self.millis, MILLIS_DIGITS);
        text.push('-');
        push_number(&mut text, self.counter.into(), COUNTER_DIGITS);
        text.push('@');
        text.push_str(node);
        text
    }

    /// The position that a client names; `None` for a text that is not a serial of this relay.
    pub(crate) fn parse(serial: &ChannelSerial, node: &str) -> Option<Self> {
        let (place, series) = serial.as_str().split_once('@')?;
        let (millis, counter) = place.split_once('-')?;
        if series != node || millis.len() != MILLIS_DIGITS || counter.len() != COUNTER_DIGITS {
            return None;
        }
        Some(Self { millis: millis.parse().ok()?, counter: counter.parse().ok()? })
    }
}

/// Writes a number with so many digits at least. Each message has two serials, so that the general way of formatting is a tenth
/// of what a publish costs.
fn push_number(text: &mut String, mut number: u64, digits: usize) {
    const MOST: usize = 20;
    let mut written = [b'0'; MOST];
    let mut first = MOST;
    while number > 0 || first > MOST.saturating_sub(digits) {
        first -= 1;
        written[first] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    text.extend(written[first..].iter().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_leading_zeros_and_all_their_digits() {
        for (number, digits) in [(0, 3), (7, 3), (999, 3), (1_000, 3), (0, 0), (u64::MAX, 14), (12, 20)] {
            let mut text = "x".to_owned();
            push_number(&mut text, number, digits);
            let expected = if digits == 0 { "x".to_owned() } else { format!("x{number:0digits$}") };
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn serials_are_ordered_as_text_even_when_the_clock_stands_or_steps_back() {
        let mut position = Position::at(Timestamp(5));
        let mut serials = vec![position.channel_serial("n")];
        for wall in [5, 4, 5, -1, 6, 6, 7_000_000_000_000, 0] {
            for _ in 0..600 {
                position = position.next(Timestamp(wall));
                serials.push(position.channel_serial("n"));
            }
        }
        assert!(serials.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_serial_is_read_back_by_its_own_relay_only() {
        let position = Position::at(Timestamp(1_726_585_978_590)).next(Timestamp(0));
        let serial = position.channel_serial("node");
        assert_eq!(serial.as_str(), "01726585978590-001@node");
        assert_eq!(position.message_serial("node", 1).as_str(), "01726585978590-001@node:001");
        assert_eq!(Position::parse(&serial, "node"), Some(position));
        assert_eq!(Position::parse(&serial, "other"), None);
    }

    #[test]
    fn nonsense_is_no_position() {
        for text in ["", "@node", "1-1@node", "x1726585978590-001@node", "01726585978590-001", "é-001@node"] {
            assert_eq!(Position::parse(&text.into(), "node"), None, "{text}");
        }
    }
}
