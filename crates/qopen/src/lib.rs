#![doc = include_str!("../README.md")]

mod client;
mod driver;
mod foreign;
mod forward_queue;
mod messages;
mod outcome;
mod publish;
mod pull;
mod receive;
mod replay;
mod resume;
mod tenure;
mod under_way;
mod understand;
mod worker;

pub use client::{Client, ClientBuilder, ClientError};
pub use foreign::{ForeignEvent, ForeignHandler, ForwardTo};
pub use forward_queue::{ForwardQueue, ForwardQueueBuilder};
pub use outcome::{Outcome, Status};
pub use publish::{PublishError, Published, PublishedList, PulledList, publish, read_out};
pub use pull::{Progress, Pull, PullError, PullRequest};
pub use receive::Stats;
pub use replay::{Replay, ReplayError};
pub use understand::{Understood, understand};
pub use worker::{ClaimedPull, Worker, WorkerOptions};

pub use qopen_assembler as assembler;
pub use qopen_callback as callback;
pub use qopen_http as http;
pub use qopen_journal as journal;
pub use qopen_sink as sink;
pub use qopen_types as types;
