//! `--confirm`: pulls again until two consecutive lists have the same customers.

use qopen::Outcome;
use qopen::journal::PullId;

use super::publish::{Confirmation, Pulled};
use super::work::{Begun, Ended, Work};
use crate::args::PullArgs;
use crate::exit::Failure;
use crate::report::count;
use crate::say::one_line;

/// Pulls in all, the first one included.
const MOST: usize = 3;

impl Work {
    /// Pulls again until two consecutive lists have the same customers. Returns the last list.
    pub(super) async fn confirm(&self, first: Outcome, args: &PullArgs) -> Result<Ended, Failure> {
        let journal = |error| Failure::unexpected("the lists cannot be compared", &error);
        let mut last = first;
        let mut why = String::new();
        for _ in 1..MOST {
            let PullId { robot_id, mark_id } = last.progress.pull.clone();
            self.reporter.forget(&last.progress.pull);
            self.reporter.note(&format!("robot {robot_id}: confirming the list of {mark_id}"));
            let next = match self.follow(Begun::New(robot_id.clone()), args).await? {
                Ended::Outcome(next) => next.outcome,
                interrupted @ Ended::Interrupted(..) => return Ok(interrupted),
            };
            let next_mark = next.progress.pull.mark_id.clone();
            if !next.status.is_complete() {
                why = format!("pull {next_mark} is {}: {}", next.status.end_state(), next.status);
                self.reporter.note(&format!("robot {robot_id}: {}", one_line(&why)));
                self.reporter.forget(&next.progress.pull);
                continue;
            }
            let differs = last.list.customer_difference(&next.list).await.map_err(journal)?;
            if differs.is_none() {
                next.list.note_confirmed(&mark_id).await.map_err(journal)?;
                let confirmation = Confirmation::By(mark_id);
                return Ok(Ended::Outcome(Pulled { outcome: next, confirmation }));
            }
            why = format!(
                "{} only in the list of {mark_id}, {} only in the list of {next_mark}",
                count(differs.only_first, "customer is", "customers are"),
                count(differs.only_second, "customer is", "customers are")
            );
            self.reporter.note(&format!("robot {robot_id}: {why}"));
            last.list.note_unconfirmed().await.map_err(journal)?;
            last = next;
        }
        last.list.note_unconfirmed().await.map_err(journal)?;
        let why = format!("the list is not confirmed by another pull: {why}");
        Ok(Ended::Outcome(Pulled { outcome: last, confirmation: Confirmation::Failed(why) }))
    }
}
