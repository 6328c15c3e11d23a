//! Trusted certificates.

use std::path::Path;

use rustls::crypto::{CryptoProvider, ring};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::MysqlError;

/// Returns the certificates of a file, or the system's.
pub(crate) fn trusted(roots: Option<&Path>) -> Result<Vec<Vec<u8>>, MysqlError> {
    // The client library uses the provider of the process, and panics if rustls has several and none is chosen.
    if CryptoProvider::get_default().is_none() {
        let _ = ring::default_provider().install_default();
    }
    let certificates = match roots {
        Some(file) => {
            let read = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let read = read.map_err(|error| MysqlError::Certificates(error.into()))?;
            if read.is_empty() {
                return Err(MysqlError::Certificates(
                    "the file of ssl-ca has no certificate".into(),
                ));
            }
            read
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    if certificates.is_empty() {
        let why = "this machine has no trusted certificates; name a file of them with ssl-ca";
        return Err(MysqlError::Certificates(why.into()));
    }
    Ok(certificates.into_iter().map(|it| it.to_vec()).collect())
}
