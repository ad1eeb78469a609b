//! The connection, as an app sees it, in a room or without one.

use std::{ops::Deref, time::Duration};

use bevy::prelude::*;
use web_time::Instant;

use super::engine::RoomsEngine;
use crate::{
    client::{ConnectionChange, ConnectionState},
    protocol::{ClientId, ConnectionId, ErrorInfo},
};

/// The connection of this app. The app makes it when it first enters a room or attaches a channel.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Connection {
    /// Its state.
    pub state: ConnectionState,
    /// Its id, while there is one.
    pub id: Option<ConnectionId>,
    /// Our client id, as the server knows it, while connected.
    pub client_id: Option<ClientId>,
    /// Why there is no connection, while there is none.
    pub trouble: Option<ErrorInfo>,
    /// What the last trouble was. It stays when the connection is back.
    pub last_trouble: Option<ErrorInfo>,
    /// The time to the next attempt, while the client waits for one. It counts down.
    pub retry_in: Option<Duration>,
    /// The number of the present attempt to connect, or of the last one, counted since the app was last connected: the first is
    /// 1. 0 while connected, and when a connection just broke.
    pub attempt: u32,
    /// The time that a ping to the server and back took, measured every few seconds.
    pub round_trip: Option<Duration>,
    /// How often it was restored.
    pub reconnects: u32,
    /// When the client makes the next attempt.
    retry_at: Option<Instant>,
}

impl Connection {
    /// Whether the app is connected.
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
        self.attempt = if change.current == ConnectionState::Connected { 0 } else { change.attempt };
        self.retry_in = change.retry_in;
        self.retry_at = change.retry_in.map(|wait| now + wait);
        if change.reason.is_some() {
            self.last_trouble.clone_from(&change.reason);
        }
        match change.current {
            ConnectionState::Connected => self.trouble = None,
            // An attempt brings no news: the reason of the last failure is still the best that is known.
            ConnectionState::Connecting => {}
            _ => self.trouble.clone_from(&change.reason),
        }
    }
}

/// The connection's state changed: an attempt began, failed or succeeded, or the connection broke. Dereferences to the change:
/// the state before and now, the reason, the number of the attempt, the time to the next one, our ids, and whether the old
/// connection was resumed.
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

/// Whether the client waits for the next attempt.
pub(super) fn waits_for_retry(connection: Res<Connection>) -> bool {
    connection.retry_at.is_some()
}

pub(super) fn count_down(mut connection: ResMut<Connection>, engine: Res<RoomsEngine>) {
    if let Some(at) = connection.retry_at {
        connection.retry_in = Some(at.saturating_duration_since(engine.clock().now()));
    }
}
