//! Recent events, line by line, and a line to write on.

use std::collections::VecDeque;

use bevy::prelude::*;
use bevy_egui::egui::{Key, Label, Margin, RichText, ScrollArea, TextEdit, Ui};

use super::style;

/// The longest line, in letters.
const LONGEST: usize = 2_000;

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
    /// Keeps this many lines, at least one.
    pub fn keeping(limit: usize) -> Self {
        Self { lines: VecDeque::new(), limit: limit.max(1) }
    }

    /// Adds a line. The oldest one goes if there are too many.
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

    /// Shows the lines in the whole space, and stays at the newest unless the player scrolls back. Without lines it
    /// shows the text `empty`.
    pub fn show(&self, ui: &mut Ui, empty: &str) {
        ScrollArea::vertical().stick_to_bottom(true).auto_shrink(false).show(ui, |ui| {
            if self.lines.is_empty() {
                ui.label(style::muted(ui, empty));
            }
            for line in &self.lines {
                ui.add(Label::new(RichText::new(line)).wrap());
            }
        });
    }
}

/// What the player did with a [`prompt`] in this frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing.
    Idle,
    /// Changed the text.
    Writing,
    /// Pressed Enter. This is the text; the prompt is empty again.
    Entered(String),
}

/// A line to write on, up to 2,000 letters. It keeps the keyboard focus unless the player chooses something
/// else.
///
/// ```
/// # use bevy_egui::egui;
/// use bevy_rooms::ui::{Feed, Prompt, prompt};
///
/// fn notes(ui: &mut egui::Ui, feed: &mut Feed, draft: &mut String) {
///     if let Prompt::Entered(line) = prompt(ui, draft, "Write something down") {
///         feed.push(line);
///     }
/// }
/// ```
pub fn prompt(ui: &mut Ui, text: &mut String, hint: &str) -> Prompt {
    let edit = TextEdit::singleline(text).hint_text(hint).char_limit(LONGEST).margin(Margin::symmetric(8, 6));
    let edit = ui.add(edit.desired_width(f32::INFINITY));
    let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if ui.memory(|memory| memory.focused().is_none()) {
        edit.request_focus();
    }
    match (entered, edit.changed()) {
        (true, _) => Prompt::Entered(std::mem::take(text)),
        (false, true) => Prompt::Writing,
        (false, false) => Prompt::Idle,
    }
}
