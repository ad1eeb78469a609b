//! Randomness and the date, from the machine: ids, seeds and the milliseconds since 1970.

use crate::session::PlayerId;

/// A new player id: 20 random letters and digits.
pub(super) fn random_player() -> PlayerId {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 20];
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..8].copy_from_slice(&unix_millis().to_le_bytes());
    }
    let text: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    #[expect(clippy::expect_used, reason = "20 letters and digits are a valid id")]
    PlayerId::new(text).expect("20 letters and digits are a valid id")
}

/// A seed that nobody can guess. If the machine gives no randomness, it is the time: random delays need no secrecy.
pub(super) fn random_seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| unix_millis())
}

/// Milliseconds since 1970, by the machine's clock.
pub(super) fn unix_millis() -> u64 {
    let since = web_time::SystemTime::now().duration_since(web_time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
