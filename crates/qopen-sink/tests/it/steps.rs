//! The steps of a commit: what is beside a list after a crash, a failure or another publication.

use std::fs;
use std::path::Path;

use qopen_sink::{CompareOptions, FileSink, ListWriter, Predecessor, SinkError};
use tempfile::TempDir;

use crate::lists::{
    A, B, C, List, UNKNOWN, compare, csv_sink, names, publish, read, settled, since, sink,
};

#[test]
fn i5_a_list_that_another_process_replaced_meanwhile_is_not_replaced() {
    let (_folder, sink) = sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    let mut slow = settled(&sink, &[("r", "m2", 1, B)]);
    compare(&mut *slow, CompareOptions::default()).unwrap();
    publish(&sink, &[("r", "m3", 1, C)]).unwrap();
    let (list, changes) = (read(sink.path()), read(sink.changes_path()));
    assert!(matches!(slow.commit(), Err(SinkError::Replaced { .. })));
    assert_eq!((read(sink.path()), read(sink.changes_path())), (list, changes));
    // One that was deleted, and one that came.
    let mut slow = settled(&sink, &[("r", "m4", 1, B)]);
    compare(&mut *slow, CompareOptions::default()).unwrap();
    fs::remove_file(sink.path()).unwrap();
    assert!(matches!(slow.commit(), Err(SinkError::Replaced { .. })));
}

/// Whatever steps a publication took before its process died, the next one finds the last list and its changes.
#[test]
fn i5_a_publication_that_died_between_its_steps_is_made_good_by_the_next() {
    for sink_of in [sink as fn() -> _, csv_sink] {
        publications_that_die(sink_of);
    }
}

fn publications_that_die(sink_of: fn() -> (TempDir, FileSink)) {
    let file = |folder: &Path, name: &str| folder.join(name);
    // The list in place is a first one, a later one, or a revision; what dies is a next list or a revision.
    let firsts: [&[List<'_>]; 3] = [
        &[("r", "m1", 1, A)],
        &[("r", "m1", 1, A), ("r", "m2", 1, B)],
        &[("r", "m1", 1, A), ("r", "m2", 1, B), ("r", "m2", 2, A)],
    ];
    let dying: [List<'_>; 4] =
        [("r", "m2", 3, C), ("r", "m3", 1, C), ("r", "m3", 1, A), ("r", "m2", 3, &[])];
    let next: [List<'_>; 4] =
        [("r", "m2", 3, C), ("r", "m3", 1, C), ("r", "m2", 4, B), ("r", "m4", 1, B)];
    for first in firsts {
        for dies in dying {
            let (before, sink) = sink_of();
            first.iter().for_each(|list| drop(publish(&sink, &[*list]).unwrap()));
            let (after, later) = sink_of();
            first.iter().chain([&dies]).for_each(|it| drop(publish(&later, &[*it]).unwrap()));
            for (steps, next) in (0..4).flat_map(|steps| next.map(|next| (steps, next))) {
                let (folder, sink) = sink_of();
                let copy = |from: &Path, name: &str, to: &str| {
                    fs::copy(file(from, name), file(folder.path(), to)).unwrap();
                };
                let changes = "list.changes.jsonl";
                copy(before.path(), "list", "list");
                copy(before.path(), changes, changes);
                if steps > 0 {
                    copy(before.path(), changes, "list.changes.kept");
                }
                if steps > 1 {
                    copy(after.path(), changes, changes);
                }
                if steps > 2 {
                    copy(after.path(), "list", "list");
                }
                // The same publication without an accident: of the list in place, and then the next.
                let (_calm_folder, calm) = sink_of();
                first.iter().for_each(|list| drop(publish(&calm, &[*list]).unwrap()));
                // With the same bytes the list need not be replaced.
                let is_same = read(file(before.path(), "list")) == read(file(after.path(), "list"));
                if steps > 2 || steps == 2 && is_same {
                    publish(&calm, &[dies]).unwrap();
                }
                let expected = publish(&calm, &[next]).unwrap();
                assert_eq!(publish(&sink, &[next]).unwrap(), expected, "{steps} {dies:?} {next:?}");
                assert_eq!(read(sink.changes_path()), read(calm.changes_path()));
                assert_eq!(names(folder.path()).len(), 2);
            }
        }
    }
}

/// A first publication that dies is no list that was removed by hand.
#[test]
fn i5_a_first_publication_that_died_between_its_steps_is_made_good_by_the_next() {
    let (after, later) = sink();
    publish(&later, &[("r", "m1", 1, A)]).unwrap();
    for (steps, next, expected) in [
        (1, ("r", "m1", 1, A), Predecessor::Baseline),
        (1, ("r", "m2", 1, B), Predecessor::Baseline),
        (2, ("r", "m1", 1, A), Predecessor::Baseline),
        (2, ("r", "m1", 2, B), Predecessor::Baseline),
        (2, ("r", "m2", 1, B), since("m1", 1)),
    ] {
        let (folder, sink) = sink();
        let copy = |from: &str, to: &str| {
            fs::copy(after.path().join(from), folder.path().join(to)).unwrap();
        };
        copy("list.changes.jsonl", "list.changes.kept");
        if steps > 1 {
            copy("list", "list");
        }
        let (found, _) = publish(&sink, &[next]).unwrap();
        assert_eq!(found[0].since, expected, "{steps} {next:?}");
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(publish(&sink, &[("r", "m3", 1, C)]).unwrap().0[0].since, since(next.1, next.2));
    }
    // The steps are these: the changes have their name only when the list is there.
    let (folder, sink) = sink();
    let mut writer = settled(&sink, &[("r", "m1", 1, A)]);
    compare(&mut *writer, CompareOptions::default()).unwrap();
    die_at_the_list(folder.path(), writer);
    assert_eq!(Vec::from_iter(names(folder.path())), ["list.changes.kept"]);
}

/// A rename that fails leaves the last list, and the next publication finds its changes.
#[test]
fn i5_a_commit_that_fails_at_a_step_leaves_a_list_that_the_next_one_is_compared_with() {
    for ((in_the_way, is_new, expected), sink_of) in [
        ("list.changes.kept", false, since("m2", 1)),
        ("list.changes.jsonl", false, UNKNOWN),
        ("list.held", true, since("m3", 1)),
    ]
    .into_iter()
    .flat_map(|it| [(it.clone(), sink as fn() -> _), (it, csv_sink)])
    {
        let (folder, sink) = sink_of();
        publish(&sink, &[("r", "m1", 1, A)]).unwrap();
        publish(&sink, &[("r", "m2", 1, B)]).unwrap();
        let mut writer = settled(&sink, &[("r", "m3", 1, C)]);
        compare(&mut *writer, CompareOptions::default()).unwrap();
        let obstacle = folder.path().join(in_the_way);
        let _ = fs::remove_file(&obstacle);
        fs::create_dir_all(obstacle.join("in the way")).unwrap();
        writer.commit().unwrap_err();
        assert_eq!(read(sink.path()).contains(&['3'][..]), is_new, "{in_the_way}");
        fs::remove_dir_all(&obstacle).unwrap();
        let (found, _) = publish(&sink, &[("r", "m4", 1, A)]).unwrap();
        assert_eq!(found[0].since, expected, "{in_the_way}");
    }
}

/// Publishes as far as the changes, and fails to replace the list.
fn die(folder: &Path, sink: &FileSink, list: List<'_>) {
    let mut writer = settled(sink, &[list]);
    compare(&mut *writer, CompareOptions::default()).unwrap();
    die_at_the_list(folder, writer);
}

fn die_at_the_list(folder: &Path, writer: Box<dyn ListWriter>) {
    let temporary = names(folder).into_iter().filter(|it| it.ends_with(".tmp"));
    let records: Vec<_> = temporary
        .map(|it| folder.join(it))
        .filter(|it| ["{\"robot_id\"", "robot_id,"].iter().any(|begin| read(it).starts_with(begin)))
        .collect();
    assert_eq!(records.len(), 1);
    fs::remove_file(&records[0]).unwrap();
    writer.commit().unwrap_err();
}

#[test]
fn i5_publications_that_die_one_after_another_lose_no_changes() {
    for sink_of in [sink as fn() -> _, csv_sink] {
        publications_that_die_in_turn(sink_of);
    }
}

fn publications_that_die_in_turn(sink_of: fn() -> (TempDir, FileSink)) {
    let (folder, sink) = sink_of();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    publish(&sink, &[("r", "m2", 1, B)]).unwrap();
    let list = read(sink.path());
    for dying in [("r", "m3", 1, C), ("r", "m2", 2, A), ("r", "m4", 1, C)] {
        die(folder.path(), &sink, dying);
        assert_eq!(read(sink.path()), list);
    }
    let (found, gone) = publish(&sink, &[("r", "m2", 3, C)]).unwrap();
    assert_eq!((found[0].since.clone(), gone), (since("m1", 1), vec!["r/b".to_owned()]));
    assert_eq!(names(folder.path()).len(), 2);
}
