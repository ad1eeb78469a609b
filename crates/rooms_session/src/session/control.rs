//! Room control: what the host's game sets, whom it removes, and what it says about newcomers.

use super::{Role, Session};
use crate::{
    event::{Admission, SessionError},
    host::seats::Departure,
    id::PlayerId,
    state::{
        json::{MAX_DEPTH, is_shallow, json_fits, json_size},
        roster::MAX_PLAYERS,
        rules::{self, Listing, MAX_BANS, MAX_TITLE, Newcomers, Removal, RoomRules},
    },
};

/// Most bytes of JSON text in a listing. Everyone who watches the public list reads the listings of all rooms.
const MAX_LISTING: usize = 1024;

impl Session {
    /// Sets how many seats there may be, at least 1 and at most [`MAX_PLAYERS`]. Other values count as the nearest of
    /// these. A player that has a seat keeps it.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn set_capacity(&mut self, capacity: usize) -> Result<(), SessionError> {
        self.change_rules(|rules| rules.capacity = Some(capacity.clamp(1, MAX_PLAYERS)))
    }

    /// Locks the room, so that nobody new is admitted, or opens it. A player that has a seat can come back.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn set_locked(&mut self, locked: bool) -> Result<(), SessionError> {
        self.change_rules(|rules| rules.locked = locked)
    }

    /// Sets what becomes of players who come from now on. With [`Newcomers::Play`] all spectators become players.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn set_newcomers(&mut self, newcomers: Newcomers) -> Result<(), SessionError> {
        self.change_rules(|rules| rules.newcomers = newcomers)?;
        if newcomers == Newcomers::Play
            && let Role::Host(host) = &mut self.role
        {
            host.seat_spectators(&mut self.base.lend());
        }
        Ok(())
    }

    /// Puts the room on the public list, changes its entry there, or takes it off. A title of more than [`MAX_TITLE`]
    /// characters is cut.
    ///
    /// # Errors
    /// Only the host may, once it has joined. A listing has at most 1 KiB of JSON and 64 levels.
    pub fn set_listing(&mut self, mut listing: Option<Listing>) -> Result<(), SessionError> {
        if let Some(listing) = &mut listing {
            rules::cut(&mut listing.title, MAX_TITLE);
            if !is_shallow(&listing.data) {
                return Err(SessionError::TooDeep { kind: "listing".into(), max: MAX_DEPTH });
            }
            if !json_fits(listing, MAX_LISTING) {
                let size = json_size(listing);
                return Err(SessionError::TooLarge { kind: "listing".into(), size, max: MAX_LISTING });
            }
        }
        self.change_rules(|rules| rules.listing = listing)
    }

    /// Takes a player's seat away. That process of the player stays out. One that is started later, or that enters the
    /// room again, is a newcomer like any other.
    ///
    /// # Errors
    /// Only the host may, once it has joined, and not its own. The player has to be in the room.
    pub fn kick(&mut self, player: &PlayerId, reason: &str) -> Result<(), SessionError> {
        self.host_state()?;
        let seat = self.roster().get(player).ok_or_else(|| SessionError::UnknownPlayer(player.clone()))?;
        let removal = Removal { reason: reason.to_owned(), generation: Some(seat.generation) };
        self.remove(player, removal)
    }

    /// Takes a player's seat away, and does not let the player in again until [`unban`](Self::unban), whoever hosts. The
    /// player need not be in the room. A player is known by its id, and an id is not a person: somebody who makes up
    /// another id comes in again, unless tokens bind ids to accounts.
    ///
    /// # Errors
    /// Only the host may, once it has joined, and not itself. There may be [`MAX_BANS`].
    pub fn ban(&mut self, player: &PlayerId, reason: &str) -> Result<(), SessionError> {
        self.host_state()?;
        if self.rules().bans().filter(|banned| *banned != player).count() >= MAX_BANS {
            return Err(SessionError::TooManyBans { max: MAX_BANS });
        }
        self.remove(player, Removal { reason: reason.to_owned(), generation: None })
    }

    /// Lifts a ban, or forgets a kick.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn unban(&mut self, player: &PlayerId) -> Result<(), SessionError> {
        self.change_rules(|rules| drop(rules.removed.remove(player)))
    }

    /// Lets the game decide about newcomers that the room's rules would let in. Each is a
    /// [`SessionEvent::AdmissionAsked`](crate::SessionEvent::AdmissionAsked), and waits for [`admit`](Self::admit).
    /// Defaults to admitting them.
    pub fn ask_before_admitting(&mut self, asks: bool) {
        self.asks_game = asks;
    }

    /// The game's answer about a newcomer. Nothing happens if the newcomer no longer asks.
    pub fn admit(&mut self, player: &PlayerId, admission: Admission) {
        let Role::Host(host) = &mut self.role else { return };
        if let Some((from, hello)) = host.newcomers_mut().take(player) {
            host.admit(&from, hello, Some(admission), self.asks_game, self.base.last_step, &mut self.base.lend());
        }
    }

    /// Names the player that is to lead, once everything that this host did is published.
    ///
    /// # Errors
    /// Only the host may, once it has joined. The successor has to be present, and the room must allow it.
    pub fn hand_over_to(&mut self, player: &PlayerId) -> Result<(), SessionError> {
        let own = self.local().clone();
        self.confirmed_host()?.hand_over_to(player, &own)
    }

    fn change_rules(&mut self, change: impl FnOnce(&mut RoomRules)) -> Result<(), SessionError> {
        self.host_state()?;
        if let Role::Host(host) = &mut self.role {
            host.change_rules(&mut self.base.lend(), change);
        }
        Ok(())
    }

    fn remove(&mut self, player: &PlayerId, removal: Removal) -> Result<(), SessionError> {
        if player == self.local() {
            return Err(SessionError::OwnSeat);
        }
        self.change_rules(|rules| rules.remove(player, removal))?;
        if let Role::Host(host) = &mut self.role {
            host.vacate(player, Departure::MayReturn, &mut self.base.lend());
        }
        Ok(())
    }
}
