//! What credentials allow: operations on the channels that a pattern matches.
//!
//! This module reads capabilities, writes their canonical form, and intersects them. Who has which is not decided here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use serde_json::Value;
use smol_str::SmolStr;

use crate::{auth::capability::resource::Resource, limits::MAX_CHANNEL_NAME};
use rooms_protocol::{ChannelName, Flags};

mod resource;

/// Longest text of a capability, in bytes. It travels in tokens, which travel in the address of a WebSocket.
const MAX_TEXT: usize = 16 * 1024;

/// Most resources of one capability: enough for all rooms that one player is in.
const MAX_RESOURCES: usize = 256;

/// The word for all operations.
const ALL: &str = "*";

/// The resource that stands for all channels that games use.
const ALL_CHANNELS: &str = "*";

macro_rules! operations {
    ($($(#[$meta:meta])* $name:ident = $word:literal,)*) => {
        /// Something that a capability may allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$meta])* $name,)*
        }

        impl Operation {
            const EVERY: &[Self] = &[$(Self::$name),*];

            /// The word that stands for it in a capability.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

operations! {
    /// Publish annotations.
    AnnotationPublish = "annotation-publish",
    /// Receive annotations.
    AnnotationSubscribe = "annotation-subscribe",
    /// Ask which channels there are and how many use them.
    ChannelMetadata = "channel-metadata",
    /// Read what was published.
    History = "history",
    /// Delete anybody's messages.
    MessageDeleteAny = "message-delete-any",
    /// Delete messages of one's own.
    MessageDeleteOwn = "message-delete-own",
    /// Change anybody's messages.
    MessageUpdateAny = "message-update-any",
    /// Change messages of one's own.
    MessageUpdateOwn = "message-update-own",
    /// Change objects.
    ObjectPublish = "object-publish",
    /// Receive objects.
    ObjectSubscribe = "object-subscribe",
    /// Enter presence.
    Presence = "presence",
    /// Set headers that clients may not.
    PrivilegedHeaders = "privileged-headers",
    /// Publish messages.
    Publish = "publish",
    /// Manage push devices.
    PushAdmin = "push-admin",
    /// Receive push notifications.
    PushSubscribe = "push-subscribe",
    /// Read statistics.
    Stats = "stats",
    /// Receive messages and presence.
    Subscribe = "subscribe",
}

/// What is allowed on one resource. The bit of an operation is its index in the enum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Operations(u32);

impl Operations {
    const EVERY: Self = Self((1 << Operation::EVERY.len()) - 1);

    fn has(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u32) != 0
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Reads one word, or several in a list.
    fn parse(value: &Value) -> Result<Self, CapabilityError> {
        let words: Vec<&str> = match value {
            Value::String(word) => vec![word],
            Value::Array(words) => {
                words.iter().map(Value::as_str).collect::<Option<_>>().ok_or(CapabilityError::Operations)?
            }
            _ => return Err(CapabilityError::Operations),
        };
        if words == [ALL] {
            return Ok(Self::EVERY);
        }
        if words.is_empty() {
            return Err(CapabilityError::Empty);
        }
        words.into_iter().try_fold(Self::default(), |operations, word| {
            let known = Operation::EVERY.iter().find(|operation| operation.word() == word);
            match known {
                Some(operation) => Ok(operations.with(Self(1 << *operation as u32))),
                None if word == ALL => Err(CapabilityError::AllAndMore),
                None => Err(CapabilityError::UnknownOperation(word.into())),
            }
        })
    }

    /// The words in their canonical, alphabetical order.
    fn words(self) -> Vec<&'static str> {
        if self == Self::EVERY {
            return vec![ALL];
        }
        // A set, so that the order does not depend on that of the enum.
        let words: BTreeSet<_> = Operation::EVERY
            .iter()
            .filter(|operation| self.has(**operation))
            .map(|operation| operation.word())
            .collect();
        words.into_iter().collect()
    }
}

/// Why a text is not a capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// Not JSON, or not an object.
    #[error("a capability is a JSON object such as {{\"room:*\":[\"publish\",\"subscribe\"]}}")]
    Form,
    /// Larger than it may be.
    #[error("a capability may have {MAX_RESOURCES} resources and 16 KiB; name fewer, with wildcards")]
    TooLarge,
    /// Not a list of words.
    #[error("the operations of a capability are a list of words, such as [\"publish\",\"subscribe\"]")]
    Operations,
    /// An empty list.
    #[error("a capability names a resource without any operation; leave the resource out")]
    Empty,
    /// `*` beside other operations.
    #[error("\"*\" stands for all operations, so it must stand alone")]
    AllAndMore,
    /// A word that is not an operation.
    #[error("{0:?} is no operation; those of a game are publish, subscribe, presence and history")]
    UnknownOperation(SmolStr),
    /// A resource that is not a pattern.
    #[error("{0:?} is no resource; name a channel, with * for a part of its name or its end")]
    Resource(SmolStr),
}

/// What is allowed, by resource. On a channel that several resources match, everything is allowed that any of them allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    resources: BTreeMap<Resource, Operations>,
}

impl Capability {
    /// Everything on every channel: `{"*":["*"]}`.
    pub fn everything() -> Arc<Self> {
        let all = Resource::parse(ALL_CHANNELS).into_iter();
        Arc::new(Self { resources: all.map(|resource| (resource, Operations::EVERY)).collect() })
    }

    /// Whether `operation` is allowed on `channel`, whose name has no qualifier.
    pub fn allows(&self, channel: &ChannelName, operation: Operation) -> bool {
        self.on(channel).has(operation)
    }

    /// Whether `operation` is allowed on any channel at all.
    pub fn allows_somewhere(&self, operation: Operation) -> bool {
        self.resources.values().any(|operations| operations.has(operation))
    }

    /// Its resources, as texts.
    pub(crate) fn names_of_resources(&self) -> impl Iterator<Item = String> {
        self.resources.keys().map(ToString::to_string)
    }

    /// The canonical form of one resource.
    pub(crate) fn canonical_resource(text: &str) -> Option<String> {
        Resource::parse(text).map(|resource| resource.to_string())
    }

    /// Whether this text is one of its resources.
    pub(crate) fn names(&self, text: &str) -> bool {
        Resource::parse(text).is_some_and(|resource| self.resources.contains_key(&resource))
    }

    /// How many resources it names, at least one.
    pub(crate) fn resources(&self) -> usize {
        self.resources.len().max(1)
    }

    /// The modes that an attachment to `channel` may have.
    pub(crate) fn modes(&self, channel: &ChannelName) -> Flags {
        let operations = self.on(channel);
        let of = |operation, modes| if operations.has(operation) { modes } else { Flags::empty() };
        of(Operation::Publish, Flags::PUBLISH)
            | of(Operation::Subscribe, Flags::SUBSCRIBE | Flags::PRESENCE_SUBSCRIBE)
            | of(Operation::Presence, Flags::PRESENCE)
            | of(Operation::AnnotationPublish, Flags::ANNOTATION_PUBLISH)
    }

    fn on(&self, channel: &ChannelName) -> Operations {
        let segments: Vec<&str> = channel.as_str().split(':').collect();
        let matching = self.resources.iter().filter(|(resource, _)| resource.matches(&segments));
        matching.fold(Operations::default(), |sum, (_, operations)| sum.with(*operations))
    }

    /// What both allow; `None` where that is nothing. Where the patterns of one are narrower, the result has those.
    ///
    /// # Errors
    /// [`CapabilityError::TooLarge`] where the patterns have too many intersections.
    pub(crate) fn intersect(&self, other: &Self) -> Result<Option<Self>, CapabilityError> {
        let mut resources: BTreeMap<Resource, Operations> = BTreeMap::new();
        for (own, own_operations) in &self.resources {
            for (their, their_operations) in &other.resources {
                let operations = own_operations.common(*their_operations);
                if operations == Operations::default() {
                    continue;
                }
                if let Some(resource) = own.intersect(their) {
                    let sum = resources.entry(resource).or_default();
                    *sum = sum.with(operations);
                    if resources.len() > MAX_RESOURCES {
                        return Err(CapabilityError::TooLarge);
                    }
                }
            }
        }
        Ok((!resources.is_empty()).then_some(Self { resources }))
    }

    /// Reads the parsed form.
    ///
    /// # Errors
    /// [`CapabilityError`] tells what is wrong with it.
    pub fn from_json(value: &Value) -> Result<Self, CapabilityError> {
        let object = value.as_object().ok_or(CapabilityError::Form)?;
        if object.len() > MAX_RESOURCES {
            return Err(CapabilityError::TooLarge);
        }
        let entry = |(resource, operations): (&String, &Value)| {
            let too_long = resource.len() > MAX_CHANNEL_NAME;
            let parsed = Resource::parse(resource).filter(|_| !too_long);
            let resource = parsed.ok_or_else(|| CapabilityError::Resource(short(resource)))?;
            Ok((resource, Operations::parse(operations)?))
        };
        Ok(Self { resources: object.iter().map(entry).collect::<Result<_, _>>()? })
    }
}

/// The beginning of a text, for a message about it.
fn short(text: &str) -> SmolStr {
    text.chars().take(64).collect()
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, CapabilityError> {
        if text.len() > MAX_TEXT {
            return Err(CapabilityError::TooLarge);
        }
        let value: Value = serde_json::from_str(text).map_err(|_| CapabilityError::Form)?;
        Self::from_json(&value)
    }
}

impl fmt::Display for Capability {
    /// The canonical form: resources and operations in alphabetical order, no white space (`TK2b`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: BTreeMap<String, Vec<&str>> =
            self.resources.iter().map(|(resource, operations)| (resource.to_string(), operations.words())).collect();
        let text = serde_json::to_string(&words).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests;
