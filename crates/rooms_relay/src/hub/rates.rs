//! The rates of the relay as a whole: messages of all connections, and requests over HTTP.
//!
//! The rates of one connection, of one channel and of tokens belong to the parts that own those.

use std::{net::IpAddr, sync::Arc};

use web_time::Instant;

use crate::{
    auth::owner::{Address, Holder, Owner},
    limits::{Limits, RateMeter, rate_exceeded},
    rate::{RateMeters, of_one},
};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// What counts towards the rates of the whole relay.
#[derive(Debug)]
pub(crate) struct RateLimits {
    limits: Arc<Limits>,
    /// Messages that all connections send and receive.
    messages: RateMeter,
    /// Requests over HTTP with right credentials.
    requests: RateMeter,
    /// Those of each client.
    requests_of: RateMeters<Holder>,
    /// Requests over HTTP of those who show no right credentials.
    strangers: RateMeter,
    /// Those of each address.
    strangers_of: RateMeters<Address>,
}

impl RateLimits {
    /// Meters that counted nothing.
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self {
            limits,
            messages: RateMeter::default(),
            requests: RateMeter::default(),
            requests_of: RateMeters::default(),
            strangers: RateMeter::default(),
            strangers_of: RateMeters::default(),
        }
    }

    /// Takes other limits.
    pub(crate) fn set_limits(&mut self, limits: Arc<Limits>) {
        self.limits = limits;
    }

    /// Counts a request over HTTP with right credentials, for its client first: nobody takes all of the rate.
    ///
    /// # Errors
    /// 42918 for one too many in a second.
    pub(crate) fn count_request(&mut self, owner: &Owner, now: Instant) -> Result<(), ErrorInfo> {
        let Some(rate) = self.limits.request_rate else { return Ok(()) };
        let has_capacity = self.requests_of.has_capacity(&owner.holder, of_one(Some(rate)), now)
            && self.requests.has_capacity(1, Some(rate), now);
        if !has_capacity {
            return Err(too_many_requests());
        }
        self.requests_of.count(owner.holder.clone(), now);
        self.requests.count(1, now);
        Ok(())
    }

    /// Counts a request over HTTP without right credentials, for its address first.
    ///
    /// # Errors
    /// 42918 for one too many in a second.
    pub(crate) fn count_stranger(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), ErrorInfo> {
        let (limits, address) = (&self.limits, address.map(Address::from));
        let has_capacity = |address| self.strangers_of.has_capacity(address, limits.stranger_rate_per_address, now);
        let has_capacity =
            address.as_ref().is_none_or(has_capacity) && self.strangers.has_capacity(1, limits.stranger_rate, now);
        if !has_capacity {
            return Err(too_many_requests());
        }
        if let Some(address) = address {
            self.strangers_of.count(address, now);
        }
        self.strangers.count(1, now);
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
    use crate::{ApiKey, Identity, auth::Principal};

    fn owner(client: &str) -> Owner {
        Owner::of(&Principal::of_key(&Arc::new(ApiKey::development()), Identity::Known(client.into())), None)
    }

    #[test]
    fn one_client_does_not_take_all_requests() {
        let limits = Limits { request_rate: Some(8), ..Limits::default() };
        let mut rates = RateLimits::new(Arc::new(limits));
        let now = Instant::now();
        let mut asked = |client: &str| (0..10).filter(|_| rates.count_request(&owner(client), now).is_ok()).count();
        assert_eq!((asked("mallory"), asked("ada"), asked("bob")), (6, 2, 0));
    }

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
        assert_eq!(rates.count_request(&owner("ada"), now), Ok(()));
    }

    #[test]
    fn requests_and_messages_have_separate_meters() {
        let limits = Limits { request_rate: Some(1), account_rate: Some(2), ..Limits::default() };
        let mut rates = RateLimits::new(Arc::new(limits));
        let now = Instant::now();
        assert_eq!(rates.count_request(&owner("ada"), now), Ok(()));
        assert_eq!(rates.count_request(&owner("ada"), now).map_err(|error| error.code.0), Err(42918));
        assert_eq!(rates.check_publish(2, now), Ok(()));
        rates.count_messages(1, now);
        assert_eq!(rates.check_publish(2, now).map_err(|error| error.code.0), Err(42917));
    }
}
