#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(any(feature = "std", test)), no_std)]

extern crate alloc;

mod account;
mod beginning;
mod canonical;
mod change_counts;
mod digest;
mod elements;
mod endpoint;
mod event;
mod extra;
mod generated;
mod ids;
mod json;
mod json_schema;
mod layout;
mod payload;
mod pull_id;
mod reader;
mod reading;
mod refusal;
mod repair;
mod response;
mod scan;
mod secret;
mod skim;
mod storage;
mod tolerant_vec;
mod unread;
mod upgrade;
mod wire;

pub use change_counts::ChangeCounts;
pub use digest::{Digest, InvalidDigest};
pub use endpoint::{CallbackPayload, Endpoint, Response};
pub use event::EventType;
pub use extra::Extra;
pub use generated::*;
pub use ids::{AccountId, InvalidId, MarkId, RobotId};
pub use json::{InvalidJson, Json};
pub use layout::{Cell, Code, Column, Rows};
pub use payload::PayloadText;
pub use pull_id::PullId;
pub use reading::{Reading, Readings};
pub use refusal::Refusal;
pub use response::ResponseError;
pub use scan::QuotedTexts;
pub use secret::Secret;
pub use skim::{AccountSkim, CallbackSkim, PageSkim, SkimError};
pub use storage::StorageId;
pub use tolerant_vec::{InvalidItem, Item, TolerantVec};
pub use unread::{Tolerant, UnreadFields};
pub use upgrade::{FormatChange, Upgrade};
