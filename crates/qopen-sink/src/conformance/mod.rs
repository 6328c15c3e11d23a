//! What every database of lists must do: a list of named cases.
//!
//! Each case gets a database without lists. [`check`] runs all of them and panics with the names of those that failed.
//! Cases read the tables by SQL: those that qopen documents, in a schema `qopen`. Names
//! that are words of SQL are in double quotes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]

mod changes;
mod fixture;
mod given;
mod later;
mod many;
mod readers;
mod subject;
mod switch;
mod texts;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use fixture::{check_fixture, fixture_rows, publish_fixture};
pub use later::later_columns;
pub use many::publish_without_end;
pub use readers::{ReadChanges, check_changes};
pub use subject::{Reader, Subject};

/// One thing that every database of lists must do.
pub struct Case {
    name: &'static str,
    run: fn(&dyn Subject),
}

impl Case {
    /// What the database must do, in words joined by underscores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case on a database without lists.
    ///
    /// # Panics
    /// If the database does something else.
    pub fn run(&self, subject: &dyn Subject) {
        (self.run)(subject);
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

macro_rules! cases {
    ($($part:ident: $($name:ident),+;)+) => {
        &[$($(Case { name: stringify!($name), run: $part::$name },)+)+]
    };
}

/// Every case.
pub const CASES: &[Case] = cases! {
    switch:
        a_list_replaces_the_last_one_in_one_step,
        a_reader_keeps_its_list_and_delays_no_publication,
        a_partial_list_is_beside_the_complete_one,
        a_list_never_replaces_a_later_one,
        a_list_that_is_dropped_or_held_leaves_no_trace,
        list_quarantine_and_changes_are_one_commit,
        an_empty_list_is_a_list,
        evidence_and_basis_are_recorded_with_the_list;
    changes:
        each_kind_of_change_has_its_row,
        a_revision_has_the_changes_since_the_list_before_its_pull,
        a_half_deleted_list_is_refused_until_a_new_baseline,
        a_superseded_list_is_not_compared,
        old_changes_are_removed,
        retention_spares_the_last_list;
    texts:
        odd_texts_are_kept,
        a_tag_of_any_length_is_kept,
        ids_of_any_form_are_told_apart,
        unreadable_and_unknown_fields_are_kept;
    many:
        a_thousand_robots_are_published_together_and_alone,
        two_writers_of_one_robot_make_one_history,
        writers_of_different_robots_do_not_disturb_each_other,
        a_publication_that_is_killed_leaves_the_old_list_or_the_new_one;
};

/// Runs every case on a database without lists that `empty` makes for it.
///
/// # Panics
/// With the names of the cases that failed, after all of them ran.
pub fn check(mut empty: impl FnMut(&Case) -> Box<dyn Subject>) {
    let mut failed = Vec::new();
    for case in CASES {
        let subject = empty(case);
        let run = AssertUnwindSafe(|| case.run(&*subject));
        if catch_unwind(run).is_err() {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "cases that failed: {failed:?}");
}
