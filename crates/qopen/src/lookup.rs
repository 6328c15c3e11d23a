//! Looks up customers by their ids, by the platform's HTTP API.

use async_trait::async_trait;
use qopen_engine::{AccountLookup, LookupError};
use qopen_http::{AccountsByIdsVersion, AnswerGap, Sender};
use qopen_types::{Account, AccountId, RobotId};

/// Looks up customers by HTTP. The cause of its errors is a [`SendError`](qopen_http::SendError), or the
/// [`AnswerGap`] of an answer that does not cover all ids.
pub(crate) struct ById(pub(crate) Sender, pub(crate) AccountsByIdsVersion);

#[async_trait]
impl AccountLookup for ById {
    async fn look_up(
        &self,
        robot_id: &RobotId,
        ids: &[AccountId],
    ) -> Result<Vec<AccountId>, LookupError> {
        let (mut present, mut unanswered) = (Vec::new(), ids.to_vec());
        loop {
            let answer = self.0.accounts_by_ids(robot_id, &unanswered, self.1).await;
            let found = answer.map_err(|error| {
                let not_offered = error.is_not_offered();
                LookupError::new(error).not_offered(not_offered)
            })?;
            let before = unanswered.len();
            unanswered.retain(|id| !found.accounts.contains_key(id));
            let is_progress = unanswered.len() < before;
            let there = found.accounts.into_iter().filter(|(_, account)| is_there(account));
            present.extend(there.map(|(id, _)| id));
            match found.gap {
                None => return Ok(present),
                Some(_) if unanswered.is_empty() => return Ok(present),
                // The platform has no parameter for a page of this call. Fewer ids need fewer pages.
                Some(AnswerGap::HasMore) if is_progress => {}
                Some(gap) => return Err(LookupError::new(gap).partly(present, unanswered)),
            }
        }
    }
}

/// A removed customer is not in the list by right.
fn is_there(account: &Account) -> bool {
    !account.deleted_by_contact && !account.deleted_by_staff
}
