//! A client with its listener, and a simulator that calls it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use qopen::assembler::Timing;
use qopen::callback::{CallbackKeys, Keyring};
use qopen::http::{RetryPolicy, Sender};
use qopen::sink::{FileSink, Format, ListKind};
use qopen::types::{Account, RobotId};
use qopen::{Client, ClientBuilder, Outcome, Published, PullRequest, publish};
use qopen_simulator::{Dataset, Schedule, Simulator, SimulatorConfig};
use tokio::sync::watch;

pub(crate) const ROBOT: &str = "robot-1";

pub(crate) fn ring() -> Keyring {
    let keys = CallbackKeys::new("token", &"0123456789abcdef0123456789abcdef".into()).unwrap();
    Keyring::new("app", keys)
}

/// Short enough for a test, and long enough for a slow machine to deliver within.
pub(crate) fn timing() -> Timing {
    let (settle, idle) = (Duration::from_millis(1000), Duration::from_secs(5));
    Timing::default().settle(settle).idle_timeout(idle)
}

pub(crate) struct Harness {
    pub client: Client,
    pub simulator: Simulator,
    pub schedule: Schedule,
    pub callback_url: String,
    /// Whether callbacks pass; they wait while it is closed.
    pub door: watch::Sender<bool>,
}

impl Harness {
    pub(crate) async fn start(schedule: Schedule) -> Self {
        Self::start_with(schedule, |builder| builder).await
    }

    pub(crate) async fn start_with(
        schedule: Schedule,
        with: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let callback_url = format!("http://{}/callback", listener.local_addr().unwrap());
        let config = SimulatorConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            callback_url: callback_url.clone(),
            app_secret: "secret".into(),
            ring: ring(),
            schedule: schedule.clone(),
        };
        let simulator = Simulator::start(config).await.unwrap();
        let quick =
            RetryPolicy::default().delays(Duration::from_millis(5), Duration::from_millis(20));
        let sender =
            Sender::builder(simulator.base_url()).app_credentials("app", "secret").retry(quick);
        let builder = Client::builder(sender.build().unwrap(), ring()).timing(timing());
        let client = with(builder).build().unwrap();
        let door = watch::Sender::new(true);
        let opened = door.subscribe();
        let wait = move |request: Request, next: Next| {
            let mut opened = opened.clone();
            async move {
                // It stays open after the harness.
                let _ = opened.wait_for(|open| *open).await;
                next.run(request).await
            }
        };
        let router = client.callback_router().layer(from_fn(wait));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { client, simulator, schedule, callback_url, door }
    }

    pub(crate) async fn pull(&self) -> Outcome {
        self.pull_as(PullRequest::new(robot())).await
    }

    pub(crate) async fn pull_as(&self, request: PullRequest) -> Outcome {
        let pull = self.client.pull(request).await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), pull.outcome())
            .await
            .expect("the pull ends")
            .unwrap()
    }

    pub(crate) fn dataset(&self) -> Dataset {
        Dataset::new(&self.schedule, &robot(), false)
    }
}

pub(crate) fn robot() -> RobotId {
    ROBOT.parse().unwrap()
}

/// The list as written, read back by an independent reader.
pub(crate) async fn written(outcome: &Outcome) -> (BTreeMap<String, Account>, Published) {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path().join("list"), Format::Jsonl);
    let published = publish(vec![outcome.list.clone()], Arc::new(sink.clone()), ListKind::Complete)
        .await
        .unwrap();
    let text = std::fs::read_to_string(sink.path()).unwrap();
    (parsed(&text), published)
}

pub(crate) fn parsed(text: &str) -> BTreeMap<String, Account> {
    parsed_of(text, ROBOT)
}

pub(crate) fn parsed_of(text: &str, robot: &str) -> BTreeMap<String, Account> {
    let mut accounts = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        // A record has the robot's id, and an account does not.
        let line = line.replacen(&format!("\"robot_id\":\"{robot}\","), "", 1);
        let account: Account = serde_json::from_str(&line).unwrap();
        let id = account.account_id.to_string();
        assert!(last < id, "ids stand in order, once each");
        last.clone_from(&id);
        accounts.insert(id, account);
    }
    accounts
}
