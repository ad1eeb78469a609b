//! What the hub does with frames about channels: attachments, members and messages.
//!
//! The parts decide. This file asks them one after the other, and carries the verdict of one to the next.

use web_time::Instant;

use super::{
    Hub,
    channel::{
        attach::Attachment,
        attach_request::{Address, AttachOptions, AttachRequest},
        key::ChannelKey,
        occupancy::Watch,
        presence::PresenceUpdate,
        publish::{Accepted, Delivery, Publish, Published},
        serial::Position,
        target::Target,
    },
    connection::{ack_log::Outcome, caller::Caller},
    output::LinkId,
    refusals::Party,
};
use crate::{
    auth::{Identity, Operation, owner::Owner},
    error::protocol_error,
    moment::Moment,
};
use rooms_protocol::{
    Action, ChannelName, ConnectionId, DecodeError, ErrorCode, ErrorInfo, Flags, Frame, MsgSerial, Outline, Unreadable,
};

/// What brings a channel into being.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A frame of this connection.
    Connection(&'a ConnectionId),
    /// A request over HTTP of this owner.
    Request(&'a Owner),
}

/// Actions of features that this relay does not have, but whose frames wait for an answer: OBJECT and ANNOTATION.
const UNSUPPORTED_PUBLISHES: [Action; 2] = [Action::Unknown(19), Action::Unknown(21)];

/// Most bytes of a client's own text that an error repeats. The relay keeps the error for when the frame comes again.
const MOST_REPEATED: usize = 400;

/// What an attachment may need of the memory, about, in bytes.
const ATTACHMENT_BYTES: usize = 4 * 1024;

/// What a message needs of it beside its data, about, in bytes: its ids and its serial, and its place.
const MESSAGE_BYTES: usize = 512;

/// Whether frames with this action have a number, under which their sender waits for an answer.
pub(super) fn is_numbered(action: Action) -> bool {
    matches!(action, Action::Message | Action::Presence) || UNSUPPORTED_PUBLISHES.contains(&action)
}

impl Hub {
    /// Refuses a channel that would come into being for somebody who has too many. Returns whose it will be; `None` where the
    /// channel is in memory already.
    fn check_new_channel(
        &self,
        key: &ChannelKey,
        source: Source<'_>,
        moment: Moment,
    ) -> Result<Option<Owner>, ErrorInfo> {
        if self.channels.get(key).is_some() {
            return Ok(None);
        }
        let owner = match source {
            Source::Connection(id) => self.shares.owner(id),
            Source::Request(owner) => Some(owner),
        };
        owner.map_or(Ok(()), |owner| self.shares.check_channel(owner, moment.now))?;
        Ok(owner.cloned())
    }

    /// Counts a channel for its owner, if it came into being.
    fn note_new_channel(&mut self, key: &ChannelKey, newcomer: Option<Owner>, moment: Moment) {
        if let Some(owner) = newcomer
            && self.channels.get(key).is_some()
        {
            self.shares.add_channel(key.clone(), owner, moment.now);
        }
    }

    /// Drops what a channel kept long enough, and the channel itself where nobody would notice.
    pub(super) fn trim_channel(&mut self, key: ChannelKey, now: Instant) {
        self.channels.trim(key.clone(), now, &mut self.effects.timers);
        if self.channels.get(&key).is_none() {
            self.shares.remove_channel(&key);
        }
    }

    /// Answers ATTACH with ATTACHED and what follows it, or with ERROR on the channel.
    pub(super) fn attach(&mut self, caller: &Caller, frame: &Frame, moment: Moment) {
        let Some(name) = frame.channel.clone() else {
            return self.disconnect(caller.link, protocol_error("an ATTACH came without its channel"), moment);
        };
        if let Err(error) = self.try_attach(caller, &name, frame, moment) {
            self.refuse("an attachment", &error, caller, moment);
            self.drop_attachment(caller, &name, moment);
            self.effects.out.send(caller.link, Frame::error(Some(name), error));
        }
    }

    /// Counts and tells what a client was refused.
    fn refuse(&mut self, what: &str, error: &ErrorInfo, caller: &Caller, moment: Moment) {
        let party = Party::of(&caller.principal, self.links.address(caller.link));
        self.refusals.refuse(what, error, &party, moment.now);
    }

    fn try_attach(
        &mut self,
        caller: &Caller,
        name: &ChannelName,
        frame: &Frame,
        moment: Moment,
    ) -> Result<(), ErrorInfo> {
        let address = Address::parse(name)?;
        let allowed = caller.principal.capability.modes(&address.channel);
        let options = AttachOptions::parse(&address, frame, allowed)?;
        if options.metrics.is_some() {
            caller.principal.check(&address.channel, Operation::ChannelMetadata)?;
        }
        let key = caller.key(address.channel);
        if !self.channels.is_attached(&key, caller.link, name) {
            self.connections.check_attached(&caller.id)?;
            self.connections.check_names(&caller.id, &key)?;
            self.budget.check(ATTACHMENT_BYTES)?;
        }
        let is_first = !self.channels.has_link(&key, caller.link);
        let early = self.connections.early(&caller.id, &key, options.knew_before, moment.now);
        let attachment = Attachment {
            connection: caller.id.clone(),
            asked: options.asked,
            modes: options.modes,
            params: options.params.clone(),
            no_echo: self.links.is_without_echo(caller.link),
            watch: options.metrics.map(|metrics| Box::new(Watch::new(metrics))),
        };
        let request = AttachRequest {
            link: caller.link,
            name: name.clone(),
            key: key.clone(),
            options,
            serial: frame.channel_serial.as_ref(),
            early: early.filter(|_| is_first),
            attachment,
        };
        let newcomer = self.check_new_channel(&key, Source::Connection(&caller.id), moment)?;
        let attached = self.channels.attach(request, moment, &mut self.effects);
        self.note_new_channel(&key, newcomer, moment);
        attached?;
        self.connections.note_attached(&caller.id, name.clone(), key, moment.now);
        Ok(())
    }

    /// Answers DETACH: the connection's members leave, then DETACHED follows, even if the link was not attached.
    pub(super) fn detach(&mut self, caller: &Caller, frame: &Frame, moment: Moment) {
        let Some(name) = frame.channel.clone() else {
            return self.disconnect(caller.link, protocol_error("a DETACH came without its channel"), moment);
        };
        self.drop_attachment(caller, &name, moment);
        self.effects.out.send(caller.link, Frame::for_channel(Action::Detached, name));
    }

    /// Answers a client's SYNC with all members.
    pub(super) fn sync(&mut self, caller: &Caller, frame: &Frame) {
        let Some(name) = &frame.channel else { return };
        let attached = self.connections.get(&caller.id).and_then(|connection| connection.attached.get(name));
        if let Some(key) = attached {
            self.channels.sync(caller.link, name, key, &mut self.effects.out);
        }
    }

    /// Answers a frame that has a number: once, in order, and with the same answer when it comes again.
    pub(super) fn handle_numbered(&mut self, caller: &Caller, frame: Frame, moment: Moment) {
        let Some(serial) = frame.msg_serial.filter(|serial| serial.0 >= 0) else {
            return self.disconnect(caller.link, protocol_error("a publish came without its msgSerial"), moment);
        };
        self.answer_numbered(caller, serial, moment, |hub| match frame.action {
            Action::Message => hub.publish_frame(caller, serial, frame, moment),
            Action::Presence => hub.update_presence(caller, serial, frame, moment),
            _ => Err(ErrorInfo::new(ErrorCode::BAD_REQUEST, 400, "this relay knows neither objects nor annotations")),
        });
    }

    /// Answers the frame with this number: with what became of it when it came before, or else with what `handle` says.
    fn answer_numbered(
        &mut self,
        caller: &Caller,
        serial: MsgSerial,
        moment: Moment,
        handle: impl FnOnce(&mut Self) -> Result<Outcome, ErrorInfo>,
    ) {
        if let Some(outcome) = self.connections.earlier_outcome(&caller.id, serial) {
            return self.effects.out.send(caller.link, outcome.to_frame(serial, self.channels.node()));
        }
        let outcome = handle(self);
        if let Err(error) = &outcome {
            self.refuse("a publish", error, caller, moment);
        }
        let outcome = outcome.unwrap_or_else(Outcome::from);
        self.effects.out.send(caller.link, outcome.to_frame(serial, self.channels.node()));
        self.connections.record_outcome(&caller.id, serial, outcome);
    }

    /// Refuses what cannot be read, once: clients send a whole frame again when they come back after a disconnect, and would never get
    /// beyond it.
    pub(super) fn refuse_unreadable(&mut self, caller: &Caller, unreadable: &Unreadable, moment: Moment) {
        let why = unreadable_error(&unreadable.error);
        // What was cut on the way comes whole when the client sends it again.
        if !unreadable.outline.is_whole {
            return self.disconnect(caller.link, protocol_error(why.message), moment);
        }
        self.refuse_outline(caller, &unreadable.outline, why, moment);
    }

    /// Answers a frame of which only the outline is known.
    pub(super) fn refuse_outline(&mut self, caller: &Caller, outline: &Outline, why: ErrorInfo, moment: Moment) {
        match (outline.action, outline.msg_serial, outline.channel.clone()) {
            (Some(action), Some(serial), _) if is_numbered(action) && serial.0 >= 0 => {
                self.answer_numbered(caller, serial, moment, |_| Err(why));
            }
            (Some(Action::Attach), _, Some(name)) => {
                self.refuse("an attachment", &why, caller, moment);
                self.drop_attachment(caller, &name, moment);
                self.effects.out.send(caller.link, Frame::error(Some(name), why));
            }
            _ => self.disconnect(caller.link, protocol_error(why.message), moment),
        }
    }

    /// Publishes a MESSAGE frame, all of it or nothing.
    fn publish_frame(
        &mut self,
        caller: &Caller,
        serial: MsgSerial,
        frame: Frame,
        moment: Moment,
    ) -> Result<Outcome, ErrorInfo> {
        let Target { key, is_attached } =
            self.channels.target(caller.link, &caller.principal, frame.channel.as_ref(), Flags::PUBLISH)?;
        let unattached = (!is_attached).then(|| key.clone());
        let publish = Publish {
            key,
            base: format!("{}:{}", caller.id, serial.0),
            publisher: Some(caller.id.clone()),
            messages: frame.messages,
        };
        let published = self.publish(publish, &caller.principal.identity, Source::Connection(&caller.id), moment)?;
        if let (Some(key), Some(position)) = (unattached, published.position) {
            self.note_early(caller, key, position, moment.now);
        }
        Ok(published.into())
    }

    /// Notes that a client published on a channel that it is not attached to. If it attaches soon, it gets these messages too.
    fn note_early(&mut self, caller: &Caller, key: ChannelKey, position: Position, now: Instant) {
        // Under another name it is perhaps attached, and got them.
        if !self.links.is_without_echo(caller.link) && !self.channels.has_link(&key, caller.link) {
            self.connections.note_early(&caller.id, key, position, now);
        }
    }

    /// Publishes messages on behalf of `identity`, all of them or none.
    pub(super) fn publish(
        &mut self,
        mut publish: Publish,
        identity: &Identity,
        source: Source<'_>,
        moment: Moment,
    ) -> Result<Published, ErrorInfo> {
        // A publish of nothing does not bring its channel into being.
        if publish.messages.is_empty() {
            return Ok(Published { serials: Vec::new(), position: None, new: 0 });
        }
        let load = publish.prepare(identity, &self.limits)?;
        self.refusals.counters().messages_in.add(load.messages);
        self.budget.check(load.bytes.saturating_add(load.messages.saturating_mul(MESSAGE_BYTES)))?;
        self.rates.check_publish(load.messages, moment.now)?;
        self.connections.check_publish(publish.publisher.as_ref(), load.messages, moment.now)?;
        let (key, publisher) = (publish.key.clone(), publish.publisher.clone());
        let newcomer = self.check_new_channel(&key, source, moment)?;
        let accepted = self.channels.accept(publish, load, moment, &mut self.effects.timers);
        self.note_new_channel(&key, newcomer, moment);
        let Accepted { serials, delivery } = accepted?;
        let position = delivery.as_ref().map(|delivery| delivery.position);
        let new = delivery.as_ref().map_or(0, |delivery| delivery.load.messages);
        if let Some(delivery) = delivery {
            self.deliver(publisher.as_ref(), &key, delivery, moment.now);
        }
        Ok(Published { serials, position, new })
    }

    /// Sends messages to all subscribers, except over links that get more in this second than they may.
    fn deliver(&mut self, publisher: Option<&ConnectionId>, key: &ChannelKey, delivery: Delivery, now: Instant) {
        let messages = delivery.load.messages;
        self.rates.count_messages(messages, now);
        let (links, rates) = (&mut self.links, &mut self.rates);
        let is_limited = links.limits_deliveries() || rates.limits_messages();
        let mut gaps = Vec::new();
        self.channels.deliver(key, delivery, now, &mut self.effects, |link, name| {
            if !is_limited {
                return true;
            }
            let is_admitted = links.admit_delivery(link, messages, now);
            if is_admitted {
                rates.count_messages(messages, now);
            } else {
                gaps.push((link, name.clone()));
            }
            is_admitted
        });
        for (link, name) in gaps {
            self.links.note_gap(link, &name, key, now, &mut self.effects.timers);
        }
        self.connections.count_published(publisher, messages, now);
    }

    /// Tells a client on which channels it missed messages.
    pub(super) fn report_gaps(&mut self, link: LinkId, moment: Moment) {
        for (name, key) in self.links.take_gaps(link) {
            self.channels.send_gap(link, &name, &key, moment, &mut self.effects.out);
        }
    }

    /// Applies a PRESENCE frame, all of it or nothing.
    fn update_presence(
        &mut self,
        caller: &Caller,
        serial: MsgSerial,
        frame: Frame,
        moment: Moment,
    ) -> Result<Outcome, ErrorInfo> {
        let Target { key, .. } =
            self.channels.target(caller.link, &caller.principal, frame.channel.as_ref(), Flags::PRESENCE)?;
        let mut update = PresenceUpdate {
            owner: caller.id.clone(),
            link: caller.link,
            serial,
            messages: frame.presence,
            max_members: self.authorizer.max_members(&key.app).unwrap_or(self.limits.members_per_channel),
            max_own: self.connections.max_members(&caller.id, &key),
            key: key.clone(),
        };
        let load = update.prepare(&caller.principal.identity, &self.limits)?;
        self.refusals.counters().messages_in.add(load.messages);
        self.budget.check(load.bytes.saturating_add(load.messages.saturating_mul(MESSAGE_BYTES)))?;
        if update.enters() {
            self.connections.check_present(&caller.id, &key)?;
        }
        let newcomer = self.check_new_channel(&key, Source::Connection(&caller.id), moment)?;
        let verdict = self.channels.update_presence(update, moment, &mut self.effects);
        self.note_new_channel(&key, newcomer, moment);
        let verdict = verdict?;
        self.connections.note_presence(&caller.id, &key, verdict, moment.now, &mut self.effects.timers);
        Ok(Outcome::Accepted)
    }
}

/// What a client is told whose frame cannot be read.
fn unreadable_error(error: &DecodeError) -> ErrorInfo {
    let code = match error {
        DecodeError::TooManyMessages { .. } => ErrorCode::TOO_MANY_MESSAGES,
        DecodeError::OutOfProportion => ErrorCode::MESSAGE_TOO_LARGE,
        _ => ErrorCode::INVALID_DATA,
    };
    let mut message = error.to_string();
    if message.len() > MOST_REPEATED {
        message.truncate(message.floor_char_boundary(MOST_REPEATED));
        message.push('…');
    }
    ErrorInfo::new(code, 400, message)
}
