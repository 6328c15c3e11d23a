//! The journal: what every journal does, and what only a shared one in a database does.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use qopen_journal::conformance::{CASES, Subject, check};
use qopen_journal::{Appended, Backend as _, Durability, Fencing, JournalError, WorkerId};
use qopen_postgres::PostgresBackend;
use qopen_postgres::testing::Server;

use crate::support::{connect, journal, open, page, pull};

const LONG: Duration = Duration::from_secs(600);

/// Each case has a database of its own, opened twice.
#[tokio::test]
async fn the_journal_conforms_and_is_the_same_to_every_process() {
    let Some(server) = Server::start() else { return };
    let used = Mutex::new(Vec::new());
    check(async |case| {
        let url = server.create(case.name()).await.unwrap();
        assert_eq!(PostgresBackend::new(&url).unwrap().migrate().await.unwrap(), 4);
        let (journal, other) = (open(&url).await, open(&url).await);
        assert_eq!(journal.durability(), Durability::ServerCommit);
        used.lock().unwrap().push(url);
        Subject::shared(journal, other)
    })
    .await;
    let used = used.into_inner().unwrap();
    assert_eq!(used.len(), CASES.len());
    let mut pulls = 0;
    for url in used {
        let (journal, other) = (open(&url).await, open(&url).await);
        pulls += journal.pulls().await.unwrap().len();
        assert_eq!(journal.pulls().await.unwrap(), other.pulls().await.unwrap());
        let waiting = journal.waiting(0, usize::MAX).await.unwrap();
        assert_eq!(waiting, other.waiting(0, usize::MAX).await.unwrap());
    }
    assert!(pulls > 0);
}

#[tokio::test]
async fn any_number_of_processes_may_migrate_at_once() {
    let Some(server) = Server::start() else { return };
    let backend = PostgresBackend::new(&server.url()).unwrap();
    assert!(!backend.exists().await.unwrap());
    assert!(matches!(backend.open().await, Err(JournalError::Fatal(_))));
    let migrating: Vec<_> = (0..8)
        .map(|_| PostgresBackend::new(&server.url()).unwrap())
        .map(|backend| tokio::spawn(async move { backend.migrate().await.unwrap() }))
        .collect();
    let mut steps = 0;
    for done in migrating {
        steps += done.await.unwrap();
    }
    assert_eq!(steps, 4);
    assert!(backend.exists().await.unwrap() && backend.is_shared());
    backend.open().await.unwrap();
}

/// Killed in the middle of appends and started again: what was kept is there, and nothing had to be
/// opened anew.
#[tokio::test]
async fn a_database_that_crashes_loses_nothing_that_was_kept() {
    let Some(mut server) = Server::start() else { return };
    let journal = journal(&server).await;
    let mut kept = Vec::new();
    let (mut refused, mut after) = (0, 0);
    for n in 0.. {
        if n == 50 {
            server.stop().unwrap();
        }
        if refused == 3 && after == 0 {
            server.run().unwrap();
        }
        match journal.append(page("a", &format!("{n}"))).await {
            Ok(Appended::New) => kept.push(n.to_string()),
            Err(error) if error.is_retryable() => refused += 1,
            other => panic!("{other:?}"),
        }
        after += usize::from(refused > 0 && kept.last() == Some(&n.to_string()));
        if after == 50 {
            break;
        }
        assert!(refused < 100, "it does not recover");
    }
    assert!(refused >= 3);
    let pages: Vec<_> = journal.pages(&pull("a")).await.unwrap().try_collect().await.unwrap();
    let there: Vec<_> = pages.iter().map(|it| it.payload.text().as_str().to_owned()).collect();
    assert!(kept.iter().all(|it| there.contains(it)), "{kept:?} {there:?}");
    // Told by the connection that hints go over, once that is there again.
    for _ in 0..1000 {
        if journal.stats().healthy {
            break;
        }
        journal.wait(Duration::from_millis(10)).await;
    }
    assert!(journal.stats().healthy);
}

/// What is committed while its pull is forgotten belongs to a pull again.
#[tokio::test]
async fn a_page_that_is_committed_while_its_pull_expires_is_kept() {
    let Some(server) = Server::start() else { return };
    let journal = journal(&server).await;
    journal.append(page("old", "1")).await.unwrap();
    for claim in journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap() {
        assert_eq!(journal.complete(&claim).await.unwrap(), Fencing::Held);
    }
    let mut client = connect(&server.url()).await;
    let transaction = client.transaction().await.unwrap();
    let robot = pull("old").robot_id.to_string();
    let copy = "INSERT INTO qopen_journal.page (robot_id, mark_id, digest, unpacked, payload)
         SELECT $1, 'old', '\\x00112233445566778899aabbccddeeff', null, '\\x78'";
    transaction.execute(copy, &[&robot]).await.unwrap();
    let gone = journal.expire(Duration::ZERO, &BTreeSet::new()).await.unwrap();
    assert_eq!(gone.pulls, [pull("old")]);
    transaction.commit().await.unwrap();
    assert!(!journal.knows(&pull("old")).await.unwrap());
    journal.expire(LONG, &BTreeSet::new()).await.unwrap();
    assert_eq!(journal.pull(&pull("old")).await.unwrap().unwrap().pages, 1);
    // And a worker gets it.
    assert_eq!(journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap().len(), 1);
}

/// A transaction that is left open, anywhere in the cluster, hides nothing and repeats nothing.
#[tokio::test]
async fn pages_are_told_of_however_long_anothers_transaction_is_open() {
    let Some(server) = Server::start() else { return };
    let journal = journal(&server).await;
    let mut client = connect(&server.url()).await;
    let foreign = client.transaction().await.unwrap();
    foreign.execute("SELECT pg_current_xact_id()", &[]).await.unwrap();
    let robot = pull("late").robot_id.to_string();
    let late = "INSERT INTO qopen_journal.page (robot_id, mark_id, digest, unpacked, payload)
         VALUES ($1, 'late', '\\x00112233445566778899aabbccddeeff', null, '\\x78')";
    let work = "INSERT INTO qopen_journal.pull (robot_id, mark_id) VALUES ($1, 'late')";
    foreign.execute(work, &[&robot]).await.unwrap();
    foreign.execute(late, &[&robot]).await.unwrap();
    for n in 0..3 {
        journal.append(page("a", &n.to_string())).await.unwrap();
        let claims = journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap();
        assert_eq!(claims.len(), 1, "page {n}");
        assert_eq!(journal.complete(&claims[0]).await.unwrap(), Fencing::Held);
        assert_eq!(journal.pull(&pull("a")).await.unwrap().unwrap().pages, n + 1);
        // What was told is not news again.
        assert_eq!(journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap(), []);
    }
    foreign.commit().await.unwrap();
    let claims = journal.claim(&WorkerId::new("it"), LONG, 9).await.unwrap();
    assert_eq!(claims.iter().map(|it| &it.pull).collect::<Vec<_>>(), [&pull("late")]);
}

/// A database that answers and takes nothing, as one does after a fail-over, is not healthy.
#[tokio::test]
async fn a_database_that_is_read_only_is_unhealthy_until_it_takes_something() {
    let Some(server) = Server::start() else { return };
    let journal = journal(&server).await;
    journal.append(page("a", "1")).await.unwrap();
    let client = connect(&server.url()).await;
    let read_only = async |it: &str| {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = '{it}'");
        client.batch_execute(&set).await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    read_only("on").await;
    while journal.append(page("a", "2")).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..50 {
        assert!(!journal.stats().healthy);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    read_only("off").await;
    while !journal.stats().healthy {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
