//! What every part works with: the options, random numbers, timers, and the queues to the driver and to the game.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use web_time::Instant;

use crate::{
    connection::target::Target,
    effects::Effects,
    options::ClientOptions,
    timer::{Timer, Timers},
};
use rooms_protocol::ErrorInfo;

/// What every part works with. The client owns it, and lends it as a [`Context`].
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) options: ClientOptions,
    /// Where to connect, or what is wrong with the options.
    pub(crate) target: Result<Target, ErrorInfo>,
    rng: ChaCha8Rng,
    pub(crate) timers: Timers,
    pub(crate) effects: Effects,
}

impl Base {
    pub(crate) fn new(options: ClientOptions, seed: u64) -> Self {
        Self {
            target: Target::new(&options),
            rng: ChaCha8Rng::seed_from_u64(seed),
            timers: Timers::default(),
            effects: Effects::default(),
            options,
        }
    }

    /// All of it, at this time.
    pub(crate) fn at(&mut self, now: Instant) -> Context<'_> {
        let Self { options, target, rng, timers, effects } = self;
        Context { now, options, target, rng, timers, effects }
    }
}

/// What a part is given to do its work with: the time, the options, random numbers, timers, and the queues to the driver and to
/// the game. It holds the state of no other part.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) options: &'a ClientOptions,
    /// Where to connect, or what is wrong with the options.
    pub(crate) target: &'a Result<Target, ErrorInfo>,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) timers: &'a mut Timers,
    pub(crate) effects: &'a mut Effects,
}

impl Context<'_> {
    /// Starts `timer`, or starts it again.
    pub(crate) fn start(&mut self, timer: Timer, after: Duration) {
        self.timers.start(timer, self.now, after);
    }

    /// Starts to wait for the server to say anything, because an answer about a channel is due.
    pub(crate) fn start_doubt(&mut self) {
        if let Some(doubt) = self.options.timing.doubt {
            self.start(Timer::Doubt, doubt);
        }
    }

    /// Starts `timer` with the longest wait for an answer of the server.
    pub(crate) fn start_request_timeout(&mut self, timer: Timer) {
        self.start(timer, self.options.timing.request_timeout);
    }
}

#[cfg(test)]
impl Base {
    /// Options of a server on this machine with two fallback hosts, for the tests of the parts.
    pub(crate) fn for_test(change: impl FnOnce(&mut ClientOptions)) -> Self {
        let endpoint = crate::options::Endpoint::Url("ws://127.0.0.1:8787".to_owned());
        let credentials = crate::options::Credentials::Key("rooms.dev:secret".to_owned());
        let mut options = ClientOptions::new(endpoint, credentials);
        options.fallback_hosts = Some(vec!["b.example".to_owned(), "c.example".to_owned()]);
        change(&mut options);
        Self::new(options, 7)
    }
}
