//! Requests over HTTP: which path leads to which answer.

mod channels;
mod publish;
mod revoke;
mod tokens;

use serde_json::{Value, json};
use web_time::Instant;

use super::{
    Hub,
    channel::{attach_request::Address, key::ChannelKey, publish::Publish},
    connection::state::random_id,
};
use crate::{
    auth::{Operation, Principal},
    error::not_found,
    http::{Body, Call, Paging, Reply, RestRequest, RestResponse, respond},
    moment::Moment,
};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo};

impl Hub {
    /// Answers a request over HTTP. What it publishes is in [`poll_output`](Self::poll_output).
    pub fn rest(&mut self, request: &RestRequest, now: Instant) -> RestResponse {
        let reply = match request.method.as_str() {
            // A browser asks this before it sends the request itself. The answer is in the headers.
            "OPTIONS" => Ok(Reply::new(204, Body::Nothing)),
            // Nobody would receive what is published now.
            _ if self.is_shut_down => {
                Err(ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "the relay is being stopped; come back in a moment"))
            }
            _ => self
                .rates
                .count_request(now)
                .and_then(|()| Call::parse(request))
                .and_then(|call| self.route(&call, self.clock.at(now))),
        };
        respond(request, reply.unwrap_or_else(Reply::from))
    }

    fn route(&mut self, call: &Call<'_>, moment: Moment) -> Result<Reply, ErrorInfo> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match (call.request.method.as_str(), path.as_slice()) {
            ("GET", ["time"]) => Ok(Reply::new(200, Body::Value(json!([moment.wall])))),
            ("GET", ["channels"]) => channels::list(call, &self.principal(call, moment)?, &self.channels),
            ("GET", ["channels", name]) => {
                let (_, key) = self.channel_of(call, name, Operation::ChannelMetadata, moment)?;
                Ok(channels::details(name, self.channels.get(&key)))
            }
            ("POST", ["channels", name, "messages"]) => self.publish_over_http(call, name, moment),
            ("GET", ["channels", name, "messages"]) => {
                let (_, key) = self.channel_of(call, name, Operation::History, moment)?;
                channels::message_history(call, self.channels.get(&key), self.channels.node())
            }
            ("GET", ["channels", name, "presence"]) => {
                let (_, key) = self.channel_of(call, name, Operation::Subscribe, moment)?;
                channels::members(call, self.channels.get(&key))
            }
            ("GET", ["channels", name, "presence", "history"]) => {
                let (_, key) = self.channel_of(call, name, Operation::History, moment)?;
                channels::presence_history(call, self.channels.get(&key))
            }
            ("GET", ["stats"]) => {
                self.principal(call, moment)?.check_anywhere(Operation::Stats)?;
                // The relay keeps no statistics.
                Ok(Reply::page(Body::Value(json!([])), Paging::parse(call)?.links("stats", None)))
            }
            ("POST", ["keys", key, "requestToken"]) => tokens::for_request(call, key, &mut self.authorizer, moment),
            ("POST", ["keys", key, "revokeTokens"]) => self.revoke_over_http(call, key, moment),
            ("GET", ["token"]) => tokens::for_game(call, &mut self.authorizer, moment),
            ("POST", ["apps"]) if self.is_sandbox => {
                let app = self.create_app(&call.body::<Value>()?, moment.now)?;
                Ok(tokens::new_app(call, app))
            }
            ("DELETE", ["apps", app]) if self.is_sandbox => {
                self.delete_app(app, call.credentials()?.as_ref(), moment.now)?;
                Ok(Reply::new(204, Body::Nothing))
            }
            // Statistics that a test suite would read back. The relay has none.
            ("POST", ["stats"]) if self.is_sandbox => Ok(Reply::new(201, Body::Value(json!({})))),
            _ => Err(not_found("there is nothing here; check the path and the method")),
        }
    }

    /// Who asks.
    fn principal(&self, call: &Call<'_>, moment: Moment) -> Result<Principal, ErrorInfo> {
        self.authorizer.authenticate(call.credentials()?.as_ref(), call.client_id().as_ref(), moment.wall)
    }

    /// The channel that a path names, for somebody who may do `operation` there.
    fn channel_of(
        &self,
        call: &Call<'_>,
        name: &str,
        operation: Operation,
        moment: Moment,
    ) -> Result<(Principal, ChannelKey), ErrorInfo> {
        let principal = self.principal(call, moment)?;
        let channel = Address::parse(&ChannelName::new(name))?.channel;
        principal.check(&channel, operation)?;
        let key = ChannelKey { app: principal.app.clone(), name: channel };
        Ok((principal, key))
    }

    /// `POST /channels/{name}/messages`: all of the messages or none.
    fn publish_over_http(&mut self, call: &Call<'_>, name: &str, moment: Moment) -> Result<Reply, ErrorInfo> {
        let (principal, key) = self.channel_of(call, name, Operation::Publish, moment)?;
        let messages = publish::messages(call, &self.limits)?;
        let (publisher, identity) = publish::on_behalf(&messages, principal, &self.connections)?;
        let base = random_id(&mut self.random).as_str().to_owned();
        let publish = Publish { key, base: base.clone(), publisher, messages };
        let serials = self.publish(publish, &identity, moment)?;
        let result = json!({ "channel": name, "messageId": base, "serials": serials });
        Ok(Reply::new(201, Body::Value(result)))
    }
}
