//! What a client asks for in the address of its stream.

use std::collections::HashSet;

use smol_str::SmolStr;

use crate::{
    ConnectRequest,
    http::{Call, invalid},
    limits::Limits,
};
use rooms_protocol::{ChannelName, ClientId, ErrorCode, ErrorInfo};

use super::writer::{Followed, Form};

/// The parameters of the address that are options of all channels. An option in a channel's own name counts more.
const OPTIONS: [&str; 3] = ["rewind", "delta", "occupancy"];

/// A request for a stream, checked as far as that needs no hub.
#[derive(Debug)]
pub(super) struct EventRequest {
    /// Who asks.
    pub(super) connect: ConnectRequest,
    pub(super) form: Form,
    /// Whether events hold messages with all that belongs to them, and not their data alone.
    pub(super) is_enveloped: bool,
    /// Whether a sign of life is an event of its own.
    pub(super) has_heartbeats: bool,
    pub(super) channels: Vec<Followed>,
    /// The id of the last event that the client has.
    pub(super) last_event: Option<String>,
}

impl EventRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// 40000 without a version or a channel, 40017 for a version that does not exist, 40005 for credentials that cannot be read,
    /// 90010 for more channels than a connection may attach.
    pub(super) fn parse(call: &Call, limits: &Limits) -> Result<Self, ErrorInfo> {
        check_version(call.param("v").or(call.request.header("x-ably-version")))?;
        let credentials = call.credentials.clone()?;
        let mut connect = ConnectRequest { address: call.address, ..ConnectRequest::default() };
        match credentials {
            Some(crate::auth::Credentials::Key(key)) => connect.key = Some(key),
            Some(crate::auth::Credentials::Token(token)) => connect.access_token = Some(token),
            None => {}
        }
        connect.client_id = call.param("clientId").map(ClientId::new).or_else(|| call.client_id());
        let header = |name: &str| call.request.header(name);
        let wants_events = header("accept").is_some_and(|accept| accept.contains(Form::Events.media_type()));
        let is_sse = wants_events || call.path.first().is_some_and(|first| first == "sse");
        Ok(Self {
            connect,
            form: if is_sse { Form::Events } else { Form::Lines },
            is_enveloped: call.param("enveloped") != Some("false"),
            has_heartbeats: call.param("heartbeats") == Some("true"),
            channels: channels(call, limits.channels_per_connection)?,
            // A browser that connects again by itself repeats the address as it was.
            last_event: header("last-event-id").or(call.param("lastEvent")).map(str::to_owned),
        })
    }
}

/// The channels that the address names, each once, up to `most`.
fn channels(call: &Call, most: usize) -> Result<Vec<Followed>, ErrorInfo> {
    let separator = call.param("separator").filter(|text| !text.is_empty()).unwrap_or(",");
    let names = call.param("channels").or(call.param("channel")).unwrap_or_default();
    let (mut channels, mut known) = (Vec::new(), HashSet::new());
    for name in names.split(separator).filter(|name| !name.is_empty()) {
        if !known.insert(name) {
            continue;
        }
        // Before anything is asked of the hub: whoever sends this may be a stranger.
        if channels.len() == most {
            let why = format!("a stream may follow {most} channels; name fewer");
            return Err(ErrorInfo::new(ErrorCode::TOO_MANY_CHANNELS, 400, why));
        }
        let options = OPTIONS.iter().filter(|option| !has_option(name, option));
        let params = options.filter_map(|option| Some((SmolStr::new(option), call.param(option)?.to_owned())));
        channels.push(Followed::new(ChannelName::new(name), params.collect()));
    }
    if channels.is_empty() {
        return Err(bad_request("name at least one channel: channels=lobby, or channels=lobby,news"));
    }
    Ok(channels)
}

/// Whether a channel's name, such as `[?rewind=1]news`, has this option.
fn has_option(name: &str, option: &str) -> bool {
    let qualifier = name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(qualifier, _)| qualifier);
    let query = qualifier.and_then(|qualifier| qualifier.split_once('?')).map(|(_, query)| query);
    query.is_some_and(|query| url::form_urlencoded::parse(query.as_bytes()).any(|(known, _)| known == option))
}

fn check_version(version: Option<&str>) -> Result<(), ErrorInfo> {
    let Some(version) = version else {
        return Err(bad_request("say which version of the interface you use: v=1.2"));
    };
    let is_number = version.parse::<f32>().is_ok_and(|version| version >= 1.0 && version.is_finite());
    if !is_number {
        let why = "this version of the interface does not exist; use v=1.2";
        return Err(ErrorInfo::new(ErrorCode::UNSUPPORTED_VERSION, 400, why));
    }
    Ok(())
}

fn bad_request(message: &str) -> ErrorInfo {
    ErrorInfo { code: ErrorCode::BAD_REQUEST, ..invalid(message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RestRequest;

    fn parse_with(target: &str, headers: &[(&str, &str)]) -> Result<EventRequest, u32> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request =
            RestRequest { method: "GET".to_owned(), target: target.to_owned(), headers, ..RestRequest::default() };
        EventRequest::parse(&Call::parse(request, None).unwrap(), &Limits::default()).map_err(|error| error.code.0)
    }

    fn names(target: &str) -> Vec<String> {
        let request = parse_with(target, &[]).unwrap();
        request.channels.iter().map(|channel| channel.name.as_str().to_owned()).collect()
    }

    #[test]
    fn channels_are_named_with_commas_or_another_separator_between_them_and_each_once() {
        assert_eq!(names("/sse?v=1.2&channels=a,b%3Fc,a,"), ["a", "b?c"]);
        assert_eq!(names("/sse?v=1.2&separator=%7C&channel=one,1%7Ctwo,2"), ["one,1", "two,2"]);
        for target in ["/sse?v=1.2", "/sse?v=1.2&channels=", "/sse?v=1.2&channels=,", "/sse?channels=a"] {
            assert_eq!(parse_with(target, &[]).map(|_| ()), Err(40000), "{target}");
        }
    }

    #[test]
    fn no_more_channels_are_looked_at_than_a_connection_may_attach() {
        let most = Limits::default().channels_per_connection;
        let target = |count: usize| {
            let names: Vec<_> = (0..count).map(|number| number.to_string()).collect();
            format!("/sse?v=1.2&channels={}", names.join(","))
        };
        assert_eq!(names(&target(most)).len(), most);
        assert_eq!(names(&format!("{},0", target(most))).len(), most, "one comes twice");
        assert_eq!(parse_with(&target(most + 1), &[]).map(|_| ()), Err(90010));
    }

    #[test]
    fn a_version_is_a_number_in_the_address_or_a_header() {
        for version in ["1.1", "1.2", "2", "6"] {
            assert!(parse_with(&format!("/sse?v={version}&channels=a"), &[]).is_ok(), "{version}");
        }
        assert!(parse_with("/sse?channels=a", &[("x-ably-version", "2")]).is_ok());
        for version in ["0.8", "x", "", "inf"] {
            let parsed = parse_with(&format!("/sse?v={version}&channels=a"), &[]);
            assert_eq!(parsed.map(|_| ()), Err(40017), "{version}");
        }
    }

    #[test]
    fn an_option_of_the_address_is_for_all_channels_that_have_not_their_own() {
        let request = parse_with("/sse?v=1.2&channels=[?rewind=1]a,b&rewind=5", &[]).unwrap();
        let rewinds: Vec<_> = request.channels.iter().map(|channel| channel.params.get("rewind").cloned()).collect();
        assert_eq!(rewinds, [None, Some("5".to_owned())]);
    }

    #[test]
    fn the_form_follows_the_path_and_what_the_client_accepts() {
        let form =
            |path: &str, accept| parse_with(&format!("{path}?v=1.2&channels=a"), &[("accept", accept)]).unwrap().form;
        assert_eq!(form("/sse", "*/*"), Form::Events);
        assert_eq!(form("/event-stream", "text/event-stream"), Form::Events);
        assert_eq!(form("/event-stream", "*/*"), Form::Lines);
    }

    #[test]
    fn what_a_browser_remembers_counts_more_than_the_address() {
        let last = |headers| parse_with("/sse?v=1.2&channels=a&lastEvent=old", headers).unwrap().last_event;
        assert_eq!(last(&[("last-event-id", "new")]).as_deref(), Some("new"));
        assert_eq!(last(&[]).as_deref(), Some("old"));
    }

    #[test]
    fn credentials_come_as_for_any_other_request() {
        let request = parse_with("/sse?v=1.2&channels=a&accessToken=t&clientId=ada", &[]).unwrap();
        assert_eq!(request.connect.access_token.as_deref(), Some("t"));
        assert_eq!(request.connect.client_id, Some("ada".into()));
        let request = parse_with("/sse?v=1.2&channels=a", &[("authorization", "Basic YS5iOmM=")]).unwrap();
        assert_eq!(request.connect.key.as_deref(), Some("a.b:c"));
        let unreadable = parse_with("/sse?v=1.2&channels=a", &[("authorization", "Digest x")]);
        assert_eq!(unreadable.map(|_| ()), Err(40005));
    }
}
