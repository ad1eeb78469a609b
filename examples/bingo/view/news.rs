//! What has just happened, told for a moment at the foot of the window.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use bevy::prelude::*;
use bevy_egui::egui::{self, Align2, Area, Id, Margin, Order, RichText, vec2};
use bevy_rooms::prelude::*;

use super::theme::{self, CORAL, SUN, TEAL};
use crate::{
    net::{Shouted, Table},
    rules::{PlayerId as Winner, Prize},
};

/// How long a line is shown.
const SHOWN_FOR: Duration = Duration::from_secs(4);
/// The last part of it, in which it fades.
const FADES_FOR: Duration = Duration::from_millis(600);
/// Most lines at a time; older ones go.
const MOST: usize = 3;

/// What has just happened.
#[derive(Resource, Debug, Default)]
pub struct News {
    lines: VecDeque<Line>,
}

#[derive(Clone, Debug, PartialEq)]
struct Line {
    at: Duration,
    text: String,
    color: egui::Color32,
}

impl News {
    fn tell(&mut self, at: Duration, color: egui::Color32, text: String) {
        self.lines.push_back(Line { at, text, color });
        if self.lines.len() > MOST {
            self.lines.pop_front();
        }
    }

    /// Shows the lines above the foot of the window.
    pub fn show(&self, ctx: &egui::Context, now: Duration, above_foot: f32) {
        let fresh = self.lines.iter().filter(|line| now.saturating_sub(line.at) < SHOWN_FOR);
        Area::new(Id::new("news"))
            .anchor(Align2::CENTER_BOTTOM, vec2(0.0, -above_foot))
            .order(Order::Foreground)
            .interactable(false)
            .show(ctx, |ui| {
                ui.set_max_width((ctx.content_rect().width() - 24.0).min(560.0));
                ui.vertical_centered(|ui| fresh.for_each(|line| show_line(ui, line, now)));
            });
    }
}

fn show_line(ui: &mut egui::Ui, line: &Line, now: Duration) {
    let left = SHOWN_FOR.saturating_sub(now.saturating_sub(line.at));
    ui.scope(|ui| {
        ui.set_opacity((left.as_secs_f32() / FADES_FOR.as_secs_f32()).min(1.0));
        theme::card().fill(line.color).inner_margin(Margin::symmetric(18, 10)).show(ui, |ui| {
            ui.label(RichText::new(&line.text).size(18.0).color(theme::ink_on(line.color)));
        });
    });
}

/// What was told of the present round.
#[derive(Debug, Default)]
pub struct Told {
    round: u32,
    prizes: BTreeSet<Prize>,
}

/// Takes in what happened in the round.
pub fn hear_round(
    (time, us): (Res<Time<Real>>, Res<LocalPlayer>),
    (table, roster): (Res<Confirmed<Table>>, Res<Roster>),
    mut shouts: MessageReader<FromRoom<Shouted>>,
    mut told: Local<Told>,
    mut news: ResMut<News>,
) {
    let now = time.elapsed();
    for shout in shouts.read().filter(|shout| shout.by != us.id) {
        news.tell(now, TEAL, format!("{}: \"Bingo!\"", roster.name(&shout.by)));
    }
    if table.round() != told.round {
        // Whoever comes in the middle sees in the list what was won before.
        let came_late = told.round == 0 && table.round() > 0;
        let prizes = if came_late { table.prizes().keys().copied().collect() } else { BTreeSet::new() };
        *told = Told { round: table.round(), prizes };
    }
    for (prize, winner) in table.prizes() {
        if told.prizes.insert(*prize) {
            let ours = winner.id == Winner::from(us.id.as_str());
            let text = if ours { format!("You win: {prize}!") } else { format!("{} wins: {prize}!", winner.name) };
            news.tell(now, SUN, text);
        }
    }
}

/// Takes in what happened to players and to the line.
pub fn hear_room(
    (time, roster): (Res<Time<Real>>, Res<Roster>),
    (mut lost, mut returned): (MessageReader<PlayerLost>, MessageReader<PlayerReturned>),
    mut hosts: MessageReader<HostChanged>,
    mut resumed: MessageReader<RoomResumed>,
    mut news: ResMut<News>,
) {
    let now = time.elapsed();
    for PlayerLost { player, .. } in lost.read() {
        news.tell(now, CORAL, format!("{} lost the connection. The room keeps the seat.", roster.name(player)));
    }
    for PlayerReturned { player, .. } in returned.read() {
        news.tell(now, TEAL, format!("{} is back.", roster.name(player)));
    }
    for HostChanged { to, .. } in hosts.read().filter(|change| change.from.is_some()) {
        news.tell(now, TEAL, format!("{} hosts now.", roster.name(to)));
    }
    for RoomResumed { continuity } in resumed.read() {
        news.tell(
            now,
            TEAL,
            match continuity {
                Continuity::Kept => "Back again. Nothing was missed.".to_owned(),
                Continuity::Lost => "Back again, with the game as it is now.".to_owned(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_few_lines_are_kept() {
        let mut news = News::default();
        for number in 0..100 {
            news.tell(Duration::ZERO, SUN, number.to_string());
        }
        let texts: Vec<&str> = news.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["97", "98", "99"]);
    }
}
