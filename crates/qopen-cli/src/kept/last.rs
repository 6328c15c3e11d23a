//! The last complete list of each robot.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pull::Line;
use super::{Kept, journal};
use crate::exit::Failure;

/// A complete list: a part of an object of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct LastList {
    pub(crate) mark_id: String,
    /// The start of its pull; `None` if another system requested it.
    pub(crate) started: Option<String>,
    pub(crate) accounts: Option<u64>,
}

impl Kept {
    /// Returns the last complete list of each robot: the last one in the journal's order of starts. A
    /// `qopen serve` tells only the times of starts.
    pub(crate) async fn last_complete(&self) -> Result<BTreeMap<String, LastList>, Failure> {
        let pulls: Vec<(u64, Line)> = match self {
            Self::Journal(journal, _) => {
                let states = journal::all(&**journal).await?;
                states.iter().map(|it| (it.order, Line::of(it))).collect()
            }
            Self::Served(remote) => remote.pulls().await?.into_iter().map(|it| (0, it)).collect(),
        };
        let mut complete: Vec<_> = pulls.into_iter().filter(|it| it.1.is_complete()).collect();
        complete.sort_by(|(order, line), (other_order, other)| {
            (order, line.started()).cmp(&(other_order, other.started()))
        });
        let lists = complete.into_iter().map(|(_, line)| {
            let started = line.started().map(str::to_owned);
            let accounts = line.accounts();
            let list = LastList { mark_id: line.mark().to_owned(), started, accounts };
            (line.robot().to_owned(), list)
        });
        // The later one replaces the earlier.
        Ok(lists.collect())
    }
}
