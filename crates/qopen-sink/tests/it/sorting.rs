//! The sorter against a map.

use std::collections::BTreeSet;

use proptest::prelude::*;
use qopen_sink::{Sorted, Sorter};

fn records(mut sorted: Sorted) -> Vec<(String, String)> {
    let text = |it: &[u8]| String::from_utf8(it.to_vec()).unwrap();
    let mut records = Vec::new();
    while sorted.advance().unwrap() {
        records.push((text(sorted.key()), text(sorted.text())));
    }
    assert!(!sorted.advance().unwrap() && sorted.key().is_empty() && sorted.text().is_empty());
    records
}

proptest! {
    #[test]
    fn records_come_in_order_once_each_whatever_the_memory_and_the_threads(
        all in prop::collection::vec(("(common)?[a-d\u{0}]{1,12}", "[x-z]{0,2}", 0..3_usize), 0..200),
        memory in 1..2_000_usize,
    ) {
        let mut sorters: Vec<_> = (0..3).map(|_| Sorter::with_memory(memory)).collect();
        let mut alone = Sorter::with_memory(memory);
        for (key, text, thread) in &all {
            sorters[*thread].push(key, text.as_bytes()).unwrap();
            alone.push(key, text.as_bytes()).unwrap();
        }
        let model: BTreeSet<(String, String)> = all.into_iter().map(|it| (it.0, it.1)).collect();
        let model: Vec<_> = model.into_iter().collect();
        prop_assert_eq!(&records(alone.finish().unwrap()), &model);
        prop_assert_eq!(records(Sorter::merge(sorters).unwrap()), model);
    }
}

#[test]
fn more_runs_than_are_merged_at_once() {
    let mut sorter = Sorter::with_memory(1);
    for n in 0..1_000 {
        sorter.push(&format!("{:04}", (n * 7919) % 1_000), b"x").unwrap();
    }
    let keys: Vec<_> = records(sorter.finish().unwrap()).into_iter().map(|it| it.0).collect();
    assert_eq!(keys, (0..1_000).map(|n| format!("{n:04}")).collect::<Vec<_>>());
}

#[test]
fn nothing_is_sorted_as_nothing() {
    assert!(records(Sorter::default().finish().unwrap()).is_empty());
    assert_eq!(Sorter::share(0).len(), 1);
    assert!(records(Sorter::merge(Sorter::share(2)).unwrap()).is_empty());
}
