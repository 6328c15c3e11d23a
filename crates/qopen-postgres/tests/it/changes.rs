//! What changed since the last list, in the same transaction as the list.

use std::collections::BTreeMap;
use std::sync::mpsc;

use qopen_postgres::PostgresSink;
use qopen_postgres::testing::Server;
use qopen_sink::{
    ChangeCounts, CompareOptions, Compared, ListInfo, ListKind, Predecessor, Record, Sink,
    SinkError,
};
use qopen_types::{Account, Json, MarkId, RobotId};
use serde_json::Value;
use tokio_postgres::Client;

use crate::support::connect;

/// A list: its customers by id.
type List = BTreeMap<String, Account>;

/// A list to publish.
#[derive(Clone)]
struct Given {
    robot: RobotId,
    mark: MarkId,
    revision: u32,
    list: List,
}

fn given(robot: &str, mark: &str, revision: u32, list: &List) -> Given {
    let (robot, mark) = (robot.parse().unwrap(), mark.parse().unwrap());
    Given { robot, mark, revision, list: list.clone() }
}

fn account(id: &str, edit: impl FnOnce(&mut Account)) -> (String, Account) {
    let mut account = Account::new(id.parse().unwrap());
    account.profile.name = format!("name of {id}");
    edit(&mut account);
    (id.to_owned(), account)
}

fn plain(ids: &[&str]) -> List {
    ids.iter().map(|id| account(id, |_| {})).collect()
}

/// The result of a publication: comparisons, and who is gone.
type Done = Result<(Option<Vec<Compared>>, Vec<(String, String)>), SinkError>;

/// How a publication ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    Hold,
    Drop,
}

/// Publishes lists as the engine does. On a thread that may block.
async fn publish_with(
    sink: &PostgresSink,
    lists: Vec<Given>,
    options: CompareOptions,
    end: impl FnOnce() -> End + Send + 'static,
) -> Done {
    let sink = sink.clone();
    let write = move || {
        let mut writer = sink.begin(ListKind::Complete)?;
        for Given { robot, mark, revision, list } in &lists {
            writer.begin_list(&ListInfo::new(robot, mark, *revision))?;
            for account in list.values() {
                writer.write(&Record::new(robot, account))?;
            }
        }
        writer.settle()?;
        let mut gone = Vec::new();
        let compared = writer.compare(options, &mut |robot, account| {
            gone.push((robot.to_string(), account.to_string()));
            Ok(())
        })?;
        match end() {
            End::Commit => drop(writer.commit()?),
            End::Hold => assert!(writer.commit_held()?.is_none()),
            End::Drop => drop(writer),
        }
        Ok((compared, gone))
    };
    tokio::task::spawn_blocking(move || std::thread::spawn(write).join().unwrap()).await.unwrap()
}

async fn publish(sink: &PostgresSink, lists: Vec<Given>) -> Done {
    publish_with(sink, lists, CompareOptions::default(), || End::Commit).await
}

async fn anew(sink: &PostgresSink, lists: Vec<Given>) -> Done {
    publish_with(sink, lists, CompareOptions::default().new_baseline(true), || End::Commit).await
}

/// A server with the tables, and a connection.
async fn place(server: &Server) -> (PostgresSink, Client) {
    let sink = PostgresSink::new(&server.url()).unwrap();
    sink.check().unwrap();
    (sink, connect(&server.url()).await)
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
async fn each_kind_of_change_has_its_row() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let flags = |contact: bool, staff: bool| {
        move |it: &mut Account| (it.deleted_by_contact, it.deleted_by_staff) = (contact, staff)
    };
    let mut first = plain(&["B", "a", "b", "c", "d", "e", "é"]);
    first.extend([
        account("lost and back", flags(true, false)),
        account("both", flags(true, false)),
    ]);
    let found = only(publish(&sink, vec![given("r", "m1", 1, &first)]).await);
    assert_eq!((found.since, found.accounts_before), (Predecessor::Baseline, 0));
    assert_eq!(found.counts, ChangeCounts::default());
    assert_eq!(count(&client, "change").await, 0);

    let mut second = plain(&["B", "new", "é"]);
    second.extend([
        account("a", |it| {
            it.deleted_by_contact = true;
            it.profile.name = "odd \"name\" \\ {x}".to_owned();
        }),
        account("b", flags(false, true)),
        account("c", |it| it.profile.alias = "alias".to_owned()),
        account("d", |it| {
            it.tag_info_list = vec![Default::default()];
            it.extra.insert("odd \"field\" {a,b} \\", Json::parse("1").unwrap());
        }),
        account("lost and back", |_| {}),
        account("both", flags(false, true)),
    ]);
    let done = publish(&sink, vec![given("r", "m2", 1, &second)]).await;
    assert_eq!(done.as_ref().unwrap().1, [("r".to_owned(), "e".to_owned())]);
    let found = only(done);
    assert_eq!((found.since, found.accounts_before), (since("m1", 1), 9));
    assert_eq!(found.counts, counts(1, 1, 1, 2, 1, 2));
    let expected = [
        "lost a deleted_by_contact,profile.name",
        "removed b deleted_by_staff",
        "removed both deleted_by_contact,deleted_by_staff",
        "changed c profile.alias",
        "changed d tag_info_list,odd \"field\" {a,b} \\",
        "gone e",
        "returned lost and back deleted_by_contact",
        "added new",
    ];
    assert_eq!(changes(&client, "r", 2).await, expected);
    let fields = "SELECT fields FROM qopen.change WHERE account_id = 'd'";
    let fields: Vec<String> = client.query_one(fields, &[]).await.unwrap().get(0);
    assert_eq!(fields, ["tag_info_list", "odd \"field\" {a,b} \\"]);
    let expected = ["1 m1.1 since -.0: 9 baseline", "2 m2.1 since m1.1: 9"];
    assert_eq!(history(&client, "r").await, expected);
    let figures =
        "SELECT added, gone, lost, removed, returned, changed FROM qopen.list WHERE number = 2";
    let figures = client.query_one(figures, &[]).await.unwrap();
    let figures: Vec<i64> = (0..6).map(|at| figures.get(at)).collect();
    assert_eq!(figures, [1, 1, 1, 2, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_has_the_changes_since_the_list_before_its_pull() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    publish(&sink, vec![given("r", "m1", 3, &plain(&["a", "b", "c"]))]).await.unwrap();
    publish(&sink, vec![given("r", "m2", 1, &plain(&["a", "d", "x"]))]).await.unwrap();
    assert_eq!(changes(&client, "r", 2).await, ["gone b", "gone c", "added d", "added x"]);
    // One who was gone is back as before, one differs from before, one who was added never was there.
    let mut second = plain(&["b", "d"]);
    second.extend([account("c", |it| it.profile.name = "other".to_owned())]);
    let done = publish(&sink, vec![given("r", "m2", 2, &second)]).await;
    assert_eq!(done.as_ref().unwrap().1, [("r".to_owned(), "a".to_owned())]);
    let found = only(done);
    assert_eq!((found.since, found.accounts_before), (since("m1", 3), 3));
    assert_eq!(found.counts, counts(1, 1, 0, 0, 0, 1));
    let composed = ["gone a", "changed c profile.name", "added d"];
    assert_eq!(changes(&client, "r", 2).await, composed);
    let expected = ["1 m1.3 since -.0: 3 baseline", "2 m2.2 since m1.3: 3"];
    assert_eq!(history(&client, "r").await, expected);
    // The same revision again, such as after a lost note, changes nothing.
    let found = only(publish(&sink, vec![given("r", "m2", 2, &second)]).await);
    assert_eq!((found.since, found.counts), (since("m1", 3), counts(1, 1, 0, 0, 0, 1)));
    assert_eq!(changes(&client, "r", 2).await, composed);
    // The changes of a first list's revision begin with it.
    publish(&sink, vec![given("s", "m1", 1, &plain(&["a"]))]).await.unwrap();
    let found = only(publish(&sink, vec![given("s", "m1", 2, &plain(&["b"]))]).await);
    assert_eq!((found.since, count(&client, "change").await), (Predecessor::Baseline, 3));
    assert_eq!(history(&client, "s").await, ["1 m1.2 since -.0: 1 baseline"]);
    // Changes that a reader deleted cannot be continued.
    client.batch_execute("DELETE FROM qopen.change WHERE account_id = 'c'").await.unwrap();
    let refused = publish(&sink, vec![given("r", "m2", 3, &second)]).await.unwrap_err();
    let said = format!(
        "qopen.change in {} has 2 rows of robot r, and 3 were published; restore them",
        sink.location()
    );
    assert!(refused.to_string().contains(&said), "{refused}");
    anew(&sink, vec![given("r", "m2", 3, &second)]).await.unwrap();
    assert_eq!(changes(&client, "r", 2).await, [""; 0]);
    assert_eq!(history(&client, "r").await[1], "2 m2.3 since -.0: 3 baseline");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_deleted_list_is_refused_until_a_new_baseline() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let list = plain(&["a", "b", "c"]);
    publish(&sink, vec![given("r", "m1", 1, &list)]).await.unwrap();
    for (delete, found, published) in [
        ("DELETE FROM qopen.robot_account WHERE account_id = 'b'", 2, "3 were published"),
        ("DELETE FROM qopen.pull", 2, "no list was published"),
    ] {
        client.batch_execute(delete).await.unwrap();
        let refused = publish(&sink, vec![given("r", "m2", 1, &list)]).await.unwrap_err();
        let said = format!(
            "the new list cannot be compared with the last one: qopen.robot_account in {} has {found} \
             rows of robot r, and {published}; restore them, or publish with --new-baseline to start anew",
            sink.location()
        );
        assert_eq!(refused.to_string(), said);
        assert_eq!((count(&client, "robot_account").await, count(&client, "list").await), (2, 1));
    }
    let found = only(anew(&sink, vec![given("r", "m2", 1, &list)]).await);
    assert_eq!((found.since, found.accounts_before), (Predecessor::Baseline, 0));
    assert_eq!(count(&client, "robot_account").await, 3);
    publish(&sink, vec![given("r", "m3", 1, &plain(&["a"]))]).await.unwrap();
    let expected =
        ["1 m1.1 since -.0: 3 baseline", "2 m2.1 since -.0: 3 baseline", "3 m3.1 since m2.1: 1"];
    assert_eq!(history(&client, "r").await, expected);
    // A list without customers is a list.
    publish(&sink, vec![given("r", "m4", 1, &List::new())]).await.unwrap();
    let found = only(publish(&sink, vec![given("r", "m5", 1, &plain(&["a"]))]).await);
    assert_eq!((found.since, found.counts), (since("m4", 1), counts(1, 0, 0, 0, 0, 0)));
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

/// The place says at the commit that it has a later list. The engine asks before that too.
#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_list_is_not_compared() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    publish(&sink, vec![given("r", "m1", 2, &plain(&["a"]))]).await.unwrap();
    let late = publish(&sink, vec![given("r", "m1", 1, &plain(&["b"]))]).await;
    assert!(matches!(late, Err(SinkError::Superseded)), "{late:?}");
    assert_eq!(history(&client, "r").await, ["1 m1.2 since -.0: 1 baseline"]);
}

/// The changes of 30 lists are kept, and those of the last one always.
#[tokio::test(flavor = "multi_thread")]
async fn old_changes_are_removed() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let lists = [plain(&["a"]), plain(&["b"])];
    for n in 0..35 {
        let list = given("r", &format!("m{n}"), 1, &lists[n % 2]);
        let other = given("other", "same", u32::try_from(n).unwrap(), &lists[n % 2]);
        publish(&sink, vec![list, other]).await.unwrap();
    }
    let kept = "SELECT min(number), max(number), count(*) FROM qopen.change WHERE robot_id = 'r'";
    let kept = client.query_one(kept, &[]).await.unwrap();
    let kept = (kept.get::<_, i64>(0), kept.get::<_, i64>(1), kept.get::<_, i64>(2));
    assert_eq!((kept, count(&client, "list").await), ((6, 35, 60), 36));
    // A reader who empties the history cannot make numbers come twice.
    client.batch_execute("DELETE FROM qopen.list WHERE robot_id = 'r'").await.unwrap();
    publish(&sink, vec![given("r", "last", 1, &lists[1])]).await.unwrap();
    assert_eq!(history(&client, "r").await, ["36 last.1 since m34.1: 1"]);
}

/// A database of the version before has lists and no history: the next list is compared with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_changes_is_migrated() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    publish(&sink, vec![given("r", "m1", 1, &plain(&["a"]))]).await.unwrap();
    let before =
        "DROP TABLE qopen.change, qopen.list; DELETE FROM qopen.migration WHERE version = 3";
    client.batch_execute(before).await.unwrap();
    assert_eq!(sink.migrate().unwrap(), 1);
    // The list before that of a revision is not known.
    let found = only(publish(&sink, vec![given("r", "m1", 2, &plain(&["a", "b"]))]).await);
    assert_eq!(found.since, Predecessor::Baseline);
    client.batch_execute(before).await.unwrap();
    assert_eq!(sink.migrate().unwrap(), 1);
    let found = only(publish(&sink, vec![given("r", "m2", 1, &plain(&["b"]))]).await);
    assert_eq!((found.since, found.counts), (since("m1", 2), counts(0, 1, 0, 0, 0, 0)));
    // A user without a right to the new tables hears it before a request is sent.
    let rights = "CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA qopen TO clerk;
         GRANT ALL ON ALL TABLES IN SCHEMA qopen TO clerk; REVOKE DELETE ON qopen.change FROM clerk;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA qopen TO clerk";
    client.batch_execute(rights).await.unwrap();
    let clerk = PostgresSink::new(&server.url().replace("qopen@", "clerk@")).unwrap();
    let error = clerk.check().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().source().unwrap().to_string();
    assert!(cause.contains("permission denied for table change"), "{cause}");
    client.batch_execute("GRANT DELETE ON qopen.change TO clerk").await.unwrap();
    clerk.check().unwrap();
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

/// A source of numbers that replays.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn account(&mut self, id: &str) -> Account {
        let mut account = account(id, |_| {}).1;
        account.deleted_by_contact = self.roll(3) == 0;
        account.deleted_by_staff = self.roll(4) == 0;
        account.profile.name = ["Ann", "Bob", "\"\\{}\0"][self.roll(3) as usize].to_owned();
        account.profile.gender = i64::try_from(self.roll(2)).unwrap().into();
        account.tag_info_list = (0..self.roll(3)).map(|_| Default::default()).collect();
        for name in ["vip", "since \\ \"when\""] {
            if self.roll(3) == 0 {
                account.extra.insert(name, Json::parse(&self.roll(2).to_string()).unwrap());
            }
        }
        account
    }

    fn list(&mut self, last: &List) -> List {
        const IDS: [&str; 10] = ["B", "a", "b", "10", "9", "é", "z z", "\"", "企业", "\\N"];
        let mut list = last.clone();
        for _ in 0..self.roll(8) {
            let id = IDS[self.roll(10) as usize];
            match self.roll(3) {
                0 => drop(list.remove(id)),
                _ => drop(list.insert(id.to_owned(), self.account(id))),
            }
        }
        list
    }
}

fn json(robot: &str, account: &Account) -> Value {
    serde_json::to_value(Record::new(&robot.parse().unwrap(), account)).unwrap()
}

/// The changes between two lists, the slow way: kind, fields, and the records before and after.
fn naive(
    robot: &str,
    old: &List,
    new: &List,
) -> BTreeMap<String, (String, Vec<String>, Value, Value)> {
    let ids: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes = BTreeMap::new();
    for id in ids {
        let before = old.get(id).map_or(Value::Null, |it| json(robot, it));
        let after = new.get(id).map_or(Value::Null, |it| json(robot, it));
        if before == after {
            continue;
        }
        let became = |flag: &str, now: bool| before[flag] == !now && after[flag] == now;
        let flags = ["deleted_by_contact", "deleted_by_staff"];
        let change = match () {
            () if before.is_null() => "added",
            () if after.is_null() => "gone",
            () if became(flags[0], true) => "lost",
            () if became(flags[1], true) => "removed",
            () if flags.iter().any(|flag| became(flag, false)) => "returned",
            () => "changed",
        };
        let mut fields = Vec::new();
        if let (Value::Object(before), Value::Object(after)) = (&before, &after) {
            let names: std::collections::BTreeSet<&String> =
                before.keys().chain(after.keys()).collect();
            for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
                match name.as_str() {
                    "profile" => {
                        let (old, new) = (&before[name], &after[name]);
                        let inner = old.as_object().unwrap().keys();
                        let inner = inner.filter(|name| old[*name] != new[*name]);
                        fields.extend(inner.map(|it| format!("profile.{it}")));
                    }
                    _ => fields.push(name.clone()),
                }
            }
        }
        fields.sort();
        changes.insert(id.clone(), (change.to_owned(), fields, before, after));
    }
    changes
}

/// One robot's history in the model.
struct History {
    robot: String,
    /// The list before the current pull's, unless the current one is a baseline.
    before: Option<List>,
    now: List,
    pull: u32,
    revision: u32,
    number: i64,
    /// The lists by number, from the last baseline.
    since: BTreeMap<i64, List>,
}

/// 300 histories of successive lists against a model, 30 robots in each commit: the changes of each list, and
/// baseline and changes together, which give the last list.
#[tokio::test(flavor = "multi_thread")]
async fn baseline_and_changes_are_the_list_in_random_histories() {
    let Some(server) = Server::start() else { return };
    let (sink, client) = place(&server).await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..10 {
        let mut robots: Vec<History> = Vec::new();
        for step in 0..7 {
            let is_anew = dice.roll(8) == 0;
            if step == 0 {
                robots = (0..30)
                    .map(|n| History {
                        robot: format!("r{round} {n}"),
                        before: None,
                        now: List::new(),
                        pull: 0,
                        revision: 0,
                        number: 0,
                        since: BTreeMap::new(),
                    })
                    .collect();
            }
            for it in &mut robots {
                let list = dice.list(&it.now);
                if it.pull > 0 && dice.roll(3) == 0 {
                    it.revision += 1;
                    if is_anew {
                        it.before = None;
                    }
                } else {
                    let last = std::mem::take(&mut it.now);
                    it.before = (it.pull > 0 && !is_anew).then_some(last);
                    (it.pull, it.revision, it.number) = (it.pull + 1, 1, it.number + 1);
                }
                if it.before.is_none() {
                    it.since.clear();
                }
                it.since.insert(it.number, list.clone());
                it.now = list;
            }
            let given =
                |it: &History| given(&it.robot, &format!("m{}", it.pull), it.revision, &it.now);
            let lists = robots.iter().map(given).collect();
            let options = CompareOptions::default().new_baseline(is_anew);
            let (found, gone) = publish_with(&sink, lists, options, || End::Commit).await.unwrap();
            let mut all_gone = Vec::new();
            for (it, found) in robots.iter().zip(found.unwrap()) {
                let expected = it.before.as_ref().map(|old| naive(&it.robot, old, &it.now));
                let expected = expected.unwrap_or_default();
                let kind = |name: &str| expected.values().filter(|it| it.0 == name).count() as u64;
                assert!(found.counts.named().iter().all(|(name, count)| kind(name) == *count));
                assert_eq!(found.since == Predecessor::Baseline, it.before.is_none());
                assert_eq!(
                    found.accounts_before,
                    it.before.as_ref().map_or(0, |it| it.len() as u64)
                );
                let is_gone = expected.iter().filter(|(_, it)| it.0 == "gone");
                all_gone.extend(is_gone.map(|(id, _)| (it.robot.clone(), id.clone())));
                let read =
                    "SELECT account_id, change, fields, before::text, account::text, revision
                     FROM qopen.change WHERE robot_id = $1 AND number = $2";
                let rows = client.query(read, &[&it.robot, &it.number]).await.unwrap();
                let parsed = |text: Option<&str>| {
                    text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
                };
                let stored: BTreeMap<_, _> = rows
                    .iter()
                    .map(|row| {
                        let mut fields: Vec<String> = row.get(2);
                        fields.sort();
                        let records = (parsed(row.get(3)), parsed(row.get(4)));
                        assert_eq!(row.get::<_, i64>(5), i64::from(it.revision));
                        (row.get::<_, String>(0), (row.get(1), fields, records.0, records.1))
                    })
                    .collect();
                assert_eq!(stored, expected, "{} list {}", it.robot, it.number);
            }
            assert_eq!(gone, all_gone);
        }
        for it in &robots {
            replay(&client, it).await;
        }
    }
}

/// Applies all changes since the baseline to it, text for text.
async fn replay(client: &Client, history: &History) {
    let robot: RobotId = history.robot.parse().unwrap();
    let text = |account: &Account| serde_json::to_string(&Record::new(&robot, account)).unwrap();
    let texts = |list: &List| -> BTreeMap<String, String> {
        list.iter().map(|(id, it)| (id.clone(), text(it))).collect()
    };
    let (baseline, list) = history.since.first_key_value().unwrap();
    let mut list = texts(list);
    let read = "SELECT account_id, before::text, account::text FROM qopen.change
         WHERE robot_id = $1 AND number > $2 ORDER BY number, account_id";
    for row in client.query(read, &[&robot.as_str(), baseline]).await.unwrap() {
        let (id, before): (String, Option<String>) = (row.get(0), row.get(1));
        let replaced = match row.get::<_, Option<String>>(2) {
            Some(account) => list.insert(id, account),
            None => list.remove(&id),
        };
        assert_eq!(replaced, before);
    }
    let read = "SELECT account_id, account::text FROM qopen.robot_account WHERE robot_id = $1";
    let rows = client.query(read, &[&robot.as_str()]).await.unwrap();
    let table: BTreeMap<String, String> = rows.iter().map(|it| (it.get(0), it.get(1))).collect();
    assert_eq!((&list, &table), (&texts(&history.now), &texts(&history.now)));
}
