//! What every part of a session works with: who the player is, the connection, timers, random numbers, and the two queues.
//!
//! Owns no rule of the room. A part takes it beside its own state: it reads facts, sets timers, sends through
//! [`Outbound`], and tells the game through [`GameFeed`].

use rand_chacha::ChaCha8Rng;
use rooms_client::PresenceCommand;
use web_time::Instant;

use crate::{
    config::SessionConfig,
    connectivity::facts::{Connectivity, MemberData},
    feed::GameFeed,
    id::PlayerId,
    stats::SessionStats,
    timer::Timers,
    wire::outbound::Outbound,
};

/// What every part of a session works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub config: SessionConfig,
    pub connectivity: Connectivity,
    pub timers: Timers,
    /// Draws jitter. The order of the draws decides what a seed leads to.
    pub rng: ChaCha8Rng,
    pub outbound: Outbound,
    pub feed: GameFeed,
    pub stats: SessionStats,
    /// The time of the last step. Calls of the game between two steps count as made then.
    pub last_step: Instant,
}

impl Context {
    /// This player.
    pub(crate) fn player(&self) -> &PlayerId {
        &self.config.player
    }

    /// Counts a message that makes no sense.
    pub(crate) fn note_malformed(&mut self, what: &str) {
        self.stats.malformed += 1;
        log::warn!("room {}: dropped {what}", self.config.room);
    }

    /// Shows in presence which process this is, and whether it is in the room yet.
    pub(crate) fn show_presence(&mut self, action: PresenceCommand) {
        let data = MemberData { generation: Some(self.config.generation), arriving: !self.feed.is_joined() };
        self.outbound.send_presence(action, data);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rand::SeedableRng;
    use web_time::Instant;

    use super::*;
    use crate::{config::Wish, tests::bus::config};

    /// The context of the player `ada` in the room `den`, without a connection.
    pub(crate) fn context() -> Context {
        let config = config("ada", Wish::JoinOrHost);
        let (room, inbox) = (config.room.channel(), config.room.inbox(&config.player));
        Context {
            outbound: Outbound::new(config.room.clone(), config.generation, 0),
            config,
            connectivity: Connectivity::new(room, inbox),
            timers: Timers::default(),
            rng: ChaCha8Rng::seed_from_u64(1),
            feed: GameFeed::default(),
            stats: SessionStats::default(),
            last_step: Instant::now(),
        }
    }
}
