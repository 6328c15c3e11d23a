#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod chance;
mod content;
mod customers;
mod dataset;
mod delivery;
mod odd;
mod odd_form;
mod platform;
mod robot;
mod schedule;
mod siblings;
mod state;

pub use chance::Chance;
pub use content::Version;
pub use dataset::{Dataset, TestPage};
pub use platform::{Counts, Simulator, StartError};
pub use robot::{SimulatedRobot, SimulatedRobotKind};
pub use schedule::{ErrorFault, Odd, Refusal, Schedule};
pub use state::SimulatorConfig;
