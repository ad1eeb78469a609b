//! The newcomers about whom the game was asked.

use std::{collections::BTreeMap, time::Duration};

use web_time::Instant;

use crate::{
    id::PlayerId,
    wire::message::{Hello, Origin},
};

/// Most newcomers about whom the game is asked at a time. Others say hello again.
const MAX_ASKED: usize = 64;

/// How long the game has for its answer before it is asked again.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// The newcomers about whom the game was asked, each with its hello.
#[derive(Debug, Default)]
pub(crate) struct UndecidedNewcomers(BTreeMap<PlayerId, (Origin, Hello, Instant)>);

impl UndecidedNewcomers {
    /// Keeps a hello until the game has answered. Returns whether to ask the game.
    pub(super) fn keep(&mut self, from: &Origin, hello: Hello, now: Instant) -> bool {
        let is_fresh = |at: Instant| now.duration_since(at) < ANSWER_WAIT;
        let known = self.0.get(&from.player).map(|(_, old, at)| (old.nonce == hello.nonce, *at));
        if known.is_none() && self.0.len() >= MAX_ASKED {
            self.0.retain(|_, (.., at)| is_fresh(*at));
            if self.0.len() >= MAX_ASKED {
                return false;
            }
        }
        let waits_since = known.filter(|(same, at)| *same && is_fresh(*at)).map(|(_, at)| at);
        let at = waits_since.unwrap_or(now);
        self.0.insert(from.player.clone(), (from.clone(), hello, at));
        waits_since.is_none()
    }

    /// Takes the hello about which the game was asked.
    pub(crate) fn take(&mut self, player: &PlayerId) -> Option<(Origin, Hello)> {
        self.0.remove(player).map(|(from, hello, _)| (from, hello))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generation, Profile, Wish};

    fn from(player: &str) -> Origin {
        Origin { player: PlayerId::new(player).unwrap(), connection: "c".into(), serial: None, own: false }
    }

    fn hello(nonce: &str) -> Hello {
        Hello {
            generation: Generation(1),
            nonce: nonce.into(),
            profile: Profile::default(),
            fingerprint: String::new(),
            wish: Wish::Join,
            first_request: 1,
            best: None,
        }
    }

    #[test]
    fn the_game_is_asked_once_about_a_process_until_its_time_for_an_answer_is_over() {
        let (now, mut newcomers) = (Instant::now(), UndecidedNewcomers::default());
        assert!(newcomers.keep(&from("ada"), hello("a"), now));
        assert!(!newcomers.keep(&from("ada"), hello("a"), now + ANSWER_WAIT / 2));
        assert!(newcomers.keep(&from("ada"), hello("b"), now + ANSWER_WAIT / 2), "another process asks");
        assert!(newcomers.keep(&from("ada"), hello("b"), now + 2 * ANSWER_WAIT));
        assert_eq!(newcomers.take(&from("ada").player).map(|(_, hello)| hello.nonce), Some("b".into()));
        assert!(newcomers.take(&from("ada").player).is_none());
    }

    #[test]
    fn a_flood_of_newcomers_is_bounded_and_old_ones_make_way() {
        let (now, mut newcomers) = (Instant::now(), UndecidedNewcomers::default());
        let kept = |newcomers: &mut UndecidedNewcomers, at| {
            (0..2 * MAX_ASKED).filter(|number| newcomers.keep(&from(&format!("p{number}")), hello("n"), at)).count()
        };
        assert_eq!(kept(&mut newcomers, now), MAX_ASKED);
        assert_eq!(newcomers.0.len(), MAX_ASKED);
        assert!(newcomers.keep(&from("zoe"), hello("n"), now + ANSWER_WAIT));
    }
}
