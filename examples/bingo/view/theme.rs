//! How the window looks: its colours, and the few things that everything in it is made of.

#[cfg(any(target_arch = "wasm32", test))]
use std::sync::Arc;

use bevy_egui::egui::{
    Align2, Color32, Context, CornerRadius, FontId, Frame, Margin, Painter, Pos2, Rect, Response, RichText, Sense,
    Shadow, Stroke, StrokeKind, TextStyle, Theme, Ui, Widget, WidgetInfo, WidgetType, vec2,
};
#[cfg(any(target_arch = "wasm32", test))]
use bevy_egui::egui::{FontData, FontDefinitions, FontFamily};

/// Behind everything.
pub const PAPER: Color32 = Color32::from_rgb(0xFD, 0xEB, 0xCF);
/// Behind what belongs together.
pub const CARD: Color32 = Color32::from_rgb(0xFF, 0xFB, 0xF3);
/// Inside a card: fields, free cells.
pub const SAND: Color32 = Color32::from_rgb(0xF6, 0xE6, 0xCC);
/// Where something slides or is ticked.
pub const GROOVE: Color32 = Color32::from_rgb(0xEA, 0xCF, 0xA2);
/// Text.
pub const INK: Color32 = Color32::from_rgb(0x3A, 0x1D, 0x3D);
/// Text that is read second.
pub const MUTED: Color32 = Color32::from_rgb(0x7C, 0x62, 0x74);
/// What to do next.
pub const CORAL: Color32 = Color32::from_rgb(0xD9, 0x48, 0x2B);
/// What else can be done.
pub const TEAL: Color32 = Color32::from_rgb(0x11, 0x75, 0x7E);
/// What is to be celebrated.
pub const SUN: Color32 = Color32::from_rgb(0xFF, 0xC2, 0x3D);
/// All is well.
pub const LEAF: Color32 = Color32::from_rgb(0x2C, 0x96, 0x5A);
/// The ink of the dauber.
pub const DAUB: Color32 = Color32::from_rgb(0xC2, 0x1F, 0x8A);

/// One colour for the numbers of each ten, as on the balls.
const TENS: [Color32; 9] = [
    Color32::from_rgb(0xD9, 0x48, 0x2B),
    Color32::from_rgb(0xB8, 0x6B, 0x00),
    Color32::from_rgb(0x6B, 0x84, 0x10),
    Color32::from_rgb(0x2C, 0x96, 0x5A),
    Color32::from_rgb(0x11, 0x75, 0x7E),
    Color32::from_rgb(0x2B, 0x63, 0xB8),
    Color32::from_rgb(0x5B, 0x47, 0xB0),
    Color32::from_rgb(0x8F, 0x35, 0xA0),
    Color32::from_rgb(0xB8, 0x2B, 0x67),
];

/// The colour of a ball, by the column of its number; more columns than there are begin again.
pub fn tens(column: usize) -> Color32 {
    TENS[column % TENS.len()]
}

/// A paler kin of a colour; 0 leaves it as it is, 1 makes it that of a card.
pub fn pale(color: Color32, how: f32) -> Color32 {
    color.lerp_to_gamma(CARD, how)
}

/// Space between things.
pub const GAP: f32 = 12.0;
/// Height of what a finger can hit.
pub const TOUCH: f32 = 44.0;
/// Round corners of cards.
const CARD_CORNER: u8 = 16;
/// Round corners of buttons and fields.
const CORNER: u8 = 12;
/// How far a button stands out of the page.
const LIP: f32 = 3.0;

/// Sets colours, sizes and fonts, once. They show from the next frame on.
pub fn apply(ctx: &Context) {
    #[cfg(target_arch = "wasm32")]
    ctx.set_fonts(fonts());
    ctx.set_theme(Theme::Light);
    ctx.all_styles_mut(|style| {
        for (text_style, size) in
            [(TextStyle::Body, 16.0), (TextStyle::Button, 16.0), (TextStyle::Small, 13.0), (TextStyle::Heading, 24.0)]
        {
            style.text_styles.insert(text_style, FontId::proportional(size));
        }
        style.spacing.item_spacing = vec2(8.0, 8.0);
        style.spacing.interact_size = vec2(TOUCH, 32.0);
        style.spacing.slider_width = 180.0;
        style.spacing.icon_width = 22.0;
        style.spacing.icon_width_inner = 14.0;
        style.interaction.selectable_labels = false;
        style.interaction.tooltip_delay = 0.1;
        let visuals = &mut style.visuals;
        visuals.override_text_color = Some(INK);
        visuals.panel_fill = PAPER;
        visuals.window_fill = CARD;
        visuals.extreme_bg_color = SAND;
        visuals.faint_bg_color = SAND;
        visuals.selection.bg_fill = pale(TEAL, 0.6);
        visuals.selection.stroke = Stroke::new(2.0, TEAL);
        visuals.slider_trailing_fill = true;
        // Each glyph has one picture then, so that all can be made before they are needed.
        visuals.text_options.subpixel_binning = false;
        visuals.disabled_alpha = 0.45;
        let widgets = &mut visuals.widgets;
        for widget in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active, &mut widgets.open] {
            widget.bg_fill = GROOVE;
            widget.weak_bg_fill = SAND;
            widget.bg_stroke = Stroke::new(1.0, pale(INK, 0.7));
            widget.fg_stroke = Stroke::new(2.0, INK);
            widget.corner_radius = CornerRadius::same(8);
        }
        widgets.noninteractive.bg_stroke = Stroke::new(1.0, pale(INK, 0.8));
    });
}

/// The fonts of a page, which is downloaded: egui's own for text, and of its symbols those that the game shows. Egui's
/// four weigh 0.6 MB more, for emoji and code.
#[cfg(any(target_arch = "wasm32", test))]
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    for (name, bytes) in [
        ("Ubuntu-Light", include_bytes!("../../../assets/fonts/Ubuntu-Light.ttf").as_slice()),
        ("Symbols", include_bytes!("../../../assets/fonts/Symbols.ttf").as_slice()),
    ] {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        for family in [FontFamily::Proportional, FontFamily::Monospace] {
            fonts.families.entry(family).or_default().push(name.to_owned());
        }
    }
    fonts
}

/// A piece of the page.
pub fn card() -> Frame {
    Frame::new().fill(CARD).corner_radius(CARD_CORNER).inner_margin(Margin::same(14)).shadow(Shadow {
        offset: [0, 3],
        blur: 10,
        spread: 0,
        color: INK.gamma_multiply(0.14),
    })
}

/// A line of news in a colour of its own.
pub fn banner(ui: &mut Ui, fill: Color32, text: &str) {
    Frame::new().fill(fill).corner_radius(CORNER).inner_margin(Margin::symmetric(14, 8)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(text).color(ink_on(fill)));
    });
}

/// A word in a small round box.
pub fn tag(ui: &mut Ui, fill: Color32, text: &str) -> Response {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(13.0), ink_on(fill));
    let (rect, response) = ui.allocate_exact_size(galley.size() + vec2(14.0, 6.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, text));
    ui.painter().rect_filled(rect, 9, fill);
    ui.painter().galley(rect.min + vec2(7.0, 3.0), galley, ink_on(fill));
    response
}

/// Text that is read second.
pub fn muted(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.label(RichText::new(text).size(14.0).color(MUTED))
}

/// A heading in bold type. Takes one line.
pub fn heading(ui: &mut Ui, size: f32, color: Color32, text: &str) -> Response {
    let galley = ui.painter().layout(text.to_owned(), FontId::proportional(size), color, ui.available_width());
    let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::hover());
    for offset in thickness(size) {
        ui.painter().galley(rect.min + vec2(offset, 0.0), galley.clone(), color);
    }
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Label, true, text));
    response
}

/// Paints text in bold type. The engine's font has one weight: thicker strokes are painted side by side.
pub fn bold(painter: &Painter, at: Pos2, anchor: Align2, text: &str, size: f32, color: Color32) -> Rect {
    let galley = painter.layout_no_wrap(text.to_owned(), FontId::proportional(size), color);
    let rect = anchor.anchor_size(at, galley.size());
    for offset in thickness(size) {
        painter.galley(rect.min + vec2(offset, 0.0), galley.clone(), color);
    }
    rect
}

fn thickness(size: f32) -> [f32; 3] {
    let half = (size * 0.022).max(0.3);
    [-half, 0.0, half]
}

/// The text colour that can be read on this one.
pub fn ink_on(fill: Color32) -> Color32 {
    let [red, green, blue, _] = fill.to_array().map(f32::from);
    // Perceived brightness, by the weights of ITU-R BT.601.
    if 0.299 * red + 0.587 * green + 0.114 * blue > 150.0 { INK } else { CARD }
}

/// A button that looks as if it could be pressed.
#[must_use = "add it to the page"]
pub struct Button<'a> {
    text: &'a str,
    fill: Color32,
    size: f32,
    width: Option<f32>,
}

impl<'a> Button<'a> {
    /// What to do next.
    pub fn primary(text: &'a str) -> Self {
        Self { text, fill: CORAL, size: 18.0, width: None }
    }

    /// What else can be done.
    pub fn secondary(text: &'a str) -> Self {
        Self { fill: TEAL, ..Self::primary(text) }
    }

    /// What need not be done.
    pub fn quiet(text: &'a str) -> Self {
        Self { fill: SAND, size: 16.0, ..Self::primary(text) }
    }

    /// In another colour.
    pub fn fill(self, fill: Color32) -> Self {
        Self { fill, ..self }
    }

    /// With larger or smaller text.
    pub fn size(self, size: f32) -> Self {
        Self { size, ..self }
    }

    /// As wide as this at least.
    pub fn width(self, width: f32) -> Self {
        Self { width: Some(width), ..self }
    }
}

impl Widget for Button<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let ink = ink_on(self.fill);
        let galley = ui.painter().layout_no_wrap(self.text.to_owned(), FontId::proportional(self.size), ink);
        let height = (galley.size().y + 16.0).max(TOUCH) + LIP;
        let width = (galley.size().x + 28.0).max(self.width.unwrap_or(TOUCH));
        let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, ui.is_enabled(), self.text));
        if ui.is_rect_visible(rect) {
            let down = if response.is_pointer_button_down_on() { LIP } else { 0.0 };
            let fill = if response.hovered() { self.fill.lerp_to_gamma(Color32::WHITE, 0.15) } else { self.fill };
            let face = Rect::from_min_size(rect.min + vec2(0.0, down), rect.size() - vec2(0.0, LIP));
            let painter = ui.painter();
            painter.rect_filled(rect.with_min_y(rect.min.y + LIP), CORNER, self.fill.lerp_to_gamma(INK, 0.4));
            painter.rect_filled(face, CORNER, fill);
            if response.has_focus() {
                painter.rect_stroke(face, CORNER, Stroke::new(2.0, INK), StrokeKind::Inside);
            }
            bold(painter, face.center(), Align2::CENTER_CENTER, self.text, self.size, ink);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use bevy_egui::egui::RawInput;

    use super::*;

    /// The symbols in the sources of a folder.
    fn symbols_in(folder: &Path, found: &mut BTreeSet<char>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                symbols_in(&entry, found);
            } else {
                found.extend(fs::read_to_string(entry).unwrap().chars().filter(|symbol| !symbol.is_ascii()));
            }
        }
    }

    #[test]
    fn the_fonts_of_a_page_have_every_symbol_that_is_shown() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut symbols = BTreeSet::new();
        ["examples/bingo", "src/ui"].iter().for_each(|folder| symbols_in(&root.join(folder), &mut symbols));
        assert!(symbols.contains(&'★'));
        let ctx = Context::default();
        ctx.set_fonts(fonts());
        // They are there from the next frame on.
        let mut output = ctx.run_ui(RawInput::default(), |_| {});
        output.textures_delta.clear();
        for font in [FontId::proportional(16.0), FontId::monospace(16.0)] {
            let picture = |symbol: char| {
                let galley = ctx.fonts_mut(|fonts| fonts.layout_no_wrap(symbol.into(), font.clone(), INK));
                galley.rows[0].glyphs[0].uv_rect
            };
            // What no font has is shown as this is, which is for private use.
            let none = picture('\u{E123}');
            let lacks = |symbol: &&char| picture(**symbol) == none;
            assert_eq!(symbols.iter().filter(lacks).collect::<String>(), "", "{:?}", font.family);
        }
    }

    #[test]
    fn text_stands_out_on_every_colour_of_the_palette() {
        let luma = |color: Color32| {
            let [red, green, blue, _] = color.to_array().map(f32::from);
            0.299 * red + 0.587 * green + 0.114 * blue
        };
        for fill in [PAPER, CARD, SAND, GROOVE, CORAL, TEAL, SUN, LEAF, DAUB].into_iter().chain(TENS) {
            assert!((luma(fill) - luma(ink_on(fill))).abs() > 100.0, "{fill:?}");
        }
    }
}
