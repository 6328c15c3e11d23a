//! The answer to a request by ids, with what it says about its own completeness.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use qopen_types::{
    Account, Endpoint, Json, Refusal, Response, RobotAccountByIdsResponse, TolerantVec,
};
use serde::de::{Deserialize, Deserializer, Error};

use super::gap::AnswerGap;

/// An operation by ids, whose answer keeps the form of its list.
pub(super) struct Answering<E>(PhantomData<E>);

impl<E: Endpoint<Response = RobotAccountByIdsResponse>> Endpoint for Answering<E> {
    const NAME: &'static str = E::NAME;
    const PATH: &'static str = E::PATH;
    const NEEDS_TOKEN: bool = E::NEEDS_TOKEN;
    type Request = E::Request;
    type Response = Answer;
}

/// An answer, and whether its `account_list` is a list.
pub(super) struct Answer {
    answer: RobotAccountByIdsResponse,
    is_list: bool,
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = Json::deserialize(deserializer)?;
        let answer: RobotAccountByIdsResponse =
            serde_json::from_str(whole.as_str()).map_err(D::Error::custom)?;
        let data = member(&whole, "data");
        let list = data.as_ref().and_then(|data| member(data, "account_list"));
        let is_list = list.is_some_and(|list| match list.as_str().as_bytes() {
            // Customers whose keys are numbers are a list, too.
            [b'{', .., b'}'] => list.as_str() != "{}",
            text => text.first() == Some(&b'['),
        });
        Ok(Self { answer, is_list })
    }
}

impl Response for Answer {
    fn refusal(&self) -> Option<Refusal> {
        self.answer.refusal()
    }
}

impl Answer {
    pub(super) fn gap(&self) -> Option<AnswerGap> {
        let data = self.answer.data.as_ref()?;
        let mut all = data.extra.iter().chain(self.answer.extra.iter());
        if all.any(|(name, value)| is_failure(name, value.as_str())) {
            return Some(AnswerGap::PartlyFailed);
        }
        if data.extra.get("has_more").is_some_and(|it| !is_false(it.as_str())) {
            return Some(AnswerGap::HasMore);
        }
        (!self.is_list).then_some(AnswerGap::NoList)
    }

    pub(super) fn into_accounts(self) -> Option<TolerantVec<Account>> {
        self.answer.data.and_then(|it| it.account_list)
    }
}

/// A member of an object, the last of its name.
fn member(object: &Json, name: &str) -> Option<Json> {
    let members: BTreeMap<String, Json> = serde_json::from_str(object.as_str()).ok()?;
    members.into_iter().find(|it| it.0 == name).map(|it| it.1)
}

/// Whether a member lists what failed, as `failed_list` of GetRobotStatusSync does, or has an error code.
fn is_failure(name: &str, value: &str) -> bool {
    let is_code = ["errcode", "err_code"].contains(&name);
    let is_list = name.contains("fail");
    (is_code || is_list) && !is_false(value)
}

/// Whether a value is false, zero, null, or empty.
fn is_false(value: &str) -> bool {
    let text = value.trim_matches('"').trim();
    text.is_empty()
        || ["[]", "{}", "null", "0", "0.0", "false"].iter().any(|it| text.eq_ignore_ascii_case(it))
}
