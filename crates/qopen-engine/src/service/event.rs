//! Events that a service sends to its observer.

use std::error::Error;

use qopen_journal::{PullId, PullState};
use qopen_types::MarkId;

use crate::confirm::CustomerDifference;
use crate::outcome::Outcome;
use crate::publish::{PublishError, Published};
use crate::status::Status;

/// Learns what a [`PullService`](crate::PullService) does. Implemented for closures.
pub trait ServiceObserver: Send + Sync + 'static {
    /// Called as it happens, on a thread of the runtime: it must not block.
    fn observe(&self, event: ServiceEvent<'_>);
}

impl<F: Fn(ServiceEvent<'_>) + Send + Sync + 'static> ServiceObserver for F {
    fn observe(&self, event: ServiceEvent<'_>) {
        self(event);
    }
}

/// Why a service pulls a list again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepeatReason {
    /// Two consecutive pulls must bring the same customers. Those of the last two differ so, if both completed.
    ToConfirm(Option<CustomerDifference>),
    /// The list lacks pages.
    LacksPages,
}

/// Something that a [`PullService`](crate::PullService) did, or could not do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ServiceEvent<'a> {
    /// The service begins to collect a pull that another system requested.
    External {
        /// The pull.
        pull: &'a PullId,
    },
    /// The pull's place cannot hold its list. The pull is followed, and its list is not published.
    Refused {
        /// The pull.
        pull: &'a PullId,
        /// The reason, from [`Target::Refused`](crate::Target::Refused).
        why: &'a str,
    },
    /// The pull cannot be resumed. The service tries again after 600 s, or at the next
    /// [`requeue_unfinished`](crate::PullService::requeue_unfinished) if the pull could not be enqueued.
    NotResumed {
        /// The pull.
        pull: &'a PullId,
        /// The reason.
        error: &'a (dyn Error + 'static),
    },
    /// The list of an interrupted pull is requested anew, because the pull did not complete or may
    /// lack a page.
    RequestedAnew {
        /// The interrupted pull.
        pull: &'a PullId,
        /// How it ended.
        status: &'a Status,
        /// The mark of the new pull.
        mark: &'a MarkId,
    },
    /// The list of an interrupted pull cannot be requested anew.
    NotRequestedAnew {
        /// The interrupted pull.
        pull: &'a PullId,
        /// The reason.
        error: &'a (dyn Error + 'static),
    },
    /// A list is pulled again.
    Repeated {
        /// The outcome of the pull before.
        outcome: &'a Outcome,
        /// The mark of the new pull.
        mark: &'a MarkId,
        /// Why.
        reason: RepeatReason,
    },
    /// No two consecutive pulls brought the same customers. The list is held.
    NotConfirmed {
        /// The outcome of the last pull.
        outcome: &'a Outcome,
        /// How its customers differ from those of the pull before.
        difference: Option<CustomerDifference>,
    },
    /// The pulls that were to confirm a list did not complete. The list is held.
    StillHeld {
        /// The outcome of the last one.
        outcome: &'a Outcome,
        /// The pull of the held list.
        held: &'a PullState,
    },
    /// A pull has ended, and nothing is published of it: it has no sink, or brought no page.
    Ended {
        /// The pull's outcome.
        outcome: &'a Outcome,
    },
    /// A publication begins.
    Publishing {
        /// The outcome that is published.
        outcome: &'a Outcome,
    },
    /// A list was published: as a complete one if the outcome's status is complete, otherwise as a
    /// partial one.
    Published {
        /// The pull's outcome.
        outcome: &'a Outcome,
        /// The publication.
        published: &'a Published,
    },
    /// A list was not published. The service tries again, unless trying again
    /// [does not help](PublishError::is_final).
    NotPublished {
        /// The pull's outcome.
        outcome: &'a Outcome,
        /// The reason.
        error: &'a PublishError,
    },
}
