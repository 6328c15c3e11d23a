//! A client of the control API of the `qopen serve` that holds the journal.

use std::net::SocketAddr;
use std::time::Duration;

use qopen::types::Secret;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::item::{Item, Retried};
use super::note::NoteLine;
use super::pull::{Checked, Line, PullName};
use crate::exit::{Exit, Failure};
use crate::format::Layout;
use crate::lang::{Phrase, Text, phrase};
use crate::loopback;
use crate::settings::{CONTROL_TOKEN, Settings};

/// Time limit for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Time limit for the head of a response, and for its next bytes.
const ANSWER: Duration = Duration::from_secs(30);

/// The same for a response that first reads pages, sorts a list or compacts the journal.
const LONG_ANSWER: Duration = Duration::from_secs(600);

/// A control API on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    address: SocketAddr,
    token: Option<Secret>,
    client: Client,
    /// The holder of the journal, as the lock names it.
    holder: String,
}

/// A list on its way from the API.
pub(crate) struct Flow {
    remote: Remote,
    answer: Response,
    pub(crate) complete: bool,
    pub(crate) revision: u32,
}

impl Remote {
    pub(crate) fn new(
        address: SocketAddr,
        holder: &str,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let client = loopback::client(|it| it.connect_timeout(CONNECT))?;
        let token = settings.get(&CONTROL_TOKEN).map(|(token, _)| token.clone());
        Ok(Self { address, token, client, holder: holder.to_owned() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn pulls(&self) -> Result<Vec<Line>, Failure> {
        #[derive(Deserialize)]
        struct Pulls {
            pulls: Vec<Line>,
        }
        let Pulls { pulls } = self.get("/v1/pulls?progress=false").await?;
        Ok(pulls)
    }

    pub(crate) async fn notes(&self, pull: &PullName) -> Result<Vec<NoteLine>, Failure> {
        #[derive(Deserialize)]
        struct Notes {
            notes: Vec<NoteLine>,
        }
        let Notes { notes } = self.get(&pull.path("/notes")).await?;
        Ok(notes)
    }

    /// Ends the pull without a list if it is open, and deletes it.
    pub(crate) async fn purge(&self, pull: &PullName) -> Result<(), Failure> {
        let path = format!("{}&purge=true", pull.path(""));
        let delete = async || self.ask(Method::DELETE, &path, LONG_ANSWER).await;
        if delete().await?.status() == StatusCode::ACCEPTED {
            // The pull is still open. Its events end with it.
            let mut events = self.ask(Method::GET, &pull.path("/events"), ANSWER).await?;
            while self.next(&mut events, LONG_ANSWER).await?.is_some() {}
            if delete().await?.status() == StatusCode::ACCEPTED {
                let why = std::io::Error::other("the pull was started again meanwhile; try again");
                return Err(Failure::unexpected(
                    phrase!("{pull} is not deleted", "{pull} 没有删除", pull = Phrase::from(pull)),
                    &why,
                ));
            }
        }
        Ok(())
    }

    /// Has the service publish a held list.
    pub(crate) async fn accept_held(&self, pull: &PullName) -> Result<(), Failure> {
        self.ask(Method::POST, &pull.path("/accept"), ANSWER).await.map(drop)
    }

    pub(crate) async fn check(&self) -> Result<Checked, Failure> {
        self.post("/v1/journal/check", LONG_ANSWER).await
    }

    pub(crate) async fn items(&self) -> Result<Vec<Item>, Failure> {
        #[derive(Deserialize)]
        struct Items {
            items: Vec<Item>,
        }
        let mut answer = self.ask(Method::GET, "/v1/quarantine", LONG_ANSWER).await?;
        let Items { items } = self.read(&mut answer).await?;
        Ok(items)
    }

    pub(crate) async fn bytes(&self, item: &str) -> Result<Vec<u8>, Failure> {
        let path = format!("/v1/quarantine/{item}");
        let mut answer = self.ask(Method::GET, &path, LONG_ANSWER).await?;
        self.body(&mut answer).await
    }

    pub(crate) async fn release(&self, item: &str) -> Result<Option<Vec<PullName>>, Failure> {
        #[derive(Deserialize)]
        struct Released {
            pulls: Vec<PullName>,
        }
        let path = format!("/v1/quarantine/{item}/release");
        let answer = self.send(Method::POST, &path, ANSWER).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let Released { pulls } = self.read(&mut self.accept(answer).await?).await?;
        Ok(Some(pulls))
    }

    pub(crate) async fn retry(&self) -> Result<Retried, Failure> {
        self.post("/v1/quarantine/retry", LONG_ANSWER).await
    }

    /// Requests the encoded list of a pull.
    pub(crate) async fn list(
        &self,
        pull: &PullName,
        layout: Layout,
        partial: bool,
    ) -> Result<Flow, Failure> {
        let path = format!("{}&{}&partial={partial}", pull.path("/accounts"), layout.query());
        let answer = self.send(Method::GET, &path, LONG_ANSWER).await?;
        if answer.status() == StatusCode::CONFLICT {
            // Here 409 means that the list is not complete, and nothing else.
            let why = self.why(answer).await;
            let message = Phrase::about(pull, why);
            return Err(Failure::new(Exit::Incomplete, message));
        }
        let answer = self.accept(answer).await?;
        let header = |name: &str| text(answer.headers(), name);
        let complete = header("qopen-complete").is_some_and(|it| it == "true");
        let revision = header("qopen-revision").and_then(|it| it.parse().ok()).unwrap_or(0);
        Ok(Flow { remote: self.clone(), answer, complete, revision })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let mut answer = self.ask(Method::GET, path, ANSWER).await?;
        self.read(&mut answer).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, limit: Duration) -> Result<T, Failure> {
        let mut answer = self.ask(Method::POST, path, limit).await?;
        self.read(&mut answer).await
    }

    async fn read<T: DeserializeOwned>(&self, answer: &mut Response) -> Result<T, Failure> {
        let body = self.body(answer).await?;
        serde_json::from_slice(&body).map_err(|error| {
            self.failed(Text::new("answered otherwise", "的应答不符合预期"), &error)
        })
    }

    async fn body(&self, answer: &mut Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(piece) = self.next(answer, ANSWER).await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Returns the next bytes of a response, or `None` at its end.
    async fn next(
        &self,
        answer: &mut Response,
        limit: Duration,
    ) -> Result<Option<bytes::Bytes>, Failure> {
        match tokio::time::timeout(limit, answer.chunk()).await {
            Ok(piece) => piece.map_err(|error| {
                self.failed(Text::new("broke off", "的应答中断"), &error.without_url())
            }),
            Err(late) => {
                let what = phrase!("stopped for {s} s", "停顿了 {s} 秒", s = limit.as_secs());
                Err(self.failed(what, &late))
            }
        }
    }

    async fn ask(&self, method: Method, path: &str, limit: Duration) -> Result<Response, Failure> {
        let answer = self.send(method, path, limit).await?;
        self.accept(answer).await
    }

    async fn send(&self, method: Method, path: &str, limit: Duration) -> Result<Response, Failure> {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        match tokio::time::timeout(limit, request.send()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_connect() => {
                let Self { address, holder, .. } = self;
                let what = phrase!(
                    "the journal is in use by another process ({holder}), and no control API answers at {address}, where `qopen serve` had it; wait for that process, or stop it",
                    "持久化存储正被另一进程使用（{holder}），而 `qopen serve` 原来的地址 {address} 上没有控制接口应答；请等待或停止该进程",
                    holder = holder,
                    address = address,
                );
                Err(Failure::usage_of(what, &error.without_url()))
            }
            Ok(Err(error)) => {
                let what = Text::new("did not answer", "没有应答");
                Err(self.failed(what, &error.without_url()))
            }
            Err(late) => {
                let what = phrase!(
                    "did not answer within {s} s",
                    "在 {s} 秒内没有应答",
                    s = limit.as_secs(),
                );
                Err(self.failed(what, &late))
            }
        }
    }

    /// Fails with the error of the API.
    async fn accept(&self, answer: Response) -> Result<Response, Failure> {
        let (status, address) = (answer.status(), self.address);
        if status.is_success() {
            return Ok(answer);
        }
        let why = self.why(answer).await;
        Err(match status {
            StatusCode::UNAUTHORIZED => Failure::usage(phrase!(
                "the control API of `qopen serve` at {address} requires another token; set QOPEN_CONTROL_TOKEN, or `control_token` in the settings file, to its token",
                "{address} 上 `qopen serve` 的控制接口需要其他令牌；请将 QOPEN_CONTROL_TOKEN 或设置文件中的 `control_token` 设为它的令牌",
                address = address,
            )),
            status => {
                let message = phrase!(
                    "the control API of `qopen serve` at {address} answered {status}: {why}",
                    "{address} 上 `qopen serve` 的控制接口应答 {status}：{why}",
                    address = address,
                    status = status,
                    why = why,
                );
                Failure::new(Exit::Unexpected, message)
            }
        })
    }

    /// Returns the text of an error.
    async fn why(&self, mut answer: Response) -> Phrase {
        let body = self.body(&mut answer).await.unwrap_or_default();
        let none = || phrase!("no reason was given", "没有给出原因");
        loopback::reason(&body).unwrap_or_else(none)
    }

    fn failed(
        &self,
        what: impl Into<Phrase>,
        error: &(dyn std::error::Error + 'static),
    ) -> Failure {
        let what = phrase!(
            "the control API of `qopen serve` at {address} {what}",
            "{address} 上 `qopen serve` 的控制接口{what}",
            address = self.address,
            what = what.into(),
        );
        Failure::unexpected(what, error)
    }
}

impl Flow {
    /// Returns the next bytes of the list, or `None` at its end. A truncated list fails.
    pub(crate) async fn next(&mut self) -> Result<Option<bytes::Bytes>, Failure> {
        self.remote.next(&mut self.answer, LONG_ANSWER).await
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
