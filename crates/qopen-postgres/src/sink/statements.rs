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
