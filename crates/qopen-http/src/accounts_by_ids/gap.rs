//! Gaps of answers.

/// Why an answer may not cover all ids of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerGap {
    /// `has_more` is true or unreadable.
    #[error("the answer says that it has more pages, which the platform does not describe")]
    HasMore,
    /// `account_list` is null, an empty object or an empty text, which may be an empty list.
    #[error("`account_list` of the answer is not a list")]
    NoList,
    /// The answer reports a failure of its own for a part of the ids.
    #[error("the answer says that the platform failed for some of the customers")]
    PartlyFailed,
    /// The list has accounts that were not asked for, or accounts whose ids are unreadable.
    #[error("the answer has accounts that were not asked for or have unreadable ids")]
    OtherAccounts,
}
