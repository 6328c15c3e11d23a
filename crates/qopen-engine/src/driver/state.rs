//! The driver's state: the assembler, its clock, and each pull.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Assembler, Entry, PullKey, Time};
use qopen_journal::{Changes, Evidence, Journal, PullId};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::counts::EngineStats;
use crate::fact::Fact;
use crate::held_claim::{Generation, HeldClaim};
use crate::known::KnownPulls;
use crate::messages::{PagePin, PullView, PullWatch};
use crate::refusals::RefusalSource;
use crate::requester::RequestError;
use crate::spans::PullSpans;
use crate::status::Status;

pub(super) struct TrackedPull {
    pub(super) pull: PullId,
    /// 0 for an adopted pull: it was not started here.
    pub(super) generation: Generation,
    pub(super) view: watch::Sender<PullView>,
    /// Held for as long as the assembler remembers the pull.
    pub(super) _pin: Arc<PagePin>,
    pub(super) not_sent: Option<Arc<RequestError>>,
    /// Time for which earlier processes followed it.
    pub(super) elapsed: Duration,
    /// The claim that it is followed under, if any.
    pub(super) held_claim: Option<Arc<HeldClaim>>,
    /// The evidence on which it was complete before it was resumed.
    pub(super) evidence: Option<Evidence>,
    /// Changes since the published revision, when the pull was resumed.
    pub(super) changes: Option<Changes>,
    pub(super) spans: PullSpans,
}

/// Facts of a pull that is being resumed.
pub(super) struct Held {
    pub(super) generation: Generation,
    pub(super) facts: Vec<(Time, Fact)>,
}

pub(crate) struct Driver {
    pub(super) assembler: Assembler<Entry>,
    pub(super) epoch: Instant,
    pub(super) pulls: BTreeMap<PullKey, TrackedPull>,
    /// Where pulls are named that were adopted.
    pub(super) adopted: mpsc::Sender<(PullId, PullWatch)>,
    /// Facts of pulls that are being resumed, until their fold is there.
    pub(super) held: BTreeMap<PullKey, Held>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) known: Arc<KnownPulls>,
    pub(super) stats: EngineStats,
    pub(super) released: mpsc::UnboundedSender<PullId>,
    pub(super) facts: mpsc::Receiver<(Instant, Fact)>,
    /// Pulls that the caller forgot: a page of theirs may still be in flight.
    pub(super) forgotten: BTreeSet<PullId>,
    /// The refusals, and how many of them the assembler knows.
    pub(super) refusals: Arc<dyn RefusalSource>,
    pub(super) refused: u64,
    /// When the journal answered last, and when to ask it again.
    pub(super) heard: Instant,
    pub(super) away: Option<Instant>,
    /// Whether the assembler knows of an outage, and whether the worker does: then an answer to another
    /// question does not end it.
    pub(super) is_deaf: bool,
    pub(super) is_worker_deaf: bool,
    /// Ends that the journal does not have yet. Views show an end once it is noted.
    pub(super) unnoted: BTreeMap<PullKey, Status>,
    /// Facts that wait until the assembler's events are polled.
    pub(super) waiting: VecDeque<(Time, Fact)>,
}

/// Time begins long before the driver does, so that earlier signatures have a time too.
pub(super) const BEFORE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Driver {
    pub(super) fn now(&self) -> Time {
        self.time_of(Instant::now())
    }

    pub(super) fn time_of(&self, at: Instant) -> Time {
        Time::since_epoch(BEFORE + at.saturating_duration_since(self.epoch))
    }
}
