//! `qopen serve` as a process, and what is asked of it over HTTP.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use qopen_simulator::{Dataset, Schedule};
use reqwest::{Client, ClientBuilder, Method, Response};
use serde_json::{Value, json};

use crate::support::{Stage, text};

/// A client that asks the service alone, whatever proxy the environment names.
pub(crate) fn http() -> ClientBuilder {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// A service, and where it is controlled.
pub(crate) struct Served {
    pub process: Child,
    pub control: String,
    pub http: Client,
    log: Arc<Mutex<String>>,
}

impl Served {
    pub(crate) fn new(stage: &Stage, arguments: &[&str], token: Option<&str>) -> Self {
        let mut command = Self::command(stage, arguments);
        if let Some(token) = token {
            command.env("QOPEN_CONTROL_TOKEN", token);
        }
        Self::spawn(command)
    }

    /// Starts it with a new folder `lists` as its output.
    pub(crate) fn with_lists(stage: &Stage, arguments: &[&str]) -> Self {
        std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
        Self::new(stage, &[&["--out", "lists"], arguments].concat(), None)
    }

    /// Requests a list as another system does, which has no listener.
    pub(crate) async fn request_elsewhere(&self, stage: &Stage, robot: &str, mark: &str) {
        let at = |verb: &str| format!("{}/gateway/qopen/{verb}", stage.base_url);
        let app = json!({ "app_key": "app", "app_secret": "canary-app-secret" }).to_string();
        let token = self.http.post(at("GetAccessToken")).body(app).send().await.unwrap();
        let token: Value = serde_json::from_str(&token.text().await.unwrap()).unwrap();
        let token = token["data"]["data"]["access_token"].as_str().unwrap();
        let request = json!({ "robot_id": robot, "mark_id": mark, "need_tag_info": false });
        let post = self.http.post(at("GetRobotAccountListAsync")).header("Token", token);
        let sent = post.body(request.to_string()).send().await.unwrap();
        assert!(sent.status().is_success());
    }

    /// Waits until the journal knows a pull.
    pub(crate) async fn until_known(&self, mark: &str) {
        let began = Instant::now();
        while self.get(&format!("/v1/pulls/{mark}")).await.status() != 200 {
            assert!(began.elapsed() < Duration::from_secs(30));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `qopen serve`, with times for a test.
    pub(crate) fn command(stage: &Stage, arguments: &[&str]) -> Command {
        let mut all = Vec::new();
        for default in [["--control", "127.0.0.1:0"], ["--settle", "1s"], ["--idle-timeout", "4s"]]
        {
            if !arguments.contains(&default[0]) {
                all.extend(default);
            }
        }
        all.extend(arguments);
        stage.verb("serve", &all)
    }

    /// Starts it, and waits until it says where it is.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let keep = |log: &Mutex<String>, line: &str| {
            let mut log = log.lock().unwrap();
            log.push_str(line);
            log.push('\n');
        };
        let control = loop {
            let line = lines.next().expect("it says where it is").unwrap();
            keep(&log, &line);
            let said = ["control on ", "控制接口位于 "];
            if let Some((_, rest)) = said.iter().find_map(|it| line.split_once(it)) {
                break rest.split_once("/v1").unwrap().0.to_owned();
            }
        };
        // Whatever else it says must not fill the pipe.
        let said = Arc::clone(&log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| keep(&said, &line)));
        Self { process, control, http: http().build().unwrap(), log }
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has the text that often.
    pub(crate) async fn until_it_says(&self, times: usize, what: &str) {
        let began = Instant::now();
        while self.log().matches(what).count() < times {
            assert!(began.elapsed() < Duration::from_secs(90), "{what:?} in {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A figure among the metrics, named with its labels; 0 where it is not there.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let metrics = self.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> Response {
        self.http.request(method, format!("{}{path}", self.control)).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).await
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        json_of(self.get(path).await).await
    }

    pub(crate) async fn start(&self, body: &Value) -> Response {
        let url = format!("{}/v1/pulls", self.control);
        let request = self.http.post(url).header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    }

    pub(crate) async fn start_pull(&self, robot: &str) -> String {
        let answer = self.start(&json!({ "robot_id": robot })).await;
        assert_eq!(answer.status(), 202);
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let mark = json_of(answer).await["mark_id"].as_str().unwrap().to_owned();
        assert_eq!(location, format!("/v1/pulls/{mark}?robot_id={robot}"));
        mark
    }

    /// Pulls a list, and waits until it is published. Returns its mark.
    pub(crate) async fn published(&self, robot: &str) -> String {
        let mark = self.start_pull(robot).await;
        self.until(&mark, |it| it["output"].is_string()).await;
        mark
    }

    /// Waits until the pull is as expected.
    pub(crate) async fn until(&self, mark: &str, done: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let pull = self.get_json(&format!("/v1/pulls/{mark}")).await;
            if done(&pull) {
                return pull;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{pull}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics").await.text().await.unwrap()
    }

    /// Until the figures have that line.
    pub(crate) async fn until_metrics(&self, line: &str) {
        let began = Instant::now();
        while !self.metrics().await.contains(line) {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", self.metrics().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.process.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) async fn json_of(answer: Response) -> Value {
    let body = answer.bytes().await.unwrap();
    serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{}", text(&body)))
}

/// The ids of a robot's list as it must come out.
pub(crate) fn expected(schedule: &Schedule, robot: &str) -> Vec<String> {
    Dataset::new(schedule, &robot.parse().unwrap(), false).expected().into_keys().collect()
}
