//! Public types can be moved to another thread and shared with it.

use qopen_engine::{
    ClaimedPull, DeliveryError, Engine, EngineBuilder, EngineError, EngineStats, EventQueue,
    EventQueueBuilder, FollowedPull, Incoming, Intake, NotKept, Outcome, Progress, PublishError,
    PublishOptions, Published, PublishedList, Pull, PullError, PullFigures, PullRequest,
    PullService, PulledList, QueueError, RefusalCount, Replay, ReplayError, Replayed, RequestError,
    ServiceOptions, Status, TakePlaceError, Target, UnknownPull, Worker, WorkerOptions,
};

const fn is<T: Send + Sync>() {}

const _: () = {
    is::<ClaimedPull>();
    is::<DeliveryError>();
    is::<Engine>();
    is::<EngineBuilder>();
    is::<EngineError>();
    is::<EngineStats>();
    is::<EventQueue>();
    is::<EventQueueBuilder>();
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
    is::<QueueError>();
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
