//! A tap on the socket: copies of the frames that pass, for a program that shows them.
//!
//! Owns the copies, and bounds how many wait. A closed tap costs one atomic read per frame. Secrets are removed before a copy
//! leaves the background task.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use web_time::Instant;

use rooms_protocol::{ConnectionKey, DecodeError, Frame};

/// Most copies that wait for the ECS: ten seconds of a busy room at 50 frames a second.
pub const TAP_CAPACITY: usize = 512;

/// The text in place of a secret.
const HIDDEN: &str = "(hidden)";

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameDirection {
    /// From the server to the client.
    In,
    /// From the client to the server.
    Out,
}

/// A copy of a frame that passed, without what is secret in it.
#[derive(Clone, Debug)]
pub struct TappedFrame {
    /// When it passed.
    pub at: Instant,
    /// Which way it went.
    pub direction: FrameDirection,
    /// Its length on the wire, in bytes.
    pub bytes: usize,
    /// The frame, or why it could not be read.
    pub content: Result<Box<Frame>, String>,
}

/// The end of a tap at which frames pass. Clones are the same tap.
#[derive(Clone, Debug, Default)]
pub struct FrameTap(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: AtomicBool,
    waiting: Mutex<VecDeque<TappedFrame>>,
    missed: AtomicU64,
}

impl FrameTap {
    /// Whether the tap is open. Where it is closed, make no copy.
    pub fn is_open(&self) -> bool {
        self.0.open.load(Relaxed)
    }

    /// Copies a frame, if the tap is open.
    pub fn show(&self, direction: FrameDirection, frame: &Frame, bytes: usize, at: Instant) {
        if self.is_open() {
            self.push(TappedFrame { at, direction, bytes, content: Ok(Box::new(without_secrets(frame))) });
        }
    }

    /// Notes that something came which could not be read, if the tap is open.
    pub fn show_malformed(&self, error: &DecodeError, bytes: usize, at: Instant) {
        if self.is_open() {
            self.push(TappedFrame { at, direction: FrameDirection::In, bytes, content: Err(error.to_string()) });
        }
    }

    fn push(&self, frame: TappedFrame) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < TAP_CAPACITY {
            waiting.push_back(frame);
        } else {
            self.0.missed.fetch_add(1, Relaxed);
        }
    }

    /// Opens or closes the tap. Copies that wait in a closed tap can still be taken.
    pub fn set_open(&self, open: bool) {
        self.0.open.store(open, Relaxed);
    }

    /// Takes the copies that wait, and how many were dropped since the last time, since too many waited.
    pub fn take(&self) -> (VecDeque<TappedFrame>, u64) {
        let frames = mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        (frames, self.0.missed.swap(0, Relaxed))
    }
}

fn without_secrets(frame: &Frame) -> Frame {
    let mut frame = frame.clone();
    if let Some(token) = frame.auth.as_mut().and_then(|auth| auth.access_token.as_mut()) {
        HIDDEN.clone_into(token);
    }
    let details = frame.connection_details.as_mut().and_then(|details| details.connection_key.as_mut());
    let messages = frame.messages.iter_mut().filter_map(|message| message.connection_key.as_mut());
    details.into_iter().chain(messages).for_each(|key| *key = ConnectionKey::new(HIDDEN));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::{Action, Auth, ConnectionDetails, Message};

    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_closed_tap_keeps_nothing() {
        let tap = FrameTap::default();
        tap.show(FrameDirection::Out, &Frame::new(Action::Heartbeat), 12, now());
        assert!(tap.take().0.is_empty());
        tap.set_open(true);
        tap.show(FrameDirection::Out, &Frame::new(Action::Heartbeat), 12, now());
        assert_eq!(tap.take().0.len(), 1);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let tap = FrameTap::default();
        tap.set_open(true);
        (0..TAP_CAPACITY + 3).for_each(|_| tap.show(FrameDirection::In, &Frame::new(Action::Ack), 9, now()));
        let (frames, missed) = tap.take();
        assert_eq!((frames.len(), missed, tap.take().1), (TAP_CAPACITY, 3, 0));
    }

    #[test]
    fn keys_and_tokens_are_taken_out() {
        let tap = FrameTap::default();
        tap.set_open(true);
        let key = || Some(ConnectionKey::new("hush-key"));
        let mut frame = Frame::new(Action::Auth);
        frame.auth = Some(Box::new(Auth { access_token: Some("hush-token".to_owned()) }));
        frame.connection_details =
            Some(Box::new(ConnectionDetails { connection_key: key(), ..ConnectionDetails::default() }));
        frame.messages = vec![Message { connection_key: key(), ..Message::new("move", "x") }];
        tap.show(FrameDirection::In, &frame, 99, now());
        let copy = tap.take().0.pop_front().unwrap().content.unwrap();
        let text = serde_json::to_string(&copy).unwrap();
        assert!(!text.contains("hush") && text.matches(HIDDEN).count() == 3, "{text}");
    }
}
