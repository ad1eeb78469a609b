//! How far a stream has come on each of its channels, as the id of an event says it.
//!
//! An id has a position for each channel, in the order in which the address names them, and the relay that they are of:
//! `01726585978590-001,01726585978600-000~1@relay`. The positions are those of channel serials. After `~` comes the number of the last
//! message, where not all of a frame were sent.

use rooms_protocol::ChannelSerial;

/// Digits of the counter in a position.
const COUNTER_DIGITS: usize = 3;

/// How far the stream has come on one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// The position without its relay: of the frame that was sent last, or where the attachment began.
    position: String,
    /// The last message of the frame that was sent, where there are more.
    index: Option<usize>,
}

impl Reached {
    /// The end of the frame with this serial. Without a relay's name in it, it is none.
    pub(super) fn end_of(serial: &ChannelSerial) -> Option<Self> {
        let (position, _) = serial.as_str().split_once('@')?;
        Some(Self { position: position.to_owned(), index: None })
    }

    /// The message at `index` of that frame, which is not its last.
    pub(super) fn within(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }

    /// Whether the message at `index` of the frame with this serial was sent before.
    pub(super) fn includes(&self, serial: &ChannelSerial, index: usize) -> bool {
        let is_same = serial.as_str().split_once('@').is_some_and(|(position, _)| position == self.position);
        is_same && self.index.is_none_or(|last| index <= last)
    }

    /// The serial to attach with: nothing up to it is sent again. Where a part of a frame is missing, it is just before that frame.
    fn serial(&self, relay: &str) -> ChannelSerial {
        let before = self.index.and_then(|_| just_before(&self.position));
        ChannelSerial::from(format!("{}@{relay}", before.as_deref().unwrap_or(&self.position)))
    }
}

/// The position before this one.
fn just_before(position: &str) -> Option<String> {
    let (millis, counter) = position.split_once('-')?;
    let (millis_now, counter_now) = (millis.parse::<u64>().ok()?, counter.parse::<u16>().ok()?);
    let (millis_before, counter_before) = match counter_now.checked_sub(1) {
        Some(counter_before) => (millis_now, counter_before),
        None => (millis_now.checked_sub(1)?, 999),
    };
    let digits = millis.len();
    Some(format!("{millis_before:0digits$}-{counter_before:0COUNTER_DIGITS$}"))
}

/// The id of an event.
pub(super) fn id<'a>(reached: impl Iterator<Item = &'a Reached>, relay: &str) -> String {
    let mut text = String::new();
    for (number, Reached { position, index }) in reached.enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(position);
        if let Some(index) = index {
            text.push_str(&format!("~{index}"));
        }
    }
    text.push('@');
    text.push_str(relay);
    text
}

/// What an id says about a stream of so many channels: how far it had come on each, and with which serial to attach. `None` for a text
/// that is not such an id.
pub(super) fn parse(id: &str, channels: usize) -> Option<Vec<(Reached, ChannelSerial)>> {
    let (positions, relay) = id.rsplit_once('@')?;
    let reached = positions.split(',').map(|text| {
        let (position, index) = match text.split_once('~') {
            Some((position, index)) => (position, Some(index.parse().ok()?)),
            None => (text, None),
        };
        let reached = Reached { position: position.to_owned(), index };
        let serial = reached.serial(relay);
        Some((reached, serial))
    });
    reached.collect::<Option<Vec<_>>>().filter(|reached| reached.len() == channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_the_serials_to_attach_with() {
        let (one, two) = ("01726585978590-001@relay".into(), "01726585978600-000@relay".into());
        let reached = [Reached::end_of(&one).unwrap(), Reached::end_of(&two).unwrap().within(1)];
        let id = id(reached.iter(), "relay");
        assert_eq!(id, "01726585978590-001,01726585978600-000~1@relay");
        let parsed = parse(&id, 2).unwrap();
        assert_eq!(parsed[0], (reached[0].clone(), one));
        assert_eq!(parsed[1], (reached[1].clone(), "01726585978599-999@relay".into()));
        assert_eq!(parse(&id, 1), None, "it is of other channels");
        assert_eq!(parse(&id, 3), None);
    }

    #[test]
    fn of_a_frame_only_what_was_not_sent_is_sent_again() {
        let (serial, later) = ("01726585978590-007@relay".into(), "01726585978590-008@relay".into());
        let reached = Reached::end_of(&serial).unwrap().within(1);
        assert!(reached.includes(&serial, 0) && reached.includes(&serial, 1));
        assert!(!reached.includes(&serial, 2) && !reached.includes(&later, 0));
        assert_eq!(reached.serial("relay"), "01726585978590-006@relay".into());
    }

    #[test]
    fn what_is_no_id_says_nothing() {
        for text in ["", "x", "a~b@relay", "x~@relay"] {
            assert_eq!(parse(text, 1), None, "{text}");
        }
        assert_eq!(just_before("x"), None);
        assert_eq!(just_before("0-000"), None);
    }
}
