//! Error reports: which pull each belongs to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qopen_journal::{Note, Noted, PullState};
use qopen_types::{Digest, MarkId, RobotId};
use tokio::time::Instant;

use super::state::Intake;
use crate::accepted::{Accepted, NotKept};
use crate::fact::Fact;
use crate::whose::Names;

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
        let names = Names { robot_id: robot_id.as_ref(), mark_id: mark_id.as_ref() };
        let candidates = names.among(&*self.journal).await.map_err(NotKept::Journal)?;
        if candidates.iter().any(|it| it.has_report(digest, signed_at)) {
            self.stats.count_repeated_report();
            return Ok(Accepted::Report);
        }
        let fits = |it: &&PullState| {
            mark_id.is_some() || it.ended().is_none() && was_requested(it, signed_at)
        };
        let fitting = candidates.iter().filter(fits);
        let Some(state) = names.only(fitting, |state| &state.pull) else {
            self.stats.count_stray_report();
            tracing::warn!(code, "an error report that belongs to no pull here, or to several");
            return Ok(Accepted::Report);
        };
        let noted = |it: &&Noted| matches!(it.note, Note::Reported { .. });
        if state.notes.iter().filter(noted).count() < REPORTS {
            let (message, digest) = (message.clone(), Some(digest));
            let note = Note::Reported { code, message, digest, signed_at };
            self.journal.note(&state.pull, note).await.map_err(NotKept::Journal)?;
        }
        let pull = state.pull.clone();
        self.tell(arrived, Fact::Error { pull, code, message }).await?;
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
        return state.started().is_none();
    };
    signed_at.is_none_or(|signed| {
        let signed = UNIX_EPOCH.checked_add(Duration::from_secs(signed) + TOLERANCE);
        // A timestamp has whole seconds.
        signed.unwrap_or(SystemTime::now()) + Duration::from_secs(1) > requested.at
    })
}

#[cfg(test)]
mod tests {
    use qopen_journal::PullId;

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
