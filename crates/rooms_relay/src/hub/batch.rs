//! What goes out over one link: a frame, or a row of frames that are made one after the other, as the receiver takes them.
//!
//! A client that resumes, or joins a channel of many members, is to get more than may wait for one socket. A row holds what the
//! channel keeps in any case, so that it is small itself, and encodes each frame when its turn comes.

use std::{fmt, sync::Arc, vec};

use bytes::Bytes;

use super::{
    channel::kept_presence::KeptMembers,
    kept_frame::{KeptFrame, KeptFrames, encode, normalize_payloads, with_presence},
};
use crate::{
    budget::{Charge, MemoryBudget, Purpose},
    limits::{PAGE_BYTES, PAGE_MEMBERS},
};
use rooms_protocol::{Action, ChannelName, ChannelSerial, Format, Frame, WireFrame, json};

/// What a row of frames takes beside what it holds, about, in bytes.
const ROW: usize = 256;

/// One or more frames for one link, in order.
pub struct Batch(Form);

enum Form {
    /// Everything is taken.
    Empty,
    /// A frame for this receiver alone.
    Own(Box<Frame>, Charge),
    /// A frame for many. The name is the receiver's for the channel, unless it is the channel's own.
    Kept(Arc<KeptFrame>, Option<ChannelName>),
    /// Frames that a channel kept.
    Replay(Box<Replay>),
    /// The members of a channel.
    Sync(Box<Sync>),
}

struct Replay {
    frames: vec::IntoIter<Arc<KeptFrame>>,
    /// How many messages of the first frame its receiver gets, the last ones. `None`: all of them.
    of_first: Option<usize>,
    name: Option<ChannelName>,
    /// The bytes of the frames that are left.
    bytes: usize,
    charge: Charge,
}

struct Sync {
    /// The receiver's name for the channel.
    name: ChannelName,
    /// Names the sync: letters and digits only.
    sequence: String,
    members: KeptMembers,
    /// The first member of the next page.
    next: usize,
    pages: usize,
    charge: Charge,
}

impl Batch {
    /// A frame for one receiver alone.
    pub(crate) fn own(frame: Frame, budget: &MemoryBudget) -> Self {
        let charge = budget.charge(Purpose::Queues, frame.held_bytes());
        Self(Form::Own(Box::new(frame), charge))
    }

    /// A frame for many.
    pub(crate) fn kept(frame: Arc<KeptFrame>, name: Option<ChannelName>) -> Self {
        Self(Form::Kept(frame, name))
    }

    /// Frames that a channel kept. Of the first one, `of_first` messages count, the last ones; `None`: all of them. A frame is cut
    /// when its turn comes: it takes as long as to read it.
    pub(crate) fn replay(
        frames: KeptFrames,
        of_first: Option<usize>,
        name: Option<ChannelName>,
        budget: &MemoryBudget,
    ) -> Self {
        let bytes = frames.iter().map(|frame| frame.held_bytes()).sum();
        let charge = budget.charge(Purpose::Queues, ROW + frames.capacity() * size_of::<Arc<KeptFrame>>());
        Self(Form::Replay(Box::new(Replay { frames: frames.into_iter(), of_first, name, bytes, charge })))
    }

    /// All members of a channel that its receiver calls `name`, in SYNC frames, of which there is at least one. `sequence` names
    /// the sync: letters and digits only.
    pub(crate) fn sync(name: ChannelName, sequence: String, members: KeptMembers, budget: &MemoryBudget) -> Self {
        let charge = budget.charge(Purpose::Queues, ROW);
        Self(Form::Sync(Box::new(Sync { name, sequence, members, next: 0, pages: 0, charge })))
    }

    /// The next frame as it goes over the wire; `None` when all are taken.
    pub fn next_wire(&mut self, format: Format) -> Option<WireFrame> {
        let bytes = self.next_bytes(format)?;
        Some(match format {
            // The relay wrote it as text.
            Format::Json => WireFrame::Text(String::from_utf8(bytes.to_vec()).unwrap_or_default()),
            Format::MsgPack => WireFrame::Binary(bytes.to_vec()),
        })
    }

    /// The bytes of the next frame as it goes over the wire; `None` when all are taken.
    pub(crate) fn next_bytes(&mut self, format: Format) -> Option<Bytes> {
        match &mut self.0 {
            Form::Empty => None,
            Form::Replay(replay) => replay.next(format),
            Form::Sync(sync) => sync.next(format),
            Form::Own(..) | Form::Kept(..) => match std::mem::replace(&mut self.0, Form::Empty) {
                Form::Own(frame, _) => Some(encode(format, *frame)),
                Form::Kept(frame, name) => Some(frame.bytes(format, name.as_ref())),
                _ => None,
            },
        }
    }

    /// No frame.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn empty() -> Self {
        Self(Form::Empty)
    }

    /// The length of the next frame's text, where it would have to be read.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn next_length(&self) -> usize {
        match &self.0 {
            Form::Kept(frame, _) => frame.len(),
            Form::Replay(replay) => replay.frames.as_slice().first().map_or(0, |frame| frame.len()),
            Form::Sync(_) => PAGE_BYTES,
            Form::Empty | Form::Own(..) => 0,
        }
    }

    /// How much is to be made for the next frame in `format`, about, in bytes. Most often it was made before.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn work(&self, format: Format) -> usize {
        let of_kept = |frame: &Arc<KeptFrame>| if frame.is_made(format) { 0 } else { frame.len() };
        match &self.0 {
            Form::Own(_, charge) => charge.bytes(),
            Form::Kept(frame, _) => of_kept(frame),
            Form::Replay(replay) => match replay.frames.as_slice().first() {
                Some(frame) if replay.of_first.is_some() => frame.len(),
                next => next.map_or(0, of_kept),
            },
            Form::Empty | Form::Sync(_) => 0,
        }
    }

    /// The next frame; `None` when all are taken.
    pub fn next_frame(&mut self) -> Option<Frame> {
        if let Form::Own(..) = self.0
            && let Form::Own(frame, _) = std::mem::replace(&mut self.0, Form::Empty)
        {
            return Some(*frame);
        }
        let bytes = self.next_bytes(Format::Json)?;
        let mut frame = str::from_utf8(&bytes).ok().and_then(|text| json::decode(text).ok())?;
        normalize_payloads(&mut frame);
        Some(frame)
    }

    /// The frame that it is, where it is for one receiver alone.
    #[cfg(all(feature = "server", not(target_arch = "wasm32")))]
    pub(crate) fn own_frame(&self) -> Option<&Frame> {
        match &self.0 {
            Form::Own(frame, _) => Some(frame),
            _ => None,
        }
    }

    /// What it counts towards the bytes that may wait for a socket. A row counts for little, however much it stands for: its
    /// receiver gets the frames as fast as it reads.
    pub fn waiting_bytes(&self) -> usize {
        match &self.0 {
            Form::Empty => 0,
            Form::Own(_, charge) => charge.bytes(),
            Form::Kept(frame, _) => frame.len(),
            Form::Replay(replay) => replay.charge.bytes(),
            Form::Sync(sync) => sync.charge.bytes(),
        }
    }

    /// The bytes that may become free when it is dropped, shared ones too.
    pub fn held_bytes(&self) -> usize {
        match &self.0 {
            Form::Kept(frame, _) => frame.held_bytes(),
            Form::Replay(replay) => replay.bytes + replay.charge.bytes(),
            Form::Sync(sync) => sync.members.iter().skip(sync.next).map(|member| member.held_bytes()).sum(),
            Form::Empty | Form::Own(..) => self.waiting_bytes(),
        }
    }
}

impl Replay {
    fn next(&mut self, format: Format) -> Option<Bytes> {
        let frame = self.frames.next()?;
        self.bytes = self.bytes.saturating_sub(frame.held_bytes());
        let Some(count) = self.of_first.take() else { return Some(frame.bytes(format, self.name.as_ref())) };
        let mut cut = frame.last_messages(count);
        if let Some(name) = &self.name {
            cut.channel = Some(name.clone());
        }
        Some(encode(format, cut))
    }
}

impl Sync {
    fn next(&mut self, format: Format) -> Option<Bytes> {
        let rest = self.members.get(self.next..).filter(|rest| self.pages == 0 || !rest.is_empty())?;
        let page = &rest[..page_length(rest.iter().map(|member| member.len()))];
        self.next += page.len();
        self.pages += 1;
        // An empty cursor says that no page follows.
        let cursor = if self.next == self.members.len() { String::new() } else { self.pages.to_string() };
        let head = Frame {
            channel_serial: Some(ChannelSerial::from(format!("{}:{cursor}", self.sequence))),
            ..Frame::for_channel(Action::Sync, self.name.clone())
        };
        let text = with_presence(head, page.iter().map(|member| member.as_present()));
        Some(match format {
            Format::Json => text.into(),
            Format::MsgPack => {
                let mut frame = json::decode(&text).ok()?;
                normalize_payloads(&mut frame);
                encode(format, frame)
            }
        })
    }
}

/// How many presence messages go into one frame, so that it is never too large, whatever data they carry.
pub(crate) fn page_length(lengths: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0_usize;
    let fits = |length: &usize| {
        let has_room = bytes < PAGE_BYTES;
        bytes = bytes.saturating_add(*length);
        has_room
    };
    lengths.take(PAGE_MEMBERS).take_while(fits).count()
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.0 {
            Form::Empty => "empty",
            Form::Own(frame, _) => return f.debug_tuple("Batch").field(frame).finish(),
            Form::Kept(..) => "a frame",
            Form::Replay(_) => "a replay",
            Form::Sync(_) => "a sync",
        };
        f.debug_tuple("Batch").field(&what).finish()
    }
}
