//! What changed since the last list, in the same transaction as the list.

use std::sync::mpsc;

use qopen_postgres::PostgresSink;
use qopen_postgres::testing::Server;
use qopen_sink::{ChangeCounts, CompareOptions, Compared, Predecessor, Sink, SinkError};
use tokio_postgres::Client;

use crate::history::read;
use crate::lists::{Done, End, Given, List, account, given, place, publish_with};

fn plain(ids: &[&str]) -> List {
    ids.iter().map(|id| account(id, |_| {})).collect()
}

async fn publish(sink: &PostgresSink, lists: Vec<Given>) -> Done {
    publish_with(sink, lists, CompareOptions::default(), || End::Commit).await
}

/// The changes of one list: kind, account and fields, in the order of the accounts.
async fn changes(client: &Client, robot: &str, number: i64) -> Vec<String> {
    let read = "SELECT change || ' ' || account_id || ' ' || array_to_string(fields, ',')
         FROM qopen.change WHERE robot_id = $1 AND number = $2 ORDER BY account_id";
    let rows = client.query(read, &[&robot, &number]).await.unwrap();
    rows.iter().map(|row| row.get::<_, &str>(0).trim_end().to_owned()).collect()
}

/// The history of one robot, from the first list.
async fn history(client: &Client, robot: &str) -> Vec<String> {
    let read = "SELECT format('%s %s.%s since %s.%s: %s', number, mark_id, revision,
             coalesce(since_mark_id, '-'), coalesce(since_revision, 0), accounts)
             || CASE WHEN baseline THEN ' baseline' ELSE '' END
         FROM qopen.list WHERE robot_id = $1 ORDER BY number";
    let rows = client.query(read, &[&robot]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn count(client: &Client, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM qopen.{table}");
    client.query_one(&count, &[]).await.unwrap().get(0)
}

fn counts(
    added: u64,
    gone: u64,
    lost: u64,
    removed: u64,
    returned: u64,
    changed: u64,
) -> ChangeCounts {
    let mut counts = ChangeCounts::default();
    (counts.added, counts.gone, counts.lost) = (added, gone, lost);
    (counts.removed, counts.returned, counts.changed) = (removed, returned, changed);
    counts
}

fn since(mark: &str, revision: u32) -> Predecessor {
    Predecessor::List { mark_id: Some(mark.parse().unwrap()), revision: Some(revision) }
}

fn only(done: Done) -> Compared {
    done.unwrap().0.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_committed_leaves_no_change() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    publish(&sink, vec![given("r", "m1", 1, &plain(&["a", "b"]))]).await.unwrap();
    let next = vec![given("r", "m2", 1, &plain(&["a", "c"]))];
    for end in [End::Drop, End::Hold] {
        let done = publish_with(&sink, next.clone(), CompareOptions::default(), move || end).await;
        assert_eq!(only(done).counts, counts(1, 1, 0, 0, 0, 0));
    }
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN RAISE EXCEPTION ''no''; END';
         CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON qopen.pull DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse()";
    client.batch_execute(refuse).await.unwrap();
    assert!(matches!(publish(&sink, next.clone()).await, Err(SinkError::Database(_))));
    client.batch_execute("DROP TRIGGER refuse ON qopen.pull").await.unwrap();
    assert_eq!((count(&client, "change").await, count(&client, "list").await), (0, 1));
    publish(&sink, next).await.unwrap();
    assert_eq!(changes(&client, "r", 2).await, ["gone b", "added c"]);
}

/// The second publication of a robot compares with the list that the first one commits.
#[tokio::test(flavor = "multi_thread")]
async fn publications_of_one_robot_compare_one_after_the_other() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    publish(&sink, vec![given("r", "m1", 1, &plain(&["a"]))]).await.unwrap();
    let (compared, is_compared) = mpsc::channel();
    let (go, gone_on) = mpsc::channel::<()>();
    let slow = tokio::spawn({
        let sink = sink.clone();
        let both = ["q", "r"].map(|robot| given(robot, "m2", 1, &plain(&["a", "b"])));
        let end = move || {
            compared.send(()).unwrap();
            gone_on.recv().unwrap();
            End::Commit
        };
        async move { publish_with(&sink, both.into(), CompareOptions::default(), end).await }
    });
    tokio::task::spawn_blocking(move || is_compared.recv().unwrap()).await.unwrap();
    // Another robot's does not wait; this one's does.
    publish(&sink, vec![given("other", "m9", 1, &plain(&["z"]))]).await.unwrap();
    let both =
        vec![given("r", "m3", 1, &plain(&["b", "c"])), given("q", "m3", 1, &plain(&["a", "b"]))];
    let fast = tokio::spawn({
        let sink = sink.clone();
        async move { publish(&sink, both).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!fast.is_finished());
    go.send(()).unwrap();
    slow.await.unwrap().unwrap();
    let (found, gone) = fast.await.unwrap().unwrap();
    let found: Vec<_> = found.unwrap().into_iter().map(|it| (it.since, it.counts)).collect();
    assert_eq!(found[0], (since("m2", 1), counts(1, 1, 0, 0, 0, 0)));
    assert_eq!(found[1], (since("m2", 1), ChangeCounts::default()));
    assert_eq!(gone, [("r".to_owned(), "a".to_owned())]);
    assert_eq!(changes(&client, "r", 2).await, ["added b"]);
    assert_eq!(changes(&client, "r", 3).await, ["gone a", "added c"]);
}

/// A database of the version before has lists and no history: the next list is compared with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_changes_is_migrated() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    publish(&sink, vec![given("r", "m1", 1, &plain(&["a"]))]).await.unwrap();
    let before =
        "DROP TABLE qopen.change, qopen.list; DELETE FROM qopen.migration WHERE version >= 3;
         ALTER TABLE qopen.pull DROP COLUMN evidence, DROP COLUMN basis";
    client.batch_execute(before).await.unwrap();
    assert_eq!(sink.migrate().unwrap(), 2);
    // The list before a revision's own is not known.
    let found = only(publish(&sink, vec![given("r", "m1", 2, &plain(&["a", "b"]))]).await);
    assert_eq!(found.since, Predecessor::Baseline);
    client.batch_execute(before).await.unwrap();
    assert_eq!(sink.migrate().unwrap(), 2);
    let found = only(publish(&sink, vec![given("r", "m2", 1, &plain(&["b"]))]).await);
    assert_eq!((found.since, found.counts), (since("m1", 2), counts(0, 1, 0, 0, 0, 0)));
    // A user without a right to the new tables hears it before a request is sent.
    let rights = "CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA qopen TO clerk;
         GRANT ALL ON ALL TABLES IN SCHEMA qopen TO clerk;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA qopen TO clerk";
    client.batch_execute(rights).await.unwrap();
    let clerk = PostgresSink::new(&server.url().replace("qopen@", "clerk@")).unwrap();
    clerk.check().unwrap();
    for table in ["change", "list"] {
        for right in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
            let revoke = format!("REVOKE {right} ON qopen.{table} FROM clerk");
            client.batch_execute(&revoke).await.unwrap();
            let error = clerk.check().unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().source().unwrap().to_string();
            let said = format!("permission denied for table {table}");
            assert!(cause.contains(&said), "{right}: {cause}");
            let grant = format!("GRANT {right} ON qopen.{table} TO clerk");
            client.batch_execute(&grant).await.unwrap();
        }
    }
}

/// A publisher that asks a platform about customers between comparison and commit keeps its transaction; one that
/// is dropped does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_compared_list_outlives_the_limit_for_idle_transactions() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let (compared, is_compared) = mpsc::channel();
    let (go, gone_on) = mpsc::channel::<()>();
    let slow = tokio::spawn({
        let sink = sink.clone();
        let list = vec![given("r", "m1", 1, &plain(&["a"]))];
        async move {
            let end = move || {
                compared.send(()).unwrap();
                gone_on.recv().unwrap();
                End::Commit
            };
            publish_with(&sink, list, CompareOptions::default(), end).await
        }
    });
    tokio::task::spawn_blocking(move || is_compared.recv().unwrap()).await.unwrap();
    let speaks = "SELECT count(*) FROM pg_stat_activity
         WHERE state = 'idle in transaction' AND query = 'SELECT 1'";
    while client.query_one(speaks, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    slow.await.unwrap().unwrap();
    assert_eq!(history(&client, "r").await, ["1 m1.1 since -.0: 1 baseline"]);
}

/// A long list is compared in steps, and its changes are put in steps.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_compared_in_steps() {
    const ACCOUNTS: u64 = 105_000;
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let list = |from: u64, name: &str| -> List {
        let ids = from..from + ACCOUNTS;
        let one = |n| account(&format!("{n:08}"), |it| it.profile.name = name.to_owned());
        ids.map(one).collect()
    };
    publish(&sink, vec![given("r", "m1", 1, &list(0, "a"))]).await.unwrap();
    let (found, gone) = publish(&sink, vec![given("r", "m2", 1, &list(10, "b"))]).await.unwrap();
    assert_eq!(found.unwrap()[0].counts, counts(10, 10, 0, 0, 0, ACCOUNTS - 10));
    assert!(gone.len() == 10 && gone.is_sorted());
    let right =
        "change WHERE account_id >= '00000010' AND account_id < '00105000' AND change = 'changed'
         AND before->'profile'->>'name' = 'a' AND account->'profile'->>'name' = 'b'";
    assert_eq!(count(&client, right).await.unsigned_abs(), ACCOUNTS - 10);
    assert_eq!(count(&client, "change").await.unsigned_abs(), ACCOUNTS + 10);
    let lines = read(&sink, "r", Some("m1")).await.unwrap();
    assert_eq!(lines.lines().count() as u64, ACCOUNTS + 11);
}
