//! The page: its window, its address, and events at it.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, Window};

/// The window of the page, unless this runs in a worker.
pub fn window() -> Option<Window> {
    js_sys::global().dyn_into().ok()
}

/// The address of the page, as the browser shows it.
pub fn address() -> Option<String> {
    window()?.location().href().ok()
}

/// Makes the browser show another address for the page. It must be on the same server.
pub fn show_address(address: &str) {
    let history = window().and_then(|window| window.history().ok());
    let shown = history.map(|history| history.replace_state_with_url(&JsValue::NULL, "", Some(address)));
    if let Some(Err(error)) = shown {
        log::debug!("the browser does not show the address {address}: {error:?}");
    }
}

/// Dispatches an event of this kind at the window of the page.
pub fn dispatch_page_event(kind: &str) {
    if let (Some(window), Ok(event)) = (window(), Event::new(kind)) {
        // Fails for an event that is under way, and this one is new.
        let _ = window.dispatch_event(&event);
    }
}
