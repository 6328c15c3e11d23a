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
                    done = self.publish(sink, outcome) => if done { return End::Done },
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
        self.places.turn_at(self.place_of(state, sink).await)
    }

    /// The place of a pull's list.
    pub(super) async fn place_of(&self, state: &PullState, sink: &Arc<dyn Sink>) -> Option<String> {
        let (destination, sink) = (Arc::clone(&self.destination), Arc::clone(sink));
        let state = state.clone();
        blocking(move || destination.place(&state, &*sink)).await
    }

    /// Publishes a pull's list. Returns false if it must be repeated.
    async fn publish(&self, sink: &Arc<dyn Sink>, outcome: &Outcome) -> bool {
        let id = outcome.list.id();
        let state = match self.journal.pull(id).await {
            Ok(state) => state,
            Err(error) => {
                let error = &error as &dyn Error;
                tracing::warn!(pull = %id, error, "the journal cannot be read before a publication");
                return false;
            }
        };
        let Some(state) = state else {
            // Its pages were deleted with it.
            self.tell(ServiceEvent::Ended { outcome });
            return true;
        };
        if is_published(&state, sink, outcome.list.revision()).await {
            return true;
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
                Ok(Confirmation::Held) => return true,
                Err(error) => return postponed(id, &error),
            }
        }
        let kind = if complete { ListKind::Complete } else { ListKind::Partial };
        self.tell(ServiceEvent::Publishing { outcome });
        let lists = vec![outcome.list.clone()];
        let (done, is_short) = match publish_with(lists, Arc::clone(sink), kind, options).await {
            Ok(published) => {
                self.tell(ServiceEvent::Published { outcome, published: &published });
                if complete {
                    self.release_earlier(&state, sink).await;
                }
                (true, matches!(outcome.status, Status::Incomplete(_)))
            }
            Err(error) => {
                self.tell(ServiceEvent::NotPublished { outcome, error: &error });
                (error.is_final(), matches!(error, PublishError::PagesLost { .. }))
            }
        };
        done && self.pull_again(outcome, &state, &policy, is_short).await
    }

    /// Pulls a list again where the policy says so. Returns false if that must be repeated.
    async fn pull_again(
        &self,
        outcome: &Outcome,
        state: &PullState,
        policy: &PullPolicy,
        is_short: bool,
    ) -> bool {
        match self.retry(outcome, state, policy, is_short).await {
            Ok(()) => true,
            Err(error) => postponed(&state.pull, &error),
        }
    }

    /// The conditions under which a pull's list is published.
    pub(super) async fn policy_of(&self, state: &PullState) -> PullPolicy {
        let (destination, state) = (Arc::clone(&self.destination), state.clone());
        let service = self.options.policy.clone();
        blocking(move || destination.policy(&state, &service)).await
    }
}

/// Logs why a publication is repeated.
fn postponed(pull: &PullId, error: &PullError) -> bool {
    let error = error as &dyn Error;
    tracing::warn!(pull = %pull, error, "the list cannot be pulled again; its publication is repeated");
    false
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
