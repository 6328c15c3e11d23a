//! The list of pulls, read and sent in parts.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use qopen::journal::{JournalError, PullId, PullState};
use serde::Deserialize;

use super::pulls::{Shared, view};
use super::refusal::Refusal;
use crate::exit::chained;
use crate::kept::pull::{Line, PullName};
use crate::lang::Text;
use crate::say::say;
use crate::serve::service::Service;

/// Pulls of one part.
const PART: usize = 500;

/// The query of the list of pulls.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Whether to add the progress of open pulls of this process.
    #[serde(default = "yes")]
    progress: bool,
    /// The most pulls of the answer. Default: all.
    limit: Option<usize>,
    /// The pull after which the list begins.
    after_robot_id: Option<String>,
    after_mark_id: Option<String>,
}

fn yes() -> bool {
    true
}

impl ListQuery {
    fn after(&self) -> Result<Option<PullId>, Refusal> {
        let refused = |what: &str| Refusal(StatusCode::BAD_REQUEST, what.into());
        match (&self.after_robot_id, &self.after_mark_id) {
            (None, None) => Ok(None),
            (Some(robot), Some(mark)) => match (robot.parse(), mark.parse()) {
                (Ok(robot_id), Ok(mark_id)) => Ok(Some(PullId { robot_id, mark_id })),
                _ => Err(refused("after_robot_id and after_mark_id do not name a pull")),
            },
            _ => Err(refused("after_robot_id and after_mark_id name a pull together; give both")),
        }
    }
}

pub(super) async fn list(
    State(service): Shared,
    Query(query): Query<ListQuery>,
) -> Result<Response, Refusal> {
    let after = query.after()?;
    let left = query.limit.unwrap_or(usize::MAX);
    if left == 0 {
        let message = "limit: expected 1 or more";
        return Err(Refusal(StatusCode::BAD_REQUEST, message.into()));
    }
    let mut listing =
        Listing { service, progress: query.progress, after, left, has_begun: false, ends: false };
    // A journal that does not answer is refused, unless the list has begun.
    let first = listing.next().await.map_err(|error| Refusal::journal(&error))?;
    let body = match listing.ends {
        true => Body::from(first),
        false => {
            let rest = stream::unfold(listing, async |mut listing| {
                if listing.ends {
                    return None;
                }
                let part = listing.next().await.map_err(|error| {
                    // The broken body is not taken for the end.
                    listing.ends = true;
                    let what = Text::new("a list of pulls ends early", "拉取的列表提前结束");
                    let error = chained(what, &error);
                    say!("qopen: {}", error.shown());
                    io::Error::other(error.english())
                });
                Some((part, listing))
            });
            Body::from_stream(stream::iter([Ok(first)]).chain(rest))
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The part of a list that is not sent yet.
struct Listing {
    service: Arc<Service>,
    progress: bool,
    after: Option<PullId>,
    left: usize,
    has_begun: bool,
    ends: bool,
}

impl Listing {
    /// The next part of the answer.
    async fn next(&mut self) -> Result<Bytes, JournalError> {
        let most = self.left.min(PART);
        let pulls = self.service.journal.pulls_after(self.after.as_ref(), most).await?;
        let mut part = Vec::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            part.extend_from_slice(b"{\"pulls\":[");
        } else if !pulls.is_empty() {
            part.push(b',');
        }
        for (number, pull) in pulls.iter().enumerate() {
            if number > 0 {
                part.push(b',');
            }
            self.write(pull, &mut part);
        }
        self.left -= pulls.len();
        self.ends = pulls.len() < most || self.left == 0;
        if self.ends {
            part.push(b']');
            if let Some(last) = pulls.last().filter(|_| self.left == 0) {
                part.extend_from_slice(b",\"next\":");
                put(&PullName::from(&last.pull), &mut part);
            }
            part.push(b'}');
        }
        self.after = pulls.into_iter().last().map(|it| it.pull).or(self.after.take());
        Ok(part.into())
    }

    fn write(&self, pull: &PullState, part: &mut Vec<u8>) {
        let is_followed = self.progress && self.service.pulls.find(&pull.pull).is_some();
        match is_followed {
            true => put(&view(&self.service, pull), part),
            false => put(&Line::of(pull), part),
        }
    }
}

/// Adds a value as JSON.
fn put(value: &impl serde::Serialize, part: &mut Vec<u8>) {
    // Plain data always encodes.
    if let Ok(json) = serde_json::to_vec(value) {
        part.extend_from_slice(&json);
    }
}
