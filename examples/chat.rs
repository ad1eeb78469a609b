//! A chat: who is here, who is typing, and what was said. Run it in two terminals, in windows or in the terminals:
//!
//! ```sh
//! cargo run --example chat --features relay -- --name Ada
//! cargo run --example chat --features relay -- --name Ben --headless    # a line is a message; /typing, /quit
//! ```
//!
//! Anything that can send a request takes part too, such as a bot or a notice of a build, and so does `examples/chat.html`,
//! a page with the official JavaScript SDK:
//!
//! ```sh
//! curl -u rooms.dev:insecure-development-key -H 'content-type: application/json' \
//!     -d '{"name":"Said","data":{"name":"Builds","text":"all green"}}' http://127.0.0.1:8787/channels/chat:lobby/messages
//! ```

use std::{collections::VecDeque, io, sync::Mutex, sync::mpsc, thread, time::Duration};

use bevy::{app::ScheduleRunnerPlugin, log::LogPlugin, prelude::*, window::WindowResolution};
use bevy_egui::{EguiContexts, EguiPlugin, EguiPrimaryContextPass, egui};
use bevy_rooms::prelude::*;
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How many messages a newcomer sees of those that were said before.
const REWIND: u16 = 50;
/// Most lines that are kept; older ones go.
const LINES: usize = 200;
/// How long after the last key somebody still counts as typing.
const TYPING: Duration = Duration::from_secs(3);
/// Longest message, in bytes.
const LONGEST: usize = 2_000;

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

/// What was said and what happened, oldest first.
#[derive(Resource, Default)]
struct Lines(VecDeque<String>);

/// What we are writing, and until when we count as typing.
#[derive(Resource, Default)]
struct Draft {
    text: String,
    typing_until: Option<Duration>,
}

/// Chat with others on one channel.
#[derive(Parser, Resource, Clone)]
struct Flags {
    /// Who I am
    #[arg(long, default_value_t = random_name())]
    name: String,
    /// Which chat
    #[arg(long, default_value = "lobby")]
    room: String,
    /// The relay, ws://… or wss://… [default: one on this machine, started by whoever comes first]
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// No window: lines in, JSON lines out
    #[arg(long)]
    headless: bool,
}

fn main() -> AppExit {
    let flags = Flags::parse();
    let connect = flags.relay.clone().map_or(Connect::Local, Connect::relay);
    let mut app = App::new();
    if flags.headless {
        app.add_plugins(MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16))))
            .insert_resource(Keyboard::listen())
            .add_systems(Startup, enter)
            .add_systems(Update, obey_keyboard);
    } else {
        let resolution = WindowResolution::new(960, 720).with_scale_factor_override(1.5);
        let window = Some(Window { title: "Chat".to_owned(), resolution, ..default() });
        let log = LogPlugin { filter: "warn,wgpu=error,naga=error".to_owned(), ..default() };
        app.add_plugins(DefaultPlugins.set(WindowPlugin { primary_window: window, ..default() }).set(log))
            .add_plugins(EguiPlugin::default())
            .add_systems(Startup, open_eyes)
            .add_systems(EguiPrimaryContextPass, draw);
    }
    app.add_plugins(RoomsPlugin { connect, ..default() })
        .add_channel_message::<Said>()
        .insert_resource(flags)
        .init_resource::<Lines>()
        .init_resource::<Draft>()
        .add_systems(Update, (tell_line, hear, greet, tell_members, stop_typing).chain())
        .run()
}

/// Prints an event as a line of JSON, for scripts.
fn report(flags: &Flags, event: serde_json::Value) {
    if flags.headless {
        println!("{event}");
    }
}

fn enter(mut commands: Commands, flags: Res<Flags>) {
    let here = Here { name: flags.name.clone(), typing: false };
    let channel = Channel::new(format!("chat:{}", flags.room)).rewind(REWIND).catch_up();
    commands.attach_channel(channel).enter_presence(&here);
}

fn tell_line(mut changes: MessageReader<ChannelChanged>, flags: Res<Flags>, mut lines: ResMut<Lines>) {
    for change in changes.read() {
        let reason = change.reason.as_ref().map(ToString::to_string);
        report(&flags, json!({ "event": "channel", "state": format!("{:?}", change.current), "reason": reason }));
        if let Some(reason) = reason {
            lines.push(format!("({reason})"));
        }
    }
}

fn hear(mut said: MessageReader<FromChannel<Said>>, flags: Res<Flags>, mut lines: ResMut<Lines>) {
    for said in said.read() {
        let (Said { name, text }, at) = (&said.message, said.timestamp.unwrap_or_default().0);
        report(&flags, json!({ "event": "said", "name": name, "text": text, "at": at, "serial": said.serial }));
        let (hours, minutes) = (at / 3_600_000 % 24, at / 60_000 % 60);
        lines.push(format!("{hours:02}:{minutes:02}  {name}: {text}"));
    }
}

fn greet(mut changes: MessageReader<MemberChanged>, flags: Res<Flags>, mut lines: ResMut<Lines>) {
    for MemberChanged { action, member, .. } in changes.read() {
        let Ok(Here { name, .. }) = member.read() else { continue };
        let (event, word) = match action {
            PresenceAction::Enter => ("joined", "came"),
            PresenceAction::Leave => ("left", "left"),
            _ => continue,
        };
        report(&flags, json!({ "event": event, "name": name }));
        lines.push(format!("— {name} {word}"));
    }
}

fn tell_members(members: Query<&ChannelMembers, Changed<ChannelMembers>>, flags: Res<Flags>) {
    for members in &members {
        let (here, typing): (Vec<Here>, _) = (present(members), typists(members, &flags.name));
        let names: Vec<_> = here.into_iter().map(|here| here.name).collect();
        report(&flags, json!({ "event": "here", "names": names, "typing": typing }));
    }
}

/// Those who are here and say who they are.
fn present(members: &ChannelMembers) -> Vec<Here> {
    members.iter().filter_map(|member| member.read().ok()).collect()
}

fn typists(members: &ChannelMembers, own: &str) -> Vec<String> {
    present(members).into_iter().filter(|here| here.typing && here.name != own).map(|here| here.name).collect()
}

impl Lines {
    fn push(&mut self, line: String) {
        self.0.push_back(line);
        while self.0.len() > LINES {
            self.0.pop_front();
        }
    }
}

/// Shows the others that we are writing, or that we no longer are.
fn show_typing(commands: &mut Commands, chat: Entity, flags: &Flags, typing: bool) {
    commands.entity(chat).update_presence(&Here { name: flags.name.clone(), typing });
}

fn note_key(commands: &mut Commands, chat: Entity, flags: &Flags, draft: &mut Draft, now: Duration) {
    if draft.typing_until.replace(now + TYPING).is_none() {
        show_typing(commands, chat, flags, true);
    }
}

fn stop_typing(
    mut draft: ResMut<Draft>,
    time: Res<Time<Real>>,
    chat: Option<Single<Entity, With<Channel>>>,
    flags: Res<Flags>,
    mut commands: Commands,
) {
    if let Some(chat) = chat
        && draft.typing_until.take_if(|until| *until <= time.elapsed()).is_some()
    {
        show_typing(&mut commands, *chat, &flags, false);
    }
}

fn say(text: &str, chat: Entity, flags: &Flags, draft: &mut Draft, send: &mut MessageWriter<ToChannel<Said>>) {
    let text = text.trim();
    if !text.is_empty() {
        let text = text[..text.floor_char_boundary(LONGEST)].to_owned();
        send.write(ToChannel::new(chat, Said { name: flags.name.clone(), text }));
    }
    // What is said is no longer being written.
    draft.typing_until = draft.typing_until.map(|_| Duration::ZERO);
}

/// Lines from standard input.
#[derive(Resource)]
struct Keyboard(Mutex<mpsc::Receiver<String>>);

impl Keyboard {
    fn listen() -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self(Mutex::new(lines))
    }
}

fn obey_keyboard(
    mut keyboard: ResMut<Keyboard>,
    chat: Single<Entity, With<Channel>>,
    (flags, time): (Res<Flags>, Res<Time<Real>>),
    mut draft: ResMut<Draft>,
    mut send: MessageWriter<ToChannel<Said>>,
    (mut commands, mut exit): (Commands, MessageWriter<AppExit>),
) {
    let Ok(lines) = keyboard.0.get_mut() else { return };
    loop {
        match lines.try_recv().as_deref() {
            Ok("/typing") => note_key(&mut commands, *chat, &flags, &mut draft, time.elapsed()),
            Ok("/quit") | Err(mpsc::TryRecvError::Disconnected) => {
                exit.write(AppExit::Success);
                return;
            }
            Ok(text) => say(text, *chat, &flags, &mut draft, &mut send),
            Err(mpsc::TryRecvError::Empty) => return,
        }
    }
}

fn open_eyes(mut commands: Commands) {
    commands.spawn(Camera2d);
}

fn draw(
    mut contexts: EguiContexts,
    mut flags: ResMut<Flags>,
    chat: Option<Single<(Entity, &ChannelMembers), With<Channel>>>,
    (lines, connection, time): (Res<Lines>, Res<Connection>, Res<Time<Real>>),
    mut draft: ResMut<Draft>,
    mut send: MessageWriter<ToChannel<Said>>,
    mut commands: Commands,
) -> Result {
    let ctx = contexts.ctx_mut()?;
    let whole = egui::UiBuilder::new().layer_id(egui::LayerId::background()).max_rect(ctx.viewport_rect());
    let mut ui = egui::Ui::new(ctx.clone(), "chat".into(), whole);
    let Some((chat, members)) = chat.map(|chat| *chat) else {
        egui::CentralPanel::default().show(&mut ui, |ui| {
            ui.heading("Who are you, and where do you want to chat?");
            ui.label("Name");
            ui.text_edit_singleline(&mut flags.name);
            ui.label("Room");
            ui.text_edit_singleline(&mut flags.room);
            ui.add_space(8.0);
            if ui.button("Enter").clicked() || ui.input(|input| input.key_pressed(egui::Key::Enter)) {
                commands.run_system_cached(enter);
            }
        });
        return Ok(());
    };
    egui::Panel::right("members").default_size(160.0).show(&mut ui, |ui| {
        ui.heading(&flags.room);
        ui.weak(format!("{:?}", connection.state));
        ui.separator();
        present(members).iter().for_each(|here| drop(ui.label(&here.name)));
    });
    egui::Panel::bottom("draft").show(&mut ui, |ui| {
        ui.weak(match typists(members, &flags.name).join(", ") {
            names if names.is_empty() => String::new(),
            names => format!("{names} …"),
        });
        let edit = egui::TextEdit::singleline(&mut draft.text).hint_text("Say something").desired_width(f32::INFINITY);
        let edit = ui.add(edit);
        if edit.changed() {
            note_key(&mut commands, chat, &flags, &mut draft, time.elapsed());
        }
        if edit.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
            let text = std::mem::take(&mut draft.text);
            say(&text, chat, &flags, &mut draft, &mut send);
        }
        if ui.memory(|memory| memory.focused().is_none()) {
            edit.request_focus();
        }
    });
    egui::CentralPanel::default().show(&mut ui, |ui| {
        egui::ScrollArea::vertical().stick_to_bottom(true).auto_shrink(false).show(ui, |ui| {
            lines.0.iter().for_each(|line| drop(ui.label(line)));
        });
    });
    Ok(())
}
