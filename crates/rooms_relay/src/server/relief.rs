//! When and from whom the relay takes memory back.

use std::{collections::HashMap, time::Duration};

use web_time::Instant;

use super::actor::Socket;
use crate::LinkId;

/// Time between two looks at everything that holds memory.
const INTERVAL: Duration = Duration::from_millis(10);

/// Time between two warnings. What happens in between is counted.
const WARNING_INTERVAL: Duration = Duration::from_secs(1);

/// Sockets that are cut off at once. It costs little, and the next look is soon.
const AT_ONCE: usize = 16;

/// The least that is worth a socket, in bytes.
const WORTHWHILE: usize = 64 * 1024;

/// What there is to remember about it.
#[derive(Debug, Default)]
pub(super) struct Relief {
    looked: Option<Instant>,
    warned: Option<Instant>,
    /// Warnings since then that nobody saw.
    unsaid: usize,
}

impl Relief {
    /// Whether it is time to look for memory. Notes that somebody does.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = is_over(self.looked, INTERVAL, now);
        if is_due {
            self.looked = Some(now);
        }
        is_due
    }

    /// Says something, unless the last warning was just now.
    pub(super) fn warn(&mut self, now: Instant, say: impl FnOnce()) {
        if !is_over(self.warned, WARNING_INTERVAL, now) {
            self.unsaid += 1;
            return;
        }
        self.warned = Some(now);
        say();
        let unsaid = std::mem::take(&mut self.unsaid);
        if unsaid > 0 {
            log::warn!("{unsaid} warnings of this kind before this one were left out");
        }
    }

    /// The sockets for which most waits, the first first.
    pub(super) fn largest(sockets: &HashMap<LinkId, Socket>) -> Vec<LinkId> {
        let held = sockets.iter().map(|(link, socket)| (socket.held_bytes(), *link));
        let mut largest: Vec<_> = held.filter(|(held, _)| *held >= WORTHWHILE).collect();
        largest.sort_unstable_by(|a, b| b.cmp(a));
        largest.truncate(AT_ONCE);
        largest.into_iter().map(|(_, link)| link).collect()
    }
}

fn is_over(since: Option<Instant>, interval: Duration, now: Instant) -> bool {
    since.is_none_or(|since| now.saturating_duration_since(since) >= interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_a_hundred_times_a_second_and_warns_once() {
        let (start, mut relief, mut said) = (Instant::now(), Relief::default(), 0);
        let mut looked = 0;
        for millis in 0..1_000 {
            let now = start + Duration::from_millis(millis);
            looked += usize::from(relief.is_due(now));
            relief.warn(now, || said += 1);
        }
        assert_eq!((looked, said, relief.unsaid), (100, 1, 999));
        relief.warn(start + WARNING_INTERVAL, || said += 1);
        assert_eq!((said, relief.unsaid), (2, 0));
    }
}
