//! The relay as a program of its own, for a LAN or a server.

mod logging;
mod options;
mod signals;

use std::{
    io::{self, Write},
    num::NonZero,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use rooms_relay::{ApiKeyError, ConfigError, LimitError, Relay, RelayControl, RelayError};
use tokio::runtime::{Builder, Runtime};

use self::{
    logging::LogQueue,
    options::{Options, configure},
    signals::{Asked, Signals},
};

/// The exit code for a wrong command line or configuration, the same as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    match runtime(options.threads) {
        Ok(runtime) => runtime.block_on(start(&options)),
        Err(error) => {
            eprintln!("rooms-relay: cannot start its threads: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What runs all tasks. One thread does not have to wake others, which is the cheapest for each message.
fn runtime(threads: Option<NonZero<u16>>) -> io::Result<Runtime> {
    let mut builder = match threads.map(NonZero::get) {
        Some(1) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if let Some(threads) = threads {
        builder.worker_threads(threads.get().into());
    }
    builder.thread_name("rooms-relay").enable_all().build()
}

async fn start(options: &Options) -> ExitCode {
    let log = match LogQueue::start(options.log_format) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("rooms-relay: cannot start the log: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = if options.check { check(options) } else { run(options).await };
    let code = match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log.tell(&format!("rooms-relay: {failure}{}", failure.hint()));
            failure.code()
        }
    };
    log.finish();
    code
}

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error("cannot read {}: {error}", path.display())]
    Config { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    ConfigForm { path: PathBuf, error: ConfigError },
    #[error("--key: {0}")]
    Key(#[from] ApiKeyError),
    #[error("--limit: {0}")]
    Limit(#[from] LimitError),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

impl Failure {
    /// The flag that helps, where one does.
    fn hint(&self) -> &'static str {
        match self {
            Self::Relay(RelayError::DevelopmentKeyExposed { .. }) => " (--key APP.KEYID:SECRET)",
            _ => "",
        }
    }

    fn code(&self) -> ExitCode {
        match self {
            Self::Relay(
                RelayError::PortInUse { .. }
                | RelayError::Listen { .. }
                | RelayError::NoKey
                | RelayError::NotRunning
                | RelayError::Random(_)
                | RelayError::Thread(_)
                | RelayError::Serve(_),
            )
            | Self::Signals(_)
            | Self::Output(_) => ExitCode::FAILURE,
            // What remains is wrong in the command line or the configuration.
            Self::Relay(_) | Self::Config { .. } | Self::ConfigForm { .. } | Self::Key(_) | Self::Limit(_) => {
                ExitCode::from(USAGE)
            }
        }
    }
}

/// Prints the configuration as it works, or fails as the relay would.
fn check(options: &Options) -> Result<(), Failure> {
    raise_open_files();
    let config = configure(options)?;
    config.check()?;
    let warnings = config.warnings();
    let text = warnings.iter().fold(String::new(), |text, warning| text + &format!("# warning: {warning}\n"));
    write!(io::stdout(), "{text}{}", config.summary()).map_err(Failure::Output)
}

async fn run(options: &Options) -> Result<(), Failure> {
    raise_open_files();
    let config = configure(options)?;
    for warning in config.warnings() {
        log::warn!("{warning}");
    }
    let drain = config.drain;
    let relay = Relay::bind(config).await?;
    // Before the line that tells that the relay is ready, so that whoever waits for it can end the program cleanly.
    let signals = Signals::listen(options.config.is_some()).map_err(Failure::Signals)?;
    let (addr, url) = (relay.local_addr(), relay.url());
    let scheme = if url.starts_with("wss:") { "https" } else { "http" };
    let elsewhere =
        relay.url_from_the_network().map(|url| format!(", others on the network to {url}")).unwrap_or_default();
    writeln!(io::stdout(), "rooms-relay listening on {scheme}://{addr} (clients connect to {url}{elsewhere})")
        .map_err(Failure::Output)?;
    if let Some(page) = relay.page() {
        writeln!(io::stdout(), "players open {page}").map_err(Failure::Output)?;
    }
    let shutdown = steer(signals, relay.control(), options, drain);
    Ok(relay.run(shutdown).await?)
}

/// Does what signals ask for. Done when the relay is to end at once. `drain` is how long its clients have otherwise.
async fn steer(mut signals: Signals, control: RelayControl, options: &Options, mut drain: Duration) {
    loop {
        match signals.next().await {
            Asked::Reload if options.config.is_some() => match reload(&control, options).await {
                Ok(changed) => drain = changed,
                Err(failure) => log::error!("the configuration stays as it was: {failure}"),
            },
            Asked::Reload | Asked::End => break,
        }
    }
    log::info!("shutting down");
    if drain.is_zero() || control.drain(drain).await.is_err() {
        return;
    }
    // The relay ends when all clients are gone, or when it is asked once more.
    while signals.next().await != Asked::End {}
}

/// Reads the configuration again. Returns how long a drain takes.
async fn reload(control: &RelayControl, options: &Options) -> Result<Duration, Failure> {
    let config = configure(options)?;
    for warning in config.warnings() {
        log::warn!("{warning}");
    }
    let drain = config.drain;
    control.reload(config).await?;
    log::info!("read the configuration again");
    Ok(drain)
}

/// Lets the program open as many files as the system allows it: each socket is one.
#[cfg(unix)]
fn raise_open_files() {
    if let Err(error) = rlimit::increase_nofile_limit(rlimit::INFINITY) {
        log::warn!("cannot raise the limit of open files: {error}");
    }
}

/// Sockets are no files here.
#[cfg(not(unix))]
fn raise_open_files() {}
