//! Which host an attempt goes to: the first one, and others when it cannot be reached (`RTN17`).

use rand::RngExt;
use web_time::Instant;

use super::{Client, Output, RequestId, Timer};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// The hosts of the present attempt.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// The one that stands in for the first, if one does.
    pub(super) current: Option<String>,
    /// Those that were not tried yet.
    left: Vec<String>,
    check: Check,
}

/// Whether the internet can be reached, so that another host may help (`RTN17j`).
#[derive(Debug, Default)]
enum Check {
    #[default]
    NotMade,
    Asked {
        request: RequestId,
        /// Why the first host was given up.
        reason: ErrorInfo,
    },
    Passed,
}

impl Hosts {
    /// Whether the attempt waits to learn if another host may help.
    pub(super) fn is_checking(&self) -> bool {
        matches!(self.check, Check::Asked { .. })
    }
}

impl Client {
    /// Every attempt begins at the first host (`RTN17i`).
    pub(super) fn begin_at_first_host(&mut self) {
        self.timers.stop(&Timer::Connectivity);
        let left = self.target.as_ref().map(|target| target.fallbacks.clone()).unwrap_or_default();
        self.connection.hosts = Hosts { left, ..Hosts::default() };
    }

    /// The host could not be reached or is in trouble. Another one is tried within the same attempt.
    pub(super) fn host_failed(&mut self, reason: ErrorInfo, now: Instant) {
        self.shut();
        self.timers.stop(&Timer::Attempt);
        if self.connection.hosts.left.is_empty() {
            return self.attempt_failed(reason, now);
        }
        match self.connection.hosts.check {
            Check::Passed => self.try_another_host(now),
            Check::NotMade => {
                let request = self.next_request();
                let url = self.options.connectivity_check_url.clone();
                self.outputs.push_back(Output::CheckConnectivity { request, url });
                self.timers.start(Timer::Connectivity, now, self.options.timing.request_timeout);
                self.connection.hosts.check = Check::Asked { request, reason };
            }
            Check::Asked { .. } => {}
        }
    }

    fn try_another_host(&mut self, now: Instant) {
        let hosts = &mut self.connection.hosts;
        let chosen = self.rng.random_range(0..hosts.left.len());
        hosts.current = Some(hosts.left.swap_remove(chosen));
        self.open_or_ask(now);
    }

    /// The answer to [`Output::CheckConnectivity`].
    pub fn handle_connectivity(&mut self, request: RequestId, up: bool, now: Instant) {
        match std::mem::take(&mut self.connection.hosts.check) {
            Check::Asked { request: asked, reason } if asked == request => {
                self.timers.stop(&Timer::Connectivity);
                if up {
                    self.connection.hosts.check = Check::Passed;
                    self.try_another_host(now);
                } else {
                    self.attempt_failed(reason, now);
                }
            }
            other => self.connection.hosts.check = other,
        }
    }

    /// No word came whether the internet can be reached.
    pub(super) fn connectivity_timed_out(&mut self, now: Instant) {
        if let Check::Asked { request, .. } = self.connection.hosts.check {
            self.handle_connectivity(request, false, now);
        }
    }
}

/// Whether a socket that ended for this reason may stand at another host (`RSC15l`): an HTTP answer that refuses the
/// client would come from any.
pub(super) fn may_stand_elsewhere(reason: &ErrorInfo) -> bool {
    reason.code == ErrorCode::DISCONNECTED || reason.is_server_trouble() || !(400..500).contains(&reason.status_code)
}
