//! What a session is made with.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::{Generation, PlayerId, RoomName},
    state::json::{is_shallow, json_fits},
};

/// How a player shows itself to the others. More than 1 KiB of JSON is cut down to the name, because every newcomer reads
/// the profiles of all.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The name that others see. Any text. It need not be unique.
    pub name: String,
    /// Whatever else the game wants the others to know, such as a colour. Defaults to `null`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Profile {
    /// A profile with a name and nothing else.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), data: Value::Null }
    }

    /// The same with data of the game.
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }
}

/// Most bytes of JSON text in a profile. A newcomer reads the profiles of a full room at once.
pub(crate) const MAX_PROFILE_SIZE: usize = 1024;

/// Longest name that is kept of a profile over the limit, in characters.
const MAX_CUT_NAME: usize = 64;

impl Profile {
    /// A profile within the limit. One over the limit keeps only its name.
    pub(crate) fn fitting(self) -> Self {
        if json_fits(&self, MAX_PROFILE_SIZE) && is_shallow(&self.data) {
            return self;
        }
        log::warn!("a profile of more than {MAX_PROFILE_SIZE} bytes is cut down to its name");
        Self::named(self.name.chars().take(MAX_CUT_NAME).collect::<String>())
    }
}

/// What a player wants to be in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// A peer. If there is no host, the session closes and says so.
    Join,
    /// The host. If there is one already, the player is refused and told who it is.
    Host,
    /// A peer if there is a host, else the host.
    JoinOrHost,
}

/// What becomes of a room whose host is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Migration {
    /// Another player takes over with the state as it was. The default.
    #[default]
    Automatic,
    /// The room closes with [`CloseReason::HostLost`](crate::CloseReason::HostLost): at once if the host said goodbye,
    /// else after its lease and the grace period. For games whose host holds what nobody else may.
    Never,
}

impl Migration {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a session is made with.
///
/// Fill in what you need and end with `..SessionConfig::new(room, player)`: then a new field breaks nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionConfig {
    /// The room.
    pub room: RoomName,
    /// Who the player is.
    pub player: PlayerId,
    /// Which process of the player this is. A higher one takes the seat over.
    pub generation: Generation,
    /// How the player shows itself.
    pub profile: Profile,
    /// What it wants to be.
    pub wish: Wish,
    /// What becomes of the room without its host. It counts for the room that this player founds.
    pub migration: Migration,
    /// Stands for the game's message types and version. The host refuses players whose fingerprint differs from its own.
    pub fingerprint: String,
    /// How long things take.
    pub timing: SessionTiming,
    /// How much the server takes.
    pub pace: PaceConfig,
}

/// How long things take in a room.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTiming {
    /// How long a silent host stays host. Defaults to 5 s. A player that heard its host less regularly than that in the last
    /// minute waits longer: twice as long as its second longest silence, and a quarter longer than its longest.
    pub lease: Duration,
    /// The longest that a player waits for a silent host, however irregularly it was heard. Defaults to 15 s. Where it is not
    /// longer than [`lease`](Self::lease), the lease never changes.
    pub longest_lease: Duration,
    /// How often a host that has nothing else to send shows that it lives. Defaults to 1.5 s: three may be missed.
    pub lease_interval: Duration,
    /// How long a host goes on whose own messages do not come back. Defaults to 3.5 s: it stops before its lease ends.
    pub self_fence: Duration,
    /// How long a claimant waits for better claims. Defaults to 750 ms: over twice a slow round trip.
    pub gather: Duration,
    /// How much later than the one before it each player in the roster's order claims a vanished host's place. Defaults
    /// to 500 ms: the claim of the one before has arrived by then.
    pub stagger: Duration,
    /// How often a player says hello until it gets a welcome. Defaults to 2 s.
    pub hello_interval: Duration,
    /// How long a newcomer waits for a sign of life before it concludes that the room has no host. Defaults to 10 s.
    pub founding_wait: Duration,
    /// The same if presence shows nobody else. Defaults to 400 ms.
    pub founding_wait_alone: Duration,
    /// How long a player that went missing keeps its seat. Defaults to 30 s.
    pub grace: Duration,
    /// How often an unconfirmed request is sent again. Defaults to 3 s.
    pub request_retry: Duration,
    /// How long a confirmed request is kept, in case a new host does not know it. Defaults to 60 s.
    pub request_kept: Duration,
    /// Shortest time between two publishes on one channel. What is sent in between goes out together. Defaults to 0: what a
    /// frame brought goes out at its end. A server with limits makes it wait longer; see [`PaceConfig`].
    pub publish_interval: Duration,
    /// A pause between steps after which the page or process counts as having been frozen. Defaults to 1 s.
    pub stall: Duration,
}

impl SessionConfig {
    /// A player that joins a room, or hosts it if nobody else does. The generation is 0, the profile and the fingerprint
    /// are empty, and everything else has its default.
    pub fn new(room: RoomName, player: PlayerId) -> Self {
        Self {
            room,
            player,
            generation: Generation::default(),
            profile: Profile::default(),
            wish: Wish::JoinOrHost,
            migration: Migration::default(),
            fingerprint: String::new(),
            timing: SessionTiming::default(),
            pace: PaceConfig::default(),
        }
    }
}

/// How much the server takes in a second, as far as it does not say so itself.
///
/// A room on a server without limits sends everything in the frame in which the game said it. On a server with limits, the
/// players share what it takes, so that it refuses nothing: a message goes out at once while the room is quiet, and several
/// go out together as one in a busy room.
///
/// Fill in what you need and end with `..Default::default()`: then a new field breaks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceConfig {
    /// Messages a second that the server takes from one connection, and carries on one channel. A lower number that the server
    /// tells when it connects (`CD2e`) counts instead. Defaults to `None`: what the server tells, and no limit if it tells
    /// nothing. Ably's cloud takes 50.
    pub connection_rate: Option<u32>,
    /// Messages a second that all clients of the account send and receive together. It counts only where there is a limit for
    /// the connection too. Defaults to 500, which is what Ably's free plan has. A message of one player in a room of 20 counts
    /// 21 times, since each of them receives it: with 500, such a room carries 23 messages a second.
    pub account_rate: u32,
}

impl Default for PaceConfig {
    fn default() -> Self {
        Self { connection_rate: None, account_rate: 500 }
    }
}

/// Longest time that any of the timings may be. Beyond it, adding to a point in time could fail.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl SessionTiming {
    /// The same with nothing longer than a year.
    pub(crate) fn bounded(self) -> Self {
        Self {
            lease: self.lease.min(LONGEST),
            longest_lease: self.longest_lease.min(LONGEST),
            lease_interval: self.lease_interval.min(LONGEST),
            self_fence: self.self_fence.min(LONGEST),
            gather: self.gather.min(LONGEST),
            stagger: self.stagger.min(LONGEST / 2048),
            hello_interval: self.hello_interval.min(LONGEST),
            founding_wait: self.founding_wait.min(LONGEST),
            founding_wait_alone: self.founding_wait_alone.min(LONGEST),
            grace: self.grace.min(LONGEST),
            request_retry: self.request_retry.min(LONGEST),
            request_kept: self.request_kept.min(LONGEST),
            publish_interval: self.publish_interval.min(LONGEST),
            stall: self.stall.min(LONGEST),
        }
    }
}

impl Default for SessionTiming {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(5),
            longest_lease: Duration::from_secs(15),
            lease_interval: Duration::from_millis(1500),
            self_fence: Duration::from_millis(3500),
            gather: Duration::from_millis(750),
            stagger: Duration::from_millis(500),
            hello_interval: Duration::from_secs(2),
            founding_wait: Duration::from_secs(10),
            founding_wait_alone: Duration::from_millis(400),
            grace: Duration::from_secs(30),
            request_retry: Duration::from_secs(3),
            request_kept: Duration::from_secs(60),
            publish_interval: Duration::ZERO,
            stall: Duration::from_secs(1),
        }
    }
}
