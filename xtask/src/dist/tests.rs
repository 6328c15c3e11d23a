#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;

use super::archive::{Archive, sha256};
use super::licences::{Component, bill, texts};
use super::traces::Traces;
use super::{Options, run};

/// The entries of an archive: path, mode, time, and content.
fn entries(packed: &[u8]) -> Vec<(String, u32, u64, Vec<u8>)> {
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    let read = |entry: std::io::Result<tar::Entry<'_, GzDecoder<&[u8]>>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        assert_eq!((header.username(), header.groupname()), (Ok(Some("")), Ok(Some(""))));
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        (path, header.mode().unwrap(), header.mtime().unwrap(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn the_same_contents_give_the_same_bytes_in_whatever_order_they_come() {
    let pack = |paths: &[&str]| {
        let mut archive = Archive::new("x-1.0", 1_772_323_200);
        archive.add_program("x", "program");
        paths.iter().for_each(|it| archive.add(it, format!("content of {it}")));
        archive.pack().unwrap()
    };
    let packed = pack(&["man/man1/x.1", "a.txt", "man/man1/x-a.1", "man/z"]);
    assert_eq!(packed, pack(&["man/z", "man/man1/x-a.1", "a.txt", "man/man1/x.1"]));
    assert_ne!(sha256(&packed), sha256(&pack(&["a.txt"])));
    // Neither a time nor a name is in the head of gzip.
    assert_eq!(packed[3..8], [0; 5]);
    let found = entries(&packed);
    let paths: Vec<&str> = found.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(
        paths,
        [
            "x-1.0/",
            "x-1.0/a.txt",
            "x-1.0/man/",
            "x-1.0/man/man1/",
            "x-1.0/man/man1/x-a.1",
            "x-1.0/man/man1/x.1",
            "x-1.0/man/z",
            "x-1.0/x"
        ]
    );
    assert!(found.iter().all(|it| it.2 == 1_772_323_200));
    assert_eq!((found[1].1, found[2].1, found[7].1), (0o644, 0o755, 0o755));
    assert_eq!(found[7].3, b"program");
}

#[test]
fn a_checksum_is_that_of_sha256sum() {
    assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn a_binary_that_names_a_folder_of_this_machine_is_refused() {
    let traces = Traces::new("/home/name/.cargo");
    let binary = b"\0text /home/name/.cargo/registry/src/x.rs\0more";
    let refused = traces.refuse_in(binary).unwrap_err().to_string();
    assert!(refused.ends_with(": /home/name/.cargo/registry/src/x.rs"), "{refused}");
    traces.refuse_in(b"/cargo/registry/src/x.rs /home/name/.cargox").unwrap();
    assert_eq!(traces.flags(), ["--remap-path-prefix=/home/name/.cargo=/x"]);
}

#[test]
fn each_licence_text_is_there_once_and_crates_without_one_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let component = |name: &str, files: &[(&str, &str)]| {
        let folder = folder.path().join(name);
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        Component {
            name: name.to_owned(),
            version: "1.0.0+x".to_owned(),
            licence: "MIT/Apache-2.0".to_owned(),
            repository: Some(format!("https://example.org/{name}")),
            folder,
        }
    };
    let components = BTreeSet::from([
        component("b", &[("LICENSE-MIT", "shared text\r\n"), ("src/license.rs", "code")]),
        component("a", &[("license", "shared text\n"), ("third_party/NOTICE.txt", "notice")]),
        component("c", &[("README.md", "none")]),
    ]);
    let all = texts(&components, "standard text\n").unwrap();
    assert_eq!((all.matches("shared text").count(), all.matches("code").count()), (1, 0), "{all}");
    assert!(all.contains("a 1.0.0+x (MIT/Apache-2.0)\nb 1.0.0+x (MIT/Apache-2.0)\n==="), "{all}");
    assert!(all.contains("notice"));
    assert!(all.contains("  c 1.0.0+x (MIT/Apache-2.0): https://example.org/c\n"), "{all}");
    let line = "=".repeat(80);
    let standard = format!("{line}\nc 1.0.0+x (MIT/Apache-2.0)\n{line}\n\nstandard text\n");
    assert!(all.contains(&standard), "{all}");
    let other = Component { licence: "BSD-3-Clause".to_owned(), ..component("d", &[]) };
    let error = texts(&BTreeSet::from([other]), "standard text").unwrap_err().to_string();
    assert!(error.starts_with("d 1.0.0+x (BSD-3-Clause) has no file"), "{error}");

    let bill: serde_json::Value = serde_json::from_str(&bill("0.1.0", "t", &components)).unwrap();
    assert_eq!(bill["components"][1]["purl"], "pkg:cargo/b@1.0.0%2Bx");
    assert_eq!(bill["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    assert_eq!(bill["metadata"]["component"]["name"], "qopen");
}

/// A binary that writes what the real one does.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1" = --version ] && echo qopen && exit
[ -z "$LANG$HOME" ] || exit 9
case $1 in
  completions) echo "script of $2" ;;
  schema) echo "{}" ;;
  man) echo "page $SOURCE_DATE_EPOCH" > "$2/qopen.1" && echo page > "$2/qopen-pull.1" ;;
  *) exit 1 ;;
esac
"#;

#[cfg(unix)]
#[test]
fn two_packs_of_one_binary_are_equal() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("stand-in");
    std::fs::write(&binary, STAND_IN).unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (target, root) = ("x86_64-unknown-linux-musl", crate::root());
    let pack = |out: &str| {
        let out = folder.path().join(out);
        let words = ["--target", target, "--out", out.to_str().unwrap(), "--binary"];
        let words = [&words[..], &[binary.to_str().unwrap()]].concat();
        run(&root, &Options::parse(&words).unwrap()).unwrap();
        let sums = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
        let (sum, name) = sums.trim_end().split_once("  ").unwrap();
        let packed = std::fs::read(out.join(name)).unwrap();
        assert_eq!(sum, sha256(&packed));
        (name.to_owned(), packed)
    };
    let first = pack("one");
    assert!(first == pack("another/folder"), "the archives differ");
    let folder_in = first.0.strip_suffix(".tar.gz").unwrap();
    assert!(folder_in.ends_with("-x86_64-unknown-linux-musl"));
    let found = entries(&first.1);
    let content = |path: &str| {
        let path = format!("{folder_in}/{path}");
        let entry = found.iter().find(|it| it.0 == path);
        String::from_utf8(entry.unwrap_or_else(|| panic_without(&path)).3.clone()).unwrap()
    };
    assert_eq!(content("qopen"), STAND_IN);
    assert_eq!(content("completions/_qopen"), "script of zsh\n");
    let time = found[0].2;
    assert_eq!(content("man/man1/qopen.1"), format!("page {time}\n"));
    assert!(content("BUILD.txt").contains(&format!("SOURCE_DATE_EPOCH: {time}\n")));
    assert!(content("packaging/qopen.service").contains("Type=notify"));
    assert!(content("licences/crates.txt").contains("tokio "));
    let bill = content("qopen.cdx.json");
    // What is linked, and neither a macro nor a tool of tests.
    assert!(bill.contains("pkg:cargo/rustls@") && bill.contains("pkg:cargo/libsqlite3-sys@"));
    assert!(!bill.contains("pkg:cargo/serde_derive@") && !bill.contains("pkg:cargo/insta@"));
    for path in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "qopen.schema.json"] {
        assert!(!content(path).is_empty());
    }
    let home = std::env::home_dir().unwrap();
    let home = format!("{}/", home.display());
    let names_it = |it: &&(String, u32, u64, Vec<u8>)| {
        String::from_utf8_lossy(&it.3).contains(&home) && Path::new(&home).parent().is_some()
    };
    let names_it: Vec<&str> = found.iter().filter(names_it).map(|it| it.0.as_str()).collect();
    assert!(names_it.is_empty(), "{names_it:?} name a folder of this machine");
}

fn panic_without(path: &str) -> ! {
    unreachable!("the archive has no {path}")
}

#[test]
fn a_target_whose_binary_would_not_be_static_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = super::compiler::tools("aarch64-unknown-linux-gnu", folder.path()).unwrap_err();
    assert!(refused.to_string().contains("needs a target of musl"), "{refused}");
}

#[test]
fn the_folder_of_zig_is_read_in_both_of_its_notations() {
    let library = super::compiler::library;
    let zon = ".{\n    .zig_exe = \"/x/zig\",\n    .lib_dir = \"/x/lib\",\n    .std_dir = \"/x/lib/std\",\n}";
    let json =
        "{\n \"zig_exe\": \"/x/zig\",\n \"lib_dir\": \"/x/lib\",\n \"std_dir\": \"/x/lib/std\"\n}";
    assert_eq!((library(zon), library(json)), (Some("/x/lib"), Some("/x/lib")));
    assert_eq!((library(".{}"), library("lib_dir")), (None, None));
}

#[test]
fn options_are_read_and_wrong_ones_refused() {
    let parsed = Options::parse(&["--target", "a", "--target", "b", "--out", "o"]).unwrap();
    assert_eq!((parsed.targets.len(), parsed.out), (2, Some("o".into())));
    for wrong in [&["--targets", "a"][..], &["--out"], &["--binary", "b"]] {
        assert!(Options::parse(wrong).is_err(), "{wrong:?}");
    }
}
