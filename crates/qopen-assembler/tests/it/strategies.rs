//! Any operation, page or option that there is.

use std::time::Duration;

use proptest::prelude::*;
use qopen_assembler::{PullOptions, Timing};

use crate::operations::{Key, Operation, TestPage};

pub fn any_key() -> impl Strategy<Value = Key> {
    (0..2_u8, 0..2_u8)
}

pub fn any_page() -> impl Strategy<Value = TestPage> {
    (prop::bool::weighted(0.7), prop::collection::vec((0..10_u8, 0..3_u8), 0..4))
        .prop_map(|(has_more, accounts)| TestPage { has_more, accounts })
}

pub fn any_options() -> impl Strategy<Value = PullOptions> {
    let timing = (1..8_u64, 1..40_u64, 1..120_u64).prop_map(|(settle, idle, deadline)| {
        let seconds = Duration::from_secs;
        Timing::default()
            .settle(seconds(settle))
            .idle_timeout(seconds(idle))
            .deadline(seconds(deadline))
    });
    (timing, prop::option::weighted(0.2, 0..8_u64), prop::bool::weighted(0.2)).prop_map(
        |(timing, expect, awaits)| {
            let options = PullOptions::default().timing(timing).expect_accounts(expect);
            if awaits { options.await_acceptance() } else { options }
        },
    )
}

pub fn any_operation() -> impl Strategy<Value = Operation> {
    let seconds = |range| prop::strategy::Strategy::prop_map(range, Duration::from_secs);
    prop_oneof![
        4 => (any_key(), any_options()).prop_map(|(key, options)| Operation::Start(key, options)),
        1 => any_key().prop_map(Operation::Accepted),
        12 => (any_key(), any_page()).prop_map(|(key, page)| Operation::Page(key, page)),
        1 => (any_key(), any_page()).prop_map(|(key, page)| Operation::Unreadable(key, page)),
        1 => (any_key(), any_page()).prop_map(|(key, page)| Operation::Owed(key, page)),
        1 => (0..2_u8, prop::option::of(0..2_u8), 1..9_i64).prop_map(|(r, m, c)| Operation::Error(r, m, c)),
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
