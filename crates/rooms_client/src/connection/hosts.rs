//! Which host an attempt goes to: the first one, and others when it cannot be reached (`RTN17`).

use rand::RngExt;

use crate::{
    context::Context,
    output::{Output, RequestId},
    timer::Timer,
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// The hosts of the present attempt.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// The fallback host that the attempt is at; `None`: the first host.
    current: Option<String>,
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

/// How the attempt goes on.
#[derive(Debug, PartialEq)]
#[must_use]
pub(super) enum HostStep {
    /// It waits.
    Stay,
    /// At the host that is current now.
    Open,
    /// There is no other host, or none would help.
    NoneLeft(ErrorInfo),
}

impl Hosts {
    /// The fallback host that the attempt is at; `None`: the first host.
    pub(super) fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Whether the attempt waits to learn if another host may help.
    pub(super) fn is_checking(&self) -> bool {
        matches!(self.check, Check::Asked { .. })
    }

    /// Every attempt begins at the first host (`RTN17i`).
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) {
        cx.timers.stop(&Timer::Connectivity);
        let left = cx.target.as_ref().map(|target| target.fallbacks.clone()).unwrap_or_default();
        *self = Self { left, ..Self::default() };
    }

    /// The current host could not be reached or is in trouble.
    pub(super) fn on_failed(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) -> HostStep {
        if self.left.is_empty() {
            return HostStep::NoneLeft(reason);
        }
        match self.check {
            Check::Passed => self.choose_another(cx),
            Check::NotMade => {
                let request = cx.effects.next_request();
                let url = cx.options.connectivity_check_url.clone();
                cx.effects.request(Output::CheckConnectivity { request, url });
                cx.start_request_timeout(Timer::Connectivity);
                self.check = Check::Asked { request, reason };
                HostStep::Stay
            }
            Check::Asked { .. } => HostStep::Stay,
        }
    }

    fn choose_another(&mut self, cx: &mut Context<'_>) -> HostStep {
        let chosen = cx.rng.random_range(0..self.left.len());
        self.current = Some(self.left.swap_remove(chosen));
        HostStep::Open
    }

    /// The answer to [`Output::CheckConnectivity`].
    pub(super) fn on_connectivity(&mut self, request: RequestId, up: bool, cx: &mut Context<'_>) -> HostStep {
        match std::mem::take(&mut self.check) {
            Check::Asked { request: asked, reason } if asked == request => {
                cx.timers.stop(&Timer::Connectivity);
                if !up {
                    return HostStep::NoneLeft(reason);
                }
                self.check = Check::Passed;
                self.choose_another(cx)
            }
            other => {
                self.check = other;
                HostStep::Stay
            }
        }
    }

    /// No answer came whether the internet can be reached.
    pub(super) fn on_connectivity_timeout(&mut self, cx: &mut Context<'_>) -> HostStep {
        match self.check {
            Check::Asked { request, .. } => self.on_connectivity(request, false, cx),
            Check::NotMade | Check::Passed => HostStep::Stay,
        }
    }
}

/// Whether another host may take a socket that ended for this reason (`RSC15l`). An HTTP answer that refuses the client would
/// come from every host.
pub(super) fn may_succeed_at_another_host(reason: &ErrorInfo) -> bool {
    reason.code == ErrorCode::DISCONNECTED || reason.is_server_trouble() || !(400..500).contains(&reason.status_code)
}

#[cfg(test)]
mod tests {
    use web_time::Instant;

    use super::*;
    use crate::context::Base;

    fn trouble() -> ErrorInfo {
        ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "trouble")
    }

    fn checked(base: &mut Base) -> Option<RequestId> {
        std::iter::from_fn(|| base.effects.poll_output()).find_map(|output| match output {
            Output::CheckConnectivity { request, .. } => Some(request),
            _ => None,
        })
    }

    #[test]
    fn every_fallback_host_is_tried_once_after_one_check_of_the_internet() {
        let (mut base, now, mut hosts) = (Base::for_test(|_| {}), Instant::now(), Hosts::default());
        hosts.begin(&mut base.at(now));
        assert_eq!(hosts.on_failed(trouble(), &mut base.at(now)), HostStep::Stay);
        assert!(hosts.is_checking() && hosts.current().is_none());
        let request = checked(&mut base).unwrap();
        assert_eq!(hosts.on_connectivity(request, true, &mut base.at(now)), HostStep::Open);
        let first = hosts.current().map(str::to_owned);
        assert_eq!(hosts.on_failed(trouble(), &mut base.at(now)), HostStep::Open);
        assert!(first.is_some() && hosts.current() != first.as_deref() && checked(&mut base).is_none());
        assert_eq!(hosts.on_failed(trouble(), &mut base.at(now)), HostStep::NoneLeft(trouble()));
    }

    #[test]
    fn without_the_internet_no_other_host_is_tried() {
        let (mut base, now, mut hosts) = (Base::for_test(|_| {}), Instant::now(), Hosts::default());
        hosts.begin(&mut base.at(now));
        let _ = hosts.on_failed(trouble(), &mut base.at(now));
        assert_eq!(hosts.on_connectivity(RequestId(99), false, &mut base.at(now)), HostStep::Stay, "another question");
        assert_eq!(hosts.on_connectivity_timeout(&mut base.at(now)), HostStep::NoneLeft(trouble()));
        assert_eq!(hosts.on_connectivity_timeout(&mut base.at(now)), HostStep::Stay, "it was answered");
    }
}
