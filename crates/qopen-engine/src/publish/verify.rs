//! Asks the platform about customers who are gone: one that is still there proves a lost page (evidence E10).

use std::error::Error;

use qopen_journal::{Note, PullState};
use qopen_sink::{Predecessor, SinkError};
use qopen_types::{AccountId, RobotId};

use super::gone::{Gone, GoneOf};
use super::lookup::{AccountLookup, GoneCheck, LOOKUP_LIMIT, LookupError, PartialAnswer};
use super::published::{PublishError, PublishedList};
use super::work::Work;
use crate::outcome::PulledList;

/// Calls after which the journal notes how far the verification is.
const NOTED_EVERY: u64 = 10;

/// Calls without a whole answer after which the verification ends unfinished.
const GAPS: u64 = 3;

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
        let all: Vec<_> = self.lists.iter().map(|list| gone.of(&list.id.robot_id)).collect();
        let mut gone = gone.read().map_err(PublishError::Sink)?.peekable();
        for (((list, state), all), it) in self.lists.iter().zip(states).zip(all).zip(done) {
            it.gone_check = None;
            // A first list lacks no customers, which verifies nothing.
            let since = it.compared.as_ref().map(|it| &it.since);
            if !matches!(since, Some(Predecessor::List { .. })) {
                continue;
            }
            let mut asking = Asking::resume(self, list, all, state.as_ref());
            asking.controls.clone_from(&it.controls);
            while let Some(ids) = next_ids(&mut gone, &list.id.robot_id, asking.room())? {
                asking.ask(lookup, ids)?;
                moved();
            }
            it.gone_check = Some(asking.finish()?);
        }
        Ok(())
    }
}

/// Returns the next ids of a robot, at most `limit`.
fn next_ids(
    gone: &mut std::iter::Peekable<impl Iterator<Item = Result<(RobotId, AccountId), SinkError>>>,
    robot: &RobotId,
    limit: usize,
) -> Result<Option<Vec<AccountId>>, PublishError> {
    let mut ids = Vec::new();
    while ids.len() < limit
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
    /// The customers to ask about.
    gone: GoneOf,
    /// The last id that an earlier process asked about.
    through: Option<AccountId>,
    check: GoneCheck,
    calls: u64,
    /// Customers of the list. An answer that has one of them is a list.
    controls: Vec<AccountId>,
    /// Whether each call asks about the controls too.
    is_controlled: bool,
    /// Calls without a whole answer, and the first one's error.
    gaps: u64,
    gap: Option<LookupError>,
}

impl<'a> Asking<'a> {
    /// Continues after the last note about the same customers.
    fn resume(
        work: &'a Work<'a>,
        list: &'a PulledList,
        gone: GoneOf,
        state: Option<&PullState>,
    ) -> Self {
        let (mut through, mut check) = (None, GoneCheck::default());
        for noted in state.into_iter().flat_map(|it| &it.notes) {
            if let Note::GoneAsked { gone: of, through: id, asked, present } = &noted.note
                && *of == gone.digest
            {
                through = Some(id.clone());
                (check.asked, check.present) = (*asked, *present);
            }
        }
        let (controls, is_controlled) = (Vec::new(), false);
        let (calls, gaps, gap) = (0, 0, None);
        Self { work, list, gone, through, check, calls, controls, is_controlled, gaps, gap }
    }

    /// The number of customers of the next call.
    fn room(&self) -> usize {
        LOOKUP_LIMIT - if self.is_controlled { self.controls.len() } else { 0 }
    }

    fn ask(
        &mut self,
        lookup: &dyn AccountLookup,
        mut ids: Vec<AccountId>,
    ) -> Result<(), PublishError> {
        ids.retain(|id| self.through.as_ref().is_none_or(|through| id > through));
        let Some(last) = ids.last().cloned() else { return Ok(()) };
        if self.check.not_offered || self.gaps >= GAPS {
            return Ok(());
        }
        let unanswered = match self.look_up(lookup, &ids) {
            Ok(answered) => {
                let PartialAnswer { present, unanswered } = answered;
                let answered = ids.iter().filter(|id| !unanswered.contains(id));
                self.check.asked += answered.count() as u64;
                self.check.present += ids.iter().filter(|id| present.contains(id)).count() as u64;
                unanswered
            }
            Err(error) if error.not_offered && self.check.asked == 0 => {
                let error = &error as &dyn Error;
                tracing::warn!(pull = %self.list.id, error, "nothing is verified");
                self.check.not_offered = true;
                return Ok(());
            }
            Err(error) => return Err(self.unverified(error)),
        };
        self.gaps += u64::from(!unanswered.is_empty());
        // A note covers all customers before it, so none follows a gap.
        if self.gaps > 0 {
            return Ok(());
        }
        self.calls += 1;
        match self.calls % NOTED_EVERY {
            0 => self.note(&last),
            _ => Ok(()),
        }
    }

    /// Asks about customers. Asks again about those whom the answer does not cover, together with customers of
    /// the list: a gateway that writes an empty list as null then answers by a list.
    fn look_up(
        &mut self,
        lookup: &dyn AccountLookup,
        ids: &[AccountId],
    ) -> Result<PartialAnswer, LookupError> {
        let first = self.call(lookup, ids)?;
        if first.unanswered.is_empty() || self.is_controlled || self.controls.is_empty() {
            return Ok(first);
        }
        self.is_controlled = true;
        let PartialAnswer { mut present, unanswered } = first;
        let mut left = Vec::new();
        for ids in unanswered.chunks(self.room()) {
            let again = self.call(lookup, ids)?;
            present.extend(again.present);
            left.extend(again.unanswered);
        }
        // The controls of later calls would not help either.
        self.is_controlled = left.is_empty();
        Ok(PartialAnswer { present, unanswered: left })
    }

    fn call(
        &mut self,
        lookup: &dyn AccountLookup,
        ids: &[AccountId],
    ) -> Result<PartialAnswer, LookupError> {
        let controls = self.controls.iter().filter(|_| self.is_controlled);
        let asked: Vec<_> = ids.iter().chain(controls).cloned().collect();
        let answer = lookup.look_up(&self.list.id.robot_id, &asked);
        match self.work.runtime.block_on(answer) {
            Ok(present) => Ok(PartialAnswer { present, unanswered: Vec::new() }),
            Err(mut error) => {
                let Some(mut answered) = error.answered.take() else { return Err(error) };
                answered.unanswered.retain(|id| ids.contains(id));
                if !answered.unanswered.is_empty() {
                    self.gap.get_or_insert(error);
                }
                Ok(answered)
            }
        }
    }

    /// Returns what the answers say. One customer who is still there says enough.
    fn finish(mut self) -> Result<GoneCheck, PublishError> {
        let unverified = self.gone.accounts.saturating_sub(self.check.asked);
        match self.gap.take() {
            Some(gap) if unverified > 0 && self.check.present == 0 => Err(self.unverified(gap)),
            _ => Ok(GoneCheck { unverified, ..self.check }),
        }
    }

    fn unverified(&self, source: LookupError) -> PublishError {
        let asked = self.check.asked;
        let unverified = self.gone.accounts.saturating_sub(asked);
        PublishError::Unverified { asked, unverified, source }
    }

    fn note(&self, through: &AccountId) -> Result<(), PublishError> {
        let GoneCheck { asked, present, .. } = self.check;
        let (gone, through) = (self.gone.digest, through.clone());
        self.work.note(self.list, Note::GoneAsked { gone, through, asked, present })
    }
}
