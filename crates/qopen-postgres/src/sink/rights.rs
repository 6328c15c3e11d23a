//! Whether the database's user may publish.

use tokio_postgres::{Client, Error};

use super::columns::Columns;
use super::compare;
use super::statements::{COMPLETE_HISTORY, all_tags, count_tags, go, tag, untag};

/// Runs every statement of a publication without an account, to find out whether the user may.
pub(super) async fn try_all(client: &Client, columns: &Columns) -> Result<(), Error> {
    let none: &[&str] = &[];
    for partial in ["", "partial_"] {
        client.execute(&columns.differing(partial, ""), &[]).await?;
        client.execute(&go(partial), &[&none, &0_i64]).await?;
        client.execute(&columns.come(partial, ""), &[]).await?;
        for statement in [untag(partial, ""), tag(partial, ""), all_tags(partial, "")] {
            client.execute(&statement, &[]).await?;
        }
        client.query(&count_tags(partial), &[&none]).await?;
    }
    let rest = "DELETE FROM qopen.pull WHERE false; DELETE FROM qopen.quarantine WHERE false;
         INSERT INTO qopen.pull SELECT * FROM qopen.pull WHERE false;
         INSERT INTO qopen.quarantine SELECT * FROM qopen.quarantine WHERE false;
         UPDATE qopen.pull SET revision = revision WHERE false;
         -- A number that is taken does not come back with the transaction.
         DO $$ BEGIN
             IF NOT has_sequence_privilege('qopen.list_order', 'USAGE') THEN
                 RAISE insufficient_privilege USING MESSAGE = 'permission denied for sequence list_order';
             END IF;
         END $$";
    client.batch_execute(rest).await?;
    client.execute(COMPLETE_HISTORY, &[&""]).await?;
    compare::try_all(client).await
}
