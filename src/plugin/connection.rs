//! The line, as an app sees it, in a room or without one.

use std::{ops::Deref, time::Duration};

use bevy::prelude::*;
use web_time::Instant;

use super::link::RoomsLink;
use crate::{
    client::{ConnectionChange, ConnectionState},
    protocol::{ClientId, ConnectionId, ErrorInfo},
};

/// The connection of this app. It is made when a room is first entered or a channel first attached.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Connection {
    /// Its state.
    pub state: ConnectionState,
    /// Its id, while there is one.
    pub id: Option<ConnectionId>,
    /// Who we are to others, as the server says, while connected.
    pub client_id: Option<ClientId>,
    /// Why it is not there, while it is not.
    pub trouble: Option<ErrorInfo>,
    /// What last kept it from being there; stays when it is back.
    pub last_trouble: Option<ErrorInfo>,
    /// How long until the next attempt, while one is waited for; it counts down.
    pub retry_in: Option<Duration>,
    /// The time that a word to the server and back took, measured every few seconds.
    pub round_trip: Option<Duration>,
    /// How often it was taken up again.
    pub reconnects: u32,
    /// When the next attempt is made.
    retry_at: Option<Instant>,
}

impl Connection {
    /// Whether the line stands.
    pub fn is_connected(&self) -> bool {
        self.state == ConnectionState::Connected
    }

    pub(super) fn take(&mut self, change: &ConnectionChange, now: Instant) {
        // The first time, there is no id yet.
        let is_again = self.id.is_some() && self.state != ConnectionState::Connected;
        if change.current == ConnectionState::Connected && is_again {
            self.reconnects = self.reconnects.saturating_add(1);
        }
        self.state = change.current;
        self.id.clone_from(&change.connection_id);
        self.client_id.clone_from(&change.client_id);
        self.retry_in = change.retry_in;
        self.retry_at = change.retry_in.map(|wait| now + wait);
        if change.reason.is_some() {
            self.last_trouble.clone_from(&change.reason);
        }
        match change.current {
            ConnectionState::Connected => self.trouble = None,
            // An attempt tells nothing new: what kept the last one from succeeding is still the best that is known.
            ConnectionState::Connecting => {}
            _ => self.trouble.clone_from(&change.reason),
        }
    }
}

/// The connection's state changed. Dereferences to the change: the state before and now, why, when the next attempt is made,
/// who we are, and whether it went on where it was.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct ConnectionChanged {
    /// What changed.
    pub change: ConnectionChange,
}

impl Deref for ConnectionChanged {
    type Target = ConnectionChange;

    fn deref(&self) -> &ConnectionChange {
        &self.change
    }
}

/// Whether the next attempt is waited for.
pub(super) fn waits_for_retry(connection: Res<Connection>) -> bool {
    connection.retry_at.is_some()
}

pub(super) fn count_down(mut connection: ResMut<Connection>, link: Res<RoomsLink>) {
    if let Some(at) = connection.retry_at {
        connection.retry_in = Some(at.saturating_duration_since(link.clock().now()));
    }
}
