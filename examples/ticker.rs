//! A ticker: one process counts, and any number of viewers see the same count and the same number of sessions.
//!
//! ```sh
//! cargo run --example ticker -- --publish    # counts
//! cargo run --example ticker                 # a viewer; start as many as you like
//! web/build ticker                           # a page, which takes ?channel=red
//! ```
//!
//! A session is one connection that is a member of the channel; it registers by entering presence, and deregisters by going
//! away, however that happens: nobody cleans up.

use std::{thread, time::Duration};

use bevy::{app::ScheduleRunnerPlugin, prelude::*, time::common_conditions::on_timer};
use bevy_egui::{EguiContexts, EguiPrimaryContextPass, egui};
use bevy_rooms::{prelude::*, ui::*};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The count, once a second.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Tick(u64);

/// How many sessions there are, whenever that changes.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Sessions(usize);

/// What a session shows: the last that was published. Both come from the publisher, so that all show the same.
#[derive(Component, Default)]
struct Board {
    tick: Option<u64>,
    sessions: Option<usize>,
}

/// Marks the channels that we publish on.
#[derive(Component)]
struct Ours;

/// Shows a count and the number of sessions, the same everywhere.
#[derive(Parser, Resource, Clone)]
struct Flags {
    /// Count, for the others to see
    #[arg(long)]
    publish: bool,
    /// Time between two counts
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// With --headless: how many viewers this process is, each with a connection of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=200))]
    viewers: u16,
    /// The channels to begin with; more can be added at run time
    #[arg(long = "channel", default_value = "ticker")]
    channels: Vec<String>,
    /// The relay, ws://… or wss://… [default: one on this machine, started by whoever comes first]
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// No window: `+CHANNEL`, `-CHANNEL` and `quit` in, JSON lines out
    #[arg(long)]
    headless: bool,
}

/// Which of the process's viewers this app is.
#[derive(Resource, Clone, Copy)]
struct Viewer(u16);

fn main() -> AppExit {
    let flags = Flags::try_parse_from(arguments(&["publish", "every", "channel", "relay"])).unwrap_or_else(|error| {
        end_page(&error.to_string());
        error.exit()
    });
    if !flags.headless {
        return app(flags, Viewer(1)).run();
    }
    // Each viewer is an app of its own. A web page has no threads, and is never without a window.
    let start = |number| {
        let flags = flags.clone();
        thread::spawn(move || app(flags, Viewer(number)).run())
    };
    let viewers: Vec<_> = (1..=flags.viewers).map(start).collect();
    let mut ends = viewers.into_iter().map(|viewer| viewer.join().unwrap_or(AppExit::error()));
    ends.find(AppExit::is_error).unwrap_or(AppExit::Success)
}

fn app(flags: Flags, viewer: Viewer) -> App {
    let connect = flags.relay.clone().map_or(Connect::Local, Connect::relay);
    let mut app = App::new();
    if flags.headless {
        app.add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(Duration::from_millis(20))))
            .add_plugins(TerminalPlugin)
            .add_systems(Update, obey_terminal);
    } else {
        app.add_plugins(DefaultPlugins.set(game_window("Ticker")))
            .add_systems(Startup, |mut commands: Commands| {
                commands.spawn((Camera2d, Msaa::Off));
            })
            .add_systems(EguiPrimaryContextPass, draw);
    }
    app.add_plugins(RoomsPlugin { connect, ..default() })
        .add_plugins(RoomsUiPlugin { windows: RoomsWindows::NONE, zoom: 1.4, ..default() })
        .add_channel_message::<Tick>()
        .add_channel_message::<Sessions>()
        .add_systems(Startup, enter)
        .add_systems(Update, (tell_sessions, count.run_if(on_timer(flags.every)), count_sessions).chain())
        .add_observer(show_tick)
        .add_observer(show_sessions)
        .insert_resource(viewer)
        .insert_resource(flags);
    app
}

fn enter(mut commands: Commands, flags: Res<Flags>) {
    flags.channels.iter().for_each(|channel| attach(&mut commands, &flags, channel));
}

/// Attaches to a channel and registers there. A newcomer sees the last of what was published.
fn attach(commands: &mut Commands, flags: &Flags, channel: &str) {
    let mut channel = commands.attach_channel(Channel::new(channel).rewind(2).catch_up());
    channel.insert(Board::default());
    if flags.publish {
        channel.insert(Ours);
    } else {
        channel.enter_presence(&());
    }
}

/// Prints an event as a line of JSON, for scripts.
fn report(flags: &Flags, event: impl FnOnce() -> serde_json::Value) {
    if flags.headless {
        println!("{}", event());
    }
}

fn show_tick(
    tick: On<FromChannel<Tick>>,
    mut boards: Query<(&mut Board, &Channel)>,
    (flags, viewer): (Res<Flags>, Res<Viewer>),
) {
    if let Ok((mut board, channel)) = boards.get_mut(tick.channel) {
        board.tick = Some(tick.0);
        let name = channel.name();
        report(&flags, || json!({ "event": "tick", "viewer": viewer.0, "channel": name, "tick": tick.0 }));
    }
}

fn show_sessions(
    sessions: On<FromChannel<Sessions>>,
    mut boards: Query<(&mut Board, &Channel)>,
    (flags, viewer): (Res<Flags>, Res<Viewer>),
) {
    if let Ok((mut board, channel)) = boards.get_mut(sessions.channel) {
        board.sessions = Some(sessions.0);
        let (name, count) = (channel.name(), sessions.0);
        report(&flags, || json!({ "event": "sessions", "viewer": viewer.0, "channel": name, "sessions": count }));
    }
}

/// Tells when a session registers and deregisters; on a viewer that was there before.
fn tell_sessions(
    mut changes: MessageReader<MemberChanged>,
    channels: Query<&Channel>,
    (flags, viewer): (Res<Flags>, Res<Viewer>),
) {
    for MemberChanged { channel, action, member } in changes.read() {
        let event = match action {
            PresenceAction::Enter => "registered",
            PresenceAction::Leave => "deregistered",
            _ => continue,
        };
        let (name, session) = (channels.get(*channel).map(Channel::name).ok(), &member.connection_id);
        report(&flags, || json!({ "event": event, "viewer": viewer.0, "channel": name, "session": session }));
    }
}

fn count(ours: Query<Entity, With<Ours>>, mut next: Local<u64>, mut send: MessageWriter<ToChannel<Tick>>) {
    if !ours.is_empty() {
        *next += 1;
        send.write_batch(ours.iter().map(|channel| ToChannel::new(channel, Tick(*next))));
    }
}

fn count_sessions(
    ours: Query<(Entity, Ref<ChannelMembers>), With<Ours>>,
    mut send: MessageWriter<ToChannel<Sessions>>,
) {
    for (channel, members) in ours.iter().filter(|(_, members)| members.is_changed() && members.complete) {
        send.write(ToChannel::new(channel, Sessions(members.len())));
    }
}

fn obey_terminal(
    mut input: MessageReader<TerminalInput>,
    channels: Query<(Entity, &Channel)>,
    flags: Res<Flags>,
    mut commands: Commands,
    mut exit: MessageWriter<AppExit>,
) {
    for input in input.read() {
        match input {
            TerminalInput::Line(line) if line != "quit" => match line.split_at_checked(1) {
                Some(("+", name)) if !name.is_empty() => attach(&mut commands, &flags, name),
                Some(("-", name)) => {
                    let of_name = channels.iter().filter(|(_, channel)| channel.name().as_str() == name);
                    of_name.for_each(|(entity, _)| commands.detach_channel(entity));
                }
                _ => eprintln!("{line:?} is none of +CHANNEL, -CHANNEL and quit"),
            },
            _ => drop(exit.write(AppExit::Success)),
        }
    }
}

fn draw(
    mut contexts: EguiContexts,
    channels: Query<(Entity, &Channel, &ChannelStatus, &Board)>,
    rooms: RoomsUi,
    flags: Res<Flags>,
    mut name: Local<String>,
    mut commands: Commands,
) -> Result {
    let mut window = whole_window(contexts.ctx_mut()?);
    egui::Panel::bottom("more").show(&mut window, |ui| {
        if let Prompt::Entered(name) = prompt(ui, &mut name, "Watch another channel, too")
            && !name.trim().is_empty()
        {
            attach(&mut commands, &flags, name.trim());
        }
        rooms.connection_line(ui);
    });
    egui::CentralPanel::default().show(&mut window, |ui| {
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for (entity, channel, status, board) in &channels {
                let shown = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
                ui.horizontal(|ui| {
                    ui.heading(channel.name().as_str());
                    let error = status.error.as_ref().map(ToString::to_string);
                    ui.label(error.unwrap_or_else(|| format!("{:?}", status.state)));
                    if ui.button("Leave").clicked() {
                        commands.detach_channel(entity);
                    }
                });
                ui.label(egui::RichText::new(shown(board.tick.map(|tick| tick.to_string()))).size(72.0));
                ui.label(format!("sessions: {}", shown(board.sessions.map(|sessions| sessions.to_string()))));
                ui.separator();
            }
        });
    });
    Ok(())
}
