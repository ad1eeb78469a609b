//! A frame for many receivers.

use std::sync::OnceLock;

use crate::protocol::{Frame, json};

/// A frame and its JSON text, which is made once, when first asked for, however many receive it.
#[derive(Debug)]
pub struct SharedFrame {
    frame: Frame,
    json: OnceLock<String>,
}

impl SharedFrame {
    /// The frame.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The frame's JSON text.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| json::encode(self.frame.clone()))
    }
}

impl From<Frame> for SharedFrame {
    fn from(frame: Frame) -> Self {
        Self { frame, json: OnceLock::new() }
    }
}
