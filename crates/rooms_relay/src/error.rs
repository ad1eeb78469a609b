//! Errors that several parts of the relay answer with.

use rooms_protocol::{Action, ErrorCode, ErrorInfo, Frame};

/// The error for something that the credentials do not allow.
pub(crate) fn not_permitted(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::NOT_PERMITTED, 401, message)
}

/// The error for credentials that are wrong.
pub(crate) fn invalid_credentials(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_CREDENTIALS, 401, message)
}

/// The error for something that does not exist.
pub(crate) fn not_found(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::NOT_FOUND, 404, message)
}

/// The error for a client that breaks the protocol.
pub(crate) fn protocol_error(message: impl Into<String>) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::PROTOCOL_ERROR, 400, message.into())
}

/// The error for clients of a relay that shuts down.
pub(crate) fn shutting_down() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "the relay is shutting down; connect again")
}

/// The error for clients of a relay that is being emptied.
pub(crate) fn draining() -> ErrorInfo {
    let why = "the relay is being emptied before it ends; connect again, to another one if there is one";
    ErrorInfo::new(ErrorCode::DISCONNECTED, 503, why)
}

/// DISCONNECTED, with the reason.
pub(crate) fn disconnected(error: ErrorInfo) -> Frame {
    Frame { error: Some(Box::new(error)), ..Frame::new(Action::Disconnected) }
}
