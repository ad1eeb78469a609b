//! How a connection ends, for a while or for good: suspended, failed or closed (`RTN12`, `RTN14e`, `RTN15i`).

use super::{Connection, Step};
use crate::{context::Context, error::disconnected, event::ConnectionState, timer::Timer};
use rooms_protocol::{Action, ErrorCode, ErrorInfo, Frame};

impl Connection {
    /// The server does not keep the connection any longer (`RTN14e`).
    pub(crate) fn on_suspend_timeout(&mut self, cx: &mut Context<'_>) -> Step {
        // An attempt that is under way goes on to its end, and that decides.
        if self.state != ConnectionState::Disconnected {
            return Step::Stay;
        }
        let message = "the server was out of reach for longer than it keeps a connection; the client keeps trying";
        self.suspend(ErrorInfo::new(ErrorCode::CONNECTION_SUSPENDED, 400, message), false, cx)
    }

    /// Ends the connection with an error. The client gives the socket up before.
    pub(crate) fn fail(&mut self, reason: ErrorInfo, cx: &mut Context<'_>) {
        self.end(ConnectionState::Failed, Some(reason), cx);
    }

    /// Ends the connection on request. The client gives the socket up before.
    pub(crate) fn finish_close(&mut self, reason: Option<ErrorInfo>, cx: &mut Context<'_>) {
        self.end(ConnectionState::Closed, reason, cx);
    }

    fn end(&mut self, to: ConnectionState, reason: Option<ErrorInfo>, cx: &mut Context<'_>) {
        cx.timers.stop_all();
        self.id = None;
        self.key = None;
        self.change(to, reason, None, cx);
    }

    /// The game ends the connection (`RTN12`).
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) -> Step {
        match self.state {
            ConnectionState::Connected => {
                cx.effects.send(Frame::new(Action::Close));
                self.begin_closing(cx)
            }
            // The goodbye follows once the server is there (`RTN12f`).
            ConnectionState::Connecting if cx.effects.has_socket() => self.begin_closing(cx),
            ConnectionState::Connecting | ConnectionState::Disconnected | ConnectionState::Suspended => {
                Step::Close(None)
            }
            ConnectionState::Initialized
            | ConnectionState::Closing
            | ConnectionState::Closed
            | ConnectionState::Failed => Step::Stay,
        }
    }

    fn begin_closing(&mut self, cx: &mut Context<'_>) -> Step {
        cx.timers.stop_all();
        cx.start_request_timeout(Timer::Close);
        self.id = None;
        self.key = None;
        self.change(ConnectionState::Closing, None, None, cx);
        Step::Closing
    }

    /// The server said goodbye with CLOSED.
    pub(crate) fn on_closed(&mut self, error: Option<Box<ErrorInfo>>, cx: &mut Context<'_>) -> Step {
        match self.state {
            ConnectionState::Connected | ConnectionState::Closing => Step::Close(error.map(|error| *error)),
            _ => self.socket_ended(disconnected("the server closed the socket"), cx),
        }
    }
}
