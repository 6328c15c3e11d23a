//! The way to a server is protected, or the reason is said.

use std::path::PathBuf;

use qopen_journal::Backend as _;
use qopen_postgres::PostgresBackend;
use qopen_postgres::testing::{Certificate, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::connect;

/// An authority, and a certificate of the authority for a name.
struct Certificates {
    folder: TempDir,
    certificate: String,
    key: String,
}

impl Certificates {
    fn of(name: &str) -> Self {
        Self::by("one", name)
    }

    fn by(authority: &str, name: &str) -> Self {
        let by = authority;
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name.push(DnType::CommonName, by);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap().pem();
        Self::with(&authority.pem(), certificate, &key)
    }

    /// A certificate that the server signed itself.
    fn self_signed(name: &str, is_ca: IsCa) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self::with(&certificate, certificate.clone(), &key)
    }

    fn with(authority: &str, certificate: String, key: &KeyPair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("my ca.pem"), authority).unwrap();
        Self { folder, certificate, key: key.serialize_pem() }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("my ca.pem")
    }

    /// The parameter that names the authority.
    fn trusted(&self) -> String {
        format!("sslrootcert={}", self.authority().display()).replace(' ', "%20")
    }

    fn server(&self) -> Certificate<'_> {
        Certificate { certificate: &self.certificate, key: &self.key }
    }
}

/// Connects, and returns the whole error if that fails.
async fn reach(url: &str, host: &str, query: &str) -> Result<(), String> {
    let url = format!("{}?{query}", url.replace("127.0.0.1", host));
    let reached = match PostgresBackend::new(&url) {
        Ok(backend) => backend.exists().await.map(drop),
        Err(error) => Err(error),
    };
    reached.map_err(|error| {
        let (mut said, mut next) = (error.to_string(), std::error::Error::source(&error));
        while let Some(cause) = next {
            said.push_str(&format!(": {cause}"));
            next = cause.source();
        }
        said
    })
}

#[tokio::test]
async fn a_certificate_is_checked_with_its_name() {
    let good = Certificates::of("localhost");
    // Another authority, and one that has taken the name.
    let others = [
        (Certificates::by("another", "localhost"), "UnknownIssuer"),
        (Certificates::of("localhost"), "BadSignature"),
    ];
    let Some(server) = Server::start_with_tls(good.server()) else { return };
    let url = server.url();
    for mode in
        ["", "sslmode=require&", "sslmode=verify-ca&", "sslmode=verify-full&", "sslmode=prefer&"]
    {
        // A local server without `sslmode` is reached without TLS.
        let trusted = format!("{mode}{}", good.trusted());
        reach(&url, "localhost", &trusted).await.unwrap_or_else(|why| panic!("{mode}: {why}"));
        if mode.is_empty() {
            continue;
        }
        for (other, expected) in &others {
            let query = format!("{mode}{}", other.trusted());
            let why = reach(&url, "localhost", &query).await.unwrap_err();
            assert!(why.contains(expected) && why.contains("with sslrootcert"), "{mode}: {why}");
        }
        let why = reach(&url, "127.0.0.1", &trusted).await.unwrap_err();
        assert!(why.contains("not valid for name"), "{mode}: {why}");
        assert!(why.contains("a name that its certificate has"), "{mode}: {why}");
    }
    // The authorities of the system do not have this one.
    for query in ["sslmode=require", "sslmode=verify-full&sslrootcert=system"] {
        let why = reach(&url, "localhost", query).await.unwrap_err();
        assert!(why.contains("UnknownIssuer") && why.contains("sslrootcert"), "{query}: {why}");
    }
    for (file, expected) in
        [("/no/such.pem", "/no/such.pem of sslrootcert"), ("/dev/null", "has no certificate")]
    {
        let query = format!("sslmode=require&sslrootcert={file}");
        let why = reach(&url, "localhost", &query).await.unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
}

#[tokio::test]
async fn connections_of_a_journal_are_encrypted() {
    let good = Certificates::of("localhost");
    let Some(server) = Server::start_with_tls(good.server()) else { return };
    let url = server.url().replace("127.0.0.1", "localhost");
    let backend = PostgresBackend::new(&format!("{url}?sslmode=verify-full&{}", good.trusted()));
    let backend = backend.unwrap();
    backend.migrate().await.unwrap();
    let _journal = backend.open().await.unwrap();
    // A connection that is neither a journal's nor a sink's sees them.
    let client = connect(&server.url()).await;
    let read = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
         FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'qopen'";
    let row = client.query_one(read, &[]).await.unwrap();
    let (with, without): (i64, i64) = (row.get(0), row.get(1));
    assert!(with > 0 && without == 0, "{with} with TLS, {without} without");
}

#[tokio::test]
async fn a_certificate_that_a_server_signed_itself_is_trusted_by_its_file() {
    let own = Certificates::self_signed("localhost", IsCa::ExplicitNoCa);
    let Some(server) = Server::start_with_tls(own.server()) else { return };
    let query = format!("sslmode=verify-full&{}", own.trusted());
    reach(&server.url(), "localhost", &query).await.unwrap();
    let why = reach(&server.url(), "localhost", "sslmode=require").await.unwrap_err();
    assert!(why.contains("UnknownIssuer") && why.contains("sslrootcert"), "{why}");
    // As `openssl req -x509` makes one without further options.
    let own = Certificates::self_signed("localhost", IsCa::Ca(BasicConstraints::Unconstrained));
    let Some(server) = Server::start_with_tls(own.server()) else { return };
    let query = format!("sslmode=verify-full&{}", own.trusted());
    let why = reach(&server.url(), "localhost", &query).await.unwrap_err();
    assert!(why.contains("CA:FALSE"), "{why}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_unless_the_url_allows_it() {
    let Some(server) = Server::start() else { return };
    let good = Certificates::of("localhost");
    for mode in ["require", "verify-ca", "verify-full"] {
        let query = format!("sslmode={mode}&{}", good.trusted());
        let why = reach(&server.url(), "localhost", &query).await.unwrap_err();
        assert!(why.contains("the server has no TLS") && why.contains("sslmode=disable"), "{why}");
    }
    for query in ["sslmode=disable", "sslmode=prefer"] {
        reach(&server.url(), "localhost", query).await.unwrap();
    }
    for query in ["sslmode=allow", "sslcert=/client.pem", "ssl=true"] {
        reach(&server.url(), "localhost", query).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_pooler_with_tls_is_checked_like_a_server() {
    let (good, other) = (Certificates::of("localhost"), Certificates::of("localhost"));
    let Some(server) = Server::start() else { return };
    let Some(pooler) = server.pooler_with_tls("session", good.server()) else { return };
    let query = |of: &Certificates| format!("sslmode=verify-full&{}", of.trusted());
    reach(&pooler.url(), "localhost", &query(&good)).await.unwrap();
    let why = reach(&pooler.url(), "localhost", &query(&other)).await.unwrap_err();
    assert!(why.contains("invalid peer certificate"), "{why}");
    // The pooler refuses what is not encrypted.
    reach(&pooler.url(), "localhost", "sslmode=disable").await.unwrap_err();
}

/// The command of docs/OPERATIONS.md makes a certificate that is trusted.
#[tokio::test]
async fn the_documented_command_makes_a_certificate_for_a_server() {
    const OPERATIONS: &str = include_str!("../../../../docs/OPERATIONS.md");
    let begin = OPERATIONS.find("\nopenssl req").expect("the command") + 1;
    let command = OPERATIONS[begin..].split_once("\n```").expect("its end").0;
    let folder = tempfile::tempdir().unwrap();
    let command = command.replace("db.example", "localhost");
    let mut shell = std::process::Command::new("sh");
    let made = shell.args(["-ec", &command]).current_dir(folder.path()).output().unwrap();
    if made.status.code() == Some(127) {
        let is_required = std::env::var("QOPEN_TEST_POSTGRES").as_deref() == Ok("required");
        assert!(!is_required, "QOPEN_TEST_POSTGRES is required, and openssl was not found");
        eprintln!("SKIP: openssl not found; the documented command is not tested");
        return;
    }
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let (certificate, key) = (read("server.crt"), read("server.key"));
    let server = Certificate { certificate: &certificate, key: &key };
    let Some(server) = Server::start_with_tls(server) else { return };
    let file = folder.path().join("server.crt");
    let query = format!("sslmode=verify-full&sslrootcert={}", file.display());
    reach(&server.url(), "localhost", &query).await.unwrap();
}
