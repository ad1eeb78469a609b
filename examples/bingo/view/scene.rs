//! What there is to be seen, and what the player wants done about it: all that the pieces of the window know of the
//! rest of the game.

use std::time::Duration;

use bevy::{ecs::system::SystemParam, prelude::*};
use bevy_rooms::prelude::*;

use crate::{
    card::{Number, Strip},
    flags::Flags,
    host::HostSettings,
    net::{Hand, Style, Table},
    rules::{self, Settings, Status},
};

/// The flags, as far as they say how to invite others.
#[derive(Resource, Clone, Debug)]
pub struct Inviting(pub Flags);

/// What there is to be seen in a frame.
#[derive(SystemParam)]
pub struct Scene<'w> {
    /// Whether we are in a room.
    pub state: Res<'w, State<RoomState>>,
    /// The room.
    pub room: Res<'w, Room>,
    /// The connection.
    pub line: Res<'w, Connection>,
    /// Who leads.
    pub host: Res<'w, Host>,
    /// Who we are.
    pub us: Res<'w, LocalPlayer>,
    /// Who is here.
    pub roster: Res<'w, Roster>,
    /// The round, as it came back from the room.
    pub table: Res<'w, Confirmed<Table>>,
    /// What we hold.
    pub hand: Res<'w, Hand>,
    /// How we play.
    pub style: Res<'w, Style>,
    /// What we choose as host.
    pub chosen: Res<'w, HostSettings>,
    /// How others are invited.
    pub inviting: Res<'w, Inviting>,
    /// The time.
    pub time: Res<'w, Time<Real>>,
}

impl Scene<'_> {
    /// Time since the start of the app.
    pub fn now(&self) -> Duration {
        self.time.elapsed()
    }

    /// Our strip for the present round.
    pub fn strip(&self) -> Option<&Strip> {
        self.hand.strip().filter(|_| self.hand.round == self.table.round())
    }

    /// Whether we only watch the running round.
    pub fn we_watch(&self) -> bool {
        self.is_running() && !self.plays(&self.us.id)
    }

    /// Whether numbers are being called.
    pub fn is_running(&self) -> bool {
        self.table.status() == Status::Running
    }

    /// Whether this player plays in the present round.
    pub fn plays(&self, player: &PlayerId) -> bool {
        self.table.plays(&rules::PlayerId::from(player.as_str()))
    }

    /// What is wrong with the connection or the room, and what happens next.
    pub fn notice(&self) -> Option<String> {
        if self.line.is_connected() { self.room.notice() } else { self.line.notice() }
    }

    /// The name that the host shows.
    pub fn host_name(&self) -> &str {
        self.host.player.as_ref().map_or("the host", |host| self.roster.name(host))
    }

    /// What to give others so that they come to this room.
    pub fn invite(&self) -> String {
        self.room.name.as_ref().map(|room| self.inviting.0.invite(room)).unwrap_or_default()
    }

    /// Whether an invite leads nowhere but on this machine.
    pub fn invites_here_alone(&self) -> bool {
        self.inviting.0.invites_here_alone()
    }

    /// The room's name.
    pub fn room_name(&self) -> String {
        self.room.name.as_ref().map(|room| room.shown().to_string()).unwrap_or_default()
    }
}

/// What the player wants.
#[derive(Message, Clone, Debug, PartialEq)]
pub enum Wish {
    /// Host the room of the lobby's form.
    Host,
    /// Join it.
    Join,
    /// Join it, or host it where nobody does.
    Enter,
    /// Leave the room, or stop arriving.
    Leave,
    /// See what goes over the line, or no more.
    Inspect,
    /// Start a round.
    Start,
    /// "Bingo!"
    Shout,
    /// Mark a number, or take its mark away.
    Toggle(Number),
    /// As host: other settings for the rounds to come.
    Choose(Settings),
    /// Have the tickets mark themselves, or not.
    MarkForMe(bool),
}
