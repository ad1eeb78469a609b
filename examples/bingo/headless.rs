//! Playing in the terminal: each player of this process is an app of its own, on a thread of its own.

use std::{
    io::{self, BufRead, IsTerminal},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

use bevy::{app::ScheduleRunnerPlugin, platform::time::Instant, prelude::*};
use bevy_rooms::prelude::*;

use crate::{
    card::{Number, Strip},
    flags::Flags,
    host::StartRound,
    net::{BingoPlugin, Hand, Style, Table, WantsToShout},
    report::{Format, ReportPlugin, Reporter},
    rules::{Settings, Status},
};

/// How often a headless player looks at the room. Fast enough for calls every 50 ms.
const FRAME: Duration = Duration::from_millis(8);

/// Longest wait for a relay that was never reached.
const REACH: Duration = Duration::from_secs(30);

/// Longest wait for a relay that is gone: over the two minutes that it keeps a connection.
const RETURN: Duration = Duration::from_secs(150);

/// Longest wait of a player that others may still need, such as the host, after the last round.
const LINGER: Duration = Duration::from_secs(5);

/// What a player of this process is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The player whom the flags are about.
    Own,
    /// A bot, by its number from 1.
    Bot(u16),
}

/// How a player fared; the process exits with the worst.
pub type Outcome = Result<(), String>;

/// Ends a player's app.
#[derive(Resource, Clone, Debug)]
struct Ending {
    /// Tells the process how the player fared.
    outcome: Option<Sender<Outcome>>,
    /// Tells the process that the player is in the room.
    joined: Option<Sender<()>>,
    rounds: Option<u32>,
    /// When the rounds were over.
    finished: Option<Duration>,
    /// When the line was last there.
    connected: Option<Duration>,
}

/// Plays in the terminal until the rounds are over. `Err` tells why it cannot go on.
#[cfg(not(target_arch = "wasm32"))]
pub fn run(flags: &Flags, started: Instant) -> Outcome {
    let (joined, is_in) = mpsc::channel();
    let own = spawn(flags.clone(), Part::Own, started, Some(joined));
    let mut players = vec![own];
    // Bots come when there is a room to come to. Where there is none, the player tells why.
    if is_in.recv().is_ok() {
        players.extend(bots(flags, started));
    }
    let ended = |player: Receiver<Outcome>| player.recv().unwrap_or_else(|_| Err("a player's thread ended".to_owned()));
    // All are waited for, also where one of them failed.
    let outcomes: Vec<Outcome> = players.into_iter().map(ended).collect();
    outcomes.into_iter().collect()
}

/// Starts the bots.
pub fn bots(flags: &Flags, started: Instant) -> Vec<Receiver<Outcome>> {
    (1..=flags.bots).map(|number| spawn(flags.clone(), Part::Bot(number), started, None)).collect()
}

fn spawn(flags: Flags, part: Part, started: Instant, joined: Option<Sender<()>>) -> Receiver<Outcome> {
    let (sender, receiver) = mpsc::channel();
    let name = format!("{part:?}");
    let spawned = thread::Builder::new().name(name).spawn({
        let sender = sender.clone();
        move || {
            player(&flags, part, started, Some(sender), joined).run();
        }
    });
    if let Err(error) = spawned {
        let _ = sender.send(Err(format!("a player's thread could not be started: {error}")));
    }
    receiver
}

/// The bots of a player in a web page, where there are no threads: apps for the page's own to give frames to.
pub fn bots_in_this_thread(flags: &Flags, started: Instant) -> Vec<App> {
    let bots = (1..=flags.bots).map(|number| player(flags, Part::Bot(number), started, None, None));
    bots.map(|mut bot| {
        bot.finish();
        bot.cleanup();
        bot
    })
    .collect()
}

/// The app of one player without a window.
fn player(
    flags: &Flags,
    part: Part,
    started: Instant,
    outcome: Option<Sender<Outcome>>,
    joined: Option<Sender<()>>,
) -> App {
    let mut app = App::new();
    app.add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(FRAME)));
    add_game(&mut app, flags, part, started);
    let ending = Ending { outcome, joined, rounds: flags.rounds, finished: None, connected: None };
    app.insert_resource(ending)
        .add_systems(Update, (say_joined, end_with_the_rounds).chain())
        .add_systems(Last, (give_up_on_the_relay, end_when_it_cannot_go_on).chain());
    if part == Part::Own && !flags.json {
        app.insert_resource(Keyboard(read_lines())).add_systems(Update, obey_keyboard.run_if(in_room));
    }
    app
}

/// What every player has, with a window or without.
pub fn add_game(app: &mut App, flags: &Flags, part: Part, started: Instant) {
    let own_name = flags.name.clone().unwrap_or_default();
    let (name, format) = match part {
        Part::Own if flags.json => (own_name, Format::Json),
        Part::Own if flags.headless => (own_name, Format::Words),
        // A window shows it all.
        Part::Own => (own_name, Format::Silent),
        Part::Bot(number) => {
            (format!("Bot {number} of {own_name}"), if flags.json { Format::Json } else { Format::Silent })
        }
    };
    let is_bot = part != Part::Own;
    let bingo = BingoPlugin {
        style: Style { automark: flags.automark, plays_itself: is_bot || (flags.headless && flags.automark) },
        settings: Settings {
            interval: flags.interval.unwrap_or_else(|| Settings::default().interval),
            automark: flags.automark,
        },
        start_with: flags.players,
        rounds: flags.rounds,
        seed: flags.seed,
    };
    let reporter = Reporter { format, player: name.clone(), started };
    // A player who starts the game again has its seat, strip and marks again; bots are nobody in particular.
    let identity = if is_bot { Identity::Fresh } else { flags.identity() };
    let rooms = RoomsPlugin { connect: flags.connect(), identity, ..default() };
    app.add_plugins((rooms, bingo, ReportPlugin(reporter)));
    if is_bot || flags.headless {
        let room = flags.room().cloned();
        let (host, join) = (flags.host && !is_bot, flags.join || is_bot);
        app.add_systems(Startup, move |mut commands: Commands| {
            let room = room.as_ref().map(RoomName::as_str).unwrap_or_default();
            let profile = Profile::named(name.clone());
            match (host, join) {
                (true, _) => commands.host_room(room, profile),
                (_, true) => commands.join_room(room, profile),
                _ => commands.join_or_host(room, profile),
            }
        });
    }
}

fn say_joined(state: Res<State<RoomState>>, mut ending: ResMut<Ending>) {
    if *state.get() == RoomState::Joined
        && let Some(joined) = ending.joined.take()
    {
        let _ = joined.send(());
    }
}

/// Leaves when the rounds are over; the host, and who runs the relay, when the others had time to see it.
fn end_with_the_rounds(
    mut ending: ResMut<Ending>,
    table: Res<Confirmed<Table>>,
    (room, roster, host): (Res<Room>, Res<Roster>, Res<Host>),
    time: Res<Time<Real>>,
    mut commands: Commands,
) {
    let over = ending.rounds.is_some_and(|rounds| table.round() >= rounds && table.status() == Status::Complete);
    if !over {
        return;
    }
    let since = ending.finished.get_or_insert(time.elapsed());
    let lingers = (host.is_us || room.runs_relay) && time.elapsed() < *since + LINGER;
    if !lingers || roster.len() <= 1 {
        commands.leave_room();
    }
}

fn give_up_on_the_relay(
    mut ending: ResMut<Ending>,
    connection: Res<Connection>,
    time: Res<Time<Real>>,
    mut exit: MessageWriter<AppExit>,
) {
    let now = time.elapsed();
    if connection.is_connected() {
        ending.connected = Some(now);
        return;
    }
    let (since, patience) = ending.connected.map_or((Duration::ZERO, REACH), |since| (since, RETURN));
    if now < since + patience {
        return;
    }
    let why = connection.trouble.as_ref().map_or("it does not answer".to_owned(), ToString::to_string);
    if let Some(sender) = ending.outcome.take() {
        let _ = sender.send(Err(format!("the relay was out of reach for {} s: {why}", patience.as_secs())));
    }
    ending.joined = None;
    exit.write(AppExit::error());
}

fn end_when_it_cannot_go_on(
    mut ending: ResMut<Ending>,
    mut closed: MessageReader<RoomClosed>,
    mut errors: MessageReader<RoomError>,
    mut exit: MessageWriter<AppExit>,
) {
    let finished = ending.finished.is_some();
    let fatal =
        errors.read().find(|error| matches!(error, RoomError::NoBackgroundTask { .. })).map(ToString::to_string);
    let outcome = closed.read().map(|closed| if finished { Ok(()) } else { Err(closed.reason.to_string()) }).next();
    let Some(outcome) = fatal.map(Err).or(outcome) else { return };
    if let Some(sender) = ending.outcome.take() {
        let _ = sender.send(outcome);
    }
    ending.joined = None;
    exit.write(AppExit::Success);
}

/// Lines that the player types.
#[derive(Resource)]
struct Keyboard(std::sync::Mutex<Receiver<String>>);

fn read_lines() -> std::sync::Mutex<Receiver<String>> {
    let (sender, receiver) = mpsc::channel();
    if io::stdin().is_terminal() {
        println!("Type a number to mark it, \"bingo\" to shout, \"start\" to start as host, \"quit\" to leave.");
    }
    // The thread ends with the process: a line that nobody types cannot be waited for otherwise.
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    std::sync::Mutex::new(receiver)
}

fn obey_keyboard(
    keyboard: Res<Keyboard>,
    mut hand: ResMut<Hand>,
    mut shout: MessageWriter<WantsToShout>,
    mut start: MessageWriter<StartRound>,
    mut commands: Commands,
) {
    let Ok(lines) = keyboard.0.lock() else { return };
    for line in lines.try_iter() {
        match line.trim() {
            "" => {}
            "bingo" | "b" => drop(shout.write(WantsToShout)),
            "start" => drop(start.write(StartRound)),
            "quit" | "q" => commands.leave_room(),
            other => match other.parse().ok().and_then(|number: u8| Number::try_from(number).ok()) {
                Some(number) => hand.toggle(number),
                None => println!("{other:?} is not a number from 1 to 90, \"bingo\", \"start\" or \"quit\"."),
            },
        }
    }
}

/// A strip in characters.
pub fn draw(strip: &Strip) -> String {
    let mut lines = Vec::new();
    for ticket in strip.tickets() {
        lines.push("+--+--+--+--+--+--+--+--+--+".to_owned());
        for row in ticket.rows() {
            let cells: Vec<String> =
                row.iter().map(|cell| cell.map_or("  ".to_owned(), |number| format!("{:>2}", number.get()))).collect();
            lines.push(format!("|{}|", cells.join("|")));
        }
    }
    lines.push("+--+--+--+--+--+--+--+--+--+".to_owned());
    lines.join("\n")
}
