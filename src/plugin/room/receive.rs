//! Receiving: what arrived becomes messages, resources and entities, before the game's own systems run.

use std::time::Duration;

use bevy::prelude::*;
use smol_str::SmolStr;

use super::{
    clock::RoomClock,
    commands, control, list,
    messages::{
        HostChanged, PlayerJoined, PlayerLeft, PlayerLost, PlayerReturned, RoomClosed, RoomInterrupted, RoomResumed,
    },
    players,
    resources::{LocalPlayer, Room, RoomState, set_state},
};
use crate::{
    client::ConnectionChange,
    plugin::{
        channels,
        connection::{Connection, ConnectionChanged},
        engine::{NextRoom, Received, RoomsEngine},
        error::{RoomError, report},
        registry::{ConfirmedView, Registry},
    },
    session::{PlayerId, RoomRules, Session, SessionEvent, SessionStatus},
};

/// A silence of the host that is worth telling: twice the time in which a host says something by default.
const NOTICED_SILENCE: Duration = Duration::from_secs(3);

/// Receives the events of the background task, and steps the session.
pub(in crate::plugin) fn take_in(
    mut engine: ResMut<RoomsEngine>,
    mut room: ResMut<Room>,
    mut clock: ResMut<RoomClock>,
) {
    engine.receive();
    clock.set_if_neq(RoomClock::of(&engine.server_clock));
    // The game gets no message when the same host leads anew, but the term changes.
    let joined = engine.session.as_ref().filter(|session| session.status() == SessionStatus::Joined);
    if let Some(term) = joined.map(Session::term)
        && room.term != term
    {
        room.term = term;
    }
    watch_host(&engine, &mut room);
}

/// Notes how long the host has been silent. It changes once a second at most, so that change detection means something.
fn watch_host(engine: &RoomsEngine, room: &mut ResMut<Room>) {
    let now = engine.clock().now();
    let silence = engine.session.as_ref().and_then(|session| session.host_silence(now));
    let silence =
        silence.filter(|silence| *silence >= NOTICED_SILENCE).map(|silence| Duration::from_secs(silence.as_secs()));
    if room.host_silence != silence {
        room.host_silence = silence;
    }
    let migration = engine.session.as_ref().map(Session::migration).unwrap_or_default();
    if room.migration != migration {
        room.migration = migration;
    }
}

/// Whether anything arrived.
pub(in crate::plugin) fn something_came(engine: Res<RoomsEngine>) -> bool {
    !engine.received.is_empty()
}

/// Applies what arrived, in the order of arrival.
pub(in crate::plugin) fn apply(world: &mut World) {
    let mut received = std::mem::take(&mut world.resource_mut::<RoomsEngine>().received);
    for change in received.connection.drain(..) {
        apply_connection(world, change);
    }
    if let Some(round_trip) = received.round_trip.take() {
        world.resource_mut::<Connection>().round_trip = Some(round_trip);
    }
    for error in received.errors.drain(..) {
        report(world, error);
    }
    // Entities come first, so that a message about a player finds its entity. They are updated again after players
    // left.
    if !received.events.is_empty() {
        players::spawn_missing(world);
    }
    for event in received.events.drain(..) {
        apply_event(world, event);
    }
    for key in std::mem::take(&mut received.confirmed) {
        follow_confirmed(world, &key);
    }
    players::sync(world);
    if std::mem::take(&mut received.list) {
        list::show(world);
    }
    channels::apply(world, received.channels.drain(..));
    give_back(world, received);
}

/// Puts the empty vectors back, so that their memory is reused.
fn give_back(world: &mut World, emptied: Received) {
    let mut engine = world.resource_mut::<RoomsEngine>();
    if engine.received.is_empty() {
        engine.received = emptied;
    }
}

fn apply_connection(world: &mut World, change: ConnectionChange) {
    let engine = world.resource::<RoomsEngine>();
    let (runs_relay, now) = (engine.runs_relay(), engine.clock().now());
    world.resource_mut::<Connection>().take(&change, now);
    world.resource_mut::<Room>().runs_relay = runs_relay;
    world.write_message(ConnectionChanged { change });
}

fn apply_event(world: &mut World, event: SessionEvent) {
    match event {
        SessionEvent::Joined { .. } => {
            world.resource_mut::<Room>().waiting = false;
            set_state(world, RoomState::Joined);
        }
        SessionEvent::PlayerJoined(player) => {
            if world.resource::<LocalPlayer>().id == player {
                world.resource_mut::<Room>().waiting = false;
            }
            if let Some(entity) = players::entity(world, &player) {
                world.write_message(PlayerJoined { player, entity });
            }
        }
        SessionEvent::PlayerLost(player) => {
            if let Some(entity) = players::entity(world, &player) {
                world.write_message(PlayerLost { player, entity });
            }
        }
        SessionEvent::PlayerReturned(player) => {
            if let Some(entity) = players::entity(world, &player) {
                world.write_message(PlayerReturned { player, entity });
            }
        }
        SessionEvent::PlayerLeft { player, reason } => {
            world.write_message(PlayerLeft { player, reason });
        }
        // The roster and the entities show the change.
        SessionEvent::PlayerChanged(_) => {}
        SessionEvent::RulesChanged => {
            let session = world.resource::<RoomsEngine>().session.as_ref();
            if let Some(rules) = session.map(|session| session.rules().clone()) {
                world.resource_mut::<Room>().rules = rules;
            }
        }
        SessionEvent::Waiting => world.resource_mut::<Room>().waiting = true,
        SessionEvent::AdmissionAsked { player, profile } => control::judge(world, player, profile),
        SessionEvent::SharedChanged { key, value } => apply_shared(world, &key, value.as_ref()),
        SessionEvent::HostChanged { from, to, term } => {
            // A new host begins with the last confirmed state, not with what its own game changed meanwhile.
            if to == world.resource::<LocalPlayer>().id {
                let keys: Vec<SmolStr> = world.resource::<Registry>().shared.keys().map(SmolStr::new).collect();
                for key in &keys {
                    let session = world.resource::<RoomsEngine>().session.as_ref();
                    let value = session.and_then(|session| session.shared(key)).cloned();
                    apply_shared(world, key, value.as_ref());
                }
            }
            world.write_message(HostChanged { from, to, term });
        }
        SessionEvent::Message { sender, kind, data } => deliver(world, &sender, &kind, data),
        SessionEvent::Interrupted { reason } => {
            let mut room = world.resource_mut::<Room>();
            (room.interrupted, room.interruption) = (true, Some(reason.clone()));
            world.write_message(RoomInterrupted { reason });
        }
        SessionEvent::Resumed { continuity } => {
            let mut room = world.resource_mut::<Room>();
            (room.interrupted, room.interruption) = (false, None);
            world.write_message(RoomResumed { continuity });
        }
        SessionEvent::SendFailed { kind, reason } => {
            report(world, RoomError::NotDelivered { kind: kind.to_string(), why: reason.to_string() });
        }
        SessionEvent::Closed(reason) => {
            log::info!("out of the room: {reason}");
            let next = world.resource_mut::<RoomsEngine>().end_session();
            let mut room = world.resource_mut::<Room>();
            (room.interrupted, room.interruption, room.waiting) = (false, None, false);
            room.rules = RoomRules::default();
            let views: Vec<ConfirmedView> = world.resource::<Registry>().confirmed.values().copied().collect();
            views.into_iter().for_each(|view| (view.reset)(world));
            set_state(world, RoomState::Outside);
            world.write_message(RoomClosed { reason });
            if let Some(NextRoom { room, profile, wish }) = next {
                commands::enter(world, room.as_str(), profile, wish);
            }
        }
    }
}

fn apply_shared(world: &mut World, key: &SmolStr, value: Option<&serde_json::Value>) {
    let Some(apply) = world.resource::<Registry>().shared.get(key.as_str()).copied() else {
        log::debug!("the host shares {key:?}, which this game did not register");
        return;
    };
    let Some(value) = value else { return };
    if let Err(error) = apply(world, value) {
        report(world, RoomError::Undecodable { kind: key.to_string(), sender: None, why: error.to_string() });
    }
}

/// Shows what came back from the room, where the game asked for it.
fn follow_confirmed(world: &mut World, key: &SmolStr) {
    let view = world.resource::<Registry>().confirmed.get(key.as_str()).copied();
    if let Some(Err(error)) = view.map(|view| (view.follow)(world, key)) {
        report(world, RoomError::Undecodable { kind: key.to_string(), sender: None, why: error.to_string() });
    }
}

fn deliver(world: &mut World, sender: &PlayerId, kind: &SmolStr, data: serde_json::Value) {
    let Some(deliver) = world.resource::<Registry>().messages.get(kind.as_str()).copied() else {
        log::debug!("{sender} sent {kind:?}, which this game did not register");
        return;
    };
    if let Err(error) = deliver(world, sender, data) {
        let sender = Some(sender.clone());
        report(world, RoomError::Undecodable { kind: kind.to_string(), sender, why: error.to_string() });
    }
}
