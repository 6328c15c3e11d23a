//! From an opened callback to a page that is kept and folded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use qopen_assembler::ErrorReport;
use qopen_callback::receiver::{self, NotTaken, Received, Undecrypted};
use qopen_journal::{
    Appended, Journal, JournalError, Layer, Note, Noted, PageRecord, Payload, PullId, PullState,
    Quarantined,
};
use qopen_types::{Digest, EventType, MarkId, RobotId};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::classify::{
    Against, Classified, ClassifiedPage, Unreadable, classify, stands_against, with_a_mark,
};
use crate::fact::{Fact, digest_of};
use crate::foreign::{ForeignEvent, ForeignHandler};
use crate::stats::Stats;

/// Events of other kinds that are handed on at once. Far fewer than the connections of one peer, so that
/// a listener that hangs cannot use up those by which pages come.
const OTHERS: usize = 32;

/// Bytes of pages of pulls that nobody here asked for that one process keeps: 64 MiB.
const STRANGERS: u64 = 64 << 20;

/// Error reports that are noted of one pull: more say nothing new.
const REPORTS: usize = 16;

/// Items of nobody's that are noted against one pull; one more stands for all that follow.
const DOUBTS: usize = 256;

/// How far the platform's clock may be behind this one.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The pulls that the assembler knows, open or remembered, by mark. Looked at before the journal is.
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
}

/// Takes opened callbacks: keeps what they hold, then tells the driver. Cloned into a task of its own for
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
    others: Arc<Semaphore>,
    strangers: Arc<AtomicU64>,
}

#[async_trait]
impl receiver::Handler for Intake {
    async fn account_list(&self, received: Received) -> Result<(), NotTaken> {
        let (intake, arrived) = (self.clone(), Instant::now());
        apart(async move { intake.take(arrived, received).await }).await
    }

    async fn other(&self, _: EventType, received: Received) -> Result<(), NotTaken> {
        self.account_list(received).await
    }

    async fn undecrypted(&self, callback: Undecrypted) -> Result<(), NotTaken> {
        let (intake, arrived) = (self.clone(), Instant::now());
        apart(async move {
            let content = callback.encoding_content().as_bytes();
            let reason = chain(callback.error());
            // Nothing can be made out of whose it is.
            let open = intake.open_pulls().await?;
            let payload = Payload::new(content);
            intake.quarantine(arrived, open, Layer::Content, reason, payload).await
        })
        .await
    }
}

impl Intake {
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        facts: mpsc::Sender<(Instant, Fact)>,
        known: Arc<KnownPulls>,
        stats: Stats,
    ) -> Self {
        Self {
            journal,
            facts,
            known,
            stats,
            adopt: false,
            keep_strangers: false,
            foreign: None,
            others: Arc::new(Semaphore::new(OTHERS)),
            strangers: Arc::default(),
        }
    }

    async fn take(&self, arrived: Instant, received: Received) -> Result<(), NotTaken> {
        let signed_at = received.callback().signed_at();
        let (classified, received) = classify_apart(received).await?;
        match classified {
            Classified::Page(page) => self.page(arrived, page, received).await,
            Classified::Report { robot_id, mark_id, code, message } => {
                let digest = Digest::of(received.callback().payload());
                let report = Report { robot_id, mark_id, code, message, digest, signed_at };
                self.report(arrived, report).await
            }
            Classified::Unreadable(unreadable) => {
                self.unreadable(arrived, unreadable, received).await
            }
            Classified::Other(event_type) => self.other_event(arrived, event_type, received).await,
        }
    }

    async fn page(
        &self,
        arrived: Instant,
        page: ClassifiedPage,
        received: Received,
    ) -> Result<(), NotTaken> {
        let pull = page.pull.clone();
        let under_way = self.is_ours(&pull);
        if !under_way && !self.is_in_journal(&pull).await? {
            // What does not say that it is a page is none of a pull that nobody here knows.
            if !page.declared || !self.keep_strangers {
                return self.stranger(arrived, pull, received).await;
            }
        }
        self.stats.receiver.count_readings(page.readings);
        // The room is given back when all of this is done, also after the platform has hung up.
        let (callback, _room) = received.into_parts();
        let record = PageRecord::new(pull.clone(), Payload::new(callback.into_payload()));
        let digest = digest_of(record.digest);
        if under_way {
            // Seen and not yet kept: the pull must not settle while the journal is at it.
            self.tell(arrived, Fact::Owed(pull.clone(), digest)).await?;
        }
        let appended = self.journal.append(record).await;
        if appended.map_err(|error| not_kept(&error))? == Appended::Duplicate {
            self.stats.count_duplicate();
        }
        // It may have been taken up meanwhile, from the journal as it was before.
        if !under_way && !self.is_ours(&pull) {
            tracing::debug!(%pull, "a page came of a pull that is not under way here; it is kept");
            return Ok(());
        }
        self.tell(Instant::now(), Fact::Page(pull, digest, page)).await
    }

    /// A page of a pull that nobody here asked for. Where its name is almost that of an open pull, it
    /// stands against that one; otherwise it is another system's.
    async fn stranger(
        &self,
        arrived: Instant,
        named: PullId,
        received: Received,
    ) -> Result<(), NotTaken> {
        let open = self.open_pulls().await?;
        let payload = received.callback().payload();
        let ids = open.iter().map(|it| &it.pull);
        let (robot, mark) = (Some(&named.robot_id), Some(&named.mark_id));
        let near = stands_against(payload, robot, mark, false, ids).pulls;
        self.stats.count_stranger(named.clone(), near.first().cloned());
        tracing::debug!(pull = %named, "a page of a pull that was not started here");
        if near.is_empty() {
            if self.foreign.is_some() {
                let handed_on = self.hand_on(EventType::ROBOT_ACCOUNT_LIST, received).await;
                return handed_on.map_err(|_| NotTaken::Declined);
            }
            let bytes = payload.len() as u64;
            if self.strangers.fetch_add(bytes, Ordering::Relaxed) + bytes > STRANGERS {
                self.strangers.fetch_sub(bytes, Ordering::Relaxed);
                return Err(NotTaken::Declined);
            }
        }
        let against = of_these(open, &near);
        let reason = format!("no pull is known here of {named}");
        self.set_aside(arrived, against, Layer::Pull, reason, received).await
    }

    /// An event that says that it is another, unless it names one of our pulls where a page does.
    async fn other_event(
        &self,
        arrived: Instant,
        event_type: EventType,
        received: Received,
    ) -> Result<(), NotTaken> {
        let payload = received.callback().payload();
        if let Some(unreadable) = with_a_mark(&event_type, payload) {
            let Unreadable { layer, reason, robot_id, mark_id, .. } = unreadable;
            let open = self.open_pulls().await?;
            let ids = open.iter().map(|it| &it.pull);
            let (robot, mark) = (robot_id.as_ref(), mark_id.as_ref());
            let Against { pulls, by_mark } = stands_against(payload, robot, mark, false, ids);
            if by_mark {
                let against = of_these(open, &pulls);
                return self.set_aside(arrived, against, layer, reason, received).await;
            }
        }
        self.hand_on(event_type, received).await
    }

    /// Hands on what is nobody's page here: nothing is missing for it where it is not taken.
    async fn hand_on(&self, event_type: EventType, received: Received) -> Result<(), NotTaken> {
        let Some(handler) = &self.foreign else { return Ok(()) };
        let Ok(_place) = self.others.try_acquire() else {
            tracing::debug!(%event_type, "as many events are handed on as may be at once");
            return Err(NotTaken::Declined);
        };
        let taken = handler.handle(ForeignEvent::new(event_type, received)).await;
        taken.map_err(|error| match error {
            NotTaken::Unavailable => NotTaken::Declined,
            error => error,
        })
    }

    async fn unreadable(
        &self,
        arrived: Instant,
        unreadable: Unreadable,
        received: Received,
    ) -> Result<(), NotTaken> {
        let open = self.open_pulls().await?;
        let payload = received.callback().payload();
        let (robot, mark) = (unreadable.robot_id.as_ref(), unreadable.mark_id.as_ref());
        let ids = open.iter().map(|it| &it.pull);
        let Against { mut pulls, by_mark } =
            stands_against(payload, robot, mark, unreadable.is_damaged(), ids);
        // Also one that has ended, or that is adopted, where it is named in full.
        let mut known = None;
        if let Some(named) = unreadable.names().filter(|it| !pulls.contains(it)) {
            let ours = self.is_ours(&named) || self.is_in_journal(&named).await?;
            if ours {
                // Then it is not another one whose name is damaged.
                pulls.clear();
            }
            if ours || self.keep_strangers && pulls.is_empty() {
                known = Some(PullState::new(named));
            }
        }
        if unreadable.says_other(payload) && !by_mark && known.is_none() {
            return self.hand_on(unreadable.event_type, received).await;
        }
        let mut against = of_these(open, &pulls);
        against.extend(known);
        let Unreadable { layer, reason, .. } = unreadable;
        self.set_aside(arrived, against, layer, reason, received).await
    }

    /// Keeps a callback that could not be read, byte for byte, and has it stand against those pulls.
    async fn set_aside(
        &self,
        arrived: Instant,
        against: Vec<PullState>,
        layer: Layer,
        reason: String,
        received: Received,
    ) -> Result<(), NotTaken> {
        // The room is given back when all of this is done.
        let (callback, _room) = received.into_parts();
        let payload = Payload::new(callback.into_payload());
        self.quarantine(arrived, against, layer, reason, payload).await
    }

    async fn quarantine(
        &self,
        arrived: Instant,
        against: Vec<PullState>,
        layer: Layer,
        reason: String,
        payload: Payload,
    ) -> Result<(), NotTaken> {
        self.stats.count_unreadable();
        let item = match &against[..] {
            [one] => Quarantined::new(Some(one.pull.clone()), layer, reason, payload),
            _ => Quarantined::new(None, layer, reason, payload),
        };
        let digest = item.digest();
        tracing::warn!(
            layer = layer.as_str(),
            reason = item.reason,
            pulls = against.len(),
            "a verified callback could not be read; it is in quarantine"
        );
        for state in against.iter().filter(|it| self.is_ours(&it.pull)) {
            self.tell(arrived, Fact::Owed(state.pull.clone(), digest_of(digest))).await?;
        }
        let nameless = item.pull.is_none();
        self.journal.quarantine(item).await.map_err(|error| not_kept(&error))?;
        for state in &against {
            let mut stands = digest;
            if nameless {
                let doubts = state.doubts();
                if doubts.len() >= DOUBTS {
                    stands = Digest::of(b"more items than are noted");
                }
                if !doubts.contains(&stands) {
                    let note = Note::Doubted { item: stands };
                    let noted = self.journal.note(&state.pull, note).await;
                    noted.map_err(|error| not_kept(&error))?;
                }
            }
            if self.is_ours(&state.pull) {
                // The item was owed, whatever stands for it from now on.
                let another = (stands != digest).then_some(stands);
                for digest in std::iter::once(digest).chain(another) {
                    let fact = Fact::Unreadable(state.pull.clone(), digest_of(digest));
                    self.tell(Instant::now(), fact).await?;
                }
            }
        }
        Ok(())
    }

    /// An error report: it belongs to the pull that it names, or to its robot's only open one that had
    /// been requested when it was signed; and the same report counts once.
    async fn report(&self, arrived: Instant, report: Report) -> Result<(), NotTaken> {
        let Report { robot_id, mark_id, code, message, digest, signed_at } = report;
        let candidates = match (&robot_id, &mark_id) {
            (Some(robot), Some(mark)) => {
                let pull = PullId { robot_id: robot.clone(), mark_id: mark.clone() };
                self.journal.pull(&pull).await.map(|it| it.into_iter().collect())
            }
            (None, Some(mark)) => self.journal.pulls_marked(mark).await,
            (Some(robot), None) => self.journal.pulls_of(robot).await,
            (None, None) => Ok(Vec::new()),
        };
        let candidates: Vec<PullState> = candidates.map_err(|error| not_kept(&error))?;
        if candidates.iter().any(|it| it.has_report(digest, signed_at)) {
            self.stats.count_repeated_report();
            return Ok(());
        }
        let fits = |it: &&PullState| {
            mark_id.is_some() || it.ended().is_none() && was_requested(it, signed_at)
        };
        let mut fits = candidates.iter().filter(fits);
        let (Some(state), None) = (fits.next(), fits.next()) else {
            self.stats.count_stray_report();
            tracing::warn!(code, "an error report that belongs to no pull here, or to several");
            return Ok(());
        };
        let noted = |it: &&Noted| matches!(it.note, Note::Reported { .. });
        if state.notes.iter().filter(noted).count() < REPORTS {
            let (message, digest) = (message.clone(), Some(digest));
            let note = Note::Reported { code, message, digest, signed_at };
            self.journal.note(&state.pull, note).await.map_err(|error| not_kept(&error))?;
        }
        let PullId { robot_id, mark_id } = &state.pull;
        let (robot, mark) = (robot_id.to_string(), Some(mark_id.to_string()));
        let report = ErrorReport { robot, mark, code, message, signed: None };
        self.tell(arrived, Fact::Error(report)).await
    }

    /// Whether the pull is under way or remembered here, or would be taken up at once.
    fn is_ours(&self, pull: &PullId) -> bool {
        self.adopt || self.known.contains(pull)
    }

    async fn open_pulls(&self) -> Result<Vec<PullState>, NotTaken> {
        self.journal.open_pulls().await.map_err(|error| not_kept(&error))
    }

    /// Whether the journal knows a pull that this client does not. Then what comes of it is kept,
    /// and is there when the pull is taken up.
    async fn is_in_journal(&self, pull: &PullId) -> Result<bool, NotTaken> {
        self.journal.knows(pull).await.map_err(|error| not_kept(&error))
    }

    async fn tell(&self, arrived: Instant, fact: Fact) -> Result<(), NotTaken> {
        self.facts.send((arrived, fact)).await.map_err(|_| NotTaken::Unavailable)
    }
}

/// Does it in a task of its own, which goes on when the platform hangs up.
async fn apart<W>(work: W) -> Result<(), NotTaken>
where
    W: Future<Output = Result<(), NotTaken>> + Send + 'static,
{
    // The task ends early only when the runtime does.
    tokio::spawn(work).await.unwrap_or(Err(NotTaken::Unavailable))
}

/// Payloads of this many bytes or more are classified on a blocking thread.
const LARGE: usize = 256 << 10;

/// Classifies a callback, off the reactor if it is large.
async fn classify_apart(received: Received) -> Result<(Classified, Received), NotTaken> {
    if received.callback().payload().len() < LARGE {
        return Ok((classify(received.callback().payload()), received));
    }
    let work = move || (classify(received.callback().payload()), received);
    // It ends early only when the runtime does.
    tokio::task::spawn_blocking(work).await.map_err(|_| NotTaken::Unavailable)
}

/// An error report as it came.
struct Report {
    robot_id: Option<RobotId>,
    mark_id: Option<MarkId>,
    code: i64,
    message: String,
    digest: Digest,
    signed_at: Option<u64>,
}

/// Whether a pull had been requested when something was signed, by two clocks that may differ a little.
fn was_requested(state: &PullState, signed_at: Option<u64>) -> bool {
    let requested = |it: &&Noted| match &it.note {
        Note::Requested => true,
        Note::Started(started) => !started.unsent,
        _ => false,
    };
    let Some(requested) = state.notes.iter().find(requested) else {
        // Somebody else requested it, at a time that is not known.
        return state.is_strange();
    };
    signed_at.is_none_or(|signed| {
        let signed = UNIX_EPOCH.checked_add(Duration::from_secs(signed) + TOLERANCE);
        // A timestamp has whole seconds.
        signed.unwrap_or(SystemTime::now()) + Duration::from_secs(1) > requested.at
    })
}

fn of_these(open: Vec<PullState>, ids: &[PullId]) -> Vec<PullState> {
    open.into_iter().filter(|it| ids.contains(&it.pull)).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn not_kept(error: &JournalError) -> NotTaken {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a callback could not be kept; the platform will send it again"
    );
    NotTaken::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e7_two_clocks_may_differ_a_little() {
        let mut state = PullState::new(PullId {
            robot_id: "r".parse().unwrap(),
            mark_id: "m".parse().unwrap(),
        });
        assert!(was_requested(&state, Some(0)), "nobody knows when");
        let second = Duration::from_secs(1);
        let at = UNIX_EPOCH + 1000 * second;
        let started = qopen_journal::Started::new(second, second, second);
        state.notes.push(Noted { at, note: Note::Started(started) });
        for (signed, was) in
            [(None, true), (Some(1000), true), (Some(995), true), (Some(994), false)]
        {
            assert_eq!(was_requested(&state, signed), was, "{signed:?}");
        }
    }
}
