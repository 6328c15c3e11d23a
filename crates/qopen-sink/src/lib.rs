#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod behind;
mod compare;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
mod csv_json;
mod csv_options;
mod csv_row;
mod database;
mod error;
mod file;
mod format;
mod history;
mod limit;
mod line_form;
mod list_format;
mod name;
mod note;
#[cfg(feature = "parquet")]
mod parquet;
mod quarantine;
mod record;
mod singer;
#[cfg(all(test, any(feature = "parquet", feature = "xlsx")))]
mod small_disk;
mod sort;
pub mod storage;
mod stream;
mod temporary;
#[cfg(feature = "xlsx")]
mod xlsx;

pub use compare::{
    Change, ChangesHeader, ChangesSince, CompareOptions, Compared, ListChanges, ListDigest,
    ListProblem, ListReader, Predecessor, compare_lists,
};
pub use csv_options::{CsvOptions, Labels};
pub use csv_row::CSV_COLUMNS;
pub use error::SinkError;
pub use file::{EncodedFile, FileSink};
pub use limit::FormatLimit;
pub use list_format::Format;
pub use name::{file_name, may_hold_password, shown_path};
pub use note::{ClaimedNote, ListBasis};
pub use quarantine::Quarantine;
pub use record::Record;
pub use singer::{SingerSink, SingerState};
pub use sort::{Sorted, Sorter};
pub use stream::StreamSink;
#[cfg(feature = "xlsx")]
#[cfg_attr(docsrs, doc(cfg(feature = "xlsx")))]
pub use xlsx::{XlsxOptions, XlsxZone};

use std::path::Path;
use std::sync::Arc;

pub use qopen_types::ChangeCounts;
use qopen_types::{AccountId, MarkId, PullId, RobotId};

/// Whether a list is the whole list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListKind {
    /// The list is complete: it may replace the last one.
    Complete,
    /// What had arrived when the pull ended early: it is put beside the last complete list.
    Partial,
}

/// A place that lists can be published to.
///
/// A list is written whole and then committed. Until then, and after a failure, readers of the
/// place see the earlier list (invariant I5). All methods block.
pub trait Sink: Send + Sync {
    /// Checks whether a list could be written, without leaving a trace: a pull then fails before
    /// its request is sent, not after its pages have come.
    ///
    /// # Errors
    /// [`SinkError`], with the obstacle.
    fn check(&self) -> Result<(), SinkError>;

    /// The next sequence number of the place's order of lists, if it keeps one. The engine takes it
    /// when a pull starts. The list with the greater number is the later one.
    ///
    /// # Errors
    /// [`SinkError`], if the place does not answer.
    fn next_order(&self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    /// Whether the place already holds a later list. Callers ask before they write a list;
    /// [`ListWriter::commit`] asks again.
    ///
    /// # Errors
    /// [`SinkError`], if the place does not answer.
    fn is_superseded(&self, list: &ListInfo<'_>) -> Result<bool, SinkError> {
        let _ = list;
        Ok(false)
    }

    /// The location of complete lists for journals, if it is known before a commit. It names the same place
    /// in every process.
    fn place(&self) -> Option<String> {
        None
    }

    /// Whether `location`, as a commit returned it, is the place of this sink's complete lists.
    fn is_at(&self, location: &str) -> bool {
        let _ = location;
        false
    }

    /// Whether a location that [`ListWriter::commit_held`] named before is a held list of this place. Default:
    /// whether it is the place itself.
    fn is_held_at(&self, location: &str) -> bool {
        self.is_at(location)
    }

    /// Locks the place against other processes between the check for a later list and the commit, until the
    /// returned guard is dropped. Does nothing where a transaction covers both.
    ///
    /// # Errors
    /// [`SinkError`], if another process holds it for too long.
    fn hold(&self) -> Result<Box<dyn Send>, SinkError> {
        Ok(Box::new(()))
    }

    /// A sink beside this one for a list that the format of this one cannot hold, if there is one.
    fn overflow(&self) -> Option<Box<dyn Sink>> {
        None
    }

    /// The folder in which data may wait while a list is written; `None` for the system's.
    fn scratch(&self) -> Option<&Path> {
        None
    }

    /// Whether the place holds customers of a robot now, in its last complete list: an empty list does
    /// not replace those unasked.
    ///
    /// # Errors
    /// [`SinkError`], if the place cannot be read.
    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let _ = robot_id;
        Ok(false)
    }

    /// Removes the lists of these pulls, and earlier ones of the same robots, from the place's history, with their
    /// changes. Each robot's last list stays. Returns the number of removed lists. Default: the place has no history.
    ///
    /// # Errors
    /// [`SinkError`], if the place does not answer. A part may be removed then.
    fn forget(&self, pulls: &[PullId]) -> Result<u64, SinkError> {
        let _ = pulls;
        Ok(0)
    }

    /// Begins a list. Dropping the writer without committing leaves no trace of it.
    ///
    /// # Errors
    /// [`SinkError`], if it cannot be begun.
    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError>;
}

/// Identifies a list: robot, mark and revision.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ListInfo<'a> {
    /// The robot of the customers.
    pub robot_id: &'a RobotId,
    /// The mark of the pull that they came by.
    pub mark_id: &'a MarkId,
    /// The revision of the pull's list.
    pub revision: u32,
    /// The pull's sequence number ([`Sink::next_order`]). A list without one counts as the latest at its
    /// commit.
    pub order: Option<u64>,
}

impl<'a> ListInfo<'a> {
    /// That list.
    #[must_use]
    pub fn new(robot_id: &'a RobotId, mark_id: &'a MarkId, revision: u32) -> Self {
        Self { robot_id, mark_id, revision, order: None }
    }

    /// By a pull that has this place in the order of lists.
    #[must_use]
    pub fn order(mut self, order: Option<u64>) -> Self {
        self.order = order;
        self
    }
}

/// The result of a commit: a list in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The list's location, for messages.
    pub location: String,
    /// The location of what was set aside with it, for messages; `None` if nothing was.
    pub set_aside: Option<String>,
    /// The sequence number that the place gave to all lists of the commit; `None` if each has its own, or none.
    pub order: Option<u64>,
}

impl Committed {
    /// A list at that location.
    #[must_use]
    pub fn new(location: impl Into<String>) -> Self {
        Self { location: location.into(), set_aside: None, order: None }
    }

    /// The same, with something set aside there.
    #[must_use]
    pub fn set_aside(mut self, location: Option<String>) -> Self {
        self.set_aside = location;
        self
    }

    /// The same, with one sequence number for all lists.
    #[must_use]
    pub fn order(mut self, order: u64) -> Self {
        self.order = Some(order);
        self
    }
}

/// Called after each step of a publication, to show progress.
pub type Moved = Arc<dyn Fn() + Send + Sync>;

/// Appends a record of a writer to a text, straight from its account's JSON. Returns false and appends nothing if that
/// is not spelled in a usual way: then read the account, and give it to [`ListWriter::write`], which writes the same
/// bytes for every account that the encoder takes. An encoder takes only accounts whose flags are written as `true` or
/// `false`; the engine relies on it when it looks for customers who were not removed.
pub type RecordEncoder = Arc<dyn Fn(&str, &mut String) -> bool + Send + Sync>;

/// A list being written.
pub trait ListWriter: Send {
    /// The records that follow are of that list. A list may have none.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        let _ = list;
        Ok(())
    }

    /// Sets the callback for progress, for writers with long steps.
    fn tell(&mut self, moved: Moved) {
        let _ = moved;
    }

    /// Writes one record.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError>;

    /// Returns the encoder of a robot's records, which works on any thread. `None`, the default: this writer needs
    /// the accounts.
    fn encoder(&self, robot_id: &RobotId) -> Option<RecordEncoder> {
        let _ = robot_id;
        None
    }

    /// Writes a record that the robot's [`encoder`](Self::encoder) encoded.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then. Default: an error, as there is no encoder.
    fn write_encoded(&mut self, robot_id: &RobotId, record: &[u8]) -> Result<(), SinkError> {
        let _ = (robot_id, record);
        Err(SinkError::without_encoder())
    }

    /// Sets unreadable items aside, to be put in their place by the same commit. They replace the
    /// earlier ones, even if there are none. A writer without a place for them returns them.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        Ok(Some(quarantine))
    }

    /// Has a note of the journal committed with the list: both happen, or neither does. Returns the note if
    /// the journal is not kept in this writer's storage; then the journal must make it after the commit.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn add_note(&mut self, note: ClaimedNote) -> Result<Option<ClaimedNote>, SinkError> {
        Ok(Some(note))
    }

    /// Sets what the completeness of a robot's list rests on, to be recorded by the commit. A writer without a place
    /// for it ignores it.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn set_basis(&mut self, robot_id: &RobotId, basis: ListBasis) -> Result<(), SinkError> {
        let _ = (robot_id, basis);
        Ok(())
    }

    /// Makes the written records durable, so that the commit is short.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn settle(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Compares the settled list with the place's last complete one, and stages the changes: the commit
    /// publishes them in the same step. Returns what each robot's comparison found, in the order of the lists,
    /// then the robots of the last list that the new one leaves out: all of their customers are gone. `None` if
    /// the place keeps no list to compare with.
    ///
    /// Called after [`settle`](Self::settle) and before a commit, for complete lists only. `gone` gets each
    /// customer that only the last list has, by robot as in the list, then by account id.
    ///
    /// # Errors
    /// [`SinkError::Previous`] or [`SinkError::PreviousRows`], if the last list cannot be compared with;
    /// [`SinkError::Io`]; and the error of `gone`. Do not commit the list then.
    fn compare(
        &mut self,
        options: CompareOptions,
        gone: &mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>,
    ) -> Result<Option<Vec<Compared>>, SinkError> {
        let _ = (options, gone);
        Ok(None)
    }

    /// Lets other publications to the place go on until [`compare`](Self::compare) is called again, and drops the
    /// staged changes. Returns false if a comparison delays no other publication: then it stays. Default: false.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn release(&mut self) -> Result<bool, SinkError> {
        Ok(false)
    }

    /// Makes a complete list durable and puts it beside the last one, as held, instead of replacing it. No
    /// changes are published. Returns `None`, with the list dropped, if the place has no room beside its list.
    ///
    /// # Errors
    /// [`SinkError`]; the last complete list is in its place then.
    fn commit_held(self: Box<Self>) -> Result<Option<Committed>, SinkError> {
        Ok(None)
    }

    /// Makes the list durable and puts it in its place.
    ///
    /// # Errors
    /// [`SinkError::Superseded`], if the place holds a later list, and [`SinkError::Declined`], if the claim of
    /// a [note](Self::add_note) no longer counts: nothing was changed. [`SinkError::Replaced`], if another process
    /// replaced the compared list: nothing was changed. After another [`SinkError`] the place
    /// holds the earlier list, or the new one if only the last step failed (making the replacement durable,
    /// removing a partial list).
    fn commit(self: Box<Self>) -> Result<Committed, SinkError>;
}
