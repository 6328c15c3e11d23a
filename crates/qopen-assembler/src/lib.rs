#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod assembler;
#[cfg(feature = "std")]
mod collect;
mod config;
mod event;
mod facts;
mod fold;
mod input;
mod key;
mod lifecycle;
#[cfg(feature = "serde")]
mod persist;
mod progress;
mod pull;
mod time;
mod tombstone;
mod winners;

pub use assembler::Assembler;
#[cfg(feature = "std")]
pub use collect::Collector;
pub use config::{Config, Limits, PullOptions, Timing};
pub use event::{Anomaly, Basis, Event, Failure, Limit};
pub use fold::{Fold, PullMismatch};
pub use input::{Counters, ErrorReport, MergeError, NotEnded, NotOpen, Page, StartError, Verdict};
pub use key::{ContentDigest, Entry, Fingerprint, Keyed, PageDigest, PullKey, Seed};
#[cfg(feature = "serde")]
pub use persist::{EventsWaiting, Saved, UnknownVersion};
pub use progress::{Figures, PullProgress, State, WaitingFor};
pub use time::Time;
