//! The simulated network, for where no runtime is to be had: a page's own cannot be made to wait.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bevy_rooms::{
    bridge::{Bridge, BridgeBackend},
    client::{ClientOptions, Command},
    plugin::{Clock, Transport},
    prelude::*,
    testing::{ClientIndex, Fault, SimNet},
};
use web_time::Instant;

/// What lies between the apps.
pub struct Line {
    net: SimNet,
    now: Arc<Mutex<Instant>>,
    /// The clients that apps asked for and that are not on the network yet.
    asked: Arc<Mutex<Vec<(ClientOptions, BridgeBackend)>>>,
    clients: Vec<(ClientIndex, BridgeBackend)>,
}

impl Line {
    pub fn new() -> Self {
        let net = SimNet::new(7);
        let now = Arc::new(Mutex::new(net.now()));
        Self { net, now, asked: Arc::default(), clients: Vec::new() }
    }

    pub fn plugin(&self) -> RoomsPlugin {
        let (asked, now) = (Arc::clone(&self.asked), Arc::clone(&self.now));
        RoomsPlugin {
            transport: Transport::driven(move |options| {
                let (bridge, backend) = Bridge::pair();
                asked.lock().unwrap().push((options, backend));
                bridge
            }),
            clock: Clock::Custom(Arc::new(move || *now.lock().unwrap())),
            ..RoomsPlugin::default()
        }
    }

    pub fn now(&self) -> Instant {
        self.net.now()
    }

    pub fn pass(&mut self, duration: Duration) {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let net = &mut self.net;
        self.clients.extend(asked.into_iter().map(|(options, backend)| (net.add_client(options), backend)));
        self.clients.retain_mut(|(client, backend)| {
            while let Some(command) = backend.poll_command() {
                net.command(*client, command);
            }
            let ended = backend.is_ended();
            if ended {
                net.command(*client, Command::Close);
            }
            !ended
        });
        net.run_for(duration);
        for (client, backend) in &mut self.clients {
            net.take_events(*client).into_iter().for_each(|event| backend.emit(event));
            backend.flush();
            backend.set_traffic(&net.traffic(*client));
        }
        *self.now.lock().unwrap() = net.now();
    }

    pub fn cut_all(&mut self) {
        for (client, _) in &self.clients {
            self.net.inflict(*client, Fault::Cut);
        }
    }
}
