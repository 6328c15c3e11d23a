//! Digests, folds and collectors.

use std::time::Duration;

use qopen_assembler::{
    Collector, ContentDigest, Entry, Fold, Keyed, PageDigest, PullKey, Seed, Time,
};

use crate::operations::{Account, content, fingerprint};

fn key() -> PullKey {
    PullKey::new("r", "m")
}

fn entry(id: &str, content: u128) -> Entry {
    let fingerprint = Seed::of(&key()).fingerprint(id);
    Entry { fingerprint, content: ContentDigest::from_u128(content) }
}

fn page(n: u128) -> PageDigest {
    PageDigest::from_u128(n)
}

#[test]
fn digests_are_numbers_and_show_as_such() {
    let (page, content) = (PageDigest::from_u128(0xab3), ContentDigest::from_u128(0xab3));
    assert_eq!((page.to_u128(), content.to_u128()), (0xab3, 0xab2));
    assert_eq!(format!("{page:?}"), "PageDigest(00000000000000000000000000000ab3)");
    assert_eq!(format!("{content:?}"), "ContentDigest(00000000000000000000000000000ab2)");
    assert_ne!(PageDigest::of(b"a"), PageDigest::of(b"b"));
    assert_eq!(ContentDigest::of(b"a").to_u128() & 1, 0);
    assert_eq!(key().to_string(), "robot r mark m");
    // The border between the names counts, and so does each name.
    let seeds = [("ab", "c"), ("a", "bc"), ("ab", "d"), ("", "abc")];
    let seeds = seeds.map(|(robot, mark)| Seed::of(&PullKey::new(robot, mark)));
    assert!((1..4).all(|n| !seeds[..n].contains(&seeds[n])));
    assert_ne!(seeds[0].fingerprint("x"), seeds[1].fingerprint("x"));
}

#[test]
fn time_stands_still_at_its_ends() {
    let at = |seconds| Time::since_epoch(Duration::from_secs(seconds));
    assert_eq!(at(5).since(at(3)), Duration::from_secs(2));
    assert_eq!(at(3).since(at(5)), Duration::ZERO);
    assert_eq!((at(5) + Duration::MAX).to_duration(), Duration::MAX);
    assert_eq!(at(5) + Duration::from_secs(1), at(6));
}

#[test]
fn a_fold_tells_winners_and_conflicts() {
    let mut fold = Fold::new(&key());
    let mut fresh = Vec::new();
    fold.add_page(page(1), true, [entry("a", 2), entry("b", 8)], |it| fresh.push(it));
    fold.add_page(page(2), true, [entry("a", 4), entry("b", 6), entry("c", 2)], |it| {
        fresh.push(it)
    });
    assert_eq!(fresh, [entry("a", 2), entry("b", 8), entry("a", 4), entry("c", 2)]);
    let id = |id| Seed::of(&key()).fingerprint(id);
    assert_eq!(
        ["a", "b", "c", "d"].map(|it| fold.is_conflicting(id(it))),
        [true, true, false, false]
    );
    let mut winners: Vec<_> = fold.winners().collect();
    winners.sort_unstable();
    let mut expected =
        [entry("a", 4), entry("b", 8), entry("c", 2)].map(|it| (it.fingerprint, it.content));
    expected.sort_unstable();
    assert_eq!(winners, expected);
}

#[test]
fn folds_are_equal_only_where_all_they_know_is() {
    let fold = |learn: fn(&mut Fold) -> bool| {
        let mut fold = Fold::new(&key());
        learn(&mut fold);
        fold
    };
    let folds = [
        fold(|_| false),
        fold(|it| it.add_page(page(1), true, [entry("a", 2)], |_| {})),
        fold(|it| it.add_page(page(2), true, [entry("a", 2)], |_| {})),
        fold(|it| it.add_page(page(1), false, [entry("a", 2)], |_| {})),
        fold(|it| it.add_page(page(1), true, [entry("a", 4)], |_| {})),
        fold(|it| it.add_page(page(1), true, [entry("a", 2), entry("a", 0)], |_| {})),
        fold(|it| it.add_page(page(1), true, [entry("b", 2)], |_| {})),
        fold(|it| it.add_page(page(1), true, [entry("a", 2), entry("b", 2)], |_| {})),
        fold(|it| it.add_unreadable(page(1))),
        fold(|it| it.add_owed(page(1))),
        fold(|it| it.release(page(1))),
        fold(|it| it.add_page::<Entry>(page(1), None, [], |_| {})),
        fold(|it| it.add_page::<Entry>(page(1), false, [], |_| {})),
        fold(|it| {
            it.add_unidentified([ContentDigest::of(b"nobody")]);
            true
        }),
        Fold::new(&PullKey::new("r", "n")),
    ];
    for (n, one) in folds.iter().enumerate() {
        for (m, other) in folds.iter().enumerate() {
            assert_eq!(one == other, n == m, "{n} and {m}");
        }
    }
}

#[test]
fn a_page_is_of_one_kind_at_a_time() {
    let mut fold = Fold::new(&key());
    let count = |fold: &Fold| (fold.pages(), fold.unreadable(), fold.owed());
    assert!(fold.add_owed(page(1)) && !fold.add_owed(page(1)));
    assert_eq!(count(&fold), (0, 0, 1));
    assert!(fold.add_unreadable(page(1)) && !fold.add_unreadable(page(1)));
    assert!(!fold.add_owed(page(1)));
    assert_eq!(count(&fold), (0, 1, 0));
    assert!(fold.add_page(page(1), true, [entry("a", 2)], |_| {}));
    assert!(!fold.add_page(page(1), false, [entry("b", 2)], |_| {}));
    assert!(!fold.add_unreadable(page(1)) && !fold.add_owed(page(1)));
    assert_eq!(count(&fold), (1, 0, 0));
    assert!(fold.has_page(page(1)) && !fold.has_page(page(2)) && !fold.last_page_seen());
}

#[test]
fn a_collector_comes_to_one_sorted_list() {
    let greater = if content(1) > content(2) { 1 } else { 2 };
    let mut collector = Collector::new(&key());
    assert!(collector.is_empty());
    collector.extend([Account(3, 0), Account(1, 1), Account(1, 2)]);
    collector.extend([Account(1, 1), Account(2, 0)]);
    assert_eq!((collector.len(), collector.is_empty()), (3, false));
    let list = collector.into_sorted_by_key(|it| it.0);
    assert_eq!(list, [Account(1, greater), Account(2, 0), Account(3, 0)]);
}

#[test]
fn of_equal_contents_a_collector_keeps_what_it_has() {
    struct Named(&'static str, &'static str);
    impl Keyed for Named {
        fn fingerprint(&self, seed: &Seed) -> qopen_assembler::Fingerprint {
            fingerprint(seed, 0)
        }
        fn content(&self) -> ContentDigest {
            ContentDigest::of(self.0.as_bytes())
        }
    }
    let mut collector = Collector::new(&key());
    collector.extend([Named("same", "first"), Named("same", "second")]);
    assert_eq!(collector.into_sorted_by_key(|it| it.1)[0].1, "first");
}

#[test]
fn what_is_no_fold_is_refused_by_name() {
    let mut json = serde_json::to_value(Fold::new(&key())).unwrap();
    json["winners"] = 5.into();
    let error = serde_json::from_value::<Fold>(json).unwrap_err().to_string();
    assert!(error.contains("expected pairs of fingerprint and content"), "{error}");
}
