//! TLS of the client.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

use crate::build_error::BuildError;

/// Trusts the system's certificates and those of `roots`, in PEM. Depends on no provider of the process.
pub(crate) fn config(roots: Option<&[u8]>) -> Result<ClientConfig, BuildError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = match roots {
        Some(pem) => Verifier::new_with_extra_roots(certificates(pem)?, Arc::clone(&provider))
            .map_err(|error| BuildError::RootCertificate(error.into()))?,
        None => Verifier::new(Arc::clone(&provider))
            .map_err(|error| BuildError::Client(error.into()))?,
    };
    let mut config = builder(provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Trusts no certificate. A client without TLS starts with it on a machine without certificates.
pub(crate) fn unused() -> Result<ClientConfig, BuildError> {
    let config = builder(Arc::new(ring::default_provider()))?;
    Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, BuildError> {
    let builder = ClientConfig::builder_with_provider(provider);
    builder.with_safe_default_protocol_versions().map_err(|error| BuildError::Client(error.into()))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let unreadable =
        |error: rustls_pki_types::pem::Error| BuildError::RootCertificate(error.into());
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(unreadable)?;
    match certificates.is_empty() {
        true => Err(BuildError::RootCertificate("it holds no certificate".into())),
        false => Ok(certificates),
    }
}
