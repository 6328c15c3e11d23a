//! Trusted certificates.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::DatabaseError;

/// A connector that trusts the certificates of a file, or the system's.
pub(crate) fn connector(roots: Option<&Path>) -> Result<MakeRustlsConnect, DatabaseError> {
    let unusable =
        |error: Box<dyn std::error::Error + Send + Sync>| DatabaseError::Certificates(error);
    let mut trusted = RootCertStore::empty();
    match roots {
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file);
            let certificates: Result<Vec<_>, _> =
                certificates.and_then(Iterator::collect).map(Ok).unwrap_or_else(Err);
            let certificates = certificates.map_err(|error| {
                let said = format!("the file {} of sslrootcert: {error}", file.display());
                unusable(said.into())
            })?;
            for certificate in certificates {
                trusted.add(certificate).map_err(|error| unusable(error.into()))?;
            }
            if trusted.is_empty() {
                let said = format!("the file {} of sslrootcert has no certificate", file.display());
                return Err(unusable(said.into()));
            }
        }
        // Without any, TLS fails at the handshake, with an error that says so.
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            let _ = trusted.add_parsable_certificates(found);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.into()))?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
