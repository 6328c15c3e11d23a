//! The way in: from a verified payload to a page that is kept and folded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qopen_assembler::ErrorReport;
use qopen_journal::{
    Appended, Journal, JournalError, Layer, Note, Noted, PageRecord, Payload, PullId, PullState,
    Quarantined,
};
use qopen_types::{Digest, EventType, MarkId, RobotId};
use tokio::time::Instant;

use crate::accepted::{Accepted, Incoming, NotKept};
use crate::classify::{
    Against, Classified, ClassifiedPage, Unreadable, classify, stands_against, with_a_mark,
};
use crate::counts::EngineStats;
use crate::fact::{Fact, digest_of};
use crate::handle::FactSender;
use crate::known::KnownPulls;

/// Bytes of pages of pulls that nobody here asked for that one process keeps: 64 MiB.
const STRANGERS: u64 = 64 << 20;

/// Error reports that are noted of one pull: more say nothing new.
const REPORTS: usize = 16;

/// Items of nobody's that are noted against one pull; one more stands for all that follow.
const DOUBTS: usize = 256;

/// How far the platform's clock may be behind this one.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The way in for payloads: keeps what they hold, then tells the driver.
///
/// Cloning is cheap. Unlike an [`Engine`](crate::Engine), a clone does not keep the driver alive: when
/// the last engine is dropped, payloads are refused.
#[derive(Clone)]
pub struct Intake {
    journal: Arc<dyn Journal>,
    facts: FactSender,
    known: Arc<KnownPulls>,
    stats: EngineStats,
    strays: Strays,
    strangers: Arc<AtomicU64>,
}

/// What becomes of pages of pulls that this engine did not start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Strays {
    /// The pull is collected here.
    pub(crate) adopt: bool,
    /// Its pages are kept, for the worker that shares the journal.
    pub(crate) keep: bool,
    /// Its pages are returned to the caller.
    pub(crate) hand_back: bool,
}

impl Intake {
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        facts: FactSender,
        known: Arc<KnownPulls>,
        stats: EngineStats,
        strays: Strays,
    ) -> Self {
        Self { journal, facts, known, stats, strays, strangers: Arc::default() }
    }

    /// Takes a verified payload, and returns when it is as safe as the journal makes it. The work
    /// goes on in the background when the future is dropped.
    ///
    /// # Errors
    /// [`NotKept`]: the payload must come again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn accept(&self, incoming: Incoming) -> Result<Accepted, NotKept> {
        let intake = self.clone();
        apart(async move { intake.take(incoming).await }).await
    }

    /// Takes the content of a verified envelope that no key opens, and why. The content goes into
    /// quarantine, and stands against every open pull until it is read or released.
    ///
    /// # Errors
    /// [`NotKept`]: the content must come again.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn accept_undecrypted(
        &self,
        content: Payload,
        reason: String,
    ) -> Result<Accepted, NotKept> {
        let (intake, arrived) = (self.clone(), Instant::now());
        apart(async move {
            // Its pull cannot be read.
            let open = intake.open_pulls().await?;
            intake.quarantine(arrived, open, Layer::Content, reason, content).await
        })
        .await
    }

    async fn take(&self, incoming: Incoming) -> Result<Accepted, NotKept> {
        let Incoming { payload, signed_at, arrived } = incoming;
        match classify_apart(&payload).await? {
            Classified::Page(page) => self.page(arrived, page, payload).await,
            Classified::Report { robot_id, mark_id, code, message } => {
                let digest = Digest::of(payload.as_bytes());
                let report = Report { robot_id, mark_id, code, message, digest, signed_at };
                self.report(arrived, report).await
            }
            Classified::Unreadable(unreadable) => {
                self.unreadable(arrived, unreadable, payload).await
            }
            Classified::Other(event_type) => self.other_event(arrived, event_type, payload).await,
        }
    }

    async fn page(
        &self,
        arrived: Instant,
        page: ClassifiedPage,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        let pull = page.pull.clone();
        let under_way = self.is_ours(&pull);
        if !under_way && !self.is_in_journal(&pull).await? {
            // What does not say that it is a page is none of a pull that nobody here knows.
            if !page.declared || !self.strays.keep {
                return self.stranger(arrived, pull, payload).await;
            }
        }
        self.stats.count_readings(page.readings);
        let record = PageRecord::new(pull.clone(), payload);
        let digest = digest_of(record.digest);
        if under_way {
            // Seen and not yet kept: the pull must not settle while the journal is at it.
            self.tell(arrived, Fact::Owed(pull.clone(), digest)).await?;
        }
        let appended = self.journal.append(record).await;
        if appended.map_err(not_kept)? == Appended::Duplicate {
            self.stats.count_duplicate();
        }
        // It may have been taken up meanwhile, from the journal as it was before.
        if !under_way && !self.is_ours(&pull) {
            tracing::debug!(%pull, "a page came of a pull that is not under way here; it is kept");
            return Ok(Accepted::Page);
        }
        self.tell(Instant::now(), Fact::Page(pull, digest, page)).await?;
        Ok(Accepted::Page)
    }

    /// A page of a pull that nobody here asked for. Where its name is almost that of an open pull, it
    /// stands against that one; otherwise it is another system's.
    async fn stranger(
        &self,
        arrived: Instant,
        named: PullId,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        let open = self.open_pulls().await?;
        let ids = open.iter().map(|it| &it.pull);
        let (robot, mark) = (Some(&named.robot_id), Some(&named.mark_id));
        let near = stands_against(payload.as_bytes(), robot, mark, false, ids).pulls;
        self.stats.count_stranger(named.clone(), near.first().cloned());
        tracing::debug!(pull = %named, "a page of a pull that was not started here");
        if near.is_empty() {
            if self.strays.hand_back {
                return Ok(Accepted::External(named));
            }
            let bytes = payload.len() as u64;
            if self.strangers.fetch_add(bytes, Ordering::Relaxed) + bytes > STRANGERS {
                self.strangers.fetch_sub(bytes, Ordering::Relaxed);
                return Err(NotKept::Declined);
            }
        }
        let against = of_these(open, &near);
        let reason = format!("no pull is known here of {named}");
        self.quarantine(arrived, against, Layer::Pull, reason, payload).await
    }

    /// An event that says that it is another, unless it names one of our pulls where a page does.
    async fn other_event(
        &self,
        arrived: Instant,
        event_type: EventType,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        if let Some(unreadable) = with_a_mark(&event_type, payload.as_bytes()) {
            let Unreadable { layer, reason, robot_id, mark_id, .. } = unreadable;
            let open = self.open_pulls().await?;
            let ids = open.iter().map(|it| &it.pull);
            let (robot, mark) = (robot_id.as_ref(), mark_id.as_ref());
            let bytes = payload.as_bytes();
            let Against { pulls, by_mark } = stands_against(bytes, robot, mark, false, ids);
            if by_mark {
                let against = of_these(open, &pulls);
                return self.quarantine(arrived, against, layer, reason, payload).await;
            }
        }
        Ok(Accepted::Other(event_type))
    }

    async fn unreadable(
        &self,
        arrived: Instant,
        unreadable: Unreadable,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
        let open = self.open_pulls().await?;
        let (robot, mark) = (unreadable.robot_id.as_ref(), unreadable.mark_id.as_ref());
        let ids = open.iter().map(|it| &it.pull);
        let Against { mut pulls, by_mark } =
            stands_against(payload.as_bytes(), robot, mark, unreadable.is_damaged(), ids);
        // Also one that has ended, or that is adopted, where it is named in full.
        let mut known = None;
        if let Some(named) = unreadable.names().filter(|it| !pulls.contains(it)) {
            let ours = self.is_ours(&named) || self.is_in_journal(&named).await?;
            if ours {
                // Then it is not another one whose name is damaged.
                pulls.clear();
            }
            if ours || self.strays.keep && pulls.is_empty() {
                known = Some(PullState::new(named));
            }
        }
        if unreadable.says_other(payload.as_bytes()) && !by_mark && known.is_none() {
            return Ok(Accepted::Other(unreadable.event_type));
        }
        let mut against = of_these(open, &pulls);
        against.extend(known);
        let Unreadable { layer, reason, .. } = unreadable;
        self.quarantine(arrived, against, layer, reason, payload).await
    }

    /// Keeps a payload that could not be read, byte for byte, and has it stand against those pulls.
    async fn quarantine(
        &self,
        arrived: Instant,
        against: Vec<PullState>,
        layer: Layer,
        reason: String,
        payload: Payload,
    ) -> Result<Accepted, NotKept> {
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
        self.journal.quarantine(item).await.map_err(not_kept)?;
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
                    noted.map_err(not_kept)?;
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
        Ok(Accepted::Quarantined)
    }

    /// An error report: it belongs to the pull that it names, or to its robot's only open one that had
    /// been requested when it was signed; and the same report counts once.
    async fn report(&self, arrived: Instant, report: Report) -> Result<Accepted, NotKept> {
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
        let candidates: Vec<PullState> = candidates.map_err(not_kept)?;
        if candidates.iter().any(|it| it.has_report(digest, signed_at)) {
            self.stats.count_repeated_report();
            return Ok(Accepted::Report);
        }
        let fits = |it: &&PullState| {
            mark_id.is_some() || it.ended().is_none() && was_requested(it, signed_at)
        };
        let mut fits = candidates.iter().filter(fits);
        let (Some(state), None) = (fits.next(), fits.next()) else {
            self.stats.count_stray_report();
            tracing::warn!(code, "an error report that belongs to no pull here, or to several");
            return Ok(Accepted::Report);
        };
        let noted = |it: &&Noted| matches!(it.note, Note::Reported { .. });
        if state.notes.iter().filter(noted).count() < REPORTS {
            let (message, digest) = (message.clone(), Some(digest));
            let note = Note::Reported { code, message, digest, signed_at };
            self.journal.note(&state.pull, note).await.map_err(not_kept)?;
        }
        let PullId { robot_id, mark_id } = &state.pull;
        let (robot, mark) = (robot_id.to_string(), Some(mark_id.to_string()));
        let report = ErrorReport { robot, mark, code, message, signed: None };
        self.tell(arrived, Fact::Error(report)).await?;
        Ok(Accepted::Report)
    }

    /// Whether the pull is under way or remembered here, or would be taken up at once.
    fn is_ours(&self, pull: &PullId) -> bool {
        self.strays.adopt || self.known.contains(pull)
    }

    async fn open_pulls(&self) -> Result<Vec<PullState>, NotKept> {
        self.journal.open_pulls().await.map_err(not_kept)
    }

    /// Whether the journal knows a pull that this client does not. Then what comes of it is kept,
    /// and is there when the pull is taken up.
    async fn is_in_journal(&self, pull: &PullId) -> Result<bool, NotKept> {
        self.journal.knows(pull).await.map_err(not_kept)
    }

    async fn tell(&self, arrived: Instant, fact: Fact) -> Result<(), NotKept> {
        match self.facts.tell(arrived, fact).await {
            true => Ok(()),
            false => Err(NotKept::Closed),
        }
    }
}

/// Does it in a task of its own, which goes on when the caller goes away.
async fn apart<W>(work: W) -> Result<Accepted, NotKept>
where
    W: Future<Output = Result<Accepted, NotKept>> + Send + 'static,
{
    // The task ends early only when the runtime does.
    tokio::spawn(work).await.unwrap_or(Err(NotKept::Closed))
}

/// Payloads of this many bytes or more are classified on a blocking thread.
const LARGE: usize = 256 << 10;

/// Classifies a payload, off the reactor if it is large.
async fn classify_apart(payload: &Payload) -> Result<Classified, NotKept> {
    if payload.len() < LARGE {
        return Ok(classify(payload.as_bytes()));
    }
    let payload = payload.clone();
    let work = move || classify(payload.as_bytes());
    // It ends early only when the runtime does.
    tokio::task::spawn_blocking(work).await.map_err(|_| NotKept::Closed)
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

fn not_kept(error: JournalError) -> NotKept {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "a callback could not be kept; the platform will send it again"
    );
    NotKept::Journal(error)
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("stats", &self.stats).finish_non_exhaustive()
    }
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
