//! Words over a broken line: a host streams a phrase word by word, and whatever happens to the line, each word arrives once.
//!
//! ```sh
//! cargo run --example words -- --host                 # streams; has a switch that cuts its line
//! cargo run --example words                           # reads; has the same switch
//! cargo run --example words -- --headless --cut-after 2s --cut-for 5s
//! web/build words                                     # a page, which takes ?host
//! ```
//!
//! Both sides keep what they say while the line is down. A line that is back in time goes on where it was. One that is not
//! is told so, and reads what it missed from the channel's history. Who comes late rewinds a minute and reads from there.

use std::time::Duration;

use bevy::{app::ScheduleRunnerPlugin, prelude::*, time::common_conditions::on_timer};
use bevy_egui::{EguiContexts, EguiPrimaryContextPass, egui};
use bevy_rooms::{prelude::*, ui::*};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The channel that carries the words.
const CHANNEL: &str = "words";
/// How far back a latecomer reads: as far as a rewind goes, which is at most 100 words.
const REWIND: Duration = Duration::from_secs(60);
/// What is streamed unless the flags say something else.
const PHRASE: &str = "A line that breaks is no reason to stop talking: what is said while it is down is kept on this side, \
    goes out when it is back, and arrives once, in order, as if nothing had happened. Who listens may be cut off as well, \
    and hears afterwards what was said meanwhile. And who comes late reads what the others heard, from the beginning.";

/// One word of the phrase.
#[derive(Clone, Serialize, Deserialize)]
struct Word {
    number: usize,
    of: usize,
    word: String,
}

/// The words that came, in their order.
#[derive(Resource, Default)]
struct Heard(Vec<Word>);

/// Whether we cut our own line.
#[derive(Resource, Default)]
struct Cut(bool);

/// Streams a phrase word by word, or reads it.
#[derive(Parser, Resource, Clone)]
struct Flags {
    /// Stream the phrase, for the others to read
    #[arg(long)]
    host: bool,
    /// What to stream
    #[arg(long, default_value = PHRASE)]
    phrase: String,
    /// Time between two words
    #[arg(long, default_value = "500ms", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Cut our own line after this many words
    #[arg(long, value_name = "WORDS")]
    cut_after_words: Option<usize>,
    /// Cut our own line after this time
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    cut_after: Option<Duration>,
    /// How long to leave it cut
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    cut_for: Duration,
    /// The relay, ws://… or wss://… [default: one on this machine, started by whoever comes first]
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// No window: JSON lines; ends with the phrase
    #[arg(long)]
    headless: bool,
}

fn main() -> AppExit {
    let of_page = ["host", "phrase", "every", "cut-after-words", "cut-after", "cut-for", "relay"];
    let flags = Flags::try_parse_from(arguments(&of_page)).unwrap_or_else(|error| {
        end_page(&error.to_string());
        error.exit()
    });
    let connect = flags.relay.clone().map_or(Connect::Local, Connect::relay);
    let mut app = App::new();
    if flags.headless {
        app.add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16))))
            .add_systems(Last, end_with_the_phrase);
    } else {
        app.add_plugins(DefaultPlugins.set(game_window("Words")))
            .add_systems(Startup, |mut commands: Commands| {
                commands.spawn((Camera2d, Msaa::Off));
            })
            .add_systems(EguiPrimaryContextPass, draw);
    }
    app.add_plugins(RoomsPlugin { connect, ..default() })
        .add_plugins(RoomsUiPlugin { windows: RoomsWindows::NONE, zoom: 1.4, ..default() })
        .add_channel_message::<Word>()
        .init_resource::<Heard>()
        .init_resource::<Feed>()
        .init_resource::<Cut>()
        .add_systems(Startup, |mut commands: Commands| {
            commands.attach_channel(Channel::new(CHANNEL).rewind_time(REWIND).catch_up());
        })
        .add_systems(
            Update,
            (hear, stream.run_if(on_timer(flags.every)), cut_by_the_flags, cut_or_mend, tell_line).chain(),
        )
        .insert_resource(flags)
        .run()
}

/// Tells what happened to the line: as JSON for scripts, and in words in the window.
fn report(flags: &Flags, feed: &mut Feed, event: serde_json::Value) {
    if flags.headless {
        println!("{event}");
        return;
    }
    let fields = event.as_object().into_iter().flatten().filter(|(name, value)| *name != "event" && !value.is_null());
    let words = fields.map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"')));
    feed.push(format!("{}: {}", event["event"].as_str().unwrap_or_default(), words.collect::<Vec<_>>().join(", ")));
}

/// Says the next word, once the channel was there.
fn stream(
    channel: Single<(Entity, &ChannelStatus), With<Channel>>,
    flags: Res<Flags>,
    (mut begun, mut next): (Local<bool>, Local<usize>),
    mut send: MessageWriter<ToChannel<Word>>,
) {
    let (channel, status) = *channel;
    *begun |= status.is_attached();
    let words: Vec<&str> = flags.phrase.split_whitespace().collect();
    if let Some(word) = words.get(*next).filter(|_| flags.host && *begun) {
        send.write(ToChannel::new(channel, Word { number: *next, of: words.len(), word: (*word).to_owned() }));
        *next += 1;
    }
}

fn hear(mut words: MessageReader<FromChannel<Word>>, flags: Res<Flags>, mut heard: ResMut<Heard>) {
    for came in words.read() {
        if flags.headless {
            let (number, word, recovered) = (came.number, &came.word, came.is_recovered);
            println!("{}", json!({ "event": "word", "number": number, "word": word, "recovered": recovered }));
        }
        // Somebody begins anew.
        if came.number == 0 {
            heard.0.clear();
        }
        heard.0.push(came.message.clone());
    }
}

/// Tells what happens to the line as it happens.
fn tell_line(
    mut connection: MessageReader<ConnectionChanged>,
    mut channel: MessageReader<ChannelChanged>,
    mut caught_up: MessageReader<ChannelCaughtUp>,
    flags: Res<Flags>,
    mut feed: ResMut<Feed>,
) {
    for change in connection.read() {
        let (state, retry) = (format!("{:?}", change.current), change.retry_in.map(|wait| wait.as_millis()));
        let event = json!({ "event": "connection", "state": state, "resumed": change.resumed, "retry_in_ms": retry });
        report(&flags, &mut feed, event);
    }
    for change in channel.read() {
        let (state, continuity) = (format!("{:?}", change.current), change.continuity.map(|it| format!("{it:?}")));
        report(&flags, &mut feed, json!({ "event": "channel", "state": state, "continuity": continuity }));
    }
    for done in caught_up.read() {
        let event = json!({ "event": "caught_up", "recovered": done.recovered, "complete": done.is_complete });
        report(&flags, &mut feed, event);
    }
}

/// Cuts the line once, as the flags say.
fn cut_by_the_flags(
    flags: Res<Flags>,
    heard: Res<Heard>,
    time: Res<Time<Real>>,
    mut cut_at: Local<Option<Duration>>,
    mut cut: ResMut<Cut>,
) {
    let now = time.elapsed();
    let is_time = flags.cut_after.is_some_and(|after| now >= after)
        || flags.cut_after_words.is_some_and(|words| heard.0.len() >= words);
    match *cut_at {
        None if is_time => (*cut_at, cut.0) = (Some(now), true),
        Some(at) if cut.0 && now >= at + flags.cut_for => cut.0 = false,
        _ => {}
    }
}

fn cut_or_mend(cut: Res<Cut>, mut commands: Commands) {
    if cut.is_changed() && !cut.is_added() {
        commands.set_offline(cut.0);
    }
}

fn end_with_the_phrase(heard: Res<Heard>, cut: Res<Cut>, flags: Res<Flags>, mut exit: MessageWriter<AppExit>) {
    let is_last = heard.0.last().is_some_and(|last| last.number + 1 == last.of);
    if is_last && !cut.0 {
        let phrase = heard.0.iter().map(|word| word.word.as_str()).collect::<Vec<_>>().join(" ");
        report(&flags, &mut Feed::default(), json!({ "event": "phrase", "phrase": phrase }));
        exit.write(AppExit::Success);
    }
}

fn draw(
    mut contexts: EguiContexts,
    (heard, feed): (Res<Heard>, Res<Feed>),
    channel: Single<&ChannelStatus>,
    mut rooms: RoomsUi,
    mut cut: ResMut<Cut>,
) -> Result {
    let mut window = whole_window(contexts.ctx_mut()?);
    egui::Panel::bottom("line").default_size(220.0).show(&mut window, |ui| {
        let mut wanted = cut.0;
        if ui.checkbox(&mut wanted, "Cut my line").changed() {
            cut.0 = wanted;
        }
        ui.columns(2, |columns| {
            rooms.connection(&mut columns[0]);
            columns[1].label(format!("The channel is {:?}", channel.state));
            feed.show(&mut columns[1], "Nothing has happened to the line yet.");
        });
    });
    egui::CentralPanel::default().show(&mut window, |ui| {
        let words = heard.0.iter().map(|word| word.word.as_str()).collect::<Vec<_>>();
        ui.label(egui::RichText::new(words.join(" ")).size(24.0));
    });
    Ok(())
}
