//! TLS by rustls, with certificates that can be replaced while the listener serves.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The error of a certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file has no PEM certificate, or cannot be read.
    #[error("cannot read a PEM certificate from {}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Cause,
    },
    /// The file has no PEM private key, or cannot be read.
    #[error("cannot read a PEM private key from {}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Cause,
    },
    /// The certificate and the key do not match, or their kind is not supported.
    #[error("the certificate and the private key do not match")]
    Pair(#[source] Cause),
}

/// A certificate chain and its private key, from files. Clones share them.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    certificates: PathBuf,
    key: PathBuf,
    /// Held for a clone or an exchange of the pointer.
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the chain, leaf first, and the key, both in PEM. Serves TLS 1.2 and 1.3. Blocks.
    ///
    /// # Errors
    /// [`TlsError`], if a file cannot be read or the two do not match.
    pub fn from_pem_files(
        certificates: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let (certificates, key) = (certificates.into(), key.into());
        let config = RwLock::new(Arc::new(read(&certificates, &key)?));
        Ok(Self(Arc::new(Shared { certificates, key, config })))
    }

    /// Reads the same files again, for all handshakes from now on. An error leaves the present
    /// certificate in use. Blocks.
    ///
    /// # Errors
    /// [`TlsError`], if a file cannot be read or the two do not match.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(read(&self.0.certificates, &self.0.key)?);
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = self.0.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config).into()
    }
}

fn read(certificates: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let no_certificate =
        |source: Cause| TlsError::Certificate { path: certificates.to_owned(), source };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect)
        .map_err(|error| no_certificate(error.into()))?;
    if chain.is_empty() {
        return Err(no_certificate("there is none in it".into()));
    }
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::Key { path: key.to_owned(), source: error.into() })?;
    let pair = |error: tokio_rustls::rustls::Error| TlsError::Pair(error.into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { certificates, key, .. } = &*self.0;
        f.debug_struct("Tls").field("certificates", certificates).field("key", key).finish()
    }
}
