//! The states of a channel, and how it gets from one to the next (`RTL3` to `RTL5`, `RTL12` to `RTL15`).

use super::{Channel, ChannelContext, Channels, PendingRequest, member_queries::MemberQueries};
use crate::{
    command::ChannelOptions,
    error::{unusable_channel, unusable_connection},
    event::{ChannelChange, ChannelState, ConnectionState, Event},
    timer::Timer,
};
use rooms_protocol::{Action, ChannelName, ErrorCode, ErrorInfo, Flags, Frame};

impl Channel {
    /// Brings the channel into a state, and gives the questions that nobody will answer now.
    fn enter(&mut self, to: ChannelState, reason: Option<&ErrorInfo>) -> MemberQueries {
        self.state = to;
        if reason.is_some() {
            self.error = reason.cloned();
        }
        match to {
            ChannelState::Attaching | ChannelState::Detaching => MemberQueries::default(),
            ChannelState::Attached => {
                (self.pending, self.release) = (None, false);
                MemberQueries::default()
            }
            ChannelState::Suspended => {
                self.pending = None;
                std::mem::take(&mut self.queries)
            }
            // Members and the place in the stream are forgotten (`RTL15b2`, `RTP5a`).
            ChannelState::Detached | ChannelState::Failed => {
                let before = std::mem::take(self);
                let Channel { options, error, release, attach_serial, queries, .. } = before;
                *self = Channel { state: to, options, error, release, attach_serial, ..Channel::default() };
                queries
            }
            ChannelState::Initialized => std::mem::take(&mut self.queries),
        }
    }

    /// Whether it is forgotten in its present state.
    fn is_over(&self) -> bool {
        self.state == ChannelState::Initialized || (self.state == ChannelState::Detached && self.release)
    }
}

impl Channels {
    /// Attaches a channel, or changes the options of an attached one (`RTL4`, `RTL16`).
    pub(crate) fn attach(&mut self, name: &ChannelName, mut options: ChannelOptions, cx: &mut ChannelContext<'_>) {
        // Only a release removes a key: default options, such as those of a question for members, keep it.
        if let Some(cipher) = options.cipher.take() {
            self.ciphers.insert(name.clone(), cipher);
        }
        let channel = self.known.entry(name.clone()).or_default();
        let changed = !channel.options.asks_the_same(&options);
        channel.options = options;
        channel.release = false;
        match channel.state {
            ChannelState::Detaching => channel.pending = Some(PendingRequest::Attach),
            ChannelState::Attaching | ChannelState::Attached => {
                channel.pending = None;
                // New options of an attached channel are told in place (`RTL16a`).
                if changed && cx.connectivity.is_connected() {
                    self.send_attach(name, cx);
                }
            }
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Suspended | ChannelState::Failed => {
                self.begin_attach(name, cx);
            }
        }
    }

    /// Attaches a channel, as far as the connection lets it. Where it does not, the channel goes where it would have
    /// gone with the connection (`RTL3`, `RTL4b`).
    fn begin_attach(&mut self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        if let Some(channel) = self.known.get_mut(name).filter(|channel| channel.state == ChannelState::Failed) {
            channel.error = None;
        }
        let connection = cx.connectivity.state;
        let to = match connection {
            ConnectionState::Connected => return self.attach_again(name, None, cx),
            ConnectionState::Initialized | ConnectionState::Connecting | ConnectionState::Disconnected => {
                return self.change(name, ChannelState::Attaching, None, cx);
            }
            ConnectionState::Suspended => ChannelState::Suspended,
            ConnectionState::Closing | ConnectionState::Closed => ChannelState::Detached,
            ConnectionState::Failed => ChannelState::Failed,
        };
        self.change(name, to, Some(unusable_connection(connection)), cx);
    }

    /// Asks the server to attach the channel. Only while connected.
    pub(crate) fn attach_again(&mut self, name: &ChannelName, reason: Option<ErrorInfo>, cx: &mut ChannelContext<'_>) {
        self.change(name, ChannelState::Attaching, reason, cx);
        self.send_attach(name, cx);
    }

    fn send_attach(&self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        if let Some(channel) = self.known.get(name) {
            cx.base.effects.send(channel.attach_frame(name));
        }
        await_answer(name, cx);
    }

    /// Attaches a channel with the options that it has.
    pub(crate) fn attach_as_before(&mut self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        let options = self.known.get(name).map(|channel| channel.options.clone()).unwrap_or_default();
        self.attach(name, options, cx);
    }

    /// The client connected on a new socket, where no channel is attached yet: asks for all of them (`RTL3d`, `RTN19b`).
    pub(crate) fn attach_all(&mut self, cx: &mut ChannelContext<'_>) {
        for name in self.known.keys().cloned().collect::<Vec<_>>() {
            match self.state(&name) {
                ChannelState::Attaching | ChannelState::Attached | ChannelState::Suspended => {
                    self.attach_again(&name, None, cx);
                }
                ChannelState::Detaching => send_detach(&name, cx),
                ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {}
            }
        }
    }

    /// Detaches a channel (`RTL5`).
    pub(crate) fn detach(&mut self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        let connected = cx.connectivity.is_connected();
        let Some(channel) = self.known.get_mut(name) else { return };
        match channel.state {
            ChannelState::Initialized | ChannelState::Detached => {}
            ChannelState::Attaching | ChannelState::Detaching if connected => {
                channel.pending = Some(PendingRequest::Detach);
            }
            ChannelState::Attached if connected => self.begin_detach(name, cx),
            // Refused (`RTL5b`); the change that changes nothing says why.
            ChannelState::Failed => {
                let reason = unusable_channel(ChannelState::Failed);
                let change = unchanged(name.clone(), ChannelState::Failed, reason);
                cx.base.effects.emit(Event::Channel(change));
            }
            _ => self.change(name, ChannelState::Detached, None, cx),
        }
    }

    /// Detaches a channel and forgets it (`RTS4a`).
    pub(crate) fn release(&mut self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        self.ciphers.remove(name);
        let Some(channel) = self.known.get_mut(name) else { return };
        channel.release = true;
        match channel.state {
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {
                self.change(name, ChannelState::Initialized, None, cx);
            }
            _ => self.detach(name, cx),
        }
    }

    fn begin_detach(&mut self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        self.change(name, ChannelState::Detaching, None, cx);
        send_detach(name, cx);
    }

    /// The server attached a channel, or attached it again.
    pub(crate) fn on_attached(&mut self, frame: Frame, cx: &mut ChannelContext<'_>) {
        let Some(name) = frame.channel.clone() else { return };
        match self.state(&name) {
            ChannelState::Attaching | ChannelState::Suspended => self.become_attached(&name, frame, cx),
            // Nothing was missed; it is the answer to new options, if anything (`RTL12`, `RTL16a`).
            ChannelState::Attached if frame.has(Flags::RESUMED) => {
                cx.base.timers.stop_channel(&name);
                if let Some(channel) = self.known.get_mut(&name) {
                    channel.apply_attached(&frame);
                }
            }
            ChannelState::Attached => self.become_attached(&name, frame, cx),
            // Nobody wants the channel: asks again to detach it (`RTL5k`).
            ChannelState::Detaching => send_detach(&name, cx),
            ChannelState::Detached => self.begin_detach(&name, cx),
            ChannelState::Initialized => cx.base.effects.send(Frame::for_channel(Action::Detach, name)),
            ChannelState::Failed => {}
        }
    }

    fn become_attached(&mut self, name: &ChannelName, frame: Frame, cx: &mut ChannelContext<'_>) {
        let Some(channel) = self.known.get_mut(name) else { return };
        channel.apply_attached(&frame);
        channel.error = None;
        channel.backoff.reset();
        let pending = channel.pending.take();
        let change = ChannelChange {
            channel: name.clone(),
            previous: channel.state,
            current: ChannelState::Attached,
            resumed: frame.has(Flags::RESUMED),
            has_backlog: frame.has(Flags::HAS_BACKLOG),
            modes: channel.modes,
            reason: frame.error.map(|error| *error),
        };
        channel.state = ChannelState::Attached;
        cx.base.timers.stop_channel(name);
        cx.base.effects.emit(Event::Channel(change));
        let has_presence = frame.flags.is_some_and(|flags| flags.contains(Flags::HAS_PRESENCE));
        self.begin_presence(name, has_presence, frame.timestamp, cx);
        if pending == Some(PendingRequest::Detach) {
            self.begin_detach(name, cx);
        }
    }

    /// The server detached a channel, because it was asked to or on its own.
    pub(crate) fn on_detached(&mut self, frame: Frame, cx: &mut ChannelContext<'_>) {
        let Some(name) = frame.channel else { return };
        let reason = frame.error.map(|error| *error);
        let Some(channel) = self.known.get_mut(&name) else { return };
        match channel.state {
            ChannelState::Detaching if channel.pending == Some(PendingRequest::Attach) => {
                // The questions are about the channel that is attached next.
                let (options, queries) = (channel.options.clone(), std::mem::take(&mut channel.queries));
                self.change(&name, ChannelState::Detached, reason, cx);
                self.known.entry(name.clone()).or_default().queries = queries;
                self.attach(&name, options, cx);
            }
            ChannelState::Detaching => self.change(&name, ChannelState::Detached, reason, cx),
            ChannelState::Attached | ChannelState::Suspended => self.attach_again(&name, reason, cx),
            ChannelState::Attaching => self.attach_failed(&name, reason, cx),
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {}
        }
    }

    /// The server did not attach a channel; it is tried again after a while (`RTL13b`).
    fn attach_failed(&mut self, name: &ChannelName, reason: Option<ErrorInfo>, cx: &mut ChannelContext<'_>) {
        let Some(channel) = self.known.get_mut(name) else { return };
        if channel.pending == Some(PendingRequest::Detach) {
            return self.change(name, ChannelState::Detached, reason, cx);
        }
        let wait = channel.backoff.next(cx.base.options.timing.channel_retry, cx.base.rng);
        self.change(name, ChannelState::Suspended, reason, cx);
        cx.base.start(Timer::ChannelRetry(name.clone()), wait);
    }

    /// The server did not answer an attach or detach in time (`RTL4f`, `RTL5f`).
    pub(crate) fn on_answer_timeout(&mut self, name: &ChannelName, cx: &mut ChannelContext<'_>) {
        let limit = cx.base.options.timing.request_timeout;
        let message = format!("the server did not answer about the channel within {limit:?}");
        let reason = ErrorInfo::new(ErrorCode::CHANNEL_TIMEOUT, 408, message);
        match self.state(name) {
            ChannelState::Attaching => self.attach_failed(name, Some(reason), cx),
            ChannelState::Detaching => self.change(name, ChannelState::Attached, Some(reason), cx),
            // The server did not answer to new options; the channel stays attached as it was.
            ChannelState::Attached => {
                let change = unchanged(name.clone(), ChannelState::Attached, reason);
                cx.base.effects.emit(Event::Channel(ChannelChange { resumed: true, ..change }));
            }
            _ => {}
        }
    }

    /// The server ended a channel with an error (`RTL14`).
    pub(crate) fn on_error(&mut self, frame: Frame, cx: &mut ChannelContext<'_>) {
        let Some(name) = frame.channel else { return };
        let reason = frame.error.map_or_else(
            || ErrorInfo::new(ErrorCode::INVALID_CHANNEL_STATE, 400, "the server ended the channel without a reason"),
            |error| *error,
        );
        if self.known.contains_key(&name) {
            self.change(&name, ChannelState::Failed, Some(reason), cx);
        } else {
            log::debug!("error on the unknown channel {name}: {reason}");
        }
    }

    /// The connection is suspended, and its channels with it (`RTL3c`).
    pub(crate) fn suspend_all(&mut self, reason: &ErrorInfo, cx: &mut ChannelContext<'_>) {
        let suspended = Some((ChannelState::Suspended, Some(reason.clone())));
        self.change_all(
            |channel| match (channel.state, channel.pending) {
                (ChannelState::Attaching, Some(PendingRequest::Detach)) => Some((ChannelState::Detached, None)),
                (ChannelState::Attaching | ChannelState::Attached, _) => suspended.clone(),
                (ChannelState::Detaching, Some(PendingRequest::Attach)) => suspended.clone(),
                (ChannelState::Detaching, _) => Some((ChannelState::Detached, None)),
                _ => None,
            },
            cx,
        );
    }

    /// The connection failed, and its channels with it (`RTL3a`).
    pub(crate) fn fail_all(&mut self, reason: &ErrorInfo, cx: &mut ChannelContext<'_>) {
        self.change_all(
            |channel| match channel.state {
                ChannelState::Detaching => Some((ChannelState::Detached, None)),
                ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => None,
                _ => Some((ChannelState::Failed, Some(reason.clone()))),
            },
            cx,
        );
    }

    /// The connection was closed, and its channels with it (`RTL3b`).
    pub(crate) fn detach_all(&mut self, reason: Option<&ErrorInfo>, cx: &mut ChannelContext<'_>) {
        self.change_all(
            |channel| match channel.state {
                ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => None,
                _ => Some((ChannelState::Detached, reason.cloned())),
            },
            cx,
        );
    }

    /// A new connection begins: no channel is attached, failed or remembered (`RTN11b`, `RTN11d`).
    pub(crate) fn forget_all(&mut self, cx: &mut ChannelContext<'_>) {
        self.detach_all(None, cx);
        self.change_all(|_| Some((ChannelState::Initialized, None)), cx);
    }

    fn change_all(
        &mut self,
        to: impl Fn(&Channel) -> Option<(ChannelState, Option<ErrorInfo>)>,
        cx: &mut ChannelContext<'_>,
    ) {
        let change =
            |(name, channel): (&ChannelName, &Channel)| to(channel).map(|(state, why)| (name.clone(), state, why));
        for (name, state, reason) in self.known.iter().filter_map(change).collect::<Vec<_>>() {
            self.change(&name, state, reason, cx);
        }
    }

    /// Messages may have been missed on every channel; the game is told as if each had been attached again (`RTL12`).
    pub(crate) fn lose_continuity(&self, reason: &ErrorInfo, cx: &mut ChannelContext<'_>) {
        for (name, _) in self.known.iter().filter(|(_, channel)| channel.is_attached()) {
            let change = unchanged(name.clone(), ChannelState::Attached, reason.clone());
            cx.base.effects.emit(Event::Channel(change));
        }
    }

    /// Brings a channel into a state, with all that goes with it, and tells the game. What goes with being attached by the
    /// server is in `become_attached`.
    fn change(&mut self, name: &ChannelName, to: ChannelState, reason: Option<ErrorInfo>, cx: &mut ChannelContext<'_>) {
        let Some(channel) = self.known.get_mut(name) else { return };
        let previous = channel.state;
        if previous == to && reason.is_none() {
            return;
        }
        let unanswered = channel.enter(to, reason.as_ref());
        if channel.is_over() {
            self.known.remove(name);
        }
        cx.base.timers.stop_channel(name);
        cx.base.effects.emit(Event::Channel(ChannelChange {
            channel: name.clone(),
            previous,
            current: to,
            // Going back from an unanswered detach misses nothing.
            resumed: to == ChannelState::Attached,
            has_backlog: false,
            modes: Flags::empty(),
            reason: reason.clone(),
        }));
        if !matches!(to, ChannelState::Attaching | ChannelState::Attached | ChannelState::Detaching) {
            let reason = reason.unwrap_or_else(|| unusable_channel(to));
            cx.outbox.fail_held(name, &reason, cx.base.effects);
            unanswered.fail(&reason, cx.base.effects);
        }
    }
}

fn send_detach(name: &ChannelName, cx: &mut ChannelContext<'_>) {
    cx.base.effects.send(Frame::for_channel(Action::Detach, name.clone()));
    await_answer(name, cx);
}

fn await_answer(name: &ChannelName, cx: &mut ChannelContext<'_>) {
    cx.base.timers.stop_channel(name);
    cx.base.start_request_timeout(Timer::ChannelAnswer(name.clone()));
    if !cx.base.timers.runs(&Timer::Doubt) {
        cx.base.start_doubt();
    }
}

/// A change that says something and changes no state.
fn unchanged(channel: ChannelName, state: ChannelState, reason: ErrorInfo) -> ChannelChange {
    ChannelChange {
        channel,
        previous: state,
        current: state,
        resumed: false,
        has_backlog: false,
        modes: Flags::empty(),
        reason: Some(reason),
    }
}
