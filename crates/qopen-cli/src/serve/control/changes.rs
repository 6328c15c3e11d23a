//! Changes between a robot's last two lists, over the control API.

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
use super::pulls::Shared;
use super::refusal::Refusal;
use crate::database;
use crate::exit::chain;

/// Bytes of a piece, unless a line is longer.
const PIECE: usize = 1 << 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesQuery {
    /// The pull of the last list that the client has.
    since: Option<String>,
    /// The robot in place of the path's: no path holds `.` and `..`.
    robot_id: Option<String>,
}

/// The header of a robot's changes, so far as this needs it.
#[derive(Deserialize)]
struct Header {
    robot_id: String,
    mark_id: Option<String>,
    since: Option<Since>,
}

#[derive(Deserialize)]
struct Since {
    mark_id: Option<String>,
}

/// Streams the changes that led to a robot's last list: its header, then one JSON object per change. With
/// `since`, only if they begin with the list of that pull.
pub(super) async fn changes(
    State(service): Shared,
    InPath(robot): InPath<String>,
    Query(query): Query<ChangesQuery>,
) -> Result<Response, Refusal> {
    let unknown = || {
        let message = "no list of this robot is published, or its changes are not kept";
        Refusal(StatusCode::NOT_FOUND, message.into())
    };
    let robot = query.robot_id.unwrap_or(robot);
    let robot = RobotId::new(robot).map_err(|_| unknown())?;
    let pulls = service.journal.pulls_of(&robot).await;
    let mut pulls = pulls.map_err(|error| Refusal::journal(&error))?;
    pulls.sort_by_key(|it| it.order);
    let Some(location) = pulls.iter().rev().find_map(published_at) else { return Err(unknown()) };
    // Standard output keeps nothing.
    if location == "-" {
        return Err(unknown());
    }
    if database::of(Path::new(location)).is_some() || !Path::new(location).is_absolute() {
        let message = "the lists of this robot are in a database; read its table qopen.change";
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
    let Ok(header) = header.await else { return Err(unknown()) };
    let begins = header.since.and_then(|it| it.mark_id);
    let is_current = query.since.is_some() && query.since == header.mark_id;
    if !is_current && query.since.is_some() && query.since != begins {
        let message = match begins.as_deref().map(MarkId::new) {
            Some(Ok(mark)) => format!("only the changes since the list of {mark} are kept"),
            _ => "the last list is a baseline".to_owned(),
        };
        let message = format!("{message}; read the whole list");
        return Err(Refusal(StatusCode::GONE, message));
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
