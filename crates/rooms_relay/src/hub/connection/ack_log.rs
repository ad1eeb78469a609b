//! What became of the frames that a connection published, for frames that it sends again after a resume.
//!
//! Clients match ACKs with frames by their order. So the relay answers a frame each time it comes, and publishes it once.

use std::{collections::VecDeque, sync::Arc};

use crate::hub::channel::{publish::Published, serial::Position};
use rooms_protocol::{Action, ErrorInfo, Frame, MessageSerial, MsgSerial, PublishResult};

/// What became of one frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Its messages are on the channel, as many and in order at this position.
    Fresh(Position, u32),
    /// Its messages are on the channel under these serials, some of them since earlier.
    Listed(Box<[Option<MessageSerial>]>),
    /// The relay accepted it. There are no serials.
    Accepted,
    /// The relay refused all of it.
    Refused(Arc<ErrorInfo>),
}

impl From<Published> for Outcome {
    fn from(published: Published) -> Self {
        match (published.position, u32::try_from(published.new)) {
            (Some(position), Ok(count)) if published.new == published.serials.len() => Self::Fresh(position, count),
            _ => Self::Listed(published.serials.into()),
        }
    }
}

impl From<ErrorInfo> for Outcome {
    fn from(error: ErrorInfo) -> Self {
        Self::Refused(Arc::new(error))
    }
}

impl Outcome {
    /// The frame that tells the client: ACK or NACK. `node` is the relay that gave the serials.
    pub(crate) fn to_frame(&self, serial: MsgSerial, node: &str) -> Frame {
        let action = if matches!(self, Self::Refused(_)) { Action::Nack } else { Action::Ack };
        let mut frame = Frame { msg_serial: Some(serial), count: Some(1), ..Frame::new(action) };
        match self {
            Self::Fresh(position, count) => {
                let count = usize::try_from(*count).unwrap_or_default();
                let serials = (0..count).map(|index| Some(position.message_serial(node, index))).collect();
                frame.res = vec![PublishResult { serials }];
            }
            Self::Listed(serials) => frame.res = vec![PublishResult { serials: serials.to_vec() }],
            Self::Accepted => {}
            Self::Refused(error) => frame.error = Some(Box::new(ErrorInfo::clone(error))),
        }
        frame
    }

    /// The bytes that it holds in memory beside itself, about.
    fn owned_bytes(&self) -> usize {
        match self {
            Self::Listed(serials) => {
                serials.iter().map(|serial| serial.as_ref().map_or(24, |s| 88 + s.as_str().len())).sum()
            }
            Self::Refused(error) => size_of::<ErrorInfo>() + 32 + error.message.len(),
            Self::Fresh(..) | Self::Accepted => 0,
        }
    }

    /// What it counts towards the limit of the log, in serials.
    fn weight(&self) -> usize {
        match self {
            Self::Fresh(_, count) => usize::try_from(*count).unwrap_or(usize::MAX).saturating_add(1),
            Self::Listed(serials) => 1 + serials.len(),
            Self::Accepted | Self::Refused(_) => 1,
        }
    }
}

/// The latest outcomes of one connection.
#[derive(Debug, Default)]
pub(crate) struct AckLog {
    /// The number of the next new frame.
    next: MsgSerial,
    kept: VecDeque<(MsgSerial, Outcome)>,
    weight: usize,
    /// The bytes that the outcomes hold beside themselves, about.
    owned: usize,
}

impl AckLog {
    /// The outcome of a frame that came before; `None` for a new one.
    ///
    /// The log does not remember the oldest frames, only that the relay handled them. It counts them as accepted.
    pub(crate) fn earlier(&self, serial: MsgSerial) -> Option<&Outcome> {
        if serial >= self.next {
            return None;
        }
        let index = self.kept.binary_search_by_key(&serial, |(serial, _)| *serial).ok();
        Some(index.and_then(|index| self.kept.get(index)).map_or(&Outcome::Accepted, |(_, outcome)| outcome))
    }

    /// Remembers the outcome of a new frame. Keeps outcomes with `most` serials.
    pub(crate) fn record(&mut self, serial: MsgSerial, outcome: Outcome, most: usize) {
        self.next = serial.next();
        self.weight = self.weight.saturating_add(outcome.weight());
        self.owned += outcome.owned_bytes();
        self.kept.push_back((serial, outcome));
        while self.weight > most
            && let Some((_, oldest)) = self.kept.pop_front()
        {
            self.weight -= oldest.weight();
            self.owned -= oldest.owned_bytes();
        }
        if self.kept.capacity() > 4 * self.kept.len().max(16) {
            self.kept.shrink_to(2 * self.kept.len());
        }
    }

    /// Whether any frame came.
    pub(crate) fn is_begun(&self) -> bool {
        self.next > MsgSerial(0)
    }

    /// The bytes that it holds in memory, about.
    pub(crate) fn held_bytes(&self) -> usize {
        self.kept.capacity() * size_of::<(MsgSerial, Outcome)>() + self.owned
    }

    /// The number of the latest frame. Zero before the first.
    pub(crate) fn latest(&self) -> MsgSerial {
        MsgSerial(self.next.0.saturating_sub(1).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::OUTCOMES_KEPT;
    use rooms_protocol::{ErrorCode, Timestamp};

    fn published(count: u32) -> Outcome {
        Outcome::Fresh(Position::at(Timestamp(7)), count)
    }

    #[test]
    fn a_frame_sent_again_has_the_outcome_it_had() {
        let mut log = AckLog::default();
        assert_eq!(log.earlier(MsgSerial(0)), None);
        log.record(MsgSerial(0), published(2), OUTCOMES_KEPT);
        log.record(MsgSerial(5), Outcome::Accepted, OUTCOMES_KEPT);
        assert_eq!(log.earlier(MsgSerial(0)), Some(&published(2)));
        assert_eq!(log.earlier(MsgSerial(5)), Some(&Outcome::Accepted));
        assert_eq!(log.earlier(MsgSerial(6)), None);
        assert_eq!(log.latest(), MsgSerial(5));
    }

    #[test]
    fn old_outcomes_are_forgotten_but_their_frames_still_count_as_seen() {
        let mut log = AckLog::default();
        for serial in 0..100 {
            log.record(MsgSerial(serial), published(100), OUTCOMES_KEPT);
        }
        assert!(log.weight <= OUTCOMES_KEPT && log.kept.len() < 11);
        assert_eq!(log.earlier(MsgSerial(0)), Some(&Outcome::Accepted));
        assert_eq!(log.earlier(MsgSerial(99)), Some(&published(100)));
        log.record(MsgSerial(i64::MAX), published(1_025), OUTCOMES_KEPT);
        assert_eq!((log.weight, log.kept.len()), (0, 0), "an outcome larger than the log is not kept");
        assert_eq!(log.latest(), MsgSerial(i64::MAX - 1));
    }

    #[test]
    fn an_outcome_tells_the_serials_and_takes_little_memory() {
        let serials = vec![None, Some("s".into())];
        let listed: Outcome = Published { serials: serials.clone(), position: None, new: 0 }.into();
        assert_eq!(listed.to_frame(MsgSerial(1), "n").res, [PublishResult { serials }]);
        let position = Position::at(Timestamp(7));
        let serials: Vec<_> = (0..3).map(|index| Some(position.message_serial("n", index))).collect();
        let fresh: Outcome = Published { serials: serials.clone(), position: Some(position), new: 3 }.into();
        assert_eq!(fresh.to_frame(MsgSerial(1), "n").res, [PublishResult { serials }]);
        let mut log = AckLog::default();
        for serial in 0..10_000 {
            log.record(MsgSerial(serial), published(1), OUTCOMES_KEPT);
        }
        assert!(log.held_bytes() < 64 * 1024, "{}", log.held_bytes());
        log.record(MsgSerial(10_000), ErrorInfo::new(ErrorCode(1), 400, "x".repeat(400)).into(), 8);
        assert!(log.held_bytes() < 8 * 1024, "{}: where memory is short, only the latest are kept", log.held_bytes());
    }
}
