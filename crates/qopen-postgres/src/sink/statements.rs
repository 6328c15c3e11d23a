//! The statements of a publication.

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
