#![doc = include_str!("../README.md")]

mod accepted;
mod cancel;
mod classify;
mod client;
mod counts;
mod driver;
mod engine;
mod error;
mod fact;
mod foreign;
mod forward_queue;
mod handle;
mod intake;
mod known;
mod messages;
mod outcome;
mod progress;
mod publish;
mod pull;
mod receive;
mod refusals;
mod replay;
mod requester;
mod resume;
mod send;
mod stats;
mod status;
mod tenure;
mod under_way;
mod worker;

pub use accepted::{Accepted, Incoming, NotKept};
pub use classify::{Classified, ClassifiedPage, Unreadable, classify};
pub use client::{Client, ClientBuilder, ClientError};
pub use counts::{EngineStats, Stranger};
pub use engine::{Engine, EngineBuilder, EngineError};
pub use error::PullError;
pub use foreign::{ForeignEvent, ForeignHandler, ForwardTo};
pub use forward_queue::{ForwardQueue, ForwardQueueBuilder};
pub use intake::Intake;
pub use outcome::{Outcome, PulledList};
pub use progress::Progress;
pub use publish::{
    PublishError, PublishOptions, Published, PublishedList, publish, publish_with, quarantine_line,
    read_out,
};
pub use pull::{Pull, PullRequest};
pub use refusals::{RefusalCount, RefusalSource, Refused};
pub use replay::{Replay, ReplayError, Replayed};
pub use requester::{RequestError, Requester};
pub use resume::kept_list;
pub use send::send_error;
pub use stats::Stats;
pub use status::Status;
pub use worker::{ClaimedPull, TakePlaceError, Worker, WorkerOptions};

pub use qopen_assembler as assembler;
pub use qopen_callback as callback;
pub use qopen_http as http;
pub use qopen_journal as journal;
pub use qopen_sink as sink;
pub use qopen_types as types;
