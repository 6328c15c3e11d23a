//! Customers whom a complete list lacks of the last one (evidence E10).

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use qopen_engine::{
    AccountLookup, Engine, LookupError, MaxGone, Outcome, PublishError, PublishOptions, Published,
    publish_with,
};
use qopen_journal::{Journal as _, Note, PullState};
use qopen_sink::{FileSink, Format, ListKind};
use qopen_types::{AccountId, ChangeCounts, RobotId};

use crate::storage::Storage;
use crate::support::{MARK, accounts, engine_on, incoming, page_of, request, still};

/// A place of lists, and an engine that fills it.
struct Place {
    folder: tempfile::TempDir,
    storage: Arc<Storage>,
    engine: Engine,
}

impl Place {
    fn new() -> Self {
        let storage = Storage::new();
        let engine = engine_on(&storage);
        Self { folder: tempfile::tempdir().unwrap(), storage, engine }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("list.jsonl")
    }

    fn sink(&self) -> FileSink {
        FileSink::new(self.path(), Format::Jsonl)
    }

    /// Pulls a complete list of these accounts.
    async fn pull(&self, mark: &str, accounts: Range<usize>) -> Outcome {
        let pull = self.engine.pull(request().mark_id(mark.parse().unwrap())).await.unwrap();
        self.engine.accept(incoming(page_of_all(mark, accounts))).await.unwrap();
        pull.outcome().await.unwrap()
    }

    async fn publish(
        &self,
        outcome: &Outcome,
        options: PublishOptions,
    ) -> Result<Published, PublishError> {
        let lists = vec![outcome.list.clone()];
        still(publish_with(lists, Arc::new(self.sink()), ListKind::Complete, options)).await
    }

    /// Publishes the list of all accounts, then a list that lacks the last `gone`.
    async fn lose(
        &self,
        all: usize,
        gone: usize,
        options: PublishOptions,
    ) -> (Outcome, Result<Published, PublishError>) {
        let first = self.pull("first", 0..all).await;
        self.publish(&first, PublishOptions::default()).await.unwrap();
        let second = self.pull(MARK, 0..all - gone).await;
        let published = self.publish(&second, options).await;
        (second, published)
    }

    fn held(&self) -> PathBuf {
        self.folder.path().join("list.jsonl.held")
    }

    async fn state(&self, outcome: &Outcome) -> PullState {
        self.storage.pull(outcome.list.id()).await.unwrap().unwrap()
    }
}

/// A last page of these accounts.
fn page_of_all(mark: &str, accounts: Range<usize>) -> String {
    let list: Vec<_> = accounts.map(|n| format!(r#"{{"account_id":"a{n:04}"}}"#)).collect();
    page_of(mark, 0, false).replace(r#"{"account_id":"a000"}"#, &list.join(","))
}

/// A platform that still has some customers, and fails from a call on.
#[derive(Default)]
struct Platform {
    has: BTreeSet<String>,
    calls: Mutex<Vec<usize>>,
    fails_at: Option<usize>,
    /// Writes an empty list as null, which may be no list.
    writes_null: bool,
    /// Customers whom no answer covers.
    never_answers: BTreeSet<String>,
    offers_nothing: bool,
}

impl Platform {
    fn has(accounts: &[usize]) -> Self {
        let has = accounts.iter().map(|n| format!("a{n:04}")).collect();
        Self { has, ..Self::default() }
    }

    fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl AccountLookup for Platform {
    async fn look_up(&self, _: &RobotId, ids: &[AccountId]) -> Result<Vec<AccountId>, LookupError> {
        let mut calls = self.calls.lock().unwrap();
        if self.offers_nothing || self.fails_at == Some(calls.len()) {
            return Err(LookupError::new("no").not_offered(self.offers_nothing));
        }
        calls.push(ids.len());
        let is_unanswered = |id: &&AccountId| self.never_answers.contains(id.as_str());
        let unanswered: Vec<_> = ids.iter().filter(is_unanswered).cloned().collect();
        if !unanswered.is_empty() {
            return Err(LookupError::new("part").partly(Vec::new(), unanswered));
        }
        if self.writes_null && !ids.iter().any(|id| self.has.contains(id.as_str())) {
            return Err(LookupError::new("null").partly(Vec::new(), ids.to_vec()));
        }
        // Accounts that were not asked about do not count.
        let others = ["b1", "b2"].map(|id| id.parse().unwrap());
        let found = ids.iter().filter(|id| self.has.contains(id.as_str())).cloned();
        Ok(found.chain(others).collect())
    }
}

fn asking(platform: &Arc<Platform>) -> PublishOptions {
    PublishOptions::default().verify_gone(Some(Arc::clone(platform) as _))
}

fn at_most(accounts: u64) -> PublishOptions {
    PublishOptions::default().max_gone(Some(MaxGone::Accounts(accounts)))
}

#[tokio::test(start_paused = true)]
async fn e10_a_list_that_lost_more_than_allowed_is_held_until_a_person_accepts_it() {
    let place = Place::new();
    let (second, published) = place.lose(10, 3, at_most(2)).await;
    match published {
        Err(error @ PublishError::Held { gone: 3, before: 10, .. }) => assert!(error.is_final()),
        other => panic!("{other:?}"),
    }
    assert_eq!(accounts(&place.path()).len(), 10, "the last list is in its place");
    assert_eq!(accounts(&place.held()).len(), 7);
    let state = place.state(&second).await;
    assert!(state.held().is_some() && state.published().is_none());
    // Again, it is held again, also by another engine.
    assert!(matches!(place.publish(&second, at_most(2)).await, Err(PublishError::Held { .. })));

    place.storage.note(second.list.id(), Note::HeldAccepted).await.unwrap();
    let state = place.state(&second).await;
    assert!(state.held().is_none() && state.is_publication_requested());
    let published = place.publish(&second, at_most(2)).await.unwrap();
    let mut counts = ChangeCounts::default();
    counts.gone = 3;
    let comparison = published.lists[0].comparison().unwrap();
    assert_eq!(comparison.since, Some("first".parse().unwrap()));
    assert_eq!((comparison.counts, comparison.gone_verified), (counts, None));
    assert_eq!(accounts(&place.path()).len(), 7);
    assert!(!place.held().exists(), "nothing is held any more");
    let state = place.state(&second).await;
    assert!(!state.is_publication_requested());
}

#[tokio::test(start_paused = true)]
async fn e10_a_late_page_releases_a_held_list() {
    let place = Place::new();
    let (second, published) = place.lose(10, 3, at_most(0)).await;
    assert!(matches!(published, Err(PublishError::Held { .. })), "{published:?}");
    place.engine.accept(incoming(page_of_all(MARK, 7..10))).await.unwrap();
    assert!(place.state(&second).await.held().is_none(), "the page may bring who is gone");
    second.list.settled().await;
    let published = place.publish(&second.refreshed(), at_most(0)).await.unwrap();
    assert_eq!(published.lists[0].compared.as_ref().unwrap().counts, ChangeCounts::default());
    assert_eq!(accounts(&place.path()).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_first_list_is_a_baseline_and_never_held() {
    let place = Place::new();
    let first = place.pull("first", 0..3).await;
    let platform = Arc::new(Platform::default());
    let options = asking(&platform).max_gone(Some("0%".parse().unwrap()));
    let published = place.publish(&first, options).await.unwrap();
    let comparison = published.lists[0].comparison().unwrap();
    assert!(comparison.baseline && comparison.since.is_none());
    assert_eq!(comparison.gone_verified, None, "nothing was verified");
    assert_eq!(platform.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn e10_a_customer_who_is_still_there_proves_a_lost_page() {
    let place = Place::new();
    let platform = Arc::new(Platform::has(&[250, 320, 1]));
    let (second, published) = place.lose(350, 210, asking(&platform)).await;
    match published {
        Err(PublishError::PagesLost { asked: 210, present: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(platform.calls(), [100, 100, 10], "no call more than necessary");
    assert_eq!(accounts(&place.path()).len(), 350);
    assert_eq!(accounts(&place.held()).len(), 140);
    let state = place.state(&second).await;
    let note = &state.held().unwrap().note;
    assert!(matches!(note, Note::Held { present: 2, gone: 210, .. }), "{note:?}");
}

#[tokio::test(start_paused = true)]
async fn e10_customers_who_are_gone_are_verified_in_the_evidence() {
    let place = Place::new();
    let platform = Arc::new(Platform::default());
    let (second, published) = place.lose(350, 200, asking(&platform)).await;
    assert_eq!(published.unwrap().lists[0].comparison().unwrap().gone_verified, Some(true));
    assert_eq!(platform.calls(), [100, 100]);
    assert_eq!(place.state(&second).await.evidence().unwrap().gone_verified, Some(true));
}

#[tokio::test(start_paused = true)]
async fn without_the_call_a_list_is_judged_without_it_and_nothing_is_called_verified() {
    let place = Place::new();
    let platform = Arc::new(Platform { offers_nothing: true, ..Platform::default() });
    let (_, published) = place.lose(10, 3, asking(&platform)).await;
    assert_eq!(published.unwrap().lists[0].comparison().unwrap().gone_verified, Some(false));
    assert_eq!(accounts(&place.path()).len(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_verification_publishes_nothing_and_goes_on_where_it_ended() {
    let place = Place::new();
    let broken = Arc::new(Platform { fails_at: Some(12), ..Platform::has(&[100]) });
    let (second, published) = place.lose(2_000, 1_950, asking(&broken)).await;
    match published {
        Err(error @ PublishError::Unverified { asked: 1_200, .. }) => assert!(!error.is_final()),
        other => panic!("{other:?}"),
    }
    assert_eq!(accounts(&place.path()).len(), 2_000);
    let state = place.state(&second).await;
    assert!(state.held().is_none() && state.published().is_none());

    let platform = Arc::new(Platform::has(&[1_999]));
    match place.publish(&second, asking(&platform)).await {
        // One that the first process was told of, and one that this one is.
        Err(PublishError::PagesLost { asked: 1_950, present: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    let calls = platform.calls();
    assert_eq!((calls.len(), calls.iter().sum::<usize>()), (10, 950), "noted every ten calls");
}

#[tokio::test(start_paused = true)]
async fn e10_a_customer_whom_no_answer_covers_is_counted_and_asked_about_again() {
    let place = Place::new();
    let never_answers = ["a0100".to_owned(), "a1500".to_owned()].into();
    let platform = Arc::new(Platform { never_answers, ..Platform::default() });
    let (second, published) = place.lose(2_000, 1_950, asking(&platform)).await;
    match published {
        Err(PublishError::Unverified { asked: 1_948, unverified: 2, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert!(place.state(&second).await.published().is_none());
    let platform = Arc::new(Platform::default());
    let published = place.publish(&second, asking(&platform)).await.unwrap();
    assert_eq!(published.lists[0].comparison().unwrap().gone_verified, Some(true));
    assert_eq!(platform.calls().iter().sum::<usize>(), 1_950, "no note passes the gap");
}

#[tokio::test(start_paused = true)]
async fn a_null_counts_as_an_empty_list_where_a_customer_of_the_list_changes_it_to_one() {
    let place = Place::new();
    let platform = Arc::new(Platform { writes_null: true, ..Platform::has(&[0, 1, 2]) });
    let (_, published) = place.lose(350, 300, asking(&platform)).await;
    assert_eq!(published.unwrap().lists[0].comparison().unwrap().gone_verified, Some(true));
    assert_eq!(platform.calls(), [100, 100, 6, 100, 100, 9], "97 and three of the list");

    // A platform that answers null, whatever it is asked.
    let place = Place::new();
    let platform = Arc::new(Platform { writes_null: true, ..Platform::default() });
    let (_, published) = place.lose(350, 300, asking(&platform)).await;
    match published {
        Err(PublishError::Unverified { asked: 0, unverified: 300, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_customers_who_were_not_removed_are_asked_about_too_however_they_are_spelled() {
    let list = [
        r#"{"account_id":"a0000","deleted_by_contact":true}"#,
        r#"{"account_id":"a0001","deleted_by_staff":"1"}"#,
        r#"{"account_id":"a0002","profile":{"name":"true"}}"#,
        r#"{"account_id":"a0003","account_type":"2","deleted_by_contact":0}"#,
        r#"{"account_id":"a0004"}"#,
        r#"{"account_id":"a0005"}"#,
    ];
    for (n, is_asked) in [false, false, true, true, true, false].into_iter().enumerate() {
        let place = Place::new();
        let first = place.pull("first", 0..20).await;
        place.publish(&first, PublishOptions::default()).await.unwrap();
        let pull = place.engine.pull(request()).await.unwrap();
        let page = page_of(MARK, 0, false).replace(r#"{"account_id":"a000"}"#, &list.join(","));
        place.engine.accept(incoming(page)).await.unwrap();
        let second = pull.outcome().await.unwrap();
        // Only a call about that customer has an answer.
        let platform = Arc::new(Platform { writes_null: true, ..Platform::has(&[n]) });
        let published = place.publish(&second, asking(&platform)).await;
        assert_eq!(published.is_ok(), is_asked, "{n}: {published:?}");
        assert_eq!(platform.calls(), [14, 17], "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn e10_an_answer_about_other_customers_verifies_nothing() {
    let place = Place::new();
    let first = place.pull("first", 0..2_000).await;
    place.publish(&first, PublishOptions::default()).await.unwrap();
    let second = place.pull(MARK, 0..50).await;
    let broken = Arc::new(Platform { fails_at: Some(12), ..Platform::default() });
    let published = place.publish(&second, asking(&broken)).await;
    assert!(matches!(published, Err(PublishError::Unverified { .. })), "{published:?}");
    // The last list is revised: more customers are gone now, and one of them comes before the others.
    let late = page_of_all("first", 0..1).replace("a0000", "A");
    place.engine.accept(incoming(late)).await.unwrap();
    first.list.settled().await;
    place.publish(&first.refreshed(), PublishOptions::default()).await.unwrap();
    let platform = Arc::new(Platform { has: ["A".to_owned()].into(), ..Platform::default() });
    match place.publish(&second, asking(&platform)).await {
        Err(PublishError::PagesLost { asked: 1_951, present: 1, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn two_lists_differ_by_their_customers_alone() {
    let place = Place::new();
    let (one, two) = (place.pull("one", 0..5).await, place.pull("two", 2..9).await);
    let differs = one.list.customer_difference(&two.list).await.unwrap();
    assert_eq!((differs.only_first, differs.only_second, differs.is_none()), (2, 4, false));
    // Another split, order and content.
    let pull = place.engine.pull(request().mark_id("three".parse().unwrap())).await.unwrap();
    for accounts in [3..5, 0..2, 1..4] {
        let page = page_of_all("three", accounts).replace("\"a0001\"", "\"a0001\",\"x\":1");
        place.engine.accept(incoming(page)).await.unwrap();
    }
    let three = pull.outcome().await.unwrap();
    assert!(one.list.customer_difference(&three.list).await.unwrap().is_none());
    assert!(three.list.customer_difference(&one.list).await.unwrap().is_none());
}
