//! Opaque additions to a message. They stay text, so that who passes them on does not build what is in them.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::json_text::{self, Rewritten};

/// Opaque additions to a message, such as `headers`: a JSON object. Carried untouched.
#[derive(Clone)]
pub struct Extras(Box<RawValue>);

impl Extras {
    /// The text of the object, without white space between its parts.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The value of one field. If it is there several times, the last one counts.
    pub fn get(&self, name: &str) -> Option<Value> {
        // It was checked when it came in, so that reading it again cannot fail.
        Field::new(name).deserialize(&mut serde_json::Deserializer::from_str(self.as_str())).ok()?
    }

    /// Whether a field is `true`. Whatever it is otherwise, it is not built.
    pub fn is_true(&self, name: &str) -> bool {
        let field: Field<'_, &RawValue> = Field::new(name);
        let value = field.deserialize(&mut serde_json::Deserializer::from_str(self.as_str()));
        value.is_ok_and(|value| value.is_some_and(|value| value.get() == "true"))
    }

    /// The same with one field set.
    #[must_use]
    pub fn with(&self, name: &str, value: Value) -> Self {
        let Value::Object(mut map) = self.to_value() else { return self.clone() };
        map.insert(name.to_owned(), value);
        map.into()
    }

    /// All of them, as a JSON object.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }

    /// The text of an object that was written just now.
    fn of_text(text: String) -> Option<Self> {
        text.starts_with('{').then(|| RawValue::from_string(text).ok().map(Self))?
    }
}

impl From<Map<String, Value>> for Extras {
    fn from(map: Map<String, Value>) -> Self {
        Self::of_text(Value::Object(map).to_string()).unwrap_or_default()
    }
}

impl FromIterator<(String, Value)> for Extras {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        Map::from_iter(fields).into()
    }
}

impl Default for Extras {
    /// An empty object.
    fn default() -> Self {
        Self(serde_json::value::to_raw_value(&Map::new()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extras({})", self.as_str())
    }
}

impl PartialEq for Extras {
    /// Whether they hold the same, in whichever order.
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() || self.to_value() == other.to_value()
    }
}

impl Serialize for Extras {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            Rewritten(self.as_str()).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Extras {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = json_text::read(deserializer)?;
        Self::of_text(text).ok_or_else(|| D::Error::custom("extras must be an object"))
    }
}

/// Reads one field of an object and skips the others.
struct Field<'a, T> {
    name: &'a str,
    value: PhantomData<T>,
}

impl<'a, T> Field<'a, T> {
    fn new(name: &'a str) -> Self {
        Self { name, value: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Field<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Field<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Action, Format, Frame, Message, WireFrame, msgpack};

    fn read(text: &str) -> Result<Extras, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn extras_are_carried_as_they_came_but_for_white_space() {
        let extras = read("{ \"b\" : [1, 2.50, \"\\u00e9\\n\"],\n\"a\":{\"x\":null} }").unwrap();
        assert_eq!(extras.as_str(), r#"{"b":[1,2.5,"é\n"],"a":{"x":null}}"#);
        assert_eq!(extras.get("a"), Some(json!({ "x": null })));
        assert_eq!((extras.get("c"), extras.to_value()["b"][0].as_i64()), (None, Some(1)));
        assert_eq!(serde_json::to_value(&extras).unwrap(), extras.to_value());
    }

    #[test]
    fn what_is_no_object_or_no_json_is_refused() {
        for text in ["[1]", "7", "\"{}\"", "null", "{\"a\":}", "{\"a\":\"cut \\ud83d\"}", "{\"a\":NaN}"] {
            assert!(read(text).is_err(), "{text}");
        }
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert!(read(&nested).is_err(), "it is nested too deep");
    }

    #[test]
    fn extras_with_the_same_fields_are_the_same_in_any_order() {
        assert_eq!(read(r#"{"a":1,"b":2}"#).unwrap(), read(r#"{"b":2,"a":1}"#).unwrap());
        assert_ne!(read(r#"{"a":1}"#).unwrap(), Extras::default());
        assert_eq!(read("{}").unwrap(), Extras::default());
        assert_eq!(read(r#"{"a":1,"a":2}"#).unwrap().get("a"), Some(json!(2)), "the last one counts");
    }

    #[test]
    fn a_field_is_set_and_the_others_stay() {
        let extras = read(r#"{"a":1,"b":[2]}"#).unwrap().with("a", json!(true)).with("c", json!("x"));
        assert_eq!(extras.to_value(), json!({ "a": true, "b": [2], "c": "x" }));
        assert_eq!(["a", "b", "c", "d"].map(|name| extras.is_true(name)), [true, false, false, false]);
    }

    #[test]
    fn both_formats_carry_the_same_extras() {
        let extras =
            Extras::from_iter([("headers".to_owned(), json!({ "n": [1, -2, 1.5, null, "x", { "y": true }] }))]);
        let mut frame = Frame::new(Action::Message);
        frame.messages = vec![Message { extras: Some(extras.clone()), ..Message::default() }];
        for format in [Format::Json, Format::MsgPack] {
            let back = format.encode(frame.clone()).decode().unwrap();
            assert_eq!(back.messages[0].extras, Some(extras.clone()), "{format:?}");
        }
        let value = json!({ "action": 15, "messages": [{ "extras": extras.to_value() }] });
        let as_others_write_it = WireFrame::Binary(msgpack::to_vec(&value));
        assert_eq!(as_others_write_it.decode().unwrap().messages[0].extras, Some(extras));
    }
}
