//! Databases that earlier versions wrote, as `mariadb-dump` gave them: `tests/fixtures/formats`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use qopen_mysql::testing::Server;
use qopen_mysql::{MysqlError, MysqlSink};
use qopen_sink::conformance::{Reader, Subject as _, check_fixture, fixture_rows, publish_fixture};
use qopen_sink::{Sink as _, SinkError};

use crate::support::{Connected, Database};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats")
}

/// The versions with a fixture.
fn versions() -> Vec<i64> {
    let folders = fs::read_dir(fixtures()).unwrap();
    let names = folders.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut versions: Vec<_> = names.filter_map(|it| it.parse().ok()).collect();
    versions.sort_unstable();
    versions
}

fn text(version: i64, name: &str) -> String {
    fs::read_to_string(fixtures().join(version.to_string()).join(name)).unwrap()
}

/// The collation that a server has of those that the tables may have.
fn of_this_server(dump: &str, reader: &mut dyn Reader) -> String {
    const MARIADB: &str = "utf8mb4_nopad_bin";
    let found = format!("SHOW COLLATION LIKE '{MARIADB}'");
    match reader.query(&found)[..] {
        [] => dump.replace(MARIADB, "utf8mb4_0900_bin"),
        _ => dump.to_owned(),
    }
}

/// An empty database with the tables of a fixture.
fn restore(server: &Server, version: i64) {
    let mut admin = Connected::new(&server.url_of("information_schema"));
    admin.execute("DROP DATABASE IF EXISTS qopen");
    admin.execute("CREATE DATABASE qopen");
    let mut reader = Connected::new(&server.url());
    let dump = of_this_server(&text(version, "dump.sql"), &mut reader);
    // The dump has its names in back quotes, and backslashes in its texts.
    reader.execute("SET sql_mode = ''");
    for statement in dump.split(";\n").map(str::trim).filter(|it| !it.is_empty()) {
        reader.execute(statement);
    }
}

/// What `mariadb-dump` says, without what is of one server only.
fn dump(server: &Server) -> String {
    let mut dump = Command::new("mariadb-dump");
    dump.args(["--no-defaults", "--user=qopen", "--socket"]).arg(server.socket());
    dump.args(["--skip-comments", "--skip-set-charset", "--skip-tz-utc", "--skip-add-locks"]);
    dump.args(["--skip-disable-keys", "--skip-extended-insert", "--skip-add-drop-table"]);
    let dump = dump.arg("qopen").env("MYSQL_PWD", server.password()).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let text = String::from_utf8(dump.stdout).unwrap();
    let is_of_a_server = |line: &&str| line.starts_with("/*") || line.is_empty();
    text.lines().filter(|it| !is_of_a_server(it)).map(|it| format!("{it}\n")).collect()
}

fn written(reader: &mut dyn Reader) -> i64 {
    reader.query("SELECT max(version) FROM qopen_version")[0][0].parse().unwrap()
}

#[test]
fn the_written_version_has_a_fixture() {
    let Some(server) = Server::start() else { return };
    let database = Database(server.url());
    MysqlSink::new(&server.url()).unwrap().migrate().unwrap();
    publish_fixture(&*database.sink());
    let mut reader = database.reader();
    let (written, rows) = (written(&mut *reader), fixture_rows(&mut *reader));
    let folder = fixtures().join(written.to_string());
    if !folder.exists() && std::env::var("QOPEN_TEST_FIXTURES").as_deref() == Ok("write") {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("dump.sql"), dump(&server)).unwrap();
        fs::write(folder.join("rows.txt"), rows).unwrap();
    }
    let hint = "tests/fixtures/formats/README.md says how";
    assert_eq!(versions().last(), Some(&written), "{hint}");
}

#[test]
fn lists_of_each_version_are_read_and_written_on() {
    let Some(server) = Server::start() else { return };
    for version in versions() {
        restore(&server, version);
        check_fixture(&Database(server.url()), &text(version, "rows.txt"));
    }
}

#[test]
fn later_lists_are_refused_and_not_touched() {
    let Some(server) = Server::start() else { return };
    for version in versions() {
        restore(&server, version);
        let mut admin = Connected::new(&server.url());
        admin.execute("INSERT INTO qopen_version VALUES (999999, now())");
        let everything = |admin: &mut Connected| {
            let tables = admin.query("CHECKSUM TABLE robot_account, tag, pull, list, \"change\"");
            let columns =
                "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS
                 WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1, 2";
            (tables, admin.query(columns))
        };
        let before = everything(&mut admin);
        let (sink, robot) = (MysqlSink::new(&server.url()).unwrap(), "r1".parse().unwrap());
        for error in [
            sink.check().unwrap_err(),
            sink.migrate().map(drop).unwrap_err(),
            sink.holds(&robot).map(drop).unwrap_err(),
            sink.next_order().map(drop).unwrap_err(),
            sink.begin(qopen_sink::ListKind::Complete)
                .map(drop)
                .and_then(|()| publish(&sink))
                .unwrap_err(),
        ] {
            let SinkError::Database(error) = error else { panic!("{error:?}") };
            let error = error.downcast_ref::<MysqlError>().unwrap();
            assert!(matches!(error, MysqlError::Newer { found: 999_999, .. }), "{error:?}");
            let said = error.to_string();
            assert!(said.contains("999999") && said.contains("use the later qopen"), "{said}");
        }
        assert_eq!(everything(&mut admin), before);
    }
}

/// A list without customers. The database is opened at its end.
fn publish(sink: &MysqlSink) -> Result<(), SinkError> {
    let (robot, mark) = ("r1".parse().unwrap(), "m9".parse().unwrap());
    let mut writer = sink.begin(qopen_sink::ListKind::Complete)?;
    writer.begin_list(&qopen_sink::ListInfo::new(&robot, &mark, 1))?;
    writer.commit().map(drop)
}
