//! Versions of stored data, and what this version of qopen does with them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What the first use of stored data by this version of qopen does to its format. `Display` says it in a sentence, with
/// what an earlier qopen can do after that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upgrade {
    /// The version of the stored data; `None` if nothing is stored yet. Of parts with several versions, the earliest.
    pub found: Option<u64>,
    /// The version that this qopen writes.
    pub written: u64,
    /// What changes.
    pub change: FormatChange,
}

/// A change of stored data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatChange {
    /// Nothing changes.
    None,
    /// The data is made.
    Made,
    /// The data stays as it is, and what is added to it has the later version.
    WrittenOn,
    /// The data gets the later version by these additions, such as `column qopen.pull.basis`.
    Migrated(Vec<String>),
    /// The version stays, and the tables get these columns.
    Widened(Vec<String>),
}

impl Upgrade {
    /// Data of a version that this qopen reads.
    #[must_use]
    pub fn new(found: Option<u64>, written: u64, change: FormatChange) -> Self {
        Self { found, written, change }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.change == FormatChange::None
    }

    /// Whether an earlier qopen, which wrote the data, can use it afterwards.
    #[must_use]
    pub fn can_go_back(&self) -> bool {
        matches!(self.change, FormatChange::None | FormatChange::Widened(_))
    }
}

impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, written, change } = self;
        match found {
            Some(found) => write!(f, "version {found}")?,
            None => f.write_str("nothing is stored yet")?,
        }
        match change {
            FormatChange::None => f.write_str("; this qopen reads and writes it, nothing to do")?,
            FormatChange::Made => write!(f, "; version {written} will be made")?,
            FormatChange::WrittenOn => {
                write!(
                    f,
                    "; this qopen reads it in place, and will write version {written} behind it"
                )?;
            }
            FormatChange::Migrated(added) => {
                write!(f, "; version {written} will be made of it: {}", added.join(", "))?;
            }
            FormatChange::Widened(added) => write!(f, "; will be added: {}", added.join(", "))?,
        }
        match (found, self.can_go_back()) {
            (Some(_), false) => f.write_str(
                "; an earlier qopen cannot use it after that: make a backup first, for a downgrade",
            ),
            (Some(_), true) if !self.is_nothing() => {
                f.write_str("; an earlier qopen can go on using it")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::string::ToString as _;
    use alloc::vec;

    use super::*;

    #[test]
    fn a_change_is_said_with_what_an_earlier_version_can_do_after_it() {
        let said = |found, change| Upgrade::new(found, 4, change).to_string();
        let columns = || vec!["column a.b".to_owned(), "column c.d".to_owned()];
        assert_eq!(
            said(Some(4), FormatChange::None),
            "version 4; this qopen reads and writes it, nothing to do"
        );
        assert_eq!(said(None, FormatChange::Made), "nothing is stored yet; version 4 will be made");
        let back =
            "an earlier qopen cannot use it after that: make a backup first, for a downgrade";
        let written = said(Some(3), FormatChange::WrittenOn);
        assert!(written.ends_with(back) && written.contains("version 4 behind it"), "{written}");
        let migrated = said(Some(3), FormatChange::Migrated(columns()));
        assert!(migrated.ends_with(back) && migrated.contains("a.b, column c.d"), "{migrated}");
        let widened = said(Some(4), FormatChange::Widened(columns()));
        assert!(widened.ends_with("an earlier qopen can go on using it"), "{widened}");
    }
}
