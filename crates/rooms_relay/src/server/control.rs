//! Steering a relay while it runs: another configuration, and a drain.

use std::{fmt, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{config::RelayConfig, error::RelayError, histogram::Histogram, live_limits::LiveLimits, tls::Tls};
use crate::{ApiKey, HubConfig, HubStats};

/// Commands that may wait for the hub. Beyond them, whoever steers waits too.
const COMMANDS: usize = 16;

/// What the hub's task is told beside what clients send.
pub(super) enum Command {
    /// Take another configuration.
    Reconfigure { config: Box<HubConfig>, done: oneshot::Sender<()> },
    /// Let nobody new in, and disconnect the others within this time.
    Drain { over: Duration },
    /// Tell how the hub is.
    Report { answer: oneshot::Sender<Report> },
}

impl fmt::Debug for Command {
    /// Leaves out keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reconfigure { .. } => "Reconfigure",
            Self::Drain { .. } => "Drain",
            Self::Report { .. } => "Report",
        })
    }
}

/// How the hub is.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) stats: HubStats,
    /// How long the turns of its task took.
    pub(super) turns: Histogram,
}

/// Steers a relay while it runs. Its clones steer the same one.
#[derive(Clone, Debug)]
pub struct RelayControl {
    commands: mpsc::Sender<Command>,
    /// The configuration at the start, for what cannot change.
    first: Box<RelayConfig>,
    tls: Option<Tls>,
    /// The limits that the server enforces itself.
    limits: LiveLimits,
}

impl RelayControl {
    pub(super) fn new(first: RelayConfig, tls: Option<Tls>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let limits = LiveLimits::new(first.hub.limits.clone());
        (Self { commands, first: Box::new(first), tls, limits }, receiver)
    }

    /// The limits that the server enforces itself.
    pub(super) fn limits(&self) -> LiveLimits {
        self.limits.clone()
    }

    /// Gives the relay another configuration. Keys, limits, the token endpoint and the certificate count from then on. Clients
    /// whose key is gone are disconnected, and nobody else. Addresses, the page, the memory and the places for sockets that are
    /// no WebSockets stay as they were at the start.
    ///
    /// # Errors
    /// As [`Relay::bind`](super::Relay::bind). Then everything stays as it was. Also when the relay does not run.
    pub async fn reload(&self, config: RelayConfig) -> Result<(), RelayError> {
        let config = RelayConfig { listen: self.first.listen, serve: self.first.serve.clone(), ..config };
        let mut config = config.with_what_a_page_needs(self.key_of_run())?;
        config.check()?;
        config.hub.limits.bound_durations();
        let tls = match (&self.tls, &config.tls) {
            (Some(_), Some(files)) => Some(Tls::read(files)?),
            _ => None,
        };
        if self.first.differs_beyond_reload(&config) {
            log::warn!(
                "addresses, proxies, TLS as such, memory and http_sockets change when the relay is started again"
            );
        }
        let limits = config.hub.limits.clone();
        let (done, is_done) = oneshot::channel();
        self.send(Command::Reconfigure { config: Box::new(config.hub), done }).await?;
        is_done.await.map_err(|_| RelayError::NotRunning)?;
        self.limits.set(limits);
        if let (Some(shown), Some(read)) = (&self.tls, &tls) {
            shown.replace(read);
        }
        Ok(())
    }

    /// The key that the relay made for its page, if it did.
    fn key_of_run(&self) -> Option<ApiKey> {
        self.first.hub.keys.iter().find(|key| key.is_of_run()).cloned()
    }

    /// Empties the relay: it lets nobody new in, and disconnects the others in equal portions within `over`. Then
    /// [`Relay::run`](super::Relay::run) ends.
    ///
    /// # Errors
    /// [`RelayError::NotRunning`].
    pub async fn drain(&self, over: Duration) -> Result<(), RelayError> {
        self.send(Command::Drain { over }).await
    }

    /// How the hub is.
    pub(super) async fn report(&self) -> Result<Report, RelayError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Report { answer }).await?;
        answered.await.map_err(|_| RelayError::NotRunning)
    }

    async fn send(&self, command: Command) -> Result<(), RelayError> {
        self.commands.send(command).await.map_err(|_| RelayError::NotRunning)
    }
}

impl RelayConfig {
    /// Whether `other` asks for something that a reload does not change.
    fn differs_beyond_reload(&self, other: &Self) -> bool {
        self.metrics != other.metrics
            || self.tls.is_some() != other.tls.is_some()
            || self.trusted_proxies != other.trusted_proxies
            || self.hub.limits.http_sockets != other.hub.limits.http_sockets
            || (other.hub.limits.memory.is_some() && self.hub.limits.memory != other.hub.limits.memory)
    }
}
