#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod forward_queue;
mod lookup;
mod open;
mod other_events;
mod receive;
mod send;
mod stats;

pub use client::{Client, ClientBuilder};
pub use forward_queue::{ForwardListener, ForwardQueue, ForwardQueueBuilder};
pub use open::{backend, open};
pub use other_events::{EventContent, ForwardTo, OtherEvent, OtherEventHandler};
pub use send::send_error;
pub use stats::Stats;

pub use qopen_engine::{
    ClaimedPull, Classified, ClassifiedPage, Destination, EngineError as ClientError, FollowedPull,
    Outcome, Progress, PublishError, PublishOptions, Published, PublishedList, Pull, PullError,
    PullFigures, PullPolicy, PullRequest, PullService, PulledList, Replay, ReplayError, Replayed,
    RequestError, ServiceEvent, ServiceObserver, ServiceOptions, Status, TakePlaceError, Target,
    UnknownPull, Unreadable, Worker, WorkerOptions, classify, export, kept_list, publish,
    publish_with, quarantine_line,
};

pub use qopen_assembler as assembler;
pub use qopen_callback as callback;
pub use qopen_engine as engine;
pub use qopen_http as http;
pub use qopen_journal as journal;
#[cfg(feature = "postgres")]
pub use qopen_postgres as postgres;
pub use qopen_sink as sink;
#[cfg(feature = "sqlite")]
pub use qopen_sqlite as sqlite;
pub use qopen_types as types;
