//! Receiving: the events of channels become components, messages and calls of observers.

use bevy::prelude::*;

use super::{
    catch_up::{CatchUp, MAX_HELD, MAX_RECOVERED, Then},
    channel::Channel,
    emit::emit,
    error::ChannelError,
    events::{ChannelCaughtUp, ChannelChanged, ChannelHistory, ChannelMessage, MemberChanged, Published, ServerTime},
    members::{ChannelMembers, Member},
    operation::next_operation,
    report::{describe, report_published, report_trouble},
    requests::{ChannelRequests, Purpose},
    status::{ChannelStatus, set_state, show},
    typed::ChannelTypes,
};
use crate::{
    client::{ChannelChange, ChannelState, Event, HistoryOf, HistoryPage, OperationId},
    plugin::engine::RoomsEngine,
    protocol::{ErrorCode, ErrorInfo, Flags, Message as Raw, PresenceAction, PresenceMessage},
    session::Continuity,
};

/// Applies the events of channels, in the order of arrival.
pub(in crate::plugin) fn apply(world: &mut World, events: impl Iterator<Item = Event>) {
    for event in events {
        match event {
            Event::Channel(change) => apply_change(world, change),
            Event::Messages { channel, messages } => {
                for message in messages {
                    // Looked up for each message: an observer may have detached the channel.
                    let Some(entity) = requests(world).entity(&channel) else { break };
                    take_message(world, entity, message);
                }
            }
            Event::Presence { channel, members } => {
                for message in members {
                    let Some(entity) = requests(world).entity(&channel) else { break };
                    apply_presence_message(world, entity, message);
                }
            }
            Event::PresenceSynced { channel } => {
                if let Some(entity) = requests(world).entity(&channel)
                    && let Some(mut members) = world.get_mut::<ChannelMembers>(entity)
                {
                    members.complete = true;
                }
            }
            Event::Published { operation, outcome } => match requests(world).settle(operation) {
                Some(asked) if asked.purpose == Purpose::Publish => {
                    let outcome = outcome.map_err(ChannelError::from);
                    report_published(world, Published { channel: asked.channel, operation, outcome });
                }
                Some(asked) => {
                    if let (Purpose::Presence(action), Err(error)) = (asked.purpose, outcome) {
                        report_trouble(world, asked.channel, ChannelError::PresenceRefused { action, error });
                    }
                }
                None => {}
            },
            Event::History { operation, outcome } => apply_history(world, operation, outcome),
            Event::Members { operation, outcome } => {
                if let (Some(asked), Ok(present)) = (requests(world).settle(operation), outcome) {
                    apply_members(world, asked.channel, present);
                }
            }
            Event::Time { operation, outcome } => {
                requests(world).settle(operation);
                world.write_message(ServerTime { operation, outcome });
            }
            Event::Overflow { dropped } => apply_overflow(world, dropped),
            _ => {}
        }
    }
}

fn requests(world: &mut World) -> Mut<'_, ChannelRequests> {
    world.resource_mut::<RoomsEngine>().map_unchanged(|engine| &mut engine.channels)
}

fn apply_change(world: &mut World, change: ChannelChange) {
    let Some(entity) = requests(world).entity(&change.channel) else { return };
    let is_attached = change.current == ChannelState::Attached;
    let continuity = if change.resumed { Continuity::Kept } else { Continuity::Lost };
    let continuity = requests(world).attachment(entity).and_then(|attachment| {
        let before = attachment.was_attached;
        attachment.was_attached |= is_attached;
        (is_attached && before).then_some(continuity)
    });
    if let Some(mut status) = world.get_mut::<ChannelStatus>(entity) {
        status.modes = if is_attached { change.modes } else { Flags::empty() };
    }
    if change.current == ChannelState::Initialized {
        reattach(world, entity);
    }
    let changed = ChannelChanged {
        channel: entity,
        previous: change.previous,
        current: change.current,
        continuity,
        has_backlog: change.has_backlog,
        reason: change.reason.map(ChannelError::from),
    };
    if is_attached && continuity != Some(Continuity::Kept) {
        look_back(world, entity, continuity, true);
    }
    show(world, changed);
}

/// Attaches again: the client forgot the channel with its connection, and a new connection begins.
fn reattach(world: &mut World, entity: Entity) {
    if let Some(channel) = world.get::<Channel>(entity) {
        let (name, options) = (channel.name().clone(), channel.options().clone());
        requests(world).attach_again(name, options);
    }
}

/// Asks for the position in the stream at the first attachment, and for missed messages later.
fn look_back(world: &mut World, entity: Entity, continuity: Option<Continuity>, until_attach: bool) {
    let operation = next_operation();
    let mut requests = requests(world);
    let Some(catch_up) = requests.attachment(entity).and_then(|attachment| attachment.catch_up.as_mut()) else {
        return;
    };
    let unmarked = catch_up.unmarked().filter(|_| continuity.is_some()).cloned();
    if let Some(error) = unmarked {
        return give_up(world, entity, error.into());
    }
    let (purpose, query) = match continuity {
        None => (Purpose::Mark, CatchUp::mark_query()),
        Some(_) => (Purpose::CatchUp, catch_up.begin(operation, until_attach)),
    };
    if let Err(error) = requests.history(entity, purpose, operation, HistoryOf::Messages, query) {
        give_up(world, entity, error);
    }
}

/// Takes a message that arrived.
fn take_message(world: &mut World, entity: Entity, message: Raw) {
    let mut requests = requests(world);
    let taken = match requests.attachment(entity).and_then(|attachment| attachment.catch_up.as_mut()) {
        Some(catch_up) => catch_up.take(message),
        None => Ok(Some(message)),
    };
    match taken {
        Ok(Some(message)) => deliver(world, entity, message, false),
        Ok(None) => {}
        Err(held) => {
            held.into_iter().for_each(|message| deliver(world, entity, message, false));
            give_up(world, entity, ChannelError::TooMuchMissed { limit: MAX_HELD });
        }
    }
}

fn deliver(world: &mut World, channel: Entity, message: Raw, is_recovered: bool) {
    let name = message.name.as_deref().unwrap_or_default();
    let typed = world.resource::<ChannelTypes>().0.get(name).copied();
    if let Some(Err(error)) = typed.map(|typed| typed(world, channel, &message, is_recovered)) {
        let (name, sender) = (name.to_owned(), message.client_id.clone());
        report_trouble(world, channel, ChannelError::Undecodable { name, sender, why: error.to_string() });
    }
    emit(world, channel, ChannelMessage { channel, message, is_recovered });
}

fn apply_history(world: &mut World, operation: OperationId, outcome: Result<HistoryPage, ErrorInfo>) {
    let Some(asked) = requests(world).settle(operation) else { return };
    let channel = asked.channel;
    match (asked.purpose, outcome) {
        (Purpose::Mark, Ok(page)) => {
            if let Some(catch_up) =
                requests(world).attachment(channel).and_then(|attachment| attachment.catch_up.as_mut())
            {
                catch_up.mark(&page);
            }
        }
        (Purpose::Mark, Err(error)) => {
            if let Some(catch_up) =
                requests(world).attachment(channel).and_then(|attachment| attachment.catch_up.as_mut())
            {
                catch_up.fail_to_mark(error);
            }
        }
        (Purpose::CatchUp, Ok(page)) => take_page(world, channel, operation, page),
        (Purpose::CatchUp, Err(error)) => {
            let mut requests = requests(world);
            let catch_up = requests.attachment(channel).and_then(|attachment| attachment.catch_up.as_mut());
            if catch_up.is_some_and(|catch_up| catch_up.reads(operation)) {
                give_up(world, channel, error.into());
            }
        }
        (_, outcome) => {
            let outcome = outcome.map_err(ChannelError::from);
            emit(world, channel, ChannelHistory { channel, operation, outcome });
        }
    }
}

/// Takes a page of missed messages.
fn take_page(world: &mut World, channel: Entity, operation: OperationId, page: HistoryPage) {
    let mut requests = requests(world);
    let catch_up = requests.attachment(channel).and_then(|attachment| attachment.catch_up.as_mut());
    let Some(step) = catch_up.and_then(|catch_up| catch_up.page(operation, page)) else { return };
    let mut error = None;
    if let Then::Page(next) = &step.then {
        let operation = next_operation();
        if let Some(catch_up) = requests.attachment(channel).and_then(|attachment| attachment.catch_up.as_mut()) {
            catch_up.go_on(operation);
        }
        error = requests.next_page(channel, Purpose::CatchUp, operation, next.clone()).err();
    }
    step.recovered.into_iter().for_each(|message| deliver(world, channel, message, true));
    let (held, recovered, is_complete) = match step.then {
        Then::Page(_) => return error.into_iter().for_each(|error| give_up(world, channel, error)),
        Then::Done { held, recovered, is_complete } => (held, recovered, is_complete),
        Then::TooMuch { held, recovered } => {
            error = Some(ChannelError::TooMuchMissed { limit: MAX_RECOVERED });
            (held, recovered, false)
        }
    };
    emit(world, channel, ChannelCaughtUp { channel, recovered, is_complete, error });
    held.into_iter().for_each(|message| deliver(world, channel, message, false));
}

/// Ends catching up: the missed messages are not available, or not all of them.
fn give_up(world: &mut World, channel: Entity, error: ChannelError) {
    log::warn!("{}: the missed messages are not available: {error}", describe(world, channel));
    let mut requests = requests(world);
    let catch_up = requests.attachment(channel).and_then(|attachment| attachment.catch_up.as_mut());
    let (held, recovered, _) = catch_up.map(CatchUp::stop).unwrap_or_default();
    emit(world, channel, ChannelCaughtUp { channel, recovered, is_complete: false, error: Some(error) });
    held.into_iter().for_each(|message| deliver(world, channel, message, false));
}

fn apply_presence_message(world: &mut World, channel: Entity, message: PresenceMessage) {
    let action = message.action;
    let Some(member) = Member::of(message) else { return };
    if let Some(mut members) = world.get_mut::<ChannelMembers>(channel) {
        members.note(action, &member);
    }
    emit(world, channel, MemberChanged { channel, action, member });
}

/// Takes the list of members, which the client sends after presence messages were dropped.
fn apply_members(world: &mut World, channel: Entity, present: Vec<PresenceMessage>) {
    let news = present.iter().filter_map(|message| Member::of(message.clone())).collect::<Vec<_>>();
    let Some(mut members) = world.get_mut::<ChannelMembers>(channel) else { return };
    let gone = members.replace(present);
    members.complete = true;
    for member in news {
        emit(world, channel, MemberChanged { channel, action: PresenceAction::Present, member });
    }
    for member in gone {
        emit(world, channel, MemberChanged { channel, action: PresenceAction::Leave, member });
    }
}

/// The app stalled for so long that events were dropped: messages of any channel may be missing.
fn apply_overflow(world: &mut World, dropped: u64) {
    let text = format!("{dropped} events were dropped because the app did not take them in time");
    let reason = ChannelError::from(ErrorInfo::new(ErrorCode::CONTINUITY_LOST, 400, text));
    for channel in requests(world).entities() {
        if !world.get::<ChannelStatus>(channel).is_some_and(ChannelStatus::is_attached) {
            continue;
        }
        let lost = Some(Continuity::Lost);
        // The dropped events came after the channel was attached.
        look_back(world, channel, lost, false);
        if let Err(error) = requests(world).members(channel) {
            report_trouble(world, channel, error);
        }
        set_state(world, channel, ChannelState::Attached, Some(reason.clone()), lost);
    }
}
