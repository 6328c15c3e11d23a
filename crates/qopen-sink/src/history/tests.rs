//! The lists whose changes are given, for histories of all kinds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use qopen_types::MarkId;

use super::{KeptList, ListsSince, NotKept, lists_since};

/// A list of one change after the list before it.
fn list(number: i64, before: Option<&str>) -> KeptList {
    let mut counts = qopen_types::ChangeCounts::default();
    counts.added = 1;
    KeptList {
        number,
        mark_id: format!("m{number}"),
        revision: 1,
        baseline: before.is_none(),
        since_mark_id: before.map(str::to_owned),
        since_revision: before.map(|_| 1),
        accounts_before: 0,
        accounts: 1,
        digest_before: None,
        digest: None,
        counts,
        has_changes: before.is_some(),
    }
}

fn history(count: i64) -> Vec<KeptList> {
    (1..=count).map(|n| list(n, (n > 1).then(|| format!("m{}", n - 1)).as_deref())).collect()
}

fn since(history: &[KeptList], mark: &str, revision: Option<u32>) -> ListsSince {
    let mark: MarkId = mark.parse().unwrap();
    lists_since(history, Some((&mark, revision)))
}

const REMOVED: ListsSince = ListsSince::NotKept(NotKept::Removed);

#[test]
fn the_steps_after_a_list_are_given_in_order_or_not_at_all() {
    assert_eq!(since(&[], "m1", None), ListsSince::Unknown);
    assert_eq!(lists_since(&[], None), ListsSince::Unknown);
    let mut lists = history(4);
    assert_eq!(since(&lists, "m1", None), ListsSince::Lists(1..4));
    assert_eq!(since(&lists, "m3", Some(1)), ListsSince::Lists(3..4));
    assert_eq!(since(&lists, "m4", Some(1)), ListsSince::Lists(4..4));
    assert_eq!(since(&lists, "m0", None), REMOVED);
    assert_eq!(lists_since(&lists, None), ListsSince::Lists(3..4));
    // A reader that has an earlier revision.
    lists[3].revision = 2;
    let revised = ListsSince::NotKept(NotKept::Revised { revision: 2 });
    assert_eq!(since(&lists, "m4", Some(1)), revised);
    assert_eq!(since(&lists, "m4", Some(2)), ListsSince::Lists(4..4));
    // Retention removed the first two lists; the third names the second.
    let kept = &lists[2..];
    assert_eq!(since(kept, "m2", Some(1)), ListsSince::Lists(0..2));
    assert_eq!(since(kept, "m1", None), REMOVED);
    let revised = ListsSince::NotKept(NotKept::Revised { revision: 1 });
    assert_eq!(since(kept, "m2", Some(7)), revised);
}

#[test]
fn a_break_between_lists_is_found() {
    let lists = history(4);
    let broken = |edit: fn(&mut Vec<KeptList>)| {
        let mut lists = lists.clone();
        edit(&mut lists);
        [since(&lists, "m1", None), since(&lists, "m3", None)]
    };
    let last = || ListsSince::Lists(3..4);
    let baseline = ListsSince::NotKept(NotKept::Baseline);
    assert_eq!(broken(|it| it[2] = list(3, None)), [baseline, last()]);
    // A list that was published without a comparison came in between.
    assert_eq!(broken(|it| it[2].since_mark_id = Some("x".into())), [REMOVED, last()]);
    assert_eq!(broken(|it| it[2].since_revision = Some(2)), [REMOVED, last()]);
    // Changes that are not kept, or rows that a reader deleted.
    assert_eq!(broken(|it| it[1].has_changes = false), [REMOVED, last()]);
    assert_eq!(
        broken(|it| {
            it.remove(1);
        }),
        [REMOVED, ListsSince::Lists(2..3)]
    );
    // A list without changes needs none.
    let none = |it: &mut Vec<KeptList>| {
        (it[1].has_changes, it[1].counts) = (false, Default::default());
    };
    assert_eq!(broken(none), [ListsSince::Lists(1..4), last()]);
    // The number of a list that was deleted is missing, although marks go on.
    assert_eq!(
        broken(|it| {
            it[3].number = 9;
        })[0],
        REMOVED
    );
}
