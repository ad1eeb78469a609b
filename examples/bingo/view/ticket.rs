//! Tickets: drawn, and marked with a click.

use bevy_egui::egui::{
    Align2, Color32, CursorIcon, Painter, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, WidgetType,
    pos2, vec2,
};

use super::theme::{self, CARD, DAUB, INK, SAND};
use crate::{
    card::{COLUMNS, Number, ROWS, Strip, TICKETS, Ticket},
    rules::Marks,
};

/// Border of a ticket, and half of the space between two.
const MARGIN: f32 = 6.0;
/// Cells smaller than this cannot be read, larger ones look clumsy, in points.
const CELL: std::ops::RangeInclusive<f32> = 24.0..=58.0;
/// From this width on two tickets fit side by side.
const TWO_COLUMNS_FROM: f32 = 560.0;

/// How the six tickets are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Tickets side by side.
    pub columns: usize,
    /// Side of a cell, in points.
    pub cell: f32,
}

impl Plan {
    /// The largest tickets that fit the width, and the height too where the tickets can still be read then.
    pub fn fit(width: f32, height: f32) -> Self {
        let columns = if width >= TWO_COLUMNS_FROM { 2 } else { 1 };
        let rows = TICKETS.div_ceil(columns);
        let cell = |space: f32, parts: usize, cells: usize| (space / parts as f32 - 4.0 * MARGIN) / cells as f32;
        let by_width = cell(width, columns, COLUMNS);
        let by_height = cell(height, rows, ROWS);
        let cell = if columns > 1 { by_width.min(by_height.max(*CELL.start() + 6.0)) } else { by_width };
        Self { columns, cell: cell.clamp(*CELL.start(), *CELL.end()).floor() }
    }

    fn ticket_size(self) -> Vec2 {
        vec2(COLUMNS as f32, ROWS as f32) * self.cell + vec2(1.0, 1.0) * (2.0 * MARGIN)
    }
}

/// Shows the tickets. Returns the number that was clicked.
pub fn strip(ui: &mut Ui, plan: Plan, strip: &Strip, marks: Marks, can_mark: bool) -> Option<Number> {
    let size = plan.ticket_size();
    let step = size + vec2(2.0, 2.0) * MARGIN;
    let rows = TICKETS.div_ceil(plan.columns);
    let whole = vec2(step.x * plan.columns as f32, step.y * rows as f32) - vec2(2.0, 2.0) * MARGIN;
    let (space, _) = ui.allocate_exact_size(vec2(ui.available_width().max(whole.x), whole.y), Sense::hover());
    let origin = pos2((space.center().x - whole.x / 2.0).max(space.min.x), space.min.y);
    let mut clicked = None;
    for (index, held) in strip.tickets().iter().enumerate() {
        let place = vec2((index % plan.columns) as f32, (index / plan.columns) as f32);
        let rect = Rect::from_min_size(origin + step * place, size);
        if ui.is_rect_visible(rect) {
            clicked = ticket(ui, rect, plan.cell, held, theme::tens(index + 3), marks, can_mark).or(clicked);
        }
    }
    clicked
}

fn ticket(
    ui: &mut Ui,
    rect: Rect,
    cell: f32,
    held: &Ticket,
    color: Color32,
    marks: Marks,
    can_mark: bool,
) -> Option<Number> {
    ui.painter().rect_filled(rect.translate(vec2(0.0, 2.0)), 10, theme::INK.gamma_multiply(0.18));
    ui.painter().rect_filled(rect, 10, color);
    let mut clicked = None;
    for (row, cells) in held.rows().iter().enumerate() {
        for (column, content) in cells.iter().enumerate() {
            let corner = rect.min + vec2(MARGIN, MARGIN) + vec2(column as f32, row as f32) * cell;
            let space = Rect::from_min_size(corner, vec2(cell, cell)).shrink(1.0);
            match content {
                Some(number) if number_cell(ui, space, *number, marks.contains(*number), can_mark) => {
                    clicked = Some(*number);
                }
                Some(_) => {}
                None => drop(ui.painter().rect_filled(space, 5, theme::pale(color, 0.45))),
            }
        }
    }
    clicked
}

/// One cell with a number; says whether it was clicked.
fn number_cell(ui: &mut Ui, rect: Rect, number: Number, marked: bool, can_mark: bool) -> bool {
    let sense = if can_mark { Sense::click() } else { Sense::hover() };
    // A strip has each number once.
    let response = ui.interact(rect, ui.id().with(("cell", number.get())), sense);
    response.widget_info(|| WidgetInfo::selected(WidgetType::Checkbox, can_mark, marked, number.to_string()));
    let painter = ui.painter();
    let hovered = can_mark && response.hovered();
    painter.rect_filled(rect, 5, if hovered { SAND } else { CARD });
    if marked {
        daub(painter, rect, number);
    }
    if hovered || response.has_focus() {
        painter.rect_stroke(rect, 5, Stroke::new(1.5, DAUB), StrokeKind::Inside);
    }
    let ink = if marked { CARD } else { INK };
    theme::bold(painter, rect.center(), Align2::CENTER_CENTER, &number.to_string(), rect.height() * 0.5, ink);
    if can_mark {
        response.clone().on_hover_cursor(CursorIcon::PointingHand);
    }
    response.clicked()
}

/// A blot of ink, never twice quite the same.
fn daub(painter: &Painter, rect: Rect, number: Number) {
    let radius = rect.height() * 0.44;
    let turn = f32::from(number.get());
    let off = |by: f32| -> Pos2 { rect.center() + vec2((turn * by).sin(), (turn * by).cos()) * radius * 0.09 };
    painter.circle_filled(off(1.7), radius, DAUB.gamma_multiply(0.55));
    painter.circle_filled(off(4.1), radius * 0.94, DAUB.gamma_multiply(0.8));
    painter.circle_filled(off(2.3), radius * 0.86, DAUB);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_shows_one_ticket_beside_none_and_a_desktop_two() {
        assert_eq!(Plan::fit(370.0, 800.0).columns, 1);
        assert_eq!(Plan::fit(900.0, 560.0).columns, 2);
    }

    #[test]
    fn tickets_are_as_wide_as_their_space_at_most() {
        for width in (260..1600).map(|width| width as f32) {
            let plan = Plan::fit(width, 600.0);
            let used = plan.columns as f32 * (plan.ticket_size().x + 2.0 * MARGIN) - 2.0 * MARGIN;
            assert!(used <= width, "{used} of {width}");
        }
    }

    #[test]
    fn on_a_desktop_all_six_tickets_are_seen_at_once() {
        let plan = Plan::fit(920.0, 540.0);
        assert!(3.0 * (plan.ticket_size().y + 2.0 * MARGIN) - 2.0 * MARGIN <= 540.0, "{plan:?}");
    }

    #[test]
    fn cells_on_a_phone_can_be_hit_with_a_finger() {
        assert!(Plan::fit(376.0, 700.0).cell >= 36.0);
    }
}
