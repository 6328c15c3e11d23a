//! The journal's statements in the sink's transaction.

use qopen_journal::Fencing;
use qopen_types::StorageId;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use crate::database::Parameter;

/// Inserts a note if the claim counts. Locks the pull's row until the transaction ends.
const NOTE: &str = "
    WITH held AS MATERIALIZED (
        SELECT robot_id, mark_id FROM qopen_journal.pull
        WHERE robot_id = $1 AND mark_id = $2 AND epoch = $3 AND worker IS NOT NULL FOR UPDATE
    )
    INSERT INTO qopen_journal.note (robot_id, mark_id, at, note)
    SELECT robot_id, mark_id, clock_timestamp(), $4::text::json FROM held RETURNING true";

/// Makes a note under a claim, in the client's transaction if it has one.
pub(crate) async fn note_under_claim(
    client: &Client,
    robot: &str,
    mark: &str,
    epoch: i64,
    note: &str,
) -> Result<Fencing, Error> {
    let values: [Parameter<'_>; 4] =
        [(&robot, Type::TEXT), (&mark, Type::TEXT), (&epoch, Type::INT8), (&note, Type::TEXT)];
    let noted = client.query_typed_opt(NOTE, &values).await?;
    Ok(if noted.is_some() { Fencing::Held } else { Fencing::Fenced })
}

/// The storage of the journal whose tables the database has.
pub(super) async fn storage(client: &Client) -> Result<StorageId, Error> {
    let row = client.query_typed_one("SELECT id::text FROM qopen_journal.identity", &[]).await?;
    Ok(StorageId::new(row.get::<_, &str>(0)))
}

/// The storage of a journal, if the database has one that this user may read. Fails no transaction.
pub(crate) async fn find_storage(client: &Client) -> Result<Option<StorageId>, Error> {
    // Naming a table in a schema without the right to use it is an error.
    let there = "SELECT CASE WHEN EXISTS (
             SELECT FROM pg_namespace WHERE nspname = 'qopen_journal'
                 AND has_schema_privilege(oid, 'USAGE')
         ) THEN has_table_privilege(to_regclass('qopen_journal.identity')::oid, 'SELECT') END";
    match client.query_typed_one(there, &[]).await?.get::<_, Option<bool>>(0) {
        Some(true) => storage(client).await.map(Some),
        _ => Ok(None),
    }
}
