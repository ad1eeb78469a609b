//! Hellos: how a player asks the host to let it in, or to send what it misses.
//!
//! Owns what this player misses, and when it says hello. A hello is sent again until there is a welcome.

use std::{ops::Range, time::Duration};

use rand::RngExt;
use web_time::Instant;

use crate::{
    config::Wish,
    context::Context,
    id::{PlayerId, Reign},
    timer::{Timer, Timers},
    wire::{
        message::{Hello, Nonce},
        outbound::Lane,
    },
};

/// How long to wait before asking for what is missing: it may be on its way, and others miss it too.
const HELLO_JITTER_MS: Range<u64> = 150..400;

/// What is added to the hello interval at most, so that many who arrive together do not keep in step.
const REPEAT_JITTER_MS: u64 = 500;

/// Shortest time between two hellos, however often something is found missing.
const MIN_HELLO_INTERVAL: Duration = Duration::from_secs(1);

/// How long a player asks about somebody without a seat that leads, after it was heard last: several leases.
const DOUBT: Duration = Duration::from_secs(6);

/// How long a newcomer to a server with limits listens before its first hello: others may come at the same time.
const LISTENING: Duration = Duration::from_millis(60);

/// What this player misses, and when it says hello.
#[derive(Debug)]
pub(crate) struct Hellos {
    /// Tells this process from others of the same player and generation.
    nonce: Nonce,
    last_hello: Option<Instant>,
    /// Set until a welcome: something is missing that only the host can give.
    wants_welcome: bool,
    /// Set from a loss of continuity until a welcome or a new reign made it good.
    lost_continuity: bool,
    /// Whether the host asked this player to wait.
    waiting: bool,
    /// Whether a newer process of this player said hello.
    newer_process: bool,
    /// Until when this player doubts who leads, and because of whom: somebody without a seat here leads, or is about to. The host
    /// may have given it a seat without this player's knowledge.
    doubt: Option<(Instant, PlayerId)>,
    /// How much later than alone this player speaks first, since others came at the same time.
    turn: Option<Duration>,
}

impl Hellos {
    /// A player on its way in.
    pub(crate) fn new(nonce: Nonce) -> Self {
        Self {
            nonce,
            last_hello: None,
            wants_welcome: true,
            lost_continuity: false,
            waiting: false,
            newer_process: false,
            doubt: None,
            turn: None,
        }
    }

    /// Whether a message with this nonce is meant for this process.
    pub(crate) fn is_own_nonce(&self, nonce: &Nonce) -> bool {
        self.nonce == *nonce
    }

    pub(crate) fn wants_welcome(&self) -> bool {
        self.wants_welcome
    }

    pub(crate) fn lost_continuity(&self) -> bool {
        self.lost_continuity
    }

    /// Whether this player may have missed the admission of others.
    pub(crate) fn may_have_missed_seats(&self) -> bool {
        self.wants_welcome || self.lost_continuity
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    pub(crate) fn knows_newer_process(&self) -> bool {
        self.newer_process
    }

    /// Notes that a newer process of this player said hello.
    pub(crate) fn note_newer_process(&mut self) {
        self.newer_process = true;
    }

    /// Notes that the host asked this player to wait. Returns whether that is news.
    pub(crate) fn note_wait(&mut self) -> bool {
        !std::mem::replace(&mut self.waiting, true)
    }

    pub(crate) fn set_lost_continuity(&mut self, lost: bool) {
        self.lost_continuity = lost;
    }

    pub(crate) fn has_doubts(&self, now: Instant) -> bool {
        self.doubt.as_ref().is_some_and(|(until, _)| now < *until)
    }

    /// Whether `player` is the one without a seat, who may answer.
    pub(crate) fn has_doubts_about(&self, player: &PlayerId, now: Instant) -> bool {
        self.doubt.as_ref().is_some_and(|(until, doubted)| now < *until && doubted == player)
    }

    /// Notes a doubt about who leads, and asks. Who leads answers with a welcome.
    pub(crate) fn doubt(&mut self, player: &PlayerId, now: Instant, timers: &mut Timers) {
        let is_asking = self.has_doubts(now) && timers.get(Timer::Hello).is_some();
        self.doubt = Some((now + DOUBT, player.clone()));
        if !is_asking {
            timers.hasten(Timer::Hello, self.allowed_at(now).max(now));
        }
    }

    /// Notes that the whole state came from whoever leads.
    pub(crate) fn settle_doubts(&mut self) {
        self.doubt = None;
    }

    /// Notes a welcome: nothing is missing any more.
    pub(crate) fn on_welcome(&mut self, timers: &mut Timers) {
        self.waiting = false;
        self.lost_continuity = false;
        self.settle_doubts();
        self.on_complete_state(timers);
    }

    /// Notes that the whole state came, or that this player leads: no welcome is needed.
    pub(crate) fn on_complete_state(&mut self, timers: &mut Timers) {
        self.wants_welcome = false;
        timers.stop(Timer::Hello);
    }

    /// Asks the host for what is missing, after a short wait.
    pub(crate) fn want_welcome(&mut self, now: Instant, cx: &mut Context) {
        let range = HELLO_JITTER_MS.start..HELLO_JITTER_MS.end.max(crowd_ms(cx));
        let jitter = Duration::from_millis(cx.rng.random_range(range));
        let at = (now + jitter).max(self.allowed_at(now));
        self.want_welcome_at(at, cx.timers);
    }

    /// Asks the host for what is missing, at this time at the latest.
    pub(crate) fn want_welcome_at(&mut self, at: Instant, timers: &mut Timers) {
        self.wants_welcome = true;
        timers.hasten(Timer::Hello, at);
    }

    fn allowed_at(&self, now: Instant) -> Instant {
        self.last_hello.map_or(now, |last| last + MIN_HELLO_INTERVAL)
    }

    /// Plans the first hello: at once, or after listening to a server with limits.
    pub(crate) fn begin(&mut self, now: Instant, cx: &mut Context) {
        let listening = if cx.outbound.is_paced() { LISTENING } else { Duration::ZERO };
        cx.timers.set(Timer::Hello, now + listening);
    }

    /// Whether this player has to wait before it speaks first, because many came at the same time to a server with limits.
    /// Then the hello comes by itself in its turn.
    pub(crate) fn waits_for_turn(&mut self, now: Instant, cx: &mut Context) -> bool {
        if self.turn.is_some() {
            return false;
        }
        let turn = cx.outbound.time_for_all().mul_f64(cx.rng.random());
        self.turn = Some(turn);
        if turn > Duration::ZERO {
            cx.timers.set(Timer::Hello, now + turn);
        }
        turn > Duration::ZERO
    }

    /// How much later than alone this player speaks first.
    pub(crate) fn turn(&self) -> Duration {
        self.turn.unwrap_or_default()
    }

    /// Sends a hello, and sets the timer for the next one.
    pub(crate) fn send(&mut self, first_request: u64, best: Option<Reign>, now: Instant, cx: &mut Context) {
        let hello = Hello {
            generation: cx.config.generation,
            nonce: self.nonce.clone(),
            profile: cx.config.profile.clone(),
            fingerprint: cx.config.fingerprint.clone(),
            // Who was in the room stays in it, whoever hosts it now.
            wish: if cx.feed.is_joined() { Wish::Join } else { cx.config.wish },
            first_request,
            best,
        };
        cx.outbound.send_urgent(Lane::Room, hello.into());
        self.last_hello = Some(now);
        let jitter = Duration::from_millis(cx.rng.random_range(0..REPEAT_JITTER_MS.max(crowd_ms(cx))));
        cx.timers.set(Timer::Hello, now + cx.config.timing.hello_interval + jitter);
    }
}

/// How long the server takes for a hello of each player, in milliseconds.
fn crowd_ms(cx: &Context) -> u64 {
    u64::try_from(cx.outbound.time_for_all().as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::base;

    #[test]
    fn a_player_asks_for_what_it_misses_after_a_short_wait_and_not_more_than_once_a_second() {
        let (now, mut base) = (Instant::now(), base());
        let mut hellos = Hellos::new("n".into());
        hellos.want_welcome(now, &mut base.lend());
        let at = base.timers.get(Timer::Hello).unwrap();
        assert!((now + Duration::from_millis(150)..now + Duration::from_millis(400)).contains(&at));
        hellos.send(1, None, now, &mut base.lend());
        base.timers.stop(Timer::Hello);
        hellos.want_welcome(now, &mut base.lend());
        assert_eq!(base.timers.get(Timer::Hello), Some(now + MIN_HELLO_INTERVAL));
    }

    #[test]
    fn a_player_asks_about_somebody_for_a_while_and_hears_that_one_alone() {
        let (now, mut base, mut hellos) = (Instant::now(), base(), Hellos::new("n".into()));
        let (zoe, eve) = (PlayerId::new("zoe").unwrap(), PlayerId::new("eve").unwrap());
        hellos.doubt(&zoe, now, &mut base.timers);
        assert_eq!(base.timers.get(Timer::Hello), Some(now));
        assert!(hellos.has_doubts_about(&zoe, now) && !hellos.has_doubts_about(&eve, now));
        assert!(hellos.has_doubts(now + DOUBT / 2) && !hellos.has_doubts(now + DOUBT));
        hellos.settle_doubts();
        assert!(!hellos.has_doubts(now));
    }

    #[test]
    fn a_hello_is_sent_again_until_a_welcome_makes_everything_good() {
        let (now, mut base) = (Instant::now(), base());
        let mut hellos = Hellos::new("n".into());
        hellos.set_lost_continuity(true);
        assert!(hellos.note_wait() && !hellos.note_wait(), "the game is told once");
        hellos.send(1, None, now, &mut base.lend());
        assert!(base.timers.get(Timer::Hello).is_some_and(|at| at >= now + base.config.timing.hello_interval));
        hellos.on_welcome(&mut base.timers);
        assert_eq!(base.timers.get(Timer::Hello), None);
        assert!(!hellos.may_have_missed_seats() && !hellos.is_waiting());
    }
}
