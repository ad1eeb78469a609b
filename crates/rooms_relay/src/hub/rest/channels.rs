//! Reading channels over HTTP: histories, members, and which channels there are.

use serde_json::json;

use crate::{
    auth::{Operation, Principal},
    http::{Body, Call, HistoryQuery, Paging, Reply, invalid},
    hub::channel::{
        Channels,
        history::{self, LogPage},
        key::ChannelKey,
        state::HubChannel,
    },
};
use rooms_protocol::{ClientId, ConnectionId, ErrorInfo, PresenceMessage};

/// `GET /channels/{name}/messages`. `node` is the relay's own id.
pub(super) fn message_history(call: &Call<'_>, channel: Option<&HubChannel>, node: &str) -> Result<Reply, ErrorInfo> {
    let query = HistoryQuery::parse(call)?;
    let page = match channel {
        Some(channel) => history::messages(&channel.log, &query, node)?,
        None => LogPage::empty(),
    };
    Ok(Reply::page(Body::Messages(page.items), query.paging.links("messages", page.next.as_deref())))
}

/// `GET /channels/{name}/presence/history`.
pub(super) fn presence_history(call: &Call<'_>, channel: Option<&HubChannel>) -> Result<Reply, ErrorInfo> {
    let query = HistoryQuery::parse(call)?;
    let page = match channel {
        Some(channel) => channel.presence_log.page(&query)?,
        None => LogPage::empty(),
    };
    Ok(Reply::page(Body::Presence(page.items), query.paging.links("history", page.next.as_deref())))
}

/// `GET /channels/{name}/presence`.
pub(super) fn members(call: &Call<'_>, channel: Option<&HubChannel>) -> Result<Reply, ErrorInfo> {
    let paging = Paging::parse(call)?;
    let after = paging.cursor.as_deref().map(parse_member).transpose()?;
    let (client, connection) = (call.param("clientId"), call.param("connectionId"));
    let members = channel.into_iter().flat_map(|channel| channel.members.iter());
    let mut wanted = members.filter(|(member, _)| {
        after.as_ref().is_none_or(|after| *member > after)
            && client.is_none_or(|client| member.1.as_str() == client)
            && connection.is_none_or(|connection| member.0.as_str() == connection)
    });
    let chosen: Vec<_> = wanted.by_ref().take(paging.limit).collect();
    let next = chosen.last().filter(|_| wanted.next().is_some()).map(|((connection, client), _)| {
        // A connection's id has no colon in it.
        format!("{connection}:{client}")
    });
    let messages: Vec<PresenceMessage> = chosen.into_iter().map(|(_, message)| message.clone()).collect();
    Ok(Reply::page(Body::Presence(messages), paging.links("presence", next.as_deref())))
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

/// `GET /channels`: the names of the app's channels.
pub(super) fn list(call: &Call<'_>, principal: &Principal, channels: &Channels) -> Result<Reply, ErrorInfo> {
    principal.check_anywhere(Operation::ChannelMetadata)?;
    let paging = Paging::parse(call)?;
    let prefix = call.param("prefix").unwrap_or_default();
    let wanted = |key: &&ChannelKey| {
        let name = key.name.as_str();
        key.app == principal.app
            && name.starts_with(prefix)
            && paging.cursor.as_deref().is_none_or(|after| name > after)
            && principal.check(&key.name, Operation::ChannelMetadata).is_ok()
    };
    let mut names: Vec<&str> = channels.keys().filter(wanted).map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    let has_more = names.len() > paging.limit;
    names.truncate(paging.limit);
    let next = names.last().filter(|_| has_more).copied();
    Ok(Reply::page(Body::Value(json!(names)), paging.links("channels", next)))
}

fn parse_member(cursor: &str) -> Result<(ConnectionId, ClientId), ErrorInfo> {
    let (connection, client) = cursor
        .split_once(':')
        .ok_or_else(|| invalid("the cursor is not one of this relay's; start with the first page"))?;
    Ok((connection.into(), client.into()))
}
