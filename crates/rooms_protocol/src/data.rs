//! The payload of a message and the chain of encodings that carries it.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        DeserializeOwned, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::Value;

use super::{
    Format, json_text,
    lenient::{Json, JsonVisitor},
};

/// What a message carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A string.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// A JSON object or array. Other JSON values are only met where a sender broke the rules.
    Json(Value),
}

/// Why a payload could not be decoded. The payload is kept as far as it was decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The step is unknown here, such as a cipher without its key.
    #[error("the encoding step {0:?} is not understood; the data is left as it was at that step")]
    UnknownStep(String),
    /// The data is not what the step says.
    #[error("the data is not valid for its encoding step {step:?}: {why}")]
    Invalid {
        /// The step.
        step: &'static str,
        /// What the decoder said.
        why: String,
    },
}

impl Data {
    /// Bytes that count towards the message limit (`TM6`): a string's and bytes' length, the length of JSON text.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Json(value) => json_size(value),
        }
    }

    /// The form that goes into a JSON frame, with its `encoding` (`RSL4`): JSON as text, bytes as base64.
    pub fn into_json_frame(self, encoding: Option<String>) -> (Self, Option<String>) {
        match self {
            Self::Text(text) => (Self::Text(text), encoding),
            Self::Binary(bytes) => (Self::Text(BASE64.encode(bytes)), Some(append(encoding, "base64"))),
            Self::Json(value) => (Self::Text(value.to_string()), Some(append(encoding, "json"))),
        }
    }

    /// The form that a frame in `format` carries, with its `encoding`: JSON as text, and bytes as they are where the
    /// format has them (`RSL4c`, `RSL4d`).
    pub fn into_frame(self, encoding: Option<String>, format: Format) -> (Self, Option<String>) {
        match (self, format) {
            (Self::Binary(bytes), Format::MsgPack) => (Self::Binary(bytes), encoding),
            (data, Format::Json | Format::MsgPack) => data.into_json_frame(encoding),
        }
    }

    /// The form that is the same whatever frame it came in: an outer base64 undone, JSON as text. Invalid base64 is
    /// left as it is.
    pub fn into_canonical(self, encoding: Option<String>) -> (Self, Option<String>) {
        let steps = encoding.as_deref().unwrap_or_default();
        let (before, last) = steps.rsplit_once('/').unwrap_or(("", steps));
        match self {
            Self::Text(text) if last == "base64" => match BASE64.decode(&text) {
                Ok(bytes) => (Self::Binary(bytes), (!before.is_empty()).then(|| before.to_owned())),
                Err(_) => (Self::Text(text), encoding),
            },
            data => data.into_frame(encoding, Format::MsgPack),
        }
    }

    /// Undoes `encoding` from its last step to its first (`RSL6`).
    ///
    /// Gives the data, the steps that could not be undone, and why.
    pub fn decode(self, encoding: Option<&str>) -> (Self, Option<String>, Option<DataError>) {
        let mut data = self;
        let mut rest = encoding.unwrap_or_default();
        while !rest.is_empty() {
            let (before, step) = rest.rsplit_once('/').unwrap_or(("", rest));
            match data.undo(step) {
                Ok(decoded) => data = decoded,
                Err((undecoded, error)) => return (undecoded, Some(rest.to_owned()), Some(error)),
            }
            rest = before;
        }
        (data, None, None)
    }

    fn undo(self, step: &str) -> Result<Self, (Self, DataError)> {
        let invalid = |step, why: String| DataError::Invalid { step, why };
        match (step, self) {
            ("base64", Self::Text(text)) => match BASE64.decode(&text) {
                Ok(bytes) => Ok(Self::Binary(bytes)),
                Err(error) => Err((Self::Text(text), invalid("base64", error.to_string()))),
            },
            ("utf-8", Self::Binary(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Self::Text(text)),
                Err(error) => {
                    let why = error.to_string();
                    Err((Self::Binary(error.into_bytes()), invalid("utf-8", why)))
                }
            },
            ("utf-8", text @ Self::Text(_)) => Ok(text),
            ("json", Self::Text(text)) => match serde_json::from_str(&text) {
                Ok(value) => Ok(Self::Json(value)),
                Err(error) => Err((Self::Text(text), invalid("json", error.to_string()))),
            },
            ("json", json @ Self::Json(_)) => Ok(json),
            ("base64", data) => Err((data, invalid("base64", "the data is not a string".to_owned()))),
            ("utf-8", data) => Err((data, invalid("utf-8", "the data is not bytes".to_owned()))),
            ("json", data) => Err((data, invalid("json", "the data is not a string".to_owned()))),
            (step, data) => Err((data, DataError::UnknownStep(step.to_owned()))),
        }
    }

    /// The JSON value, where the data is one.
    pub fn as_json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Text(_) | Self::Binary(_) => None,
        }
    }

    /// The text, where the data is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) | Self::Json(_) => None,
        }
    }

    /// Writes a value in a form that every SDK can read: objects and arrays as JSON, strings as text, and numbers,
    /// booleans and null as their JSON text, since JSON data may be none of these by itself (`RSL4a`).
    ///
    /// # Errors
    /// What the serializer says, such as of a map whose keys are no strings.
    pub fn write<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(match serde_json::to_value(value)? {
            Value::String(text) => Self::Text(text),
            value @ (Value::Object(_) | Value::Array(_)) => Self::Json(value),
            scalar => Self::Text(scalar.to_string()),
        })
    }

    /// Reads what [`write`](Self::write) wrote, or somebody else. Bytes are read as a sequence of numbers.
    ///
    /// # Errors
    /// What the deserializer says where the data does not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self {
            Self::Json(value) => T::deserialize(value),
            // A text may be a string, or a number that was written as one.
            Self::Text(text) => T::deserialize(Value::from(text.as_str()))
                .or_else(|error| serde_json::from_str(text).map_err(|_| error)),
            Self::Binary(bytes) => T::deserialize(Value::from(bytes.as_slice())),
        }
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Binary(bytes) => serializer.serialize_bytes(bytes),
            Self::Json(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, bytes or a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Data, E> {
        Ok(Data::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Data, E> {
        Ok(Data::Text(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Data, E> {
        Ok(Data::Binary(bytes.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Json(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Json(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Json(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(Data::Json(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Data::Json(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Data, A::Error> {
        JsonVisitor.visit_seq(seq).map(|Json(value)| Data::Json(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
        JsonVisitor.visit_map(map).map(|Json(value)| Data::Json(value))
    }
}

/// Reads a payload of a frame, in which JSON stays text. [`settle`] has to follow: until then, what was an object or a list is a
/// JSON value that is a string, which nothing else becomes.
pub(super) fn read_wire<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Data>, D::Error> {
    struct WireVisitor;

    impl<'de> Visitor<'de> for WireVisitor {
        type Value = Option<Data>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            DataVisitor.expecting(f)
        }

        fn visit_unit<E>(self) -> Result<Option<Data>, E> {
            Ok(None)
        }

        fn visit_none<E>(self) -> Result<Option<Data>, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Data>, D::Error> {
            deserializer.deserialize_any(self)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Option<Data>, E> {
            DataVisitor.visit_str(text).map(Some)
        }

        fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Option<Data>, E> {
            DataVisitor.visit_string(text).map(Some)
        }

        fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Option<Data>, E> {
            DataVisitor.visit_bytes(bytes).map(Some)
        }

        fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Option<Data>, E> {
            DataVisitor.visit_bool(value).map(Some)
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Option<Data>, E> {
            DataVisitor.visit_i64(value).map(Some)
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Option<Data>, E> {
            DataVisitor.visit_u64(value).map(Some)
        }

        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Option<Data>, E> {
            DataVisitor.visit_f64(value).map(Some)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<Data>, A::Error> {
            json_text::read(SeqAccessDeserializer::new(seq)).map(|text| Some(Data::Json(Value::String(text))))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Data>, A::Error> {
            json_text::read(MapAccessDeserializer::new(map)).map(|text| Some(Data::Json(Value::String(text))))
        }
    }

    deserializer.deserialize_option(WireVisitor)
}

/// Brings what [`read_wire`] read into the form that a payload has in a frame: JSON is text, and its encoding says so (`RSL4c`).
pub(super) fn settle(data: &mut Option<Data>, encoding: &mut Option<String>) {
    *data = match data.take() {
        Some(Data::Json(Value::String(text))) => {
            *encoding = Some(append(encoding.take(), "json"));
            Some(Data::Text(text))
        }
        other => other,
    };
}

/// Turns `data` into the form that a frame in `format` carries, with its `encoding`.
pub(super) fn encode_in_place(data: &mut Option<Data>, encoding: &mut Option<String>, format: Format) {
    if let Some(plain) = data.take() {
        let (wire, steps) = plain.into_frame(encoding.take(), format);
        *data = Some(wire);
        *encoding = steps;
    }
}

/// Undoes `encoding`; both stand at the step that could not be undone when that fails.
pub(super) fn decode_in_place(data: &mut Option<Data>, encoding: &mut Option<String>) -> Result<(), DataError> {
    if encoding.is_none() {
        return Ok(());
    }
    let Some(wire) = data.take() else { return Ok(()) };
    let (plain, rest, error) = wire.decode(encoding.as_deref());
    *data = Some(plain);
    *encoding = rest;
    error.map_or(Ok(()), Err)
}

/// The length of a value's JSON text in bytes, without making the text.
fn json_size(value: &impl Serialize) -> usize {
    let mut counter = ByteCounter(0);
    // Writing a JSON value into a counter cannot fail: its keys are strings and the counter takes all.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// `encoding` with one step more.
fn append(encoding: Option<String>, step: &str) -> String {
    match encoding {
        Some(steps) if !steps.is_empty() => format!("{steps}/{step}"),
        _ => step.to_owned(),
    }
}

struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_data_survives_a_json_frame() {
        for data in [Data::from("hi"), Data::from(vec![0, 159, 146]), Data::from(json!({ "a": [1, null] }))] {
            let (wire, encoding) = data.clone().into_json_frame(None);
            assert!(wire.as_text().is_some(), "a JSON frame carries text");
            assert_eq!(wire.decode(encoding.as_deref()), (data, None, None));
        }
    }

    #[test]
    fn chains_are_undone_from_the_right() {
        let (data, rest, error) = Data::from("eyJhIjoxfQ==").decode(Some("json/utf-8/base64"));
        assert_eq!((data, rest, error), (Data::Json(json!({ "a": 1 })), None, None));
    }

    #[test]
    fn an_unknown_step_leaves_what_was_decoded_and_what_is_left() {
        let (data, rest, error) = Data::from("AAEC").decode(Some("utf-8/cipher+aes-256-cbc/base64"));
        assert_eq!(data, Data::Binary(vec![0, 1, 2]));
        assert_eq!(rest.as_deref(), Some("utf-8/cipher+aes-256-cbc"));
        assert_eq!(error, Some(DataError::UnknownStep("cipher+aes-256-cbc".to_owned())));
    }

    #[test]
    fn invalid_base64_is_kept_untouched() {
        let (data, rest, error) = Data::from("%%%").decode(Some("base64"));
        assert_eq!((data, rest.as_deref()), (Data::from("%%%"), Some("base64")));
        assert!(matches!(error, Some(DataError::Invalid { step: "base64", .. })));
    }

    #[test]
    fn bytes_stay_bytes_where_the_format_has_them_and_json_is_text_in_both() {
        let bytes = Data::Binary(vec![1, 2]);
        assert_eq!(bytes.clone().into_frame(None, Format::MsgPack), (bytes, None));
        let (wire, encoding) = Data::from(json!([1])).into_frame(None, Format::MsgPack);
        assert_eq!((wire, encoding.as_deref()), (Data::from("[1]"), Some("json")));
    }

    #[test]
    fn the_canonical_form_is_the_same_whatever_frame_the_data_came_in() {
        let cipher = || Some("utf-8/cipher+aes-128-cbc".to_owned());
        for format in [Format::Json, Format::MsgPack] {
            for (data, encoding) in [(Data::from(vec![0, 255]), None), (Data::from(vec![9]), cipher())] {
                let (wire, steps) = data.clone().into_frame(encoding.clone(), format);
                assert_eq!(wire.into_canonical(steps), (data, encoding));
            }
        }
        let invalid = (Data::from("%%%"), Some("base64".to_owned()));
        assert_eq!(invalid.0.clone().into_canonical(invalid.1.clone()), invalid);
        assert_eq!(Data::from("AA==").into_canonical(None), ("AA==".into(), None), "text that only looks like base64");
    }

    #[test]
    fn json_counts_by_the_length_of_its_text() {
        assert_eq!(Data::Json(json!({ "a": 1 })).size(), r#"{"a":1}"#.len());
    }

    #[test]
    fn what_a_type_writes_it_reads_again() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Said {
            text: String,
        }
        let said = Said { text: "hi".to_owned() };
        assert_eq!(Data::write(&said).unwrap().read::<Said>().unwrap(), said);
        assert_eq!(Data::write("7").unwrap().read::<String>().unwrap(), "7");
        assert_eq!(Data::write(&7).unwrap(), Data::Text("7".to_owned()), "JSON data may be no bare number");
        assert_eq!(Data::write(&7).unwrap().read::<u8>().unwrap(), 7);
        assert_eq!(Data::write(&()).unwrap().read::<Option<u8>>().unwrap(), None);
        assert!(Data::write("seven").unwrap().read::<u8>().is_err());
    }
}
