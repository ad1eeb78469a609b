//! Who is in the room, in the order in which the host admitted them.
//!
//! Owns the seats, and finds one by its player. The host decides who gets one.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    config::Profile,
    id::{Generation, PlayerId},
};
use rooms_protocol::ConnectionId;

/// Most players in a room. The state names every seat, and a newcomer must read them all at once.
///
/// A server may allow fewer, since each player is a member of the room's channel: a relay lets 200 be present by default
/// (`--limit members_per_channel=N`), and so does Ably's cloud, which raises that for an account on request. A large room also
/// needs a server that carries its messages, since all receive each of them: the free plan of the cloud counts 500 messages a
/// second in and out, so that a room of 200 carries 2 a second.
pub const MAX_PLAYERS: usize = 1000;

/// Whether a seat's player is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeatStatus {
    /// Connected, as far as the host can see.
    #[default]
    Present,
    /// Its connection is gone. The seat is kept for 30 s, or what [`SessionTiming::grace`](crate::SessionTiming::grace) says.
    Lost,
}

/// One player's place in the room.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    /// Who has it.
    pub player: PlayerId,
    /// Which process of the player has it.
    pub generation: Generation,
    /// The connection that the player was last seen on.
    pub connection: ConnectionId,
    /// How the player shows itself.
    pub profile: Profile,
    /// Whether the player is there.
    pub status: SeatStatus,
    /// Whether the player only watches the running round, because it came while that ran.
    pub spectator: bool,
    /// Grows with every admission.
    pub(crate) order: u64,
}

/// A seat as it is written in the shared document, under its player's id.
#[derive(Serialize, Deserialize)]
pub(crate) struct SeatRecord {
    order: u64,
    generation: Generation,
    connection: ConnectionId,
    profile: Profile,
    #[serde(default)]
    status: SeatStatus,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    spectator: bool,
}

impl SeatRecord {
    pub(crate) fn with_player(self, player: PlayerId) -> Seat {
        let Self { order, generation, connection, profile, status, spectator } = self;
        Seat { player, generation, connection, profile, status, spectator, order }
    }
}

impl From<&Seat> for SeatRecord {
    fn from(seat: &Seat) -> Self {
        let Seat { generation, connection, profile, status, spectator, order, .. } = seat.clone();
        Self { order, generation, connection, profile, status, spectator }
    }
}

/// The players of a room, in the order in which they were admitted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    seats: Vec<Seat>,
    places: HashMap<PlayerId, usize>,
}

impl Roster {
    /// The seat of a player.
    pub fn get(&self, player: &PlayerId) -> Option<&Seat> {
        self.places.get(player).and_then(|place| self.seats.get(*place))
    }

    /// Whether a player has a seat.
    pub fn contains(&self, player: &PlayerId) -> bool {
        self.places.contains_key(player)
    }

    /// The seats, in order of admission.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Seat> + DoubleEndedIterator {
        self.seats.iter()
    }

    /// How many have a seat, present or lost.
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether nobody has a seat.
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// The order that comes after everyone's.
    pub(crate) fn next_order(&self) -> u64 {
        self.seats.last().map_or(0, |seat| seat.order.saturating_add(1))
    }

    /// Gives a player's seat, or takes it away. Returns what was there.
    pub(crate) fn set(&mut self, player: &PlayerId, seat: Option<Seat>) -> Option<Seat> {
        let place = self.places.get(player).copied();
        match (place.and_then(|place| self.seats.get_mut(place)), seat) {
            (Some(old), Some(new)) if old.order == new.order => Some(std::mem::replace(old, new)),
            (_, seat) => {
                let old = place.map(|place| self.seats.remove(place));
                if let Some(new) = seat {
                    let key = |seat: &Seat| (seat.order, seat.player.clone());
                    let place = self.seats.partition_point(|other| key(other) < key(&new));
                    self.seats.insert(place, new);
                }
                self.places = self.seats.iter().enumerate().map(|(i, seat)| (seat.player.clone(), i)).collect();
                old
            }
        }
    }
}

impl<'a> IntoIterator for &'a Roster {
    type Item = &'a Seat;
    type IntoIter = std::slice::Iter<'a, Seat>;

    fn into_iter(self) -> Self::IntoIter {
        self.seats.iter()
    }
}

impl Serialize for Roster {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.seats.iter().map(|seat| (&seat.player, SeatRecord::from(seat))))
    }
}

impl<'de> Deserialize<'de> for Roster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let records = BTreeMap::<PlayerId, SeatRecord>::deserialize(deserializer)?;
        if records.len() > MAX_PLAYERS {
            return Err(D::Error::custom(format!("{} seats are more than {MAX_PLAYERS}", records.len())));
        }
        let mut seats: Vec<_> = records.into_iter().map(|(player, record)| record.with_player(player)).collect();
        // Stable: of one order, which only a broken host gives twice, the smaller id comes first everywhere.
        seats.sort_by_key(|seat| seat.order);
        let places = seats.iter().enumerate().map(|(place, seat)| (seat.player.clone(), place)).collect();
        Ok(Self { seats, places })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn seat(player: &str, order: u64) -> Seat {
        Seat {
            player: PlayerId::new(player).unwrap(),
            generation: Generation(1),
            connection: ConnectionId::new(format!("c-{player}")),
            profile: Profile::named(player),
            status: SeatStatus::Present,
            spectator: false,
            order,
        }
    }

    fn names(roster: &Roster) -> Vec<&str> {
        roster.iter().map(|seat| seat.player.as_str()).collect()
    }

    #[test]
    fn seats_keep_the_order_of_admission_through_changes() {
        let mut roster = Roster::default();
        for (order, player) in ["zoe", "ada", "bob"].into_iter().enumerate() {
            let seat = seat(player, order as u64);
            roster.set(&seat.player.clone(), Some(seat));
        }
        let ada = PlayerId::new("ada").unwrap();
        let lost = Seat { status: SeatStatus::Lost, ..roster.get(&ada).unwrap().clone() };
        roster.set(&ada, Some(lost));
        assert_eq!(names(&roster), ["zoe", "ada", "bob"]);
        assert_eq!(roster.get(&ada).unwrap().status, SeatStatus::Lost);
        roster.set(&ada, None);
        assert_eq!(names(&roster), ["zoe", "bob"]);
        assert_eq!(roster.get(&PlayerId::new("bob").unwrap()).unwrap().order, 2);
        let read: Roster = serde_json::from_value(serde_json::to_value(&roster).unwrap()).unwrap();
        assert_eq!(read, roster);
    }

    #[test]
    fn a_roster_larger_than_the_limit_is_not_read() {
        let text = serde_json::to_value(SeatRecord::from(&seat("ada", 1))).unwrap();
        let many: serde_json::Map<_, _> = (0..=MAX_PLAYERS).map(|i| (format!("p{i}"), text.clone())).collect();
        assert!(serde_json::from_value::<Roster>(many.into()).is_err());
    }
}
