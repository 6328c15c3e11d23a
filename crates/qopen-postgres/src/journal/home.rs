//! Where a journal is: a journal that was restored from a backup is elsewhere, or has transaction numbers of the future.

use tokio_postgres::{Client, Error};

/// The number of the advisory lock under which one process counts a restoration.
const LOCK: i64 = 0x0071_6f70_656f;

/// The cluster, the database and the table. `pg_dump` keeps none of them, and a copy of the files keeps all.
const HERE: &str = "concat_ws('.',
    CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
        THEN (SELECT system_identifier FROM pg_control_system()) END,
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    'qopen_journal.identity'::regclass::oid)";

/// Whether the journal knows transactions that the cluster has not had.
const IS_AHEAD: &str = "
    SELECT FROM qopen_journal.spotter
    WHERE greatest(pg_snapshot_xmax(looked), (SELECT max(xid) FROM qopen_journal.page))
        > pg_snapshot_xmax(pg_current_snapshot())";

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
        "SELECT EXISTS ({IS_AHEAD}) OR coalesce(home <> {HERE}, false) FROM qopen_journal.identity"
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
    let note = format!("UPDATE qopen_journal.identity SET home = {HERE}");
    client.execute(&note, &[]).await.map(drop)
}
