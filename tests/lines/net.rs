//! A network of its own for one test: a namespace for the relay and for each player, and a wire between them that loses, delays or
//! cuts off what it is told to.
//!
//! Needs root on Linux, `ip`, `/dev/net/tun` and Python. Where one of them is missing, the test is skipped, and says so. With
//! `ROOMS_LINES_REQUIRED` set it fails instead.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::json;

use crate::shared::program;

/// The relay's place. The players have those after it.
const RELAY: usize = 0;

/// The relay's port.
const PORT: u16 = 8787;

/// The relay's key. The development key works on loopback alone.
pub const KEY: &str = "lines.test:secret";

/// A direction, as seen from a place.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// From it to the others.
    Up,
    /// From the others to it.
    Down,
}

/// Both directions.
pub const BOTH: [Way; 2] = [Way::Up, Way::Down];

/// What happens to packets one way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rule {
    /// The share that is lost by chance.
    pub loss: f64,
    /// How long a packet takes.
    pub delay: Duration,
    /// How much longer or shorter it may take, so that packets overtake each other.
    pub jitter: Duration,
    /// Whether nothing arrives at all.
    pub cut: bool,
}

impl Rule {
    /// Nothing arrives, and nobody is told.
    pub const CUT: Self = Self { loss: 0.0, delay: Duration::ZERO, jitter: Duration::ZERO, cut: true };

    /// A line over half the world and a bad radio link: 100 ms, half of that more or less, and this share is lost.
    pub fn lossy(loss: f64) -> Self {
        Self { loss, delay: Duration::from_millis(100), jitter: Duration::from_millis(50), cut: false }
    }
}

/// A network for one test. It ends with the test.
pub struct Net {
    name: String,
    places: usize,
    wire: Child,
    rules: Option<ChildStdin>,
    relay: Option<Child>,
}

impl Net {
    /// A relay and so many players, all on good lines. `None`, with a word why: this machine cannot have one.
    pub fn new(seed: u64, players: usize) -> Option<Self> {
        static MAY: LazyLock<Result<(), &'static str>> = LazyLock::new(may_have_namespaces);
        if let Err(why) = *MAY {
            assert!(
                std::env::var_os("ROOMS_LINES_REQUIRED").is_none(),
                "the tests of lines are required, and cannot run: {why}"
            );
            // Not by a macro, whose output a test that passes keeps to itself.
            let _ = writeln!(std::io::stderr(), "skipped: {why}");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ln{}x{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let devices: Vec<String> = (0..=players).map(|place| format!("{name}.{place}")).collect();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lines/wire.py");
        let mut wire = Command::new("python3")
            .arg(script)
            .arg(seed.to_string())
            .args(&devices)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is Python");
        let mut line = String::new();
        BufReader::new(wire.stdout.take().expect("a piped output"))
            .read_line(&mut line)
            .expect("the wire says something");
        assert_eq!(line.trim(), "ready", "the wire has its devices");
        let rules = wire.stdin.take();
        let net = Self { name, places: devices.len(), wire, rules, relay: None };
        for (place, device) in devices.iter().enumerate() {
            let space = net.space(place);
            ip(&["netns", "add", &space]);
            ip(&["link", "set", device, "netns", &space]);
            ip(&["-n", &space, "link", "set", "lo", "up"]);
            ip(&["-n", &space, "link", "set", device, "up"]);
            // A network that holds all places: what is for any of them goes to the wire.
            ip(&["-n", &space, "addr", "add", &format!("10.77.{place}.2/16"), "dev", device]);
        }
        let mut net = net;
        net.start_relay();
        Some(net)
    }

    /// A command that runs in the namespace of a player, who are numbered from 1.
    pub fn at(&self, place: usize, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.space(place)]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    /// Where clients connect to.
    pub fn url(&self) -> String {
        format!("ws://{}", address())
    }

    /// What happens from now on to what a player sends, or gets.
    pub fn rule(&mut self, place: usize, ways: &[Way], rule: Rule) {
        for way in ways {
            let way = match way {
                Way::Up => "up",
                Way::Down => "down",
            };
            let line = json!({
                "place": place, "way": way, "loss": rule.loss, "cut": rule.cut,
                "delay": rule.delay.as_secs_f64(), "jitter": rule.jitter.as_secs_f64(),
            });
            writeln!(self.rules.as_mut().expect("an open input"), "{line}").expect("the wire reads");
        }
    }

    /// The same for the relay.
    pub fn rule_of_relay(&mut self, ways: &[Way], rule: Rule) {
        self.rule(RELAY, ways, rule);
    }

    /// The machine of a player gets another address, and loses the one that it had. Nobody is told.
    pub fn change_address(&self, place: usize) {
        let (space, device) = (self.space(place), format!("{}.{place}", self.name));
        // In this order: an address goes with the first one of its network.
        ip(&["-n", &space, "addr", "del", &format!("10.77.{place}.2/16"), "dev", &device]);
        ip(&["-n", &space, "addr", "add", &format!("10.77.{place}.3/16"), "dev", &device]);
    }

    fn start_relay(&mut self) {
        let mut command = program::relay();
        command.args(["--listen", &address(), "--key", KEY]);
        let mut relay =
            self.at(RELAY, &command).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the relay starts");
        let mut line = String::new();
        let output = relay.stdout.take().expect("a piped output");
        BufReader::new(output).read_line(&mut line).expect("the relay says that it is ready");
        assert!(line.contains(&address()), "it listens in its namespace: {line}");
        self.relay = Some(relay);
    }

    fn space(&self, place: usize) -> String {
        format!("{}-{place}", self.name)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for child in self.relay.iter_mut().chain([&mut self.wire]) {
            let _ = child.kill();
            let _ = child.wait();
        }
        for place in 0..self.places {
            let _ = Command::new("ip").args(["netns", "del", &self.space(place)]).status();
        }
    }
}

/// The relay's address.
fn address() -> String {
    format!("10.77.{RELAY}.2:{PORT}")
}

/// Runs `ip`, which has to succeed.
fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("there is `ip`");
    assert!(status.success(), "ip {}", arguments.join(" "));
}

/// Whether this machine can have a network of namespaces, or why not.
fn may_have_namespaces() -> Result<(), &'static str> {
    let says = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).stderr(Stdio::null()).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if says("id", "-u").as_deref() != Some("0") {
        return Err("only root may make network namespaces");
    }
    if says("ip", "-V").is_none() || says("python3", "-V").is_none() {
        return Err("there is no `ip`, or no Python");
    }
    if !Path::new("/dev/net/tun").exists() {
        return Err("there is no /dev/net/tun");
    }
    let probe = format!("ln{}probe", std::process::id());
    let may = |action: &str| Command::new("ip").args(["netns", action, &probe]).stderr(Stdio::null()).status();
    let made = may("add").is_ok_and(|status| status.success());
    let _ = may("del");
    if made { Ok(()) } else { Err("the system makes no network namespaces") }
}
