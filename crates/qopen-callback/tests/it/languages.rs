//! The published snippets in other languages, on the published vectors.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::vectors::{self, cases};

const VARIABLE: &str = "QOPEN_TEST_LANGUAGES";

/// A program with arguments, in a folder of the vectors.
fn program(folder: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(arguments[0]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(folder);
    command.args(&arguments[1..]).current_dir(folder).stdin(Stdio::null());
    command
}

/// Whether the program works. Without it, the test is skipped with a message, or fails.
fn is_usable(arguments: &[&str]) -> bool {
    let ran = program(".", arguments).output();
    if ran.is_ok_and(|it| it.status.success()) {
        return true;
    }
    let called = arguments.join(" ");
    assert_ne!(
        std::env::var(VARIABLE).as_deref(),
        Ok("required"),
        "{VARIABLE} is required, and `{called}` does not work"
    );
    // Past the harness, which keeps what a passing test prints.
    let skip =
        format!("SKIP: `{called}` does not work here; {VARIABLE}=required makes that an error\n");
    std::io::stderr().write_all(skip.as_bytes()).unwrap();
    false
}

/// What a successful program says.
fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Compares the lines of a runner with the vectors: a case's name and its result in each.
fn agrees(runner: Command) {
    let said = output(runner);
    let (cases, lines) = (cases(), said.lines().collect::<Vec<_>>());
    assert_eq!(lines.len(), cases.len(), "{said}");
    for (case, line) in cases.iter().zip(lines) {
        let (name, result) = line.split_once('\t').unwrap();
        let expected = case.expected();
        assert!(
            name == case.name && expected.iter().any(|it| it == result),
            "{}: {line:?} instead of {expected:?}",
            case.name
        );
    }
}

#[test]
fn python_opens_each_vector_as_it_says() {
    if is_usable(&["python3", "-c", "import cryptography"]) {
        agrees(program("python", &["python3", "-B", "vectors.py", "../envelopes.json"]));
    }
}

#[test]
fn go_opens_each_vector_as_it_says() {
    if is_usable(&["go", "version"]) {
        let run = ["go", "run", "callback.go", "vectors.go", "../envelopes.json"];
        agrees(program("go", &run));
    }
}

#[test]
fn java_opens_each_vector_as_it_says() {
    if is_usable(&["javac", "-version"]) {
        let classes = tempfile::tempdir().unwrap();
        let classes = classes.path().to_str().unwrap();
        let sources = ["Callback.java", "Json.java", "Vectors.java"];
        output(program("java", &[&["javac", "-d", classes], &sources[..]].concat()));
        agrees(program("java", &["java", "-cp", classes, "Vectors", "../envelopes.json"]));
    }
}

#[test]
fn node_opens_each_vector_as_it_says() {
    if is_usable(&["node", "--version"]) {
        agrees(program("node", &["node", "vectors.mjs", "../envelopes.json"]));
    }
}

#[test]
fn php_opens_each_vector_as_it_says() {
    if is_usable(&["php", "-r", "exit(extension_loaded('openssl') ? 0 : 1);"]) {
        agrees(program("php", &["php", "vectors.php", "../envelopes.json"]));
    }
}

#[test]
fn the_vectors_are_those_of_their_generator() {
    if is_usable(&["python3", "-c", "import cryptography"]) {
        let written = output(program(".", &["python3", "-B", "generate.py"]));
        assert!(
            written == vectors::VECTORS,
            "envelopes.json is out of date: run `python3 generate.py > envelopes.json`"
        );
    }
}
