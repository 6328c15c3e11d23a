//! Public types can be moved to another thread and shared with it.

use qopen_engine::{
    ClaimedPull, Engine, EngineBuilder, EngineError, EngineStats, Incoming, Intake, NotKept,
    Outcome, Progress, PublishError, PublishOptions, Published, Pull, PullError, PullRequest,
    PulledList, Replay, RequestError, Status, Worker, WorkerOptions,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<ClaimedPull>();
    is::<Engine>();
    is::<EngineBuilder>();
    is::<EngineError>();
    is::<EngineStats>();
    is::<Incoming>();
    is::<Intake>();
    is::<NotKept>();
    is::<Outcome>();
    is::<Progress>();
    is::<PublishError>();
    is::<PublishOptions>();
    is::<Published>();
    is::<Pull>();
    is::<PullError>();
    is::<PullRequest>();
    is::<PulledList>();
    is::<Replay>();
    is::<RequestError>();
    is::<Status>();
    is::<Worker>();
    is::<WorkerOptions>();
};
