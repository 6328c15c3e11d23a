//! Where a journal is: a journal that was restored from a backup is elsewhere, or has transaction numbers of the future.

use tokio_postgres::{Client, Error};

/// The number of the advisory lock under which one process counts a restoration.
const LOCK: i64 = 0x0071_6f70_656f;

/// The database and the table. With the transaction that noted it they are the home: `pg_dump` keeps none of them, a copy
/// of the files keeps all, and every user may know them.
const TABLE: &str = "concat_ws('.',
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    'qopen_journal.identity'::regclass::oid)";

/// Whether the journal knows transactions that the cluster has not had. PostgreSQL has `max` of them from version 15 on.
const IS_AHEAD: &str = "
    SELECT FROM qopen_journal.spotter
    WHERE greatest(
        pg_snapshot_xmax(looked),
        (SELECT xid FROM qopen_journal.page ORDER BY xid DESC LIMIT 1)
    ) > pg_snapshot_xmax(pg_current_snapshot())";

/// Makes every page new to the spotter.
const MEND: &str = "
    UPDATE qopen_journal.page SET xid = DEFAULT;
    UPDATE qopen_journal.pull SET notes = true, counted = NULL;
    UPDATE qopen_journal.age SET swept = pg_snapshot_xmin(pg_current_snapshot());
    UPDATE qopen_journal.spotter SET looked = pg_current_snapshot();
    -- Until unfinished pulls are doubted, the home is no place.
    UPDATE qopen_journal.identity SET home = ''";

/// Whether the journal has transaction numbers of the future, in tables of any version.
pub(super) async fn is_ahead(client: &Client) -> Result<bool, Error> {
    Ok(client.query_one(&format!("SELECT EXISTS ({IS_AHEAD})"), &[]).await?.get(0))
}

/// Whether the journal was restored from a dump, and no process has counted that yet.
pub(super) async fn is_restored(client: &Client) -> Result<bool, Error> {
    let read = format!(
        "SELECT EXISTS ({IS_AHEAD}) OR coalesce(home <> concat_ws('.', {TABLE}, xmin), false)
        FROM qopen_journal.identity"
    );
    Ok(client.query_one(&read, &[]).await?.get(0))
}

/// Whether no process has noted where the journal is.
pub(super) async fn is_unknown(client: &Client) -> Result<bool, Error> {
    let read = "SELECT home IS NULL FROM qopen_journal.identity";
    Ok(client.query_one(read, &[]).await?.get(0))
}

/// Waits until this connection alone counts a restoration. The lock ends with the connection.
pub(super) async fn lock(client: &Client) -> Result<(), Error> {
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map(drop)
}

/// Renews the transaction numbers of a restored journal.
pub(super) async fn mend(client: &mut Client) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(MEND).await?;
    transaction.commit().await
}

/// Notes where the journal is.
pub(super) async fn note(client: &Client) -> Result<(), Error> {
    let note = format!(
        "UPDATE qopen_journal.identity SET home = concat_ws('.', {TABLE}, pg_current_xact_id()::xid)"
    );
    client.execute(&note, &[]).await.map(drop)
}
