//! The page in a browser.

use bevy::prelude::*;

use crate::web::{self, Ticks};

pub(super) use crate::web::{address, show_address};

/// Lets frames go on while the page is hidden, and tells the page of the first one.
pub(super) fn build(app: &mut App, goes_on_hidden: bool) {
    if goes_on_hidden && let Some(ticks) = Ticks::share() {
        app.insert_non_send(ticks);
    }
    app.add_systems(First, tell_page_of_the_first_frame);
}

pub(super) fn end(why: &str) {
    wasm_bindgen::throw_str(why)
}

/// Tells the page around the game, with the event `bevy-rooms:running`, that the first frame was drawn: it may take away
/// what it shows while the game is loading.
fn tell_page_of_the_first_frame(mut frames: Local<u32>) {
    /// A frame is on the screen when the next but one begins: it is drawn while the next one is made.
    const DRAWN: u32 = 3;
    if *frames <= DRAWN {
        *frames += 1;
        if *frames == DRAWN {
            web::tell_page("bevy-rooms:running");
        }
    }
}
