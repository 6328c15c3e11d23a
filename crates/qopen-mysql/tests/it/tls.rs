//! The way to a server is protected, or the reason is said.

use std::path::Path;

use qopen_mysql::testing::Server;
use qopen_mysql::{MysqlError, MysqlSink};
use qopen_sink::{Sink, SinkError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

fn why(error: &SinkError) -> &MysqlError {
    let SinkError::Database(error) = error else { panic!("{error:?}") };
    error.downcast_ref().unwrap()
}

/// Writes an authority's certificate, and a certificate of the authority for a name with its key.
fn certificates(folder: &Path, name: &str) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    for (file, text) in [
        ("ca.pem", authority.pem()),
        ("server.pem", server.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        let file = folder.join(file);
        std::fs::write(&file, text).unwrap();
        // The server runs as another user.
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .unwrap();
    }
}

fn server(folder: &Path) -> Option<Server> {
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let option = |name: &str, file: &str| format!("--ssl-{name}={}", folder.join(file).display());
    let options = [option("ca", "ca.pem"), option("cert", "server.pem"), option("key", "key.pem")];
    Server::start_with(&options.each_ref().map(String::as_str))
}

#[test]
fn a_certificate_is_checked_with_its_name() {
    let (good, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificates(good.path(), "localhost");
    certificates(other.path(), "another.example");
    let Some(server) = server(good.path()) else { return };
    let sink = |host: &str, query: &str| {
        let url = server.url().replace("127.0.0.1", host);
        MysqlSink::new(&format!("{url}?{query}"))
    };
    let ca = |folder: &Path| format!("ssl-ca={}", folder.join("ca.pem").display());
    let mode = |mode: &str| format!("{}&ssl-mode={mode}", ca(good.path()));
    sink("localhost", &ca(good.path())).unwrap().check().unwrap();
    sink("localhost", &mode("VERIFY_IDENTITY")).unwrap().check().unwrap();
    sink("localhost", &mode("PREFERRED")).unwrap().check().unwrap();
    // Encryption is what was asked for.
    assert_eq!(server.query("SELECT count(*) FROM pull"), [["0"]]);
    for (host, query) in [
        // Another authority, another name, and the authorities of the system.
        ("localhost", ca(other.path())),
        ("127.0.0.1", ca(good.path())),
        ("127.0.0.1", mode("PREFERRED")),
        ("localhost", format!("{}&ssl-mode=VERIFY_CA", ca(other.path()))),
        ("127.0.0.1", mode("VERIFY_CA")),
    ] {
        let error = sink(host, &query).unwrap().check().unwrap_err();
        assert!(matches!(why(&error), MysqlError::Connection(_)), "{query}: {error:?}");
    }
    let missing = sink("localhost", "ssl-ca=/no/such.pem").unwrap_err();
    assert!(matches!(why(&missing), MysqlError::Certificates(_)), "{missing:?}");
    let key = format!("ssl-ca={}", good.path().join("key.pem").display());
    assert!(matches!(why(&sink("localhost", &key).unwrap_err()), MysqlError::Certificates(_)));
}

#[test]
fn a_server_without_tls_is_refused_unless_the_url_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path(), "localhost");
    let Some(server) = Server::start_with(&["--skip-ssl"]) else { return };
    let ca = format!("ssl-ca={}", folder.path().join("ca.pem").display());
    let sink = |query: &str| MysqlSink::new(&format!("{}?{query}", server.url())).unwrap();
    let error = sink(&ca).check().unwrap_err();
    assert!(matches!(why(&error), MysqlError::NoTls), "{error:?}");
    assert!(why(&error).to_string().contains("ssl-mode=DISABLED"));
    sink(&format!("{ca}&ssl-mode=PREFERRED")).check().unwrap();
    sink("ssl-mode=DISABLED").check().unwrap();
}
