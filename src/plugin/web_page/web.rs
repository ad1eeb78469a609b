//! The page in a browser.

use bevy::prelude::*;

use crate::web::{self, HiddenFrames};

pub(super) use crate::web::{address, show_address};

/// Drives frames while the page is hidden, and informs the page of the first frame.
pub(super) fn build(app: &mut App, goes_on_hidden: bool) {
    if goes_on_hidden && let Some(frames) = HiddenFrames::share() {
        app.insert_non_send(frames);
    }
    app.add_systems(First, tell_page_of_the_first_frame);
}

pub(super) fn end(why: &str) {
    wasm_bindgen::throw_str(why)
}

/// Dispatches the event `bevy-rooms:running` when the first frame is drawn. The page may then remove what it shows
/// while the game is loading.
fn tell_page_of_the_first_frame(mut frames: Local<u32>) {
    /// A frame is on the screen when the next but one begins: the browser draws it while the game makes the next one.
    const DRAWN: u32 = 3;
    if *frames <= DRAWN {
        *frames += 1;
        if *frames == DRAWN {
            web::dispatch_page_event("bevy-rooms:running");
        }
    }
}
