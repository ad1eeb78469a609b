//! The bridge's own task and the memory transport to a relay's hub, on a runtime whose clock is paused.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

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

/// What lies between the apps.
pub struct Line {
    runtime: tokio::runtime::Runtime,
    connector: MemoryConnector,
    now: Arc<Mutex<Instant>>,
    cutter: mpsc::UnboundedSender<()>,
}

impl Line {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (connector, listener) = memory::pair();
        let (cutter, cuts) = mpsc::unbounded_channel();
        runtime.spawn(serve(listener, cuts));
        let now = Arc::new(Mutex::new(runtime.block_on(async { bridge::now() })));
        Self { runtime, connector, now, cutter }
    }

    pub fn plugin(&self) -> RoomsPlugin {
        let (connector, now) = (self.connector.clone(), Arc::clone(&self.now));
        RoomsPlugin {
            runtime: Runtime::Handle(self.runtime.handle().clone()),
            transport: Transport::custom(move || connector.clone()),
            clock: Clock::Custom(Arc::new(move || *now.lock().unwrap())),
            ..RoomsPlugin::default()
        }
    }

    pub fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    pub fn pass(&mut self, duration: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(duration).await });
        *self.now.lock().unwrap() = self.runtime.block_on(async { bridge::now() });
    }

    pub fn cut_all(&mut self) {
        self.cutter.send(()).unwrap();
    }
}

/// Serves memory sockets with a hub.
async fn serve(mut listener: MemoryListener, mut cuts: mpsc::UnboundedReceiver<()>) {
    let mut hub = Hub::new(HubConfig::default(), [7; 32], bridge::now(), Timestamp(1_700_000_000_000));
    let mut links: HashMap<LinkId, (Format, mpsc::Sender<Incoming>)> = HashMap::new();
    let (frames, mut inbox) = mpsc::channel::<(LinkId, Option<WireFrame>)>(1024);
    loop {
        while let Some(output) = hub.poll_output() {
            match output {
                Output::Send { link, mut batch } => {
                    if let Some((format, incoming)) = links.get(&link) {
                        while let Some(wire) = batch.next_wire(*format) {
                            incoming.try_send(Incoming::Frame(wire)).expect("a client that keeps up");
                        }
                    }
                }
                Output::Ping { link } => {
                    if let Some((_, incoming)) = links.get(&link) {
                        let _ = incoming.try_send(Incoming::Activity);
                    }
                }
                Output::Close { link } => drop(links.remove(&link)),
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
                Some((link, Some(wire))) => match wire.decode_checked(1_000) {
                    Ok(frame) => hub.handle_frame(link, frame, bridge::now()),
                    Err(unreadable) => hub.handle_malformed(link, &unreadable, bridge::now()),
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
