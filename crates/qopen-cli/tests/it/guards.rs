//! A page that the platform never sends, for a robot with a last list: each guard alone finds it.

use std::process::{Command, Output};

use qopen_postgres::testing::Server;
use qopen_simulator::{Refusal, Schedule, Simulator, SimulatorConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::SimpleQueryMessage;

use crate::callbacks::{TOKEN, ring};
use crate::shared::database;
use crate::support::{SETTINGS, free_port, ids, qopen, text, with_settings};

/// A robot of 60 customers on six pages. The middle page of one request is never sent.
pub(crate) fn lost_on(request: usize) -> Schedule {
    let lost_pages_on = Some(vec![request]);
    let (accounts, page_size, lost_pages) = (60, 10, vec![2]);
    Schedule { accounts, page_size, lost_pages, lost_pages_on, ..Schedule::default() }
}

/// A simulator in this process, and a folder.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) out: String,
    pub(crate) listen: String,
    pub(crate) simulator: Simulator,
    pub(crate) runtime: Runtime,
}

impl Scene {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let runtime = Runtime::new().unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let config = SimulatorConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            callback_url: format!("http://{listen}/callback"),
            app_secret: SETTINGS[1].1.into(),
            ring: ring(TOKEN),
            schedule,
        };
        let simulator = runtime.block_on(Simulator::start(config)).unwrap();
        let (folder, out) = (tempfile::tempdir().unwrap(), "list.jsonl".to_owned());
        Self { folder, out, listen, simulator, runtime }
    }

    pub(crate) fn verb(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = with_settings(qopen(self.folder.path(), arguments));
        command.env("QOPEN_LISTEN", &self.listen);
        command.env("QOPEN_BASE_URL", self.simulator.base_url());
        command
    }

    /// Pulls the robot's list into its place, `list.jsonl` if nothing else. Returns the exit code and the last summary.
    pub(crate) fn pull(&self, options: &[&str]) -> (i32, Value) {
        let pull = ["pull", "--robot", "r1", "--out", &self.out, "--json", "--settle", "1s"];
        let output = self.verb(&[&pull, options].concat());
        let said = text(&output.stdout);
        let mut lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let summary = lines.rfind(|it| it["type"] == "summary");
        (
            output.status.code().unwrap(),
            summary.unwrap_or_else(|| panic!("{}", text(&output.stderr))),
        )
    }

    /// A scene whose list has this name.
    pub(crate) fn of(schedule: Schedule, out: &str) -> Self {
        Self { out: out.to_owned(), ..Self::new(schedule) }
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        ids(&std::fs::read_to_string(self.folder.path().join(name)).unwrap())
    }

    /// The first column of the rows of a query, as texts.
    pub(crate) fn query(&self, server: &Server, statement: &str) -> String {
        self.runtime.block_on(async {
            let client = database(server).await;
            let rows = client.simple_query(statement).await.unwrap();
            let cells = rows.iter().filter_map(|it| match it {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            cells.collect::<Vec<_>>().join(" ")
        })
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}

#[test]
fn without_a_guard_the_list_is_wrong_and_its_changes_say_who_is_gone() {
    let scene = Scene::new(lost_on(1));
    let (exit, first) = scene.pull(&[]);
    assert_eq!((exit, &first["changes"]["baseline"]), (0, &json!(true)), "{first}");
    let (exit, second) = scene.pull(&[]);
    assert_eq!((exit, &second["accounts"]), (0, &json!(50)), "{second}");
    assert_eq!(second["changes"]["gone"], 10, "{second}");
    assert_eq!(second["changes"]["since"], first["mark_id"]);
    let changes = std::fs::read_to_string(scene.folder.path().join("list.jsonl.changes.jsonl"));
    let changes = changes.unwrap();
    assert_eq!(changes.lines().filter(|line| line.contains("\"change\":\"gone\"")).count(), 10);
    // The flags alone cause calls.
    let counts = scene.simulator.counts();
    assert_eq!((counts.requests, counts.by_ids, counts.robot_lists), (2, 0, 0));
    assert_eq!(counts.robot_states, 0);
}

#[test]
fn max_gone_holds_the_list_and_a_person_can_accept_it() {
    let scene = Scene::new(lost_on(1));
    scene.pull(&["--max-gone", "0"]);
    let (exit, summary) = scene.pull(&["--max-gone", "15%"]);
    assert_eq!((exit, &summary["status"]), (3, &json!("incomplete")), "{summary}");
    let why = summary["error"].as_str().unwrap();
    assert!(why.contains("10 of the 60 customers") && why.contains("15%"), "{why}");
    assert!(summary["output"].as_str().unwrap().ends_with("list.jsonl.held"), "{summary}");
    assert_eq!((scene.list("list.jsonl").len(), scene.list("list.jsonl.held").len()), (60, 50));

    let mark = summary["mark_id"].as_str().unwrap();
    let shown = text(&scene.verb(&["pulls", "list"]).stdout);
    assert!(shown.contains(&format!("qopen pulls accept {mark}")), "{shown}");
    // A publication that fails leaves the list held.
    let place = scene.folder.path().join("list.jsonl");
    let last = std::fs::read(&place).unwrap();
    std::fs::write(&place, "no list\n").unwrap();
    assert_eq!(scene.verb(&["pulls", "accept", mark]).status.code(), Some(7));
    std::fs::write(&place, last).unwrap();
    let accepted = scene.verb(&["pulls", "accept", mark]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert_eq!(scene.list("list.jsonl").len(), 50);
    assert!(!scene.exists("list.jsonl.held"));
    // Once.
    let again = scene.verb(&["pulls", "accept", mark]);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again.stderr));
    // As many as it may lose.
    let scene = Scene::new(lost_on(1));
    scene.pull(&[]);
    assert_eq!(scene.pull(&["--max-gone", "10"]).0, 0);
}

#[test]
fn a_person_can_accept_an_empty_list() {
    let scene = Scene::new(Schedule { accounts: 60, gone_each: 60, ..Schedule::default() });
    scene.pull(&[]);
    let (exit, held) = scene.pull(&["--allow-empty", "--max-gone", "5"]);
    assert_eq!((exit, scene.list("list.jsonl").len()), (3, 60), "{held}");
    let accepted = scene.verb(&["pulls", "accept", held["mark_id"].as_str().unwrap()]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert!(scene.list("list.jsonl").is_empty());
}

#[test]
fn verify_gone_finds_the_lost_page_and_pulls_again() {
    let scene = Scene::new(Schedule { page_size: 150, accounts: 900, ..lost_on(1) });
    scene.pull(&["--verify-gone"]);
    assert_eq!(scene.simulator.counts().by_ids, 0, "a first list has no predecessor");
    let (exit, summary) = scene.pull(&["--verify-gone"]);
    assert_eq!((exit, &summary["status"]), (3, &json!("incomplete")), "{summary}");
    let why = summary["error"].as_str().unwrap();
    assert!(why.contains("of the 150 customers") && why.contains("a page was lost"), "{why}");
    assert_eq!(scene.simulator.counts().by_ids, 2, "a call has 100 customers");
    assert_eq!(scene.list("list.jsonl").len(), 900);

    let scene = Scene::new(lost_on(1));
    scene.pull(&[]);
    let (exit, summary) = scene.pull(&["--verify-gone", "--retry", "2"]);
    assert_eq!((exit, &summary["accounts"]), (0, &json!(60)), "{summary}");
    assert_eq!((scene.simulator.counts().requests, scene.simulator.counts().by_ids), (3, 1));
    assert!(!scene.exists("list.jsonl.held"));
}

#[test]
fn verify_gone_says_what_it_verified() {
    let moving = Schedule { accounts: 60, gone_each: 7, ..Schedule::default() };
    let scene = Scene::new(moving.clone());
    scene.pull(&[]);
    let (exit, summary) = scene.pull(&["--verify-gone"]);
    assert_eq!((exit, &summary["changes"]["gone"]), (0, &json!(7)), "{summary}");
    assert_eq!(summary["evidence"]["gone_verified"], true);
    assert!(summary["basis"].as_str().unwrap().ends_with("; 7 gone verified"), "{summary}");

    let scene = Scene::new(Schedule { by_ids_not_offered: true, ..moving.clone() });
    scene.pull(&[]);
    let (exit, summary) = scene.pull(&["--verify-gone"]);
    assert_eq!((exit, &summary["evidence"]["gone_verified"]), (0, &json!(false)), "{summary}");
    assert!(summary["basis"].as_str().unwrap().contains("7 gone not verified"), "{summary}");

    // The older call, where the platform has only that one.
    let scene = Scene::new(Schedule { by_ids_v2_not_offered: true, ..moving.clone() });
    scene.pull(&[]);
    let (_, summary) = scene.pull(&["--verify-gone", "--by-ids", "v1"]);
    assert_eq!(summary["evidence"]["gone_verified"], true, "{summary}");

    let refusal = Refusal { code: 45009, message: "too many".into() };
    let scene = Scene::new(Schedule { by_ids_refused: Some(refusal), ..moving });
    scene.pull(&[]);
    let (exit, summary) = scene.pull(&["--verify-gone"]);
    assert_eq!(exit, 3, "{summary}");
    let why = summary["error"].as_str().unwrap();
    assert!(why.contains("45009") && summary["evidence"].is_null(), "{summary}");
    assert_eq!(scene.list("list.jsonl").len(), 60, "the last list is in its place");
    // The same command without the flag publishes what it has.
    let (exit, summary) = scene.pull(&[]);
    assert_eq!((exit, scene.simulator.counts().requests), (0, 2), "{summary}");
    assert_eq!(scene.list("list.jsonl").len(), 53);
}

#[test]
fn confirm_finds_the_lost_page_by_another_pull() {
    let scene = Scene::new(lost_on(2));
    let (_, first) = scene.pull(&["--confirm"]);
    assert_eq!(scene.simulator.counts().requests, 2);
    let by = first["evidence"]["confirmed_by"].as_str().unwrap();
    assert_ne!(first["mark_id"], by);
    assert!(first["basis"].as_str().unwrap().contains(&format!("confirmed by pull {by}")));
    let (exit, summary) = scene.pull(&["--confirm"]);
    assert_eq!((exit, &summary["accounts"]), (0, &json!(60)), "{summary}");
    assert_eq!(scene.simulator.counts().requests, 5);
    assert_eq!(scene.list("list.jsonl").len(), 60);
}

#[test]
fn a_list_that_no_other_pull_confirms_is_incomplete() {
    let scene = Scene::new(Schedule { accounts: 60, gone_each: 1, ..Schedule::default() });
    let (exit, summary) = scene.pull(&["--confirm"]);
    assert_eq!((exit, &summary["status"]), (3, &json!("incomplete")), "{summary}");
    let why = summary["error"].as_str().unwrap();
    assert!(why.contains("not confirmed") && why.contains("1 customer is only in"), "{why}");
    assert_eq!(scene.simulator.counts().requests, 3);
    assert!(!scene.exists("list.jsonl") && scene.exists("list.jsonl.partial"));
    // Neither a resumption nor the next command publishes a list that was refuted.
    let mark = summary["mark_id"].as_str().unwrap();
    let resumed = scene.verb(&["pull", "--resume", mark]);
    assert_eq!(resumed.status.code(), Some(2), "{}", text(&resumed.stderr));
    assert!(text(&resumed.stderr).contains("pulls accept"));
    assert_eq!((scene.pull(&[]).0, scene.simulator.counts().requests), (0, 4));
    assert_eq!(scene.list("list.jsonl").len(), 57);
}

#[test]
fn an_accepted_list_is_published_alone_of_its_robot_and_with_the_others_of_its_file() {
    // Three lists of a robot are refuted; a person takes the second one.
    let scene = Scene::new(Schedule { accounts: 60, gone_each: 1, ..Schedule::default() });
    scene.pull(&["--confirm"]);
    let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
    let pulls: Vec<Value> = listed.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert!(pulls.len() == 3 && pulls.iter().all(|it| it["held"] == true), "{listed}");
    let mut by_size: Vec<_> =
        pulls.iter().map(|it| (it["accounts"].as_u64().unwrap(), it["mark_id"].as_str())).collect();
    by_size.sort();
    assert_eq!(by_size[1].0, 59);
    let accepted = scene.verb(&["pulls", "accept", by_size[1].1.unwrap()]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert_eq!(scene.list("list.jsonl").len(), 59);
    // The next list is compared with that one.
    let (exit, summary) = scene.pull(&[]);
    assert_eq!((exit, &summary["changes"]["gone"]), (0, &json!(2)), "{summary}");

    // Another robot's list waited for the same file.
    let lost = Schedule { lost_pages_on: Some(vec![0, 2]), ..lost_on(0) };
    let scene = Scene::new(Schedule { gone_each: 1, ..lost });
    let both = ["pull", "--robot", "r1", "--robot", "r2", "--out", "both.jsonl", "--settle", "1s"];
    let refuted = scene.verb(&[&both[..], &["--confirm"]].concat());
    assert_eq!(refuted.status.code(), Some(3), "{}", text(&refuted.stderr));
    let listed = text(&scene.verb(&["pulls", "list", "--json"]).stdout);
    let mut pulls = listed.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let mark = pulls.rfind(|it| it["robot_id"] == "r2").unwrap();
    let accepted = scene.verb(&["pulls", "accept", mark["mark_id"].as_str().unwrap()]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    let lines = std::fs::read_to_string(scene.folder.path().join("both.jsonl")).unwrap();
    for robot in ["r1", "r2"] {
        let own = format!("\"robot_id\":\"{robot}\"");
        assert!(lines.lines().filter(|line| line.contains(&own)).count() >= 40, "{robot}");
    }
    let mut all = ids(&lines);
    all.sort();
    let length = all.len();
    all.dedup();
    assert_eq!(all.len(), length, "no customer comes twice");
}

#[test]
fn a_guard_of_a_list_that_is_not_compared_is_refused_before_anything_is_sent() {
    let scene = Scene::new(lost_on(1));
    for format in ["jsonl", "csv"] {
        for guard in [&["--max-gone", "1"][..], &["--verify-gone"]] {
            let pull = ["pull", "--robot", "r1", "--out", "-", "--format", format];
            let refused = scene.verb(&[&pull, guard].concat());
            let said = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{said}");
            assert!(said.contains(guard[0]) && said.contains("not compared"), "{said}");
        }
    }
    assert_eq!(scene.simulator.counts().requests, 0);
}

#[test]
fn a_last_list_that_cannot_be_compared_is_not_replaced_unasked() {
    let scene = Scene::new(Schedule { accounts: 60, ..Schedule::default() });
    let place = scene.folder.path().join("list.jsonl");
    scene.pull(&[]);
    let whole = std::fs::read_to_string(&place).unwrap();
    let half: String = whole.lines().take(30).map(|line| format!("{line}\n")).collect();
    for damaged in [half.as_str(), "no list\n", &whole[..whole.len() - 9]] {
        std::fs::write(&place, damaged).unwrap();
        let (exit, summary) = scene.pull(&[]);
        assert_eq!(exit, 7, "{summary}");
        let why = summary["error"].as_str().unwrap();
        assert!(why.contains("--new-baseline") && why.contains("list.jsonl"), "{why}");
        assert_eq!(std::fs::read_to_string(&place).unwrap(), damaged);
    }
    let (exit, summary) = scene.pull(&["--new-baseline"]);
    assert_eq!((exit, &summary["changes"]["baseline"]), (0, &json!(true)), "{summary}");
    assert_eq!(std::fs::read_to_string(&place).unwrap(), whole);
}

#[test]
fn a_database_has_the_same_guards_and_keeps_the_changes() {
    let Some(server) = Server::start() else { return };
    let mut scene = Scene::new(lost_on(1));
    scene.out = server.url();
    let query = |statement: &str| scene.query(&server, statement);
    let changes = || query("SELECT change || count(*) FROM qopen.change GROUP BY change");
    let (exit, first) = scene.pull(&[]);
    assert_eq!((exit, &first["changes"]["baseline"]), (0, &json!(true)), "{first}");
    let (exit, held) = scene.pull(&["--max-gone", "15%"]);
    let why = held["error"].as_str().unwrap();
    assert!(exit == 3 && why.contains("10 of the 60 customers"), "{held}");
    assert_eq!((query("SELECT accounts FROM qopen.pull"), changes()), ("60".into(), String::new()));
    let accepted = scene.verb(&["pulls", "accept", held["mark_id"].as_str().unwrap()]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert_eq!(query("SELECT accounts FROM qopen.pull") + " " + &changes(), "50 gone10");
    let (exit, third) = scene.pull(&["--verify-gone"]);
    assert_eq!((exit, &third["changes"]["added"]), (0, &json!(10)), "{third}");
    assert_eq!(third["changes"]["since"], held["mark_id"]);
    query(
        "DELETE FROM qopen.robot_account WHERE ctid = (SELECT min(ctid) FROM qopen.robot_account)",
    );
    let (exit, refused) = scene.pull(&[]);
    let why = refused["error"].as_str().unwrap();
    assert_eq!(exit, 7, "{refused}");
    assert!(why.contains("--new-baseline") && why.contains("59 rows of robot r1"), "{why}");
    let (exit, anew) = scene.pull(&["--new-baseline"]);
    assert_eq!((exit, &anew["changes"]["baseline"]), (0, &json!(true)), "{anew}");
    assert_eq!(
        query("SELECT string_agg(accounts::text, ' ' ORDER BY number) FROM qopen.list"),
        "60 50 60 60"
    );
}
