//! When a session has to act by itself.

use web_time::Instant;

/// What to do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// When to say hello, again or for the first time.
    Hello,
    /// When nobody has sent anything for too long: to found the room or give up while arriving, to miss the host while in
    /// the room.
    Silence,
    /// When it is this player's turn to claim the place of a host that is gone.
    Election,
    /// When to claim above a claimant who holds an older state.
    Counter,
    /// When to make the own claim, to withdraw one that did not come back, or to lead on one that has gathered.
    Claim,
    /// When a claim lapses whose player did not lead.
    Lapse,
    /// When to show that the host lives.
    Lease,
    /// When to stop leading, because no own message came back.
    Fence,
    /// When a state that the host announced is late.
    Behind,
    /// When to send unconfirmed requests again.
    Requests,
    /// When to check the seats of players who are lost or never appeared.
    Seats,
    /// When to show the own presence again after the server refused it.
    Presence,
    /// When to doubt the socket, because nothing came over it for too long.
    Doubt,
}

impl Timer {
    const ALL: [Self; 13] = [
        Self::Hello,
        Self::Silence,
        Self::Election,
        Self::Counter,
        Self::Claim,
        Self::Lapse,
        Self::Lease,
        Self::Fence,
        Self::Behind,
        Self::Requests,
        Self::Seats,
        Self::Presence,
        Self::Doubt,
    ];
}

/// At most one time for each timer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    at: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        self.at[timer as usize]
    }

    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(at);
    }

    /// Sets the timer unless it is due earlier already.
    pub(crate) fn hasten(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(self.get(timer).map_or(at, |earlier| earlier.min(at)));
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the timer that has been due for the longest time.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL.into_iter().filter_map(|timer| self.get(timer).map(|at| (at, timer)));
        let (at, timer) = due.min_by_key(|(at, _)| *at)?;
        (at <= now).then(|| {
            self.stop(timer);
            timer
        })
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_expire_once_in_the_order_in_which_they_are_due() {
        let start = Instant::now();
        let mut timers = Timers::default();
        timers.set(Timer::Hello, start + Duration::from_secs(2));
        timers.set(Timer::Lease, start + Duration::from_secs(1));
        timers.hasten(Timer::Hello, start + Duration::from_secs(3));
        assert_eq!(timers.next(), Some(start + Duration::from_secs(1)));
        assert_eq!(timers.expire(start), None);
        let later = start + Duration::from_secs(5);
        assert_eq!(timers.expire(later), Some(Timer::Lease));
        assert_eq!(timers.expire(later), Some(Timer::Hello));
        assert_eq!(timers.expire(later), None);
    }
}
