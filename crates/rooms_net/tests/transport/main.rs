//! What a socket promises, over the platform's own: tokio's natively, the browser's in a page, both against the same server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

// Makes every `#[test]` of this file one of the browser's.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate browser_test;

#[cfg(not(target_arch = "wasm32"))]
mod none;
#[cfg_attr(not(target_arch = "wasm32"), path = "native.rs")]
#[cfg_attr(target_arch = "wasm32", path = "browser.rs")]
mod platform;
#[cfg(not(target_arch = "wasm32"))]
mod server;
#[cfg(not(target_arch = "wasm32"))]
mod slow;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use platform::{all_are_closed, connector, pause, server};
use rooms_net::transport::{Connector, Incoming, LINK_CAPACITY, Link};
use rooms_protocol::{DEFAULT_MAX_FRAME_SIZE, ErrorInfo, WireFrame};
use tokio::sync::mpsc::error::TrySendError;

#[cfg(not(target_arch = "wasm32"))]
use tokio::test;

/// No machine is so slow that something which should happen takes longer.
const LIMIT: Duration = Duration::from_secs(60);

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::select! {
        done = what => done,
        () = pause(LIMIT) => panic!("it did not happen"),
    }
}

/// Opens a socket to this address of the server, which need not succeed.
async fn open(address: &str) -> Link {
    let url = format!("{}{address}", server().await);
    connector().open(&url)
}

/// Opens a socket.
async fn opened(address: &str) -> Link {
    let mut link = open(address).await;
    opens(&mut link).await;
    link
}

async fn next(link: &mut Link) -> Option<Incoming> {
    within(link.incoming.recv()).await
}

/// Waits until the socket is open. Before, it may tell that the machine is reached.
async fn opens(link: &mut Link) {
    let mut first = next(link).await;
    if platform::TELLS_OF_REACHING {
        assert_eq!(first, Some(Incoming::Reached));
        first = next(link).await;
    }
    assert_eq!(first, Some(Incoming::Opened));
}

async fn next_frame(link: &mut Link) -> WireFrame {
    match next(link).await {
        Some(Incoming::Frame(frame)) => frame,
        other => panic!("{other:?} instead of a frame"),
    }
}

async fn next_number(link: &mut Link) -> usize {
    match next_frame(link).await {
        WireFrame::Text(text) => text.trim_end().parse().unwrap(),
        WireFrame::Binary(_) => panic!("a binary frame"),
    }
}

/// Why the socket is gone. What came before is passed over.
async fn end(link: &mut Link) -> Option<ErrorInfo> {
    loop {
        match next(link).await {
            Some(Incoming::Closed(reason)) => {
                assert_eq!(next(link).await, None, "nothing follows");
                return reason;
            }
            Some(_) => {}
            None => panic!("it ended without a word"),
        }
    }
}

fn text(text: &str) -> WireFrame {
    WireFrame::Text(text.to_owned())
}

/// A name that no other socket of these tests has.
fn name() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

#[test]
async fn frames_of_both_kinds_cross_whole_and_in_order() {
    let mut link = opened("/echo").await;
    let frames = [
        text(""),
        text("Grüße 🎲 \u{0}"),
        WireFrame::Binary(vec![]),
        WireFrame::Binary((0..=255).collect()),
        text(&"x".repeat(DEFAULT_MAX_FRAME_SIZE)),
        WireFrame::Binary(vec![7; DEFAULT_MAX_FRAME_SIZE]),
    ];
    for frame in &frames {
        link.outgoing.send(frame.clone()).await.unwrap();
    }
    for frame in &frames {
        assert_eq!(&next_frame(&mut link).await, frame);
    }
}

#[test]
async fn a_socket_that_the_server_closes_ends_after_its_last_frame_and_is_no_fault() {
    for code in [1000, 1001, 1011, 4000] {
        let mut link = opened(&format!("/close?code={code}")).await;
        assert_eq!(next_frame(&mut link).await, text("last"));
        assert_eq!(end(&mut link).await, None, "code {code}");
        within(link.outgoing.closed()).await;
    }
}

#[test]
async fn a_line_that_breaks_is_told_as_such() {
    let mut link = opened("/abort").await;
    assert_eq!(next_frame(&mut link).await, text("last"));
    let reason = end(&mut link).await.unwrap();
    assert!(reason.message.starts_with("the socket failed: "), "{reason}");
}

#[test]
async fn what_cannot_be_opened_is_told_with_a_reason_that_holds_no_secret() {
    let refused = format!("{}/refuse?key=s3cret", server().await);
    // The discard port, where nobody listens and where browsers let nobody connect.
    for url in [refused.as_str(), "ws://127.0.0.1:9/?key=s3cret", "ws://127.0.0.1:notaport/?key=s3cret"] {
        let mut link = connector().open(url);
        let reason = end(&mut link).await.unwrap();
        assert!(reason.message.contains("address") && !reason.message.contains("s3cret"), "{reason}");
    }
}

#[test]
async fn a_frame_far_above_what_servers_promise_ends_the_socket_and_one_below_does_not() {
    let most = 2 * DEFAULT_MAX_FRAME_SIZE;
    for kind in ["text", "binary"] {
        let mut link = opened(&format!("/send?frames=1&bytes={most}&kind={kind}")).await;
        let length = match next_frame(&mut link).await {
            WireFrame::Text(text) => text.len(),
            WireFrame::Binary(bytes) => bytes.len(),
        };
        assert_eq!(length, most);
        let mut link = opened(&format!("/send?frames=1&bytes={}&kind={kind}", most + 1)).await;
        match next(&mut link).await {
            Some(Incoming::Closed(Some(reason))) => assert!(reason.message.contains("socket failed"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
async fn what_waits_is_sent_before_a_link_that_was_dropped_closes() {
    let name = name();
    let link = opened(&format!("/count?name={name}")).await;
    // More in all than a socket takes at once.
    for _ in 0..LINK_CAPACITY {
        link.outgoing.try_send(WireFrame::Binary(vec![0; 16 * 1024])).unwrap();
    }
    drop(link);
    let mut counted = opened(&format!("/counted?name={name}")).await;
    assert_eq!(next_number(&mut counted).await, LINK_CAPACITY);
}

#[test]
async fn a_link_that_is_dropped_while_it_opens_gives_its_socket_up() {
    let name = name();
    let port = next_number(&mut opened("/aside").await).await;
    let hears_that_somebody = async |did: &str| {
        let mut link = connector().open(&format!("ws://127.0.0.1:{port}/{did}?name={name}"));
        opens(&mut link).await;
        next_frame(&mut link).await;
    };
    let link = open(&format!("/silent?name={name}")).await;
    hears_that_somebody("tried").await;
    drop(link);
    hears_that_somebody("gone").await;
}

#[test]
async fn a_server_that_reads_nothing_fills_the_link_and_gets_everything_later() {
    /// More than the link and the machine's own buffers hold.
    const FAR_TOO_MANY: usize = 4000;
    let name = name();
    let mut link = opened(&format!("/held?name={name}")).await;
    let frame = WireFrame::Binary(vec![0; 64 * 1024]);
    let (mut sent, mut waits) = (0, 0);
    while waits < 40 {
        match link.outgoing.try_send(frame.clone()) {
            Ok(()) => (sent, waits) = (sent + 1, 0),
            Err(TrySendError::Full(_)) => {
                waits += 1;
                pause(Duration::from_millis(10)).await;
            }
            Err(TrySendError::Closed(_)) => panic!("the socket is gone after {sent} frames"),
        }
        assert!(sent < FAR_TOO_MANY, "somewhere more is kept than a link holds");
    }
    assert!(sent >= LINK_CAPACITY);
    let _release = opened(&format!("/release?name={name}")).await;
    within(link.outgoing.send(text("end"))).await.unwrap();
    assert_eq!(next_number(&mut link).await, sent);
}

#[test]
async fn a_link_that_is_read_late_has_every_frame_up_to_its_end() {
    const FRAMES: usize = 10 * LINK_CAPACITY;
    let mut link = open(&format!("/send?frames={FRAMES}&bytes=100&kind=text")).await;
    platform::nobody_reads().await;
    opens(&mut link).await;
    for number in 0..platform::frames_kept_for_a_late_reader(FRAMES) {
        assert_eq!(next_number(&mut link).await, number);
    }
    platform::assert_end_of_a_late_reader(&mut link).await;
}

#[test]
async fn a_ping_shows_that_the_line_lives_where_the_platform_tells_of_it() {
    let mut link = opened("/ping").await;
    if platform::TELLS_OF_PINGS {
        assert_eq!(next(&mut link).await, Some(Incoming::Activity));
    }
    assert_eq!(next_frame(&mut link).await, text("pinged"));
}

#[test]
async fn sockets_that_ended_in_any_way_leave_nothing_behind() {
    all_are_closed().await;
    for _ in 0..20 {
        for address in ["/close?code=1000", "/abort", "/refuse"] {
            end(&mut open(address).await).await;
        }
        drop(open("/echo").await);
        drop(opened("/echo").await);
    }
    all_are_closed().await;
}
