//! Comparison of two lists: what changed since the last complete one.

mod change;
mod changes;
mod comparison;
mod fields;
mod found;
mod lines;
mod list;
mod pass;
mod patched;
mod place;
mod previous;
mod problem;
mod records;

pub use change::{ChangesHeader, ChangesSince};
pub use changes::ListChanges;
pub use comparison::compare_lists;
pub(crate) use comparison::{Announced, Comparison};
pub use fields::compare_records;
pub use found::{Change, CompareOptions, Compared, Predecessor};
pub use list::ListDigest;
pub(crate) use place::{Identity, Place};
pub use problem::ListProblem;
pub use records::ListReader;
