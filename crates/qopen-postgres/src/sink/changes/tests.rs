//! The lists whose changes are given, for histories of all kinds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use qopen_types::MarkId;

use super::steps::{Listed, NotKept, Wanted, wanted};

/// A list of one change after the list before it.
fn list(number: i64, before: Option<&str>) -> Listed {
    let mut counts = qopen_types::ChangeCounts::default();
    counts.added = 1;
    Listed {
        number,
        mark: format!("m{number}"),
        revision: 1,
        baseline: before.is_none(),
        since_mark: before.map(str::to_owned),
        since_revision: before.map(|_| 1),
        accounts_before: 0,
        accounts: 1,
        digest_before: None,
        digest: None,
        counts,
        has_changes: before.is_some(),
    }
}

fn history(count: i64) -> Vec<Listed> {
    (1..=count).map(|n| list(n, (n > 1).then(|| format!("m{}", n - 1)).as_deref())).collect()
}

fn since(history: &[Listed], mark: &str, revision: Option<u32>) -> Wanted {
    let mark: MarkId = mark.parse().unwrap();
    wanted(history, Some((&mark, revision)))
}

const REMOVED: Wanted = Wanted::NotKept(NotKept::Removed);

#[test]
fn the_steps_after_a_list_are_given_in_order_or_not_at_all() {
    assert_eq!(since(&[], "m1", None), Wanted::Unknown);
    assert_eq!(wanted(&[], None), Wanted::Unknown);
    let mut lists = history(4);
    assert_eq!(since(&lists, "m1", None), Wanted::Steps(1..4));
    assert_eq!(since(&lists, "m3", Some(1)), Wanted::Steps(3..4));
    assert_eq!(since(&lists, "m4", Some(1)), Wanted::Steps(4..4));
    assert_eq!(since(&lists, "m0", None), REMOVED);
    assert_eq!(wanted(&lists, None), Wanted::Steps(3..4));
    // A reader that has an earlier revision.
    lists[3].revision = 2;
    let revised = Wanted::NotKept(NotKept::Revised { revision: 2 });
    assert_eq!(since(&lists, "m4", Some(1)), revised);
    assert_eq!(since(&lists, "m4", Some(2)), Wanted::Steps(4..4));
    // Retention removed the first two lists; the third names the second.
    let kept = &lists[2..];
    assert_eq!(since(kept, "m2", Some(1)), Wanted::Steps(0..2));
    assert_eq!(since(kept, "m1", None), REMOVED);
    let revised = Wanted::NotKept(NotKept::Revised { revision: 1 });
    assert_eq!(since(kept, "m2", Some(7)), revised);
}

#[test]
fn a_break_between_lists_is_found() {
    let lists = history(4);
    let broken = |edit: fn(&mut Vec<Listed>)| {
        let mut lists = lists.clone();
        edit(&mut lists);
        [since(&lists, "m1", None), since(&lists, "m3", None)]
    };
    let last = || Wanted::Steps(3..4);
    let baseline = Wanted::NotKept(NotKept::Baseline);
    assert_eq!(broken(|it| it[2] = list(3, None)), [baseline, last()]);
    // A list that was published without a comparison came in between.
    assert_eq!(broken(|it| it[2].since_mark = Some("x".into())), [REMOVED, last()]);
    assert_eq!(broken(|it| it[2].since_revision = Some(2)), [REMOVED, last()]);
    // Changes that are not kept, or rows that a reader deleted.
    assert_eq!(broken(|it| it[1].has_changes = false), [REMOVED, last()]);
    assert_eq!(
        broken(|it| {
            it.remove(1);
        }),
        [REMOVED, Wanted::Steps(2..3)]
    );
    // A list without changes needs none.
    let none = |it: &mut Vec<Listed>| {
        (it[1].has_changes, it[1].counts) = (false, Default::default());
    };
    assert_eq!(broken(none), [Wanted::Steps(1..4), last()]);
    // The number of a list that was deleted is missing, although marks go on.
    assert_eq!(
        broken(|it| {
            it[3].number = 9;
        })[0],
        REMOVED
    );
}
