//! Bodies of requests, within limits.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use futures_util::StreamExt as _;

use super::refusal::Refusal;

/// The largest body of a request, in bytes.
const LARGEST: usize = 64 * 1024;

/// Time limit for a body.
const BODY: Duration = Duration::from_secs(30);

/// Reads a whole body within the limits of size and time.
pub(in crate::serve) async fn whole(body: Body) -> Result<Vec<u8>, Refusal> {
    let too_large = || {
        let message = format!("the body is larger than {LARGEST} bytes");
        Refusal(StatusCode::PAYLOAD_TOO_LARGE, message.into())
    };
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(too_large());
    }
    let read = async {
        let (mut body, mut bytes) = (body.into_data_stream(), Vec::new());
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| {
                Refusal(StatusCode::BAD_REQUEST, "the body is malformed, or broke off".into())
            })?;
            if bytes.len() + piece.len() > LARGEST {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    let read = tokio::time::timeout(BODY, read).await.map_err(|_| {
        let message = format!("the body took longer than {} s", BODY.as_secs());
        Refusal(StatusCode::REQUEST_TIMEOUT, message.into())
    });
    read?
}
