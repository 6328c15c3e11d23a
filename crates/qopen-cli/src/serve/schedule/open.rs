//! Pulls that are open when a schedule is due.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use qopen::journal::{JournalError, Note, PullId, PullState};
use qopen::types::RobotId;

use crate::serve::service::Service;

/// When this process saw each open pull first, by its own clock: wall clocks of other processes and of the past
/// decide nothing.
#[derive(Default)]
pub(super) struct OpenPulls(BTreeMap<(PullId, usize), Instant>);

impl OpenPulls {
    /// An open pull of a robot, on which a schedule waits.
    ///
    /// # Errors
    /// [`JournalError`], when the journal cannot be read.
    pub(super) async fn of(
        &mut self,
        service: &Service,
        robot: &RobotId,
    ) -> Result<Option<PullId>, JournalError> {
        let open = service.journal.open_pulls().await?;
        let under_way = service.under_way();
        let found = self.find(&open, robot, |pull| under_way.contains(pull), Instant::now());
        Ok(found.cloned())
    }

    /// As [`of`](Self::of), of these open pulls. A pull that another system requested does not count, and one
    /// that no process ends does not for ever.
    fn find<'a>(
        &mut self,
        open: &'a [PullState],
        robot: &RobotId,
        is_under_way: impl Fn(&PullId) -> bool,
        now: Instant,
    ) -> Option<&'a PullId> {
        let opening = |state: &PullState| {
            // A resumed pull is open anew.
            let resumed = state.notes.iter().filter(|it| it.note == Note::Resumed).count();
            (state.pull.clone(), resumed)
        };
        let seen: BTreeMap<_, _> = open.iter().map(|state| (opening(state), now)).collect();
        self.0.retain(|opening, _| seen.contains_key(opening));
        for (opening, now) in seen {
            self.0.entry(opening).or_insert(now);
        }
        let counts = |state: &&PullState| {
            let Some(limit) = longest(state) else { return false };
            let since = self.0.get(&opening(state)).map_or(Duration::ZERO, |it| now - *it);
            is_under_way(&state.pull) || since < limit
        };
        open.iter().filter(|it| it.pull.robot_id == *robot).find(counts).map(|it| &it.pull)
    }
}

/// The longest that a pull of this service can be open: an outage lengthens its deadline up to twofold, and a
/// process that resumes it leaves time for two idle timeouts.
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
        let (mut open, robot, now) = (OpenPulls::default(), "r1".parse().unwrap(), Instant::now());
        let mut find = |all: &[PullState]| {
            open.find(all, &robot, |_| false, now).map(|it| it.mark_id.to_string())
        };
        assert_eq!(find(&all).as_deref(), Some("mine"));
        assert_eq!(find(&all[..3]), None);
    }

    #[test]
    fn a_pull_that_no_process_ends_blocks_a_schedule_for_its_longest_time_only() {
        let (mut open, robot, now) = (OpenPulls::default(), "r1".parse().unwrap(), Instant::now());
        let left = [state("r1", "left", &[started()])];
        let mut counts = |all: &[PullState], is_under_way: bool, seconds: u64| {
            let now = now + Duration::from_secs(seconds);
            open.find(all, &robot, |_| is_under_way, now).is_some()
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
