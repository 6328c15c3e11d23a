//! Public types can be moved to another thread and shared with it.

use qopen::{
    Client, ClientBuilder, ForwardQueue, ForwardQueueBuilder, ForwardTo, Outcome, Progress, Pull,
    PullRequest, Stats, Worker,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<Client>();
    is::<ClientBuilder>();
    is::<ForwardQueue>();
    is::<ForwardQueueBuilder>();
    is::<ForwardTo>();
    is::<Outcome>();
    is::<Progress>();
    is::<Pull>();
    is::<PullRequest>();
    is::<Stats>();
    is::<Worker>();
};
