//! What is done to a room: made from a seed, and cut down to what it takes where a room breaks.

use std::{fmt, num::NonZeroUsize, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rooms_sim::{Direction, Fault};

/// How long faults are made after the room stands.
const PLAY: Duration = Duration::from_secs(40);

/// In which order messages reach a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One order of the channel for all, as the relay has it.
    Total,
    /// Only those of one publisher are in order, as with a cloud of several regions.
    PerPublisher,
}

/// One thing that is done to a room.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Something happens to a player's line or process.
    Line(usize, Fault),
    /// The game's frames stand still, while the line is kept by its own thread.
    Stall(usize, Duration),
    /// The process ends without a word, and starts again after a time if at all.
    Crash(usize, Option<Duration>),
    /// The player says goodbye.
    Leave(usize),
    /// The line of a player is slow from now on.
    Slow(usize, Duration),
    /// The line of a player loses much for a time: all that goes over it waits now and then until it was sent again.
    Lossy(usize, Duration),
    /// A group of players is cut off from the relay.
    Partition(Vec<usize>, Duration),
    /// The relay loses everything, and is away for a time.
    RestartRelay(Duration),
    /// The host, if this is it, names another player.
    HandOver(usize, usize),
    /// Somebody new comes.
    Arrive,
    /// The player comes once more, from elsewhere, while its process is still there.
    Twin(usize),
}

/// What else is unlike other rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Twists {
    /// All claim a host's place at once, and not one after the other.
    pub all_claim_at_once: bool,
    /// Some of what is said about the room comes twice.
    pub doubled: bool,
    /// The sockets of the players hold no more frames than this.
    pub socket_capacity: Option<NonZeroUsize>,
    /// The server has the limits of a cloud's free plan.
    pub limited: bool,
}

/// Something that happens between two messages: as a player is about to hear the one about the room of this number.
#[derive(Clone, Debug, PartialEq)]
pub struct Boundary {
    /// Counted from the first step of the plan on, over all players.
    pub message: usize,
    pub what: Blow,
}

/// What happens to the player that is about to hear a message, or to the relay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blow {
    Line(Fault),
    Stall(Duration),
    Crash(Option<Duration>),
    Leave,
    RestartRelay(Duration),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub seed: u64,
    pub players: usize,
    pub order: Order,
    pub steps: Vec<(Duration, Deed)>,
    pub twists: Twists,
    pub boundary: Option<Boundary>,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let players = rng.random_range(2..=6);
        let order = if rng.random_range(0..4) == 0 { Order::PerPublisher } else { Order::Total };
        let count = rng.random_range(1..=8);
        let mut steps: Vec<_> = (0..count).map(|_| (millis(&mut rng, PLAY), deed(&mut rng, players))).collect();
        // Every other room has its faults close together.
        if rng.random() {
            let around = millis(&mut rng, PLAY);
            steps.iter_mut().for_each(|(at, _)| *at = around + millis(&mut rng, Duration::from_secs(8)));
        }
        if rng.random_range(0..8) == 0 {
            steps.push((millis(&mut rng, PLAY), Deed::Twin(rng.random_range(0..players))));
        }
        steps.sort_by_key(|(at, _)| *at);
        let twists = Twists {
            all_claim_at_once: rng.random_range(0..4) == 0,
            doubled: rng.random_range(0..4) == 0,
            // None in six of ten rooms.
            socket_capacity: NonZeroUsize::new(rng.random_range(0..=4) * usize::from(rng.random::<bool>())),
            limited: rng.random_range(0..6) == 0,
        };
        Self { seed, players, order, steps, twists, boundary: None }
    }

    /// The plans that do less, largest cuts first.
    pub fn smaller(&self) -> Vec<Self> {
        let mut plans = Vec::new();
        let mut size = self.steps.len();
        while size > 0 {
            for from in (0..self.steps.len()).step_by(size) {
                let mut steps = self.steps.clone();
                steps.drain(from..(from + size).min(steps.len()));
                plans.push(Self { steps, ..self.clone() });
            }
            size /= 2;
        }
        plans
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {} players, {:?} order, {:?}", self.seed, self.players, self.order, self.twists)?;
        if let Some(Boundary { message, what }) = &self.boundary {
            writeln!(f, "  before message {message} is heard: {what:?}")?;
        }
        self.steps.iter().try_for_each(|(at, deed)| writeln!(f, "  {:>7.3} s  {deed:?}", at.as_secs_f64()))
    }
}

fn millis(rng: &mut ChaCha8Rng, most: Duration) -> Duration {
    Duration::from_millis(rng.random_range(0..=most.as_millis() as u64))
}

fn deed(rng: &mut ChaCha8Rng, players: usize) -> Deed {
    let seconds = |rng: &mut ChaCha8Rng, most| millis(rng, Duration::from_secs(most));
    // The first is the host to begin with, and so worth more trouble.
    let player = if rng.random_range(0..3) == 0 { 0 } else { rng.random_range(0..players) };
    match rng.random_range(0..28) {
        0..3 => Deed::Crash(player, None),
        3..5 => Deed::Crash(player, Some(seconds(rng, 15))),
        5..8 => Deed::Stall(player, seconds(rng, 15)),
        8..10 => Deed::Line(player, Fault::Freeze(seconds(rng, 20))),
        10..12 => Deed::Line(player, Fault::Cut),
        12 => Deed::Line(player, Fault::CutAfter(rng.random_range(0..=12))),
        13 => Deed::Line(player, Fault::Stall(seconds(rng, 40))),
        14 => Deed::Line(player, Fault::Delay(seconds(rng, 8))),
        15 => Deed::Line(player, Fault::Truncate(if rng.random() { Direction::Up } else { Direction::Down })),
        16 => Deed::Line(player, Fault::Refuse(seconds(rng, 20))),
        17 => Deed::Slow(player, millis(rng, Duration::from_millis(400))),
        18 => {
            let group = (0..players).filter(|_| rng.random()).collect();
            Deed::Partition(group, seconds(rng, 20))
        }
        19 => Deed::RestartRelay(seconds(rng, 5)),
        20 => Deed::HandOver(player, rng.random_range(0..players)),
        21 => Deed::Leave(player),
        22 => Deed::Line(player, Fault::OneWay(Direction::Up, seconds(rng, 35))),
        23 => Deed::Line(player, Fault::OneWay(Direction::Down, seconds(rng, 35))),
        24..26 => Deed::Lossy(player, seconds(rng, 25)),
        _ => Deed::Arrive,
    }
}
