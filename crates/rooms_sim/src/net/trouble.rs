//! What goes wrong on the simulated network, on request or by itself.

use std::time::Duration;

use rand::{RngExt, seq::IndexedRandom};

use super::{ClientIndex, SimNet, WALL_START};
use crate::{
    faults::{Direction, Fault, FaultPlan, LinkConditions, Rolled},
    halt::Halt,
};
use rooms_relay::Hub;

impl SimNet {
    /// Sets the conditions of a client's link from now on.
    pub fn set_link(&mut self, client: ClientIndex, link: LinkConditions) {
        self.nodes[client.0].link = link;
        // The socket may have capacity for more now.
        self.apply_halts(client.0);
    }

    /// Breaks a client's socket, if it has one. Short for [`Fault::Cut`].
    pub fn cut(&mut self, client: ClientIndex) {
        self.inflict(client, Fault::Cut);
    }

    /// Makes something go wrong for a client. Without a socket only [`Fault::Refuse`], [`Fault::Isolate`], [`Fault::OneWay`]
    /// and [`Fault::Freeze`] do anything.
    pub fn inflict(&mut self, client: ClientIndex, fault: Fault) {
        let node = &mut self.nodes[client.0];
        match fault {
            Fault::Refuse(time) => node.refused_until = node.refused_until.max(self.now + time),
            Fault::Isolate(time) => node.isolated.extend(self.now + time),
            Fault::OneWay(Direction::Up, time) => node.mute.extend(self.now + time),
            Fault::OneWay(Direction::Down, time) => node.deaf.extend(self.now + time),
            Fault::Freeze(time) => node.frozen.extend(self.now + time),
            _ => {}
        }
        if let Some(socket) = node.socket {
            self.wire.inflict(socket, fault, node.link, self.now, &mut self.rng);
        }
        self.apply_halts(client.0);
    }

    /// Cuts a client off from the relay until it is [reconnected](Self::reconnect). As [`Fault::Isolate`], without an end.
    pub fn isolate(&mut self, client: ClientIndex) {
        self.nodes[client.0].isolated = Halt::UntilTold;
        self.apply_halts(client.0);
    }

    /// Ends what [`isolate`](Self::isolate), [`Fault::Isolate`] or [`Fault::OneWay`] began.
    pub fn reconnect(&mut self, client: ClientIndex) {
        let node = &mut self.nodes[client.0];
        (node.isolated, node.mute, node.deaf) = (Halt::No, Halt::No, Halt::No);
        self.apply_halts(client.0);
    }

    /// Makes a client's process stand still until it is [thawed](Self::thaw). As [`Fault::Freeze`], without an end.
    pub fn freeze(&mut self, client: ClientIndex) {
        self.nodes[client.0].frozen = Halt::UntilTold;
        self.apply_halts(client.0);
    }

    /// Ends what [`freeze`](Self::freeze) or [`Fault::Freeze`] began.
    pub fn thaw(&mut self, client: ClientIndex) {
        self.nodes[client.0].frozen = Halt::No;
        self.apply_halts(client.0);
    }

    /// Whether a client's process stands still.
    pub fn is_frozen(&self, client: ClientIndex) -> bool {
        self.nodes[client.0].frozen.is_on()
    }

    /// Ends a client's process without a goodbye. What it has sent still arrives; then the relay learns that the socket is
    /// gone, since the operating system closes it.
    pub fn kill(&mut self, client: ClientIndex) {
        let node = &mut self.nodes[client.0];
        node.dead = true;
        node.frozen = Halt::No;
        node.events.clear();
        if let Some(socket) = node.socket.take() {
            self.close(socket, Direction::Up);
        }
        self.apply_halts(client.0);
    }

    /// Makes things go wrong by themselves from now on; `None` ends that.
    pub fn set_faults(&mut self, plan: Option<FaultPlan>) {
        self.plan = plan.map(|plan| {
            let at = self.now + plan.wait(&mut self.rng);
            (plan, at)
        });
    }

    /// The relay restarts with an empty memory, and takes sockets again after `down`.
    pub fn restart_relay(&mut self, down: Duration) {
        let wall = WALL_START.plus(self.elapsed());
        self.hub = Hub::new(self.config.clone(), self.rng.random(), self.now, wall);
        self.relay_down_until = self.now + down;
        self.wire.lose_relay(self.now + LinkConditions::default().latency);
    }

    /// Ends the halts whose time is over.
    pub(super) fn end_halts(&mut self) {
        for index in self.agenda.due(self.now) {
            let node = &mut self.nodes[index];
            let halts = [&mut node.isolated, &mut node.mute, &mut node.deaf, &mut node.frozen];
            if halts.into_iter().filter_map(|halt| halt.end_if_over(self.now).then_some(())).count() > 0 {
                self.apply_halts(index);
            }
        }
    }

    /// Delays what a client's halts delay, and nothing else.
    fn apply_halts(&mut self, index: usize) {
        let node = &self.nodes[index];
        self.agenda.set(index, node.next_at());
        let isolated = node.isolated.is_on();
        let (up, down) = (isolated || node.mute.is_on(), isolated || node.deaf.is_on() || node.frozen.is_on());
        match up {
            true => self.wire.hold(index, Direction::Up),
            false => self.wire.release(index, Direction::Up, self.now),
        }
        match down {
            true => self.wire.hold(index, Direction::Down),
            false => self.wire.release(index, Direction::Down, self.now),
        }
        // A process that went on may find its socket with capacity.
        if self.nodes[index].can_act() {
            self.transmit(index);
        }
    }

    pub(super) fn strike(&mut self, plan: FaultPlan) {
        let victims: Vec<ClientIndex> = self.clients().collect();
        match (plan.pick(&mut self.rng), victims.choose(&mut self.rng)) {
            (Some(Rolled::Line(fault)), Some(&victim)) => self.inflict(victim, fault),
            (Some(Rolled::RestartRelay(down)), _) => self.restart_relay(down),
            _ => {}
        }
        self.set_faults(Some(plan));
    }
}
