//! Journals that earlier versions wrote, byte for byte: `tests/fixtures/formats`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qopen_journal::conformance::{Content, Kept};
use qopen_journal::{DiskJournal, DiskOptions, Journal as _, JournalError, Outbox as _};
use qopen_types::Digest;

use crate::recovery::{runtime, segments};
use crate::support::{page, payload};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats")
}

/// The formats with a fixture.
fn formats() -> Vec<u32> {
    let folders = std::fs::read_dir(fixtures()).unwrap();
    let number = |it: std::fs::DirEntry| it.file_name().to_str().unwrap().parse::<u32>().ok();
    let mut formats: Vec<u32> = folders.filter_map(|it| number(it.unwrap())).collect();
    formats.sort_unstable();
    formats
}

/// A fixture: a copy of its segments, and its content.
fn fixture(format: u32) -> (tempfile::TempDir, Content) {
    let folder = fixtures().join(format.to_string());
    let content = std::fs::read_to_string(folder.join("content.jsonl")).unwrap();
    let content = Content::read(&content);
    let writes = std::env::var("QOPEN_TEST_FIXTURES").as_deref() == Ok("write");
    if writes && segments(&folder).is_empty() {
        make(&folder, &content);
    }
    let copy = tempfile::tempdir().unwrap();
    for segment in segments(&folder) {
        std::fs::copy(&segment, copy.path().join(segment.file_name().unwrap())).unwrap();
    }
    assert!(!segments(copy.path()).is_empty(), "format {format} has no segments: see README.md");
    (copy, content)
}

fn make(folder: &Path, content: &Content) {
    let made = tempfile::tempdir().unwrap();
    let journal = DiskOptions::default().segment_size(64 << 10).open(made.path()).unwrap();
    runtime().block_on(content.write(&journal));
    drop(journal);
    for segment in segments(made.path()) {
        std::fs::copy(&segment, folder.join(segment.file_name().unwrap())).unwrap();
    }
}

/// Every file but the lock, which the process that has the journal open writes.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|it| !it.ends_with("lock"));
    files.map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

/// The format of a segment, with a header that holds.
fn set_format(segment: &Path, format: u32) {
    let mut bytes = std::fs::read(segment).unwrap();
    bytes[8..12].copy_from_slice(&format.to_le_bytes());
    let check = Digest::of(&bytes[..48]).to_u128().to_le_bytes();
    bytes[48..64].copy_from_slice(&check);
    std::fs::write(segment, bytes).unwrap();
}

#[test]
fn a_journal_of_each_format_is_read_whole_and_written_on() {
    for format in formats() {
        let (folder, content) = fixture(format);
        let mut expected = content.kept();
        let open = || {
            let journal = DiskJournal::open(folder.path()).unwrap();
            assert!(journal.report().damage.is_empty(), "{format}: {:?}", journal.report());
            journal
        };
        let journal = open();
        assert_eq!(runtime().block_on(Kept::of(&journal)), expected, "format {format}");
        runtime().block_on(async {
            journal.append(page("new", "a page")).await.unwrap();
            journal.put(payload("an event")).await.unwrap();
        });
        drop(journal);
        let new = page("new", "a page").pull;
        expected.pulls.insert(new, (Vec::new(), vec!["a page".to_owned()]));
        expected.events.push("an event".to_owned());
        assert_eq!(runtime().block_on(Kept::of(&open())), expected, "format {format}");
    }
}

#[test]
fn the_written_format_has_a_fixture_and_a_later_one_is_refused_and_not_touched() {
    let formats = formats();
    for format in &formats {
        let (folder, _) = fixture(*format);
        // Whichever segment a later version wrote.
        for segment in segments(folder.path()) {
            let earlier = std::fs::read(&segment).unwrap();
            set_format(&segment, 99);
            let before = bytes(folder.path());
            let error = DiskJournal::open(folder.path()).unwrap_err();
            let JournalError::UnknownFormat { found: 99, known } = error else {
                panic!("{error:?}")
            };
            assert_eq!(Some(&known), formats.last(), "tests/fixtures/formats/README.md says how");
            let said = error.to_string();
            assert!(said.contains("99") && said.contains("use the later qopen"), "{said}");
            assert_eq!(bytes(folder.path()), before);
            std::fs::write(&segment, earlier).unwrap();
        }
        DiskJournal::open(folder.path()).unwrap();
    }
}

#[test]
fn damage_in_a_journal_of_each_format_is_reported_and_counted() {
    for format in formats() {
        let (folder, content) = fixture(format);
        let expected = content.kept();
        let segment = segments(folder.path()).remove(0);
        let mut damaged = std::fs::read(&segment).unwrap();
        // In a page of the pull that is open.
        let text = r#""account_id":"a04""#;
        let pages = damaged.windows(text.len()).enumerate();
        let mut places = pages.filter(|it| it.1 == text.as_bytes()).map(|it| it.0);
        let place = places.next_back().unwrap();
        damaged[place] ^= 1;
        std::fs::write(&segment, damaged).unwrap();
        let journal = DiskJournal::open(folder.path()).unwrap();
        assert_eq!(journal.report().damage.len(), 1, "format {format}");
        let states = runtime().block_on(journal.pulls()).unwrap();
        let lost: Vec<_> = states.iter().filter(|it| !it.damaged.is_empty()).collect();
        assert_eq!(lost.len(), 1, "format {format}");
        assert_eq!(lost[0].pull.mark_id.as_str(), "open");
        // Nothing else is.
        for state in states.iter().filter(|it| it.damaged.is_empty()) {
            let notes: Vec<_> = state.notes.iter().map(|it| it.note.clone()).collect();
            assert_eq!(notes, expected.pulls[&state.pull].0, "format {format}");
            assert_eq!(state.pages, expected.pulls[&state.pull].1.len() as u64);
        }
    }
}
