//! Credentials while the relay runs: tokens for clients, new tokens on old connections, and tokens that run out.

use std::time::Duration;

use serde_json::Value;
use web_time::Instant;

use crate::{
    Credentials, Operation, Principal, TokenDetails,
    auth::{
        authenticate,
        token::{
            expired, mint,
            request::{TokenRequest, unsigned},
        },
    },
    error::{invalid_credentials, not_permitted},
    hub::{Caller, Hub, channel::key::ChannelKey, disconnected, timer::Timer},
    limits::LONGEST,
};
use rooms_protocol::{Action, ChannelName, ClientId, ConnectionId, ErrorCode, ErrorInfo, Frame, Timestamp};

/// How long before its token runs out a client is asked for a new one. Ably's cloud does the same.
const TOKEN_NOTICE: Duration = Duration::from_secs(30);

impl Hub {
    /// Decides who shows `credentials` and wants to be `client_id`.
    ///
    /// # Errors
    /// 40106 without credentials, 40101 for wrong ones, 40102 for a client id that they do not allow, 4014x for a token
    /// that is not good, 40400 for one of an application that is not served here.
    pub fn authenticate(
        &self,
        credentials: Option<&Credentials>,
        client_id: Option<&ClientId>,
        now: Instant,
    ) -> Result<Principal, ErrorInfo> {
        authenticate(&self.apps, credentials, client_id, self.clock.at(now))
    }

    /// Makes a token of the key `key_name`, for a request that was signed with it or comes with it.
    ///
    /// # Errors
    /// 42918 for one too many in a second, 40101 for a request without a right signature or key, 40104 and 40105 for one that is old or was used, 40003 for
    /// a ttl, 40000 for a capability and 40012 for a client id that makes no sense, 40160 where the key allows nothing
    /// of what is asked for, 40400 for a key of an application that is not served here.
    pub fn request_token(
        &mut self,
        key_name: &str,
        body: &Value,
        credentials: Option<&Credentials>,
        now: Instant,
    ) -> Result<TokenDetails, ErrorInfo> {
        self.check_token_rate(now)?;
        let wall = self.clock.at(now);
        let request = TokenRequest::parse(body, key_name)?;
        let keys = self.apps.keys_named(key_name)?;
        let key = if request.is_signed() {
            keys.into_iter().find(|key| request.is_signed_with(key)).ok_or_else(unsigned)?
        } else {
            let Some(Credentials::Key(text)) = credentials else { return Err(unsigned()) };
            self.apps.key(text).filter(|key| key.name() == key_name).ok_or_else(unsigned)?
        };
        let grant = request.grant()?;
        let details = mint(key, grant, wall)?;
        // Last, so that a request which was refused can be sent again.
        if request.is_signed() {
            request.check_fresh(&mut self.nonces, wall)?;
        }
        Ok(details)
    }

    /// Makes a token for one player in one room, where that is switched on.
    ///
    /// # Errors
    /// 42918 for one too many in a second, 40400 where it is not switched on, 40003 for names that are none.
    pub fn game_token(&mut self, room: &str, player: &str, now: Instant) -> Result<TokenDetails, ErrorInfo> {
        let off = || ErrorInfo::new(ErrorCode::NOT_FOUND, 404, "this relay gives no tokens to games; switch it on");
        self.check_token_rate(now)?;
        let endpoint = self.config.token_endpoint.as_ref().ok_or_else(off)?;
        let grant = endpoint.grant(room, player)?;
        let keys = self.apps.keys_named(&endpoint.key)?;
        let key = keys.first().ok_or_else(off)?;
        mint(key, grant, self.clock.at(now))
    }

    /// Whether who asks for a token may leave the room out.
    pub(super) fn gives_every_channel(&self) -> bool {
        self.config.token_endpoint.as_ref().is_some_and(|endpoint| endpoint.every_channel)
    }

    fn check_token_rate(&mut self, now: Instant) -> Result<(), ErrorInfo> {
        if !self.tokens.has_room(1, self.config.limits.token_rate, now) {
            let why = "more tokens are asked for a second than may be; ask a little later";
            return Err(ErrorInfo::new(ErrorCode::REQUEST_RATE_EXCEEDED, 429, why));
        }
        self.tokens.count(1, now);
        Ok(())
    }

    /// Answers AUTH with CONNECTED, or ends the connection with an error (`RTC8a`).
    pub(super) fn reauthenticate(&mut self, caller: &Caller, frame: &Frame, now: Instant) {
        match self.renewed(caller, frame, now) {
            Ok(principal) => {
                if let Some(connection) = self.connections.get_mut(&caller.id) {
                    connection.principal = principal.clone();
                }
                self.watch_token(&caller.id, now);
                self.tell_connected(caller.link, &caller.id, None, now);
                self.apply_capability(&Caller { link: caller.link, id: caller.id.clone(), principal }, now);
            }
            Err(error) => {
                self.end_connection(&caller.id, now);
                self.out.send(caller.link, Frame::error(None, error));
                self.out.close(caller.link);
            }
        }
    }

    fn renewed(&self, caller: &Caller, frame: &Frame, now: Instant) -> Result<Principal, ErrorInfo> {
        let token = frame.auth.as_ref().and_then(|auth| auth.access_token.clone());
        let token = token.ok_or_else(|| invalid_credentials("AUTH came without a token"))?;
        let granted = self.authenticate(Some(&Credentials::Token(token)), None, now)?;
        caller.principal.renewed(granted)
    }

    /// Takes away what the credentials of a connection no longer allow, and gives what they allow now.
    fn apply_capability(&mut self, caller: &Caller, now: Instant) {
        let Some(connection) = self.connections.get(&caller.id) else { return };
        let attached: Vec<(ChannelName, ChannelKey)> =
            connection.attached.iter().map(|(name, key)| (name.clone(), key.clone())).collect();
        self.leave_where_forbidden(&caller.id, now);
        for (name, key) in attached {
            let allowed = caller.principal.capability.modes(&key.name);
            let channel = self.channels.get_mut(&key);
            let Some(change) = channel.and_then(|channel| channel.allow(caller.link, &name, allowed)) else { continue };
            if change.is_empty() {
                self.drop_attachment(caller, &name, now);
                let error = not_permitted("the new credentials do not allow this channel");
                self.out.send(caller.link, Frame::error(Some(name), error));
            } else {
                self.tell_attached(caller.link, &name, &key, None, now);
            }
        }
    }

    /// The members of a connection leave the channels on which its credentials, perhaps new ones, do not allow presence.
    pub(super) fn leave_where_forbidden(&mut self, id: &ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get(id) else { return };
        let capability = &connection.principal.capability;
        let forbidden = |key: &&ChannelKey| !capability.allows(&key.name, Operation::Presence);
        for key in connection.present_on.iter().filter(forbidden).cloned().collect::<Vec<_>>() {
            self.leave_channel(id, &key, now);
        }
    }

    /// Notes when the token of a connection runs out.
    pub(super) fn watch_token(&mut self, id: &ConnectionId, now: Instant) {
        self.forget_token(id);
        let expires = self.connections.get(id).and_then(|connection| connection.principal.expires);
        let Some(left) = expires.map(|expires| until(self.clock.at(now), expires)) else { return };
        self.timers.set(Timer::ExpireToken(id.clone()), now + left);
        if let Some(early) = left.checked_sub(TOKEN_NOTICE).filter(|early| !early.is_zero()) {
            self.timers.set(Timer::AskForToken(id.clone()), now + early);
        }
    }

    /// Stops watching the token of a connection that has no link.
    pub(super) fn forget_token(&mut self, id: &ConnectionId) {
        self.timers.stop(&Timer::ExpireToken(id.clone()));
        self.timers.stop(&Timer::AskForToken(id.clone()));
    }

    /// Asks a client for a new token (`RTN22`).
    pub(super) fn ask_for_token(&mut self, id: &ConnectionId) {
        if let Some(link) = self.connections.get(id).and_then(|connection| connection.link) {
            self.out.send(link, Frame::new(Action::Auth));
        }
    }

    /// Disconnects a client whose token has run out. With a new one it may resume (`RTN15h`).
    pub(super) fn expire_token(&mut self, id: &ConnectionId, now: Instant) {
        if let Some(link) = self.connections.get(id).and_then(|connection| connection.link) {
            self.out.send(link, disconnected(expired()));
            self.handle_closed(link, now);
            self.out.close(link);
        }
    }
}

/// How long it is from `wall` to `time`; a year at most, since nothing here waits longer.
fn until(wall: Timestamp, time: Timestamp) -> Duration {
    let milliseconds = u64::try_from(time.0.saturating_sub(wall.0)).unwrap_or_default();
    Duration::from_millis(milliseconds).min(LONGEST)
}
