//! What is in the folder before, during and after.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use qopen_sink::{FileSink, Format, ListKind, Quarantine, Record, Sink, SinkError, StreamSink};
use qopen_types::{Account, RobotId};

fn write(sink: &dyn Sink, kind: ListKind, id: &str) -> Result<String, SinkError> {
    let mut list = sink.begin(kind)?;
    let (robot, account): (RobotId, _) = ("r".parse().unwrap(), Account::new(id.parse().unwrap()));
    list.write(&Record::new(&robot, &account))?;
    Ok(list.commit()?.location)
}

fn quarantine(lines: &[&str]) -> Quarantine {
    let mut quarantine = Quarantine::default();
    lines.iter().for_each(|line| quarantine.push(line).unwrap());
    quarantine
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn i5_readers_see_the_old_list_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    write(&sink, ListKind::Complete, "old").unwrap();

    let (robot, account): (RobotId, _) =
        ("r".parse().unwrap(), Account::new("new".parse().unwrap()));
    let mut list = sink.begin(ListKind::Complete).unwrap();
    for _ in 0..10_000 {
        list.write(&Record::new(&robot, &account)).unwrap();
    }
    assert!(fs::read_to_string(sink.path()).unwrap().contains("old"));
    drop(list);
    assert!(fs::read_to_string(sink.path()).unwrap().contains("old"));
    assert_eq!(names(folder.path()), ["list"], "an abandoned list leaves no trace");

    assert_eq!(write(&sink, ListKind::Complete, "new").unwrap(), sink.path().display().to_string());
    assert!(fs::read_to_string(sink.path()).unwrap().contains("new"));
}

#[test]
fn i5_a_partial_list_stands_beside_until_a_complete_one_comes() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    write(&sink, ListKind::Complete, "whole").unwrap();
    write(&sink, ListKind::Partial, "half").unwrap();
    assert!(fs::read_to_string(sink.path()).unwrap().contains("whole"));
    assert!(fs::read_to_string(sink.partial_path()).unwrap().contains("half"));
    write(&sink, ListKind::Complete, "whole").unwrap();
    assert_eq!(names(folder.path()), ["list"]);
}

#[cfg(unix)]
#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Csv);
    fs::write(sink.path(), "world-readable").unwrap();
    fs::set_permissions(sink.path(), fs::Permissions::from_mode(0o644)).unwrap();
    write(&sink, ListKind::Complete, "a").unwrap();
    write(&sink, ListKind::Partial, "a").unwrap();
    assert!(sink.write_quarantine(quarantine(&["{}"])).unwrap());
    for path in [sink.path(), &sink.partial_path(), &sink.quarantine_path()] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_what_is_no_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    write(&FileSink::new(&link, Format::Jsonl), ListKind::Complete, "a").unwrap();
    assert!(fs::read_to_string(&real).unwrap().contains("\"a\""));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let sink = FileSink::new(&link, Format::Jsonl);
    write(&sink, ListKind::Partial, "half").unwrap();
    assert!(fs::read_to_string(sink.partial_path()).unwrap().contains("\"half\""));
    fs::remove_file(&real).unwrap();
    write(&FileSink::new(&link, Format::Jsonl), ListKind::Complete, "b").unwrap();
    assert!(fs::read_to_string(&real).unwrap().contains("\"b\""), "a link to nothing yet");

    for path in [Path::new("/dev/null"), folder.path()] {
        let error = FileSink::new(path, Format::Jsonl).check().unwrap_err();
        assert!(matches!(error, SinkError::NotAFile { .. }), "{error}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_found_by_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("missing/list"), Format::Jsonl);
    let error = sink.check().unwrap_err();
    assert!(matches!(&error, SinkError::NoFolder { folder } if folder.ends_with("missing")));
    assert!(error.to_string().ends_with("does not exist; create it or choose another output"));
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    sink.check().unwrap();
    assert!(names(folder.path()).is_empty(), "the check leaves no trace");
}

#[test]
fn quarantine_is_there_only_when_something_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    assert!(!sink.write_quarantine(quarantine(&[])).unwrap());
    assert!(sink.write_quarantine(quarantine(&["1", "2"])).unwrap());
    assert_eq!(fs::read_to_string(sink.quarantine_path()).unwrap(), "1\n2\n");
    assert!(!sink.write_quarantine(quarantine(&[])).unwrap());
    assert!(names(folder.path()).is_empty());
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_gets_all_of_a_list_or_nothing() {
    let out = Shared::default();
    let sink = StreamSink::new(out.clone(), Format::Jsonl);
    let mut list = sink.begin(ListKind::Complete).unwrap();
    let (robot, account): (RobotId, _) = ("r".parse().unwrap(), Account::new("a".parse().unwrap()));
    for _ in 0..10_000 {
        list.write(&Record::new(&robot, &account)).unwrap();
    }
    assert!(out.0.lock().unwrap().is_empty());
    drop(list);
    assert!(sink.begin(ListKind::Partial).is_err());
    assert!(out.0.lock().unwrap().is_empty());
    write(&sink, ListKind::Complete, "a").unwrap();
    assert!(out.0.lock().unwrap().ends_with(b"}\n"));
}

/// What could not be read is put in its place with the list, and goes with it.
#[test]
fn i5_list_and_quarantine_are_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let publish = |id: &str, lines: &[&str]| {
        let (robot, account) =
            ("r1".parse::<RobotId>().unwrap(), Account::new(id.parse().unwrap()));
        let mut writer = sink.begin(ListKind::Complete)?;
        writer.write(&Record::new(&robot, &account))?;
        assert!(writer.set_aside(quarantine(lines))?.is_none());
        writer.commit()
    };
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    let committed = publish("a", &["1", "2"]).unwrap();
    assert_eq!(committed.set_aside, Some(sink.quarantine_path().display().to_string()));
    assert_eq!(read(&sink.quarantine_path()), "1\n2\n");
    // The quarantine cannot be written: the list is the old one.
    std::fs::remove_file(sink.quarantine_path()).unwrap();
    std::fs::create_dir_all(sink.quarantine_path().join("in the way")).unwrap();
    assert!(publish("b", &["3"]).is_err());
    assert!(read(sink.path()).contains("\"a\""));
    std::fs::remove_dir_all(sink.quarantine_path()).unwrap();
    publish("b", &["3"]).unwrap();
    assert_eq!(read(&sink.quarantine_path()), "3\n");
    publish("c", &[]).unwrap();
    assert!(read(sink.path()).contains("\"c\"") && !sink.quarantine_path().exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// What a process that was killed has left goes, and what is being written stays.
#[test]
fn what_a_killed_process_has_left_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let left = folder.path().join(".qopen-abc.tmp");
    std::fs::write(&left, "customers").unwrap();
    std::fs::write(folder.path().join(".qopen-notes"), "the user's").unwrap();
    let writer = sink.begin(ListKind::Complete).unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files(), 3);
    sink.check().unwrap();
    assert!(!left.exists());
    assert_eq!(files(), 2);
    // Another process does so too, while the list is written.
    sink.sweep();
    writer.commit().unwrap();
    assert_eq!(files(), 2);
}

#[test]
fn what_would_fail_at_the_end_is_found_out_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let name = |length: usize| folder.path().join("n".repeat(length));
    FileSink::new(name(238), Format::Jsonl).check().unwrap();
    for length in [239, 250, 255] {
        let error = FileSink::new(name(length), Format::Jsonl).check().unwrap_err();
        assert!(matches!(error, SinkError::NameTooLong { .. }), "{length}: {error}");
    }
    let error = FileSink::new(folder.path().join("lists/"), Format::Jsonl).check().unwrap_err();
    assert!(matches!(error, SinkError::NoFolder { .. }), "{error}");
    let missing = folder.path().join("missing");
    let sink = StreamSink::new(Vec::new(), Format::Jsonl).in_folder(Some(&missing));
    assert!(sink.check().is_err());
}

/// All files of a list lie beside the file that a link leads to, whatever the link's name.
#[cfg(unix)]
#[test]
fn a_long_name_at_either_end_of_a_link_is_found_out_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let check = |link: &str, target: String, has_target| {
        let (link, target) = (folder.path().join(link), folder.path().join(target));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        if has_target {
            fs::write(&target, "").unwrap();
        }
        let checked = FileSink::new(&link, Format::Jsonl).check();
        (checked, link, target)
    };
    for has_target in [false, true] {
        let (checked, ..) = check(&format!("fits-{has_target}"), "t".repeat(238), has_target);
        checked.unwrap();
        let (checked, _, long) = check(&format!("short-{has_target}"), "t".repeat(245), has_target);
        match checked {
            Err(SinkError::NameTooLong { path, .. }) => {
                assert_eq!(path.file_name(), long.file_name());
            }
            other => panic!("{other:?}"),
        }
    }
    let (checked, ..) = check(&"l".repeat(245), "list".to_owned(), true);
    checked.unwrap();
}

/// A partial list from which nothing is set aside leaves what was set aside of the complete one.
#[test]
fn i5_a_partial_list_leaves_the_quarantine_of_the_complete_one() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    for (kind, lines, left) in [
        (ListKind::Complete, &["1"][..], true),
        (ListKind::Partial, &[], true),
        (ListKind::Complete, &[], false),
    ] {
        let mut writer = sink.begin(kind).unwrap();
        assert!(writer.set_aside(quarantine(lines)).unwrap().is_none());
        writer.commit().unwrap();
        assert_eq!(sink.quarantine_path().exists(), left, "{kind:?}");
    }
}

/// One process at a time checks a place for a later list.
#[test]
fn a_place_is_held_by_one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let other = FileSink::new(folder.path().join("other"), Format::Csv);
    let held = sink.hold().unwrap();
    let (told, asked) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let held = other.hold().unwrap();
        told.send(()).unwrap();
        drop(held);
    });
    assert!(asked.recv_timeout(std::time::Duration::from_millis(200)).is_err());
    drop(held);
    asked.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    waiting.join().unwrap();
}

#[test]
fn i5_an_encoded_list_takes_its_place_whole_and_leaves_what_is_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    write(&sink, ListKind::Partial, "half").unwrap();
    fs::write(sink.path(), "old").unwrap();
    let mut encoded = sink.begin_encoded().unwrap();
    encoded.write_all(b"new ").unwrap();
    drop(encoded);
    assert_eq!(fs::read_to_string(sink.path()).unwrap(), "old");
    let mut encoded = sink.begin_encoded().unwrap();
    encoded.write_all(b"new ").unwrap();
    encoded.write_all(b"list").unwrap();
    assert_eq!(fs::read_to_string(sink.path()).unwrap(), "old");
    assert_eq!(encoded.commit().unwrap(), sink.path().display().to_string());
    assert_eq!(fs::read_to_string(sink.path()).unwrap(), "new list");
    assert_eq!(names(folder.path()), ["list", "list.partial"]);
    let missing = FileSink::new(folder.path().join("missing/list"), Format::Jsonl);
    assert!(missing.begin_encoded().is_err());
}

#[test]
fn only_the_items_and_the_lists_of_a_deleted_pull_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let line = |robot: &str, mark: &str| {
        format!("{{\"robot_id\":\"{robot}\",\"mark_id\":\"{mark}\",\"raw\":{{}}}}")
    };
    let lines = [line("r1", "m1"), line("r2", "m1"), line("r1", "m2"), "{}".into(), "no".into()];
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    sink.write_quarantine(quarantine(&texts)).unwrap();
    let (robot, mark) = ("r1".parse().unwrap(), "m1".parse().unwrap());
    let path = sink.quarantine_path();
    assert_eq!(sink.remove_quarantined(&robot, &mark).unwrap(), Some(path.clone()));
    let left = fs::read_to_string(&path).unwrap();
    assert_eq!(left.lines().collect::<Vec<_>>(), texts[1..]);
    assert_eq!(sink.remove_quarantined(&robot, &mark).unwrap(), None);
    assert_eq!(fs::read_to_string(&path).unwrap(), left);
    sink.write_quarantine(quarantine(&texts[..1])).unwrap();
    assert_eq!(sink.remove_quarantined(&robot, &mark).unwrap(), Some(path.clone()));
    assert!(!path.exists());

    for path in [sink.held_path(), sink.partial_path()] {
        fs::write(path, "{\"robot_id\":\"r2\",\"account_id\":\"a\"}\n").unwrap();
    }
    assert_eq!(sink.remove_held(&robot).unwrap(), None);
    assert_eq!(sink.remove_partial(&robot).unwrap(), None);
    let other = "r2".parse().unwrap();
    assert_eq!(sink.remove_held(&other).unwrap(), Some(sink.held_path()));
    assert_eq!(sink.remove_partial(&other).unwrap(), Some(sink.partial_path()));
    assert!(names(folder.path()).is_empty());
    assert_eq!(sink.remove_held(&other).unwrap(), None);
}

type Removal = fn(&FileSink) -> Result<Option<PathBuf>, SinkError>;

/// A removal waits for a publication, and leaves the files of that one.
#[test]
fn files_that_are_replaced_while_a_removal_waits_stay() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let line = |robot: &str| format!("{{\"robot_id\":\"{robot}\",\"mark_id\":\"m\"}}\n");
    let removals: [Removal; 3] = [
        |it| it.remove_held(&"r".parse().unwrap()),
        |it| it.remove_partial(&"r".parse().unwrap()),
        |it| it.remove_quarantined(&"r".parse().unwrap(), &"m".parse().unwrap()),
    ];
    let paths = [sink.held_path(), sink.partial_path(), sink.quarantine_path()];
    for (remove, path) in removals.into_iter().zip(paths) {
        fs::write(&path, line("r")).unwrap();
        let held = sink.hold().unwrap();
        let (told, done) = std::sync::mpsc::channel();
        let other = sink.clone();
        let waiting = std::thread::spawn(move || told.send(remove(&other)).unwrap());
        assert!(done.recv_timeout(std::time::Duration::from_millis(200)).is_err());
        let later = folder.path().join("later");
        fs::write(&later, line("s")).unwrap();
        fs::rename(later, &path).unwrap();
        drop(held);
        let removed = done.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(removed.unwrap(), None, "{}", path.display());
        assert_eq!(fs::read_to_string(&path).unwrap(), line("s"));
        waiting.join().unwrap();
    }
}
