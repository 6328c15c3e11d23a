//! A platform that sends lists of any length and holds none of them: each page has the same accounts
//! under other ids.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use qopen::callback::Keyring;
use qopen::types::RobotAccountListRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;
use crate::pages::{Template, ring};

/// The lists: the accounts of each, accounts a page, and the connections that send all of them.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    pub(crate) callback: String,
    pub(crate) accounts: usize,
    pub(crate) page_size: usize,
    pub(crate) connections: usize,
}

/// A requested list, of which some pages are not sent yet.
struct Delivery {
    template: Arc<Template>,
    next: usize,
}

/// The requested lists, and the times of the answers.
struct Platform {
    lists: Lists,
    ring: Keyring,
    deliveries: Mutex<VecDeque<Delivery>>,
    requested: Condvar,
    answers: Mutex<Vec<Duration>>,
}

/// Serves the two endpoints, and the times of the answers, until the process is killed; prints the address to
/// standard output.
pub(crate) fn run(lists: Lists) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let platform = Arc::new(Platform {
        ring: ring()?,
        deliveries: Mutex::default(),
        requested: Condvar::new(),
        answers: Mutex::default(),
        lists,
    });
    // Outside the runtime: this is arithmetic, and waiting for answers.
    for _ in 0..platform.lists.connections {
        let platform = Arc::clone(&platform);
        std::thread::spawn(move || {
            if let Err(error) = platform.send() {
                eprintln!("bench: a list was not delivered: {error}");
                std::process::exit(1);
            }
        });
    }
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        let token = r#"{"err_code":0,"err_msg":"","data":{"err_code":0,"err_msg":"","data":{"access_token":"t","expires_in":7200}}}"#;
        let router = Router::new()
            .route("/gateway/qopen/GetAccessToken", post(move || async move { token }))
            .route("/gateway/qopen/GetRobotAccountListAsync", post(request))
            .route("/answers", get(answers))
            .with_state(platform);
        axum::serve(listener, router).await?;
        Ok(())
    })
}

async fn request(State(platform): State<Arc<Platform>>, body: String) -> String {
    let request: Result<RobotAccountListRequest, _> = serde_json::from_str(&body);
    let template = request
        .map_err(Into::into)
        .and_then(|it| Template::new(platform.lists.page_size, &it.robot_id, &it.mark_id));
    let Ok(template) = template else { return r#"{"err_code":1,"err_msg":"no request"}"#.into() };
    locked(&platform.deliveries).push_back(Delivery { template: Arc::new(template), next: 0 });
    platform.requested.notify_all();
    r#"{"err_code":0,"err_msg":"","data":{"err_code":0,"err_msg":"","data":{"serial_no":"1"}}}"#
        .into()
}

/// The median, the 99th percentile and the maximum of the answers' times so far, in milliseconds.
async fn answers(State(platform): State<Arc<Platform>>) -> String {
    let mut times = locked(&platform.answers).clone();
    let [p50, p99, longest] = crate::measure::millis(&mut times);
    format!("{p50} {p99} {longest}")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Platform {
    /// Sends pages over one connection for as long as the process runs.
    fn send(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut connection = None;
        loop {
            let (template, number, is_last) = self.next();
            let body = template.page(number, is_last, &self.ring)?;
            let connection = match &mut connection {
                Some(connection) => connection,
                // The receiver listens when it has sent a request.
                none => none.insert(runtime.block_on(Connection::new(&self.lists.callback))?),
            };
            let begun = Instant::now();
            runtime.block_on(connection.post(&body))?;
            locked(&self.answers).push(begun.elapsed());
        }
    }

    /// The next page: one of each list in turn. A last page leaves when every other one of its list is in flight, and
    /// may overtake some.
    fn next(&self) -> (Arc<Template>, usize, bool) {
        let mut deliveries = locked(&self.deliveries);
        loop {
            if let Some(mut delivery) = deliveries.pop_front() {
                let (template, number) = (Arc::clone(&delivery.template), delivery.next);
                delivery.next += 1;
                let is_last = delivery.next == self.lists.accounts / self.lists.page_size;
                if !is_last {
                    deliveries.push_back(delivery);
                }
                return (template, number, is_last);
            }
            let waited = self.requested.wait(deliveries);
            deliveries = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A keep-alive connection with as little work as possible.
pub(crate) struct Connection {
    stream: TcpStream,
    head: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn new(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://").ok_or("an http URL is wanted")?;
        let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n"
        );
        Ok(Self { stream, head, request: Vec::new(), answer: Vec::new() })
    }

    /// Posts a body; any answer but `success` is an error.
    pub(crate) async fn post(&mut self, body: &[u8]) -> Result<()> {
        // One write, as a client with a buffer does.
        self.request.clear();
        let length = body.len();
        self.request
            .extend_from_slice(format!("{}content-length: {length}\r\n\r\n", self.head).as_bytes());
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        while !self.answer.ends_with(b"\r\n\r\nsuccess") {
            if self.stream.read_buf(&mut self.answer).await? == 0 || self.answer.len() > 4096 {
                return Err("a callback was not answered success".into());
            }
        }
        Ok(())
    }
}
