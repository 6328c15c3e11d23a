//! What `qopen doctor` says of stored formats, without changing any of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use qopen_postgres::testing::Server;
use qopen_simulator::Schedule;
use tokio_postgres::{Client, NoTls};

use crate::support::{Stage, qopen, text, with_settings};

fn fixtures(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of).join("tests/fixtures/formats")
}

/// What doctor says, and its exit code.
fn doctor(folder: &Path, arguments: &[&str]) -> (String, i32) {
    let mut command = with_settings(qopen(folder, &[&["doctor"], arguments].concat()));
    command.env("QOPEN_BASE_URL", "http://127.0.0.1:1").env("QOPEN_LISTEN", "127.0.0.1:0");
    let output = command.output().unwrap();
    (text(&output.stdout), output.status.code().unwrap())
}

/// Each file of a folder with its bytes and the time of its last change.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let read = |file: PathBuf| {
        let changed = file.metadata().unwrap().modified().unwrap();
        (file.clone(), (std::fs::read(&file).unwrap(), changed))
    };
    files.map(read).collect()
}

#[test]
fn doctor_says_what_becomes_of_a_journal_in_a_folder_and_changes_nothing() {
    for (format, said) in [
        (
            "1",
            "WARN  journal format: version 1; this qopen reads it in place, and will write version 4",
        ),
        ("3", "an earlier qopen cannot use it after that: make a backup first"),
        ("4", "ok    journal format: version 4; this qopen reads and writes it, nothing to do"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("qopen-data");
        std::fs::create_dir(&data).unwrap();
        for file in std::fs::read_dir(fixtures("qopen-journal").join(format)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), data.join(file.file_name())).unwrap();
        }
        let before = bytes(&data);
        let (found, exit) = doctor(folder.path(), &[]);
        assert!(found.contains(said) && exit == 0, "{found}");
        assert!(found.contains("ok    journal: qopen-data: 4 pulls"), "{found}");
        assert_eq!(bytes(&data), before);
    }
}

#[test]
fn doctor_looks_at_a_journal_that_is_in_use_and_at_one_of_a_later_version() {
    let stage = Stage::new(&Schedule { accounts: 10, ..Schedule::default() });
    assert!(stage.run(&["--robot", "r1", "--out", "list"]).status.success());
    let served = crate::served::Served::new(&stage, &[], None);
    let (found, exit) = doctor(stage.folder.path(), &[]);
    assert!(found.contains("in use (process ") && exit == 0, "{found}");
    assert!(found.contains("ok    journal format: version 4"), "{found}");
    assert!(served.stop().success());
    let data = stage.folder.path().join("qopen-data");
    let segment = data.join("00000001.log");
    let mut later = std::fs::read(&segment).unwrap();
    later[8] = 5;
    let check = ::qopen::types::Digest::of(&later[..48]).to_u128().to_le_bytes();
    later[48..64].copy_from_slice(&check);
    std::fs::write(&segment, later).unwrap();
    let before = bytes(&data);
    let (found, exit) = doctor(stage.folder.path(), &[]);
    assert!(found.contains("FAIL  journal: ") && exit == 2, "{found}");
    assert!(found.contains("format 5") && found.contains("use the later qopen"), "{found}");
    assert_eq!(bytes(&data), before);
}

/// Every row of every table and sequence, and every column.
async fn everything(client: &Client) -> Vec<String> {
    let mut all = Vec::new();
    let relations =
        "SELECT c.oid::regclass::text, relkind = 'S' FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname LIKE 'qopen%' AND relkind IN ('r', 'S') ORDER BY 1";
    for relation in client.query(relations, &[]).await.unwrap() {
        // A sequence is a row without a type.
        let row =
            if relation.get::<_, bool>(1) { "concat(last_value, is_called)" } else { "t::text" };
        let relation: String = relation.get(0);
        let rows = format!("SELECT '{relation} ' || {row} FROM {relation} AS t ORDER BY 1");
        all.extend(client.query(&rows, &[]).await.unwrap().iter().map(|row| row.get(0)));
    }
    let columns = "SELECT concat_ws('.', table_schema, table_name, column_name, data_type)
         FROM information_schema.columns WHERE table_schema LIKE 'qopen%' ORDER BY 1";
    all.extend(client.query(columns, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)));
    all
}

#[test]
fn doctor_leaves_an_interrupted_write_to_a_file_as_it_is() {
    let stage = Stage::new(&Schedule { accounts: 10, ..Schedule::default() });
    let folder = stage.folder.path();
    assert!(stage.run(&["--robot", "r1", "--out", "lists.db"]).status.success());
    let copy = |suffix: &str, to: &Path| {
        let name = format!("lists.db{suffix}");
        std::fs::copy(folder.join(&name), to.join(&name)).unwrap();
    };
    let writer = rusqlite::Connection::open(folder.join("lists.db")).unwrap();
    let later = "BEGIN IMMEDIATE; DELETE FROM robot_account; PRAGMA user_version = 9000";
    // A process that was killed after it wrote the file, and before it deleted the journal.
    let journal = tempfile::tempdir().unwrap();
    let mode = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF";
    writer.execute_batch(&format!("{mode}; {later}")).unwrap();
    copy("-journal", journal.path());
    writer.execute_batch("COMMIT").unwrap();
    copy("", journal.path());
    // A process that was killed after it committed into the log.
    let log = tempfile::tempdir().unwrap();
    let committed =
        "INSERT INTO robot_account (robot_id, account_id, account) VALUES ('r', 'a', '{}')";
    let mode = "PRAGMA journal_mode = WAL; PRAGMA user_version = 1015";
    writer.execute_batch(&format!("{mode}; {committed}")).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        copy(suffix, log.path());
    }
    // A journal that is too large for a copy is not the end of the file.
    let large = tempfile::tempdir().unwrap();
    for suffix in ["", "-journal"] {
        let name = format!("lists.db{suffix}");
        std::fs::copy(journal.path().join(&name), large.path().join(&name)).unwrap();
    }
    let long = std::fs::File::options().write(true).open(large.path().join("lists.db-journal"));
    long.unwrap().set_len(65 << 20).unwrap();
    let out = large.path().join("lists.db");
    let (found, _) = doctor(folder, &["--out", out.to_str().unwrap()]);
    assert!(found.contains("what the next list changes in "), "{found}");
    assert!(found.contains("the next list recovers it"), "{found}");
    assert!(!found.contains("cannot be published"), "{found}");
    for (killed, accounts) in [(&journal, 10), (&log, 1)] {
        std::fs::write(
            folder.join("qopen.toml"),
            format!(
                "[[schedule]]\ncron = \"0 0 1 1 *\"\nrobots = [\"r9\"]\nout = \"{}/lists.db\"\n",
                killed.path().display()
            ),
        )
        .unwrap();
        let before = bytes(killed.path());
        let out = killed.path().join("lists.db");
        let (found, exit) = doctor(folder, &["--out", out.to_str().unwrap()]);
        assert!(exit == 0 && found.contains("ok    output: lists can be published"), "{found}");
        let format = "format: version 1015; this qopen reads and writes it, nothing to do";
        assert_eq!(found.matches(format).count(), 2, "{found}");
        assert!(bytes(killed.path()) == before, "doctor changed the file or its folder");
        let file = rusqlite::Connection::open(out).unwrap();
        let count = "SELECT count(*) FROM robot_account";
        let found: i64 = file.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(found, accounts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_what_becomes_of_databases_and_changes_nothing() {
    let Some(server) = Server::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let load = async |name: &str, dump: &str| {
        let url = server.create(name).await.unwrap();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let dump = fixtures("qopen-postgres").join(dump).join("dump.sql");
        client.batch_execute(&std::fs::read_to_string(dump).unwrap()).await.unwrap();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        (url, client)
    };
    let (journal, of_journal) = load("journal", "journal-3").await;
    let (lists, of_lists) = load("lists", "lists-4").await;
    let before = (everything(&of_journal).await, everything(&of_lists).await);
    let arguments = ["--journal", &journal, "--out", &lists];
    let (found, exit) = doctor(folder.path(), &arguments);
    let column = "version 4 will be made of it: column qopen_journal.identity.home";
    assert!(found.contains("WARN  journal format: version 3") && found.contains(column), "{found}");
    assert!(found.contains("FAIL  journal: ") && found.contains("run `qopen migrate`"), "{found}");
    assert!(found.contains("ok    output: lists can be published to postgres://"), "{found}");
    assert!(found.contains("ok    output format: version 4"), "{found}");
    assert_eq!(exit, 2, "{found}");
    assert_eq!((everything(&of_journal).await, everything(&of_lists).await), before);

    // It is as doctor said.
    let migrate = |arguments: &[&str]| {
        let output = qopen(folder.path(), &[&["migrate"], arguments].concat()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    migrate(&["--journal", &journal]);
    let after = everything(&of_journal).await;
    let is_new = |it: &&String| it.starts_with("qopen_journal.identity.home.");
    assert_eq!(after.iter().filter(is_new).count(), 1);
    let (found, _) = doctor(folder.path(), &arguments);
    assert!(found.contains("ok    journal format: version 4"), "{found}");
    assert_eq!(everything(&of_journal).await, after);

    // Without tables, and with fewer columns and migrations.
    let empty = server.create("empty").await.unwrap();
    let (found, _) = doctor(folder.path(), &["--out", &empty]);
    assert!(
        found.contains("output format: nothing is stored yet; version 4 will be made"),
        "{found}"
    );
    of_lists
        .batch_execute(
            "DELETE FROM qopen.migration WHERE version = 4;
             ALTER TABLE qopen.pull DROP COLUMN evidence, DROP COLUMN basis;
             ALTER TABLE qopen.list DROP COLUMN list_order, DROP COLUMN evidence, DROP COLUMN basis,
                 DROP COLUMN digest_before, DROP COLUMN digest",
        )
        .await
        .unwrap();
    let before = everything(&of_lists).await;
    let (found, _) = doctor(folder.path(), &["--out", &lists]);
    assert!(found.contains("column qopen.pull.basis, column qopen.list.list_order"), "{found}");
    assert_eq!(everything(&of_lists).await, before);
    of_lists.batch_execute("INSERT INTO qopen.migration VALUES (99)").await.unwrap();
    let (found, exit) = doctor(folder.path(), &["--out", &lists]);
    assert!(found.contains("version 99") && found.contains("use the later qopen"), "{found}");
    assert_eq!(exit, 7, "{found}");
    assert!(!folder.path().join("qopen-data").exists(), "a check leaves no trace");
}
