//! A list on its way: copied into temporary tables of an open transaction.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt as _;
use qopen_sink::storage::unnamed;
use qopen_sink::{
    ClaimedNote, Committed, CompareOptions, Compared, ListBasis, ListInfo, ListKind, ListWriter,
    Moved, Quarantine, Record, SinkError,
};
use qopen_types::{AccountId, RobotId, StorageId, TagInfo};
use tokio::runtime::Handle;
use tokio_postgres::CopyInSink;

use super::blocking::{bounded, failed};
use super::columns::Columns;
use super::commit::{MANY, Sent, Steps};
use super::kept::Kept;
use super::published::Published;
use super::rows::put_row;
use super::sessions::{Session, Sessions};
use super::statements::{BEGIN, COPY_TAGS};
use crate::journal::transaction::find_storage;

/// Bytes of one message.
pub(super) const CHUNK: usize = 1 << 16;

/// The name of the file for tags in messages.
pub(super) const TAGS: &str = "the tags of a list";

pub(super) struct Writer {
    location: String,
    kind: ListKind,
    sessions: Arc<Sessions>,
    runtime: Handle,
    session: Session,
    columns: Columns,
    /// The copy of the accounts, until all are sent.
    accounts: Option<Pin<Box<CopyInSink<Bytes>>>>,
    /// Rows that are not sent yet.
    waiting: Vec<u8>,
    /// Rows of tags, until the accounts are sent: a connection copies into one table at a time.
    tags: BufWriter<File>,
    /// Rows that were written.
    sent: Sent,
    lists: BTreeMap<String, Published>,
    /// Their robots, in the order in which they came.
    robots: Vec<RobotId>,
    quarantine: Option<Quarantine>,
    moved: Option<Moved>,
    /// The storage of the journal in this database, if there is one.
    journal: Option<StorageId>,
    /// Notes of that journal.
    notes: Vec<ClaimedNote>,
    /// Keeps the transaction between a comparison and its commit.
    kept: Option<Kept>,
}

impl Writer {
    /// Begins a list, on a connection of its own.
    pub(super) fn begin(
        sessions: &Arc<Sessions>,
        columns: Columns,
        kind: ListKind,
        scratch: Option<&Path>,
    ) -> Result<Self, SinkError> {
        let runtime = sessions.runtime()?;
        let begun = runtime.block_on(async {
            let mut session = sessions.take().await?;
            let client = &session.client;
            let begun = async {
                client.batch_execute(BEGIN).await?;
                if !session.has_tables {
                    client.batch_execute(&columns.tables()).await?;
                }
                // Known before the first row: no statement is possible until the last one is sent.
                let journal = find_storage(client).await?;
                Ok((journal, client.copy_in(&columns.copy()).await?))
            };
            let (journal, accounts) = bounded("beginning a list", begun).await?.map_err(failed)?;
            session.has_tables = true;
            Ok::<_, SinkError>((session, journal, Some(Box::pin(accounts))))
        });
        let (session, journal, accounts) = begun?;
        Ok(Self {
            location: sessions.database.name().to_owned(),
            kind,
            sessions: Arc::clone(sessions),
            runtime,
            session,
            columns,
            accounts,
            waiting: Vec::with_capacity(CHUNK + CHUNK / 4),
            tags: BufWriter::new(unnamed(scratch, Path::new(TAGS))?),
            sent: Sent::default(),
            lists: BTreeMap::new(),
            robots: Vec::new(),
            quarantine: None,
            moved: None,
            journal,
            notes: Vec::new(),
            kept: None,
        })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let Some(accounts) = self.accounts.as_mut() else { return Err(too_late()) };
        let rows = Bytes::copy_from_slice(&self.waiting);
        self.waiting.clear();
        let sent = bounded("sending accounts", accounts.send(rows));
        self.runtime.block_on(sent)?.map_err(failed)?;
        self.moved.iter().for_each(|moved| moved());
        Ok(())
    }

    fn steps(&self) -> Steps<'_> {
        let Self { location, session, columns, moved, .. } = self;
        Steps { location, client: &session.client, columns, moved: moved.clone() }
    }

    /// Sends what is not sent yet. Does nothing the second time.
    fn send_all(&mut self) -> Result<(), SinkError> {
        if self.accounts.is_none() {
            return Ok(());
        }
        self.flush()?;
        let Some(mut accounts) = self.accounts.take() else { return Ok(()) };
        let spooled = || SinkError::io("reading", Path::new(TAGS));
        self.tags.flush().and_then(|()| self.tags.get_mut().rewind()).map_err(spooled())?;
        let mut tags = BufReader::new(self.tags.get_ref());
        let steps = self.steps();
        self.runtime.block_on(async {
            steps.wait("sending accounts", accounts.as_mut().finish()).await?;
            if self.sent.tags > 0 {
                let copy = self.session.client.copy_in(COPY_TAGS);
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
            }
            if self.sent.accounts.unsigned_abs() <= MANY {
                return Ok(());
            }
            let analyze = "ANALYZE new_account (n, robot_id, account_id)";
            steps.wait("counting accounts", self.session.client.batch_execute(analyze)).await
        })
    }
}

/// The error of a record after the last one.
fn too_late() -> SinkError {
    SinkError::Database("a record was written after the list was settled".into())
}

impl ListWriter for Writer {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        let earlier = self.lists.insert(list.robot_id.to_string(), Published::of(list));
        if earlier.is_none() {
            self.robots.push(list.robot_id.clone());
        }
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
        self.sent.accounts += 1;
        let row = self.columns.row(self.sent.accounts, record, &json);
        put_row(&mut self.waiting, &row);
        let mut tags = Vec::new();
        for (place, TagInfo { parent_tag_name, tag_name, .. }) in
            account.tag_info_list.iter().enumerate()
        {
            self.sent.tags += 1;
            let (number, place) = (self.sent.tags.to_string(), place.to_string());
            put_row(&mut tags, &[number.as_str(), robot, id, &place, parent_tag_name, tag_name]);
        }
        self.tags.write_all(&tags).map_err(SinkError::io("writing", Path::new(TAGS)))?;
        if let Some(list) = self.lists.get_mut(robot) {
            list.add(id, &json);
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

    fn set_basis(&mut self, robot_id: &RobotId, basis: ListBasis) -> Result<(), SinkError> {
        if let Some(list) = self.lists.get_mut(robot_id.as_str()) {
            list.basis = Some(basis);
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        self.send_all()
    }

    fn compare(
        &mut self,
        options: CompareOptions,
        gone: &mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>,
    ) -> Result<Option<Vec<Compared>>, SinkError> {
        if self.kind != ListKind::Complete {
            return Ok(None);
        }
        self.send_all()?;
        let in_order = |robot| Some((robot, self.lists.get(RobotId::as_str(robot))?));
        let lists: Vec<_> = self.robots.iter().filter_map(in_order).collect();
        let steps = self.steps();
        let compared = self.runtime.block_on(steps.compare(&lists, self.sent, options, gone))?;
        self.kept = Some(Kept::start(&self.runtime, Arc::clone(&self.session.client)));
        Ok(compared)
    }

    fn release(&mut self) -> Result<bool, SinkError> {
        // The transaction stays open meanwhile, with the new list in its temporary tables.
        let steps = self.steps();
        self.runtime.block_on(steps.undo_comparison())?;
        Ok(true)
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, SinkError> {
        self.send_all()?;
        self.kept = None;
        let (quarantine, location) = (self.quarantine.take(), self.location.clone());
        let is_set_aside = quarantine.as_ref().is_some_and(|it| !it.is_empty());
        let Self { kind, runtime, session, lists, notes, sent, .. } = &*self;
        let steps = self.steps();
        runtime.block_on(async {
            steps.switch(*kind, lists, *sent).await?;
            // The quarantine is the complete list's, unless the partial one has its own.
            let counts = |it: &Quarantine| *kind == ListKind::Complete || !it.is_empty();
            if let Some(quarantine) = quarantine.filter(counts) {
                steps.set_aside(lists, quarantine).await?;
            }
            steps.note(notes).await?;
            steps.wait("committing a list", session.client.batch_execute("COMMIT")).await
        })?;
        self.sessions.put_back(self.session);
        let set_aside = is_set_aside.then(|| format!("{location} (qopen.quarantine)"));
        Ok(Committed::new(location).set_aside(set_aside))
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("location", &self.location).finish_non_exhaustive()
    }
}
