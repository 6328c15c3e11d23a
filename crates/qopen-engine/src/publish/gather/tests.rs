//! The threads that gather a list.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qopen_assembler::PullKey;
use qopen_journal::Payload;

use super::*;
use crate::resume::Refold;

fn id() -> PullId {
    PullId { robot_id: "robot".parse().unwrap(), mark_id: "mark".parse().unwrap() }
}

fn page(accounts: &str) -> PageRecord {
    let payload = format!(
        r#"{{"event_type":42016,"robot_id":"robot","data":{{"mark_id":"mark","has_more":true,"account_list":[{accounts}]}}}}"#
    );
    PageRecord::new(id(), Payload::new(payload))
}

/// Pages of one account each.
fn pages(number: usize) -> Vec<PageRecord> {
    (0..number).map(|n| page(&format!(r#"{{"account_id":"a{n}"}}"#))).collect()
}

fn sender_of(pages: &[PageRecord]) -> (mpsc::Sender<Result<PageRecord, JournalError>>, Ahead) {
    let (sender, ahead) = mpsc::channel(pages.len());
    for page in pages {
        assert!(sender.try_send(Ok(page.clone())).is_ok());
    }
    (sender, ahead)
}

fn gather(
    pages: &[PageRecord],
    ahead: Ahead,
    moved: &(dyn Fn() + Send + Sync),
    encoder: Option<RecordEncoder>,
) -> Gathered {
    let id = id();
    let mut refold = Refold::new(&PullKey::from(&id), None);
    pages.iter().for_each(|page| refold.add(page));
    let (fold, _) = refold.finish();
    let gathering =
        Gathering { id: &id, fold: &fold, scratch: None, moved, encoder, wants_controls: false };
    gathering.run(ahead).unwrap()
}

fn records(mut sorted: Sorted) -> usize {
    let mut records = 0;
    while sorted.advance().unwrap() {
        records += 1;
    }
    records
}

#[test]
fn a_thread_makes_one_line_of_copies_and_few_pages_need_one_thread() {
    let nameless = r#"{"profile":{}}"#;
    let accounts = |n: usize| format!(r#"{nameless},{{"account_id":"a{n}"}},{nameless}"#);
    let pages: Vec<_> = (0..PAGES - 1).map(|n| page(&accounts(n))).collect();
    let this = thread::current().id();
    let moved = || assert_eq!(thread::current().id(), this);
    let (_, ahead) = sender_of(&pages);
    let gathered = gather(&pages, ahead, &moved, None);
    assert_eq!(gathered.pages, pages.len() as u64);
    assert_eq!(records(gathered.winners), pages.len());
    assert_eq!(records(gathered.nameless), 1);
}

#[test]
fn one_large_page_is_worked_on_at_a_time() {
    let name = "x".repeat(LARGE / 8);
    let account = |id: String| format!(r#"{{"account_id":"{id}","profile":{{"name":"{name}"}}}}"#);
    let accounts = |page: usize| (0..9).map(move |n| account(format!("{page}-{n}")));
    let pages: Vec<_> =
        (0..2 * PAGES).map(|n| page(&accounts(n).collect::<Vec<_>>().join(","))).collect();
    assert!(pages.iter().all(|it| it.payload.len() > LARGE));
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let encoder = {
        let most = Arc::clone(&most);
        move |_: &str, _: &mut String| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            (0..100).for_each(|_| thread::yield_now());
            now.fetch_sub(1, Ordering::SeqCst);
            false
        }
    };
    let (_, ahead) = sender_of(&pages);
    let gathered = gather(&pages, ahead, &|| {}, Some(Arc::new(encoder)));
    assert_eq!(records(gathered.winners), 9 * pages.len());
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_of_one_thread_stops_all() {
    let pages = pages(8 * PAGES);
    let (sender, ahead) = sender_of(&pages);
    let (calls, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let moved = || {
        if calls.fetch_add(1, Ordering::SeqCst) == 0 {
            resume_unwind(Box::new("a bug"));
        }
        // The others wait until the thread has stopped them.
        let begin = Instant::now();
        while !sender.is_closed() && begin.elapsed() < Duration::from_secs(20) {
            thread::yield_now();
        }
        assert!(sender.is_closed());
        stopped.fetch_add(1, Ordering::SeqCst);
    };
    let gathered = catch_unwind(AssertUnwindSafe(|| gather(&pages, ahead, &moved, None)));
    assert_eq!(gathered.err().unwrap().downcast_ref::<&str>(), Some(&"a bug"));
    let calls = calls.load(Ordering::SeqCst);
    assert!(calls <= THREADS);
    assert_eq!(stopped.load(Ordering::SeqCst), calls - 1);
}
