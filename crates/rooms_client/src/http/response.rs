//! How an answer over HTTP is read.

use serde::{Deserialize, de::DeserializeOwned};

use crate::output::HttpResponse;
use rooms_protocol::{ErrorCode, ErrorInfo, MessageSerial, Timestamp};

#[derive(Deserialize)]
struct RefusalBody {
    error: ErrorInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Published {
    serials: Vec<Option<MessageSerial>>,
}

/// Reads the body of an answer that says yes.
///
/// # Errors
/// Where the body is unreadable.
pub(super) fn json<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, ErrorInfo> {
    serde_json::from_slice(&response.body).map_err(|error| {
        ErrorInfo::new(ErrorCode::INTERNAL, 500, format!("the server's answer is unreadable: {error}"))
    })
}

/// Why the server refused, if it did.
pub(super) fn refusal(response: &HttpResponse) -> Option<ErrorInfo> {
    if (200..300).contains(&response.status) {
        return None;
    }
    let told = serde_json::from_slice::<RefusalBody>(&response.body).ok();
    Some(told.map_or_else(
        || {
            let text = format!("the server answered with status {}", response.status);
            ErrorInfo::new(ErrorCode::INTERNAL, response.status, text)
        },
        |refusal| refusal.error,
    ))
}

/// The query of the link to the next page.
pub(super) fn next_query(response: &HttpResponse) -> Option<String> {
    let mut links = response.link.split('<').skip(1).filter_map(|link| link.split_once('>'));
    let (target, _) = links.find(|(_, rest)| rest.contains(r#"rel="next""#))?;
    target.split_once('?').map(|(_, query)| query.to_owned())
}

/// Reads the server's time.
///
/// # Errors
/// As the answer, and where it is unreadable.
pub(crate) fn read_time(answer: Result<HttpResponse, ErrorInfo>) -> Result<Timestamp, ErrorInfo> {
    answer.and_then(|response| json::<[Timestamp; 1]>(&response)).map(|[time]| time)
}

/// Reads the serials of published messages.
///
/// # Errors
/// As the answer, and where it is unreadable.
pub(crate) fn read_published(answer: Result<HttpResponse, ErrorInfo>) -> Result<Vec<Option<MessageSerial>>, ErrorInfo> {
    answer.and_then(|response| json::<Published>(&response)).map(|published| published.serials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, link: &str, body: &str) -> HttpResponse {
        HttpResponse { status, link: link.to_owned(), body: body.into(), ..HttpResponse::default() }
    }

    #[test]
    fn a_refusal_is_what_the_server_told_or_else_its_status() {
        assert_eq!(refusal(&response(201, "", "")), None);
        let told = r#"{"error":{"code":40140,"statusCode":401,"message":"no"}}"#;
        assert_eq!(refusal(&response(401, "", told)).unwrap().code, ErrorCode(40140));
        let bare = refusal(&response(404, "", "<p>no</p>")).unwrap();
        assert_eq!((bare.code, bare.status_code), (ErrorCode::INTERNAL, 404));
    }

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let link = r#"<./messages?first=1>; rel="first", <./messages?cursor=9>; rel="next""#;
        assert_eq!(next_query(&response(200, link, "")).as_deref(), Some("cursor=9"));
        assert_eq!(next_query(&response(200, r#"<./messages?first=1>; rel="first""#, "")), None);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_an_error() {
        assert_eq!(read_time(Ok(response(200, "", "[5]"))), Ok(Timestamp(5)));
        assert_eq!(read_time(Ok(response(200, "", "5"))).unwrap_err().code, ErrorCode::INTERNAL);
        assert_eq!(read_published(Ok(response(201, "", r#"{"serials":["a",null]}"#))).unwrap().len(), 2);
    }
}
