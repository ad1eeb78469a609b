//! The network inspector: the frames that are sent and received, to look at and to copy.
//!
//! It decides what is shown. The [`FrameLog`] keeps the frames. While the inspector is not shown, it does not watch the
//! log.

use bevy::prelude::*;
use bevy_egui::egui::{Button, ComboBox, RichText, ScrollArea, TextStyle, Ui};
use serde_json::{Value, json};

use super::style::muted;
use crate::{
    plugin::{FrameDirection, FrameLog, LoggedFrame},
    protocol::ChannelName,
};

/// The share of the height for one frame in full.
const DETAIL: f32 = 0.5;
/// The space between two frames of the list.
const ROW_GAP: f32 = 3.0;
/// The longest name of a channel in the list, in letters. Longer ones are cut.
const CHANNEL: usize = 24;

/// The state of the inspector. A resource of [`RoomsUiPlugin`](super::RoomsUiPlugin);
/// [`RoomsUi::inspector`](super::RoomsUi::inspector) shows it.
///
/// Memory is bounded by [`MAX_FRAMES`](crate::plugin::MAX_FRAMES) and
/// [`MAX_FRAME_TEXT`](crate::plugin::MAX_FRAME_TEXT). Frames are logged only while the inspector is shown. They contain
/// no secrets, such as the connection's key.
#[derive(Resource, Clone, Debug, Default)]
pub struct Inspector {
    /// The frames to show. Defaults to all.
    pub filter: ChannelFilter,
    /// The last frame before the list was paused.
    paused_at: Option<u64>,
    is_paused: bool,
    /// The frame that is shown in full.
    selected: Option<u64>,
    /// Whether it was chosen just now.
    is_chosen_now: bool,
    /// Its text in lines.
    pretty: String,
    /// Whether the inspector was shown in this frame.
    is_shown: bool,
    /// Whether the inspector is the one that watches the log.
    watches: bool,
}

/// Which frames the inspector shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChannelFilter {
    /// All.
    #[default]
    All,
    /// Those about the connection itself.
    Connection,
    /// Those about one channel.
    Channel(ChannelName),
}

impl ChannelFilter {
    /// Whether it shows a frame.
    pub fn shows(&self, frame: &LoggedFrame) -> bool {
        match self {
            Self::All => true,
            Self::Connection => frame.channel.is_none(),
            Self::Channel(channel) => frame.channel.as_ref() == Some(channel),
        }
    }

    fn words(&self) -> &str {
        match self {
            Self::All => "all channels",
            Self::Connection => "the connection",
            Self::Channel(channel) => channel.as_str(),
        }
    }
}

impl Inspector {
    /// Whether the list is paused.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Pauses the list, or goes on. While it is paused, no frames are logged, unless the game watches the log
    /// itself.
    pub fn pause(&mut self, pause: bool) {
        self.is_paused = pause;
    }

    /// Shows the filter and the buttons, the frames that pass the filter, and the chosen frame in full.
    pub fn show(&mut self, ui: &mut Ui, log: &mut FrameLog) {
        self.is_shown = true;
        self.watch(log);
        if !self.is_paused {
            self.paused_at = log.iter().next_back().map(|frame| frame.number);
        }
        self.toolbar(ui, log);
        ui.separator();
        let frames: Vec<&LoggedFrame> = self.frames(log).collect();
        let chosen = self.selected.and_then(|number| log.get(number));
        let height = ui.available_height();
        let most = if chosen.is_some() { height * (1.0 - DETAIL) } else { height };
        ui.scope(|ui| self.list(ui, &frames, most));
        if let Some(frame) = chosen {
            ui.separator();
            self.detail(ui, frame);
        }
    }

    /// The frames that are shown.
    fn frames<'a, 's>(&'s self, log: &'a FrameLog) -> impl Iterator<Item = &'a LoggedFrame> + use<'a, 's> {
        log.iter().filter(|frame| Some(frame.number) <= self.paused_at && self.filter.shows(frame))
    }

    /// Watches the log while the list goes on, unless the game already does.
    fn watch(&mut self, log: &mut FrameLog) {
        let wanted = !self.is_paused;
        if wanted && !log.is_watching() {
            log.watch(true);
            self.watches = true;
        } else if !wanted && self.watches {
            log.watch(false);
            self.watches = false;
        }
    }

    fn toolbar(&mut self, ui: &mut Ui, log: &mut FrameLog) {
        ui.horizontal_wrapped(|ui| {
            ComboBox::from_id_salt("channel").selected_text(self.filter.words()).show_ui(ui, |ui| {
                let channels = log.channels().into_iter().cloned().map(ChannelFilter::Channel);
                for filter in [ChannelFilter::All, ChannelFilter::Connection].into_iter().chain(channels) {
                    let text = filter.words().to_owned();
                    ui.selectable_value(&mut self.filter, filter, text);
                }
            });
            if ui.button(if self.is_paused { "Resume" } else { "Pause" }).clicked() {
                self.is_paused ^= true;
            }
            if ui.button("Clear").clicked() {
                log.clear();
                self.selected = None;
            }
            if ui.button("Copy all").on_hover_text("The frames in the list, as lines of JSON").clicked() {
                let lines: Vec<String> = self.frames(log).map(|frame| as_json(frame).to_string()).collect();
                ui.ctx().copy_text(lines.join("\n"));
            }
            let (shown, missed) = (self.frames(log).count(), log.missed());
            let missed = if missed > 0 { format!(", {missed} missed") } else { String::new() };
            ui.label(muted(ui, format!("{shown} of {}{missed}", counted(log.len()))));
        });
    }

    fn list(&mut self, ui: &mut Ui, frames: &[&LoggedFrame], most: f32) {
        if frames.is_empty() {
            ui.label(muted(ui, "No frames yet. Each frame that is sent or received from now on appears here."));
        }
        // Rows are as high as their text, whatever the game's style says about buttons: the list draws only the visible
        // ones.
        let height = ui.text_style_height(&TextStyle::Monospace);
        let spacing = ui.spacing_mut();
        (spacing.interact_size.y, spacing.button_padding.y, spacing.item_spacing.y) = (height, 0.0, ROW_GAP);
        let mut scroll = ScrollArea::vertical().max_height(most).auto_shrink(false).stick_to_bottom(!self.is_paused);
        // The list has just become shorter, and the chosen frame must stay visible.
        if std::mem::take(&mut self.is_chosen_now)
            && let Some(row) = frames.iter().position(|frame| self.selected == Some(frame.number))
        {
            let above = row as f32 * (height + ui.spacing().item_spacing.y);
            scroll = scroll.vertical_scroll_offset((above - most / 2.0).max(0.0));
        }
        scroll.show_rows(ui, height, frames.len(), |ui, rows| {
            for frame in &frames[rows] {
                let text = RichText::new(row(frame)).monospace();
                let text = match frame.direction {
                    FrameDirection::Out => text.color(ui.visuals().hyperlink_color),
                    FrameDirection::In => text,
                };
                let is_chosen = self.selected == Some(frame.number);
                let label = Button::selectable(is_chosen, text).truncate().frame_when_inactive(false);
                if ui.add(label).clicked() {
                    self.selected = (!is_chosen).then_some(frame.number);
                    self.pretty = pretty(&frame.text);
                    self.is_chosen_now = true;
                }
            }
        });
    }

    fn detail(&self, ui: &mut Ui, frame: &LoggedFrame) {
        ui.horizontal(|ui| {
            ui.strong(format!("Frame {}", frame.number));
            ui.label(muted(ui, format!("{} bytes {}", frame.bytes, direction(frame))));
            if ui.button("Copy frame").clicked() {
                ui.ctx().copy_text(self.pretty.clone());
            }
        });
        ScrollArea::both().id_salt("frame").auto_shrink(false).show(ui, |ui| ui.monospace(&self.pretty));
    }
}

/// Stops watching the log when the inspector is no longer shown.
pub(super) fn rest_unless_shown(mut inspector: ResMut<Inspector>, mut log: ResMut<FrameLog>) {
    if !inspector.is_shown && inspector.watches {
        log.watch(false);
        inspector.watches = false;
    }
    if inspector.is_shown {
        inspector.is_shown = false;
    }
}

/// A frame in one line, in columns.
fn row(frame: &LoggedFrame) -> String {
    let action = frame.action.map_or_else(|| "?".to_owned(), |action| format!("{action:?}"));
    let channel = frame.channel.as_ref().map(ChannelName::as_str).unwrap_or_default();
    let channel: String = match channel.chars().count() {
        0..=CHANNEL => channel.to_owned(),
        _ => channel.chars().take(CHANNEL - 1).chain(['…']).collect(),
    };
    let (at, way) = (frame.at.as_secs_f64(), direction(frame));
    format!("{at:>9.3}  {way:<3} {:>6}  {action:<10} {channel:<CHANNEL$} {}", frame.bytes, frame.summary)
}

fn direction(frame: &LoggedFrame) -> &'static str {
    match frame.direction {
        FrameDirection::In => "in",
        FrameDirection::Out => "out",
    }
}

fn counted(frames: usize) -> String {
    if frames == 1 { "1 frame".to_owned() } else { format!("{frames} frames") }
}

/// A frame's text in lines; unchanged if it is no JSON.
fn pretty(text: &str) -> String {
    let value: Option<Value> = serde_json::from_str(text).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}

/// A frame as an object, for scripts and reports.
fn as_json(frame: &LoggedFrame) -> Value {
    let content = serde_json::from_str(&frame.text).unwrap_or_else(|_| Value::from(frame.text.as_str()));
    json!({
        "number": frame.number, "at_ms": frame.at.as_millis() as u64, "direction": direction(frame),
        "bytes": frame.bytes, "frame": content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_shown_as_it_is() {
        assert_eq!(pretty(r#"{"a":1}"#), "{\n  \"a\": 1\n}");
        assert_eq!(pretty("it is no JSON"), "it is no JSON");
    }
}
