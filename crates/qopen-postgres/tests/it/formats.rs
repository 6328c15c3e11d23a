//! Databases that earlier versions wrote, as `pg_dump` gave them: `tests/fixtures/formats`.

use std::fs;
use std::path::{Path, PathBuf};

use qopen_journal::conformance::{Content, Kept};
use qopen_journal::{Backend as _, EndState, JournalError, Note};
use qopen_postgres::testing::Server;
use qopen_postgres::{DatabaseError, PostgresBackend, PostgresSink};
use qopen_sink::conformance::{Subject as _, check_fixture, fixture_rows, publish_fixture};
use qopen_sink::{Sink as _, SinkError};
use qopen_types::Digest;
use tokio::runtime::Runtime;
use tokio_postgres::Client;

use crate::conformance::Database;
use crate::support::{connect, journal, open, page};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats")
}

/// The versions of a schema with a fixture: `journal` or `lists`.
fn versions(of: &str) -> Vec<i32> {
    let folders = fs::read_dir(fixtures()).unwrap();
    let names = folders.map(|it| it.unwrap().file_name().into_string().unwrap());
    let number = |it: String| it.strip_prefix(of)?.strip_prefix('-')?.parse().ok();
    let mut versions: Vec<_> = names.filter_map(number).collect();
    versions.sort_unstable();
    versions
}

/// A text of a fixture.
fn text(of: &str, version: i32, name: &str) -> String {
    fs::read_to_string(fixtures().join(format!("{of}-{version}")).join(name)).unwrap()
}

/// A new database with the tables of a fixture.
async fn restored(server: &Server, of: &str, version: i32) -> (String, Client) {
    let url = server.create(&format!("{of}_{version}")).await.unwrap();
    let client = connect(&url).await;
    client.batch_execute(&text(of, version, "dump.sql")).await.unwrap();
    let client = connect(&url).await;
    (url, client)
}

/// What `pg_dump` says of a database, without what differs from one version of it to another.
fn dump(server: &Server, database: &str) -> Option<String> {
    let mut dump = server.client("pg_dump", database)?;
    dump.args(["--inserts", "--no-owner", "--no-privileges"]);
    let dump = dump.output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let text = String::from_utf8(dump.stdout).unwrap();
    let is_of_pg_dump = |line: &str| {
        let settings = line.starts_with("SET ") || line.starts_with("SELECT pg_catalog.set_config");
        line.is_empty() || line.starts_with("--") || line.starts_with('\\') || settings
    };
    Some(text.lines().filter(|it| !is_of_pg_dump(it)).map(|it| format!("{it}\n")).collect())
}

/// Writes the fixture of this version, if the environment asks for it and it is missing.
fn make(server: &Server, database: &str, folder: &str, texts: &[(&str, &str)]) {
    let folder = fixtures().join(folder);
    let is_there = folder.join("dump.sql").exists();
    if is_there || std::env::var("QOPEN_TEST_FIXTURES").as_deref() != Ok("write") {
        return;
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("dump.sql"), dump(server, database).unwrap()).unwrap();
    for (name, text) in texts {
        fs::write(folder.join(name), text).unwrap();
    }
}

async fn version(client: &Client, schema: &str) -> i32 {
    let read = format!("SELECT max(version) FROM {schema}.migration");
    client.query_one(&read, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_written_journal_has_a_fixture() {
    let Some(server) = Server::start() else { return };
    let made = journal(&server).await;
    let client = connect(&server.url()).await;
    // The fixture has greater transaction numbers than a new cluster.
    for _ in 0..2_000 {
        client.batch_execute("SELECT pg_current_xact_id()").await.unwrap();
    }
    let written = version(&client, "qopen_journal").await;
    let folder = format!("journal-{written}");
    let path = fixtures().join(&folder).join("content.jsonl");
    let content = fs::read_to_string(&path).expect("tests/fixtures/formats/README.md says how");
    Content::read(&content).write(&*made).await;
    make(&server, "postgres", &folder, &[]);
    assert_eq!(versions("journal").last(), Some(&written));
}

#[tokio::test]
async fn a_journal_of_each_version_is_read_whole_and_written_on() {
    let Some(server) = Server::start() else { return };
    for number in versions("journal") {
        let (url, _) = restored(&server, "journal", number).await;
        let content = Content::read(&text("journal", number, "content.jsonl"));
        PostgresBackend::new(&url).unwrap().migrate().await.unwrap();
        let journal = open(&url).await;
        let mut expected = content.kept();
        doubt(&mut expected, &Kept::of(&*journal).await);
        assert_eq!(Kept::of(&*journal).await, expected, "version {number}");
        journal.append(page("new", "a page")).await.unwrap();
        let new = page("new", "a page").pull;
        expected.pulls.insert(new, (Vec::new(), vec!["a page".to_owned()]));
        assert_eq!(Kept::of(&*open(&url).await).await, expected, "version {number}");
    }
}

/// Adds to the pulls that are not complete what a restored journal counts against them.
fn doubt(expected: &mut Kept, found: &Kept) {
    let item = found.items.difference(&expected.items).next().unwrap().clone();
    assert!(item.0.is_none() && item.2.contains("restored from a backup"), "{item:?}");
    let digest = Digest::of(item.3.as_bytes());
    let mut doubted = 0;
    for (notes, _) in expected.pulls.values_mut() {
        let mut ends = notes.iter().filter(|it| matches!(it, Note::Ended { .. } | Note::Resumed));
        if !matches!(ends.next_back(), Some(Note::Ended { status: EndState::Complete, .. })) {
            notes.push(Note::Doubted { item: digest, lost: true });
            doubted += 1;
        }
    }
    assert_eq!(doubted, 3, "the pulls named open, failed and external");
    expected.items.insert(item);
}

/// Whether a message says which version was found, and what to do.
fn says_what_to_do(error: &DatabaseError) -> bool {
    let said = error.to_string();
    let is_so = matches!(error, DatabaseError::Schema { found: 99, .. });
    is_so && said.contains("99") && said.contains("use the later qopen")
}

#[tokio::test]
async fn a_later_journal_is_refused_and_not_touched() {
    let Some(server) = Server::start() else { return };
    for number in versions("journal") {
        let (url, client) = restored(&server, "journal", number).await;
        let later = "INSERT INTO qopen_journal.migration (version) VALUES (99)";
        client.batch_execute(later).await.unwrap();
        let database = format!("journal_{number}");
        let before = dump(&server, &database);
        let backend = PostgresBackend::new(&url).unwrap();
        for error in [
            backend.exists().await.map(drop).unwrap_err(),
            backend.migrate().await.map(drop).unwrap_err(),
            backend.open().await.map(drop).unwrap_err(),
        ] {
            let JournalError::Fatal(error) = error else { panic!("{error:?}") };
            assert!(says_what_to_do(error.downcast_ref().unwrap()), "{error}");
        }
        assert_eq!(dump(&server, &database), before);
    }
}

#[test]
fn the_written_lists_have_a_fixture() {
    let Some(server) = Server::start() else { return };
    let database = Database(server.url());
    PostgresSink::new(&server.url()).unwrap().migrate().unwrap();
    publish_fixture(&*database.sink());
    let rows = fixture_rows(&mut *database.reader());
    let runtime = Runtime::new().unwrap();
    let written = runtime.block_on(async {
        let client = connect(&server.url()).await;
        version(&client, "qopen").await
    });
    make(&server, "postgres", &format!("lists-{written}"), &[("rows.txt", &rows)]);
    let hint = "tests/fixtures/formats/README.md says how";
    assert_eq!(versions("lists").last(), Some(&written), "{hint}");
}

#[test]
fn lists_of_each_version_are_read_and_written_on() {
    let Some(server) = Server::start() else { return };
    let runtime = Runtime::new().unwrap();
    for number in versions("lists") {
        let (url, _) = runtime.block_on(restored(&server, "lists", number));
        check_fixture(&Database(url), &text("lists", number, "rows.txt"));
    }
}

#[test]
fn later_lists_are_refused_and_not_touched() {
    let Some(server) = Server::start() else { return };
    let runtime = Runtime::new().unwrap();
    for number in versions("lists") {
        let (url, client) = runtime.block_on(restored(&server, "lists", number));
        let later = "INSERT INTO qopen.migration (version) VALUES (99)";
        runtime.block_on(client.batch_execute(later)).unwrap();
        let database = format!("lists_{number}");
        let before = dump(&server, &database);
        let (sink, robot) = (PostgresSink::new(&url).unwrap(), "r1".parse().unwrap());
        for error in [
            sink.check().unwrap_err(),
            sink.migrate().map(drop).unwrap_err(),
            sink.holds(&robot).map(drop).unwrap_err(),
            sink.next_order().map(drop).unwrap_err(),
            sink.forget(&[page("m1", "").pull]).map(drop).unwrap_err(),
            sink.begin(qopen_sink::ListKind::Complete).map(drop).unwrap_err(),
            runtime.block_on(sink.changes(&robot, None)).map(drop).unwrap_err(),
        ] {
            let SinkError::Database(error) = error else { panic!("{error:?}") };
            assert!(says_what_to_do(error.downcast_ref().unwrap()), "{error}");
        }
        assert_eq!(dump(&server, &database), before);
    }
}
