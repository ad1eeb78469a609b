//! The window: the lobby, the table, and what the player does there.
//!
//! Each frame the pieces of the window are shown what there is to be seen, a [`Scene`], and say what the player wants, a
//! [`Wish`]; one system grants the wishes. Knows no rules: those are the host's, and [`net`](crate::net)'s.

mod between;
mod call;
mod claim;
#[cfg(not(target_arch = "wasm32"))]
pub mod display;
mod header;
mod lobby;
mod news;
mod qr;
mod roster;
mod scene;
mod table;
mod theme;
mod ticket;

use std::{
    sync::{Mutex, mpsc::Receiver},
    time::Duration,
};

use bevy::{
    log::{Level, LogPlugin},
    platform::time::Instant,
    prelude::*,
    window::WindowResolution,
};
use bevy_egui::{
    EguiContexts, EguiPrimaryContextPass,
    egui::{CentralPanel, Frame, LayerId, ScrollArea, Ui, UiBuilder},
};
use bevy_rooms::{
    prelude::*,
    ui::{LobbyForm, RoomsUiPlugin, RoomsWindows},
};

use self::{
    news::News,
    scene::{Inviting, Scene, Wish},
};
use crate::{
    flags::{Destination, Flags},
    headless::{self, Outcome, Part},
    host::{HostSettings, StartRound},
    net::{Hand, Style, Table, WantsToShout},
    page,
    rules::Status,
};

/// Size of the window at first, in points.
const SIZE: (u32, u32) = (1280, 800);

/// How long the end of the last round is shown, where the flags say how many rounds there are.
const LINGER: Duration = Duration::from_secs(5);

/// Plays in a window, until it is closed.
pub fn run(flags: &Flags, started: Instant) -> Outcome {
    let mut app = App::new();
    let window = Window {
        title: "Bingo".to_owned(),
        resolution: WindowResolution::new(SIZE.0, SIZE.1),
        resize_constraints: WindowResizeConstraints { min_width: 320.0, min_height: 480.0, ..default() },
        // In a page: the canvas of that name, as large as the page.
        canvas: Some("#game".to_owned()),
        fit_canvas_to_parent: true,
        ..default()
    };
    app.add_plugins(DefaultPlugins.set(WindowPlugin { primary_window: Some(window), ..default() }).set(LogPlugin {
        level: Level::WARN,
        filter: "wgpu=error,naga=error".to_owned(),
        ..default()
    }));
    headless::add_game(&mut app, flags, Part::Own, started);
    app.add_plugins(ViewPlugin { flags: flags.clone(), started });
    match app.run() {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => Err(format!("the window ended with code {code}")),
    }
}

/// The window's side of the game.
struct ViewPlugin {
    flags: Flags,
    started: Instant,
}

impl Plugin for ViewPlugin {
    fn build(&self, app: &mut App) {
        let room = self.flags.room().map(ToString::to_string).unwrap_or_default();
        let name = self.flags.name.clone().unwrap_or_default();
        let form =
            LobbyForm { invited: self.flags.join, relay: self.flags.relay.clone(), ..LobbyForm::new(name, room) };
        // The lobby and the players have a look of the game's own; the frames do not, and come with F12.
        app.add_plugins(RoomsUiPlugin { form, windows: RoomsWindows::NONE, ..default() });
        app.add_message::<Wish>()
            .init_resource::<News>()
            .insert_resource(ClearColor(Color::srgb_u8(theme::PAPER.r(), theme::PAPER.g(), theme::PAPER.b())))
            .init_resource::<Page>()
            .insert_resource(Inviting(self.flags.clone()))
            .insert_resource(Company { flags: self.flags.clone(), started: self.started, bots: Mutex::default() })
            .insert_non_send(CompanyHere::default())
            .insert_resource(RoundsLeft { rounds: self.flags.rounds, ..default() })
            .add_systems(First, run_company_here)
            .add_systems(Startup, (open_eyes, enter_at_once))
            .add_systems(EguiPrimaryContextPass, draw)
            .add_systems(
                Update,
                (
                    (enter_and_leave, play, choose, inspect),
                    (news::hear_room, news::hear_round.run_if(in_room)),
                    leave_after_the_rounds.run_if(in_room),
                ),
            )
            .add_systems(OnEnter(RoomState::Arriving), begin_to_arrive)
            .add_systems(OnEnter(RoomState::Joined), (bring_company, remember_room))
            .add_systems(OnExit(RoomState::Joined), (page::forget, exit_after_the_rounds));
    }
}

/// What the window remembers from frame to frame.
#[derive(Resource, Debug, Default)]
struct Page {
    /// When the present attempt to enter a room began.
    since: Duration,
    /// When the room's name was copied last.
    copied: Option<Duration>,
    /// Whether colours and sizes are set.
    dressed: bool,
}

/// The bots of this process, which come along into the room.
#[derive(Resource)]
struct Company {
    flags: Flags,
    started: Instant,
    bots: Mutex<Vec<Receiver<Outcome>>>,
}

/// The bots of a web page, which has no threads.
#[derive(Default)]
struct CompanyHere(Vec<App>);

/// When the flags say after how many rounds to leave.
#[derive(Resource, Debug, Default)]
struct RoundsLeft {
    rounds: Option<u32>,
    over: Option<Duration>,
    leaving: bool,
}

fn open_eyes(mut commands: Commands, mut style: ResMut<Style>) {
    // What egui draws has smooth edges by itself, and four samples of each pixel are slow without a graphics card.
    commands.spawn((Camera2d, Msaa::Off));
    // Whether tickets mark themselves is the host's choice; a player can still switch it off.
    style.automark = true;
}

/// Who said on the command line whether to host or to join is not asked again, nor is who followed a link.
fn enter_at_once(company: Res<Company>, mut wishes: MessageWriter<Wish>) {
    match (company.flags.at_once, company.flags.host, company.flags.join) {
        (true, ..) => drop(wishes.write(Wish::Enter)),
        (_, true, _) => drop(wishes.write(Wish::Host)),
        (_, _, true) => drop(wishes.write(Wish::Join)),
        _ => {}
    }
}

fn draw(
    mut contexts: EguiContexts,
    scene: Scene,
    news: Res<News>,
    (mut page, mut form): (ResMut<Page>, ResMut<LobbyForm>),
    mut wishes: MessageWriter<Wish>,
) -> Result {
    let ctx = contexts.ctx_mut()?;
    let Page { since, copied, dressed } = &mut *page;
    if !*dressed {
        *dressed = true;
        theme::apply(ctx);
        // Fonts are there from the next frame on.
        return Ok(());
    }
    let whole = UiBuilder::new().layer_id(LayerId::background()).max_rect(ctx.viewport_rect());
    let mut ui = Ui::new(ctx.clone(), "window".into(), whole);
    let mut wished = Vec::new();
    if *scene.state.get() == RoomState::Joined {
        let foot = table::show(&mut ui, &scene, copied, &mut wished);
        news.show(ctx, scene.now(), foot);
    } else {
        CentralPanel::default().frame(Frame::new().fill(theme::PAPER).inner_margin(theme::GAP)).show(&mut ui, |ui| {
            ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
                lobby::show(ui, &scene, &mut form, *since, &mut wished);
            });
        });
    }
    wishes.write_batch(wished);
    Ok(())
}

fn enter_and_leave(mut wishes: MessageReader<Wish>, mut form: ResMut<LobbyForm>, mut commands: Commands) {
    for wish in wishes.read() {
        let room = form.room().map(String::from).unwrap_or_default();
        let profile = form.profile();
        match wish {
            Wish::Host => commands.host_room(room, profile),
            Wish::Join => commands.join_room(room, profile),
            Wish::Enter => commands.join_or_host(room, profile),
            Wish::Leave => {
                page::forget();
                commands.leave_room();
            }
            _ => continue,
        }
        form.trouble = None;
    }
}

fn play(
    mut wishes: MessageReader<Wish>,
    mut start: MessageWriter<StartRound>,
    mut shout: MessageWriter<WantsToShout>,
    mut hand: ResMut<Hand>,
) {
    for wish in wishes.read() {
        match wish {
            Wish::Start => drop(start.write(StartRound)),
            Wish::Shout => drop(shout.write(WantsToShout)),
            Wish::Toggle(number) => hand.toggle(*number),
            _ => {}
        }
    }
}

fn choose(mut wishes: MessageReader<Wish>, mut host: ResMut<HostSettings>, mut style: ResMut<Style>) {
    for wish in wishes.read() {
        match wish {
            Wish::Choose(settings) => host.settings = *settings,
            Wish::MarkForMe(automark) => style.automark = *automark,
            _ => {}
        }
    }
}

fn begin_to_arrive(mut page: ResMut<Page>, mut news: ResMut<News>, time: Res<Time<Real>>) {
    page.since = time.elapsed();
    *news = News::default();
}

fn inspect(mut wishes: MessageReader<Wish>, mut windows: ResMut<RoomsWindows>) {
    for _ in wishes.read().filter(|wish| **wish == Wish::Inspect) {
        windows.inspector ^= true;
    }
}

/// Brings the bots into the room, unless they are still in one.
fn bring_company(
    mut company: ResMut<Company>,
    mut here: NonSendMut<CompanyHere>,
    (room, us): (Res<Room>, Res<LocalPlayer>),
) {
    let flags = Flags {
        room: room.name.clone().map(Destination::from),
        name: Some(us.profile.name.clone()),
        ..company.flags.clone()
    };
    let started = company.started;
    // A lock that a panic poisoned is not to be had: nothing else ever holds it.
    let Ok(bots) = company.bots.get_mut() else { return };
    bots.retain(|bot| bot.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty));
    if bots.is_empty() && cfg!(not(target_arch = "wasm32")) {
        *bots = headless::bots(&flags, started);
    }
    if here.0.is_empty() && cfg!(target_arch = "wasm32") {
        here.0 = headless::bots_in_this_thread(&flags, started);
    }
}

fn run_company_here(mut here: NonSendMut<CompanyHere>) {
    here.0.retain_mut(|bot| {
        bot.update();
        bot.should_exit().is_none()
    });
}

/// A page that is loaded again comes back to the room.
fn remember_room(scene: Scene) {
    if let Some(room) = &scene.room.name {
        page::remember(room, &scene.us.profile.name, &scene.invite());
    }
}

fn leave_after_the_rounds(
    table: Res<Confirmed<Table>>,
    mut left: ResMut<RoundsLeft>,
    time: Res<Time<Real>>,
    mut commands: Commands,
) {
    if left.rounds.is_none_or(|rounds| table.round() < rounds || table.status() != Status::Complete) {
        return;
    }
    let over = *left.over.get_or_insert(time.elapsed());
    if time.elapsed() >= over + LINGER && !left.leaving {
        left.leaving = true;
        commands.leave_room();
    }
}

/// Ends the app once the last room was left.
fn exit_after_the_rounds(left: Res<RoundsLeft>, mut exit: MessageWriter<AppExit>) {
    if left.leaving {
        exit.write(AppExit::Success);
    }
}

#[cfg(test)]
mod tests;
