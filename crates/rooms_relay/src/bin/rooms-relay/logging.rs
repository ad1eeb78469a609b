//! The log on standard error. Nobody waits for whoever reads it: lines that are not read in time are dropped and counted.

use std::{
    fmt::Write as _,
    io::{self, Write},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use log::{
    Level, Record,
    kv::{self, Key, Value, VisitSource},
};

/// Lines that may wait until somebody reads them. Further ones are dropped.
const LINES: usize = 1_024;

/// Bytes of one line at most. What is longer is cut.
const LINE_BYTES: usize = 8 * 1_024;

/// How long the program waits at its end until the last lines are read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a line is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum LogFormat {
    /// For people: the time, the level, a sentence, and `key=value`.
    #[default]
    Text,
    /// For programs: one JSON object in each line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text or json"),
        }
    }
}

/// What goes to the thread that writes.
enum Item {
    Line(Vec<u8>),
    /// Tell when everything before is written.
    Mark(SyncSender<()>),
}

/// The queue to standard error. Its clones are the same queue.
#[derive(Clone)]
pub(super) struct LogQueue {
    items: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

impl LogQueue {
    /// Starts to log to standard error. `RUST_LOG` chooses what; without it, everything from the level info on.
    pub(super) fn start(format: LogFormat) -> io::Result<Self> {
        let queue = Self::to(io::stderr(), format)?;
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
            .format(move |out, record| {
                let time = humantime();
                out.write_all(&line(format, &time, record))
            })
            .target(env_logger::Target::Pipe(Box::new(queue.clone())))
            .init();
        Ok(queue)
    }

    /// A queue to `out`.
    fn to(out: impl Write + Send + 'static, format: LogFormat) -> io::Result<Self> {
        let (items, waiting) = sync_channel(LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        let body = move || write_all(&waiting, &counted, out, format);
        thread::Builder::new().name("log".to_owned()).spawn(body)?;
        Ok(Self { items, dropped })
    }

    /// Tells whoever started the program something, whatever the level of the log.
    pub(super) fn tell(&self, text: &str) {
        self.push(format!("{text}\n").into_bytes());
    }

    /// Waits until everything is written: a second at most, since perhaps nobody reads it.
    pub(super) fn finish(self) {
        let (done, is_done) = sync_channel(1);
        if self.items.try_send(Item::Mark(done)).is_ok() {
            // An error means that nobody reads, or that the thread is gone.
            let _ = is_done.recv_timeout(LAST_WORDS);
        }
    }

    fn push(&self, line: Vec<u8>) {
        if self.items.try_send(Item::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Write for LogQueue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(waiting: &Receiver<Item>, dropped: &AtomicU64, mut out: impl Write, format: LogFormat) {
    for item in waiting {
        // What cannot be written has no other place to go.
        match item {
            Item::Line(line) => {
                let missed = dropped.swap(0, Ordering::Relaxed);
                if missed > 0 {
                    let _ = out.write_all(&missing(format, missed));
                }
                let _ = out.write_all(&line);
            }
            Item::Mark(done) => drop(done.send(())),
        }
    }
}

/// The line that stands for those that were dropped.
fn missing(format: LogFormat, lines: u64) -> Vec<u8> {
    let time = humantime();
    let values = [("lines", lines)];
    let arguments = format_args!("lines of the log were dropped, since nobody read them in time");
    line(format, &time, &Record::builder().level(Level::Warn).args(arguments).key_values(&values).build())
}

/// The time now, as the logger writes it.
fn humantime() -> String {
    humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string()
}

/// One line of the log, with its end.
fn line(format: LogFormat, time: &str, record: &Record<'_>) -> Vec<u8> {
    let mut line = match format {
        LogFormat::Text => text_line(time, record),
        LogFormat::Json => json_line(time, record),
    };
    line.push(b'\n');
    line
}

fn text_line(time: &str, record: &Record<'_>) -> Vec<u8> {
    let mut line = format!("{time} {:<5} {}", record.level(), plain(&record.args().to_string()));
    // Nothing here fails.
    let _ = record.key_values().visit(&mut TextValues(&mut line));
    cut(line).into_bytes()
}

/// The text without what would break its line: clients choose parts of it.
fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut plain, character| {
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
        plain
    })
}

fn cut(mut line: String) -> String {
    let end = (0..=LINE_BYTES.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
    line.truncate(end.unwrap_or_default());
    line
}

/// Writes ` key=value`. A value that is no plain word stands in quotes.
struct TextValues<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for TextValues<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = value.to_string();
        let is_word = |character: char| character.is_alphanumeric() || "-_.:/@+*!".contains(character);
        let written = if !value.is_empty() && value.chars().all(is_word) {
            write!(self.0, " {key}={value}")
        } else {
            write!(self.0, " {key}={value:?}")
        };
        written.map_err(kv::Error::from)
    }
}

fn json_line(time: &str, record: &Record<'_>) -> Vec<u8> {
    let mut object = serde_json::Map::new();
    let mut add = |name: &str, value: serde_json::Value| object.insert(name.to_owned(), value);
    add("time", time.into());
    add("level", record.level().as_str().to_lowercase().into());
    add("target", record.target().into());
    add("message", cut(record.args().to_string()).into());
    // Nothing here fails.
    let _ = record.key_values().visit(&mut JsonValues(&mut object));
    serde_json::Value::Object(object).to_string().into_bytes()
}

/// Adds the values to the object, those of the line itself excepted.
struct JsonValues<'a>(&'a mut serde_json::Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for JsonValues<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = match (value.to_u64(), value.to_bool()) {
            (Some(number), _) => number.into(),
            (None, Some(flag)) => flag.into(),
            (None, None) => cut(value.to_string()).into(),
        };
        self.0.entry(key.as_str()).or_insert(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError, mpsc};

    use super::*;

    fn record<'a>(arguments: std::fmt::Arguments<'a>, values: &'a [(&'a str, &'a str)], format: LogFormat) -> String {
        let record = Record::builder().level(Level::Info).target("t").args(arguments).key_values(&values).build();
        String::from_utf8(line(format, "T", &record)).unwrap()
    }

    #[test]
    fn a_client_cannot_forge_a_line() {
        let text = record(
            format_args!("refused a\nb"),
            &[("client_id", "x\nT INFO all is well"), ("key", "a.b")],
            LogFormat::Text,
        );
        assert_eq!(text, "T INFO  refused a\\nb client_id=\"x\\nT INFO all is well\" key=a.b\n");
        let json = record(format_args!("refused"), &[("client_id", "x\"\n"), ("level", "error")], LogFormat::Json);
        let read: serde_json::Value = serde_json::from_str(json.trim_end()).unwrap();
        assert_eq!((json.lines().count(), &read["level"], &read["client_id"]), (1, &"info".into(), &"x\"\n".into()));
    }

    #[test]
    fn a_long_line_is_cut() {
        let long = "ö".repeat(LINE_BYTES);
        let length = record(format_args!("x{long}"), &[], LogFormat::Text).len();
        assert!((LINE_BYTES..=LINE_BYTES + 1).contains(&length), "{length}");
    }

    /// A writer that stands still until it may go on.
    struct Unread(Arc<Mutex<Vec<u8>>>, mpsc::Receiver<()>);

    impl Write for Unread {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.1.recv();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_unread_log_delays_nobody_and_tells_later_what_is_missing() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (go_on, may_go_on) = mpsc::channel();
        let queue = LogQueue::to(Unread(Arc::clone(&written), may_go_on), LogFormat::Text).unwrap();
        for number in 0..2 * LINES {
            queue.tell(&number.to_string());
        }
        drop(go_on);
        let (done, is_done) = sync_channel(1);
        queue.items.send(Item::Mark(done)).unwrap();
        is_done.recv().unwrap();
        queue.tell("later");
        queue.finish();
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(written.contains("\n1\n2\n") && written.ends_with("\nlater\n"), "{written:.99}");
        assert!(written.contains("lines of the log were dropped"), "{written:.99}");
    }
}
