//! Rounds of bingo while strangers attack the relay, all of them at once and in every way that once hurt it. The relay is the
//! program with its own defaults.
//!
//! It takes some seconds. `ROOMS_SIEGE_SECONDS=60 cargo test --test examples siege -- --nocapture` goes on for a minute and
//! prints what the attackers did and what the relay says.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rooms_protocol::DEVELOPMENT_KEY;
use tokio::runtime;

use super::{
    attackers::Siege,
    player::{Player, bingo},
    referee::{Transcript, judge},
    relay::Relay,
};

/// Longest wait for the last attack to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the attack lasts at least, unless the environment says otherwise.
const SECONDS: u64 = 8;

/// About how long a round takes at this interval, in seconds.
const ROUND: u64 = 6;
const INTERVAL: &str = "50ms";

/// Who plays: each process has four bots beside the player itself.
const NAMES: [&str; 4] = ["Ada", "Ben", "Cy", "Di"];
const BOTS: &str = "4";
const PLAYERS: usize = 20;

/// What a relay tells about itself to whoever has a key.
struct Metrics(String);

impl Metrics {
    fn read(address: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the relay takes another socket");
        let key = STANDARD.encode(DEVELOPMENT_KEY);
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nAuthorization: Basic {key}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the relay reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the relay answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Self(answer)
    }

    /// The value of a metric with its labels.
    fn value(&self, name: &str) -> f64 {
        let line = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.0)).parse().expect("a number")
    }

    /// The codes of all refusals.
    fn codes(&self) -> Vec<u32> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix("rooms_relay_refusals_total{code=\""));
        lines.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
    }
}

fn players(relay: &Relay, rounds: u64) -> [Player; 4] {
    let (rounds, all) = (rounds.to_string(), PLAYERS.to_string());
    NAMES.map(|name| {
        let mut command = bingo();
        command.args([
            "--room",
            "den",
            "--relay",
            &relay.url,
            "--interval",
            INTERVAL,
            "--bots",
            BOTS,
            "--rounds",
            &rounds,
        ]);
        match name == NAMES[0] {
            true => command.args(["--host", "--players", &all]),
            false => command.arg("--join"),
        };
        Player::start(name, &mut command)
    })
}

#[test]
fn twenty_players_play_fair_rounds_while_strangers_attack_the_relay() {
    let seconds =
        env::var("ROOMS_SIEGE_SECONDS").ok().map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let relay = Relay::start();
    let before = relay.memory("VmRSS");
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (ended, is_ended) = tokio::sync::oneshot::channel::<()>();
    let address = relay.address.clone();
    let attackers = thread::spawn(move || {
        runtime.block_on(async {
            let mut siege = Siege::begin(&address);
            // It ends when the players are done.
            let _ = is_ended.await;
            // Some attacks need much preparation, and the relay lets them wait for their turn.
            let end = Instant::now() + PATIENCE;
            while siege.attacks.iter().any(|attack| attack.steps() == 0) && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            siege.goes_on();
            siege.attacks.iter().map(|attack| (attack.name, attack.steps())).collect::<Vec<_>>()
        })
    });
    let start = Instant::now();
    let players = players(&relay, (seconds / ROUND).max(1));
    let transcripts: Vec<Transcript> = players.into_iter().flat_map(Player::finish).collect();
    // How long the attack lasts: that is what happens, not what is waited for.
    thread::sleep(Duration::from_secs(seconds).saturating_sub(start.elapsed()));
    let metrics = Metrics::read(&relay.address);
    drop(ended);
    let attacks = attackers.join().expect("the attackers go on");

    let summary = judge(&transcripts).unwrap_or_else(|findings| panic!("the referee found: {findings:#?}"));
    assert_eq!(summary.players.len(), PLAYERS);
    assert_eq!(summary.rounds.len() as u64, (seconds / ROUND).max(1));
    for Transcript { label, events, .. } in &transcripts {
        let thrown_out = events.iter().find(|event| event["event"] == "interrupted");
        assert!(thrown_out.is_none(), "{label} was thrown out: {}", thrown_out.unwrap_or_default());
    }
    for (name, steps) in &attacks {
        println!("{steps} times: {name}");
        assert!(*steps > 0, "nobody could {name}");
    }
    let budget = metrics.value("rooms_relay_memory_budget_bytes");
    let most = relay.memory("VmHWM").saturating_sub(before) as f64;
    println!("{:.0} of {:.0} MiB were taken; refused: {:?}", most / MIB, budget / MIB, metrics.codes());
    assert!(most <= budget * 1.1, "clients took {most} bytes, and may take {budget}");
    let codes = metrics.codes();
    assert!(codes.len() > 3 && codes.iter().all(|code| !(50_000..60_000).contains(code)), "refused with {codes:?}");
}

const MIB: f64 = 1024.0 * 1024.0;
