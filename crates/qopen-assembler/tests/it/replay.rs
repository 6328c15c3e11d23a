//! Any interleaving of operations, against the model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use qopen_assembler::{Event, PullOptions};

use crate::operations::{Account, Key, Operation, Pair, Said, content, key, keys, said};
use crate::strategies::any_operation;

proptest! {
    #[test]
    fn agrees_with_the_model(operations in prop::collection::vec(any_operation(), 1..60)) {
        let mut pair = Pair::new();
        for operation in &operations {
            pair.apply(operation);
            pair.compare();
        }
    }

    #[test]
    fn i12_the_same_calls_give_the_same_events(operations in prop::collection::vec(any_operation(), 1..40)) {
        let (mut once, mut again) = (Pair::new(), Pair::new());
        for operation in &operations {
            once.apply(operation);
            again.apply(operation);
        }
        prop_assert_eq!(once.events, again.events);
        prop_assert_eq!(once.assembler.poll_timeout(), again.assembler.poll_timeout());
    }

    /// Polling at every time of `poll_timeout` changes only when events are emitted.
    #[test]
    fn i12_timeouts_may_be_handled_early_or_late(operations in prop::collection::vec(any_operation(), 1..40)) {
        let (mut lazy, mut eager) = (Pair::new(), Pair::new());
        for operation in &operations {
            lazy.apply(operation);
            if let Operation::Wait(time) = operation {
                let until = eager.model.now + *time;
                while let Some(due) = eager.assembler.poll_timeout().filter(|due| *due <= until) {
                    let wait = due.since(eager.model.now);
                    eager.apply(&Operation::Wait(wait));
                }
                eager.apply(&Operation::Wait(until.since(eager.model.now)));
            } else {
                eager.apply(operation);
            }
        }
        prop_assert_eq!(said(&lazy.events), said(&eager.events));
    }

    #[test]
    fn i4_a_pull_ends_at_most_once_and_complete_only_with_a_last_page(
        operations in prop::collection::vec(any_operation(), 1..60),
    ) {
        let ends = |said: &&Said| matches!(said, Said::Completed(..) | Said::Failed(..));
        let starts = |it: &&Operation| {
            matches!(it, Operation::Start(..) | Operation::StartCompleted(..))
        };
        let starts = operations.iter().filter(starts).count();
        let mut whole = Pair::new();
        operations.iter().for_each(|it| whole.apply(it));
        let told = said(&whole.events);
        let reopened = told.iter().filter(|it| matches!(it, Said::Reopened(_))).count();
        prop_assert!(told.iter().filter(ends).count() <= starts + reopened);
        prop_assert!(told.iter().filter(|it| matches!(it, Said::Completed(..))).count() <= starts);

        let mut without_last_pages = Pair::new();
        for operation in operations {
            match operation {
                Operation::Page(_, page) if page.has_more != Some(true) => {}
                Operation::StartCompleted(..) => {}
                Operation::Merge(key, mut pages) => {
                    pages.retain(|page| page.has_more == Some(true));
                    without_last_pages.apply(&Operation::Merge(key, pages));
                }
                operation => without_last_pages.apply(&operation),
            }
        }
        let complete = |it: &Said| matches!(it, Said::Completed(..));
        prop_assert!(!said(&without_last_pages.events).iter().any(complete));
    }

    #[test]
    fn i7_interleaved_pulls_are_what_each_is_alone(
        operations in prop::collection::vec(any_operation(), 1..60),
    ) {
        let of = |operation: &Operation| match operation {
            Operation::Start(key, _) | Operation::Accepted(key) | Operation::Page(key, _)
            | Operation::Unreadable(key, _) | Operation::Owed(key, _)
            | Operation::Merge(key, _) | Operation::Cancel(key) | Operation::Declare(key)
            | Operation::Forget(key) | Operation::Released(key, _)
            | Operation::StartCompleted(key, ..) => Some(*key),
            // An error without a mark belongs to the only open pull: that is its meaning.
            Operation::Error(robot, mark, ..) => Some((*robot, mark.unwrap_or(9))),
            Operation::Wait(_) | Operation::GoBack(_) | Operation::SaveAndRestore
            | Operation::Refusal | Operation::OutageBegan(_) | Operation::OutageEnded => None,
        };
        let marked = |it: &&Operation| !matches!(it, Operation::Error(_, None, ..));
        let mut together = Pair::new();
        operations.iter().filter(marked).for_each(|it| together.apply(it));
        for key in keys() {
            let mut alone = Pair::new();
            for operation in operations.iter().filter(|it| of(it).is_none_or(|it| it == key)) {
                alone.apply(operation);
            }
            prop_assert_eq!(of_key(said(&together.events), key), said(&alone.events));
        }
    }

    #[test]
    fn fresh_accounts_written_over_one_another_come_to_the_winners(
        operations in prop::collection::vec(any_operation(), 1..60),
    ) {
        let mut pair = Pair::new();
        let start = Operation::Start((0, 0), PullOptions::default());
        let pages = operations.into_iter().filter(|it| matches!(it, Operation::Page((0, 0), _)));
        std::iter::once(start).chain(pages).for_each(|it| pair.apply(&it));
        let mut map = BTreeMap::new();
        for event in &pair.events {
            if let Event::Fresh { accounts, .. } = event {
                map.extend(accounts.iter().map(|Account(id, content)| (*id, *content)));
            }
        }
        let model = pair.model.pulls[&(0, 0)].accounts();
        let winners: BTreeMap<u8, u8> = model
            .into_iter()
            .filter_map(|(id, contents)| Some((id, contents.into_iter().max_by_key(|it| content(*it))?)))
            .collect();
        prop_assert_eq!(map, winners);
        prop_assert!(pair.assembler.progress(&key((0, 0))).is_some());
    }
}

/// One long life of many pulls, years of virtual time: fifty steps for each proptest case, five
/// million in `cargo xtask prove`.
#[test]
fn a_long_life_agrees_with_the_model() {
    let steps = Config::default().cases * 50;
    let mut runner = TestRunner::default();
    let (mut pair, operations) = (Pair::new(), any_operation());
    for step in 0..steps {
        let operation = operations.new_tree(&mut runner).unwrap().current();
        let seed = runner.config().rng_seed;
        let context = || format!("step {step}, seed {seed:?}: {operation:?}");
        pair.apply(&operation);
        assert_eq!(said(&pair.events), pair.model.said, "{}", context());
        pair.compare();
        // What was compared need not be remembered.
        pair.events.clear();
        pair.model.said.clear();
    }
}

fn of_key(said: Vec<Said>, key: Key) -> Vec<Said> {
    let ours = |it: &Said| match it {
        Said::Completed(k, _, _) | Said::Failed(k, _) | Said::Revised(k, _) | Said::Reopened(k) => {
            *k == key
        }
    };
    said.into_iter().filter(ours).collect()
}
