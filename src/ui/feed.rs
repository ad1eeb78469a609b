//! What happened lately, line by line.

use std::collections::VecDeque;

use bevy::prelude::*;
use bevy_egui::egui::{Label, RichText, ScrollArea, Ui};

/// Lines of text about what happened, the oldest first, in bounded memory: a chat, a log.
///
/// ```
/// use bevy_rooms::ui::Feed;
///
/// let mut feed = Feed::keeping(2);
/// for line in ["Ada came", "Ada: hello", "Ada left"] {
///     feed.push(line);
/// }
/// assert_eq!(feed.iter().collect::<Vec<_>>(), ["Ada: hello", "Ada left"]);
/// ```
#[derive(Resource, Clone, Debug)]
pub struct Feed {
    lines: VecDeque<String>,
    limit: usize,
}

impl Default for Feed {
    /// Keeps 200 lines.
    fn default() -> Self {
        Self::keeping(200)
    }
}

impl Feed {
    /// Keeps so many lines; one at least.
    pub fn keeping(limit: usize) -> Self {
        Self { lines: VecDeque::new(), limit: limit.max(1) }
    }

    /// Adds a line. The oldest goes where there are too many.
    pub fn push(&mut self, line: impl Into<String>) {
        if self.lines.len() == self.limit {
            self.lines.pop_front();
        }
        self.lines.push_back(line.into());
    }

    /// The lines, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.lines.iter().map(String::as_str)
    }

    /// Shows the lines in all the room there is, and stays with the newest unless the player looks at older ones; or, without
    /// any, says so in these words.
    pub fn show(&self, ui: &mut Ui, empty: &str) {
        ScrollArea::vertical().stick_to_bottom(true).auto_shrink(false).show(ui, |ui| {
            if self.lines.is_empty() {
                ui.weak(empty);
            }
            for line in &self.lines {
                ui.add(Label::new(RichText::new(line)).wrap());
            }
        });
    }
}
