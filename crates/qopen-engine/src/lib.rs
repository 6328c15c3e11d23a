#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accepted;
mod adoption;
mod cancel;
mod classify;
mod confirm;
mod counts;
mod driver;
mod engine;
mod error;
mod event_queue;
mod fact;
mod handle;
mod held_claim;
mod in_flight;
mod intake;
mod known;
mod messages;
mod outcome;
mod progress;
mod publish;
mod pull;
mod refusals;
mod replay;
mod requester;
mod resume;
mod service;
mod spans;
mod status;
mod status_kind;
mod whose;
mod worker;

pub use accepted::{Accepted, Incoming, NotKept};
pub use classify::{Classified, ClassifiedPage, Unreadable, classify};
pub use confirm::CustomerDifference;
pub use counts::{EngineStats, UnknownPull};
pub use engine::{Engine, EngineBuilder, EngineError};
pub use error::PullError;
pub use event_queue::{DeliveryError, EventListener, EventQueue, EventQueueBuilder, QueueError};
pub use intake::Intake;
pub use outcome::{Outcome, PulledList};
pub use progress::Progress;
pub use publish::{
    AccountLookup, GoneCheck, LOOKUP_LIMIT, LeftOutRobot, LookupError, MaxGone, ParseMaxGoneError,
    PublishError, PublishOptions, Published, PublishedList, export, publish, publish_with,
    quarantine_line, supersede_earlier,
};
pub use pull::{Pull, PullRequest};
pub use refusals::{RefusalCount, RefusalSource, Refused};
pub use replay::{Replay, ReplayError, Replayed};
pub use requester::{RequestError, Requester};
pub use resume::{kept_list, published_list};
pub use service::{
    Destination, FollowedPull, PullFigures, PullPolicy, PullService, RepeatReason, ServiceEvent,
    ServiceObserver, ServiceOptions, Target,
};
pub use status::Status;
pub use status_kind::StatusKind;
pub use worker::{ClaimedPull, TakePlaceError, Worker, WorkerOptions};
