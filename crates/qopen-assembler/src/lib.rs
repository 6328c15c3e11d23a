#![doc = include_str!("../README.md")]

mod assembler;
mod config;
mod event;
mod fold;
mod key;
mod pull;
mod time;
mod winners;

pub use assembler::{Assembler, Counters, ErrorReport, Page, PullError, StartError, Verdict};
pub use config::{Config, Limits, PullOptions, Timing};
pub use event::{Anomaly, Basis, Event, Failure, Limit};
pub use fold::{Fold, ForeignFold};
pub use key::{ContentDigest, Entry, Fingerprint, Keyed, PageDigest, PullKey, Seed};
pub use pull::{Progress, State, WaitingFor};
pub use time::Time;
