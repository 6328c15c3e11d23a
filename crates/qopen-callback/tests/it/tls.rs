//! The listener over TLS, with generated certificates.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use qopen_callback::listener::{Listener, Tls, TlsError};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::server::{PAGE, Server, limits, status};

/// Writes a new certificate for `localhost` and its key; returns the certificate.
fn issue(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn tls(folder: &Path) -> Result<Tls, TlsError> {
    Tls::from_pem_files(folder.join("cert.pem"), folder.join("key.pem"))
}

/// Posts a page to the server with this certificate.
async fn post(server: &Server, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(server.address).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let body = server.sealed(PAGE);
    let head = format!(
        "POST /callback HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn callbacks_come_over_tls_and_certificates_are_exchanged_while_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let first = issue(folder.path());
    let tls = tls(folder.path()).unwrap();
    let server = Server::start_with(Listener::new(limits()).tls(tls.clone()), |_| {}).await;
    assert_eq!(status(&post(&server, &first).await.unwrap()), 200);

    let second = issue(folder.path());
    assert!(post(&server, &second).await.is_err(), "nothing is read unasked");
    tls.reload().unwrap();
    assert_eq!(status(&post(&server, &second).await.unwrap()), 200);
    assert!(post(&server, &first).await.is_err());

    // An unusable certificate changes nothing.
    std::fs::write(folder.path().join("key.pem"), "rubbish").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Key { .. })));
    assert_eq!(status(&post(&server, &second).await.unwrap()), 200);
}

#[tokio::test]
async fn whoever_does_not_shake_hands_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = issue(folder.path());
    let listener = Listener::new(limits()).tls(tls(folder.path()).unwrap());
    let server = Server::start_with(listener, |_| {}).await;
    for sent in ["", "POST /callback HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        let reading = stream.read_to_end(&mut said);
        let _ = tokio::time::timeout(Duration::from_secs(30), reading).await.expect("it hangs up");
        assert!(!String::from_utf8_lossy(&said).contains("HTTP"));
    }
    // They are counted when their streams are closed.
    while server.listener.failed_handshakes() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&post(&server, &trusted).await.unwrap()), 200);
    assert_eq!(server.stats.received(), 1);
}

#[test]
fn files_that_do_not_do_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let said = |tls: Result<Tls, TlsError>| tls.unwrap_err().to_string();
    assert!(said(tls(folder.path())).contains("cert.pem"), "there is none");
    std::fs::write(&cert, "").unwrap();
    assert!(said(tls(folder.path())).contains("cert.pem"));
    issue(folder.path());
    let of_another = std::fs::read(&key).unwrap();
    std::fs::write(&key, "").unwrap();
    assert!(said(tls(folder.path())).contains("key.pem"));
    issue(folder.path());
    std::fs::write(&key, of_another).unwrap();
    let error = tls(folder.path()).unwrap_err();
    assert!(matches!(error, TlsError::Pair(_)), "{error}");
    // The key is in no message.
    issue(folder.path());
    let secret = std::fs::read_to_string(&key).unwrap();
    let line = secret.lines().nth(1).unwrap();
    assert!(!format!("{:?} {error:?}", tls(folder.path()).unwrap()).contains(line));
}
