//! Which hosts a request over HTTP goes to: the one that served last, then others when it cannot be reached (`RSC15`).

use std::collections::VecDeque;

use rand::{Rng, RngExt};
use web_time::Instant;

use super::{Client, HttpResponse, event::ConnectionState};
use rooms_protocol::ErrorInfo;

/// A host of the endpoint by its name; none: the first one.
type Host = Option<String>;

/// Where one request is, and where it may go yet.
#[derive(Debug)]
pub(super) struct Route {
    host: Host,
    left: VecDeque<Host>,
    began: Instant,
}

/// The host that stood in for the first when that could not be reached (`RSC15f`).
#[derive(Debug)]
pub(super) struct StandIn {
    host: String,
    until: Instant,
}

impl Route {
    /// A route that begins at `host` and goes on to the first one, where that is another, and then to `retries` of the
    /// fallback hosts in random order (`RSC15a`).
    fn new(host: Host, fallbacks: &[String], retries: usize, random: &mut impl Rng, now: Instant) -> Self {
        let mut others: Vec<&String> = fallbacks.iter().filter(|other| Some(*other) != host.as_ref()).collect();
        let mut left: VecDeque<Host> = host.iter().map(|_| None).collect();
        for _ in 0..retries.min(others.len()) {
            left.push_back(Some(others.swap_remove(random.random_range(0..others.len())).clone()));
        }
        Self { host, left, began: now }
    }

    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }
}

impl Client {
    /// The route of a request that begins now. While the connection stands at a fallback host, that is where it begins
    /// (`RTN17e`).
    pub(super) fn route(&mut self, now: Instant) -> Route {
        let of_connection =
            self.connection.hosts.current.clone().filter(|_| self.state() == ConnectionState::Connected);
        let stand_in = self.stand_in.as_ref().filter(|stand_in| now < stand_in.until);
        let host = of_connection.or_else(|| stand_in.map(|stand_in| stand_in.host.clone()));
        let fallbacks = self.target.as_ref().map(|target| target.fallbacks.as_slice()).unwrap_or_default();
        Route::new(host, fallbacks, self.options.http_max_retries, &mut self.rng, now)
    }

    /// The host that was asked cannot be reached or is in trouble. Moves on to the next; false: there is none, or it took
    /// too long already.
    pub(super) fn next_host(&mut self, route: &mut Route, now: Instant) -> bool {
        if self.stand_in.as_ref().is_some_and(|stand_in| Some(stand_in.host.as_str()) == route.host()) {
            self.stand_in = None;
        }
        if now.saturating_duration_since(route.began) >= self.options.timing.http_retry_duration {
            return false;
        }
        let Some(host) = route.left.pop_front() else { return false };
        route.host = host;
        true
    }

    /// The host that was asked answered. Where it stands in for the first, the next requests begin with it.
    pub(super) fn host_answered(&mut self, route: Route, now: Instant) {
        let known = self.stand_in.as_ref().is_some_and(|stand_in| Some(stand_in.host.as_str()) == route.host());
        if let Some(host) = route.host.filter(|_| !known) {
            self.stand_in = Some(StandIn { host, until: now + self.options.timing.fallback_retry });
        }
    }
}

/// Whether another host may do better (`RSC15l`): none answered, or one that is in trouble itself.
pub(super) fn may_do_better_elsewhere(answer: &Result<HttpResponse, ErrorInfo>) -> bool {
    let Ok(response) = answer else { return true };
    let of_cloudfront = response.server.eq_ignore_ascii_case("cloudfront") && response.status >= 400;
    of_cloudfront || (500..=504).contains(&response.status)
}
