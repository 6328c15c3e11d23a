//! The changes beside a list in a file.

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use qopen_sink::{
    CompareOptions, FileSink, Format, ListChanges, ListKind, ListProblem, Predecessor, Sink as _,
    SinkError, compare_lists,
};
use qopen_types::{AccountId, RobotId};

use crate::lists::{
    A, B, C, UNKNOWN, compare, names, publish, publish_b_after_a, read, settled, since, sink,
};

#[test]
fn the_first_list_is_the_baseline_and_the_next_ones_have_changes() {
    let (folder, sink) = sink();
    let (found, gone) = publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].accounts_before), (Predecessor::Baseline, 0));
    assert_eq!((found[0].counts.total(), gone.len()), (0, 0));
    assert_eq!(read(sink.changes_path()).lines().count(), 1);
    assert!(read(sink.changes_path()).contains("\"since\":null"));
    let earlier = folder.path().join("a");
    fs::copy(sink.path(), &earlier).unwrap();
    publish_b_after_a(&sink, &earlier);
    insta::assert_snapshot!(read(sink.changes_path()));
    assert_eq!(names(folder.path()), ["a", "list", "list.changes.jsonl"].map(str::to_owned).into());
}

#[cfg(unix)]
#[test]
fn changes_and_held_lists_are_private_and_beside_the_file_that_a_link_leads_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, real) = sink();
    publish(&real, &[("r", "m1", 1, A)]).unwrap();
    let links = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(real.path(), links.path().join("link")).unwrap();
    let sink = FileSink::new(links.path().join("link"), Format::Jsonl);
    let (found, _) = publish(&sink, &[("r", "m2", 1, B)]).unwrap();
    assert_eq!(found[0].since, since("m1", 1));
    settled(&sink, &[("r", "m3", 1, C)]).commit_held().unwrap().unwrap();
    assert_eq!(sink.held_path(), folder.path().canonicalize().unwrap().join("list.held"));
    for path in [sink.changes_path(), sink.held_path()] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(names(links.path()).len(), 1);
}

/// Revisions of a pull have the changes since the list before that pull.
#[test]
fn a_revision_has_the_changes_since_the_list_before_its_pull() {
    let (_folder, sink) = sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    publish(&sink, &[("r", "m2", 1, B)]).unwrap();
    let (found, gone) = publish(&sink, &[("r", "m2", 2, C)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].accounts_before), (since("m1", 1), 3));
    assert_eq!(gone, ["r/b"]);
    let counts = found[0].counts;
    assert_eq!((counts.added, counts.gone, counts.changed, counts.total()), (1, 1, 1, 3));
    // The same list again, and the next pull.
    let changes = read(sink.changes_path());
    publish(&sink, &[("r", "m2", 2, C)]).unwrap();
    assert_eq!(read(sink.changes_path()), changes);
    let (found, _) = publish(&sink, &[("r", "m3", 1, A)]).unwrap();
    assert_eq!(found[0].since, since("m2", 2));
    // A revision of a first list is the first list.
    let (_folder, sink) = crate::lists::sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    let (found, gone) = publish(&sink, &[("r", "m1", 2, B)]).unwrap();
    assert_eq!((found[0].since.clone(), gone.len()), (Predecessor::Baseline, 0));
}

#[test]
fn robots_of_one_file_are_compared_each_with_its_own_list() {
    let (_folder, sink) = sink();
    publish(&sink, &[("r1", "m1", 1, A), ("r2", "n1", 1, B)]).unwrap();
    // Another order, a robot that is new, one without accounts, and one that is left out.
    let (found, gone) =
        publish(&sink, &[("r3", "o1", 1, A), ("r2", "n2", 1, &[]), ("r1", "m1", 2, B)]).unwrap();
    let of = |n: usize| (found[n].robot_id.to_string(), found[n].since.clone());
    assert_eq!(of(0), ("r3".to_owned(), Predecessor::Baseline));
    assert_eq!(of(1), ("r2".to_owned(), since("n1", 1)));
    assert_eq!(of(2), ("r1".to_owned(), Predecessor::Baseline));
    assert_eq!(gone, ["r2/a", "r2/b", "r2/d"]);
    let (found, gone) = publish(&sink, &[("r2", "n3", 1, A)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.added), (since("n2", 1), 3));
    // All customers of the robots that it leaves out are gone.
    let left_out: Vec<_> = found[1..].iter().map(|it| it.robot_id.as_str()).collect();
    assert_eq!(left_out, ["r3", "r1"]);
    assert!(found[1..].iter().all(|it| it.counts.gone == it.accounts_before && it.counts.gone > 0));
    assert_eq!(gone.len(), A.len() + B.len());
    let changes = ListChanges::open(sink.changes_path()).unwrap();
    let mut earlier = Vec::new();
    changes.revert(sink.path(), &mut earlier).unwrap();
    let robots = String::from_utf8(earlier).unwrap();
    assert_eq!(robots.matches("\"robot_id\":\"r1\"").count(), B.len(), "they can be restored");
    let (found, _) = publish(&sink, &[("r1", "m2", 1, A)]).unwrap();
    assert_eq!(found[0].since, Predecessor::Baseline, "it was left out");
}

/// A revision has the changes since the list before its pull, also of a robot that the pull left out.
#[test]
fn a_revision_keeps_the_changes_of_robots_that_its_pull_left_out() {
    let (folder, sink) = sink();
    publish(&sink, &[("r1", "m1", 1, A), ("r2", "n1", 1, B)]).unwrap();
    let earlier = folder.path().join("earlier");
    fs::copy(sink.path(), &earlier).unwrap();
    let steps = [("r1", "m2", 1, B), ("r1", "m2", 2, C), ("r1", "m2", 3, &[]), ("r1", "m2", 4, B)];
    for (n, step) in steps.into_iter().enumerate() {
        let (found, gone) = publish(&sink, &[step]).unwrap();
        let changes = ListChanges::open(sink.changes_path()).unwrap();
        let mut made = Vec::new();
        changes.revert(sink.path(), &mut made).unwrap();
        assert_eq!(String::from_utf8(made).unwrap(), read(&earlier), "{step:?}");
        // It was left out once.
        let left_out = gone.iter().filter(|it| it.starts_with("r2/")).count();
        assert_eq!((found.len(), left_out), if n == 0 { (2, B.len()) } else { (1, 0) }, "{step:?}");
    }
    publish(&sink, &[("r1", "m3", 1, A)]).unwrap();
    let changes = ListChanges::open(sink.changes_path()).unwrap();
    assert_eq!(changes.headers().count(), 1, "it is not in the list before");
    let (found, _) = publish(&sink, &[("r1", "m3", 2, B), ("r2", "n2", 1, A)]).unwrap();
    assert_eq!(found[1].since, Predecessor::Baseline);
}

#[test]
fn a_list_without_changes_beside_it_is_compared_as_it_is() {
    let (_folder, sink) = sink();
    let mut writer = settled(&sink, &[("r", "m1", 1, A)]);
    writer.settle().unwrap();
    writer.commit().unwrap();
    let (found, _) = publish(&sink, &[("r", "m2", 1, B)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.total()), (UNKNOWN, 3));
    // A list that was not compared takes the changes of the earlier one away.
    settled(&sink, &[("r", "m3", 1, A)]).commit().unwrap();
    assert!(!sink.changes_path().exists());
    publish(&sink, &[("r", "m4", 1, B)]).unwrap();
    let mut encoded = sink.begin_encoded().unwrap();
    std::io::copy(&mut read(sink.path()).as_bytes(), &mut encoded).unwrap();
    encoded.commit().unwrap();
    assert!(!sink.changes_path().exists());
    // Nothing says that an empty file is a list.
    fs::write(sink.path(), "").unwrap();
    let error = publish(&sink, &[("r", "m5", 1, A)]).unwrap_err();
    assert_eq!(problem(&error), ListProblem::Empty);
}

#[test]
fn a_list_that_was_removed_beside_its_changes_is_missed() {
    let (_folder, sink) = sink();
    for first in [&[("r", "m1", 1, A)][..], &[("r", "m1", 1, A), ("r", "m2", 1, B)]] {
        for list in first {
            let mut writer = settled(&sink, &[*list]);
            compare(&mut *writer, CompareOptions::default().new_baseline(list.1 == "m1")).unwrap();
            writer.commit().unwrap();
        }
        let changes = read(sink.changes_path());
        fs::remove_file(sink.path()).unwrap();
        let error = publish(&sink, &[("r", "m3", 1, C)]).unwrap_err();
        assert_eq!(problem(&error), ListProblem::Missing);
        assert!(!sink.path().exists());
        assert_eq!(read(sink.changes_path()), changes);
    }
    let mut writer = settled(&sink, &[("r", "m3", 1, C)]);
    let (found, _) = compare(&mut *writer, CompareOptions::default().new_baseline(true)).unwrap();
    assert_eq!(found[0].since, Predecessor::Baseline);
    writer.commit().unwrap();
    assert_eq!(publish(&sink, &[("r", "m4", 1, A)]).unwrap().0[0].since, since("m3", 1));
    // The same list again is restored, with the same changes; so is a revision of a first list.
    for list in [("r", "m4", 1, A), ("r", "m6", 1, B)] {
        if list.1 == "m6" {
            fs::remove_file(sink.changes_path()).unwrap();
            fs::remove_file(sink.path()).unwrap();
            publish(&sink, &[list]).unwrap();
        }
        let (before, changes) = (read(sink.path()), read(sink.changes_path()));
        fs::remove_file(sink.path()).unwrap();
        let (found, _) = publish(&sink, &[list]).unwrap();
        let expected = if list.1 == "m4" { since("m3", 1) } else { Predecessor::Baseline };
        assert_eq!(found[0].since, expected);
        assert_eq!((read(sink.path()), read(sink.changes_path())), (before, changes));
    }
    fs::remove_file(sink.path()).unwrap();
    assert_eq!(publish(&sink, &[("r", "m6", 2, C)]).unwrap().0[0].since, Predecessor::Baseline);
    publish(&sink, &[("r", "m7", 1, A)]).unwrap();
    fs::remove_file(sink.path()).unwrap();
    let error = publish(&sink, &[("r", "m7", 2, B)]).unwrap_err();
    assert_eq!(problem(&error), ListProblem::Missing, "a revision of a later list");
    fs::write(sink.path(), "").unwrap();
    // Without its changes, no list is missed.
    fs::remove_file(sink.path()).unwrap();
    fs::remove_file(sink.changes_path()).unwrap();
    let (found, _) = publish(&sink, &[("r", "m5", 1, A)]).unwrap();
    assert_eq!(found[0].since, Predecessor::Baseline);
}

#[test]
fn an_empty_list_is_told_from_one_that_was_emptied() {
    let (_folder, sink) = crate::lists::sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    fs::write(sink.path(), "").unwrap();
    let error = publish(&sink, &[("r", "m2", 1, A)]).unwrap_err();
    assert_eq!(problem(&error), ListProblem::Altered, "a baseline, too");
    let (_folder, sink) = crate::lists::sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    publish(&sink, &[("r", "m2", 1, &[])]).unwrap();
    assert_eq!(fs::metadata(sink.path()).unwrap().len(), 0);
    let (found, _) = publish(&sink, &[("r", "m3", 1, A)]).unwrap();
    assert_eq!((found[0].since.clone(), found[0].counts.added), (since("m2", 1), 3));
    publish(&sink, &[("r", "m4", 1, B)]).unwrap();
    fs::write(sink.path(), "").unwrap();
    let error = publish(&sink, &[("r", "m5", 1, A)]).unwrap_err();
    assert_eq!(problem(&error), ListProblem::Altered);
}

fn problem(error: &SinkError) -> ListProblem {
    match error {
        SinkError::Previous { problem, .. } => *problem,
        error => panic!("{error}"),
    }
}

/// A last list that is damaged costs nothing but the comparison, until the operator starts anew.
#[test]
fn a_damaged_last_list_is_refused_and_stays_and_a_new_baseline_replaces_it() {
    let (folder, sink) = sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    publish(&sink, &[("r", "m2", 1, B)]).unwrap();
    let (list, changes) = (read(sink.path()), read(sink.changes_path()));
    let lines: Vec<&str> = list.split_inclusive('\n').collect();
    let later = changes.replacen("\"type\":\"changes\",", "\"type\":\"changes\",\"format\":2,", 1);
    let cases: [(String, &str, Option<ListProblem>); 10] = [
        (list.clone(), &later, Some(ListProblem::LaterFormat { found: 2 })),
        (lines[..2].concat(), &changes, Some(ListProblem::Altered)),
        (list[..list.len() - 9].to_owned(), &changes, Some(ListProblem::CutOff { line: 3 })),
        (list.replace("\"d\"", "\"e\""), &changes, Some(ListProblem::Altered)),
        (format!("{}{}", lines[1], lines[0]), "", Some(ListProblem::Unsorted { line: 2 })),
        (format!("{}{}", lines[0], lines[0]), "", Some(ListProblem::Repeated { line: 2 })),
        ("robot_id,account_id\n".to_owned(), "", Some(ListProblem::AnotherHeader)),
        (list.clone(), "{}\n", Some(ListProblem::NotChanges { line: 1 })),
        (list.clone(), &changes[..changes.len() - 9], None),
        (list.clone(), "[]", Some(ListProblem::CutOff { line: 1 })),
    ];
    for (list, changes, expected) in cases {
        fs::write(sink.path(), &list).unwrap();
        match changes {
            "" => drop(fs::remove_file(sink.changes_path())),
            changes => fs::write(sink.changes_path(), changes).unwrap(),
        }
        let error = publish(&sink, &[("r", "m3", 1, C)]).unwrap_err();
        if let Some(expected) = expected {
            assert_eq!(problem(&error), expected);
        }
        assert!(error.to_string().contains("--new-baseline"), "{error}");
        assert_eq!(read(sink.path()), list);
        assert!(names(folder.path()).iter().all(|it| !it.ends_with(".tmp")));
    }
    let mut writer = settled(&sink, &[("r", "m3", 1, C)]);
    let anew = CompareOptions::default().new_baseline(true);
    let (found, gone) = compare(&mut *writer, anew).unwrap();
    assert_eq!((found[0].since.clone(), gone.len()), (Predecessor::Baseline, 0));
    writer.commit().unwrap();
    assert_eq!(names(folder.path()), ["list", "list.changes.jsonl"].map(str::to_owned).into());
    let (found, _) = publish(&sink, &[("r", "m4", 1, A)]).unwrap();
    assert_eq!(found[0].since, since("m3", 1));
}

#[test]
fn i5_a_held_list_leaves_the_last_one_and_its_changes_until_a_complete_one_comes() {
    let (folder, sink) = sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    publish(&sink, &[("r", "m2", 1, B)]).unwrap();
    let (list, changes) = (read(sink.path()), read(sink.changes_path()));
    for _ in 0..2 {
        let mut writer = settled(&sink, &[("r", "m3", 1, &C[..1])]);
        compare(&mut *writer, CompareOptions::default()).unwrap();
        let held = writer.commit_held().unwrap().unwrap();
        assert_eq!(held.location, sink.held_path().display().to_string());
        assert_eq!((read(sink.path()), read(sink.changes_path())), (list.clone(), changes.clone()));
        assert_eq!(read(sink.held_path()).lines().count(), 1);
    }
    assert_eq!(names(folder.path()).len(), 3);
    // A partial list says nothing of a held one.
    let partial = sink.begin(ListKind::Partial).unwrap();
    partial.commit().unwrap();
    assert!(sink.held_path().exists());
    let (found, _) = publish(&sink, &[("r", "m4", 1, C)]).unwrap();
    assert_eq!(found[0].since, since("m2", 1));
    assert_eq!(names(folder.path()), ["list", "list.changes.jsonl"].map(str::to_owned).into());
}

#[test]
fn the_error_of_a_check_of_gone_customers_ends_the_comparison() {
    let (_folder, sink) = sink();
    publish(&sink, &[("r", "m1", 1, A)]).unwrap();
    let mut writer = settled(&sink, &[("r", "m2", 1, B)]);
    let mut gone = |_: &RobotId, _: &AccountId| Err(SinkError::Declined);
    let error = writer.compare(CompareOptions::default(), &mut gone).unwrap_err();
    assert!(matches!(error, SinkError::Declined));
}

/// Random histories of lists and revisions against the list before the pull.
#[test]
fn the_changes_of_every_revision_are_those_since_the_list_before_its_pull() {
    let pick = prop::option::of(0..3_usize);
    let lists = prop::collection::vec((any::<bool>(), prop::collection::vec(pick, 5)), 1..6);
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() };
    let tried = TestRunner::new(config).run(&lists, |history| {
        let (folder, sink) = sink();
        let (earlier, last) = (folder.path().join("earlier"), folder.path().join("last"));
        let (mut pull, mut revision) = (0, 0);
        for (is_revision, picks) in history {
            let accounts: Vec<_> = ["a", "b", "c", "d", "e"]
                .into_iter()
                .zip(picks)
                .filter_map(|(id, it)| Some((id, ["1", "2", "3"][it?])))
                .collect();
            if is_revision && pull > 0 {
                revision += 1;
            } else {
                (pull, revision) = (pull + 1, 1);
                if last.exists() {
                    fs::rename(&last, &earlier).unwrap();
                }
            }
            publish(&sink, &[("r", &format!("m{pull}"), revision, &accounts)]).unwrap();
            fs::copy(sink.path(), &last).unwrap();
            let changes = ListChanges::open(sink.changes_path()).unwrap();
            if pull == 1 {
                assert!(changes.apply(&last, &mut Vec::new()).is_err());
                continue;
            }
            let mut made = Vec::new();
            changes.apply(&earlier, &mut made).unwrap();
            assert_eq!(String::from_utf8(made).unwrap(), read(sink.path()));
            let mut direct = Vec::new();
            compare_lists(&earlier, &last, &mut direct).unwrap();
            let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
            let direct = String::from_utf8(direct).unwrap();
            assert_eq!(lines(&read(sink.changes_path())), lines(&direct));
        }
        Ok(())
    });
    tried.unwrap();
}
