//! The host's side of the game: deals, calls, hears shouts, and awards prizes.
//!
//! Any player may become host in the middle of a round, and goes on with what everyone shares: the called numbers, the
//! prizes, and the [seals](crate::seal) of the strips. Strips and marks come to it from their players.

use std::{collections::HashMap, time::Duration};

use bevy::prelude::*;
use bevy_rooms::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    caller::draw_next,
    card::deal,
    net::{BingoPlugin, Deal, Marked, NoPrize, Shout, Shouted, Shown, Table},
    rules::{self, Claim, ClaimError, Marks, Prize, Reason, Settings, Status, Winner},
    seal::{Held, Seals},
};

/// The player at this window wants a round to start.
#[derive(Message, Clone, Copy, Debug)]
pub struct StartRound;

/// What the host chooses, should this player be it.
#[derive(Resource, Clone, Copy, Debug)]
pub struct HostSettings {
    /// Interval and automark.
    pub settings: Settings,
    /// Start by itself once so many players are in.
    start_with: Option<usize>,
    /// How many rounds to start by itself.
    rounds: Option<u32>,
}

/// What only the host knows.
#[derive(Resource, Debug)]
struct Desk {
    /// Draws strips and numbers. Nobody else can, since its state is nowhere else.
    random: ChaCha8Rng,
    /// The round that the hands are of.
    round: u32,
    /// What was dealt in this round, and to whom, as far as this host dealt it or was shown it.
    hands: HashMap<PlayerId, Dealt>,
    /// Time since the last call, or since the round ended.
    since_call: Duration,
}

/// What one player of the round holds.
#[derive(Clone, Debug)]
struct Dealt {
    held: Held,
    /// As the player last told them.
    marks: Marks,
    since_shout: Option<Duration>,
}

/// Pause between rounds that start by themselves: long enough to see who won.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(3);

/// A pause between frames after which the host waits before it goes on: somebody else may have taken over meanwhile. The
/// room takes a pause of this length for a frozen host.
const STALL: Duration = Duration::from_secs(1);

/// Adds the host's side.
pub fn build(app: &mut App, plugin: &BingoPlugin) {
    let random = ChaCha8Rng::seed_from_u64(plugin.seed.unwrap_or_else(unguessable));
    app.add_message::<StartRound>()
        .insert_resource(HostSettings {
            settings: plugin.settings,
            start_with: plugin.start_with,
            rounds: plugin.rounds,
        })
        .insert_resource(Desk { random, round: 0, hands: HashMap::new(), since_call: Duration::ZERO })
        .add_systems(
            Update,
            (
                take_over.run_if(host_changed),
                pass_time,
                (start_by_itself, start).run_if(line_stands),
                (keep_strips, keep_marks, deal_again, hear_shouts),
                call.run_if(line_stands),
                seat_newcomers,
            )
                .chain()
                .run_if(is_host),
        );
}

/// A seed for draws that nobody can foresee.
fn unguessable() -> u64 {
    #[expect(clippy::expect_used, reason = "without randomness the draw could be foreseen: there is no fair game")]
    getrandom::u64().expect("the system gives randomness")
}

/// Whether what the host does reaches the others. What it did alone would be undone when another takes over.
fn line_stands(room: Res<Room>) -> bool {
    !room.interrupted
}

/// A new host has the others wait as long for the next number as after a call.
fn take_over(mut desk: ResMut<Desk>, table: Res<Table>) {
    desk.since_call = Duration::ZERO;
    if desk.round != table.round() {
        desk.round = table.round();
        desk.hands.clear();
    }
}

fn pass_time(time: Res<Time<Real>>, room: Res<Room>, mut desk: ResMut<Desk>) {
    let goes_on = line_stands(room) && time.delta() < STALL;
    desk.since_call = if goes_on { desk.since_call + time.delta() } else { Duration::ZERO };
    for dealt in desk.hands.values_mut() {
        dealt.since_shout = dealt.since_shout.map(|since| since + time.delta());
    }
}

fn start_by_itself(
    host: Res<HostSettings>,
    (table, roster, desk): (Res<Table>, Res<Roster>, Res<Desk>),
    mut start: MessageWriter<StartRound>,
) {
    let enough = host.start_with.is_some_and(|players| present(&roster).count() >= players);
    let rounds_left = host.rounds.is_none_or(|rounds| table.round() < rounds);
    let rested = table.round() == 0 || desk.since_call >= BETWEEN_ROUNDS;
    if enough && rounds_left && rested && table.status() != Status::Running {
        start.write(StartRound);
    }
}

/// Clears the last round and deals everyone a strip, in private.
fn start(
    mut starts: MessageReader<StartRound>,
    host: Res<HostSettings>,
    roster: Res<Roster>,
    (mut table, mut seals, mut desk): (ResMut<Table>, ResMut<Seals>, ResMut<Desk>),
    mut send: MessageWriter<ToRoom<Deal>>,
) {
    if starts.read().count() == 0 || table.status() == Status::Running {
        return;
    }
    let players: Vec<PlayerId> = present(&roster).cloned().collect();
    let seated = players.iter().map(|player| rules::PlayerId::from(player.as_str()));
    let settings = host.settings;
    if let Err(error) = table.configure(settings).and_then(|()| table.start(seated)) {
        warn!("the round cannot start: {error}");
        return;
    }
    let strips = deal(players.len(), &mut desk.random);
    desk.since_call = Duration::ZERO;
    desk.hands.clear();
    desk.round = table.round();
    *seals = Seals::of_round(table.round());
    for (player, strip) in players.into_iter().zip(strips) {
        let held = Held::new(strip, &mut ChaCha8Rng::seed_from_u64(unguessable()));
        seals.add(&rules::PlayerId::from(player.as_str()), &held);
        let dealt = Dealt { held, marks: Marks::default(), since_shout: None };
        send.write(ToRoom::player(&player, dealt.as_message(table.round())));
        desk.hands.insert(player, dealt);
    }
}

impl Dealt {
    fn as_message(&self, round: u32) -> Deal {
        Deal { round, held: self.held.clone(), marks: self.marks }
    }
}

fn present(roster: &Roster) -> impl Iterator<Item = &PlayerId> {
    roster.iter().filter(|player| player.status == PlayerStatus::Present).map(|player| &player.id)
}

/// Takes the strips that another host dealt from their players, so that they can come back to them.
fn keep_strips(
    mut shown: MessageReader<FromRoom<Shown>>,
    (table, seals): (Res<Table>, Res<Seals>),
    mut desk: ResMut<Desk>,
) {
    for shown in shown.read().filter(|shown| shown.round == table.round()) {
        desk.keep(&shown.sender, &shown.held, shown.marks, &seals);
    }
}

impl Desk {
    /// Keeps what a player shows, if that is what the player was dealt; gives it.
    fn keep(&mut self, player: &PlayerId, held: &Held, marks: Marks, seals: &Seals) -> Option<&mut Dealt> {
        let id = rules::PlayerId::from(player.as_str());
        if !seals.fits(self.round, &id, held) {
            warn!("{player} shows a strip that was not dealt to it in round {}", self.round);
            return None;
        }
        let fresh = || Dealt { held: held.clone(), marks, since_shout: None };
        let dealt = self.hands.entry(player.clone()).or_insert_with(fresh);
        dealt.marks = marks;
        Some(dealt)
    }
}

fn keep_marks(mut marked: MessageReader<FromRoom<Marked>>, table: Res<Table>, mut desk: ResMut<Desk>) {
    for marked in marked.read().filter(|marked| marked.round == table.round()) {
        if let Some(dealt) = desk.hands.get_mut(&marked.sender) {
            dealt.marks = marked.marks;
        }
    }
}

/// A player of the round who comes back has its strip and marks again.
fn deal_again(
    mut returned: MessageReader<PlayerReturned>,
    mut joined: MessageReader<PlayerJoined>,
    (table, desk): (Res<Table>, Res<Desk>),
    mut send: MessageWriter<ToRoom<Deal>>,
) {
    let back = returned.read().map(|back| &back.player).chain(joined.read().map(|back| &back.player));
    for player in back {
        if let Some(dealt) = desk.hands.get(player).filter(|_| table.status() == Status::Running) {
            send.write(ToRoom::player(player, dealt.as_message(table.round())));
        }
    }
}

/// Hears shouts in the order in which they came, and awards what they win.
fn hear_shouts(
    mut shouts: MessageReader<FromRoom<Shout>>,
    roster: Res<Roster>,
    (mut table, seals, mut desk): (ResMut<Table>, Res<Seals>, ResMut<Desk>),
    mut everyone: MessageWriter<ToRoom<Shouted>>,
    mut refuse: MessageWriter<ToRoom<NoPrize>>,
) {
    for shout in shouts.read() {
        let player = &shout.sender;
        let checked = if shout.round == table.round() {
            check(&table, &seals, &mut desk, shout)
        } else {
            Checked::Silent(ClaimError::NotRunning)
        };
        if !matches!(checked, Checked::Silent(_)) {
            everyone.write(ToRoom::everyone(Shouted { by: player.clone(), marks: shout.marks }));
        }
        match checked {
            Checked::Wins(prize) => {
                let id = rules::PlayerId::from(player.as_str());
                let winner = Winner { id, name: roster.name(player).to_owned() };
                if let Err(error) = table.award(prize, winner) {
                    warn!("{player} did not get {prize}: {error}");
                }
                desk.since_call = if table.status() == Status::Running { desk.since_call } else { Duration::ZERO };
            }
            Checked::Heard(error) | Checked::Silent(error) => {
                refuse.write(ToRoom::player(player, NoPrize(error)));
            }
        }
    }
}

/// What comes of a shout.
enum Checked {
    Wins(Prize),
    /// Everyone heard it, and it won nothing.
    Heard(ClaimError),
    /// It was not let through.
    Silent(ClaimError),
}

fn check(table: &Table, seals: &Seals, desk: &mut Desk, shout: &FromRoom<Shout>) -> Checked {
    let (id, marks) = (rules::PlayerId::from(shout.sender.as_str()), shout.marks);
    let dealt = desk.keep(&shout.sender, &shout.held, marks, seals);
    let since_last = dealt.as_ref().and_then(|dealt| dealt.since_shout);
    if let Err(error) = table.may_shout(&id, marks, since_last) {
        return Checked::Silent(error);
    }
    let strip = dealt.map(|dealt| {
        dealt.since_shout = Some(Duration::ZERO);
        &dealt.held.strip
    });
    match table.check(&Claim { player: &id, strip, marks, since_last }) {
        Ok(prize) => Checked::Wins(prize),
        Err(error) => Checked::Heard(error),
    }
}

/// Whoever comes while a round runs watches it, and plays in the next one. The rule stays when the host changes.
fn seat_newcomers(table: Res<Table>, room: Res<Room>, mut commands: Commands) {
    let newcomers = if table.status() == Status::Running { Newcomers::Spectate } else { Newcomers::Play };
    if room.rules.newcomers != newcomers {
        commands.set_newcomers(newcomers);
    }
}

/// Calls the next number when it is time. After the last one players have as long again to shout.
fn call(mut table: ResMut<Table>, mut desk: ResMut<Desk>) {
    if table.status() != Status::Running || desk.since_call < table.settings().interval {
        return;
    }
    desk.since_call = Duration::ZERO;
    let moved = match draw_next(table.called(), &mut desk.random) {
        Some(number) => table.call(number),
        None => table.complete(Reason::AllCalled),
    };
    if let Err(error) = moved {
        warn!("the round cannot go on: {error}");
    }
}

#[cfg(test)]
mod newcomers_tests;
#[cfg(test)]
mod tests;
