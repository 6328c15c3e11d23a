//! The way in: from a verified payload to a page that is kept and folded.

mod page;
mod report;
mod state;
mod taking;
mod unreadable;

pub use state::Intake;
pub(crate) use state::Strays;
