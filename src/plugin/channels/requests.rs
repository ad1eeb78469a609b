//! What an app asks of its channels: which entity stands for which channel, the commands that wait for the client, and
//! the requests that wait for an answer.

use std::collections::{BTreeMap, VecDeque};

use bevy::{ecs::entity::EntityHashMap, prelude::*};

use super::{catch_up::CatchUp, error::ChannelError, operation::next_operation};
use crate::{
    client::{
        Asker, ChannelChange, ChannelOptions, ChannelState, Command, Event, HistoryOf, HistoryQuery, Lifetime,
        MemberQuery, NextPage, OperationId, PresenceCommand,
    },
    protocol::{ChannelName, Data, ErrorCode, ErrorInfo, Flags, Message as Raw},
    session::{LIST_CHANNEL, is_room_channel},
};

/// The most requests that wait for an answer, as many as the client accepts by default.
const MAX_ASKED: usize = 1_000;

/// The most commands that wait for the background task when a channel is attached: all requests, and as many
/// attachments.
const MAX_QUEUED: usize = 2 * MAX_ASKED;

/// Whether an event is about the app's own channels, and not about those of rooms.
pub(in crate::plugin) fn is_of_app_channels(event: &Event) -> bool {
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

/// Whether a channel belongs to rooms, with or without a qualifier in brackets before its name.
fn is_reserved(channel: &ChannelName) -> bool {
    let name = channel.as_str();
    let name = name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(name, |(_, name)| name);
    name == LIST_CHANNEL || is_room_channel(name)
}

/// The purpose of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Publish,
    Presence(PresenceCommand),
    History,
    Time,
    /// Finding the position in the stream.
    Mark,
    CatchUp,
    Members,
}

/// A request that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) channel: Entity,
    pub(super) purpose: Purpose,
}

/// A channel that is attached, or will be.
#[derive(Debug)]
pub(in crate::plugin) struct Attachment {
    pub(super) name: ChannelName,
    pub(super) was_attached: bool,
    /// `None` if it does not catch up.
    pub(super) catch_up: Option<CatchUp>,
}

/// All channels of an app, and what the app asks of them.
#[derive(Debug, Default)]
pub(in crate::plugin) struct ChannelRequests {
    names: BTreeMap<ChannelName, Entity>,
    attachments: EntityHashMap<Attachment>,
    queue: VecDeque<Command>,
    asked: BTreeMap<OperationId, Asked>,
}

impl ChannelRequests {
    pub(in crate::plugin) fn attach(
        &mut self,
        entity: Entity,
        name: &ChannelName,
        options: &ChannelOptions,
        catches_up: bool,
    ) -> Result<(), ChannelError> {
        if self.attachments.get(&entity).is_some_and(|attachment| attachment.name != *name) {
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
        let attachment = self.attachments.entry(entity).or_insert_with(|| Attachment {
            name: name.clone(),
            was_attached: false,
            catch_up: None,
        });
        match catches_up {
            true => drop(attachment.catch_up.get_or_insert_default()),
            false => attachment.catch_up = None,
        }
        self.queue.push_back(Command::Attach { channel: name.clone(), options: options.clone() });
        Ok(())
    }

    pub(super) fn release(&mut self, entity: Entity) {
        if let Some(attachment) = self.attachments.remove(&entity) {
            self.names.remove(&attachment.name);
            // There are at most as many of these as attached channels, so the queue stays bounded.
            self.queue.push_back(Command::Release { channel: attachment.name });
        }
    }

    pub(super) fn entity(&self, name: &ChannelName) -> Option<Entity> {
        self.names.get(name).copied()
    }

    pub(super) fn attachment(&mut self, entity: Entity) -> Option<&mut Attachment> {
        self.attachments.get_mut(&entity)
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

    /// Asks the client for the members that it knows.
    pub(super) fn members(&mut self, entity: Entity) -> Result<(), ChannelError> {
        let operation = next_operation();
        self.ask(entity, Purpose::Members, operation, |channel| Command::Members {
            operation,
            channel,
            query: MemberQuery { wait_for_sync: false, ..MemberQuery::default() },
        })
    }

    pub(super) fn time(&mut self, operation: OperationId) -> Result<(), ChannelError> {
        self.check_capacity()?;
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
        let name = self
            .attachments
            .get(&channel)
            .map(|attachment| attachment.name.clone())
            .ok_or(ChannelError::NotAttached)?;
        self.check_capacity()?;
        self.asked.insert(operation, Asked { channel, purpose });
        self.queue.push_back(command(name));
        Ok(())
    }

    fn check_capacity(&self) -> Result<(), ChannelError> {
        if self.asked.len() < MAX_ASKED { Ok(()) } else { Err(ChannelError::TooMuchAsked { limit: MAX_ASKED }) }
    }

    /// Attaches again after the client forgot the channel, because a new connection began.
    pub(super) fn attach_again(&mut self, channel: ChannelName, options: ChannelOptions) {
        if self.queue.len() < MAX_QUEUED {
            self.queue.push_back(Command::Attach { channel, options });
        }
    }

    /// Removes the request that an answer belongs to.
    pub(super) fn settle(&mut self, operation: OperationId) -> Option<Asked> {
        self.asked.remove(&operation)
    }

    /// The next command for the client.
    pub(in crate::plugin) fn poll_command(&mut self) -> Option<Command> {
        self.queue.pop_front()
    }

    /// The background task ended. Returns the events that answer every request and end every channel.
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

    fn attach(requests: &mut ChannelRequests, entity: Entity, name: &str) -> Result<(), ChannelError> {
        requests.attach(entity, &name.into(), &ChannelOptions::default(), false)
    }

    fn attached(name: &str) -> (ChannelRequests, Entity) {
        let mut requests = ChannelRequests::default();
        attach(&mut requests, entity(1), name).unwrap();
        (requests, entity(1))
    }

    #[test]
    fn the_channels_of_rooms_are_theirs_however_they_are_called() {
        let mut requests = ChannelRequests::default();
        for name in ["room:den", "room:den:to:ada", "rooms", "[?rewind=1]room:den", "[filter=x]rooms"] {
            let refused = attach(&mut requests, entity(1), name);
            assert!(matches!(refused, Err(ChannelError::Reserved { .. })), "{name}");
        }
        assert!(attach(&mut requests, entity(1), "rooms-of-mine").is_ok());
    }

    #[test]
    fn of_one_name_there_is_one_entity_until_it_is_released() {
        let (mut requests, first) = attached("chat");
        let refused = attach(&mut requests, entity(2), "chat");
        assert!(matches!(refused, Err(ChannelError::AttachedTwice { .. })));
        requests.release(first);
        assert!(attach(&mut requests, entity(2), "chat").is_ok());
        assert_eq!(requests.entity(&"chat".into()), Some(entity(2)));
    }

    #[test]
    fn an_entity_that_gets_another_channel_releases_the_one_it_had() {
        let (mut requests, entity) = attached("chat");
        attach(&mut requests, entity, "news").unwrap();
        let commands: Vec<_> = std::iter::from_fn(|| requests.poll_command()).collect();
        assert!(matches!(&commands[1], Command::Release { channel } if channel.as_str() == "chat"), "{commands:?}");
        assert_eq!((requests.entity(&"chat".into()), requests.entity(&"news".into())), (None, Some(entity)));
    }

    #[test]
    fn what_is_asked_is_bounded_and_makes_room_once_answered() {
        let (mut requests, entity) = attached("chat");
        let publish = |requests: &mut ChannelRequests| {
            let operation = next_operation();
            requests.publish(entity, operation, vec![Raw::new("a", "b")], Lifetime::Durable).map(|()| operation)
        };
        let first = publish(&mut requests).unwrap();
        for _ in 1..MAX_ASKED {
            publish(&mut requests).unwrap();
        }
        assert_eq!(publish(&mut requests), Err(ChannelError::TooMuchAsked { limit: MAX_ASKED }));
        assert_eq!(requests.settle(first).map(|asked| asked.purpose), Some(Purpose::Publish));
        assert!(publish(&mut requests).is_ok());
    }

    #[test]
    fn attaching_is_refused_while_too_many_commands_wait() {
        let mut requests = ChannelRequests::default();
        let attach =
            |requests: &mut ChannelRequests, number: u32| attach(requests, entity(number), &format!("c{number}"));
        let most = u32::try_from(MAX_QUEUED).unwrap();
        (1..=most).for_each(|number| attach(&mut requests, number).unwrap());
        assert!(matches!(attach(&mut requests, most + 1), Err(ChannelError::TooMuchAsked { .. })));
    }

    #[test]
    fn the_end_of_the_background_task_answers_everything() {
        let (mut requests, entity) = attached("chat");
        requests.publish(entity, next_operation(), vec![Raw::new("a", "b")], Lifetime::Durable).unwrap();
        requests.time(next_operation()).unwrap();
        let events = requests.end("gone");
        assert!(matches!(
            &events[..],
            [Event::Published { outcome: Err(_), .. }, Event::Time { outcome: Err(_), .. }, Event::Channel(change)]
                if change.current == ChannelState::Failed
        ));
        assert!(events.iter().all(is_of_app_channels), "{events:?}");
    }
}
