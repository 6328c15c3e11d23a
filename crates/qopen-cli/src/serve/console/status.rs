//! The status of a pull.

use maud::{Markup, html};
use qopen::journal::{EndState, PullOutline, PullState};

/// What a reader sees first about a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Open,
    Complete,
    Held,
    Superseded,
    Incomplete,
    Failed,
}

impl Status {
    pub(super) fn of_state(pull: &PullState) -> Self {
        Self::of(pull.end_state(), pull.held().is_some(), pull.is_superseded())
    }

    pub(super) fn of_outline(pull: &PullOutline) -> Self {
        Self::of(pull.end_state.as_ref(), pull.held, pull.superseded)
    }

    fn of(end: Option<&EndState>, is_held: bool, is_superseded: bool) -> Self {
        match end {
            None => Self::Open,
            Some(EndState::Complete) if is_held => Self::Held,
            Some(EndState::Complete) if is_superseded => Self::Superseded,
            Some(EndState::Complete) => Self::Complete,
            Some(EndState::Failed) => Self::Failed,
            // A state of a later version is not complete.
            Some(_) => Self::Incomplete,
        }
    }

    /// The status as a colored word.
    pub(super) fn tag(self, word: &str) -> Markup {
        let class = match self {
            Self::Open | Self::Held => "tag wait",
            Self::Complete => "tag good",
            Self::Superseded => "tag",
            Self::Incomplete | Self::Failed => "tag bad",
        };
        html! { span class=(class) { (word) } }
    }
}
