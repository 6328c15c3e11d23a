//! What every journal must do: a list of named cases, for a storage of your own.
//!
//! Each case gets an empty journal. [`check`] runs all of them and panics with the names of those that
//! failed. [`check_durable`] also opens each journal again afterwards, and looks for what it had:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use std::sync::Arc;
//!
//! use qopen_journal::MemoryJournal;
//! use qopen_journal::conformance::{Subject, check};
//!
//! check(async |_| Subject::new(Arc::new(MemoryJournal::default()))).await;
//! # }
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]

mod claim_queue;
mod content;
mod kept;
mod maintenance;
mod outbox;
mod subject;
mod view;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;

pub use content::{Content, Kept};
pub use subject::Subject;

use crate::{JournalError, Store};
use view::View;

/// How long a case may take.
const LIMIT: Duration = Duration::from_secs(60);

/// One thing that every journal must do.
pub struct Case {
    name: &'static str,
    run: fn(Subject) -> BoxFuture<'static, ()>,
}

impl Case {
    /// What the journal must do, in words joined by underscores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case on an empty journal.
    ///
    /// # Panics
    /// If the journal does something else.
    pub async fn run(&self, subject: Subject) {
        (self.run)(subject).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

macro_rules! cases {
    ($($part:ident: $($name:ident),+;)+) => {
        &[$($(Case {
            name: stringify!($name),
            run: |subject| Box::pin($part::$name(subject)),
        },)+)+]
    };
}

/// Every case.
pub const CASES: &[Case] = cases! {
    kept:
        appends_are_idempotent,
        a_payload_is_a_page_of_each_pull_that_has_it,
        pages_come_back_in_their_order,
        bytes_that_are_no_text_come_back_unchanged,
        pages_are_found_by_digest,
        digests_since_a_cursor_include_every_later_page,
        a_stream_is_a_snapshot,
        notes_keep_their_order_and_content,
        a_resumed_pull_is_open,
        unknown_pulls_have_nothing,
        pulls_are_found_by_mark_and_by_robot,
        later_pulls_and_held_lists_are_found,
        pulls_are_read_in_parts,
        outlines_are_those_of_the_states,
        open_pulls_have_not_ended,
        quarantined_items_are_kept_once_until_released,
        an_item_counts_against_a_pull_until_it_is_released,
        a_forgotten_pull_is_gone_and_no_other,
        a_forgotten_name_begins_anew;
    outbox:
        events_wait_in_their_order,
        an_acknowledged_event_is_gone_and_may_come_again,
        one_worker_at_a_time_forwards_events;
    claim_queue:
        a_started_pull_goes_to_one_worker,
        what_others_keep_is_news_once,
        a_completed_claim_is_fenced,
        a_late_page_makes_a_pull_claimable,
        an_expired_claim_is_fenced_by_the_next,
        completing_forgets_no_news,
        a_pull_that_is_given_back_is_claimable_at_once,
        an_enqueued_pull_is_claimable_without_news,
        a_forgotten_pull_has_no_claim,
        epochs_grow_after_a_pull_is_forgotten,
        refusals_are_counted_for_every_process,
        every_page_becomes_news;
    maintenance:
        restored_notes_keep_their_time,
        a_summary_counts_pulls,
        a_clock_makes_no_record_old,
        old_pulls_expire_unless_spared_or_claimed,
        a_check_reads_everything;
};

/// Runs every case on an empty journal that `empty` makes for it.
///
/// Must be called within a tokio runtime that has timers.
///
/// # Panics
/// If a case fails, once all have run. The message names each case that failed.
pub async fn check(mut empty: impl AsyncFnMut(&Case) -> Subject) {
    let mut failed = Vec::new();
    for case in CASES {
        let subject = empty(case).await;
        failed.extend(failure_of(case, subject).await);
    }
    fail_with(&failed);
}

/// Runs every case as [`check`] does on a journal of one process that outlasts the process. Afterwards the journal is
/// closed, opened, compacted, closed and opened again: each time it has what it had at the end of the case.
///
/// `open` is called three times for each case: the first time for an empty journal, then for the same one. By then
/// every other handle was dropped.
///
/// Must be called within a tokio runtime that has timers.
///
/// # Panics
/// If a case fails, or a journal is another after it was opened again, once all cases have run. The message names each
/// case that failed.
pub async fn check_durable<S: Store>(mut open: impl AsyncFnMut(&Case) -> Result<S, JournalError>) {
    let mut failed = Vec::new();
    for case in CASES {
        let journal: Arc<dyn Store> = match open(case).await {
            Ok(journal) => Arc::new(journal),
            Err(error) => {
                failed.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        if let Some(failure) = failure_of(case, Subject::new(Arc::clone(&journal))).await {
            failed.push(failure);
        } else if let Err(why) = survives(case, &mut open, journal).await {
            failed.push(format!("{}: {why}", case.name));
        }
    }
    fail_with(&failed);
}

/// Runs a case in a task of its own: the others run, whatever it does. Returns why it failed.
async fn failure_of(case: &Case, subject: Subject) -> Option<String> {
    let run = tokio::spawn(tokio::time::timeout(LIMIT, (case.run)(subject)));
    let why = match run.await {
        Ok(Ok(())) => return None,
        Ok(Err(_)) => format!("it did not end within {} s", LIMIT.as_secs()),
        Err(error) => error.try_into_panic().map(|it| text_of(&*it)).unwrap_or_default(),
    };
    Some(format!("{}: {why}", case.name))
}

async fn survives<S: Store>(
    case: &Case,
    open: &mut impl AsyncFnMut(&Case) -> Result<S, JournalError>,
    journal: Arc<dyn Store>,
) -> Result<(), String> {
    let failed = |error: JournalError| format!("after the case: {error}");
    let before = View::of(&*journal).await.map_err(failed)?;
    drop(journal);
    for how in ["opened again", "compacted and opened again"] {
        let journal = open(case).await.map_err(failed)?;
        let after = View::of(&journal).await.map_err(failed)?;
        if after != before {
            return Err(format!("{before:?} was, after the journal was {how}, {after:?}"));
        }
        journal.compact(0).await.map_err(failed)?;
    }
    Ok(())
}

fn fail_with(failed: &[String]) {
    assert!(failed.is_empty(), "the journal does not conform:\n{}", failed.join("\n"));
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (_, Some(text)) => (*text).to_owned(),
        _ => String::new(),
    }
}
