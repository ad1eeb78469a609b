//! Pace: when this player may publish, so that a server with limits takes all that everybody in the room sends.
//!
//! A server without limits takes everything at once. A plan of the cloud takes so many messages a second from a connection,
//! carries so many on a channel, and counts all that an account sends and receives. Nobody knows what the others are about
//! to send. So each player has a share of the room's budget, and sees on the room's channel what the others use of theirs:
//!
//! * While the room is quiet, a player sends at once.
//! * In a busy room, it sends as fast as its share allows. The shares together stay below the limits.
//! * The host's share is as large as those of half the others together, since everything that they see comes from it.
//!
//! What is urgent goes out at once in any case, and what follows pays for it. A publish that the server refuses all the same
//! is sent again, and the player is more careful for a while.

use std::{collections::VecDeque, time::Duration};

use web_time::Instant;

use crate::config::PaceConfig;

/// How much of the limits the shares of all players make up. What is left is for presence, for urgent messages, and for
/// shares that begin to count in the middle of the server's second.
const SHARED: f64 = 0.75;

/// How much of the limits may be used up in a second while a player sends faster than its share.
const BUSY: f64 = 0.9;

/// A player may send at once what its share allows in this time, in seconds.
const BURST: f64 = 0.35;

/// How long the room's traffic is remembered: the second in which a server counts.
const SECOND: Duration = Duration::from_secs(1);

/// The most that a player pays for messages that could not wait, in advance of its next one.
const MAX_DEBT: Duration = Duration::from_secs(3);

/// How far a player slows down when the server refuses messages: to a sixteenth of its share.
const SLOWEST: f64 = 1.0 / 16.0;

/// How much of the limits a crowd takes that speaks for one reason.
const CROWD: f64 = 0.45;

/// So many players may speak at once on any server.
const FEW: usize = 3;

/// Messages a second that a server takes which told no limit and refused one: what the smallest plan of the cloud takes.
const UNTOLD_RATE: f64 = 50.0;

/// Most publishes of the others that are remembered. More in a second mean the same.
const MAX_SEEN: usize = 4096;

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    All,
    One,
}

/// When this player may publish.
#[derive(Debug)]
pub(crate) struct Pace {
    config: PaceConfig,
    /// Messages a second that the server takes. `None`: no limit.
    rate: Option<f64>,
    players: usize,
    leads: bool,
    /// How much of its share the player takes: less than 1 after a refusal.
    caution: f64,
    refused_at: Option<Instant>,
    /// When the share is all there again.
    paid_at: Option<Instant>,
    sent_at: Option<Instant>,
    /// When the room's messages of the last second went out, or arrived.
    seen: VecDeque<Instant>,
}

impl Pace {
    /// No limit is known yet.
    pub(crate) fn new(config: PaceConfig) -> Self {
        let mut pace = Self {
            config,
            rate: None,
            players: 1,
            leads: false,
            caution: 1.0,
            refused_at: None,
            paid_at: None,
            sent_at: None,
            seen: VecDeque::new(),
        };
        pace.set_rate(None);
        pace
    }

    /// Notes how many messages a second the server says that it takes from a connection (`CD2e`). `None`: it does not say.
    pub(crate) fn set_rate(&mut self, told: Option<u64>) {
        let told = told.filter(|rate| *rate > 0).map(|rate| u32::try_from(rate).unwrap_or(u32::MAX));
        let most = self.config.connection_rate;
        let rate = told.map_or(most, |told| Some(most.map_or(told, |most| most.min(told))));
        self.rate = rate.map(|rate| f64::from(rate.max(1)));
    }

    /// Notes who shares the room's budget: how many players, and whether this one leads them.
    pub(crate) fn set_room(&mut self, players: usize, leads: bool) {
        (self.players, self.leads) = (players.max(1), leads);
    }

    /// Whether the server limits how much is sent.
    pub(crate) fn is_limited(&self) -> bool {
        self.rate.is_some()
    }

    /// Notes publishes of others on the room's channel.
    pub(crate) fn note_others(&mut self, messages: usize, now: Instant) {
        if self.is_limited() {
            self.forget_old(now);
            let room = MAX_SEEN.saturating_sub(self.seen.len());
            self.seen.extend(std::iter::repeat_n(now, messages.min(room)));
        }
    }

    /// Notes a message of this player, to everyone or to one player.
    pub(crate) fn note_sent(&mut self, to: To, now: Instant) {
        if self.is_limited() {
            if self.is_for_all(to) {
                self.note_others(1, now);
                self.sent_at = Some(now);
            }
            self.pay(to, now);
        }
    }

    /// Takes the price of a message off the share.
    fn pay(&mut self, to: To, now: Instant) {
        let Some(rate) = self.rate else { return };
        let price = self.every(now).mul_f64(self.price(to, rate));
        let paid_at = self.paid_at.map_or(now, |at| at.max(now)) + price;
        self.paid_at = Some(paid_at.min(now + MAX_DEBT.max(self.every(now))));
    }

    /// Notes a message that the same connection sent and that is none of the room's: the room's own wait for it.
    pub(crate) fn note_sent_elsewhere(&mut self, now: Instant) {
        if self.is_limited() {
            self.pay(To::One, now);
        }
    }

    /// Notes that the server refused a publish because it was one too many. If it told no limit, it has one all the same.
    pub(crate) fn note_refused(&mut self, now: Instant) {
        self.rate.get_or_insert(UNTOLD_RATE);
        self.caution = (self.caution_at(now) / 2.0).max(SLOWEST);
        self.refused_at = Some(now);
        let next = now + SECOND;
        self.paid_at = Some(self.paid_at.map_or(next, |at| at.max(next)));
    }

    /// When this player may publish to everyone, or to one player; `None`: now.
    pub(crate) fn ready_at(&self, to: To, now: Instant) -> Option<Instant> {
        let rate = self.room_rate()?;
        let every = self.every(now);
        let burst = (BURST / every.as_secs_f64()).max(1.0) - 1.0;
        let by_share = self.paid_at.and_then(|at| at.checked_sub(every.mul_f64(burst)));
        let by_share = by_share.filter(|at| *at > now);
        let by_room = self.room_has_capacity_at(rate, every, now).filter(|_| self.is_for_all(to));
        by_share.max(by_room)
    }

    /// How much of the room's budget was used in the last second: 0 for nothing, 1 for all. 0 where nothing is limited.
    pub(crate) fn used(&self, now: Instant) -> f32 {
        let Some(rate) = self.room_rate() else { return 0.0 };
        let seen = self.seen.iter().filter(|at| now.saturating_duration_since(**at) < SECOND).count();
        (seen as f64 / rate) as f32
    }

    /// How long players take who all have something urgent to say, beside what the host says meanwhile. If many have something to say for the same reason, they
    /// spread it over this time.
    pub(crate) fn time_for_all(&self) -> Duration {
        let Some(rate) = self.room_rate().filter(|_| self.players > FEW) else { return Duration::ZERO };
        Duration::from_secs_f64((self.players as f64 / (rate * CROWD)).min(60.0))
    }

    /// How many messages a second all players of the room together may publish.
    fn room_rate(&self) -> Option<f64> {
        // A message of one player is received by each of them.
        let account = f64::from(self.config.account_rate.max(1)) / (self.players + 1) as f64;
        self.rate.map(|rate| rate.min(account))
    }

    /// Whether a message counts as one to everyone. In a small room each does.
    fn is_for_all(&self, to: To) -> bool {
        to == To::All || self.players <= FEW
    }

    /// What a message costs, where one to everyone costs 1.
    ///
    /// The account counts a message to one player twice, and one to everyone once for each player and once more. But a connection
    /// takes no more messages than its rate. The host may use half of that for single players, and what the others ask
    /// of the host has to get through to it beside what is said to everyone.
    fn price(&self, to: To, rate: f64) -> f64 {
        let (Some(room_rate), false) = (self.room_rate(), self.is_for_all(to)) else { return 1.0 };
        let others = (self.players - 1) as f64;
        let most = if self.leads { rate / 2.0 } else { (rate * BUSY - room_rate * SHARED) / others };
        let share = SHARED * room_rate * self.part();
        (share / most).max(2.0 / (others + 2.0)).min(1.0)
    }

    /// The time between two messages of this player in a busy room.
    fn every(&self, now: Instant) -> Duration {
        let Some(rate) = self.room_rate() else { return Duration::ZERO };
        let share = SHARED * rate * self.part() * self.caution_at(now);
        Duration::from_secs_f64((1.0 / share).min(600.0))
    }

    /// Which part of the room's budget is this player's.
    fn part(&self) -> f64 {
        let others = (self.players - 1) as f64;
        let host = (others / 2.0).max(1.0);
        match self.leads {
            true => host / (others + host),
            false => 1.0 / (others.max(1.0) + host),
        }
    }

    /// The player takes a tenth of its share more with each second after a refusal.
    fn caution_at(&self, now: Instant) -> f64 {
        let since = self.refused_at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        (self.caution + since / 10.0).min(1.0)
    }

    /// When the room has used so little of the last second that one more message fits; `None`: now. Whoever waited for twice
    /// the time of its share waits no longer: others in the room may send more than theirs.
    fn room_has_capacity_at(&self, rate: f64, every: Duration, now: Instant) -> Option<Instant> {
        let most = ((rate * BUSY) as usize).max(1);
        let oldest = self.seen.len().checked_sub(most)?;
        let free_at = self.seen.get(oldest).map(|at| *at + SECOND)?;
        let patience_ends_at = self.sent_at.map_or(now + every, |at| at + 2 * every);
        Some(free_at.min(patience_ends_at)).filter(|at| *at > now)
    }

    fn forget_old(&mut self, now: Instant) {
        while self.seen.front().is_some_and(|at| now.saturating_duration_since(*at) >= SECOND) {
            self.seen.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_connection_sends_elsewhere_is_paid_for_by_the_room() {
        let now = Instant::now();
        let mut pace = limited(8, true);
        (0..20).for_each(|_| pace.note_sent_elsewhere(now));
        assert!(pace.ready_at(To::All, now).is_some());
        let mut free = Pace::new(PaceConfig::default());
        free.note_sent_elsewhere(now);
        assert_eq!(free.ready_at(To::All, now), None, "a server without limits");
    }

    const MS: Duration = Duration::from_millis(1);

    /// A pace on a server that takes 50 messages a second.
    fn limited(players: usize, leads: bool) -> Pace {
        let mut pace = Pace::new(PaceConfig::default());
        pace.set_rate(Some(50));
        pace.set_room(players, leads);
        pace
    }

    /// How many messages go out in a number of seconds if there is always one to send.
    fn sent(pace: &mut Pace, seconds: u32, start: Instant) -> usize {
        let steps = (0..seconds * 1000).map(|step| start + MS * step);
        steps
            .filter(|now| pace.ready_at(To::All, *now).is_none().then(|| pace.note_sent(To::All, *now)).is_some())
            .count()
    }

    #[test]
    fn a_server_that_tells_no_limit_takes_everything_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(PaceConfig::default());
        (0..1000).for_each(|_| pace.note_sent(To::All, now));
        pace.note_others(1000, now);
        assert_eq!((pace.ready_at(To::All, now), pace.is_limited(), pace.used(now)), (None, false, 0.0));
        pace.set_rate(Some(0));
        assert!(!pace.is_limited(), "0 says nothing");
    }

    #[test]
    fn the_lower_of_the_told_and_the_configured_rate_counts() {
        let mut pace = Pace::new(PaceConfig { connection_rate: Some(50), ..PaceConfig::default() });
        assert_eq!(pace.rate, Some(50.0), "a server of a known kind need not tell");
        for (told, rate) in [(Some(250), 50.0), (Some(20), 20.0), (None, 50.0)] {
            pace.set_rate(told);
            assert_eq!(pace.rate, Some(rate));
        }
    }

    #[test]
    fn all_shares_together_stay_within_the_limits() {
        for players in [1, 2, 3, 8, 20, 50, 200] {
            let start = Instant::now();
            let limit = 50_f64.min(500.0 / (players + 1) as f64);
            let host = sent(&mut limited(players, true), 60, start) as f64;
            let peer = sent(&mut limited(players, false), 60, start) as f64;
            let all = host + peer * (players - 1) as f64;
            // Each has its first message before the share counts.
            assert!(all <= 60.0 * limit * SHARED + (2 * players) as f64 + limit, "{players} players sent {all}");
            assert!(all >= 60.0 * limit * SHARED * 0.9, "{players} players sent {all} of {}", 60.0 * limit);
        }
    }

    #[test]
    fn eight_players_who_move_all_the_time_are_seen_three_times_a_second() {
        assert!(sent(&mut limited(8, false), 10, Instant::now()) >= 30);
    }

    #[test]
    fn a_quiet_room_takes_a_word_at_once_and_a_busy_one_makes_it_wait() {
        let now = Instant::now();
        let mut pace = limited(20, false);
        assert_eq!(pace.ready_at(To::All, now), None);
        pace.note_others(21, now);
        assert!(pace.ready_at(To::All, now + MS).is_some_and(|at| at > now + MS), "others used the room's budget up");
        assert!(pace.used(now + MS) > 0.8);
        assert_eq!(pace.ready_at(To::All, now + SECOND), None);
        assert_eq!(pace.used(now + SECOND), 0.0);
    }

    #[test]
    fn those_who_send_more_than_their_share_do_not_silence_the_others() {
        let start = Instant::now();
        let mut pace = limited(8, false);
        let mut count = 0;
        for step in 0..10_000 {
            let now = start + MS * step;
            if step % 10 == 0 {
                pace.note_others(1, now);
            }
            if pace.ready_at(To::All, now).is_none() {
                pace.note_sent(To::All, now);
                count += 1;
            }
        }
        assert!((12..=20).contains(&count), "half the share of 3.3 a second for ten seconds, not {count}");
    }

    #[test]
    fn what_could_not_wait_is_paid_for_later_but_not_for_ever() {
        let now = Instant::now();
        let mut pace = limited(8, true);
        (0..500).for_each(|_| pace.note_sent(To::All, now));
        let ready_at = pace.ready_at(To::All, now).unwrap();
        assert!(ready_at > now + SECOND && ready_at <= now + MAX_DEBT);
    }

    #[test]
    fn a_crowd_takes_as_long_as_the_server_takes_for_all_of_it() {
        assert_eq!(limited(3, false).time_for_all(), Duration::ZERO);
        let of_twenty = limited(20, false).time_for_all();
        assert!((SECOND..2 * SECOND).contains(&of_twenty), "{of_twenty:?}");
        let mut unlimited = Pace::new(PaceConfig::default());
        unlimited.set_room(200, false);
        assert_eq!(unlimited.time_for_all(), Duration::ZERO);
    }

    #[test]
    fn a_message_to_one_player_costs_less_in_a_large_room_and_never_more() {
        for players in [1, 2, 3, 5, 8, 9, 20, 100, 200] {
            for leads in [true, false] {
                let price = limited(players, leads).price(To::One, 50.0);
                assert!(price > 0.0 && price <= 1.0, "{players} players, {leads}: {price}");
                assert_eq!(limited(players, leads).price(To::All, 50.0), 1.0);
            }
            // All that the others ask of the host in a second, beside what is said to everyone.
            let pace = limited(players, false);
            let asked = SHARED * pace.room_rate().unwrap() * pace.part() / pace.price(To::One, 50.0);
            let heard = asked * (players - 1) as f64;
            assert!(heard <= 50.0, "{players} players: {heard} a second");
        }
        assert!(limited(20, true).price(To::One, 50.0) < 0.3, "a host can welcome a crowd");
    }

    #[test]
    fn a_refusal_slows_a_player_down_for_a_while() {
        let start = Instant::now();
        let mut pace = limited(2, false);
        pace.note_refused(start);
        assert!(pace.ready_at(To::All, start).is_some());
        let careful = sent(&mut pace, 3, start);
        let later = sent(&mut pace, 3, start + 10 * SECOND);
        assert!(careful * 2 < later, "{careful} after the refusal, {later} later");
        for _ in 0..100 {
            pace.note_refused(start);
        }
        assert!(pace.caution_at(start) >= SLOWEST);
    }
}
