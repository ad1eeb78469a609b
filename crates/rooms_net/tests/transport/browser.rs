//! The browser's sockets, and the server that the script started.

#[path = "../../../../tests/web/common/mod.rs"]
#[expect(dead_code, reason = "no relay is needed here, and no frames")]
mod common;

use std::time::Duration;

use common::held;
use js_sys::{Function, Promise};
use rooms_net::transport::{
    Incoming, LINK_CAPACITY, Link,
    web::{WebConnector, open_sockets},
};
use wasm_bindgen_futures::JsFuture;

/// Whether pings are told of. The browser answers them by itself.
pub const TELLS_OF_PINGS: bool = false;

/// Whether it is told that the machine is reached, before the socket is open.
pub const TELLS_OF_REACHING: bool = false;

pub fn connector() -> WebConnector {
    // Counts from here on what the page holds.
    held();
    WebConnector
}

/// The server's address.
pub async fn server() -> &'static str {
    env!("ROOMS_TEST_SERVER", "run these tests by .ci/web-test, which starts a server for them")
}

pub async fn pause(time: Duration) {
    let window = web_sys::window().unwrap();
    let milliseconds = i32::try_from(time.as_millis()).unwrap();
    let promise = Promise::new(&mut |resolve: Function, _| {
        window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}

/// The browser reads without being asked, so the socket is given up once the link is full.
pub async fn nobody_reads() {
    no_socket_is_open().await;
}

async fn no_socket_is_open() {
    crate::within(async {
        loop {
            // A link that is new has its socket after the first pause.
            pause(Duration::from_millis(10)).await;
            if open_sockets() == 0 {
                return;
            }
        }
    })
    .await;
}

/// As many as a link holds, beside the word that the socket is open.
pub fn frames_kept_for_a_late_reader(_: usize) -> usize {
    LINK_CAPACITY - 1
}

pub async fn assert_end_of_a_late_reader(link: &mut Link) {
    match link.incoming.recv().await {
        Some(Incoming::Closed(Some(reason))) => assert!(reason.message.contains("nobody takes them"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(link.incoming.recv().await, None);
}

/// Waits until no socket is left, nor what was on it.
pub async fn all_are_closed() {
    no_socket_is_open().await;
    let held = held();
    assert_eq!((held.hearing, held.open), (0, 0));
}
