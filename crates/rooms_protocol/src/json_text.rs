//! JSON that stays text: a structure that nobody looks into is not built.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::ser::Formatter;

/// Reads one value as compact JSON text, checked on the way. Bytes become the base64 text that a JSON frame carries.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut text, Compact);
    serde_transcode::transcode(deserializer, &mut writer).map_err(D::Error::custom)?;
    text.shrink_to_fit();
    String::from_utf8(text).map_err(D::Error::custom)
}

/// Writes the value that a JSON text stands for, in a format that is no JSON.
pub(super) struct Rewritten<'a>(pub(super) &'a str);

impl Serialize for Rewritten<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reader = serde_json::Deserializer::from_str(self.0);
        serde_transcode::transcode(&mut reader, serializer).map_err(S::Error::custom)
    }
}

struct Compact;

impl Formatter for Compact {
    fn write_byte_array<W: ?Sized + io::Write>(&mut self, writer: &mut W, bytes: &[u8]) -> io::Result<()> {
        // Base64 has nothing that would have to be escaped.
        write!(writer, "\"{}\"", BASE64.encode(bytes))
    }
}
