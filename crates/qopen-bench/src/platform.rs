//! A platform that sends a list of any length and holds none of it: each page has the same accounts
//! under other ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use qopen::types::RobotAccountListRequest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;
use crate::pages::{Template, ring};

/// A list: its accounts, accounts a page, and the connections that send it.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) callback: String,
    pub(crate) accounts: usize,
    pub(crate) page_size: usize,
    pub(crate) connections: usize,
}

/// Serves the two endpoints until the process is killed; prints the address to standard output.
pub(crate) fn run(list: List) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        let token = r#"{"err_code":0,"err_msg":"","data":{"err_code":0,"err_msg":"","data":{"access_token":"t","expires_in":7200}}}"#;
        let router = Router::new()
            .route("/gateway/qopen/GetAccessToken", post(move || async move { token }))
            .route("/gateway/qopen/GetRobotAccountListAsync", post(request))
            .with_state(Arc::new(list));
        axum::serve(listener, router).await?;
        Ok(())
    })
}

async fn request(State(list): State<Arc<List>>, body: String) -> String {
    let request: Result<RobotAccountListRequest, _> = serde_json::from_str(&body);
    let Ok(request) = request else { return r#"{"err_code":1,"err_msg":"no request"}"#.into() };
    // Outside the runtime: this is arithmetic, and waiting for answers.
    std::thread::spawn(move || {
        if let Err(error) = deliver(&list, &request) {
            eprintln!("bench: the list was not delivered: {error}");
            std::process::exit(1);
        }
    });
    r#"{"err_code":0,"err_msg":"","data":{"err_code":0,"err_msg":"","data":{"serial_no":"1"}}}"#
        .into()
}

fn deliver(list: &List, request: &RobotAccountListRequest) -> Result<()> {
    let template = Template::new(list.page_size, &request.robot_id, &request.mark_id)?;
    let (next, ring) = (AtomicUsize::new(0), ring()?);
    let last = list.accounts / list.page_size - 1;
    let send = || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut connection = runtime.block_on(Connection::new(&list.callback))?;
        // The last page leaves when every other one is in flight, and may overtake some.
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > last {
                return Ok(());
            }
            let body = template.page(number, number == last, &ring)?;
            runtime.block_on(connection.post(&body))?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..list.connections)
            .map(|_| scope.spawn(|| send().map_err(|it| it.to_string())))
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a sender panicked")??;
        }
        Ok(())
    })
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
