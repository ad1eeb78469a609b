//! A game on a relay that serves the game's page beside the room.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use bevy::prelude::App;
use bevy_rooms::{
    prelude::*,
    relay::{self, RelayConfig},
};

use super::loopback::{app, enter, joined, until};

/// A folder with a page, which goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn with_page(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bevy_rooms-{}-page-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.html"), "<title>Game</title>").unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The relay's key is another one then, and the players' tokens are of the one before.
#[test]
fn a_game_outlives_a_restart_of_the_relay_that_serves_its_page() {
    let folder = Folder::with_page("restart");
    let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut config = RelayConfig { listen, serve: Some(folder.0.clone()), ..RelayConfig::default() };
    let relay = relay::spawn(config.clone()).unwrap();
    config.listen.set_port(relay.addr().port());
    let page = format!("http://127.0.0.1:{}/", relay.addr().port());
    let mut apps: Vec<_> = ["Ada", "Ben"]
        .map(|player| {
            let connect = Connect::page(&page).unwrap();
            let mut app = app(RoomsPlugin { connect, ..RoomsPlugin::default() });
            enter(&mut app, player);
            app
        })
        .into();
    let both_are_in =
        |apps: &mut [App]| apps.iter().all(|app| joined(app) && app.world().resource::<Roster>().len() == 2);
    until(&mut apps, "both are in", both_are_in);
    relay.stop();
    let is_away = |app: &App| !app.world().resource::<Connection>().is_connected();
    until(&mut apps, "the relay is missed", |apps| apps.iter().all(is_away));
    let _relay = relay::spawn(config).unwrap();
    until(&mut apps, "the line stands again", |apps| !apps.iter().any(is_away));
    until(&mut apps, "both are in again", both_are_in);
}
