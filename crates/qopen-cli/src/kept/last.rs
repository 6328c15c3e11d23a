//! The last complete list of each robot.

use std::collections::BTreeMap;

use jiff::Timestamp;
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
    /// Seconds from the start to now, by the clock of this machine.
    pub(crate) age_s: Option<u64>,
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
        // A list that waits to be accepted may lack pages.
        let counts = |line: &Line| line.is_complete() && !line.is_held();
        let mut complete: Vec<_> = pulls.into_iter().filter(|it| counts(&it.1)).collect();
        complete.sort_by(|(order, line), (other_order, other)| {
            (order, line.started()).cmp(&(other_order, other.started()))
        });
        let lists = complete.into_iter().map(|(_, line)| {
            let started = line.started().map(str::to_owned);
            let accounts = line.accounts();
            let age_s = started.as_deref().and_then(age_s);
            let list = LastList { mark_id: line.mark().to_owned(), started, age_s, accounts };
            (line.robot().to_owned(), list)
        });
        // The later one replaces the earlier.
        Ok(lists.collect())
    }
}

/// Returns the seconds since a time; 0 if the clock went back.
fn age_s(started: &str) -> Option<u64> {
    let age = Timestamp::now().duration_since(started.parse::<Timestamp>().ok()?);
    Some(age.as_secs().try_into().unwrap_or_default())
}
