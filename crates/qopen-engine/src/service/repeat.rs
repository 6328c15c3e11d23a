//! Further pulls of a list: one was interrupted, lacks pages, or needs a confirmation.

use qopen_journal::{PullId, PullState, Repeat};
use qopen_types::{Digest, MarkId};

use super::Inner;
use super::event::{RepeatReason, ServiceEvent};
use super::policy::PullPolicy;
use crate::confirm::CustomerDifference;
use crate::error::PullError;
use crate::outcome::Outcome;
use crate::pull::PullRequest;
use crate::resume;
use crate::status::Status;

/// Pulls in all that may confirm a list, the first one included.
const PULLS: u32 = 3;

/// Whether a list may be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    /// No other pull needs to confirm it.
    NotAsked,
    /// Two consecutive pulls brought the same customers.
    Done,
    /// It is held.
    Held,
}

impl Inner {
    /// Requests the list of an interrupted pull anew if the pull did not complete, or may lack a page that no
    /// other pull is to confirm.
    pub(super) async fn request_anew(&self, state: &PullState, status: &Status, confirms: bool) {
        let doubtful = self.options.lone_receiver && status.may_lack_a_page() && !confirms;
        if !doubtful && !status.is_worth_a_request() {
            return;
        }
        let Some((_, started)) = state.started() else { return };
        let pull = &state.pull;
        match self.request_after(state, started.repeat.clone()).await {
            Ok(Some(mark)) => self.tell(ServiceEvent::RequestedAnew { pull, status, mark: &mark }),
            Ok(None) => {}
            Err(error) => self.tell(ServiceEvent::NotRequestedAnew { pull, error: &error }),
        }
    }

    /// Compares a complete list with the one that it is to confirm. Holds it and pulls again unless both have
    /// the same customers.
    ///
    /// # Errors
    /// [`PullError`], if the journal cannot be used. A repetition changes nothing that is done.
    pub(super) async fn confirm(
        &self,
        outcome: &Outcome,
        state: &PullState,
        policy: &PullPolicy,
    ) -> Result<Confirmation, PullError> {
        let Some((_, started)) = state.started().filter(|_| policy.confirm) else {
            return Ok(Confirmation::NotAsked);
        };
        if state.is_held_list_accepted() {
            return Ok(Confirmation::NotAsked);
        }
        if state.evidence().is_some_and(|it| it.confirmed_by.is_some()) {
            return Ok(Confirmation::Done);
        }
        let list = &outcome.list;
        let difference = self.difference(outcome, &started.repeat).await?;
        if let (Some(by), Some(difference)) = (&started.repeat.confirms, difference)
            && difference.is_none()
        {
            list.note_confirmed(by).await.map_err(PullError::Journal)?;
            return Ok(Confirmation::Done);
        }
        let repeat = started.repeat.to_confirm(state.pull.mark_id.clone());
        if repeat.confirmations < PULLS {
            let reason = RepeatReason::ToConfirm(difference);
            self.repeat(outcome, state, repeat, reason).await?;
        } else {
            self.tell(ServiceEvent::NotConfirmed { outcome, difference });
        }
        list.note_unconfirmed().await.map_err(PullError::Journal)?;
        Ok(Confirmation::Held)
    }

    /// Pulls again in place of a pull that did not complete or, if `is_short`, lacks pages, where the policy says
    /// so.
    ///
    /// # Errors
    /// [`PullError`], if the journal cannot be used.
    pub(super) async fn retry(
        &self,
        outcome: &Outcome,
        state: &PullState,
        policy: &PullPolicy,
        is_short: bool,
    ) -> Result<(), PullError> {
        let Some((_, started)) = state.started() else { return Ok(()) };
        let repeat = &started.repeat;
        let is_wanted = !state.is_cancel_requested();
        // The list that this one was to confirm still waits.
        let waits = policy.confirm && !outcome.status.is_complete();
        let confirms = repeat.confirms.as_ref().filter(|_| waits);
        let next = confirms.map(|mark| repeat.to_confirm(mark.clone()));
        if let Some(next) = next.filter(|it| is_wanted && it.confirmations < PULLS) {
            return self.repeat(outcome, state, next, RepeatReason::ToConfirm(None)).await;
        }
        if is_wanted && is_short && repeat.retries < policy.retries {
            return self.repeat(outcome, state, repeat.again(), RepeatReason::LacksPages).await;
        }
        let Some(mark) = confirms else { return Ok(()) };
        let waiting = PullId { robot_id: state.pull.robot_id.clone(), mark_id: mark.clone() };
        let waiting = self.journal.facts_of(&waiting).await.map_err(PullError::Journal)?;
        if let Some(held) = waiting.filter(|it| it.held().is_some()) {
            self.tell(ServiceEvent::StillHeld { outcome, held: &held });
        }
        Ok(())
    }

    /// Counts the customers in which a list differs from the one that it is to confirm. `None` if there is no
    /// such list.
    async fn difference(
        &self,
        outcome: &Outcome,
        repeat: &Repeat,
    ) -> Result<Option<CustomerDifference>, PullError> {
        let Some(mark_id) = repeat.confirms.clone() else { return Ok(None) };
        let robot_id = outcome.list.id().robot_id.clone();
        let list = self.engine.list(&PullId { robot_id, mark_id }).await?;
        // A list that has lost pages since confirms nothing.
        let Some(list) = list.filter(|it| it.revision() > 0) else { return Ok(None) };
        let difference = list.customer_difference(&outcome.list).await;
        difference.map(Some).map_err(PullError::Journal)
    }

    async fn repeat(
        &self,
        outcome: &Outcome,
        state: &PullState,
        repeat: Repeat,
        reason: RepeatReason,
    ) -> Result<(), PullError> {
        if let Some(mark) = self.request_after(state, repeat).await? {
            self.tell(ServiceEvent::Repeated { outcome, mark: &mark, reason });
        }
        Ok(())
    }

    /// Requests the list of a pull once more, with the same options. The new mark follows from the old one, so
    /// that a pull has one successor. `None` if it has one already.
    async fn request_after(
        &self,
        state: &PullState,
        repeat: Repeat,
    ) -> Result<Option<MarkId>, PullError> {
        let Some((_, started)) = state.started() else { return Ok(None) };
        let PullId { robot_id, mark_id } = &state.pull;
        let mark = Digest::of(format!("after {robot_id} {mark_id}").as_bytes()).to_string();
        // A digest is always an identifier.
        let Ok(mark) = MarkId::new(mark) else { return Ok(None) };
        let mut request = PullRequest::new(robot_id.clone())
            .mark_id(mark.clone())
            .need_tag_info(started.need_tag_info)
            .allow_unidentified(started.allow_unidentified)
            .timing(resume::options(started).timing);
        request.expect_accounts = started.expect_accounts;
        request.label.clone_from(&started.label);
        request.repeat = repeat;
        match self.engine.enqueue(request).await {
            Ok(_) => Ok(Some(mark)),
            Err(PullError::InJournal) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
