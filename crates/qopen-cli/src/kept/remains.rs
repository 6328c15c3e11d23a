//! Files beside the places of lists that a deleted pull leaves.

use std::path::{Path, PathBuf};

use qopen::journal::{Note, PullId, PullState};
use qopen::sink::{FileSink, Format, SinkError};

use crate::exit::chained;
use crate::lang::{Phrase, phrase};
use crate::output::Output;
use crate::say::tell;

/// The suffix of a held list.
const HELD: &str = ".held";

/// The files that an unpublished list of a pull may have left. A published list is not one of them.
pub(crate) struct Remains {
    pull: PullId,
    /// The list beside which the pull's list is held.
    held: Option<FileSink>,
    /// The list beside which the pull's partial list, the one that did not fit, and its unreadable items are.
    partial: Option<FileSink>,
}

impl Remains {
    /// Finds them by the notes of the pulls of the robot, before the pull is deleted. A later pull's files stay.
    pub(crate) fn of(state: &PullState, of_robot: &[PullState], output: Option<&Output>) -> Self {
        let later = || of_robot.iter().filter(|it| it.order > state.order);
        let held = held_at(state).filter(|at| !later().any(|it| held_at(it) == Some(at)));
        let held = held.and_then(|at| at.strip_suffix(HELD));
        let place = |state: &PullState| state.started().map(|(_, it)| it.label.clone());
        // Its files are replaced by those of a later pull that had something to write.
        let is_last = !later().any(|it| place(it) == place(state) && came(it));
        let is_unpublished = state.published().is_none() && came(state);
        let name = match output {
            Some(output) if output.is_stdout() => state.pull.mark_id.as_str(),
            _ => state.pull.robot_id.as_str(),
        };
        let output = output.filter(|it| is_last && is_unpublished && it.has_files());
        Self {
            pull: state.pull.clone(),
            held: held.map(|list| FileSink::new(list, Format::Jsonl)),
            partial: output.map(|it| it.file(name)),
        }
    }

    /// Removes the files, and prints their names. Blocks.
    pub(crate) fn remove(self) {
        let Self { pull, held, partial } = self;
        let PullId { robot_id, mark_id } = &pull;
        if let Some(list) = held {
            said(&pull, &list.held_path(), list.remove_held(robot_id));
        }
        if let Some(list) = partial {
            said(&pull, &list.overflow_path(), list.remove_overflow(robot_id));
            // A list that the format cannot hold has the same files beside it.
            let overflow = FileSink::new(list.overflow_path(), Format::Jsonl);
            for list in [list, overflow] {
                said(&pull, &list.partial_path(), list.remove_partial(robot_id));
                let removed = list.remove_quarantined(robot_id, mark_id);
                said(&pull, &list.quarantine_path(), removed);
            }
        }
    }
}

/// The location of the pull's last held list.
fn held_at(state: &PullState) -> Option<&String> {
    state.notes.iter().rev().find_map(|noted| match &noted.note {
        Note::Held { location, .. } => location.as_ref(),
        _ => None,
    })
}

/// Whether anything came that a partial list, or a quarantine, has.
fn came(state: &PullState) -> bool {
    state.pages + state.quarantined > 0
}

fn said(pull: &PullId, path: &Path, removed: Result<Option<PathBuf>, SinkError>) {
    match removed {
        Ok(None) => {}
        Ok(Some(path)) => tell!(
            "{pull}: its customers are deleted from {path}",
            "{pull}：已从 {path} 删除其客户",
            pull = Phrase::from(pull),
            path = path.display(),
        ),
        Err(error) => {
            let what = phrase!(
                "{path} may still have its customers",
                "{path} 可能仍有其客户",
                path = path.display(),
            );
            tell!(
                "{pull}: {why}; remove the file",
                "{pull}：{why}；请删除该文件",
                pull = Phrase::from(pull),
                why = chained(what, &error),
            );
        }
    }
}
