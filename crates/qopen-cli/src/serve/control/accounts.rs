//! Lists over the control API.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use qopen::PulledList;
use qopen::journal::Journal;
use qopen::types::AccountId;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::after::After;
use super::pulls::{Of, Shared, known};
use super::refusal::Refusal;
use crate::exit::chain;
use crate::format::{CsvArgs, Language, Layout, OutputFormat};
use crate::journal::{needs_partial, why_incomplete};
use crate::serve::service::Service;

/// Pieces of a list that wait for a slow reader.
pub(super) const PIECES: usize = 16;

/// Returns the form of a list that a query names.
pub(super) fn layout(format: OutputFormat, csv: CsvArgs) -> Result<Layout, Refusal> {
    let message = match format {
        OutputFormat::Singer => Some(
            "Singer messages go to standard output; write format=jsonl, or run `qopen pull --out - --format singer`",
        ),
        OutputFormat::Jsonl if !csv.is_plain() => {
            Some("bom and csv_safe are for CSV only, and labels for CSV and XLSX; add format=csv")
        }
        OutputFormat::Xlsx if !csv.is_for_any_table() => {
            Some("bom and csv_safe are for CSV only; leave them out, or write format=csv")
        }
        #[cfg(feature = "parquet")]
        OutputFormat::Parquet if !csv.is_plain() => Some(
            "bom and csv_safe are for CSV only, and labels for CSV and XLSX; leave them out, or write format=csv",
        ),
        _ => None,
    };
    if let Some(message) = message {
        return Err(Refusal(StatusCode::BAD_REQUEST, message.into()));
    }
    let layout = Layout { format, csv };
    layout
        .check(false)
        .map_err(|failure| Refusal(StatusCode::INTERNAL_SERVER_ERROR, failure.message().clone()))?;
    Ok(layout)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountsQuery {
    #[serde(default)]
    partial: bool,
    #[serde(default)]
    format: OutputFormat,
    #[serde(default)]
    bom: bool,
    #[serde(default)]
    csv_safe: bool,
    labels: Option<Language>,
    robot_id: Option<String>,
    mark_id: Option<String>,
}

/// Streams the list in a format, one JSON object per line by default. The stream begins when the list is finished. A
/// truncated stream is not the list.
pub(super) async fn accounts(
    State(service): Shared,
    mark: Path<String>,
    method: Method,
    Query(query): Query<AccountsQuery>,
) -> Result<Response, Refusal> {
    let AccountsQuery { partial, format, bom, csv_safe, labels, robot_id, mark_id } = query;
    let layout = layout(format, CsvArgs { bom, csv_safe, labels })?;
    let state = known(&service, &mark, &Of { robot_id, mark_id }).await?;
    let journal: Arc<dyn Journal> = Arc::clone(&service.journal) as _;
    let list = qopen::kept_list(&journal, &state.pull).await;
    let Some(list) = list.map_err(|error| Refusal::journal(&error))? else {
        return Err(Refusal::unknown());
    };
    let (revision, complete) = (list.revision(), list.revision() > 0);
    if !complete && !partial {
        let why = why_incomplete(&state);
        return Err(Refusal(StatusCode::CONFLICT, needs_partial(&why)));
    }
    let headers = [
        ("content-type", content_type(layout)),
        ("qopen-complete", complete.to_string()),
        ("qopen-revision", revision.to_string()),
    ];
    let body = match method {
        Method::HEAD => Body::empty(),
        // The list may be partial, as its header says.
        _ => flow(&service, list, layout, None),
    };
    Ok((headers, [NO_RANGES], body).into_response())
}

/// Lists are written anew for each answer, so that a part of one is a part of its customers: `after`.
pub(super) const NO_RANGES: (&str, &str) = ("accept-ranges", "none");

/// The media type of a list.
pub(super) fn content_type(layout: Layout) -> String {
    let kind = match layout.format {
        OutputFormat::Jsonl | OutputFormat::Singer => "application/x-ndjson",
        OutputFormat::Csv => "text/csv; charset=utf-8",
        OutputFormat::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        #[cfg(feature = "parquet")]
        OutputFormat::Parquet => "application/vnd.apache.parquet",
    };
    kind.to_owned()
}

/// Writes the customers of a list after this one into a body, or all of them.
pub(super) fn flow(
    service: &Service,
    list: PulledList,
    layout: Layout,
    after: Option<AccountId>,
) -> Body {
    let (pieces, flow) = mpsc::channel(PIECES);
    let sink = layout.stream(Pieces(pieces.clone())).in_folder(service.scratch.as_deref());
    let sink = Arc::new(After { sink, id: after });
    tokio::spawn(async move {
        if let Err(error) = qopen::export(vec![list], sink).await {
            let error = io::Error::other(chain("the list", &error));
            // Break the connection, so that the reader does not take this for the end.
            let _ = pieces.send(Err(error)).await;
        }
    });
    body(flow)
}

/// A body of pieces that another task sends.
pub(super) fn body(pieces: mpsc::Receiver<io::Result<Bytes>>) -> Body {
    Body::from_stream(stream::unfold(pieces, |mut pieces| async {
        Some((pieces.recv().await?, pieces))
    }))
}

/// A writer that hands its pieces to another task.
pub(super) struct Pieces(pub(super) mpsc::Sender<io::Result<Bytes>>);

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
