//! Selecting messages of a channel.

use serde_json::Value;

use rooms_protocol::{ClientId, Message};

/// Which messages of a channel are wanted. A message must meet all that is set (`RTL7b`, `RTL22`, `MFI2`).
/// Defaults to all messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Messages of this name.
    pub name: Option<String>,
    /// Messages of this publisher.
    pub client_id: Option<ClientId>,
    /// Messages that refer to the message of this serial, in `extras.ref.timeserial`.
    pub ref_serial: Option<String>,
    /// Messages that refer to another one in this way, in `extras.ref.type`.
    pub ref_type: Option<String>,
    /// Messages that refer to another one, or that do not.
    pub is_ref: Option<bool>,
}

impl MessageFilter {
    /// Messages of one name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Whether `message` meets all that is set.
    pub fn matches(&self, message: &Message) -> bool {
        let reference = message.extras.as_ref().and_then(|extras| extras.get("ref"));
        let part = |name: &str| reference.as_ref().and_then(|reference| reference.get(name)).and_then(Value::as_str);
        is_met(self.name.as_deref(), message.name.as_deref())
            && is_met(self.client_id.as_ref(), message.client_id.as_ref())
            && is_met(self.ref_serial.as_deref(), part("timeserial"))
            && is_met(self.ref_type.as_deref(), part("type"))
            && self.is_ref.is_none_or(|wanted| wanted == reference.is_some())
    }
}

fn is_met<T: PartialEq + ?Sized>(wanted: Option<&T>, given: Option<&T>) -> bool {
    wanted.is_none() || wanted == given
}
