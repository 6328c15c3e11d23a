//! A last list that was removed, emptied, replaced by a folder, or cannot be read.

use std::fs;

use qopen_simulator::Schedule;
use serde_json::json;

use crate::guards::Scene;
use crate::support::text;

fn scene() -> Scene {
    let scene = Scene::new(Schedule { accounts: 20, gone_each: 7, ..Schedule::default() });
    assert_eq!(scene.pull(&[]).0, 0);
    scene
}

#[test]
fn a_list_that_was_removed_or_emptied_is_no_new_baseline_unasked() {
    type Damage = fn(&Scene);
    let path = |scene: &Scene, name: &str| scene.folder.path().join(name);
    let damages: [(&str, Damage, &str); 4] = [
        ("removed", |it| fs::remove_file(it.folder.path().join("list.jsonl")).unwrap(), "missing"),
        (
            "emptied",
            |it| fs::write(it.folder.path().join("list.jsonl"), "").unwrap(),
            "it is not the list that its changes file describes",
        ),
        (
            "emptied without changes",
            |it| {
                fs::write(it.folder.path().join("list.jsonl"), "").unwrap();
                fs::remove_file(it.folder.path().join("list.jsonl.changes.jsonl")).unwrap();
            },
            "empty",
        ),
        (
            "changes that are a folder",
            |it| {
                let changes = it.folder.path().join("list.jsonl.changes.jsonl");
                fs::remove_file(&changes).unwrap();
                fs::create_dir(changes).unwrap();
            },
            "is a directory",
        ),
    ];
    for (name, damage, said) in damages {
        let scene = scene();
        damage(&scene);
        let before = fs::read(path(&scene, "list.jsonl")).ok();
        let (exit, summary) = scene.pull(&[]);
        assert_eq!(exit, 7, "{name}: {summary}");
        let why = summary["error"].as_str().unwrap();
        assert!(why.contains(said) && why.contains("--new-baseline"), "{name}: {why}");
        assert_eq!(fs::read(path(&scene, "list.jsonl")).ok(), before, "{name}");
        assert!(path(&scene, "list.jsonl.changes.jsonl").exists() || name.contains("without"));
        if name.contains("folder") {
            fs::remove_dir(path(&scene, "list.jsonl.changes.jsonl")).unwrap();
        }
        // The same pull publishes its list as a first one.
        let (exit, summary) = scene.pull(&["--new-baseline"]);
        assert_eq!((exit, &summary["changes"]["baseline"]), (0, &json!(true)), "{name}: {summary}");
        let (exit, summary) = scene.pull(&[]);
        assert_eq!(
            (exit, &summary["changes"]["baseline"]),
            (0, &json!(false)),
            "{name}: {summary}"
        );
    }
}

#[test]
fn a_folder_in_the_place_of_a_list_is_not_filled_unasked() {
    let scene = scene();
    let path = scene.folder.path().join("list.jsonl");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for out in ["list.jsonl", "list.jsonl/"] {
        let refused = scene.verb(&["pull", "--robot", "r1", "--out", out]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(7), "{said}");
        assert!(said.contains("is a folder") && said.contains("--new-baseline"), "{said}");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    }
    assert_eq!(scene.pull(&["--new-baseline"]).0, 0);
    assert!(path.join("r1.jsonl").is_file());
    // A folder in the place of a robot's list.
    fs::remove_file(path.join("r1.jsonl")).unwrap();
    fs::create_dir(path.join("r1.jsonl")).unwrap();
    let refused = scene.verb(&["pull", "--robot", "r1", "--out", "list.jsonl", "--new-baseline"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(7), "{said}");
    assert!(said.contains("r1.jsonl is not a regular file"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_list_that_cannot_be_read_is_not_replaced_unasked() {
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;

    // Nothing is unreadable to the user 0.
    const NOBODY: u32 = 65_534;
    let scene = scene();
    let folder = scene.folder.path();
    let hidden = |name: &str| {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    };
    hidden("list.jsonl");
    let is_root = fs::read(folder.join("list.jsonl")).is_ok();
    let pull = |options: &[&str]| {
        let pull = ["pull", "--robot", "r1", "--out", "list.jsonl", "--settle", "1s"];
        let mut command = scene.command(&[&pull, options].concat());
        if is_root {
            fn give(path: &std::path::Path) {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
                if path.is_dir() {
                    fs::read_dir(path).unwrap().for_each(|it| give(&it.unwrap().path()));
                }
            }
            give(folder);
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output()
    };
    let first = match pull(&[]) {
        Err(error) if is_root && error.kind() == std::io::ErrorKind::PermissionDenied => {
            let skip = "SKIP: another user cannot run the binary; run the test as that user\n";
            std::io::stderr().write_all(skip.as_bytes()).unwrap();
            return;
        }
        first => first.unwrap(),
    };
    let refused = |pulled: std::process::Output, name: &str| {
        let said = text(&pulled.stderr);
        assert_eq!(pulled.status.code(), Some(7), "{said}");
        for part in ["cannot be read: permission denied", "--new-baseline", name] {
            assert!(said.contains(part), "{said}");
        }
    };
    refused(first, "list.jsonl");
    fs::set_permissions(folder.join("list.jsonl"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(scene.list("list.jsonl").len(), 20, "it is the first list");
    hidden("list.jsonl.changes.jsonl");
    refused(pull(&[]).unwrap(), "list.jsonl.changes.jsonl");
    hidden("list.jsonl");
    let anew = pull(&["--new-baseline"]).unwrap();
    assert_eq!(anew.status.code(), Some(0), "{}", text(&anew.stderr));
    assert_eq!(scene.list("list.jsonl").len(), 13);
}
