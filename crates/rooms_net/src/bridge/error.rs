//! Why a bridge could not be started.

/// Why the background task could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The system could not start a thread or a runtime.
    #[error("the background thread could not be started: {0}; free some memory or threads and try again")]
    Start(#[from] std::io::Error),
    /// The cryptography library offers no TLS version.
    #[error("TLS is not available: {0}")]
    Tls(String),
}
