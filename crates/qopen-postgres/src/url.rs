//! The URL, with the parameters that are ours to read.

use std::net::IpAddr;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::DatabaseError;

pub(crate) struct Parsed {
    pub(crate) config: Config,
    /// The file with the certificates to trust.
    pub(crate) roots: Option<PathBuf>,
}

pub(crate) fn parse(url: &str) -> Result<Parsed, DatabaseError> {
    let wrong = |why: &str| DatabaseError::Url(why.to_owned());
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(wrong("it does not begin with postgres://"));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut roots, mut mode) = (None, None);
    let mut rest = Vec::new();
    for parameter in query.split('&').filter(|it| !it.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslrootcert", file)) => roots = Some(PathBuf::from(file)),
            Some(("sslmode", value)) => {
                mode = Some(match value {
                    "disable" => SslMode::Disable,
                    "prefer" => SslMode::Prefer,
                    "require" | "verify-ca" | "verify-full" => SslMode::Require,
                    _ => return Err(wrong("sslmode is disable, prefer or require")),
                });
            }
            _ => rest.push(parameter),
        }
    }
    let url = match rest.is_empty() {
        true => base.to_owned(),
        false => format!("{base}?{}", rest.join("&")),
    };
    // The library's error may quote a part of it.
    let mut config: Config = url
        .parse()
        .map_err(|_| wrong("it is not a PostgreSQL URL, or has a parameter that is not known"))?;
    if config.get_hosts().is_empty() {
        return Err(wrong("it names no host"));
    }
    let near = config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    let local = near && config.get_hosts().iter().all(is_local);
    config.ssl_mode(mode.unwrap_or(if local { SslMode::Disable } else { SslMode::Require }));
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    Ok(Parsed { config, roots })
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

/// Host and database: what may be said of it.
pub(crate) fn name(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(n, host)| {
        let ports = config.get_ports();
        let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        }
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
        let of = |url: &str| parse(url).unwrap().config;
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
    fn what_is_wrong_with_a_url_is_said_without_it() {
        for url in [
            "mysql://me:secret@host/x",
            "postgres://me:secret@host:port/x",
            "postgres://me:secret@host/x?colour=secret",
            "postgres://me:secret@host/x?sslmode=secret",
            "postgres:///x?user=secret",
        ] {
            let Err(error) = parse(url) else { continue };
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
        assert!(parse("postgres://me:secret@host/x?sslmode=secret").is_err());
    }
}
