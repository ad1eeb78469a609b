//! Answers to requests over HTTP: which part takes care of which path.

mod channels;
mod publish;
mod tokens;

use serde_json::json;
use web_time::Instant;

use crate::{
    Operation, Principal,
    http::{Body, Call, Paging, Reply, RestRequest, RestResponse, respond},
    hub::{
        Hub,
        channel::{attach_request::Address, key::ChannelKey},
    },
};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo};

impl Hub {
    /// Answers a request over HTTP. What it publishes is in [`poll_output`](Self::poll_output).
    pub fn rest(&mut self, request: &RestRequest, now: Instant) -> RestResponse {
        let reply = match request.method.as_str() {
            // What a browser asks before it sends the request itself; the answer is in the headers.
            "OPTIONS" => Ok(Reply::new(204, Body::Nothing)),
            // Nobody would get what is published now.
            _ if self.is_shut_down => {
                Err(ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "the relay is being stopped; come back in a moment"))
            }
            _ => {
                self.check_request_rate(now).and_then(|()| Call::parse(request)).and_then(|call| self.route(&call, now))
            }
        };
        respond(request, reply.unwrap_or_else(Reply::from))
    }

    fn route(&mut self, call: &Call<'_>, now: Instant) -> Result<Reply, ErrorInfo> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match (call.request.method.as_str(), path.as_slice()) {
            ("GET", ["time"]) => Ok(Reply::new(200, Body::Value(json!([self.clock.at(now)])))),
            ("GET", ["channels"]) => self.list_channels(call, now),
            ("GET", ["channels", name]) => self.channel_details(call, name, now),
            ("POST", ["channels", name, "messages"]) => self.publish_over_http(call, name, now),
            ("GET", ["channels", name, "messages"]) => self.message_history(call, name, now),
            ("GET", ["channels", name, "presence"]) => self.list_members(call, name, now),
            ("GET", ["channels", name, "presence", "history"]) => self.presence_history(call, name, now),
            ("GET", ["stats"]) => self.no_stats(call, now),
            ("POST", ["keys", key, "requestToken"]) => self.token_for_request(call, key, now),
            ("GET", ["token"]) => self.token_for_game(call, now),
            ("POST", ["apps"]) if self.config.sandbox => self.make_app(call, now),
            ("DELETE", ["apps", app]) if self.config.sandbox => self.delete_app_over_http(call, app, now),
            // Statistics that a test suite would read back; there are none here.
            ("POST", ["stats"]) if self.config.sandbox => Ok(Reply::new(201, Body::Value(json!({})))),
            _ => Err(not_found()),
        }
    }

    fn check_request_rate(&mut self, now: Instant) -> Result<(), ErrorInfo> {
        if !self.requests.has_room(1, self.config.limits.request_rate, now) {
            let why = "more requests come here than may in a second; ask again in a moment";
            return Err(ErrorInfo::new(ErrorCode::REQUEST_RATE_EXCEEDED, 429, why));
        }
        self.requests.count(1, now);
        Ok(())
    }

    /// Who asks.
    fn principal(&self, call: &Call<'_>, now: Instant) -> Result<Principal, ErrorInfo> {
        self.authenticate(call.credentials()?.as_ref(), call.client_id().as_ref(), now)
    }

    /// The channel that a path names, for one who may do `operation` there.
    fn channel_of(
        &self,
        call: &Call<'_>,
        name: &str,
        operation: Operation,
        now: Instant,
    ) -> Result<(Principal, ChannelKey), ErrorInfo> {
        let principal = self.principal(call, now)?;
        let channel = Address::parse(&ChannelName::new(name))?.channel;
        principal.check(&channel, operation)?;
        let key = ChannelKey { app: principal.app.clone(), name: channel };
        Ok((principal, key))
    }

    /// `GET /stats`: an empty list, for the relay keeps no statistics.
    fn no_stats(&self, call: &Call<'_>, now: Instant) -> Result<Reply, ErrorInfo> {
        self.principal(call, now)?.check_anywhere(Operation::Stats)?;
        Ok(Reply::page(Body::Value(json!([])), Paging::parse(call)?.links("stats", None)))
    }
}

fn not_found() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::NOT_FOUND, 404, "there is nothing here; check the path and the method")
}
