//! Changes of a robot's lists, over the control API.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::Path;

use axum::body::Body;
use axum::extract::{Path as InPath, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use qopen::journal::{Note, PullState};
use qopen::sink::{FileSink, Format};
use qopen::types::{MarkId, RobotId};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::accounts::{PIECES, Pieces, body};
use super::changes_in_database;
use super::pulls::Shared;
use super::refusal::{NOT_KEPT, Refusal};
use crate::database;
use crate::exit::chain;
use crate::output::Output;
use crate::output::database::ListDatabase;

/// Bytes of a piece, unless a line is longer.
const PIECE: usize = 1 << 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesQuery {
    /// The pull of the last list that the client has.
    since: Option<String>,
    /// The revision of that list.
    revision: Option<u32>,
    /// The robot in place of the path's: no path holds `.` and `..`.
    robot_id: Option<String>,
}

/// The header of a robot's changes, so far as this needs it.
#[derive(Deserialize)]
struct Header {
    robot_id: String,
    mark_id: Option<String>,
    revision: Option<u32>,
    since: Option<Since>,
}

#[derive(Deserialize)]
struct Since {
    mark_id: Option<String>,
    revision: Option<u32>,
}

/// Streams the changes that led to a robot's last list: its header, then one JSON object per change. With
/// `since`, the changes since the list of that pull: of one list beside a file, of several in a database.
pub(super) async fn changes(
    State(service): Shared,
    InPath(robot): InPath<String>,
    Query(query): Query<ChangesQuery>,
) -> Result<Response, Refusal> {
    let robot = query.robot_id.unwrap_or(robot);
    let robot = RobotId::new(robot).map_err(|_| Refusal::no_changes())?;
    let since = match &query.since {
        None if query.revision.is_some() => {
            let message = "revision: it belongs to a list; add its mark as since=MARK";
            return Err(Refusal(StatusCode::BAD_REQUEST, message.into()));
        }
        since => since.as_deref().map(MarkId::new).transpose(),
    };
    let pulls = service.journal.pulls_of(&robot).await;
    let mut pulls = pulls.map_err(|error| Refusal::journal(&error))?;
    pulls.sort_by_key(|it| it.order);
    let last = pulls.iter().rev().find_map(|it| Some((it, published_at(it)?)));
    let database = match last {
        Some((pull, _)) => service.lists.database_of(pull),
        // Retention may have deleted its pulls, and never its last list.
        None => service.lists.default.clone().and_then(Output::into_database),
    };
    if let Some(ListDatabase::Sqlite(_)) = &database {
        let message = "the lists of this robot are in an SQLite file; read its table change";
        return Err(Refusal(StatusCode::CONFLICT, message.into()));
    }
    if let Some(ListDatabase::Postgres(database)) = database {
        let Ok(since) = since else { return Err(Refusal::not_kept(NOT_KEPT)) };
        let since = since.map(|mark| (mark, query.revision));
        return changes_in_database::stream(&service, &database, &robot, since).await;
    }
    let Some((_, location)) = last else { return Err(Refusal::no_changes()) };
    // Standard output keeps nothing.
    if location == "-" {
        return Err(Refusal::no_changes());
    }
    if database::of(Path::new(location)).is_some() || !Path::new(location).is_absolute() {
        let message = "the lists of this robot are in a database to which this process does not publish; read its table qopen.change";
        return Err(Refusal(StatusCode::CONFLICT, message.into()));
    }
    let path = FileSink::new(location, Format::Jsonl).changes_path();
    let (pieces, flow) = mpsc::channel(PIECES);
    let (head, header) = tokio::sync::oneshot::channel();
    // The file is replaced and never changed: one handle reads the changes of one list.
    // A thread of its own, because it waits for slow readers.
    let thread = std::thread::Builder::new().name("qopen-changes".into());
    let reading = thread.spawn(move || {
        let mut out = BufWriter::with_capacity(PIECE, Pieces(pieces.clone()));
        if let Err(error) = read(&path, robot.as_str(), head, &mut out) {
            let error = io::Error::other(chain("the changes", &error));
            // Break the connection, so that the reader does not take this for the end.
            let _ = pieces.blocking_send(Err(error));
        }
    });
    reading.map_err(|error| Refusal::of(StatusCode::SERVICE_UNAVAILABLE, "the changes", &error))?;
    let Ok(header) = header.await else { return Err(Refusal::no_changes()) };
    let (begins, begins_with) = header.since.map(|it| (it.mark_id, it.revision)).unzip();
    let begins = begins.flatten();
    let is_current = query.since.is_some() && query.since == header.mark_id;
    if !is_current && query.since.is_some() && query.since != begins {
        return Err(Refusal::not_kept(&match begins.as_deref().map(MarkId::new) {
            Some(Ok(mark)) => format!("only the changes since the list of {mark} are kept"),
            _ => "the last list is a baseline".to_owned(),
        }));
    }
    let revision = if is_current { header.revision } else { begins_with.flatten() };
    if let (Some(asked), Some(revision)) = (query.revision, revision)
        && asked != revision
    {
        return Err(Refusal::revised(revision));
    }
    let kind = [("content-type", "application/x-ndjson")];
    if is_current {
        return Ok((kind, Body::empty()).into_response());
    }
    Ok((kind, body(flow)).into_response())
}

fn published_at(state: &PullState) -> Option<&str> {
    match &state.published()?.note {
        Note::Published { location, .. } => Some(location),
        _ => None,
    }
}

/// Copies a robot's part of a file of changes. Sends its header to `head`.
fn read(
    path: &Path,
    robot: &str,
    head: tokio::sync::oneshot::Sender<Header>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut head, mut is_ours) = (Some(head), false);
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line)? == 0 {
            return out.flush();
        }
        if line.starts_with(b"{\"type\":\"changes\"") {
            let header: Header = serde_json::from_slice(&line)?;
            is_ours = header.robot_id == robot;
            if let Some(head) = head.take_if(|_| is_ours) {
                // The client may have gone.
                let _ = head.send(header);
            }
        }
        if is_ours {
            out.write_all(&line)?;
        }
    }
}
