//! Lists in PostgreSQL: filled beside the old ones, and switched in one transaction.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use qopen_postgres::client::types::ToSql;
use qopen_postgres::client::{Client, CopyInSink};
use qopen_postgres::{Database, DatabaseError, Guest, Schema};
use qopen_types::{RobotId, TagInfo};
use serde::Deserialize;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    Committed, Companions, ListInfo, ListKind, ListWriter, Moved, Quarantine, Record, Sink,
    SinkError, temporary,
};

const SCHEMA: Schema = Schema::new("qopen", &[include_str!("1.sql"), include_str!("2.sql")]);

/// Bytes that are sent at a time.
const CHUNK: usize = 1 << 16;

/// How long a step at the database may take: one that is frozen answers nothing, and closes nothing.
const STEP: Duration = Duration::from_secs(120);

/// Accounts that are put in their place in one step, where there are many more.
const AT_A_TIME: i64 = 50_000;

/// Lines of quarantine that are sent at a time.
const LINES: usize = 256;

/// A database that holds a list for each robot, in the schema `qopen`: `robot_account` has a row for
/// each robot and account, `tag` the accounts' tags, `pull` what is published of each robot. Readers
/// see the old list or the new one (invariant I5).
///
/// A partial list goes into `partial_robot_account` and `partial_tag`, and is deleted by the next
/// complete one.
#[derive(Clone, Debug)]
pub struct PostgresSink {
    database: Database,
    scratch: Option<PathBuf>,
}

impl PostgresSink {
    /// The database of a `postgres://` URL. Nothing is connected yet.
    ///
    /// # Errors
    /// [`SinkError::Database`], when the URL cannot be used; never quotes it.
    pub fn new(url: &str) -> Result<Self, SinkError> {
        Ok(Self { database: Database::new(url).map_err(away)?, scratch: None })
    }

    /// The same, with data waiting in that folder while a list is written. Without one it waits in the
    /// system's for temporary files.
    #[must_use]
    pub fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.scratch = folder.map(Path::to_owned);
        self
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

    /// Asks the database for one thing, for as long as a step may take.
    fn ask<T: Send>(
        &self,
        step: &'static str,
        question: impl AsyncFnOnce(Client) -> Result<T, DatabaseError> + Send,
    ) -> Result<T, SinkError> {
        let database = self.database.clone();
        on_a_runtime(move |runtime| {
            runtime.block_on(async {
                let client = database.connect(None).await.map_err(away)?;
                bounded(step, question(client)).await?.map_err(away)
            })
        })
    }
}

/// What a step gives, if it ends in time.
async fn bounded<T>(step: &'static str, work: impl Future<Output = T>) -> Result<T, SinkError> {
    let done = tokio::time::timeout(STEP, work).await;
    done.map_err(|_| SinkError::TimedOut { step, limit: STEP })
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
    /// Makes the tables where there are none, and finds out whether lists can be written: by beginning
    /// one that is empty.
    fn check(&self) -> Result<(), SinkError> {
        let database = self.database.clone();
        on_a_runtime(move |runtime| runtime.block_on(database.check_session()).map_err(away))?;
        self.migrate()?;
        temporary::unnamed(self.scratch.as_deref(), Path::new(TAGS))?;
        let suits = self.ask("looking at the database", async |client| {
            let look =
                "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
                     has_database_privilege(current_database(), 'TEMP')";
            let row = client.query_one(look, &[]).await?;
            Ok((row.get::<_, bool>(0), row.get::<_, bool>(1)))
        })?;
        let why = match suits {
            (true, _) => "it is read-only; name the primary server",
            (_, false) => {
                "the user may not make temporary tables; GRANT TEMPORARY ON DATABASE gives that right"
            }
            _ => {
                return self.ask("trying to write", async |client| {
                    client.batch_execute(BEGIN).await?;
                    try_all(&client).await?;
                    Ok(client.batch_execute("ROLLBACK").await?)
                });
            }
        };
        Err(SinkError::Unsuitable { why })
    }

    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let robot = robot_id.to_string();
        self.ask("looking for a list", async |client| {
            let read = "SELECT EXISTS (SELECT FROM qopen.robot_account WHERE robot_id = $1)";
            Ok(client.query_one(read, &[&robot]).await?.get(0))
        })
    }

    fn next_order(&self) -> Result<Option<u64>, SinkError> {
        let order: i64 = self.ask("taking a number", async |client| {
            Ok(client.query_one("SELECT nextval('qopen.list_order')", &[]).await?.get(0))
        })?;
        Ok(u64::try_from(order).ok())
    }

    fn is_superseded(&self, list: &ListInfo<'_>) -> Result<bool, SinkError> {
        let robot = list.robot_id.to_string();
        let published = Published::of(list);
        self.ask("looking for a later list", async |client| {
            published.is_superseded(&client, &robot).await
        })
    }

    fn place(&self) -> Option<String> {
        Some(self.location())
    }

    fn is_at(&self, location: &str) -> bool {
        location == self.location()
    }

    fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        let runtime = a_runtime()?;
        let begun = runtime.block_on(async {
            let client = self.database.connect(None).await.map_err(away)?;
            let begun = async {
                client.batch_execute(BEGIN).await?;
                client.copy_in(COPY).await
            };
            let accounts = bounded("beginning a list", begun).await?.map_err(failed)?;
            Ok::<_, SinkError>((client, Box::pin(accounts)))
        });
        let (client, accounts) = begun?;
        let spool = temporary::unnamed(self.scratch.as_deref(), Path::new(TAGS))?;
        Ok(Box::new(Writer {
            location: self.location(),
            kind,
            runtime,
            client,
            accounts,
            waiting: Vec::with_capacity(CHUNK + CHUNK / 4),
            tags: BufWriter::new(spool),
            lists: BTreeMap::new(),
            quarantine: None,
            moved: None,
        }))
    }
}

const COPY_TAGS: &str =
    "COPY new_tag (robot_id, account_id, place, parent_tag_name, tag_name) FROM STDIN";

/// What messages call the file that tags wait in.
const TAGS: &str = "the tags of a list";

/// Nothing here is seen by anybody else, or outlives the connection.
const BEGIN: &str = "
    BEGIN;
    -- Whoever stops in the middle must not hold up the others.
    SET LOCAL idle_in_transaction_session_timeout = '30s';
    SET LOCAL lock_timeout = '30s';
    -- What is given up here is given up there.
    SET LOCAL statement_timeout = '120s';
    CREATE TEMPORARY TABLE new_account (
        n bigint GENERATED ALWAYS AS IDENTITY,
        robot_id text, account_id text, account_type bigint, deleted_by_contact boolean,
        deleted_by_staff boolean, name text, gender bigint, avatar text, alias text, phone text,
        add_at bigint, add_way bigint, union_id text, external_user_id text, state_code text,
        channel_name text, \"desc\" text, account json
    ) ON COMMIT DROP;
    CREATE TEMPORARY TABLE new_tag (
        n bigint GENERATED ALWAYS AS IDENTITY,
        robot_id text, account_id text, place integer, parent_tag_name text, tag_name text
    ) ON COMMIT DROP;";

const COPY: &str = "COPY new_account (
        robot_id, account_id, account_type, deleted_by_contact, deleted_by_staff, name, gender, avatar,
        alias, phone, add_at, add_way, union_id, external_user_id, state_code, channel_name, \"desc\",
        account
    ) FROM STDIN";

struct Published {
    mark: String,
    revision: i64,
    accounts: i64,
    order: Option<i64>,
}

impl Published {
    fn of(list: &ListInfo<'_>) -> Self {
        let (mark, revision) = (list.mark_id.to_string(), i64::from(list.revision));
        let order = list.order.and_then(|order| i64::try_from(order).ok());
        Self { mark, revision, accounts: 0, order }
    }

    /// Whether the database holds a later complete list of the robot: a greater sequence number, or a later
    /// revision of the same pull.
    async fn is_superseded(&self, client: &Client, robot: &str) -> Result<bool, DatabaseError> {
        let later = "SELECT FROM qopen.pull WHERE robot_id = $1 AND complete AND (
                 mark_id <> $2 AND list_order > $4 OR mark_id = $2 AND revision > $3
             )";
        let Self { mark, revision, order, .. } = self;
        Ok(client.query_opt(later, &[&robot, mark, revision, order]).await?.is_some())
    }
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
    quarantine: Option<Quarantine>,
    moved: Option<Moved>,
}

impl Writer {
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

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        self.quarantine = Some(quarantine);
        Ok(None)
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
        let Self {
            location,
            kind,
            runtime,
            client,
            mut accounts,
            tags,
            lists,
            quarantine,
            moved,
            ..
        } = *self;
        let mut tags = tags.into_inner().map_err(|error| spooled()(error.into_error()))?;
        tags.rewind().map_err(spooled())?;
        let mut tags = BufReader::new(tags);
        let guest = |it: Box<dyn Any + Send>| it.downcast::<Guest>().ok().map(|it| *it);
        let guests: Option<Vec<Guest>> = companions(&location).into_iter().map(guest).collect();
        let steps = Steps { client: &client, moved };
        let is_set_aside = quarantine.as_ref().is_some_and(|it| !it.is_empty());
        let together = runtime.block_on(async {
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
            // A partial list from which nothing is set aside says nothing of the complete one beside it.
            let counts = |it: &Quarantine| kind == ListKind::Complete || !it.is_empty();
            if let Some(quarantine) = quarantine.filter(counts) {
                steps.set_aside(&lists, quarantine).await?;
            }
            let together = steps.join(guests.unwrap_or_default()).await?;
            steps.wait("committing a list", client.batch_execute("COMMIT")).await?;
            Ok::<_, SinkError>(together)
        })?;
        let set_aside = is_set_aside.then(|| format!("{location} (qopen.quarantine)"));
        Ok(Committed::new(location, together).set_aside(set_aside))
    }
}

/// The steps of a commit, each of which ends in time, and says that it has.
struct Steps<'a> {
    client: &'a Client,
    moved: Option<Moved>,
}

type Failure = qopen_postgres::client::Error;

impl Steps<'_> {
    async fn wait<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, SinkError> {
        let done = bounded(step, work).await?.map_err(failed)?;
        self.moved.iter().for_each(|moved| moved());
        Ok(done)
    }

    async fn run(
        &self,
        step: &'static str,
        statement: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, SinkError> {
        self.wait(step, self.client.execute(statement, parameters)).await
    }

    /// Puts the new lists in the place of those robots' old ones. Rows that are as they were are left.
    async fn switch(
        &self,
        kind: ListKind,
        lists: &BTreeMap<String, Published>,
    ) -> Result<(), SinkError> {
        let complete = kind == ListKind::Complete;
        let partial = if complete { "" } else { "partial_" };
        let robots: Vec<&str> = lists.keys().map(String::as_str).collect();
        // In the same order for everybody: two that publish the same robots wait for each other in turn.
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('qopen ' || robot, 0))
             FROM (SELECT robot FROM unnest($1::text[]) AS robot ORDER BY robot) AS robots";
        self.run("waiting for another publication", lock, &[&robots]).await?;
        for (robot, list) in lists.iter().filter(|_| complete) {
            // A concurrent publication may have been faster.
            let later = bounded("looking for a later list", list.is_superseded(self.client, robot));
            if later.await?.map_err(away)? {
                return Err(SinkError::Superseded);
            }
        }
        self.wait("counting accounts", self.client.batch_execute("ANALYZE new_account")).await?;
        self.run("removing accounts", &go(partial), &[&robots]).await?;
        self.put("putting accounts", "new_account", |which| come(partial, which)).await?;
        self.clear("removing tags", &format!("{partial}tag"), &robots).await?;
        self.put("putting tags", "new_tag", |which| tag(partial, which)).await?;
        if complete {
            for old in ["partial_robot_account", "partial_tag"] {
                self.clear("removing a partial list", old, &robots).await?;
            }
            let old = "DELETE FROM qopen.pull WHERE robot_id = ANY ($1) AND NOT complete";
            self.run("removing a partial list", old, &[&robots]).await?;
        }
        for (robot, Published { mark, revision, accounts, order }) in lists {
            // A list without a number is later than all that have one; a revision of it is no later.
            let pull = "INSERT INTO qopen.pull
                     (robot_id, complete, mark_id, revision, accounts, list_order)
                 VALUES ($1, $2, $3, $4, $5, coalesce($6, (
                     SELECT list_order FROM qopen.pull
                     WHERE robot_id = $1 AND complete = $2 AND mark_id = $3
                 ), nextval('qopen.list_order')))
                 ON CONFLICT (robot_id, complete) DO UPDATE
                 SET mark_id = excluded.mark_id, revision = excluded.revision,
                     accounts = excluded.accounts, list_order = excluded.list_order,
                     started_at = NULL, published_at = now()";
            let values: [&(dyn ToSql + Sync); 6] =
                [robot, &complete, mark, revision, accounts, order];
            self.run("noting a list", pull, &values).await?;
        }
        Ok(())
    }

    /// Puts rows of a temporary table in their place: some at a time, where there are many more.
    async fn put(
        &self,
        step: &'static str,
        from: &str,
        statement: impl Fn(&str) -> String,
    ) -> Result<(), SinkError> {
        let count = format!("SELECT coalesce(max(n), 0) FROM {from}");
        let count: i64 = self.wait(step, self.client.query_one(&count, &[])).await?.get(0);
        if count <= 2 * AT_A_TIME {
            return self.run(step, &statement(""), &[]).await.map(drop);
        }
        let index = format!("CREATE INDEX ON {from} (n)");
        self.wait(step, self.client.batch_execute(&index)).await?;
        let some = statement("WHERE n > $1 AND n <= $2");
        for from in (0..count).step_by(usize::try_from(AT_A_TIME).unwrap_or(usize::MAX)) {
            self.run(step, &some, &[&from, &(from + AT_A_TIME)]).await?;
        }
        Ok(())
    }

    /// Removes what is in a table of those robots, some rows at a time.
    async fn clear(
        &self,
        step: &'static str,
        table: &str,
        robots: &[&str],
    ) -> Result<(), SinkError> {
        let some = format!(
            "DELETE FROM qopen.{table} WHERE ctid = ANY (ARRAY (
                 SELECT ctid FROM qopen.{table} WHERE robot_id = ANY ($1) LIMIT $2
             ))"
        );
        let most = 4 * AT_A_TIME;
        while self.run(step, &some, &[&robots, &most]).await? >= most.unsigned_abs() {}
        Ok(())
    }

    /// Puts what could not be read in the place of what was set aside of those robots before.
    async fn set_aside(
        &self,
        lists: &BTreeMap<String, Published>,
        quarantine: Quarantine,
    ) -> Result<(), SinkError> {
        let robots: Vec<&str> = lists.keys().map(String::as_str).collect();
        let clear = "DELETE FROM qopen.quarantine WHERE robot_id = ANY ($1)";
        self.run("setting accounts aside", clear, &[&robots]).await?;
        #[derive(Deserialize)]
        struct Whose {
            robot_id: String,
        }
        let mut lines = quarantine.into_lines()?;
        let mut place = 0_i64;
        loop {
            let (mut whose, mut entries) = (Vec::new(), Vec::new());
            for line in lines.by_ref().take(LINES) {
                let line = line?;
                let of: Whose =
                    serde_json::from_str(&line).map_err(|error| SinkError::Encode(error.into()))?;
                whose.push(of.robot_id);
                entries.push(line);
            }
            if whose.is_empty() {
                return Ok(());
            }
            let add = "INSERT INTO qopen.quarantine
                 SELECT robot_id, $3 + place, entry::json
                 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS line (robot_id, entry, place)
                 ON CONFLICT DO NOTHING";
            self.run("setting accounts aside", add, &[&whose, &entries, &place]).await?;
            place += i64::try_from(whose.len()).unwrap_or(i64::MAX);
        }
    }

    /// Does what goes with the lists, where that is in this database. False where it is not.
    async fn join(&self, guests: Vec<Guest>) -> Result<bool, SinkError> {
        let Some(first) = guests.first() else { return Ok(false) };
        let there = "SELECT CASE WHEN EXISTS (
                 SELECT FROM pg_namespace WHERE nspname = 'qopen_journal'
                     AND has_schema_privilege(oid, 'USAGE')
             ) THEN to_regclass('qopen_journal.identity') IS NOT NULL ELSE false END";
        let step = "noting a publication";
        let there = self.wait(step, self.client.query_one(there, &[])).await?;
        if !there.get::<_, bool>(0) {
            return Ok(false);
        }
        let found = self.wait(step, self.client.query_one(first.identify, &[])).await?;
        if guests.iter().any(|it| it.database != found.get::<_, &str>(0)) {
            return Ok(false);
        }
        for guest in &guests {
            let parameters: Vec<_> = guest.parameters.iter().map(|it| &**it as _).collect();
            let done = self.wait(step, self.client.query_opt(guest.statement, &parameters)).await?;
            if done.is_none() {
                return Err(SinkError::Declined);
            }
        }
        Ok(true)
    }
}

const COLUMNS: &str =
    "account_type, deleted_by_contact, deleted_by_staff, name, gender, avatar, alias, phone,
     add_at, add_way, union_id, external_user_id, state_code, channel_name, \"desc\", account";

/// Removes the accounts that are not on the new list.
fn go(partial: &str) -> String {
    format!(
        "DELETE FROM qopen.{partial}robot_account AS old WHERE robot_id = ANY ($1) AND NOT EXISTS (
             SELECT FROM new_account AS new
             WHERE new.robot_id = old.robot_id AND new.account_id = old.account_id
         )"
    )
}

/// Puts the accounts of the new list, or some of them.
fn come(partial: &str, which: &str) -> String {
    let excluded = COLUMNS.split(',').map(|it| format!("excluded.{}", it.trim()));
    let excluded = excluded.collect::<Vec<_>>().join(", ");
    let value = COLUMNS.replace(
        "add_at",
        "CASE WHEN add_at BETWEEN 1 AND 253402300799 THEN to_timestamp(add_at) END",
    );
    format!(
        "INSERT INTO qopen.{partial}robot_account AS old (robot_id, account_id, {COLUMNS})
         SELECT robot_id, account_id, {value} FROM new_account {which}
         ON CONFLICT (robot_id, account_id) DO UPDATE SET ({COLUMNS}) = ROW ({excluded})
         WHERE old.account::text <> excluded.account::text"
    )
}

fn tag(partial: &str, which: &str) -> String {
    format!(
        "INSERT INTO qopen.{partial}tag
         SELECT robot_id, account_id, place, parent_tag_name, tag_name FROM new_tag {which}"
    )
}

/// Does with no account what publishing does, to find out whether it is allowed.
async fn try_all(client: &Client) -> Result<(), DatabaseError> {
    let none: &[&str] = &[];
    for partial in ["", "partial_"] {
        client.execute(&go(partial), &[&none]).await?;
        client.execute(&come(partial, ""), &[]).await?;
        let untag = format!("DELETE FROM qopen.{partial}tag WHERE robot_id = ANY ($1)");
        client.execute(&untag, &[&none]).await?;
        client.execute(&tag(partial, ""), &[]).await?;
    }
    let rest = "DELETE FROM qopen.pull WHERE false; DELETE FROM qopen.quarantine WHERE false;
         INSERT INTO qopen.pull SELECT * FROM qopen.pull WHERE false;
         INSERT INTO qopen.quarantine SELECT * FROM qopen.quarantine WHERE false;
         UPDATE qopen.pull SET revision = revision WHERE false;
         SELECT nextval('qopen.list_order')";
    Ok(client.batch_execute(rest).await?)
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
