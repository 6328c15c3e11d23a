//! A claim held by this process, shared by the driver and the publisher.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qopen_journal::{
    Claim, ClaimQueue, Cursor, Fencing, Journal, JournalError, Note, PullId, Renewed,
};
use qopen_sink::ClaimedNote;
use tokio::sync::watch;
use tokio::time::Instant;

/// Time after which a silent journal counts as away.
pub(crate) const HUNG: Duration = Duration::from_secs(1);

/// Number of a pull's start: a mark may be used again after it was forgotten.
pub(crate) type Generation = u64;

pub(crate) struct HeldClaim {
    journal: Arc<dyn ClaimQueue>,
    claim: Claim,
    lease: Duration,
    /// The pull's generation in the driver; 0 until the driver knows it.
    generation: AtomicU64,
    /// Whether the journal has something that the driver does not know.
    unseen: AtomicBool,
    /// No task reads `unseen` any more.
    finished: AtomicBool,
    lost: watch::Sender<bool>,
    /// How far the driver knows the journal.
    told: Mutex<Option<Cursor>>,
    /// When a publication under it did its last step, while there is one.
    moved: Mutex<Option<Instant>>,
}

impl HeldClaim {
    pub(crate) fn new(journal: Arc<dyn ClaimQueue>, claim: Claim, lease: Duration) -> Self {
        let (unseen, finished) = (AtomicBool::new(false), AtomicBool::new(false));
        let (generation, lost) = (AtomicU64::new(0), watch::Sender::new(false));
        let told = Mutex::default();
        let moved = Mutex::default();
        Self { journal, claim, lease, generation, unseen, finished, lost, told, moved }
    }

    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    pub(crate) fn pull(&self) -> &PullId {
        &self.claim.pull
    }

    pub(crate) fn journal(&self) -> &Arc<dyn ClaimQueue> {
        &self.journal
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation.load(Ordering::Relaxed)
    }

    pub(crate) fn set_generation(&self, generation: Generation) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    pub(crate) fn is_unseen(&self) -> bool {
        self.unseen.load(Ordering::SeqCst)
    }

    pub(crate) fn set_unseen(&self, unseen: bool) {
        self.unseen.store(unseen, Ordering::SeqCst);
    }

    /// Ends the following: from here on, either this side or the other sees what is unseen.
    pub(crate) fn finish(&self) -> bool {
        self.finished.store(true, Ordering::SeqCst);
        self.is_unseen()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    /// Held to copy it or to replace it.
    pub(crate) fn told(&self) -> MutexGuard<'_, Option<Cursor>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A publication under it has begun or goes on, or, with `None`, has ended.
    pub(crate) fn publication_moved(&self, at: Option<Instant>) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Whether its publication has made no progress for `patience`.
    pub(crate) fn is_stalled(&self, patience: Duration) -> bool {
        let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.is_some_and(|at| at.elapsed() > patience)
    }

    /// Gives up the claim in this process, whatever the journal says: its lease is not renewed.
    pub(crate) fn give_up(&self) {
        self.lost.send_replace(true);
    }

    pub(crate) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Handles the result of a renewal.
    pub(crate) fn renewed(&self, renewed: Renewed) -> Fencing {
        match renewed {
            Renewed::Held { pages, notes } => {
                if pages || notes {
                    self.set_unseen(true);
                }
                Fencing::Held
            }
            _ => {
                self.give_up();
                Fencing::Fenced
            }
        }
    }

    /// Whether it still counts, asked of the journal; then it does for most of a lease.
    pub(crate) async fn check(&self) -> Result<Fencing, JournalError> {
        let renewed = self.journal.renew(std::slice::from_ref(&self.claim), self.lease).await?;
        Ok(renewed.first().map_or(Fencing::Fenced, |it| self.renewed(*it)))
    }

    pub(crate) async fn note(&self, note: Note) -> Result<Fencing, JournalError> {
        let fencing = self.journal.note_as(&self.claim, note).await?;
        if fencing == Fencing::Fenced {
            self.give_up();
        }
        Ok(fencing)
    }

    /// The note for a sink to commit with a list, if the journal's storage may be the sink's too.
    pub(crate) fn claimed_note(&self, note: &Note) -> Option<ClaimedNote> {
        let Claim { pull, epoch, .. } = &self.claim;
        let (storage, note) = (self.journal.storage()?, serde_json::to_string(note).ok()?);
        Some(ClaimedNote::new(storage, &pull.robot_id, &pull.mark_id, *epoch, note))
    }

    /// Waits until the claim no longer counts.
    pub(crate) async fn lost(&self) {
        // The sender is here.
        let _ = self.lost.subscribe().wait_for(|lost| *lost).await;
    }
}

impl fmt::Debug for HeldClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldClaim").field("claim", &self.claim).finish_non_exhaustive()
    }
}

/// Keeps a note about a pull, under its claim if it has one.
pub(crate) async fn note(
    journal: &dyn Journal,
    held_claim: Option<&Arc<HeldClaim>>,
    pull: &PullId,
    note: Note,
) -> Result<Fencing, JournalError> {
    match held_claim {
        Some(held_claim) => held_claim.note(note).await,
        None => journal.note(pull, note).await.map(|()| Fencing::Held),
    }
}
