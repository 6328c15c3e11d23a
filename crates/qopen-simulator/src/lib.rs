#![doc = include_str!("../README.md")]

mod chance;
mod dataset;
mod delivery;
mod odd;
mod platform;
mod schedule;

pub use dataset::{Dataset, TestPage, Version};
pub use platform::{Counts, Simulator, SimulatorConfig, StartError};
pub use schedule::{Chance, ErrorFault, Odd, Refusal, Schedule};
