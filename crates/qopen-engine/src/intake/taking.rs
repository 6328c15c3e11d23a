//! Takes payloads by kind.

use qopen_journal::Payload;
use qopen_types::Digest;

use super::report::Report;
use super::state::Intake;
use crate::accepted::{Accepted, Incoming, NotKept};
use crate::classify::{Classified, classify};

impl Intake {
    pub(super) async fn take(&self, incoming: Incoming) -> Result<Accepted, NotKept> {
        let Incoming { payload, signed_at, arrived } = incoming;
        match classify_apart(&payload).await? {
            Classified::Page(page) => self.page(arrived, page, payload).await,
            Classified::Report { robot_id, mark_id, code, message } => {
                let digest = Digest::of(payload.as_bytes());
                let report = Report { robot_id, mark_id, code, message, digest, signed_at };
                self.report(arrived, report).await
            }
            Classified::Unreadable(unreadable) => {
                self.unreadable(arrived, unreadable, payload).await
            }
            Classified::Other(event_type) => self.other_event(arrived, event_type, payload).await,
        }
    }
}

/// Payloads of this many bytes or more are classified on a blocking thread.
const LARGE: usize = 256 << 10;

/// Classifies a payload, off the reactor if it is large.
async fn classify_apart(payload: &Payload) -> Result<Classified, NotKept> {
    if payload.len() < LARGE {
        return Ok(classify(payload.as_bytes()));
    }
    let payload = payload.clone();
    let work = move || classify(payload.as_bytes());
    // It ends early only when the runtime does.
    tokio::task::spawn_blocking(work).await.map_err(|_| NotKept::Closed)
}
