//! What the games of a room's players must have in common, and how two games differ.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

/// The messages and shared resources that a game knows. Players of one room must have the same.
///
/// On the wire it is its JSON text, so that a refusal can say what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The version that the game gives its messages.
    #[serde(default)]
    pub version: String,
    /// The names of all message types.
    #[serde(default)]
    pub messages: BTreeSet<String>,
    /// The keys of all shared resources.
    #[serde(default)]
    pub shared: BTreeSet<String>,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// How two fingerprints differ, in words. A fingerprint of another form is shown as it is.
pub(crate) fn difference(own: &str, theirs: &str) -> String {
    let read = |text| serde_json::from_str::<Fingerprint>(text);
    let (Ok(game), Ok(host)) = (read(own), read(theirs)) else { return format!("it has {own}, the host has {theirs}") };
    let mut found = Vec::new();
    if game.version != host.version {
        found.push(format!("its version is {:?}, the host's is {:?}", game.version, host.version));
    }
    for (what, game, host) in
        [("message", &game.messages, &host.messages), ("shared resource", &game.shared, &host.shared)]
    {
        for (who, names) in [("only this game", game - host), ("only the host", host - game)] {
            let plural = if names.len() == 1 { "" } else { "s" };
            if !names.is_empty() {
                let names: Vec<String> = names.into_iter().collect();
                found.push(format!("{who} has the {what}{plural} {}", names.join(", ")));
            }
        }
    }
    found.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(version: &str, messages: &[&str], shared: &[&str]) -> String {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Fingerprint { version: version.into(), messages: set(messages), shared: set(shared) }.to_string()
    }

    #[test]
    fn what_only_one_side_has_is_named_and_what_both_have_is_not() {
        let own = fingerprint("1", &["Wave", "Shout"], &["Score"]);
        let theirs = fingerprint("2", &["Wave", "Deal", "Mark"], &["Score"]);
        let expected = "its version is \"1\", the host's is \"2\"; only this game has the message Shout; \
                        only the host has the messages Deal, Mark";
        assert_eq!(difference(&own, &theirs), expected);
        let more = fingerprint("1", &["Wave", "Shout"], &["Score", "Clock"]);
        assert_eq!(difference(&more, &own), "only this game has the shared resource Clock");
    }

    #[test]
    fn a_fingerprint_of_another_kind_is_shown_as_it_is() {
        assert_eq!(difference("v1", "v2"), "it has v1, the host has v2");
    }
}
