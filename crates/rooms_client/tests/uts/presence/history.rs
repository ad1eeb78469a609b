//! The history of members (`RTP12`).

use rooms_client::{HistoryDirection, HistoryOf, HistoryPage, HistoryQuery};
use rooms_protocol::{PresenceAction, Timestamp};

use super::*;

fn history(bench: &mut Bench, query: HistoryQuery) {
    let (operation, channel, of) = (OperationId(1), "a:b".into(), HistoryOf::Presence);
    bench.command(Command::History { operation, channel, of, query });
}

fn told_page(bench: &mut Bench) -> HistoryPage {
    match bench.take_events().pop() {
        Some(Event::History { outcome, .. }) => outcome.unwrap(),
        other => panic!("no history but {other:?}"),
    }
}

/// Case: RTP12a/history-supports-rest-params-0
#[test]
fn rtp12a_a_history_is_asked_for_by_time_direction_and_limit() {
    let mut bench = Bench::connected();
    let (start, end) = (Some(Timestamp(1000)), Some(Timestamp(2000)));
    history(&mut bench, HistoryQuery { start, end, limit: Some(50), ..HistoryQuery::default() });
    let request = bench.answer_http(200, "", json!([]));
    let place = "http://127.0.0.1:8787/channels/a%3Ab/presence/history";
    assert_eq!(
        request.url,
        format!("{place}?start=1000&end=2000&limit=50"),
        "backwards is what the server does unasked"
    );
    history(&mut bench, HistoryQuery { direction: HistoryDirection::Forwards, ..HistoryQuery::default() });
    assert_eq!(bench.answer_http(200, "", json!([])).url, format!("{place}?direction=forwards"));
}

/// Case: RTP12c/history-returns-paginated-result-0
#[test]
fn rtp12c_a_history_comes_a_page_at_a_time() {
    let mut bench = Bench::connected();
    history(&mut bench, HistoryQuery::default());
    let words = [ENTER, UPDATE, LEAVE].map(|action| word(action, "c1", "alice", action));
    bench.answer_http(200, r#"<./history?limit=3&from=x>; rel="next""#, json!(words));
    let page = told_page(&mut bench);
    let actions: Vec<_> = page.presence.iter().map(|word| (word.action, name(word))).collect();
    use PresenceAction::{Enter, Leave, Update};
    assert_eq!(actions, [(Enter, "alice"), (Update, "alice"), (Leave, "alice")]);
    bench.command(Command::NextPage { operation: OperationId(1), page: page.next.unwrap() });
    let request = bench.answer_http(200, "", json!([]));
    assert_eq!(request.url, "http://127.0.0.1:8787/channels/a%3Ab/presence/history?limit=3&from=x");
    assert_eq!(told_page(&mut bench).next, None);
}
