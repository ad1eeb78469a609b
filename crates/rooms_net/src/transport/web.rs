//! WebSockets of the browser.
//!
//! The browser reads a socket even if nobody takes the frames, and offers no way to make it wait. So this closes a socket once
//! [`LINK_CAPACITY`] of its frames wait. Those still arrive, in order, then the reason, and the client resumes the connection.
//! The background task takes a frame before the browser brings the next one, so this happens only to a link that nobody reads.
//!
//! What the browser has not sent yet is bounded too. Above [`HIGH_WATER`] no frame is taken from the link, so the link fills up,
//! as it does with a slow native socket.
//!
//! A socket owns its closures. They are removed and dropped with it, when it has closed or its link was dropped.

use std::{
    cell::Cell,
    rc::Rc,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use js_sys::{ArrayBuffer, JsString, Uint8Array};
use tokio::sync::{Notify, mpsc};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use super::{Connector, Incoming, LINK_CAPACITY, Link, LinkEnd, place::place_of};
use crate::web::Timeout;
use rooms_protocol::{DEFAULT_MAX_FRAME_SIZE, ErrorCode, ErrorInfo, WireFrame};

/// Most bytes of one incoming frame, or UTF-16 units of a text: twice what servers promise, so that only a broken server
/// meets it.
const MAX_INCOMING: u32 = 2 * DEFAULT_MAX_FRAME_SIZE as u32;

/// Bytes that the browser has not sent yet, above which no further frame is given to it: a few of the largest frames.
const HIGH_WATER: u32 = 4 * DEFAULT_MAX_FRAME_SIZE as u32;

/// How often to look whether the browser has sent enough. It has no event for that.
const DRAIN_CHECK: Duration = Duration::from_millis(50);

/// Longest time for the closing handshake of a socket that is given up.
const LINGER: Duration = Duration::from_millis(500);

/// A normal end (RFC 6455, section 7.4.1).
const NORMAL_CLOSURE: u16 = 1000;

/// Sockets that exist, each with its closures.
static OPEN_SOCKETS: AtomicUsize = AtomicUsize::new(0);

/// How many sockets this page has, opening, open or closing. Each owns its closures, so a number that grows is a leak.
pub fn open_sockets() -> usize {
    OPEN_SOCKETS.load(Relaxed)
}

/// Opens the browser's WebSockets, in a page or in a worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebConnector;

impl Connector for WebConnector {
    fn open(&mut self, url: &str) -> Link {
        let (link, end) = Link::pair();
        // The task needs no owner: it ends once the socket has closed or the link was dropped.
        wasm_bindgen_futures::spawn_local(run(url.to_owned(), end));
        link
    }
}

/// Opens the socket, then carries frames until either side ends it.
async fn run(url: String, end: LinkEnd) {
    let LinkEnd { mut outgoing, incoming } = end;
    let reason = match Socket::open(&url, &incoming) {
        Ok(mut socket) => tokio::select! {
            reason = socket.carry(&mut outgoing) => reason,
            () = incoming.closed() => return socket.send_rest(&mut outgoing),
        },
        Err(reason) => Some(reason),
    };
    let _ = incoming.send(Incoming::Closed(reason)).await;
}

/// A socket and the closures that the browser calls for it.
struct Socket {
    socket: WebSocket,
    /// Why it has closed, once it has.
    over: mpsc::Receiver<Option<ErrorInfo>>,
    callbacks: Rc<Callbacks>,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

/// What the closures call.
struct Callbacks {
    incoming: mpsc::Sender<Incoming>,
    /// Takes the first message only, which is the reason.
    over: mpsc::Sender<Option<ErrorInfo>>,
    opened: Notify,
    /// Whether it was ever open.
    was_open: Cell<bool>,
    /// Where it goes, for people.
    place: String,
}

impl Socket {
    fn open(url: &str, incoming: &mpsc::Sender<Incoming>) -> Result<Self, ErrorInfo> {
        let place = place_of(url);
        let socket = WebSocket::new(url).map_err(|thrown| not_opened(&place, &thrown))?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let (over_sender, over) = mpsc::channel(1);
        let (incoming, opened, was_open) = (incoming.clone(), Notify::new(), Cell::new(false));
        let callbacks = Rc::new(Callbacks { incoming, over: over_sender, opened, was_open, place });
        let on_open = Closure::<dyn FnMut()>::new({
            let callbacks = Rc::clone(&callbacks);
            move || callbacks.open()
        });
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
            let callbacks = Rc::clone(&callbacks);
            move |event: MessageEvent| callbacks.on_message(&event.data())
        });
        let on_close = Closure::<dyn FnMut(CloseEvent)>::new({
            let callbacks = Rc::clone(&callbacks);
            move |event: CloseEvent| callbacks.end(callbacks.reason_of(&event))
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        OPEN_SOCKETS.fetch_add(1, Relaxed);
        Ok(Self { socket, over, callbacks, _on_open: on_open, _on_message: on_message, _on_close: on_close })
    }

    /// Carries frames until the socket has closed, and returns why it did.
    async fn carry(&mut self, outgoing: &mut mpsc::Receiver<WireFrame>) -> Option<ErrorInfo> {
        tokio::select! {
            reason = self.over.recv() => return reason.flatten(),
            () = write(&self.socket, &self.callbacks, outgoing) => {}
        }
        let _ = self.socket.close_with_code(NORMAL_CLOSURE);
        tokio::select! {
            reason = self.over.recv() => reason.flatten(),
            () = Timeout::after(LINGER) => None,
        }
    }

    /// Sends what still waits. The browser sends it before it closes.
    fn send_rest(&self, outgoing: &mut mpsc::Receiver<WireFrame>) {
        // Not before it is open: the browser would throw.
        if self.socket.ready_state() == WebSocket::OPEN {
            while let Ok(frame) = outgoing.try_recv() {
                send(&self.socket, &frame);
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // Does nothing where it is closing or closed.
        let _ = self.socket.close_with_code(NORMAL_CLOSURE);
        OPEN_SOCKETS.fetch_sub(1, Relaxed);
    }
}

impl Callbacks {
    fn open(&self) {
        self.was_open.set(true);
        self.emit(Incoming::Opened);
        self.opened.notify_one();
    }

    fn on_message(&self, data: &JsValue) {
        // Measured before it is copied.
        let too_large = |length: u32| (length > MAX_INCOMING).then(|| failed(format!("{length} bytes in one frame")));
        if let Some(text) = data.dyn_ref::<JsString>() {
            match too_large(text.length()) {
                None => self.emit(Incoming::Frame(WireFrame::Text(text.into()))),
                reason => self.end(reason),
            }
        } else if let Some(buffer) = data.dyn_ref::<ArrayBuffer>() {
            match too_large(buffer.byte_length()) {
                None => self.emit(Incoming::Frame(WireFrame::Binary(Uint8Array::new(buffer).to_vec()))),
                reason => self.end(reason),
            }
        }
    }

    fn emit(&self, incoming: Incoming) {
        // Nothing may overtake a frame that did not fit, so nothing follows after the end.
        if self.over.capacity() > 0 && self.incoming.try_send(incoming).is_err() {
            self.end(Some(failed(format!("{LINK_CAPACITY} frames wait and nobody takes them"))));
        }
    }

    fn end(&self, reason: Option<ErrorInfo>) {
        let _ = self.over.try_send(reason);
    }

    /// Why a socket has closed; `None` where both sides agreed to it. A browser does not tell a page why none could be opened.
    fn reason_of(&self, event: &CloseEvent) -> Option<ErrorInfo> {
        let code = event.code();
        match (self.was_open.get(), event.was_clean()) {
            (true, true) => None,
            (true, false) => Some(failed(format!("it broke with code {code}; the browser's console may tell more"))),
            (false, _) => Some(unreached(&self.place, &format!(" (code {code})"))),
        }
    }
}

/// Gives frames to the browser until there will be no more.
async fn write(socket: &WebSocket, callbacks: &Callbacks, outgoing: &mut mpsc::Receiver<WireFrame>) {
    callbacks.opened.notified().await;
    loop {
        // Takes a frame only when there is capacity for it. This future may be dropped while it waits, and a frame with it.
        while socket.buffered_amount() > HIGH_WATER {
            Timeout::after(DRAIN_CHECK).await;
        }
        let Some(frame) = outgoing.recv().await else { return };
        send(socket, &frame);
    }
}

/// Gives a frame to the browser. Drops it if the socket has closed meanwhile, as the browser would: what has closed is told
/// by an event, which a page that stood still gets later. A browser that is asked to send then writes an error on its console.
fn send(socket: &WebSocket, frame: &WireFrame) {
    if socket.ready_state() != WebSocket::OPEN {
        log::debug!("a frame is dropped: the socket has closed");
        return;
    }
    let sent = match frame {
        WireFrame::Text(text) => socket.send_with_str(text),
        WireFrame::Binary(bytes) => socket.send_with_u8_array(bytes),
    };
    if sent.is_err() {
        log::debug!("the browser took no frame: the socket is not open");
    }
}

/// Why there is no socket. What the browser says is not repeated: it may hold the URL, and that the credentials.
fn not_opened(place: &str, thrown: &JsValue) -> ErrorInfo {
    let name = thrown.dyn_ref::<js_sys::Error>().map(|error| String::from(error.name())).unwrap_or_default();
    match name.as_str() {
        "SecurityError" => failed("a page that came over https:// may only connect to wss://".to_owned()),
        _ => failed(format!("the browser refuses to connect to {place} ({name}); check the address")),
    }
}

/// The browser opened no socket, and does not tell why.
fn unreached(place: &str, code: &str) -> ErrorInfo {
    let message = format!(
        "the browser got no WebSocket from {place}{code}, and does not tell a page why; check the address, whether the server \
         runs, and whether the network asks for a login. The browser's console may tell more"
    );
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, message)
}

fn failed(why: String) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DISCONNECTED, 400, format!("the socket failed: {why}"))
}
