//! Random text for ids, names and secrets.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;

/// `N` random bytes as letters, digits, `-` and `_`.
pub(crate) fn random_text<const N: usize>(random: &mut impl Rng) -> String {
    let mut bytes = [0; N];
    random.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
