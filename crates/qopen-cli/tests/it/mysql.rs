//! Lists in MySQL and MariaDB.

use qopen_simulator::Schedule;

use crate::support::{Stage, text};

fn plain() -> Schedule {
    Schedule { accounts: 60, page_size: 10, ..Schedule::default() }
}

/// What is not in a binary is said, with the build that has it, before anything is asked of the platform.
#[cfg(not(feature = "mysql"))]
#[test]
fn a_build_without_mysql_says_which_build_has_it() {
    let stage = Stage::new(&plain());
    for url in ["mysql://me@db.example/lists", "mariadb://me:canary@db.example/lists"] {
        let migrate = ["--out", url];
        let commands =
            [stage.pull(&["--robot", "r1", "--out", url]), stage.verb("migrate", &migrate)];
        for mut command in commands {
            let done = command.output().unwrap();
            let said = text(&done.stderr);
            assert_eq!(done.status.code(), Some(2), "{said}");
            assert!(said.contains("--features mysql") && said.contains("lists.db"), "{said}");
            assert!(!said.contains("canary") && !text(&done.stdout).contains("canary"), "{said}");
        }
    }
}

#[cfg(feature = "mysql")]
mod with_a_server {
    use std::process::Output;

    use qopen_mysql::testing::Server;
    use serde_json::{Value, json};

    use super::*;

    fn summary(done: &Output) -> Value {
        let said = text(&done.stdout);
        let last = said.lines().last().unwrap_or_else(|| panic!("{}", text(&done.stderr)));
        serde_json::from_str(last).unwrap()
    }

    fn records(server: &Server, table: &str) -> String {
        let rows = server.query(&format!("SELECT account FROM {table} ORDER BY account_id"));
        rows.iter().map(|it| format!("{}\n", it[0])).collect()
    }

    #[test]
    fn a_list_goes_to_the_server_and_the_password_goes_nowhere_else() {
        let Some(server) = Server::start() else { return };
        let url = format!("mysql://qopen@127.0.0.1:{}/qopen", server.port());
        let stage = Stage::new(&plain());
        let pull = |stage: &Stage, url: &str, password: Option<&str>| {
            let mut command = stage.pull(&["--robot", "r1", "--out", url, "--json"]);
            command.env_remove("MYSQL_PWD").env("HOME", stage.folder.path());
            if let Some(password) = password {
                command.env("MYSQL_PWD", password);
            }
            command.output().unwrap()
        };
        // Without the password, with a wrong one, and with one on the command line, no pull is started.
        let with_password = url.replace("qopen@", "qopen:canary@");
        for (url, password, code, said) in [
            (&url, None, 7, "MYSQL_PWD"),
            (&url, Some("canary"), 7, "Access denied"),
            (&with_password, None, 2, "MYSQL_PWD"),
        ] {
            let done = pull(&stage, url, password);
            let error = text(&done.stderr);
            assert!(done.status.code() == Some(code) && error.contains(said), "{error}");
            assert!(!error.contains("canary") && !text(&done.stdout).contains("canary"), "{error}");
        }
        for (n, baseline) in [(1, true), (2, false)] {
            let done = pull(&stage, &url, Some(server.password()));
            assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
            let summary = summary(&done);
            let output = format!("mysql://127.0.0.1:{}/qopen", server.port());
            assert_eq!((&summary["output"], &summary["accounts"]), (&json!(output), &json!(60)));
            assert_eq!(summary["changes"]["baseline"], json!(baseline));
            assert_eq!(server.query("SELECT max(number) FROM list"), [[n.to_string()]]);
            assert_eq!(
                server.query("SELECT basis FROM pull")[0][0],
                summary["basis"].as_str().unwrap()
            );
        }
        assert!(stage.run(&["--robot", "r1", "--out", "list"]).status.success());
        assert_eq!(records(&server, "robot_account"), stage.read("list"));
        // The place that is noted with a pull has no password, and a partial list has tables of its own.
        let lost = Schedule { lost_last_page: true, ..plain() };
        let stage = Stage::new(&lost);
        let done = pull(&stage, &url, Some(server.password()));
        assert_eq!(done.status.code(), Some(3), "{}", text(&done.stderr));
        assert_eq!(summary(&done)["status"], json!("incomplete"));
        let counts = "SELECT (SELECT count(*) FROM robot_account), (SELECT count(*) FROM partial_robot_account)";
        assert_eq!(server.query(counts), [["60", "50"]]);
        let shown = stage.verb("pulls", &["list", "--json"]).output().unwrap();
        assert!(!text(&shown.stdout).contains(server.password()));
    }

    #[test]
    fn migrate_makes_the_tables_once() {
        let Some(server) = Server::start() else { return };
        let stage = Stage::new(&plain());
        let url = format!("mysql://qopen@127.0.0.1:{}/qopen", server.port());
        for said in [": 1 step", ": nothing to do"] {
            let mut migrate = stage.verb("migrate", &["--out", &url]);
            let done = migrate.env("MYSQL_PWD", server.password()).output().unwrap();
            let error = text(&done.stderr);
            assert!(done.status.success() && error.contains(said), "{error}");
        }
    }
}
