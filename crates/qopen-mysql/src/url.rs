//! The URL of a database: where the server is, who connects, and how the way is protected.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::error::MysqlError;
use crate::option_file;

/// The port of a server whose URL has none.
const PORT: u16 = 3306;

/// A parsed URL. `Debug` is not derived, because there is a password.
pub(crate) struct Parsed {
    pub(crate) place: Place,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) tls: Tls,
    /// The file with the trusted certificates.
    pub(crate) roots: Option<PathBuf>,
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: String, port: u16 },
    Socket(String),
}

/// How the way to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Disabled,
    /// TLS if the server has it.
    Preferred,
    /// TLS, and a certificate of a trusted authority for the host's name.
    Required,
}

/// The parameters of a URL, for messages.
const PARAMETERS: &str = "ssl-mode, ssl-ca, socket and defaults-file";

/// Reads a URL. The environment has the password that the URL leaves out.
pub(crate) fn parse(
    url: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Parsed, MysqlError> {
    let wrong = |why: &str| MysqlError::Url(why.to_owned());
    let rest = url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://"));
    let rest = rest.ok_or_else(|| wrong("it does not begin with mysql://"))?;
    // The rest of a password with an @ would be shown as the host.
    if rest.matches('@').count() > 1 {
        return Err(wrong(
            "it has more than one @; write %40 for one that is part of a user or a password",
        ));
    }
    let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
    if query.contains('@') {
        return Err(wrong("it has @ after ?; write %40 for an @, and %3F for a ? in a password"));
    }
    let (login, place) = base.split_once('@').unwrap_or(("", base));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (login, None),
    };
    let user = decoded(user)?;
    if user.is_empty() {
        return Err(wrong("it names no user; write mysql://USER@HOST/DATABASE"));
    }
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    let database = decoded(database)?;
    if database.is_empty() || database.contains('/') {
        return Err(wrong("it names no database; write mysql://USER@HOST/DATABASE"));
    }
    let (mut tls, mut roots, mut socket, mut options) = (None, None, None, None);
    for parameter in query.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        match name {
            "ssl-mode" => tls = Some(tls_of(&value)?),
            "ssl-ca" => roots = Some(PathBuf::from(value)),
            "socket" => socket = Some(value),
            "defaults-file" => options = Some(PathBuf::from(value)),
            // The name may be a part of a password.
            _ => {
                let why = format!("it has a parameter that is not known; known are {PARAMETERS}");
                return Err(MysqlError::Url(why));
            }
        }
    }
    let place = match socket {
        Some(path) if path.starts_with('/') => Place::Socket(path),
        Some(_) => {
            return Err(wrong("socket is an absolute path, such as /run/mysqld/mysqld.sock"));
        }
        None => tcp(host)?,
    };
    if tls == Some(Tls::Disabled) && roots.is_some() {
        return Err(wrong("ssl-ca has no use with ssl-mode=DISABLED; remove one of them"));
    }
    // A file of certificates asks for TLS, also on this machine.
    let near = is_local(&place) && roots.is_none();
    let tls = tls.unwrap_or(if near { Tls::Disabled } else { Tls::Required });
    let password = match password {
        Some(password) => Some(password),
        None => environment_or_file(environment, options.as_deref())?,
    };
    Ok(Parsed { place, database, user, password, tls, roots })
}

/// Returns the password of `MYSQL_PWD`, or of an option file.
fn environment_or_file(
    environment: &dyn Fn(&str) -> Option<OsString>,
    file: Option<&Path>,
) -> Result<Option<String>, MysqlError> {
    let found = environment("MYSQL_PWD").filter(|it| !it.is_empty());
    match found.map(OsString::into_string) {
        Some(Ok(password)) => return Ok(Some(password)),
        Some(Err(_)) => {
            return Err(MysqlError::Url("MYSQL_PWD is not UTF-8 text; set it again".to_owned()));
        }
        None => {}
    }
    if let Some(file) = file {
        return option_file::named(file).map(Some);
    }
    let home = environment("HOME").filter(|it| !it.is_empty()).map(PathBuf::from);
    Ok(home.and_then(|it| option_file::of_home(&it.join(".my.cnf"))))
}

fn decoded(text: &str) -> Result<String, MysqlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let text = decoded.map_err(|_| MysqlError::Url("a part of it is not UTF-8 text".to_owned()))?;
    match text.contains('\0') {
        true => Err(MysqlError::Url("a part of it has a NUL".to_owned())),
        false => Ok(text.into_owned()),
    }
}

fn tcp(text: &str) -> Result<Place, MysqlError> {
    let wrong = |why: &str| MysqlError::Url(why.to_owned());
    let (host, port) = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = |it: char| it.is_ascii_alphanumeric() || "-._:".contains(it);
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(wrong("it names no host; write mysql://USER@HOST/DATABASE"));
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|it| *it > 0),
        None => Some(PORT),
    };
    let port = port.ok_or_else(|| wrong("the port is not a number from 1 to 65535"))?;
    Ok(Place::Tcp { host: host.to_ascii_lowercase(), port })
}

fn tls_of(value: &str) -> Result<Tls, MysqlError> {
    match value.to_ascii_uppercase().as_str() {
        "DISABLED" => Ok(Tls::Disabled),
        "PREFERRED" => Ok(Tls::Preferred),
        "REQUIRED" | "VERIFY_CA" | "VERIFY_IDENTITY" => Ok(Tls::Required),
        _ => Err(MysqlError::Url(
            "ssl-mode is DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY".to_owned(),
        )),
    }
}

fn is_local(place: &Place) -> bool {
    match place {
        Place::Socket(_) => true,
        Place::Tcp { host, .. } => {
            host == "localhost" || host.parse().is_ok_and(|it: IpAddr| it.is_loopback())
        }
    }
}

impl Parsed {
    /// Host and database, which messages may show.
    pub(crate) fn name(&self) -> String {
        let place = match &self.place {
            Place::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port } => format!("{host}:{port}"),
            Place::Socket(path) => path.clone(),
        };
        format!("mysql://{place}/{}", self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Parsed {
        match parse(url, &|_| None) {
            Ok(parsed) => parsed,
            Err(error) => panic!("{url}: {error}"),
        }
    }

    #[test]
    fn a_name_has_no_secret_and_tls_is_asked_for_where_the_way_is_long() {
        let far = of("mysql://me:s%40cret@DB.example:6000/li%2Dsts?ssl-ca=/ca.pem");
        assert_eq!(far.name(), "mysql://db.example:6000/li-sts");
        assert_eq!((far.user.as_str(), far.password.as_deref()), ("me", Some("s@cret")));
        assert_eq!(far.tls, Tls::Required);
        for (url, tls, name) in [
            ("mysql://me@127.0.0.1/x", Tls::Disabled, "mysql://127.0.0.1:3306/x"),
            ("mariadb://me@localhost/x", Tls::Disabled, "mysql://localhost:3306/x"),
            ("mysql://me@[::1]:7/x", Tls::Disabled, "mysql://[::1]:7/x"),
            ("mysql://me@h/x?ssl-mode=disabled", Tls::Disabled, "mysql://h:3306/x"),
            ("mysql://me@h/x?ssl-mode=PREFERRED", Tls::Preferred, "mysql://h:3306/x"),
            ("mysql://me@localhost/x?ssl-ca=/ca", Tls::Required, "mysql://localhost:3306/x"),
            ("mysql://me@h/x?ssl-ca=/ca&ssl-mode=verify_ca", Tls::Required, "mysql://h:3306/x"),
            ("mysql://me@localhost/x?socket=/run/s.sock", Tls::Disabled, "mysql:///run/s.sock/x"),
        ] {
            let parsed = of(url);
            assert_eq!((parsed.tls, parsed.name().as_str()), (tls, name), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_it() {
        for (url, said) in [
            ("postgres://me:canary@h/x", "begin with mysql://"),
            ("mysql://me:p@canary@h/x", "%40"),
            ("mysql://me:p?x=a@canary/x", "%3F"),
            ("mysql://me:canary@h:port/x", "from 1 to 65535"),
            ("mysql://me:canary@h:0/x", "from 1 to 65535"),
            ("mysql://me:canary@h", "no database"),
            ("mysql://me:canary@h/", "no database"),
            ("mysql://me:canary@h/a/b", "no database"),
            ("mysql://me:canary@/x", "no host"),
            ("mysql://:canary@h/x", "no user"),
            ("mysql://h/x", "no user"),
            ("mysql://me@h/x?password=canary", PARAMETERS),
            ("mysql://me@h/x?sslmode=canary", PARAMETERS),
            ("mysql://me@h/x?ssl-mode=canary", "VERIFY_IDENTITY"),
            ("mysql://me@h/x?ssl-mode=DISABLED&ssl-ca=canary", "remove"),
            ("mysql://me@h/x?socket=canary", "absolute"),
            ("mysql://me:%FFcanary@h/x", "UTF-8"),
        ] {
            let Err(error) = parse(url, &|_| None) else { panic!("{url} was read") };
            let text = format!("{error} {error:?}");
            assert!(text.contains(said) && !text.contains("canary"), "{url}: {text}");
        }
    }

    #[test]
    fn the_password_comes_from_the_url_the_environment_or_an_option_file() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".my.cnf");
        std::fs::write(&file, "[client]\npassword = 'of the file'\n").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let password = |url: &str, set: &[(&str, OsString)]| {
            let get = |name: &str| Some(set.iter().find(|it| it.0 == name)?.1.clone());
            parse(url, &get).map(|it| it.password)
        };
        let url = "mysql://me@h/x";
        let (set, home) = (("MYSQL_PWD", "set".into()), ("HOME", home.path().into()));
        assert_eq!(password(url, &[]).unwrap(), None);
        assert_eq!(
            password(url, std::slice::from_ref(&home)).unwrap().as_deref(),
            Some("of the file")
        );
        assert_eq!(password(url, &[home.clone(), set]).unwrap().as_deref(), Some("set"));
        assert_eq!(password("mysql://me:own@h/x", &[home]).unwrap().as_deref(), Some("own"));
        let named = format!("{url}?defaults-file={}", file.display());
        assert_eq!(password(&named, &[]).unwrap().as_deref(), Some("of the file"));
        let missing = password("mysql://me@h/x?defaults-file=/no/such", &[]).unwrap_err();
        assert!(missing.to_string().contains("/no/such"), "{missing}");
    }
}
