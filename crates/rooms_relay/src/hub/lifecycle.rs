//! How connections begin, resume, change their credentials and end, and what that means for the channels.
//!
//! The parts decide. This file carries their verdicts from one part to the others, in the order in which clients see them.

use super::{
    Hub,
    channel::{attach_request::Address, presence::LeaveReason},
    connect_request::ConnectRequest,
    connection::{caller::Caller, state::HubConnection},
    output::LinkId,
    refusals::Party,
    shares::Admission,
};
use crate::{
    auth::{Operation, Principal, owner::Owner, token::expired},
    error::{disconnected, not_permitted},
    moment::Moment,
};
use rooms_protocol::{ChannelName, ConnectionId, ErrorCode, ErrorInfo, Frame};

impl Hub {
    /// Lets a client in, over a new connection or the one that it resumes.
    pub(super) fn connect(&mut self, link: LinkId, request: &ConnectRequest, moment: Moment) -> Result<(), ErrorInfo> {
        request.check_protocol()?;
        let credentials = request.credentials();
        let principal = self.authorizer.authenticate(credentials.as_ref(), request.client_id.as_ref(), moment.wall)?;
        let resumed = match &request.resume {
            Some(key) => self.connections.resume(key, &principal, &mut self.random)?,
            None => None,
        };
        let error = (request.resume.is_some() && resumed.is_none()).then(|| {
            let why = "the connection to resume is unknown or too old; this is a new one";
            ErrorInfo::new(ErrorCode::INVALID_CONNECTION_KEY, 400, why)
        });
        let id = match resumed {
            Some(resumed) => {
                if let Some(replaced) = resumed.replaced {
                    let why = "another transport took this connection over";
                    self.disconnect(replaced, ErrorInfo::new(ErrorCode::SUPERSEDED, 400, why), moment);
                }
                self.leave_where_forbidden(&resumed.id, moment);
                resumed.id
            }
            None => self.begin(principal, request, moment)?,
        };
        self.shares.resume_connection(&id);
        let timers = &mut self.effects.timers;
        self.connections.put_on_link(link, &id, request, timers);
        self.links.insert(link, id.clone(), request, moment.now, timers);
        self.connections.watch_token(&id, moment, timers);
        self.send_connected(link, &id, error, moment);
        Ok(())
    }

    /// Begins a connection, if its client has not too many. It may take the place of one that was dropped.
    fn begin(
        &mut self,
        principal: Principal,
        request: &ConnectRequest,
        moment: Moment,
    ) -> Result<ConnectionId, ErrorInfo> {
        let owner = Owner::of(&principal, request.address);
        while let Admission::After(dropped) = self.shares.admit_connection(&owner, moment.now)? {
            self.end_connection(&dropped, moment);
        }
        let id = self.connections.begin(principal, moment.now, &mut self.random)?;
        self.shares.add_connection(id.clone(), owner, moment.now);
        Ok(id)
    }

    fn send_connected(&mut self, link: LinkId, id: &ConnectionId, error: Option<ErrorInfo>, moment: Moment) {
        if let Some(frame) = self.connections.connected(id, error, self.links.idle(link), moment.wall) {
            self.effects.out.send(link, frame);
        }
    }

    /// Disconnects a client, which may resume.
    pub(super) fn disconnect(&mut self, link: LinkId, error: ErrorInfo, moment: Moment) {
        let party = self.party(link);
        self.refusals.refuse("to go on", &error, &party, moment.now);
        self.effects.out.send(link, disconnected(error));
        self.close_link(link, moment);
        self.effects.out.close(link);
    }

    /// Takes a link off its connection and off all channels. The connection can be resumed for a while.
    pub(super) fn close_link(&mut self, link: LinkId, moment: Moment) {
        let Some(id) = self.links.remove(link, &mut self.effects.timers) else { return };
        self.shares.drop_connection(&id, self.connections.get(&id).is_some_and(HubConnection::is_used));
        for (name, key) in self.connections.lose_link(&id, moment.now, &mut self.effects.timers) {
            self.channels.detach(link, &name, &key, moment.now, &mut self.effects.timers);
        }
    }

    /// Ends a connection for good: its members leave, and nothing can be resumed.
    pub(super) fn end_connection(&mut self, id: &ConnectionId, moment: Moment) {
        let Some(connection) = self.connections.get(id) else { return };
        // A connection without a link ends because its client was gone for too long.
        let latest = connection.acks.latest();
        let reason = if connection.link.is_some() { LeaveReason::Meant { latest } } else { LeaveReason::Gone };
        for key in connection.present_on.keys().cloned().collect::<Vec<_>>() {
            self.leave(id, &key, reason);
        }
        // Before the link is gone, so that the client gets the first leaves too.
        self.depart(moment);
        let timers = &mut self.effects.timers;
        self.shares.remove_connection(id);
        let Some(ended) = self.connections.end(id, timers) else { return };
        if let Some(link) = ended.link {
            self.links.remove(link, timers);
            for (name, key) in ended.attached {
                self.channels.detach(link, &name, &key, moment.now, timers);
            }
        }
    }

    /// Ends an attachment, if there is one. With the last one to a channel, the connection's members leave it.
    pub(super) fn drop_attachment(&mut self, caller: &Caller, name: &ChannelName, moment: Moment) {
        let Ok(address) = Address::parse(name) else { return };
        let key = caller.key(address.channel);
        let Some(connection) = self.connections.get(&caller.id) else { return };
        let is_last = !connection.attached.iter().any(|(other, of)| *of == key && other != name);
        let latest = connection.acks.latest();
        // Before the attachment ends, so that the client gets the leaves too.
        if is_last {
            self.leave(&caller.id, &key, LeaveReason::Meant { latest });
            self.depart(moment);
        }
        self.connections.note_detached(&caller.id, name);
        self.channels.detach(caller.link, name, &key, moment.now, &mut self.effects.timers);
    }

    /// The members of a connection leave the channels on which its credentials, perhaps new ones, do not allow presence.
    fn leave_where_forbidden(&mut self, id: &ConnectionId, moment: Moment) {
        let Some(latest) = self.connections.get(id).map(|connection| connection.acks.latest()) else { return };
        for key in self.connections.forbidden_presence(id) {
            self.leave(id, &key, LeaveReason::Meant { latest });
        }
        self.depart(moment);
    }

    /// The members of a connection leave the channels that it did not come back to in time.
    pub(super) fn leave_abandoned(&mut self, id: &ConnectionId, moment: Moment) {
        let Some(connection) = self.connections.get(id) else { return };
        let link = connection.link;
        for key in connection.present_on.keys().cloned().collect::<Vec<_>>() {
            let came_back = link.is_some_and(|link| self.channels.has_link(&key, link));
            if !came_back {
                self.leave(id, &key, LeaveReason::Gone);
            }
        }
        self.depart(moment);
    }

    /// Answers AUTH with CONNECTED, or ends the connection with an error (`RTC8a`).
    pub(super) fn reauthenticate(&mut self, caller: &Caller, frame: &Frame, moment: Moment) {
        let token = frame.auth.as_ref().and_then(|auth| auth.access_token.clone());
        match self.authorizer.renew(&caller.principal, token, moment.wall) {
            Ok(principal) => {
                self.connections.set_principal(&caller.id, principal.clone());
                self.connections.watch_token(&caller.id, moment, &mut self.effects.timers);
                self.send_connected(caller.link, &caller.id, None, moment);
                self.apply_capability(caller, &principal, moment);
            }
            Err(error) => {
                let party = Party::of(&caller.principal, self.links.address(caller.link));
                self.refusals.refuse("new credentials", &error, &party, moment.now);
                self.end_connection(&caller.id, moment);
                self.effects.out.send(caller.link, Frame::error(None, error));
                self.effects.out.close(caller.link);
            }
        }
    }

    /// Takes away what the new credentials of a connection do not allow, and gives what they allow.
    pub(super) fn apply_capability(&mut self, caller: &Caller, principal: &Principal, moment: Moment) {
        let Some(connection) = self.connections.get(&caller.id) else { return };
        let attached = connection.attached.clone();
        self.leave_where_forbidden(&caller.id, moment);
        for (name, key) in attached {
            let allowed = principal.capability.modes(&key.name);
            if !principal.capability.allows(&key.name, Operation::ChannelMetadata) {
                self.channels.stop_watching(caller.link, &name, &key);
            }
            let Some(modes) = self.channels.allow(caller.link, &name, &key, allowed) else { continue };
            self.channels.note_use(&key, moment.now, &mut self.effects.timers);
            if modes.is_empty() {
                self.drop_attachment(caller, &name, moment);
                let error = not_permitted("the new credentials do not allow this channel");
                self.effects.out.send(caller.link, Frame::error(Some(name), error));
            } else {
                self.channels.send_attached(caller.link, &name, &key, None, moment, &mut self.effects.out);
            }
        }
    }

    /// Disconnects a client whose token has expired. With a new one it may resume (`RTN15h`).
    pub(super) fn expire_token(&mut self, id: &ConnectionId, moment: Moment) {
        if let Some(link) = self.connections.get(id).and_then(|connection| connection.link) {
            self.disconnect(link, expired(), moment);
        }
    }
}
