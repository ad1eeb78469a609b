//! How a connection ends, for a while or for good: suspended, failed or closed (`RTN12`, `RTN14e`, `RTN15i`).

use web_time::Instant;

use super::{Client, Timer, connection::disconnected, event::ConnectionState};
use rooms_protocol::{Action, ErrorCode, ErrorInfo, Frame};

impl Client {
    pub(super) fn suspend_if_disconnected(&mut self, now: Instant) {
        // An attempt that is under way is let end; it decides.
        if self.state() == ConnectionState::Disconnected {
            let message = "the server was out of reach for longer than it keeps a connection; trying on";
            self.suspend(ErrorInfo::new(ErrorCode::CONNECTION_SUSPENDED, 400, message), now);
        }
    }

    pub(super) fn suspend(&mut self, reason: ErrorInfo, now: Instant) {
        let wait = self.options.timing.suspended_retry;
        self.timers.start(Timer::Retry, now, wait);
        self.change_connection(ConnectionState::Suspended, Some(reason.clone()), Some(wait));
        self.suspend_channels(&reason);
        self.end_authorize(&reason);
        self.end_pings(&reason);
        self.end_all_operations(&reason);
    }

    pub(super) fn fail(&mut self, reason: ErrorInfo) {
        self.leave_line();
        self.timers.stop_all();
        self.connection.id = None;
        self.connection.key = None;
        self.forget_token();
        self.change_connection(ConnectionState::Failed, Some(reason.clone()), None);
        self.fail_channels(&reason);
        self.end_auth(&reason);
        self.end_pings(&reason);
        self.end_all_operations(&reason);
    }

    pub(super) fn close(&mut self, now: Instant) {
        match self.state() {
            ConnectionState::Connected => {
                self.send(Frame::new(Action::Close));
                self.begin_closing(now);
            }
            // The goodbye follows once the server is there (`RTN12f`).
            ConnectionState::Connecting if self.connection.transport.is_some() => self.begin_closing(now),
            ConnectionState::Connecting => self.closed(None),
            ConnectionState::Disconnected | ConnectionState::Suspended => self.closed(None),
            ConnectionState::Initialized
            | ConnectionState::Closing
            | ConnectionState::Closed
            | ConnectionState::Failed => {}
        }
    }

    fn begin_closing(&mut self, now: Instant) {
        self.timers.stop_all();
        self.timers.start(Timer::Close, now, self.options.timing.request_timeout);
        self.connection.id = None;
        self.connection.key = None;
        self.change_connection(ConnectionState::Closing, None, None);
        self.end_auth(&closed_error());
        self.end_pings(&closed_error());
    }

    pub(super) fn closed(&mut self, reason: Option<ErrorInfo>) {
        self.leave_line();
        self.timers.stop_all();
        self.connection.id = None;
        self.connection.key = None;
        self.change_connection(ConnectionState::Closed, reason.clone(), None);
        self.detach_channels(reason.as_ref());
        let reason = reason.unwrap_or_else(closed_error);
        self.end_auth(&reason);
        self.end_pings(&reason);
        self.end_all_operations(&reason);
    }

    pub(super) fn closed_by_server(&mut self, error: Option<Box<ErrorInfo>>, now: Instant) {
        match self.state() {
            ConnectionState::Connected | ConnectionState::Closing => self.closed(error.map(|error| *error)),
            _ => self.line_ended(disconnected("the server ended the line"), now),
        }
    }
}

pub(super) fn closed_error() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::CONNECTION_CLOSED, 400, "the connection was closed; connect to use it again")
}
