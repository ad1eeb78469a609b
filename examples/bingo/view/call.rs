//! What is called: the present number in large, the last few, and the board of all ninety.

use bevy_egui::egui::{Align2, FontId, Painter, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

use super::theme::{self, CARD, INK, MUTED, SAND, SUN};
use crate::{
    caller::nickname,
    card::{Number, NumberSet},
};

/// How many calls before the present one are shown at most.
const EARLIER: usize = 5;
/// Numbers in a row of the board.
const BOARD_COLUMNS: usize = 10;

/// The letters of all nicknames. A letter that is new to the screen shows a frame late, so they are laid out beforehand.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'!,.-";

/// Shows the present call in a strip of this height, and as many of those before it as fit.
pub fn present(ui: &mut Ui, called: &[Number], height: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let painter = ui.painter().with_clip_rect(rect.expand(4.0));
    let radius = height / 2.0;
    let largest = (height * 0.27).clamp(20.0, 34.0);
    for size in [largest, 15.0, radius * 0.78] {
        let _ = painter.layout_no_wrap(LETTERS.to_owned(), FontId::proportional(size), INK);
    }
    let Some((number, earlier)) = called.split_last() else {
        theme::bold(&painter, rect.left_center(), Align2::LEFT_CENTER, "Eyes down!", height * 0.3, INK);
        return;
    };
    ball(&painter, rect.left_center() + vec2(radius, 0.0), radius, *number);
    let x = rect.min.x + height + 14.0;
    let width = rect.max.x - x;
    let size = fitting(&painter, nickname(*number), width, largest);
    theme::bold(&painter, pos2(x, rect.min.y), Align2::LEFT_TOP, nickname(*number), size, INK);
    let below = rect.min.y + size * 1.3;
    let count = format!("Number {number}, call {} of {}", called.len(), Number::all().count());
    painter.text(pos2(x, below), Align2::LEFT_TOP, count, FontId::proportional(15.0), MUTED);
    let small = ((rect.max.y - below - 24.0) / 2.0).clamp(8.0, 18.0);
    let fit = (width / (2.0 * small + 6.0)) as usize;
    for (index, number) in earlier.iter().rev().take(EARLIER.min(fit)).enumerate() {
        let center = pos2(x + small + index as f32 * (2.0 * small + 6.0), rect.max.y - small - 1.0);
        ball(&painter, center, small, *number);
    }
}

/// The largest size up to this one in which the text is no wider than that.
fn fitting(painter: &Painter, text: &str, width: f32, size: f32) -> f32 {
    let font = FontId::proportional(size);
    let taken = painter.layout_no_wrap(text.to_owned(), font, INK).size().x;
    size * (width / taken.max(1.0)).min(1.0)
}

fn ball(painter: &Painter, center: Pos2, radius: f32, number: Number) {
    let color = theme::tens(number.column());
    painter.circle_filled(center + vec2(0.0, radius * 0.06), radius * 0.97, INK.gamma_multiply(0.2));
    painter.circle_filled(center, radius * 0.96, color);
    painter.circle_filled(center - vec2(radius * 0.3, radius * 0.36), radius * 0.42, theme::pale(color, 0.25));
    painter.circle_filled(center, radius * 0.64, CARD);
    theme::bold(painter, center, Align2::CENTER_CENTER, &number.to_string(), radius * 0.78, INK);
}

/// Shows which of the ninety numbers were called.
pub fn board(ui: &mut Ui, called: &[Number]) {
    let step = (ui.available_width() / BOARD_COLUMNS as f32).min(36.0);
    let rows = Number::all().count().div_ceil(BOARD_COLUMNS);
    let height = (step * 0.86).floor();
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), rows as f32 * height), Sense::hover());
    let left = rect.center().x - step * BOARD_COLUMNS as f32 / 2.0;
    let painter = ui.painter();
    let set: NumberSet = called.iter().copied().collect();
    for (index, number) in Number::all().enumerate() {
        let corner =
            pos2(left + (index % BOARD_COLUMNS) as f32 * step, rect.min.y + (index / BOARD_COLUMNS) as f32 * height);
        let cell = Rect::from_min_size(corner, vec2(step, height)).shrink(1.5);
        let text = number.to_string();
        if set.contains(number) {
            painter.rect_filled(cell, 6, theme::tens(number.column()));
            theme::bold(painter, cell.center(), Align2::CENTER_CENTER, &text, height * 0.52, CARD);
        } else {
            painter.rect_filled(cell, 6, SAND);
            let font = FontId::proportional(height * 0.5);
            painter.text(cell.center(), Align2::CENTER_CENTER, text, font, MUTED);
        }
        if called.last() == Some(&number) {
            painter.rect_stroke(cell, 6, Stroke::new(2.5, SUN), StrokeKind::Outside);
        }
    }
}
