//! A QR code, which a phone's camera reads a link from.

use bevy_egui::egui::{Color32, Rect, Sense, Shape, Ui, WidgetInfo, WidgetType, pos2, vec2};
use qrcode::{Color, EcLevel, QrCode};

/// Empty modules around the code, which a camera needs to find it (ISO/IEC 18004).
const QUIET: usize = 4;

/// Shows the text as a code that is about as wide as this; a text that is too long for one is left out.
pub fn show(ui: &mut Ui, text: &str, width: f32) {
    // A screen does not tear: more modules for mending would only be smaller ones.
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else { return };
    let modules = code.width();
    // Whole pixels: blurred edges are hard to read.
    let pixel = ui.pixels_per_point();
    let side = (width * pixel / (modules + 2 * QUIET) as f32).floor().max(1.0) / pixel;
    let (rect, response) = ui.allocate_exact_size(vec2(1.0, 1.0) * side * (modules + 2 * QUIET) as f32, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, format!("QR code of {text}")));
    let colors = code.to_colors();
    let dark = runs(&colors, modules).map(|(row, columns)| {
        let from = rect.min + vec2((QUIET + columns.start) as f32, (QUIET + row) as f32) * side;
        let run = Rect::from_min_size(from, vec2(columns.len() as f32, 1.0) * side);
        // Rounded to where pixels begin, or else the seams between rows show.
        let snap = |value: f32| (value * pixel).round() / pixel;
        let (min, max) = (pos2(snap(run.min.x), snap(run.min.y)), pos2(snap(run.max.x), snap(run.max.y)));
        Shape::rect_filled(Rect::from_min_max(min, max), 0, Color32::BLACK)
    });
    let paper = Shape::rect_filled(rect, 8, Color32::WHITE);
    ui.painter().extend(std::iter::once(paper).chain(dark));
}

/// The dark modules: for each row the columns of those that are side by side.
fn runs(colors: &[Color], modules: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    colors.chunks(modules).enumerate().flat_map(|(row, colors)| {
        let mut column = 0;
        colors.chunk_by(|one, next| one == next).filter_map(move |run| {
            let columns = column..column + run.len();
            column = columns.end;
            (run[0] == Color::Dark).then_some((row, columns))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_the_dark_modules_and_no_others() {
        let code = QrCode::with_error_correction_level("http://192.168.1.20:8787/?room=den", EcLevel::L).unwrap();
        let mut painted = vec![Color::Light; code.width() * code.width()];
        for (row, columns) in runs(&code.to_colors(), code.width()) {
            assert!(!columns.is_empty());
            painted[row * code.width()..][columns].fill(Color::Dark);
        }
        assert_eq!(painted, code.to_colors());
    }
}
