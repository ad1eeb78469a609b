//! The host's side, at a table of apps without a face.

use super::*;
use crate::{
    net::Hand,
    table::{LONG, Table as Players, command, state},
};

/// Seats a player and waits until it is in.
fn seat(players: &mut Players, name: &str) -> usize {
    // Nothing is called while a test runs: the game's clock is the machine's.
    let settings = Settings { interval: Duration::from_secs(3600), automark: false };
    let seat = players.seat(name, |app| {
        app.add_plugins(BingoPlugin { settings, ..default() });
    });
    command(&mut players.apps[seat], |commands| commands.join_or_host("den", Profile::named(name)));
    assert!(players.until(LONG, |apps| state(&apps[seat]) == RoomState::Joined));
    seat
}

fn holds_strip_of(app: &App) -> Option<u32> {
    let hand = app.world().resource::<Hand>();
    hand.strip().map(|_| hand.round)
}

fn spectators(app: &App) -> Vec<String> {
    let roster = app.world().resource::<Roster>();
    roster.iter().filter(|player| player.is_spectator).map(|player| player.id.to_string()).collect()
}

#[test]
fn who_restarts_the_game_in_a_round_has_its_strip_again() {
    let mut players = Players::new();
    let (ada, ben) = (seat(&mut players, "ada"), seat(&mut players, "ben"));
    players.apps[ada].world_mut().write_message(StartRound);
    assert!(players.until(LONG, |apps| apps.iter().all(|app| holds_strip_of(app) == Some(1))));
    let strip = |app: &App| app.world().resource::<Hand>().strip().cloned();
    let before = strip(&players.apps[ben]);
    // The old process is not missed yet when the new one takes its seat.
    let again = seat(&mut players, "ben");
    assert!(players.until(LONG, |apps| holds_strip_of(&apps[again]) == Some(1)));
    assert_eq!(strip(&players.apps[again]), before);
    assert!(spectators(&players.apps[ada]).is_empty());
}

#[test]
fn who_comes_while_a_round_runs_watches_it_and_plays_in_the_next() {
    let mut players = Players::new();
    let (ada, ben) = (seat(&mut players, "ada"), seat(&mut players, "ben"));
    players.apps[ada].world_mut().write_message(StartRound);
    assert!(players.until(LONG, |apps| apps.iter().all(|app| holds_strip_of(app) == Some(1))));
    let newcomers = |app: &App| app.world().resource::<Room>().rules.newcomers;
    assert!(players.until(LONG, |apps| newcomers(&apps[ben]) == Newcomers::Spectate));
    let cy = seat(&mut players, "cy");
    players.until(Duration::from_secs(2), |_| false);
    assert!(players.apps.iter().all(|app| spectators(app) == ["cy"]));
    assert_eq!(holds_strip_of(&players.apps[cy]), None);
    players.apps[ada].world_mut().resource_mut::<Table>().complete(Reason::Stopped).unwrap();
    assert!(players.until(LONG, |apps| apps.iter().all(|app| spectators(app).is_empty())));
    players.apps[ada].world_mut().write_message(StartRound);
    assert!(players.until(LONG, |apps| apps.iter().all(|app| holds_strip_of(app) == Some(2))));
    assert!(players.until(LONG, |apps| newcomers(&apps[cy]) == Newcomers::Spectate));
    assert!(players.apps.iter().all(|app| spectators(app).is_empty()), "who plays is no spectator");
}
