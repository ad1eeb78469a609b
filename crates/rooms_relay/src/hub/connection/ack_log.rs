//! What became of the frames that a connection published, for frames that it sends again after a resume.
//!
//! Clients pair answers with frames by position, so a frame is answered once per time it comes,
//! and published once.

use std::collections::VecDeque;

use crate::limits::ANSWERS_KEPT;
use rooms_protocol::{Action, ErrorInfo, Frame, MsgSerial, PublishResult};

/// What became of one frame.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Its messages are on the channel, under these serials.
    Published(PublishResult),
    /// It was taken, and there are no serials to tell.
    Taken,
    /// It was refused, all of it.
    Refused(ErrorInfo),
}

impl Answer {
    /// The frame that tells the client.
    pub(crate) fn to_frame(&self, serial: MsgSerial) -> Frame {
        let action = if matches!(self, Self::Refused(_)) { Action::Nack } else { Action::Ack };
        let mut frame = Frame { msg_serial: Some(serial), count: Some(1), ..Frame::new(action) };
        match self {
            Self::Published(result) => frame.res = vec![result.clone()],
            Self::Taken => {}
            Self::Refused(error) => frame.error = Some(Box::new(error.clone())),
        }
        frame
    }

    /// What it takes to keep it, in serials.
    fn weight(&self) -> usize {
        match self {
            Self::Published(result) => 1 + result.serials.len(),
            Self::Taken | Self::Refused(_) => 1,
        }
    }
}

/// The latest answers of one connection.
#[derive(Debug, Default)]
pub(crate) struct AnswerLog {
    /// The number of the next new frame.
    next: MsgSerial,
    kept: VecDeque<(MsgSerial, Answer)>,
    weight: usize,
}

impl AnswerLog {
    /// The answer to a frame that was answered before, `None` for a new one.
    ///
    /// Of frames too old to be remembered it is known only that they were taken care of.
    pub(crate) fn earlier(&self, serial: MsgSerial) -> Option<&Answer> {
        if serial >= self.next {
            return None;
        }
        let index = self.kept.binary_search_by_key(&serial, |(serial, _)| *serial).ok();
        Some(index.and_then(|index| self.kept.get(index)).map_or(&Answer::Taken, |(_, answer)| answer))
    }

    /// Remembers the answer to a new frame.
    pub(crate) fn record(&mut self, serial: MsgSerial, answer: Answer) {
        self.next = serial.next();
        self.weight += answer.weight();
        self.kept.push_back((serial, answer));
        while self.weight > ANSWERS_KEPT
            && let Some((_, oldest)) = self.kept.pop_front()
        {
            self.weight -= oldest.weight();
        }
    }

    /// The number of the latest frame; of the first, while there was none.
    pub(crate) fn latest(&self) -> MsgSerial {
        MsgSerial(self.next.0.saturating_sub(1).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(count: usize) -> Answer {
        Answer::Published(PublishResult { serials: vec![Some("s".into()); count] })
    }

    #[test]
    fn a_frame_sent_again_gets_the_answer_it_got() {
        let mut log = AnswerLog::default();
        assert_eq!(log.earlier(MsgSerial(0)), None);
        log.record(MsgSerial(0), published(2));
        log.record(MsgSerial(5), Answer::Taken);
        assert_eq!(log.earlier(MsgSerial(0)), Some(&published(2)));
        assert_eq!(log.earlier(MsgSerial(5)), Some(&Answer::Taken));
        assert_eq!(log.earlier(MsgSerial(6)), None);
        assert_eq!(log.latest(), MsgSerial(5));
    }

    #[test]
    fn old_answers_are_forgotten_but_their_frames_still_count_as_seen() {
        let mut log = AnswerLog::default();
        for serial in 0..100 {
            log.record(MsgSerial(serial), published(100));
        }
        assert!(log.weight <= ANSWERS_KEPT && log.kept.len() < 11);
        assert_eq!(log.earlier(MsgSerial(0)), Some(&Answer::Taken));
        assert_eq!(log.earlier(MsgSerial(99)), Some(&published(100)));
        log.record(MsgSerial(i64::MAX), published(ANSWERS_KEPT + 1));
        assert_eq!((log.weight, log.kept.len()), (0, 0), "an answer larger than the log is not kept");
        assert_eq!(log.latest(), MsgSerial(i64::MAX - 1));
    }
}
