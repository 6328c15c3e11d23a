//! Error reports: which pull each belongs to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qopen_assembler::ErrorReport;
use qopen_journal::{Note, Noted, PullId, PullState};
use qopen_types::{Digest, MarkId, RobotId};
use tokio::time::Instant;

use super::state::{Intake, not_kept};
use crate::accepted::{Accepted, NotKept};
use crate::fact::Fact;

/// Error reports that are noted of one pull: more say nothing new.
const REPORTS: usize = 16;

/// How far the platform's clock may be behind this one.
const TOLERANCE: Duration = Duration::from_secs(5);

/// An error report as it came.
pub(super) struct Report {
    pub(super) robot_id: Option<RobotId>,
    pub(super) mark_id: Option<MarkId>,
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) digest: Digest,
    pub(super) signed_at: Option<u64>,
}

impl Intake {
    /// Keeps an error report. It belongs to the pull that it names, or to its robot's only open one
    /// that had been requested when it was signed. A repeated report counts once.
    pub(super) async fn report(
        &self,
        arrived: Instant,
        report: Report,
    ) -> Result<Accepted, NotKept> {
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
}

/// Whether a pull had been requested when something was signed, by two clocks that may differ a little.
fn was_requested(state: &PullState, signed_at: Option<u64>) -> bool {
    let requested = |it: &&Noted| match &it.note {
        Note::Requested => true,
        Note::Started(started) => !started.unsent,
        _ => false,
    };
    let Some(requested) = state.notes.iter().find(requested) else {
        // Another system requested it, at an unknown time.
        return state.is_strange();
    };
    signed_at.is_none_or(|signed| {
        let signed = UNIX_EPOCH.checked_add(Duration::from_secs(signed) + TOLERANCE);
        // A timestamp has whole seconds.
        signed.unwrap_or(SystemTime::now()) + Duration::from_secs(1) > requested.at
    })
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
        assert!(was_requested(&state, Some(0)), "its time is unknown");
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
