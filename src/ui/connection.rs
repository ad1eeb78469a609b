//! The connection: a lamp and words, and the figures behind them.

use bevy_egui::egui::{Grid, Label, Response, Ui};

use super::style::{Lamp, muted, sentence};
use crate::{client::ConnectionState, plugin::Connection};

/// A lamp and a text for the connection's state.
pub fn connection_lamp(connection: &Connection) -> (Lamp, &'static str) {
    match connection.state {
        ConnectionState::Connected => (Lamp::Good, "connected"),
        ConnectionState::Connecting if connection.id.is_none() && connection.trouble.is_none() => {
            (Lamp::Busy, "connecting")
        }
        ConnectionState::Connecting | ConnectionState::Disconnected => (Lamp::Busy, "reconnecting"),
        ConnectionState::Suspended => (Lamp::Bad, "no connection for a while, still trying"),
        ConnectionState::Failed => (Lamp::Bad, "failed"),
        ConnectionState::Initialized | ConnectionState::Closing | ConnectionState::Closed => {
            (Lamp::Off, "not connected")
        }
    }
}

/// The connection's state in one line: a lamp, a text, and the round trip or the time to the next attempt. A tooltip
/// shows the rest.
pub fn connection_line(ui: &mut Ui, connection: &Connection) -> Response {
    let (lamp, word) = connection_lamp(connection);
    let mut text = word.to_owned();
    if let Some(more) = round_trip(connection).or_else(|| next_attempt(connection)) {
        text = format!("{text}, {more}");
    }
    ui.horizontal(|ui| {
        ui.add(lamp);
        ui.add(Label::new(text).truncate());
    })
    .response
    .on_hover_ui(|ui| {
        self::connection(ui, connection);
    })
}

/// The connection's state, the round trip, the number of reconnects, and [what is wrong](Connection::notice), or what was wrong
/// last.
pub fn connection(ui: &mut Ui, connection: &Connection) -> Response {
    let (lamp, word) = connection_lamp(connection);
    let grid = Grid::new("connection").num_columns(2).show(ui, |ui| {
        ui.label(muted(ui, "State"));
        ui.horizontal(|ui| {
            ui.add(lamp);
            ui.label(word);
        });
        ui.end_row();
        ui.label(muted(ui, "Round trip"));
        ui.label(round_trip(connection).unwrap_or_else(|| "–".to_owned()))
            .on_hover_text("The time that a ping to the server and back takes. It is measured every few seconds.");
        ui.end_row();
        ui.label(muted(ui, "Reconnects"));
        ui.label(connection.reconnects.to_string());
        ui.end_row();
    });
    let last = || connection.last_trouble.as_ref().map(|reason| format!("Last trouble: {}", sentence(&reason.message)));
    if let Some(text) = connection.notice().or_else(last) {
        let label = ui.add(Label::new(muted(ui, text)).wrap());
        if let Some(reason) = connection.trouble.as_ref().or(connection.last_trouble.as_ref()) {
            label.on_hover_text(reason.to_string());
        }
    }
    grid.response
}

fn round_trip(connection: &Connection) -> Option<String> {
    let time = connection.round_trip.filter(|_| connection.is_connected())?;
    Some(match time.as_millis() {
        0 => "under 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    })
}

fn next_attempt(connection: &Connection) -> Option<String> {
    let wait = connection.retry_in?;
    Some(if wait.is_zero() {
        "trying again now".to_owned()
    } else {
        format!("trying again in {:.1} s", wait.as_secs_f32())
    })
}
