//! The HTTP client for services on this machine.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::exit::Failure;

/// Returns a client for plain HTTP. Neither a proxy nor a redirect learns what it sends, and it needs no
/// certificates of the system.
pub(crate) fn client() -> Result<ClientBuilder, Failure> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::unexpected("the HTTP client", &error))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = Client::builder().tls_backend_preconfigured(tls);
    Ok(client.no_proxy().redirect(redirect::Policy::none()))
}
