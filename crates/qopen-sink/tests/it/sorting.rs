//! The sorter against a map.

use std::collections::BTreeSet;

use proptest::prelude::*;
use qopen_sink::Sorter;

fn sorted(sorter: Sorter) -> Vec<(String, String)> {
    let records = sorter.finish().unwrap();
    records.map(|it| it.map(|(key, text)| (key.into(), text.into())).unwrap()).collect()
}

proptest! {
    #[test]
    fn records_come_in_order_once_each_whatever_the_memory(
        records in prop::collection::vec(("[a-d]{1,3}", "[x-z]{0,2}"), 0..200),
        memory in 1..2_000_usize,
    ) {
        let mut sorter = Sorter::with_memory(memory);
        for (key, text) in &records {
            sorter.push(key, text).unwrap();
        }
        let model: BTreeSet<(String, String)> = records.into_iter().collect();
        prop_assert_eq!(sorted(sorter), model.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn more_runs_than_are_merged_at_once() {
    let mut sorter = Sorter::with_memory(1);
    for n in 0..1_000 {
        sorter.push(&format!("{:04}", (n * 7919) % 1_000), "x").unwrap();
    }
    let keys: Vec<_> = sorted(sorter).into_iter().map(|it| it.0).collect();
    assert_eq!(keys, (0..1_000).map(|n| format!("{n:04}")).collect::<Vec<_>>());
}
