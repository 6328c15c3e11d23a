//! Asks the platform about customers who are gone: one that is still there proves a lost page (evidence E10).

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

use async_trait::async_trait;
use qopen_journal::{Fencing, Note};
use qopen_sink::SinkError;
use qopen_types::{AccountId, MarkId, RobotId};

use super::Work;
use super::published::{PublishError, PublishedList};
use crate::held_claim;
use crate::outcome::PulledList;

/// The greatest number of customers in one call of [`AccountLookup::look_up`].
pub const LOOKUP_LIMIT: usize = 100;

/// Calls after which the journal notes how far the verification is.
const NOTED_EVERY: u64 = 10;

/// Asks the platform about customers by their ids (protocol section 6).
#[async_trait]
pub trait AccountLookup: Send + Sync + 'static {
    /// Returns the customers among `ids`, at most [`LOOKUP_LIMIT`], that the platform still has.
    ///
    /// # Errors
    /// [`LookupError`], if the answer does not cover all of them.
    async fn look_up(
        &self,
        robot_id: &RobotId,
        ids: &[AccountId],
    ) -> Result<Vec<AccountId>, LookupError>;
}

type Cause = Box<dyn Error + Send + Sync>;

/// The error of a lookup.
#[derive(Debug, thiserror::Error)]
#[error("the platform cannot be asked about customers who are gone")]
pub struct LookupError {
    not_offered: bool,
    #[source]
    cause: Cause,
}

impl LookupError {
    /// A lookup that failed, with its cause.
    #[must_use]
    pub fn new(cause: impl Into<Cause>) -> Self {
        Self { not_offered: false, cause: cause.into() }
    }

    /// Sets whether the platform does not offer the call. Default false.
    #[must_use]
    pub fn not_offered(mut self, not_offered: bool) -> Self {
        self.not_offered = not_offered;
        self
    }
}

/// The platform's answers about the customers whom a list lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoneCheck {
    /// Customers that the platform was asked about, by this process or an earlier one.
    pub asked: u64,
    /// Customers among them that the platform still has. Each proves a lost page.
    pub present: u64,
    /// Whether the platform does not offer the call, so that nothing is verified.
    pub not_offered: bool,
}

impl GoneCheck {
    /// Whether the platform confirmed that everybody who is gone is gone.
    #[must_use]
    pub fn is_verified(self) -> bool {
        !self.not_offered && self.present == 0
    }
}

/// The ids of customers who are gone, in a file that only this process can read.
pub(super) struct Gone {
    out: BufWriter<File>,
    robots: Vec<RobotId>,
}

const NAME: &str = "the customers who are gone";

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> SinkError {
    SinkError::io(step, Path::new(NAME))
}

impl Gone {
    pub(super) fn in_folder(folder: Option<&Path>) -> Result<Self, SinkError> {
        let file = qopen_sink::storage::unnamed(folder, Path::new(NAME))?;
        Ok(Self { out: BufWriter::new(file), robots: Vec::new() })
    }

    pub(super) fn push(&mut self, robot: &RobotId, id: &AccountId) -> Result<(), SinkError> {
        if self.robots.last() != Some(robot) {
            self.robots.push(robot.clone());
        }
        let mut write = |number: usize| {
            let number = u32::try_from(number).map_err(|_| ErrorKind::InvalidInput)?;
            self.out.write_all(&number.to_le_bytes())
        };
        let (robot, id) = (self.robots.len() - 1, id.as_str());
        write(robot).and_then(|()| write(id.len())).map_err(failed("writing"))?;
        self.out.write_all(id.as_bytes()).map_err(failed("writing"))
    }

    /// Returns the ids, each with its robot, in the order in which they came.
    fn read(
        self,
    ) -> Result<impl Iterator<Item = Result<(RobotId, AccountId), SinkError>>, SinkError> {
        let Self { out, robots } = self;
        let mut file = out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        file.rewind().map_err(failed("reading"))?;
        let mut file = BufReader::new(file);
        let mut next = move || -> io::Result<Option<(RobotId, AccountId)>> {
            let mut number = [0; 4];
            match file.read_exact(&mut number) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                done => done?,
            }
            let robot = robots.get(u32::from_le_bytes(number) as usize).cloned();
            file.read_exact(&mut number)?;
            let mut id = vec![0; u32::from_le_bytes(number) as usize];
            file.read_exact(&mut id)?;
            let id = String::from_utf8(id).ok().and_then(|id| AccountId::new(id).ok());
            robot.zip(id).map(Some).ok_or_else(|| ErrorKind::InvalidData.into())
        };
        Ok(std::iter::from_fn(move || next().map_err(failed("reading")).transpose()))
    }
}

impl Work<'_> {
    /// Asks about everybody who is gone, in calls of [`LOOKUP_LIMIT`].
    pub(super) fn verify(
        &self,
        lookup: &dyn AccountLookup,
        gone: Gone,
        done: &mut [PublishedList],
        moved: &dyn Fn(),
    ) -> Result<(), PublishError> {
        let mut gone = gone.read().map_err(PublishError::Sink)?.peekable();
        for (list, it) in self.lists.iter().zip(done) {
            let mut asking = Asking::resume(self, list, it)?;
            while let Some(ids) = next_ids(&mut gone, &list.id.robot_id)? {
                asking.ask(lookup, &ids)?;
                moved();
            }
            it.gone_check = Some(asking.check);
        }
        Ok(())
    }
}

/// Returns the next ids of a robot, at most [`LOOKUP_LIMIT`].
fn next_ids(
    gone: &mut std::iter::Peekable<impl Iterator<Item = Result<(RobotId, AccountId), SinkError>>>,
    robot: &RobotId,
) -> Result<Option<Vec<AccountId>>, PublishError> {
    let mut ids = Vec::new();
    while ids.len() < LOOKUP_LIMIT
        && let Some(next) =
            gone.next_if(|it| it.as_ref().is_ok_and(|it| it.0 == *robot) || it.is_err())
    {
        ids.push(next.map_err(PublishError::Sink)?.1);
    }
    Ok((!ids.is_empty()).then_some(ids))
}

/// The verification of one list.
struct Asking<'a> {
    work: &'a Work<'a>,
    list: &'a PulledList,
    pages: u64,
    since: Option<MarkId>,
    /// The last id that an earlier process asked about.
    through: Option<AccountId>,
    check: GoneCheck,
    calls: u64,
}

impl<'a> Asking<'a> {
    /// Continues after the last note about the same pages and the same last list.
    fn resume(
        work: &'a Work<'a>,
        list: &'a PulledList,
        published: &PublishedList,
    ) -> Result<Self, PublishError> {
        let state = work.runtime.block_on(list.journal.facts_of(&list.id));
        let state = state.map_err(PublishError::Journal)?;
        let since = published.comparison().and_then(|it| it.since);
        let (mut through, mut check) = (None, GoneCheck::default());
        for noted in state.iter().flat_map(|it| &it.notes) {
            if let Note::GoneAsked { pages, since: of, through: id, asked, present } = &noted.note
                && (*pages, of) == (published.pages, &since)
            {
                through = Some(id.clone());
                (check.asked, check.present) = (*asked, *present);
            }
        }
        Ok(Self { work, list, pages: published.pages, since, through, check, calls: 0 })
    }

    fn ask(&mut self, lookup: &dyn AccountLookup, ids: &[AccountId]) -> Result<(), PublishError> {
        let Some(last) = ids.last() else { return Ok(()) };
        if self.check.not_offered || self.through.as_ref().is_some_and(|it| it >= last) {
            return Ok(());
        }
        let robot = &self.list.id.robot_id;
        match self.work.runtime.block_on(lookup.look_up(robot, ids)) {
            Ok(present) => {
                self.check.asked += ids.len() as u64;
                self.check.present += ids.iter().filter(|id| present.contains(id)).count() as u64;
            }
            Err(error) if error.not_offered => {
                let error = &error as &dyn Error;
                tracing::warn!(pull = %self.list.id, error, "nothing is verified");
                self.check.not_offered = true;
                return Ok(());
            }
            Err(error) => {
                return Err(PublishError::Unverified { asked: self.check.asked, source: error });
            }
        }
        self.calls += 1;
        match self.calls % NOTED_EVERY {
            0 => self.note(last),
            _ => Ok(()),
        }
    }

    fn note(&self, through: &AccountId) -> Result<(), PublishError> {
        let GoneCheck { asked, present, .. } = self.check;
        let (pages, since, through) = (self.pages, self.since.clone(), through.clone());
        let note = Note::GoneAsked { pages, since, through, asked, present };
        let (journal, held_claim) = (&*self.list.journal, self.list.held_claim.as_ref());
        let noted = held_claim::note(journal, held_claim, &self.list.id, note);
        match self.work.runtime.block_on(noted).map_err(PublishError::Journal)? {
            Fencing::Held => Ok(()),
            _ => Err(PublishError::Fenced),
        }
    }
}
