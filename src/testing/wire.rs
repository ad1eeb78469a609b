//! Sockets between clients and the relay, and what is on its way through them.

use std::{collections::BTreeMap, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use web_time::Instant;

use super::faults::{Direction, Fault, LinkConditions};
use crate::{client::TransportId, protocol::WireFrame, relay::LinkId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SocketId(u64);

/// What arrives at one end of a socket.
#[derive(Debug)]
pub(super) enum Parcel {
    /// At the relay: a client wants a connection, with this query.
    Dial(String),
    /// At the client: the socket is open.
    Opened,
    /// One frame.
    Frame(WireFrame),
    /// At the client: a WebSocket ping.
    Ping,
    /// The other end is gone.
    Gone,
}

/// One socket.
#[derive(Debug)]
pub(super) struct Socket {
    /// Which client has it.
    pub(super) client: usize,
    /// What the client calls it.
    pub(super) transport: TransportId,
    /// What the relay calls it, once it knows of it.
    pub(super) link: Option<LinkId>,
    up: Lane,
    down: Lane,
    /// After how many frames more it breaks.
    frames_left: Option<u32>,
}

/// One direction of a socket.
#[derive(Debug)]
struct Lane {
    /// When the last thing that was sent arrives; nothing overtakes it.
    last: Instant,
    /// Nothing more can be sent.
    cut: bool,
    /// What arrives is thrown away.
    deaf: bool,
    /// The next frame is cut short.
    truncate: bool,
}

impl Lane {
    fn new(now: Instant) -> Self {
        Self { last: now, cut: false, deaf: false, truncate: false }
    }
}

impl Socket {
    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

/// All sockets, and all that is on its way.
#[derive(Debug, Default)]
pub(super) struct Wire {
    sockets: BTreeMap<SocketId, Socket>,
    parcels: BTreeMap<(Instant, u64), (SocketId, Direction, Parcel)>,
    count: u64,
}

impl Wire {
    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// A new socket of a client.
    pub(super) fn add(&mut self, client: usize, transport: TransportId, now: Instant) -> SocketId {
        let id = SocketId(self.number());
        let (up, down) = (Lane::new(now), Lane::new(now));
        self.sockets.insert(id, Socket { client, transport, link: None, up, down, frames_left: None });
        id
    }

    pub(super) fn get_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.sockets.get_mut(&id)
    }

    /// The socket that the client calls so.
    pub(super) fn of_client(&self, client: usize, transport: TransportId) -> Option<SocketId> {
        self.find(|socket| socket.client == client && socket.transport == transport)
    }

    /// The socket that the relay calls so.
    pub(super) fn of_link(&self, link: LinkId) -> Option<SocketId> {
        self.find(|socket| socket.link == Some(link))
    }

    fn find(&self, wanted: impl Fn(&Socket) -> bool) -> Option<SocketId> {
        self.sockets.iter().rev().find(|(_, socket)| wanted(socket)).map(|(id, _)| *id)
    }

    /// Sends something through a socket.
    pub(super) fn send(
        &mut self,
        id: SocketId,
        direction: Direction,
        mut parcel: Parcel,
        link: LinkConditions,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        if socket.lane(direction).cut {
            return;
        }
        if let Parcel::Frame(wire) = &mut parcel {
            match &mut socket.frames_left {
                Some(0) => return self.inflict(id, Fault::Cut, link, now, rng),
                Some(left) => *left -= 1,
                None => {}
            }
            if std::mem::take(&mut socket.lane(direction).truncate) {
                truncate(wire, rng);
            }
        }
        self.put(id, direction, parcel, now + link.latency + link.jitter.mul_f64(rng.random_range(0.0..=1.0)));
    }

    /// The sender closes its end: what was sent arrives, then the other end learns of it.
    pub(super) fn close(
        &mut self,
        id: SocketId,
        from: Direction,
        link: LinkConditions,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) {
        self.send(id, from, Parcel::Gone, link, now, rng);
        let back = if from == Direction::Up { Direction::Down } else { Direction::Up };
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.lane(from).cut = true;
            socket.lane(back).cut = true;
            socket.lane(back).deaf = true;
        }
    }

    fn put(&mut self, id: SocketId, direction: Direction, parcel: Parcel, at: Instant) {
        let number = self.number();
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let lane = socket.lane(direction);
        lane.last = lane.last.max(at);
        self.parcels.insert((lane.last, number), (id, direction, parcel));
    }

    pub(super) fn inflict(
        &mut self,
        id: SocketId,
        fault: Fault,
        link: LinkConditions,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) {
        let Some(socket) = self.sockets.get_mut(&id).filter(|socket| !socket.up.cut && !socket.down.cut) else {
            return;
        };
        match fault {
            Fault::Cut | Fault::Refuse(_) => self.tear(id, [rng.random(), rng.random()], now + link.latency),
            Fault::Stall(time) => self.tear(id, [true, true], now + time),
            Fault::CutAfter(frames) => socket.frames_left = Some(frames),
            Fault::Truncate(direction) => socket.lane(direction).truncate = true,
            Fault::Delay(time) => self.delay(id, time, now),
        }
    }

    /// Breaks a socket; both ends learn of it at `learn`. `lost` says for each direction whether what is on its way is
    /// lost.
    fn tear(&mut self, id: SocketId, lost: [bool; 2], learn: Instant) {
        for (direction, lost) in [Direction::Up, Direction::Down].into_iter().zip(lost) {
            if lost {
                self.parcels.retain(|_, (of, way, _)| (*of, *way) != (id, direction));
            }
            self.put(id, direction, Parcel::Gone, learn);
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.lane(direction).cut = true;
            }
        }
    }

    /// Holds everything up, also what is on its way already.
    fn delay(&mut self, id: SocketId, time: Duration, now: Instant) {
        let held: Vec<_> = self.parcels.extract_if(.., |_, (of, ..)| *of == id).collect();
        for ((at, number), parcel) in held {
            self.parcels.insert((at.max(now + time), number), parcel);
        }
        if let Some(socket) = self.sockets.get_mut(&id) {
            for lane in [&mut socket.up, &mut socket.down] {
                lane.last = lane.last.max(now + time);
            }
        }
    }

    /// The relay's end of every socket vanishes.
    pub(super) fn lose_relay(&mut self, learn: Instant) {
        for id in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.tear(id, [true, false], learn);
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.link = None;
                socket.up.deaf = true;
            }
        }
    }

    /// When something arrives next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.parcels.first_key_value().map(|((at, _), _)| *at)
    }

    /// What arrives now, if anything does; a socket of which both ends know that it is gone is forgotten.
    pub(super) fn arrive(&mut self, now: Instant) -> Option<(SocketId, Direction, Parcel)> {
        while self.next().is_some_and(|at| at <= now) {
            let (_, (id, direction, parcel)) = self.parcels.pop_first()?;
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            let deaf = socket.lane(direction).deaf;
            if matches!(parcel, Parcel::Gone) {
                socket.lane(direction).deaf = true;
            }
            if !deaf {
                return Some((id, direction, parcel));
            }
        }
        None
    }

    /// Forgets the sockets that nothing can come through any more.
    pub(super) fn tidy(&mut self) {
        self.sockets.retain(|_, socket| !(socket.up.deaf && socket.down.deaf));
    }
}

/// Cuts a frame short, anywhere.
fn truncate(wire: &mut WireFrame, rng: &mut ChaCha8Rng) {
    let mut length = rng.random_range(0..wire.len().max(1));
    match wire {
        WireFrame::Text(text) => {
            while !text.is_char_boundary(length) {
                length -= 1;
            }
            text.truncate(length);
        }
        WireFrame::Binary(bytes) => bytes.truncate(length),
    }
}
