//! The way in: what came about channels becomes components, messages and calls of observers.

use bevy::{ecs::event::EntityTrigger, prelude::*};

use super::{
    Channel, ChannelCaughtUp, ChannelChanged, ChannelError, ChannelHistory, ChannelMembers, ChannelMessage,
    ChannelStatus, ChannelTrouble, Member, MemberChanged, Published, ServerTime,
    catch_up::{CatchUp, MAX_HELD, MAX_RECOVERED, Then},
    front::{Front, Purpose, next_operation},
    typed::ChannelTypes,
};
use crate::{
    client::{ChannelChange, ChannelState, Event, HistoryOf, HistoryPage, OperationId},
    plugin::link::RoomsLink,
    protocol::{ErrorCode, ErrorInfo, Flags, Message as Raw, PresenceAction, PresenceMessage},
    session::Continuity,
};

/// Applies what came about channels, in the order in which it came.
pub(in crate::plugin) fn apply(world: &mut World, events: impl Iterator<Item = Event>) {
    for event in events {
        match event {
            Event::Channel(change) => apply_change(world, change),
            Event::Messages { channel, messages } => {
                for message in messages {
                    // Each time anew: an observer may have detached it.
                    let Some(entity) = front(world).entity(&channel) else { break };
                    take_message(world, entity, message);
                }
            }
            Event::Presence { channel, members } => {
                for word in members {
                    let Some(entity) = front(world).entity(&channel) else { break };
                    apply_word(world, entity, word);
                }
            }
            Event::PresenceSynced { channel } => {
                if let Some(entity) = front(world).entity(&channel)
                    && let Some(mut members) = world.get_mut::<ChannelMembers>(entity)
                {
                    members.complete = true;
                }
            }
            Event::Published { operation, outcome } => match front(world).settle(operation) {
                Some(asked) if asked.purpose == Purpose::Publish => {
                    let outcome = outcome.map_err(ChannelError::from);
                    tell_published(world, Published { channel: asked.channel, operation, outcome });
                }
                Some(asked) => {
                    if let (Purpose::Presence(action), Err(error)) = (asked.purpose, outcome) {
                        tell_trouble(world, asked.channel, ChannelError::PresenceRefused { action, error });
                    }
                }
                None => {}
            },
            Event::History { operation, outcome } => apply_history(world, operation, outcome),
            Event::Members { operation, outcome } => {
                if let (Some(asked), Ok(words)) = (front(world).settle(operation), outcome) {
                    apply_members(world, asked.channel, words);
                }
            }
            Event::Time { operation, outcome } => {
                front(world).settle(operation);
                world.write_message(ServerTime { operation, outcome });
            }
            Event::Overflow { dropped } => apply_overflow(world, dropped),
            _ => {}
        }
    }
}

fn front(world: &mut World) -> Mut<'_, Front> {
    world.resource_mut::<RoomsLink>().map_unchanged(|link| &mut link.channels)
}

/// Tells observers of the channel, and then all who read messages.
pub(super) fn tell<E>(world: &mut World, channel: Entity, mut event: E)
where
    E: Message + for<'a> EntityEvent<Trigger<'a> = EntityTrigger>,
{
    // What was asked of a channel may be answered when that is gone.
    if world.get_entity(channel).is_ok() {
        world.trigger_ref(&mut event);
        world.flush();
    }
    world.write_message(event);
}

pub(super) fn tell_trouble(world: &mut World, channel: Entity, error: ChannelError) {
    log::warn!("{}: {error}", describe(world, channel));
    tell(world, channel, ChannelTrouble { channel, error });
}

pub(super) fn tell_published(world: &mut World, published: Published) {
    let channel = published.channel;
    if let Err(error) = &published.outcome {
        log::warn!("{}: not published: {error}", describe(world, channel));
    }
    tell(world, channel, published);
}

fn describe(world: &World, channel: Entity) -> String {
    world.get::<Channel>(channel).map_or_else(|| channel.to_string(), |channel| channel.name().to_string())
}

/// The channel cannot be attached at all.
pub(super) fn fail(world: &mut World, channel: Entity, error: ChannelError) {
    log::warn!("{error}");
    set_state(world, channel, ChannelState::Failed, Some(error), None);
}

fn apply_change(world: &mut World, change: ChannelChange) {
    let Some(entity) = front(world).entity(&change.channel) else { return };
    let is_attached = change.current == ChannelState::Attached;
    let continuity = if change.resumed { Continuity::Kept } else { Continuity::Lost };
    let continuity = front(world).line(entity).and_then(|line| {
        let before = line.was_attached;
        line.was_attached |= is_attached;
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

/// The client forgot the channel with its connection, and a new connection begins.
fn reattach(world: &mut World, entity: Entity) {
    if let Some(channel) = world.get::<Channel>(entity).cloned() {
        front(world).attach_again(&channel);
    }
}

fn set_state(
    world: &mut World,
    channel: Entity,
    current: ChannelState,
    reason: Option<ChannelError>,
    continuity: Option<Continuity>,
) {
    let Some(status) = world.get::<ChannelStatus>(channel) else { return };
    let previous = status.state;
    show(world, ChannelChanged { channel, previous, current, continuity, has_backlog: false, reason });
}

/// Brings the components up to a change, and tells of it.
fn show(world: &mut World, changed: ChannelChanged) {
    let channel = changed.channel;
    if let Some(mut status) = world.get_mut::<ChannelStatus>(channel) {
        status.state = changed.current;
        if changed.reason.is_some() || changed.current == ChannelState::Attached {
            status.error.clone_from(&changed.reason);
        }
    }
    if let Some(mut members) = world.get_mut::<ChannelMembers>(channel) {
        match changed.current {
            ChannelState::Attached | ChannelState::Detaching if changed.previous == changed.current => {}
            // The client forgets the members too, without a word about each.
            ChannelState::Initialized | ChannelState::Detached | ChannelState::Failed => {
                *members = ChannelMembers::default();
            }
            _ => members.complete = false,
        }
    }
    tell(world, channel, changed);
}

/// Learns where the stream stands where the channel was attached for the first time, and what was missed else.
fn look_back(world: &mut World, entity: Entity, continuity: Option<Continuity>, until_attach: bool) {
    let operation = next_operation();
    let mut front = front(world);
    let Some(catch_up) = front.line(entity).and_then(|line| line.catch_up.as_mut()) else { return };
    let unmarked = catch_up.unmarked().filter(|_| continuity.is_some()).cloned();
    if let Some(error) = unmarked {
        return give_up(world, entity, error.into());
    }
    let (purpose, query) = match continuity {
        None => (Purpose::Mark, CatchUp::mark_query()),
        Some(_) => (Purpose::CatchUp, catch_up.begin(operation, until_attach)),
    };
    if let Err(error) = front.history(entity, purpose, operation, HistoryOf::Messages, query) {
        give_up(world, entity, error);
    }
}

/// Takes in a message that came.
fn take_message(world: &mut World, entity: Entity, message: Raw) {
    let mut front = front(world);
    let taken = match front.line(entity).and_then(|line| line.catch_up.as_mut()) {
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
        tell_trouble(world, channel, ChannelError::Undecodable { name, sender, why: error.to_string() });
    }
    tell(world, channel, ChannelMessage { channel, message, is_recovered });
}

fn apply_history(world: &mut World, operation: OperationId, outcome: Result<HistoryPage, ErrorInfo>) {
    let Some(asked) = front(world).settle(operation) else { return };
    let channel = asked.channel;
    match (asked.purpose, outcome) {
        (Purpose::Mark, Ok(page)) => {
            if let Some(catch_up) = front(world).line(channel).and_then(|line| line.catch_up.as_mut()) {
                catch_up.mark(&page);
            }
        }
        (Purpose::Mark, Err(error)) => {
            if let Some(catch_up) = front(world).line(channel).and_then(|line| line.catch_up.as_mut()) {
                catch_up.fail_to_mark(error);
            }
        }
        (Purpose::CatchUp, Ok(page)) => take_page(world, channel, operation, page),
        (Purpose::CatchUp, Err(error)) => {
            let mut front = front(world);
            let catch_up = front.line(channel).and_then(|line| line.catch_up.as_mut());
            if catch_up.is_some_and(|catch_up| catch_up.reads(operation)) {
                give_up(world, channel, error.into());
            }
        }
        (_, outcome) => {
            let outcome = outcome.map_err(ChannelError::from);
            tell(world, channel, ChannelHistory { channel, operation, outcome });
        }
    }
}

/// Takes in a page of what was missed.
fn take_page(world: &mut World, channel: Entity, operation: OperationId, page: HistoryPage) {
    let mut front = front(world);
    let catch_up = front.line(channel).and_then(|line| line.catch_up.as_mut());
    let Some(step) = catch_up.and_then(|catch_up| catch_up.page(operation, page)) else { return };
    let mut error = None;
    if let Then::Page(next) = &step.then {
        let operation = next_operation();
        if let Some(catch_up) = front.line(channel).and_then(|line| line.catch_up.as_mut()) {
            catch_up.go_on(operation);
        }
        error = front.next_page(channel, Purpose::CatchUp, operation, next.clone()).err();
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
    tell(world, channel, ChannelCaughtUp { channel, recovered, is_complete, error });
    held.into_iter().for_each(|message| deliver(world, channel, message, false));
}

/// What was missed cannot be had, or not all of it.
fn give_up(world: &mut World, channel: Entity, error: ChannelError) {
    log::warn!("{}: what was missed cannot be had: {error}", describe(world, channel));
    let mut front = front(world);
    let catch_up = front.line(channel).and_then(|line| line.catch_up.as_mut());
    let (held, recovered, _) = catch_up.map(CatchUp::stop).unwrap_or_default();
    tell(world, channel, ChannelCaughtUp { channel, recovered, is_complete: false, error: Some(error) });
    held.into_iter().for_each(|message| deliver(world, channel, message, false));
}

fn apply_word(world: &mut World, channel: Entity, word: PresenceMessage) {
    let action = word.action;
    let Some(member) = Member::of(word) else { return };
    if let Some(mut members) = world.get_mut::<ChannelMembers>(channel) {
        members.note(action, &member);
    }
    tell(world, channel, MemberChanged { channel, action, member });
}

/// The client told who is there, since words about members were dropped.
fn apply_members(world: &mut World, channel: Entity, words: Vec<PresenceMessage>) {
    let news = words.iter().filter_map(|word| Member::of(word.clone())).collect::<Vec<_>>();
    let Some(mut members) = world.get_mut::<ChannelMembers>(channel) else { return };
    let gone = members.replace(words);
    members.complete = true;
    for member in news {
        tell(world, channel, MemberChanged { channel, action: PresenceAction::Present, member });
    }
    for member in gone {
        tell(world, channel, MemberChanged { channel, action: PresenceAction::Leave, member });
    }
}

/// The app stalled for so long that events were dropped: what was said on any channel may be missing.
fn apply_overflow(world: &mut World, dropped: u64) {
    let text = format!("{dropped} events were dropped since the app did not take them in time");
    let reason = ChannelError::from(ErrorInfo::new(ErrorCode::CONTINUITY_LOST, 400, text));
    for channel in front(world).entities() {
        if !world.get::<ChannelStatus>(channel).is_some_and(ChannelStatus::is_attached) {
            continue;
        }
        let lost = Some(Continuity::Lost);
        // What was dropped came after the channel was attached.
        look_back(world, channel, lost, false);
        if let Err(error) = front(world).members(channel) {
            tell_trouble(world, channel, error);
        }
        set_state(world, channel, ChannelState::Attached, Some(reason.clone()), lost);
    }
}
