//! Requests over HTTP: which path leads to which answer.
//!
//! The hub looks at the head of a request first: who asks, and whether they may. What takes time is done outside the hub, as
//! [`Work`]: reading the body, checking signatures, signing. Its result may come back as a [`Job`].

mod channels;
mod publish;
mod revoke;
mod tokens;
mod work;

use serde_json::json;
use web_time::Instant;

pub(crate) use self::work::{Asked, Done, Job, Work};
use self::{channels::Answers, work::Publishing};
use super::{
    Hub,
    channel::{attach_request::Address, key::ChannelKey, publish::Publish},
    connection::state::random_id,
    frames::Source,
    refusals::Party,
};
use crate::{
    auth::{Operation, Principal, authorizer::Asker, owner::Owner},
    error::not_found,
    http::{Body, Call, Reply, RestRequest, RestResponse, respond},
    moment::Moment,
};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, Message};

impl Hub {
    /// Answers a request over HTTP. What it publishes is in [`poll_output`](Self::poll_output).
    pub fn rest(&mut self, request: &RestRequest, now: Instant) -> RestResponse {
        let head = RestRequest { body: Vec::new(), ..request.clone() };
        let reply = Call::parse(head, None).and_then(|call| match self.ask(&call, now) {
            Asked::Answer(reply) => Ok(reply),
            Asked::Work(work) => match work.run(&call, &request.body, &self.limits)? {
                Done::Answer(reply) => Ok(reply),
                Done::Job(job) => Ok(self.finish(*job, now)),
            },
        });
        respond(request, reply.unwrap_or_else(Reply::from))
    }

    /// Looks at the head of a request. Its body is not needed here.
    pub(crate) fn ask(&mut self, call: &Call, now: Instant) -> Asked {
        // A browser asks this before it sends the request itself. The answer is in the headers.
        if call.request.method == "OPTIONS" {
            return Asked::Answer(Reply::new(204, Body::Nothing));
        }
        // Nobody would receive what is published now.
        if self.is_shut_down {
            return Asked::Answer(being_stopped().into());
        }
        let moment = self.clock.at(now);
        let principal = self.principal(call, moment);
        let counted = match &principal {
            Ok(principal) => self.rates.count_request(&Owner::of(principal, call.address), now),
            // It has a right signature, perhaps. Who checks it counts it.
            Err(_) if is_token_request(call) => Ok(()),
            Err(_) => self.rates.count_stranger(call.address, now),
        };
        let party = match &principal {
            Ok(principal) => Party::of(principal, call.address),
            Err(_) => Party::stranger(call.client_id().as_ref(), call.key_text(), call.address),
        };
        let asked = counted.and_then(|()| self.route(call, principal, moment));
        if let Err(error) = &asked {
            self.refusals.refuse("a request", error, &party, now);
        }
        asked.into()
    }

    /// Does what the body of a request asks for. Its head was looked at before.
    pub(crate) fn finish(&mut self, job: Job, now: Instant) -> Reply {
        if self.is_shut_down {
            return being_stopped().into();
        }
        let moment = self.clock.at(now);
        let party = job.party();
        let reply = match job {
            Job::Publish { to, messages } => self.publish_over_http(*to, messages, moment),
            Job::Token(made) => {
                let details = self.authorizer.hand_out(*made, moment);
                details.map(|details| Reply::new(201, Body::Value(tokens::token_body(&details))))
            }
            Job::Revoke { key, request } => self.revoke_over_http(&key, &request, moment),
            Job::App { body, host } => self.create_app(&body, now).map(|app| tokens::new_app(&host, app)),
        };
        if let Err(error) = &reply {
            self.refusals.refuse("a request", error, &party, now);
        }
        reply.unwrap_or_else(Reply::from)
    }

    fn route(
        &mut self,
        call: &Call,
        principal: Result<Principal, ErrorInfo>,
        moment: Moment,
    ) -> Result<Asked, ErrorInfo> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        // The answer to HEAD is the one to GET, of which whoever writes it leaves out the body.
        let method = if call.request.method == "HEAD" { "GET" } else { call.request.method.as_str() };
        let reply = match (method, path.as_slice()) {
            ("GET", ["time"]) => Reply::new(200, Body::Value(json!([moment.wall]))),
            ("GET", ["channels"]) => {
                let principal = principal?;
                let owner = Owner::of(&principal, call.address);
                channels::list(call, &principal, &self.channels, self.answers_to(&owner))?
            }
            ("GET", ["channels", name]) => {
                let key = channel_of(&principal?, name, Operation::ChannelMetadata)?;
                channels::details(name, self.channels.get(&key))
            }
            ("POST", ["channels", name, "messages"]) => {
                let principal = principal?;
                let key = channel_of(&principal, name, Operation::Publish)?;
                let owner = Owner::of(&principal, call.address);
                let name = (*name).to_owned();
                return Ok(Asked::Work(Box::new(Work::Publish(Box::new(Publishing {
                    name,
                    key,
                    principal,
                    owner,
                    address: call.address,
                })))));
            }
            // Older SDKs, and the one for Go, ask for the history by its own name.
            ("GET", ["channels", name, "messages" | "history"]) => {
                let principal = principal?;
                let key = channel_of(&principal, name, Operation::History)?;
                let owner = Owner::of(&principal, call.address);
                channels::message_history(call, self.channels.get(&key), self.channels.node(), self.answers_to(&owner))?
            }
            ("GET", ["channels", name, "presence"]) => {
                let principal = principal?;
                let key = channel_of(&principal, name, Operation::Subscribe)?;
                let owner = Owner::of(&principal, call.address);
                channels::members(call, self.channels.get(&key), self.answers_to(&owner))?
            }
            ("GET", ["channels", name, "presence", "history"]) => {
                let principal = principal?;
                let key = channel_of(&principal, name, Operation::History)?;
                let owner = Owner::of(&principal, call.address);
                channels::presence_history(call, self.channels.get(&key), self.answers_to(&owner))?
            }
            ("GET", ["stats"]) => {
                principal?.check_anywhere(Operation::Stats)?;
                channels::no_statistics(call)?
            }
            ("POST", ["keys", key, "revokeTokens"]) => {
                let principal = principal?;
                let key = revoke::key_of(call, key, &principal)?;
                let owner = Owner::of(&principal, call.address);
                return Ok(Asked::Work(Box::new(Work::Revoke { key, owner })));
            }
            // The hub has no metrics. Its driver adds them for whoever may read statistics.
            ("GET", ["metrics"]) => {
                principal?.check_anywhere(Operation::Stats)?;
                Reply::new(204, Body::Nothing)
            }
            ("POST", ["keys", key, "requestToken"]) => {
                let offer = self.authorizer.offer(key, call.credentials.clone()?.as_ref(), moment)?;
                return Ok(Asked::Work(Box::new(Work::TokenRequest(offer))));
            }
            ("GET", ["token"]) => {
                let asker = if principal.is_ok() { Asker::Known } else { Asker::Stranger(call.address) };
                let work = tokens::for_game(call, &mut self.authorizer, asker, moment)?;
                return Ok(Asked::Work(Box::new(work)));
            }
            ("POST", ["apps"]) if self.is_sandbox => return Ok(Asked::Work(Box::new(Work::App))),
            ("DELETE", ["apps", app]) if self.is_sandbox => {
                self.delete_app(app, call.credentials.clone()?.as_ref(), moment.now)?;
                Reply::new(204, Body::Nothing)
            }
            // Statistics that a test suite would read back. The relay has none.
            ("POST", ["stats"]) if self.is_sandbox => Reply::new(201, Body::Value(json!({}))),
            // Where SDKs of version 1 begin in a browser. They tell the program what they are answered.
            (_, ["comet", ..]) => {
                let why = "this relay has no comet transport; give the SDK the option transports: ['web_socket']";
                return Err(not_found(why));
            }
            _ => return Err(not_found("there is nothing here; check the path and the method")),
        };
        Ok(Asked::Answer(reply))
    }

    /// Where answers to `owner` take room.
    fn answers_to<'a>(&'a self, owner: &'a Owner) -> Answers<'a> {
        Answers { room: &self.answers, owner }
    }

    /// Who asks.
    fn principal(&self, call: &Call, moment: Moment) -> Result<Principal, ErrorInfo> {
        self.authorizer.authenticate(call.credentials.clone()?.as_ref(), call.client_id().as_ref(), moment.wall)
    }

    /// `POST /channels/{name}/messages`: all of the messages or none.
    fn publish_over_http(
        &mut self,
        to: Publishing,
        messages: Vec<Message>,
        moment: Moment,
    ) -> Result<Reply, ErrorInfo> {
        let Publishing { name, key, principal, owner, .. } = to;
        let (publisher, identity) = publish::on_behalf(&messages, principal, &self.connections)?;
        let base = random_id(&mut self.random).as_str().to_owned();
        let publish = Publish { key, base: base.clone(), publisher, messages };
        let serials = self.publish(publish, &identity, Source::Request(&owner), moment)?.serials;
        let result = json!({ "channel": name, "messageId": base, "serials": serials });
        Ok(Reply::new(201, Body::Value(result)))
    }
}

/// The channel that a path names, for somebody who may do `operation` there.
fn channel_of(principal: &Principal, name: &str, operation: Operation) -> Result<ChannelKey, ErrorInfo> {
    let channel = Address::parse(&ChannelName::new(name))?.channel;
    principal.check(&channel, operation)?;
    Ok(ChannelKey { app: principal.app.clone(), name: channel })
}

fn is_token_request(call: &Call) -> bool {
    call.request.method == "POST" && call.path.first().is_some_and(|first| first == "keys")
}

fn being_stopped() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "the relay is being stopped; come back in a moment")
}
