//! Words for the states of pulls.

use qopen::journal::EndState;

use crate::lang::{Phrase, Text};

pub(crate) const OPEN: Text = Text::new("open", "进行中");
pub(crate) const COMPLETE: Text = Text::new("complete", "完整");
/// Complete, and held by a guard.
pub(crate) const HELD: Text = Text::new("held", "被拦下");
/// Complete, and superseded by the list of a later pull.
pub(crate) const SUPERSEDED: Text = Text::new("superseded", "已被取代");
pub(crate) const INCOMPLETE: Text = Text::new("incomplete", "不完整");
pub(crate) const FAILED: Text = Text::new("failed", "失败");

/// Returns the word for the state of this name. A later version of qopen may have others.
pub(crate) fn state(name: &str) -> Phrase {
    let known = [OPEN, COMPLETE, HELD, SUPERSEDED, INCOMPLETE, FAILED];
    let known = known.into_iter().find(|it| it.en == name);
    known.map_or_else(|| name.into(), Phrase::from)
}

/// The word for an end.
pub(crate) fn end_state(state: &EndState) -> Phrase {
    self::state(state.as_str())
}
