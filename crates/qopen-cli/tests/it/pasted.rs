//! Values that were pasted with more than was meant, and paths in any bytes, used from end to end.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use qopen_simulator::Schedule;
use serde_json::Value;

use crate::served::Served;
use crate::support::{Stage, ids, qopen, text};

fn bytes(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

#[test]
fn a_list_is_pulled_with_the_values_that_were_meant() {
    let stage = Stage::new(&Schedule { accounts: 5, ..Schedule::default() });
    let mut command = stage.pull(&["--robot", " r1\n", "--out", "list"]);
    command
        .env("QOPEN_BASE_URL", format!("\"{}\"\r\n", stage.base_url))
        .env("QOPEN_LISTEN", format!(" {}", stage.listen.replace("127.0.0.1", "localhost")))
        .env("QOPEN_APP_KEY", "\u{FEFF}app")
        .env("QOPEN_APP_SECRET", "canary-app-secret\r\n")
        .env("QOPEN_CALLBACK_TOKEN", "'canary-callback-token'")
        .env("QOPEN_ENCODING_AES_KEY", "canary-aes-key-of-32-bytes-00000\u{A0}");
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(ids(&stage.read("list")).len(), 5);
    // Each is said once.
    for name in [
        "BASE_URL: the quotes",
        "LISTEN: a space",
        "APP_KEY: a byte order",
        "CALLBACK_TOKEN: the quotes",
    ] {
        assert_eq!(said.matches(&format!("QOPEN_{name}")).count(), 1, "{name}: {said}");
    }
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn paths_that_are_not_utf8_are_used_as_they_are_and_remembered() {
    let stage = Stage::new(&Schedule { accounts: 5, ..Schedule::default() });
    let folder = stage.folder.path();
    let (data, list) = (bytes(b"donn\xE9es"), bytes(b"liste-\xFF"));
    // One from a flag, the other from the environment, and the other way round.
    let mut command = stage.pull(&["--robot", "r1", "--out"]);
    let output = command.arg(&list).env("QOPEN_DATA_DIR", &data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(folder.join(&data).is_dir() && !folder.join("qopen-data").exists());
    let read = |name: &OsStr| ids(&std::fs::read_to_string(folder.join(name)).unwrap()).len();
    assert_eq!(read(&list), 5);
    // No path that looks like it was made.
    let names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    let changes = bytes(b"liste-\xFF.changes.jsonl");
    let given = [&data, &list, &changes];
    assert!(
        names.iter().all(|it| !it.to_string_lossy().contains('\u{FFFD}') || given.contains(&it)),
        "{names:?}"
    );

    let mut pulls = qopen(folder, &["pulls", "list", "--json"]);
    let output = pulls.arg("--data-dir").arg(&data).output().unwrap();
    let pull: Value = serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    let mark = pull["mark_id"].as_str().unwrap();

    // The journal remembers the place, byte for byte.
    std::fs::remove_file(folder.join(&list)).unwrap();
    let mut command = stage.pull(&["--resume", mark, "--data-dir"]);
    let output = command.arg(&data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(read(&list), 5);

    // An earlier list does not replace a later one there, either.
    let mut command = stage.pull(&["--robot", "r1", "--new", "--json", "--out"]);
    let output = command.arg(&list).env("QOPEN_DATA_DIR", &data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut command = stage.pull(&["--resume", mark, "--json", "--data-dir"]);
    let output = command.arg(&data).output().unwrap();
    let summary: Value =
        serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert!(summary["superseded"].is_string() && summary["output"].is_null(), "{summary}");
}

#[test]
fn a_text_that_is_not_utf8_is_refused_with_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, flag) in [
        (&[&b"pull"[..], b"--out", b"x", b"--robot", b"r\xFF"][..], "the value of --robot"),
        (&[b"pull", b"--out", b"x", b"--robot=r\xFF"], "the value of --robot"),
        (&[b"--base-url", b"http://\xFF", b"doctor"], "the value of --base-url"),
        (&[b"pulls", b"show", b"\xFF"], "argument 3"),
    ] {
        let mut command = qopen(folder.path(), &[]);
        let output =
            command.args(arguments.iter().map(|it| OsStr::from_bytes(it))).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("qopen: {flag} is not UTF-8 text")), "{said}");
    }
}

#[test]
fn home_is_meant_by_a_tilde_that_no_shell_has_expanded() {
    let stage = Stage::new(&Schedule { accounts: 5, ..Schedule::default() });
    let home = stage.folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("robots.txt"), "\u{FEFF}r1\u{A0}\r\n").unwrap();
    let mut command =
        stage.pull(&["--robots-file=~/robots.txt", "--out=~/list", "--data-dir=~/data"]);
    let output = command.env("HOME", &home).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(ids(&stage.read("home/list")).len(), 5);
    assert!(stage.exists("home/data") && !stage.exists("~"));
}

fn write_settings(folder: &Path, text: &str) {
    let file = folder.join("qopen.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_compares_the_values_that_are_used() {
    let stage = Stage::new(&Schedule::default());
    let folder = stage.folder.path().to_owned();
    write_settings(&folder, "app_key = \"app\"\n");
    let mut command = Served::command(&stage, &[]);
    command.env_remove("QOPEN_APP_KEY");
    let served = Served::spawn(command);
    // The same key, with what an editor adds; then another.
    write_settings(&folder, "app_key = \"\"\"\n\u{FEFF}app \n\"\"\"\n");
    served.signal("HUP");
    let until = async |what: &str| {
        let began = Instant::now();
        while !served.log().contains(what) {
            assert!(began.elapsed() < Duration::from_secs(30), "{}", served.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    until("were read again").await;
    assert!(!served.log().contains("changed"), "{}", served.log());
    write_settings(&folder, "app_key = \"app2\"\n");
    served.signal("HUP");
    until("the app key has changed").await;
}
