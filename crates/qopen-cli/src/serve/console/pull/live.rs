//! The parts of a pull's page as server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;
use futures_util::stream;
use qopen::engine::FollowedPull;
use qopen::journal::PullId;

use super::super::Console;
use super::super::page::Problem;
use super::super::visit::Visit;
use super::named::{OfPull, known};
use super::view::{PARTS, PullView};

/// Interval of the clock, and of the checks of a pull in another process.
const TICK: Duration = Duration::from_secs(1);

/// The shortest time between two events.
const PAUSE: Duration = Duration::from_millis(100);

/// Streams the changed parts of the page, until the session ends or the service stops.
pub(super) async fn events(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Query(of): Query<OfPull>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let id = known(&console, &visit, &of).await?.pull;
    let follow = Follow { visit, id, live: None, sent: None };
    let flow = stream::unfold(follow, |mut follow| async {
        let parts = follow.next().await?;
        // Texts always encode.
        let json = serde_json::to_string(&parts).unwrap_or_default();
        Some((Ok(Event::default().event("parts").data(json)), follow))
    });
    Ok(Sse::new(flow).keep_alive(KeepAlive::default()))
}

struct Follow {
    visit: Visit,
    id: PullId,
    live: Option<FollowedPull>,
    /// The parts that the page has.
    sent: Option<[String; PARTS.len()]>,
}

impl Follow {
    /// Returns the parts that have changed. `None` at the end of the stream.
    async fn next(&mut self) -> Option<BTreeMap<&'static str, String>> {
        let service = Arc::clone(&self.visit.console.service);
        let mut stopping = service.stopping.clone();
        loop {
            if self.sent.is_some() {
                let changed = async {
                    tokio::time::sleep(PAUSE).await;
                    match &mut self.live {
                        Some(live) => live.changed().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    // If this process no longer follows the pull, the journal has its end.
                    still = changed => if !still { self.live = None },
                    () = tokio::time::sleep(TICK) => {}
                    _ = stopping.wait_for(|it| *it) => return None,
                }
            }
            if !self.visit.is_still_in() {
                return None;
            }
            let found = service.pulls.find(&self.id);
            if self.live.is_none() {
                // An ended pull is looked at again by the clock: it may be resumed.
                self.live = found.clone().filter(FollowedPull::is_open);
            }
            let Ok(state) = service.journal.pull(&self.id).await else {
                // The journal does not answer. The stream continues when it does.
                tokio::time::sleep(TICK).await;
                continue;
            };
            let state = state?;
            let figures = found.as_ref().and_then(FollowedPull::figures);
            let view = PullView { visit: &self.visit, state: &state, figures: figures.as_ref() };
            let parts = view.parts().map(|it| it.into_string());
            let sent = self.sent.replace(parts.clone());
            let is_new = |at: usize| sent.as_ref().is_none_or(|it| it[at] != parts[at]);
            let new: Vec<usize> = (0..PARTS.len()).filter(|at| is_new(*at)).collect();
            if !new.is_empty() {
                return Some(new.into_iter().map(|at| (PARTS[at], parts[at].clone())).collect());
            }
        }
    }
}
