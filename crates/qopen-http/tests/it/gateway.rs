//! A gateway that gives scripted answers, and records its requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(crate) const TOKEN_PATH: &str = "/gateway/qopen/GetAccessToken";
pub(crate) const LIST_PATH: &str = "/gateway/qopen/GetRobotAccountListAsync";

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub path: String,
    pub token: Option<String>,
    pub content_type: String,
    pub body: serde_json::Value,
}

#[derive(Default)]
pub(crate) struct Script {
    pub token_answers: VecDeque<(u16, String)>,
    pub list_answers: VecDeque<(u16, String)>,
    /// Answers by the name of the operation, before those of the list.
    pub named_answers: BTreeMap<String, VecDeque<(u16, String)>>,
    pub asked: Vec<Asked>,
    pub delay: Duration,
}

#[derive(Clone)]
pub(crate) struct Gateway {
    pub base_url: String,
    script: Arc<Mutex<Script>>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base_url, script }
    }

    pub(crate) fn list(&self, status: u16, body: &str) -> &Self {
        self.script.lock().unwrap().list_answers.push_back((status, body.into()));
        self
    }

    /// Adds an answer of the operation. The last one is given again and again.
    pub(crate) fn named(&self, name: &str, status: u16, body: impl Into<String>) -> &Self {
        let mut script = self.script.lock().unwrap();
        let path = format!("/gateway/qopen/{name}");
        script.named_answers.entry(path).or_default().push_back((status, body.into()));
        drop(script);
        self
    }

    pub(crate) fn token(&self, status: u16, body: &str) -> &Self {
        self.script.lock().unwrap().token_answers.push_back((status, body.into()));
        self
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.script.lock().unwrap().delay = delay;
    }

    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let script = self.script.lock().unwrap();
        script.asked.iter().filter(|it| it.path == path).cloned().collect()
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: &str| parts.headers.get(name).map(|it| it.to_str().unwrap().to_owned());
    let (answer, delay) = {
        let script = &mut *script.lock().unwrap();
        script.asked.push(Asked {
            path: parts.uri.path().to_owned(),
            token: header("token"),
            content_type: header("content-type").unwrap(),
            body: serde_json::from_slice(&body).unwrap(),
        });
        let named = script.named_answers.get_mut(parts.uri.path());
        let answers = match (parts.uri.path(), named) {
            (TOKEN_PATH, _) => &mut script.token_answers,
            (_, Some(named)) => named,
            (_, None) => &mut script.list_answers,
        };
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        (answer, script.delay)
    };
    tokio::time::sleep(delay).await;
    let (status, body) = answer.unwrap_or((404, String::new()));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}
