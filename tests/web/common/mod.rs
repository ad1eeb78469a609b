//! What the tests in a browser share: the relay that the script started, the page's frames, and what the page holds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use js_sys::{Function, Promise};
use wasm_bindgen_futures::JsFuture;

/// The relay's address. The script that runs these tests starts it on a free port.
pub const RELAY: &str = env!("ROOMS_TEST_RELAY", "run these tests by .ci/web-test, which starts a relay for them");

/// Counts from here on what the page holds of this program's: listeners, timers that wait, and sockets with handlers.
const COUNT: &str = r"
(() => {
    if (globalThis.held) return;
    const sockets = [];
    const timers = new Set();
    let listeners = 0;
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    EventTarget.prototype.addEventListener = function (...given) {
        listeners += 1;
        return addEventListener.apply(this, given);
    };
    EventTarget.prototype.removeEventListener = function (...given) {
        listeners -= 1;
        return removeEventListener.apply(this, given);
    };
    const { setTimeout, clearTimeout } = globalThis;
    globalThis.setTimeout = (call, ...given) => {
        const timer = setTimeout((...said) => { timers.delete(timer); call(...said); }, ...given);
        timers.add(timer);
        return timer;
    };
    globalThis.clearTimeout = (timer) => { timers.delete(timer); clearTimeout(timer); };
    let workers = 0;
    globalThis.Worker = class extends Worker {
        constructor(...given) { super(...given); workers += 1; }
        terminate() { super.terminate(); workers -= 1; }
    };
    globalThis.WebSocket = class extends WebSocket {
        constructor(...given) { super(...given); sockets.push(this); }
    };
    const hears = (socket) => socket.onopen || socket.onmessage || socket.onclose;
    globalThis.held = () => [
        sockets.length,
        sockets.filter(hears).length,
        sockets.filter((socket) => socket.readyState < WebSocket.CLOSING).length,
        listeners,
        timers.size,
        workers,
    ];
})()";

/// What the page holds of this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Sockets that were ever opened.
    pub sockets: usize,
    /// Those with a handler on them.
    pub hearing: usize,
    /// Those that are neither closing nor closed.
    pub open: usize,
    /// Listeners that were added and not removed.
    pub listeners: isize,
    /// Timers that wait.
    pub timers: usize,
    /// Workers that were started and not ended.
    pub workers: isize,
}

/// What the page holds, counted from the first call on.
pub fn held() -> Held {
    js_sys::eval(COUNT).unwrap();
    let numbers = js_sys::Array::from(&js_sys::eval("held()").unwrap());
    let number = |index| numbers.get(index).as_f64().unwrap() as isize;
    let count = |index| usize::try_from(number(index)).unwrap();
    Held {
        sockets: count(0),
        hearing: count(1),
        open: count(2),
        listeners: number(3),
        timers: count(4),
        workers: number(5),
    }
}

/// Waits for the browser's next frame.
pub async fn next_frame() {
    let window = web_sys::window().unwrap();
    let promise = Promise::new(&mut |resolve: Function, _| {
        window.request_animation_frame(&resolve).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}
