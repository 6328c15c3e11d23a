//! Comparison of two lists: what changed since the last complete one.

mod change;
mod changes;
mod comparison;
mod csv_record;
mod fields;
mod found;
mod layout;
mod line;
mod lines;
mod list;
mod pass;
mod patched;
mod place;
mod prefix;
mod previous;
mod problem;
mod records;
mod row;

pub use change::{ChangesHeader, ChangesSince};
pub use changes::ListChanges;
pub use comparison::compare_lists;
pub(crate) use comparison::{Announced, Comparison};
pub use fields::compare_records;
pub use found::{Change, CompareOptions, Compared, Predecessor};
pub use line::write_change;
pub use list::{Digester, ListDigest};
pub(crate) use list::{List, WrittenParts};
pub(crate) use place::{Identity, Place, identity};
pub use problem::ListProblem;
pub use records::ListReader;
