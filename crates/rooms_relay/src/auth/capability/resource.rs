//! The patterns that name the channels of a capability.

use std::fmt;

use smol_str::SmolStr;

/// The segment that matches any segment. At the end of a pattern it matches all that follow.
const WILDCARD: &str = "*";

/// Kinds of channels that are not for games. The relay has none, but keys may name them.
const SCOPES: [&str; 3] = ["filter", "meta", "queue"];

/// A pattern of channel names: segments between colons, with `*` for any of them, and at the end for all that follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    scope: Scope,
    segments: Vec<Segment>,
    /// Whether it ends with `*`: one more segment, or several.
    has_tail: bool,
}

/// What stands in brackets before the pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// Nothing: the channels that games use.
    Ordinary,
    /// `[*]`: channels of every kind.
    Every,
    /// Channels of another kind, such as `[meta]`.
    Other(SmolStr),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(SmolStr),
    Any,
}

impl Resource {
    /// Reads a pattern; `None` for a text that is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scope, pattern) = match text.strip_prefix('[') {
            None => (Scope::Ordinary, text),
            Some(rest) => match rest.split_once(']')? {
                (WILDCARD, pattern) => (Scope::Every, pattern),
                (scope, pattern) if SCOPES.contains(&scope) => (Scope::Other(scope.into()), pattern),
                _ => return None,
            },
        };
        if pattern.is_empty() {
            return None;
        }
        let segment = |text| if text == WILDCARD { Segment::Any } else { Segment::Literal(SmolStr::new(text)) };
        let mut segments: Vec<Segment> = pattern.split(':').map(segment).collect();
        let has_tail = segments.last() == Some(&Segment::Any);
        if has_tail {
            segments.pop();
        }
        Some(Self { scope, segments, has_tail })
    }

    /// Whether the pattern matches the name of an ordinary channel, split at its colons.
    pub(super) fn matches(&self, name: &[&str]) -> bool {
        let fits = if self.has_tail { name.len() > self.segments.len() } else { name.len() == self.segments.len() };
        fits && matches!(self.scope, Scope::Ordinary | Scope::Every)
            && self.segments.iter().zip(name).all(|(segment, part)| segment.matches(part))
    }

    /// The pattern of the names that both match; `None` where there are none.
    pub(super) fn intersect(&self, other: &Self) -> Option<Self> {
        let scope = self.scope.intersect(&other.scope)?;
        let (short, long) = if self.segments.len() <= other.segments.len() { (self, other) } else { (other, self) };
        let reaches = if long.segments.len() == short.segments.len() {
            // A tail needs one segment more than the other has, unless that has a tail too.
            short.has_tail == long.has_tail
        } else {
            short.has_tail
        };
        if !reaches {
            return None;
        }
        let rest = long.segments.iter().skip(short.segments.len()).cloned().map(Some);
        let common = short.segments.iter().zip(&long.segments).map(|(one, other)| one.intersect(other));
        let segments = common.chain(rest).collect::<Option<_>>()?;
        Some(Self { scope, segments, has_tail: long.has_tail })
    }
}

impl Scope {
    fn intersect(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Every, scope) | (scope, Self::Every) => Some(scope.clone()),
            (one, other) => (one == other).then(|| one.clone()),
        }
    }
}

impl Segment {
    fn matches(&self, part: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == part,
            Self::Any => true,
        }
    }

    fn intersect(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, segment) | (segment, Self::Any) => Some(segment.clone()),
            (one, other) => (one == other).then(|| one.clone()),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Ordinary => {}
            Scope::Every => f.write_str("[*]")?,
            Scope::Other(scope) => write!(f, "[{scope}]")?,
        }
        let tail = self.has_tail.then_some(WILDCARD);
        let words = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => literal.as_str(),
            Segment::Any => WILDCARD,
        });
        for (index, word) in words.chain(tail).enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{word}")?;
        }
        Ok(())
    }
}
