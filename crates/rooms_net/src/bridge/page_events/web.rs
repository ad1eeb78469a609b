//! The listeners on a page's window and document.

use tokio::sync::mpsc;
use wasm_bindgen::JsCast;
use web_sys::{Document, Event, EventTarget, PageTransitionEvent, VisibilityState, Window};

use super::event::PageEvent;
use crate::web::Listener;

/// Most events that wait. The driver takes each before the browser brings the next.
const CAPACITY: usize = 16;

/// The page, as long as it is listened to.
#[derive(Debug)]
pub(in crate::bridge) struct PageEvents {
    events: mpsc::Receiver<PageEvent>,
    /// Keeps the channel open in a worker, which has no page to listen to.
    _sender: mpsc::Sender<PageEvent>,
    _listeners: Vec<Listener>,
}

impl PageEvents {
    /// Listens to the page; in a worker there is none.
    pub(in crate::bridge) fn listen() -> Self {
        let (sender, events) = mpsc::channel(CAPACITY);
        let mut listeners = Vec::new();
        if let Ok(window) = js_sys::global().dyn_into::<Window>() {
            let on = |kind, reads: fn(&Event) -> Option<PageEvent>| listen(&window, kind, reads, &sender);
            listeners.extend([
                on("online", |_| Some(PageEvent::Online)),
                on("offline", |_| Some(PageEvent::Offline)),
                on("pagehide", |event| Some(if is_persisted(event) { PageEvent::Shelved } else { PageEvent::Leaving })),
                on("pageshow", |event| is_persisted(event).then_some(PageEvent::Awake)),
            ]);
            if let Some(document) = window.document() {
                let on = |kind, reads: fn(&Event) -> Option<PageEvent>| listen(&document, kind, reads, &sender);
                listeners.extend([
                    on("visibilitychange", |event| is_visible(event).then_some(PageEvent::Awake)),
                    on("resume", |_| Some(PageEvent::Awake)),
                ]);
            }
        }
        Self { events, _sender: sender, _listeners: listeners }
    }

    /// The next event of the page.
    pub(in crate::bridge) async fn next(&mut self) -> PageEvent {
        match self.events.recv().await {
            Some(event) => event,
            // Not while a sender is held.
            None => std::future::pending().await,
        }
    }
}

/// Whether the browser keeps the page to show it again.
fn is_persisted(event: &Event) -> bool {
    event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted)
}

fn is_visible(event: &Event) -> bool {
    let document = event.target().and_then(|target| target.dyn_into::<Document>().ok());
    document.is_some_and(|document| document.visibility_state() == VisibilityState::Visible)
}

/// Passes on what an event means.
fn listen(
    target: &EventTarget,
    kind: &'static str,
    reads: fn(&Event) -> Option<PageEvent>,
    sender: &mpsc::Sender<PageEvent>,
) -> Listener {
    let sender = sender.clone();
    Listener::new(target, kind, move |event| {
        if let Some(event) = reads(&event) {
            // If the driver is this far behind, the events that wait already make it check its socket.
            let _ = sender.try_send(event);
        }
    })
}
