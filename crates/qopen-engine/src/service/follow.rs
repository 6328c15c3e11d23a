//! One claim: the work that its pull needs, and the pull's way to its end.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use qopen_journal::{JournalError, PullId, PullState};
use qopen_sink::Sink;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Inner;
use super::blocking::blocking;
use super::destination::Target;
use super::event::ServiceEvent;
use super::followed::{FollowedPull, PullFigures};
use super::need::{Need, is_interrupted, need, publication_requests};
use crate::error::PullError;
use crate::pull::Pull;
use crate::worker::{ClaimedPull, TakePlaceError};

/// Pause before a claim is given back while the driver still forgets the pull's last start.
const RELEASING: Duration = Duration::from_secs(1);

/// Time until a pull that could not be resumed is tried again.
const STUCK: Duration = Duration::from_secs(600);

/// Time limit for a place to give a sequence number.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the following of a pull ends.
pub(super) enum End {
    /// Nothing is left to do for the pull.
    Done,
    /// The service stops.
    Stopping,
    /// The claim no longer counts.
    Lost,
    /// The pull is open again, and is followed anew.
    Reopened,
}

impl Inner {
    /// Does the work that the journal wants for a pull.
    pub(super) async fn work_on(self: Arc<Self>, claimed: ClaimedPull) {
        let id = claimed.id().clone();
        if let Err(error) = self.try_to(claimed).await {
            // The pull is claimed again when the lease ends.
            tracing::warn!(pull = %id, error = &error as &dyn Error, "left for now");
        }
    }

    async fn try_to(&self, claimed: ClaimedPull) -> Result<(), JournalError> {
        let state = claimed.state().await?;
        let needed = state.map(|state| (need(&state), state));
        let Some((need, state)) = needed.filter(|(need, _)| *need != Need::Nothing) else {
            return claimed.complete().await.map(drop);
        };
        let pull = &state.pull;
        let sink = match self.target_of(&state).await {
            Target::Sink(sink) => Some(sink),
            _ if need == Need::Publishing => return claimed.complete().await.map(drop),
            Target::Nowhere => None,
            Target::Refused(why) => {
                self.tell(ServiceEvent::Refused { pull, why: &why });
                None
            }
        };
        if let Some(sink) = sink.as_ref().filter(|_| need == Need::Following) {
            take_place(&claimed, sink).await?;
        }
        if state.is_external() {
            self.tell(ServiceEvent::External { pull });
        }
        match claimed.resume().await {
            Ok(pull) => self.follow(claimed, pull, sink, &state).await,
            Err(PullError::Journal(error)) if error.is_retryable() => Err(error),
            Err(PullError::Fenced) => Ok(()),
            Err(PullError::Start(_)) => {
                // The driver has not dropped the pull's last start in this process yet.
                sleep(RELEASING).await;
                claimed.give_back().await
            }
            Err(error) => {
                self.tell(ServiceEvent::NotResumed { pull, error: &error });
                // Held, so that no worker repeats a certain failure at once.
                tokio::select! {
                    () = sleep(STUCK) => {}
                    () = claimed.lost() => {}
                    () = self.stopped() => {}
                }
                claimed.give_back().await
            }
        }
    }

    pub(super) async fn target_of(&self, state: &PullState) -> Target {
        let (destination, state) = (Arc::clone(&self.destination), state.clone());
        blocking(move || destination.target(&state)).await
    }

    /// Follows a pull until its list is published, the claim is lost or the service stops.
    async fn follow(
        &self,
        claimed: ClaimedPull,
        pull: Pull,
        sink: Option<Arc<dyn Sink>>,
        before: &PullState,
    ) -> Result<(), JournalError> {
        let id = pull.id().clone();
        let (show, followed) = FollowedPull::new();
        self.followed.insert(id.clone(), followed.clone());
        match self.follow_to_the_end(&claimed, pull, show, &followed, sink, before).await {
            End::Done => {
                self.followed.remember(id.clone());
                claimed.complete().await?;
                // A resume just before this point may have been consumed by the old claim.
                let requested = publication_requests(before);
                match self.journal.facts_of(&id).await? {
                    Some(state)
                        if state.ended().is_none() || publication_requests(&state) > requested =>
                    {
                        self.journal.enqueue(&id).await
                    }
                    _ => Ok(()),
                }
            }
            End::Stopping => claimed.give_back().await,
            End::Lost | End::Reopened => {
                self.followed.remove_this(&id, &followed);
                // Changes nothing if another worker has the pull.
                claimed.give_back().await
            }
        }
    }

    async fn follow_to_the_end(
        &self,
        claimed: &ClaimedPull,
        mut pull: Pull,
        show: watch::Sender<Option<PullFigures>>,
        followed: &FollowedPull,
        sink: Option<Arc<dyn Sink>>,
        before: &PullState,
    ) -> End {
        loop {
            tokio::select! {
                progress = pull.progress() => match progress {
                    Some(progress) => {
                        show.send_replace(Some(PullFigures::now(progress, None)));
                    }
                    None => break,
                },
                () = followed.cancelled() => pull.cancel(),
                () = claimed.lost() => return End::Lost,
                () = self.stopped() => {
                    // The next process resumes it.
                    pull.leave();
                    return End::Stopping;
                }
            }
        }
        let Ok(outcome) = pull.outcome().await else { return End::Lost };
        // Late pages that come one after another make one revision.
        tokio::select! {
            () = outcome.list.settled() => {}
            () = claimed.lost() => return End::Lost,
            () = self.stopped() => return End::Stopping,
        }
        let outcome = outcome.refreshed();
        if is_interrupted(before) && !self.is_discarded(claimed.id()) {
            // Without a sink nothing is confirmed.
            let confirms = sink.is_some() && self.policy_of(before).await.confirm;
            self.request_anew(before, &outcome.status, confirms).await;
        }
        let (progress, ended) = (outcome.progress.clone(), Some(outcome.status.clone()));
        show.send_replace(Some(PullFigures::now(progress, ended)));
        let Some(sink) = sink else {
            self.tell(ServiceEvent::Ended { outcome: &outcome });
            return End::Done;
        };
        self.publish_until_done(claimed, followed, &sink, &outcome, before).await
    }

    pub(super) fn is_discarded(&self, id: &PullId) -> bool {
        self.discarded().contains(id)
    }
}

/// Takes the pull's position in the sink's order of lists. Without one, its list counts as later than
/// all others when it is published: only the order among journals that publish there is lost.
async fn take_place(claimed: &ClaimedPull, sink: &Arc<dyn Sink>) -> Result<(), JournalError> {
    let error: Box<dyn Error + Send + Sync> =
        match timeout(PATIENCE, claimed.take_place(Arc::clone(sink))).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(TakePlaceError::Journal(error))) => return Err(error),
            Ok(Err(error)) => error.into(),
            Err(_) => "the sink does not answer".into(),
        };
    let error = &*error as &dyn Error;
    tracing::warn!(pull = %claimed.id(), error, "its list has no place in the order of lists");
    Ok(())
}
