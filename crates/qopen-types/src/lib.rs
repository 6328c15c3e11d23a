#![doc = include_str!("../README.md")]

mod account;
mod answer;
mod digest;
mod endpoint;
mod entries;
mod event;
mod extra;
mod generated;
mod ids;
mod json;
mod normalize;
mod reader;
mod secret;
mod skim;
mod wire;

pub use answer::{AnswerError, Refusal};
pub use digest::Digest;
pub use endpoint::{CallbackPayload, Endpoint};
pub use entries::{Entries, Entry, Unread};
pub use event::EventType;
pub use extra::Extra;
pub use generated::*;
pub use ids::{AccountId, InvalidId, MarkId, RobotId};
pub use json::{InvalidJson, Json};
pub use secret::Secret;
pub use skim::{AccountSkim, CallbackSkim, PageSkim, SkimError};
