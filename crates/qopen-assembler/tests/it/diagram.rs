//! The state diagram in the README matches the machine: every transition taken is drawn, and every
//! drawn one is taken.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use qopen_assembler::State;

use crate::operations::{Operation, Pair, key, keys};
use crate::strategies::any_operation;

/// The arrows between the states of the README's diagram.
fn drawn() -> BTreeSet<(String, String)> {
    let readme = include_str!("../../README.md");
    let diagram = readme.split("```mermaid").nth(1).unwrap().split("```").next().unwrap();
    let arrow = |line: &str| {
        let (from, to) = line.trim().split_once(" --> ")?;
        Some((from.to_owned(), to.split(':').next()?.trim().to_owned()))
    };
    diagram.lines().filter_map(arrow).collect()
}

fn states(pair: &Pair) -> Vec<(String, u32)> {
    let name = |state: State| format!("{state:?}");
    let state = |k| match pair.assembler.progress(&key(k)) {
        Some(progress) => (name(progress.state), progress.figures.revision),
        None => ("[*]".to_owned(), 0),
    };
    keys().map(state).collect()
}

#[test]
fn every_transition_is_drawn_and_every_one_drawn_is_taken() {
    let taken = RefCell::new(BTreeSet::new());
    let step = |pair: &mut Pair, operation: &Operation| {
        let before = states(pair);
        pair.apply(operation);
        for ((from, old), (to, new)) in before.into_iter().zip(states(pair)) {
            // A new revision leads from completed to completed.
            if from != to || (new > old && old > 0) {
                taken.borrow_mut().insert((from, to));
            }
        }
    };
    // The same cases in every run: the result must not depend on luck.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::with_cases(4_000), rng);
    let operations = prop::collection::vec(any_operation(), 1..40);
    let walk = |operations: Vec<Operation>| {
        let mut pair = Pair::new();
        for operation in &operations {
            // Time goes from one due moment to the next, so that no step hides two transitions.
            if let Operation::Wait(time) = operation {
                let until = pair.model.now + *time;
                while let Some(due) = pair.assembler.poll_timeout().filter(|due| *due <= until) {
                    let wait = due.since(pair.model.now);
                    step(&mut pair, &Operation::Wait(wait));
                }
                let rest = until.since(pair.model.now);
                step(&mut pair, &Operation::Wait(rest));
            } else {
                step(&mut pair, operation);
            }
        }
        Ok(())
    };
    runner.run(&operations, walk).unwrap();
    let (taken, drawn) = (taken.into_inner(), drawn());
    let undrawn: Vec<_> = taken.difference(&drawn).collect();
    let untaken: Vec<_> = drawn.difference(&taken).collect();
    assert!(undrawn.is_empty() && untaken.is_empty(), "undrawn: {undrawn:?}\nuntaken: {untaken:?}");
}
