//! Lists in PostgreSQL: filled beside the old ones, and switched in one transaction.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::SinkExt as _;
use qopen_postgres::client::types::ToSql;
use qopen_postgres::client::{Client, CopyInSink};
use qopen_postgres::{Database, DatabaseError, Guest, Schema};
use qopen_types::{RobotId, TagInfo};
use serde::Deserialize;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    Committed, Companions, ListInfo, ListKind, ListWriter, Quarantine, Record, Sink, SinkError,
};

const SCHEMA: Schema = Schema::new("qopen", &[include_str!("1.sql")]);

/// Bytes that are sent at a time.
const CHUNK: usize = 1 << 16;

/// A database that holds a list for each robot, in the schema `qopen`: `robot_account` has a row for
/// each robot and account, `tag` the accounts' tags, `pull` what is published of each robot. Readers
/// see the old list or the new one (invariant I5).
///
/// A partial list goes into `partial_robot_account` and `partial_tag`, and is deleted by the next
/// complete one.
#[derive(Clone, Debug)]
pub struct PostgresSink {
    database: Database,
}

impl PostgresSink {
    /// The database of a `postgres://` URL. Nothing is connected yet.
    ///
    /// # Errors
    /// [`SinkError::Database`], when the URL cannot be used; never quotes it.
    pub fn new(url: &str) -> Result<Self, SinkError> {
        Ok(Self { database: Database::new(url).map_err(away)? })
    }

    /// Where lists go, as messages and journals name it: host and database, no user, no password.
    #[must_use]
    pub fn location(&self) -> String {
        self.database.name().to_owned()
    }

    /// Makes its tables, or brings them to this version; gives how many steps that took. Any number of
    /// processes may do so at once.
    ///
    /// # Errors
    /// [`SinkError::Database`]; nothing was changed then.
    pub fn migrate(&self) -> Result<usize, SinkError> {
        let database = self.database.clone();
        on_a_runtime(move |runtime| runtime.block_on(database.migrate(&SCHEMA)).map_err(away))
    }

    /// Puts what could not be read in the place of what was set aside of those robots before. True
    /// where there is any.
    ///
    /// # Errors
    /// [`SinkError`], when the database does not do it.
    pub fn write_quarantine(
        &self,
        robots: &[RobotId],
        quarantine: Quarantine,
    ) -> Result<bool, SinkError> {
        let (database, robots) = (self.database.clone(), robots.to_vec());
        let any = !quarantine.is_empty();
        #[derive(Deserialize)]
        struct Whose {
            robot_id: String,
        }
        let (mut whose, mut lines) = (Vec::new(), Vec::new());
        for line in quarantine.into_lines()? {
            let line = line?;
            let of: Whose =
                serde_json::from_str(&line).map_err(|error| SinkError::Encode(error.into()))?;
            whose.push(of.robot_id);
            lines.push(line);
        }
        let write = async move {
            let mut client = database.connect(None).await?;
            let transaction = client.transaction().await?;
            let robots: Vec<&str> = robots.iter().map(RobotId::as_str).collect();
            let clear = "DELETE FROM qopen.quarantine WHERE robot_id = ANY ($1)";
            transaction.execute(clear, &[&robots]).await?;
            let add = "INSERT INTO qopen.quarantine
                 SELECT robot_id, place, entry::json
                 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS line (robot_id, entry, place)
                 ON CONFLICT DO NOTHING";
            transaction.execute(add, &[&whose, &lines]).await?;
            transaction.commit().await?;
            Ok::<_, DatabaseError>(())
        };
        on_a_runtime(move |runtime| runtime.block_on(write).map_err(away))?;
        Ok(any)
    }
}

fn away(error: DatabaseError) -> SinkError {
    SinkError::Database(Box::new(error))
}

fn failed(error: qopen_postgres::client::Error) -> SinkError {
    away(error.into())
}

fn a_runtime() -> Result<Runtime, SinkError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(SinkError::io("starting a runtime for", Path::new("the database")))
}

/// Does something that waits, wherever it is called: a runtime's threads must not wait for another.
fn on_a_runtime<T: Send>(
    work: impl FnOnce(&Runtime) -> Result<T, SinkError> + Send,
) -> Result<T, SinkError> {
    let work = || work(&a_runtime()?);
    match Handle::try_current() {
        Err(_) => work(),
        Ok(_) => std::thread::scope(|scope| {
            let done = scope.spawn(work).join();
            done.unwrap_or_else(|_| Err(SinkError::Database("its thread has panicked".into())))
        }),
    }
}

impl Sink for PostgresSink {
    /// Makes the tables where there are none.
    fn check(&self) -> Result<(), SinkError> {
        self.migrate().map(drop)
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let (database, robot) = (self.database.clone(), robot_id.to_string());
        let look = async move {
            let read = "SELECT EXISTS (SELECT FROM qopen.robot_account WHERE robot_id = $1)";
            let row = database.connect(None).await?.query_one(read, &[&robot]).await?;
            Ok::<bool, DatabaseError>(row.get(0))
        };
        on_a_runtime(move |runtime| runtime.block_on(look).map_err(away))
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let runtime = a_runtime()?;
        let begun = runtime.block_on(async {
            let client = self.database.connect(None).await?;
            client.batch_execute(BEGIN).await?;
            let accounts = client.copy_in("COPY new_account FROM STDIN").await?;
            Ok::<_, DatabaseError>((client, Box::pin(accounts)))
        });
        let (client, accounts) = begun.map_err(away)?;
        let spool = tempfile::tempfile()
            .map_err(SinkError::io("creating a temporary file for", Path::new(TAGS)))?;
        Ok(Box::new(Writer {
            location: self.location(),
            kind,
            runtime,
            client,
            accounts,
            waiting: Vec::with_capacity(CHUNK + CHUNK / 4),
            tags: BufWriter::new(spool),
            lists: BTreeMap::new(),
        }))
    }
}

/// What messages call the file that tags wait in.
const TAGS: &str = "the tags of a list";

/// Nothing here is seen by anybody else, or outlives the connection.
const BEGIN: &str = "
    BEGIN;
    -- Whoever stops in the middle must not hold up the others.
    SET LOCAL idle_in_transaction_session_timeout = '30s';
    SET LOCAL lock_timeout = '30s';
    CREATE TEMPORARY TABLE new_account (
        robot_id text, account_id text, account_type bigint, deleted_by_contact boolean,
        deleted_by_staff boolean, name text, gender bigint, avatar text, alias text, phone text,
        add_at bigint, add_way bigint, union_id text, external_user_id text, state_code text,
        channel_name text, \"desc\" text, account json
    ) ON COMMIT DROP;
    CREATE TEMPORARY TABLE new_tag (
        robot_id text, account_id text, place integer, parent_tag_name text, tag_name text
    ) ON COMMIT DROP;";

struct Published {
    mark: String,
    revision: i64,
    accounts: i64,
    started: Option<SystemTime>,
}

struct Writer {
    location: String,
    kind: ListKind,
    runtime: Runtime,
    client: Client,
    accounts: Pin<Box<CopyInSink<Bytes>>>,
    /// Rows that are not sent yet.
    waiting: Vec<u8>,
    /// Rows of tags: only one table is copied into at a time.
    tags: BufWriter<File>,
    lists: BTreeMap<String, Published>,
}

impl Writer {
    fn flush(&mut self) -> Result<(), SinkError> {
        let rows = Bytes::copy_from_slice(&self.waiting);
        self.waiting.clear();
        self.runtime.block_on(self.accounts.send(rows)).map_err(failed)
    }
}

impl ListWriter for Writer {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        let (mark, revision) = (list.mark_id.to_string(), i64::from(list.revision));
        let published = Published { mark, revision, accounts: 0, started: list.started };
        self.lists.insert(list.robot_id.to_string(), published);
        Ok(())
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let encode = |error: serde_json::Error| SinkError::Encode(error.into());
        let json = serde_json::to_string(record).map_err(encode)?;
        let (robot, account) = (record.robot_id().as_str(), record.account());
        let (id, profile) = (account.account_id.as_str(), &account.profile);
        let flag = |it: bool| if it { "t" } else { "f" };
        let row = [
            robot,
            id,
            &account.account_type.code().to_string(),
            flag(account.deleted_by_contact),
            flag(account.deleted_by_staff),
            &profile.name,
            &profile.gender.code().to_string(),
            &profile.avatar,
            &profile.alias,
            &profile.phone,
            &profile.add_at.to_string(),
            &profile.add_way.code().to_string(),
            &profile.union_id,
            &profile.external_user_id,
            &profile.state_code,
            &profile.channel_name,
            &profile.desc,
            &json,
        ];
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

    fn commit(self: Box<Self>) -> Result<String, SinkError> {
        Ok(self.commit_with(&|_| Vec::new())?.location)
    }

    fn commit_with(
        mut self: Box<Self>,
        companions: &Companions<'_>,
    ) -> Result<Committed, SinkError> {
        self.flush()?;
        let spooled = || SinkError::io("reading", Path::new(TAGS));
        let Self { location, kind, runtime, client, mut accounts, tags, lists, .. } = *self;
        let mut tags = tags.into_inner().map_err(|error| spooled()(error.into_error()))?;
        tags.rewind().map_err(spooled())?;
        let mut tags = BufReader::new(tags);
        let guest = |it: Box<dyn Any + Send>| it.downcast::<Guest>().ok().map(|it| *it);
        let guests: Option<Vec<Guest>> = companions(&location).into_iter().map(guest).collect();
        let together = runtime.block_on(async {
            accounts.as_mut().finish().await.map_err(failed)?;
            let mut copy =
                Box::pin(client.copy_in("COPY new_tag FROM STDIN").await.map_err(failed)?);
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = tags.read(&mut chunk).map_err(spooled())?;
                if read == 0 {
                    break;
                }
                chunk.truncate(read);
                copy.send(Bytes::from(chunk)).await.map_err(failed)?;
            }
            copy.as_mut().finish().await.map_err(failed)?;
            switch(&client, kind, &lists).await?;
            let together = join(&client, guests.unwrap_or_default()).await?;
            client.batch_execute("COMMIT").await.map_err(failed)?;
            Ok::<_, SinkError>(together)
        })?;
        Ok(Committed::new(location, together))
    }
}

/// Puts the new lists in the place of those robots' old ones. Rows that are as they were are left.
async fn switch(
    client: &Client,
    kind: ListKind,
    lists: &BTreeMap<String, Published>,
) -> Result<(), SinkError> {
    let (partial, complete) = match kind {
        ListKind::Complete => ("", true),
        ListKind::Partial => ("partial_", false),
    };
    let robots: Vec<&str> = lists.keys().map(String::as_str).collect();
    // In the same order for everybody: two that publish the same robots wait for each other in turn.
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('qopen ' || robot, 0))
         FROM (SELECT robot FROM unnest($1::text[]) AS robot ORDER BY robot) AS robots";
    client.execute(lock, &[&robots]).await.map_err(failed)?;
    for (robot, Published { mark, revision, started, .. }) in lists {
        // Somebody else may have been faster with a later list.
        let later = "SELECT FROM qopen.pull WHERE robot_id = $1 AND complete AND $5 AND (
                 mark_id <> $2 AND started_at > $4 OR mark_id = $2 AND revision > $3
             )";
        let values: [&(dyn ToSql + Sync); 5] = [robot, mark, revision, started, &complete];
        if client.query_opt(later, &values).await.map_err(failed)?.is_some() {
            return Err(SinkError::Superseded);
        }
    }
    let columns =
        "account_type, deleted_by_contact, deleted_by_staff, name, gender, avatar, alias, phone,
         add_at, add_way, union_id, external_user_id, state_code, channel_name, \"desc\", account";
    let excluded = columns.split(',').map(|it| format!("excluded.{}", it.trim()));
    let excluded = excluded.collect::<Vec<_>>().join(", ");
    let value = columns.replace(
        "add_at",
        "CASE WHEN add_at BETWEEN 1 AND 253402300799 THEN to_timestamp(add_at) END",
    );
    let go = format!(
        "DELETE FROM qopen.{partial}robot_account AS old WHERE robot_id = ANY ($1) AND NOT EXISTS (
             SELECT FROM new_account AS new
             WHERE new.robot_id = old.robot_id AND new.account_id = old.account_id
         )"
    );
    let come = format!(
        "INSERT INTO qopen.{partial}robot_account AS old (robot_id, account_id, {columns})
         SELECT robot_id, account_id, {value} FROM new_account
         ON CONFLICT (robot_id, account_id) DO UPDATE SET ({columns}) = ROW ({excluded})
         WHERE old.account::text <> excluded.account::text"
    );
    let untag = format!("DELETE FROM qopen.{partial}tag WHERE robot_id = ANY ($1)");
    client.batch_execute("ANALYZE new_account").await.map_err(failed)?;
    client.execute(&go, &[&robots]).await.map_err(failed)?;
    client.execute(&come, &[]).await.map_err(failed)?;
    client.execute(&untag, &[&robots]).await.map_err(failed)?;
    let tag = format!("INSERT INTO qopen.{partial}tag SELECT * FROM new_tag");
    client.execute(&tag, &[]).await.map_err(failed)?;
    if complete {
        for old in ["partial_robot_account", "partial_tag"] {
            let delete = format!("DELETE FROM qopen.{old} WHERE robot_id = ANY ($1)");
            client.execute(&delete, &[&robots]).await.map_err(failed)?;
        }
        let old = "DELETE FROM qopen.pull WHERE robot_id = ANY ($1) AND NOT complete";
        client.execute(old, &[&robots]).await.map_err(failed)?;
    }
    for (robot, Published { mark, revision, accounts, started }) in lists {
        let pull = "INSERT INTO qopen.pull
                 (robot_id, complete, mark_id, revision, accounts, started_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (robot_id, complete) DO UPDATE
             SET mark_id = excluded.mark_id, revision = excluded.revision,
                 accounts = excluded.accounts, started_at = excluded.started_at,
                 published_at = now()";
        let values: [&(dyn ToSql + Sync); 6] =
            [robot, &complete, mark, revision, accounts, started];
        client.execute(pull, &values).await.map_err(failed)?;
    }
    Ok(())
}

/// Does what goes with the lists, where that is in this database. False where it is not.
async fn join(client: &Client, guests: Vec<Guest>) -> Result<bool, SinkError> {
    let Some(first) = guests.first() else { return Ok(false) };
    let there = "SELECT CASE WHEN EXISTS (
             SELECT FROM pg_namespace WHERE nspname = 'qopen_journal'
                 AND has_schema_privilege(oid, 'USAGE')
         ) THEN to_regclass('qopen_journal.identity') IS NOT NULL ELSE false END";
    let there = client.query_one(there, &[]).await.map_err(failed)?;
    if !there.get::<_, bool>(0) {
        return Ok(false);
    }
    let found = client.query_one(first.identify, &[]).await.map_err(failed)?;
    if guests.iter().any(|it| it.database != found.get::<_, &str>(0)) {
        return Ok(false);
    }
    for guest in &guests {
        let parameters: Vec<_> = guest.parameters.iter().map(|it| &**it as _).collect();
        if client.query_opt(guest.statement, &parameters).await.map_err(failed)?.is_none() {
            return Err(SinkError::Superseded);
        }
    }
    Ok(true)
}

/// A row in COPY's text format. A text cannot have the character 0 there.
fn put_row(out: &mut Vec<u8>, row: &[&str]) {
    for (n, text) in row.iter().enumerate() {
        if n > 0 {
            out.push(b'\t');
        }
        for byte in text.bytes() {
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
