//! `qopen pulls export`: a kept list as a file, published nowhere.

use qopen_simulator::Schedule;
use serde_json::Value;

use crate::support::{Stage, ids, text};

fn mark_of(stage: &Stage) -> String {
    let output = stage.verb("pulls", &["list", "--json"]).output().unwrap();
    let pull: Value = serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    pull["mark_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_kept_list_is_written_where_it_is_asked_for_and_nothing_is_noted() {
    let stage = Stage::new(&Schedule { accounts: 30, page_size: 10, ..Schedule::default() });
    assert_eq!(stage.run(&["--robot", "r1", "--out", "list.jsonl"]).status.code(), Some(0));
    assert_eq!(
        stage.run(&["--robot", "r1", "--out", "all.csv", "--format", "csv"]).status.code(),
        Some(0)
    );
    std::fs::create_dir(stage.folder.path().join("folder")).unwrap();
    let mark = mark_of(&stage);
    let export = |arguments: &[&str]| {
        let arguments = [&["export", &mark], arguments].concat();
        let output = stage.verb("pulls", &arguments).output().unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let show = || stage.verb("pulls", &["show", &mark, "--json"]).output().unwrap().stdout;
    let before = show();

    let published = stage.read("list.jsonl");
    assert_eq!(export(&["--out", "copy"]).0, 0);
    assert_eq!(stage.read("copy"), published);
    // Over what is there, and beside what is there.
    std::fs::write(stage.folder.path().join("copy"), "old").unwrap();
    std::fs::write(stage.folder.path().join("copy.partial"), "another's").unwrap();
    assert_eq!(export(&["--out", "copy"]).0, 0);
    assert_eq!(
        (stage.read("copy"), stage.read("copy.partial")),
        (published.clone(), "another's".into())
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let copy = std::fs::metadata(stage.folder.path().join("copy")).unwrap();
        assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(export(&["--out", "folder"]).0, 0);
    assert_eq!(stage.read("folder/r1.jsonl"), published);
    assert_eq!(
        export(&["--out", "-"]),
        (
            0,
            published,
            format!("qopen: robot r1 mark {mark}: revision 1 of the list was written to -\n")
        )
    );
    assert_eq!(export(&["--out", "copy.csv", "--format", "csv"]).0, 0);
    assert_eq!(stage.read("copy.csv").lines().count(), 31);
    assert_eq!(show(), before, "an export is noted nowhere");

    // Only a publication replaces a published list, however its path is spelled.
    for place in ["list.jsonl", "./list.jsonl", "all.csv", "folder/../list.jsonl"] {
        let (code, _, said) = export(&["--out", place]);
        assert_eq!(code, 2, "{place}: {said}");
        assert!(said.contains("is published at") && said.contains("qopen pull --resume"), "{said}");
    }
    // What lies beside it is its own, too.
    std::fs::write(stage.folder.path().join("all.csv.partial"), "partial").unwrap();
    for place in ["list.jsonl.partial", "./list.jsonl.quarantine.jsonl", "all.csv.partial"] {
        let (code, _, said) = export(&["--out", place]);
        assert_eq!(code, 2, "{place}: {said}");
        assert!(said.contains("belongs to the published list"), "{said}");
    }
    assert_eq!(stage.read("all.csv.partial"), "partial");
    assert!(!stage.exists("list.jsonl.partial"));
    for (place, code, what) in [
        ("missing/list", 2, "does not exist"),
        ("postgres://127.0.0.1:9/lists", 2, "qopen pull --resume"),
    ] {
        let (was, _, said) = export(&["--out", place]);
        assert_eq!((was, said.contains(what)), (code, true), "{place}: {said}");
    }
}

#[test]
fn a_list_that_is_not_complete_is_written_only_when_that_will_do() {
    let stage = Stage::new(&Schedule {
        accounts: 50,
        page_size: 10,
        lost_last_page: true,
        ..Schedule::default()
    });
    assert_eq!(stage.run(&["--robot", "r1", "--out", "list"]).status.code(), Some(3));
    let mark = mark_of(&stage);
    let export = |more: &[&str]| {
        let arguments = [&["export", &mark, "--out", "copy"], more].concat();
        let output = stage.verb("pulls", &arguments).output().unwrap();
        (output.status.code().unwrap(), text(&output.stderr))
    };
    let (code, said) = export(&[]);
    assert_eq!(code, 3);
    assert!(said.contains("not complete") && said.contains("--partial"), "{said}");
    assert!(!stage.exists("copy"));
    let (code, said) = export(&["--partial"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("not complete"), "{said}");
    assert_eq!(ids(&stage.read("copy")).len(), 40);
}

/// Marks that this program makes begin with their time: two of one minute share more than four characters.
#[test]
fn a_mark_is_named_by_its_beginning_in_each_verb() {
    let stage = Stage::new(&Schedule {
        accounts: 50,
        page_size: 10,
        lost_last_page: true,
        ..Schedule::default()
    });
    for robot in ["r1", "r2"] {
        assert_eq!(stage.run(&["--robot", robot, "--out", "list"]).status.code(), Some(3));
    }
    let listed = text(&stage.verb("pulls", &["list", "--json"]).output().unwrap().stdout);
    let marks: Vec<String> = listed
        .lines()
        .map(|it| serde_json::from_str::<Value>(it).unwrap()["mark_id"].as_str().unwrap().into())
        .collect();
    let (one, other) = (&marks[0], &marks[1]);
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let (ambiguous, short, unique) = (&one[..same], &one[..3], &one[..=same]);
    let verbs = [
        vec!["pulls", "show"],
        vec!["pulls", "purge"],
        vec!["pulls", "export", "--partial", "--out", "copy"],
        vec!["pull", "--resume"],
    ];
    for verb in &verbs {
        for (mark, what) in [
            (ambiguous, vec!["2 marks begin with", one.as_str(), other.as_str()]),
            (short, vec!["at least 4 characters"]),
            ("0000-nothing", vec!["no pull whose mark begins with"]),
        ] {
            let mut arguments = verb.clone();
            arguments.push(mark);
            let output = stage.verb(arguments[0], &arguments[1..]).output().unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(what.iter().all(|it| said.contains(it)), "{arguments:?}: {said}");
        }
    }
    // Twice the same one, by two beginnings.
    let resumed = stage.run(&["--resume", unique, "--resume", one, "--json"]);
    assert_eq!(resumed.status.code(), Some(3), "{}", text(&resumed.stderr));
    assert!(text(&resumed.stdout).contains(one.as_str()));
    let mut exported = stage.verb("pulls", &["export", unique, "--partial", "--out", "copy"]);
    assert_eq!(exported.output().unwrap().status.code(), Some(0));
    assert!(stage.read("copy").starts_with("{\"robot_id\":\"r1\","));
    let purged = stage.verb("pulls", &["purge", unique]).output().unwrap();
    assert_eq!(purged.status.code(), Some(0));
    assert!(text(&purged.stderr).contains(&format!("mark {one} is deleted")));
    let left = text(&stage.verb("pulls", &["list"]).output().unwrap().stdout);
    let marks: Vec<_> = left.lines().skip(1).filter_map(|it| it.split('\t').next()).collect();
    assert_eq!(marks, [other.as_str()], "{left}");
}
