//! Pages, notes and quarantine.

use futures_util::TryStreamExt as _;
use qopen_types::Digest;

use super::subject::{Subject, ended, page, payload, payloads, pull, started};
use crate::{
    Appended, Changes, Evidence, Journal, Layer, Note, PageRecord, Payload, PullId, PullOutline,
    PullState, Quarantined,
};

pub(super) async fn appends_are_idempotent(Subject { journal, .. }: Subject) {
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::New);
    assert_eq!(journal.append(page("a", "2")).await.unwrap(), Appended::New);
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::Duplicate);
    assert_eq!(payloads(&*journal, "a").await, ["1", "2"]);
    assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().pages, 2);
}

pub(super) async fn a_payload_is_a_page_of_each_pull_that_has_it(Subject { journal, .. }: Subject) {
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::New);
    assert_eq!(journal.append(page("b", "1")).await.unwrap(), Appended::New);
    assert_eq!(payloads(&*journal, "a").await, ["1"]);
    assert_eq!(payloads(&*journal, "b").await, ["1"]);
}

pub(super) async fn pages_come_back_in_their_order(Subject { journal, .. }: Subject) {
    let texts = ["3", "1", &"2".repeat(5000), "4"];
    for text in texts {
        journal.append(page("a", text)).await.unwrap();
    }
    assert_eq!(payloads(&*journal, "a").await, texts);
    let state = journal.pull(&pull("a")).await.unwrap().unwrap();
    assert!(state.bytes > 0 && state.last_page.is_some());
}

pub(super) async fn bytes_that_are_no_text_come_back_unchanged(Subject { journal, .. }: Subject) {
    let bytes = Payload::new(vec![0xff, 0, b'{', 0xfe]);
    let item = Quarantined::new(Some(pull("a")), Layer::Content, "no key", bytes.clone());
    journal.quarantine(item.clone()).await.unwrap();
    assert_eq!(journal.quarantined(Some(&pull("a"))).await.unwrap(), [item]);
    let raw = PageRecord::new(pull("a"), bytes);
    journal.append(raw.clone()).await.unwrap();
    let kept = journal.pages(&pull("a")).await.unwrap();
    assert_eq!(kept.try_collect::<Vec<_>>().await.unwrap(), [raw]);
}

pub(super) async fn pages_are_found_by_digest(Subject { journal, .. }: Subject) {
    for text in ["1", "2"] {
        journal.append(page("a", text)).await.unwrap();
    }
    let mut digests = journal.digests(&pull("a")).await.unwrap();
    let mut expected = [page("a", "1").digest, page("a", "2").digest];
    digests.sort();
    expected.sort();
    assert_eq!(digests, expected);
    let wanted = [page("a", "2").digest, page("a", "unknown").digest];
    let some = journal.pages_of(&pull("a"), &wanted).await.unwrap();
    assert_eq!(some.try_collect::<Vec<_>>().await.unwrap(), [page("a", "2")]);
}

pub(super) async fn digests_since_a_cursor_include_every_later_page(subject: Subject) {
    let Subject { journal, other } = subject;
    journal.append(page("a", "1")).await.unwrap();
    let (first, cursor) = other.digests_since(&pull("a"), None).await.unwrap();
    assert_eq!(first, [page("a", "1").digest]);
    for text in ["2", "3"] {
        journal.append(page("a", text)).await.unwrap();
    }
    let (later, _) = other.digests_since(&pull("a"), cursor.as_ref()).await.unwrap();
    let includes = |digest: Digest| later.contains(&digest);
    assert!(["2", "3"].iter().all(|text| includes(page("a", text).digest)), "{later:?}");
}

pub(super) async fn a_stream_is_a_snapshot(Subject { journal, .. }: Subject) {
    for text in ["1", "2"] {
        journal.append(page("a", text)).await.unwrap();
    }
    let early = journal.pages(&pull("a")).await.unwrap();
    journal.append(page("a", "3")).await.unwrap();
    journal.forget(&pull("a")).await.unwrap();
    let early = early.try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(early, [page("a", "1"), page("a", "2")]);
}

pub(super) async fn notes_keep_their_order_and_content(Subject { journal, .. }: Subject) {
    let notes = [
        started(),
        Note::Accepted { serial_no: Some("7".into()) },
        ended(),
        Note::Published {
            revision: 1,
            accounts: 3,
            pages: 2,
            location: "list".into(),
            set_aside: 3,
            changes: Some(Changes { added: 1, changed: 2 }),
            compared: None,
            evidence: Some(Evidence {
                quiet_ms: Some(3_000),
                confirmed_by: Some("b".parse().unwrap()),
                gone_verified: Some(true),
                accepted: true,
                ..Evidence::default()
            }),
        },
    ];
    for note in notes.clone() {
        journal.note(&pull("a"), note).await.unwrap();
    }
    journal.append(page("b", "1")).await.unwrap();
    let state = journal.pull(&pull("a")).await.unwrap().unwrap();
    assert_eq!(state.notes.iter().map(|it| it.note.clone()).collect::<Vec<_>>(), notes);
    assert!(state.notes.is_sorted_by_key(|it| it.at));
    assert_eq!((state.pages, state.quarantined, &state.damaged[..]), (0, 0, &[][..]));
    assert!(state.is_accepted() && state.started().is_some());
    assert!(state.ended().is_some() && state.published().is_some());
    let facts = journal.facts_of(&pull("a")).await.unwrap().unwrap();
    assert_eq!(facts.notes, state.notes);
    assert!(journal.pull(&pull("b")).await.unwrap().unwrap().notes.is_empty());
}

pub(super) async fn a_resumed_pull_is_open(Subject { journal, .. }: Subject) {
    journal.note(&pull("a"), ended()).await.unwrap();
    assert!(journal.pull(&pull("a")).await.unwrap().unwrap().ended().is_some());
    journal.note(&pull("a"), Note::Resumed).await.unwrap();
    assert!(journal.pull(&pull("a")).await.unwrap().unwrap().ended().is_none());
}

pub(super) async fn unknown_pulls_have_nothing(Subject { journal, .. }: Subject) {
    journal.append(page("b", "1")).await.unwrap();
    assert!(journal.pull(&pull("unknown")).await.unwrap().is_none());
    assert!(journal.facts_of(&pull("unknown")).await.unwrap().is_none());
    assert!(journal.knows(&pull("b")).await.unwrap());
    assert!(!journal.knows(&pull("unknown")).await.unwrap());
    assert_eq!(payloads(&*journal, "unknown").await, [""; 0]);
    journal.forget(&pull("unknown")).await.unwrap();
}

pub(super) async fn pulls_are_found_by_mark_and_by_robot(Subject { journal, .. }: Subject) {
    for mark in ["b", "a"] {
        journal.append(page(mark, "1")).await.unwrap();
    }
    let all = journal.pulls().await.unwrap();
    assert_eq!(marks(&all), ["a", "b"]);
    let PullId { robot_id, mark_id } = pull("b");
    let marked = journal.pulls_marked(&mark_id).await.unwrap();
    assert_eq!(marked, [journal.pull(&pull("b")).await.unwrap().unwrap()]);
    assert_eq!(journal.pulls_of(&robot_id).await.unwrap(), all);
    assert_eq!(journal.pulls_of(&"another".parse().unwrap()).await.unwrap(), []);
}

fn marks(pulls: &[PullState]) -> Vec<&str> {
    pulls.iter().map(|it| it.pull.mark_id.as_str()).collect()
}

pub(super) async fn later_pulls_and_held_lists_are_found(Subject { journal, .. }: Subject) {
    let of_other = PullId { robot_id: "other".parse().unwrap(), ..pull("d") };
    let held = Note::Held {
        revision: 1,
        pages: 1,
        gone: 1,
        before: 2,
        present: 0,
        unconfirmed: false,
        left_out: Vec::new(),
        location: None,
    };
    for id in [&pull("c"), &pull("a"), &pull("b"), &of_other] {
        journal.note(id, started()).await.unwrap();
        journal.append(PageRecord::new(id.clone(), payload("1"))).await.unwrap();
    }
    for id in [&pull("a"), &of_other] {
        journal.note(id, held.clone()).await.unwrap();
        journal.note(id, Note::HeldAccepted).await.unwrap();
    }
    let marks = |states: Vec<PullState>| {
        states.into_iter().map(|it| it.pull.mark_id.to_string()).collect::<Vec<_>>()
    };
    let later = async |id: PullId| marks(journal.later_pulls(&id).await.unwrap());
    assert_eq!(later(pull("c")).await, ["a", "b"]);
    assert_eq!(later(pull("a")).await, ["b"]);
    assert_eq!(later(pull("b")).await, [""; 0]);
    assert_eq!(later(pull("unknown")).await, [""; 0]);
    let with_held = journal.pulls_with_held_lists(&pull("a").robot_id).await.unwrap();
    assert_eq!(with_held, [journal.pull(&pull("a")).await.unwrap().unwrap()]);
}

pub(super) async fn pulls_are_read_in_parts(Subject { journal, .. }: Subject) {
    for robot in ["z", "robot", "a"] {
        for mark in ["2", "1", "3"] {
            let id = PullId { robot_id: robot.parse().unwrap(), ..pull(mark) };
            journal.note(&id, started()).await.unwrap();
        }
    }
    // One has an item in quarantine and nothing else.
    let item = Quarantined::new(Some(pull("10")), Layer::Shape, "no page", payload("10"));
    journal.quarantine(item).await.unwrap();
    let all = journal.pulls().await.unwrap();
    assert_eq!(all.len(), 10);
    for most in [1, 3, 9, 10, 11] {
        let mut found: Vec<PullState> = Vec::new();
        loop {
            let after = found.last().map(|state| &state.pull);
            let part = journal.pulls_after(after, most).await.unwrap();
            let is_last = part.len() < most;
            found.extend(part);
            if is_last {
                break;
            }
        }
        assert_eq!(found, all, "{most}");
    }
    let last = PullId { robot_id: "z".parse().unwrap(), ..pull("3") };
    assert_eq!(journal.pulls_after(Some(&last), 1).await.unwrap(), []);
}

pub(super) async fn outlines_are_those_of_the_states(subject: Subject) {
    let Subject { journal, .. } = subject;
    with_two_pulls(&*journal).await;
    let pulls = journal.pulls().await.unwrap();
    assert!(pulls.len() > 1);
    let expected: Vec<_> = pulls.iter().map(PullOutline::of).collect();
    assert_eq!(journal.outlines().await.unwrap(), expected);
}

pub(super) async fn open_pulls_have_not_ended(Subject { journal, .. }: Subject) {
    journal.note(&pull("ended"), ended()).await.unwrap();
    journal.note(&pull("open"), started()).await.unwrap();
    journal.append(page("unknown", "1")).await.unwrap();
    journal.note(&pull("resumed"), ended()).await.unwrap();
    journal.note(&pull("resumed"), Note::Resumed).await.unwrap();
    let item = Quarantined::new(Some(pull("item")), Layer::Shape, "why", payload("x"));
    journal.quarantine(item).await.unwrap();
    let open = journal.open_pulls().await.unwrap();
    assert_eq!(marks(&open), ["item", "open", "resumed", "unknown"]);
    let mut expected = journal.pulls().await.unwrap();
    expected.retain(|it| it.pull != pull("ended"));
    assert_eq!(open, expected);
}

pub(super) async fn quarantined_items_are_kept_once_until_released(subject: Subject) {
    let Subject { journal, .. } = subject;
    journal.append(page("b", "1")).await.unwrap();
    let items = [
        Quarantined::new(Some(pull("a")), Layer::Shape, "why", payload("x")),
        Quarantined::new(None, Layer::Json, "why", payload("y")),
        Quarantined::new(Some(pull("c")), Layer::Shape, "why", payload("z")),
        Quarantined::new(Some(pull("a")), Layer::Shape, "why", payload("released")),
    ];
    for item in items.iter().chain(&items) {
        journal.quarantine(item.clone()).await.unwrap();
    }
    assert_eq!(journal.quarantined(None).await.unwrap(), items);
    for _ in 0..2 {
        journal.release(&items[3]).await.unwrap();
    }
    assert_eq!(journal.quarantined(None).await.unwrap(), items[..3]);
    assert_eq!(journal.quarantined(Some(&pull("c"))).await.unwrap(), items[2..3]);
    let pulls = journal.pulls().await.unwrap();
    let counts: Vec<_> = pulls.iter().map(|it| it.quarantined).collect();
    assert_eq!((marks(&pulls), counts), (vec!["a", "b", "c"], vec![1, 0, 1]));
}

pub(super) async fn an_item_counts_against_a_pull_until_it_is_released(subject: Subject) {
    let Subject { journal, .. } = subject;
    let [one, two, three] = ["one", "two", "three"].map(|text| page("a", text).digest);
    for (item, lost) in [(one, true), (two, false), (three, true)] {
        journal.note(&pull("a"), Note::Doubted { item, lost }).await.unwrap();
    }
    journal.note(&pull("a"), Note::Released { item: one, read: false }).await.unwrap();
    let state = journal.pull(&pull("a")).await.unwrap().unwrap();
    assert_eq!(state.doubts(), [two, three].into());
    assert_eq!(state.losses(), [three].into());
    assert_eq!(state.released().into_iter().collect::<Vec<_>>(), [one]);
}

async fn with_two_pulls(journal: &dyn Journal) -> [Quarantined; 3] {
    for mark in ["a", "b"] {
        journal.append(page(mark, "1")).await.unwrap();
        journal.note(&pull(mark), started()).await.unwrap();
    }
    let item = |of, text| Quarantined::new(of, Layer::Shape, "why", payload(text));
    let items = [item(Some(pull("a")), "x"), item(None, "y"), item(Some(pull("b")), "z")];
    for item in &items {
        journal.quarantine(item.clone()).await.unwrap();
    }
    items
}

pub(super) async fn a_forgotten_pull_is_gone_and_no_other(Subject { journal, .. }: Subject) {
    let items = with_two_pulls(&*journal).await;
    for _ in 0..2 {
        journal.forget(&pull("a")).await.unwrap();
    }
    assert_eq!(payloads(&*journal, "a").await, [""; 0]);
    assert!(journal.pull(&pull("a")).await.unwrap().is_none());
    assert!(!journal.knows(&pull("a")).await.unwrap());
    assert_eq!(journal.quarantined(None).await.unwrap(), items[1..]);
    assert_eq!(payloads(&*journal, "b").await, ["1"]);
    assert_eq!(marks(&journal.pulls().await.unwrap()), ["b"]);
}

pub(super) async fn a_forgotten_name_begins_anew(Subject { journal, .. }: Subject) {
    with_two_pulls(&*journal).await;
    journal.forget(&pull("a")).await.unwrap();
    assert_eq!(journal.append(page("a", "1")).await.unwrap(), Appended::New);
    assert_eq!(payloads(&*journal, "a").await, ["1"]);
    let state = journal.pull(&pull("a")).await.unwrap().unwrap();
    assert_eq!((state.pages, state.quarantined, state.notes.len()), (1, 0, 0));
}
