//! Callbacks inside an axum service that has routes of its own. `cargo run -p qopen --example axum_service`
//!
//! Set `QOPEN_BASE_URL`, `QOPEN_APP_KEY`, `QOPEN_APP_SECRET`, `QOPEN_CALLBACK_TOKEN` and
//! `QOPEN_ENCODING_AES_KEY`. `curl -X POST http://127.0.0.1:8080/pulls/ROBOT_ID` then pulls a list.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use qopen::callback::{CallbackKeys, Keyring};
use qopen::http::Sender;
use qopen::journal::DiskJournal;
use qopen::sink::{FileSink, Format, file_name};
use qopen::{Client, PullRequest};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Pulls a robot's list, and answers when the list is published.
async fn pull(State(client): State<Client>, Path(robot): Path<String>) -> (StatusCode, String) {
    match pull_list(&client, &robot).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

async fn pull_list(client: &Client, robot: &str) -> Result<String, Error> {
    let outcome = client.pull(PullRequest::new(robot.parse()?)).await?.outcome().await?;
    if !outcome.status.is_complete() {
        return Err(outcome.status.to_string().into());
    }
    let sink = FileSink::new(format!("{}.jsonl", file_name(robot)), Format::Jsonl);
    let published = outcome.publish(Arc::new(sink)).await?;
    Ok(format!("{} customers in {}\n", published.lists[0].accounts, published.location))
}

fn setting(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let app_key = setting("QOPEN_APP_KEY")?;
    let sender = Sender::builder(setting("QOPEN_BASE_URL")?)
        .app_credentials(&app_key, setting("QOPEN_APP_SECRET")?)
        .build()?;
    let aes_key = setting("QOPEN_ENCODING_AES_KEY")?.into();
    let keys = CallbackKeys::new(setting("QOPEN_CALLBACK_TOKEN")?, &aes_key)?;
    let client = Client::builder(sender, Keyring::new(&app_key, keys))
        .journal(Arc::new(DiskJournal::open("journal")?))
        .build()?;
    let service = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/pulls/{robot}", post(pull))
        .with_state(client.clone())
        // The platform's callbacks arrive here, at `/callback`.
        .merge(client.callback_router());
    let socket = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    // `qopen::callback::listener` serves untrusted clients with bounds, if no proxy does.
    axum::serve(socket, service).await?;
    Ok(())
}
