//! What the ECS side knows of its channels: which entity stands for which, what is to be handed over, and what was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use bevy::{ecs::entity::EntityHashMap, prelude::*};

use super::{Channel, ChannelError, catch_up::CatchUp};
use crate::{
    client::{
        Asker, ChannelChange, ChannelState, Command, Event, HistoryOf, HistoryQuery, Lifetime, MemberQuery, NextPage,
        OperationId, PresenceCommand,
    },
    protocol::{ChannelName, Data, ErrorCode, ErrorInfo, Flags, Message as Raw},
    session::LIST_CHANNEL,
};

/// Most things that wait for an answer at once, as many as the client takes by default.
const MAX_ASKED: usize = 1_000;

/// Most commands that wait for the background task when a channel is to be attached: all that may be asked, and as many
/// attachments.
const MAX_QUEUED: usize = 2 * MAX_ASKED;

/// What begins the name of a room's channels.
const ROOM_PREFIX: &str = "room:";

/// A number that no other operation of this process has.
pub(super) fn next_operation() -> OperationId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    OperationId::of(Asker::Channels, NEXT.fetch_add(1, Relaxed))
}

/// Whether an event is about channels, and about none of a room's.
pub(in crate::plugin) fn is_ours(event: &Event) -> bool {
    match event {
        Event::Channel(ChannelChange { channel, .. })
        | Event::Messages { channel, .. }
        | Event::Presence { channel, .. }
        | Event::PresenceSynced { channel } => !is_reserved(channel),
        Event::History { operation, .. }
        | Event::Time { operation, .. }
        | Event::Members { operation, .. }
        | Event::Published { operation, .. }
        | Event::Authorized { operation, .. } => operation.is_of(Asker::Channels),
        _ => false,
    }
}

/// Whether a channel belongs to rooms, however it is qualified.
fn is_reserved(channel: &ChannelName) -> bool {
    let name = channel.as_str();
    let name = name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(name, |(_, name)| name);
    name == LIST_CHANNEL || name.starts_with(ROOM_PREFIX)
}

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Publish,
    Presence(PresenceCommand),
    History,
    Time,
    /// Learning where the stream stands.
    Mark,
    CatchUp,
    Members,
}

/// Something that was asked, and of which channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) channel: Entity,
    pub(super) purpose: Purpose,
}

/// A channel that is attached, or is to be.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: ChannelName,
    pub(super) was_attached: bool,
    /// `None` where it does not catch up.
    pub(super) catch_up: Option<CatchUp>,
}

/// All channels of an app.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Front {
    names: BTreeMap<ChannelName, Entity>,
    lines: EntityHashMap<Line>,
    queue: VecDeque<Command>,
    asked: BTreeMap<OperationId, Asked>,
}

impl Front {
    pub(in crate::plugin) fn attach(&mut self, entity: Entity, channel: &Channel) -> Result<(), ChannelError> {
        let name = channel.name();
        if self.lines.get(&entity).is_some_and(|line| line.name != *name) {
            self.release(entity);
        }
        if is_reserved(name) {
            return Err(ChannelError::Reserved { channel: name.to_string() });
        }
        if self.names.get(name).is_some_and(|other| *other != entity) {
            return Err(ChannelError::AttachedTwice { channel: name.to_string() });
        }
        if self.queue.len() >= MAX_QUEUED {
            return Err(ChannelError::TooMuchAsked { limit: MAX_QUEUED });
        }
        self.names.insert(name.clone(), entity);
        let line = self.lines.entry(entity).or_insert_with(|| Line {
            name: name.clone(),
            was_attached: false,
            catch_up: None,
        });
        match channel.catches_up() {
            true => drop(line.catch_up.get_or_insert_default()),
            false => line.catch_up = None,
        }
        self.queue.push_back(Command::Attach { channel: name.clone(), options: channel.options().clone() });
        Ok(())
    }

    pub(super) fn release(&mut self, entity: Entity) {
        if let Some(line) = self.lines.remove(&entity) {
            self.names.remove(&line.name);
            // There are no more of these than channels that were attached, so the queue stays bounded.
            self.queue.push_back(Command::Release { channel: line.name });
        }
    }

    pub(super) fn entity(&self, name: &ChannelName) -> Option<Entity> {
        self.names.get(name).copied()
    }

    pub(super) fn line(&mut self, entity: Entity) -> Option<&mut Line> {
        self.lines.get_mut(&entity)
    }

    pub(super) fn entities(&self) -> Vec<Entity> {
        self.names.values().copied().collect()
    }

    pub(super) fn publish(
        &mut self,
        entity: Entity,
        operation: OperationId,
        messages: Vec<Raw>,
        lifetime: Lifetime,
    ) -> Result<(), ChannelError> {
        self.ask(entity, Purpose::Publish, operation, |channel| Command::Publish {
            operation,
            channel,
            messages,
            lifetime,
        })
    }

    pub(super) fn presence(
        &mut self,
        entity: Entity,
        action: PresenceCommand,
        data: Option<Data>,
    ) -> Result<(), ChannelError> {
        let operation = next_operation();
        self.ask(entity, Purpose::Presence(action), operation, |channel| Command::Presence {
            operation,
            channel,
            action,
            data,
        })
    }

    pub(super) fn history(
        &mut self,
        entity: Entity,
        purpose: Purpose,
        operation: OperationId,
        of: HistoryOf,
        query: HistoryQuery,
    ) -> Result<(), ChannelError> {
        self.ask(entity, purpose, operation, |channel| Command::History { operation, channel, of, query })
    }

    pub(super) fn next_page(
        &mut self,
        entity: Entity,
        purpose: Purpose,
        operation: OperationId,
        page: NextPage,
    ) -> Result<(), ChannelError> {
        self.ask(entity, purpose, operation, |_| Command::NextPage { operation, page })
    }

    /// Asks the client who is there, as far as it knows.
    pub(super) fn members(&mut self, entity: Entity) -> Result<(), ChannelError> {
        let operation = next_operation();
        self.ask(entity, Purpose::Members, operation, |channel| Command::Members {
            operation,
            channel,
            query: MemberQuery { wait_for_sync: false, ..MemberQuery::default() },
        })
    }

    pub(super) fn time(&mut self, operation: OperationId) -> Result<(), ChannelError> {
        self.check_room()?;
        self.asked.insert(operation, Asked { channel: Entity::PLACEHOLDER, purpose: Purpose::Time });
        self.queue.push_back(Command::Time { operation });
        Ok(())
    }

    fn ask(
        &mut self,
        channel: Entity,
        purpose: Purpose,
        operation: OperationId,
        command: impl FnOnce(ChannelName) -> Command,
    ) -> Result<(), ChannelError> {
        let name = self.lines.get(&channel).map(|line| line.name.clone()).ok_or(ChannelError::NotAttached)?;
        self.check_room()?;
        self.asked.insert(operation, Asked { channel, purpose });
        self.queue.push_back(command(name));
        Ok(())
    }

    fn check_room(&self) -> Result<(), ChannelError> {
        if self.asked.len() < MAX_ASKED { Ok(()) } else { Err(ChannelError::TooMuchAsked { limit: MAX_ASKED }) }
    }

    /// The channel is known no more to the client, though it is still wanted: the connection was begun afresh.
    pub(super) fn attach_again(&mut self, channel: &Channel) {
        if self.queue.len() < MAX_QUEUED {
            let (channel, options) = (channel.name().clone(), channel.options().clone());
            self.queue.push_back(Command::Attach { channel, options });
        }
    }

    /// What an answer is for.
    pub(super) fn settle(&mut self, operation: OperationId) -> Option<Asked> {
        self.asked.remove(&operation)
    }

    /// The next command for the client.
    pub(in crate::plugin) fn poll_command(&mut self) -> Option<Command> {
        self.queue.pop_front()
    }

    /// The background task is no more: what it would have told of every channel and of all that was asked.
    pub(in crate::plugin) fn end(&mut self, why: &str) -> Vec<Event> {
        self.queue.clear();
        let reason = ErrorInfo::new(ErrorCode::CONNECTION_FAILED, 400, why);
        let changes = self.names.keys().map(|channel| {
            Event::Channel(ChannelChange {
                channel: channel.clone(),
                previous: ChannelState::Attached,
                current: ChannelState::Failed,
                resumed: false,
                has_backlog: false,
                modes: Flags::empty(),
                reason: Some(reason.clone()),
            })
        });
        let answers = self.asked.iter().map(|(&operation, asked)| match asked.purpose {
            Purpose::Publish | Purpose::Presence(_) => Event::Published { operation, outcome: Err(reason.clone()) },
            Purpose::History | Purpose::Mark | Purpose::CatchUp => {
                Event::History { operation, outcome: Err(reason.clone()) }
            }
            Purpose::Members => Event::Members { operation, outcome: Err(reason.clone()) },
            Purpose::Time => Event::Time { operation, outcome: Err(reason.clone()) },
        });
        answers.chain(changes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(number: u32) -> Entity {
        Entity::from_raw_u32(number).unwrap()
    }

    fn attached(name: &str) -> (Front, Entity) {
        let mut front = Front::default();
        front.attach(entity(1), &Channel::new(name)).unwrap();
        (front, entity(1))
    }

    #[test]
    fn the_channels_of_rooms_are_theirs_however_they_are_called() {
        let mut front = Front::default();
        for name in ["room:den", "room:den:to:ada", "rooms", "[?rewind=1]room:den", "[filter=x]rooms"] {
            let refused = front.attach(entity(1), &Channel::new(name));
            assert!(matches!(refused, Err(ChannelError::Reserved { .. })), "{name}");
        }
        assert!(front.attach(entity(1), &Channel::new("rooms-of-mine")).is_ok());
    }

    #[test]
    fn of_one_name_there_is_one_entity_until_it_is_released() {
        let (mut front, first) = attached("chat");
        let refused = front.attach(entity(2), &Channel::new("chat"));
        assert!(matches!(refused, Err(ChannelError::AttachedTwice { .. })));
        front.release(first);
        assert!(front.attach(entity(2), &Channel::new("chat")).is_ok());
        assert_eq!(front.entity(&"chat".into()), Some(entity(2)));
    }

    #[test]
    fn an_entity_that_gets_another_channel_releases_the_one_it_had() {
        let (mut front, entity) = attached("chat");
        front.attach(entity, &Channel::new("news")).unwrap();
        let commands: Vec<_> = std::iter::from_fn(|| front.poll_command()).collect();
        assert!(matches!(&commands[1], Command::Release { channel } if channel.as_str() == "chat"), "{commands:?}");
        assert_eq!((front.entity(&"chat".into()), front.entity(&"news".into())), (None, Some(entity)));
    }

    #[test]
    fn what_is_asked_is_bounded_and_makes_room_once_answered() {
        let (mut front, entity) = attached("chat");
        let publish = |front: &mut Front| {
            let operation = next_operation();
            front.publish(entity, operation, vec![Raw::new("a", "b")], Lifetime::Durable).map(|()| operation)
        };
        let first = publish(&mut front).unwrap();
        for _ in 1..MAX_ASKED {
            publish(&mut front).unwrap();
        }
        assert_eq!(publish(&mut front), Err(ChannelError::TooMuchAsked { limit: MAX_ASKED }));
        assert_eq!(front.settle(first).map(|asked| asked.purpose), Some(Purpose::Publish));
        assert!(publish(&mut front).is_ok());
    }

    #[test]
    fn attaching_is_refused_while_too_many_commands_wait() {
        let mut front = Front::default();
        let attach = |front: &mut Front, number: u32| front.attach(entity(number), &Channel::new(format!("c{number}")));
        let most = u32::try_from(MAX_QUEUED).unwrap();
        (1..=most).for_each(|number| attach(&mut front, number).unwrap());
        assert!(matches!(attach(&mut front, most + 1), Err(ChannelError::TooMuchAsked { .. })));
    }

    #[test]
    fn the_end_of_the_background_task_answers_everything() {
        let (mut front, entity) = attached("chat");
        front.publish(entity, next_operation(), vec![Raw::new("a", "b")], Lifetime::Durable).unwrap();
        front.time(next_operation()).unwrap();
        let events = front.end("gone");
        assert!(matches!(
            &events[..],
            [Event::Published { outcome: Err(_), .. }, Event::Time { outcome: Err(_), .. }, Event::Channel(change)]
                if change.current == ChannelState::Failed
        ));
        assert!(events.iter().all(is_ours), "{events:?}");
    }
}
