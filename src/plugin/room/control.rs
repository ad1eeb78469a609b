//! Room control for hosts: who may come in, who has to go, and what the game's own rules say.

use bevy::prelude::*;

use super::{list, newcomer::Newcomer};
use crate::{
    plugin::{
        engine::RoomsEngine,
        error::{RoomError, report},
        registry::Registry,
    },
    session::{Admission, Listing, Newcomers, PlayerId, Profile, Session, SessionError},
};

/// What a host asks of its room, on [`Commands`].
///
/// What is set here is part of the room: it shows in [`Room::rules`](crate::plugin::Room::rules) of every player, and stays when
/// another player takes the room over. Who is not the host, or asks for what cannot be, gets a
/// [`RoomError::NotControlled`].
pub trait RoomControlExt {
    /// Sets how many players there may be, spectators and those who are lost included: 1 to 1,000. Defaults to 200, as many
    /// as a server lets be present: more need a relay with higher
    /// [`members_per_channel`](../relay/struct.Limits.html), or such a plan of Ably's cloud.
    /// Whoever is in stays. One more is refused with [`Refusal::Full`](crate::session::Refusal::Full).
    fn set_capacity(&mut self, players: usize);

    /// Admits nobody new from now on: refused with [`Refusal::Locked`](crate::session::Refusal::Locked). Players who have
    /// a seat can come back.
    fn lock_room(&mut self);

    /// Admits players again.
    fn unlock_room(&mut self);

    /// Says what becomes of those who come from now on: they play, they watch, or they wait. Set it when a round begins,
    /// and back to [`Newcomers::Play`] when it is over; those who watched or waited are then players by themselves.
    fn set_newcomers(&mut self, newcomers: Newcomers);

    /// Takes a player's seat away. It hears
    /// [`CloseReason::Kicked`](crate::session::CloseReason::Kicked) with the reason, of which 200 characters are kept and
    /// which everyone in the room can read. It may enter again as anybody else; see [`lock_room`](Self::lock_room) and
    /// [`ban`](Self::ban).
    fn kick(&mut self, player: &PlayerId, reason: impl Into<String>);

    /// Kicks a player, in the room or not, and refuses it with [`Refusal::Banned`](crate::session::Refusal::Banned) when
    /// it comes back.
    ///
    /// A ban is for a player id, and **an id is not a person**: with a plain key anybody can make up a new one. Where that
    /// matters, hand out tokens that bind the id to an account.
    fn ban(&mut self, player: &PlayerId, reason: impl Into<String>);

    /// Lifts a ban.
    fn unban(&mut self, player: &PlayerId);

    /// Makes another player the host, once everything of this frame is published; [`HostChanged`](crate::plugin::HostChanged) tells
    /// when it leads, about a second later. It has to be there; where it does not take over, we go on. Not possible in a room
    /// that was founded with [`Migration::Never`](crate::session::Migration::Never).
    fn hand_over_to(&mut self, player: &PlayerId);

    /// Puts the room on the public list, or shows it otherwise there, with its title and data, its host, players and
    /// capacity; see [`watch_rooms`](crate::plugin::RoomsCommandsExt::watch_rooms). It stays on the list for as long as somebody
    /// hosts it. At most 1 KiB of JSON; changes are shown once a second.
    fn list_room(&mut self, listing: Listing);

    /// Takes the room off the public list.
    fn unlist_room(&mut self);
}

impl RoomControlExt for Commands<'_, '_> {
    fn set_capacity(&mut self, players: usize) {
        control(self, "set the capacity", move |session| session.set_capacity(players));
    }

    fn lock_room(&mut self) {
        control(self, "lock the room", |session| session.set_locked(true));
    }

    fn unlock_room(&mut self) {
        control(self, "unlock the room", |session| session.set_locked(false));
    }

    fn set_newcomers(&mut self, newcomers: Newcomers) {
        control(self, "say what becomes of newcomers", move |session| session.set_newcomers(newcomers));
    }

    fn kick(&mut self, player: &PlayerId, reason: impl Into<String>) {
        let (player, reason) = (player.clone(), reason.into());
        control(self, format!("kick {player}"), move |session| session.kick(&player, &reason));
    }

    fn ban(&mut self, player: &PlayerId, reason: impl Into<String>) {
        let (player, reason) = (player.clone(), reason.into());
        control(self, format!("ban {player}"), move |session| session.ban(&player, &reason));
    }

    fn unban(&mut self, player: &PlayerId) {
        let player = player.clone();
        control(self, format!("unban {player}"), move |session| session.unban(&player));
    }

    fn hand_over_to(&mut self, player: &PlayerId) {
        let player = player.clone();
        control(self, format!("hand over to {player}"), move |session| session.hand_over_to(&player));
    }

    fn list_room(&mut self, listing: Listing) {
        control(self, "list the room", move |session| session.set_listing(Some(listing)));
        self.queue(list::try_again);
    }

    fn unlist_room(&mut self) {
        control(self, "take the room off the list", |session| session.set_listing(None));
    }
}

/// Does something with the session, and tells the game why where that cannot be.
fn control(
    commands: &mut Commands,
    action: impl Into<String>,
    act: impl FnOnce(&mut Session) -> Result<(), SessionError> + Send + 'static,
) {
    let action = action.into();
    commands.queue(move |world: &mut World| {
        let mut engine = world.get_resource_mut::<RoomsEngine>();
        let session = engine.as_mut().and_then(|engine| engine.session.as_mut());
        if let Err(error) = session.map_or(Err(SessionError::NotJoined), act) {
            report(world, RoomError::NotControlled { action, error });
        }
    });
}

/// Asks the game's rules about a newcomer.
pub(super) fn judge(world: &mut World, player: PlayerId, profile: Profile) {
    let rules = world.resource::<Registry>().admission_rules.clone();
    let mut admission = Admission::Admit;
    for rule in rules {
        let newcomer = Newcomer { player: player.clone(), profile: profile.clone() };
        admission = world.run_system_with(rule, newcomer).unwrap_or_else(|error| {
            report(world, RoomError::RuleFailed { player: player.clone(), why: error.to_string() });
            Admission::Wait
        });
        if admission != Admission::Admit {
            break;
        }
    }
    if let Some(session) = &mut world.resource_mut::<RoomsEngine>().session {
        session.admit(&player, admission);
    }
}
