//! Servers of every setting, and their failures.

use std::slice;
use std::sync::Barrier;

use qopen_mysql::testing::Server;
use qopen_mysql::{MysqlError, MysqlSink};
use qopen_sink::conformance::Reader as _;
use qopen_sink::{CompareOptions, ListInfo, ListKind, ListWriter, Record, Sink, SinkError};
use qopen_types::{Account, MarkId, RobotId, TagInfo};

use crate::support::Connected;

/// A written list of a robot, compared with the last one.
fn compared(
    sink: &MysqlSink,
    mark: &str,
    accounts: &[Account],
) -> Result<(Box<dyn ListWriter>, u64), SinkError> {
    let (robot, mark): (RobotId, MarkId) = ("r".parse().unwrap(), mark.parse().unwrap());
    let mut writer = sink.begin(ListKind::Complete)?;
    writer.begin_list(&ListInfo::new(&robot, &mark, 1))?;
    accounts.iter().try_for_each(|it| writer.write(&Record::new(&robot, it)))?;
    writer.settle()?;
    let compared = writer.compare(CompareOptions::default(), &mut |_, _| Ok(()))?;
    let changes = compared.map_or(0, |it| it[0].counts.total());
    Ok((writer, changes))
}

fn publish(sink: &MysqlSink, mark: &str, accounts: &[Account]) -> Result<u64, SinkError> {
    let (writer, changes) = compared(sink, mark, accounts)?;
    writer.commit().map(|_| changes)
}

fn account(id: &str, name: &str) -> Account {
    let mut account = Account::new(id.parse().unwrap());
    account.profile.name = name.to_owned();
    account
}

fn why(error: &SinkError) -> &MysqlError {
    let SinkError::Database(error) = error else { panic!("{error:?}") };
    error.downcast_ref().unwrap()
}

/// A server whose defaults change how texts are read, cut them, write nothing, or order and compare them otherwise.
#[test]
fn the_defaults_of_a_server_change_no_text_and_no_commit() {
    let Some(server) = Server::start_with(&[
        "--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH,NO_AUTO_VALUE_ON_ZERO,PIPES_AS_CONCAT",
        "--character-set-server=latin1",
        "--collation-server=latin1_swedish_ci",
        "--autocommit=0",
        "--completion-type=CHAIN",
        "--transaction-isolation=SERIALIZABLE",
        "--innodb-lock-wait-timeout=1",
        "--default-time-zone=+08:00",
        "--max-allowed-packet=1M",
        "--max-sort-length=64",
        "--default-storage-engine=MyISAM",
        "--init-connect=SET sql_safe_updates = 1",
    ]) else {
        return;
    };
    let sink = MysqlSink::new(&server.url()).unwrap();
    sink.check().unwrap();
    let texts = [
        "\\",
        "\\'",
        "it''s \"q\"",
        "a ",
        "a",
        "😀 企业微信",
        "%_",
        "\r\n\t",
        "x".repeat(70_000).as_str(),
    ]
    .map(str::to_owned);
    let mut accounts: Vec<Account> = ["A", "a", "a ", "á", "é😀", "z\u{a0}", "\\", "'", "\""]
        .iter()
        .zip(&texts)
        .map(|(id, text)| {
            let mut account = account(id, text);
            account.profile.add_at = 1_700_000_000;
            let mut tag = TagInfo::default();
            (tag.parent_tag_name, tag.tag_name) = (text.clone(), text.clone());
            account.tag_info_list = vec![tag.clone(), tag];
            account
        })
        .collect();
    // More rows than one statement, and more bytes than one message.
    accounts.extend((0..300).map(|n| account(&format!("many {n:03}"), &"y".repeat(9_000))));
    // Rows of which one more does not fit into the message.
    accounts.extend((0..8).map(|n| account(&format!("large {n}"), &"w".repeat(400_000))));
    // Ids that differ only behind the part that a sort compares.
    let long = "l".repeat(500);
    accounts.extend(["2", "1", " ", "10"].map(|it| account(&format!("{long}{it}"), "long")));
    assert_eq!(publish(&sink, "m1", &accounts).unwrap(), 0);
    assert_eq!(publish(&sink, "m2", &accounts).unwrap(), 0);
    let count = accounts.len().to_string();
    assert_eq!(server.query("SELECT count(*) FROM robot_account"), [[count]]);
    for (account, text) in accounts.iter().zip(&texts) {
        let sql = "SELECT HEX(name), add_at, (SELECT count(*) FROM tag AS it
                 WHERE it.robot_id = a.robot_id AND it.account_id = a.account_id AND it.tag_name = a.name)
             FROM robot_account AS a WHERE HEX(account_id) = ";
        let hex = |text: &str| text.bytes().map(|it| format!("{it:02X}")).collect::<String>();
        let row = server.query(&format!("{sql}'{}'", hex(account.account_id.as_str())));
        assert_eq!(row, [[hex(text), "2023-11-14 22:13:20".to_owned(), "2".to_owned()]]);
    }
    let engines =
        "SELECT DISTINCT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
    assert_eq!(server.query(engines), [["InnoDB"]]);
    // A record that no message holds is refused by its size, and nothing is changed.
    accounts.push(account("too large", &"z".repeat(1_100_000)));
    let error = publish(&sink, "m3", &accounts).unwrap_err();
    assert!(matches!(why(&error), MysqlError::TooLarge { limit: 1_048_576, .. }), "{error:?}");
    assert_eq!(server.query("SELECT mark_id FROM pull"), [["m2"]]);
    assert!(
        format!("{error:?}").contains("max_allowed_packet")
            || why(&error).to_string().contains("max_allowed_packet")
    );
    sink.check().unwrap();
}

/// The lock of writers is not held between comparison and commit, in which the platform may be asked about customers.
#[test]
fn a_list_that_is_replaced_after_the_comparison_is_not_replaced_again() {
    let Some(server) = Server::start() else { return };
    let sink = MysqlSink::new(&server.url()).unwrap();
    let (a, b) = (account("a", ""), account("b", ""));
    publish(&sink, "m1", slice::from_ref(&a)).unwrap();
    let (slow, _) = compared(&sink, "m2", &[a.clone(), b.clone()]).unwrap();
    publish(&sink, "m3", slice::from_ref(&b)).unwrap();
    let error = slow.commit().unwrap_err();
    assert!(matches!(error, SinkError::Replaced { .. }), "{error:?}");
    // A row that was deleted, and one that was added.
    for edit in ["DELETE FROM robot_account", "UPDATE robot_account SET account_id = 'c'"] {
        let (slow, _) = compared(&sink, "m4", &[account("c", "")]).unwrap();
        let mut reader = Connected::new(&server.url());
        reader.execute("START TRANSACTION");
        reader.execute(edit);
        reader.execute("COMMIT");
        let error = slow.commit().unwrap_err();
        assert!(matches!(why(&error), MysqlError::RowsAltered), "{error:?}");
        assert_eq!(server.query("SELECT mark_id FROM pull"), [["m3"]]);
        reader.execute("DELETE FROM robot_account");
        reader.execute("DELETE FROM pull");
        publish(&sink, "m3", slice::from_ref(&b)).unwrap();
    }
}

/// What the server rolls back is done again, whole.
#[test]
fn a_deadlock_is_tried_again_with_all_of_its_steps() {
    let Some(server) = Server::start() else { return };
    let sink = MysqlSink::new(&server.url()).unwrap();
    let accounts: Vec<Account> = (0..600).map(|n| account(&format!("{n:03}"), "new")).collect();
    publish(&sink, "m1", &[account("000", "old"), account("599", "old")]).unwrap();
    let (writer, _) = compared(&sink, "m2", &accounts).unwrap();
    let mut other = Connected::new(&server.url());
    // It holds the row that the writer wants last, and then wants the one that the writer wrote first. It changed more
    // rows, so the server rolls the writer back.
    other.execute("CREATE TABLE weight (n INT PRIMARY KEY, text LONGTEXT)");
    // Only rows that fulfil a condition are locked.
    other.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
    other.execute("START TRANSACTION");
    let values = (0..4_000).map(|n| format!("({n}, REPEAT('x', 100))")).collect::<Vec<_>>();
    other.execute(&format!("INSERT INTO weight VALUES {}", values.join(", ")));
    other.execute("SELECT account FROM robot_account WHERE account_id = '599' FOR UPDATE");
    let committed = std::thread::scope(|scope| {
        let committed = scope.spawn(|| writer.commit());
        // Until the writer waits.
        let waits =
            "SELECT count(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'";
        while other.query(waits) != [["1"]] {
            assert!(!committed.is_finished(), "the writer did not wait");
            // The server does not renew this table while it is read more often.
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
        other.execute("SELECT account FROM robot_account WHERE account_id = '000' FOR UPDATE");
        other.execute("ROLLBACK");
        committed.join().unwrap()
    });
    committed.unwrap();
    assert_eq!(server.query("SELECT count(*), min(name) FROM robot_account"), [["600", "new"]]);
    assert_eq!(server.query("SELECT publications FROM robot_writer"), [["2"]]);
    let rows = server
        .query("SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'lock_deadlocks'");
    assert_eq!(rows, [["1"]]);
}

/// The server goes away in the middle of a commit, with all of its memory.
#[test]
fn a_server_that_is_killed_has_the_old_list_or_the_new_one() {
    let Some(mut server) = Server::start() else { return };
    let sink = MysqlSink::new(&server.url()).unwrap();
    let list = |name: &str| -> Vec<Account> {
        (0..3_000).map(|n| account(&format!("{n:04}"), name)).collect()
    };
    publish(&sink, "m0", &list("m0")).unwrap();
    for n in 1..=4 {
        let mark = format!("m{n}");
        let (writer, _) = compared(&sink, &mark, &list(&mark)).unwrap();
        let barrier = Barrier::new(2);
        let committed = std::thread::scope(|scope| {
            let committed = scope.spawn(|| {
                barrier.wait();
                writer.commit()
            });
            barrier.wait();
            std::thread::sleep(std::time::Duration::from_millis(60 * n));
            server.stop().unwrap();
            committed.join().unwrap()
        });
        // Without a server, an error says so.
        if let Err(error) = &committed {
            assert!(matches!(why(error), MysqlError::Connection(_)), "{error:?}");
        }
        assert!(matches!(why(&sink.check().unwrap_err()), MysqlError::Connection(_)));
        server.run().unwrap();
        let names = server.query("SELECT count(*), min(name), max(name), min(mark_id) FROM robot_account JOIN pull USING (robot_id)");
        assert_eq!(
            (&names[0][0], &names[0][1], &names[0][2]),
            (&"3000".to_owned(), &names[0][3], &names[0][3])
        );
        assert!(committed.is_err() || names[0][3] == mark);
        // The next list needs no repair.
        publish(&sink, &format!("next {n}"), &list("next")).unwrap();
        publish(&sink, "m0", &list("m0")).unwrap();
    }
}

#[test]
fn what_is_not_qopens_is_refused_and_unchanged() {
    let Some(server) = Server::start() else { return };
    let sink = MysqlSink::new(&server.url()).unwrap();
    let mut admin = Connected::new(&server.url());
    admin.execute("CREATE TABLE tag (id INT PRIMARY KEY)");
    admin.execute("CREATE TABLE customers (id INT PRIMARY KEY)");
    for error in
        [sink.check().unwrap_err(), sink.next_order().unwrap_err(), sink.migrate().unwrap_err()]
    {
        assert!(
            matches!(why(&error), MysqlError::OtherProgram { table } if table == "tag"),
            "{error:?}"
        );
    }
    assert_eq!(server.query("SHOW TABLES"), [["customers"], ["tag"]]);
    // Tables of other names may be there.
    admin.execute("DROP TABLE tag");
    assert_eq!(sink.migrate().unwrap(), 1);
    assert_eq!(sink.migrate().unwrap(), 0);
    // A migration that was interrupted is done again.
    admin.execute("DROP TABLE `change`");
    admin.execute("DELETE FROM qopen_version");
    assert_eq!(sink.migrate().unwrap(), 1);
    publish(&sink, "m1", &[account("a", "name of a")]).unwrap();
    // An earlier version had fewer columns.
    admin.execute("ALTER TABLE robot_account DROP COLUMN name");
    admin.execute("UPDATE qopen_version SET version = version - 1");
    assert_eq!(sink.migrate().unwrap(), 1);
    assert_eq!(server.query("SELECT name FROM robot_account"), [["name of a"]]);
    // A later version.
    admin.execute("INSERT INTO qopen_version VALUES (999999, now())");
    let error = publish(&sink, "m2", &[]).unwrap_err();
    assert!(matches!(why(&error), MysqlError::Newer { found: 999_999, .. }), "{error:?}");
}

#[test]
fn a_user_needs_the_rights_that_the_refusal_names() {
    let Some(server) = Server::start() else { return };
    let mut admin = Connected::new(&server.url());
    let of = |user: &str, database: &str| {
        MysqlSink::new(&format!("mysql://{user}:canary@127.0.0.1:{}/{database}", server.port()))
            .unwrap()
    };
    admin.execute("CREATE USER reader IDENTIFIED BY 'canary', writer IDENTIFIED BY 'canary'");
    admin.execute("GRANT SELECT ON qopen.* TO reader");
    let denied = |sink: &MysqlSink, code: u16| {
        let error = sink.check().unwrap_err();
        let MysqlError::Server(said) = why(&error) else { panic!("{error:?}") };
        assert!(
            said.code() == code && !format!("{said} {error:?}").contains("canary"),
            "{error:?}"
        );
        said.to_string()
    };
    assert!(denied(&of("reader", "qopen"), 1142).contains("GRANT SELECT, INSERT"));
    denied(&of("writer", "qopen"), 1044);
    let error = of("qopen", "qopen").check().unwrap_err();
    assert!(matches!(why(&error), MysqlError::Server(it) if it.code() == 1045), "{error:?}");
    admin
        .execute("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON qopen.* TO writer");
    let sink = of("writer", "qopen");
    sink.check().unwrap();
    publish(&sink, "m1", &[account("a", "")]).unwrap();
    publish(&sink, "m2", &[account("b", "")]).unwrap();
    // Later it needs no right to create tables.
    admin.execute("REVOKE CREATE, ALTER, INDEX ON qopen.* FROM writer");
    sink.check().unwrap();
    publish(&sink, "m3", &[account("c", "")]).unwrap();
    assert!(denied(&of("reader", "qopen"), 1142).contains("GRANT"));
    admin.execute("SET GLOBAL read_only = 1");
    assert!(denied(&sink, 1290).contains("primary server"));
}

/// All of them create the tables at once.
#[test]
fn many_writers_may_begin_with_the_same_database() {
    const WRITERS: usize = 6;
    let Some(server) = Server::start() else { return };
    let mut admin = Connected::new(&server.url_of("information_schema"));
    for _ in 0..4 {
        admin.execute("DROP DATABASE qopen");
        admin.execute("CREATE DATABASE qopen");
        let barrier = Barrier::new(WRITERS);
        let take = || {
            barrier.wait();
            MysqlSink::new(&server.url()).unwrap().next_order().unwrap().unwrap()
        };
        let mut taken = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(take)).collect();
            writers.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        taken.sort_unstable();
        assert_eq!(taken, (1..=WRITERS as u64).collect::<Vec<_>>());
    }
}

#[test]
fn a_socket_is_a_way_to_the_server() {
    let Some(server) = Server::start() else { return };
    let password = server.password().replace(' ', "%20");
    let socket = server.socket();
    let url = format!("mysql://qopen:{password}@localhost/qopen?socket={}", socket.display());
    let sink = MysqlSink::new(&url).unwrap();
    sink.check().unwrap();
    assert_eq!(sink.location(), format!("mysql://{}/qopen", socket.display()));
}

/// The sink is called from within a runtime, too.
#[test]
fn a_sink_is_used_on_a_thread_of_a_runtime() {
    let Some(server) = Server::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sink = MysqlSink::new(&server.url()).unwrap();
        assert_eq!(sink.next_order().unwrap(), Some(1));
        let done = tokio::task::spawn_blocking(move || publish(&sink, "m1", &[account("a", "")]));
        assert_eq!(done.await.unwrap().unwrap(), 0);
    });
}
