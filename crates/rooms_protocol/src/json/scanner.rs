//! Looks through the text of a frame without reading it: finds its fields, and how many parts each has.
//!
//! The text may be no JSON. What is found until then counts.

use memchr::memchr2;
use serde::Deserialize;

use crate::{Outline, outline::Part};

/// What a frame says about itself.
pub(super) fn outline(text: &str) -> Outline {
    let mut outline = Outline::default();
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    scanner.skip_space();
    if !scanner.take(b'{') {
        return outline;
    }
    loop {
        scanner.skip_space();
        if scanner.take(b',') {
            continue;
        }
        if scanner.take(b'}') {
            scanner.skip_space();
            outline.is_whole = scanner.peek().is_none();
            return outline;
        }
        let start = scanner.at;
        if !scanner.skip_string() {
            return outline;
        }
        let name = text.get(start..scanner.at).unwrap_or_default();
        scanner.skip_space();
        if !scanner.take(b':') {
            return outline;
        }
        let start = scanner.at;
        let part = scanner.skip_value();
        let value = text.get(start..scanner.at).unwrap_or_default();
        note(&mut outline, name, value, part);
    }
}

/// What comes after a string that begins here.
pub(super) fn after_string(bytes: &[u8]) -> Option<&[u8]> {
    let mut scanner = Scanner { bytes, at: 0 };
    let is_string = scanner.skip_string();
    // One without an end goes on to the end of all.
    bytes.get(scanner.at..).filter(|rest| is_string && !rest.is_empty())
}

fn note(outline: &mut Outline, name: &str, value: &str, part: Part) {
    let unescaped: String;
    let name = if name.contains('\\') {
        unescaped = parse(name).unwrap_or_default();
        &unescaped
    } else {
        name.trim_matches('"')
    };
    match name {
        "action" => outline.action = parse(value).or(outline.action),
        "msgSerial" => outline.msg_serial = parse(value).or(outline.msg_serial),
        "channel" => outline.channel = parse(value).or(outline.channel.take()),
        _ => outline.count(name, part),
    }
}

fn parse<'a, T: Deserialize<'a>>(value: &'a str) -> Option<T> {
    serde_json::from_str(value).ok()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Skips a string with its quotes. Returns whether there was one; it may have no end.
    fn skip_string(&mut self) -> bool {
        if !self.take(b'"') {
            return false;
        }
        while let Some(found) = self.bytes.get(self.at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            self.at += found + 1;
            if self.bytes.get(self.at - 1) == Some(&b'"') {
                return true;
            }
            // What is escaped is no quote.
            self.at += 1;
        }
        self.at = self.bytes.len();
        true
    }

    /// Skips a value with all that it holds, however deep.
    fn skip_value(&mut self) -> Part {
        let mut part = Part { children: 0, values: 1 };
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => drop(self.skip_string()),
                b'{' | b'[' => {
                    // It has one element, unless it turns out to have more. That it may have none makes no difference.
                    part.children += usize::from(depth == 0);
                    part.values += 1;
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                    if depth == 0 {
                        break;
                    }
                }
                b',' if depth > 0 => {
                    part.children += usize::from(depth == 1);
                    part.values += 1;
                    self.at += 1;
                }
                // The end of the frame, or of the field.
                b'}' | b']' | b',' => break,
                _ => self.at += 1,
            }
        }
        part
    }
}
