//! The rates of the relay as a whole: messages of all connections, and requests over HTTP.
//!
//! The rates of one connection, of one channel and of tokens belong to the parts that own those.

use std::sync::Arc;

use web_time::Instant;

use crate::limits::{Limits, RateMeter, rate_exceeded};
use rooms_protocol::{ErrorCode, ErrorInfo};

/// What counts towards the rates of the whole relay.
#[derive(Debug)]
pub(crate) struct RateLimits {
    limits: Arc<Limits>,
    /// Messages that all connections send and receive.
    messages: RateMeter,
    /// Requests over HTTP.
    requests: RateMeter,
}

impl RateLimits {
    /// Meters that counted nothing.
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self { limits, messages: RateMeter::default(), requests: RateMeter::default() }
    }

    /// Takes other limits.
    pub(crate) fn set_limits(&mut self, limits: Arc<Limits>) {
        self.limits = limits;
    }

    /// Counts a request over HTTP.
    ///
    /// # Errors
    /// 42918 for one too many in a second.
    pub(crate) fn count_request(&mut self, now: Instant) -> Result<(), ErrorInfo> {
        if !self.requests.has_capacity(1, self.limits.request_rate, now) {
            let why = "too many requests in one second; try again in a moment";
            return Err(ErrorInfo::new(ErrorCode::REQUEST_RATE_EXCEEDED, 429, why));
        }
        self.requests.count(1, now);
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

#[cfg(test)]
mod tests {
    use super::*;

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
