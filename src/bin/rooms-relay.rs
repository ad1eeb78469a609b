//! The relay as a program of its own, for a LAN or a small server.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use bevy_rooms::{
    protocol::DEFAULT_RELAY_PORT,
    relay::{ApiKey, Relay, RelayConfig, RelayError},
};
use clap::Parser;
use tokio::signal;

/// The exit code for a command line that cannot be followed, the same as clap's.
const USAGE: u8 = 2;

/// A relay for bevy_rooms: games on this machine or network meet here, without an account.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_RELAY_PORT)))]
    listen: SocketAddr,

    /// An API key that clients may connect with; give it again for more. Without it, a development key works on
    /// loopback.
    #[arg(long = "key", value_name = "APP.KEYID:SECRET")]
    keys: Vec<ApiKey>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Relay(error @ RelayError::DevelopmentKeyExposed { .. })) => {
            eprintln!("rooms-relay: {error} (--key APP.KEYID:SECRET)");
            ExitCode::from(USAGE)
        }
        Err(error) => {
            eprintln!("rooms-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

async fn run(options: Options) -> Result<(), Failure> {
    let mut config = RelayConfig::default();
    config.listen = options.listen;
    if !options.keys.is_empty() {
        config.hub.keys = options.keys;
    }
    let relay = Relay::bind(config).await?;
    // Before the ready line, so that whoever waits for it can already end the program cleanly.
    let shutdown = shutdown_signal().map_err(Failure::Signals)?;
    let (addr, url) = (relay.local_addr(), relay.url());
    writeln!(io::stdout(), "rooms-relay listening on http://{addr} (clients connect to {url})")
        .map_err(Failure::Output)?;
    Ok(relay.run(shutdown).await?)
}

/// Done when the program is asked to end.
#[cfg(unix)]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        log::info!("shutting down");
    })
}

/// Done when the program is asked to end.
#[cfg(not(unix))]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if let Err(error) = signal::ctrl_c().await {
            log::error!("cannot listen for Ctrl-C: {error}");
        }
        log::info!("shutting down");
    })
}
