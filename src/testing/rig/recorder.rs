//! Keeps messages that Bevy drops after two frames.

use std::marker::PhantomData;

use bevy::{ecs::message::MessageCursor, prelude::*};

use crate::plugin::{
    ChannelCaughtUp, ChannelChanged, ChannelMessage, ChannelTrouble, ConnectionChanged, HostChanged, MemberChanged,
    PlayerJoined, PlayerLeft, PlayerLost, PlayerReturned, Published, RoomClosed, RoomError, RoomInterrupted,
    RoomResumed,
};

/// Keeps all messages of one type for [`Rig::recorded`](super::Rig::recorded). The plugin's own messages about rooms,
/// channels and the line are kept without it; add one for each of the game's that matter, such as
/// `Recorder::<FromRoom<Wave>>::default()`.
#[derive(Debug)]
pub struct Recorder<M>(PhantomData<fn() -> M>);

impl<M> Default for Recorder<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<M: Message + Clone> Plugin for Recorder<M> {
    fn build(&self, app: &mut App) {
        app.add_message::<M>()
            .insert_resource(Recorded::<M> { messages: Vec::new(), cursor: MessageCursor::default() });
        app.world_mut().get_resource_or_init::<Recorders>().0.push(record::<M>);
    }
}

/// The messages of one type that an app has seen, in order.
#[derive(Resource)]
pub(super) struct Recorded<M: Message> {
    pub(super) messages: Vec<M>,
    cursor: MessageCursor<M>,
}

/// What to do after each frame. Not systems, since a system that has nothing to do costs more than this does.
#[derive(Resource, Default)]
struct Recorders(Vec<fn(&mut World)>);

fn record<M: Message + Clone>(world: &mut World) {
    if world.get_resource::<Messages<M>>().is_none_or(Messages::is_empty) {
        return;
    }
    world.resource_scope(|world, mut recorded: Mut<Recorded<M>>| {
        if let Some(messages) = world.get_resource::<Messages<M>>() {
            let Recorded { messages: kept, cursor } = &mut *recorded;
            kept.extend(cursor.read(messages).cloned());
        }
    });
}

/// Keeps the messages of the frame that is over.
pub(super) fn after_frame(world: &mut World) {
    world.resource_scope(|world, recorders: Mut<Recorders>| recorders.0.iter().for_each(|record| record(world)));
}

pub(super) fn record_the_rooms_own(app: &mut App) {
    app.add_plugins((
        Recorder::<HostChanged>::default(),
        Recorder::<PlayerJoined>::default(),
        Recorder::<PlayerLost>::default(),
        Recorder::<PlayerReturned>::default(),
        Recorder::<PlayerLeft>::default(),
        Recorder::<RoomInterrupted>::default(),
        Recorder::<RoomResumed>::default(),
        Recorder::<RoomClosed>::default(),
        Recorder::<RoomError>::default(),
    ));
    app.add_plugins((
        Recorder::<ConnectionChanged>::default(),
        Recorder::<ChannelChanged>::default(),
        Recorder::<ChannelMessage>::default(),
        Recorder::<ChannelCaughtUp>::default(),
        Recorder::<ChannelTrouble>::default(),
        Recorder::<MemberChanged>::default(),
        Recorder::<Published>::default(),
    ));
}
