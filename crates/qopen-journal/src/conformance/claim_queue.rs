//! Claims. `journal` receives, and `other` works, as two processes do.

use std::sync::Arc;
use std::time::Duration;

use super::subject::{LONG, Subject, ended, page, payload, pull, started};
use crate::{Appended, Claim, Fencing, Layer, Note, Quarantined, Renewed, Store, WorkerId};

const NO_NEWS: Renewed = Renewed::Held { pages: false, notes: false };
const PAGES: Renewed = Renewed::Held { pages: true, notes: false };
const NOTES: Renewed = Renewed::Held { pages: false, notes: true };

/// Claims what is claimable now.
async fn claim_now(journal: &dyn Store, worker: &str) -> Vec<Claim> {
    journal.claim(&WorkerId::new(worker), LONG, 9).await.unwrap()
}

/// Claims the only claimable pull, within 1 s: a process need not see at once what another did.
pub(super) async fn claim_for(journal: &dyn Store, worker: &str, lease: Duration) -> Claim {
    for _ in 0..100 {
        let mut claims = journal.claim(&WorkerId::new(worker), lease, 9).await.unwrap();
        if let Some(claim) = claims.pop() {
            assert_eq!(claims, []);
            return claim;
        }
        journal.wait(Duration::from_millis(10)).await;
    }
    panic!("no pull is claimable")
}

async fn claim(journal: &dyn Store, worker: &str) -> Claim {
    claim_for(journal, worker, LONG).await
}

async fn renew(journal: &dyn Store, claim: &Claim) -> Renewed {
    journal.renew(std::slice::from_ref(claim), LONG).await.unwrap()[0]
}

async fn notes(journal: &dyn Store) -> usize {
    journal.pull(&pull("work")).await.unwrap().unwrap().notes.len()
}

/// A pull with a claim that `other` has.
async fn claimed(Subject { journal, other }: &Subject) -> Claim {
    journal.note(&pull("work"), started()).await.unwrap();
    claim(&**other, "a").await
}

/// A pull without claim or news.
async fn completed(subject: &Subject) -> Claim {
    let claim = claimed(subject).await;
    assert_eq!(subject.other.complete(&claim).await.unwrap(), Fencing::Held);
    claim
}

pub(super) async fn a_started_pull_goes_to_one_worker(subject: Subject) {
    let Subject { journal, other } = &subject;
    assert_eq!(claim_now(&**journal, "a").await, []);
    let claim = claimed(&subject).await;
    assert_eq!(claim.pull, pull("work"));
    assert_eq!(claim_now(&**journal, "b").await, []);
    assert_eq!(renew(&**other, &claim).await, NO_NEWS);
}

pub(super) async fn what_others_keep_is_news_once(subject: Subject) {
    let claim = claimed(&subject).await;
    let Subject { journal, other } = &subject;
    assert_eq!(journal.append(page("work", "1")).await.unwrap(), Appended::New);
    assert_eq!(renew(&**other, &claim).await, PAGES);
    assert_eq!(other.digests(&pull("work")).await.unwrap(), [page("work", "1").digest]);
    let item = Quarantined::new(Some(pull("work")), Layer::Shape, "why", payload("?"));
    journal.quarantine(item).await.unwrap();
    assert_eq!(renew(&**other, &claim).await, NOTES);
    journal.note(&pull("work"), Note::CancelRequested).await.unwrap();
    assert_eq!(renew(&**other, &claim).await, NOTES);
    assert!(other.pull(&pull("work")).await.unwrap().unwrap().is_cancel_requested());
    // What is noted under the claim is no news to its worker.
    assert_eq!(other.note_as(&claim, ended()).await.unwrap(), Fencing::Held);
    assert_eq!(renew(&**other, &claim).await, NO_NEWS);
    assert_eq!(notes(&**journal).await, 3);
}

pub(super) async fn a_completed_claim_is_fenced(subject: Subject) {
    let claim = completed(&subject).await;
    let Subject { journal, other } = &subject;
    assert_eq!(claim_now(&**journal, "b").await, []);
    assert_eq!(other.note_as(&claim, ended()).await.unwrap(), Fencing::Fenced);
    assert_eq!(other.complete(&claim).await.unwrap(), Fencing::Fenced);
    assert_eq!(renew(&**other, &claim).await, Renewed::Fenced);
    assert_eq!(notes(&**journal).await, 1);
}

pub(super) async fn a_late_page_makes_a_pull_claimable(subject: Subject) {
    let first = completed(&subject).await;
    let Subject { journal, other } = &subject;
    journal.append(page("work", "late")).await.unwrap();
    let next = claim(&**other, "b").await;
    assert_eq!(next.pull, pull("work"));
    assert!(next.epoch > first.epoch);
}

pub(super) async fn an_expired_claim_is_fenced_by_the_next(Subject { journal, other }: Subject) {
    journal.note(&pull("work"), started()).await.unwrap();
    let slow = claim_for(&*journal, "a", Duration::from_millis(50)).await;
    let next = claim(&*other, "b").await;
    assert!(next.epoch > slow.epoch);
    assert_eq!(renew(&*journal, &slow).await, Renewed::Fenced);
    assert_eq!(journal.note_as(&slow, ended()).await.unwrap(), Fencing::Fenced);
    journal.give_back(&slow).await.unwrap();
    assert_eq!(journal.complete(&slow).await.unwrap(), Fencing::Fenced);
    assert_eq!(notes(&*journal).await, 1);
    assert_eq!(renew(&*other, &next).await, NO_NEWS);
}

pub(super) async fn completing_forgets_no_news(subject: Subject) {
    let mut held = claimed(&subject).await;
    let Subject { journal, other } = &subject;
    for is_page in [true, false] {
        // After the last look of the worker, and seen by the look of another one.
        match is_page {
            true => drop(journal.append(page("work", "1")).await.unwrap()),
            false => journal.note(&pull("work"), Note::CancelRequested).await.unwrap(),
        }
        assert_eq!(claim_now(&**journal, "b").await, []);
        assert_eq!(other.complete(&held).await.unwrap(), Fencing::Held);
        held = claim(&**other, "a").await;
        assert_eq!(held.pull, pull("work"));
    }
    assert_eq!(other.complete(&held).await.unwrap(), Fencing::Held);
    assert_eq!(claim_now(&**other, "a").await, []);
}

pub(super) async fn a_pull_that_is_given_back_is_claimable_at_once(subject: Subject) {
    let held = claimed(&subject).await;
    let Subject { journal, other } = &subject;
    other.give_back(&held).await.unwrap();
    let next = claim(&**journal, "b").await;
    assert!(next.epoch > held.epoch);
}

pub(super) async fn an_enqueued_pull_is_claimable_without_news(subject: Subject) {
    completed(&subject).await;
    let Subject { journal, other } = &subject;
    journal.enqueue(&pull("work")).await.unwrap();
    journal.enqueue(&pull("unknown")).await.unwrap();
    assert_eq!(claim(&**other, "b").await.pull, pull("work"));
    assert!(!journal.knows(&pull("unknown")).await.unwrap());
}

pub(super) async fn a_forgotten_pull_has_no_claim(subject: Subject) {
    let held = claimed(&subject).await;
    let Subject { journal, other } = &subject;
    journal.forget(&pull("work")).await.unwrap();
    assert_eq!(renew(&**other, &held).await, Renewed::Fenced);
    assert_eq!(other.note_as(&held, ended()).await.unwrap(), Fencing::Fenced);
    assert!(journal.pull(&pull("work")).await.unwrap().is_none());
}

pub(super) async fn epochs_grow_after_a_pull_is_forgotten(subject: Subject) {
    let before = claimed(&subject).await;
    subject.journal.forget(&pull("work")).await.unwrap();
    assert!(claimed(&subject).await.epoch > before.epoch);
}

pub(super) async fn refusals_are_counted_for_every_process(Subject { journal, other }: Subject) {
    for _ in 0..2 {
        journal.note_refusal().await.unwrap();
    }
    // In a journal of one process the receiver's own count is enough.
    let expected = if other.is_shared() { 2 } else { 0 };
    assert_eq!(other.noted_refusals().await.unwrap(), expected);
}

/// However appends and looks fall together, no page is kept without becoming news after that.
pub(super) async fn every_page_becomes_news(subject: Subject) {
    const COUNT: usize = 300;
    let claim = claimed(&subject).await;
    let Subject { journal, other } = subject;
    let append = |n: usize| {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move {
            let kept = journal.append(page("work", &n.to_string())).await.unwrap();
            assert_eq!(kept, Appended::New);
        })
    };
    let appends: Vec<_> = (0..COUNT).map(append).collect();
    let all_kept = async {
        for append in appends {
            append.await.unwrap();
        }
    };
    let mut all_kept = std::pin::pin!(all_kept);
    let (mut seen, mut kept) = (0, false);
    loop {
        match renew(&*other, &claim).await {
            Renewed::Held { pages: true, .. } => {
                seen = other.digests(&claim.pull).await.unwrap().len();
            }
            _ if kept => break,
            _ => {}
        }
        tokio::select! {
            () = &mut all_kept, if !kept => kept = true,
            () = other.wait(Duration::from_millis(5)) => {}
        }
    }
    assert_eq!(seen, COUNT);
    assert_eq!(other.complete(&claim).await.unwrap(), Fencing::Held);
}
