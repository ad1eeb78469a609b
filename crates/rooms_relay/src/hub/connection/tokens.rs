//! The tokens of connections: when a client is asked for a new one, and when its own has run out.

use std::time::Duration;

use super::Connections;
use crate::{
    hub::{
        effects::Effects,
        timer::{HubTimer, Timers},
    },
    limits::LONGEST,
    moment::Moment,
};
use rooms_protocol::{Action, ConnectionId, Frame, Timestamp};

/// How long before its token expires a client is asked for a new one. Ably's cloud does the same.
const TOKEN_NOTICE: Duration = Duration::from_secs(30);

impl Connections {
    /// Sets the timers for the token of a connection.
    pub(crate) fn watch_token(&self, id: &ConnectionId, moment: Moment, timers: &mut Timers) {
        forget_token(id, timers);
        let expires = self.by_id.get(id).and_then(|connection| connection.principal.expires);
        let Some(left) = expires.map(|expires| until(moment.wall, expires)) else { return };
        timers.set(HubTimer::ExpireToken(id.clone()), moment.now + left);
        if let Some(early) = left.checked_sub(TOKEN_NOTICE).filter(|early| !early.is_zero()) {
            timers.set(HubTimer::RequestToken(id.clone()), moment.now + early);
        }
    }

    /// Sets the timers for all tokens anew, since the wall clock jumped.
    pub(crate) fn watch_all_tokens(&self, moment: Moment, timers: &mut Timers) {
        for (id, _) in self.by_id.iter().filter(|(_, connection)| connection.link.is_some()) {
            self.watch_token(id, moment, timers);
        }
    }

    /// Asks a client for a new token (`RTN22`).
    pub(crate) fn request_token(&self, id: &ConnectionId, effects: &mut Effects) {
        if let Some(link) = self.by_id.get(id).and_then(|connection| connection.link) {
            effects.out.send(link, Frame::new(Action::Auth));
        }
    }
}

/// Stops watching the token of a connection.
pub(super) fn forget_token(id: &ConnectionId, timers: &mut Timers) {
    timers.stop(&HubTimer::ExpireToken(id.clone()));
    timers.stop(&HubTimer::RequestToken(id.clone()));
}

/// How long it is from `wall` to `time`: a year at most, since nothing here waits longer.
fn until(wall: Timestamp, time: Timestamp) -> Duration {
    let milliseconds = u64::try_from(time.0.saturating_sub(wall.0)).unwrap_or_default();
    Duration::from_millis(milliseconds).min(LONGEST)
}
