//! Colours and small widgets that the parts share.

use bevy_egui::egui::{Color32, Response, RichText, Sense, TextStyle, Ui, Vec2, Widget, WidgetInfo, WidgetType, vec2};

pub(super) use crate::plugin::notice::sentence;

/// The diameter of a lamp.
const LAMP: f32 = 10.0;
/// The space around the text in a tag.
const TAG_MARGIN: Vec2 = vec2(6.0, 2.0);
/// The share of the text colour that secondary text has.
const PALE: f32 = 0.87;
/// The radius of a tag's corners.
const TAG_CORNER: u8 = 6;

/// A state at a glance. It is a widget too: `ui.add(Lamp::Good)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lamp {
    /// Everything works.
    Good,
    /// On the way to work.
    Busy,
    /// Something is wrong.
    Bad,
    /// Not in use.
    Off,
}

impl Lamp {
    /// Its colour. The colours differ clearly on a light and on a dark background.
    pub fn color(self) -> Color32 {
        match self {
            Self::Good => Color32::from_rgb(0x2C, 0x9A, 0x5C),
            Self::Busy => Color32::from_rgb(0xE0, 0x9B, 0x1A),
            Self::Bad => Color32::from_rgb(0xD4, 0x3D, 0x2A),
            Self::Off => Color32::from_rgb(0x8A, 0x8A, 0x92),
        }
    }
}

impl Widget for Lamp {
    fn ui(self, ui: &mut Ui) -> Response {
        let (rect, response) = ui.allocate_exact_size(vec2(LAMP, LAMP), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, format!("{self:?}")));
        ui.painter().circle_filled(rect.center(), LAMP / 2.0, self.color());
        response
    }
}

/// A text in a small rounded box.
pub(super) fn tag(ui: &mut Ui, text: &str) -> Response {
    let visuals = &ui.visuals().widgets.inactive;
    let (fill, ink) = (visuals.weak_bg_fill, visuals.text_color());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), TextStyle::Small.resolve(ui.style()), ink);
    let (rect, response) = ui.allocate_exact_size(galley.size() + 2.0 * TAG_MARGIN, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, text));
    ui.painter().rect_filled(rect, TAG_CORNER, fill);
    ui.painter().galley(rect.min + TAG_MARGIN, galley, ink);
    response
}

/// Secondary text: paler than the game's text, but not as pale as egui's weak text.
pub(super) fn muted(ui: &Ui, text: impl Into<RichText>) -> RichText {
    text.into().color(ui.visuals().text_color().gamma_multiply(PALE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lamps_differ() {
        let colors = [Lamp::Good, Lamp::Busy, Lamp::Bad, Lamp::Off].map(|lamp| lamp.color().to_array());
        assert_eq!(colors.into_iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
