//! Publication, again and again until it is done.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use qopen_journal::{Note, PullId, PullState};
use qopen_sink::{ListKind, Sink};
use tokio::time::sleep;

use super::Inner;
use super::blocking::blocking;
use super::event::ServiceEvent;
use super::follow::End;
use super::followed::FollowedPull;
use super::places::Turn;
use super::policy::PullPolicy;
use super::repeat::Confirmation;
use crate::error::PullError;
use crate::outcome::Outcome;
use crate::publish::{PublishError, publish_with};
use crate::resume::kept_list;
use crate::status::Status;
use crate::worker::ClaimedPull;

/// Time until a failed publication is repeated: at first, and at most. It doubles each time.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);

/// Time limit for a publication in flight when the service stops.
const LAST_LIST: Duration = Duration::from_secs(3);

impl Inner {
    /// Publishes a pull's list, and repeats that until it succeeds.
    pub(super) async fn publish_until_done(
        &self,
        claimed: &ClaimedPull,
        followed: &FollowedPull,
        sink: &Arc<dyn Sink>,
        outcome: &Outcome,
        before: &PullState,
    ) -> End {
        let id = claimed.id();
        if self.is_discarded(id) {
            return End::Done;
        }
        let mut again = AGAIN;
        loop {
            {
                let turn = self.turn_at(before, sink).await;
                let _turn = tokio::select! {
                turn = turn.lock() => turn,
                () = claimed.lost() => return End::Lost,
                () = self.stopped() => return End::Stopping};
                // The next process publishes the lists that this one leaves when it stops.
                if self.is_stopping() {
                    return End::Stopping;
                }
                if self.is_discarded(id) {
                    return End::Done;
                }
                if !self.followed.is_current(id, followed) {
                    return End::Lost;
                }
                // A place that hangs delays neither shutdown nor another worker. A publication that is
                // cut off here is repeated, or found done.
                tokio::select! {
                    step = self.publish(sink, outcome) => match step {
                        Step::Done => return End::Done,
                        Step::Reopened => return End::Reopened,
                        Step::Again => {}
                    },
                    () = claimed.lost() => return End::Lost,
                    () = async { self.stopped().await; sleep(LAST_LIST).await } => {
                        return End::Stopping;
                    }
                }
            }
            tokio::select! {
                () = sleep(again) => again = (again * 2).min(AGAIN_AT_MOST),
                () = claimed.lost() => return End::Lost,
                () = self.stopped() => return End::Stopping,
            }
        }
    }

    /// The lock that serialises publications to a pull's place.
    pub(super) async fn turn_at(&self, state: &PullState, sink: &Arc<dyn Sink>) -> Turn {
        let (destination, sink) = (Arc::clone(&self.destination), Arc::clone(sink));
        let state = state.clone();
        let place = blocking(move || destination.place(&state, &*sink)).await;
        self.places.turn_at(place)
    }

    async fn publish(&self, sink: &Arc<dyn Sink>, outcome: &Outcome) -> Step {
        let id = outcome.list.id();
        let state = match self.journal.pull(id).await {
            Ok(state) => state,
            Err(error) => {
                let error = &error as &dyn Error;
                tracing::warn!(pull = %id, error, "the journal cannot be read before a publication");
                return Step::Again;
            }
        };
        let Some(state) = state else {
            // Its pages were deleted with it.
            self.tell(ServiceEvent::Ended { outcome });
            return Step::Done;
        };
        if is_published(&state, sink, outcome.list.revision()).await {
            return Step::Done;
        }
        let policy = self.policy_of(&state).await;
        let (complete, progress) = (outcome.status.is_complete(), &outcome.progress);
        if !complete && progress.figures.pages + progress.figures.unreadable_pages == 0 {
            self.tell(ServiceEvent::Ended { outcome });
            return self.pull_again(outcome, &state, &policy, false).await;
        }
        let mut options = policy.publish.clone();
        if complete {
            match self.confirm(outcome, &state, &policy).await {
                Ok(Confirmation::NotAsked) => {}
                // Two empty lists are evidence that nothing is there.
                Ok(Confirmation::Done) => options = options.allow_empty(true),
                Ok(Confirmation::Held) => return Step::Done,
                Err(error) => return postponed(id, &error),
            }
        }
        let kind = if complete { ListKind::Complete } else { ListKind::Partial };
        self.tell(ServiceEvent::Publishing { outcome });
        let list = match complete || state.damaged.is_empty() {
            true => None,
            // A partial list has the pages that are left.
            false => kept_list(&(Arc::clone(&self.journal) as _), id).await.ok().flatten(),
        };
        let lists = vec![list.unwrap_or_else(|| outcome.list.clone())];
        let is_short = match publish_with(lists, Arc::clone(sink), kind, options).await {
            Ok(published) => {
                self.tell(ServiceEvent::Published { outcome, published: &published });
                matches!(outcome.status, Status::Incomplete(_))
            }
            Err(error) => {
                self.tell(ServiceEvent::NotPublished { outcome, error: &error });
                match error.is_final() {
                    true => matches!(error, PublishError::PagesLost { .. }),
                    false if error.is_loss() && self.is_open(id).await => return Step::Reopened,
                    false => return Step::Again,
                }
            }
        };
        self.pull_again(outcome, &state, &policy, is_short).await
    }

    /// Pulls a list again where the policy says so.
    async fn pull_again(
        &self,
        outcome: &Outcome,
        state: &PullState,
        policy: &PullPolicy,
        is_short: bool,
    ) -> Step {
        match self.retry(outcome, state, policy, is_short).await {
            Ok(()) => Step::Done,
            Err(error) => postponed(&state.pull, &error),
        }
    }

    /// The conditions under which a pull's list is published.
    pub(super) async fn policy_of(&self, state: &PullState) -> PullPolicy {
        let (destination, state) = (Arc::clone(&self.destination), state.clone());
        let service = self.options.policy.clone();
        blocking(move || destination.policy(&state, &service)).await
    }

    /// Whether the journal has no end of the pull.
    async fn is_open(&self, id: &PullId) -> bool {
        let state = self.journal.facts_of(id).await;
        state.is_ok_and(|state| state.is_some_and(|state| state.ended().is_none()))
    }
}

/// Logs why a publication is repeated.
fn postponed(pull: &PullId, error: &PullError) -> Step {
    let error = error as &dyn Error;
    tracing::warn!(pull = %pull, error, "the list cannot be pulled again; its publication is repeated");
    Step::Again
}

/// What follows an attempt to publish a list. A repeated attempt writes the list anew, also after an unfinished
/// verification: what is written would hold a transaction or a file for as long as the platform does not answer,
/// and lack the pages that come meanwhile.
enum Step {
    Done,
    /// The publication must be repeated.
    Again,
    /// The journal has lost pages, and the pull is open again.
    Reopened,
}

/// Whether the sink has that revision of a pull's list, and no page or request came since.
async fn is_published(state: &PullState, sink: &Arc<dyn Sink>, revision: u32) -> bool {
    if state.has_newer_pages() || state.is_publication_requested() {
        return false;
    }
    let location = match state.published().map(|noted| &noted.note) {
        Some(Note::Published { revision: done, location, .. }) if *done >= revision => {
            location.clone()
        }
        _ => return false,
    };
    let sink = Arc::clone(sink);
    blocking(move || sink.is_at(&location)).await
}
