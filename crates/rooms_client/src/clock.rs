//! The server's clock, for requests that the client signs on a machine whose own clock may be wrong (`RSA9d`, `RSA10k`).

use web_time::Instant;

use super::{Client, Output, RequestId, options::Credentials, token::TokenParams};
use rooms_protocol::{ErrorInfo, Timestamp};

/// What is known of the server's clock. It is asked for once; from then on the time that passed is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ServerClock {
    #[default]
    Unknown,
    Asked,
    Known {
        told: Timestamp,
        at: Instant,
    },
}

impl Client {
    /// Has the driver get a token. Where the client is to sign by the server's clock and does not know it, that comes
    /// first; the answer leads back here.
    pub(super) fn need_token(&mut self, request: RequestId, now: Instant) {
        let mut params = TokenParams { client_id: self.options.client_id.clone(), ..TokenParams::default() };
        if self.signs_by_server_clock() {
            match self.tokens.clock {
                ServerClock::Asked => return,
                ServerClock::Unknown => {
                    self.tokens.clock = ServerClock::Asked;
                    return self.ask_clock(now);
                }
                ServerClock::Known { told, at } => {
                    params.timestamp = Some(told.plus(now.saturating_duration_since(at)));
                }
            }
        }
        self.outputs.push_back(Output::NeedToken { request, params });
    }

    /// The answer to the question what time it is.
    pub(super) fn take_server_time(&mut self, answer: Result<Timestamp, ErrorInfo>, now: Instant) {
        self.tokens.clock = answer.as_ref().map_or(ServerClock::Unknown, |&told| ServerClock::Known { told, at: now });
        let Some(request) = self.tokens.asked else { return };
        match answer {
            Ok(_) => self.need_token(request, now),
            Err(error) => {
                self.end_token_request();
                self.token_not_obtained(error, now);
            }
        }
    }

    /// The server took a signed request for one of another time. A machine that slept has a clock here that fell behind,
    /// so that the next request asks again.
    pub(super) fn clock_refused(&mut self) {
        if let ServerClock::Known { .. } = self.tokens.clock {
            self.tokens.clock = ServerClock::Unknown;
        }
        if matches!(self.options.credentials, Credentials::Key(_)) && !self.options.query_time {
            log::warn!("this machine's clock differs from the server's; correct it, or set ClientOptions::query_time");
        }
    }

    fn signs_by_server_clock(&self) -> bool {
        self.options.query_time && matches!(self.options.credentials, Credentials::Key(_))
    }
}
