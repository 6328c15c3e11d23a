//! The engine with a journal on disk, fed by a queue. `cargo run -p qopen-engine --example queue`

use std::sync::Arc;

use qopen_engine::{Engine, Incoming, PullRequest, RequestError, Requester};
use qopen_journal::{DiskJournal, Payload, PullId};
use qopen_sink::{FileSink, Format};

/// Another system sends the request.
struct Elsewhere;

#[async_trait::async_trait]
impl Requester for Elsewhere {
    async fn request(&self, _: &PullId, _: bool) -> Result<Option<String>, RequestError> {
        Ok(None)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let journal = Arc::new(DiskJournal::open(folder.path().join("journal"))?);
    let engine = Engine::builder(Arc::new(Elsewhere)).journal(journal).build()?;
    let pull = engine.pull(PullRequest::new("robot".parse()?).mark_id("mark".parse()?)).await?;
    let (queue, mut messages) = tokio::sync::mpsc::channel(16);
    queue.send(r#"{"event_type":42016,"robot_id":"robot","data":{"mark_id":"mark","has_more":false,"account_list":[{"account_id":"a"}]}}"#).await?;
    drop(queue);
    while let Some(message) = messages.recv().await {
        // When this returns, the journal has it: acknowledge the message then.
        engine.accept(Incoming::new(Payload::new(message))).await?;
    }
    let outcome = pull.outcome().await?;
    let sink = FileSink::new(folder.path().join("customers.jsonl"), Format::Jsonl);
    outcome.publish(Arc::new(sink)).await?;
    outcome.status.is_complete().then_some(()).ok_or_else(|| outcome.status.to_string().into())
}
