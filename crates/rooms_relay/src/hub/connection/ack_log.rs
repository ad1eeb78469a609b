//! What became of the frames that a connection published, for frames that it sends again after a resume.
//!
//! Clients match ACKs with frames by their order. So the relay answers a frame each time it comes, and publishes it once.

use std::collections::VecDeque;

use crate::limits::OUTCOMES_KEPT;
use rooms_protocol::{Action, ErrorInfo, Frame, MsgSerial, PublishResult};

/// What became of one frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Its messages are on the channel, under these serials.
    Published(PublishResult),
    /// The relay accepted it. There are no serials.
    Accepted,
    /// The relay refused all of it.
    Refused(ErrorInfo),
}

impl Outcome {
    /// The frame that tells the client: ACK or NACK.
    pub(crate) fn to_frame(&self, serial: MsgSerial) -> Frame {
        let action = if matches!(self, Self::Refused(_)) { Action::Nack } else { Action::Ack };
        let mut frame = Frame { msg_serial: Some(serial), count: Some(1), ..Frame::new(action) };
        match self {
            Self::Published(result) => frame.res = vec![result.clone()],
            Self::Accepted => {}
            Self::Refused(error) => frame.error = Some(Box::new(error.clone())),
        }
        frame
    }

    /// What it counts towards the limit of the log, in serials.
    fn weight(&self) -> usize {
        match self {
            Self::Published(result) => 1 + result.serials.len(),
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

    /// Remembers the outcome of a new frame.
    pub(crate) fn record(&mut self, serial: MsgSerial, outcome: Outcome) {
        self.next = serial.next();
        self.weight += outcome.weight();
        self.kept.push_back((serial, outcome));
        while self.weight > OUTCOMES_KEPT
            && let Some((_, oldest)) = self.kept.pop_front()
        {
            self.weight -= oldest.weight();
        }
    }

    /// Whether any frame came.
    pub(crate) fn is_begun(&self) -> bool {
        self.next > MsgSerial(0)
    }

    /// The number of the latest frame. Zero before the first.
    pub(crate) fn latest(&self) -> MsgSerial {
        MsgSerial(self.next.0.saturating_sub(1).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(count: usize) -> Outcome {
        Outcome::Published(PublishResult { serials: vec![Some("s".into()); count] })
    }

    #[test]
    fn a_frame_sent_again_has_the_outcome_it_had() {
        let mut log = AckLog::default();
        assert_eq!(log.earlier(MsgSerial(0)), None);
        log.record(MsgSerial(0), published(2));
        log.record(MsgSerial(5), Outcome::Accepted);
        assert_eq!(log.earlier(MsgSerial(0)), Some(&published(2)));
        assert_eq!(log.earlier(MsgSerial(5)), Some(&Outcome::Accepted));
        assert_eq!(log.earlier(MsgSerial(6)), None);
        assert_eq!(log.latest(), MsgSerial(5));
    }

    #[test]
    fn old_outcomes_are_forgotten_but_their_frames_still_count_as_seen() {
        let mut log = AckLog::default();
        for serial in 0..100 {
            log.record(MsgSerial(serial), published(100));
        }
        assert!(log.weight <= OUTCOMES_KEPT && log.kept.len() < 11);
        assert_eq!(log.earlier(MsgSerial(0)), Some(&Outcome::Accepted));
        assert_eq!(log.earlier(MsgSerial(99)), Some(&published(100)));
        log.record(MsgSerial(i64::MAX), published(OUTCOMES_KEPT + 1));
        assert_eq!((log.weight, log.kept.len()), (0, 0), "an outcome larger than the log is not kept");
        assert_eq!(log.latest(), MsgSerial(i64::MAX - 1));
    }
}
