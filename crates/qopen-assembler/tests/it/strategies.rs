//! Strategies for every operation, page and option.

use std::time::Duration;

use proptest::prelude::*;
use qopen_assembler::{PullOptions, Timing};

use crate::operations::{Key, Operation, TestPage};

pub(crate) fn any_key() -> impl Strategy<Value = Key> {
    (0..2_u8, 0..2_u8)
}

pub(crate) fn any_page() -> impl Strategy<Value = TestPage> {
    let has_more = prop_oneof![7 => Just(Some(true)), 2 => Just(Some(false)), 1 => Just(None)];
    let nameless = prop_oneof![9 => Just(vec![]), 1 => prop::collection::vec(0..3_u8, 1..3)];
    (has_more, prop::collection::vec((0..10_u8, 0..3_u8), 0..4), nameless)
        .prop_map(|(has_more, accounts, nameless)| TestPage { has_more, accounts, nameless })
}

pub(crate) fn any_options() -> impl Strategy<Value = PullOptions> {
    let timing = (1..8_u64, 1..40_u64, 1..120_u64).prop_map(|(settle, idle, deadline)| {
        let seconds = Duration::from_secs;
        Timing::default()
            .settle(seconds(settle))
            .idle_timeout(seconds(idle))
            .deadline(seconds(deadline))
    });
    let before = (0..9_u64).prop_map(Duration::from_secs);
    let expect = prop::option::weighted(0.2, 0..8_u64);
    (timing, expect, prop::bool::weighted(0.2), before, 0..3_u64).prop_map(
        |(timing, expect, awaits, before, nameless)| {
            let options = PullOptions::default().timing(timing).expect_accounts(expect);
            let options = options.requested_before(before).allow_unidentified(nameless);
            if awaits { options.await_acceptance() } else { options }
        },
    )
}

pub(crate) fn any_operation() -> impl Strategy<Value = Operation> {
    let seconds = |range| prop::strategy::Strategy::prop_map(range, Duration::from_secs);
    prop_oneof![
        4 => (any_key(), any_options()).prop_map(|(key, options)| Operation::Start(key, options)),
        1 => any_key().prop_map(Operation::Accepted),
        12 => (any_key(), any_page()).prop_map(|(key, page)| Operation::Page(key, page)),
        1 => (any_key(), any_page()).prop_map(|(key, page)| Operation::Unreadable(key, page)),
        1 => (any_key(), any_page()).prop_map(|(key, page)| Operation::Owed(key, page)),
        1 => (any_key(), any_page()).prop_map(|(key, page)| Operation::Released(key, page)),
        1 => (0..2_u8, prop::option::of(0..2_u8), 1..9_i64, prop::option::of(seconds(0..20_u64)))
            .prop_map(|(r, m, c, ago)| Operation::Error(r, m, c, ago)),
        1 => Just(Operation::Refusal),
        1 => seconds(0..9_u64).prop_map(Operation::OutageBegan),
        2 => Just(Operation::OutageEnded),
        1 => (any_key(), any_options(), prop::collection::vec(any_page(), 0..3), any::<bool>())
            .prop_map(|(key, options, pages, late)| Operation::StartCompleted(key, options, pages, late)),
        1 => any_key().prop_map(Operation::Cancel),
        1 => any_key().prop_map(Operation::Declare),
        1 => any_key().prop_map(Operation::Forget),
        2 => (any_key(), prop::collection::vec(any_page(), 0..4)).prop_map(|(key, pages)| Operation::Merge(key, pages)),
        1 => Just(Operation::SaveAndRestore),
        4 => seconds(0..6_u64).prop_map(Operation::Wait),
        1 => seconds(0..200_u64).prop_map(Operation::Wait),
        1 => seconds(0..9_u64).prop_map(Operation::GoBack),
    ]
}
