//! The rates of the relay as a whole: messages of all connections, and requests over HTTP.
//!
//! The rates of one connection, of one channel and of tokens belong to the parts that own those.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use web_time::Instant;

use crate::{
    auth::owner::Address,
    limits::{Limits, RateMeter, rate_exceeded},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// Most addresses whose rate of strangers' requests is known at a time.
const ADDRESSES: usize = 4_096;

/// What counts towards the rates of the whole relay.
#[derive(Debug)]
pub(crate) struct RateLimits {
    limits: Arc<Limits>,
    /// Messages that all connections send and receive.
    messages: RateMeter,
    /// Requests over HTTP with right credentials.
    requests: RateMeter,
    strangers: Strangers,
}

/// Requests over HTTP of those who show no right credentials.
#[derive(Debug, Default)]
struct Strangers {
    all: RateMeter,
    /// Those of each address. Kept for a second.
    by_address: HashMap<Address, RateMeter>,
}

impl RateLimits {
    /// Meters that counted nothing.
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self { limits, messages: RateMeter::default(), requests: RateMeter::default(), strangers: Strangers::default() }
    }

    /// Takes other limits.
    pub(crate) fn set_limits(&mut self, limits: Arc<Limits>) {
        self.limits = limits;
    }

    /// Counts a request over HTTP with right credentials.
    ///
    /// # Errors
    /// 42918 for one too many in a second.
    pub(crate) fn count_request(&mut self, now: Instant) -> Result<(), ErrorInfo> {
        if !self.requests.has_capacity(1, self.limits.request_rate, now) {
            return Err(too_many_requests());
        }
        self.requests.count(1, now);
        Ok(())
    }

    /// Counts a request over HTTP without right credentials, for its address first.
    ///
    /// # Errors
    /// 42918 for one too many in a second.
    pub(crate) fn count_stranger(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), ErrorInfo> {
        let Strangers { all, by_address } = &mut self.strangers;
        if !all.has_capacity(1, self.limits.stranger_rate, now) {
            return Err(too_many_requests());
        }
        if by_address.len() >= ADDRESSES {
            by_address.retain(|_, meter| !meter.is_over(now));
        }
        if let Some(address) = address.map(Address::from) {
            let known = by_address.get(&address).copied().unwrap_or_default();
            // Where very many addresses come at once, the rate of all bounds them.
            if !known.has_capacity(1, self.limits.stranger_rate_per_address, now) {
                return Err(too_many_requests());
            }
            if by_address.len() < ADDRESSES || by_address.contains_key(&address) {
                by_address.entry(address).or_default().count(1, now);
            }
        }
        all.count(1, now);
        Ok(())
    }

    /// Refuses a publish of so many messages if it is too many for this second.
    ///
    /// # Errors
    /// 42917 where the relay carries too many messages a second.
    pub(crate) fn check_publish(&self, messages: usize, now: Instant) -> Result<(), ErrorInfo> {
        match self.messages.has_capacity(messages, self.limits.account_rate, now) {
            true => Ok(()),
            false => Err(rate_exceeded(ErrorCode::ACCOUNT_RATE_EXCEEDED, "relay")),
        }
    }

    /// Whether messages of all connections are limited at all.
    pub(crate) fn limits_messages(&self) -> bool {
        self.limits.account_rate.is_some()
    }

    /// Counts messages that a connection sent or receives.
    pub(crate) fn count_messages(&mut self, messages: usize, now: Instant) {
        self.messages.count(messages, now);
    }
}

fn too_many_requests() -> ErrorInfo {
    let why = "too many requests in one second; try again in a moment";
    ErrorInfo::new(ErrorCode::REQUEST_RATE_EXCEEDED, 429, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_a_rate_of_their_address_and_one_of_all_and_take_nothing_from_others() {
        let limits = Limits {
            request_rate: Some(1),
            stranger_rate_per_address: Some(2),
            stranger_rate: Some(3),
            ..Limits::default()
        };
        let mut rates = RateLimits::new(Arc::new(limits));
        let now = Instant::now();
        let mut ask = |address: Option<u8>| {
            rates.count_stranger(address.map(|last| [10, 0, 0, last].into()), now).map_err(|error| error.code.0)
        };
        assert_eq!([1, 1, 1].map(|address| ask(Some(address))), [Ok(()), Ok(()), Err(42918)]);
        assert_eq!([2, 2].map(|address| ask(Some(address))), [Ok(()), Err(42918)]);
        assert_eq!(ask(None), Err(42918));
        assert_eq!(rates.count_request(now), Ok(()));
    }

    #[test]
    fn requests_and_messages_have_separate_meters() {
        let limits = Limits { request_rate: Some(1), account_rate: Some(2), ..Limits::default() };
        let mut rates = RateLimits::new(Arc::new(limits));
        let now = Instant::now();
        assert_eq!(rates.count_request(now), Ok(()));
        assert_eq!(rates.count_request(now).map_err(|error| error.code.0), Err(42918));
        assert_eq!(rates.check_publish(2, now), Ok(()));
        rates.count_messages(1, now);
        assert_eq!(rates.check_publish(2, now).map_err(|error| error.code.0), Err(42917));
    }
}
