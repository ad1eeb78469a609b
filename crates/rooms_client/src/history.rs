//! What a channel carried before: messages and words about members, a page at a time (`RSL2`, `RTL10`, `RTP12`).

use web_time::Instant;

use super::{
    Client,
    attach::unusable_channel,
    cipher,
    event::{ChannelState, Event, OperationId},
    rest::{HttpResponse, Purpose, channel_path},
};
use rooms_protocol::{ChannelName, ErrorInfo, Message, PresenceMessage, Timestamp};

/// What is looked back on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryOf {
    /// The messages of a channel.
    Messages,
    /// The words about its members.
    Presence,
}

/// The order of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The newest first.
    #[default]
    Backwards,
    /// The oldest first.
    Forwards,
}

/// Which part of a history is wanted (`RSL2b`, `RSP4b`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// No earlier than this. Defaults to all that is kept.
    pub start: Option<Timestamp>,
    /// No later than this. Defaults to the present.
    pub end: Option<Timestamp>,
    /// The order. Defaults to the newest first.
    pub direction: Direction,
    /// Most items of a page, up to 1,000. Defaults to what the server sees fit, which is 100.
    pub limit: Option<u16>,
    /// Only what came before the channel was attached, so that together with what was received since nothing is missing
    /// and nothing comes twice (`RTL10b`). The channel is to be attached. For messages alone.
    pub until_attach: bool,
}

/// One page of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPage {
    /// The messages, payloads decoded as far as they can be. Empty in a history of presence.
    pub messages: Vec<Message>,
    /// The words about members. Empty in a history of messages.
    pub presence: Vec<PresenceMessage>,
    /// What to ask for next; none: there is no more.
    pub next: Option<NextPage>,
}

/// Where the next page of a history begins, for [`Command::NextPage`](super::Command::NextPage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage {
    pub(super) channel: ChannelName,
    pub(super) of: HistoryOf,
    /// The query that the server gave. Its place and host are not taken over, so that credentials stay where they belong.
    query: String,
}

impl Client {
    pub(super) fn history(
        &mut self,
        operation: OperationId,
        channel: ChannelName,
        of: HistoryOf,
        query: &HistoryQuery,
        now: Instant,
    ) {
        match self.query(&channel, of, query) {
            Ok(query) => self.page(operation, NextPage { channel, of, query }, now),
            Err(error) => self.emit(Event::History { operation, outcome: Err(error) }),
        }
    }

    pub(super) fn page(&mut self, operation: OperationId, page: NextPage, now: Instant) {
        let path =
            channel_path(&page.channel, if page.of == HistoryOf::Messages { "messages" } else { "presence/history" });
        let query = page.query;
        self.get(path, &query, Purpose::History { operation, channel: page.channel, of: page.of }, now);
    }

    fn query(&self, name: &ChannelName, of: HistoryOf, query: &HistoryQuery) -> Result<String, ErrorInfo> {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        if let Some(start) = query.start {
            pairs.append_pair("start", &start.0.to_string());
        }
        if let Some(end) = query.end {
            pairs.append_pair("end", &end.0.to_string());
        }
        if query.direction == Direction::Forwards {
            pairs.append_pair("direction", "forwards");
        }
        if let Some(limit) = query.limit {
            pairs.append_pair("limit", &limit.to_string());
        }
        if query.until_attach && of == HistoryOf::Messages {
            let serial = self.attach_serial(name).filter(|_| self.channel_state(name) == ChannelState::Attached);
            let serial = serial.ok_or_else(|| unusable_channel(self.channel_state(name)))?;
            pairs.append_pair("fromSerial", serial.as_str());
        }
        Ok(pairs.finish())
    }

    /// Reads a page that the server gave.
    pub(super) fn read_page(
        &self,
        channel: ChannelName,
        of: HistoryOf,
        response: &HttpResponse,
    ) -> Result<HistoryPage, ErrorInfo> {
        let next = response.next_query().map(|query| NextPage { channel: channel.clone(), of, query });
        let (mut messages, mut presence) = (Vec::<Message>::new(), Vec::<PresenceMessage>::new());
        match of {
            HistoryOf::Messages => messages = response.json()?,
            HistoryOf::Presence => presence = response.json()?,
        }
        let cipher = self.ciphers.get(&channel);
        let decoded = messages.iter_mut().map(|message| cipher::decode(cipher, message));
        let decoded = decoded.chain(presence.iter_mut().map(|word| cipher::decode(cipher, word)));
        for error in decoded.filter_map(Result::err) {
            log::warn!("{channel}: an item of the history is delivered as it came: {error}");
        }
        Ok(HistoryPage { messages, presence, next })
    }
}
