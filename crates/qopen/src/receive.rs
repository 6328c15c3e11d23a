//! From an opened callback to a page that is kept and folded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use qopen_assembler::{ErrorReport, PageDigest};
use qopen_callback::RejectReason;
use qopen_callback::receiver::{self, NotTaken, Received};
use qopen_journal::{
    Appended, Journal, JournalError, Note, PageRecord, Payload, PullId, Quarantined,
};
use qopen_types::{EventType, MarkId, RobotId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::foreign::{ForeignEvent, ForeignHandler};
use crate::messages::{Fact, Whose};
use crate::understand::{Understood, understand};

/// What a client's receiver counted since the client was made. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub(crate) receiver: receiver::Stats,
    duplicate_pages: Arc<AtomicU64>,
    unknown_marks: Arc<AtomicU64>,
    unreadable_pages: Arc<AtomicU64>,
}

impl Stats {
    /// Callbacks that were not answered `success`, by reason; only reasons that occurred.
    #[must_use]
    pub fn rejections(&self) -> Vec<(RejectReason, u64)> {
        self.receiver.rejections()
    }

    /// Callbacks that were not answered `success`.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejections().iter().map(|(_, count)| count).sum()
    }

    /// Requests that reached the callback's path.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.receiver.received()
    }

    /// Callbacks that were verified and opened.
    #[must_use]
    pub fn verified(&self) -> u64 {
        self.receiver.opened()
    }

    /// Of these, callbacks that another pair of keys than the first of the ring opened.
    #[must_use]
    pub fn later_keys(&self) -> u64 {
        self.receiver.later_keys()
    }

    /// Callbacks answered `success`.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.receiver.accepted()
    }

    /// Events of other kinds.
    #[must_use]
    pub fn other_events(&self) -> u64 {
        self.receiver.other_events()
    }

    /// Callbacks whose timestamp was stale.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.receiver.stale()
    }

    /// Pages that the journal had already.
    #[must_use]
    pub fn duplicate_pages(&self) -> u64 {
        self.duplicate_pages.load(Ordering::Relaxed)
    }

    /// Pages and error reports of pulls that neither the client nor its journal knows.
    #[must_use]
    pub fn unknown_marks(&self) -> u64 {
        self.unknown_marks.load(Ordering::Relaxed)
    }

    /// Pages that verified and could not be understood.
    #[must_use]
    pub fn unreadable_pages(&self) -> u64 {
        self.unreadable_pages.load(Ordering::Relaxed)
    }
}

/// The pulls that the assembler knows, open or remembered, by mark. Looked at before a page is
/// kept, so that a flood of strangers' marks fills nothing.
#[derive(Debug, Default)]
pub(crate) struct KnownPulls(Mutex<BTreeMap<MarkId, Vec<RobotId>>>);

impl KnownPulls {
    /// Held for a map operation, never across an await.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MarkId, Vec<RobotId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, pull: &PullId) {
        let mut known = self.lock();
        let robots = known.entry(pull.mark_id.clone()).or_default();
        if !robots.contains(&pull.robot_id) {
            robots.push(pull.robot_id.clone());
        }
    }

    pub(crate) fn remove(&self, pull: &PullId) {
        let mut known = self.lock();
        if let Some(robots) = known.get_mut(&pull.mark_id) {
            robots.retain(|robot| *robot != pull.robot_id);
            if robots.is_empty() {
                known.remove(&pull.mark_id);
            }
        }
    }

    fn contains(&self, pull: &PullId) -> bool {
        self.lock().get(&pull.mark_id).is_some_and(|robots| robots.contains(&pull.robot_id))
    }

    /// The only robot that has a pull under that mark.
    fn robot_of(&self, mark: &MarkId) -> Option<RobotId> {
        self.whose(None, Some(mark)).map(|pull| pull.robot_id)
    }

    /// The only known pull that what could be read of a callback points to.
    fn whose(&self, robot: Option<&RobotId>, mark: Option<&MarkId>) -> Option<PullId> {
        let known = self.lock();
        let mut fits = known
            .iter()
            .filter(|(known, _)| mark.is_none_or(|mark| mark == *known))
            .flat_map(|(mark, robots)| robots.iter().map(move |robot| (robot, mark)))
            .filter(|(known, _)| robot.is_none_or(|robot| robot == *known));
        match (fits.next(), fits.next()) {
            (Some((robot, mark)), None) => {
                Some(PullId { robot_id: robot.clone(), mark_id: mark.clone() })
            }
            _ => None,
        }
    }
}

/// Takes opened callbacks: keeps pages, then tells the driver. Cloned into a task of its own for
/// each callback, so that a platform that hangs up does not stop half-way.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) facts: mpsc::Sender<(Instant, Fact)>,
    pub(crate) known: Arc<KnownPulls>,
    pub(crate) stats: Stats,
    pub(crate) adopt: bool,
    pub(crate) keep_strangers: bool,
    pub(crate) foreign: Option<Arc<dyn ForeignHandler>>,
}

#[async_trait]
impl receiver::Handler for Intake {
    async fn account_list(&self, received: Received) -> Result<(), NotTaken> {
        let (intake, arrived) = (self.clone(), Instant::now());
        let task = tokio::spawn(async move { intake.take(arrived, received).await });
        // The task ends early only when the runtime does.
        task.await.unwrap_or(Err(NotTaken::Unavailable))
    }

    async fn other(&self, event_type: EventType, received: Received) -> Result<(), NotTaken> {
        match &self.foreign {
            Some(handler) => handler.handle(ForeignEvent::new(event_type, received)).await,
            None => Ok(()),
        }
    }
}

impl Intake {
    async fn take(&self, arrived: Instant, received: Received) -> Result<(), NotTaken> {
        // The room is given back when all of this is done, also after the platform has hung up.
        let (callback, _room) = received.into_parts();
        let payload = callback.into_payload();
        match understand(&payload) {
            Understood::Page { pull, has_more, accounts } => {
                let page = PageRecord::new(pull.clone(), Payload::new(payload));
                let digest = PageDigest::from_u128(page.digest.to_u128());
                let under_way = self.is_ours(&pull);
                if under_way {
                    // Seen and not yet kept: the pull must not settle while the journal is at it.
                    self.tell(arrived, Fact::owed(&pull, digest)).await?;
                } else if !self.is_kept(&pull).await? {
                    return Ok(());
                }
                let appended = self.journal.append(page).await;
                if appended.map_err(|error| not_kept(&error))? == Appended::Duplicate {
                    self.stats.duplicate_pages.fetch_add(1, Ordering::Relaxed);
                }
                // It may have been taken up meanwhile, from the journal as it was before.
                if !under_way && !self.is_ours(&pull) {
                    tracing::debug!(%pull, "a page came of a pull that is not under way here; it is kept");
                    return Ok(());
                }
                let arrived = Instant::now();
                self.tell(arrived, Fact::Page { pull, digest, has_more, accounts }).await
            }
            Understood::Error { robot_id, mark_id, code, message } => {
                let by_mark = || self.known.robot_of(mark_id.as_ref()?);
                let Some(robot) = robot_id.or_else(by_mark) else {
                    self.stats.unknown_marks.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(code, "an error report names neither robot nor a known mark");
                    return Ok(());
                };
                let known = self.known.whose(Some(&robot), mark_id.as_ref());
                let pull = match (known, &mark_id) {
                    (None, Some(mark_id)) => {
                        let pull = PullId { robot_id: robot.clone(), mark_id: mark_id.clone() };
                        self.is_in_journal(&pull).await?.then_some(pull)
                    }
                    // Without a mark it belongs to the robot's only open pull, whoever follows that.
                    (None, None) => self.only_open(&robot).await?,
                    (known, _) => known,
                };
                if let Some(pull) = pull {
                    let note = Note::Reported { code, message: message.clone() };
                    self.journal.note(&pull, note).await.map_err(|error| not_kept(&error))?;
                }
                let mark = mark_id.map(|mark| mark.to_string());
                let report = ErrorReport { robot: robot.to_string(), mark, code, message };
                self.tell(arrived, Fact::Error(report)).await
            }
            Understood::Unreadable { robot_id, mark_id, reason } => {
                self.set_aside(arrived, Whose { robot_id, mark_id }, reason, payload).await
            }
            // The event type was looked at before: the text changed its mind on a second reading,
            // or broke off after it.
            Understood::Other(_) => Err(NotTaken::Malformed),
            Understood::NotJson(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "payload is not JSON");
                // It is one of ours all the same, and what it held is missing.
                let robot_id = qopen_types::RobotId::of_payload(&payload);
                let digest = PageDigest::of(payload.as_bytes());
                let whose = Whose { robot_id, mark_id: None };
                self.tell(arrived, Fact::Owed { whose, digest }).await?;
                Err(NotTaken::Malformed)
            }
        }
    }

    async fn set_aside(
        &self,
        arrived: Instant,
        whose: Whose,
        reason: String,
        payload: String,
    ) -> Result<(), NotTaken> {
        self.stats.unreadable_pages.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(reason, ?whose, "a verified page could not be read; it is in quarantine");
        let digest = PageDigest::of(payload.as_bytes());
        let pull = match whose.pull() {
            Some(pull) => {
                if !self.is_ours(&pull) && !self.is_kept(&pull).await? {
                    // A stranger's, as its name says.
                    return Ok(());
                }
                Some(pull)
            }
            None => {
                match (self.known.whose(whose.robot_id.as_ref(), whose.mark_id.as_ref()), &whose) {
                    (None, Whose { robot_id: Some(robot), mark_id: None }) => {
                        self.only_open(robot).await?
                    }
                    (known, _) => known,
                }
            }
        };
        self.tell(arrived, Fact::Owed { whose: whose.clone(), digest }).await?;
        let item = Quarantined::new(pull, reason, Payload::new(payload));
        self.journal.quarantine(item).await.map_err(|error| not_kept(&error))?;
        self.tell(Instant::now(), Fact::Unreadable { whose, digest }).await
    }

    /// Whether the pull is under way or remembered here, or would be taken up at once.
    fn is_ours(&self, pull: &PullId) -> bool {
        self.adopt || self.known.contains(pull)
    }

    /// The robot's only open pull that the journal knows; none where there are several.
    async fn only_open(&self, robot: &RobotId) -> Result<Option<PullId>, NotTaken> {
        let all = self.journal.pulls_of(robot).await.map_err(|error| not_kept(&error))?;
        let mut open = all.into_iter().filter(|state| state.ended().is_none());
        Ok(match (open.next(), open.next()) {
            (Some(state), None) => Some(state.pull),
            _ => None,
        })
    }

    /// Whether what comes of a pull that this client does not know is kept.
    async fn is_kept(&self, pull: &PullId) -> Result<bool, NotTaken> {
        Ok(self.is_in_journal(pull).await? || self.keep_strangers)
    }

    /// Whether the journal knows a pull that this client does not. Then what comes of it is kept,
    /// and is there when the pull is taken up.
    async fn is_in_journal(&self, pull: &PullId) -> Result<bool, NotTaken> {
        let known = self.journal.knows(pull).await.map_err(|error| not_kept(&error))?;
        if !known {
            self.stats.unknown_marks.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%pull, "a callback of a pull that was not started here");
        }
        Ok(known)
    }

    async fn tell(&self, arrived: Instant, fact: Fact) -> Result<(), NotTaken> {
        self.facts.send((arrived, fact)).await.map_err(|_| NotTaken::Unavailable)
    }
}

fn not_kept(error: &JournalError) -> NotTaken {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a page could not be kept; the platform will send it again"
    );
    NotTaken::Unavailable
}
