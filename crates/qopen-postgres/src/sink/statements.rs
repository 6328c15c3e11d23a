//! The statements of a publication.

/// Rows of one step, if a list has more than twice as many.
pub(super) const AT_A_TIME: i64 = 50_000;

/// The most rows that are removed in one step.
pub(super) const SOME: i64 = 4 * AT_A_TIME;

/// Begins a publication.
pub(super) const BEGIN: &str = "
    BEGIN;
    -- A publisher that stops in the middle must not delay the others.
    SET LOCAL idle_in_transaction_session_timeout = '30s';
    SET LOCAL lock_timeout = '30s';
    -- The server gives a step up when the publisher does.
    SET LOCAL statement_timeout = '120s'";

/// Makes the temporary tables of a comparison.
pub(super) const COMPARISON_TABLES: &str = "
    CREATE TEMPORARY TABLE new_list (
        place bigint, robot_id text COLLATE \"C\", number bigint, mark_id text, revision bigint, baseline boolean,
        since_mark_id text, since_revision bigint,
        -- The number of the list that this one is a revision of.
        replaced bigint
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE new_change (
        -- Counts the rows, from 1.
        n bigint,
        robot_id text COLLATE \"C\", account_id text COLLATE \"C\", change text, fields text[]
    ) ON COMMIT DELETE ROWS";

pub(super) const COPY_TAGS: &str =
    "COPY new_tag (n, robot_id, account_id, place, parent_tag_name, tag_name) FROM STDIN";

/// Deletes the accounts that are not on the new list, and notes them with numbers after `$2`.
pub(super) fn go(partial: &str) -> String {
    format!(
        "WITH gone AS (
             DELETE FROM qopen.{partial}robot_account AS old WHERE robot_id = ANY ($1) AND NOT EXISTS (
                 SELECT FROM new_account AS new
                 WHERE new.robot_id = old.robot_id AND new.account_id = old.account_id
             )
             RETURNING robot_id, account_id
         )
         INSERT INTO new_row SELECT $2 + row_number() OVER (), robot_id, account_id FROM gone"
    )
}

/// Deletes the tags of the noted accounts, or of some of them.
pub(super) fn untag(partial: &str, which: &str) -> String {
    format!(
        "DELETE FROM qopen.{partial}tag AS old USING (SELECT * FROM new_row {which}) AS new
         WHERE old.robot_id = new.robot_id AND old.account_id = new.account_id"
    )
}

/// Deletes rows of robots, at most [`SOME`].
pub(super) fn some_of_robots(table: &str) -> String {
    format!(
        "DELETE FROM qopen.{table} WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM qopen.{table} WHERE robot_id = ANY ($1) LIMIT {SOME}
         ))"
    )
}

/// Inserts the tags of the noted accounts.
pub(super) fn tag(partial: &str, which: &str) -> String {
    format!(
        "INSERT INTO qopen.{partial}tag
         SELECT robot_id, account_id, place, parent_tag_name, tag_name
         FROM (SELECT * FROM new_tag {which}) AS new JOIN new_row USING (robot_id, account_id)"
    )
}

/// Inserts the tags of all accounts.
pub(super) fn all_tags(partial: &str, which: &str) -> String {
    format!(
        "INSERT INTO qopen.{partial}tag
         SELECT robot_id, account_id, place, parent_tag_name, tag_name FROM new_tag {which}"
    )
}

/// Counts the tags of robots.
pub(super) fn count_tags(partial: &str) -> String {
    format!("SELECT count(*) FROM qopen.{partial}tag WHERE robot_id = ANY ($1)")
}

/// Notes a published list. A list without a number gets the next one; a revision of it keeps that.
pub(super) const NOTE_LIST: &str = "
    INSERT INTO qopen.pull
        (robot_id, complete, mark_id, revision, accounts, list_order, evidence, basis)
    VALUES ($1, $2, $3, $4, $5, coalesce($6, (
        SELECT list_order FROM qopen.pull
        WHERE robot_id = $1 AND complete = $2 AND mark_id = $3
    ), nextval('qopen.list_order')), $7::text::jsonb, $8)
    ON CONFLICT (robot_id, complete) DO UPDATE
    SET mark_id = excluded.mark_id, revision = excluded.revision,
        accounts = excluded.accounts, list_order = excluded.list_order,
        evidence = excluded.evidence, basis = excluded.basis,
        started_at = NULL, published_at = now()";

/// Adds what is noted of a complete list to its row in the history.
pub(super) const COMPLETE_HISTORY: &str = "
    UPDATE qopen.list AS list
    SET list_order = pull.list_order, evidence = pull.evidence, basis = pull.basis
    FROM qopen.pull AS pull
    WHERE pull.robot_id = $1 AND pull.complete AND list.robot_id = pull.robot_id
        AND list.mark_id = pull.mark_id AND list.revision = pull.revision
        AND list.number = (SELECT max(number) FROM qopen.list AS last WHERE last.robot_id = $1)";
