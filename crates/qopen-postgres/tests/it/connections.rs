//! What is between a client and its database elsewhere: poolers, and passwords.

use qopen_journal::{Backend as _, JournalError};
use qopen_postgres::testing::Server;
use qopen_postgres::{DatabaseError, PostgresBackend};

/// Whether the error is retryable, and its cause.
fn reason(error: &JournalError) -> (bool, &DatabaseError) {
    let source = std::error::Error::source(error).unwrap();
    (error.is_retryable(), source.downcast_ref().unwrap())
}

#[tokio::test]
async fn a_pooler_that_keeps_no_sessions_is_refused_by_name() {
    let Some(server) = Server::start() else { return };
    PostgresBackend::new(&server.url()).unwrap().migrate().await.unwrap();
    for (mode, keeps) in [("session", true), ("transaction", false), ("statement", false)] {
        let Some(pooler) = server.pooler(mode) else { return };
        match PostgresBackend::new(&pooler.url()).unwrap().open().await {
            Ok(_) => assert!(keeps, "{mode}"),
            Err(error) => {
                let (retryable, reason) = reason(&error);
                assert!(!keeps && matches!(reason, DatabaseError::Pooled), "{mode}: {error:?}");
                assert!(!retryable && !reason.is_retryable());
                assert!(reason.to_string().contains("pool_mode = session"));
            }
        }
    }
}

#[tokio::test]
async fn a_password_that_is_asked_for_and_not_given_is_said() {
    let Some(server) = Server::start() else { return };
    let client = crate::support::connect(&server.url()).await;
    client.batch_execute("CREATE ROLE clerk LOGIN PASSWORD 'right'").await.unwrap();
    for method in ["scram-sha-256", "md5", "password"] {
        let rules =
            format!("host all qopen 127.0.0.1/32 trust\nhost all clerk 127.0.0.1/32 {method}\n");
        server.let_in(&rules).await.unwrap();
        let url = |password: &str| server.url().replace("qopen@", &format!("clerk{password}@"));
        let connect =
            async |password| PostgresBackend::new(&url(password)).unwrap().exists().await.map(drop);
        loop {
            // The server reads its rules when it comes to it.
            match connect("").await {
                Ok(()) => {}
                Err(error) => {
                    let (retryable, reason) = reason(&error);
                    let missing = matches!(reason, DatabaseError::NoPassword);
                    assert!(!retryable && missing, "{method}: {error:?}");
                    break;
                }
            }
        }
        let wrong = connect(":wrong").await.unwrap_err();
        let (retryable, reason) = reason(&wrong);
        assert!(!retryable && matches!(reason, DatabaseError::Server(_)), "{method}: {wrong:?}");
        // A password of the md5 kind is made when it is set.
        if method != "md5" {
            connect(":right").await.unwrap();
        }
    }
}
