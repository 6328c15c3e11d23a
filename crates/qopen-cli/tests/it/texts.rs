//! Every text that people read.

use std::path::Path;

use crate::support::{qopen, steady, text, with_settings};

fn say(arguments: &[&str]) -> String {
    say_in(tempfile::tempdir().unwrap().path(), arguments)
}

fn say_in(folder: &Path, arguments: &[&str]) -> String {
    let output = qopen(folder, arguments).output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    steady(&format!("exit {}\n{out}{err}", output.status.code().unwrap()), folder)
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = say(&["completions", shell]);
        assert!(script.starts_with("exit 0\n") && script.contains("qopen"), "{shell}");
        // A path is completed as one.
        assert!(shell != "zsh" || script.contains(":FOLDER:_files"), "{script}");
    }
}

#[test]
fn what_is_missing_or_malformed_is_named_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let pull = ["pull", "--robot", "r", "--out", "list"];
    insta::assert_snapshot!("nothing_is_set", say_in(folder.path(), &pull));
    insta::assert_snapshot!("no_output", say(&["pull", "--robot", "r"]));
    insta::assert_snapshot!(
        "bad_time",
        say(&["pull", "--robot", "r", "--out", "x", "--settle", "3 parsecs"])
    );

    let with = |name: &str, value: &str, arguments: &[&str]| {
        let mut command = with_settings(qopen(folder.path(), arguments));
        command
            .env("QOPEN_BASE_URL", "http://127.0.0.1:9")
            .env("QOPEN_LISTEN", "127.0.0.1:0")
            .env(name, value);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}={value}");
        assert!(!text(&output.stderr).contains("canary"));
        steady(&text(&output.stderr), folder.path())
    };
    insta::assert_snapshot!(
        "base_url_without_scheme",
        with("QOPEN_BASE_URL", "gateway.example", &pull)
    );
    insta::assert_snapshot!(
        "aes_key_of_wrong_length",
        with("QOPEN_ENCODING_AES_KEY", "canary", &pull)
    );
    insta::assert_snapshot!("listen_is_no_address", with("QOPEN_LISTEN", "8080", &pull));
    insta::assert_snapshot!(
        "callback_path_without_slash",
        with("QOPEN_CALLBACK_PATH", "callback", &pull)
    );
    insta::assert_snapshot!("no_robot", with("A", "", &["pull", "--out", "list"]));
    insta::assert_snapshot!(
        "robots_file_missing",
        with("A", "", &["pull", "--robots-file", "none", "--out", "list"])
    );
    insta::assert_snapshot!(
        "no_such_folder",
        with("A", "", &["pull", "--robot", "r", "--out", "missing/list"])
    );

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = with("QOPEN_LISTEN", &address, &pull).replace(&address, "ADDRESS");
    insta::assert_snapshot!("port_in_use", said);
}

#[test]
fn the_settings_file_is_read_and_its_mistakes_are_named_without_quoting_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qopen.toml");
    for (name, content) in [
        ("toml_broken", "app_key = \"a\"\napp_secret = canary-secret\n"),
        ("toml_unknown_name", "app_sekret = \"canary-secret\"\n"),
        ("toml_wrong_type", "callback_token = 12345\n"),
    ] {
        std::fs::write(&file, content).unwrap();
        let said = say_in(folder.path(), &["pulls", "list"]);
        assert!(!said.contains("canary") && !said.contains("12345"), "{said}");
        insta::assert_snapshot!(name, said);
    }
    insta::assert_snapshot!(
        "toml_missing",
        say_in(folder.path(), &["--config", "none.toml", "doctor"])
    );
}

/// Help and errors of the command line are about what was typed.
#[test]
fn variables_change_neither_help_nor_errors_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&[][..], "Usage: qopen [OPTIONS] <COMMAND>"),
        (&["pulls"], "Usage: qopen pulls [OPTIONS] <COMMAND>"),
        (&["pull", "--robot", "r"], "Usage: qopen pull --robot <ID> --out <PATH|-|URL>"),
        (&["pull", "--help"], "[env: QOPEN_LISTEN]"),
    ] {
        let bare = qopen(folder.path(), arguments).output().unwrap();
        let mut command = with_settings(qopen(folder.path(), arguments));
        let set = command
            .env("QOPEN_LISTEN", "canary")
            .env("QOPEN_JOURNAL", "canary")
            .env("QOPEN_DATA_DIR", "")
            .output()
            .unwrap();
        assert_eq!(bare, set, "{arguments:?}");
        let said = text(&bare.stdout) + &text(&bare.stderr);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}

#[test]
fn doctor_shows_values_and_origins_and_masks_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qopen.toml");
    std::fs::write(&file, "base_url = \"https://file.example\"\ncallback_path = \"/from-file\"\nlisten = \"127.0.0.1:0\"\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let mut command =
        with_settings(qopen(folder.path(), &["doctor", "--base-url", "https://flag.example"]));
    let output = command.env("QOPEN_CALLBACK_PATH", "/from-env").output().unwrap();
    let said = text(&output.stdout);
    assert!(!said.contains("canary"));
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(steady(&said, folder.path()));
}

#[test]
fn demo_leaves_a_list_that_a_person_understands_and_spares_others() {
    let folder = tempfile::tempdir().unwrap();
    let said = say_in(folder.path(), &["demo", "--accounts", "250"]);
    let progress = |line: &&str| !line.starts_with("demo-robot: ");
    let summary: Vec<_> = said.lines().filter(progress).collect();
    insta::assert_snapshot!(summary.join("\n"));
    let list = std::fs::read_to_string(folder.path().join("customers.jsonl")).unwrap();
    assert_eq!(list.lines().count(), 250);
    // Once more over its own list, and never over another.
    assert!(say_in(folder.path(), &["demo", "--accounts", "10"]).starts_with("exit 0"));
    std::fs::write(folder.path().join("customers.jsonl"), "{\"robot_id\":\"real\"}\n").unwrap();
    insta::assert_snapshot!("demo_spares_others", say_in(folder.path(), &["demo"]));
}
