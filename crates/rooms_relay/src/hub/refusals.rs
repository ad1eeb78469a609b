//! What the hub refuses, for operators: counted by its code, and told in the log, a few times a second for each code.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use smol_str::SmolStr;
use web_time::Instant;

use crate::{Principal, counters::Counters};
use rooms_protocol::{ClientId, ErrorCode, ErrorInfo};

/// Lines a second for each kind. Whoever attacks the relay does not fill a disk with its log.
const LINES: u32 = 5;

/// Longest client id or key name in a line, in characters. Whoever is refused chose it.
const LONGEST_NAME: usize = 256;

/// Who was refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Party {
    client_id: Option<ClientId>,
    /// The name of the key, or of the one that signed the token.
    key: Option<SmolStr>,
    address: Option<IpAddr>,
}

impl Party {
    /// Somebody who was let in, at this address.
    pub(crate) fn of(principal: &Principal, address: Option<IpAddr>) -> Self {
        Self { client_id: principal.identity.client_id(), key: Some(principal.key.clone()), address }
    }

    /// The holder of the key with this name.
    pub(crate) fn key(name: &SmolStr) -> Self {
        Self { key: Some(name.clone()), ..Self::default() }
    }

    /// Somebody who says who it is, and nobody knows whether that is right.
    pub(crate) fn stranger(client_id: Option<&ClientId>, key: Option<&str>, address: Option<IpAddr>) -> Self {
        let short = |text: &str| text.chars().take(LONGEST_NAME).collect::<SmolStr>();
        // What comes before the colon is no secret.
        let name = key.and_then(|key| key.split_once(':')).map(|(name, _)| short(name));
        Self { client_id: client_id.map(|id| ClientId::new(short(id.as_str()))), key: name, address }
    }
}

/// What the lines of a log are about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Refusal(ErrorCode),
    CutOff,
}

/// The lines of one kind in one second.
struct Second {
    start: Instant,
    lines: u32,
    /// Lines that were left out since the last one.
    left_out: u64,
}

/// Counts and tells refusals.
#[derive(Default)]
pub(crate) struct Refusals {
    counters: Arc<Counters>,
    seconds: BTreeMap<Kind, Second>,
}

impl Refusals {
    /// What is counted.
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Notes that `what` was refused.
    pub(crate) fn refuse(&mut self, what: &str, error: &ErrorInfo, party: &Party, now: Instant) {
        self.counters.refuse(error.code);
        let Some(left_out) = self.line(Kind::Refusal(error.code), now) else { return };
        let Names { client_id, key, address } = Names::of(party);
        let (code, message) = (error.code.0, &error.message);
        log::info!(code, client_id, key, address:%, left_out; "refused {what}: {message}");
    }

    /// Notes that a client was cut off.
    pub(crate) fn cut_off(&mut self, party: &Party, now: Instant) {
        self.counters.cut_offs.add(1);
        let Some(left_out) = self.line(Kind::CutOff, now) else { return };
        let Names { client_id, key, address } = Names::of(party);
        log::warn!(client_id, key, address:%, left_out; "cut off a client that reads slower than the relay sends");
    }

    /// How many lines of this kind were left out since the last one; `None` where this one is left out too.
    fn line(&mut self, kind: Kind, now: Instant) -> Option<u64> {
        let second = self.seconds.entry(kind).or_insert(Second { start: now, lines: 0, left_out: 0 });
        if now.saturating_duration_since(second.start) >= Duration::from_secs(1) {
            second.start = now;
            second.lines = 0;
        }
        if second.lines >= LINES {
            second.left_out += 1;
            return None;
        }
        second.lines += 1;
        Some(std::mem::take(&mut second.left_out))
    }
}

/// A party as the log has it.
struct Names<'a> {
    client_id: &'a str,
    key: &'a str,
    address: String,
}

impl<'a> Names<'a> {
    /// With `-` for what is not known.
    fn of(party: &'a Party) -> Self {
        Self {
            client_id: party.client_id.as_ref().map_or("-", ClientId::as_str),
            key: party.key.as_deref().unwrap_or("-"),
            address: party.address.map_or_else(|| "-".to_owned(), |address| address.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_few_lines_a_second_and_then_tells_how_many_were_left_out() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        let kind = Kind::Refusal(ErrorCode::RATE_EXCEEDED);
        let lines: Vec<_> = (0..20).map(|_| refusals.line(kind, now)).collect();
        assert_eq!(lines.iter().flatten().count(), LINES as usize);
        assert_eq!(refusals.line(Kind::CutOff, now), Some(0), "another kind has lines of its own");
        let later = now + Duration::from_secs(1);
        assert_eq!([(); 2].map(|()| refusals.line(kind, later)), [Some(20 - u64::from(LINES)), Some(0)]);
    }

    #[test]
    fn every_refusal_is_counted_whether_it_is_told_or_not() {
        let mut refusals = Refusals::default();
        let error = ErrorInfo::new(ErrorCode::RATE_EXCEEDED, 429, "too much");
        for _ in 0..20 {
            refusals.refuse("a publish", &error, &Party::default(), Instant::now());
        }
        assert_eq!(refusals.counters().refusals(), BTreeMap::from([(ErrorCode::RATE_EXCEEDED, 20)]));
    }

    #[test]
    fn a_stranger_shows_no_secret_and_no_long_name() {
        let party = Party::stranger(Some(&"x".repeat(1_000).into()), Some("app.id:s3cret"), None);
        let names = Names::of(&party);
        assert_eq!((names.client_id.len(), names.key, names.address.as_str()), (LONGEST_NAME, "app.id", "-"));
        assert_eq!(
            Names::of(&Party::stranger(None, Some("s3cret"), None)).key,
            "-",
            "a text without a name is all secret"
        );
    }
}
