//! Public types can be moved to another thread and shared with it.

use qopen_engine::{
    ClaimedPull, Engine, EngineBuilder, EngineError, EngineStats, FollowedPull, Incoming, Intake,
    NotKept, Outcome, Progress, PublishError, PublishOptions, Published, PublishedList, Pull,
    PullError, PullFigures, PullRequest, PullService, PulledList, RefusalCount, Replay,
    ReplayError, Replayed, RequestError, ServiceOptions, Status, TakePlaceError, Target,
    UnknownPull, Worker, WorkerOptions,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<ClaimedPull>();
    is::<Engine>();
    is::<EngineBuilder>();
    is::<EngineError>();
    is::<EngineStats>();
    is::<FollowedPull>();
    is::<Incoming>();
    is::<Intake>();
    is::<NotKept>();
    is::<Outcome>();
    is::<Progress>();
    is::<PublishError>();
    is::<PublishOptions>();
    is::<Published>();
    is::<PublishedList>();
    is::<Pull>();
    is::<PullError>();
    is::<PullFigures>();
    is::<PullRequest>();
    is::<PullService>();
    is::<PulledList>();
    is::<RefusalCount>();
    is::<Replay>();
    is::<ReplayError>();
    is::<Replayed>();
    is::<RequestError>();
    is::<ServiceOptions>();
    is::<Status>();
    is::<TakePlaceError>();
    is::<Target>();
    is::<UnknownPull>();
    is::<Worker>();
    is::<WorkerOptions>();
};
