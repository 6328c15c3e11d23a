//! Pages folded per second, compared with the naive fold in one run: `cargo bench -p
//! qopen-assembler --bench fold`.

#[allow(dead_code, reason = "each bench uses a part")]
mod support;

use divan::Bencher;
use divan::counter::ItemsCount;
use qopen_assembler::{Assembler, Config, PullKey, PullOptions, Time};

use support::{Account, Naive, page};

/// Accounts that each sample folds in all.
const ACCOUNTS: usize = 100_000;

fn main() {
    divan::main();
}

#[divan::bench(args = [1, 100, 1000])]
fn assembler(bencher: Bencher<'_, '_>, accounts_a_page: usize) {
    let key = PullKey::new("robot", "mark");
    let pages = || {
        (0..ACCOUNTS / accounts_a_page).map(|n| page(&key, n, accounts_a_page)).collect::<Vec<_>>()
    };
    bencher.counter(ItemsCount::new(ACCOUNTS)).with_inputs(pages).bench_values(|pages| {
        let mut assembler = Assembler::<Account>::new(Config::default());
        // A new assembler knows no pull, so it can be started.
        let _ = assembler.start(Time::ZERO, key.clone(), PullOptions::default());
        for page in pages {
            assembler.handle_page(Time::ZERO, page);
            while assembler.poll_event().is_some() {}
        }
        assembler
    });
}

#[divan::bench(args = [1, 100, 1000])]
fn naive(bencher: Bencher<'_, '_>, accounts_a_page: usize) {
    let key = PullKey::new("robot", "mark");
    let pages = || {
        (0..ACCOUNTS / accounts_a_page).map(|n| page(&key, n, accounts_a_page)).collect::<Vec<_>>()
    };
    bencher.counter(ItemsCount::new(ACCOUNTS)).with_inputs(pages).bench_values(|pages| {
        let mut naive = Naive::default();
        pages.into_iter().for_each(|page| naive.add(page));
        naive
    });
}

#[divan::bench(args = [100])]
fn duplicates(bencher: Bencher<'_, '_>, accounts_a_page: usize) {
    let key = PullKey::new("robot", "mark");
    let mut assembler = Assembler::<Account>::new(Config::default());
    let _ = assembler.start(Time::ZERO, key.clone(), PullOptions::default());
    assembler.handle_page(Time::ZERO, page(&key, 0, accounts_a_page));
    bencher
        .with_inputs(|| page(&key, 0, accounts_a_page))
        .bench_local_values(|page| assembler.handle_page(Time::ZERO, page));
}
