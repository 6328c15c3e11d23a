//! A journal that does not answer for a while: nothing ends by the silence, and nothing begins anew
//! (rule of evidence E9).

use std::sync::Arc;
use std::time::{Duration, Instant};

use qopen_postgres::testing::Server;
use qopen_simulator::Schedule;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::served::{Served, expected};
use crate::support::{Stage, ids};

/// A way to the server on which nothing moves while it is frozen.
pub(crate) struct Way {
    pub url: String,
    pub frozen: Arc<watch::Sender<bool>>,
}

impl Way {
    pub(crate) async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = server.url();
        let port = url.rsplit(':').next().unwrap().split('/').next().unwrap();
        let there = format!("127.0.0.1:{port}");
        let url = url.replace(&there, &listener.local_addr().unwrap().to_string());
        let frozen = Arc::new(watch::channel(false).0);
        let of_way = Arc::clone(&frozen);
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                // Without a server the connection is refused.
                let Ok(there) = TcpStream::connect(&there).await else { continue };
                let ((a, b), (c, d)) = (here.into_split(), there.into_split());
                tokio::spawn(pass(a, d, of_way.subscribe()));
                tokio::spawn(pass(c, b, of_way.subscribe()));
            }
        });
        Self { url, frozen }
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

fn serve(stage: &Stage, way: &Way, arguments: &[&str]) -> Served {
    let mut command =
        Served::command(stage, &[&["--migrate", "--out", "lists"], arguments].concat());
    command.env("QOPEN_JOURNAL", &way.url).env("QOPEN_LOG", "warn");
    Served::spawn(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn e9_a_pull_completes_on_a_journal_that_stalls_again_and_again() {
    let Some(server) = Server::start() else { return };
    let way = Way::to(&server).await;
    let schedule =
        Schedule { accounts: 200, page_size: 10, max_delay_ms: 8000, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let served = serve(&stage, &way, &["--idle-timeout", "10s", "--deadline", "100s"]);
    let frozen = Arc::clone(&way.frozen);
    let stalls = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            frozen.send_replace(true);
            tokio::time::sleep(Duration::from_millis(3500)).await;
            frozen.send_replace(false);
        }
    });
    let mark = served.start_pull("r1").await;
    let pull = served.until(&mark, |it| it["output"].is_string()).await;
    stalls.abort();
    assert_eq!(pull["status"], "complete", "{pull}\n{}", served.log());
    assert_eq!(ids(&stage.read("lists/r1.jsonl")), expected(&schedule, "r1"));
    assert_eq!(pull["revision"], 1, "it was folded once: {pull}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e9_a_pull_is_not_complete_before_the_patience_has_passed_after_a_freeze() {
    let Some(server) = Server::start() else { return };
    let way = Way::to(&server).await;
    let schedule = Schedule { accounts: 40, page_size: 10, ..Schedule::default() };
    let stage = Stage::new(&schedule);
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let idle = Duration::from_secs(6);
    let served = serve(&stage, &way, &["--settle", "3s", "--idle-timeout", "6s"]);
    let mark = served.start_pull("r1").await;
    served.until(&mark, |it| it["pages"] == 4).await;
    way.frozen.send_replace(true);
    tokio::time::sleep(Duration::from_secs(15)).await;
    way.frozen.send_replace(false);
    let again = Instant::now();
    let pull = served.until(&mark, |it| it["status"] != "open").await;
    assert_eq!(pull["status"], "complete", "{pull}\n{}", served.log());
    // The process may have heard of it a moment later than this one, never earlier.
    assert!(again.elapsed() + Duration::from_millis(200) > idle, "{:?}", again.elapsed());
    let warnings = served.log().matches("the journal does not answer").count();
    assert_eq!(warnings, 1, "one outage is one warning: {}", served.log());
}
