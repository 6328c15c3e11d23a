//! The statements of a comparison.

use qopen_sink::storage::{KEPT_CHANGES, KEPT_LISTS};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};

use crate::sink::statements::SOME;

/// Reads what the database knows of the robots' last lists: the published list, the number of its rows, and its
/// place in the history if the new list is a revision of it.
pub(super) const PREVIOUS: &str = "
    SELECT pull.mark_id, pull.revision, pull.accounts,
        (SELECT count(*) FROM qopen.robot_account AS old WHERE old.robot_id = asked.robot_id),
        list.number, list.baseline, list.since_mark_id, list.since_revision, list.accounts_before,
        list.added + list.gone + list.lost + list.removed + list.returned + list.changed,
        (SELECT count(*) FROM qopen.change AS past
            WHERE past.robot_id = list.robot_id AND past.number = list.number),
        greatest(
            (SELECT max(number) FROM qopen.list AS past WHERE past.robot_id = asked.robot_id),
            (SELECT max(number) FROM qopen.change AS past WHERE past.robot_id = asked.robot_id),
            0
        )
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (robot_id, mark_id, place)
    LEFT JOIN qopen.pull ON pull.robot_id = asked.robot_id AND complete
    LEFT JOIN qopen.list ON list.robot_id = asked.robot_id AND list.mark_id = asked.mark_id
        AND list.mark_id = pull.mark_id AND list.revision = pull.revision
        AND list.number = (SELECT max(number) FROM qopen.list AS past WHERE past.robot_id = asked.robot_id)
    ORDER BY place";

pub(super) const NEW_LIST: &str = "
    INSERT INTO new_list VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

pub(super) const COPY_CHANGES: &str =
    "COPY new_change (n, robot_id, account_id, change, fields) FROM STDIN";

/// Finds the accounts of the new lists whose record differs from the list before. The first column after the key
/// is null if that list lacks the account. Equal records are recognised by their text.
pub(super) fn differing(is_revision: bool, which: &str) -> String {
    let (past, before) = earlier(is_revision, "new");
    format!(
        "SELECT new.robot_id, new.account_id, before.record,
             CASE WHEN before.record IS NOT NULL THEN new.account::text END
         FROM (SELECT * FROM new_account {which}) AS new
         JOIN new_list ON new_list.robot_id = new.robot_id AND NOT baseline
         LEFT JOIN qopen.robot_account AS old
             ON old.robot_id = new.robot_id AND old.account_id = new.account_id
         {past}
         CROSS JOIN LATERAL (SELECT {before} AS record) AS before
         WHERE before.record IS DISTINCT FROM new.account::text"
    )
}

/// Adds the accounts that only the list before has, numbered after `$1`.
pub(super) fn gone(is_revision: bool) -> String {
    let (past, before) = earlier(is_revision, "old");
    // An account that was gone in the revision before is in no list.
    let again = match is_revision {
        true => {
            "UNION ALL SELECT past.robot_id, past.account_id, 'gone', '{}'::text[]
             FROM new_list JOIN qopen.change AS past
                 ON past.robot_id = new_list.robot_id AND past.number = replaced AND past.change = 'gone'
             WHERE NOT baseline AND NOT EXISTS (
                 SELECT FROM new_account AS new
                 WHERE new.robot_id = past.robot_id AND new.account_id = past.account_id
             )"
        }
        false => "",
    };
    format!(
        "INSERT INTO new_change (n, robot_id, account_id, change, fields)
         SELECT $1 + row_number() OVER (), gone.* FROM (
         SELECT old.robot_id, old.account_id, 'gone', '{{}}'::text[]
         FROM new_list JOIN qopen.robot_account AS old ON old.robot_id = new_list.robot_id
         {past}
         WHERE NOT baseline AND {before} IS NOT NULL AND NOT EXISTS (
             SELECT FROM new_account AS new
             WHERE new.robot_id = old.robot_id AND new.account_id = old.account_id
         )
         {again}) AS gone"
    )
}

/// A join with the changes of the revision that a list replaces, and the record in the list before that: the
/// changes have it of each account that they name, the table of any other.
fn earlier(is_revision: bool, of: &str) -> (String, &'static str) {
    match is_revision {
        true => (
            format!(
                "LEFT JOIN qopen.change AS past ON past.robot_id = {of}.robot_id
                     AND past.number = replaced AND past.account_id = {of}.account_id"
            ),
            "CASE WHEN past.robot_id IS NULL THEN old.account::text ELSE past.before::text END",
        ),
        false => (String::new(), "old.account::text"),
    }
}

/// Reads the accounts that are gone, in the order of the lists.
pub(super) const GONE: &str = "
    DECLARE gone NO SCROLL CURSOR FOR
    SELECT robot_id, account_id FROM new_change JOIN new_list USING (robot_id)
    WHERE change = 'gone' ORDER BY place, account_id";

/// Adds the changes. A revision's replace those of the same accounts, and keep the record before.
pub(super) fn stage(which: &str) -> String {
    format!(
        "INSERT INTO qopen.change AS past (
             robot_id, number, account_id, mark_id, revision, since_mark_id, since_revision,
             change, fields, before, account
         )
         SELECT found.robot_id, number, found.account_id, mark_id, revision, since_mark_id, since_revision,
             change, fields, old.account, new.account
         FROM (SELECT * FROM new_change {which}) AS found
         JOIN new_list ON new_list.robot_id = found.robot_id
         LEFT JOIN qopen.robot_account AS old
             ON old.robot_id = found.robot_id AND old.account_id = found.account_id
         LEFT JOIN new_account AS new
             ON new.robot_id = found.robot_id AND new.account_id = found.account_id
         ON CONFLICT (robot_id, number, account_id) DO UPDATE
         SET revision = excluded.revision, change = excluded.change, fields = excluded.fields,
             account = excluded.account"
    )
}

/// Removes the changes of replaced revisions that the new ones do not have.
pub(super) const UNSTAGE: &str = "
    DELETE FROM qopen.change AS past USING new_list
    WHERE past.robot_id = new_list.robot_id AND past.number = replaced AND NOT EXISTS (
        SELECT FROM new_change AS found
        WHERE found.robot_id = past.robot_id AND found.account_id = past.account_id
    )";

/// Adds a list to the history, or replaces its earlier revision. The commit adds order and basis.
pub(super) const HISTORY: &str = "
    INSERT INTO qopen.list (
        robot_id, number, mark_id, revision, baseline, since_mark_id, since_revision,
        accounts_before, accounts, added, gone, lost, removed, returned, changed, digest, digest_before
    )
    SELECT robot_id, number, mark_id, revision, baseline, since_mark_id, since_revision,
        $2, $3, $4, $5, $6, $7, $8, $9, $10, (
            SELECT past.digest FROM qopen.list AS past
            WHERE past.robot_id = new_list.robot_id AND past.number = new_list.number - 1
                AND past.mark_id = new_list.since_mark_id
                AND past.revision = new_list.since_revision
        )
    FROM new_list WHERE robot_id = $1
    ON CONFLICT (robot_id, number) DO UPDATE
    SET (mark_id, revision, baseline, since_mark_id, since_revision, accounts_before, accounts,
         added, gone, lost, removed, returned, changed, digest, digest_before,
         list_order, evidence, basis, published_at)
        = ROW (excluded.mark_id, excluded.revision, excluded.baseline, excluded.since_mark_id,
         excluded.since_revision, excluded.accounts_before, excluded.accounts,
         excluded.added, excluded.gone, excluded.lost, excluded.removed, excluded.returned,
         excluded.changed, excluded.digest, excluded.digest_before, NULL, NULL, NULL, now())";

/// Removes changes of old lists, at most [`SOME`].
pub(super) fn forget_changes() -> String {
    format!(
        "DELETE FROM qopen.change WHERE ctid = ANY (ARRAY (
             SELECT past.ctid FROM new_list JOIN qopen.change AS past
                 ON past.robot_id = new_list.robot_id AND past.number <= new_list.number - {KEPT_CHANGES}
             LIMIT {SOME}
         ))"
    )
}

/// Removes old lists from the history.
pub(super) fn forget_lists() -> String {
    format!(
        "DELETE FROM qopen.list AS past USING new_list
         WHERE past.robot_id = new_list.robot_id AND past.number <= new_list.number - {KEPT_LISTS}"
    )
}

/// Tries every statement of a comparison without an account, to find out whether the user may. A plan needs the same
/// rights as its execution, and reads no row of a long list.
pub(in crate::sink) async fn try_all(client: &Client) -> Result<(), Error> {
    let none: &[&str] = &[];
    client.query(PREVIOUS, &[&none, &none]).await?;
    for is_revision in [false, true] {
        let gone = gone(is_revision).replace("$1", "0");
        for statement in [differing(is_revision, ""), gone] {
            client.batch_execute(&format!("EXPLAIN {statement}")).await?;
        }
    }
    client.batch_execute(GONE).await?;
    for statement in [&stage(""), UNSTAGE, &forget_changes(), &forget_lists()] {
        client.batch_execute(&format!("EXPLAIN {statement}")).await?;
    }
    let zero = &0_i64;
    let none = &None::<&str>;
    let values: [&(dyn ToSql + Sync); 10] =
        [&"", zero, zero, zero, zero, zero, zero, zero, zero, none];
    client.execute(HISTORY, &values).await.map(drop)
}
