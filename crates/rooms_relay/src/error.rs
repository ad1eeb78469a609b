//! Errors that several parts of the relay answer with.

use rooms_protocol::{ErrorCode, ErrorInfo};

/// The error for something that the credentials do not allow.
pub(crate) fn not_permitted(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::NOT_PERMITTED, 401, message)
}

/// The error for credentials that are wrong.
pub(crate) fn invalid_credentials(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_CREDENTIALS, 401, message)
}
