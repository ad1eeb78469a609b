//! What the fuzz targets do with their input. Each takes bytes and must neither panic, nor hang, nor grow without bound.
//!
//! Inputs that stand for a course of events are texts, a line for each event, so that a seed can be read and a finding
//! be understood. Lines that mean nothing are skipped.

mod client;
#[path = "../../crates/rooms_relay/tests/course/mod.rs"]
mod course;
mod session;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rooms_client::{CipherKey, TokenAnswer};
use rooms_protocol::{DEVELOPMENT_KEY, Data, Format, Frame, Timestamp, json, msgpack};
use rooms_relay::{ApiKey, Capability, ConnectRequest, Hub, HubConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use web_time::Instant;

pub use self::{
    client::{cipher, client},
    session::session,
};

/// The wall clock of all targets.
const WALL: Timestamp = Timestamp(1_700_000_000_000);

/// Most lines of one input that are looked at: what goes wrong goes wrong early, and a run stays short.
const MAX_LINES: usize = 64;

/// A course of events at the relay's hub.
pub fn hub(data: &[u8]) {
    course::hub(data, MAX_LINES, |_| {});
}

/// A frame in JSON: what was read can be written, in both formats, and then reads the same again and again.
pub fn json_frame(data: &[u8]) {
    if let Ok(frame) = str::from_utf8(data).map_err(drop).and_then(|text| json::decode(text).map_err(drop)) {
        check_frame(frame);
    }
}

/// A frame in MessagePack.
pub fn msgpack_frame(data: &[u8]) {
    if let Ok(frame) = msgpack::decode(data) {
        check_frame(frame);
    }
}

fn check_frame(frame: Frame) {
    for format in [Format::Json, Format::MsgPack] {
        let once = format.encode(frame.clone()).decode().expect("what was read can be written and read");
        let again = format.encode(once.clone()).decode().expect("and again");
        assert_eq!(again, once);
    }
    for mut message in frame.messages {
        let _ = message.decode_data();
    }
    for mut word in frame.presence {
        let _ = word.decode_data();
    }
}

/// A payload and the encodings that it is said to have: the first line is the chain, what follows the payload.
pub fn encodings(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(chain), Some(payload)) = (parts.next(), parts.next()) else { return };
    let Ok(chain) = str::from_utf8(chain) else { return };
    let text = String::from_utf8_lossy(payload).into_owned();
    for data in [Data::from(payload.to_vec()), Data::from(text)] {
        let _ = data.clone().decode(Some(chain));
        let (canonical, encoding) = data.clone().into_canonical(Some(chain.to_owned()));
        for format in [Format::Json, Format::MsgPack] {
            let _ = canonical.clone().into_frame(encoding.clone(), format);
            let (wire, encoding) = data.clone().into_frame(None, format);
            let (back, left, error) = wire.decode(encoding.as_deref());
            assert!(back == data && left.is_none() && error.is_none(), "a payload comes out as it went in");
        }
    }
}

/// Whatever shows who somebody is: keys, tokens, capabilities, queries and headers. The first line is also the header,
/// and the second the claims, of a JWT with a right signature.
pub fn credentials(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let _ = TokenAnswer::from_json(text);
    let _ = TokenAnswer::from_http(first, rest.as_bytes());
    let _ = text.parse::<ApiKey>();
    let _ = text.parse::<Capability>();
    let _ = CipherKey::from_text(text);
    let _ = rooms_relay::Credentials::from_http(Some(first), rest);
    let now = Instant::now();
    let mut hub = Hub::new(HubConfig::default(), [7; 32], now, WALL);
    hub.open(&ConnectRequest::from_query(first), now);
    for token in [text.to_owned(), signed(first, rest)] {
        let _ = hub.authenticate(Some(&rooms_relay::Credentials::Token(token)), Some(&"ada".into()), now);
    }
    if let Ok(request) = serde_json::from_str(rest) {
        let _ = hub.request_token("rooms.dev", &request, Some(&rooms_relay::Credentials::Key(DEVELOPMENT_KEY.into())), now);
    }
}

/// A JWT of this header and these claims, signed with the development key.
fn signed(header: &str, claims: &str) -> String {
    let text = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let secret = DEVELOPMENT_KEY.split_once(':').map_or("", |(_, secret)| secret);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(text.as_bytes());
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The lines of an input: a word, and what follows it.
fn lines(data: &[u8]) -> Option<impl Iterator<Item = (&str, &str)>> {
    let text = str::from_utf8(data).ok()?;
    Some(text.lines().take(MAX_LINES).map(|line| line.split_once(' ').unwrap_or((line, ""))))
}
