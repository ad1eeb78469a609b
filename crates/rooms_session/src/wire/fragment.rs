//! Splits what is too large for one message into fragments, and joins them again.

use std::collections::VecDeque;

use crate::{id::Generation, wire::message::Part};
use rooms_protocol::ConnectionId;

/// Most bytes of text in one fragment. Quoting text as a JSON string doubles it at worst, and the whole must stay under the
/// 64 KiB that a server takes.
const PART_SIZE: usize = 28 * 1024;

/// Most fragments of one message: together 3.5 MiB, more than the largest document.
const MAX_PARTS: u32 = 128;

/// Most messages that are joined at a time. A host sends one to everybody and one to each newcomer.
const MAX_ASSEMBLIES: usize = 8;

/// Splits the JSON text of a message named `kind`. Returns `None` if it is too large even so.
pub(crate) fn split(generation: Generation, id: u64, kind: &str, text: &str) -> Option<Vec<Part>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(PART_SIZE);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    let count = u32::try_from(pieces.len()).ok().filter(|count| *count <= MAX_PARTS)?;
    let part =
        |(index, piece): (u32, &str)| Part { generation, id, index, count, kind: kind.into(), text: piece.to_owned() };
    Some((0..).zip(pieces).map(part).collect())
}

/// Joins fragments. Owns those of the messages that are not complete yet.
#[derive(Debug, Default)]
pub(crate) struct Reassembler {
    assemblies: VecDeque<Assembly>,
}

#[derive(Debug)]
struct Assembly {
    connection: ConnectionId,
    id: u64,
    parts: Vec<Option<String>>,
}

impl Reassembler {
    /// Adds a fragment. With the last one it returns the JSON text of the whole message.
    pub(crate) fn add(&mut self, connection: &ConnectionId, part: Part) -> Option<String> {
        if part.count > MAX_PARTS || part.index >= part.count || part.text.len() > PART_SIZE {
            return None;
        }
        let (count, index) = (usize::try_from(part.count).ok()?, usize::try_from(part.index).ok()?);
        let known = |assembly: &Assembly| assembly.connection == *connection && assembly.id == part.id;
        let at = self.assemblies.iter().position(known).unwrap_or_else(|| {
            if self.assemblies.len() >= MAX_ASSEMBLIES {
                self.assemblies.pop_front();
            }
            let parts = vec![None; count];
            self.assemblies.push_back(Assembly { connection: connection.clone(), id: part.id, parts });
            self.assemblies.len() - 1
        });
        let assembly = self.assemblies.get_mut(at)?;
        *assembly.parts.get_mut(index)? = Some(part.text);
        if assembly.parts.iter().any(Option::is_none) {
            return None;
        }
        Some(self.assemblies.remove(at)?.parts.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_text_is_joined_in_any_order_and_with_doubles() {
        let text = "zoë ".repeat(20_000);
        let mut parts = split(Generation(1), 7, "room.state", &text).unwrap();
        assert!(parts.len() > 2 && parts.iter().all(|part| part.text.len() <= PART_SIZE));
        parts.rotate_left(1);
        let first = parts[0].clone();
        let mut reassembler = Reassembler::default();
        let connection = ConnectionId::from("c");
        assert_eq!(reassembler.add(&connection, first), None);
        let mut joined: Vec<_> = parts.into_iter().filter_map(|part| reassembler.add(&connection, part)).collect();
        assert_eq!(joined.pop(), Some(text));
        assert!(joined.is_empty() && reassembler.assemblies.is_empty());
    }

    #[test]
    fn parts_of_different_senders_do_not_mix() {
        let parts = split(Generation(1), 7, "room.state", &"x".repeat(40_000)).unwrap();
        let mut reassembler = Reassembler::default();
        assert_eq!(reassembler.add(&"a".into(), parts[0].clone()), None);
        assert_eq!(reassembler.add(&"b".into(), parts[1].clone()), None);
    }

    #[test]
    fn senders_of_unfinished_parts_fill_no_more_than_a_bounded_memory() {
        let mut reassembler = Reassembler::default();
        for id in 0..1000 {
            let part = |index, count| Part {
                generation: Generation(1),
                id,
                index,
                count,
                kind: "room.state".into(),
                text: "x".into(),
            };
            for (index, count) in [(0, 0), (5, 5), (0, u32::MAX), (u32::MAX, u32::MAX), (0, 2)] {
                assert_eq!(reassembler.add(&"c".into(), part(index, count)), None);
            }
        }
        assert_eq!(reassembler.assemblies.len(), MAX_ASSEMBLIES);
        assert_eq!(split(Generation(1), 1, "room.state", &"x".repeat(4 << 20)), None);
    }
}
