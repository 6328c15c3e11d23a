//! The fold as a set: order, copies and splits do not matter, and merging is a join.

use std::collections::BTreeSet;

use proptest::prelude::*;
use qopen_assembler::{Fold, PullKey, PullMismatch};

use crate::operations::{Account, TestPage, content, digest};
use crate::strategies::any_page;

/// What one node of a distributed fold may learn of a page.
#[derive(Clone, Debug)]
enum Learnt {
    Page(TestPage),
    Unreadable(TestPage),
    Owed(TestPage),
    Released(TestPage),
}

fn learn(fold: &mut Fold, learnt: &Learnt) {
    match learnt {
        Learnt::Page(page) => {
            let accounts = page.accounts.iter().map(|(id, content)| Account(*id, *content));
            fold.add_unidentified(page.nameless.iter().copied().map(content));
            fold.add_page(digest(page), page.has_more, accounts, |_| {});
        }
        Learnt::Released(page) => {
            fold.release(digest(page));
        }
        Learnt::Unreadable(page) => {
            fold.add_unreadable(digest(page));
        }
        Learnt::Owed(page) => {
            fold.add_owed(digest(page));
        }
    }
}

fn fold(learnt: &[Learnt]) -> Fold {
    let mut fold = Fold::new(&PullKey::new("r", "m"));
    learnt.iter().for_each(|it| learn(&mut fold, it));
    fold
}

fn merged(a: &Fold, b: &Fold) -> Fold {
    let mut out = a.clone();
    out.merge(b).unwrap();
    out
}

fn learnt() -> impl Strategy<Value = Vec<Learnt>> {
    let one = prop_oneof![
        8 => any_page().prop_map(Learnt::Page),
        1 => any_page().prop_map(Learnt::Unreadable),
        1 => any_page().prop_map(Learnt::Owed),
        1 => any_page().prop_map(Learnt::Released),
    ];
    prop::collection::vec(one, 0..12)
}

fn shuffled() -> impl Strategy<Value = (Vec<Learnt>, Vec<Learnt>)> {
    learnt().prop_flat_map(|learnt| {
        let copies = prop::sample::subsequence(learnt.clone(), 0..=learnt.len());
        (Just(learnt.clone()), copies).prop_flat_map(|(all, copies)| {
            let doubled: Vec<_> = all.iter().chain(&copies).cloned().collect();
            (Just(all), Just(doubled).prop_shuffle())
        })
    })
}

proptest! {
    #[test]
    fn i2_order_and_copies_do_not_matter((pages, shuffled) in shuffled()) {
        prop_assert_eq!(fold(&pages), fold(&shuffled));
    }

    #[test]
    fn i2_the_split_into_pages_does_not_matter(
        accounts in prop::collection::vec((0..10_u8, 0..3_u8), 1..30),
        sizes in prop::collection::vec(1..9_usize, 30),
        other_sizes in prop::collection::vec(1..9_usize, 30),
    ) {
        let split = |sizes: &[usize]| {
            let (mut rest, mut pages) = (accounts.as_slice(), Vec::new());
            for size in sizes {
                let (page, after) = rest.split_at((*size).min(rest.len()));
                pages.push(Learnt::Page(TestPage::new(!after.is_empty(), page.to_vec())));
                rest = after;
                if rest.is_empty() { break }
            }
            fold(&pages)
        };
        let (one, other) = (split(&sizes), split(&other_sizes));
        let list = |fold: &Fold| fold.winners().collect::<BTreeSet<_>>();
        prop_assert_eq!(list(&one), list(&other));
        prop_assert_eq!(one.conflicts(), other.conflicts());
        prop_assert_eq!(one.last_page_seen(), other.last_page_seen());
    }

    #[test]
    fn i3_merging_is_a_join(a in learnt(), b in learnt(), c in learnt()) {
        let (x, y, z) = (fold(&a), fold(&b), fold(&c));
        prop_assert_eq!(merged(&x, &y), merged(&y, &x));
        prop_assert_eq!(merged(&merged(&x, &y), &z), merged(&x, &merged(&y, &z)));
        prop_assert_eq!(&merged(&x, &x), &x);
        let union: Vec<_> = a.iter().chain(&b).cloned().collect();
        let (merged, whole) = (merged(&x, &y), fold(&union));
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(
            (merged.pages(), merged.accounts(), merged.conflicts(), merged.unreadable(), merged.owed()),
            (whole.pages(), whole.accounts(), whole.conflicts(), whole.unreadable(), whole.owed()),
        );
    }
}

#[test]
fn i3_folds_of_different_pulls_do_not_merge() {
    let mut ours = Fold::new(&PullKey::new("r", "m"));
    for other in [PullKey::new("r", "n"), PullKey::new("s", "m"), PullKey::new("rm", "")] {
        assert_eq!(ours.merge(&Fold::new(&other)), Err(PullMismatch));
    }
    assert_eq!(ours.merge(&Fold::new(&PullKey::new("r", "m"))), Ok(()));
}
