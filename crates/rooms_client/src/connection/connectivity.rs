//! What the connection is at the moment, as far as channels, publishes and requests depend on it.

use crate::event::ConnectionState;
use rooms_protocol::{ClientId, ConnectionId, Data, ErrorCode, ErrorInfo, Message};

/// The facts of the connection that decide what happens to an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connectivity<'a> {
    pub(crate) state: ConnectionState,
    pub(crate) connection_id: Option<&'a ConnectionId>,
    /// Who this client is to others.
    pub(crate) client_id: Option<&'a ClientId>,
    /// The most bytes of one publish that the server takes.
    pub(crate) max_message_size: usize,
}

impl Connectivity<'_> {
    /// Whether the client is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.state == ConnectionState::Connected
    }

    /// Whether this client may publish messages of these names and kinds of payload.
    ///
    /// # Errors
    /// Names the first message that it may not publish.
    pub(crate) fn check_messages(&self, messages: &[Message]) -> Result<(), ErrorInfo> {
        for message in messages {
            check_data(message.data.as_ref())?;
            if let (Some(own), Some(named)) = (self.client_id, &message.client_id)
                && own != named
            {
                let text = format!("a message of {named} cannot be published by {own}; leave its client_id out");
                return Err(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, text));
            }
        }
        Ok(())
    }

    /// Whether the server takes this many bytes at once.
    ///
    /// # Errors
    /// Tells how many it takes.
    pub(crate) fn check_size(&self, size: usize) -> Result<(), ErrorInfo> {
        let most = self.max_message_size;
        if size <= most {
            return Ok(());
        }
        let text =
            format!("{size} bytes are more than the {most} that the server takes at once; send less, or in parts");
        Err(ErrorInfo::new(ErrorCode::MESSAGE_TOO_LARGE, 400, text))
    }

    /// Whether this client may publish the presence of the member `named`, or of itself (`RTP8j`, `RTP15f`).
    ///
    /// # Errors
    /// Says what to do instead.
    pub(crate) fn check_member(&self, named: Option<&ClientId>) -> Result<(), ErrorInfo> {
        let text = match (named, self.client_id) {
            // Before the server has answered, it may still tell who this client is.
            (None, None) if self.is_connected() => "a member needs a name: set ClientOptions::client_id".to_owned(),
            (Some(named), _) if named.as_str().is_empty() || named.as_str() == "*" => {
                format!("{:?} cannot be the name of a member; give the member another name", named.as_str())
            }
            (Some(named), Some(own)) if named != own => {
                format!("{own} cannot speak for the member {named}; connect as a client that may be anybody")
            }
            _ => return Ok(()),
        };
        Err(ErrorInfo::new(ErrorCode::INVALID_CLIENT_ID, 400, text))
    }
}

/// Whether the payload is of a kind that other SDKs can read (`RSL4a`).
///
/// # Errors
/// Says what to send instead.
pub(crate) fn check_data(data: Option<&Data>) -> Result<(), ErrorInfo> {
    match data.and_then(Data::as_json) {
        Some(value) if !value.is_object() && !value.is_array() => {
            let text = "JSON data must be an object or an array; put the value into one, or send it as text";
            Err(ErrorInfo::new(ErrorCode::INVALID_DATA, 400, text))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rooms_protocol::DEFAULT_MAX_MESSAGE_SIZE;

    fn of(client_id: Option<&ClientId>) -> Connectivity<'_> {
        Connectivity {
            state: ConnectionState::Connected,
            connection_id: None,
            client_id,
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
        }
    }

    #[test]
    fn nobody_publishes_in_the_name_of_another() {
        let (ada, bob) = (ClientId::from("ada"), ClientId::from("bob"));
        let message = Message { client_id: Some(bob.clone()), ..Message::new("m", "x") };
        assert!(of(None).check_messages(std::slice::from_ref(&message)).is_ok(), "the server decides");
        let error = of(Some(&ada)).check_messages(&[message]).unwrap_err();
        assert_eq!(error.code, ErrorCode::INVALID_CLIENT_ID);
        assert!(of(Some(&ada)).check_member(Some(&bob)).is_err());
        assert!(of(Some(&ada)).check_member(Some(&ada)).is_ok());
        assert!(of(None).check_member(None).is_err(), "a member needs a name");
        assert!(of(None).check_member(Some(&"*".into())).is_err());
    }

    #[test]
    fn a_publish_of_just_the_most_bytes_is_taken() {
        assert!(of(None).check_size(DEFAULT_MAX_MESSAGE_SIZE).is_ok());
        let error = of(None).check_size(DEFAULT_MAX_MESSAGE_SIZE + 1).unwrap_err();
        assert_eq!(error.code, ErrorCode::MESSAGE_TOO_LARGE);
    }
}
