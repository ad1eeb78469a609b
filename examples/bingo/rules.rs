//! The course of a round: what may happen when, and what everyone knows of it.
//!
//! [`Game`] is the state that all players share and only the host changes. Each change is a method that refuses what the
//! rules do not allow, and then changes nothing. Knows no clock and no network: the host says when a number is called,
//! and passes on what reaches it. Whether a shout wins something is decided in the module on claims.

mod claim;
mod marks;
mod millis;

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::card::{Number, NumberSet};

pub use claim::{Claim, ClaimError, SHOUT_INTERVAL, best_claim};
pub use marks::Marks;

/// Who a player is, in the words of the room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlayerId(pub String);

impl From<&str> for PlayerId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What can be won, each once per round, from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prize {
    /// All five numbers of a row.
    OneLine,
    /// Two rows of one ticket.
    TwoLines,
    /// All fifteen numbers of one ticket.
    FullHouse,
}

impl Prize {
    /// All prizes, from the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::OneLine, Self::TwoLines, Self::FullHouse];
}

impl fmt::Display for Prize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OneLine => "one line",
            Self::TwoLines => "two lines",
            Self::FullHouse => "full house",
        })
    }
}

/// Where the game is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// No round was played yet.
    #[default]
    NotStarted,
    /// Numbers are being called.
    Running,
    /// The round is over; another can start.
    Complete,
}

/// Why a round is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Somebody won the full house.
    FullHouse,
    /// All numbers were called, and nobody won the full house.
    AllCalled,
    /// The host ended the round early.
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FullHouse => "full house",
            Self::AllCalled => "all numbers were called",
            Self::Stopped => "the host ended the round",
        })
    }
}

/// Who won something. The name is kept for when the player has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Winner {
    /// The player.
    pub id: PlayerId,
    /// The name it had when it won.
    pub name: String,
}

/// What the host chooses before a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Time between calls. Travels in milliseconds. Defaults to 5 s.
    #[serde(rename = "interval_ms", with = "millis")]
    pub interval: Duration,
    /// Whether tickets may mark themselves. Defaults to no.
    pub automark: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), automark: false }
    }
}

/// The state that all players share: the current round, or the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    settings: Settings,
    status: Status,
    round: u32,
    players: Vec<PlayerId>,
    #[serde(deserialize_with = "without_repeats")]
    called: Vec<Number>,
    prizes: BTreeMap<Prize, Winner>,
    reason: Option<Reason>,
}

impl Game {
    /// What the host chose.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Where the game is.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The number of the round, 1 for the first; 0 before that.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Whether this player plays in this round. Everyone else is a spectator of it.
    pub fn plays(&self, player: &PlayerId) -> bool {
        self.players.contains(player)
    }

    /// The called numbers, in order.
    pub fn called(&self) -> &[Number] {
        &self.called
    }

    /// The called numbers, as a set.
    pub fn called_set(&self) -> NumberSet {
        self.called.iter().copied().collect()
    }

    /// The prizes that were won, and by whom.
    pub fn prizes(&self) -> &BTreeMap<Prize, Winner> {
        &self.prizes
    }

    /// The prizes that can still be won in this round, from the lowest to the highest.
    pub fn free_prizes(&self) -> impl DoubleEndedIterator<Item = Prize> {
        Prize::ALL.into_iter().filter(|prize| !self.prizes.contains_key(prize))
    }

    /// Who won the round, that is, the full house.
    pub fn winner(&self) -> Option<&Winner> {
        self.prizes.get(&Prize::FullHouse)
    }

    /// Why the round is over, if it is.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// Changes the settings for the rounds to come.
    ///
    /// # Errors
    ///
    /// [`MoveError::Running`] while a round runs.
    pub fn configure(&mut self, settings: Settings) -> Result<(), MoveError> {
        self.must_not_run()?;
        self.settings = settings;
        Ok(())
    }

    /// Starts a round with these players and clears the last one.
    ///
    /// # Errors
    ///
    /// While a round runs, without players, and with a player who is named twice.
    pub fn start(&mut self, players: impl IntoIterator<Item = PlayerId>) -> Result<(), MoveError> {
        self.must_not_run()?;
        let mut seated: Vec<PlayerId> = Vec::new();
        for player in players {
            if seated.contains(&player) {
                return Err(MoveError::PlayerTwice(player));
            }
            seated.push(player);
        }
        if seated.is_empty() {
            return Err(MoveError::NoPlayers);
        }
        *self = Self {
            settings: self.settings,
            status: Status::Running,
            round: self.round.saturating_add(1),
            players: seated,
            ..Self::default()
        };
        Ok(())
    }

    /// Calls a number.
    ///
    /// # Errors
    ///
    /// [`MoveError::NotRunning`], and [`MoveError::CalledTwice`] for a number that was called before.
    pub fn call(&mut self, number: Number) -> Result<(), MoveError> {
        self.must_run()?;
        if self.called.contains(&number) {
            return Err(MoveError::CalledTwice(number));
        }
        self.called.push(number);
        Ok(())
    }

    /// Gives a prize to its winner. A full house ends the round.
    ///
    /// # Errors
    ///
    /// [`MoveError::NotRunning`], [`MoveError::AwardedTwice`] for a prize that has a winner, and [`MoveError::Spectator`]
    /// for a winner who does not play.
    pub fn award(&mut self, prize: Prize, winner: Winner) -> Result<(), MoveError> {
        self.must_run()?;
        if self.prizes.contains_key(&prize) {
            return Err(MoveError::AwardedTwice(prize));
        }
        if !self.plays(&winner.id) {
            return Err(MoveError::Spectator(winner.id));
        }
        self.prizes.insert(prize, winner);
        if prize == Prize::FullHouse {
            self.end(Reason::FullHouse);
        }
        Ok(())
    }

    /// Ends the round without a full house; with one, [`award`](Self::award) ends it.
    ///
    /// # Errors
    ///
    /// [`MoveError::NotRunning`], and [`MoveError::NotSo`] for a reason that is not given: numbers are left to call, or
    /// nobody has the full house.
    pub fn complete(&mut self, reason: Reason) -> Result<(), MoveError> {
        self.must_run()?;
        let given = match reason {
            Reason::FullHouse => false,
            Reason::AllCalled => self.all_called(),
            Reason::Stopped => true,
        };
        if !given {
            return Err(MoveError::NotSo(reason));
        }
        self.end(reason);
        Ok(())
    }

    /// Whether no number is left to call.
    pub fn all_called(&self) -> bool {
        self.called.len() == Number::all().count()
    }

    fn end(&mut self, reason: Reason) {
        self.status = Status::Complete;
        self.reason = Some(reason);
    }

    fn must_run(&self) -> Result<(), MoveError> {
        if self.status == Status::Running { Ok(()) } else { Err(MoveError::NotRunning) }
    }

    fn must_not_run(&self) -> Result<(), MoveError> {
        if self.status == Status::Running { Err(MoveError::Running) } else { Ok(()) }
    }
}

/// Why the host cannot do something now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// Not while a round runs.
    #[error("a round is running; wait until it is over")]
    Running,
    /// Only while a round runs.
    #[error("no round is running; start one first")]
    NotRunning,
    /// A round needs somebody to play it.
    #[error("nobody is here to play; wait for a player")]
    NoPlayers,
    /// A player is in the list twice.
    #[error("player {0} is in the list twice; name each player once")]
    PlayerTwice(PlayerId),
    /// The number was called before.
    #[error("number {0} was called before; draw another")]
    CalledTwice(Number),
    /// The prize has a winner.
    #[error("{0} has a winner already; award another prize")]
    AwardedTwice(Prize),
    /// Only players of the round can win.
    #[error("player {0} does not play in this round; award a player who does")]
    Spectator(PlayerId),
    /// The round is not over for this reason.
    #[error("the round cannot end with \"{0}\": that is not so; go on calling")]
    NotSo(Reason),
}

fn without_repeats<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Number>, D::Error> {
    let numbers = Vec::<Number>::deserialize(source)?;
    let mut seen = NumberSet::default();
    match numbers.iter().find(|number| !seen.insert(**number)) {
        Some(number) => Err(D::Error::custom(MoveError::CalledTwice(*number))),
        None => Ok(numbers),
    }
}

#[cfg(test)]
mod tests;
