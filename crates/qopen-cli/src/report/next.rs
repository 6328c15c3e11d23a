//! What to do next about a list that is not complete, or not published.

use qopen::Status;
use qopen::assembler::Failure;
use qopen::journal::PullId;
use qopen::types::MarkId;

use crate::lang::{Phrase, phrase};
use crate::output::place::Place;
use crate::shell::option;
use crate::typed;

/// A step that may bring the whole list, or publish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Request the list anew.
    Again,
    /// Check the setup, then request the list anew.
    CheckSetup,
    /// Look at the quarantine.
    Quarantine,
    /// Publish the list without that number of accounts that have no readable id.
    AllowUnidentified(usize),
    /// Publish the empty list.
    AllowEmpty,
    /// Publish the list although the last one cannot be compared.
    NewBaseline,
    /// Accept the held list.
    Accept,
    /// Continue an interrupted pull.
    Continue,
    /// Publish the list of the journal, once its place can be written.
    PublishAgain,
    /// Ask the platform about the customers that no answer covers.
    Verify,
    /// Look at the history of the pull.
    Show,
}

impl Step {
    pub(super) fn of(status: &Status) -> Option<Self> {
        Some(match status {
            Status::Incomplete(Failure::UnreadablePages) => Self::Quarantine,
            Status::Incomplete(Failure::UnidentifiedAccounts { accounts }) => {
                Self::AllowUnidentified(*accounts)
            }
            Status::Incomplete(Failure::LimitReached(_)) => Self::Show,
            Status::Incomplete(_) | Status::Reported { .. } => Self::Again,
            Status::NoCallback | Status::Refused(_) | Status::NotSent(_) => Self::CheckSetup,
            Status::Cancelled => Self::Continue,
            _ => return None,
        })
    }
}

/// The commands that may follow a verb.
#[derive(Debug)]
pub(crate) enum Commands {
    /// Those of `qopen pull`.
    Pull {
        /// The place of the lists.
        place: Place,
        /// The robots, if their lists are published together.
        together: Option<Vec<String>>,
    },
    /// Those of `qopen assemble`, which has no journal.
    Assemble,
}

/// Options of `pull` that select robots.
const ROBOTS: [&str; 3] = ["robots", "robots_file", "all_robots"];

/// Options of `pull` that a command replaces by its own.
const REPLACED: [&str; 5] = ["robots", "robots_file", "all_robots", "resume", "new"];

/// Options that decide about a complete list.
const DECIDING: [&str; 2] = ["allow_empty", "new_baseline"];

impl Commands {
    /// Returns one sentence with the command to type next. `marks` are those of all lists that were published with
    /// the list of the pull.
    pub(super) fn sentence(&self, step: Step, pull: &PullId, marks: &[MarkId]) -> Phrase {
        let (place, together) = match self {
            Self::Assemble => return assembling(step),
            Self::Pull { place, together } => (place, together.as_deref()),
        };
        let mark = pull.mark_id.as_str();
        let robots = |extra: Option<String>, replaced: &[&str]| {
            let mut first = selection(together, pull);
            if !typed::has(&["out"]) {
                first.extend(place.options());
            }
            first.extend(extra);
            typed::again("pull", first, &[&REPLACED[..], replaced].concat())
        };
        let anew = |extra| robots(extra, &["allow_unidentified"]);
        let resume = |marks: &[&str], extra: Option<&str>| {
            let first = marks.iter().map(|mark| option("--resume", mark));
            let replaced = extra.map_or(&[][..], |_| &DECIDING);
            let first = first.chain(extra.map(str::to_owned)).collect();
            typed::again("pull", first, &[&REPLACED[..], replaced].concat())
        };
        let together = together.filter(|robots| robots.len() > 1);
        // Resumed alone, a list would replace those of the other robots. The same command resumes all.
        let again = |extra: Option<&str>| match together {
            Some(_) => robots(extra.map(str::to_owned), extra.map_or(&[][..], |_| &DECIDING)),
            None => resume(&[mark], extra),
        };
        // It requests a list anew that has ended without being complete.
        let released = || match together {
            Some(all) if all.len() == marks.len() => {
                resume(&marks.iter().map(MarkId::as_str).collect::<Vec<_>>(), None)
            }
            _ => again(None),
        };
        let doubtful = typed::options(|it| it.get_id() == "allow_unidentified").pop();
        match step {
            Step::Again => says::anew(anew(doubtful)),
            Step::CheckSetup => phrase!(
                "`{check}` checks the setup; {anew}",
                "`{check}` 检查配置；{anew}",
                check = typed::of_settings(&["doctor", "--online"]),
                anew = says::anew(anew(doubtful)),
            ),
            Step::Quarantine => phrase!(
                "`{list}` names the item; with `retry` or `release ITEM` in place of `list`, `{again}` publishes the list",
                "`{list}` 列出该项；把 `list` 换成 `retry` 或 `release ITEM` 处理之后，`{again}` 发布列表",
                list = typed::of_journal(&["quarantine", "list"], None),
                again = released(),
            ),
            Step::AllowUnidentified(accounts) => {
                says::without(anew(Some(format!("--allow-unidentified {accounts}"))))
            }
            Step::AllowEmpty => says::empty(again(Some("--allow-empty"))),
            Step::NewBaseline => says::replaces(again(Some("--new-baseline"))),
            Step::Accept => phrase!(
                "`{accept}` publishes the held list",
                "`{accept}` 发布被拦下的列表",
                accept = typed::of_journal(&["pulls", "accept"], Some(mark)),
            ),
            Step::Continue => {
                phrase!("`{it}` continues the pull", "`{it}` 继续拉取", it = again(None))
            }
            Step::PublishAgain => says::once_writable(again(None)),
            Step::Verify => phrase!(
                "`{it}` asks about the other customers",
                "`{it}` 询问其余客户",
                it = again(None),
            ),
            Step::Show => phrase!(
                "`{it}` shows the history of the pull",
                "`{it}` 显示拉取的经过",
                it = typed::of_journal(&["pulls", "show"], Some(mark)),
            ),
        }
    }
}

/// What several commands do.
mod says {
    use super::{Phrase, phrase};

    pub(super) fn anew(it: String) -> Phrase {
        phrase!("`{it}` requests the list anew", "`{it}` 重新请求列表", it = it)
    }

    pub(super) fn without(it: String) -> Phrase {
        phrase!("`{it}` publishes the list without them", "`{it}` 发布不含它们的列表", it = it)
    }

    pub(super) fn empty(it: String) -> Phrase {
        phrase!("`{it}` publishes the empty list", "`{it}` 发布空列表", it = it)
    }

    pub(super) fn replaces(it: String) -> Phrase {
        phrase!("`{it}` replaces the last list", "`{it}` 替换上一份列表", it = it)
    }

    pub(super) fn once_writable(it: String) -> Phrase {
        phrase!(
            "`{it}` publishes the list, once its place can be written",
            "目标位置可写之后，`{it}` 发布列表",
            it = it,
        )
    }
}

/// Selects the robot, or all robots of a common file: without the others their customers would be gone.
fn selection(together: Option<&[String]>, pull: &PullId) -> Vec<String> {
    match together {
        Some(_) if typed::has(&ROBOTS) => {
            typed::options(|it| ROBOTS.contains(&it.get_id().as_str()))
        }
        Some(robots) => robots.iter().map(|robot| option("--robot", robot)).collect(),
        None => vec![option("--robot", pull.robot_id.as_str())],
    }
}

/// Returns the sentence for a list of captured callbacks.
fn assembling(step: Step) -> Phrase {
    let again = |extra: Option<String>| {
        let replaced = ["allow_empty", "allow_unidentified", "new_baseline"];
        typed::again("assemble", extra.into_iter().collect(), &replaced)
    };
    match step {
        Step::AllowUnidentified(accounts) => {
            says::without(again(Some(format!("--allow-unidentified {accounts}"))))
        }
        Step::AllowEmpty => says::empty(again(Some("--allow-empty".to_owned()))),
        // Robots are left out: no pull waits to be accepted.
        Step::NewBaseline | Step::Accept => {
            says::replaces(again(Some("--new-baseline".to_owned())))
        }
        Step::PublishAgain => says::once_writable(again(None)),
        _ => phrase!(
            "`{it}` publishes the list, once the missing callbacks are in its input",
            "输入中有了缺少的回调之后，`{it}` 发布列表",
            it = again(None),
        ),
    }
}
