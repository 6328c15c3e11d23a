//! A list on its way: copied into temporary tables of an open transaction.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use qopen_sink::storage::unnamed;
use qopen_sink::{
    ClaimedNote, Committed, ListInfo, ListKind, ListWriter, Moved, Quarantine, Record, SinkError,
};
use qopen_types::{StorageId, TagInfo};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, CopyInSink};

use super::blocking::{a_runtime, away, bounded, failed};
use super::columns::Columns;
use super::commit::Steps;
use super::published::Published;
use super::statements::COPY_TAGS;
use crate::database::Database;
use crate::journal::transaction::find_storage;

/// Bytes of one message.
const CHUNK: usize = 1 << 16;

/// The name of the file for tags in messages.
pub(super) const TAGS: &str = "the tags of a list";

pub(super) struct Writer {
    location: String,
    kind: ListKind,
    runtime: Runtime,
    client: Client,
    columns: Columns,
    accounts: Pin<Box<CopyInSink<Bytes>>>,
    /// Rows that are not sent yet.
    waiting: Vec<u8>,
    /// Rows of tags, until the accounts are sent: a connection copies into one table at a time.
    tags: BufWriter<File>,
    lists: BTreeMap<String, Published>,
    quarantine: Option<Quarantine>,
    moved: Option<Moved>,
    /// The storage of the journal in this database, if there is one.
    journal: Option<StorageId>,
    /// Notes of that journal.
    notes: Vec<ClaimedNote>,
}

impl Writer {
    /// Begins a list, on a connection of its own.
    pub(super) fn begin(
        database: &Database,
        columns: Columns,
        kind: ListKind,
        scratch: Option<&Path>,
    ) -> Result<Self, SinkError> {
        let runtime = a_runtime()?;
        let begun = runtime.block_on(async {
            let client = database.connect(None).await.map_err(away)?;
            let begun = async {
                client.batch_execute(&columns.begin()).await?;
                // Known before the first row: no statement is possible until the last one is sent.
                let journal = find_storage(&client).await?;
                Ok((journal, client.copy_in(&columns.copy()).await?))
            };
            let (journal, accounts) = bounded("beginning a list", begun).await?.map_err(failed)?;
            Ok::<_, SinkError>((client, journal, Box::pin(accounts)))
        });
        let (client, journal, accounts) = begun?;
        Ok(Self {
            location: database.name().to_owned(),
            kind,
            runtime,
            client,
            columns,
            accounts,
            waiting: Vec::with_capacity(CHUNK + CHUNK / 4),
            tags: BufWriter::new(unnamed(scratch, Path::new(TAGS))?),
            lists: BTreeMap::new(),
            quarantine: None,
            moved: None,
            journal,
            notes: Vec::new(),
        })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let rows = Bytes::copy_from_slice(&self.waiting);
        self.waiting.clear();
        let sent = bounded("sending accounts", self.accounts.send(rows));
        self.runtime.block_on(sent)?.map_err(failed)?;
        self.moved.iter().for_each(|moved| moved());
        Ok(())
    }
}

impl ListWriter for Writer {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        self.lists.insert(list.robot_id.to_string(), Published::of(list));
        Ok(())
    }

    fn tell(&mut self, moved: Moved) {
        self.moved = Some(moved);
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let encode = |error: serde_json::Error| SinkError::Encode(error.into());
        let json = serde_json::to_string(record).map_err(encode)?;
        let (robot, account) = (record.robot_id().as_str(), record.account());
        let id = account.account_id.as_str();
        let row = self.columns.row(record, &json);
        put_row(&mut self.waiting, &row);
        let mut tags = Vec::new();
        for (place, TagInfo { parent_tag_name, tag_name, .. }) in
            account.tag_info_list.iter().enumerate()
        {
            put_row(&mut tags, &[robot, id, &place.to_string(), parent_tag_name, tag_name]);
        }
        self.tags.write_all(&tags).map_err(SinkError::io("writing", Path::new(TAGS)))?;
        if let Some(list) = self.lists.get_mut(robot) {
            list.accounts += 1;
        }
        if self.waiting.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        self.quarantine = Some(quarantine);
        Ok(None)
    }

    fn add_note(&mut self, note: ClaimedNote) -> Result<Option<ClaimedNote>, SinkError> {
        if self.journal.as_ref() != Some(&note.storage) {
            return Ok(Some(note));
        }
        self.notes.push(note);
        Ok(None)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, SinkError> {
        self.flush()?;
        let spooled = || SinkError::io("reading", Path::new(TAGS));
        let Self { location, kind, runtime, client, columns, mut accounts, tags, .. } = *self;
        let Self { lists, quarantine, moved, notes, .. } = *self;
        let mut tags = tags.into_inner().map_err(|error| spooled()(error.into_error()))?;
        tags.rewind().map_err(spooled())?;
        let mut tags = BufReader::new(tags);
        let steps = Steps { client: &client, columns: &columns, moved };
        let is_set_aside = quarantine.as_ref().is_some_and(|it| !it.is_empty());
        runtime.block_on(async {
            steps.wait("sending accounts", accounts.as_mut().finish()).await?;
            let copy = client.copy_in(COPY_TAGS);
            let mut copy = Box::pin(steps.wait("sending tags", copy).await?);
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = tags.read(&mut chunk).map_err(spooled())?;
                if read == 0 {
                    break;
                }
                chunk.truncate(read);
                steps.wait("sending tags", copy.send(Bytes::from(chunk))).await?;
            }
            steps.wait("sending tags", copy.as_mut().finish()).await?;
            steps.switch(kind, &lists).await?;
            // The quarantine is the complete list's, unless the partial one has its own.
            let counts = |it: &Quarantine| kind == ListKind::Complete || !it.is_empty();
            if let Some(quarantine) = quarantine.filter(counts) {
                steps.set_aside(&lists, quarantine).await?;
            }
            steps.note(&notes).await?;
            steps.wait("committing a list", client.batch_execute("COMMIT")).await
        })?;
        let set_aside = is_set_aside.then(|| format!("{location} (qopen.quarantine)"));
        Ok(Committed::new(location).set_aside(set_aside))
    }
}

/// Writes a row in COPY's text format. PostgreSQL's texts cannot have NUL: U+FFFD replaces it.
fn put_row(out: &mut Vec<u8>, row: &[impl AsRef<str>]) {
    for (n, text) in row.iter().enumerate() {
        if n > 0 {
            out.push(b'\t');
        }
        for byte in text.as_ref().bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                0 => out.extend_from_slice("\u{fffd}".as_bytes()),
                other => out.push(other),
            }
        }
    }
    out.push(b'\n');
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("location", &self.location).finish_non_exhaustive()
    }
}
