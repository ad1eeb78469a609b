//! Room control for hosts: who may come in, who must go, and the game's own admission rules.

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

/// The commands of a room's host, on [`Commands`].
///
/// The settings are part of the room: [`Room::rules`](crate::plugin::Room::rules) shows them to every player, and they
/// stay when another player becomes the host. A player that is not the host, or asks for something impossible, gets a
/// [`RoomError::NotControlled`].
pub trait RoomControlExt {
    /// Sets the most players of the room, with spectators and lost players: 1 to 1,000. Defaults to 200, the most
    /// that a server lets be present. More need a relay with higher
    /// `relay::Limits::members_per_channel`, or such a plan of Ably's cloud.
    /// Players in the room stay. One more is refused with [`Refusal::Full`](crate::session::Refusal::Full).
    fn set_capacity(&mut self, players: usize);

    /// Admits no newcomers from now on: they are refused with [`Refusal::Locked`](crate::session::Refusal::Locked).
    /// Players with a seat can come back.
    fn lock_room(&mut self);

    /// Admits newcomers again.
    fn unlock_room(&mut self);

    /// Sets what newcomers do from now on: they play, watch or wait. Set it when a round begins, and set it back to
    /// [`Newcomers::Play`] when the round is over. Those who watched or waited become players then.
    fn set_newcomers(&mut self, newcomers: Newcomers);

    /// Removes a player from the room. The player gets [`CloseReason::Kicked`](crate::session::CloseReason::Kicked)
    /// with the first 200 characters of the reason. Everyone in the room can read the reason. The player may enter
    /// again like anybody else; see [`lock_room`](Self::lock_room) and [`ban`](Self::ban).
    fn kick(&mut self, player: &PlayerId, reason: impl Into<String>);

    /// Kicks a player if it is in the room, and refuses it with [`Refusal::Banned`](crate::session::Refusal::Banned)
    /// when it comes back.
    ///
    /// A ban is for a player id, and **an id is not a person**: with a plain key anybody can choose a new one. If that
    /// matters, give players tokens that bind the id to an account.
    fn ban(&mut self, player: &PlayerId, reason: impl Into<String>);

    /// Lifts a ban.
    fn unban(&mut self, player: &PlayerId);

    /// Makes another player the host, after everything of this frame is published.
    /// [`HostChanged`](crate::plugin::HostChanged) says when that player is the host, about a second later. The player
    /// must be present. If it does not take over, we stay the host. Not possible in a room that was founded with
    /// [`Migration::Never`](crate::session::Migration::Never).
    fn hand_over_to(&mut self, player: &PlayerId);

    /// Puts the room on the public list, or changes its entry there: title and data, host, players and capacity. See
    /// [`watch_rooms`](crate::plugin::RoomsCommandsExt::watch_rooms). The room stays on the list while somebody hosts
    /// it. An entry has at most 1 KiB of JSON. Changes are published once a second.
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
        control(self, "set what newcomers do", move |session| session.set_newcomers(newcomers));
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

/// Acts on the session, and reports to the game why that is not possible.
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

/// Runs the game's rules for a newcomer.
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
