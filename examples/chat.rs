//! A chat: who is here, who is typing, and what was said. Run it in two terminals, in windows, in the terminals or as a page:
//!
//! ```sh
//! cargo run --example chat                             # asks who you are; F12 shows what goes over the line
//! cargo run --example chat -- --name Ben --headless    # a line is a message; /typing, /quit
//! web/build chat                                       # a page, which takes ?name=Cy&room=lobby
//! ```
//!
//! Anything that can send a request takes part too, such as a bot or a notice of a build, and so does `examples/chat.html`,
//! a page with the official JavaScript SDK:
//!
//! ```sh
//! curl -u rooms.dev:insecure-development-key -H 'content-type: application/json' \
//!     -d '{"name":"Said","data":{"name":"Builds","text":"all green"}}' http://127.0.0.1:8787/channels/chat:lobby/messages
//! ```

use std::time::Duration;

use bevy::{app::ScheduleRunnerPlugin, prelude::*};
use bevy_egui::{EguiContexts, EguiPrimaryContextPass, egui};
use bevy_rooms::{prelude::*, ui::*};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How many messages a newcomer sees of those that were said before.
const REWIND: u16 = 50;
/// How long after the last key somebody still counts as typing.
const TYPING: Duration = Duration::from_secs(3);

/// What is said. Its name on the wire is `Said`.
#[derive(Clone, Serialize, Deserialize)]
struct Said {
    name: String,
    text: String,
}

/// What each member shows of itself in presence.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Here {
    name: String,
    #[serde(default)]
    typing: bool,
}

/// What we are writing, and until when we count as typing.
#[derive(Resource, Default)]
struct Draft {
    text: String,
    typing_until: Duration,
}

/// We want to say this.
#[derive(Message)]
struct Say(String);

/// Chat with others on one channel.
#[derive(Parser, Resource, Clone)]
struct Flags {
    /// Who I am [default: a window asks, a terminal has a random name]
    #[arg(long)]
    name: Option<String>,
    /// Which chat
    #[arg(long, default_value = "lobby", value_parser = RoomName::from_typed)]
    room: RoomName,
    /// The relay, ws://… or wss://… [default: one on this machine, started by whoever comes first]
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// No window: lines in, JSON lines out
    #[arg(long)]
    headless: bool,
}

fn main() -> AppExit {
    let flags = Flags::try_parse_from(arguments(&["name", "room", "relay"])).unwrap_or_else(|error| {
        end_page(&error.to_string());
        error.exit()
    });
    let connect = flags.relay.clone().map_or(Connect::Local, Connect::relay);
    let form = LobbyForm::new(flags.name.clone().unwrap_or_else(random_name), flags.room.shown());
    let mut app = App::new();
    if flags.headless {
        app.add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16))))
            .add_plugins(TerminalPlugin)
            .add_systems(Update, obey_terminal);
    } else {
        app.add_plugins(DefaultPlugins.set(game_window("Chat")))
            .add_systems(Startup, |mut commands: Commands| {
                commands.spawn((Camera2d, Msaa::Off));
            })
            .add_systems(EguiPrimaryContextPass, draw);
    }
    app.add_plugins(RoomsPlugin { connect, ..default() })
        .add_plugins(RoomsUiPlugin { form, windows: RoomsWindows::NONE, zoom: 1.4, ..default() })
        .add_channel_message::<Said>()
        .add_message::<Say>()
        .insert_resource(flags)
        .init_resource::<Feed>()
        .init_resource::<Draft>()
        .add_systems(Startup, enter.run_if(|flags: Res<Flags>| flags.headless || flags.name.is_some()))
        .add_systems(Update, (tell_line, hear, greet, tell_members, say, show_typing).chain())
        .run()
}

/// Prints an event as a line of JSON, for scripts.
fn report(flags: &Flags, event: serde_json::Value) {
    if flags.headless {
        println!("{event}");
    }
}

fn enter(mut commands: Commands, form: Res<LobbyForm>) {
    let Some(room) = form.room() else { return };
    let here = Here { name: form.profile().name, typing: false };
    let channel = Channel::new(format!("chat:{room}")).rewind(REWIND).catch_up();
    commands.attach_channel(channel).enter_presence(&here);
}

fn tell_line(
    mut changes: MessageReader<ChannelChanged>,
    mut published: MessageReader<Published>,
    flags: Res<Flags>,
    mut feed: ResMut<Feed>,
) {
    for error in published.read().filter_map(|published| published.outcome.as_ref().err()) {
        feed.push(format!("(not sent: {error})"));
    }
    for change in changes.read() {
        let reason = change.reason.as_ref().map(ToString::to_string);
        report(&flags, json!({ "event": "channel", "state": format!("{:?}", change.current), "reason": reason }));
        if let Some(reason) = reason {
            feed.push(format!("({reason})"));
        }
    }
}

fn hear(mut said: MessageReader<FromChannel<Said>>, flags: Res<Flags>, mut feed: ResMut<Feed>) {
    for said in said.read() {
        let (Said { name, text }, at) = (&said.message, said.timestamp.unwrap_or_default().0);
        report(&flags, json!({ "event": "said", "name": name, "text": text, "at": at, "serial": said.serial }));
        let (hours, minutes) = (at / 3_600_000 % 24, at / 60_000 % 60);
        feed.push(format!("{hours:02}:{minutes:02} UTC  {name}: {text}"));
    }
}

fn greet(mut changes: MessageReader<MemberChanged>, flags: Res<Flags>, mut feed: ResMut<Feed>) {
    for MemberChanged { action, member, .. } in changes.read() {
        let Ok(Here { name, .. }) = member.read() else { continue };
        let (event, word) = match action {
            PresenceAction::Enter => ("joined", "came"),
            PresenceAction::Leave => ("left", "left"),
            _ => continue,
        };
        report(&flags, json!({ "event": event, "name": name }));
        feed.push(format!("— {name} {word}"));
    }
}

/// Those who are here and say who they are.
fn present(members: &ChannelMembers) -> Vec<Here> {
    members.iter().filter_map(|member| member.read().ok()).collect()
}

fn tell_members(members: Query<&ChannelMembers, Changed<ChannelMembers>>, (flags, form): (Res<Flags>, Res<LobbyForm>)) {
    for here in members.iter().map(present) {
        let others = here.iter().filter(|here| here.typing && here.name != form.name);
        let typing: Vec<&String> = others.map(|here| &here.name).collect();
        let names: Vec<&String> = here.iter().map(|here| &here.name).collect();
        report(&flags, json!({ "event": "here", "names": names, "typing": typing }));
    }
}

fn say(
    mut wanted: MessageReader<Say>,
    chat: Single<Entity, With<Channel>>,
    form: Res<LobbyForm>,
    mut draft: ResMut<Draft>,
    mut send: MessageWriter<ToChannel<Said>>,
) {
    for Say(text) in wanted.read() {
        let text = text.trim().to_owned();
        if !text.is_empty() {
            send.write(ToChannel::new(*chat, Said { name: form.profile().name, text }));
        }
        // What is said is no longer being written.
        draft.typing_until = Duration::ZERO;
    }
}

/// Shows the others when we begin to write, and when we no longer do.
fn show_typing(
    (draft, time): (Res<Draft>, Res<Time<Real>>),
    chat: Single<Entity, With<Channel>>,
    form: Res<LobbyForm>,
    mut shown: Local<bool>,
    mut commands: Commands,
) {
    let typing = time.elapsed() < draft.typing_until;
    if std::mem::replace(&mut *shown, typing) != typing {
        commands.entity(*chat).update_presence(&Here { name: form.profile().name, typing });
    }
}

fn obey_terminal(
    mut input: MessageReader<TerminalInput>,
    time: Res<Time<Real>>,
    mut draft: ResMut<Draft>,
    mut say: MessageWriter<Say>,
    mut exit: MessageWriter<AppExit>,
) {
    for input in input.read() {
        match input {
            TerminalInput::Line(line) if line == "/typing" => draft.typing_until = time.elapsed() + TYPING,
            TerminalInput::Line(line) if line != "/quit" => drop(say.write(Say(line.clone()))),
            _ => drop(exit.write(AppExit::Success)),
        }
    }
}

fn draw(
    mut contexts: EguiContexts,
    chat: Option<Single<&ChannelMembers, With<Channel>>>,
    (feed, time): (Res<Feed>, Res<Time<Real>>),
    mut draft: ResMut<Draft>,
    mut rooms: RoomsUi,
    mut say: MessageWriter<Say>,
    mut commands: Commands,
) -> Result {
    let ctx = contexts.ctx_mut()?;
    let Some(members) = chat else {
        let center = egui::Align2::CENTER_CENTER;
        egui::Window::new("Chat").anchor(center, [0.0, 0.0]).collapsible(false).resizable(false).show(ctx, |ui| {
            if rooms.form.ask(ui, "Enter") {
                commands.run_system_cached(enter);
            }
        });
        return Ok(());
    };
    let mut window = whole_window(ctx);
    egui::Panel::right("members").default_size(180.0).show(&mut window, |ui| {
        ui.heading(&rooms.form.room);
        rooms.connection_line(ui);
        ui.separator();
        for here in present(&members) {
            let row = PlayerRow::new(&here.name).us(here.name == rooms.form.name);
            ui.add(if here.typing { row.tag("writes …") } else { row });
        }
    });
    egui::Panel::bottom("draft").show(&mut window, |ui| match prompt(ui, &mut draft.text, "Say something") {
        Prompt::Idle => {}
        Prompt::Writing => draft.typing_until = time.elapsed() + TYPING,
        Prompt::Entered(text) => drop(say.write(Say(text))),
    });
    egui::CentralPanel::default().show(&mut window, |ui| feed.show(ui, "Nothing was said yet."));
    Ok(())
}
