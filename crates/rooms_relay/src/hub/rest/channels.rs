//! Reading channels over HTTP: histories, members, and what there is.

use serde_json::json;
use web_time::Instant;

use crate::{
    Operation,
    http::{Body, Call, HistoryQuery, Paging, Reply, invalid},
    hub::{
        channel::{
            history::{self, Page},
            key::ChannelKey,
        },
        rest::Hub,
    },
};
use rooms_protocol::{ClientId, ConnectionId, ErrorInfo, PresenceMessage};

impl Hub {
    /// `GET /channels/{name}/messages`.
    pub(super) fn message_history(&mut self, call: &Call<'_>, name: &str, now: Instant) -> Result<Reply, ErrorInfo> {
        let (_, key) = self.channel_of(call, name, Operation::History, now)?;
        let query = HistoryQuery::parse(call)?;
        let page = match self.channels.get(&key) {
            Some(channel) => history::messages(&channel.log, &query, &self.node)?,
            None => Page { items: Vec::new(), next: None },
        };
        Ok(Reply::page(Body::Messages(page.items), query.paging.links("messages", page.next.as_deref())))
    }

    /// `GET /channels/{name}/presence/history`.
    pub(super) fn presence_history(&mut self, call: &Call<'_>, name: &str, now: Instant) -> Result<Reply, ErrorInfo> {
        let (_, key) = self.channel_of(call, name, Operation::History, now)?;
        let query = HistoryQuery::parse(call)?;
        let page = match self.channels.get(&key) {
            Some(channel) => channel.presence_log.page(&query)?,
            None => Page { items: Vec::new(), next: None },
        };
        Ok(Reply::page(Body::Presence(page.items), query.paging.links("history", page.next.as_deref())))
    }

    /// `GET /channels/{name}/presence`.
    pub(super) fn list_members(&mut self, call: &Call<'_>, name: &str, now: Instant) -> Result<Reply, ErrorInfo> {
        let (_, key) = self.channel_of(call, name, Operation::Subscribe, now)?;
        let paging = Paging::parse(call)?;
        let after = paging.cursor.as_deref().map(parse_member).transpose()?;
        let (client, connection) = (call.param("clientId"), call.param("connectionId"));
        let members = self.channels.get(&key).into_iter().flat_map(|channel| channel.members.iter());
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
        let words: Vec<PresenceMessage> = chosen.into_iter().map(|(_, word)| word.clone()).collect();
        Ok(Reply::page(Body::Presence(words), paging.links("presence", next.as_deref())))
    }

    /// `GET /channels/{name}`.
    pub(super) fn channel_details(&mut self, call: &Call<'_>, name: &str, now: Instant) -> Result<Reply, ErrorInfo> {
        let (_, key) = self.channel_of(call, name, Operation::ChannelMetadata, now)?;
        let occupancy = self.channels.get(&key).map(|channel| channel.occupancy());
        let details = json!({
            "channelId": name,
            "status": { "isActive": occupancy.is_some(), "occupancy": { "metrics": occupancy.unwrap_or_default() } },
        });
        Ok(Reply::new(200, Body::Value(details)))
    }

    /// `GET /channels`: the names of the app's channels.
    pub(super) fn list_channels(&mut self, call: &Call<'_>, now: Instant) -> Result<Reply, ErrorInfo> {
        let principal = self.principal(call, now)?;
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
        let mut names: Vec<&str> = self.channels.keys().filter(wanted).map(|key| key.name.as_str()).collect();
        names.sort_unstable();
        let has_more = names.len() > paging.limit;
        names.truncate(paging.limit);
        let next = names.last().filter(|_| has_more).copied();
        Ok(Reply::page(Body::Value(json!(names)), paging.links("channels", next)))
    }
}

fn parse_member(cursor: &str) -> Result<(ConnectionId, ClientId), ErrorInfo> {
    let (connection, client) = cursor
        .split_once(':')
        .ok_or_else(|| invalid("the cursor is not one of this relay's; start with the first page"))?;
    Ok((connection.into(), client.into()))
}
