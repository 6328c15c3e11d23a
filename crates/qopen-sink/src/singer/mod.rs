//! Lists as messages of the Singer protocol.

mod state;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use qopen_types::{Account, RobotId};
use serde_json::{Map, Value, json};

use crate::file::Staged;
use crate::format::{Encoder, Form};
use crate::temporary::unnamed;
use crate::{
    Committed, Format, ListInfo, ListKind, ListWriter, Quarantine, Record, RecordEncoder, Sink,
    SinkError,
};
pub use state::SingerState;
use state::{STREAM, bookmark};

/// The location of the messages in journals.
const PLACE: &str = "singer:-";

const NAME: &str = "the output stream";

/// A stream that gets lists as [Singer](https://hub.meltano.com/singer/spec) messages.
///
/// A complete list is `SCHEMA`, a `RECORD` for each customer, `ACTIVATE_VERSION` and `STATE`. A partial list has
/// neither of the last two. All robots are one stream, `robot_account`, whose key is `robot_id` and `account_id`.
///
/// A target deactivates what an activated version lacks. So a list that leaves out a robot of
/// [earlier messages](Self::after) is not activated, unless [`forget_left_out`](Self::forget_left_out) permits it.
///
/// [`next_order`](Sink::next_order) gives versions: more than each earlier one, and at least the milliseconds since the
/// Unix epoch, which keeps them growing where both journal and state are lost.
#[derive(Clone)]
pub struct SingerSink {
    out: Arc<Mutex<dyn Write + Send>>,
    state: SingerState,
    last: Arc<AtomicU64>,
    forget_left_out: bool,
    partial: bool,
    left_out: Arc<Mutex<Vec<String>>>,
    scratch: Option<PathBuf>,
    beside: Option<PathBuf>,
}

impl SingerSink {
    /// A sink that writes to `out` when a list is committed.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self {
            out: Arc::new(Mutex::new(out)),
            state: SingerState::default(),
            last: Arc::default(),
            forget_left_out: false,
            partial: false,
            left_out: Arc::default(),
            scratch: None,
            beside: None,
        }
    }

    /// A sink that writes to standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Sets what earlier messages told the target.
    #[must_use]
    pub fn after(mut self, state: SingerState) -> Self {
        self.last.fetch_max(state.version(), Ordering::Relaxed);
        self.state = state;
        self
    }

    /// Gives later lists a greater version than this one.
    #[must_use]
    pub fn after_version(self, version: u64) -> Self {
        self.last.fetch_max(version, Ordering::Relaxed);
        self
    }

    /// Activates a list that leaves out robots of earlier messages: the target loses their customers.
    #[must_use]
    pub fn forget_left_out(mut self, forget: bool) -> Self {
        self.forget_left_out = forget;
        self
    }

    /// Writes each list as a partial one, whatever its kind.
    #[must_use]
    pub fn partial(mut self, partial: bool) -> Self {
        self.partial = partial;
        self
    }

    /// Sets the folder in which a list waits until it is whole.
    #[must_use]
    pub fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.scratch = folder.map(Path::to_owned);
        self
    }

    /// Sets the file of unreadable items, which is written if there are any, before the list is.
    #[must_use]
    pub fn quarantine_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.beside = Some(path.into());
        self
    }

    /// The robots for which the last complete list was not activated.
    #[must_use]
    pub fn left_out(&self) -> Vec<RobotId> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.iter().filter_map(|robot| RobotId::new(robot).ok()).collect()
    }

    fn next_version(&self) -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
        let next = |last: u64| Some(last.saturating_add(1).max(now));
        // The closure always gives a value.
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        last.ok().and_then(next).unwrap_or(now)
    }
}

impl Sink for SingerSink {
    fn check(&self) -> Result<(), SinkError> {
        unnamed(self.scratch.as_deref(), Path::new(NAME)).map(drop)
    }

    fn next_order(&self) -> Result<Option<u64>, SinkError> {
        Ok(Some(self.next_version()))
    }

    fn place(&self) -> Option<String> {
        Some(PLACE.to_owned())
    }

    fn is_at(&self, location: &str) -> bool {
        location == PLACE
    }

    fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let robots = self.state.robots();
        let accounts = robots.get(robot_id.as_str()).map(|it| it.get("accounts"));
        Ok(accounts.is_some_and(|it| it.and_then(Value::as_u64) != Some(0)))
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let spool = unnamed(self.scratch.as_deref(), Path::new(NAME))?;
        let encoder = Encoder::new(&Form::from(Format::Jsonl), BufWriter::new(spool))?;
        let sink = self.clone();
        Ok(Box::new(SingerWriter { encoder, sink, kind, lists: BTreeMap::new(), set_aside: None }))
    }
}

impl std::fmt::Debug for SingerSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SingerSink").finish_non_exhaustive()
    }
}

/// A robot's list, for its bookmark.
struct Told {
    mark_id: String,
    revision: u32,
    version: Option<u64>,
    accounts: u64,
}

struct SingerWriter {
    /// The records, which get their version once all lists are known.
    encoder: Encoder<BufWriter<File>>,
    sink: SingerSink,
    kind: ListKind,
    lists: BTreeMap<String, Told>,
    set_aside: Option<Staged>,
}

impl SingerWriter {
    /// Counts a record. One without a begun list is of a list without a pull.
    fn count(&mut self, robot_id: &RobotId) {
        match self.lists.get_mut(robot_id.as_str()) {
            Some(told) => told.accounts += 1,
            None => {
                let told = Told { mark_id: String::new(), revision: 0, version: None, accounts: 1 };
                self.lists.insert(robot_id.to_string(), told);
            }
        }
    }

    /// The bookmarks after these lists, and the robots that they leave out.
    fn bookmarks(&self, version: u64) -> (Map<String, Value>, Vec<String>) {
        let mut robots = self.sink.state.robots();
        let is_left_out = |it: &&String| !self.lists.contains_key(*it);
        let left_out: Vec<String> = robots.keys().filter(is_left_out).cloned().collect();
        if self.sink.forget_left_out {
            robots.retain(|robot, _| self.lists.contains_key(robot));
        }
        for (robot, Told { mark_id, revision, accounts, .. }) in &self.lists {
            robots.insert(robot.clone(), bookmark(mark_id, version, *revision, *accounts));
        }
        (robots, left_out)
    }
}

impl ListWriter for SingerWriter {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        let told = Told {
            mark_id: list.mark_id.to_string(),
            revision: list.revision,
            version: list.order,
            accounts: 0,
        };
        self.lists.insert(list.robot_id.to_string(), told);
        Ok(())
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.count(record.robot_id());
        self.encoder.write(record)
    }

    fn encoder(&self, robot_id: &RobotId) -> Option<RecordEncoder> {
        self.encoder.encoder(robot_id)
    }

    fn write_encoded(&mut self, robot_id: &RobotId, record: &[u8]) -> Result<(), SinkError> {
        self.count(robot_id);
        self.encoder.write_encoded(robot_id, record)
    }

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        let Some(beside) = &self.sink.beside else { return Ok(Some(quarantine)) };
        self.set_aside = Some(Staged::new(beside.clone(), quarantine)?);
        Ok(None)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, SinkError> {
        let writing = || SinkError::io("writing", Path::new(NAME));
        let versions = self.lists.values().map(|it| it.version);
        // Messages that were written since the pulls began have a greater version.
        let current = |it: &u64| *it >= self.sink.state.version();
        let version = match versions.max().flatten().filter(current) {
            Some(version) => version,
            // A list without a pull here is one of captured callbacks, or a converted one.
            None => self.sink.next_version(),
        };
        let (robots, left_out) = self.bookmarks(version);
        let is_activated = left_out.is_empty() || self.sink.forget_left_out;
        let staged = self.set_aside.take().filter(Staged::is_some);
        let beside = staged.as_ref().and_then(Staged::location);
        if let Some(staged) = staged {
            staged.commit()?;
        }
        let spool = self.encoder.finish()?.into_inner();
        let mut spool = spool.map_err(|error| writing()(error.into_error()))?;
        spool.rewind().map_err(writing())?;
        let sink = &self.sink;
        let mut out = sink.out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = BufWriter::new(&mut *out);
        copy(spool, &mut out, version).map_err(writing())?;
        if self.kind == ListKind::Complete && !sink.partial {
            let activate =
                json!({ "type": "ACTIVATE_VERSION", "stream": STREAM, "version": version });
            if is_activated {
                writeln!(out, "{activate}").map_err(writing())?;
            }
            let greatest = version.max(sink.state.version());
            let state = sink.state.clone().with(greatest, robots);
            let state = json!({ "type": "STATE", "value": state });
            writeln!(out, "{state}").map_err(writing())?;
            let left_out = if is_activated { Vec::new() } else { left_out };
            *sink.left_out.lock().unwrap_or_else(PoisonError::into_inner) = left_out;
        }
        out.flush().map_err(writing())?;
        Ok(Committed::new("-").set_aside(beside).order(version))
    }
}

/// Writes the schema, and the records of a spool with their version.
fn copy(spool: File, out: &mut impl Write, version: u64) -> io::Result<()> {
    let schema = json!({
        "type": "SCHEMA", "stream": STREAM, "key_properties": KEY, "schema": schema(),
    });
    writeln!(out, "{schema}")?;
    let begin =
        format!("{{\"type\":\"RECORD\",\"stream\":\"{STREAM}\",\"version\":{version},\"record\":");
    let (mut spool, mut line) = (BufReader::new(spool), Vec::new());
    while spool.read_until(b'\n', &mut line)? > 0 {
        // The record itself stays byte for byte, with numbers of any size.
        out.write_all(begin.as_bytes())?;
        out.write_all(line.trim_ascii_end())?;
        out.write_all(b"}\n")?;
        line.clear();
    }
    Ok(())
}

/// What identifies a customer. Two robots may have one customer.
const KEY: [&str; 2] = ["robot_id", "account_id"];

/// The JSON Schema of a record: the fields of the specification, which may be null but for the key.
fn schema() -> Value {
    let mut properties = Account::json_schema_properties();
    properties.push(("robot_id", r#"{"type":"string"}"#.to_owned()));
    properties
        .push(("_unread", r#"{"type":["null","object"],"additionalProperties":true}"#.to_owned()));
    let properties: Map<String, Value> = properties
        .into_iter()
        // Each is valid JSON, which a test reads.
        .map(|(name, schema)| (name.to_owned(), serde_json::from_str(&schema).unwrap_or_default()))
        .collect();
    json!({ "type": "object", "properties": properties, "required": KEY, "additionalProperties": true })
}
