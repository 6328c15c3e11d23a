//! The last complete list of a place, and the list that the next one is compared with.

use std::io;
use std::path::Path;

use qopen_types::{MarkId, RobotId};

use super::change::ChangesSince;
use super::changes::ListChanges;
use super::layout::Layout;
use super::lines::fails;
use super::list::{Accounts, List};
use super::patched::Side;
use super::place::Place;
use super::problem::ListProblem;
use crate::SinkError;

/// The last complete list, with the changes that led to it.
#[derive(Debug)]
pub(super) struct Previous {
    list: List,
    changes: Option<(ListChanges, Side)>,
    /// Whether these changes are the ones that were kept by a publication that ended early.
    pub(super) is_kept: bool,
}

/// The list that a robot's next one is compared with, and its accounts.
pub(super) type Base<'a> = (ChangesSince, Box<dyn Accounts + 'a>);

impl Previous {
    /// Reads the last list of a place, which must have the layout of the new one. `None` if it has none.
    pub(super) fn open(
        place: &Place,
        new: Layout,
        moved: &dyn Fn(),
    ) -> Result<Option<Self>, SinkError> {
        let Some(file) = &place.list else { return Ok(None) };
        let file = file.try_clone().map_err(SinkError::io("reading", &place.path))?;
        let (main, kept) = (open_changes(&place.changes), open_changes(&place.kept));
        let mut list = List::new(file, &place.path, is_safe([&main, &kept]), moved)?;
        list.agree_with(new)?;
        let fits = |changes: &Result<Option<ListChanges>, SinkError>, side| {
            changes.as_ref().is_ok_and(|it| it.as_ref().is_some_and(|it| is_at(&list, it, side)))
        };
        // A publication writes its changes before its list. One that ended in between leaves the earlier list,
        // with which its changes begin, and keeps the changes that led to that list.
        let side = |changes| [Side::Later, Side::Earlier].into_iter().find(|it| fits(changes, *it));
        let (main_side, kept_side) = (side(&main), side(&kept));
        let is_kept = kept_side == Some(Side::Later) && main_side != Some(Side::Later)
            || main_side.is_none() && kept_side.is_some();
        let (changes, side) = match is_kept {
            true => (kept, kept_side),
            false if main_side.is_none() && !matches!((&main, &kept), (Ok(None), Ok(None))) => {
                main?;
                return Err(fails(&place.path, ListProblem::Altered));
            }
            false => (main, main_side),
        };
        let changes = changes?.zip(side);
        // The list before first lists is none, and not an empty one.
        let is_described = changes.as_ref().is_some_and(|(changes, side)| {
            *side == Side::Later || changes.headers().any(|it| it.since.is_some())
        });
        if list.robots.is_empty() && !is_described {
            return Err(fails(&place.path, ListProblem::Empty));
        }
        Ok(Some(Self { list, changes, is_kept }))
    }

    /// The list that the next one of this robot and mark is compared with; `None` if that one is the first.
    pub(super) fn base<'a>(
        &'a self,
        robot: &'a RobotId,
        mark: Option<&MarkId>,
    ) -> Result<Option<Base<'a>>, SinkError> {
        let digest = self.list.digest(robot);
        let here = |since| Ok(Some((since, Box::new(self.list.accounts(robot)?) as _)));
        let Some((changes, side)) = &self.changes else {
            return match self.list.part(robot).is_some() {
                true => here(ChangesSince::of(None, None, digest)),
                false => Ok(None),
            };
        };
        match (changes.header(robot), side) {
            (None, _) if self.list.part(robot).is_some() => {
                here(ChangesSince::of(None, None, digest))
            }
            (None, _) => Ok(None),
            (Some(header), Side::Earlier) => header.since.clone().map_or(Ok(None), here),
            _ if self.is_revised_by(robot, mark) => self.base_of_revision(robot),
            // Its next list is a first one.
            (Some(header), Side::Later) if header.is_left_out() => Ok(None),
            (Some(header), Side::Later) => {
                here(ChangesSince::of(header.mark_id.clone(), header.revision, digest))
            }
        }
    }

    /// The list before all revisions of this one, with which a revision is compared; `None` if this is the first one.
    pub(super) fn base_of_revision<'a>(
        &'a self,
        robot: &'a RobotId,
    ) -> Result<Option<Base<'a>>, SinkError> {
        let found = self.led_here().and_then(|it| Some((it, it.header(robot)?.since.clone()?)));
        let Some((changes, since)) = found else { return Ok(None) };
        let earlier = changes.patched(robot, &self.list, Side::Earlier)?;
        Ok(Some((since, Box::new(earlier))))
    }

    /// Whether the list of this robot and mark is a revision of this one.
    pub(super) fn is_revised_by(&self, robot: &RobotId, mark: Option<&MarkId>) -> bool {
        let header = self.led_here().and_then(|it| it.header(robot));
        mark.is_some() && header.is_some_and(|it| it.mark_id.as_ref() == mark)
    }

    /// The changes that led to this list.
    fn led_here(&self) -> Option<&ListChanges> {
        self.changes.as_ref().filter(|it| it.1 == Side::Later).map(|it| &it.0)
    }

    /// Robots that this list left out.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &RobotId> {
        let headers = self.led_here().into_iter().flat_map(ListChanges::headers);
        headers.filter(|it| it.is_left_out()).map(|it| &it.robot_id)
    }

    /// Robots of this list.
    pub(super) fn robots(&self) -> &[RobotId] {
        &self.list.robots
    }
}

/// Whether a list beside these files has the marks of safe CSV. `None` if they do not say, or contradict each other.
fn is_safe(files: [&Result<Option<ListChanges>, SinkError>; 2]) -> Option<bool> {
    let known = files.into_iter().filter_map(|it| it.as_ref().ok()?.as_ref()?.is_safe());
    let known: Vec<bool> = known.collect();
    known.first().copied().filter(|first| known.iter().all(|it| it == first))
}

fn open_changes(path: &Path) -> Result<Option<ListChanges>, SinkError> {
    match ListChanges::open(path) {
        Ok(changes) => Ok(Some(changes)),
        Err(SinkError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a list is the one on that side of its changes.
fn is_at(list: &List, changes: &ListChanges, side: Side) -> bool {
    let fits = changes.headers().all(|header| {
        let digest = list.digest(&header.robot_id);
        match side {
            Side::Later => header.until == digest,
            Side::Earlier => match &header.since {
                Some(since) => since.list() == digest,
                // A list of other robots was there before. One without any was emptied.
                None => !list.robots.is_empty() && list.part(&header.robot_id).is_none(),
            },
        }
    });
    // The later list has no other robots.
    let is_known = |robot| side == Side::Earlier || changes.header(robot).is_some();
    fits && changes.fits_layout(list) && list.robots.iter().all(is_known)
}
