//! Looks up customers by their ids, by the platform's HTTP API.

use async_trait::async_trait;
use qopen_engine::{AccountLookup, LookupError};
use qopen_http::{AccountsByIdsVersion, Sender};
use qopen_types::{AccountId, RobotId};

/// Looks up customers by HTTP. The cause of its errors is a [`SendError`](qopen_http::SendError), or the
/// number of accounts in the answer that were not asked for, or whose ids are not readable.
pub(crate) struct ById(pub(crate) Sender, pub(crate) AccountsByIdsVersion);

#[async_trait]
impl AccountLookup for ById {
    async fn look_up(
        &self,
        robot_id: &RobotId,
        ids: &[AccountId],
    ) -> Result<Vec<AccountId>, LookupError> {
        let found = self.0.accounts_by_ids(robot_id, ids, self.1).await.map_err(|error| {
            let not_offered = error.is_not_offered();
            LookupError::new(error).not_offered(not_offered)
        })?;
        let unexpected = found.unreadable + found.unasked;
        if unexpected > 0 {
            let why = format!(
                "the answer has {unexpected} accounts that were not asked for or have unreadable ids"
            );
            return Err(LookupError::new(why));
        }
        // A removed customer is not in the list by right.
        let is_there = |account: &qopen_types::Account| {
            !account.deleted_by_contact && !account.deleted_by_staff
        };
        Ok(found.accounts.into_iter().filter(|it| is_there(&it.1)).map(|it| it.0).collect())
    }
}
