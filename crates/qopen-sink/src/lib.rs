#![doc = include_str!("../README.md")]

mod csv_options;
mod csv_row;
mod error;
mod file;
mod format;
mod name;
mod note;
mod quarantine;
mod record;
mod sort;
mod stream;
mod temporary;

pub use csv_options::{CsvOptions, Labels};
pub use csv_row::CSV_COLUMNS;
pub use error::SinkError;
pub use file::{EncodedFile, FileSink};
pub use format::Format;
pub use name::{file_name, may_hold_password, shown_path};
pub use note::ClaimedNote;
pub use quarantine::Quarantine;
pub use record::Record;
pub use sort::{Pair, Sorter};
pub use stream::StreamSink;

use std::path::Path;
use std::sync::Arc;

use qopen_types::{MarkId, RobotId};

/// Whether a list is the whole list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListKind {
    /// It is: it may take the place of the last one.
    Complete,
    /// It is what there was when the pull ended early: it stands beside the last complete one.
    Partial,
}

/// A place that lists can be published to.
///
/// A list is written whole and then committed; until then, and after a failure, whoever reads the
/// place sees the list that was there before (invariant I5). All methods block.
pub trait Sink: Send + Sync {
    /// Whether a list could be written at all, found out without leaving a trace: so that a pull
    /// fails before its request is sent, not after its pages have come.
    ///
    /// # Errors
    /// [`SinkError`], saying what stands in the way.
    fn check(&self) -> Result<(), SinkError>;

    /// The next sequence number of the place's order of lists, if it keeps one. Taken when a pull starts.
    /// The list with the greater number is the later one.
    ///
    /// # Errors
    /// [`SinkError`], when the place does not answer.
    fn next_order(&self) -> Result<Option<u64>, SinkError> {
        Ok(None)
    }

    /// Whether the place already holds a later list. Callers ask before they write a list;
    /// [`ListWriter::commit`] asks again.
    ///
    /// # Errors
    /// [`SinkError`], when the place does not answer.
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

    /// Locks the place against other processes between the check for a later list and the commit, until the
    /// returned guard is dropped. Does nothing where a transaction covers both.
    ///
    /// # Errors
    /// [`SinkError`], when another process holds it for too long.
    fn hold(&self) -> Result<Box<dyn Send>, SinkError> {
        Ok(Box::new(()))
    }

    /// The folder in which data may wait while a list is written; `None` for the system's.
    fn scratch(&self) -> Option<&Path> {
        None
    }

    /// Whether the place holds customers of a robot now, in its last complete list: an empty list does
    /// not replace those unasked.
    ///
    /// # Errors
    /// [`SinkError`], when the place cannot be read.
    fn holds(&self, robot_id: &RobotId) -> Result<bool, SinkError> {
        let _ = robot_id;
        Ok(false)
    }

    /// Begins a list. Dropping the writer without committing leaves no trace of it.
    ///
    /// # Errors
    /// [`SinkError`], when it cannot be begun.
    fn begin(&self, kind: ListKind) -> Result<Box<dyn ListWriter>, SinkError>;
}

/// Of whom a list is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ListInfo<'a> {
    /// The robot whose customers they are.
    pub robot_id: &'a RobotId,
    /// The mark of the pull that they came by.
    pub mark_id: &'a MarkId,
    /// Which revision of that pull's list it is.
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

/// A list in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The list's location, for messages.
    pub location: String,
    /// The location of what was set aside with it, for messages; `None` if nothing was.
    pub set_aside: Option<String>,
}

impl Committed {
    /// A list at that location.
    #[must_use]
    pub fn new(location: impl Into<String>) -> Self {
        Self { location: location.into(), set_aside: None }
    }

    /// The same, with something set aside there.
    #[must_use]
    pub fn set_aside(mut self, location: Option<String>) -> Self {
        self.set_aside = location;
        self
    }
}

/// Called after each step of a publication, to show progress.
pub type Moved = Arc<dyn Fn() + Send + Sync>;

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

    /// Writes a record straight from its account's JSON, where this writer can do so and gets the same
    /// result. False where nothing was written: then the account is to be read, and given to
    /// [`write`](Self::write), as it always may be.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn write_json(&mut self, robot_id: &RobotId, account: &str) -> Result<bool, SinkError> {
        let _ = (robot_id, account);
        Ok(false)
    }

    /// What could not be read, which is put in its place by the same commit, and takes the place of
    /// what was set aside before, also where it is nothing. Given back by a writer that has no place
    /// for it.
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

    /// Makes the written records durable, so that the commit is short.
    ///
    /// # Errors
    /// [`SinkError`]; the list can no longer be committed then.
    fn settle(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Makes the list durable and puts it in its place.
    ///
    /// # Errors
    /// [`SinkError`]. [`SinkError::Superseded`], if the place holds a later list; [`SinkError::Declined`], if
    /// a claim of a [note](Self::add_note) no longer counts. The place holds what it held before, or, where
    /// only the last step failed (making the replacement durable, removing a partial list), the new list.
    fn commit(self: Box<Self>) -> Result<Committed, SinkError>;
}
