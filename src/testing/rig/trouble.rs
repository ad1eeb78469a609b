//! The faults that a rig makes.

use std::time::Duration;

use rand::RngExt;
use rooms_sim::{Fault, FaultPlan, LinkConditions};

use super::{AppIndex, Rig};

impl Rig {
    /// The app has no frames until it is [thawed](Self::thaw), and its connection goes on: a breakpoint, a long load, a
    /// window that is being dragged.
    pub fn stall(&mut self, app: AppIndex) {
        self.places[app.0].is_stalled = true;
    }

    /// The app's whole process stands still until it is [thawed](Self::thaw), with its connection: SIGSTOP, a laptop
    /// that sleeps, a page that the browser froze.
    pub fn freeze(&mut self, app: AppIndex) {
        let place = &mut self.places[app.0];
        place.is_frozen = true;
        if let Some(line) = &place.line {
            self.net.freeze(line.client);
        }
    }

    /// Ends what [`stall`](Self::stall) or [`freeze`](Self::freeze) began.
    pub fn thaw(&mut self, app: AppIndex) {
        let place = &mut self.places[app.0];
        (place.is_stalled, place.is_frozen) = (false, false);
        if let Some(line) = &place.line {
            self.net.thaw(line.client);
        }
    }

    /// Ends the app's process without a goodbye, as `kill -9` does. Its operating system closes the socket, so the
    /// relay learns of it; for a machine that lost its power, [partition](Self::partition) the app first.
    pub fn kill(&mut self, app: AppIndex) {
        let place = &mut self.places[app.0];
        if let Some(line) = place.line.take() {
            self.net.kill(line.client);
        }
        place.app = None;
    }

    /// Ends the app as it ends by itself: its bridge is dropped, and says goodbye.
    pub fn close(&mut self, app: AppIndex) {
        let place = &mut self.places[app.0];
        place.app = None;
        place.take_commands(&mut self.net);
    }

    /// Starts the app anew with the same player id, as the next process of its player. One that runs is
    /// [killed](Self::kill) first. It is in no room unless the game enters one by itself.
    pub fn restart(&mut self, app: AppIndex) {
        self.kill(app);
        let seed = self.rng.random();
        let place = &mut self.places[app.0];
        place.next_frame = self.net.now() + self.frame_time.mul_f64(self.rng.random_range(0.0..1.0));
        place.start(&self.clock, seed);
    }

    /// Breaks the app's socket, and prevents a new one for this time.
    pub fn cut(&mut self, app: AppIndex, time: Duration) {
        self.inflict(app, Fault::Refuse(time));
    }

    /// Makes a fault on the app's connection. Without a connection it does nothing.
    pub fn inflict(&mut self, app: AppIndex, fault: Fault) {
        if let Some(line) = &self.places[app.0].line {
            self.net.inflict(line.client, fault);
        }
    }

    /// Sets the conditions between an app and the relay from now on.
    pub fn set_link(&mut self, app: AppIndex, link: LinkConditions) {
        self.places[app.0].link = link;
        if let Some(line) = &self.places[app.0].line {
            self.net.set_link(line.client, link);
        }
    }

    /// Cuts these apps off from the relay until the partition is [healed](Self::heal). Nobody notices at first: what is
    /// sent does not arrive, and sockets stay open until somebody notices the silence.
    pub fn partition(&mut self, apps: &[AppIndex]) {
        for app in apps {
            let place = &mut self.places[app.0];
            place.is_isolated = true;
            if let Some(line) = &place.line {
                self.net.isolate(line.client);
            }
        }
    }

    /// Ends every [partition](Self::partition).
    pub fn heal(&mut self) {
        for place in &mut self.places {
            place.is_isolated = false;
            if let Some(line) = &place.line {
                self.net.reconnect(line.client);
            }
        }
    }

    /// The relay restarts with an empty memory, and accepts sockets again after `down`.
    pub fn restart_relay(&mut self, down: Duration) {
        self.net.restart_relay(down);
    }

    /// Makes random faults from now on; `None` ends them.
    pub fn set_faults(&mut self, plan: Option<FaultPlan>) {
        self.net.set_faults(plan);
    }
}
