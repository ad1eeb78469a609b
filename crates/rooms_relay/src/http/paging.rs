//! Which part of a list is asked for, and the links to its other parts (`TG4`).

use url::form_urlencoded;

use super::call::Call;
use rooms_protocol::{ChannelSerial, ErrorCode, ErrorInfo, Timestamp};

/// Items in a page unless the request says otherwise (documented by Ably).
const DEFAULT_LIMIT: usize = 100;

/// Most items in a page (documented by Ably).
const MAX_LIMIT: usize = 1_000;

/// The parameters of a list that its links repeat. Each link has its own cursor.
const CARRIED: [&str; 12] = [
    "limit",
    "start",
    "end",
    "direction",
    "fromSerial",
    "from_serial",
    "clientId",
    "connectionId",
    "format",
    "envelope",
    "prefix",
    "unit",
];

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Most items.
    pub(crate) limit: usize,
    /// Where the page before ended, in the form that the list defines.
    pub(crate) cursor: Option<String>,
    /// The query that all links of the list share.
    query: String,
}

impl Paging {
    /// Reads `limit` and `cursor`.
    ///
    /// # Errors
    /// 40003 for a limit that is not a number from 1 to 1,000.
    pub(crate) fn parse(call: &Call) -> Result<Self, ErrorInfo> {
        let limit = match call.param("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| invalid("limit must be a number from 1 to 1000"))?,
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        for name in CARRIED {
            if let Some(value) = call.param(name) {
                query.append_pair(name, value);
            }
        }
        Ok(Self { limit, cursor: call.param("cursor").map(str::to_owned), query: query.finish() })
    }

    /// The `Link` headers: the first page, this one, and the next where there is one. `list` is the path's last segment,
    /// since links are relative to it.
    pub(crate) fn links(&self, list: &str, next: Option<&str>) -> Vec<String> {
        let link = |cursor: Option<&str>, rel: &str| {
            let mut query = form_urlencoded::Serializer::new(self.query.clone());
            if let Some(cursor) = cursor {
                query.append_pair("cursor", cursor);
            }
            // With one parameter at least, since SDKs do not accept a link without a query.
            if cursor.is_none() && self.query.is_empty() {
                query.append_pair("limit", &self.limit.to_string());
            }
            format!("<./{list}?{}>; rel=\"{rel}\"", query.finish())
        };
        let mut links = vec![link(None, "first"), link(self.cursor.as_deref(), "current")];
        links.extend(next.map(|next| link(Some(next), "next")));
        links
    }
}

/// The order of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Newest first.
    Backwards,
    /// Oldest first.
    Forwards,
}

/// Which part of a history is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistoryQuery {
    /// The earliest time.
    pub(crate) start: Timestamp,
    /// The latest time.
    pub(crate) end: Timestamp,
    /// The order.
    pub(crate) direction: Direction,
    /// The newest position, where a client wants the messages from before it attached (`RTL10b`).
    pub(crate) until: Option<ChannelSerial>,
    /// Which page.
    pub(crate) paging: Paging,
}

impl HistoryQuery {
    /// Reads the parameters of a history.
    ///
    /// # Errors
    /// 40003 for a value that makes no sense.
    pub(crate) fn parse(call: &Call) -> Result<Self, ErrorInfo> {
        let time = |name: &str, default: i64| match call.param(name) {
            None => Ok(Timestamp(default)),
            Some(text) => text.parse().map(Timestamp).map_err(|_| invalid("start and end are times in milliseconds")),
        };
        let (start, end) = (time("start", 0)?, time("end", i64::MAX)?);
        if start > end {
            return Err(invalid("start must not be after end"));
        }
        let direction = match call.param("direction") {
            None | Some("backwards") => Direction::Backwards,
            Some("forwards") => Direction::Forwards,
            Some(_) => return Err(invalid("direction is forwards or backwards")),
        };
        let until = call.param("fromSerial").or(call.param("from_serial")).map(ChannelSerial::new);
        Ok(Self { start, end, direction, until, paging: Paging::parse(call)? })
    }

    /// Whether messages of that time are asked for.
    pub(crate) fn includes(&self, time: Timestamp) -> bool {
        (self.start..=self.end).contains(&time)
    }
}

pub(crate) fn invalid(message: &str) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::INVALID_PARAMETER, 400, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RestRequest;

    fn query(query: &str) -> Result<HistoryQuery, u32> {
        let request = RestRequest { target: format!("/channels/a/messages?{query}"), ..RestRequest::default() };
        let call = Call::parse(request, None).unwrap();
        HistoryQuery::parse(&call).map_err(|error| error.code.0)
    }

    #[test]
    fn without_parameters_a_history_is_the_newest_hundred_backwards() {
        let query = query("").unwrap();
        assert_eq!((query.direction, query.paging.limit), (Direction::Backwards, 100));
        assert!(query.includes(Timestamp(0)) && query.includes(Timestamp(i64::MAX)));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for text in ["limit=0", "limit=1001", "limit=x", "start=x", "end=1.5", "start=2&end=1", "direction=up"] {
            assert_eq!(query(text), Err(40003), "{text}");
        }
        assert!(query("limit=1000&start=1&end=1&direction=forwards&rnd=5").is_ok());
    }

    #[test]
    fn links_keep_the_query_and_have_no_bare_comma_in_them() {
        let links = query("limit=2&direction=forwards&cursor=a").unwrap().paging.links("messages", Some("b,@c"));
        let expected = [
            "<./messages?limit=2&direction=forwards>; rel=\"first\"",
            "<./messages?limit=2&direction=forwards&cursor=a>; rel=\"current\"",
            "<./messages?limit=2&direction=forwards&cursor=b%2C%40c>; rel=\"next\"",
        ];
        assert_eq!(links, expected);
        let links = query("").unwrap().paging.links("x", None);
        assert_eq!(links.iter().filter(|link| link.starts_with("<./x?limit=100>")).count(), 2);
    }
}
