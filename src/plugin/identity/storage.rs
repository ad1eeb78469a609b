//! Player ids in the browser's local storage: one slot for each tab in which the game is open, for each origin of
//! pages.
//!
//! A page cannot hold a lock before its first frame, so it leases a slot: the slot's record names the holder and the
//! time of the last renewal. A page that ends gives its slot back. A page that crashed loses it when the lease runs
//! out. Each tab marks the slots of its games in its session storage, which survives a refresh. So it has the same
//! slots again, in the same order, after a refresh or a crash. A copied tab has a copy of the marks. It recognises
//! that: it was not loaded again, and the original tab has just renewed the lease. It then forgets those marks.

use std::{path::Path, time::Duration};

use js_sys::Reflect;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wasm_bindgen::JsValue;
use web_sys::{Performance, Storage, Window};

use super::own::{Hold, OwnIdentity, RESERVED, SLOTS, generation_by_the_clock, is_plain_name};
use crate::{
    plugin::entropy::{random_player, unix_millis},
    session::{Generation, PlayerId},
    web::{Listener, Timeout},
};

/// How long a slot is held without a renewal. Browsers run the timers of a hidden page at least once a minute.
const LEASE: Duration = Duration::from_secs(90);

/// The time between two renewals of a slot.
const RENEWAL: Duration = Duration::from_secs(2);

/// The holder of a slot that was renewed within this time is alive, unless it is the page that was loaded again.
const ALIVE: Duration = Duration::from_secs(5);

/// The prefix of the keys of all games' ids.
const PREFIX: &str = "bevy_rooms";

/// The content of a slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    player: PlayerId,
    /// The highest generation that a page may have used.
    generation: Generation,
    /// The holder of the slot; `None` when it was given back.
    holder: Option<String>,
    /// The last renewal, in milliseconds since 1970.
    renewed: u64,
}

/// What a tab remembers about a slot that it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    slot: u32,
    holder: String,
    /// The page that had it, named by its load time: milliseconds since 1970.
    page: f64,
}

/// The page that we are in.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// The time of the load, in milliseconds since 1970.
    at: f64,
    /// Whether the tab was loaded again, so that its former page is gone.
    again: bool,
}

/// Why the id cannot be remembered.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageError {
    #[error("{0:?} cannot be part of a key; name the game with 1 to 100 letters, digits, '-', '_' and '.'")]
    Game(String),
    #[error("this page may not store data; allow it to store data, and open it from a web server")]
    NoStorage,
    #[error("the storage of this page is full; delete some of what its site has stored")]
    Full,
    #[error("this game is already open in {SLOTS} tabs; close one")]
    NoSlot,
}

/// Takes the slot that this tab had, or else the first free one, with the next generation of its player. A browser has
/// no folders.
pub(super) fn take(game: &str, _folder: Option<&Path>) -> Result<OwnIdentity, StorageError> {
    if !is_plain_name(game) {
        return Err(StorageError::Game(game.to_owned()));
    }
    let shelf = Shelf::open(game).ok_or(StorageError::NoStorage)?;
    let (now, load) = (unix_millis(), Load::of(&shelf.window));
    let mut marks = shelf.marks();
    // Forgets the marks of the tab that this one was copied from, if that tab is alive.
    marks.retain(|mark| {
        let is_free = |record: Record| record.is_free(std::slice::from_ref(mark), load, now);
        mark.page.total_cmp(&load.at).is_eq() || shelf.read(mark.slot).is_none_or(is_free)
    });
    let slots = marks.iter().map(|mark| mark.slot).chain(1..=SLOTS);
    let (slot, last) = slots
        .map(|slot| (slot, shelf.read(slot)))
        .find(|(_, record)| record.as_ref().is_none_or(|record| record.is_free(&marks, load, now)))
        .ok_or(StorageError::NoSlot)?;
    let (player, floor) = match last {
        Some(last) => (last.player, Generation(last.generation.0.saturating_add(1))),
        None => (random_player(), Generation::default()),
    };
    let generation = floor.max(generation_by_the_clock());
    let highest = Generation(generation.0.saturating_add(RESERVED));
    // The holder is any text that no other page has.
    let mark = Mark { slot, holder: random_player().as_str().to_owned(), page: load.at };
    let record =
        Record { player: player.clone(), generation: highest, holder: Some(mark.holder.clone()), renewed: now };
    shelf.write(slot, &record).ok_or(StorageError::Full)?;
    shelf.add_mark(marks, &mark);
    // When the hold is dropped, so is the sender, and the task ends.
    let (renewed, ended) = mpsc::channel(1);
    wasm_bindgen_futures::spawn_local(renew(shelf, mark, ended));
    Ok(OwnIdentity { player, generation, hold: Some(Hold::while_alive(renewed)) })
}

impl Load {
    fn of(window: &Window) -> Self {
        let performance = window.performance();
        let at = performance.as_ref().map_or(0.0, Performance::time_origin);
        let entries = performance.map(|performance| performance.get_entries_by_type("navigation"));
        let kind = entries.and_then(|entries| Reflect::get(&entries.get(0), &JsValue::from_str("type")).ok());
        Self { at, again: kind.and_then(|kind| kind.as_string()).as_deref() == Some("reload") }
    }
}

impl Record {
    /// Whether a page whose tab has these marks may take the slot.
    fn is_free(&self, marks: &[Mark], load: Load, now: u64) -> bool {
        let Some(holder) = &self.holder else { return true };
        // A clock that was set back makes the time since then unknown, as if it were long.
        let silent = now.checked_sub(self.renewed).map_or(LEASE, Duration::from_millis);
        let limit = match marks.iter().find(|mark| mark.holder == *holder) {
            // Another game of this page.
            Some(mark) if mark.page.total_cmp(&load.at).is_eq() => LEASE,
            Some(_) if load.again => Duration::ZERO,
            Some(_) => ALIVE,
            None => LEASE,
        };
        silent >= limit
    }
}

/// Renews the slot until the hold is dropped, and gives it back then, or when the page goes.
async fn renew(shelf: Shelf, mark: Mark, mut ended: mpsc::Receiver<()>) {
    let going = shelf.clone();
    let gone = mark.clone();
    let _on_hide = Listener::new(&shelf.window, "pagehide", move |_| going.give_back(&gone));
    loop {
        tokio::select! {
            _ = ended.recv() => return shelf.give_back(&mark),
            () = Timeout::after(RENEWAL) => {}
        }
        let Some(record) = shelf.read(mark.slot) else { continue };
        if record.holder.as_ref().is_some_and(|holder| *holder != mark.holder) {
            log::warn!("another tab became the same player while this one was frozen");
            return;
        }
        let _ = shelf.write(mark.slot, &Record { holder: Some(mark.holder.clone()), renewed: unix_millis(), ..record });
    }
}

/// The storage of one game.
#[derive(Clone, Debug)]
struct Shelf {
    window: Window,
    local: Storage,
    /// `None` if the browser stores nothing for a tab. Then a refresh takes the first free slot.
    session: Option<Storage>,
    game: String,
}

impl Shelf {
    fn open(game: &str) -> Option<Self> {
        let window = web_sys::window()?;
        let local = window.local_storage().ok().flatten()?;
        let session = window.session_storage().ok().flatten();
        Some(Self { window, local, session, game: game.to_owned() })
    }

    fn key(&self, slot: u32) -> String {
        format!("{PREFIX}/{}/player-{slot}", self.game)
    }

    fn marks_key(&self) -> String {
        format!("{PREFIX}/{}/slots", self.game)
    }

    /// The content of a slot; `None` if it cannot be read.
    fn read(&self, slot: u32) -> Option<Record> {
        serde_json::from_str(&self.local.get_item(&self.key(slot)).ok().flatten()?).ok()
    }

    fn write(&self, slot: u32, record: &Record) -> Option<()> {
        self.local.set_item(&self.key(slot), &serde_json::to_string(record).ok()?).ok()
    }

    /// The tab's marks, in the order in which its games took their slots first.
    fn marks(&self) -> Vec<Mark> {
        let text = self.session.as_ref().and_then(|session| session.get_item(&self.marks_key()).ok().flatten());
        let mut marks: Vec<Mark> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        marks.retain(|mark| (1..=SLOTS).contains(&mark.slot));
        marks
    }

    /// Puts the mark of a slot in the place of the slot's last one.
    fn add_mark(&self, mut marks: Vec<Mark>, mark: &Mark) {
        match marks.iter_mut().find(|known| known.slot == mark.slot) {
            Some(known) => known.clone_from(mark),
            None => marks.push(mark.clone()),
        }
        if let (Some(session), Ok(text)) = (&self.session, serde_json::to_string(&marks)) {
            // Without a mark a refresh takes the first free slot.
            let _ = session.set_item(&self.marks_key(), &text);
        }
    }

    fn give_back(&self, mark: &Mark) {
        if let Some(record) = self.read(mark.slot).filter(|record| record.holder.as_ref() == Some(&mark.holder)) {
            let _ = self.write(mark.slot, &Record { holder: None, ..record });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn held_by(holder: Option<&str>, silent: Duration) -> Record {
        let renewed = NOW - silent.as_millis() as u64;
        let holder = holder.map(str::to_owned);
        Record { player: PlayerId::new("ada").unwrap(), generation: Generation(1), holder, renewed }
    }

    /// The page before the present one.
    const BEFORE: f64 = 1e12;

    const COPIED: Load = Load { at: BEFORE + 1.0, again: false };
    const LOADED_AGAIN: Load = Load { again: true, ..COPIED };

    fn marks(holder: &str) -> [Mark; 1] {
        [Mark { slot: 1, holder: holder.to_owned(), page: BEFORE }]
    }

    #[test]
    fn a_slot_that_was_given_back_is_anybodys() {
        assert!(held_by(None, Duration::ZERO).is_free(&[], COPIED, NOW));
    }

    #[test]
    fn a_slot_of_another_tab_is_free_only_after_the_slowest_timers_of_a_hidden_page() {
        let hidden = Duration::from_secs(61);
        for load in [COPIED, LOADED_AGAIN] {
            assert!(!held_by(Some("other"), hidden).is_free(&[], load, NOW));
            assert!(!held_by(Some("other"), hidden).is_free(&marks("ours"), load, NOW));
            assert!(held_by(Some("other"), LEASE).is_free(&[], load, NOW));
        }
    }

    #[test]
    fn a_tab_that_crashed_has_its_slot_again_and_a_copy_of_a_living_one_has_not() {
        let ours = marks("ours");
        assert!(held_by(Some("ours"), Duration::ZERO).is_free(&ours, LOADED_AGAIN, NOW), "its page is gone");
        assert!(held_by(Some("ours"), ALIVE).is_free(&ours, COPIED, NOW), "nobody renewed it");
        assert!(!held_by(Some("ours"), RENEWAL).is_free(&ours, COPIED, NOW), "the tab that it was copied from lives");
    }

    #[test]
    fn two_games_of_a_page_that_was_loaded_again_have_a_slot_each() {
        let ours = marks("ours");
        let load = Load { at: BEFORE, ..LOADED_AGAIN };
        assert!(!held_by(Some("ours"), Duration::ZERO).is_free(&ours, load, NOW));
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        assert!(held_by(Some("other"), Duration::ZERO).is_free(&[], COPIED, NOW - 1));
    }
}
