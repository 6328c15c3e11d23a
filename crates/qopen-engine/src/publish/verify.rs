//! Asks the platform about customers who are gone: one that is still there proves a lost page (evidence E10).

use std::error::Error;

use qopen_journal::{Note, PullState};
use qopen_sink::{Predecessor, SinkError};
use qopen_types::{AccountId, Digest, RobotId};

use super::gone::Gone;
use super::lookup::{AccountLookup, GoneCheck, LOOKUP_LIMIT};
use super::published::{PublishError, PublishedList};
use super::work::Work;
use crate::outcome::PulledList;

/// Calls after which the journal notes how far the verification is.
const NOTED_EVERY: u64 = 10;

impl Work<'_> {
    /// Asks about all customers who are gone, in calls of [`LOOKUP_LIMIT`].
    pub(super) fn verify(
        &self,
        lookup: &dyn AccountLookup,
        gone: Gone,
        states: &[Option<PullState>],
        done: &mut [PublishedList],
        moved: &dyn Fn(),
    ) -> Result<(), PublishError> {
        let digests: Vec<_> =
            self.lists.iter().map(|list| gone.digest(&list.id.robot_id)).collect();
        let mut gone = gone.read().map_err(PublishError::Sink)?.peekable();
        for (((list, state), digest), it) in self.lists.iter().zip(states).zip(digests).zip(done) {
            // A first list lacks no customers, which verifies nothing.
            let since = it.compared.as_ref().map(|it| &it.since);
            if !matches!(since, Some(Predecessor::List { .. })) {
                continue;
            }
            let mut asking = Asking::resume(self, list, digest, state.as_ref());
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
    /// The digest of the customers to ask about.
    gone: Digest,
    /// The last id that an earlier process asked about.
    through: Option<AccountId>,
    check: GoneCheck,
    calls: u64,
}

impl<'a> Asking<'a> {
    /// Continues after the last note about the same customers.
    fn resume(
        work: &'a Work<'a>,
        list: &'a PulledList,
        gone: Digest,
        state: Option<&PullState>,
    ) -> Self {
        let (mut through, mut check) = (None, GoneCheck::default());
        for noted in state.into_iter().flat_map(|it| &it.notes) {
            if let Note::GoneAsked { gone: of, through: id, asked, present } = &noted.note
                && *of == gone
            {
                through = Some(id.clone());
                (check.asked, check.present) = (*asked, *present);
            }
        }
        Self { work, list, gone, through, check, calls: 0 }
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
        let (gone, through) = (self.gone, through.clone());
        self.work.note(self.list, Note::GoneAsked { gone, through, asked, present })
    }
}
