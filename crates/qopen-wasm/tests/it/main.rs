//! The module under Node, on the published vectors and beside the same program for this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use qopen_callback::{CallbackKeys, Keyring};
use serde_json::{Value, json};

const VARIABLE: &str = "QOPEN_TEST_WASM";
const TARGET: &str = "wasm32-wasip1";

fn crate_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The output of a program that succeeds.
fn output(program: impl AsRef<OsStr>, arguments: &[&OsStr], input: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writes = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A program that needs no input may not read it.
    let _ = writes.join().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Whether Node and the target are here.
fn is_possible() -> bool {
    let libraries = ["--print", "target-libdir", "--target", TARGET].map(OsStr::new);
    let libraries = output("rustc", &libraries, "").map(|it| PathBuf::from(it.trim()));
    let node = output("node", &["--version".as_ref()], "");
    if libraries.is_some_and(|it| it.exists()) && node.is_some() {
        return true;
    }
    assert_ne!(
        std::env::var(VARIABLE).as_deref(),
        Ok("required"),
        "{VARIABLE} is required; install Node, and the target by `rustup target add {TARGET}`"
    );
    // Past the harness, which keeps what a passing test prints.
    let skip = format!("SKIP: Node or the target {TARGET} is missing; {VARIABLE}=required fails\n");
    std::io::stderr().write_all(skip.as_bytes()).unwrap();
    false
}

/// The module. It is built once.
fn module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm");
        let build = ["build", "--quiet", "--locked", "--package", "qopen-wasm", "--target", TARGET];
        let status = Command::new(env!("CARGO"))
            .args(build)
            .arg("--target-dir")
            .arg(&folder)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(status.unwrap().success(), "the module does not build");
        folder.join(TARGET).join("debug/qopen-wasm.wasm")
    })
}

/// The output of one of the scripts.
fn node(script: &str, arguments: &[&Path], input: &str) -> String {
    let script = crate_file("node").join(script);
    let all = ["--no-warnings".as_ref(), script.as_os_str()];
    let arguments = arguments.iter().map(|it| it.as_os_str());
    let all: Vec<_> = all.into_iter().chain(arguments).collect();
    output("node", &all, input).unwrap_or_else(|| panic!("{} failed", script.display()))
}

fn native(input: &str) -> String {
    output(env!("CARGO_BIN_EXE_qopen-wasm"), &[], input).unwrap()
}

#[test]
fn each_vector_opens_in_node_as_it_says() {
    if is_possible() {
        let vectors = crate_file("../qopen-callback/vectors/envelopes.json");
        let said = node("vectors.mjs", &[module(), &vectors], "");
        assert!(said.starts_with("212 vectors, "), "{said}");
    }
}

/// Callbacks of three lists, the last page first. One list lacks its last page; one envelope is forged.
fn input() -> String {
    let aes = "0123456789abcdef".into();
    let ring = Keyring::new("app", CallbackKeys::new("token", &aes).unwrap());
    let mut lines =
        vec![json!({"app_key": "app", "token": "token", "encoding_aes_key": "0123456789abcdef"})];
    for page in (0..40_u32).rev() {
        let number = page / 3;
        let accounts: Vec<_> = (0..50)
            .map(|at| json!({"account_id": format!("{:05}", number * 40 + at), "at": number}))
            .collect();
        let has_more = page % 3 == 2 || page < 36;
        let data = json!({"mark_id": page % 3, "has_more": has_more, "account_list": accounts});
        let page = json!({"event_type": 42016, "robot_id": "robot", "data": data}).to_string();
        for nonce in ["a", "b"] {
            let body = serde_json::to_string(&ring.seal(&page, nonce, 1)).unwrap();
            lines.push(json!({"body": body}));
        }
    }
    let forged = lines[1]["body"].as_str().unwrap().replace("\"nonce\":\"a\"", "\"nonce\":\"c\"");
    lines.push(json!({"body": forged}));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_program_for_this_machine_makes_whole_lists() {
    let said = native(&input());
    let lines: Vec<Value> = said.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(lines[80], json!({"refused": "signature"}));
    let pages = [14, 13, 13];
    for ((list, pages), mark) in lines[81..].iter().zip(pages).zip(["0", "1", "2"]) {
        assert_eq!(list["mark_id"], mark);
        assert_eq!(list["complete"], mark != "2");
        assert_eq!(list["failure"].as_str(), (mark == "2").then_some("LastPageMissing"));
        let ids = list["accounts"].as_array().unwrap().iter().map(|it| it["account_id"].as_str());
        let expected: Vec<_> = (0..(pages - 1) * 40 + 50).map(|it| format!("{it:05}")).collect();
        assert!(ids.eq(expected.iter().map(|it| Some(&**it))));
    }
    assert_eq!(lines.len(), 84);
}

#[test]
fn the_module_in_node_says_what_the_program_for_this_machine_says() {
    if is_possible() {
        let input = input();
        assert!(node("run.mjs", &[module()], &input) == native(&input));
    }
}
