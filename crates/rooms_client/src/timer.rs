//! Every timer of the client, in one table.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use web_time::Instant;

use rooms_protocol::ChannelName;

/// Longest time that a timer is set for. A server may announce any time; this keeps sums with an
/// [`Instant`] from overflowing.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What the client does when a time has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// When to give up an attempt to connect (`RTN14c`).
    Attempt,
    /// When to try to connect again (`RTN14d`, `RTN14f`).
    Retry,
    /// When to suspend a connection that has no socket (`RTN14e`).
    Suspend,
    /// When silence means that the socket is dead (`RTN23a`).
    Idle,
    /// When to ask the server for a sign of life, because an answer does not come.
    Doubt,
    /// When to stop waiting for the server's goodbye (`RTN12b`).
    Close,
    /// When to stop waiting for the answer to a ping (`RTN13c`).
    Ping,
    /// When to stop waiting for a token (`RSA4c`).
    Token,
    /// When to renew the token.
    Renewal,
    /// When to stop waiting for the answer whether the internet can be reached (`RTN17j`).
    Connectivity,
    /// When to stop waiting for a channel to be attached or detached (`RTL4f`, `RTL5f`).
    ChannelAnswer(ChannelName),
    /// When to attach a suspended channel again (`RTL13b`).
    ChannelRetry(ChannelName),
}

/// The timers that run.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Starts `timer`, or starts it again.
    pub(crate) fn start(&mut self, timer: Timer, now: Instant, after: Duration) {
        self.stop(&timer);
        let at = now + after.min(LONGEST);
        self.order.insert((at, timer.clone()));
        self.due.insert(timer, at);
    }

    /// Makes `timer` due after this time at the latest.
    pub(crate) fn hasten(&mut self, timer: Timer, now: Instant, after: Duration) {
        if self.due.get(&timer).is_none_or(|at| *at > now + after) {
            self.start(timer, now, after);
        }
    }

    /// Stops `timer`, if it runs.
    pub(crate) fn stop(&mut self, timer: &Timer) {
        if let Some((timer, at)) = self.due.remove_entry(timer) {
            self.order.remove(&(at, timer));
        }
    }

    /// Stops all of them.
    pub(crate) fn stop_all(&mut self) {
        self.due.clear();
        self.order.clear();
    }

    /// Stops both timers of a channel.
    pub(crate) fn stop_channel(&mut self, channel: &ChannelName) {
        self.stop(&Timer::ChannelAnswer(channel.clone()));
        self.stop(&Timer::ChannelRetry(channel.clone()));
    }

    /// Stops the timers of all channels; without a socket they have no meaning (`RTL13c`).
    pub(crate) fn stop_channels(&mut self) {
        let is_channel = |timer: &Timer| matches!(timer, Timer::ChannelAnswer(_) | Timer::ChannelRetry(_));
        self.due.retain(|timer, _| !is_channel(timer));
        self.order.retain(|(_, timer)| !is_channel(timer));
    }

    /// Whether an answer about a channel is waited for.
    pub(crate) fn awaits_channel(&self) -> bool {
        self.due.keys().any(|timer| matches!(timer, Timer::ChannelAnswer(_)))
    }

    /// Whether `timer` runs.
    pub(crate) fn runs(&self, timer: &Timer) -> bool {
        self.due.contains_key(timer)
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|&(at, _)| at)
    }

    /// The timers that are due, the longest overdue first. They go on until they [`expire`](Self::expire).
    pub(crate) fn due(&self, now: Instant) -> Vec<Timer> {
        self.order.iter().take_while(|(at, _)| *at <= now).map(|(_, timer)| timer.clone()).collect()
    }

    /// Stops `timer` and says whether it was still due: handling another one may have stopped or restarted it.
    pub(crate) fn expire(&mut self, timer: &Timer, now: Instant) -> bool {
        let is_due = self.due.get(timer).is_some_and(|at| *at <= now);
        if is_due {
            self.stop(timer);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timer_is_next_and_a_restart_moves_it() {
        let now = Instant::now();
        let mut timers = Timers::default();
        timers.start(Timer::Retry, now, Duration::from_secs(5));
        timers.start(Timer::Idle, now, Duration::from_secs(3));
        assert_eq!(timers.next(), Some(now + Duration::from_secs(3)));
        timers.start(Timer::Idle, now, Duration::from_secs(9));
        assert_eq!(timers.next(), Some(now + Duration::from_secs(5)));
    }

    #[test]
    fn a_timer_that_was_stopped_in_between_does_not_expire() {
        let now = Instant::now();
        let mut timers = Timers::default();
        timers.start(Timer::Retry, now, Duration::ZERO);
        timers.start(Timer::Idle, now, Duration::ZERO);
        assert_eq!(timers.due(now), [Timer::Retry, Timer::Idle]);
        timers.stop(&Timer::Idle);
        assert!(timers.expire(&Timer::Retry, now));
        assert!(!timers.expire(&Timer::Idle, now));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn an_absurd_duration_does_not_overflow() {
        let mut timers = Timers::default();
        timers.start(Timer::Idle, Instant::now(), Duration::MAX);
        assert!(timers.runs(&Timer::Idle));
    }
}
