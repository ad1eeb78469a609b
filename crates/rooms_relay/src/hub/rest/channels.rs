//! Reading channels over HTTP: histories, members, and which channels there are.
//!
//! Each answer is one page, of so many items or bytes that the hub's thread makes it in less than a millisecond.

use std::sync::Arc;

use serde_json::json;

use crate::{
    auth::{Operation, Principal, owner::Owner},
    http::{Body, Call, HistoryQuery, Paging, Reply, Room, RoomTaken, invalid},
    hub::channel::{
        Channels,
        history::{self, LogPage, presence_weight},
        state::HubChannel,
    },
    limits::ANSWER_BYTES,
};
use rooms_protocol::{ClientId, ConnectionId, ErrorInfo};

/// Where answers to somebody take room.
#[derive(Clone, Copy)]
pub(super) struct Answers<'a> {
    pub(super) room: &'a Room,
    pub(super) owner: &'a Owner,
}

impl Answers<'_> {
    fn admit(self, bytes: usize) -> Result<RoomTaken, ErrorInfo> {
        self.room.admit(self.owner, bytes)
    }
}

/// How often a list of channels compares a name with a pattern of the credentials before its page ends.
const COMPARISONS: usize = 4_096;

/// `GET /channels/{name}/messages`. `node` is the relay's own id.
///
/// # Errors
/// 40003 for a query that makes no sense, 42910 where memory is short.
pub(super) fn message_history(
    call: &Call,
    channel: Option<&HubChannel>,
    node: &str,
    answers: Answers<'_>,
) -> Result<Reply, ErrorInfo> {
    let query = HistoryQuery::parse(call)?;
    let page = match channel {
        Some(channel) => history::messages(&channel.log, &query, node)?,
        None => LogPage::empty(),
    };
    let links = query.paging.links("messages", page.next.as_deref());
    Ok(Reply::page(Body::Kept(page.items), links).with_bytes(answers.admit(page.bytes)?))
}

/// The intervals that statistics may be asked for.
const UNITS: [&str; 4] = ["minute", "hour", "day", "month"];

/// `GET /stats`: a page of none, since the relay keeps no statistics. A list that holds nothing is documented.
///
/// # Errors
/// 40003 for a query that makes no sense.
pub(super) fn no_statistics(call: &Call) -> Result<Reply, ErrorInfo> {
    if call.param("unit").is_some_and(|unit| !UNITS.contains(&unit)) {
        return Err(invalid("unit is minute, hour, day or month"));
    }
    let query = HistoryQuery::parse(call)?;
    Ok(Reply::page(Body::Value(json!([])), query.paging.links("stats", None)))
}

/// `GET /channels/{name}/presence/history`.
///
/// # Errors
/// As [`message_history`].
pub(super) fn presence_history(
    call: &Call,
    channel: Option<&HubChannel>,
    answers: Answers<'_>,
) -> Result<Reply, ErrorInfo> {
    let query = HistoryQuery::parse(call)?;
    let page = match channel {
        Some(channel) => channel.presence_log.page(&query)?,
        None => LogPage::empty(),
    };
    let links = query.paging.links("history", page.next.as_deref());
    Ok(Reply::page(Body::KeptPresence(page.items), links).with_bytes(answers.admit(page.bytes)?))
}

/// `GET /channels/{name}/presence`.
///
/// # Errors
/// As [`message_history`].
pub(super) fn members(call: &Call, channel: Option<&HubChannel>, answers: Answers<'_>) -> Result<Reply, ErrorInfo> {
    let paging = Paging::parse(call)?;
    let after = paging.cursor.as_deref().map(parse_member).transpose()?;
    let (client, connection) = (call.param("clientId"), call.param("connectionId"));
    let members = channel.into_iter().flat_map(|channel| channel.members.iter());
    let wanted = members.filter(|(member, _)| {
        after.as_ref().is_none_or(|after| *member > after)
            && client.is_none_or(|client| member.1.as_str() == client)
            && connection.is_none_or(|connection| member.0.as_str() == connection)
    });
    let (mut messages, mut bytes, mut last, mut has_more) = (Vec::new(), 0_usize, None, false);
    for (member, message) in wanted {
        if messages.len() == paging.limit || bytes >= ANSWER_BYTES {
            has_more = true;
            break;
        }
        bytes = bytes.saturating_add(presence_weight(message));
        last = Some(member);
        messages.push(Arc::clone(message));
    }
    // A connection's id has no colon in it.
    let next = last.filter(|_| has_more).map(|(connection, client)| format!("{connection}:{client}"));
    let links = paging.links("presence", next.as_deref());
    Ok(Reply::page(Body::Members(messages), links).with_bytes(answers.admit(bytes)?))
}

/// `GET /channels/{name}`.
pub(super) fn details(name: &str, channel: Option<&HubChannel>) -> Reply {
    let occupancy = channel.map(HubChannel::occupancy);
    let details = json!({
        "channelId": name,
        "status": { "isActive": occupancy.is_some(), "occupancy": { "metrics": occupancy.unwrap_or_default() } },
    });
    Reply::new(200, Body::Value(details))
}

/// `GET /channels`: the names of the app's channels, in order. Where the credentials allow few of them, a page may have fewer
/// names than were asked for, and a next page nevertheless.
///
/// # Errors
/// As [`message_history`], and 40160 where the credentials allow it nowhere.
pub(super) fn list(
    call: &Call,
    principal: &Principal,
    channels: &Channels,
    answers: Answers<'_>,
) -> Result<Reply, ErrorInfo> {
    principal.check_anywhere(Operation::ChannelMetadata)?;
    let paging = Paging::parse(call)?;
    let prefix = call.param("prefix").unwrap_or_default();
    let (after, looks) = (paging.cursor.as_deref(), (COMPARISONS / principal.capability.resources()).max(1));
    let (mut names, mut bytes, mut last, mut has_more) = (Vec::new(), 0_usize, None, false);
    for (looked, key) in channels.keys_from(&principal.app, prefix, after).enumerate() {
        if names.len() == paging.limit || looked == looks || bytes >= ANSWER_BYTES {
            has_more = true;
            break;
        }
        last = Some(key.name.as_str());
        if principal.capability.allows(&key.name, Operation::ChannelMetadata) {
            bytes = bytes.saturating_add(key.name.as_str().len());
            names.push(key.name.as_str());
        }
    }
    let next = last.filter(|_| has_more);
    let links = paging.links("channels", next);
    Ok(Reply::page(Body::Value(json!(names)), links).with_bytes(answers.admit(bytes)?))
}

fn parse_member(cursor: &str) -> Result<(ConnectionId, ClientId), ErrorInfo> {
    let (connection, client) = cursor
        .split_once(':')
        .ok_or_else(|| invalid("the cursor is not one of this relay's; start with the first page"))?;
    Ok((connection.into(), client.into()))
}
