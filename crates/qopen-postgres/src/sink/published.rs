//! A published list, as `qopen.pull` has it.

use qopen_sink::storage::Digester;
use qopen_sink::{ListBasis, ListInfo};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use crate::database::Parameter;

pub(super) struct Published {
    pub(super) mark: String,
    pub(super) revision: i64,
    pub(super) accounts: i64,
    pub(super) order: Option<i64>,
    pub(super) basis: Option<ListBasis>,
    /// Digests the records, unless they came out of order.
    digester: Option<Digester>,
    /// The last account.
    last: String,
}

impl Published {
    pub(super) fn of(list: &ListInfo<'_>) -> Self {
        let (mark, revision) = (list.mark_id.to_string(), i64::from(list.revision));
        let order = list.order.and_then(|order| i64::try_from(order).ok());
        Self {
            mark,
            revision,
            accounts: 0,
            order,
            basis: None,
            digester: Some(Digester::default()),
            last: String::new(),
        }
    }

    /// Counts a record, a line of JSON.
    pub(super) fn add(&mut self, account: &str, record: &str) {
        if self.accounts > 0 && *account <= *self.last {
            self.digester = None;
        }
        self.accounts += 1;
        account.clone_into(&mut self.last);
        self.digester.iter_mut().for_each(|it| it.add(record.as_bytes()));
    }

    /// The digest of the list's lines, if its records came in the order of the accounts.
    pub(super) fn digest(&self) -> Option<String> {
        self.digester.as_ref().map(|it| it.finish().digest.to_string())
    }

    /// Returns whether the database holds a later complete list of the robot: one with a greater number, or a
    /// later revision of the same pull.
    pub(super) async fn is_superseded(&self, client: &Client, robot: &str) -> Result<bool, Error> {
        let later = "SELECT FROM qopen.pull WHERE robot_id = $1 AND complete AND (
                 mark_id <> $2 AND list_order > $4 OR mark_id = $2 AND revision > $3
             )";
        let Self { mark, revision, order, .. } = self;
        let values: [Parameter<'_>; 4] =
            [(&robot, Type::TEXT), (mark, Type::TEXT), (revision, Type::INT8), (order, Type::INT8)];
        Ok(client.query_typed_opt(later, &values).await?.is_some())
    }
}
