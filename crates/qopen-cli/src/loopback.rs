//! The HTTP client for services on this machine.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use crate::exit::Failure;
use crate::lang::{Phrase, Text};

/// What a failure to make the client begins with.
const CLIENT: Text = Text::new("the HTTP client", "HTTP 客户端");

/// Returns a client for plain HTTP. Neither a proxy nor a redirect learns what it sends, and it needs no
/// certificates of the system.
pub(crate) fn client(with: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Client, Failure> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::unexpected(CLIENT, &error))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = Client::builder().tls_backend_preconfigured(tls);
    let client = with(client.no_proxy().redirect(redirect::Policy::none()));
    client.build().map_err(|error| Failure::unexpected(CLIENT, &error))
}

/// Returns the reason in an error of the control API.
pub(crate) fn reason(body: &[u8]) -> Option<Phrase> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        error_zh: Option<String>,
    }
    let Refusal { error, error_zh } = serde_json::from_slice(body).ok()?;
    Some(Phrase::new(&error, error_zh.as_ref().unwrap_or(&error)))
}
