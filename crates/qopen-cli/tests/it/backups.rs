//! Backup and restoration by the commands of docs/OPERATIONS.md, while pages come.

use std::path::Path;
use std::process::{Command, Output};

use qopen_postgres::testing::Server;
use qopen_simulator::Schedule;
use serde_json::Value;

use crate::served::{Served, expected};
use crate::shared::process_by;
use crate::support::{Stage, ids, qopen, text};

const OPERATIONS: &str = include_str!("../../../../docs/OPERATIONS.md");

/// The commands under a heading, from the n-th on.
fn commands(heading: &str, n: usize) -> &'static str {
    let section = OPERATIONS.split_once(&format!("\n## {heading}\n")).expect("the heading").1;
    let section = section.split_once("\n## ").map_or(section, |it| it.0);
    let mut blocks = section.split("\n```sh\n").skip(1);
    blocks.nth(n).and_then(|it| it.split_once("\n```")).expect("the commands").0
}

/// Runs commands with the binary and PostgreSQL's programs in the path.
fn sh(folder: &Path, commands: &str, server: Option<&Server>, journal: &str) -> Output {
    let binary = qopen(folder, &[]);
    let mut path = vec![Path::new(binary.get_program()).parent().unwrap().to_owned()];
    path.extend(server.map(|it| it.programs().to_owned()));
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", commands])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path).unwrap());
    shell.env("QOPEN_JOURNAL", journal).output().unwrap()
}

fn succeeds(output: &Output) -> String {
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

/// Six pages, the last one first, and one of the others long after them.
fn schedule() -> Schedule {
    Schedule {
        accounts: 60,
        page_size: 10,
        last_page_first: true,
        late_page: Some((3, 6_000)),
        ..Schedule::default()
    }
}

/// Times within which the late page belongs to the list.
const TIMES: [&str; 4] = ["--settle", "9s", "--idle-timeout", "10s"];

fn is_over(pull: &Value) -> bool {
    pull["status"] != "open"
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_a_restored_shared_journal_calls_no_list_complete_that_lacks_later_pages() {
    let Some(server) = Server::start() else { return };
    if server.client("pg_dump", "postgres").is_none() {
        return;
    }
    let stage = Stage::new(&schedule());
    let folder = stage.folder.path();
    let lists = server.create("lists").await.unwrap();
    let more = [&["--out", &lists][..], &TIMES].concat();
    let serve = |url: &str| process_by(&stage, url, "both", &stage.listen, &more);
    let url = server.url();
    let mut served = serve(&url);
    let complete = served.published("r2").await;
    let mark = served.start_pull("r1").await;
    served.until(&mark, |pull| pull["pages"] == 5).await;
    succeeds(&sh(folder, commands("Backup", 0), Some(&server), &url));
    // The page that is acknowledged after the backup.
    let pull = served.until(&mark, |pull| pull["pages"] == 6).await;
    assert_eq!(pull["status"], "open", "{pull}");
    served.process.kill().unwrap();
    drop(served);

    let address = url.strip_suffix("/postgres").unwrap();
    let restore = commands("Restore", 0).replace("postgres://qopen@db.example", address);
    let (restore, migrate) = restore.rsplit_once('\n').unwrap();
    assert_eq!(migrate, "qopen migrate");
    succeeds(&sh(folder, restore, Some(&server), &url));
    let restored = server.url_of("restored");
    // Without the last command, the journal is refused.
    let forgotten = sh(folder, "qopen pulls list", None, &restored);
    let said = text(&forgotten.stderr);
    assert!(forgotten.status.code() == Some(2) && said.contains("run `qopen migrate`"), "{said}");
    let doctor = sh(folder, "qopen doctor", None, &restored);
    assert!(text(&doctor.stdout).contains("WARN  journal: it was restored"), "{doctor:?}");
    let said = succeeds(&sh(folder, migrate, None, &restored));
    assert!(said.contains("restored from a backup"), "{said}");
    assert!(succeeds(&sh(folder, migrate, None, &restored)).contains("nothing to do"));

    let served = serve(&restored);
    let pull = served.until(&mark, is_over).await;
    assert_eq!((&pull["status"], &pull["pages"]), (&"incomplete".into(), &5.into()), "{pull}");
    let pull = served.get_json(&format!("/v1/pulls/{complete}")).await;
    assert_eq!(pull["status"], "complete", "it was complete before: {pull}");
    let (client, connection) =
        tokio_postgres::connect(&lists, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let of_r1 = "SELECT count(*) FROM qopen.robot_account WHERE robot_id = 'r1'";
    let count: i64 = client.query_one(of_r1, &[]).await.unwrap().get(0);
    assert_eq!(count, 0, "no list replaces another");
    // What the documentation advises: the next pull brings the whole list.
    let again = served.published("r1").await;
    let list = served.get(&format!("/v1/pulls/{again}/accounts")).await;
    assert_eq!(list.headers()["qopen-complete"], "true");
    assert_eq!(ids(&list.text().await.unwrap()), expected(&schedule(), "r1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_a_restored_folder_calls_no_list_complete_that_lacks_later_pages() {
    let stage = Stage::new(&schedule());
    let folder = stage.folder.path();
    if std::fs::metadata(folder).unwrap().created().is_err() {
        eprintln!("SKIP: files have no time of birth here; a copied journal is not noticed");
        return;
    }
    std::fs::create_dir(folder.join("lists")).unwrap();
    let more = [&["--out", "lists"][..], &TIMES].concat();
    let serve = || Served::new(&stage, &more, None);
    let served = serve();
    let mark = served.start_pull("r1").await;
    served.until(&mark, |pull| pull["pages"] == 5).await;
    assert!(served.stop().success());
    succeeds(&sh(folder, commands("Backup", 1), None, ""));
    let mut served = serve();
    assert!(!served.log().contains("restored from a backup"), "{}", served.log());
    served.until(&mark, |pull| pull["pages"] == 6).await;
    served.process.kill().unwrap();
    drop(served);
    succeeds(&sh(folder, commands("Restore", 1), None, ""));
    let served = serve();
    served.until_it_says(1, "restored from a backup").await;
    let pull = served.until(&mark, is_over).await;
    assert_eq!((&pull["status"], &pull["pages"]), (&"incomplete".into(), &5.into()), "{pull}");
    assert!(!stage.exists("lists/r1.jsonl"));
    served.published("r1").await;
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), expected(&schedule(), "r1"));
}

/// Of a pull that another system requested after the backup, only the last page comes.
#[tokio::test(flavor = "multi_thread")]
async fn e2_a_restored_folder_adopts_no_pull_that_may_lack_pages() {
    let schedule = Schedule { last_page_first: false, late_page: Some((5, 6_000)), ..schedule() };
    let stage = Stage::new(&schedule);
    let folder = stage.folder.path();
    std::fs::create_dir(folder.join("lists")).unwrap();
    let more = [&["--out", "lists", "--adopt"][..], &TIMES].concat();
    let serve = || Served::new(&stage, &more, None);
    assert!(serve().stop().success());
    succeeds(&sh(folder, commands("Backup", 1), None, ""));
    let mut served = serve();
    served.request_elsewhere(&stage, "r1", "theirs").await;
    served.until_known("theirs").await;
    served.until("theirs", |pull| pull["pages"] == 5).await;
    served.process.kill().unwrap();
    drop(served);
    succeeds(&sh(folder, commands("Restore", 1), None, ""));
    // A file system without births of files does not tell that the folder is a copy.
    succeeds(&sh(folder, commands("Restore", 2), None, ""));
    let served = serve();
    served.until_known("theirs").await;
    let pull = served.until("theirs", is_over).await;
    assert_eq!((&pull["status"], &pull["pages"]), (&"incomplete".into(), &1.into()), "{pull}");
    assert!(pull["why"].as_str().unwrap().contains("the journal has lost it"), "{pull}");
    assert!(!stage.exists("lists/r1.jsonl"));
    // Requested here, after the restoration.
    served.published("r1").await;
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), expected(&schedule, "r1"));
    assert!(served.stop().success());
    // A person accepts what there is.
    let list = text(&qopen(folder, &["quarantine", "list"]).output().unwrap().stdout);
    let (item, rest) = list.split_once(' ').unwrap();
    assert!(
        rest.contains("of no pull") && rest.contains("lost: the journal was restored"),
        "{list}"
    );
    let retry = qopen(folder, &["quarantine", "retry"]).output().unwrap();
    assert!(text(&retry.stderr).contains("0 of 0 pages were read"), "{retry:?}");
    let release = qopen(folder, &["quarantine", "release", item]).output().unwrap();
    let said = text(&release.stdout);
    assert!(release.status.success() && said.contains("theirs"), "{release:?}");
}

/// What no process can notice, a person says.
#[tokio::test(flavor = "multi_thread")]
async fn e2_a_snapshot_that_was_restored_is_said() {
    let stage = Stage::new(&schedule());
    let folder = stage.folder.path();
    let mut served = Served::new(&stage, &TIMES, None);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |pull| pull["pages"] == 5).await;
    served.process.kill().unwrap();
    drop(served);
    let said = succeeds(&sh(folder, commands("Restore", 2), None, ""));
    assert!(said.contains("1 unfinished pull cannot become complete"), "{said}");
    let resume = stage.verb("pull", &["--resume", &mark, "--out", "list"]).output().unwrap();
    let said = text(&resume.stderr);
    assert_eq!(resume.status.code(), Some(3), "{said}");
    assert!(said.contains("or the journal has lost it"), "{said}");
    assert!(said.contains("next: `qopen pull --robot r1 "), "{said}");
    assert!(said.contains("requests the list anew") && !said.contains("release"), "{said}");
    assert!(said.contains("more: qopen explain owed-pages"), "{said}");
}
