//! The states of a channel, and how it gets from one to the next (`RTL3` to `RTL5`, `RTL12` to `RTL15`).

use web_time::Instant;

use super::{
    Client, Timer,
    channel::{Channel, Next},
    event::{ChannelChange, ChannelOptions, ChannelState, ConnectionState, Event},
};
use crate::protocol::{Action, ChannelName, ErrorCode, ErrorInfo, Flags, Frame};

impl Client {
    pub(super) fn attach(&mut self, name: ChannelName, options: ChannelOptions, now: Instant) {
        let channel = self.channels.entry(name.clone()).or_default();
        let changed = channel.options != options;
        channel.options = options;
        match channel.state {
            ChannelState::Detaching => channel.next = Some(Next::Attach),
            ChannelState::Attaching | ChannelState::Attached => {
                channel.next = None;
                // New options of an attached channel are told in place (`RTL16a`).
                if changed && self.state() == ConnectionState::Connected {
                    self.send_attach(&name);
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
            ChannelState::Attaching | ChannelState::Detaching if connected => channel.next = Some(Next::Detach),
            ChannelState::Attached if connected => self.begin_detach(name, now),
            ChannelState::Failed => self.change_channel(name, ChannelState::Initialized, None),
            _ => self.change_channel(name, ChannelState::Detached, None),
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
            ChannelState::Attached if frame.has(Flags::RESUMED) => {
                if let Some(channel) = self.channels.get_mut(&name) {
                    channel.advance(&frame);
                }
            }
            ChannelState::Attached => self.became_attached(&name, frame, now),
            // Nobody wants the channel: says so again (`RTL5k`).
            ChannelState::Detaching => self.send_detach(&name, now),
            ChannelState::Initialized | ChannelState::Detached => {
                self.send(Frame::for_channel(Action::Detach, name));
            }
            ChannelState::Failed => {}
        }
    }

    fn became_attached(&mut self, name: &ChannelName, frame: Frame, now: Instant) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        channel.advance(&frame);
        channel.backoff.reset();
        let next = channel.next.take();
        let change = ChannelChange {
            channel: name.clone(),
            previous: channel.state,
            current: ChannelState::Attached,
            resumed: frame.has(Flags::RESUMED),
            has_backlog: frame.has(Flags::HAS_BACKLOG),
            modes: frame.flags.unwrap_or_default().modes(),
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
        let Some(channel) = self.channels.get(&name) else { return };
        let (options, next) = (channel.options.clone(), channel.next);
        match channel.state {
            ChannelState::Detaching => {
                self.change_channel(&name, ChannelState::Detached, reason);
                if next == Some(Next::Attach) {
                    self.attach(name, options, now);
                }
            }
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
            ChannelState::Failed => None,
            _ => Some((ChannelState::Failed, Some(reason.clone()))),
        });
    }

    /// The connection was closed, and its channels with it (`RTL3b`).
    pub(super) fn detach_channels(&mut self, reason: Option<&ErrorInfo>) {
        self.change_channels(|channel| match channel.state {
            ChannelState::Failed => None,
            _ => Some((ChannelState::Detached, reason.cloned())),
        });
    }

    /// The connection is taken up afresh: no channel is attached, failed or remembered (`RTN11d`).
    pub(super) fn forget_channels(&mut self) {
        self.change_channels(|channel| match channel.state {
            ChannelState::Failed => Some((ChannelState::Initialized, None)),
            _ => Some((ChannelState::Detached, None)),
        });
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
        match to {
            ChannelState::Attaching | ChannelState::Detaching => {}
            ChannelState::Attached | ChannelState::Suspended => channel.next = None,
            // Only the failure is remembered (`RTL15b2`, `RTP5a`).
            ChannelState::Failed => *channel = Channel { state: to, ..Channel::default() },
            ChannelState::Initialized | ChannelState::Detached => {
                self.channels.remove(name);
            }
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
