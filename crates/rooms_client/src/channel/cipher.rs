//! Encryption of a channel's payloads, so that the server cannot read them (`RSL5`, `RSL6`).
//!
//! Owns keys and the two encoding steps that encryption adds. A payload is encrypted with AES in CBC mode with PKCS#7 padding.
//! A random vector stands in front of it, so equal payloads look different. Encryption hides a payload. It does not prove who
//! wrote it: the server decides who may publish.

use std::fmt;

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use rand::CryptoRng;

use rooms_protocol::{Data, DataError, Format, Message, PresenceMessage};

/// Bytes of the vector in front of the encrypted payload: one block (`RSL5c`).
const VECTOR_BYTES: usize = 16;

/// The beginning of every cipher's encoding step.
const STEP: &str = "cipher+";

/// Keys come with or without padding.
const BASE64_CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

type Vector = [u8; VECTOR_BYTES];

/// How the payloads of a channel are encrypted (`TZ2`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CipherParams {
    /// The secret that everybody on the channel shares.
    pub key: CipherKey,
}

/// A secret key of 128 or 256 bits. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct CipherKey(Key);

#[derive(Clone, PartialEq, Eq)]
enum Key {
    Bits128([u8; 16]),
    Bits256([u8; 32]),
}

/// How long a new key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyLength {
    /// 128 bits.
    Bits128,
    /// 256 bits.
    #[default]
    Bits256,
}

/// Why something is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CipherKeyError {
    /// Too short or too long.
    #[error("a key has 16 or 32 bytes, and this has {0}; make one with CipherKey::random")]
    Length(usize),
    /// The text is no base64.
    #[error("the key is neither base64 nor base64url; copy it whole")]
    Base64,
}

impl CipherKey {
    /// A new key. `random` must be seeded with at least as many random bits as the key is to have.
    pub fn random(length: KeyLength, random: &mut impl CryptoRng) -> Self {
        Self(match length {
            KeyLength::Bits128 => Key::Bits128(random_bytes(random)),
            KeyLength::Bits256 => Key::Bits256(random_bytes(random)),
        })
    }

    /// The key that consists of these bytes.
    ///
    /// # Errors
    /// [`CipherKeyError::Length`] unless they are 16 or 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CipherKeyError> {
        let long = || bytes.try_into().map(Key::Bits256);
        let key = bytes.try_into().map(Key::Bits128).or_else(|_| long());
        key.map(Self).map_err(|_| CipherKeyError::Length(bytes.len()))
    }

    /// The key that a text holds as base64 or base64url, with or without padding.
    ///
    /// # Errors
    /// [`CipherKeyError`] for a text that is neither, and as [`from_bytes`](Self::from_bytes).
    pub fn from_text(text: &str) -> Result<Self, CipherKeyError> {
        let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
        let bytes = GeneralPurpose::new(&alphabet, BASE64_CONFIG).decode(text.trim());
        Self::from_bytes(&bytes.map_err(|_| CipherKeyError::Base64)?)
    }

    /// The key itself, to be handed on by a way that others cannot read.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Key::Bits128(bytes) => bytes,
            Key::Bits256(bytes) => bytes,
        }
    }

    /// The encoding step that this key does and undoes.
    fn step(&self) -> &'static str {
        match self.0 {
            Key::Bits128(_) => "cipher+aes-128-cbc",
            Key::Bits256(_) => "cipher+aes-256-cbc",
        }
    }

    fn encrypt(&self, plain: &[u8], vector: Vector) -> Vec<u8> {
        let blocks = match &self.0 {
            Key::Bits128(key) => {
                cbc::Encryptor::<aes::Aes128>::new(key.into(), (&vector).into()).encrypt_padded_vec::<Pkcs7>(plain)
            }
            Key::Bits256(key) => {
                cbc::Encryptor::<aes::Aes256>::new(key.into(), (&vector).into()).encrypt_padded_vec::<Pkcs7>(plain)
            }
        };
        [&vector, blocks.as_slice()].concat()
    }

    fn decrypt(&self, encrypted: &[u8]) -> Result<Vec<u8>, DataError> {
        let invalid = |why: &str| DataError::Invalid { step: self.step(), why: why.to_owned() };
        let (vector, blocks) = encrypted.split_first_chunk().ok_or_else(|| invalid("it is too short"))?;
        let vector: &Vector = vector;
        let plain = match &self.0 {
            Key::Bits128(key) => {
                cbc::Decryptor::<aes::Aes128>::new(key.into(), vector.into()).decrypt_padded_vec::<Pkcs7>(blocks)
            }
            Key::Bits256(key) => {
                cbc::Decryptor::<aes::Aes256>::new(key.into(), vector.into()).decrypt_padded_vec::<Pkcs7>(blocks)
            }
        };
        plain.map_err(|_| invalid("it was encrypted with another key, or is damaged"))
    }
}

impl fmt::Debug for CipherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CipherKey({} bits)", 8 * self.as_bytes().len())
    }
}

impl CipherParams {
    /// Encryption with `key`.
    pub fn new(key: CipherKey) -> Self {
        Self { key }
    }

    /// Encrypts a payload and notes that in its encoding. A payload that is encrypted already stays as it is.
    fn encrypt(&self, payload: &mut Payload<'_>, random: &mut impl CryptoRng) {
        if payload.encoding.as_ref().is_some_and(|steps| steps.contains(STEP)) {
            return;
        }
        let Some(data) = payload.data.take() else { return };
        let (data, mut steps) = data.into_frame(payload.encoding.take(), Format::MsgPack);
        let plain = match data {
            Data::Binary(bytes) => bytes,
            Data::Text(text) => {
                steps = Some(with_step(steps, "utf-8"));
                text.into_bytes()
            }
            // In a frame it is text.
            Data::Json(value) => value.to_string().into_bytes(),
        };
        *payload.data = Some(Data::Binary(self.key.encrypt(&plain, random_bytes(random))));
        *payload.encoding = Some(with_step(steps, self.key.step()));
    }
}

/// What of a message is encrypted.
pub(crate) struct Payload<'a> {
    data: &'a mut Option<Data>,
    encoding: &'a mut Option<String>,
}

impl<'a> From<&'a mut Message> for Payload<'a> {
    fn from(message: &'a mut Message) -> Self {
        Self { data: &mut message.data, encoding: &mut message.encoding }
    }
}

impl<'a> From<&'a mut PresenceMessage> for Payload<'a> {
    fn from(message: &'a mut PresenceMessage) -> Self {
        Self { data: &mut message.data, encoding: &mut message.encoding }
    }
}

/// Encrypts a payload, if the channel has a cipher.
pub(crate) fn encrypt<'a>(cipher: Option<&CipherParams>, payload: impl Into<Payload<'a>>, random: &mut impl CryptoRng) {
    if let Some(cipher) = cipher {
        cipher.encrypt(&mut payload.into(), random);
    }
}

/// Undoes the encoding of a payload, and its encryption if the channel has the key.
///
/// # Errors
/// Tells which step could not be undone. Data and encoding are then left as they were before that step (`RSL6b`).
pub(crate) fn decode<'a>(cipher: Option<&CipherParams>, payload: impl Into<Payload<'a>>) -> Result<(), DataError> {
    let Payload { data, encoding } = payload.into();
    loop {
        if encoding.is_none() {
            return Ok(());
        }
        let Some(wire) = data.take() else { return Ok(()) };
        let (decoded, rest, error) = wire.decode(encoding.as_deref());
        *encoding = rest;
        let Some(error) = error else {
            *data = Some(decoded);
            return Ok(());
        };
        match (cipher, &error, decoded) {
            (Some(CipherParams { key }), DataError::UnknownStep(step), Data::Binary(encrypted))
                if step == key.step() =>
            {
                let plain = match key.decrypt(&encrypted) {
                    Ok(plain) => plain,
                    Err(error) => {
                        *data = Some(Data::Binary(encrypted));
                        return Err(error);
                    }
                };
                *data = Some(Data::Binary(plain));
                *encoding = encoding.take().and_then(|steps| Some(steps.rsplit_once('/')?.0.to_owned()));
            }
            (_, _, decoded) => {
                *data = Some(decoded);
                return Err(error);
            }
        }
    }
}

fn with_step(steps: Option<String>, step: &str) -> String {
    match steps {
        Some(steps) if !steps.is_empty() => format!("{steps}/{step}"),
        _ => step.to_owned(),
    }
}

fn random_bytes<const N: usize>(random: &mut impl CryptoRng) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD as BASE64;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;
    use serde_json::json;

    use super::*;

    const VECTOR: Vector =
        [0xf0, 0xe0, 0xd0, 0xc0, 0xb0, 0xa0, 0x90, 0x80, 0x70, 0x60, 0x50, 0x40, 0x30, 0x20, 0x10, 0];

    /// Made with `openssl enc -aes-N-cbc`, the keys `00 01 02 …` and [`VECTOR`].
    const ENCRYPTED: [(&str, &str, &str); 3] = [
        ("", "ZDGZVhHAow9T3xcQz8Prdg==", "bcL6bJ1IOEkpCdz03UmQlw=="),
        (
            "The quick brown fox",
            "m7s2DaAG3iYRc2rDqtmkDBRbHO2KjwX0bo/O/NtOTZo=",
            "T/lAuJGkMdWbzEUUQ5axPFcGdAw+RkZIRXnKDO6K3NM=",
        ),
        (
            r#"{"bingo":[7,42]}"#,
            "L97UO97OoYB/Es1KjyamqmDBq02JQJqsMnaOjJroI7Q=",
            "Vmu76WAnka11cZQlZWdXAKq1AU3cXcRgmNfukZ1nBME=",
        ),
    ];

    fn keys() -> [CipherKey; 2] {
        [16, 32].map(|length| CipherKey::from_bytes(&(0..length).collect::<Vec<u8>>()).unwrap())
    }

    fn random() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([7; 32])
    }

    fn message(data: impl Into<Data>, encoding: Option<&str>) -> Message {
        Message { data: Some(data.into()), encoding: encoding.map(str::to_owned), ..Message::default() }
    }

    #[test]
    fn what_others_encrypted_is_read_and_written_alike() {
        for (plain, short, long) in ENCRYPTED {
            for (key, encrypted) in keys().into_iter().zip([short, long]) {
                let expected = [VECTOR.to_vec(), BASE64.decode(encrypted).unwrap()].concat();
                assert_eq!(key.encrypt(plain.as_bytes(), VECTOR), expected);
                let steps = format!("utf-8/{}/base64", key.step());
                let mut message = message(BASE64.encode(expected), Some(&steps));
                decode(Some(&CipherParams::new(key)), &mut message).unwrap();
                assert_eq!((message.data, message.encoding), (Some(plain.into()), None));
            }
        }
    }

    #[test]
    fn the_encoding_names_every_step() {
        let kinds: [(Data, &str); 3] =
            [("hi".into(), "utf-8/"), (vec![0, 255].into(), ""), (json!({ "a": 1 }).into(), "json/utf-8/")];
        for (data, steps) in kinds {
            for key in keys() {
                let expected = format!("{steps}{}", key.step());
                let cipher = CipherParams::new(key);
                let mut message = message(data.clone(), None);
                encrypt(Some(&cipher), &mut message, &mut random());
                assert_eq!(message.encoding, Some(expected));
                for format in [Format::Json, Format::MsgPack] {
                    let mut sent = message.clone();
                    sent.encode_for(format);
                    decode(Some(&cipher), &mut sent).unwrap();
                    assert_eq!((sent.data, sent.encoding), (Some(data.clone()), None));
                }
            }
        }
    }

    #[test]
    fn equal_payloads_look_different_and_nothing_is_encrypted_twice() {
        let cipher = CipherParams::new(keys()[1].clone());
        let (mut random, mut one, mut two) = (random(), message("same", None), message("same", None));
        encrypt(Some(&cipher), &mut one, &mut random);
        encrypt(Some(&cipher), &mut two, &mut random);
        assert_ne!(one.data, two.data);
        encrypt(Some(&cipher), &mut two, &mut random);
        assert_eq!(two.encoding.as_deref(), Some("utf-8/cipher+aes-256-cbc"));
        let mut empty = Message::default();
        encrypt(Some(&cipher), &mut empty, &mut random);
        assert_eq!(empty, Message::default(), "nothing stays nothing");
    }

    #[test]
    fn without_the_right_key_data_stays_as_far_as_it_was_decoded() {
        let [short, long] = keys().map(CipherParams::new);
        let other = CipherParams::new(CipherKey::from_bytes(&[9; 32]).unwrap());
        let mut encrypted = message("hi", None);
        encrypt(Some(&long), &mut encrypted, &mut random());
        let mut wire = encrypted.clone();
        wire.encode_for(Format::Json);
        for cipher in [None, Some(&short), Some(&other)] {
            let mut read = wire.clone();
            assert!(decode(cipher, &mut read).is_err());
            assert_eq!(read, encrypted, "{cipher:?}");
        }
    }

    #[test]
    fn damaged_payloads_are_typed_errors() {
        let cipher = CipherParams::new(keys()[0].clone());
        for data in [vec![], vec![0; 15], vec![0; 16], vec![0; 17], vec![0; 32]] {
            let mut message = message(data.clone(), Some("utf-8/cipher+aes-128-cbc"));
            assert!(matches!(decode(Some(&cipher), &mut message), Err(DataError::Invalid { .. })), "{data:?}");
            assert_eq!(message.data, Some(data.into()));
            assert_eq!(message.encoding.as_deref(), Some("utf-8/cipher+aes-128-cbc"));
        }
        let mut text = message("no bytes", Some("cipher+aes-128-cbc"));
        assert!(decode(Some(&cipher), &mut text).is_err());
    }

    #[test]
    fn a_key_comes_as_bytes_base64_or_base64url() {
        let bytes = [0xfb; 32];
        let key = CipherKey::from_bytes(&bytes).unwrap();
        let standard = BASE64.encode(bytes);
        let url_safe = standard.replace('+', "-").replace('/', "_");
        assert_ne!(standard, url_safe);
        for text in [&standard, &url_safe, standard.trim_end_matches('='), url_safe.trim_end_matches('=')] {
            assert_eq!(CipherKey::from_text(text), Ok(key.clone()), "{text}");
        }
        assert_eq!(CipherKey::from_text("no key!"), Err(CipherKeyError::Base64));
        assert_eq!(CipherKey::from_text("AAAA"), Err(CipherKeyError::Length(3)));
    }

    #[test]
    fn random_keys_have_the_length_that_was_asked_for_and_do_not_repeat() {
        let mut random = random();
        let keys = [KeyLength::Bits128, KeyLength::default()].map(|length| CipherKey::random(length, &mut random));
        assert_eq!(keys.each_ref().map(|key| key.as_bytes().len()), [16, 32]);
        assert_ne!(keys[1], CipherKey::random(KeyLength::Bits256, &mut random));
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let shown = format!("{:?}", CipherParams::new(CipherKey::from_bytes(&[0x53; 16]).unwrap()));
        assert_eq!(shown, "CipherParams { key: CipherKey(128 bits) }");
    }
}
