//! Errors that several parts give.

use crate::event::{ChannelState, ConnectionState};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// The socket broke, and the client connects again.
pub(crate) fn disconnected(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, format!("{message}; connecting again"))
}

/// There is no socket, and the operation does not wait for one.
pub(crate) fn no_socket(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, message)
}

/// The server did not answer in time.
pub(crate) fn timed_out(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::TIMED_OUT, 408, message)
}

/// The game closed the connection.
pub(crate) fn closed_error() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::CONNECTION_CLOSED, 400, "the connection was closed; connect to use it again")
}

/// Why an operation on a channel in this state is refused (`RTL6c4`, `RTP16c`).
pub(crate) fn unusable_channel(state: ChannelState) -> ErrorInfo {
    let message = format!("the channel is {state:?}; attach it first");
    ErrorInfo::new(ErrorCode::INVALID_CHANNEL_STATE, 400, message)
}

/// Why nothing goes over a connection in this state.
pub(crate) fn unusable_connection(state: ConnectionState) -> ErrorInfo {
    let (code, text) = match state {
        ConnectionState::Suspended => {
            (ErrorCode::CONNECTION_SUSPENDED, "the server cannot be reached; the client keeps trying")
        }
        ConnectionState::Closing | ConnectionState::Closed => {
            (ErrorCode::CONNECTION_CLOSED, "the connection was closed; connect to use it again")
        }
        ConnectionState::Failed => {
            (ErrorCode::CONNECTION_FAILED, "the connection failed; remove the cause and connect again")
        }
        _ => (ErrorCode::DISCONNECTED, "there is no connection at the moment"),
    };
    ErrorInfo::new(code, 400, text)
}

/// The server refused a token, and there is no way to get another (`RSA4a2`).
pub(crate) fn no_renewal(refusal: ErrorInfo) -> ErrorInfo {
    let message = format!("the credentials were refused and cannot be renewed: {}", refusal.message);
    let mut reason = ErrorInfo::new(ErrorCode::NO_RENEWAL, 401, message);
    reason.cause = Some(Box::new(refusal));
    reason
}
