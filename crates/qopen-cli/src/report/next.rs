//! What to do next about a list that is not complete, or not published.

use qopen::Status;
use qopen::assembler::Failure;
use qopen::journal::PullId;
use qopen::types::MarkId;

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
    pub(super) fn sentence(&self, step: Step, pull: &PullId, marks: &[MarkId]) -> String {
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
            Step::Again => format!("`{}` requests the list anew", anew(doubtful)),
            Step::CheckSetup => format!(
                "`{}` checks the setup; `{}` requests the list anew",
                typed::of_settings(&["doctor", "--online"]),
                anew(doubtful)
            ),
            Step::Quarantine => format!(
                "`{}` names the item; with `retry` or `release ITEM` in place of `list`, `{}` publishes the list",
                typed::of_journal(&["quarantine", "list"], None),
                released()
            ),
            Step::AllowUnidentified(accounts) => format!(
                "`{}` publishes the list without them",
                anew(Some(format!("--allow-unidentified {accounts}")))
            ),
            Step::AllowEmpty => {
                format!("`{}` publishes the empty list", again(Some("--allow-empty")))
            }
            Step::NewBaseline => {
                format!("`{}` replaces the last list", again(Some("--new-baseline")))
            }
            Step::Accept => format!(
                "`{}` publishes the held list",
                typed::of_journal(&["pulls", "accept"], Some(mark))
            ),
            Step::Continue => format!("`{}` continues the pull", again(None)),
            Step::PublishAgain => {
                format!("`{}` publishes the list, once its place can be written", again(None))
            }
            Step::Verify => format!("`{}` asks about the other customers", again(None)),
            Step::Show => format!(
                "`{}` shows the history of the pull",
                typed::of_journal(&["pulls", "show"], Some(mark))
            ),
        }
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
fn assembling(step: Step) -> String {
    let again = |extra: Option<String>| {
        let replaced = ["allow_empty", "allow_unidentified", "new_baseline"];
        typed::again("assemble", extra.into_iter().collect(), &replaced)
    };
    match step {
        Step::AllowUnidentified(accounts) => format!(
            "`{}` publishes the list without them",
            again(Some(format!("--allow-unidentified {accounts}")))
        ),
        Step::AllowEmpty => {
            format!("`{}` publishes the empty list", again(Some("--allow-empty".to_owned())))
        }
        // Robots are left out: no pull waits to be accepted.
        Step::NewBaseline | Step::Accept => {
            format!("`{}` replaces the last list", again(Some("--new-baseline".to_owned())))
        }
        Step::PublishAgain => {
            format!("`{}` publishes the list, once its place can be written", again(None))
        }
        _ => format!(
            "`{}` publishes the list, once the missing callbacks are in its input",
            again(None)
        ),
    }
}
