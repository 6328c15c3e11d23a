//! A service that follows each pull of a journal and writes one JSONL file for each robot.
//! `cargo run -p qopen-engine --example worker`

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use qopen_engine::{
    Destination, Engine, Incoming, PullRequest, PullService, RequestError, Requester, ServiceEvent,
    ServiceOptions, Target, WorkerOptions,
};
use qopen_journal::{DiskJournal, Payload, PullId, PullState};
use qopen_sink::{FileSink, Format, file_name};

/// Another system sends the requests.
struct Elsewhere;

#[async_trait]
impl Requester for Elsewhere {
    async fn request(&self, _: &PullId, _: bool) -> Result<Option<String>, RequestError> {
        Ok(None)
    }
}

struct Folder(PathBuf);

impl Destination for Folder {
    fn target(&self, pull: &PullState) -> Target {
        let name = format!("{}.jsonl", file_name(pull.pull.robot_id.as_str()));
        Target::sink(FileSink::new(self.0.join(name), Format::Jsonl))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let journal = Arc::new(DiskJournal::open(folder.path().join("journal"))?);
    let engine = Engine::builder(Arc::new(Elsewhere)).journal(Arc::clone(&journal) as _).build()?;
    let (done, mut published) = tokio::sync::mpsc::unbounded_channel();
    let options = ServiceOptions::default().observer(move |event: ServiceEvent<'_>| {
        if let ServiceEvent::Published { published, .. } = event {
            // The receiver goes away when the service stops.
            let _ = done.send(published.location.clone());
        }
    });
    let lists = Arc::new(Folder(folder.path().to_owned()));
    let service = PullService::new(engine.clone(), journal, lists, options);
    let request = PullRequest::new("robot".parse()?).mark_id("mark".parse()?);
    service.enqueue(request).await?;
    let page = r#"{"event_type":42016,"robot_id":"robot","data":{"mark_id":"mark",
        "has_more":false,"account_list":[{"account_id":"a"}]}}"#;
    engine.accept(Incoming::new(Payload::new(page))).await?;
    // A service of yours stops at a signal.
    let first = async { println!("published to {:?}", published.recv().await) };
    service.run(WorkerOptions::default(), first).await;
    Ok(())
}
