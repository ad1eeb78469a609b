//! What a channel carried before: messages and presence messages, a page at a time (`RSL2`, `RTL10`, `RTP12`).

use super::response::{json, next_query};
use crate::{
    channel::{
        Channels,
        cipher::{self, CipherParams},
    },
    command::{HistoryDirection, HistoryOf, HistoryQuery, NextPage},
    error::unusable_channel,
    event::{ChannelState, HistoryPage},
    output::HttpResponse,
};
use rooms_protocol::{ChannelName, ErrorInfo, Message, PresenceMessage};

/// What to ask for the first page of a history.
///
/// # Errors
/// Where the history is to end with the attachment, and the channel is not attached (`RTL10b`).
pub(crate) fn first_page(
    channel: ChannelName,
    of: HistoryOf,
    query: &HistoryQuery,
    channels: &Channels,
) -> Result<NextPage, ErrorInfo> {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    if let Some(start) = query.start {
        pairs.append_pair("start", &start.0.to_string());
    }
    if let Some(end) = query.end {
        pairs.append_pair("end", &end.0.to_string());
    }
    if query.direction == HistoryDirection::Forwards {
        pairs.append_pair("direction", "forwards");
    }
    if let Some(limit) = query.limit {
        pairs.append_pair("limit", &limit.to_string());
    }
    if query.until_attach && of == HistoryOf::Messages {
        let state = channels.state(&channel);
        let serial = channels.attach_serial(&channel).filter(|_| state == ChannelState::Attached);
        pairs.append_pair("fromSerial", serial.ok_or_else(|| unusable_channel(state))?.as_str());
    }
    let query = pairs.finish();
    Ok(NextPage { channel, of, query })
}

/// Reads a page that the server gave.
///
/// # Errors
/// Where the server's answer is unreadable.
pub(crate) fn read_page(
    channel: ChannelName,
    of: HistoryOf,
    response: &HttpResponse,
    cipher: Option<&CipherParams>,
) -> Result<HistoryPage, ErrorInfo> {
    let next = next_query(response).map(|query| NextPage { channel: channel.clone(), of, query });
    let (mut messages, mut presence) = (Vec::<Message>::new(), Vec::<PresenceMessage>::new());
    match of {
        HistoryOf::Messages => messages = json(response)?,
        HistoryOf::Presence => presence = json(response)?,
    }
    let decoded = messages.iter_mut().map(|message| cipher::decode(cipher, message));
    let decoded = decoded.chain(presence.iter_mut().map(|message| cipher::decode(cipher, message)));
    for error in decoded.filter_map(Result::err) {
        log::warn!("{channel}: an item of the history is delivered as it came: {error}");
    }
    Ok(HistoryPage { messages, presence, next })
}
