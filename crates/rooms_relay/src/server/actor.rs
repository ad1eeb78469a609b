//! The task that owns the hub: it passes on events of sockets and the time, and hands out what the hub sends.

use std::{
    collections::HashMap,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    task::coop::consume_budget,
    time::{MissedTickBehavior, Sleep, interval, sleep_until, timeout},
};
use web_time::Instant;

use super::{
    control::{Command, Report},
    histogram::Histogram,
    http::RestInput,
    intake::Intake,
    queue::{Item, NotQueued, Outgoing},
    relay::wall_clock,
    relief::Relief,
    vitals::{BEAT, Vitals},
    waiting::{LaneId, Waiting, Whose},
};
use crate::{ConnectRequest, Hub, LinkId, Output, auth::owner::Address, budget::Charge};
use rooms_protocol::{ErrorInfo, Frame, Outline, Unreadable};

/// How long clients have at shutdown to read the last frames. A little more than a socket needs to close.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Events of sockets that are handled one after the other before the actor looks at its timers and commands.
const IN_A_ROW: usize = 32;

/// Events of sockets that are taken in at most before the next is handled.
const MOST_AT_ONCE: usize = 256;

/// An event of a socket.
#[derive(Debug)]
pub(super) enum Input {
    /// It opened and needs a link. The answer is lost if the socket is gone already.
    Open { request: Box<ConnectRequest>, outgoing: Outgoing, intake: Arc<Intake>, opened: oneshot::Sender<Opened> },
    /// A frame came in.
    Frame { link: LinkId, frame: Box<Frame>, handling: Handling },
    /// A frame came in that there is no room for.
    Refused { link: LinkId, outline: Box<Outline>, error: Box<ErrorInfo> },
    /// Something came in that cannot be taken as a frame.
    Malformed { link: LinkId, unreadable: Box<Unreadable> },
    /// A request came over HTTP.
    Rest(RestInput),
    /// The socket is gone. This is its last event, and the only one that always follows `Open`.
    Closed { link: LinkId },
}

/// What a frame takes until the hub has handled it: a turn of its socket, and memory.
#[derive(Debug)]
pub(super) struct Handling {
    pub(super) _turn: OwnedSemaphorePermit,
    pub(super) _charge: Charge,
}

/// What became of a socket that opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) link: LinkId,
    /// Whether the hub let its client in. If not, it gets the error and is closed.
    pub(super) is_let_in: bool,
}

/// The actor's side of a socket.
#[derive(Debug)]
pub(super) struct Socket {
    outgoing: Outgoing,
    intake: Arc<Intake>,
    /// Whose turn it is when its events are handled.
    lane: LaneId,
}

impl Socket {
    /// The bytes that may become free when it is cut off.
    pub(super) fn held_bytes(&self) -> usize {
        self.outgoing.held_bytes() + self.intake.bytes()
    }
}

/// The hub with its sockets.
pub(super) struct Actor {
    hub: Hub,
    inputs: mpsc::Receiver<Input>,
    /// What came in and waits for its turn. Each socket bounds how much of it there is.
    waiting: Waiting<Input>,
    /// Where to send, for each link that the hub knows. Dropping one closes its socket when all is sent.
    sockets: HashMap<LinkId, Socket>,
    /// Sockets that have not sent `Closed`.
    alive: usize,
    commands: mpsc::Receiver<Command>,
    vitals: Arc<Vitals>,
    /// How long its turns took.
    turns: Histogram,
    relief: Relief,
}

impl Actor {
    pub(super) fn new(
        hub: Hub,
        inputs: mpsc::Receiver<Input>,
        commands: mpsc::Receiver<Command>,
        vitals: Arc<Vitals>,
    ) -> Self {
        let turns = Histogram::default();
        let (waiting, sockets, relief) = (Waiting::default(), HashMap::new(), Relief::default());
        Self { hub, inputs, waiting, sockets, alive: 0, commands, vitals, turns, relief }
    }

    /// Runs until the other end of `stop` is gone, or the hub was emptied. Then it shuts the hub down.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut timer = Timer { sleep: pin!(sleep_until(tokio::time::Instant::now())), deadline: None };
        while !self.hub.is_drained() {
            timer.set(self.hub.poll_timeout());
            let begun = tokio::select! {
                _ = &mut stop => break,
                Some(command) = self.commands.recv() => Some(self.obey(command)),
                Some(input) = self.inputs.recv() => self.take_in(input),
                // What waits has its turn below.
                () = consume_budget(), if !self.waiting.is_empty() => None,
                () = timer.sleep.as_mut(), if timer.deadline.is_some() => Some(self.expire()),
                _ = beats.tick() => Some(self.tell_wall()),
            };
            if let Some(begun) = begun {
                self.finish_turn(begun);
            }
            for _ in 1..IN_A_ROW {
                if !self.next_turn() {
                    break;
                }
            }
        }
        self.hub.shut_down(Instant::now());
        self.deliver();
        while let Some(input) = self.waiting.pop() {
            self.handle(input);
            self.deliver();
        }
        let closing = async {
            while self.alive > 0
                && let Some(input) = self.inputs.recv().await
            {
                self.handle(input);
                self.deliver();
            }
        };
        if timeout(SHUTDOWN_GRACE, closing).await.is_err() {
            log::debug!("some clients did not read the last frames in time");
        }
    }

    /// Handles an event at once where it is alone, and returns when it began. Otherwise it waits for its turn.
    fn take_in(&mut self, input: Input) -> Option<Instant> {
        if self.waiting.is_empty() && self.inputs.is_empty() {
            return Some(self.handle(input));
        }
        self.queue(input);
        None
    }

    /// Has an event wait for its client's turn.
    fn queue(&mut self, input: Input) {
        let link = match &input {
            Input::Open { request, .. } => {
                return self.waiting.push_for(Whose::stranger(request.address.map(Address::from)), input);
            }
            Input::Rest(rest) => return self.waiting.push_for(rest.whose(), input),
            Input::Frame { link, .. }
            | Input::Refused { link, .. }
            | Input::Malformed { link, .. }
            | Input::Closed { link } => *link,
        };
        match self.sockets.get(&link) {
            Some(socket) => self.waiting.push(socket.lane, input),
            // The hub has closed it, so that this is little work.
            None => self.waiting.push_for(Whose::default(), input),
        }
    }

    /// Takes in all that came, and handles what is next. Returns false where there is nothing.
    fn next_turn(&mut self) -> bool {
        for _ in 0..MOST_AT_ONCE {
            let Ok(input) = self.inputs.try_recv() else { break };
            self.queue(input);
        }
        let Some(input) = self.waiting.pop() else { return false };
        let begun = self.handle(input);
        let took = self.finish_turn(begun);
        self.waiting.done(took);
        true
    }

    /// Hands out what a turn that began then brought about. Returns how long it took.
    fn finish_turn(&mut self, begun: Instant) -> Duration {
        self.deliver();
        self.relieve(begun);
        let ended = Instant::now();
        let took = ended.saturating_duration_since(begun);
        self.turns.count(took);
        self.vitals.beat(ended);
        took
    }

    /// Tells the hub the wall clock, so that it notices when the clock was set, or the machine slept.
    fn tell_wall(&mut self) -> Instant {
        let now = Instant::now();
        self.hub.set_wall(now, wall_clock());
        now
    }

    /// Does what is due. Returns when it began.
    fn expire(&mut self) -> Instant {
        let now = Instant::now();
        self.hub.handle_timeout(now);
        now
    }

    /// Does what whoever steers the relay wants. Returns when it began. Whoever no longer waits for an answer gets none.
    fn obey(&mut self, command: Command) -> Instant {
        let now = self.tell_wall();
        match command {
            Command::Reconfigure { config, done } => {
                self.hub.reconfigure(*config, now);
                let _ = done.send(());
            }
            Command::Drain { over } => {
                log::info!("letting nobody new in, and disconnecting the others within {} s", over.as_secs());
                self.vitals.set_draining();
                self.hub.drain(over, now);
            }
            Command::Report { answer } => {
                let _ = answer.send(Report { stats: self.hub.stats(), turns: self.turns.clone() });
            }
        }
        now
    }

    /// Passes an event on. Returns when it began.
    fn handle(&mut self, input: Input) -> Instant {
        let now = Instant::now();
        self.hub.set_wall(now, wall_clock());
        match input {
            Input::Open { request, outgoing, intake, opened } => {
                let link = self.hub.open(&request, now);
                let lane = self.waiting.enter(self.whose(link, &request));
                self.sockets.insert(link, Socket { outgoing, intake, lane });
                self.alive += 1;
                // A socket that is gone does not learn its link, so it cannot report that the link is closed.
                let is_let_in = self.hub.is_open(link);
                if opened.send(Opened { link, is_let_in }).is_err() {
                    self.forget(link, now);
                }
            }
            Input::Frame { link, frame, handling } => {
                self.hub.handle_frame(link, *frame, now);
                drop(handling);
            }
            Input::Refused { link, outline, error } => self.hub.refuse_frame(link, &outline, *error, now),
            Input::Malformed { link, unreadable } => self.hub.handle_malformed(link, &unreadable, now),
            Input::Rest(input) => input.handle(&mut self.hub, now),
            Input::Closed { link } => self.forget(link, now),
        }
        self.vitals.set_web_sockets(self.alive);
        now
    }

    fn forget(&mut self, link: LinkId, now: Instant) {
        self.alive = self.alive.saturating_sub(1);
        self.take_socket(link);
        self.hub.handle_closed(link, now);
    }

    /// Whose a socket is that opened.
    fn whose(&self, link: LinkId, request: &ConnectRequest) -> Whose {
        let stranger = || Whose::stranger(request.address.map(Address::from));
        self.hub.owner(link).map_or_else(stranger, Whose::from)
    }

    /// Takes a socket out. When the result is dropped, the socket writes what is left and closes.
    fn take_socket(&mut self, link: LinkId) -> Option<Socket> {
        let socket = self.sockets.remove(&link)?;
        self.waiting.leave(socket.lane);
        Some(socket)
    }

    /// Hands out everything that the hub sends. Never waits: a client that cannot keep up is cut off.
    fn deliver(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            let (link, item) = match output {
                Output::Send { link, batch } => (link, Item::Batch(batch)),
                Output::Ping { link } => (link, Item::Ping),
                Output::Close { link } => {
                    self.take_socket(link);
                    continue;
                }
            };
            let Some(socket) = self.sockets.get(&link) else { continue };
            if socket.outgoing.push(item) == Err(NotQueued::Full) {
                self.cut_off(link);
            }
        }
    }

    /// Ends a socket at once. Its client may resume.
    fn cut_off(&mut self, link: LinkId) {
        if let Some(socket) = self.take_socket(link) {
            socket.outgoing.cut();
            self.hub.handle_cut_off(link, Instant::now());
        }
    }

    /// Makes room when memory is nearly full: cuts off the sockets for which most waits. The hub has dropped histories before.
    fn relieve(&mut self, now: Instant) {
        if self.hub.budget().excess() == 0 || !self.relief.is_due(now) {
            return;
        }
        let budget = self.hub.budget().clone();
        let shed = self.hub.counters().shed_bytes.get();
        self.relief.warn(now, || {
            let (used, total) = (budget.used(), budget.total());
            log::warn!(used, total, shed; "memory is nearly full; histories are dropped early, and the slowest readers cut off");
        });
        for link in Relief::largest(&self.sockets) {
            if budget.excess() == 0 {
                break;
            }
            self.cut_off(link);
        }
        self.deliver();
    }
}

/// The hub's next deadline, and what waits for it.
struct Timer<'a> {
    sleep: Pin<&'a mut Sleep>,
    deadline: Option<Instant>,
}

impl Timer<'_> {
    /// Waits for another deadline. Most often it is the same.
    fn set(&mut self, deadline: Option<Instant>) {
        if deadline != self.deadline {
            self.deadline = deadline;
            if let Some(deadline) = deadline {
                self.sleep.as_mut().reset(deadline.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        HubConfig, Limits,
        server::queue::{Queue, queue},
    };
    use rooms_protocol::{Action, Message, MsgSerial};
    use tokio::sync::Semaphore;

    /// An actor with sockets that nobody reads, and what opens them and sends to it.
    struct Fixture {
        inbox: mpsc::Sender<Input>,
        budget: crate::budget::MemoryBudget,
        _stop: oneshot::Sender<()>,
        _commands: mpsc::Sender<Command>,
    }

    impl Fixture {
        fn new() -> Self {
            let (inbox, inputs) = mpsc::channel(1_000);
            let (stop, stopped) = oneshot::channel();
            let (commands, obeyed) = mpsc::channel(1);
            let hub = Hub::new(HubConfig::default(), [7; 32], Instant::now(), wall_clock());
            let budget = hub.budget().clone();
            tokio::spawn(Actor::new(hub, inputs, obeyed, Arc::new(Vitals::new(Instant::now()))).run(stopped));
            Self { inbox, budget, _stop: stop, _commands: commands }
        }

        async fn open(&self, client: &str) -> (LinkId, Queue) {
            let query = format!("v=6&key={}&clientId={client}&echo=false", rooms_protocol::DEVELOPMENT_KEY);
            let request = Box::new(ConnectRequest::from_query(&query));
            let (outgoing, queue, _) = queue(&Limits::default(), &self.budget);
            let (opened, link) = oneshot::channel();
            let open = Input::Open { request, outgoing, intake: Intake::new(&self.budget), opened };
            self.inbox.send(open).await.unwrap();
            (link.await.unwrap().link, queue)
        }

        /// Puts a frame into the inbox without letting the actor go on.
        fn send(&self, link: LinkId, frame: Frame) {
            let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let charge = self.budget.charge(crate::budget::Purpose::Inbound, 0);
            let handling = Handling { _turn: permit, _charge: charge };
            self.inbox.try_send(Input::Frame { link, frame: Box::new(frame), handling }).unwrap();
        }

        fn publish(&self, link: LinkId, serial: i64, name: &str) {
            let messages = vec![Message::new(name, "x")];
            let msg_serial = Some(MsgSerial(serial));
            self.send(link, Frame { messages, msg_serial, ..Frame::for_channel(Action::Message, "c".into()) });
        }
    }

    #[tokio::test]
    async fn whoever_sends_little_does_not_wait_for_all_that_somebody_else_sent_before() {
        const FLOOD: usize = 600;
        let fixture = Fixture::new();
        let (reader, queue) = fixture.open("reader").await;
        fixture.send(reader, Frame::for_channel(Action::Attach, "c".into()));
        let mut mallory = Vec::new();
        for _ in 0..10 {
            mallory.push(fixture.open("mallory").await);
        }
        let (ada, _queue) = fixture.open("ada").await;
        for index in 0..FLOOD {
            let (link, _) = mallory[index % mallory.len()];
            fixture.publish(link, (index / mallory.len()).try_into().unwrap(), "flood");
        }
        fixture.publish(ada, 0, "hello");
        let (mut names, mut taken) = (Vec::new(), Vec::new());
        while names.len() <= FLOOD {
            queue.take(1, &mut taken).await;
            for (item, _) in taken.drain(..) {
                let Item::Batch(mut batch) = item else { continue };
                let frame = batch.next_frame().unwrap();
                names.extend(frame.messages.into_iter().filter_map(|message| message.name));
            }
        }
        let place = names.iter().position(|name| name == "hello").unwrap();
        // The actor has a few turns while it takes in what came before.
        assert!(place <= 16, "it came after {place} of {FLOOD}");
    }
}
