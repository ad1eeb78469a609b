//! Sending: what the game wrote in a frame goes to the session, and from there to the room.

use std::{collections::BTreeMap, time::Duration};

use bevy::{ecs::schedule::ScheduleConfigs, ecs::system::ScheduleSystem, prelude::*};
use serde::Serialize;
use web_time::Instant;

use super::messages::ToRoom;
use crate::{
    plugin::{engine::RoomsEngine, error::RoomError},
    session::SessionError,
};

/// The system that hands a frame's messages of one type to the session.
pub(super) fn messages<T: Serialize + Send + Sync + 'static>(kind: String) -> ScheduleConfigs<ScheduleSystem> {
    let system = move |mut written: MessageReader<ToRoom<T>>,
                       mut engine: ResMut<RoomsEngine>,
                       mut left_out: ResMut<LeftOut>,
                       mut errors: MessageWriter<RoomError>| {
        for ToRoom { target, message } in written.read() {
            let sent = match serde_json::to_value(message) {
                Ok(data) => match &mut engine.session {
                    Some(session) => match session.send(target.clone(), &kind, data) {
                        Err(SessionError::Full { waiting }) => {
                            left_out.note(&kind, waiting);
                            Ok(())
                        }
                        sent => sent,
                    },
                    None => Err(SessionError::NotJoined),
                }
                .map_err(|error| RoomError::NotSent { kind: kind.clone(), error }),
                Err(error) => Err(RoomError::NotSerializable { kind: kind.clone(), why: error.to_string() }),
            };
            if let Err(error) = sent {
                log::warn!("{error}");
                errors.write(error);
            }
        }
    };
    system.run_if(on_message::<ToRoom<T>>)
}

/// How often the game hears of messages that found no place in the queue.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Messages that found no place in the queue, by kind. A game that sends too much does so in every frame, and need not hear of
/// each message.
#[derive(Debug, Default, Resource)]
pub(in crate::plugin) struct LeftOut {
    by_kind: BTreeMap<String, LeftOutKind>,
    total: u64,
}

#[derive(Debug, Default)]
struct LeftOutKind {
    messages: u64,
    waiting: usize,
    told_at: Option<Instant>,
}

impl LeftOut {
    /// All that were left out, since the start.
    pub(in crate::plugin) fn total(&self) -> u64 {
        self.total
    }

    fn note(&mut self, kind: &str, waiting: usize) {
        if !self.by_kind.contains_key(kind) {
            self.by_kind.insert(kind.to_owned(), LeftOutKind::default());
        }
        if let Some(of_kind) = self.by_kind.get_mut(kind) {
            of_kind.messages += 1;
            self.total += 1;
            of_kind.waiting = waiting;
        }
    }

    /// What the game is to hear now.
    fn take_due(&mut self, now: Instant) -> Vec<RoomError> {
        let is_over =
            |told_at: Option<Instant>| told_at.is_none_or(|at| now.saturating_duration_since(at) >= TOLD_EVERY);
        let due = self.by_kind.iter_mut().filter(|(_, of_kind)| of_kind.messages > 0 && is_over(of_kind.told_at));
        let tell = |(kind, of_kind): (&String, &mut LeftOutKind)| {
            let messages = std::mem::take(&mut of_kind.messages);
            of_kind.told_at = Some(now);
            RoomError::LeftOut { kind: kind.clone(), messages, waiting: of_kind.waiting }
        };
        let errors = due.map(tell).collect();
        self.by_kind.retain(|_, of_kind| of_kind.messages > 0 || !is_over(of_kind.told_at));
        errors
    }
}

/// Publishes what the game sent and changed in this frame.
pub(in crate::plugin) fn flush(
    mut engine: ResMut<RoomsEngine>,
    mut left_out: ResMut<LeftOut>,
    mut errors: MessageWriter<RoomError>,
) {
    engine.flush();
    if !left_out.by_kind.is_empty() {
        for error in left_out.take_due(engine.clock().now()) {
            log::warn!("{error}");
            errors.write(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_that_sends_too_much_hears_of_it_once_a_second() {
        let start = Instant::now();
        let mut left_out = LeftOut::default();
        let mut told = Vec::new();
        for frame in 0..160 {
            let now = start + Duration::from_millis(20) * frame;
            if frame < 75 {
                left_out.note("move", 1000);
            }
            told.extend(left_out.take_due(now).into_iter().map(|error| match error {
                RoomError::LeftOut { messages, .. } => messages,
                other => panic!("{other}"),
            }));
        }
        assert_eq!(told, [1, 50, 24], "at once, after a second, and what came since");
        assert!(left_out.by_kind.is_empty());
    }
}
