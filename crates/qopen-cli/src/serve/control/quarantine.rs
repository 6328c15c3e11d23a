//! Quarantine over the control API.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::pulls::{NoQuery, Shared};
use super::refusal::Refusal;
use crate::kept::item::{self, Retried};
use crate::lang::phrase;

/// Lists every item without its content.
pub(super) async fn list(
    State(service): Shared,
    _: Query<NoQuery>,
) -> Result<Json<Value>, Refusal> {
    let items = item::items(&*service.journal).await?;
    Ok(Json(json!({ "items": items })))
}

/// Returns the content of an item, which is customers' data.
pub(super) async fn show(
    State(service): Shared,
    item: Path<String>,
    _: Query<NoQuery>,
) -> Result<Response, Refusal> {
    let bytes = item::bytes(&*service.journal, &item).await?;
    let bytes = bytes.ok_or_else(unknown)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// Releases an item.
pub(super) async fn release(
    State(service): Shared,
    item: Path<String>,
    _: Query<NoQuery>,
) -> Result<Json<Value>, Refusal> {
    let pulls = item::release(&*service.journal, &item).await?;
    Ok(Json(json!({ "pulls": pulls.ok_or_else(unknown)? })))
}

/// Reads every item again with the current keys.
pub(super) async fn retry(
    State(service): Shared,
    _: Query<NoQuery>,
) -> Result<Json<Retried>, Refusal> {
    let ring = service.client.keyring();
    Ok(Json(item::retry(&*service.journal, Some(&ring)).await?))
}

fn unknown() -> Refusal {
    let message = phrase!("nothing in quarantine has that name", "隔离区中没有此名称的项");
    Refusal(StatusCode::NOT_FOUND, message)
}
