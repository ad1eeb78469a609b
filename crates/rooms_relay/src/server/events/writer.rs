//! Frames as events: server-sent events, or objects of JSON on lines of their own.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::position::{self, Reached};
use crate::http::with_help;
use rooms_protocol::{Action, ChannelName, ChannelSerial, Data, ErrorInfo, Flags, Format, Frame};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As server-sent events.
    Events,
    /// As an object of JSON on each line.
    Lines,
}

impl Form {
    /// The media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }
}

/// A channel of a stream.
#[derive(Debug)]
pub(super) struct Followed {
    /// Its name, as the client has it.
    pub(super) name: ChannelName,
    /// The options with which it is attached.
    pub(super) params: BTreeMap<SmolStr, String>,
    /// How far the stream has come.
    reached: Reached,
    /// The serial with which it is attached, where the client had an event before.
    serial: Option<ChannelSerial>,
}

impl Followed {
    /// A channel from now on.
    pub(super) fn new(name: ChannelName, params: BTreeMap<SmolStr, String>) -> Self {
        Self { name, params, reached: Reached::default(), serial: None }
    }

    /// The frame that attaches it, to receive alone.
    fn attachment(&self) -> Frame {
        Frame {
            flags: Some(Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE),
            params: self.params.clone(),
            channel_serial: self.serial.clone(),
            ..Frame::for_channel(Action::Attach, self.name.clone())
        }
    }
}

/// Writes the events of one stream.
#[derive(Debug)]
pub(super) struct EventWriter {
    form: Form,
    is_enveloped: bool,
    has_heartbeats: bool,
    channels: Vec<Followed>,
    /// The name of this relay, which all its serials carry.
    relay: String,
}

/// A message with the channel that it came on.
#[derive(Serialize)]
struct Enveloped<'a, T> {
    channel: &'a ChannelName,
    #[serde(flatten)]
    message: &'a T,
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// What an event holds.
enum Content<'a> {
    /// A text.
    Text(&'a str),
    /// The text of a JSON object.
    Json(&'a str),
}

impl EventWriter {
    pub(super) fn new(form: Form, is_enveloped: bool, has_heartbeats: bool, channels: Vec<Followed>) -> Self {
        Self { form, is_enveloped, has_heartbeats, channels, relay: String::new() }
    }

    /// Goes on after the event with this id. After one that this stream cannot have had, the hub says that events are missing.
    pub(super) fn resume(&mut self, id: Option<&str>) {
        let Some(id) = id.filter(|id| !id.is_empty()) else { return };
        match position::parse(id, self.channels.len()) {
            Some(parsed) => {
                for (channel, (reached, serial)) in self.channels.iter_mut().zip(parsed) {
                    channel.reached = reached;
                    channel.serial = Some(serial);
                }
            }
            None => self.channels.iter_mut().for_each(|channel| channel.serial = Some(ChannelSerial::from(id))),
        }
    }

    /// The frames that attach all channels.
    pub(super) fn attachments(&self) -> Vec<Frame> {
        self.channels.iter().map(Followed::attachment).collect()
    }

    /// Writes what a frame says, if that is anything for the client. Returns whether the stream ends with it.
    pub(super) fn write(&mut self, mut frame: Frame, out: &mut Vec<u8>) -> bool {
        match frame.action {
            Action::Message | Action::Presence => {
                frame.inherit();
                self.write_messages(frame, out);
                false
            }
            Action::Attached => {
                self.note_attached(&frame);
                // Without continuity, or with messages left out: the stream goes on all the same.
                if let Some(error) = frame.error {
                    self.write_error(*error, out);
                }
                false
            }
            Action::Error | Action::Disconnected => {
                if let Some(error) = frame.error {
                    self.write_error(*error, out);
                }
                true
            }
            Action::Closed => true,
            // Members that were there before are for those who keep a list of them.
            _ => false,
        }
    }

    /// Writes a sign of life.
    pub(super) fn write_liveness(&self, out: &mut Vec<u8>) {
        match (self.form, self.has_heartbeats) {
            (_, true) => self.write_event(None, "heartbeat", None, out),
            (Form::Events, false) => out.extend_from_slice(b":keepalive\n\n"),
            (Form::Lines, false) => out.push(b'\n'),
        }
    }

    fn write_error(&self, error: ErrorInfo, out: &mut Vec<u8>) {
        // This cannot fail: an error holds texts and numbers.
        let text = serde_json::to_string(&with_help(error)).unwrap_or_default();
        self.write_event(None, "error", Some(Content::Json(&text)), out);
    }

    /// Notes where the stream begins on a channel before its first event is written.
    pub(super) fn note_start(&mut self, attached: &Frame) {
        let Some(serial) = &attached.channel_serial else { return };
        self.note_relay(serial);
        let followed = self.channels.iter_mut().find(|channel| Some(&channel.name) == attached.channel.as_ref());
        if let (Some(channel), Some(reached)) = (followed, Reached::end_of(serial))
            && channel.reached == Reached::default()
        {
            channel.reached = reached;
        }
    }

    fn note_relay(&mut self, serial: &ChannelSerial) {
        if let Some((_, relay)) = serial.as_str().split_once('@') {
            relay.clone_into(&mut self.relay);
        }
    }

    /// Notes where the stream begins on a channel. What comes after it is sent.
    fn note_attached(&mut self, frame: &Frame) {
        let Some(serial) = &frame.channel_serial else { return };
        self.note_relay(serial);
        let attached = self.channels.iter_mut().find(|channel| Some(&channel.name) == frame.channel.as_ref());
        let Some(channel) = attached else { return };
        // Where a part of a frame is missing, the channel is attached just before it, and what was sent of it counts.
        if frame.has(Flags::RESUMED) && channel.serial.take().is_some() {
            return;
        }
        if let Some(reached) = Reached::end_of(serial) {
            channel.reached = reached;
        }
    }

    fn write_messages(&mut self, frame: Frame, out: &mut Vec<u8>) {
        let followed = self.channels.iter().position(|channel| Some(&channel.name) == frame.channel.as_ref());
        let Some(number) = followed else { return };
        // What is told about a channel, such as how many use it, has no place in it.
        let place_of_frame = frame.channel_serial.and_then(|serial| Some((Reached::end_of(&serial)?, serial)));
        let name = self.channels[number].name.clone();
        let count = frame.messages.len() + frame.presence.len();
        for (place, mut message) in frame.messages.into_iter().enumerate() {
            // A frame that is sent again in part has the last messages alone. Each has the number that it had in its serial.
            let in_serial = message.serial.as_ref().and_then(|serial| serial.as_str().rsplit_once(':')?.1.parse().ok());
            let index = in_serial.unwrap_or(place);
            if !self.advance(number, place_of_frame.as_ref(), index, place + 1 == count) {
                continue;
            }
            message.encode_for(Format::Json);
            self.write_one("message", &name, &message, message.data.as_ref(), out);
        }
        for (place, mut word) in frame.presence.into_iter().enumerate() {
            if !self.advance(number, place_of_frame.as_ref(), place, place + 1 == count) {
                continue;
            }
            word.encode_for(Format::Json);
            self.write_one("presence", &name, &word, word.data.as_ref(), out);
        }
    }

    /// Notes that the message at `index` of a frame is sent on a channel. Returns false where it was sent before.
    fn advance(
        &mut self,
        number: usize,
        place_of_frame: Option<&(Reached, ChannelSerial)>,
        index: usize,
        is_last: bool,
    ) -> bool {
        let Some((end, serial)) = place_of_frame else { return true };
        let reached = &mut self.channels[number].reached;
        if reached.includes(serial, index) {
            return false;
        }
        *reached = if is_last { end.clone() } else { end.clone().within(index) };
        true
    }

    fn write_one<T: Serialize>(
        &self,
        event: &str,
        channel: &ChannelName,
        message: &T,
        data: Option<&Data>,
        out: &mut Vec<u8>,
    ) {
        let id = position::id(self.channels.iter().map(|channel| &channel.reached), &self.relay);
        if self.is_enveloped {
            // This cannot fail: the keys of all maps are strings, and payloads are text by now.
            let text = serde_json::to_string(&Enveloped { channel, message }).unwrap_or_default();
            return self.write_event(Some(&id), event, Some(Content::Json(&text)), out);
        }
        // In a frame of JSON, payloads are text.
        let text = match data {
            Some(Data::Text(text)) => text.as_str(),
            _ => "",
        };
        self.write_event(Some(&id), event, Some(Content::Text(text)), out);
    }

    fn write_event(&self, id: Option<&str>, event: &str, content: Option<Content<'_>>, out: &mut Vec<u8>) {
        match self.form {
            Form::Events => write_sse(id, event, content, out),
            Form::Lines => write_line(id, event, content, out),
        }
    }
}

fn write_sse(id: Option<&str>, event: &str, content: Option<Content<'_>>, out: &mut Vec<u8>) {
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(format!("event: {event}\n").as_bytes());
    let text = match content {
        Some(Content::Text(text) | Content::Json(text)) => text,
        // Browsers leave out an event without this line.
        None => "",
    };
    // A text of several lines has a field for each, and every kind of line break ends one.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in text.split('\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

fn write_line(id: Option<&str>, event: &str, content: Option<Content<'_>>, out: &mut Vec<u8>) {
    let text = content.map(|content| match content {
        // These cannot fail: text is text.
        Content::Text(text) => serde_json::to_string(text).unwrap_or_default(),
        Content::Json(text) => text.to_owned(),
    });
    let data = text.and_then(|text| RawValue::from_string(text).ok());
    let line = Line { id, event, data: data.as_deref() };
    // This cannot fail either: the line holds texts.
    out.extend(serde_json::to_vec(&line).unwrap_or_default());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use rooms_protocol::{ErrorCode, Extras, Message, PresenceMessage};

    const ONE: &str = "01726585978590-001@relay";
    const TWO: &str = "01726585978590-002@relay";

    fn writer(form: Form, is_enveloped: bool, names: &[&str]) -> EventWriter {
        let channels = names.iter().map(|name| Followed::new(ChannelName::new(name), BTreeMap::new())).collect();
        let mut writer = EventWriter::new(form, is_enveloped, false, channels);
        for name in names {
            attach(&mut writer, name, "01726585978590-000@relay", Flags::empty());
        }
        writer
    }

    fn attach(writer: &mut EventWriter, name: &str, serial: &str, flags: Flags) {
        let attached = Frame {
            channel_serial: Some(serial.into()),
            flags: Some(flags),
            ..Frame::for_channel(Action::Attached, name.into())
        };
        assert!(!writer.write(attached, &mut Vec::new()));
    }

    fn frame(channel: &str, serial: &str, messages: &[&str]) -> Frame {
        Frame {
            id: Some("base".to_owned()),
            channel_serial: Some(serial.into()),
            messages: messages.iter().map(|data| Message::new("a", *data)).collect(),
            ..Frame::for_channel(Action::Message, channel.into())
        }
    }

    fn written(writer: &mut EventWriter, frame: Frame) -> String {
        let mut out = Vec::new();
        writer.write(frame, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_is_an_event_with_its_channel_and_all_that_belongs_to_it() {
        let mut writer = writer(Form::Events, true, &["c"]);
        let mut frame = frame("c", ONE, &[]);
        let extras = [("headers".to_owned(), json!({ "a": 1 }))].into_iter().collect::<Extras>();
        frame.messages =
            vec![Message { data: Some(Data::Json(json!({ "k": 1 }))), extras: Some(extras), ..Message::default() }];
        let text = written(&mut writer, frame);
        let (head, data) = text.split_once("data: ").unwrap();
        assert_eq!(head, format!("id: {ONE}\nevent: message\n"));
        assert!(data.ends_with("\n\n"));
        let expected = json!({ "channel": "c", "id": "base:0", "data": "{\"k\":1}", "encoding": "json",
                               "extras": { "headers": { "a": 1 } } });
        assert_eq!(serde_json::from_str::<Value>(data).unwrap(), expected);
    }

    #[test]
    fn without_an_envelope_an_event_is_the_payload_on_as_many_lines_as_it_has() {
        let mut writer = writer(Form::Events, false, &["c"]);
        let text = written(&mut writer, frame("c", ONE, &["one\ntwo\r\nthree\rfour: x"]));
        assert_eq!(text, format!("id: {ONE}\nevent: message\ndata: one\ndata: two\ndata: three\ndata: four: x\n\n"));
        let mut bytes = frame("c", TWO, &["x"]);
        bytes.messages[0].data = Some(Data::Binary(vec![1, 2]));
        assert!(written(&mut writer, bytes).ends_with("data: AQI=\n\n"));
        let mut empty = frame("c", "01726585978590-003@relay", &["x"]);
        empty.messages[0].data = None;
        assert!(written(&mut writer, empty).ends_with("data: \n\n"));
    }

    #[test]
    fn lines_are_objects() {
        let mut writer = writer(Form::Lines, true, &["c"]);
        let text = written(&mut writer, frame("c", ONE, &["x"]));
        assert_eq!(text.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["id"], &line["event"], &line["data"]["data"]), (&json!(ONE), &json!("message"), &json!("x")));
        writer.is_enveloped = false;
        let line: Value = serde_json::from_str(&written(&mut writer, frame("c", TWO, &["a\nb"]))).unwrap();
        assert_eq!(line["data"], json!("a\nb"));
    }

    #[test]
    fn who_comes_and_goes_is_an_event_and_who_was_there_is_not() {
        let mut writer = writer(Form::Lines, true, &["c"]);
        let word = PresenceMessage { client_id: Some("ada".into()), ..PresenceMessage::default() };
        let mut presence = frame("c", ONE, &[]);
        presence.action = Action::Presence;
        presence.presence = vec![word];
        let line: Value = serde_json::from_str(&written(&mut writer, presence.clone())).unwrap();
        assert_eq!((&line["event"], &line["data"]["clientId"]), (&json!("presence"), &json!("ada")));
        assert_eq!(written(&mut writer, Frame { action: Action::Sync, ..presence }), "");
    }

    #[test]
    fn what_has_no_place_in_the_channel_is_an_event_after_which_the_stream_goes_on_as_before() {
        let mut writer = writer(Form::Events, false, &["c"]);
        written(&mut writer, frame("c", ONE, &["x"]));
        let told = Frame { channel_serial: None, ..frame("c", TWO, &["3 watch"]) };
        assert_eq!(written(&mut writer, told), format!("id: {ONE}\nevent: message\ndata: 3 watch\n\n"));
    }

    #[test]
    fn each_event_has_an_id_after_which_the_stream_goes_on() {
        let mut writer = writer(Form::Events, false, &["a", "b"]);
        let text = written(&mut writer, frame("b", ONE, &["x", "y", "z"]));
        let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        let start = "01726585978590-000";
        let expected =
            ["01726585978590-001~0@relay", "01726585978590-001~1@relay", ONE].map(|id| format!("{start},{id}"));
        assert_eq!(ids, expected);
        for (had, left) in [(0, &["y", "z"][..]), (1, &["z"]), (2, &[])] {
            let mut again = self::writer(Form::Events, false, &["a", "b"]);
            again.resume(Some(ids[had]));
            let serials: Vec<_> = again.attachments().into_iter().map(|frame| frame.channel_serial.unwrap()).collect();
            assert_eq!(
                serials,
                [
                    format!("{start}@relay").into(),
                    if had == 2 { ONE.into() } else { "01726585978590-000@relay".into() }
                ]
            );
            attach(&mut again, "a", serials[0].as_str(), Flags::RESUMED);
            attach(&mut again, "b", serials[1].as_str(), Flags::RESUMED);
            let text = written(&mut again, frame("b", ONE, &["x", "y", "z"]));
            let data: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            assert_eq!(data, left);
        }
    }

    #[test]
    fn after_an_id_of_another_stream_the_channels_are_attached_with_what_it_is() {
        let mut writer = writer(Form::Events, true, &["a", "b"]);
        writer.resume(Some(ONE));
        assert!(writer.attachments().iter().all(|frame| frame.channel_serial.as_ref() == Some(&ONE.into())));
        writer.resume(None);
    }

    #[test]
    fn an_error_is_an_event_and_ends_the_stream_unless_it_is_attached_all_the_same() {
        let mut writer = writer(Form::Events, true, &["c"]);
        let error = ErrorInfo::new(ErrorCode::TOKEN_EXPIRED, 401, "over");
        let text = "event: error\ndata: {\"message\":\"over\",\"code\":40142,\"statusCode\":401,\"href\":\"https://help.ably.io/error/40142\"}\n\n";
        let disconnected = Frame { error: Some(Box::new(error)), ..Frame::new(Action::Disconnected) };
        let attached = Frame { channel_serial: Some(ONE.into()), ..Frame::for_channel(Action::Attached, "c".into()) };
        for (frame, ends) in [(disconnected.clone(), true), (Frame { error: disconnected.error, ..attached }, false)] {
            let mut out = Vec::new();
            assert_eq!(writer.write(frame, &mut out), ends);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn a_sign_of_life_is_a_comment_or_an_event() {
        let sign = |form, has_heartbeats| {
            let mut out = Vec::new();
            EventWriter { has_heartbeats, ..writer(form, true, &["c"]) }.write_liveness(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(sign(Form::Events, false), ":keepalive\n\n");
        assert_eq!(sign(Form::Events, true), "event: heartbeat\ndata: \n\n");
        assert_eq!(
            (sign(Form::Lines, false), sign(Form::Lines, true)),
            ("\n".to_owned(), "{\"event\":\"heartbeat\"}\n".to_owned())
        );
    }
}
