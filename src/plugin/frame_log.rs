//! The log of recent frames, for an inspector or a game's own view.
//!
//! Decides what it keeps of a frame, and how many. It shows nothing. Without [`FrameLogPlugin`], and while nobody
//! [watches](FrameLog::watch), the plugin copies no frame.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use bevy::prelude::*;
use web_time::Instant;

use super::{engine::RoomsEngine, room, schedule::RoomsSystems};
pub use crate::bridge::FrameDirection;
use crate::{
    bridge::TappedFrame,
    protocol::{Action, ChannelName, Format, Frame, PresenceMessage},
};

/// The most frames that the log keeps. A busy room makes as many in half a minute.
pub const MAX_FRAMES: usize = 2000;

/// The most bytes of JSON text that the log keeps, over all frames.
pub const MAX_FRAME_TEXT: usize = 8 * 1024 * 1024;

/// The longest summary of a frame, in characters.
const MAX_SUMMARY: usize = 80;

/// Keeps a [`FrameLog`]. Add it after [`RoomsPlugin`](super::RoomsPlugin), and [watch](FrameLog::watch) to begin.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_rooms::{plugin::{FrameLog, FrameLogPlugin}, prelude::*};
///
/// let mut app = App::new();
/// app.add_plugins((MinimalPlugins, RoomsPlugin::default(), FrameLogPlugin));
/// app.world_mut().resource_mut::<FrameLog>().watch(true);
/// app.add_systems(Last, |log: Res<FrameLog>| {
///     if let Some(frame) = log.iter().last() {
///         println!("{:?} {:?} {}", frame.direction, frame.action, frame.text);
///     }
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameLogPlugin;

impl Plugin for FrameLogPlugin {
    fn build(&self, app: &mut App) {
        // It also runs in `PreStartup`, so that a game that connects in `Startup` logs the first frame.
        app.init_resource::<FrameLog>()
            .add_systems(PreStartup, gather)
            .add_systems(PreUpdate, gather.after(room::take_in).in_set(RoomsSystems::Receive));
    }
}

/// The recent frames, the oldest first, while somebody watches. They contain no secrets.
#[derive(Resource, Clone, Debug, Default)]
pub struct FrameLog {
    watching: bool,
    frames: VecDeque<LoggedFrame>,
    /// Bytes of text, over all frames.
    text: usize,
    missed: u64,
    /// The time of the first frame.
    began: Option<Instant>,
    next: u64,
}

/// One frame that was sent or received.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoggedFrame {
    /// Its number, counted from 0. It stays the same when older frames are dropped.
    pub number: u64,
    /// The time since the log's first frame.
    pub at: Duration,
    /// Whether it was sent or received.
    pub direction: FrameDirection,
    /// Its length on the wire, in bytes.
    pub bytes: usize,
    /// Its action; `None` if it could not be read.
    pub action: Option<Action>,
    /// Its channel; `None` if it is about the connection.
    pub channel: Option<ChannelName>,
    /// A short summary: the messages' names, the members' actions, or the error.
    pub summary: String,
    /// The frame as JSON, with its payloads decoded. For a frame that could not be read, the reason.
    pub text: String,
}

impl FrameLog {
    /// Begins to log frames, or stops logging them. Logged frames stay.
    pub fn watch(&mut self, watch: bool) {
        self.watching = watch;
    }

    /// Whether frames are logged.
    pub fn is_watching(&self) -> bool {
        self.watching
    }

    /// The frames, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &LoggedFrame> + ExactSizeIterator {
        self.frames.iter()
    }

    /// One frame, if the log still has it.
    pub fn get(&self, number: u64) -> Option<&LoggedFrame> {
        let first = self.frames.front()?.number;
        self.frames.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// The number of frames, at most [`MAX_FRAMES`].
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The number of frames that were not logged, because the game stood still.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The channels of the frames, in order.
    pub fn channels(&self) -> BTreeSet<&ChannelName> {
        self.frames.iter().filter_map(|frame| frame.channel.as_ref()).collect()
    }

    /// Removes all frames. Numbers go on.
    pub fn clear(&mut self) {
        self.frames.clear();
        (self.text, self.missed) = (0, 0);
    }

    fn take_in(&mut self, frame: TappedFrame) {
        let began = *self.began.get_or_insert(frame.at);
        let logged = LoggedFrame {
            number: self.next,
            at: frame.at.saturating_duration_since(began),
            direction: frame.direction,
            bytes: frame.bytes,
            action: frame.content.as_ref().ok().map(|frame| frame.action),
            channel: frame.content.as_ref().ok().and_then(|frame| frame.channel.clone()),
            summary: frame.content.as_ref().map_or_else(|_| "cannot be read".to_owned(), |frame| summary(frame)),
            text: frame.content.map_or_else(|why| why, |frame| readable(*frame)),
        };
        self.next += 1;
        self.text += logged.text.len();
        self.frames.push_back(logged);
        while self.frames.len() > MAX_FRAMES || self.text > MAX_FRAME_TEXT {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.text -= oldest.text.len();
        }
    }
}

/// Switches the copying of frames on or off, and takes the copies that wait.
fn gather(mut engine: ResMut<RoomsEngine>, mut log: ResMut<FrameLog>, mut watches: Local<bool>) {
    let watching = log.watching;
    if !watching && !*watches {
        return;
    }
    *watches = watching;
    let Some((frames, missed)) = engine.take_frames(watching) else { return };
    for frame in frames {
        log.take_in(frame);
    }
    if missed > 0 {
        log.missed += missed;
    }
}

/// A short summary of a frame.
fn summary(frame: &Frame) -> String {
    let messages = frame.messages.iter().map(|message| message.name.clone().unwrap_or_else(|| "(no name)".to_owned()));
    let presence = frame.presence.iter().map(|presence| format!("{:?} {}", presence.action, member(presence)));
    let error = frame.error.as_ref().map(|error| error.to_string());
    let mut words = messages.chain(presence).chain(error).collect::<Vec<_>>().join(", ");
    if let Some((end, _)) = words.char_indices().nth(MAX_SUMMARY) {
        words.truncate(end);
        words.push('…');
    }
    words
}

fn member(presence: &PresenceMessage) -> &str {
    presence.client_id.as_ref().map_or("somebody", |id| id.as_str())
}

/// A frame as JSON text, with its payloads decoded: JSON as JSON, and bytes as base64.
fn readable(mut frame: Frame) -> String {
    let messages = frame.messages.iter_mut().map(|message| (&mut message.data, &mut message.encoding));
    let presence = frame.presence.iter_mut().map(|presence| (&mut presence.data, &mut presence.encoding));
    for (data, encoding) in messages.chain(presence) {
        let Some(wire) = data.take() else { continue };
        // An encoding that cannot be undone, such as a cipher, is shown as it is.
        let (plain, rest, _) = wire.decode(encoding.as_deref());
        let (shown, rest) = match plain.as_json() {
            Some(_) => (plain, rest),
            None => plain.into_frame(rest, Format::Json),
        };
        *data = Some(shown);
        *encoding = rest;
    }
    // This cannot fail: every part of a frame writes itself as JSON with string keys.
    serde_json::to_string(&frame).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::{Data, Message};

    fn tapped(content: Result<Frame, String>) -> TappedFrame {
        let content = content.map(Box::new);
        TappedFrame { at: crate::bridge::now(), direction: FrameDirection::In, bytes: 7, content }
    }

    fn message(data: Data, encoding: Option<&str>) -> Frame {
        let mut frame = Frame::for_channel(Action::Message, "room:den".into());
        frame.messages = vec![Message { encoding: encoding.map(str::to_owned), ..Message::new("move", data) }];
        frame
    }

    fn logged(frame: Frame) -> LoggedFrame {
        let mut log = FrameLog::default();
        log.take_in(tapped(Ok(frame)));
        log.frames.remove(0).unwrap()
    }

    #[test]
    fn a_frame_is_logged_with_its_payload_as_what_it_stands_for() {
        let frame = logged(message(Data::from(r#"{"x":1}"#), Some("json")));
        assert_eq!((frame.action, frame.summary.as_str()), (Some(Action::Message), "move"));
        let value: serde_json::Value = serde_json::from_str(&frame.text).unwrap();
        assert_eq!(
            value,
            json!({"action": 15, "channel": "room:den", "messages": [{"name": "move", "data": {"x": 1}}]})
        );
    }

    #[test]
    fn bytes_are_shown_as_base64_and_what_cannot_be_undone_as_it_is() {
        assert!(logged(message(Data::from(vec![1, 2, 3]), None)).text.contains(r#""data":"AQID","encoding":"base64""#));
        let frame = logged(message(Data::from("AQID"), Some("cipher+aes-256-cbc/base64")));
        assert!(frame.text.contains(r#""data":"AQID","encoding":"cipher+aes-256-cbc/base64""#), "{}", frame.text);
    }

    #[test]
    fn the_log_keeps_the_latest_frames_and_their_numbers() {
        let mut log = FrameLog::default();
        (0..MAX_FRAMES + 5).for_each(|_| log.take_in(tapped(Ok(Frame::new(Action::Ack)))));
        assert_eq!(log.len(), MAX_FRAMES);
        assert_eq!((log.get(4), log.get(5).map(|frame| frame.number)), (None, Some(5)));
        log.clear();
        log.take_in(tapped(Ok(Frame::new(Action::Ack))));
        assert_eq!(log.iter().next().map(|frame| frame.number), Some(MAX_FRAMES as u64 + 5));
    }

    #[test]
    fn large_frames_do_not_fill_the_memory() {
        let mut log = FrameLog::default();
        let large = "x".repeat(MAX_FRAME_TEXT / 10);
        (0..30).for_each(|_| log.take_in(tapped(Ok(message(Data::from(large.as_str()), None)))));
        assert!(log.len() < 10 && log.text <= MAX_FRAME_TEXT, "{} frames", log.len());
    }

    #[test]
    fn what_could_not_be_read_is_logged_with_the_reason() {
        let mut log = FrameLog::default();
        log.take_in(tapped(Err("it is no JSON".to_owned())));
        let frame = log.get(0).unwrap();
        assert_eq!((frame.action, frame.text.as_str()), (None, "it is no JSON"));
    }

    #[test]
    fn a_long_summary_is_cut() {
        let mut frame = Frame::new(Action::Message);
        frame.messages = (0..100).map(|_| Message::new("ä-message", "x")).collect();
        assert_eq!(summary(&frame).chars().count(), MAX_SUMMARY + 1);
    }
}
