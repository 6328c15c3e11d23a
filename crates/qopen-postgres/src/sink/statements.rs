//! The statements of a publication.

use tokio_postgres::{Client, Error};

pub(super) const COPY_TAGS: &str =
    "COPY new_tag (robot_id, account_id, place, parent_tag_name, tag_name) FROM STDIN";

/// Begins a publication. Its temporary tables are visible to this connection only, and end with it.
pub(super) const BEGIN: &str = "
    BEGIN;
    -- A publisher that stops in the middle must not delay the others.
    SET LOCAL idle_in_transaction_session_timeout = '30s';
    SET LOCAL lock_timeout = '30s';
    -- The server gives a step up when the publisher does.
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

pub(super) const COPY: &str = "COPY new_account (
        robot_id, account_id, account_type, deleted_by_contact, deleted_by_staff, name, gender, avatar,
        alias, phone, add_at, add_way, union_id, external_user_id, state_code, channel_name, \"desc\",
        account
    ) FROM STDIN";

const COLUMNS: &str =
    "account_type, deleted_by_contact, deleted_by_staff, name, gender, avatar, alias, phone,
     add_at, add_way, union_id, external_user_id, state_code, channel_name, \"desc\", account";

/// Deletes the accounts that are not on the new list.
pub(super) fn go(partial: &str) -> String {
    format!(
        "DELETE FROM qopen.{partial}robot_account AS old WHERE robot_id = ANY ($1) AND NOT EXISTS (
             SELECT FROM new_account AS new
             WHERE new.robot_id = old.robot_id AND new.account_id = old.account_id
         )"
    )
}

/// Inserts or updates the accounts of the new list, or some of them.
pub(super) fn come(partial: &str, which: &str) -> String {
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

pub(super) fn tag(partial: &str, which: &str) -> String {
    format!(
        "INSERT INTO qopen.{partial}tag
         SELECT robot_id, account_id, place, parent_tag_name, tag_name FROM new_tag {which}"
    )
}

/// Runs every statement of a publication without an account, to find out whether the user may.
pub(super) async fn try_all(client: &Client) -> Result<(), Error> {
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
    client.batch_execute(rest).await
}
