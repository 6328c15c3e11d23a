//! The statements of a publication.

use tokio_postgres::{Client, Error};

use super::columns::Columns;
use super::compare;

pub(super) const COPY_TAGS: &str =
    "COPY new_tag (robot_id, account_id, place, parent_tag_name, tag_name) FROM STDIN";

/// Deletes the accounts that are not on the new list.
pub(super) fn go(partial: &str) -> String {
    format!(
        "DELETE FROM qopen.{partial}robot_account AS old WHERE robot_id = ANY ($1) AND NOT EXISTS (
             SELECT FROM new_account AS new
             WHERE new.robot_id = old.robot_id AND new.account_id = old.account_id
         )"
    )
}

pub(super) fn tag(partial: &str, which: &str) -> String {
    format!(
        "INSERT INTO qopen.{partial}tag
         SELECT robot_id, account_id, place, parent_tag_name, tag_name FROM new_tag {which}"
    )
}

/// Runs every statement of a publication without an account, to find out whether the user may.
pub(super) async fn try_all(client: &Client, columns: &Columns) -> Result<(), Error> {
    let none: &[&str] = &[];
    for partial in ["", "partial_"] {
        client.execute(&go(partial), &[&none]).await?;
        client.execute(&columns.come(partial, ""), &[]).await?;
        let untag = format!("DELETE FROM qopen.{partial}tag WHERE robot_id = ANY ($1)");
        client.execute(&untag, &[&none]).await?;
        client.execute(&tag(partial, ""), &[]).await?;
    }
    let rest = "DELETE FROM qopen.pull WHERE false; DELETE FROM qopen.quarantine WHERE false;
         INSERT INTO qopen.pull SELECT * FROM qopen.pull WHERE false;
         INSERT INTO qopen.quarantine SELECT * FROM qopen.quarantine WHERE false;
         UPDATE qopen.pull SET revision = revision WHERE false;
         SELECT nextval('qopen.list_order')";
    client.batch_execute(rest).await?;
    compare::try_all(client).await
}
