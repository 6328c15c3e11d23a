//! The pull that a request names.

use axum::http::StatusCode;
use maud::{Markup, html};
use qopen::journal::{JournalError, PullId, PullState};
use qopen::types::MarkId;
use serde::Deserialize;

use super::super::Console;
use super::super::page::Problem;
use super::super::texts::pull as texts;
use super::super::visit::Visit;
use crate::exit::chain;

/// The pull that a query or a form names.
#[derive(Deserialize)]
pub(in crate::serve::console) struct OfPull {
    pub(in crate::serve::console) robot_id: String,
    pub(in crate::serve::console) mark_id: String,
}

/// Returns the fields of a form that name the pull.
pub(in crate::serve::console) fn fields(pull: &PullId) -> Markup {
    html! {
        input type="hidden" name="robot_id" value=(pull.robot_id);
        input type="hidden" name="mark_id" value=(pull.mark_id);
    }
}

/// Returns the state of the named pull.
pub(in crate::serve::console) async fn known(
    console: &Console,
    visit: &Visit,
    of: &OfPull,
) -> Result<PullState, Problem> {
    let OfPull { robot_id, mark_id } = of;
    let unknown = || {
        let text = visit.fill(&texts::NO_SUCH_PULL, &[robot_id, mark_id]);
        Problem::filled(StatusCode::NOT_FOUND, text)
    };
    let mark = MarkId::new(mark_id.as_str()).map_err(|_| unknown())?;
    let found = console.service.of_mark(&mark, Some(robot_id)).await;
    let mut found = found.map_err(|error| journal_failed(visit, &error))?;
    found.pop().ok_or_else(unknown)
}

pub(in crate::serve::console) fn journal_failed(visit: &Visit, error: &JournalError) -> Problem {
    let text = visit.fill(&texts::JOURNAL_FAILED, &[&chain("", error)]);
    Problem::filled(StatusCode::SERVICE_UNAVAILABLE, text)
}
