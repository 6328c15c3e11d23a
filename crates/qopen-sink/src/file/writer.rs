//! A list on its way into its file.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use qopen_types::{AccountId, RobotId};
use tempfile::NamedTempFile;

use super::beside::{Beside, folder, place};
use super::staged::Staged;
use crate::behind::Behind;
use crate::compare::{Announced, Comparison, Identity, List, Place, WrittenParts, identity};
use crate::format::Encoder;
use crate::{
    Committed, CompareOptions, Compared, ListInfo, ListKind, ListProblem, ListWriter, Moved,
    Quarantine, Record, RecordEncoder, SinkError, temporary,
};

pub(super) struct FileWriter {
    /// Until it is settled.
    encoder: Option<Encoder<Behind<NamedTempFile>>>,
    settled: Option<NamedTempFile>,
    /// The parts of the settled list; `None` if the list is not compared.
    parts: Option<WrittenParts>,
    kind: ListKind,
    target: PathBuf,
    beside: Beside,
    lists: Vec<Announced>,
    moved: Option<Moved>,
    changes: Option<Changes>,
    /// Unreadable items.
    set_aside: Option<Staged>,
}

/// Changes that wait for the commit.
struct Changes {
    file: NamedTempFile,
    /// Whether the changes of the last list are the kept ones.
    is_kept: bool,
    /// The last list.
    since: Option<Identity>,
}

impl FileWriter {
    /// A writer of the complete list at `beside`, or of a partial one.
    pub(super) fn new(
        encoder: Encoder<Behind<NamedTempFile>>,
        kind: ListKind,
        target: PathBuf,
        beside: Beside,
    ) -> Self {
        Self {
            encoder: Some(encoder),
            settled: None,
            parts: None,
            kind,
            target,
            beside,
            lists: Vec::new(),
            moved: None,
            changes: None,
            set_aside: None,
        }
    }

    /// Nothing can be added to a list that is settled.
    fn settled_before(&self) -> SinkError {
        SinkError::io("adding to", &self.target)(io::ErrorKind::InvalidInput.into())
    }

    /// Fails if the last list is no longer the one that the list was compared with.
    fn must_be_last(&self, since: Option<Identity>) -> Result<(), SinkError> {
        match identity(&self.target)? == since {
            true => Ok(()),
            false => Err(SinkError::Replaced { path: self.target.clone() }),
        }
    }
}

impl FileWriter {
    /// Names an error of a comparison as one of the last list. Whatever is wrong, it is not the list at `new`,
    /// which was written just now.
    fn previous(&self, error: SinkError, new: &Path) -> SinkError {
        let Beside { changes, kept, .. } = &self.beside;
        match error {
            SinkError::NotAList { path, problem } if path != new => {
                SinkError::Previous { path, problem }
            }
            SinkError::Io { action: "opening" | "reading", path, source }
                if [&self.target, changes, kept].contains(&&path) =>
            {
                let problem = ListProblem::Unreadable { kind: source.kind() };
                SinkError::Previous { path, problem }
            }
            error => error,
        }
    }
}

impl ListWriter for FileWriter {
    fn begin_list(&mut self, list: &ListInfo<'_>) -> Result<(), SinkError> {
        self.lists.push(Announced {
            robot_id: list.robot_id.clone(),
            mark_id: Some(list.mark_id.clone()),
            revision: Some(list.revision),
        });
        if let Some(encoder) = &mut self.encoder {
            encoder.begin_list(list, self.kind);
        }
        Ok(())
    }

    fn tell(&mut self, moved: Moved) {
        self.moved = Some(moved);
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        match &mut self.encoder {
            Some(encoder) => encoder.write(record),
            None => Err(self.settled_before()),
        }
    }

    fn encoder(&self, robot_id: &RobotId) -> Option<RecordEncoder> {
        self.encoder.as_ref()?.encoder(robot_id)
    }

    fn write_encoded(&mut self, robot_id: &RobotId, record: &[u8]) -> Result<(), SinkError> {
        match &mut self.encoder {
            Some(encoder) => encoder.write_encoded(robot_id, record),
            None => Err(self.settled_before()),
        }
    }

    fn settle(&mut self) -> Result<(), SinkError> {
        let Some(mut encoder) = self.encoder.take() else { return Ok(()) };
        self.parts = encoder.take_parts();
        let writing = || SinkError::io("writing", &self.target);
        let file = encoder.finish()?.into_inner().map_err(writing())?;
        file.as_file().sync_all().map_err(writing())?;
        self.settled = Some(file);
        Ok(())
    }

    fn set_aside(&mut self, quarantine: Quarantine) -> Result<Option<Quarantine>, SinkError> {
        self.set_aside = Some(Staged::new(self.beside.quarantine.clone(), quarantine)?);
        Ok(None)
    }

    fn compare(
        &mut self,
        options: CompareOptions,
        gone: &mut dyn FnMut(&RobotId, &AccountId) -> Result<(), SinkError>,
    ) -> Result<Option<Vec<Compared>>, SinkError> {
        self.settle()?;
        let Some(new) = &self.settled else { return Err(self.settled_before()) };
        let Some(parts) = self.parts.clone() else { return Ok(None) };
        let file = new.reopen().map_err(SinkError::io("reading", &self.target))?;
        let list = List::written(file, new.path(), parts)?;
        let Beside { changes, kept, .. } = &self.beside;
        let previous = |error| self.previous(error, new.path());
        let place = match options.new_baseline {
            true => None,
            false => {
                Some(Place::open(&self.target, changes.clone(), kept.clone()).map_err(previous)?)
            }
        };
        let since = match &place {
            Some(place) => place.identity()?,
            None => identity(&self.target)?,
        };
        let folder = folder(&self.target);
        let writing = || SinkError::io("writing", changes);
        let mut out = BufWriter::with_capacity(1 << 16, temporary::beside(folder)?);
        let moved = || self.moved.iter().for_each(|moved| moved());
        let mut comparison =
            Comparison { folder: Some(folder), moved: &moved, gone, out: &mut out, path: changes };
        let done = comparison.with_place(&list, &self.lists, place.as_ref());
        let done = done.map_err(previous)?;
        let file = out.into_inner().map_err(|error| writing()(error.into_error()))?;
        file.as_file().sync_all().map_err(writing())?;
        self.changes = Some(Changes { file, is_kept: done.is_kept, since });
        Ok(Some(done.compared))
    }

    fn commit_held(mut self: Box<Self>) -> Result<Option<Committed>, SinkError> {
        self.settle()?;
        let settled_before = self.settled_before();
        let Self { settled, beside, set_aside, .. } = *self;
        let file = settled.ok_or(settled_before)?;
        let location = set_aside.as_ref().and_then(Staged::location);
        // What is not set aside from a held list says nothing of the list in its place.
        if let Some(staged) = set_aside.filter(Staged::is_some) {
            staged.commit()?;
        }
        place(file, &beside.held)?;
        Ok(Some(Committed::new(beside.held.display().to_string()).set_aside(location)))
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, SinkError> {
        self.settle()?;
        let settled_before = self.settled_before();
        if let Some(changes) = &self.changes {
            self.must_be_last(changes.since)?;
        }
        let Self { settled, kind, target, beside, changes, set_aside, .. } = *self;
        let file = settled.ok_or(settled_before)?;
        let location = set_aside.as_ref().and_then(Staged::location);
        // What is set aside goes first, and what was set aside before goes last: a process that dies in
        // between publishes again.
        let (something, nothing) = match set_aside {
            Some(staged) if staged.is_some() => (Some(staged), None),
            nothing => (None, nothing),
        };
        if let Some(staged) = something {
            staged.commit()?;
        }
        let is_first = changes.as_ref().is_some_and(|it| it.since.is_none());
        match changes {
            Some(changes) if is_first => beside.place_first_changes(changes.file)?,
            Some(changes) => beside.replace_changes(changes.file, changes.is_kept)?,
            None if kind == ListKind::Complete => beside.forget_changes()?,
            None => {}
        }
        place(file, &target)?;
        if is_first {
            beside.name_first_changes()?;
        }
        if kind == ListKind::Complete {
            beside.clean()?;
        }
        // A partial list from which nothing is set aside says nothing of the complete one beside it.
        if let Some(nothing) = nothing.filter(|_| kind == ListKind::Complete) {
            nothing.commit()?;
        }
        Ok(Committed::new(target.display().to_string()).set_aside(location))
    }
}
