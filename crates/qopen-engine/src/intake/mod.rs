//! The intake: from a verified payload to a kept and folded page.

mod outage;
mod page;
mod report;
mod state;
mod taking;
mod unreadable;

pub(crate) use state::ExternalPages;
pub use state::Intake;
