//! The style sheet, the script and the icon.
//!
//! The hash of the content is in the name, so that a browser keeps a file until it changes.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use super::Console;

/// A file of the binary.
pub(super) struct Asset {
    /// Its path on the listener.
    pub(super) path: String,
    kind: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(name: &str, ending: &str, kind: &'static str, content: &'static str) -> Self {
        let hash = Sha256::digest(content.as_bytes());
        let hash: String = hash.iter().take(8).map(|it| format!("{it:02x}")).collect();
        Self { path: format!("/console/assets/{name}-{hash}.{ending}"), kind, content }
    }
}

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("style", "css", "text/css; charset=utf-8", include_str!("style.css"))
});

pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("console", "js", "text/javascript; charset=utf-8", include_str!("console.js"))
});

pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("icon.svg")));

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/console/assets/{name}", get(file))
}

async fn file(Path(name): Path<String>) -> Response {
    let path = format!("/console/assets/{name}");
    match [&STYLE, &SCRIPT, &ICON].into_iter().find(|it| it.path == path) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.kind),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.content).into_response()
        }
        None => (StatusCode::NOT_FOUND, "not found").into_response(),
    }
}
