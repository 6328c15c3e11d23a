//! Lists in a database: switched whole, or not at all.

use std::time::Duration;

use qopen_journal::{Backend as _, Claim, Note, PullId, Store, WorkerId};
use qopen_postgres::testing::Server;
use qopen_postgres::{PostgresBackend, PostgresSink};
use qopen_sink::{ClaimedNote, ListInfo, ListKind, Quarantine, Record, Sink, SinkError};
use qopen_types::{Account, MarkId, RobotId, TagInfo};
use tokio_postgres::Client;

use crate::support::{connect, open, pull};

fn robot(name: &str) -> RobotId {
    name.parse().unwrap()
}

fn account(id: &str, name: &str) -> Account {
    let mut account = Account::new(id.parse().unwrap());
    account.profile.name = name.to_owned();
    account.profile.add_at = 1_700_000_000;
    let mut tag = TagInfo::default();
    (tag.parent_tag_name, tag.tag_name) = ("group".into(), format!("tag of {name}"));
    account.tag_info_list = vec![tag.clone(), tag];
    account
}

/// Writes lists, and returns whether the note was committed with them. On a thread that may block.
async fn publish(
    sink: &PostgresSink,
    kind: ListKind,
    lists: Vec<(&str, u32, Vec<Account>)>,
    note: Option<ClaimedNote>,
) -> Result<bool, SinkError> {
    let (sink, mark) = (sink.clone(), "mark".parse::<MarkId>().unwrap());
    let lists: Vec<_> = lists.into_iter().map(|it| (robot(it.0), it.1, it.2)).collect();
    let write = move || {
        let mut writer = sink.begin(kind)?;
        for (robot, revision, accounts) in &lists {
            writer.begin_list(&ListInfo::new(robot, &mark, *revision))?;
            for account in accounts {
                writer.write(&Record::new(robot, account))?;
            }
        }
        let is_noted = match note {
            Some(note) => writer.add_note(note)?.is_none(),
            None => false,
        };
        writer.commit().map(|_| is_noted)
    };
    tokio::task::spawn_blocking(move || std::thread::spawn(write).join().unwrap()).await.unwrap()
}

/// The names of a table's customers, in the order of robots and ids.
async fn names(client: &Client, table: &str) -> Vec<String> {
    let read = format!("SELECT name FROM qopen.{table} ORDER BY robot_id, account_id");
    client.query(&read, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_old_list_or_the_new_one() {
    let Some(server) = Server::start() else { return };
    let sink = PostgresSink::new(&server.url()).unwrap();
    // On a runtime's thread too, and twice.
    sink.check().unwrap();
    assert_eq!(sink.migrate().unwrap(), 0);
    let client = connect(&server.url()).await;

    let odd = "tab\t, line\n\r, \\ and \\N, \"quotes\", nothing \u{0}, 企业微信";
    let first = vec![account("1", "Ann"), account("2", odd), account("3", "Cid")];
    let others = vec![account("1", "of another robot")];
    let lists = vec![("r1", 1, first), ("r2", 1, others)];
    assert!(!publish(&sink, ListKind::Complete, lists, None).await.unwrap());
    let shown = odd.replace('\0', "\u{fffd}");
    assert_eq!(names(&client, "robot_account").await, ["Ann", &shown, "Cid", "of another robot"]);
    let row = client
        .query_one(
            "SELECT extract(epoch FROM add_at)::bigint, account::text, count(place)::bigint
             FROM qopen.robot_account LEFT JOIN qopen.tag USING (robot_id, account_id)
             WHERE robot_id = 'r1' AND account_id = '2' GROUP BY 1, 2",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(2)), (1_700_000_000, 2));
    let json: serde_json::Value = serde_json::from_str(row.get(1)).unwrap();
    assert_eq!((&json["robot_id"], &json["profile"]["name"]), (&"r1".into(), &odd.into()));

    // A snapshot that was taken before sees what was there before, whatever is published meanwhile.
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM qopen.pull")
        .await
        .unwrap();
    let second = vec![account("1", "Ann"), account("3", "Cid, changed"), account("4", "Dan")];
    publish(&sink, ListKind::Complete, vec![("r1", 2, second)], None).await.unwrap();
    assert_eq!(names(&client, "robot_account").await.len(), 4);
    client.batch_execute("COMMIT").await.unwrap();
    let now = ["Ann", "Cid, changed", "Dan", "of another robot"];
    assert_eq!(names(&client, "robot_account").await, now);
    let versions =
        "SELECT count(DISTINCT xmin::text) FROM qopen.robot_account WHERE robot_id = 'r1'";
    assert_eq!(
        client.query_one(versions, &[]).await.unwrap().get::<_, i64>(0),
        2,
        "Ann is as she was"
    );
    let pull =
        "SELECT mark_id, revision, accounts FROM qopen.pull WHERE robot_id = 'r1' AND complete";
    let pull = client.query_one(pull, &[]).await.unwrap();
    assert_eq!(
        (pull.get::<_, &str>(0), pull.get::<_, i64>(1), pull.get::<_, i64>(2)),
        ("mark", 2, 3)
    );

    // A partial list is beside it, and goes with the next complete one; so does an empty one.
    let partial = vec![account("9", "Zoe")];
    publish(&sink, ListKind::Partial, vec![("r1", 0, partial)], None).await.unwrap();
    assert_eq!(names(&client, "robot_account").await, now);
    assert_eq!(names(&client, "partial_robot_account").await, ["Zoe"]);
    publish(&sink, ListKind::Complete, vec![("r1", 3, Vec::new())], None).await.unwrap();
    assert_eq!(names(&client, "robot_account").await, ["of another robot"]);
    assert_eq!(names(&client, "partial_robot_account").await, [""; 0]);

    // What is dropped before it is committed leaves no trace.
    let dropping = sink.clone();
    let drop_it = move || drop(dropping.begin(ListKind::Complete).unwrap());
    std::thread::spawn(drop_it).join().unwrap();
    assert_eq!(names(&client, "robot_account").await, ["of another robot"]);
}

/// Neither knows the other: the list's writer is given a note, and the journal has it after the commit.
#[tokio::test(flavor = "multi_thread")]
async fn i5_a_note_of_the_journal_is_committed_with_the_list_or_neither_is() {
    let Some(server) = Server::start() else { return };
    let (here, elsewhere) =
        (server.create("here").await.unwrap(), server.create("elsewhere").await.unwrap());
    let sink = PostgresSink::new(&here).unwrap();
    sink.check().unwrap();
    let client = connect(&here).await;
    let put = async |name: &str, note: ClaimedNote| {
        let list = vec![("robot", 1, vec![account("1", name)])];
        publish(&sink, ListKind::Complete, list, Some(note)).await
    };
    let list = async || names(&client, "robot_account").await.concat();
    let claimed = async |url: &str| {
        PostgresBackend::new(url).unwrap().migrate().await.unwrap();
        let journal = open(url).await;
        journal.note(&pull("mark"), Note::CancelRequested).await.unwrap();
        let claims = journal.claim(&WorkerId::new("a"), Duration::from_secs(600), 9).await.unwrap();
        (journal, claims.into_iter().next().unwrap())
    };
    let text = |note: &Note| serde_json::to_string(note).unwrap();
    let note = |journal: &dyn Store, claim: &Claim, note: String| {
        let PullId { robot_id, mark_id } = &claim.pull;
        ClaimedNote::new(journal.storage().unwrap(), robot_id, mark_id, claim.epoch, note)
    };
    let notes =
        async |journal: &dyn Store| journal.pull(&pull("mark")).await.unwrap().unwrap().notes.len();

    // There is no journal here, then another's.
    let (other, its) = claimed(&elsewhere).await;
    let others = note(&*other, &its, text(&Note::Resumed));
    assert!(!put("a", others.clone()).await.unwrap());
    let (journal, claim) = claimed(&here).await;
    assert!(!put("b", others).await.unwrap());
    assert_eq!((list().await, notes(&*other).await, notes(&*journal).await), ("b".into(), 1, 1));
    // Then it is the right one.
    let good = note(&*journal, &claim, text(&Note::Resumed));
    assert!(put("c", good.clone()).await.unwrap());
    let state = journal.pull(&pull("mark")).await.unwrap().unwrap();
    assert_eq!((list().await, &state.notes[1].note), ("c".into(), &Note::Resumed));
    // A user who may not read the journal's tables still publishes.
    let rights = "CREATE ROLE clerk LOGIN; GRANT USAGE ON SCHEMA qopen, qopen_journal TO clerk;
         GRANT ALL ON ALL TABLES IN SCHEMA qopen TO clerk;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA qopen TO clerk";
    client.batch_execute(rights).await.unwrap();
    let clerk = PostgresSink::new(&here.replace("qopen@", "clerk@")).unwrap();
    let lists = vec![("robot", 1, vec![account("1", "d")])];
    let noted = publish(&clerk, ListKind::Complete, lists, Some(good.clone())).await;
    assert!(!noted.unwrap());
    assert_eq!((list().await, notes(&*journal).await), ("d".into(), 2));
    // A commit that fails takes the note with it.
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN RAISE EXCEPTION ''no''; END';
         CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON qopen.pull DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse()";
    client.batch_execute(refuse).await.unwrap();
    assert!(matches!(put("e", good.clone()).await, Err(SinkError::Database(_))));
    client.batch_execute("DROP TRIGGER refuse ON qopen.pull").await.unwrap();
    // So does a note that fails take the list, and one whose claim no longer counts.
    let broken = note(&*journal, &claim, "no JSON".to_owned());
    assert!(matches!(put("f", broken).await, Err(SinkError::Database(_))));
    journal.complete(&claim).await.unwrap();
    assert!(matches!(put("g", good).await, Err(SinkError::Declined)));
    assert_eq!((list().await, notes(&*journal).await), ("d".into(), 2));
}

/// What was set aside before is there until the list is replaced, and what is new from then on.
#[tokio::test(flavor = "multi_thread")]
async fn i5_list_and_quarantine_are_one_commit() {
    let Some(server) = Server::start() else { return };
    let sink = PostgresSink::new(&server.url()).unwrap();
    sink.check().unwrap();
    let client = connect(&server.url()).await;
    let publish = async |name: &str, lines: usize| {
        let (sink, name) = (sink.clone(), name.to_owned());
        let write = move || {
            let mut quarantine = Quarantine::default();
            for n in 0..lines {
                quarantine
                    .push(&format!(r#"{{"robot_id":"r1","reason":"why","raw":"\u0000 {n}"}}"#))
                    .unwrap();
            }
            let (robot, mark) = (robot("r1"), name.parse::<MarkId>().unwrap());
            let mut writer = sink.begin(ListKind::Complete)?;
            writer.begin_list(&ListInfo::new(&robot, &mark, 1))?;
            writer.write(&Record::new(&robot, &account("1", &name)))?;
            assert!(writer.set_aside(quarantine)?.is_none());
            writer.commit()
        };
        tokio::task::spawn_blocking(move || std::thread::spawn(write).join().unwrap())
            .await
            .unwrap()
    };
    let found = async || {
        let lines = "SELECT count(*) FROM qopen.quarantine";
        let lines: i64 = client.query_one(lines, &[]).await.unwrap().get(0);
        (names(&client, "robot_account").await.concat(), lines)
    };
    let committed = publish("a", 600).await.unwrap();
    assert!(committed.set_aside.is_some_and(|it| it.ends_with("(qopen.quarantine)")));
    assert_eq!(found().await, ("a".to_owned(), 600));
    // The last statement of all is refused: nothing was done.
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN RAISE EXCEPTION ''no''; END';
         CREATE TRIGGER refuse BEFORE INSERT ON qopen.quarantine
             FOR EACH STATEMENT EXECUTE FUNCTION refuse()";
    client.batch_execute(refuse).await.unwrap();
    assert!(publish("b", 1).await.is_err());
    assert_eq!(found().await, ("a".to_owned(), 600));
    assert!(publish("c", 0).await.unwrap().set_aside.is_none());
    assert_eq!(found().await, ("c".to_owned(), 0));
}

/// What would fail when all pages are in is found out before the first one comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_hold_lists_is_refused_at_once() {
    let Some(server) = Server::start() else { return };
    let client = connect(&server.url()).await;
    let make =
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    client.batch_execute(make).await.unwrap();
    client.batch_execute("CREATE DATABASE standby").await.unwrap();
    client.batch_execute("CREATE DATABASE narrow").await.unwrap();
    client.batch_execute("CREATE DATABASE foreign_tables").await.unwrap();
    client.batch_execute("CREATE ROLE clerk LOGIN").await.unwrap();
    let url = |database: &str, user: Option<&str>| {
        let (place, _) =
            server.url().rsplit_once('/').map(|it| (it.0.to_owned(), it.1.len())).unwrap();
        match user {
            Some(user) => {
                let (scheme, host) = place.split_once("://").unwrap();
                let host = host.rsplit_once('@').map_or(host, |it| it.1);
                format!("{scheme}://{user}@{host}/{database}")
            }
            None => format!("{place}/{database}"),
        }
    };
    let check = |url: String| PostgresSink::new(&url).unwrap().check();
    for database in ["standby", "narrow", "foreign_tables"] {
        check(url(database, None)).unwrap();
    }
    let read_only = "ALTER DATABASE standby SET default_transaction_read_only = on;
         REVOKE TEMPORARY ON DATABASE narrow FROM public";
    client.batch_execute(read_only).await.unwrap();
    let narrow = connect(&url("narrow", None)).await;
    let grant =
        "GRANT USAGE ON SCHEMA qopen TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA qopen TO clerk";
    narrow.batch_execute(grant).await.unwrap();
    let foreign = connect(&url("foreign_tables", None)).await;
    foreign
        .batch_execute("GRANT USAGE ON SCHEMA qopen TO clerk; GRANT SELECT ON ALL TABLES IN SCHEMA qopen TO clerk")
        .await
        .unwrap();
    for (url, said) in
        [(url("standby", None), "read-only"), (url("narrow", Some("clerk")), "TEMPORARY")]
    {
        let error = check(url).unwrap_err();
        assert!(matches!(&error, SinkError::Unsuitable { why } if why.contains(said)), "{error}");
    }
    let error = check(url("latin", None)).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, SinkError::Database(_)) && cause.contains("UTF8"), "{cause}");
    let error = check(url("foreign_tables", Some("clerk"))).unwrap_err();
    assert!(matches!(error, SinkError::Database(_)), "{error}");
}

#[test]
fn a_url_that_cannot_be_used_is_not_quoted() {
    let error = PostgresSink::new("postgres://me:secret@host:port/x").unwrap_err();
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

/// Equal accounts leave their tags as they are, unless the number of tags is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn tags_that_were_deleted_or_added_by_hand_are_put_right() {
    let Some(server) = Server::start() else { return };
    let sink = PostgresSink::new(&server.url()).unwrap();
    sink.check().unwrap();
    let client = connect(&server.url()).await;
    for (kind, table) in [(ListKind::Complete, "tag"), (ListKind::Partial, "partial_tag")] {
        let list =
            |revision| vec![("r1", revision, vec![account("1", "Ann"), account("2", "Bob")])];
        let others = vec![("r2", 1, vec![account("1", "Cid")])];
        publish(&sink, kind, others, None).await.unwrap();
        publish(&sink, kind, list(1), None).await.unwrap();
        let tags = async || {
            let read = format!(
                "SELECT concat_ws(' ', robot_id, account_id, place, tag_name) FROM qopen.{table} ORDER BY 1"
            );
            let rows = client.query(&read, &[]).await.unwrap();
            rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>()
        };
        let first = tags().await;
        assert_eq!(first.len(), 6);
        let delete =
            format!("DELETE FROM qopen.{table} WHERE robot_id = 'r1' AND account_id = '2'");
        let add = format!("INSERT INTO qopen.{table} VALUES ('r1', '1', 7, 'group', 'added')");
        for (revision, by_hand) in (2..).zip([delete, add]) {
            client.batch_execute(&by_hand).await.unwrap();
            assert_ne!(tags().await, first);
            publish(&sink, kind, list(revision), None).await.unwrap();
            assert_eq!(tags().await, first, "{by_hand}");
        }
    }
}

/// A long list is put in its place in steps, of which none takes long, and is the same list.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_put_in_its_place_in_steps() {
    const ACCOUNTS: usize = 105_000;
    let Some(server) = Server::start() else { return };
    let sink = PostgresSink::new(&server.url()).unwrap();
    sink.check().unwrap();
    let client = connect(&server.url()).await;
    let list = |to: usize, name: &str| {
        let one = |n| {
            let mut account = account(&format!("{n:08}"), name);
            account.tag_info_list.pop();
            account
        };
        vec![("r1", 1, (0..to).map(one).collect())]
    };
    let count = async |table: &str| {
        let count = format!("SELECT count(*) FROM qopen.{table}");
        usize::try_from(client.query_one(&count, &[]).await.unwrap().get::<_, i64>(0)).unwrap()
    };
    for (to, name) in [(ACCOUNTS, "a"), (ACCOUNTS, "b"), (7, "c")] {
        publish(&sink, ListKind::Complete, list(to, name), None).await.unwrap();
        assert_eq!((count("robot_account").await, count("tag").await), (to, to));
        let same = format!("robot_account WHERE name = '{name}'");
        assert_eq!(count(&same).await, to);
    }
}
