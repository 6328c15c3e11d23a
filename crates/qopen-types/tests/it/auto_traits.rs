//! Public types can be moved to another thread and shared with it.

use qopen_types::{
    Account, AccountId, CallbackSkim, Digest, EventType, Extra, Json, MarkId, PullId, Reading,
    Readings, RobotAccountListCallback, RobotId, Secret, SkimError, UnreadFields,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<Account>();
    is::<AccountId>();
    is::<CallbackSkim<'static>>();
    is::<Digest>();
    is::<EventType>();
    is::<Extra>();
    is::<Json>();
    is::<MarkId>();
    is::<PullId>();
    is::<Reading>();
    is::<Readings>();
    is::<RobotAccountListCallback>();
    is::<RobotId>();
    is::<Secret>();
    is::<SkimError>();
    is::<UnreadFields>();
};
