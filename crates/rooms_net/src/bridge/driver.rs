//! The background task: owns the client and its socket, and carries frames, commands, events and time between them.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::sync::mpsc;

use super::{
    BridgeEnd, FrameDirection,
    errands::{Answer, Errands},
    page::{Page, PageEvent},
    runtime,
};
use crate::transport::{Connector, Incoming, Link};
use rooms_client::{Client, Command, Output, TransportId};
use rooms_protocol::{Format, WireFrame};

/// Longest time for the goodbye when the ECS side is gone.
const GOODBYE: Duration = Duration::from_millis(500);

/// The background task's state.
pub(super) struct Driver<C> {
    client: Client,
    /// How the client writes its frames.
    format: Format,
    connector: C,
    socket: Option<Socket>,
    errands: Errands,
    page: Page,
    end: BridgeEnd,
}

/// The current socket, and the frames that it has not taken yet. The client's outbox bounds them.
struct Socket {
    transport: TransportId,
    link: Link,
    pending: VecDeque<WireFrame>,
}

/// What woke the task.
enum Wake {
    Command(Option<Command>),
    Incoming(Option<Incoming>),
    SocketHasRoom,
    EcsHasRoom,
    Errand(Option<Answer>),
    Page(PageEvent),
    Timeout,
}

impl<C: Connector> Driver<C> {
    pub(super) fn new(client: Client, connector: C, end: BridgeEnd) -> Self {
        let format = client.format();
        let errands = Errands::new(&client.options().credentials);
        Self { client, format, connector, socket: None, errands, page: Page::listen(), end }
    }

    /// Runs until the ECS side is gone, then says goodbye.
    pub(super) async fn run(mut self) {
        loop {
            self.pump();
            match self.wait().await {
                Wake::Command(Some(command)) => self.client.handle_command(command, runtime::now()),
                Wake::Command(None) => break,
                Wake::Incoming(incoming) => self.take_in(incoming),
                Wake::Errand(answer) => self.take_answer(answer),
                Wake::Page(event) => self.take_page_event(event),
                Wake::Timeout => self.client.handle_timeout(runtime::now()),
                // The next pump moves what waited.
                Wake::SocketHasRoom | Wake::EcsHasRoom => {}
            }
        }
        self.client.handle_command(Command::Close, runtime::now());
        self.pump();
        if let Some(socket) = self.socket.take() {
            runtime::within(GOODBYE, socket.finish()).await;
        }
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.client.poll_timeout();
        let (ecs_room, events_wait) = (self.end.events.room(), self.end.events.is_waiting());
        let (incoming, outgoing, has_pending) = match &mut self.socket {
            Some(socket) => (Some(&mut socket.link.incoming), Some(&socket.link.outgoing), !socket.pending.is_empty()),
            None => (None, None, false),
        };
        tokio::select! {
            command = self.end.commands.recv() => Wake::Command(command),
            item = next(incoming) => Wake::Incoming(item),
            () = has_room(outgoing), if has_pending => Wake::SocketHasRoom,
            answer = self.errands.next() => Wake::Errand(answer),
            event = self.page.next() => Wake::Page(event),
            () = ecs_room.notified(), if events_wait => Wake::EcsHasRoom,
            () = runtime::sleep_until(deadline) => Wake::Timeout,
        }
    }

    fn take_in(&mut self, incoming: Option<Incoming>) {
        let Some(transport) = self.socket.as_ref().map(|socket| socket.transport) else { return };
        let now = runtime::now();
        match incoming {
            Some(Incoming::Opened) => self.client.handle_opened(transport, now),
            Some(Incoming::Frame(wire)) => {
                self.end.traffic.received(wire.len());
                match wire.decode() {
                    Ok(frame) => {
                        self.end.tap.show(FrameDirection::In, &frame, wire.len(), now);
                        self.client.handle_frame(transport, frame, now);
                    }
                    Err(error) => {
                        self.end.tap.show_malformed(&error, wire.len(), now);
                        self.end.traffic.malformed.fetch_add(1, Relaxed);
                        self.client.handle_malformed(transport, &error, now);
                    }
                }
            }
            Some(Incoming::Activity) => self.client.handle_activity(transport, now),
            Some(Incoming::Closed(reason)) => self.socket_closed(transport, reason),
            None => self.socket_closed(transport, None),
        }
    }

    fn take_answer(&mut self, answer: Option<Answer>) {
        match answer {
            Some(Answer::Token(request, answer)) => self.client.handle_token(request, answer, runtime::now()),
            Some(Answer::Http(request, answer)) => self.client.handle_http(request, answer, runtime::now()),
            Some(Answer::Connectivity(request, up)) => self.client.handle_connectivity(request, up, runtime::now()),
            // The driver holds a sender itself, so the errands never end before it.
            None => {}
        }
    }

    fn take_page_event(&mut self, event: PageEvent) {
        let now = runtime::now();
        match event {
            PageEvent::Online => self.client.handle_network(true, now),
            PageEvent::Offline => self.client.handle_network(false, now),
            // With its connection key it resumes when it comes back. An open socket would keep it out of the cache.
            PageEvent::Shelved => self.client.shelve(now),
            PageEvent::Awake => self.client.check_line(now),
            PageEvent::Leaving => self.client.handle_command(Command::Close, now),
        }
    }

    fn socket_closed(&mut self, transport: TransportId, reason: Option<rooms_protocol::ErrorInfo>) {
        self.socket = None;
        self.client.handle_closed(transport, reason, runtime::now());
    }

    /// Does what the client wants done, and moves events and frames on as far as there is room.
    fn pump(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Open { transport, url } => {
                    self.end.traffic.sockets.fetch_add(1, Relaxed);
                    let link = self.connector.open(&url);
                    self.socket = Some(Socket { transport, link, pending: VecDeque::new() });
                }
                Output::Send { transport, frame } => {
                    if let Some(socket) = self.socket.as_mut().filter(|socket| socket.transport == transport) {
                        let copy = self.end.tap.is_open().then(|| frame.clone());
                        let wire = self.format.encode(frame);
                        self.end.traffic.sent(wire.len());
                        if let Some(copy) = copy {
                            self.end.tap.show(FrameDirection::Out, &copy, wire.len(), runtime::now());
                        }
                        socket.pending.push_back(wire);
                    }
                }
                Output::NeedToken { request, params } => self.errands.get_token(request, params),
                Output::ExchangeToken { request, url, body } => self.errands.exchange(request, url, body),
                Output::Http { request, http } => self.errands.send(request, http),
                Output::CheckConnectivity { request, url } => self.errands.check_connectivity(request, url),
                Output::Shut { transport } => {
                    if self.socket.as_ref().is_some_and(|socket| socket.transport == transport) {
                        self.shut();
                    }
                }
            }
        }
        if let Some(socket) = &mut self.socket {
            socket.flush();
        }
        while let Some(event) = self.client.poll_event() {
            self.end.tell(event);
        }
        self.end.flush();
    }

    /// Gives the socket up. What was sent just before, such as a goodbye, goes out where the socket has room.
    fn shut(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.flush();
        }
    }
}

impl Socket {
    /// Hands frames over as far as the socket has room.
    fn flush(&mut self) {
        while let Some(wire) = self.pending.pop_front() {
            if let Err(refused) = self.link.outgoing.try_send(wire) {
                match refused {
                    mpsc::error::TrySendError::Full(wire) => self.pending.push_front(wire),
                    // A socket that is gone says so as its last word.
                    mpsc::error::TrySendError::Closed(_) => self.pending.clear(),
                }
                return;
            }
        }
    }

    /// Sends what waits and sees the socket to its end.
    async fn finish(mut self) {
        while let Some(wire) = self.pending.pop_front() {
            if self.link.outgoing.send(wire).await.is_err() {
                return;
            }
        }
        drop(self.link.outgoing);
        while self.link.incoming.recv().await.is_some() {}
    }
}

/// The next word of the socket; never, where there is none.
async fn next(incoming: Option<&mut mpsc::Receiver<Incoming>>) -> Option<Incoming> {
    match incoming {
        Some(incoming) => incoming.recv().await,
        None => std::future::pending().await,
    }
}

/// Resolves when the socket takes a frame, or is gone.
async fn has_room(outgoing: Option<&mpsc::Sender<WireFrame>>) {
    match outgoing {
        // The permit is given back at once: the next flush takes it.
        Some(outgoing) => drop(outgoing.reserve().await),
        None => std::future::pending().await,
    }
}
