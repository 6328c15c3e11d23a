//! Changes of lists in a database, over the control API.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use qopen::sink::SinkError;
use qopen::sink::storage::{FoundChanges, NotKept};
use qopen::types::{MarkId, RobotId};
use qopen::{postgres, sqlite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::accounts::PIECES;
use super::refusal::{NOT_KEPT, Refusal};
use crate::output::database::ListDatabase;
use crate::serve::service::{CHANGE_READERS, Service};

/// Time limit of a client for all changes. Meanwhile the database keeps what the client reads.
const LONGEST: Duration = Duration::from_secs(600);

/// Time limit of a client that reads nothing.
const STALLED: Duration = Duration::from_secs(60);

/// Streams the changes since a list, of every list after it.
pub(super) async fn stream(
    service: &Service,
    database: &ListDatabase,
    robot: &RobotId,
    since: Option<(MarkId, Option<u32>)>,
) -> Result<Response, Refusal> {
    let Ok(permit) = Arc::clone(&service.change_readers).try_acquire_owned() else {
        let message = format!("{CHANGE_READERS} clients already read changes; try again");
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, message.into()));
    };
    let found = find(database, robot, since).await.map_err(|error| {
        let what = "the changes cannot be read from the database of the lists";
        let cause: &dyn std::error::Error = match &error {
            // It speaks of writing.
            SinkError::Database(cause) => &**cause,
            other => other,
        };
        Refusal::of(StatusCode::SERVICE_UNAVAILABLE, what, cause)
    })?;
    let lines = match found {
        FoundChanges::Lines(lines) => lines,
        FoundChanges::Unknown => return Err(Refusal::no_changes()),
        FoundChanges::NotKept(NotKept::Baseline) => {
            return Err(Refusal::not_kept("a later list is a baseline"));
        }
        FoundChanges::NotKept(NotKept::Revised { revision }) => {
            return Err(Refusal::revised(revision));
        }
        _ => return Err(Refusal::not_kept(NOT_KEPT)),
    };
    let (pieces, flow) = mpsc::channel(PIECES);
    let (whole, is_whole) = oneshot::channel();
    let robot = robot.clone();
    tokio::spawn(async move {
        let _permit = permit;
        match send(lines, pieces).await {
            // The client may have gone.
            Ok(()) => drop(whole.send(())),
            Err(error) => {
                let error = &*error as &dyn std::error::Error;
                tracing::warn!(%robot, error, "the changes were not sent whole");
            }
        }
    });
    let kind = [("content-type", "application/x-ndjson")];
    Ok((kind, Body::from_stream(until_whole(flow, is_whole))).into_response())
}

/// The lines of one snapshot of a database.
enum Lines {
    Postgres(Box<postgres::ChangeLines>),
    /// Absent while a blocking thread reads them.
    Sqlite(Option<Box<sqlite::ChangeLines>>),
}

impl Lines {
    /// Returns the next whole lines; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        match self {
            Self::Postgres(lines) => lines.next().await,
            Self::Sqlite(lines) => {
                let Some(mut reader) = lines.take() else { return Ok(None) };
                let (reader, piece) = blocking(move || {
                    let piece = reader.next();
                    (reader, piece)
                })
                .await?;
                *lines = Some(reader);
                piece
            }
        }
    }
}

/// Finds the changes since a list.
async fn find(
    database: &ListDatabase,
    robot: &RobotId,
    since: Option<(MarkId, Option<u32>)>,
) -> Result<FoundChanges<Lines>, SinkError> {
    fn list(of: &(MarkId, Option<u32>)) -> (&MarkId, Option<u32>) {
        (&of.0, of.1)
    }
    match database {
        ListDatabase::Postgres(sink) => {
            let found = sink.changes(robot, since.as_ref().map(list)).await?;
            Ok(found.map(Lines::Postgres))
        }
        ListDatabase::Sqlite(sink) => {
            let (sink, robot) = (sink.clone(), robot.clone());
            let find = move || sink.changes(&robot, since.as_ref().map(list));
            let found = blocking(find).await?;
            found.map(|it| it.map(|lines| Lines::Sqlite(Some(lines))))
        }
        // Refused before.
        #[cfg(feature = "mysql")]
        ListDatabase::Mysql(_) => Ok(FoundChanges::Unknown),
    }
}

/// Runs blocking work on a thread for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SinkError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| SinkError::Io {
        action: "running",
        path: "a thread that reads changes".into(),
        source: io::Error::other(error),
    })
}

/// Sends all lines, within the limits of time.
async fn send(
    mut lines: Lines,
    pieces: mpsc::Sender<Bytes>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let end = Instant::now() + LONGEST;
    loop {
        let next = tokio::select! {
            next = timeout_at(end, lines.next()) => next,
            () = pieces.closed() => return Err("the client has left".into()),
        };
        let Some(piece) = next.map_err(|_| "it took too long")?? else { return Ok(()) };
        let stalled = end.min(Instant::now() + STALLED);
        timeout_at(stalled, pieces.send(piece.into()))
            .await
            .map_err(|_| "the client is slow")??;
    }
}

/// A body of pieces. Breaks the connection after them unless they were sent whole: a reader must not take this for
/// the end.
fn until_whole(
    pieces: mpsc::Receiver<Bytes>,
    is_whole: oneshot::Receiver<()>,
) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some((pieces, is_whole)), |flow| async {
        let (mut pieces, is_whole) = flow?;
        match pieces.recv().await {
            Some(piece) => Some((Ok(piece), Some((pieces, is_whole)))),
            None => {
                let cut = |_| (Err(io::Error::other("the changes are cut off")), None);
                is_whole.await.err().map(cut)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use bytes::Bytes;
    use futures_util::StreamExt as _;
    use tokio::sync::{mpsc, oneshot};

    use super::until_whole;

    #[tokio::test]
    async fn a_body_ends_only_after_everything_was_sent() {
        for is_sent in [true, false] {
            let (pieces, flow) = mpsc::channel(1);
            let (whole, is_whole) = oneshot::channel();
            let body = tokio::spawn(until_whole(flow, is_whole).collect::<Vec<_>>());
            pieces.send(Bytes::from_static(b"a\n")).await.unwrap();
            drop(pieces);
            match is_sent {
                true => whole.send(()).unwrap(),
                false => drop(whole),
            }
            let body = body.await.unwrap();
            assert!(body[0].is_ok());
            assert_eq!(
                (body.len(), body[body.len() - 1].is_ok()),
                (2 - usize::from(is_sent), is_sent)
            );
        }
    }
}
