//! History, and the other requests over HTTP (`RTL10`, `RSL1`, `RSL2`, `RTC6`).

use rooms_client::{
    ChannelState, ClientOptions, Command, Credentials, Event, HistoryDirection, HistoryOf, HistoryPage, HistoryQuery,
    NextPage, OperationId,
};
use rooms_protocol::{ErrorCode, ErrorInfo, Flags, Message, Timestamp};
use serde_json::json;

use crate::support::*;

fn ask(bench: &mut Bench, channel: &str, query: HistoryQuery) {
    let (operation, channel, of) = (OperationId(1), channel.into(), HistoryOf::Messages);
    bench.command(Command::History { operation, channel, of, query });
}

fn outcome(bench: &mut Bench) -> Result<HistoryPage, ErrorInfo> {
    match bench.take_events().pop() {
        Some(Event::History { operation: OperationId(1), outcome }) => outcome,
        other => panic!("no history but {other:?}"),
    }
}

fn until_attach() -> HistoryQuery {
    HistoryQuery { until_attach: true, ..HistoryQuery::default() }
}

/// Case: RTL10a/supports-rest-params-0
#[test]
fn rtl10a_a_history_is_asked_for_by_time_direction_and_limit() {
    let mut bench = Bench::connected();
    let (start, end) = (Some(Timestamp(1000)), Some(Timestamp(2000)));
    let query =
        HistoryQuery { start, end, direction: HistoryDirection::Forwards, limit: Some(50), until_attach: false };
    ask(&mut bench, "c", query);
    let request = bench.answer_http(200, "", json!([]));
    let expected = "http://127.0.0.1:8787/channels/c/messages?start=1000&end=2000&direction=forwards&limit=50";
    assert_eq!((request.url.as_str(), &request.body), (expected, &None));
    assert!(request.headers.contains(&("Authorization", "Basic YXBwLmlkOnNlY3JldA==".to_owned())));
    assert_eq!(outcome(&mut bench).unwrap().messages, []);
}

/// Items RTL10c, RSL2a and TG4.
#[test]
fn rtl10c_a_history_comes_a_page_at_a_time() {
    let mut bench = Bench::connected();
    ask(&mut bench, "c", HistoryQuery::default());
    let link = r#"<./messages?limit=2>; rel="first", <https://evil.example/messages?limit=2&from=b>; rel="next""#;
    let messages = json!([{ "name": "m", "data": "{\"a\":1}", "encoding": "json" }, { "id": "x:0", "serial": "s" }]);
    bench.answer_http(200, link, messages);
    let page = outcome(&mut bench).unwrap();
    assert_eq!(page.messages[0].data, Some(json!({ "a": 1 }).into()));
    assert_eq!((page.messages.len(), page.messages[1].id.as_deref()), (2, Some("x:0")));
    let next: NextPage = page.next.unwrap();
    bench.command(Command::NextPage { operation: OperationId(1), page: next });
    let request = bench.answer_http(200, r#"<./messages?limit=2>; rel="first""#, json!([{ "name": "last" }]));
    assert_eq!(request.url, "http://127.0.0.1:8787/channels/c/messages?limit=2&from=b", "at the place that is ours");
    let page = outcome(&mut bench).unwrap();
    assert_eq!((page.messages.len(), page.next), (1, None));
}

/// Item RSL2.
#[test]
fn rsl2_the_channels_name_is_escaped() {
    let mut bench = Bench::connected();
    ask(&mut bench, "a/b:c d%é", HistoryQuery::default());
    let request = bench.answer_http(200, "", json!([]));
    assert_eq!(request.url, "http://127.0.0.1:8787/channels/a%2Fb%3Ac%20d%25%C3%A9/messages");
    bench.forget();
    for name in ["..", ".", ""] {
        ask(&mut bench, name, HistoryQuery::default());
        assert_eq!(outcome(&mut bench).unwrap_err().code, ErrorCode::INVALID_CHANNEL_NAME, "{name:?}");
    }
}

/// Case: RTL10b/adds-from-serial-0
#[test]
fn rtl10b_until_attach_bounds_the_history_by_where_the_stream_was_attached() {
    let mut bench = Bench::connected();
    bench.attach("c");
    bench.receive(attached("c", "serial-abc:0", Flags::empty()));
    bench.receive(json!({ "action": 15, "channel": "c", "channelSerial": "later", "messages": [{}] }));
    ask(&mut bench, "c", until_attach());
    let request = bench.answer_http(200, "", json!([]));
    assert_eq!(param(&request.url, "fromSerial").as_deref(), Some("serial-abc:0"));
}

/// Case: RTL10b/errors-when-not-attached-1
#[test]
fn rtl10b_until_attach_is_refused_where_the_channel_is_not_attached() {
    let mut bench = Bench::attached();
    bench.detach("c");
    bench.receive(detached("c", json!(null)));
    assert_eq!(bench.channel("c"), ChannelState::Detached);
    for channel in ["c", "never"] {
        bench.forget();
        ask(&mut bench, channel, until_attach());
        assert_eq!(outcome(&mut bench).unwrap_err().code, ErrorCode::INVALID_CHANNEL_STATE);
    }
    assert!(bench.http.is_empty());
}

/// Items RSC10 and RTL10.
#[test]
fn rtl10_what_the_server_says_no_with_is_told() {
    let mut bench = Bench::connected();
    ask(&mut bench, "c", HistoryQuery::default());
    bench.answer_http(401, "", json!({ "error": error(40160, 401, "no capability") }));
    assert_eq!(outcome(&mut bench).unwrap_err(), ErrorInfo::new(ErrorCode::NOT_PERMITTED, 401, "no capability"));
    for (status, body) in [(502, json!("bad gateway")), (200, json!({ "not": "a list" })), (200, json!(7))] {
        ask(&mut bench, "c", HistoryQuery::default());
        bench.answer_http(status, "", body);
        assert_eq!(outcome(&mut bench).unwrap_err().code, ErrorCode::INTERNAL);
    }
}

/// Requests are bounded like everything else that waits, also those that wait for a token.
#[test]
fn rtl10_requests_are_bounded_and_show_the_token() {
    for options in [options(), with_callback()] {
        let mut bench = Bench::with(options);
        for _ in 0..1009 {
            bench.forget();
            ask(&mut bench, "c", HistoryQuery::default());
        }
        assert_eq!(outcome(&mut bench).unwrap_err().code, ErrorCode::CONNECTION_RATE_EXCEEDED);
        if bench.http.is_empty() {
            bench.give_token("token-1");
        }
        assert_eq!(bench.http.len(), 8, "under way at once");
        let mut answered = 0;
        while !bench.http.is_empty() {
            bench.answer_http(200, "", json!([]));
            answered += 1;
        }
        assert_eq!(answered, 1008, "and the others after them");
    }
    let credentials = Credentials::Token("tok".to_owned());
    let mut bench = Bench::with(ClientOptions { credentials, ..options() });
    ask(&mut bench, "c", HistoryQuery::default());
    let request = bench.answer_http(200, "", json!([]));
    assert!(request.headers.contains(&("Authorization", "Bearer dG9r".to_owned())));
}

/// Items RTC6 and RSC16.
/// Case: RTC6/time-proxies-rest-0
#[test]
fn rtc6_the_servers_time_is_asked_for() {
    let mut bench = Bench::connected();
    bench.command(Command::Time { operation: OperationId(5) });
    let request = bench.answer_http(200, "", json!([1_700_000_000_123_i64]));
    assert_eq!(request.url, "http://127.0.0.1:8787/time");
    let outcome = Ok(Timestamp(1_700_000_000_123));
    assert_eq!(bench.take_events(), [Event::Time { operation: OperationId(5), outcome }]);
}

fn publish_by_http(bench: &mut Bench, messages: Vec<Message>) {
    bench.command(Command::PublishByHttp { operation: OperationId(6), channel: "c".into(), messages });
}

/// Items RSL1 and RSL1k1.
#[test]
fn rsl1_messages_are_published_over_http_with_ids_that_make_them_count_once() {
    let mut bench = Bench::new();
    publish_by_http(&mut bench, vec![Message::new("a", json!({ "x": 1 })), Message::new("b", vec![1, 2])]);
    let serials = json!({ "serials": ["one", null] });
    let request = bench.answer_http(201, "", serials);
    assert_eq!(request.url, "http://127.0.0.1:8787/channels/c/messages");
    let messages: Vec<Message> = serde_json::from_str(&request.body.unwrap()).unwrap();
    let ids: Vec<_> = messages.iter().map(|message| message.id.as_deref().unwrap().rsplit_once(':').unwrap()).collect();
    assert_eq!((ids[0].0, ids[0].1, ids[1].1), (ids[1].0, "0", "1"));
    assert_eq!(ids[0].0.len(), 12, "nine random bytes in base64");
    assert_eq!((messages[0].encoding.as_deref(), messages[1].encoding.as_deref()), (Some("json"), Some("base64")));
    let outcome = Ok(vec![Some("one".into()), None]);
    assert_eq!(bench.take_events(), [Event::Published { operation: OperationId(6), outcome }]);
}

/// Items RSL1i and RSL1m4.
#[test]
fn rsl1i_what_the_server_would_refuse_is_not_sent_over_http_either() {
    let mut bench = Bench::new();
    publish_by_http(&mut bench, vec![Message::new("m", "x".repeat(65_536))]);
    assert_eq!(bench.outcomes().1, [(6, ErrorCode::MESSAGE_TOO_LARGE)]);
    publish_by_http(&mut bench, vec![Message { client_id: Some("bob".into()), ..Message::new("m", "x") }]);
    assert_eq!(bench.outcomes().1, [(6, ErrorCode::INVALID_CLIENT_ID)]);
    assert!(bench.http.is_empty());
}
