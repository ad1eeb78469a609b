//! Room control: what the host sets, whom it removes, and what its game says about newcomers.
//!
//! Owns the calls that change the room's [rules](RoomRules), what they make of somebody new, and what a player hears of
//! them. Hellos of those who have a seat are judged elsewhere.

use std::{collections::BTreeMap, time::Duration};

use web_time::Instant;

use crate::{
    Admission, LeaveReason, Listing, MAX_BANS, MAX_DEPTH, MAX_PLAYERS, MAX_REASON, MAX_TITLE, Newcomers, PlayerId,
    Refusal, Removal, Role, RoomRules, Seat, Session, SessionError, SessionEvent,
    host::seats::Judgement,
    host::state::HostState,
    state::document::{is_shallow, json_fits, json_size},
    state::rules,
    wire::inbound::Origin,
    wire::message::{Hello, Wait},
    wire::outbound::{Content, Lane},
};

/// Most newcomers about whom the game is asked at a time; others say hello again.
const MAX_ASKED: usize = 64;

/// How long the game has for its answer before it is asked anew.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Most bytes of JSON text in a listing: whoever watches the list reads those of all rooms.
const MAX_LISTING: usize = 1024;

/// The newcomers about whom the game was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked(BTreeMap<PlayerId, (Origin, Hello, Instant)>);

impl Asked {
    /// Keeps a hello until the game has answered, and tells whether to ask it.
    fn keep(&mut self, from: &Origin, hello: Hello, now: Instant) -> bool {
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
}

impl Session {
    /// The room's rules; the default outside a room.
    pub fn rules(&self) -> &RoomRules {
        match &self.role {
            _ if !self.joined => &self.no_rules,
            Role::Host(lead) => &lead.working.rules,
            _ => &self.replica.document().rules,
        }
    }

    /// Whether the host asked to wait until the running round is over.
    pub fn is_waiting(&self) -> bool {
        self.waiting && !self.joined && !matches!(self.role, Role::Closed)
    }

    /// Sets how many seats there may be, at least 1 and at most [`MAX_PLAYERS`]; others are taken for the nearest of
    /// these. Whoever has a seat keeps it.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn set_capacity(&mut self, capacity: usize) -> Result<(), SessionError> {
        self.change_rules(|rules| rules.capacity = Some(capacity.clamp(1, MAX_PLAYERS)))
    }

    /// Locks the room, so that nobody new is admitted, or opens it. Whoever has a seat can come back.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn set_locked(&mut self, locked: bool) -> Result<(), SessionError> {
        self.change_rules(|rules| rules.locked = locked)
    }

    /// Says what becomes of those who come from now on. With [`Newcomers::Play`] all spectators become players.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn set_newcomers(&mut self, newcomers: Newcomers) -> Result<(), SessionError> {
        self.change_rules(|rules| rules.newcomers = newcomers)?;
        if newcomers == Newcomers::Play {
            let watching = self.roster().iter().filter(|seat| seat.spectator).cloned().collect::<Vec<_>>();
            for old in watching {
                let new = Seat { spectator: false, ..old.clone() };
                if let Role::Host(lead) = &mut self.role {
                    lead.set_seat(&old.player, Some(new.clone()));
                    self.tell_seat(Some(&old), Some(&new));
                }
            }
        }
        Ok(())
    }

    /// Puts the room on the public list, shows it otherwise there, or takes it off. A title of more than [`MAX_TITLE`]
    /// characters is cut.
    ///
    /// # Errors
    /// Only the host may, once it has joined; a listing has at most 1 KiB of JSON and 64 levels.
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

    /// Takes a player's seat away. That process of the player stays out; one that is started later, or that enters the
    /// room again, is a newcomer as any other.
    ///
    /// # Errors
    /// Only the host may, once it has joined, and not its own; the player has to be in the room.
    pub fn kick(&mut self, player: &PlayerId, reason: &str) -> Result<(), SessionError> {
        self.must_host()?;
        let seat = self.roster().get(player).ok_or_else(|| SessionError::UnknownPlayer(player.clone()))?;
        let removal = Removal { reason: reason.to_owned(), generation: Some(seat.generation) };
        self.remove(player, removal, LeaveReason::Kicked)
    }

    /// Takes a player's seat away, and lets it in no more until [`unban`](Self::unban), whoever hosts. The player need
    /// not be in the room. A player is known by its id, and an id is not a person: who makes up another one comes in
    /// again, unless ids are bound to accounts by tokens.
    ///
    /// # Errors
    /// Only the host may, once it has joined, and not itself; there may be [`MAX_BANS`].
    pub fn ban(&mut self, player: &PlayerId, reason: &str) -> Result<(), SessionError> {
        self.must_host()?;
        if self.rules().bans().filter(|banned| *banned != player).count() >= MAX_BANS {
            return Err(SessionError::TooManyBans { max: MAX_BANS });
        }
        self.remove(player, Removal { reason: reason.to_owned(), generation: None }, LeaveReason::Banned)
    }

    /// Lifts a ban, or the memory of a kick.
    ///
    /// # Errors
    /// Only the host may, once it has joined.
    pub fn unban(&mut self, player: &PlayerId) -> Result<(), SessionError> {
        self.change_rules(|rules| drop(rules.removed.remove(player)))
    }

    /// Has the game decide about newcomers that the room's rules would let in: each is told as
    /// [`SessionEvent::AdmissionAsked`], and waits for [`admit`](Self::admit). Defaults to admitting them.
    pub fn ask_before_admitting(&mut self, asks: bool) {
        self.asks_game = asks;
    }

    /// The game's answer about a newcomer. Nothing happens where nobody asks any more.
    pub fn admit(&mut self, player: &PlayerId, admission: Admission) {
        let Role::Host(lead) = &mut self.role else { return };
        if let Some((from, hello, _)) = lead.asked.0.remove(player) {
            self.decide(&from, hello, Some(admission), self.last_step);
        }
    }

    /// What the room's rules, and the game where it was asked, make of somebody new.
    pub(crate) fn judge_newcomer(
        &self,
        lead: &HostState,
        from: &Origin,
        hello: &Hello,
        answer: Option<Admission>,
    ) -> Judgement {
        let (rules, seats) = (&lead.working.rules, lead.working.roster.len());
        if let Some(refusal) = rules.refusal(&from.player, hello.generation, seats) {
            return Judgement::Refused(refusal);
        }
        match (rules.newcomers, answer) {
            (Newcomers::Wait, _) | (_, Some(Admission::Wait)) => Judgement::Wait,
            (_, Some(Admission::Refuse(mut why))) => {
                rules::cut(&mut why, MAX_REASON);
                Judgement::Refused(Refusal::NotAdmitted { why })
            }
            (_, None) if self.asks_game => Judgement::Ask,
            (newcomers, answer) => {
                Judgement::New { spectator: newcomers == Newcomers::Spectate || answer == Some(Admission::Spectate) }
            }
        }
    }

    /// Asks a newcomer to wait.
    pub(crate) fn have_wait(&mut self, player: PlayerId, hello: &Hello) {
        if self.outgoing.has_room() {
            let wait = Wait { generation: self.config.generation, nonce: hello.nonce.clone() };
            self.say(Lane::Inbox(player), wait.into(), Content::Other);
        }
    }

    /// Asks the game about a newcomer.
    pub(crate) fn ask_game(&mut self, from: &Origin, hello: Hello, now: Instant) {
        let Role::Host(lead) = &mut self.role else { return };
        let (player, profile) = (from.player.clone(), hello.profile.clone());
        if lead.asked.keep(from, hello, now) {
            self.tell(SessionEvent::AdmissionAsked { player, profile });
        }
    }

    /// The host asks to wait. The hellos that go on by themselves bring the player in when it is time.
    pub(crate) fn hear_wait(&mut self, from: &Origin, wait: &Wait) {
        let hosts = self.promise.led().is_none_or(|leader| leader.player == from.player);
        if wait.nonce != self.nonce || !hosts || matches!(self.role, Role::Host(_)) {
            self.stats.impostors += 1;
            return;
        }
        if !std::mem::replace(&mut self.waiting, true) {
            self.tell(SessionEvent::Waiting);
        }
    }

    /// Why this process was removed from the room, where it was.
    pub(crate) fn own_removal(&self) -> Option<String> {
        let document = self.replica.document();
        let player = &self.config.player;
        let removal = document.rules.removal(player, self.config.generation)?;
        (!document.roster.contains(player)).then(|| removal.reason.clone())
    }

    /// Whether somebody was removed and has no seat.
    pub(crate) fn is_removed(&self, player: &PlayerId) -> bool {
        self.rules().removed.contains_key(player) && !self.roster().contains(player)
    }

    /// Why a seat was given up without a goodbye.
    pub(crate) fn reason_to_leave(&self, seat: &Seat) -> LeaveReason {
        match self.rules().removal(&seat.player, seat.generation) {
            Some(removal) if removal.is_ban() => LeaveReason::Banned,
            Some(_) => LeaveReason::Kicked,
            None => LeaveReason::Vanished,
        }
    }

    fn must_host(&mut self) -> Result<&mut HostState, SessionError> {
        if !self.joined {
            return Err(SessionError::NotJoined);
        }
        match &mut self.role {
            Role::Host(lead) => Ok(lead),
            _ => Err(SessionError::NotHost),
        }
    }

    fn change_rules(&mut self, change: impl FnOnce(&mut RoomRules)) -> Result<(), SessionError> {
        let lead = self.must_host()?;
        let mut rules = lead.working.rules.clone();
        change(&mut rules);
        if rules != lead.working.rules {
            lead.set_rules(rules);
            self.tell(SessionEvent::RulesChanged);
        }
        Ok(())
    }

    fn remove(&mut self, player: &PlayerId, removal: Removal, why: LeaveReason) -> Result<(), SessionError> {
        if *player == self.config.player {
            return Err(SessionError::OwnSeat);
        }
        self.change_rules(|rules| rules.remove(player, removal))?;
        self.vacate(player, why);
        Ok(())
    }
}
