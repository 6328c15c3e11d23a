//! The result of a publication.

use std::time::Duration;

use qopen_journal::{Changes, Comparison, Evidence, JournalError, PullId};
use qopen_sink::{Compared, Predecessor, Quarantine, SinkError};
use qopen_types::{AccountId, MarkId, Readings, RobotId};

use super::guard::MaxGone;
use super::lookup::{GoneCheck, LookupError};

/// The error of a publication. The earlier list is still in its place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The sink could not write it.
    #[error("the list could not be written")]
    Sink(#[source] SinkError),
    /// Its pages could not be read back.
    #[error("the pages could not be read from the journal")]
    Journal(#[source] JournalError),
    /// Pages that were folded are no longer in the journal: the list would lack their accounts.
    #[error("the journal holds only {found} of the {expected} accounts that were folded")]
    PagesMissing {
        /// Accounts that were folded.
        expected: usize,
        /// Accounts whose pages are still in the journal.
        found: usize,
    },
    /// A list was followed under a claim that no longer counts, and another worker publishes it.
    #[error("another worker publishes the pull's list")]
    Fenced,
    /// The place already holds the list of a later pull. The journal notes it; the pull is done.
    #[error("the list of {pull} was not published: {} was published there before", later(by.as_ref()))]
    Superseded {
        /// The pull of the refused list.
        pull: PullId,
        /// The later pull, if it is known.
        by: Option<MarkId>,
    },
    /// The complete list is empty, and would replace one that is not.
    #[error(
        "the list of robot {robot} is empty, and the one that it would replace is not; --allow-empty publishes it"
    )]
    Empty {
        /// The robot.
        robot: RobotId,
    },
    /// The complete list lacks too many customers of the last one. It is kept beside that one, and the
    /// journal notes it.
    #[error(
        "the list of robot {robot} is held: {gone} of the {before} customers of the last list are gone, more than {limit}; `qopen pulls accept MARK` publishes it"
    )]
    Held {
        /// The robot.
        robot: RobotId,
        /// Customers of the last list that it lacks.
        gone: u64,
        /// Customers of the last list.
        before: u64,
        /// The guard.
        limit: MaxGone,
        /// The location of the held list, if the sink keeps one.
        location: Option<String>,
    },
    /// The platform still has customers whom the complete list lacks: a page was lost. The list is kept
    /// beside the last one, and the journal notes it.
    #[error(
        "the platform still has {present} of the {asked} customers whom the list of robot {robot} lacks: a page was lost; pull again, or `qopen pulls accept MARK` publishes the list"
    )]
    PagesLost {
        /// The robot.
        robot: RobotId,
        /// Customers that the platform was asked about.
        asked: u64,
        /// Customers among them that the platform still has.
        present: u64,
        /// The location of the held list, if the sink keeps one.
        location: Option<String>,
    },
    /// The complete lists leave out robots whose customers the last list of the same file has. They are kept
    /// beside that one, and the journal notes it.
    #[error(
        "the list is held: {}; pull all robots of the file together, or publish it without {}: `qopen pulls accept MARK`, or --new-baseline",
        left_out(robots),
        if robots.len() == 1 { "that robot" } else { "those robots" }
    )]
    RobotsLeftOut {
        /// The robots.
        robots: Vec<LeftOutRobot>,
        /// The location of the held list, if the sink keeps one.
        location: Option<String>,
    },
    /// The platform's answers do not cover all customers who are gone. Publishing the list again asks about
    /// the others.
    #[error(
        "{unverified} of the {} customers who are gone could not be verified; pull again to ask about them, or pull without --verify-gone", asked + unverified
    )]
    Unverified {
        /// Customers that the platform's answers cover.
        asked: u64,
        /// Customers that no answer covers.
        unverified: u64,
        /// The reason.
        #[source]
        source: LookupError,
    },
    /// The sink's format cannot hold the list. The list was written beside its place, in another format; the
    /// journal notes no publication.
    #[error("the list could not be written; all of it is in {location}")]
    Unfit {
        /// The location of the list.
        location: String,
        /// The limit of the format.
        #[source]
        source: SinkError,
    },
    /// The runtime shut down before it was done.
    #[error("the runtime shut down before the list was written")]
    Shutdown,
}

impl PublishError {
    /// Whether the journal has lost pages of the list. If it had ended with a complete list, the pull is open
    /// again: the journal notes that.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Journal(JournalError::Damaged(_)) | Self::PagesMissing { .. })
    }

    /// Whether the list is kept beside the last one, for a person to decide.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::PagesLost { .. } | Self::RobotsLeftOut { .. })
    }

    /// Whether publishing the same list again must fail again, because of the list itself or of a later
    /// one.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Superseded { .. }
                | Self::Empty { .. }
                | Self::Held { .. }
                | Self::PagesLost { .. }
                | Self::RobotsLeftOut { .. }
                | Self::Unfit { .. }
                | Self::Sink(SinkError::Unfit(_))
        )
    }
}

fn later(by: Option<&MarkId>) -> String {
    by.map_or_else(|| "a later pull".to_owned(), |mark| format!("the later pull {mark}"))
}

/// A robot of the last list of a file that the new one leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOutRobot {
    /// The robot.
    pub robot_id: RobotId,
    /// Its customers in the last list.
    pub accounts: u64,
}

impl LeftOutRobot {
    pub(super) fn of(compared: &Compared) -> Self {
        Self { robot_id: compared.robot_id.clone(), accounts: compared.accounts_before }
    }
}

/// Maximum number of robots in an error.
const SHOWN: usize = 10;

fn left_out(robots: &[LeftOutRobot]) -> String {
    let mut shown: Vec<String> = robots
        .iter()
        .take(SHOWN)
        .map(|LeftOutRobot { robot_id, accounts }| match accounts {
            1 => format!("robot {robot_id} (1 customer)"),
            accounts => format!("robot {robot_id} ({accounts} customers)"),
        })
        .collect();
    if robots.len() > SHOWN {
        shown.push(format!("{} more robots", robots.len() - SHOWN));
    }
    format!("it leaves out {}, which the last list of the file has", shown.join(", "))
}

/// A publication.
#[derive(Debug)]
#[non_exhaustive]
pub struct Published {
    /// Where, as the sink names it.
    pub location: String,
    /// Each list's figures, in the given order.
    pub lists: Vec<PublishedList>,
    /// Robots of the last list of the file that the lists leave out.
    pub left_out: Vec<LeftOutRobot>,
    /// The place of unreadable items, for messages, if the sink has one for them. `None` if there
    /// are none, or they are in [`quarantine`](Self::quarantine).
    pub set_aside: Option<String>,
    /// Unreadable accounts and pages, if the sink has no place for them: one JSON object a line,
    /// with `robot_id`, `mark_id`, `reason`, and the raw value in `raw`.
    pub quarantine: Quarantine,
    /// The duration of the publication.
    pub elapsed: Duration,
}

/// The publication of one pull.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedList {
    /// The pull.
    pub id: PullId,
    /// Which revision.
    pub revision: u32,
    /// Accounts written.
    pub accounts: u64,
    /// Different pages that they were on.
    pub pages: u64,
    /// Accounts and pages that could not be read.
    pub quarantined: u64,
    /// Fields of accounts that could not be read, and are in the list as they came.
    pub unread_fields: u64,
    /// Tolerated spellings that its accounts needed.
    pub readings: Readings,
    /// Changes since the earlier published revision, if there was one.
    pub changes: Option<Changes>,
    /// The comparison with the place's last complete list, if the place keeps one.
    pub compared: Option<Compared>,
    /// The platform's answers about the customers who are gone, if it was asked.
    pub gone_check: Option<GoneCheck>,
    /// The evidence on which it was published as complete; `None` for a partial list, or if an earlier version
    /// noted no evidence.
    pub evidence: Option<Evidence>,
    /// The basis in one sentence; `None` for a partial list.
    pub basis: Option<String>,
    /// Customers of the list, for the check of answers about others.
    pub(super) controls: Vec<AccountId>,
}

impl PublishedList {
    /// The comparison with the place's last complete list, as the journal notes it.
    #[must_use]
    pub fn comparison(&self) -> Option<Comparison> {
        let Compared { since, counts, .. } = self.compared.as_ref()?;
        let mut comparison = match since {
            Predecessor::List { mark_id, .. } => Comparison::new(mark_id.clone(), *counts),
            _ => Comparison::baseline(),
        };
        comparison.gone_verified = self.gone_check.map(GoneCheck::is_verified);
        Some(comparison)
    }
}
