//! How large and how deep a JSON value is.

use std::io;

use serde::Serialize;
use serde_json::Value;

/// Deepest nesting of a value that is shared or sent: half of what `serde_json` reads, because frames nest too.
pub const MAX_DEPTH: usize = 64;

/// The length of the JSON text. Does not build the text.
pub(crate) fn json_size(value: &impl Serialize) -> usize {
    let mut counter = Counter { left: usize::MAX };
    // Counting stops only at the end of the address space.
    let _ = serde_json::to_writer(&mut counter, value);
    usize::MAX - counter.left
}

/// Whether the JSON text has at most `limit` bytes. Stops counting there.
pub(crate) fn json_fits(value: &impl Serialize, limit: usize) -> bool {
    serde_json::to_writer(&mut Counter { left: limit }, value).is_ok()
}

/// Whether a value nests at most [`MAX_DEPTH`] levels.
pub(crate) fn is_shallow(value: &Value) -> bool {
    fn within(value: &Value, levels: usize) -> bool {
        let Some(levels) = levels.checked_sub(1) else { return false };
        match value {
            Value::Array(items) => items.iter().all(|item| within(item, levels)),
            Value::Object(entries) => entries.values().all(|entry| within(entry, levels)),
            _ => true,
        }
    }
    within(value, MAX_DEPTH)
}

struct Counter {
    left: usize,
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::WriteZero)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
