//! GetRobotAccountByIds and its second version: customers by their ids.

mod answer;
mod gap;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use qopen_types::{
    Account, AccountId, Endpoint, GetRobotAccountByIds, GetRobotAccountByIdsV2, Item,
    RobotAccountByIdsRequest, RobotAccountByIdsV2Request, RobotId,
};

use crate::content_error::ContentError;
use crate::{SendError, Sender};
use answer::{Answer, Answering};
pub use gap::AnswerGap;

/// Ids of a request, by the platform's limit.
const IDS: usize = 100;

/// The version of the operation that returns customers by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AccountsByIdsVersion {
    /// GetRobotAccountByIdsV2.
    V2,
    /// GetRobotAccountByIds, which the vendor calls deprecated.
    V1,
}

/// The customers that the platform returned for their ids.
///
/// An account that is absent may have been removed, or the platform may have left it out. A flag such as
/// `deleted_by_contact` that is unreadable is false, and named in the account's `unread`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountsByIds {
    /// The accounts that were asked for and returned, each once.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Accounts that were returned more than once; the one with the highest digest is kept.
    pub duplicates: usize,
    /// Accounts that were not asked for, which are dropped.
    pub unasked: usize,
    /// Accounts whose id is unreadable. Each may be one that was asked for.
    pub unreadable: usize,
    /// Why the answer may not cover the ids that are not in `accounts`. `None`, if it covers them: the
    /// platform does not have these customers.
    pub gap: Option<AnswerGap>,
}

impl Sender {
    /// Asks for up to 100 customers of a robot by their ids, in one request (protocol section 6).
    ///
    /// The request has the retries, the token and the rate limit of [`call`](Self::call). It asks for
    /// attributes and not for tags.
    ///
    /// # Errors
    /// [`SendError`]. [`SendError::NumberOfIds`], if there are no ids or more than 100 different ones;
    /// then nothing is sent. [`is_not_offered`](SendError::is_not_offered) tells that the platform does
    /// not offer this version.
    pub async fn accounts_by_ids(
        &self,
        robot: &RobotId,
        ids: &[AccountId],
        version: AccountsByIdsVersion,
    ) -> Result<AccountsByIds, SendError> {
        let asked: BTreeSet<&AccountId> = ids.iter().collect();
        let endpoint = match version {
            AccountsByIdsVersion::V2 => GetRobotAccountByIdsV2::NAME,
            AccountsByIdsVersion::V1 => GetRobotAccountByIds::NAME,
        };
        if asked.is_empty() || asked.len() > IDS {
            return Err(SendError::NumberOfIds { endpoint, ids: asked.len(), limit: IDS });
        }
        let account_id_list = asked.iter().copied().cloned().collect();
        let answer = match version {
            AccountsByIdsVersion::V2 => {
                let mut request = RobotAccountByIdsV2Request::new(robot.clone());
                request.account_id_list = account_id_list;
                (request.need_user_attr_field, request.need_user_attr_sys_field) = (true, true);
                self.call::<Answering<GetRobotAccountByIdsV2>>(&request).await?
            }
            AccountsByIdsVersion::V1 => {
                let mut request = RobotAccountByIdsRequest::new(robot.clone());
                request.account_id_list = account_id_list;
                self.call::<Answering<GetRobotAccountByIds>>(&request).await?
            }
        };
        read(answer, &asked).map_err(|source| SendError::Content { endpoint, source })
    }
}

fn read(answer: Answer, asked: &BTreeSet<&AccountId>) -> Result<AccountsByIds, ContentError> {
    let mut all = AccountsByIds { gap: answer.gap(), ..AccountsByIds::default() };
    // Without a list the answer says nothing: not that every customer is gone.
    let absent = ContentError::Absent { field: "account_list" };
    for item in answer.into_accounts().ok_or(absent)? {
        match item {
            Item::Invalid(_) => all.unreadable += 1,
            Item::Valid(it) if !asked.contains(&it.account_id) => all.unasked += 1,
            Item::Valid(it) => match all.accounts.entry(it.account_id.clone()) {
                Entry::Vacant(place) => drop(place.insert(it)),
                Entry::Occupied(mut kept) => {
                    all.duplicates += 1;
                    if it.digest().to_u128() > kept.get().digest().to_u128() {
                        kept.insert(it);
                    }
                }
            },
        }
    }
    if all.unreadable + all.unasked > 0 {
        all.gap = all.gap.or(Some(AnswerGap::OtherAccounts));
    }
    Ok(all)
}
