//! One MessagePack value, borrowed from the bytes that it came in.
//!
//! Frames are read in two steps, since an extension may stand wherever any value may, and reads as nil there: first
//! into nodes, which takes what MessagePack has and JSON does not, then from the nodes into the typed frame.

use std::{borrow::Cow, fmt};

use rmp_serde::decode::Error;
use serde::{
    Deserialize, Deserializer,
    de::{
        self, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

/// Most elements for which room is made before they are seen: a short frame can claim any number.
const TRUSTED_LENGTH: usize = 64;

/// One value.
pub(super) enum Node<'de> {
    /// Nil, or an extension.
    Nil,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'de str),
    Bytes(&'de [u8]),
    List(Vec<Node<'de>>),
    Map(Vec<(Cow<'de, str>, Node<'de>)>),
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a MessagePack value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Signed(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(value))
    }

    fn visit_borrowed_bytes<E>(self, value: &'de [u8]) -> Result<Node<'de>, E> {
        Ok(Node::Bytes(value))
    }

    /// An extension: other SDKs write what their language calls undefined as one.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Node<'de>, D::Error> {
        IgnoredAny::deserialize(extension)?;
        Ok(Node::Nil)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node<'de>, A::Error> {
        let mut list = Vec::with_capacity(seq.size_hint().unwrap_or_default().min(TRUSTED_LENGTH));
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut entries = Vec::with_capacity(map.size_hint().unwrap_or_default().min(TRUSTED_LENGTH));
        while let Some((key, node)) = map.next_entry::<Node<'de>, Node<'de>>()? {
            entries.push((key.into_key()?, node));
        }
        Ok(Node::Map(entries))
    }
}

impl<'de> Node<'de> {
    /// The node as a map's key, which is a text in JSON.
    fn into_key<E: de::Error>(self) -> Result<Cow<'de, str>, E> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Bool(value) => Ok(Cow::Owned(value.to_string())),
            Self::Signed(value) => Ok(Cow::Owned(value.to_string())),
            Self::Unsigned(value) => Ok(Cow::Owned(value.to_string())),
            Self::Float(value) => Ok(Cow::Owned(value.to_string())),
            Self::Nil | Self::Bytes(_) | Self::List(_) | Self::Map(_) => {
                Err(E::custom("a map's key must be a string or a number"))
            }
        }
    }
}

impl<'de> IntoDeserializer<'de, Error> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Nil => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Text(text) => visitor.visit_borrowed_str(text),
            Self::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Self::List(list) => {
                let mut elements = SeqDeserializer::new(list.into_iter());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(value)
            }
            Self::Map(entries) => {
                let mut entries = MapDeserializer::new(entries.into_iter());
                let value = visitor.visit_map(&mut entries)?;
                entries.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Nil => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}
