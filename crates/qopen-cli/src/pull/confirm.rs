//! `--confirm`: pulls again until two consecutive lists have the same customers.

use qopen::Outcome;
use qopen::journal::PullId;
use qopen::types::RobotId;

use super::publish::{Confirmation, Pulled};
use super::work::{Begun, Ended, Work};
use crate::args::PullArgs;
use crate::exit::Failure;
use crate::lang::{Phrase, phrase};
use crate::report::{CUSTOMERS_ARE, end_state, ended};
use crate::say::one_line;

/// Pulls in all, the first one included.
const MOST: usize = 3;

impl Work {
    /// Pulls again until two consecutive lists have the same customers. Returns the last list.
    pub(super) async fn confirm(&self, first: Outcome, args: &PullArgs) -> Result<Ended, Failure> {
        let journal = |error| {
            Failure::unexpected(phrase!("the lists cannot be compared", "无法比较列表"), &error)
        };
        let mut last = first;
        let mut why = Phrase::default();
        for _ in 1..MOST {
            let PullId { robot_id, mark_id } = last.progress.pull.clone();
            self.reporter.forget(&last.progress.pull);
            self.reporter.note(&phrase!(
                "robot {robot}: confirming the list of {mark}",
                "机器人 {robot}：正在确认 {mark} 的列表",
                robot = robot_id,
                mark = mark_id,
            ));
            let next = match self.follow(Begun::New(robot_id.clone()), args).await? {
                Ended::Outcome(next) => next.outcome,
                interrupted @ Ended::Interrupted(..) => return Ok(interrupted),
            };
            let next_mark = next.progress.pull.mark_id.clone();
            if !next.status.is_complete() {
                why = phrase!(
                    "pull {mark} is {state}: {why}",
                    "拉取 {mark} {state}：{why}",
                    mark = next_mark,
                    state = end_state(&next.status.end_state()),
                    why = ended(&next.status).map(one_line),
                );
                self.reporter.note(&of_robot(&robot_id, &why));
                self.reporter.forget(&next.progress.pull);
                continue;
            }
            let differs = last.list.customer_difference(&next.list).await.map_err(journal)?;
            if differs.is_none() {
                next.list.note_confirmed(&mark_id).await.map_err(journal)?;
                let confirmation = Confirmation::By(mark_id);
                return Ok(Ended::Outcome(Box::new(Pulled { outcome: next, confirmation })));
            }
            why = phrase!(
                "{first} only in the list of {mark}, {second} only in the list of {next}",
                "{first}只在 {mark} 的列表中，{second}只在 {next} 的列表中",
                first = CUSTOMERS_ARE.count(differs.only_first),
                mark = mark_id,
                second = CUSTOMERS_ARE.count(differs.only_second),
                next = next_mark,
            );
            self.reporter.note(&of_robot(&robot_id, &why));
            last.list.note_unconfirmed().await.map_err(journal)?;
            last = next;
        }
        last.list.note_unconfirmed().await.map_err(journal)?;
        let why = phrase!(
            "the list is not confirmed by another pull: {why}",
            "没有其他拉取确认该列表：{why}",
            why = why,
        );
        let confirmation = Confirmation::Failed(why);
        Ok(Ended::Outcome(Box::new(Pulled { outcome: last, confirmation })))
    }
}

fn of_robot(robot: &RobotId, what: &Phrase) -> Phrase {
    phrase!("robot {robot}: {what}", "机器人 {robot}：{what}", robot = robot, what = what)
}
