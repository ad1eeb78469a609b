//! All sockets between clients and the relay, and what is on its way through them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use web_time::Instant;

use crate::{
    faults::{Direction, Fault, LinkConditions},
    socket::{Lane, Parcel, Socket, SocketId},
};
use rooms_client::TransportId;
use rooms_protocol::WireFrame;
use rooms_relay::LinkId;

/// All sockets, and all that is on its way.
#[derive(Debug, Default)]
pub(super) struct Wire {
    sockets: BTreeMap<SocketId, Socket>,
    /// The sockets by what their clients call them.
    of_clients: HashMap<(usize, TransportId), SocketId>,
    /// The sockets by what the relay calls them.
    of_links: HashMap<LinkId, SocketId>,
    /// Whether an end has learnt that its socket is gone since the last [`tidy`](Self::tidy).
    untidy: bool,
    parcels: Parcels,
    /// What would have arrived, were it not held up.
    held: Parcels,
    /// The ways on which everything is held up, by client.
    holds: BTreeSet<(usize, Direction)>,
    count: u64,
}

/// What is on its way, by when it arrives and in the order in which it was sent.
type Parcels = BTreeMap<(Instant, u64), (SocketId, Direction, Parcel)>;

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
        self.of_clients.insert((client, transport), id);
        id
    }

    pub(super) fn get_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.sockets.get_mut(&id)
    }

    /// The socket that the client calls so.
    pub(super) fn of_client(&self, client: usize, transport: TransportId) -> Option<SocketId> {
        self.of_clients.get(&(client, transport)).copied()
    }

    /// The socket that the relay calls so.
    pub(super) fn of_link(&self, link: LinkId) -> Option<SocketId> {
        self.of_links.get(&link).copied()
    }

    /// The relay takes a socket, and calls it so.
    pub(super) fn set_link(&mut self, id: SocketId, link: LinkId) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.link = Some(link);
            self.of_links.insert(link, id);
        }
    }

    fn remove(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.remove(&id) {
            self.of_clients.remove(&(socket.client, socket.transport));
            if let Some(link) = socket.link {
                self.of_links.remove(&link);
            }
        }
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
            let lane = socket.lane(direction);
            lane.on_the_way += 1;
            if std::mem::take(&mut lane.truncate) {
                truncate(wire, rng);
            }
        }
        let left = socket.lane(direction).depart(parcel.bytes(), link, now);
        self.put(id, direction, parcel, left + link.latency + link.jitter.mul_f64(rng.random_range(0.0..=1.0)));
    }

    /// Whether the client's end of a socket takes one more frame. One that is closed takes all, and drops them.
    pub(super) fn has_capacity(&self, id: SocketId, link: LinkConditions) -> bool {
        let open = self.sockets.get(&id).filter(|socket| !socket.up.cut);
        open.is_none_or(|socket| socket.up.on_the_way < link.socket_capacity.get())
    }

    /// Frames and bytes that wait at the relay for a client to read them.
    pub(super) fn backlog(&mut self, id: SocketId, now: Instant) -> (usize, usize) {
        self.sockets.get_mut(&id).map_or((0, 0), |socket| socket.down.backlog(now))
    }

    /// Holds everything up that goes this way, also what is on its way already.
    pub(super) fn hold(&mut self, client: usize, direction: Direction) {
        if !self.holds.insert((client, direction)) {
            return;
        }
        let sockets = &self.sockets;
        let caught = self.parcels.extract_if(.., |_, (id, way, _)| {
            *way == direction && sockets.get(id).is_some_and(|socket| socket.client == client)
        });
        let caught: Vec<_> = caught.collect();
        for ((at, number), (id, direction, parcel)) in caught {
            self.hold_up(id, direction, parcel, (at, number));
        }
    }

    fn hold_up(&mut self, id: SocketId, direction: Direction, parcel: Parcel, key: (Instant, u64)) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            let (frames, bytes) = &mut socket.lane(direction).held;
            *frames += 1;
            *bytes += parcel.bytes();
        }
        self.held.insert(key, (id, direction, parcel));
    }

    /// Ends the delay: what was held up arrives from `from` on.
    pub(super) fn release(&mut self, client: usize, direction: Direction, from: Instant) {
        if !self.holds.remove(&(client, direction)) {
            return;
        }
        let sockets = &self.sockets;
        let released = self.held.extract_if(.., |_, (id, way, _)| {
            *way == direction && sockets.get(id).is_none_or(|socket| socket.client == client)
        });
        for ((at, number), parcel) in released {
            self.parcels.insert((at.max(from), number), parcel);
        }
        for socket in self.sockets.values_mut().filter(|socket| socket.client == client) {
            let lane = socket.lane(direction);
            (lane.held, lane.last) = ((0, 0), lane.last.max(from));
        }
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
        // A socket that is closed before the relay answered never existed for the relay.
        if self.held.values().any(|(of, _, parcel)| *of == id && matches!(parcel, Parcel::Dial(_))) {
            self.held.retain(|_, (of, ..)| *of != id);
            return self.remove(id);
        }
        self.send(id, from, Parcel::Gone, link, now, rng);
        self.untidy = true;
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
        let key = (lane.last, number);
        match self.holds.contains(&(socket.client, direction)) {
            true => self.hold_up(id, direction, parcel, key),
            false => _ = self.parcels.insert(key, (id, direction, parcel)),
        }
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
            // The network holds up all sockets of the client, and the ones to come.
            Fault::Isolate(_) | Fault::OneWay(..) | Fault::Freeze(_) => {}
        }
    }

    /// The relay cuts a socket off: what waits is lost, and the client learns of it.
    pub(super) fn cut_off(&mut self, id: SocketId, learn: Instant) {
        self.tear(id, [true, true], learn);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.up.deaf = true;
        }
    }

    /// Breaks a socket; both ends learn of it at `learn`. `lost` says for each direction whether what is on its way is
    /// lost.
    fn tear(&mut self, id: SocketId, lost: [bool; 2], learn: Instant) {
        for (direction, lost) in [Direction::Up, Direction::Down].into_iter().zip(lost) {
            if lost {
                self.parcels.retain(|_, (of, way, _)| (*of, *way) != (id, direction));
                self.held.retain(|_, (of, way, _)| (*of, *way) != (id, direction));
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
        self.untidy = true;
        self.of_links.clear();
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
            let lane = socket.lane(direction);
            let deaf = lane.deaf;
            match parcel {
                Parcel::Frame(_) => lane.on_the_way -= 1,
                Parcel::Gone => (lane.deaf, self.untidy) = (true, true),
                Parcel::Dial(_) | Parcel::Opened | Parcel::Ping => {}
            }
            if !deaf {
                return Some((id, direction, parcel));
            }
        }
        None
    }

    /// Forgets the sockets that nothing can come through any more.
    pub(super) fn tidy(&mut self) {
        if !std::mem::take(&mut self.untidy) {
            return;
        }
        let over = self.sockets.iter().filter(|(_, socket)| socket.up.deaf && socket.down.deaf);
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.remove(id);
        }
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
