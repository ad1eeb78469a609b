//! Why the relay does not run.

use std::{io, net::SocketAddr, path::PathBuf};

use smol_str::SmolStr;

/// Why the relay does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Another program listens there.
    #[error(
        "port {} is in use at {addr}, perhaps by another relay: stop that program, or listen on another port (port 0 \
         takes a free one)",
        addr.port()
    )]
    PortInUse {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {addr}: {source}; give {}",
        if source.kind() == io::ErrorKind::PermissionDenied { "a port from 1024 on" } else { "an address of this machine" }
    )]
    Listen {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Everybody knows the development key, so the relay must not let others in with it.
    #[error(
        "refusing to listen on {addr} with the development key, which everybody knows: set a key of your own, or listen \
         on 127.0.0.1"
    )]
    DevelopmentKeyExposed {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// In the sandbox anybody gets keys, so others must not reach it.
    #[error(
        "refusing to listen on {addr} with the sandbox, where anybody gets keys: leave it out, or listen on 127.0.0.1"
    )]
    SandboxExposed {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The key for tokens of games is not one of the relay's.
    #[error("the relay has no API key with the name {name:?} to make tokens with: give it one, or name another")]
    UnknownTokenKey {
        /// The name that was given.
        name: SmolStr,
    },
    /// The folder to serve contains no page.
    #[error(
        "{} holds no index.html: build a page into it first, such as with `web/build bingo`, or name another folder",
        folder.display()
    )]
    NoPage {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// Others reach the relay, and a secret is so short that they can guess it.
    #[error(
        "the secret of the key {name} is so short that others guess it: take 16 random bytes or more, or listen on 127.0.0.1"
    )]
    WeakKey {
        /// The name of the key.
        name: SmolStr,
    },
    /// A limit is zero that must not be.
    #[error("the limit {name} is zero, so {why}: raise it, or leave it out")]
    ZeroLimit {
        /// The name of the limit.
        name: &'static str,
        /// What could not work.
        why: &'static str,
    },
    /// Tokens for games would have expired when they are made.
    #[error(
        "the tokens for games would have expired when they are made: give ttl_seconds of token_endpoint a longer time"
    )]
    DeadTokens,
    /// The certificate or its key cannot be used.
    #[error("{}: {why}; give a certificate and its private key in PEM form", file.display())]
    Tls {
        /// The file that is wrong.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The relay does not run, so it cannot be steered.
    #[error("the relay does not run, or is ending")]
    NotRunning,
    /// There is no key, so nobody could connect.
    #[error("the relay has no API key, so nobody could connect: give it one")]
    NoKey,
    /// The system has no random bytes for secrets.
    #[error("the system gives no random bytes, without which keys could be guessed: {0}")]
    Random(getrandom::Error),
    /// The thread or its runtime did not start.
    #[error("cannot start the relay's thread: {0}; the system may be out of threads or memory")]
    Thread(io::Error),
    /// The listener failed.
    #[error("the relay's listener failed: {0}; start the relay again")]
    Serve(io::Error),
}
