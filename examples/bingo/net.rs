//! Bingo in a room: what players and host say to one another, and what everyone shares.
//!
//! The host's side is in [`host`](crate::host). This side holds the strip that was dealt to this player, marks it, and
//! shouts.

use std::time::Duration;

use bevy::prelude::*;
use bevy_rooms::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    card::{Number, Strip},
    host,
    rules::{self, ClaimError, Game, Marks, SHOUT_INTERVAL, Settings, Status, best_claim},
    seal::{Held, Seals},
};

/// What everyone shares: the round. The host works on it; what is shown, marked and shouted goes by [`Confirmed<Table>`], so that
/// no screen shows a number that the round does not keep.
#[derive(Resource, Clone, Debug, Default, Deref, DerefMut, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Table(pub Game);

/// Host to one player: the strip for a round, and the marks that the player had.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deal {
    /// The round that it is for.
    pub round: u32,
    /// The strip.
    pub held: Held,
    /// The marks, for a player who comes back.
    pub marks: Marks,
}

/// Player to a host that did not deal: this is my strip, should I have to come back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The round.
    pub round: u32,
    /// The strip.
    pub held: Held,
    /// All marks.
    pub marks: Marks,
}

/// Player to host: these are my marks now, should I have to come back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Marked {
    /// The round.
    pub round: u32,
    /// All marks.
    pub marks: Marks,
}

/// Player to host: "Bingo!"
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shout {
    /// The round.
    pub round: u32,
    /// The strip: a host that did not deal it may not have seen it yet.
    pub held: Held,
    /// All marks.
    pub marks: Marks,
}

/// Host to everyone: somebody shouted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shouted {
    /// Who.
    pub by: PlayerId,
    /// What that player has marked.
    pub marks: Marks,
}

/// Host to one player: why the shout won nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoPrize(pub ClaimError);

/// How this player plays.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct Style {
    /// Marks what is called, where the host allows it.
    pub automark: bool,
    /// Marks and shouts by itself, as a bot does.
    pub plays_itself: bool,
}

/// What this player holds.
#[derive(Resource, Clone, Debug, Default)]
pub struct Hand {
    /// The round that the strip is for.
    pub round: u32,
    /// The strip; `None` for a spectator.
    pub held: Option<Held>,
    /// The marks.
    pub marks: Marks,
    /// Time since the last shout.
    since_shout: Option<Duration>,
    /// Marks that the host does not know yet.
    unsaved: bool,
    /// Why the last shout won nothing.
    pub notice: Option<ClaimError>,
}

impl Hand {
    /// The strip; `None` for a spectator.
    pub fn strip(&self) -> Option<&Strip> {
        self.held.as_ref().map(|held| &held.strip)
    }

    /// Marks a number, or takes its mark away.
    pub fn toggle(&mut self, number: Number) {
        self.marks.toggle(number);
        self.unsaved = true;
    }

    /// Whether a shout would be let through now.
    pub fn may_shout(&self, game: &Game, player: &PlayerId) -> Result<(), ClaimError> {
        game.may_shout(&rules::PlayerId::from(player.as_str()), self.marks, self.since_shout)
    }
}

/// The player wants to shout.
#[derive(Message, Clone, Copy, Debug)]
pub struct WantsToShout;

/// How often marks are saved with the host while they change.
const SAVE_MARKS_EVERY: Duration = Duration::from_secs(1);

/// The game of bingo, without a face.
#[derive(Clone, Debug, Default)]
pub struct BingoPlugin {
    /// How this player plays.
    pub style: Style,
    /// What this player chooses as host.
    pub settings: Settings,
    /// As host: start by itself once so many players are in.
    pub start_with: Option<usize>,
    /// How many rounds to start by itself.
    pub rounds: Option<u32>,
    /// Repeatable strips and draws.
    pub seed: Option<u64>,
}

impl Plugin for BingoPlugin {
    fn build(&self, app: &mut App) {
        app.share_resource::<Table>()
            .confirm_resource::<Table>()
            .share_resource::<Seals>()
            .add_room_message::<Deal>()
            .add_room_message::<Marked>()
            .add_room_message::<Shown>()
            .add_room_message::<Shout>()
            .add_room_message::<Shouted>()
            .add_room_message::<NoPrize>()
            .add_message::<WantsToShout>()
            .init_resource::<Hand>()
            .insert_resource(self.style)
            .add_systems(
                Update,
                (take_deal, take_notice, show_strip, mark_by_itself, play_by_itself, shout, save_marks)
                    .chain()
                    .run_if(in_room),
            )
            .add_systems(OnExit(RoomState::Joined), clear_table);
        host::build(app, self);
    }
}

/// A new round brings a new strip.
fn take_deal(mut deals: MessageReader<FromRoom<Deal>>, mut hand: ResMut<Hand>, host: Res<Host>) {
    for deal in deals.read().filter(|deal| host.player.as_ref() == Some(&deal.sender)) {
        *hand = Hand { round: deal.round, held: Some(deal.held.clone()), marks: deal.marks, ..default() };
    }
}

/// Another host has not seen the strip yet, and would not have it for us should we have to come back.
fn show_strip(mut changes: MessageReader<HostChanged>, hand: Res<Hand>, mut send: MessageWriter<ToRoom<Shown>>) {
    if changes.read().filter(|change| change.from.is_some()).count() == 0 {
        return;
    }
    if let Some(held) = hand.held.clone() {
        send.write(ToRoom::host(Shown { round: hand.round, held, marks: hand.marks }));
    }
}

fn take_notice(mut notices: MessageReader<FromRoom<NoPrize>>, mut hand: ResMut<Hand>) {
    for notice in notices.read() {
        hand.notice = Some(notice.message.0);
    }
}

fn mark_by_itself(table: Res<Confirmed<Table>>, style: Res<Style>, mut hand: ResMut<Hand>) {
    let marks_itself = style.plays_itself || (style.automark && table.settings().automark);
    if !marks_itself || hand.held.is_none() || hand.round != table.round() {
        return;
    }
    let mut marks = hand.marks;
    marks.automark(table.called());
    if marks != hand.marks {
        hand.marks = marks;
        hand.unsaved = true;
    }
}

fn play_by_itself(
    table: Res<Confirmed<Table>>,
    style: Res<Style>,
    hand: Res<Hand>,
    mut wants: MessageWriter<WantsToShout>,
) {
    let Some(strip) = hand.strip().filter(|_| style.plays_itself && hand.round == table.round()) else { return };
    let wins = best_claim(strip, hand.marks, table.called_set(), table.free_prizes()).is_some();
    if wins && hand.since_shout.is_none_or(|since| since >= SHOUT_INTERVAL) {
        wants.write(WantsToShout);
    }
}

fn shout(
    mut wants: MessageReader<WantsToShout>,
    mut send: MessageWriter<ToRoom<Shout>>,
    (table, us): (Res<Confirmed<Table>>, Res<LocalPlayer>),
    time: Res<Time<Real>>,
    mut hand: ResMut<Hand>,
) {
    if let Some(since) = hand.since_shout {
        hand.bypass_change_detection().since_shout = Some(since + time.delta());
    }
    if wants.read().count() == 0 {
        return;
    }
    match (hand.may_shout(&table, &us.id), hand.held.clone()) {
        (Ok(()), Some(held)) => {
            hand.since_shout = Some(Duration::ZERO);
            hand.notice = None;
            send.write(ToRoom::host(Shout { round: hand.round, held, marks: hand.marks }));
        }
        (Ok(()), None) => hand.notice = Some(ClaimError::NotPlaying),
        (Err(error), _) => hand.notice = Some(error),
    }
}

/// Tells the host the marks now and then, so that a player who comes back has them again.
fn save_marks(
    time: Res<Time<Real>>,
    mut since: Local<Duration>,
    table: Res<Confirmed<Table>>,
    mut hand: ResMut<Hand>,
    mut send: MessageWriter<ToRoom<Marked>>,
) {
    *since += time.delta();
    if hand.unsaved && *since >= SAVE_MARKS_EVERY && table.status() == Status::Running && hand.round == table.round() {
        *since = Duration::ZERO;
        hand.unsaved = false;
        send.write(ToRoom::host(Marked { round: hand.round, marks: hand.marks }));
    }
}

/// The next room starts afresh.
fn clear_table(mut table: ResMut<Table>, mut seals: ResMut<Seals>, mut hand: ResMut<Hand>) {
    *table = Table::default();
    *seals = Seals::default();
    *hand = Hand::default();
}
