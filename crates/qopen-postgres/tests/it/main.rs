//! What stands between a client and its database elsewhere: poolers, and passwords.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use qopen_postgres::testing::Server;
use qopen_postgres::{Database, DatabaseError};

#[tokio::test]
async fn a_pooler_that_keeps_no_sessions_is_refused_by_name() {
    let Some(server) = Server::start() else { return };
    Database::new(&server.url()).unwrap().check_session().await.unwrap();
    for (mode, keeps) in [("session", true), ("transaction", false), ("statement", false)] {
        let Some(pooler) = server.pooler(mode) else { return };
        let database = Database::new(&pooler.url()).unwrap();
        match database.check_session().await {
            Ok(()) => assert!(keeps, "{mode}"),
            Err(error) => {
                assert!(!keeps && matches!(error, DatabaseError::Pooled), "{mode}: {error:?}");
                assert!(!error.is_retryable() && error.to_string().contains("pool_mode = session"));
            }
        }
    }
}

#[tokio::test]
async fn a_password_that_is_asked_for_and_not_given_is_said() {
    let Some(server) = Server::start() else { return };
    let client = Database::new(&server.url()).unwrap().connect(None).await.unwrap();
    client.batch_execute("CREATE ROLE clerk LOGIN PASSWORD 'right'").await.unwrap();
    for method in ["scram-sha-256", "md5", "password"] {
        let rules =
            format!("host all qopen 127.0.0.1/32 trust\nhost all clerk 127.0.0.1/32 {method}\n");
        server.let_in(&rules).await.unwrap();
        let url = |password: &str| server.url().replace("qopen@", &format!("clerk{password}@"));
        let connect = async |password| {
            Database::new(&url(password))
                .unwrap()
                .client()
                .await
                .map(drop)
                .map_err(|it| (it.is_retryable(), it))
        };
        loop {
            // The server reads its rules when it comes to it.
            match connect("").await {
                Err((false, DatabaseError::NoPassword)) => break,
                Ok(()) => {}
                other => unreachable!("{method}: {other:?}"),
            }
        }
        let wrong = connect(":wrong").await;
        assert!(matches!(wrong, Err((false, DatabaseError::Server(_)))), "{method}: {wrong:?}");
        // A password of the md5 kind is made when it is set.
        if method != "md5" {
            connect(":right").await.unwrap();
        }
    }
}
