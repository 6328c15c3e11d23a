//! What is found again after a torn write, a flipped bit, or anything else done to the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use proptest::prelude::*;
use qopen_journal::{
    Appended, DiskJournal, DiskOptions, Faults, Journal, JournalError, Note, PageRecord, Started,
};
use qopen_journal::{Maintenance as _, Outbox as _};

use crate::support::{page, payload, payloads, pull};

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|it| it.extension().is_some_and(|it| it == "log")).collect();
    files.sort();
    files
}

pub(crate) fn text(n: usize) -> String {
    format!("page {n:02} {}", "x".repeat(n * 7 % 90))
}

/// A journal of ten pages, each an append of its own, and its only segment.
pub(crate) fn ten_pages(folder: &Path) -> Vec<u8> {
    runtime().block_on(async {
        let journal = DiskJournal::open(folder).unwrap();
        let second = Duration::from_secs(1);
        let started = Note::Started(Started::new(second, second, second));
        journal.note(&pull("a"), started).await.unwrap();
        for n in 0..10 {
            journal.append(page("a", &text(n))).await.unwrap();
        }
    });
    std::fs::read(&segments(folder)[0]).unwrap()
}

/// Makes those bytes the only segment there is.
pub(crate) fn restore(folder: &Path, bytes: impl AsRef<[u8]>) {
    segments(folder).iter().for_each(|file| std::fs::remove_file(file).unwrap());
    std::fs::write(folder.join("00000001.log"), bytes).unwrap();
}

/// As a crash leaves it: with the room that was set aside behind the records.
pub(crate) fn not_closed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(32 << 20, 0);
    bytes
}

pub(crate) fn place(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|it| it == text.as_bytes()).unwrap()
}

#[test]
fn a_torn_last_record_is_dropped_and_the_rest_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let whole = ten_pages(folder.path());
    let last = place(&whole, &text(9));
    // Torn in its body, and torn in its header; the preallocated room behind it is untouched.
    for cut in [last + 3, last - 60] {
        restore(folder.path(), not_closed(&whole[..cut]));
        runtime().block_on(async {
            let journal = DiskJournal::open(folder.path()).unwrap();
            let expected: Vec<_> = (0..9).map(text).collect();
            assert_eq!(payloads(&journal, "a").await, expected);
            let [damage] = &journal.report().damage[..] else { panic!("{:?}", journal.report()) };
            assert!(damage.unfinished, "{damage}");
            // It was never acknowledged: it comes again, and nothing is missing then.
            assert_eq!(journal.append(page("a", &text(9))).await.unwrap(), Appended::New);
            assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().damaged, []);
            drop(journal);
            let journal = DiskJournal::open(folder.path()).unwrap();
            assert_eq!(payloads(&journal, "a").await.len(), 10);
            assert!(journal.report().damage.iter().all(|it| it.unfinished));
            assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().damaged, []);
        });
    }
}

#[test]
fn a_flipped_bit_costs_one_page_and_is_never_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let whole = ten_pages(folder.path());
    let body = place(&whole, &text(4));
    // In a body, whose pull is known; in a header, whose pull is unknown.
    for flipped in [body + 2, body - 30] {
        let mut bytes = not_closed(&whole);
        bytes[flipped] ^= 0x10;
        restore(folder.path(), bytes);
        runtime().block_on(async {
            let journal = DiskJournal::open(folder.path()).unwrap();
            let expected: Vec<_> = (0..10).filter(|n| *n != 4).map(text).collect();
            assert_eq!(payloads(&journal, "a").await, expected);
            let [damage] = &journal.report().damage[..] else { panic!("{:?}", journal.report()) };
            assert!(!damage.unfinished, "{damage}");
            assert!(damage.to_string().contains("00000001.log"), "{damage}");
            assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().damaged.len(), 1);
            // The place is gone, and what was lost there is still known.
            journal.compact(0).await.unwrap();
            drop(journal);
            let journal = DiskJournal::open(folder.path()).unwrap();
            assert_eq!(payloads(&journal, "a").await, expected);
            let state = journal.pull(&pull("a")).await.unwrap().unwrap();
            assert_eq!((state.damaged.len(), state.pages), (1, 9));
            if flipped > body {
                let page = page("a", &text(4));
                assert_eq!(state.damaged, [page.digest]);
                journal.append(page).await.unwrap();
                assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().damaged, []);
            }
        });
    }
}

#[test]
fn a_page_that_goes_bad_while_the_journal_is_open_is_an_error_and_not_a_shorter_list() {
    let folder = tempfile::tempdir().unwrap();
    let whole = ten_pages(folder.path());
    runtime().block_on(async {
        let journal = DiskJournal::open(folder.path()).unwrap();
        let mut bytes = whole.clone();
        bytes[place(&whole, &text(4))] ^= 1;
        std::fs::write(&segments(folder.path())[0], bytes).unwrap();
        let pages = journal.pages(&pull("a")).await.unwrap();
        let read: Result<Vec<PageRecord>, _> = pages.try_collect().await;
        assert!(matches!(read, Err(JournalError::Damaged(_))), "{read:?}");
        assert_eq!(journal.check().await.unwrap().damage.len(), 1);
    });
}

#[test]
fn a_later_format_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = of_format(5, &ten_pages(folder.path()));
    restore(folder.path(), &bytes);
    let error = DiskJournal::open(folder.path()).unwrap_err();
    assert!(matches!(error, JournalError::UnknownFormat { found: 5, known: 4 }), "{error:?}");
    assert_eq!(std::fs::read(&segments(folder.path())[0]).unwrap(), bytes);
}

#[test]
fn an_earlier_format_is_read_and_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = of_format(1, &ten_pages(folder.path()));
    restore(folder.path(), &bytes);
    for pages in 10..12 {
        let journal = DiskJournal::open(folder.path()).unwrap();
        assert_eq!(runtime().block_on(payloads(&journal, "a")).len(), pages);
        runtime().block_on(journal.append(page("a", &text(pages)))).unwrap();
        // Events lie between the pages no more.
        runtime().block_on(journal.put(payload(&text(pages)))).unwrap();
        let logs = segments(folder.path());
        let holds = |log: &Path| {
            String::from_utf8_lossy(&std::fs::read(log).unwrap()).contains(&text(pages))
        };
        assert_eq!(logs.iter().filter(|log| holds(log)).count(), 2);
    }
    assert_eq!(std::fs::read(&segments(folder.path())[0]).unwrap(), bytes);
}

/// The same segment as another version has written it.
fn of_format(format: u8, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[8] = format;
    let check = qopen_types::Digest::of(&bytes[..48]).to_u128().to_le_bytes();
    bytes[48..64].copy_from_slice(&check);
    bytes
}

/// The folder as it is at this moment: what the next process finds when this one is killed now.
pub(crate) fn as_killed(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

#[test]
fn an_unfinished_append_stays_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let whole = ten_pages(folder.path());
    // Of the last record only the end has reached the disk, so its pull is unknown.
    let mut bytes = not_closed(&whole);
    let last = place(&whole, &text(9));
    bytes[last - 92..last].fill(0);
    restore(folder.path(), bytes);
    for open in 0..3 {
        runtime().block_on(async {
            let journal = DiskJournal::open(folder.path()).unwrap();
            assert_eq!(journal.report().damage.len(), usize::from(open == 0));
            assert!(journal.report().damage.iter().all(|it| it.unfinished));
            let state = journal.pull(&pull("a")).await.unwrap().unwrap();
            assert_eq!((state.pages, state.damaged), (9, vec![]));
            assert!(journal.check().await.unwrap().damage.is_empty());
            if open == 1 {
                journal.append(page("b", "another")).await.unwrap();
            }
        });
    }
}

#[test]
fn an_older_file_that_was_cut_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = ten_pages(folder.path());
    runtime().block_on(async {
        let journal = DiskJournal::open(folder.path()).unwrap();
        journal.append(page("b", "in the next file")).await.unwrap();
    });
    // Cut between two records, or its end made zero: no hole can be seen, but the next file knows.
    let cut = place(&whole, &text(8)) - 80 - 25;
    let cut = (0..cut).rev().find(|at| whole[*at..].starts_with(b"qjr1")).unwrap();
    let mut zeroed = whole.clone();
    zeroed[cut..].fill(0);
    for harmed in [whole[..cut].to_vec(), zeroed] {
        let copy = as_killed(folder.path());
        std::fs::write(&segments(copy.path())[0], harmed).unwrap();
        runtime().block_on(async {
            let journal = DiskJournal::open(copy.path()).unwrap();
            let [damage] = &journal.report().damage[..] else { panic!("{:?}", journal.report()) };
            assert!(!damage.unfinished);
            assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().damaged.len(), 1);
            // What began later lacks nothing.
            assert_eq!(journal.pull(&pull("b")).await.unwrap().unwrap().damaged, []);
            assert_eq!(journal.check().await.unwrap().damage.len(), 1);
        });
    }
}

#[test]
fn what_was_refused_is_not_done_after_all() {
    let (folder, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    runtime().block_on(async {
        let journal = DiskOptions::default().faults(faults.clone()).open(folder.path()).unwrap();
        journal.append(page("a", "kept")).await.unwrap();
        faults.fail_syncs(Some(std::io::ErrorKind::Other));
        assert!(journal.forget(&pull("a")).await.is_err());
        faults.fail_syncs(None);
        journal.append(page("b", "later")).await.unwrap();
        let killed = as_killed(folder.path());
        let next = DiskJournal::open(killed.path()).unwrap();
        assert_eq!(payloads(&next, "a").await, ["kept"]);
        assert_eq!(payloads(&next, "b").await, ["later"]);
    });
}

/// What happens to a file.
#[derive(Clone, Debug)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Zero(prop::sample::Index, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    use prop::sample::Index;
    prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        1 => any::<Index>().prop_map(Harm::Cut),
        1 => (any::<Index>(), 1..600_usize).prop_map(|(at, many)| Harm::Zero(at, many)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is done to the file: what is read was written, and what was written is read, or
    /// something is said to be wrong.
    #[test]
    fn nothing_is_invented_and_nothing_is_silently_lost(
        harms in prop::collection::vec(harm(), 1..4),
        closed in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = ten_pages(folder.path());
        let written = bytes.len();
        if !closed {
            bytes.resize(written + 4096, 0);
        }
        let before = bytes.clone();
        for harm in &harms {
            let within = written.min(bytes.len());
            match harm {
                Harm::Flip(at, bit) => bytes[at.index(within)] ^= 1 << bit,
                Harm::Cut(at) => bytes.truncate(at.index(within) + 1),
                Harm::Zero(at, many) => {
                    let at = at.index(within);
                    bytes[at..(at + many).min(within)].fill(0);
                }
            }
        }
        restore(folder.path(), &bytes);
        let journal = match DiskJournal::open(folder.path()) {
            Ok(journal) => journal,
            // A header that says another format, check and all, was not made by these.
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        };
        let found: BTreeSet<_> = runtime().block_on(payloads(&journal, "a")).into_iter().collect();
        let all: BTreeSet<_> = (0..10).map(text).collect();
        prop_assert!(found.is_subset(&all), "invented: {:?}", found.difference(&all));
        let cut = bytes.len() < before.len();
        if found != all && !cut {
            let is_silent = journal.report().damage.is_empty();
            prop_assert!(!is_silent || found == ending_with(&before, &bytes), "lost in silence");
        }
    }
}

/// The pages of the undamaged file up to where the harmed one has only zeros: an end like any other. A flipped bit
/// of the zeros between two records, which no check covers, changes nothing.
fn ending_with(before: &[u8], after: &[u8]) -> BTreeSet<String> {
    let end = after.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let end = end.next_multiple_of(8).min(before.len());
    let mut bytes = before.to_vec();
    bytes[end..].fill(0);
    let folder = tempfile::tempdir().unwrap();
    ten_pages(folder.path());
    restore(folder.path(), &bytes);
    let journal = DiskJournal::open(folder.path()).unwrap();
    assert!(journal.report().damage.is_empty(), "{:?}", journal.report());
    runtime().block_on(payloads(&journal, "a")).into_iter().collect()
}
