//! The progress of a pull as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use futures_util::stream;
use qopen::engine::FollowedPull;
use qopen::journal::PullId;
use serde_json::Value;
use tokio::sync::watch;

use super::pulls::{Of, Shared, known, view};
use super::refusal::Refusal;
use crate::serve::service::Service;

/// Interval of the checks of a pull in another process.
const ELSEWHERE: Duration = Duration::from_millis(500);

/// Streams the pull's progress and end as server-sent events.
pub(super) async fn events(
    State(service): Shared,
    mark: Path<String>,
    of: Query<Of>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let state = known(&service, &mark, &of).await?;
    let (live, stopping) = (None, service.stopping.clone());
    let follow = Follow { service, id: state.pull, live, stopping, last: None };
    let flow = stream::unfold(Some(follow), |follow| async {
        let mut follow = follow?;
        let (view, ended) = follow.next().await?;
        let event = Event::default().event(if ended { "end" } else { "progress" });
        let event = event.data(view.to_string());
        Some((Ok(event), (!ended).then_some(follow)))
    });
    Ok(Sse::new(flow).keep_alive(KeepAlive::default()))
}

struct Follow {
    service: Arc<Service>,
    id: PullId,
    live: Option<FollowedPull>,
    stopping: watch::Receiver<bool>,
    /// The last event.
    last: Option<Value>,
}

impl Follow {
    /// Returns the next event, and whether it is the last.
    async fn next(&mut self) -> Option<(Value, bool)> {
        loop {
            if self.last.is_some() {
                let changed = async {
                    match &mut self.live {
                        Some(live) => live.changed().await,
                        // No process follows the pull yet, or another one does.
                        None => {
                            tokio::time::sleep(ELSEWHERE).await;
                            true
                        }
                    }
                };
                tokio::select! {
                    // If this process no longer follows it, the journal has its end.
                    still = changed => if !still { self.live = None },
                    _ = self.stopping.wait_for(|it| *it) => return None,
                }
            }
            if self.live.is_none() {
                self.live = self.service.pulls.find(&self.id);
            }
            let followed = self.live.as_ref().is_some_and(|live| !live.is_open());
            let Ok(state) = self.service.journal.pull(&self.id).await else {
                // The journal does not answer. The stream continues when it does.
                tokio::time::sleep(ELSEWHERE).await;
                continue;
            };
            let state = state?;
            let over = followed || self.live.is_none() && state.ended().is_some();
            let view = view(&self.service, &state);
            if over || self.last.as_ref() != Some(&view) {
                self.last = Some(view.clone());
                return Some((view, over));
            }
        }
    }
}
