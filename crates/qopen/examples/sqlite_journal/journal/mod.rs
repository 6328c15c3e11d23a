//! A journal in an SQLite file, for one process. Each record is one transaction, synced before it is acknowledged.

mod file;
mod maintenance;
mod records;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use qopen::journal::storage::{Claims, Observer, SingleProcess};
use qopen::journal::{
    Appended, Backlog, Durability, Journal, JournalError, Note, Noted, Outbox, PageRecord, Payload,
    PendingEvent, PullId, PullState, Quarantined,
};
use qopen::types::Digest;
use rusqlite::params;

use file::{Database, failed, millis};

pub(crate) struct SqliteJournal {
    database: Database,
    claims: Arc<Claims>,
    observer: Arc<Mutex<Option<Observer>>>,
}

impl SqliteJournal {
    /// Opens the journal, or creates it.
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let database = Database::open(path.as_ref())?;
        Ok(Self { database, claims: Arc::default(), observer: Arc::default() })
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, page: PageRecord) -> Result<Appended, JournalError> {
        let (claims, pull) = (Arc::clone(&self.claims), page.pull.clone());
        let append = move |file: &rusqlite::Connection| {
            if records::has_page(file, &page)? {
                return Ok(Appended::Duplicate);
            }
            let number = records::next(file)?;
            let id = records::touch(file, &page.pull, number)?;
            let insert = "INSERT INTO page (number, pull, digest, at, payload)
                VALUES (?1, ?2, ?3, ?4, ?5)";
            let (digest, at) = (page.digest.to_u128().to_be_bytes(), millis(SystemTime::now()));
            file.execute(insert, params![number, id, digest, at, page.payload.as_bytes()])?;
            Ok(Appended::New)
        };
        let done = move |appended: &Appended| {
            if *appended == Appended::New {
                claims.paged(&pull);
            }
        };
        self.database.write(append, done).await
    }

    async fn note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        let (claims, id) = (Arc::clone(&self.claims), pull.clone());
        let noted = Noted { at: SystemTime::now(), note };
        let done = noted.note.clone();
        let (of, done) = (pull.clone(), move |(): &()| claims.noted(&id, Some(&done)));
        self.database.write(move |file| records::insert_note(file, &of, &noted), done).await
    }

    async fn quarantine(&self, item: Quarantined) -> Result<(), JournalError> {
        let (claims, pull) = (Arc::clone(&self.claims), item.pull.clone());
        let keep = move |file: &rusqlite::Connection| {
            let number = records::next(file)?;
            let pull = item.pull.as_ref();
            let id = pull.map(|pull| records::touch(file, pull, number)).transpose()?;
            let insert = "INSERT INTO item (number, pull, digest, reason, payload)
                VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
            let payload = item.payload.as_bytes();
            let (digest, reason) = (records::digest(payload), item.stored_reason());
            file.execute(insert, params![number, id, digest, reason, payload])
        };
        let done = move |inserted: &usize| {
            if let Some(pull) = pull.filter(|_| *inserted > 0) {
                claims.noted(&pull, None);
            }
        };
        self.database.write(keep, done).await.map(drop)
    }

    async fn pages(
        &self,
        pull: &PullId,
    ) -> Result<BoxStream<'static, Result<PageRecord, JournalError>>, JournalError> {
        let snapshot = self.database.snapshot().await?;
        let next = |(snapshot, pull, last)| async move {
            let read = move || {
                let page = records::page_after(&snapshot, &pull, last).map_err(failed)?;
                Ok(page.map(|(number, page)| (page, (snapshot, pull, number))))
            };
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|error| JournalError::Fatal(Box::new(error)))?
        };
        Ok(stream::try_unfold((snapshot, pull.clone(), 0), next).boxed())
    }

    async fn digests(&self, pull: &PullId) -> Result<Vec<Digest>, JournalError> {
        let pull = pull.clone();
        self.database.read(move |file| records::digests(file, &pull)).await
    }

    async fn pull(&self, pull: &PullId) -> Result<Option<PullState>, JournalError> {
        let pull = pull.clone();
        let states = self.database.read(move |file| records::states(file, Some(&pull))).await?;
        Ok(states.into_iter().next())
    }

    async fn pulls(&self) -> Result<Vec<PullState>, JournalError> {
        self.database.read(|file| records::states(file, None)).await
    }

    async fn quarantined(&self, of: Option<&PullId>) -> Result<Vec<Quarantined>, JournalError> {
        let of = of.cloned();
        self.database.read(move |file| records::items(file, of.as_ref())).await
    }

    async fn release(&self, item: &Quarantined) -> Result<(), JournalError> {
        let (pull, digest) = (item.pull.clone(), records::digest(item.payload.as_bytes()));
        let release = move |file: &rusqlite::Connection| {
            let id = pull.as_ref().map(|pull| records::find(file, pull)).transpose()?.flatten();
            if pull.is_some() && id.is_none() {
                return Ok(());
            }
            file.execute("DELETE FROM item WHERE pull IS ?1 AND digest = ?2", params![id, digest])?;
            // A pull of which nothing else is kept is unknown again.
            let empty = "DELETE FROM pull WHERE id = ?1
                AND NOT EXISTS (SELECT * FROM page WHERE pull = ?1)
                AND NOT EXISTS (SELECT * FROM note WHERE pull = ?1)
                AND NOT EXISTS (SELECT * FROM item WHERE pull = ?1)";
            file.execute(empty, [id]).map(drop)
        };
        self.database.write(release, |()| ()).await
    }

    async fn forget(&self, pull: &PullId) -> Result<(), JournalError> {
        self.claims.forget(pull);
        let pull = pull.clone();
        let forget = move |file: &rusqlite::Connection| maintenance::forget(file, &pull);
        self.database.write(forget, |()| ()).await
    }

    fn durability(&self) -> Durability {
        Durability::LocalFsync
    }
}

/// It is a queue of pulls by the claims in memory.
#[async_trait]
impl SingleProcess for SqliteJournal {
    fn claims(&self) -> &Claims {
        &self.claims
    }

    async fn keep_note(&self, pull: &PullId, note: Note) -> Result<(), JournalError> {
        let (pull, noted) = (pull.clone(), Noted { at: SystemTime::now(), note });
        self.database.write(move |file| records::insert_note(file, &pull, &noted), |()| ()).await
    }
}

#[async_trait]
impl Outbox for SqliteJournal {
    async fn put(&self, event: Payload) -> Result<Appended, JournalError> {
        let put = move |file: &rusqlite::Connection| {
            let insert = "INSERT INTO event (number, at, digest, payload) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING";
            let (number, at) = (records::next(file)?, millis(SystemTime::now()));
            let (digest, event) = (records::digest(event.as_bytes()), event.as_bytes());
            Ok(match file.execute(insert, params![number, at, digest, event])? {
                0 => Appended::Duplicate,
                _ => Appended::New,
            })
        };
        self.database.write(put, |_| ()).await
    }

    async fn waiting(&self, after: u64, most: usize) -> Result<Vec<PendingEvent>, JournalError> {
        self.database.read(move |file| records::events(file, after, most)).await
    }

    async fn backlog(&self) -> Result<Backlog, JournalError> {
        let backlog = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM event";
        let counts = |file: &rusqlite::Connection| {
            file.query_row(backlog, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        };
        let (events, bytes) = self.database.read(counts).await?;
        let mut backlog = Backlog::default();
        backlog.events = u64::try_from(events).unwrap_or(0);
        backlog.bytes = u64::try_from(bytes).unwrap_or(0);
        Ok(backlog)
    }

    async fn ack(&self, event: &PendingEvent) -> Result<(), JournalError> {
        let digest = records::digest(event.event.as_bytes());
        let delete = "DELETE FROM event WHERE digest = ?1";
        self.database.write(move |file| file.execute(delete, [digest]).map(drop), |()| ()).await
    }
}
