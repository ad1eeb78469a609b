//! The background task: owns the client and its socket, and carries frames, commands, events and time between them.

use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    backend::BridgeBackend,
    http::{Answer, SideRequests, signing_inputs},
    page_events::{PageEvents, event::PageEvent},
    runtime,
};
use crate::transport::{Connector, Incoming, Link};
use rooms_client::{
    Client, Command, TransportId,
    driver::{Pump, PumpAction},
};
use rooms_protocol::{ErrorInfo, WireFrame};

/// Longest time for the goodbye after the bridge was dropped.
const GOODBYE: Duration = Duration::from_millis(500);

/// The background task's state.
pub(super) struct Driver<C> {
    pump: Pump,
    connector: C,
    socket: Option<CurrentSocket>,
    requests: SideRequests,
    page_events: PageEvents,
    backend: BridgeBackend,
}

/// The current socket.
struct CurrentSocket {
    transport: TransportId,
    link: Link,
}

/// What woke the task.
enum Wake {
    Command(Option<Command>),
    Incoming(Option<Incoming>),
    SocketHasCapacity,
    EcsHasCapacity,
    Answer(Option<Answer>),
    Page(PageEvent),
    Timeout,
}

impl<C: Connector> Driver<C> {
    pub(super) fn new(client: Client, connector: C, backend: BridgeBackend) -> Self {
        let requests = SideRequests::new(&client.options().credentials);
        let pump = Pump::new(client, backend.tap().clone());
        Self { pump, connector, socket: None, requests, page_events: PageEvents::listen(), backend }
    }

    /// Runs until the ECS side is gone, then says goodbye to the server.
    pub(super) async fn run(mut self) {
        loop {
            self.run_actions();
            match self.wait().await {
                Wake::Command(Some(command)) => self.pump.handle_command(command, runtime::now()),
                Wake::Command(None) => break,
                Wake::Incoming(incoming) => self.on_incoming(incoming),
                Wake::Answer(answer) => self.on_answer(answer),
                Wake::Page(event) => self.on_page_event(event),
                Wake::Timeout => self.pump.handle_timeout(runtime::now()),
                // The next round moves what waited.
                Wake::SocketHasCapacity | Wake::EcsHasCapacity => {}
            }
        }
        self.pump.handle_command(Command::Close, runtime::now());
        self.run_actions();
        if let Some(socket) = self.socket.take() {
            runtime::within(GOODBYE, socket.finish(self.pump)).await;
        }
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.pump.poll_timeout();
        let (ecs_capacity, events_wait) = (self.backend.events.capacity(), self.backend.events.is_waiting());
        let has_frames = self.pump.has_frames();
        let (incoming, outgoing) = match &mut self.socket {
            Some(socket) => (Some(&mut socket.link.incoming), Some(&socket.link.outgoing)),
            None => (None, None),
        };
        tokio::select! {
            command = self.backend.commands.recv() => Wake::Command(command),
            item = next(incoming) => Wake::Incoming(item),
            () = has_capacity(outgoing), if has_frames => Wake::SocketHasCapacity,
            answer = self.requests.next() => Wake::Answer(answer),
            event = self.page_events.next() => Wake::Page(event),
            () = ecs_capacity.notified(), if events_wait => Wake::EcsHasCapacity,
            () = runtime::sleep_until(deadline) => Wake::Timeout,
        }
    }

    fn on_incoming(&mut self, incoming: Option<Incoming>) {
        let Some(transport) = self.socket.as_ref().map(|socket| socket.transport) else { return };
        let now = runtime::now();
        match incoming {
            Some(Incoming::Reached) => self.pump.handle_reached(transport),
            Some(Incoming::Opened) => self.pump.handle_opened(transport, now),
            Some(Incoming::Frame(wire)) => self.pump.handle_frame(transport, &wire, now),
            Some(Incoming::Activity) => self.pump.handle_activity(transport, now),
            Some(Incoming::Closed(reason)) => self.on_socket_closed(transport, reason),
            None => self.on_socket_closed(transport, None),
        }
    }

    fn on_answer(&mut self, answer: Option<Answer>) {
        let now = runtime::now();
        match answer {
            Some(Answer::Token(request, answer)) => self.pump.handle_token(request, answer, now),
            Some(Answer::Http(request, answer)) => self.pump.handle_http(request, answer, now),
            Some(Answer::Connectivity(request, up)) => self.pump.handle_connectivity(request, up, now),
            // `SideRequests` holds a sender itself, so the channel never ends before it.
            None => {}
        }
    }

    fn on_page_event(&mut self, event: PageEvent) {
        let now = runtime::now();
        match event {
            PageEvent::Online => self.pump.handle_network(true, now),
            PageEvent::Offline => self.pump.handle_network(false, now),
            // With its connection key it resumes when it comes back. An open socket would keep it out of the cache.
            PageEvent::Shelved => self.pump.shelve(now),
            PageEvent::Awake => self.pump.check_socket(now),
            PageEvent::Leaving => self.pump.handle_command(Command::Close, now),
        }
    }

    fn on_socket_closed(&mut self, transport: TransportId, reason: Option<ErrorInfo>) {
        self.socket = None;
        self.pump.handle_closed(transport, reason, runtime::now());
    }

    /// Does what the client wants done, and moves events and frames on as far as there is capacity.
    fn run_actions(&mut self) {
        while let Some(action) = self.pump.poll_action(runtime::now()) {
            match action {
                PumpAction::Open { transport, url } => {
                    let link = self.connector.open(&url);
                    self.socket = Some(CurrentSocket { transport, link });
                }
                // All frames of this round go out together, below.
                PumpAction::Transmit => {}
                PumpAction::Shut { .. } => {
                    // What was sent just before, such as a goodbye, goes out where the socket has capacity.
                    self.transmit();
                    self.socket = None;
                }
                PumpAction::NeedToken { request, params } => self.requests.get_token(request, params),
                PumpAction::SignToken { request } => match signing_inputs() {
                    Ok((time, nonce)) => self.pump.sign_token(request, time, nonce, runtime::now()),
                    Err(error) => self.pump.handle_token(request, Err(error), runtime::now()),
                },
                PumpAction::ExchangeToken { request, http } => self.requests.exchange(request, http),
                PumpAction::Http { request, http } => self.requests.send(request, http),
                PumpAction::CheckConnectivity { request, url } => self.requests.check_connectivity(request, url),
            }
        }
        self.transmit();
        self.backend.set_traffic(&self.pump.traffic());
        while let Some(event) = self.pump.poll_event() {
            self.backend.emit(event);
        }
        self.backend.flush();
    }

    /// Hands frames over as far as the socket has capacity.
    fn transmit(&mut self) {
        let Some(socket) = &self.socket else { return };
        while self.pump.has_frames() {
            match socket.link.outgoing.try_reserve() {
                Ok(permit) => {
                    if let Some(wire) = self.pump.poll_frame() {
                        permit.send(wire);
                    }
                }
                Err(TrySendError::Full(())) => return,
                // A socket that is gone says so as its last event.
                Err(TrySendError::Closed(())) => return self.pump.discard_frames(),
            }
        }
    }
}

impl CurrentSocket {
    /// Sends what waits, then waits until the socket has closed.
    async fn finish(mut self, mut pump: Pump) {
        while let Some(wire) = pump.poll_frame() {
            if self.link.outgoing.send(wire).await.is_err() {
                return;
            }
        }
        drop(self.link.outgoing);
        while self.link.incoming.recv().await.is_some() {}
    }
}

/// The next event of the socket; never, where there is none.
async fn next(incoming: Option<&mut mpsc::Receiver<Incoming>>) -> Option<Incoming> {
    match incoming {
        Some(incoming) => incoming.recv().await,
        None => std::future::pending().await,
    }
}

/// Resolves when the socket takes a frame, or is gone.
async fn has_capacity(outgoing: Option<&mpsc::Sender<WireFrame>>) {
    match outgoing {
        // The permit is given back at once: the next round takes it.
        Some(outgoing) => drop(outgoing.reserve().await),
        None => std::future::pending().await,
    }
}
