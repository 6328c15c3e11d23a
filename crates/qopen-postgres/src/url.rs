//! The URL of a database, with the parameters that the client library does not read.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::DatabaseError;
use crate::passfile::{self, Wanted};

pub(crate) struct Parsed {
    pub(crate) config: Config,
    /// The file with the trusted certificates.
    pub(crate) roots: Option<PathBuf>,
}

/// Reads a URL. Reads the environment, as libpq does, for what the URL leaves out.
pub(crate) fn parse(
    url: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Parsed, DatabaseError> {
    let environment = |name: &str| environment(name).filter(|it| !it.is_empty());
    let text = |name: &str| match environment(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(DatabaseError::Url(format!("{name} is not UTF-8 text; set it again"))),
    };
    let wrong = |why: &str| DatabaseError::Url(why.to_owned());
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(wrong("it does not begin with postgres://"));
    }
    // The client reads user and password up to the first @. A password with an @ would end there, and its
    // rest would be shown as the host.
    if url.matches('@').count() > 1 {
        return Err(wrong(
            "it has more than one @; write %40 for one that is part of a user, a password or a parameter",
        ));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    if query.contains('@') && query.contains('=') {
        return Err(wrong("it has @ after ?; write %40 for an @, and %3F for a ? in a password"));
    }
    let (mut roots, mut mode, mut passfile) = (None, None, None);
    let mut rest = Vec::new();
    for parameter in query.split('&').filter(|it| !it.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslrootcert", file)) => roots = Some(path(file)?),
            Some(("passfile", file)) => passfile = Some(path(file)?),
            Some(("sslmode", value)) => mode = Some(ssl_mode(value, "sslmode")?),
            _ => rest.push(parameter),
        }
    }
    if mode.is_none()
        && let Some(value) = text("PGSSLMODE")?
        && let value = bare(&value)
        && !value.is_empty()
    {
        mode = Some(ssl_mode(value, "PGSSLMODE")?);
    }
    // As with libpq, the certificates of the system have a name.
    roots = roots.or_else(|| environment("PGSSLROOTCERT").map(PathBuf::from));
    roots = roots.filter(|it| it != Path::new("system"));
    let url = match rest.is_empty() {
        true => base.to_owned(),
        false => format!("{base}?{}", rest.join("&")),
    };
    // The library's error may quote a part of the URL.
    let mut config: Config = url
        .parse()
        .map_err(|_| wrong("it is not a PostgreSQL URL, or has a parameter that is not known"))?;
    if config.get_hosts().is_empty() {
        return Err(wrong(
            "it names no host; a socket is named by its folder, postgres:///DATABASE?host=/var/run/postgresql",
        ));
    }
    let near = config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    let local = near && config.get_hosts().iter().all(is_local);
    config.ssl_mode(mode.unwrap_or(if local { SslMode::Disable } else { SslMode::Require }));
    if config.get_password().is_none() {
        let of_a_file = || {
            let home = || Some(PathBuf::from(environment("HOME")?).join(".pgpass"));
            let file = passfile.or_else(|| environment("PGPASSFILE").map(PathBuf::from));
            find(&file.or_else(home)?, &config)
        };
        if let Some(password) = text("PGPASSWORD")?.or_else(of_a_file) {
            config.password(password);
        }
    }
    Ok(Parsed { config, roots })
}

/// The path in a parameter, whose special characters are escaped as everywhere in a URL.
fn path(parameter: &str) -> Result<PathBuf, DatabaseError> {
    let decoded = percent_decode_str(parameter).decode_utf8();
    let wrong = |_| DatabaseError::Url("a path in it is not UTF-8 text".to_owned());
    decoded.map(|it| PathBuf::from(&*it)).map_err(wrong)
}

/// A value without spaces, byte order marks and quotes around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|it: char| it.is_whitespace() || matches!(it, '\u{feff}' | '"' | '\''))
}

fn ssl_mode(value: &str, named: &str) -> Result<SslMode, DatabaseError> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => Err(DatabaseError::Url(format!("{named} is disable, prefer, require or verify-full"))),
    }
}

/// The password of the first host for which a file has one.
fn find(file: &Path, config: &Config) -> Option<String> {
    let user = config.get_user()?;
    let database = config.get_dbname().unwrap_or(user);
    config.get_hosts().iter().enumerate().find_map(|(n, host)| {
        let (host, port) = (text_of(host), port_of(config, n));
        passfile::find(file, &Wanted { host: &host, port, database, user })
    })
}

fn text_of(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

/// The port of the n-th host. Several hosts have a port each, or one for all.
fn port_of(config: &Config, n: usize) -> u16 {
    let ports = config.get_ports();
    ports.get(n).or(ports.first()).copied().unwrap_or(5432)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|it: IpAddr| it.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Host and database, which messages may show.
pub(crate) fn name(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate();
    let hosts = hosts.map(|(n, host)| match (host, port_of(config, n)) {
        // Journals have this form from before a socket's port was named.
        #[cfg(unix)]
        (Host::Unix(path), 5432) => path.display().to_string(),
        (host, port) => format!("{}:{port}", text_of(host)),
    });
    let hosts: Vec<_> = hosts.collect();
    format!("postgres://{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_name_has_no_secret_and_tls_is_asked_for_where_the_way_is_long() {
        let of = |url: &str| parse(url, &|_| None).unwrap().config;
        let far = of("postgres://me:secret@db.example:6000/list?sslrootcert=/ca.pem");
        assert_eq!(name(&far), "postgres://db.example:6000/list");
        assert_eq!(far.get_ssl_mode(), SslMode::Require);
        assert_eq!(of("postgres://me@127.0.0.1/list").get_ssl_mode(), SslMode::Disable);
        assert_eq!(
            of("postgres://me@localhost/x?sslmode=verify-full").get_ssl_mode(),
            SslMode::Require
        );
        assert_eq!(of("postgres://me@far/x?sslmode=disable").get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn certificates_are_named_as_with_libpq() {
        let roots = |url: &str, set: Option<&str>| {
            let get = |name: &str| (name == "PGSSLROOTCERT").then(|| set.map(Into::into)).flatten();
            parse(url, &get).unwrap().roots
        };
        let url = "postgres://me@far/x?sslrootcert=";
        let file = |name: &str| Some(PathBuf::from(name));
        assert_eq!(roots(&format!("{url}/etc/my%20ca.pem"), None), file("/etc/my ca.pem"));
        assert_eq!(roots(&format!("{url}system"), Some("/ca.pem")), None);
        assert_eq!(roots("postgres://me@far/x", Some("/ca.pem")), file("/ca.pem"));
        assert_eq!(roots("postgres://me@far/x", Some("system")), None);
        assert!(parse(&format!("{url}%FF"), &|_| None).is_err());
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_it() {
        for url in [
            "mysql://me:secret@host/x",
            "postgres://me:secret@host:port/x",
            "postgres://me:secret@host/x?colour=secret",
            "postgres://me:secret@host/x?sslmode=secret",
            "postgres:///x?user=secret",
            "postgres://me:p@secret@127.0.0.1:1/x",
            "postgres://me:p@s/secret@127.0.0.1/x",
            "postgres://me@h@secret/x",
            "postgres://h/x?user=me&password=a@secret",
            "postgres://me@h/x?password=a@secret",
        ] {
            let Err(error) = parse(url, &|_| None) else { continue };
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
        for url in ["postgres://me:secret@host/x?sslmode=secret", "postgres://me:p@secret@h/x"] {
            assert!(parse(url, &|_| None).is_err());
        }
    }

    #[test]
    fn what_the_url_does_not_say_the_environment_does_as_with_libpq() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwords");
        std::fs::write(&file, "far:5432:x:me:of the file\nlocalhost:7:x:me:of the socket\n")
            .unwrap();
        let mode = |mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&file, mode).unwrap();
        };
        mode(0o600);
        let parsed = |url: &str, set: &[(&str, &str)]| {
            let get = |name: &str| Some(set.iter().find(|it| it.0 == name)?.1.into());
            parse(url, &get).map(|it| it.config)
        };
        let password = |url: &str, set: &[(&str, &str)]| {
            let config = parsed(url, set).unwrap();
            config.get_password().map(|it| String::from_utf8_lossy(it).into_owned())
        };
        let passfile = ("PGPASSFILE", file.to_str().unwrap());
        let url = "postgres://me@far/x";
        assert_eq!(password(url, &[]), None);
        assert_eq!(password(url, &[passfile]).as_deref(), Some("of the file"));
        assert_eq!(password(url, &[passfile, ("PGPASSWORD", "set")]).as_deref(), Some("set"));
        assert_eq!(password("postgres://me:own@far/x", &[passfile]).as_deref(), Some("own"));
        let of_a_parameter = format!("{url}?passfile={}", passfile.1);
        assert_eq!(password(&of_a_parameter, &[]).as_deref(), Some("of the file"));
        let sockets =
            ["postgres://me@%2Frun%2Fpg:7/x", "postgres:///x?user=me&host=/run/pg&port=7"];
        for url in sockets {
            assert_eq!(password(url, &[passfile]).as_deref(), Some("of the socket"));
            assert_eq!(name(&parsed(url, &[]).unwrap()), "postgres:///run/pg:7/x");
        }
        // A file that others may read is refused.
        mode(0o644);
        assert_eq!(password(url, &[passfile]), None);

        let mode = |url, value| parsed(url, &[("PGSSLMODE", value)]).map(|it| it.get_ssl_mode());
        assert_eq!(mode(url, "disable").unwrap(), SslMode::Disable);
        assert_eq!(mode(url, "verify-full").unwrap(), SslMode::Require);
        assert_eq!(mode("postgres://me@far/x?sslmode=prefer", "disable").unwrap(), SslMode::Prefer);
        assert_eq!(mode("postgres://me@127.0.0.1/x", "require").unwrap(), SslMode::Require);
        assert_eq!(mode(url, " \"disable\"\r\n").unwrap(), SslMode::Disable);
        assert_eq!(mode(url, " ").unwrap(), SslMode::Require);
        for name in ["PGPASSWORD", "PGSSLMODE"] {
            use std::os::unix::ffi::OsStringExt as _;
            let get = |it: &str| (it == name).then(|| OsString::from_vec(b"canary\xFF".to_vec()));
            let Err(error) = parse(url, &get) else { panic!("{name} was used") };
            let said = error.to_string();
            assert!(said.contains(name) && said.contains("UTF-8") && !said.contains("canary"));
        }
        let error = mode(url, "allow").unwrap_err().to_string();
        assert!(error.contains("PGSSLMODE is"), "{error}");
        let error = parsed("postgres:///x?user=me", &[]).unwrap_err().to_string();
        assert!(error.contains("host=/var/run/postgresql"), "{error}");
    }
}
