//! The states of a channel, and how it gets from one to the next (`RTL3` to `RTL5`, `RTL12` to `RTL15`).

use web_time::Instant;

use super::{
    Client, Timer,
    channel::{Channel, Next},
    event::{ChannelChange, ChannelOptions, ChannelState, ConnectionState, Event},
};
use rooms_protocol::{Action, ChannelName, ErrorCode, ErrorInfo, Flags, Frame};

impl Client {
    pub(super) fn attach(&mut self, name: ChannelName, mut options: ChannelOptions, now: Instant) {
        // Only a release removes a key: default options, such as those of a question for members, keep it.
        if let Some(cipher) = options.cipher.take() {
            self.ciphers.insert(name.clone(), cipher);
        }
        let channel = self.channels.entry(name.clone()).or_default();
        let changed = !channel.options.asks_the_same(&options);
        channel.options = options;
        channel.release = false;
        match channel.state {
            ChannelState::Detaching => channel.next = Some(Next::Attach),
            ChannelState::Attaching | ChannelState::Attached => {
                channel.next = None;
                // New options of an attached channel are told in place (`RTL16a`).
                if changed && self.state() == ConnectionState::Connected {
                    self.send_attach(&name);
                    self.await_answer(&name, now);
                }
            }
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Suspended | ChannelState::Failed => {
                self.begin_attach(&name, now);
            }
        }
    }

    /// Attaches a channel, as far as the connection lets it. Where it does not, the channel goes where it would have
    /// gone with the connection (`RTL3`, `RTL4b`).
    fn begin_attach(&mut self, name: &ChannelName, now: Instant) {
        if let Some(channel) = self.channels.get_mut(name).filter(|channel| channel.state == ChannelState::Failed) {
            channel.error = None;
        }
        match self.state() {
            ConnectionState::Connected => self.attach_again(name, None, now),
            ConnectionState::Initialized | ConnectionState::Connecting | ConnectionState::Disconnected => {
                self.change_channel(name, ChannelState::Attaching, None);
            }
            ConnectionState::Suspended => {
                self.change_channel(name, ChannelState::Suspended, Some(self.unusable_connection()));
            }
            ConnectionState::Closing | ConnectionState::Closed => {
                self.change_channel(name, ChannelState::Detached, Some(self.unusable_connection()));
            }
            ConnectionState::Failed => {
                self.change_channel(name, ChannelState::Failed, Some(self.unusable_connection()));
            }
        }
    }

    /// Asks the server to attach the channel. Only while connected.
    pub(super) fn attach_again(&mut self, name: &ChannelName, reason: Option<ErrorInfo>, now: Instant) {
        self.change_channel(name, ChannelState::Attaching, reason);
        self.send_attach(name);
        self.await_answer(name, now);
    }

    fn send_attach(&mut self, name: &ChannelName) {
        if let Some(channel) = self.channels.get(name) {
            self.send(channel.attach_frame(name));
        }
    }

    fn await_answer(&mut self, name: &ChannelName, now: Instant) {
        self.timers.stop_channel(name);
        self.timers.start(Timer::ChannelAnswer(name.clone()), now, self.options.timing.request_timeout);
    }

    /// There is a new line, which has no channel attached yet: asks for all of them (`RTL3d`, `RTN19b`).
    pub(super) fn attach_all(&mut self, now: Instant) {
        for name in self.channels.keys().cloned().collect::<Vec<_>>() {
            match self.channel_state(&name) {
                ChannelState::Attaching | ChannelState::Attached | ChannelState::Suspended => {
                    self.attach_again(&name, None, now);
                }
                ChannelState::Detaching => self.send_detach(&name, now),
                ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {}
            }
        }
    }

    pub(super) fn detach(&mut self, name: &ChannelName, now: Instant) {
        let connected = self.state() == ConnectionState::Connected;
        let Some(channel) = self.channels.get_mut(name) else { return };
        match channel.state {
            ChannelState::Initialized | ChannelState::Detached => {}
            ChannelState::Attaching | ChannelState::Detaching if connected => channel.next = Some(Next::Detach),
            ChannelState::Attached if connected => self.begin_detach(name, now),
            // Refused (`RTL5b`); the change that changes nothing says why.
            ChannelState::Failed => {
                let reason = unusable_channel(ChannelState::Failed);
                let change = channel_change(name.clone(), ChannelState::Failed, ChannelState::Failed, Some(reason));
                self.emit(Event::Channel(change));
            }
            _ => self.change_channel(name, ChannelState::Detached, None),
        }
    }

    /// Detaches a channel and forgets it (`RTS4a`).
    pub(super) fn release(&mut self, name: &ChannelName, now: Instant) {
        self.ciphers.remove(name);
        let Some(channel) = self.channels.get_mut(name) else { return };
        channel.release = true;
        match channel.state {
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {
                self.change_channel(name, ChannelState::Initialized, None);
            }
            _ => self.detach(name, now),
        }
    }

    fn begin_detach(&mut self, name: &ChannelName, now: Instant) {
        self.change_channel(name, ChannelState::Detaching, None);
        self.send_detach(name, now);
    }

    fn send_detach(&mut self, name: &ChannelName, now: Instant) {
        self.send(Frame::for_channel(Action::Detach, name.clone()));
        self.await_answer(name, now);
    }

    /// The server attached a channel, or says that it did so anew.
    pub(super) fn attached(&mut self, frame: Frame, now: Instant) {
        let Some(name) = frame.channel.clone() else { return };
        match self.channel_state(&name) {
            ChannelState::Attaching | ChannelState::Suspended => self.became_attached(&name, frame, now),
            // Nothing was missed; it is the answer to new options, if anything (`RTL12`, `RTL16a`).
            ChannelState::Attached if frame.has(Flags::RESUMED) => {
                self.timers.stop_channel(&name);
                if let Some(channel) = self.channels.get_mut(&name) {
                    channel.take_attached(&frame);
                }
            }
            ChannelState::Attached => self.became_attached(&name, frame, now),
            // Nobody wants the channel: says so again (`RTL5k`).
            ChannelState::Detaching => self.send_detach(&name, now),
            ChannelState::Detached => self.begin_detach(&name, now),
            ChannelState::Initialized => {
                self.send(Frame::for_channel(Action::Detach, name));
            }
            ChannelState::Failed => {}
        }
    }

    fn became_attached(&mut self, name: &ChannelName, frame: Frame, now: Instant) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        channel.take_attached(&frame);
        channel.error = None;
        channel.backoff.reset();
        let next = channel.next.take();
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
        self.timers.stop_channel(name);
        self.emit(Event::Channel(change));
        let has_presence = frame.flags.is_some_and(|flags| flags.contains(Flags::HAS_PRESENCE));
        self.presence_attached(name, has_presence, frame.timestamp);
        if next == Some(Next::Detach) {
            self.begin_detach(name, now);
        }
    }

    /// The server detached a channel, because it was asked to or on its own.
    pub(super) fn detached(&mut self, frame: Frame, now: Instant) {
        let Some(name) = frame.channel else { return };
        let reason = frame.error.map(|error| *error);
        let Some(channel) = self.channels.get_mut(&name) else { return };
        match channel.state {
            ChannelState::Detaching if channel.next == Some(Next::Attach) => {
                // Questions were asked of the channel that is to be attached now.
                let (options, gets) = (channel.options.clone(), std::mem::take(&mut channel.gets));
                self.change_channel(&name, ChannelState::Detached, reason);
                self.channels.entry(name.clone()).or_default().gets = gets;
                self.attach(name, options, now);
            }
            ChannelState::Detaching => self.change_channel(&name, ChannelState::Detached, reason),
            ChannelState::Attached | ChannelState::Suspended => self.attach_again(&name, reason, now),
            ChannelState::Attaching => self.attach_failed(&name, reason, now),
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {}
        }
    }

    /// The server did not attach a channel; it is tried again after a while (`RTL13b`).
    fn attach_failed(&mut self, name: &ChannelName, reason: Option<ErrorInfo>, now: Instant) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if channel.next == Some(Next::Detach) {
            return self.change_channel(name, ChannelState::Detached, reason);
        }
        let wait = channel.backoff.next(self.options.timing.channel_retry, &mut self.rng);
        self.change_channel(name, ChannelState::Suspended, reason);
        self.timers.start(Timer::ChannelRetry(name.clone()), now, wait);
    }

    /// The server did not answer an attach or detach in time (`RTL4f`, `RTL5f`).
    pub(super) fn channel_timed_out(&mut self, name: &ChannelName, now: Instant) {
        let limit = self.options.timing.request_timeout;
        let message = format!("the server did not answer about the channel within {limit:?}");
        let reason = ErrorInfo::new(ErrorCode::CHANNEL_TIMEOUT, 408, message);
        match self.channel_state(name) {
            ChannelState::Attaching => self.attach_failed(name, Some(reason), now),
            ChannelState::Detaching => self.change_channel(name, ChannelState::Attached, Some(reason)),
            // The server did not answer to new options; what was attached before stands.
            ChannelState::Attached => {
                let state = ChannelState::Attached;
                let change = channel_change(name.clone(), state, state, Some(reason));
                self.emit(Event::Channel(ChannelChange { resumed: true, ..change }));
            }
            _ => {}
        }
    }

    /// The server ended a channel with an error (`RTL14`).
    pub(super) fn channel_error(&mut self, frame: Frame) {
        let Some(name) = frame.channel else { return };
        let reason = frame.error.map_or_else(
            || ErrorInfo::new(ErrorCode::INVALID_CHANNEL_STATE, 400, "the server ended the channel without a reason"),
            |error| *error,
        );
        if self.channels.contains_key(&name) {
            self.change_channel(&name, ChannelState::Failed, Some(reason));
        } else {
            log::debug!("error on the unknown channel {name}: {reason}");
        }
    }

    /// The connection is suspended, and its channels with it (`RTL3c`).
    pub(super) fn suspend_channels(&mut self, reason: &ErrorInfo) {
        let suspended = Some((ChannelState::Suspended, Some(reason.clone())));
        self.change_channels(|channel| match (channel.state, channel.next) {
            (ChannelState::Attaching, Some(Next::Detach)) => Some((ChannelState::Detached, None)),
            (ChannelState::Attaching | ChannelState::Attached, _) => suspended.clone(),
            (ChannelState::Detaching, Some(Next::Attach)) => suspended.clone(),
            (ChannelState::Detaching, _) => Some((ChannelState::Detached, None)),
            _ => None,
        });
    }

    /// The connection failed, and its channels with it (`RTL3a`).
    pub(super) fn fail_channels(&mut self, reason: &ErrorInfo) {
        self.change_channels(|channel| match channel.state {
            ChannelState::Detaching => Some((ChannelState::Detached, None)),
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => None,
            _ => Some((ChannelState::Failed, Some(reason.clone()))),
        });
    }

    /// The connection was closed, and its channels with it (`RTL3b`).
    pub(super) fn detach_channels(&mut self, reason: Option<&ErrorInfo>) {
        self.change_channels(|channel| match channel.state {
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => None,
            _ => Some((ChannelState::Detached, reason.cloned())),
        });
    }

    /// The connection is taken up afresh: no channel is attached, failed or remembered (`RTN11b`, `RTN11d`).
    pub(super) fn forget_channels(&mut self) {
        self.detach_channels(None);
        self.change_channels(|_| Some((ChannelState::Initialized, None)));
    }

    fn change_channels(&mut self, to: impl Fn(&Channel) -> Option<(ChannelState, Option<ErrorInfo>)>) {
        let change =
            |(name, channel): (&ChannelName, &Channel)| to(channel).map(|(state, why)| (name.clone(), state, why));
        for (name, state, reason) in self.channels.iter().filter_map(change).collect::<Vec<_>>() {
            self.change_channel(&name, state, reason);
        }
    }

    /// Messages may have been missed on every channel; the game is told as if each had been attached anew (`RTL12`).
    pub(super) fn lose_continuity(&mut self, reason: &ErrorInfo) {
        let attached = |channel: &Channel| channel.state == ChannelState::Attached;
        let names = self.channels.iter().filter(|(_, channel)| attached(channel)).map(|(name, _)| name.clone());
        for channel in names.collect::<Vec<_>>() {
            let state = ChannelState::Attached;
            self.emit(Event::Channel(channel_change(channel, state, state, Some(reason.clone()))));
        }
    }

    /// Brings a channel into a state, with all that goes with it, and tells. Attaching is told with more detail
    /// elsewhere.
    pub(super) fn change_channel(&mut self, name: &ChannelName, to: ChannelState, reason: Option<ErrorInfo>) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let previous = channel.state;
        if previous == to && reason.is_none() {
            return;
        }
        channel.state = to;
        if reason.is_some() {
            channel.error.clone_from(&reason);
        }
        let mut gets = Vec::new();
        match to {
            ChannelState::Attaching | ChannelState::Detaching => {}
            ChannelState::Attached => (channel.next, channel.release) = (None, false),
            ChannelState::Suspended => {
                channel.next = None;
                gets = std::mem::take(&mut channel.gets);
            }
            // Members and the place in the stream are forgotten (`RTL15b2`, `RTP5a`).
            ChannelState::Detached | ChannelState::Failed => {
                gets = std::mem::take(&mut channel.gets);
                let (options, error) = (std::mem::take(&mut channel.options), channel.error.take());
                let (release, attach_serial) = (channel.release, channel.attach_serial.take());
                *channel = Channel { state: to, options, error, release, attach_serial, ..Channel::default() };
            }
            ChannelState::Initialized => gets = std::mem::take(&mut channel.gets),
        }
        let is_released = to == ChannelState::Detached && channel.release;
        if is_released || to == ChannelState::Initialized {
            self.channels.remove(name);
        }
        self.timers.stop_channel(name);
        let change = ChannelChange {
            // Going back from an unanswered detach misses nothing.
            resumed: to == ChannelState::Attached,
            ..channel_change(name.clone(), previous, to, reason.clone())
        };
        self.emit(Event::Channel(change));
        if !matches!(to, ChannelState::Attaching | ChannelState::Attached | ChannelState::Detaching) {
            let reason = reason.unwrap_or_else(|| unusable_channel(to));
            self.end_held(name, &reason);
            self.end_gets(gets, &reason);
        }
    }
}

fn channel_change(
    channel: ChannelName,
    previous: ChannelState,
    current: ChannelState,
    reason: Option<ErrorInfo>,
) -> ChannelChange {
    let (resumed, has_backlog, modes) = (false, false, Flags::empty());
    ChannelChange { channel, previous, current, resumed, has_backlog, modes, reason }
}

/// Why an operation on a channel in this state is refused (`RTL6c4`, `RTP16c`).
pub(super) fn unusable_channel(state: ChannelState) -> ErrorInfo {
    let message = format!("the channel is {state:?}; attach it first");
    ErrorInfo::new(ErrorCode::INVALID_CHANNEL_STATE, 400, message)
}
