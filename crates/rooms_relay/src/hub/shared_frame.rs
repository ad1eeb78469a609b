//! A frame for many receivers.

use std::sync::OnceLock;

use rooms_protocol::{Format, Frame, WireFrame};

/// A frame and its forms on the wire. Each form is made once, when it is first needed, for however many receivers.
#[derive(Debug)]
pub struct SharedFrame {
    frame: Frame,
    json: OnceLock<WireFrame>,
    msgpack: OnceLock<WireFrame>,
}

impl SharedFrame {
    /// The frame.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The frame as it is sent in `format`.
    pub fn wire(&self, format: Format) -> &WireFrame {
        let form = match format {
            Format::Json => &self.json,
            Format::MsgPack => &self.msgpack,
        };
        form.get_or_init(|| format.encode(self.frame.clone()))
    }

    /// How much it counts towards limits, in bytes: the length of its JSON text, whoever receives it.
    pub fn size(&self) -> usize {
        self.wire(Format::Json).len()
    }
}

impl From<Frame> for SharedFrame {
    fn from(frame: Frame) -> Self {
        Self { frame, json: OnceLock::new(), msgpack: OnceLock::new() }
    }
}
