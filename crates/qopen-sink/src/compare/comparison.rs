//! Comparison of a new list with the last one of its place, and of the lists in any two files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use qopen_types::{AccountId, ChangeCounts, MarkId, RobotId};

use super::change::{ChangesHeader, ChangesSince, header_line};
use super::changes::ListChanges;
use super::found::{Compared, Predecessor};
use super::lines::fails;
use super::list::{Accounts, List, ListDigest};
use super::pass::{Gone, Pass, Spool};
use super::place::Place;
use super::previous::{Base, Previous};
use super::problem::ListProblem;
use crate::SinkError;

/// A list's robot, mark and revision.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    pub(crate) robot_id: RobotId,
    pub(crate) mark_id: Option<MarkId>,
    pub(crate) revision: Option<u32>,
}

impl Announced {
    /// A list of which only the robot is known.
    fn without_mark(robot_id: &RobotId) -> Self {
        Self { robot_id: robot_id.clone(), mark_id: None, revision: None }
    }
}

/// A comparison on its way into a file of changes.
pub(crate) struct Comparison<'a> {
    /// The folder of temporary files.
    pub(crate) folder: Option<&'a Path>,
    pub(crate) moved: &'a dyn Fn(),
    pub(crate) gone: &'a mut Gone<'a>,
    pub(crate) out: &'a mut dyn Write,
    /// The name of `out`, for messages.
    pub(crate) path: &'a Path,
}

/// The result of [`Comparison::with_place`].
pub(crate) struct PlaceCompared {
    pub(crate) compared: Vec<Compared>,
    /// Whether the kept changes are those of the last list.
    pub(crate) is_kept: bool,
}

impl Comparison<'_> {
    /// Compares a new list with the last one of a place; with none if `place` is `None`.
    pub(crate) fn with_place(
        &mut self,
        new: &List,
        announced: &[Announced],
        place: Option<&Place>,
    ) -> Result<PlaceCompared, SinkError> {
        let previous = match place {
            Some(place) if place.is_removed() => {
                let compared = self.restore(new, announced, place)?;
                return Ok(PlaceCompared { compared, is_kept: false });
            }
            Some(place) => Previous::open(place, new.layout, self.moved)?,
            None => None,
        };
        let known: HashSet<&RobotId> = announced.iter().map(|it| &it.robot_id).collect();
        // The customers of a robot that the new list leaves out are gone from the file.
        let before = previous.iter().flat_map(Previous::robots);
        let left_out = before.filter(|it| new.part(it).is_none());
        let rest = new.robots.iter().chain(left_out).filter(|it| !known.contains(it));
        let mut compared = Vec::with_capacity(announced.len());
        for list in announced.iter().cloned().chain(rest.map(Announced::without_mark)) {
            let base = match &previous {
                Some(previous) => previous.base(&list.robot_id, list.mark_id.as_ref())?,
                None => None,
            };
            compared.push(self.one(&list, base, new, false)?);
        }
        let is_revision = |it: &&Previous| {
            announced.iter().any(|list| it.is_revised_by(&list.robot_id, list.mark_id.as_ref()))
        };
        if let Some(previous) = previous.as_ref().filter(is_revision) {
            let robots = previous.left_out().filter(|it| !known.contains(it));
            self.keep_left_out(robots.filter(|it| new.part(it).is_none()), previous, new)?;
        }
        let is_kept = previous.is_some_and(|it| it.is_kept);
        Ok(PlaceCompared { compared, is_kept })
    }

    /// Writes the changes of robots that the last list left out again: a revision has the changes since the list
    /// before its pull.
    fn keep_left_out<'p>(
        &mut self,
        robots: impl Iterator<Item = &'p RobotId>,
        previous: &'p Previous,
        new: &List,
    ) -> Result<(), SinkError> {
        let Self { folder, moved, path, .. } = *self;
        // The last list named the customers.
        let gone = &mut |_: &RobotId, _: &AccountId| Ok(());
        let mut again = Comparison { folder, moved, gone, out: &mut *self.out, path };
        for robot_id in robots {
            let base = previous.base_of_revision(robot_id)?;
            again.one(&Announced::without_mark(robot_id), base, new, false)?;
        }
        Ok(())
    }

    /// Compares a list that was removed with its predecessor again, by the changes that led to it.
    ///
    /// # Errors
    /// [`ListProblem::Missing`]: the new list is not that list, or not a revision of a first one.
    fn restore(
        &mut self,
        new: &List,
        announced: &[Announced],
        place: &Place,
    ) -> Result<Vec<Compared>, SinkError> {
        let missing = || fails(&place.path, ListProblem::Missing);
        let changes = ListChanges::open(&place.changes).map_err(|_| missing())?;
        let header = |list: &Announced| {
            let header = changes.header(&list.robot_id);
            header.filter(|it| it.mark_id.is_some() && it.mark_id == list.mark_id)
        };
        let headers: Option<Vec<_>> = announced.iter().map(header).collect();
        let headers = headers.ok_or_else(missing)?;
        // A robot that was left out has no mark.
        let marked = changes.headers().filter(|it| it.mark_id.is_some()).count();
        let is_known = |robot: &RobotId| announced.iter().any(|it| it.robot_id == *robot);
        if marked != headers.len() || !new.robots.iter().all(is_known) {
            return Err(missing());
        }
        if headers.iter().all(|it| it.since.is_none()) {
            return announced.iter().map(|list| self.one(list, None, new, false)).collect();
        }
        let is_other = |it: &&ChangesHeader| it.until != new.digest(&it.robot_id);
        if !changes.fits_layout(new) || headers.iter().any(is_other) {
            return Err(missing());
        }
        changes.copy(self.out, self.path)?;
        let compared = headers.iter().map(|header| {
            let (accounts, predecessor) = before(header.since.as_ref());
            Compared::new(header.robot_id.clone(), predecessor, accounts, header.counts)
        });
        Ok(compared.collect())
    }

    /// Compares the lists of all robots of two files. A robot that one of them lacks has an empty list there.
    fn with_list(&mut self, old: &List, new: &List) -> Result<Vec<Compared>, SinkError> {
        let only_old = old.robots.iter().filter(|it| new.part(it).is_none());
        let robots = new.robots.iter().chain(only_old);
        let mut compared = Vec::new();
        for robot_id in robots {
            let list = Announced::without_mark(robot_id);
            let since = ChangesSince::of(None, None, old.digest(robot_id));
            let accounts: Box<dyn Accounts + '_> = Box::new(old.accounts(robot_id)?);
            compared.push(self.one(&list, Some((since, accounts)), new, true)?);
        }
        Ok(compared)
    }

    /// Compares one robot's list and writes its changes.
    fn one(
        &mut self,
        list: &Announced,
        base: Option<Base<'_>>,
        new: &List,
        is_strict: bool,
    ) -> Result<Compared, SinkError> {
        let robot = &list.robot_id;
        let mut spool = Spool::new(robot, self.folder);
        let (since, counts) = match base {
            None => (None, ChangeCounts::default()),
            Some((since, mut old)) => {
                let mut pass =
                    Pass { spool: &mut spool, gone: self.gone, moved: self.moved, is_strict };
                let counts = pass.run(robot, &mut *old, &mut new.accounts(robot)?)?;
                (Some(since), counts)
            }
        };
        let until: ListDigest = new.digest(robot);
        let (accounts_before, predecessor) = before(since.as_ref());
        let header = ChangesHeader {
            robot_id: robot.clone(),
            mark_id: list.mark_id.clone(),
            revision: list.revision,
            csv: new.layout.csv(),
            since,
            until,
            counts,
        };
        let line = header_line(&header).map_err(|error| SinkError::Encode(error.into()))?;
        let written = self.out.write_all(&line).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(SinkError::io("writing", self.path))?;
        spool.drain(self.out, self.path)?;
        Ok(Compared::new(robot.clone(), predecessor, accounts_before, counts))
    }
}

/// The accounts of the list before, and its name.
fn before(since: Option<&ChangesSince>) -> (u64, Predecessor) {
    since.map_or((0, Predecessor::Baseline), |it| (it.accounts, it.predecessor()))
}

/// Compares two lists in JSON Lines, or two in CSV with the same [options](crate::CsvOptions), and writes the lines of a
/// file of changes. Returns what each robot's comparison found: robots of the new list in its order, then those of
/// the old list only. A robot that one of the files lacks has an empty list there.
///
/// Memory does not grow with the lists. What cannot be read twice, such as a pipe, is copied to a temporary
/// file first.
///
/// # Errors
/// [`SinkError::NotAList`], if one of them is not a list or is written in another way than the other one, and
/// [`SinkError::Io`], if a file cannot be read or `out` cannot be written. `out` may hold part of the changes after an
/// error.
pub fn compare_lists(
    old: impl AsRef<Path>,
    new: impl AsRef<Path>,
    out: &mut dyn Write,
) -> Result<Vec<Compared>, SinkError> {
    let (mut old, mut new) = (open_list(old.as_ref())?, open_list(new.as_ref())?);
    // The error names an empty file, not the other one.
    if new.robots.is_empty() {
        new.agree_with(old.layout)?;
    }
    old.agree_with(new.layout)?;
    new.agree_with(old.layout)?;
    let path = Path::new("the changes");
    let mut comparison =
        Comparison { folder: None, moved: &|| {}, gone: &mut |_, _| Ok(()), out, path };
    let compared = comparison.with_list(&old, &new)?;
    comparison.out.flush().map_err(SinkError::io("writing", path))?;
    Ok(compared)
}

fn open_list(path: &Path) -> Result<List, SinkError> {
    let mut file = File::open(path).map_err(SinkError::io("opening", path))?;
    let found = file.metadata().map_err(SinkError::io("looking at", path))?;
    if !found.is_file() {
        let mut copy = crate::storage::unnamed(None, path)?;
        io::copy(&mut file, &mut copy).map_err(SinkError::io("reading", path))?;
        file = copy;
    }
    List::new(file, path, None, &|| {})
}
