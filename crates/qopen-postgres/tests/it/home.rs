//! Where a journal is, on servers of every version and for users with fewer rights.

use qopen_journal::{Backend as _, JournalError};
use qopen_postgres::testing::Server;
use qopen_postgres::{DatabaseError, PostgresBackend};

use crate::support::{connect, journal, open, page};

fn backend(url: &str) -> PostgresBackend {
    PostgresBackend::new(url).unwrap()
}

#[tokio::test]
async fn a_server_before_15_has_no_maximum_of_transaction_numbers() {
    let Some(server) = Server::start() else { return };
    let client = connect(&server.url()).await;
    let removed = "UPDATE pg_proc SET proname = 'removed' WHERE oid = to_regprocedure('max(xid8)')";
    client.batch_execute(removed).await.unwrap();
    journal(&server).await.append(page("m1", "a page")).await.unwrap();
    open(&server.url()).await;
    assert!(!backend(&server.url()).examine().await.unwrap().is_restored);
}

/// Whether a user finds the journal restored: at a look, and at an attempt to open it.
async fn finds_restored(url: &str) -> bool {
    let is_restored = backend(url).examine().await.unwrap().is_restored;
    match backend(url).open().await {
        Ok(_) => assert!(!is_restored),
        Err(JournalError::Fatal(error)) => {
            assert!(matches!(error.downcast_ref(), Some(DatabaseError::Restored)), "{error}");
            assert!(is_restored);
        }
        Err(error) => panic!("{error}"),
    }
    is_restored
}

/// Adds a user with the rights of an application, and returns its URL.
async fn application(server: &Server) -> String {
    let client = connect(&server.url()).await;
    let rights = "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC;
        CREATE ROLE app LOGIN;
        GRANT USAGE ON SCHEMA qopen_journal TO app;
        GRANT ALL ON ALL TABLES IN SCHEMA qopen_journal TO app;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA qopen_journal TO app";
    client.batch_execute(rights).await.unwrap();
    let url = server.url().replace("qopen@", "app@");
    let user =
        "SELECT current_user::text, has_function_privilege('pg_control_system()', 'EXECUTE')";
    let user = connect(&url).await.query_one(user, &[]).await.unwrap();
    assert_eq!((user.get::<_, String>(0).as_str(), user.get(1)), ("app", false));
    url
}

#[tokio::test]
async fn e2_a_journal_is_at_home_for_every_user() {
    let Some(server) = Server::start() else { return };
    journal(&server).await;
    let client = connect(&server.url()).await;
    let (owner, app) = (server.url(), application(&server).await);
    // Each notes the home, and each uses the journal then.
    for user in [&app, &owner] {
        open(user).await.append(page("m1", "a page")).await.unwrap();
        for other in [&app, &owner] {
            assert!(!finds_restored(other).await);
        }
        // `pg_dump` writes the row anew.
        client.batch_execute("UPDATE qopen_journal.identity SET home = home").await.unwrap();
        for other in [&app, &owner] {
            assert!(finds_restored(other).await);
        }
        assert_eq!(backend(user).migrate().await.unwrap(), 1);
        assert_eq!(backend(user).migrate().await.unwrap(), 0);
    }
    // What keeps the row as it is keeps its home.
    let kept = "VACUUM (FULL, FREEZE) qopen_journal.identity";
    client.execute(kept, &[]).await.unwrap();
    client.execute("SELECT FROM qopen_journal.identity FOR UPDATE", &[]).await.unwrap();
    assert!(!finds_restored(&owner).await);
}

#[tokio::test]
async fn e2_a_journal_in_another_table_or_database_is_restored() {
    let Some(server) = Server::start() else { return };
    journal(&server).await.append(page("m1", "a page")).await.unwrap();
    let client = connect(&server.url()).await;
    let url = server.create("copied").await.unwrap();
    let copy = connect(&url).await;
    // The same transaction, by its number.
    let same = "UPDATE qopen_journal.identity SET home =
        regexp_replace($1, '[0-9]+$', pg_current_xact_id()::xid::text)";
    let home = "SELECT home FROM qopen_journal.identity";
    let home: String = client.query_one(home, &[]).await.unwrap().get(0);
    client.execute(same, &[&home]).await.unwrap();
    assert!(!finds_restored(&server.url()).await);
    backend(&url).migrate().await.unwrap();
    copy.execute(same, &[&home]).await.unwrap();
    assert!(finds_restored(&url).await);
    backend(&url).migrate().await.unwrap();
    assert!(!finds_restored(&url).await);
    let table = "CREATE TABLE qopen_journal.other AS TABLE qopen_journal.identity;
        DROP TABLE qopen_journal.identity;
        ALTER TABLE qopen_journal.other RENAME TO identity";
    let home = "SELECT home FROM qopen_journal.identity";
    let home: String = copy.query_one(home, &[]).await.unwrap().get(0);
    copy.batch_execute(table).await.unwrap();
    copy.execute(same, &[&home]).await.unwrap();
    assert!(finds_restored(&url).await);
}

#[tokio::test]
async fn e2_an_interruption_before_the_home_is_noted_does_not_hide_a_restoration() {
    let Some(server) = Server::start() else { return };
    let journal = journal(&server).await;
    journal.append(page("m1", "a page")).await.unwrap();
    let client = connect(&server.url()).await;
    let restore = "UPDATE qopen_journal.identity SET home = home";
    client.batch_execute(restore).await.unwrap();
    // The numbers are renewed, and the pulls are not yet doubted.
    let mended = "UPDATE qopen_journal.identity SET home = ''";
    client.batch_execute(mended).await.unwrap();
    assert!(finds_restored(&server.url()).await);
    assert_eq!(backend(&server.url()).migrate().await.unwrap(), 1);
    let doubts = async || journal.pulls().await.unwrap()[0].doubts().len();
    assert_eq!(doubts().await, 1);
    // The pulls are doubted, and the home is not noted yet.
    client.batch_execute(mended).await.unwrap();
    assert!(finds_restored(&server.url()).await);
    assert_eq!(backend(&server.url()).migrate().await.unwrap(), 1);
    assert_eq!((doubts().await, journal.quarantined(None).await.unwrap().len()), (2, 2));
    assert!(!finds_restored(&server.url()).await);
}
