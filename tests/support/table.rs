//! Several apps at one table: real plugins, bridges and clients over the memory transport to a real hub, in one thread
//! and on a clock that only moves when it is told to. So a test waits for events, never for time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bevy::prelude::*;
use bevy_rooms::{
    bridge::{self, Runtime},
    plugin::{Clock, Transport},
    prelude::*,
    protocol::{Format, Timestamp, WireFrame},
    relay::{ConnectRequest, Hub, HubConfig, LinkId, Output},
    transport::{
        Incoming,
        memory::{self, MemoryConnector, MemoryListener, MemorySocket},
    },
};
use tokio::sync::mpsc;
use web_time::Instant;

/// One frame of a game at 60 per second.
pub const FRAME: Duration = Duration::from_millis(16);

/// Far more simulated time than anything takes that should happen.
pub const LONG: Duration = Duration::from_secs(40);

/// The table: a runtime with a paused clock, and a hub that serves it.
pub struct Table {
    runtime: tokio::runtime::Runtime,
    connector: MemoryConnector,
    now: Arc<Mutex<Instant>>,
    pub apps: Vec<App>,
    cutter: mpsc::UnboundedSender<()>,
}

impl Table {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (connector, listener) = memory::pair();
        let (cutter, cuts) = mpsc::unbounded_channel();
        runtime.spawn(serve(listener, cuts));
        let now = Arc::new(Mutex::new(runtime.block_on(async { bridge::now() })));
        Self { runtime, connector, now, apps: Vec::new(), cutter }
    }

    /// The plugin, set up for this table.
    pub fn plugin(&self, player: &str) -> RoomsPlugin {
        let (connector, now) = (self.connector.clone(), Arc::clone(&self.now));
        RoomsPlugin {
            connect: Connect::relay("ws://127.0.0.1:1"),
            player: Some(PlayerId::new(player).unwrap()),
            runtime: Runtime::Handle(self.runtime.handle().clone()),
            transport: Transport::custom(move || connector.clone()),
            clock: Clock::Custom(Arc::new(move || *now.lock().unwrap())),
            ..default()
        }
    }

    /// Seats an app; `set_up` adds what the game has. Returns its number.
    pub fn seat(&mut self, player: &str, set_up: impl FnOnce(&mut App)) -> usize {
        let plugin = self.plugin(player);
        self.seat_plugin(plugin, set_up)
    }

    /// Seats an app with a plugin that was set up otherwise. Returns its number.
    pub fn seat_plugin(&mut self, plugin: RoomsPlugin, set_up: impl FnOnce(&mut App)) -> usize {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, plugin));
        set_up(&mut app);
        self.apps.push(app);
        self.apps.len() - 1
    }

    /// One frame of every app, and the time until the next.
    pub fn frame(&mut self) {
        for app in &mut self.apps {
            app.update();
        }
        self.wait(FRAME);
    }

    /// Time passes for the line, and no app gets a frame.
    pub fn wait(&mut self, duration: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(duration).await });
        *self.now.lock().unwrap() = self.runtime.block_on(async { bridge::now() });
    }

    /// Frames until `done`, at most `limit` of simulated time; tells whether it came to that.
    pub fn until(&mut self, limit: Duration, mut done: impl FnMut(&mut Vec<App>) -> bool) -> bool {
        let end = *self.now.lock().unwrap() + limit;
        while *self.now.lock().unwrap() < end {
            self.frame();
            if done(&mut self.apps) {
                return true;
            }
        }
        false
    }

    /// Drops every socket.
    pub fn cut_all(&self) {
        self.cutter.send(()).unwrap();
    }
}

/// What an app's state is.
pub fn state(app: &App) -> RoomState {
    *app.world().resource::<State<RoomState>>().get()
}

/// Runs a command on an app, as one of its systems would.
pub fn command(app: &mut App, run: impl FnOnce(&mut Commands)) {
    run(&mut app.world_mut().commands());
    app.world_mut().flush();
}

/// All messages of one type that an app has not dropped yet.
pub fn messages<M: Message + Clone>(app: &App) -> Vec<M> {
    let messages = app.world().resource::<Messages<M>>();
    messages.get_cursor().read(messages).cloned().collect()
}

/// Serves memory sockets with a hub.
async fn serve(mut listener: MemoryListener, mut cuts: mpsc::UnboundedReceiver<()>) {
    let mut hub = Hub::new(HubConfig::default(), [7; 32], bridge::now(), Timestamp(1_700_000_000_000));
    let mut links: HashMap<LinkId, (Format, mpsc::Sender<Incoming>)> = HashMap::new();
    let (frames, mut inbox) = mpsc::channel::<(LinkId, Option<WireFrame>)>(1024);
    loop {
        while let Some(output) = hub.poll_output() {
            match output {
                Output::Send { link, frame } => {
                    if let Some((format, incoming)) = links.get(&link) {
                        let wire = frame.wire(*format).clone();
                        incoming.try_send(Incoming::Frame(wire)).expect("a client that keeps up");
                    }
                }
                Output::Ping { link } => {
                    if let Some((_, incoming)) = links.get(&link) {
                        let _ = incoming.try_send(Incoming::Activity);
                    }
                }
                Output::Close { link } => drop(links.remove(&link)),
                other => panic!("{other:?} is unknown here"),
            }
        }
        tokio::select! {
            socket = listener.accept() => {
                let Some(MemorySocket { url, mut end }) = socket else { return };
                let query = url.split_once('?').map_or("", |(_, query)| query).to_owned();
                let request = ConnectRequest::from_query(&query);
                let link = hub.open(&request, bridge::now());
                links.insert(link, (request.wire_format(), end.incoming));
                let frames = frames.clone();
                tokio::spawn(async move {
                    while let Some(wire) = end.outgoing.recv().await {
                        if frames.send((link, Some(wire))).await.is_err() {
                            return;
                        }
                    }
                    let _ = frames.send((link, None)).await;
                });
            }
            frame = inbox.recv() => match frame {
                Some((link, Some(wire))) => match wire.decode() {
                    Ok(frame) => hub.handle_frame(link, frame, bridge::now()),
                    Err(error) => hub.handle_malformed(link, &error, bridge::now()),
                },
                Some((link, None)) => {
                    links.remove(&link);
                    hub.handle_closed(link, bridge::now());
                }
                None => return,
            },
            _ = cuts.recv() => {
                for (link, _) in links.drain() {
                    hub.handle_closed(link, bridge::now());
                }
            }
            () = due(hub.poll_timeout()) => hub.handle_timeout(bridge::now()),
        }
    }
}

async fn due(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
