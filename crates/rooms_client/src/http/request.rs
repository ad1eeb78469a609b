//! What is asked over HTTP: the path, the query and the body of each request, and what its answer means to the asker.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    history::{first_page, read_page},
    publish::prepare,
    response::{read_published, read_time},
};
use crate::{
    channel::Channels,
    command::{HistoryOf, HistoryQuery, NextPage, OperationId},
    connection::connectivity::Connectivity,
    context::Context,
    event::Event,
    output::{HttpResponse, Output, RequestId},
};
use rooms_protocol::{ChannelName, ErrorCode, ErrorInfo, Message, Timestamp};

/// A request, without its host and its credentials.
#[derive(Debug)]
pub(crate) struct Request {
    path: String,
    query: String,
    body: Option<String>,
    purpose: RequestPurpose,
}

/// Why a request is made.
#[derive(Clone, Debug)]
pub(crate) enum RequestPurpose {
    History {
        operation: OperationId,
        channel: ChannelName,
        of: HistoryOf,
    },
    Time {
        operation: OperationId,
    },
    Publish {
        operation: OperationId,
    },
    /// The client's own question for the server's time.
    Clock,
}

impl RequestPurpose {
    /// Whether the request is sent without credentials: the server tells its time to anybody (`RSC16`).
    pub(super) fn needs_no_credentials(&self) -> bool {
        matches!(self, Self::Time { .. } | Self::Clock)
    }
}

/// What the answer to a request means.
#[derive(Debug)]
pub(crate) enum Reading {
    /// The game asked, and this tells it.
    Event(Box<Event>),
    /// The client itself asked for the server's time.
    Clock(Result<Timestamp, ErrorInfo>),
}

impl RequestPurpose {
    /// The request is over: reads its answer, or why there is none.
    pub(crate) fn read(self, answer: Result<HttpResponse, ErrorInfo>, channels: &Channels) -> Reading {
        let event = match self {
            Self::History { operation, channel, of } => {
                let cipher = channels.cipher(&channel);
                let outcome = answer.and_then(|response| read_page(channel.clone(), of, &response, cipher));
                Event::History { operation, outcome }
            }
            Self::Time { operation } => Event::Time { operation, outcome: read_time(answer) },
            Self::Publish { operation } => Event::Published { operation, outcome: read_published(answer) },
            Self::Clock => return Reading::Clock(read_time(answer)),
        };
        Reading::Event(Box::new(event))
    }

    /// What the game is told where the request ends before it was sent.
    pub(crate) fn failed(self, error: ErrorInfo) -> Option<Event> {
        match self {
            Self::History { operation, .. } => Some(Event::History { operation, outcome: Err(error) }),
            Self::Time { operation } => Some(Event::Time { operation, outcome: Err(error) }),
            Self::Publish { operation } => Some(Event::Published { operation, outcome: Err(error) }),
            // It is sent at once, so it cannot end here.
            Self::Clock => None,
        }
    }
}

/// What the game asks. `None` where the game is told at once how it went.
impl Request {
    /// Asks for the first page of a history (`RSL2`, `RTL10`, `RTP12`).
    pub(crate) fn history(
        operation: OperationId,
        channel: ChannelName,
        of: HistoryOf,
        query: &HistoryQuery,
        channels: &Channels,
        cx: &mut Context<'_>,
    ) -> Option<Self> {
        match first_page(channel, of, query, channels) {
            Ok(page) => Self::page(operation, page, cx),
            Err(error) => {
                cx.effects.emit(Event::History { operation, outcome: Err(error) });
                None
            }
        }
    }

    /// Asks for a page of a history.
    pub(crate) fn page(operation: OperationId, page: NextPage, cx: &mut Context<'_>) -> Option<Self> {
        let NextPage { channel, of, query } = page;
        match channel_path(&channel, if of == HistoryOf::Messages { "messages" } else { "presence/history" }) {
            Ok(path) => Some(Self::get(path, query, RequestPurpose::History { operation, channel, of })),
            Err(error) => {
                cx.effects.emit(Event::History { operation, outcome: Err(error) });
                None
            }
        }
    }

    /// Publishes messages (`RSL1`).
    pub(crate) fn publish(
        operation: OperationId,
        channel: &ChannelName,
        messages: Vec<Message>,
        connectivity: &Connectivity<'_>,
        channels: &Channels,
        cx: &mut Context<'_>,
    ) -> Option<Self> {
        if messages.is_empty() {
            cx.effects.emit(Event::Published { operation, outcome: Ok(Vec::new()) });
            return None;
        }
        let body = prepare(messages, connectivity, channels.cipher(channel), cx.rng);
        match body.and_then(|body| Ok((body, channel_path(channel, "messages")?))) {
            Ok((body, path)) => {
                let purpose = RequestPurpose::Publish { operation };
                Some(Self { path, query: String::new(), body: Some(body), purpose })
            }
            Err(error) => {
                cx.effects.emit(Event::Published { operation, outcome: Err(error) });
                None
            }
        }
    }

    /// Asks for the server's time (`RSC16`).
    pub(crate) fn time(operation: OperationId) -> Self {
        Self::get("/time".to_owned(), String::new(), RequestPurpose::Time { operation })
    }
}

impl Request {
    /// Asks for the server's time, to sign token requests by it.
    pub(crate) fn clock() -> Self {
        Self::get("/time".to_owned(), String::new(), RequestPurpose::Clock)
    }

    fn get(path: String, query: String, purpose: RequestPurpose) -> Self {
        Self { path, query, body: None, purpose }
    }

    pub(crate) fn purpose(&self) -> &RequestPurpose {
        &self.purpose
    }

    pub(crate) fn into_purpose(self) -> RequestPurpose {
        self.purpose
    }

    /// Has the driver send it to `host`, or else to the first host.
    pub(crate) fn send_to(
        &self,
        host: Option<&str>,
        authorization: Option<String>,
        cx: &mut Context<'_>,
    ) -> Option<RequestId> {
        let target = cx.target.as_ref().ok()?;
        let mut http = target.request(host, &self.path, &self.query, self.body.clone());
        if !self.purpose.needs_no_credentials() {
            http.headers.extend(authorization.map(|authorization| ("Authorization", authorization)));
        }
        // With an API key alone the server would not know whose request it is (`RSA7e2`).
        let client_id = cx.options.client_id.as_ref().map(|id| BASE64_STANDARD.encode(id.as_str()));
        http.headers.extend(client_id.map(|id| ("X-Ably-ClientId", id)));
        let request = cx.effects.next_request();
        cx.effects.request(Output::Http { request, http });
        Some(request)
    }
}

/// The path of something about a channel.
///
/// # Errors
/// For a name that would change the path of the URL, or leave a part of it out.
fn channel_path(channel: &ChannelName, what: &str) -> Result<String, ErrorInfo> {
    let name = channel.as_str();
    if matches!(name, "" | "." | "..") {
        let text = format!("{name:?} cannot be the name of a channel in a URL; give the channel another name");
        return Err(ErrorInfo::new(ErrorCode::INVALID_CHANNEL_NAME, 400, text));
    }
    let mut path = String::from("/channels/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(format!("{path}/{what}"))
}
