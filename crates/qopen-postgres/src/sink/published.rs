//! A published list, as `qopen.pull` has it.

use qopen_sink::ListInfo;
use tokio_postgres::{Client, Error};

pub(super) struct Published {
    pub(super) mark: String,
    pub(super) revision: i64,
    pub(super) accounts: i64,
    pub(super) order: Option<i64>,
}

impl Published {
    pub(super) fn of(list: &ListInfo<'_>) -> Self {
        let (mark, revision) = (list.mark_id.to_string(), i64::from(list.revision));
        let order = list.order.and_then(|order| i64::try_from(order).ok());
        Self { mark, revision, accounts: 0, order }
    }

    /// Returns whether the database holds a later complete list of the robot: one with a greater number, or a
    /// later revision of the same pull.
    pub(super) async fn is_superseded(&self, client: &Client, robot: &str) -> Result<bool, Error> {
        let later = "SELECT FROM qopen.pull WHERE robot_id = $1 AND complete AND (
                 mark_id <> $2 AND list_order > $4 OR mark_id = $2 AND revision > $3
             )";
        let Self { mark, revision, order, .. } = self;
        Ok(client.query_opt(later, &[&robot, mark, revision, order]).await?.is_some())
    }
}
