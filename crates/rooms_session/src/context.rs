//! What every part of a session works with: who the player is, the connection, timers, random numbers, and the two queues.
//!
//! Owns no rule of the room. A part takes it beside its own state: it reads facts, sets timers, sends through
//! [`Outbound`], and tells the game through [`GameFeed`].

use rand_chacha::ChaCha8Rng;
use rooms_client::PresenceCommand;
use web_time::Instant;

use crate::{
    config::SessionConfig,
    connectivity::facts::{ConnectionFacts, MemberData},
    feed::GameFeed,
    id::PlayerId,
    stats::SessionStats,
    timer::Timers,
    wire::outbound::Outbound,
};

/// What every part of a session works with. The session owns it, and lends it as a [`Context`].
#[derive(Debug)]
pub(crate) struct Base {
    pub config: SessionConfig,
    pub facts: ConnectionFacts,
    pub timers: Timers,
    rng: ChaCha8Rng,
    pub outbound: Outbound,
    pub feed: GameFeed,
    pub stats: SessionStats,
    /// The time of the last step. Calls of the game between two steps count as made then.
    pub last_step: Instant,
}

impl Base {
    /// Nothing is known, and nothing waits. `number` is random: the operations are numbered from it on.
    pub(crate) fn new(config: SessionConfig, rng: ChaCha8Rng, number: u64, now: Instant) -> Self {
        let (room, inbox) = (config.room.channel(), config.room.inbox(&config.player));
        Self {
            facts: ConnectionFacts::new(room, inbox),
            timers: Timers::default(),
            rng,
            outbound: Outbound::new(&config, number),
            feed: GameFeed::default(),
            stats: SessionStats::default(),
            last_step: now,
            config,
        }
    }

    /// All of it, for a part.
    pub(crate) fn lend(&mut self) -> Context<'_> {
        let Self { config, facts, timers, rng, outbound, feed, stats, last_step } = self;
        Context { config, facts, timers, rng, outbound, feed, stats, last_step: *last_step }
    }

    /// This player.
    pub(crate) fn player(&self) -> &PlayerId {
        &self.config.player
    }

    /// Shows in presence which process this is, and whether it is in the room yet.
    pub(crate) fn show_presence(&mut self, action: PresenceCommand) {
        let data = MemberData { generation: Some(self.config.generation), arriving: !self.feed.is_joined() };
        self.outbound.send_presence(action, data);
    }
}

/// What a part is given to do its work with. It holds the state of no other part, and what only the session changes can
/// only be read.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub config: &'a SessionConfig,
    pub facts: &'a ConnectionFacts,
    pub timers: &'a mut Timers,
    /// Draws jitter. The order of the draws decides what a seed leads to.
    pub rng: &'a mut ChaCha8Rng,
    pub outbound: &'a mut Outbound,
    pub feed: &'a mut GameFeed,
    pub stats: &'a mut SessionStats,
    /// The time of the last step. Calls of the game between two steps count as made then.
    pub last_step: Instant,
}

impl<'a> Context<'a> {
    /// This player.
    pub(crate) fn player(&self) -> &'a PlayerId {
        &self.config.player
    }

    /// Counts a message that makes no sense.
    pub(crate) fn note_malformed(&mut self, what: &str) {
        self.stats.malformed += 1;
        log::warn!("room {}: dropped {what}", self.config.room);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::SeedableRng;
    use web_time::Instant;

    use super::*;
    use crate::{config::Wish, tests::bus::config};

    /// What the player `ada` in the room `den` has, without a connection.
    pub(crate) fn base() -> Base {
        Base::new(config("ada", Wish::JoinOrHost), ChaCha8Rng::seed_from_u64(1), 0, Instant::now())
    }
}
