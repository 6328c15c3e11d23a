#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod chance;
mod dataset;
mod delivery;
mod odd;
mod platform;
mod schedule;
mod state;

pub use chance::Chance;
pub use dataset::{Dataset, TestPage, Version};
pub use platform::{Counts, Simulator, StartError};
pub use schedule::{ErrorFault, Odd, Refusal, Schedule};
pub use state::SimulatorConfig;
