//! Reads values of any type from MessagePack, without a tree in between.
//!
//! It takes what MessagePack has and JSON does not: an extension stands for nil wherever any value may stand, and a map's key
//! may be a number.

use rmp_serde::decode::Error;
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

use super::reader::{Reader, Token};

/// Most levels of maps and lists inside each other: as many as the JSON form takes.
const MAX_DEPTH: usize = 128;

/// The values in some bytes.
pub(super) struct Values<'de> {
    reader: Reader<'de>,
    depth: usize,
}

impl<'de> Values<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { reader: Reader::new(bytes), depth: 0 }
    }

    /// Whether everything is read.
    pub(super) fn is_at_end(&self) -> bool {
        self.reader.is_at_end()
    }

    /// Has `visit` read the `length` parts of a list or map, all of them.
    fn nested<T>(
        &mut self,
        length: usize,
        visit: impl FnOnce(&mut Parts<'_, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::custom("lists and maps are nested too deep"));
        }
        self.depth += 1;
        let mut parts = Parts { left: length, values: self };
        let value = visit(&mut parts)?;
        if parts.left > 0 {
            return Err(Error::invalid_length(length, &"fewer elements"));
        }
        self.depth -= 1;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Values<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.reader.next()? {
            Token::Nil => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Float(value) => visitor.visit_f64(value),
            Token::Text(text) => visitor.visit_borrowed_str(text),
            Token::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Token::List(length) => self.nested(length, |elements| visitor.visit_seq(elements)),
            Token::Map(entries) => self.nested(entries, |entries| visitor.visit_map(entries)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.reader.take_nil()? { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.reader.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// The elements of a list, or the entries of a map, that are still to be read.
struct Parts<'a, 'de> {
    left: usize,
    values: &'a mut Values<'de>,
}

impl Parts<'_, '_> {
    fn begin_next(&mut self) -> bool {
        let has_next = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_next
    }
}

impl<'de> SeqAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.begin_next() { seed.deserialize(&mut *self.values).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.begin_next() { seed.deserialize(Key(&mut self.values.reader)).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.values)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A map's key, which is a text in JSON.
struct Key<'a, 'de>(&'a mut Reader<'de>);

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.next()? {
            Token::Text(text) => visitor.visit_borrowed_str(text),
            Token::Bool(value) => visitor.visit_string(value.to_string()),
            Token::Signed(value) => visitor.visit_string(value.to_string()),
            Token::Unsigned(value) => visitor.visit_string(value.to_string()),
            Token::Float(value) => visitor.visit_string(value.to_string()),
            Token::Nil | Token::Bytes(_) | Token::List(_) | Token::Map(_) => {
                Err(Error::custom("a map's key must be a string or a number"))
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
