//! Access to the apps of a rig.

use std::{fmt, time::Duration};

use bevy::prelude::*;
use rooms_sim::SimNet;
use web_time::Instant;

use super::{AppIndex, Rig, recorder::Recorded};
use crate::{
    bridge::TrafficSnapshot,
    plugin::{Connection, Host, PlayerStatus, Room, RoomState, Roster},
    session::PlayerId,
};

impl Rig {
    /// All apps, those that do not run too.
    pub fn apps(&self) -> impl Iterator<Item = AppIndex> + use<> {
        (0..self.places.len()).map(AppIndex)
    }

    /// The app's player.
    pub fn player(&self, app: AppIndex) -> &PlayerId {
        &self.places[app.0].program.player
    }

    /// Whether the app runs: it does until it is [killed](Self::kill) or [closed](Self::close).
    pub fn is_running(&self, app: AppIndex) -> bool {
        self.places[app.0].app.is_some()
    }

    /// The app's world.
    ///
    /// # Panics
    /// If the app does not run.
    #[track_caller]
    pub fn world(&self, app: AppIndex) -> &World {
        match &self.places[app.0].app {
            Some(running) => running.world(),
            None => panic!("the app of {} does not run; restart it first", self.player(app)),
        }
    }

    /// The app's world, to change.
    ///
    /// # Panics
    /// If the app does not run.
    #[track_caller]
    pub fn world_mut(&mut self, app: AppIndex) -> &mut World {
        let place = &mut self.places[app.0];
        match &mut place.app {
            Some(running) => running.world_mut(),
            None => panic!("the app of {} does not run; restart it first", place.program.player),
        }
    }

    /// A resource of the app's.
    ///
    /// # Panics
    /// If the app does not run or has no such resource.
    #[track_caller]
    pub fn resource<R: Resource>(&self, app: AppIndex) -> &R {
        self.world(app).resource::<R>()
    }

    /// The messages of one type that the app has seen since it was started. The room's own are recorded by themselves,
    /// others with a [`Recorder`](super::Recorder).
    ///
    /// # Panics
    /// If the app does not run or does not record this type.
    #[track_caller]
    pub fn recorded<M: Message>(&self, app: AppIndex) -> &[M] {
        match self.world(app).get_resource::<Recorded<M>>() {
            Some(recorded) => &recorded.messages,
            None => panic!("{} is not recorded; add a Recorder for it", std::any::type_name::<M>()),
        }
    }

    /// The state of the app's room; [`Outside`](RoomState::Outside) if the app does not run.
    pub fn state(&self, app: AppIndex) -> RoomState {
        let running = self.places[app.0].app.as_ref();
        running.and_then(|app| app.world().get_resource::<State<RoomState>>()).map_or_else(default, |state| **state)
    }

    /// The host of the room, as the app sees it.
    pub fn host(&self, app: AppIndex) -> Option<&PlayerId> {
        self.get::<Host>(app).and_then(|host| host.player.as_ref())
    }

    /// Whether the app hosts its room. A host that lost its connection may believe so for a while when another is host
    /// already.
    pub fn is_host(&self, app: AppIndex) -> bool {
        self.get::<Host>(app).is_some_and(|host| host.is_us)
    }

    /// The net under the apps.
    pub fn net(&self) -> &SimNet {
        &self.net
    }

    /// The traffic of the app since it was started.
    pub fn traffic(&self, app: AppIndex) -> TrafficSnapshot {
        self.places[app.0].line.as_ref().map_or_else(default, |line| self.net.traffic(line.client))
    }

    /// The present.
    pub fn now(&self) -> Instant {
        self.net.now()
    }

    /// How much time has passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.net.elapsed()
    }

    fn get<R: Resource>(&self, app: AppIndex) -> Option<&R> {
        self.places[app.0].app.as_ref()?.world().get_resource::<R>()
    }

    fn describe(&self, app: AppIndex, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.places[app.0];
        write!(f, "  {}: ", place.program.player)?;
        let (Some(room), Some(connection)) = (self.get::<Room>(app), self.get::<Connection>(app)) else {
            return f.write_str("does not run");
        };
        write!(f, "{:?}, the connection is {:?}", self.state(app), connection.state)?;
        if let Some(host) = self.host(app) {
            write!(f, ", {host} hosts in term {}", room.term.0)?;
        }
        let players = self.get::<Roster>(app).into_iter().flatten();
        let names: Vec<String> = players
            .map(|player| match player.status {
                PlayerStatus::Present => player.id.to_string(),
                PlayerStatus::Lost => format!("{} (lost)", player.id),
            })
            .collect();
        write!(f, ", in the room: [{}]", names.join(", "))?;
        for (holds, what) in [
            (room.interrupted, "interrupted"),
            (place.is_stalled, "stalled"),
            (place.is_frozen, "frozen"),
            (place.is_isolated, "isolated"),
        ] {
            if holds {
                write!(f, ", {what}")?;
            }
        }
        Ok(())
    }
}

/// One line for each app.
impl fmt::Display for Rig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for app in self.apps() {
            if app.0 > 0 {
                f.write_str("\n")?;
            }
            self.describe(app, f)?;
        }
        Ok(())
    }
}
