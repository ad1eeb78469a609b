//! What is published over HTTP: the body of the request (`RSL1`).

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{
    channel::cipher::{self, CipherParams},
    connection::connectivity::Connectivity,
};
use rooms_protocol::{ErrorInfo, Format, Message};

/// Random bytes of a publish's id (`RSL1k1`).
const ID_BYTES: usize = 9;

/// Checks, encrypts and writes messages. Messages without ids get some, so that the server takes each message once, however
/// often the request is sent (`RSL1k1`).
///
/// # Errors
/// Says which message cannot be published, or that all together are too large.
pub(super) fn prepare(
    mut messages: Vec<Message>,
    connectivity: &Connectivity<'_>,
    cipher: Option<&CipherParams>,
    rng: &mut ChaCha8Rng,
) -> Result<String, ErrorInfo> {
    connectivity.check_messages(&messages)?;
    if messages.iter().all(|message| message.id.is_none()) {
        let base = BASE64.encode(rng.random::<[u8; ID_BYTES]>());
        for (index, message) in messages.iter_mut().enumerate() {
            message.id = Some(format!("{base}:{index}"));
        }
    }
    for message in &mut messages {
        cipher::encrypt(cipher, &mut *message, rng);
    }
    connectivity.check_size(messages.iter().map(Message::size).fold(0, usize::saturating_add))?;
    messages.iter_mut().for_each(|message| message.encode_for(Format::Json));
    // Messages write themselves as plain JSON, with string keys only; there is nothing that could fail.
    Ok(serde_json::to_string(&messages).unwrap_or_default())
}
