//! Which hosts a request over HTTP goes to: the one that served last, then others when it cannot be reached (`RSC15`).

use std::collections::VecDeque;

use rand::{Rng, RngExt};
use web_time::Instant;

use crate::{context::Context, output::HttpResponse};
use rooms_protocol::ErrorInfo;

/// A host of the endpoint by its name; none: the first one.
type Host = Option<String>;

/// The host that a request is sent to, and the hosts that are left to try.
#[derive(Debug)]
pub(crate) struct Route {
    host: Host,
    left: VecDeque<Host>,
    began: Instant,
}

/// Where requests begin.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// The host that stood in for the first when that could not be reached (`RSC15f`).
    stand_in: Option<StandIn>,
}

#[derive(Debug)]
struct StandIn {
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

    /// The host that the request is at; none: the first one.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }
}

impl Routes {
    /// The route of a request that begins now. While the client is connected to a fallback host, the request begins there
    /// (`RTN17e`).
    pub(crate) fn begin(&self, connected_host: Option<&str>, cx: &mut Context<'_>) -> Route {
        let stand_in = self.stand_in.as_ref().filter(|stand_in| cx.now < stand_in.until);
        let host = connected_host.or_else(|| stand_in.map(|stand_in| stand_in.host.as_str())).map(str::to_owned);
        let fallbacks = cx.target.as_ref().map(|target| target.fallbacks.as_slice()).unwrap_or_default();
        Route::new(host, fallbacks, cx.options.http_max_retries, cx.rng, cx.now)
    }

    /// The host cannot be reached or is in trouble. Moves on to the next host. False: there is none, or the request took too
    /// long already.
    pub(crate) fn next_host(&mut self, route: &mut Route, cx: &Context<'_>) -> bool {
        if self.stands_in(route.host()) {
            self.stand_in = None;
        }
        if cx.now.saturating_duration_since(route.began) >= cx.options.timing.http_retry_duration {
            return false;
        }
        let Some(host) = route.left.pop_front() else { return false };
        route.host = host;
        true
    }

    /// The host answered. If it is a fallback host, the next requests begin with it.
    pub(crate) fn on_answered(&mut self, route: Route, cx: &Context<'_>) {
        let known = self.stands_in(route.host());
        if let Some(host) = route.host.filter(|_| !known) {
            self.stand_in = Some(StandIn { host, until: cx.now + cx.options.timing.fallback_retry });
        }
    }

    fn stands_in(&self, host: Option<&str>) -> bool {
        self.stand_in.as_ref().is_some_and(|stand_in| Some(stand_in.host.as_str()) == host)
    }
}

/// Whether the request should go to the next host (`RSC15l`): this one gave no answer, or is in trouble itself.
pub(crate) fn should_try_next_host(answer: &Result<HttpResponse, ErrorInfo>) -> bool {
    let Ok(response) = answer else { return true };
    let of_cloudfront = response.server.eq_ignore_ascii_case("cloudfront") && response.status >= 400;
    of_cloudfront || (500..=504).contains(&response.status)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::context::Base;

    #[test]
    fn requests_begin_with_the_host_that_stood_in_for_a_while() {
        let (mut base, now, mut routes) = (Base::for_test(|_| {}), Instant::now(), Routes::default());
        let mut route = routes.begin(None, &mut base.at(now));
        assert_eq!(route.host(), None);
        assert!(routes.next_host(&mut route, &base.at(now)));
        let host = route.host().map(str::to_owned);
        routes.on_answered(route, &base.at(now));
        assert_eq!(routes.begin(None, &mut base.at(now)).host(), host.as_deref());
        assert_eq!(
            routes.begin(Some("d.example"), &mut base.at(now)).host(),
            Some("d.example"),
            "the host of the connection comes first"
        );
        let later = now + base.options.timing.fallback_retry + Duration::from_secs(1);
        assert_eq!(routes.begin(None, &mut base.at(later)).host(), None);
    }

    #[test]
    fn a_route_ends_after_its_retries_or_its_time() {
        let (mut base, now) = (Base::for_test(|options| options.http_max_retries = 1), Instant::now());
        let mut routes = Routes::default();
        let mut route = routes.begin(None, &mut base.at(now));
        assert!(routes.next_host(&mut route, &base.at(now)));
        assert!(!routes.next_host(&mut route, &base.at(now)));
        let mut route = routes.begin(None, &mut base.at(now));
        let late = now + base.options.timing.http_retry_duration;
        assert!(!routes.next_host(&mut route, &base.at(late)));
    }

    #[test]
    fn only_a_host_in_trouble_sends_a_request_on() {
        let answer =
            |status, server: &str| Ok(HttpResponse { status, server: server.to_owned(), ..HttpResponse::default() });
        assert!(should_try_next_host(&answer(503, "")) && should_try_next_host(&answer(403, "CloudFront")));
        assert!(!should_try_next_host(&answer(404, "")) && !should_try_next_host(&answer(200, "CloudFront")));
    }
}
