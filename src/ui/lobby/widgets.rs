//! The pieces that the lobby is made of.

use bevy_egui::egui::{Align, Button, Frame, Label, Layout, Margin, Response, RichText, TextEdit, Ui, vec2};

/// The largest width of the form.
const WIDEST: f32 = 420.0;
/// The height of a button that a finger can hit.
const BUTTON: f32 = 30.0;
/// The space between things that do not belong together.
pub(super) const GAP: f32 = 8.0;

/// A column that is narrow enough to read.
pub(super) fn column<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    let size = vec2(ui.available_width().min(WIDEST), 0.0);
    ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), content).inner
}

/// A field with its label, and a dice button for another value.
pub(super) fn field(
    ui: &mut Ui,
    label: &str,
    value: &mut String,
    limit: usize,
    hint: &str,
    other: fn() -> String,
) -> Response {
    let label = ui.label(label);
    let field = ui.horizontal(|ui| {
        let size = vec2(BUTTON, BUTTON);
        let margin = Margin::symmetric(8, 6);
        let width = ui.available_width() - size.x - ui.spacing().item_spacing.x;
        let edit = TextEdit::singleline(value).char_limit(limit).margin(margin).desired_width(width);
        let field = ui.add(edit).labelled_by(label.id);
        if ui.add_sized(size, Button::new(RichText::new("🎲").size(18.0))).on_hover_text(hint).clicked() {
            *value = other();
        }
        field
    });
    ui.add_space(GAP / 2.0);
    field.inner
}

/// A button over the whole width. If it is the next thing to do, it has the colour of selections.
pub(super) fn wide(ui: &mut Ui, text: &str, is_next: bool) -> Response {
    let selection = ui.visuals().selection;
    let button = match is_next {
        true => Button::new(RichText::new(text).color(selection.stroke.color)).fill(selection.bg_fill),
        false => Button::new(text),
    };
    ui.add_sized(vec2(ui.available_width(), BUTTON), button)
}

pub(super) fn show_flaw(ui: &mut Ui, flaw: Option<&str>) {
    if let Some(flaw) = flaw {
        ui.add(Label::new(RichText::new(flaw).color(ui.visuals().error_fg_color)).wrap());
    }
}

/// Trouble, in a box.
pub(super) fn notice(ui: &mut Ui, text: &str) {
    let frame = Frame::new().fill(ui.visuals().faint_bg_color).corner_radius(6).inner_margin(Margin::same(8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.add(Label::new(RichText::new(text).color(ui.visuals().warn_fg_color)).wrap());
    });
}
