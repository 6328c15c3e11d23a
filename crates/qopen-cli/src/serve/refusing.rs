//! Refused callbacks: told to workers of other processes, and counted while the process stops.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::service::Service;

/// Notes refusals for the workers of other processes, at most once a second.
pub(super) async fn tell_of_refusals(service: Arc<Service>) {
    let mut refused = service.client.stats().refusals().watch();
    while refused.changed().await.is_ok() {
        while let Err(error) = service.journal.note_refusal().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a refusal was not noted");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Rejects callbacks while the process stops. The platform retries them.
pub(super) async fn reject_when_stopping(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    if service.is_stopping() {
        service.turned_away.fetch_add(1, Ordering::Relaxed);
        service.client.stats().refusals().note();
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    }
    next.run(request).await
}
