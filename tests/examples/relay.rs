//! The relay's program, for tests that run it.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// A relay of its own for one test.
pub struct Relay {
    process: Child,
    /// Where clients connect to.
    pub url: String,
    /// Where requests over HTTP go.
    pub address: String,
}

impl Relay {
    /// On a free port.
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0", None)
    }

    /// On a free port, with this text as its config file.
    pub fn with_config(text: &str) -> Self {
        let file = tempfile_of(text);
        let relay = Self::listen("127.0.0.1:0", Some(&file));
        let _ = std::fs::remove_file(file);
        relay
    }

    fn listen(address: &str, config: Option<&Path>) -> Self {
        let mut process = super::program::relay()
            .args(["--listen", address])
            .args(config.into_iter().flat_map(|path| [OsStr::new("--config"), path.as_os_str()]))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the relay starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a piped output");
        BufReader::new(stdout).read_line(&mut line).expect("the relay says that it is ready");
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://"));
        let address = address.expect("the ready line holds the address").to_owned();
        Self { process, url: format!("ws://{address}"), address }
    }

    /// A line of what the system tells about its memory, in bytes.
    #[cfg(target_os = "linux")]
    pub fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the relay runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of this name");
        let kibibytes = line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
        kibibytes.expect("a number") * 1024
    }

    /// Kills the process, without a word to anybody.
    pub fn kill(&mut self) {
        self.process.kill().expect("the relay runs");
        self.process.wait().expect("the relay ends");
    }

    /// Starts it anew, where it was.
    pub fn start_again(&mut self) {
        *self = Self::listen(&self.address, None);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A new file with this text.
fn tempfile_of(text: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("relay-{}-{}.toml", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the folder for tests can be written");
    path
}
