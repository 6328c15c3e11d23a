//! The history of lists: what each rests on, its changes for readers, and what retention removes.

use qopen_postgres::testing::Server;
use qopen_postgres::{FoundChanges, NotKept, PostgresSink};
use qopen_sink::{CompareOptions, FileSink, Format, ListChanges, Sink};
use qopen_types::{MarkId, PullId};
use tokio_postgres::Client;

use crate::lists::{End, Given, List, account, given, place, publish_with};

fn named(ids: &[&str], name: &str) -> List {
    ids.iter().map(|id| account(id, |it| it.profile.name = format!("{name} {id}"))).collect()
}

async fn publish(sink: &(impl Sink + Clone + 'static), list: Given) {
    publish_with(sink, vec![list], CompareOptions::default(), || End::Commit).await.unwrap();
}

/// Reads the changes since a list, whole; `Err` if they are not kept.
pub(crate) async fn read(
    sink: &PostgresSink,
    robot: &str,
    since: Option<&str>,
) -> Result<String, Option<NotKept>> {
    let since: Option<MarkId> = since.map(|it| it.parse().unwrap());
    let since = since.as_ref().map(|mark| (mark, None));
    match sink.changes(&robot.parse().unwrap(), since).await.unwrap() {
        FoundChanges::Lines(mut lines) => {
            let mut all = Vec::new();
            while let Some(piece) = lines.next().await.unwrap() {
                assert!(piece.ends_with(b"\n"));
                all.extend(piece);
            }
            Ok(String::from_utf8(all).unwrap())
        }
        FoundChanges::NotKept(why) => Err(Some(why)),
        _ => Err(None),
    }
}

fn pulls(marks: &[&str]) -> Vec<PullId> {
    let pull =
        |mark: &&str| PullId { robot_id: "r".parse().unwrap(), mark_id: mark.parse().unwrap() };
    marks.iter().map(pull).collect()
}

async fn forget(sink: &PostgresSink, pulls: Vec<PullId>) -> u64 {
    let sink = sink.clone();
    tokio::task::spawn_blocking(move || sink.forget(&pulls).unwrap()).await.unwrap()
}

async fn texts(client: &Client, read: &str) -> Vec<String> {
    client.query(read, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The same lists in a file and in a database: their changes are the same bytes.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_read_as_a_file_has_them() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.jsonl");
    let file = FileSink::new(&path, Format::Jsonl);
    let many: Vec<String> = (0..300).map(|n| format!("many {n:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let odd = "it's \\ \"odd\" 企业微信";
    let mut third = named(&["B", "a", "é"], "x");
    third.extend([account(odd, |it| it.deleted_by_contact = true)]);
    let steps = [
        given("r", "m1", 1, &named(&["B", "a", "b", odd], "x")),
        given("r", "m2", 1, &named(&[&many[..], &["B", "b", odd]].concat(), "y")),
        given("r", "m3", 1, &third),
        given("r", "m3", 2, &named(&["B", "a", "ü"], "z")),
        given("r", "m4", 1, &named(&["B", "a", "ü"], "z")),
        given("r", "m5", 1, &List::new()),
    ];
    let mut files = Vec::new();
    for step in steps {
        publish(&file, step.clone()).await;
        publish(&sink, step).await;
        let changes = std::fs::read_to_string(file.changes_path()).unwrap();
        let found = read(&sink, "r", None).await.unwrap();
        assert!(found == changes, "{:?} {:?}", found.lines().next(), changes.lines().next());
        files.push(changes);
    }
    // The revision replaces what it revises.
    files.remove(2);
    for (n, since) in (1..).zip(["m1", "m2", "m3", "m4", "m5"]) {
        assert!(read(&sink, "r", Some(since)).await.unwrap() == files[n..].concat(), "{since}");
    }
    ListChanges::open(file.changes_path()).unwrap();
    assert_eq!(read(&sink, "r", Some("m0")).await, Err(Some(NotKept::Removed)));
    assert_eq!(read(&sink, "s", None).await, Err(None));
    // A list of an earlier version has no digest; its changes are there.
    client
        .batch_execute("UPDATE qopen.list SET digest_before = NULL, digest = NULL")
        .await
        .unwrap();
    let without = read(&sink, "r", Some("m4")).await.unwrap();
    assert!(!without.contains("digest") && without.contains("\"accounts\":3"), "{without}");
    // A row that was deleted is not passed over.
    client.batch_execute("DELETE FROM qopen.change WHERE account_id = 'many 007'").await.unwrap();
    let mark: MarkId = "m1".parse().unwrap();
    let found = sink.changes(&"r".parse().unwrap(), Some((&mark, None))).await.unwrap();
    let FoundChanges::Lines(mut lines) = found else { panic!("{found:?}") };
    let broken = loop {
        match lines.next().await {
            Ok(piece) => assert!(piece.is_some(), "the end came"),
            Err(error) => break error,
        }
    };
    let why = std::error::Error::source(&broken).unwrap().to_string();
    assert!(why.contains("read the whole list"), "{why}");
}

/// A reader has one snapshot, and a publication waits for no reader.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_no_later_list_and_delays_none() {
    let Some(server) = Server::start() else { return };
    let (sink, _client) = place(&server).await;
    publish(&sink, given("r", "m1", 1, &named(&["a"], "x"))).await;
    publish(&sink, given("r", "m2", 1, &named(&["a", "b"], "y"))).await;
    let mark: MarkId = "m1".parse().unwrap();
    let found = sink.changes(&"r".parse().unwrap(), Some((&mark, Some(1)))).await.unwrap();
    let FoundChanges::Lines(mut lines) = found else { panic!("{found:?}") };
    // The revision replaces the changes that the reader is about to read, and retention removes lists.
    publish(&sink, given("r", "m2", 2, &named(&["c"], "z"))).await;
    publish(&sink, given("r", "m3", 1, &named(&["d"], "z"))).await;
    assert_eq!(forget(&sink, pulls(&["m2"])).await, 2);
    let read = String::from_utf8(lines.next().await.unwrap().unwrap()).unwrap();
    let kinds: Vec<_> = read.lines().skip(1).map(|it| it.contains("\"added\"")).collect();
    assert!(read.contains("\"mark_id\":\"m2\",\"revision\":1") && kinds == [false, true], "{read}");
    assert_eq!(lines.next().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_has_its_basis_and_its_place_in_the_order() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    for (mark, revision, name) in [("m1", 1, "x"), ("m2", 1, "y"), ("m2", 2, "z")] {
        publish(&sink, given("r", mark, revision, &named(&["a"], name))).await;
    }
    let history = "SELECT concat_ws(' ', number, mark_id, revision, accounts, changed, basis,
             evidence->>'confirmed_by', list_order, published_at <= now())
         FROM qopen.list ORDER BY number";
    let expected = ["1 m1 1 1 0 of m1 m1 1 t", "2 m2 2 1 1 of m2 m2 2 t"];
    assert_eq!(texts(&client, history).await, expected);
    let present = "SELECT concat_ws(' ', mark_id, revision, basis, evidence) FROM qopen.pull";
    assert_eq!(texts(&client, present).await, ["m2 2 of m2 {\"confirmed_by\": \"m2\"}"]);
    // A revision without a basis does not keep the one before.
    let without = || End::CommitWithoutBasis;
    let list = vec![given("r", "m2", 3, &named(&["a"], "q"))];
    publish_with(&sink, list, CompareOptions::default(), without).await.unwrap();
    assert_eq!(texts(&client, present).await, ["m2 3"]);
    let expected = ["1 m1 1 1 0 of m1 m1 1 t", "2 m2 3 1 1 2 t"];
    assert_eq!(texts(&client, history).await, expected);
}

/// Retention removes lists with their changes, and what was before them. The last one stays.
#[tokio::test(flavor = "multi_thread")]
async fn retention_shortens_the_history_and_keeps_the_last_list() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    for n in 1..=5 {
        publish(&sink, given("r", &format!("m{n}"), 1, &named(&["a"], &n.to_string()))).await;
        publish(&sink, given("s", &format!("m{n}"), 1, &named(&["a"], &n.to_string()))).await;
    }
    let history = "SELECT concat(number, ':', (
             SELECT count(*) FROM qopen.change WHERE (robot_id, number) = (list.robot_id, list.number)
         )) FROM qopen.list WHERE robot_id = 'r' ORDER BY number";
    assert_eq!(forget(&sink, Vec::new()).await, 0);
    assert_eq!(forget(&sink, pulls(&["unknown"])).await, 0);
    assert_eq!(texts(&client, history).await, ["1:0", "2:1", "3:1", "4:1", "5:1"]);
    // The first one was missed the last time, such as by a database that was away.
    assert_eq!(forget(&sink, pulls(&["m2", "unknown"])).await, 2);
    assert_eq!(texts(&client, history).await, ["3:1", "4:1", "5:1"]);
    assert_eq!(read(&sink, "r", Some("m2")).await.unwrap().lines().count(), 6);
    assert_eq!(read(&sink, "r", Some("m1")).await, Err(Some(NotKept::Removed)));
    let all = pulls(&["m1", "m2", "m3", "m4", "m5"]);
    assert_eq!(forget(&sink, all.clone()).await, 2);
    assert_eq!(forget(&sink, all).await, 0);
    assert_eq!(texts(&client, history).await, ["5:1"]);
    // The next list is compared, and numbers go on. The other robot's history is whole.
    publish(&sink, given("r", "m6", 1, &named(&["a"], "6"))).await;
    assert_eq!(texts(&client, history).await, ["5:1", "6:1"]);
    assert_eq!(read(&sink, "s", Some("m1")).await.unwrap().lines().count(), 8);
}

/// A database of the version before keeps its lists; what they rest on is not known.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_basis_is_migrated() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    publish(&sink, given("r", "m1", 1, &named(&["a"], "x"))).await;
    publish(&sink, given("r", "m2", 1, &named(&["a"], "y"))).await;
    let before = "DELETE FROM qopen.migration WHERE version = 4;
         ALTER TABLE qopen.pull DROP COLUMN evidence, DROP COLUMN basis;
         ALTER TABLE qopen.list DROP COLUMN list_order, DROP COLUMN evidence, DROP COLUMN basis,
             DROP COLUMN digest_before, DROP COLUMN digest";
    client.batch_execute(before).await.unwrap();
    // A reader of an earlier database hears what to do.
    let error = sink.changes(&"r".parse().unwrap(), None).await.unwrap_err();
    let why = std::error::Error::source(&error).unwrap().source().unwrap().to_string();
    assert_eq!(why, "a column is missing; run `qopen migrate`");
    assert_eq!(sink.migrate().unwrap(), 1);
    let known =
        "SELECT concat(mark_id, basis, evidence, list_order) FROM qopen.list ORDER BY number";
    assert_eq!(texts(&client, known).await, ["m1", "m2"]);
    publish(&sink, given("r", "m3", 1, &named(&["a"], "z"))).await;
    let last = "m3of m3{\"confirmed_by\": \"m3\"}3";
    assert_eq!(texts(&client, known).await, ["m1", "m2", last]);
    let lines = read(&sink, "r", Some("m1")).await.unwrap();
    let headers = lines.lines().filter(|it| it.contains("\"type\":\"changes\""));
    let digests: Vec<_> = headers.map(|it| it.matches("digest").count()).collect();
    assert_eq!(digests, [0, 1]);
}
