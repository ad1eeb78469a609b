//! The game: where everything has its place, in a wide window and on a phone.

use bevy_egui::egui::{Align, CentralPanel, Frame, Layout, Margin, Panel, ScrollArea, Ui, vec2};

use super::{
    between, call, claim, header, roster,
    scene::{Scene, Wish},
    theme::{self, CARD, CORAL, GAP, INK, PAPER, SUN, TEAL},
    ticket::{self, Plan},
};

/// From this width on the board and the players have a column of their own.
const WIDE_FROM: f32 = 900.0;
/// Width of that column.
const SIDE: f32 = 300.0;
/// Width of the column with the button.
const SHOUT: f32 = 250.0;
/// Widest that text and settings become.
const READABLE: f32 = 620.0;
/// Height of the present call, in a wide window and on a phone.
const CALL: [f32; 2] = [128.0, 84.0];

/// Shows it. Returns how much of the foot of the window is taken.
pub fn show(ui: &mut Ui, scene: &Scene, copied: &mut Option<std::time::Duration>, wishes: &mut Vec<Wish>) -> f32 {
    let top = Frame::new().fill(INK).inner_margin(Margin::symmetric(14, 6));
    Panel::top("header").frame(top).show_separator_line(false).show(ui, |ui| header::show(ui, scene, copied, wishes));
    if let Some(notice) = scene.notice() {
        page("notice", ui, |ui| theme::banner(ui, CORAL, &notice));
    }
    if ui.available_width() >= WIDE_FROM {
        wide(ui, scene, wishes);
        GAP
    } else {
        narrow(ui, scene, wishes)
    }
}

fn page(id: &'static str, ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let frame = Frame::new().fill(PAPER).inner_margin(Margin { top: 8, ..Margin::symmetric(12, 0) });
    Panel::top(id).frame(frame).show_separator_line(false).show(ui, content);
}

fn wide(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) {
    let frame = Frame::new().fill(PAPER).inner_margin(Margin { left: 0, ..Margin::same(12) });
    Panel::right("side").frame(frame).exact_size(SIDE).resizable(false).show_separator_line(false).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
            if scene.table.round() > 0 {
                section(ui, "Called", |ui| call::board(ui, scene.table.called()));
                prizes(ui, scene);
            }
            section(ui, &players(scene), |ui| roster::show(ui, scene));
        });
    });
    CentralPanel::default().frame(Frame::new().fill(PAPER).inner_margin(Margin::same(12))).show(ui, |ui| {
        if scene.is_running() {
            theme::card().show(ui, |ui| {
                ui.horizontal_top(|ui| {
                    if scene.we_watch() {
                        call::present(ui, scene.table.called(), CALL[0]);
                        return;
                    }
                    let width = ui.available_width() - SHOUT - GAP;
                    ui.allocate_ui(vec2(width, CALL[0]), |ui| call::present(ui, scene.table.called(), CALL[0]));
                    ui.vertical(|ui| {
                        ui.set_width(SHOUT);
                        shout(ui, scene, wishes);
                    });
                });
            });
            ui.add_space(GAP);
        }
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            if !scene.is_running() {
                between_rounds(ui, scene, wishes);
            }
            tickets(ui, scene, wishes);
        });
    });
}

/// Returns how much of the foot is taken.
fn narrow(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) -> f32 {
    let mut foot = GAP;
    if scene.is_running() {
        page("call", ui, |ui| {
            theme::card().show(ui, |ui| call::present(ui, scene.table.called(), CALL[1]));
            ui.add_space(8.0);
        });
        let frame = Frame::new().fill(CARD).inner_margin(Margin::symmetric(12, 8));
        if !scene.we_watch() {
            let panel = Panel::bottom("shout").frame(frame).show(ui, |ui| shout(ui, scene, wishes));
            foot += panel.response.rect.height();
        }
    }
    CentralPanel::default().frame(Frame::new().fill(PAPER).inner_margin(Margin::symmetric(12, 4))).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            if !scene.is_running() {
                ui.add_space(8.0);
                between_rounds(ui, scene, wishes);
            }
            tickets(ui, scene, wishes);
            ui.add_space(GAP);
            if scene.table.round() > 0 {
                prizes(ui, scene);
                section(ui, "Called", |ui| call::board(ui, scene.table.called()));
            }
            section(ui, &players(scene), |ui| roster::show(ui, scene));
        });
    });
    foot
}

fn between_rounds(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) {
    ui.vertical_centered(|ui| {
        ui.set_max_width(ui.available_width().min(READABLE));
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            between::show(ui, scene, wishes);
        });
    });
    ui.add_space(GAP);
}

fn section(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui)) {
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        theme::heading(ui, 18.0, INK, title);
        content(ui);
    });
    ui.add_space(GAP);
}

/// The prizes, unless the result of the round lists them.
fn prizes(ui: &mut Ui, scene: &Scene) {
    if scene.is_running() {
        section(ui, "Prizes", |ui| claim::prizes(ui, scene));
    }
}

fn players(scene: &Scene) -> String {
    match scene.roster.len() {
        1 => "1 player".to_owned(),
        players => format!("{players} players"),
    }
}

fn shout(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) {
    claim::button(ui, scene, wishes);
    claim::notice(ui, scene);
    if scene.table.settings().automark {
        let mut mark_for_me = scene.style.automark;
        if ui.checkbox(&mut mark_for_me, "Mark my tickets for me").changed() {
            wishes.push(Wish::MarkForMe(mark_for_me));
        }
    }
}

fn tickets(ui: &mut Ui, scene: &Scene, wishes: &mut Vec<Wish>) {
    let plan = Plan::fit(ui.available_width(), ui.clip_rect().height());
    if scene.we_watch() {
        theme::banner(ui, TEAL, "You are watching this round. You play in the next one.");
        ui.add_space(GAP);
        between::rules(ui);
    } else if let Some(strip) = scene.strip() {
        let clicked = ticket::strip(ui, plan, strip, scene.hand.marks, scene.is_running());
        wishes.extend(clicked.map(Wish::Toggle));
    } else if scene.is_running() {
        theme::banner(ui, SUN, "Your tickets are being dealt …");
    }
}
