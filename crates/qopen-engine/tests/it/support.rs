//! A platform that consists of payloads.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use qopen_assembler::Timing;
use qopen_engine::{
    Engine, EngineBuilder, Incoming, PublishError, Published, PullRequest, RequestError, Requester,
};
use qopen_journal::{Journal, Payload, PullId};
use tokio::time::Instant;

pub(crate) const ROBOT: &str = "robot";
pub(crate) const MARK: &str = "mark";

/// How a [`Platform`] answers a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Accepts,
    Refuses,
    /// The request may have arrived; its answer is lost.
    IsLost,
    IsAway,
    /// The requester has a bug.
    Panics,
}

#[derive(Debug, thiserror::Error)]
#[error("code {0}")]
pub(crate) struct Code(pub u16);

/// Answers every request alike, and keeps what was requested.
pub(crate) struct Platform(Answer, Mutex<Vec<(PullId, bool)>>);

impl Platform {
    pub(crate) fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self(answer, Mutex::default()))
    }

    pub(crate) fn requests(&self) -> Vec<(PullId, bool)> {
        self.1.lock().unwrap().clone()
    }
}

#[async_trait]
impl Requester for Platform {
    async fn request(&self, pull: &PullId, tags: bool) -> Result<Option<String>, RequestError> {
        self.1.lock().unwrap().push((pull.clone(), tags));
        match self.0 {
            Answer::Accepts => Ok(Some("serial".into())),
            Answer::Refuses => Err(RequestError::new(Code(403)).refused(true)),
            Answer::IsLost => Err(RequestError::new(Code(504)).arrived_perhaps(true)),
            Answer::IsAway => Err(RequestError::new(Code(502))),
            Answer::Panics => panic!("a bug"),
        }
    }
}

/// An engine on a platform that accepts, with a settle time of 1 s and an idle timeout of 60 s.
pub(crate) fn builder() -> EngineBuilder {
    builder_on(&Platform::new(Answer::Accepts))
}

pub(crate) fn builder_on(platform: &Arc<Platform>) -> EngineBuilder {
    Engine::builder(Arc::clone(platform) as _).timing(timing())
}

/// An engine on a journal, with the timing of [`builder`].
pub(crate) fn engine_on(journal: &Arc<impl Journal + 'static>) -> Engine {
    builder().journal(Arc::clone(journal) as _).build().unwrap()
}

/// A settle time of 1 s and an idle timeout of 60 s.
pub(crate) fn timing() -> Timing {
    Timing::default().settle(Duration::from_secs(1)).idle_timeout(Duration::from_secs(60))
}

/// The longest time between two looks of a worker, in milliseconds.
pub(crate) const LOOK: u64 = 1_050;

pub(crate) fn id() -> PullId {
    PullId { robot_id: ROBOT.parse().unwrap(), mark_id: MARK.parse().unwrap() }
}

pub(crate) fn request() -> PullRequest {
    PullRequest::new(id().robot_id).mark_id(id().mark_id)
}

/// A page of one account.
pub(crate) fn page_of(mark: &str, account: usize, has_more: bool) -> String {
    format!(
        r#"{{"event_type":42016,"robot_id":"{ROBOT}","data":{{"mark_id":"{mark}","has_more":{has_more},"account_list":[{{"account_id":"a{account:03}"}}]}}}}"#
    )
}

pub(crate) fn page(account: usize, has_more: bool) -> Incoming {
    incoming(page_of(MARK, account, has_more))
}

/// A page of the pull whose list is no list.
pub(crate) fn unreadable_page() -> String {
    page_of(MARK, 2, true).replace('[', "7,\"x\":[")
}

/// A page that does not say whether more follow.
pub(crate) fn unsaid_page() -> String {
    page_of(MARK, 1, true).replace(r#""has_more":true,"#, "")
}

pub(crate) fn incoming(payload: impl Into<Vec<u8>>) -> Incoming {
    Incoming::new(Payload::new(payload))
}

/// Does work of other threads while the paused clock does not move.
pub(crate) async fn still<T>(work: impl Future<Output = T>) -> T {
    // A paused clock does not run ahead while blocking work runs.
    let (done, waits) = std::sync::mpsc::channel::<()>();
    let blocking = tokio::task::spawn_blocking(move || waits.recv().is_err());
    let result = work.await;
    drop(done);
    assert!(blocking.await.unwrap());
    result
}

/// Publishes to a file, and returns the ids of the accounts in it.
pub(crate) async fn published(
    publication: impl Future<Output = Result<Published, PublishError>>,
) -> Result<BTreeSet<String>, PublishError> {
    let published = still(publication).await;
    Ok(accounts(published?.location.as_ref()).into_iter().collect())
}

/// The accounts of the list in a file, in its order.
pub(crate) fn accounts(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let account = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["account_id"].as_str().unwrap().to_owned()
    };
    text.lines().map(account).collect()
}

/// Runs a future on a paused clock, for a property.
pub(crate) fn paused<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// Measures tokio's time in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn millis(&self) -> u64 {
        self.0.elapsed().as_millis().try_into().unwrap()
    }

    pub(crate) async fn until(&self, millis: u64) {
        tokio::time::sleep_until(self.0 + Duration::from_millis(millis)).await;
    }
}

/// What comes within an hour of tokio's time.
pub(crate) async fn in_time<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3_600), awaited).await.expect("it comes in time")
}
