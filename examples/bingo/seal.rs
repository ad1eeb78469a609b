//! Seals: how a host that did not deal a strip knows it for the one that was dealt.
//!
//! A strip is known to its player and to the host that dealt it. When that host vanishes, the next one has only what
//! everyone shares, and that must not show anybody's strip. So what is shared is a *seal* of each strip: a hash of it with
//! a salt that travels with the strip. A player shows strip and salt to the host, which compares the seal: nobody can read
//! a strip off its seal, and nobody can show another strip than the one that was dealt.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use bevy::prelude::*;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{card::Strip, rules::PlayerId};

/// Bytes of a salt, and of a hash that is kept: guessing either is hopeless.
const BYTES: usize = 16;

/// A strip with the salt of its seal: what its player holds, and shows to the host alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The strip.
    pub strip: Strip,
    salt: [u8; BYTES],
}

impl Held {
    /// A strip with a salt of its own. The generator is one that nobody can guess.
    pub fn new(strip: Strip, random: &mut impl Rng) -> Self {
        let mut salt = [0; BYTES];
        random.fill_bytes(&mut salt);
        Self { strip, salt }
    }

    /// The seal, for this player and round.
    fn seal(&self, round: u32, player: &PlayerId) -> Seal {
        // Of fixed order and form, as everything that is hashed must be.
        let cells = self.strip.tickets().iter().flat_map(|ticket| ticket.rows()).flatten();
        let cells: Vec<u8> = cells.map(|cell| cell.map_or(0, |number| number.get())).collect();
        let hash = Sha256::new()
            .chain_update(self.salt)
            .chain_update(cells)
            .chain_update(round.to_be_bytes())
            .chain_update(player.0.as_bytes())
            .finalize();
        Seal(BASE64_STANDARD_NO_PAD.encode(&hash[..BYTES]))
    }
}

/// What everyone may know of a strip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Seal(String);

/// The seals of a round's strips. Everyone shares them, and the host that deals writes them.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seals {
    round: u32,
    seals: BTreeMap<String, Seal>,
}

impl Seals {
    /// Those of a round in which nobody was dealt a strip yet.
    pub fn of_round(round: u32) -> Self {
        Self { round, seals: BTreeMap::new() }
    }

    /// Seals what a player was dealt.
    pub fn add(&mut self, player: &PlayerId, held: &Held) {
        self.seals.insert(player.0.clone(), held.seal(self.round, player));
    }

    /// Whether this is what the player was dealt in this round.
    pub fn fits(&self, round: u32, player: &PlayerId, held: &Held) -> bool {
        round == self.round && self.seals.get(&player.0) == Some(&held.seal(round, player))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::card::deal;

    fn dealt() -> (PlayerId, Held, Held, Seals) {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut held = deal(2, &mut random).into_iter().map(|strip| Held::new(strip, &mut random)).collect::<Vec<_>>();
        let (other, own) = (held.pop().unwrap(), held.pop().unwrap());
        let ada = PlayerId::from("ada");
        let mut seals = Seals::of_round(3);
        seals.add(&ada, &own);
        seals.add(&PlayerId::from("ben"), &other);
        (ada, own, other, seals)
    }

    #[test]
    fn a_host_that_has_only_the_seals_knows_what_was_dealt() {
        let (ada, own, _, seals) = dealt();
        let shared: Seals = serde_json::from_value(serde_json::to_value(&seals).unwrap()).unwrap();
        let shown: Held = serde_json::from_value(serde_json::to_value(&own).unwrap()).unwrap();
        assert!(shared.fits(3, &ada, &shown));
    }

    #[test]
    fn nobody_can_show_what_was_not_dealt_to_them_in_this_round() {
        let (ada, own, other, seals) = dealt();
        assert!(!seals.fits(3, &ada, &other), "another player's");
        assert!(!seals.fits(2, &ada, &own), "another round");
        assert!(!seals.fits(3, &PlayerId::from("cy"), &own), "a spectator");
        let salted = Held { salt: [0; BYTES], ..own };
        assert!(!seals.fits(3, &ada, &salted), "a guess");
    }

    #[test]
    fn the_same_strip_has_another_seal_each_time() {
        let (ada, own, _, seals) = dealt();
        let mut again = Seals::of_round(3);
        again.add(&ada, &Held::new(own.strip, &mut ChaCha8Rng::seed_from_u64(6)));
        assert_ne!(seals.seals["ada"], again.seals["ada"], "else all strips could be tried");
    }
}
