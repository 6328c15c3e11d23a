//! Pulls that are open when a schedule is due.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use qopen::journal::{JournalError, Note, PullId, PullState};
use qopen::types::RobotId;

use crate::serve::service::Service;

/// Maximum age of a view of the journal, so that robots due together share one.
const FRESH: Duration = Duration::from_secs(1);

/// The open pulls on which schedules wait.
#[derive(Default)]
pub(super) struct OpenPulls {
    /// The first sight of each pull by the clock of this process. Wall clocks of other processes and of the past
    /// decide nothing.
    seen: BTreeMap<(PullId, usize), Instant>,
    /// One pull per robot.
    of: BTreeMap<RobotId, PullId>,
    looked: Option<Instant>,
}

impl OpenPulls {
    /// Returns an open pull of a robot, on which a schedule waits.
    ///
    /// # Errors
    /// [`JournalError`]: the journal cannot be read.
    pub(super) async fn of(
        &mut self,
        service: &Service,
        robot: &RobotId,
    ) -> Result<Option<PullId>, JournalError> {
        if self.looked.is_none_or(|at| at.elapsed() >= FRESH) {
            let open = service.journal.open_pulls().await?;
            let followed = service.pulls.open_pulls();
            let now = Instant::now();
            self.keep(&open, |pull| followed.contains(pull), now);
            self.looked = Some(now);
        }
        Ok(self.of.get(robot).cloned())
    }

    /// Makes the next call read the journal again.
    pub(super) fn refresh(&mut self) {
        self.looked = None;
    }

    /// Keeps a view of the journal. An external pull does not count. A pull that no process ends counts for a
    /// limited time.
    fn keep(&mut self, open: &[PullState], is_followed: impl Fn(&PullId) -> bool, now: Instant) {
        let opening = |state: &PullState| {
            // A resumed pull is open again.
            let resumed = state.notes.iter().filter(|it| it.note == Note::Resumed).count();
            (state.pull.clone(), resumed)
        };
        let before = std::mem::take(&mut self.seen);
        self.of.clear();
        for state in open {
            let opening = opening(state);
            let first = before.get(&opening).copied().unwrap_or(now);
            self.seen.insert(opening, first);
            let lasts = longest(state).is_some_and(|longest| now - first < longest);
            if lasts || state.started().is_some() && is_followed(&state.pull) {
                self.of.insert(state.pull.robot_id.clone(), state.pull.clone());
            }
        }
    }
}

/// The maximum time that a pull of this service is open: an outage at most doubles its deadline, and a process
/// that resumes it adds two idle timeouts.
fn longest(state: &PullState) -> Option<Duration> {
    let (_, started) = state.started()?;
    Some(started.deadline * 2 + started.idle_timeout * 2)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use qopen::journal::{Noted, Started};

    use super::*;

    fn state(robot: &str, mark: &str, notes: &[Note]) -> PullState {
        let pull = PullId { robot_id: robot.parse().unwrap(), mark_id: mark.parse().unwrap() };
        let at = SystemTime::UNIX_EPOCH;
        let notes = notes.iter().map(|note| Noted { at, note: note.clone() }).collect();
        let mut state = PullState::new(pull);
        state.notes = notes;
        state
    }

    fn started() -> Note {
        let second = Duration::from_secs(1);
        Note::Started(Started::new(second, second * 60, second * 1800))
    }

    #[test]
    fn an_open_pull_of_the_robot_counts_and_others_do_not() {
        let all = [
            state("r2", "other-robot", &[started()]),
            state("r1", "adopted", &[Note::Adopted]),
            state("r1", "external", &[]),
            state("r1", "mine", &[started()]),
        ];
        let find = |all: &[PullState], is_followed: bool| {
            let mut open = OpenPulls::default();
            open.keep(all, |_| is_followed, Instant::now());
            open.of.get(&"r1".parse().unwrap()).map(|it| it.mark_id.to_string())
        };
        assert_eq!(find(&all, false).as_deref(), Some("mine"));
        assert_eq!(find(&all[..3], false), None);
        assert_eq!(find(&all[..3], true), None);
    }

    #[test]
    fn a_pull_that_no_process_ends_blocks_a_schedule_for_its_longest_time_only() {
        let (mut open, now) = (OpenPulls::default(), Instant::now());
        let left = [state("r1", "left", &[started()])];
        let mut counts = |all: &[PullState], is_followed: bool, seconds: u64| {
            let now = now + Duration::from_secs(seconds);
            open.keep(all, |_| is_followed, now);
            !open.of.is_empty()
        };
        assert!(counts(&left, false, 0));
        assert!(counts(&left, false, 3719));
        assert!(!counts(&left, false, 3720));
        assert!(counts(&left, true, 9999), "this process follows it, and ends it by its deadline");
        // Resumed, it is open anew.
        let resumed = [state("r1", "left", &[started(), Note::Resumed])];
        assert!(counts(&resumed, false, 10_000));
        assert!(!counts(&resumed, false, 13_720));
    }
}
