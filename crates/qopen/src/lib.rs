#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod foreign;
mod forward_queue;
mod open;
mod receive;
mod send;
mod stats;

pub use client::{Client, ClientBuilder};
pub use foreign::{ForeignEvent, ForeignHandler, ForwardTo};
pub use forward_queue::{ForwardQueue, ForwardQueueBuilder};
pub use open::{backend, open};
pub use send::send_error;
pub use stats::Stats;

pub use qopen_engine::{
    ClaimedPull, Classified, ClassifiedPage, EngineError as ClientError, Outcome, Progress,
    PublishError, PublishOptions, Published, PublishedList, Pull, PullError, PullRequest,
    PulledList, Replay, ReplayError, Replayed, RequestError, Status, Stranger, TakePlaceError,
    Unreadable, Worker, WorkerOptions, classify, export, kept_list, publish, publish_with,
    quarantine_line,
};

pub use qopen_assembler as assembler;
pub use qopen_callback as callback;
pub use qopen_engine as engine;
pub use qopen_http as http;
pub use qopen_journal as journal;
#[cfg(feature = "postgres")]
pub use qopen_postgres as postgres;
pub use qopen_sink as sink;
pub use qopen_types as types;
