//! Folds the pages of a log into lists, and keeps its state beside them.

mod follow;
pub(crate) mod log;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use qopen_assembler::{Assembler, Config, Event, Page, PullKey, PullOptions, Saved, Time};
use serde::{Deserialize, Serialize};

use self::follow::{Found, Position, follow};
use super::pages::{Contact, Contacts, Sent};

/// A line of the log: a page, and when it came.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    /// Milliseconds since an epoch of the log.
    pub(crate) at: u64,
    pub(crate) page: Sent,
}

/// The fold and the position that it came to. They are saved in one step, so that no crash separates them.
#[derive(Serialize, Deserialize)]
struct State {
    position: Position,
    fold: Saved,
    contacts: Vec<(PullKey, Contacts)>,
}

/// A log on one side, a folder of lists on the other.
pub(crate) struct Pipeline {
    log: PathBuf,
    folder: PathBuf,
    position: Position,
    assembler: Assembler<Contact>,
    contacts: BTreeMap<PullKey, Contacts>,
    /// Times that lines may have been lost, or that one could not be read.
    pub(crate) gaps: u64,
}

fn config() -> Config {
    let mut config = Config::default();
    // Another system requests the lists.
    config.adopt = Some(PullOptions::default());
    config.stream = true;
    // Longer than the sender of pages repeats them: a copy for a forgotten pull would begin a new one.
    config.retention = Duration::from_secs(24 * 3600);
    config
}

impl Pipeline {
    /// Continues from the state in the folder, if there is one.
    pub(crate) fn open(log: &Path, folder: &Path) -> io::Result<Self> {
        let (log, folder) = (log.to_owned(), folder.to_owned());
        let (position, contacts, assembler) = match fs::read(folder.join("state.json")) {
            Ok(saved) => {
                let State { position, fold, contacts } = serde_json::from_slice(&saved)?;
                let assembler = Assembler::restore(config(), fold).map_err(io::Error::other)?;
                (position, contacts.into_iter().collect(), assembler)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (Position::default(), BTreeMap::new(), Assembler::new(config()))
            }
            Err(error) => return Err(error),
        };
        Ok(Self { log, folder, position, assembler, contacts, gaps: 0 })
    }

    /// Reads what the log has, then says that it is `now`: all that came before was read.
    pub(crate) fn look(&mut self, now: Time) -> io::Result<()> {
        let Self { log, folder, position, assembler, contacts, gaps } = self;
        follow(log, position, |found| {
            let page = match found {
                Found::Line(line) => read(line).ok(),
                Found::Gap => None,
            };
            match page {
                Some((at, page)) => drop(assembler.handle_page(at, page)),
                // A page of any pull may be lost.
                None => {
                    *gaps += 1;
                    assembler.handle_refusal(now);
                }
            }
            poll(assembler, contacts, folder)
        })?;
        assembler.handle_timeout(now);
        poll(assembler, contacts, folder)
    }

    /// Saves the state. A crash before that repeats the lines since the last time, and replaces lists by equal ones.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        let assembler = std::mem::replace(&mut self.assembler, Assembler::new(config()));
        let fold = assembler.save().map_err(|(error, _)| io::Error::other(error))?;
        let contacts = self.contacts.iter().map(|(key, list)| (key.clone(), list.clone()));
        let state = State { position: self.position, fold, contacts: contacts.collect() };
        replace(&self.folder.join("state.json"), &serde_json::to_vec(&state)?)?;
        self.assembler = Assembler::restore(config(), state.fold).map_err(io::Error::other)?;
        Ok(())
    }
}

fn read(line: &[u8]) -> serde_json::Result<(Time, Page<Vec<Contact>>)> {
    let Line { at, page } = serde_json::from_slice(line)?;
    Ok((Time::since_epoch(Duration::from_millis(at)), page.into_page()?))
}

fn poll(
    assembler: &mut Assembler<Contact>,
    contacts: &mut BTreeMap<PullKey, Contacts>,
    folder: &Path,
) -> io::Result<()> {
    while let Some(event) = assembler.poll_event() {
        match event {
            Event::Fresh { key, accounts } => {
                let accounts = accounts.into_iter().map(|it| (it.id.clone(), it));
                contacts.entry(key).or_default().extend(accounts);
            }
            Event::Completed { key, .. } | Event::Revised { key, .. } => {
                let list = contacts.get(&key).cloned().unwrap_or_default();
                replace(&list_path(folder, &key), &serde_json::to_vec(&list)?)?;
            }
            Event::Forgotten { key } => drop(contacts.remove(&key)),
            _ => {}
        }
    }
    Ok(())
}

/// Where the list of a pull goes. A name from outside chooses no folder.
pub(crate) fn list_path(folder: &Path, key: &PullKey) -> PathBuf {
    let escaped = |name: &str| -> String {
        let escape = |byte: u8| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("_{byte:02x}"),
        };
        name.bytes().map(escape).collect()
    };
    folder.join(format!("{}-{}.json", escaped(key.robot()), escaped(key.mark())))
}

/// Replaces a file in one step.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    // The rename itself is durable once its folder is.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
