//! The property tests' operations, chosen by the fuzzer.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use qopen_assembler::{PullOptions, Timing};

use crate::operations::{Key, Operation, Pair, TestPage};

/// Applies operations to the assembler and to the model, and compares both after each.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut pair = Pair::new();
    while !input.is_empty() {
        let Ok(operation) = operation(&mut input) else { break };
        pair.apply(&operation);
        pair.compare();
    }
}

fn operation(u: &mut Unstructured<'_>) -> Result<Operation> {
    Ok(match u.int_in_range(0..=20)? {
        0 => Operation::Start(key(u)?, options(u)?),
        1 => Operation::Accepted(key(u)?),
        2 => Operation::Unreadable(key(u)?, page(u)?),
        3 => Operation::Owed(key(u)?, page(u)?),
        4 => {
            let (robot, mark) = key(u)?;
            let mark = u.arbitrary::<bool>()?.then_some(mark);
            let code = u.int_in_range(1..=8)?;
            let ago = if u.arbitrary()? { Some(seconds(u, 20)?) } else { None };
            Operation::Error(robot, mark, code, ago)
        }
        5 => Operation::Cancel(key(u)?),
        6 => Operation::Declare(key(u)?),
        7 => Operation::Merge(key(u)?, pages(u)?),
        8 => Operation::SaveAndRestore,
        9 => Operation::GoBack(seconds(u, 9)?),
        10 => Operation::Wait(seconds(u, 200)?),
        11 => Operation::Wait(seconds(u, 6)?),
        12 => Operation::Forget(key(u)?),
        13 => Operation::Released(key(u)?, page(u)?),
        14 => Operation::Refusal,
        15 => Operation::OutageBegan(seconds(u, 8)?),
        16 => Operation::OutageEnded,
        17 => Operation::StartCompleted(key(u)?, options(u)?, pages(u)?, u.arbitrary()?),
        _ => Operation::Page(key(u)?, page(u)?),
    })
}

fn key(u: &mut Unstructured<'_>) -> Result<Key> {
    Ok((u.int_in_range(0..=1)?, u.int_in_range(0..=1)?))
}

fn pages(u: &mut Unstructured<'_>) -> Result<Vec<TestPage>> {
    (0..u.int_in_range(0..=3)?).map(|_| page(u)).collect()
}

fn page(u: &mut Unstructured<'_>) -> Result<TestPage> {
    let has_more = match u.int_in_range(0..=9)? {
        0 => None,
        it => Some(it > 2),
    };
    let accounts = 0..u.int_in_range(0..=3)?;
    let accounts = accounts.map(|_| Ok((u.int_in_range(0..=9)?, u.int_in_range(0..=2)?)));
    let accounts = accounts.collect::<Result<_>>()?;
    let nameless = 0..if u.ratio(1, 10)? { u.int_in_range(1..=2)? } else { 0 };
    let nameless = nameless.map(|_| u.int_in_range(0..=2)).collect::<Result<_>>()?;
    Ok(TestPage { has_more, accounts, nameless })
}

fn options(u: &mut Unstructured<'_>) -> Result<PullOptions> {
    let timing = Timing::default()
        .settle(seconds(u, 8)?)
        .idle_timeout(seconds(u, 40)?)
        .deadline(seconds(u, 120)?);
    let expect = u.arbitrary::<bool>()?.then_some(u.int_in_range(0..=8)?);
    let options = PullOptions::default().timing(timing).expect_accounts(expect);
    let options = options.requested_before(seconds(u, 8)?);
    let options = options.allow_unidentified(u.int_in_range(0..=2)?);
    Ok(if u.ratio(1, 5)? { options.await_acceptance() } else { options })
}

fn seconds(u: &mut Unstructured<'_>, most: u64) -> Result<Duration> {
    Ok(Duration::from_secs(u.int_in_range(0..=most)?))
}
