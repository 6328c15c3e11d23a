//! What is said to the driver, and what it lets be seen.

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Fold, PageDigest, PullOptions, StartError};
use qopen_journal::{Changes, PullId};
use qopen_types::Digest;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::error::PullError;
use crate::progress::Progress;
use crate::requester::RequestError;
use crate::status::Status;
use crate::tenure::{Generation, Tenure};

/// Something that this side wants or did. Few: bounded by the number of pulls.
pub(crate) enum Command {
    /// Holds the facts of this pull until it is started or released.
    Hold {
        pull: PullId,
        generation: Generation,
        reply: oneshot::Sender<Result<(), StartError>>,
    },
    /// It is started, or will not be after all.
    Release(PullId, Generation),
    Start {
        pull: PullId,
        generation: Generation,
        start: Box<Start>,
        reply: oneshot::Sender<Result<Watched, StartError>>,
    },
    Accepted(PullId, Generation),
    NotSent(PullId, Generation, RequestError),
    Cancel(PullId, Generation),
    /// It is no longer this process's to follow, whatever became of it.
    LetGo(PullId, Generation),
    /// Another process has refused what may have been a page.
    Refused,
    /// The journal has not answered since then.
    OutageBegan(Instant),
    /// It answers again.
    OutageEnded,
    /// Which of these pages the driver was not told of; `None` where the pull is not followed here.
    Missing(PullId, Vec<Digest>, oneshot::Sender<Option<Vec<Digest>>>),
    /// An ended pull is not wanted any more. Answered when nothing of it is known here.
    Forget(PullId, oneshot::Sender<Result<(), PullError>>),
}

/// How a pull starts, or goes on.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) options: PullOptions,
    /// What was folded before.
    pub(crate) fold: Option<Fold>,
    /// How long it was under way before.
    pub(crate) elapsed: Duration,
    /// The error that the platform had reported before.
    pub(crate) reported: Option<(i64, String)>,
    /// It was complete before: the revision that was published, and a page that is not in it.
    pub(crate) ended: Option<(u32, Option<PageDigest>)>,
    /// What is new in the fold since it was published.
    pub(crate) changes: Option<Changes>,
    /// The claim that it is followed under, where there is one.
    pub(crate) tenure: Option<Arc<Tenure>>,
}

impl Start {
    /// From nothing.
    pub(crate) fn new(options: PullOptions) -> Self {
        let (fold, reported, ended, changes, tenure) = (None, None, None, None, None);
        Self { options, fold, elapsed: Duration::ZERO, reported, ended, changes, tenure }
    }
}

/// What a pull's handle watches.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) progress: Progress,
    pub(crate) ended: Option<Ended>,
    /// The driver has dropped it.
    pub(crate) gone: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    /// The fold at the end; what it has every page of is published from it.
    pub(crate) fold: Arc<Fold>,
    /// What was new in it since a revision was published before.
    pub(crate) changes: Option<Changes>,
}

/// A pull's view, and what keeps its pages from being forgotten.
pub(crate) struct Watched {
    pub(crate) seen: watch::Receiver<Seen>,
    pub(crate) lease: Arc<Lease>,
}

/// As long as anyone holds it, the pull's pages stay in the journal.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) pull: PullId,
    pub(crate) released: mpsc::UnboundedSender<PullId>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without a driver the page has no reader left.
        let _ = self.released.send(self.pull.clone());
    }
}
