//! Requests over HTTP: which hosts they go to (`RSC15`), whose tokens they show (`RSC10`, `RSA4`), and what they say about the
//! client (`RSC7`, `RSA7e2`).

use rooms_client::{
    AppSide, ClientOptions, Command, ConnectionState, Credentials, Endpoint, Event, HistoryOf, HistoryQuery,
    HttpRequest, HttpResponse, OperationId, TokenRequest,
};
use rooms_protocol::{ErrorCode, ErrorInfo, Timestamp};
use serde_json::json;

use crate::support::*;

const FIRST: &str = "main.realtime.ably.net";

fn in_the_cloud() -> ClientOptions {
    ClientOptions { endpoint: Endpoint::Cloud, ..options() }
}

fn ask_time(bench: &mut Bench) {
    bench.command(Command::Time { operation: OperationId(1) });
}

fn ask_history(bench: &mut Bench) {
    let query = HistoryQuery::default();
    let operation = OperationId(2);
    bench.command(Command::History { operation, channel: "c".into(), of: HistoryOf::Messages, query });
}

fn answer_time(bench: &mut Bench) -> String {
    host(&bench.answer_http(200, "", json!([5])).url)
}

/// What became of the request for the time.
fn time(bench: &mut Bench) -> Option<Result<i64, ErrorCode>> {
    bench.take_events().into_iter().find_map(|event| match event {
        Event::Time { outcome, .. } => Some(outcome.map(|time| time.0).map_err(|error| error.code)),
        _ => None,
    })
}

/// What became of the request for a history: how many messages it holds.
fn history(bench: &mut Bench) -> Option<Result<usize, ErrorInfo>> {
    bench.take_events().into_iter().find_map(|event| match event {
        Event::History { outcome, .. } => Some(outcome.map(|page| page.messages.len())),
        _ => None,
    })
}

fn header<'a>(http: &'a HttpRequest, wanted: &str) -> Option<&'a str> {
    http.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
}

fn authorization(http: &HttpRequest) -> Option<&str> {
    header(http, "Authorization")
}

fn ask_presence_history(bench: &mut Bench) {
    let query = HistoryQuery::default();
    let operation = OperationId(4);
    bench.command(Command::History { operation, channel: "c".into(), of: HistoryOf::Presence, query });
}

/// One request over HTTP of each kind that goes to the server.
fn one_of_each_kind(options: ClientOptions) -> Vec<HttpRequest> {
    let mut bench = Bench::with(options.clone());
    ask_time(&mut bench);
    ask_history(&mut bench);
    ask_presence_history(&mut bench);
    let messages = vec![rooms_protocol::Message::new("m", "x")];
    bench.command(Command::PublishByHttp { operation: OperationId(3), channel: "c".into(), messages });
    let link = r#"<./messages?cursor=9>; rel="next""#;
    let mut requests = vec![bench.answer_http(200, "", json!([5])), bench.answer_http(200, link, json!([]))];
    let next = bench.take_events().into_iter().find_map(|event| match event {
        Event::History { outcome, .. } => outcome.unwrap().next,
        _ => None,
    });
    bench.command(Command::NextPage { operation: OperationId(5), page: next.unwrap() });
    requests.extend(bench.http.drain(..).map(|(_, http)| http));
    let mut signing = Bench::connecting(ClientOptions { use_token_auth: true, query_time: true, ..options });
    requests.push(signing.answer_http(200, "", json!([5])));
    let request = TokenRequest::sign(KEY, &signing.tokens_wanted[0].1, Timestamp(5), "0123456789abcdef").unwrap();
    signing.answer_token(Ok(request.into()));
    requests.push(signing.exchanges.remove(0).1);
    let paths = |http: &HttpRequest| http.url.rsplit('/').next().unwrap_or_default().to_owned();
    let kinds: Vec<String> = requests.iter().map(paths).collect();
    let expected = ["time", "messages", "history", "messages", "messages?cursor=9", "time", "requestToken"];
    assert_eq!(kinds, expected);
    requests
}

#[test]
fn rsc7e_each_request_names_the_version_of_the_protocol() {
    for http in one_of_each_kind(options()) {
        assert_eq!(header(&http, "X-Ably-Version"), Some("6"), "{http:?}");
    }
}

#[test]
fn rsc7d2_each_request_says_what_the_client_is_and_on_which_side_it_runs() {
    for (side, flag) in [(AppSide::Device, "ably-pubsub-device"), (AppSide::Server, "ably-pubsub-server")] {
        let options = ClientOptions { side, ..options() };
        let socket = Bench::connecting(options.clone()).param("agent").unwrap();
        for http in one_of_each_kind(options) {
            assert_eq!(header(&http, "Ably-Agent"), Some(socket.as_str()), "{http:?}");
        }
        let parts: Vec<&str> = socket.split(' ').collect();
        assert!(parts.len() == 3 && parts[0].starts_with("bevy_rooms/") && parts[2] == flag, "{socket}");
    }
}

#[test]
fn rsc8c_each_request_names_the_format() {
    for http in one_of_each_kind(options()) {
        assert_eq!(header(&http, "Accept"), Some("application/json"));
        let expected = http.body.is_some().then_some("application/json");
        assert_eq!(header(&http, "Content-Type"), expected, "{http:?}");
    }
}

#[test]
fn rsa7e2_a_request_says_whose_it_is() {
    let mut bench = Bench::with(options());
    ask_history(&mut bench);
    assert_eq!(header(&bench.http[0].1, "X-Ably-ClientId"), Some("YWRh"));
    let mut bench = Bench::with(anonymous());
    ask_history(&mut bench);
    assert_eq!(header(&bench.http[0].1, "X-Ably-ClientId"), None);
}

#[test]
fn rsc16_the_time_is_asked_without_the_credentials_that_there_are() {
    let mut bench = Bench::with(options());
    ask_time(&mut bench);
    assert_eq!(authorization(&bench.http[0].1), None);
    let refused = json!({ "error": error(40142, 401, "it ran out") });
    bench.answer_http(401, "", refused);
    assert_eq!(time(&mut bench), Some(Err(ErrorCode(40142))));
}

/// The form of protocol version 5 and later: a serial, an action, a version and annotations of each message.
#[test]
fn csv2_a_history_is_read_in_the_form_of_the_version_that_the_client_names() {
    let mut bench = Bench::with(options());
    ask_history(&mut bench);
    let version = json!({ "serial": "01@a:1", "timestamp": 9, "clientId": "ada", "metadata": {} });
    let page = json!([{
        "id": "x:0", "timestamp": 5, "serial": "01@a:0", "action": 1, "name": "m", "data": "x", "version": version,
        "annotations": { "summary": {} },
    }]);
    bench.answer_http(200, "", page);
    let events = bench.take_events();
    let [Event::History { outcome: Ok(page), .. }] = &events[..] else { panic!("{events:?}") };
    let message = &page.messages[0];
    assert_eq!(message.serial, Some("01@a:0".into()));
    assert_eq!(message.action, Some(rooms_protocol::MessageAction::Update));
    assert_eq!(message.version.as_ref().and_then(|version| version.serial.clone()), Some("01@a:1".into()));
}

#[test]
fn rsc15a_a_request_goes_to_the_first_host_and_then_to_three_others_at_most() {
    let mut bench = Bench::with(in_the_cloud());
    ask_time(&mut bench);
    let mut hosts = vec![];
    while !bench.http.is_empty() {
        hosts.push(bench.lose_http());
    }
    assert_eq!((hosts.len(), hosts[0].as_str()), (4, FIRST));
    assert!(hosts[1..].iter().all(|host| host.contains(".fallback.")), "{hosts:?}");
    hosts.sort();
    hosts.dedup();
    assert_eq!(hosts.len(), 4, "no host is asked twice");
    assert_eq!(time(&mut bench), Some(Err(ErrorCode::DISCONNECTED)));
}

#[test]
fn rsc15a_the_order_of_the_others_is_random() {
    let second = |seed: u64| {
        let mut bench = Bench::with(in_the_cloud());
        bench.client = rooms_client::Client::new(in_the_cloud(), seed);
        ask_time(&mut bench);
        bench.lose_http();
        bench.lose_http()
    };
    let seconds: std::collections::BTreeSet<String> = (0..50).map(second).collect();
    assert_eq!(seconds.len(), 5);
}

#[test]
fn rsc15l_a_server_in_trouble_is_passed_over_and_one_that_refuses_is_not() {
    for status in [500, 502, 503, 504] {
        let mut bench = Bench::with(in_the_cloud());
        ask_time(&mut bench);
        bench.answer_http(status, "", json!({}));
        assert_ne!(answer_time(&mut bench), FIRST);
        assert_eq!(time(&mut bench), Some(Ok(5)), "{status}");
    }
    for status in [400, 401, 404, 429, 501 + 10] {
        let mut bench = Bench::with(in_the_cloud());
        ask_time(&mut bench);
        bench.answer_http(status, "", json!({}));
        assert!(bench.http.is_empty() && matches!(time(&mut bench), Some(Err(_))), "{status}");
    }
}

#[test]
fn rsc15l4_an_error_of_cloudfront_is_passed_over() {
    let mut bench = Bench::with(in_the_cloud());
    ask_time(&mut bench);
    let (request, _) = bench.http.remove(0);
    let response = HttpResponse { status: 403, server: "CloudFront".to_owned(), ..HttpResponse::default() };
    bench.client.handle_http(request, Ok(response), bench.now);
    bench.drain();
    assert_ne!(answer_time(&mut bench), FIRST);
}

#[test]
fn rsc15m_without_other_hosts_the_first_failure_counts() {
    let mut bench = Bench::with(ClientOptions { fallback_hosts: Some(vec![]), ..in_the_cloud() });
    ask_time(&mut bench);
    bench.lose_http();
    assert!(bench.http.is_empty());
    assert_eq!(time(&mut bench), Some(Err(ErrorCode::DISCONNECTED)));
}

#[test]
fn rsc15f_a_host_that_helped_is_asked_first_for_ten_minutes() {
    let mut bench = Bench::with(in_the_cloud());
    ask_time(&mut bench);
    bench.lose_http();
    let helper = answer_time(&mut bench);
    bench.pass(599 * SECOND);
    ask_time(&mut bench);
    assert_eq!(answer_time(&mut bench), helper);
    bench.pass(SECOND);
    ask_time(&mut bench);
    assert_eq!(answer_time(&mut bench), FIRST, "its answer meanwhile does not prolong the time");
}

#[test]
fn rsc15f_a_host_that_helped_is_forgotten_when_it_fails() {
    let mut bench = Bench::with(in_the_cloud());
    ask_time(&mut bench);
    bench.lose_http();
    let helper = answer_time(&mut bench);
    ask_time(&mut bench);
    assert_eq!(bench.lose_http(), helper);
    assert_eq!(answer_time(&mut bench), FIRST, "all begins anew");
    ask_time(&mut bench);
    assert_eq!(answer_time(&mut bench), FIRST);
}

#[test]
fn to3l6_after_fifteen_seconds_no_further_host_is_asked() {
    let mut bench = Bench::with(in_the_cloud());
    ask_time(&mut bench);
    bench.pass(10 * SECOND);
    bench.lose_http();
    bench.pass(5 * SECOND);
    bench.lose_http();
    assert!(bench.http.is_empty());
    assert_eq!(time(&mut bench), Some(Err(ErrorCode::DISCONNECTED)));
}

#[test]
fn rtn17e_while_connected_to_a_fallback_host_requests_begin_there() {
    let mut bench = Bench::connecting(in_the_cloud());
    bench.cut();
    bench.answer_check(true);
    let of_connection = bench.hosts().pop().unwrap();
    bench.accept("conn-1");
    ask_time(&mut bench);
    assert_eq!(bench.lose_http(), of_connection);
    assert_eq!(bench.lose_http(), FIRST);
    let helper = answer_time(&mut bench);
    assert!(helper != of_connection && helper != FIRST, "{helper}");
    bench.command(Command::Close);
    bench.receive(json!({ "action": 8 }));
    ask_time(&mut bench);
    assert_eq!(answer_time(&mut bench), helper, "without a connection, the one that helped");
}

#[test]
fn rsl1k_a_publish_that_is_sent_again_has_the_same_ids() {
    let mut bench = Bench::with(in_the_cloud());
    let messages = vec![rooms_protocol::Message::new("m", "x")];
    bench.command(Command::PublishByHttp { operation: OperationId(3), channel: "c".into(), messages });
    let first = bench.http[0].1.body.clone();
    bench.lose_http();
    assert_eq!(bench.http[0].1.body, first);
    assert!(first.unwrap().contains("\"id\""));
    bench.answer_http(201, "", json!({ "serials": ["s"] }));
    assert_eq!(bench.outcomes(), (vec![3], vec![]));
}

#[test]
fn rsc10_a_request_waits_for_a_token_and_needs_no_connection() {
    let mut bench = Bench::with(with_callback());
    ask_history(&mut bench);
    assert!(bench.http.is_empty());
    bench.give_token("token-1");
    let http = bench.answer_http(200, "", json!([{}]));
    assert_eq!(authorization(&http), Some("Bearer dG9rZW4tMQ=="));
    assert_eq!(history(&mut bench), Some(Ok(1)));
    assert!(bench.urls.is_empty(), "nothing was connected");
}

#[test]
fn rsa4b_a_token_that_is_refused_is_renewed_once() {
    let refusal = || json!({ "error": error(40142, 401, "it ran out") });
    let mut bench = Bench::with(with_callback());
    ask_history(&mut bench);
    bench.give_token("token-1");
    bench.answer_http(401, "", refusal());
    bench.give_token("token-2");
    let http = bench.answer_http(401, "", refusal());
    assert_eq!(authorization(&http), Some("Bearer dG9rZW4tMg=="));
    assert_eq!(history(&mut bench).unwrap().unwrap_err().code.0, 40142);
    assert!(bench.tokens_wanted.is_empty() && bench.http.is_empty());
}

#[test]
fn rsa4a2_a_refused_token_that_cannot_be_renewed_is_told() {
    let mut bench = Bench::with(with_token("token-1"));
    ask_history(&mut bench);
    bench.answer_http(401, "", json!({ "error": error(40142, 401, "it ran out") }));
    let error = history(&mut bench).unwrap().unwrap_err();
    assert_eq!((error.code, error.status_code), (ErrorCode::NO_RENEWAL, 401));
    assert_eq!(error.cause.unwrap().code.0, 40142);
}

/// Case: RSA4e/rest-callback-error-40170-0
#[test]
fn rsa4e_a_callback_that_never_answers_fails_the_request() {
    let mut bench = Bench::with(with_callback());
    ask_history(&mut bench);
    bench.pass(10 * SECOND);
    let error = history(&mut bench).unwrap().unwrap_err();
    assert_eq!((error.code.0, error.status_code), (40170, 401));
    assert!(!error.message.is_empty());
}

#[test]
fn rsa4e_an_error_that_the_callback_names_is_kept_and_concerns_the_request_alone() {
    let mut bench = Bench::with(with_callback());
    ask_history(&mut bench);
    bench.refuse_token(40300, 403);
    assert_eq!(history(&mut bench).unwrap().unwrap_err().code.0, 40300);
    assert_eq!(bench.history, [], "nobody asked for a connection, so none fails");
}

#[test]
fn rsc16_the_time_is_told_without_a_token() {
    let mut bench = Bench::with(with_callback());
    ask_time(&mut bench);
    let http = bench.answer_http(200, "", json!([5]));
    assert_eq!(authorization(&http), None);
    assert_eq!(time(&mut bench), Some(Ok(5)));
}

#[test]
fn rsa4_a_client_with_a_key_that_is_told_so_shows_tokens_only() {
    let far = Endpoint::Url("ws://relay.example".to_owned());
    let mut bench = Bench::connecting(ClientOptions { use_token_auth: true, endpoint: far, ..options() });
    let request = TokenRequest::sign(KEY, &bench.tokens_wanted[0].1, Timestamp(5), "0123456789abcdef").unwrap();
    assert_eq!(request.rest["clientId"], "ada");
    bench.answer_token(Ok(request.into()));
    let (request, http) = bench.exchanges.remove(0);
    assert_eq!(http.url, "http://relay.example/keys/app.id/requestToken");
    bench.client.handle_token(request, Ok("token-1".to_owned().into()), bench.now);
    bench.drain();
    assert_eq!((bench.param("key"), bench.param("access_token").as_deref()), (None, Some("token-1")));
    bench.accept("conn-1");
    bench.receive(disconnected(40142, 401));
    assert_eq!(bench.tokens_asked, 2, "it renews its token by itself");
}

fn by_server_clock() -> ClientOptions {
    let far = Endpoint::Url("ws://relay.example".to_owned());
    ClientOptions { use_token_auth: true, query_time: true, endpoint: far, ..options() }
}

/// When the token that is wanted is to be signed.
fn timestamp(bench: &Bench) -> Option<i64> {
    bench.tokens_wanted.last().unwrap().1.timestamp.map(|time| time.0)
}

#[test]
fn rsa9d_a_client_that_is_told_so_signs_by_the_servers_clock() {
    let mut bench = Bench::connecting(by_server_clock());
    assert_eq!(bench.tokens_asked, 0, "the time comes first");
    bench.pass(SECOND);
    let http = bench.answer_http(200, "", json!([1_700_000_000_000_i64]));
    assert_eq!((http.url.as_str(), authorization(&http)), ("http://relay.example/time", None));
    assert_eq!(timestamp(&bench), Some(1_700_000_000_000));
}

#[test]
fn rsa10k_the_servers_clock_is_asked_once_and_the_time_that_passed_is_added() {
    let mut bench = Bench::connecting(by_server_clock());
    bench.answer_http(200, "", json!([1_700_000_000_000_i64]));
    bench.give_token("token-1");
    bench.accept("conn-1");
    bench.pass(5 * SECOND);
    bench.receive(disconnected(40142, 401));
    assert_eq!((timestamp(&bench), bench.http.len()), (Some(1_700_000_005_000), 0));
}

#[test]
fn rsa10k_a_clock_that_the_server_refuses_is_asked_for_again() {
    let mut bench = Bench::connecting(by_server_clock());
    bench.answer_http(200, "", json!([5]));
    bench.refuse_token(40104, 401);
    assert_eq!(bench.state(), ConnectionState::Disconnected);
    bench.next_timer();
    bench.answer_http(200, "", json!([1_700_000_000_000_i64]));
    assert_eq!(timestamp(&bench), Some(1_700_000_000_000));
}

#[test]
fn rsa9d_without_the_servers_time_no_token_is_had_and_it_is_asked_with_the_next_attempt() {
    let mut bench = Bench::connecting(by_server_clock());
    bench.answer_http(401, "", json!({ "error": { "code": 40140, "statusCode": 401, "message": "no" } }));
    assert_eq!((bench.state(), bench.tokens_asked), (ConnectionState::Disconnected, 0));
    assert_eq!(bench.client.error_reason().unwrap().code, ErrorCode::TOKEN_NOT_OBTAINED);
    bench.next_timer();
    bench.answer_http(200, "", json!([5]));
    assert_eq!(timestamp(&bench), Some(5));
}

#[test]
fn rsa9d_a_question_that_nobody_answers_is_not_asked_twice_at_once() {
    let mut bench = Bench::connecting(by_server_clock());
    bench.pass(60 * SECOND);
    while bench.state() != ConnectionState::Connecting {
        bench.next_timer();
    }
    assert_eq!((bench.http.len(), bench.tokens_asked), (1, 0));
    bench.answer_http(200, "", json!([5]));
    assert_eq!(bench.tokens_asked, 1);
}

#[test]
fn rsa9d_a_callback_signs_by_its_own_clock() {
    let bench = Bench::connecting(ClientOptions { query_time: true, ..with_callback() });
    assert_eq!((bench.http.len(), timestamp(&bench)), (0, None));
}

#[test]
fn rsa8_a_signed_request_goes_to_another_host_where_the_first_is_in_trouble() {
    let credentials = Credentials::Key(KEY.to_owned());
    let mut bench = Bench::connecting(ClientOptions { use_token_auth: true, credentials, ..in_the_cloud() });
    let request = TokenRequest::sign(KEY, &bench.tokens_wanted[0].1, Timestamp(5), "0123456789abcdef").unwrap();
    bench.answer_token(Ok(request.into()));
    let (request, first) = bench.exchanges.remove(0);
    assert_eq!(host(&first.url), FIRST);
    let trouble = ErrorInfo::new(ErrorCode::DISCONNECTED, 503, "nobody is there");
    bench.client.handle_token(request, Err(trouble), bench.now);
    bench.drain();
    let (request, second) = bench.exchanges.remove(0);
    assert!(host(&second.url).contains(".fallback.") && second.body == first.body && second.headers == first.headers);
    bench.client.handle_token(request, Ok("token-1".to_owned().into()), bench.now);
    bench.drain();
    assert_eq!(bench.param("access_token").as_deref(), Some("token-1"));
}
