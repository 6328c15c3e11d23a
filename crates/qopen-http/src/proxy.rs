//! Chooses a request's proxy. One function decides; the client uses its result, and errors name it.

use std::ffi::OsString;
use std::fmt;

use reqwest::Url;

use crate::build_error::BuildError;
use crate::no_proxy::{bare, exempts};

/// A proxy that requests go through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyUsed {
    /// Host and port, never user or password.
    pub address: String,
    /// The source of the proxy's URL.
    pub origin: ProxyOrigin,
}

/// The source of a proxy's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyOrigin {
    /// The builder's setting.
    Setting,
    /// This environment variable.
    Environment(&'static str),
    /// The operating system's settings.
    System,
}

/// "the proxy HOST:PORT (from …)".
impl fmt::Display for ProxyUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} (from ", self.address)?;
        match self.origin {
            ProxyOrigin::Setting => f.write_str("the proxy setting)"),
            ProxyOrigin::Environment(name) => write!(f, "the environment variable {name})"),
            ProxyOrigin::System => f.write_str("the system's settings)"),
        }
    }
}

/// The builder's setting.
#[derive(Clone, Default)]
pub(crate) enum ProxyChoice {
    /// The usual environment variables.
    #[default]
    Environment,
    /// No proxy.
    Nothing,
    /// This URL, for every request.
    Url(String),
}

/// A proxy for the client, and its name for errors.
pub(crate) struct Chosen {
    pub(crate) proxy: reqwest::Proxy,
    pub(crate) used: ProxyUsed,
}

impl ProxyChoice {
    /// The proxy for requests to `target`.
    pub(crate) fn for_target(
        &self,
        target: &Url,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Chosen>, BuildError> {
        let (url, origin) = match self {
            Self::Nothing => return Ok(None),
            Self::Url(url) => {
                (parsed(url).map_err(|why| BuildError::Proxy(why.into()))?, ProxyOrigin::Setting)
            }
            Self::Environment => match from_environment(target, environment)? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let port = url.port_or_known_default().unwrap_or(SOCKS_PORT);
        let address = format!("{}:{port}", url.host_str().unwrap_or_default());
        let proxy = reqwest::Proxy::all(url)
            .map_err(|error| BuildError::Proxy(error.without_url().into()))?;
        Ok(Some(Chosen { proxy, used: ProxyUsed { address, origin } }))
    }
}

/// The environment's variables for each scheme, in the order in which they count.
const HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO: [&str; 2] = ["NO_PROXY", "no_proxy"];

fn from_environment(
    target: &Url,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<(Url, ProxyOrigin)>, BuildError> {
    // In a CGI program a request header sets HTTP_PROXY.
    if environment("REQUEST_METHOD").is_some() {
        return Ok(None);
    }
    let first = |names: &[&'static str]| {
        let set = |name: &&'static str| {
            environment(name).filter(|it| !it.to_str().is_some_and(|it| bare(it).is_empty()))
        };
        names.iter().find_map(|name| Some((*name, set(name)?.into_string())))
    };
    let names = if target.scheme() == "https" { &HTTPS } else { &HTTP };
    let Some((variable, url)) = first(names) else { return Ok(of_system(target)) };
    match first(&NO) {
        Some((_, Ok(list))) if exempts(&list, target) => return Ok(None),
        Some((variable, Err(_))) => {
            return Err(BuildError::NoProxyVariable { variable, source: NOT_TEXT.into() });
        }
        _ => {}
    }
    let url = url.map_err(|_| NOT_TEXT.to_owned()).and_then(|url| match names_none(&url) {
        true => Err("it names no proxy; remove the variable, or set NO_PROXY to *".to_owned()),
        false => parsed(&url),
    });
    let url = url.map_err(|why| BuildError::ProxyVariable { variable, source: why.into() })?;
    Ok(Some((url, ProxyOrigin::Environment(variable))))
}

const NOT_TEXT: &str = "it is not UTF-8 text; set it again, in UTF-8";

/// Whether a value is a word for no proxy. As a host name it would get every request.
fn names_none(value: &str) -> bool {
    let words = ["none", "direct", "off", "no", "false", "null", "disabled"];
    words.iter().any(|it| bare(value).eq_ignore_ascii_case(it))
}

#[cfg(any(target_os = "macos", windows))]
fn of_system(target: &Url) -> Option<(Url, ProxyOrigin)> {
    let matcher = hyper_util::client::proxy::matcher::Matcher::from_system();
    let found = matcher.intercept(&target.as_str().parse().ok()?)?;
    Some((parsed(&found.uri().to_string()).ok()?, ProxyOrigin::System))
}

#[cfg(not(any(target_os = "macos", windows)))]
fn of_system(_: &Url) -> Option<(Url, ProxyOrigin)> {
    None
}

/// The default port of SOCKS.
const SOCKS_PORT: u16 = 1080;

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// A proxy's URL, with its port. Errors never quote it: it may hold a password.
fn parsed(text: &str) -> Result<Url, String> {
    let example = "like http://proxy.example:3128 or socks5h://proxy.example:1080";
    let text = bare(text);
    // As curl does: a value without a scheme is an HTTP proxy.
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url =
        Url::parse(&text).map_err(|error| format!("it is not a URL ({error}), {example}"))?;
    if !SCHEMES.contains(&url.scheme()) {
        let all = SCHEMES.join(", ");
        return Err(format!("its scheme is not supported; supported are {all}, {example}"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("it names no host, {example}"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("it has more than a host and a port, {example}"));
    }
    if url.port_or_known_default().is_none() {
        // A URL with a host accepts a port.
        let _ = url.set_port(Some(SOCKS_PORT));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn used(variables: &[(&str, &str)], target: &str) -> Result<Option<String>, String> {
        let environment = |name: &str| {
            let found = variables.iter().find(|it| it.0 == name);
            found.map(|it| it.1.into())
        };
        let chosen = ProxyChoice::Environment.for_target(&target.parse().unwrap(), &environment);
        match chosen {
            Ok(chosen) => Ok(chosen.map(|it| it.used.to_string())),
            Err(error) => Err(format!("{error}: {}", std::error::Error::source(&error).unwrap())),
        }
    }

    #[test]
    fn the_environment_decides_by_scheme_and_host() {
        let is = |variables: &[(&str, &str)], target, expected: Option<&str>| {
            let expected = expected.map(|it| {
                let (address, name) = it.split_once(' ').unwrap();
                format!("the proxy {address} (from the environment variable {name})")
            });
            assert_eq!(used(variables, target).unwrap(), expected, "{variables:?} {target}");
        };
        let (plain, tls) = ("http://gateway.example", "https://gateway.example:8443");
        is(&[], plain, None);
        is(&[("HTTP_PROXY", "http://p:3128")], plain, Some("p:3128 HTTP_PROXY"));
        is(&[("HTTP_PROXY", "http://p:3128")], tls, None);
        is(&[("https_proxy", "p:3128")], tls, Some("p:3128 https_proxy"));
        is(&[("HTTPS_PROXY", "p:1"), ("https_proxy", "p:2")], tls, Some("p:1 HTTPS_PROXY"));
        is(&[("ALL_PROXY", "socks5h://u:canary@p")], tls, Some("p:1080 ALL_PROXY"));
        is(&[("HTTPS_PROXY", ""), ("all_proxy", "p:1")], tls, Some("p:1 all_proxy"));
        is(&[("ALL_PROXY", "p:1"), ("HTTPS_PROXY", "https://q")], tls, Some("q:443 HTTPS_PROXY"));
        for no in ["gateway.example", ".example", "*", "other.example, gateway.example"] {
            is(&[("ALL_PROXY", "p:1"), ("NO_PROXY", no)], tls, None);
        }
        is(&[("ALL_PROXY", "p:1"), ("no_proxy", "example.com")], tls, Some("p:1 ALL_PROXY"));
        for target in ["http://127.0.0.1:1", "http://[::1]:1"] {
            is(&[("HTTP_PROXY", "p:1"), ("NO_PROXY", "127.0.0.0/8,::1")], target, None);
        }
        // A request header sets this variable in a CGI program.
        is(&[("HTTP_PROXY", "p:1"), ("REQUEST_METHOD", "GET")], plain, None);
    }

    #[test]
    fn a_proxy_of_the_environment_that_cannot_be_used_is_named_and_not_quoted() {
        for url in [
            "ftp://u:canary@p",
            "http://canary@",
            "http://u:canary@p:port",
            "p/canary",
            "socks6://p",
            "canary://x",
            "none",
            "'NONE' ",
        ] {
            let error = used(&[("HTTPS_PROXY", url)], "https://g.example").unwrap_err();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("canary"), "{error}");
            // An unused variable is not checked.
            assert!(used(&[("HTTPS_PROXY", url)], "http://g.example").unwrap().is_none());
            let exempt = [("HTTPS_PROXY", url), ("NO_PROXY", "g.example")];
            assert!(used(&exempt, "https://g.example").unwrap().is_none());
        }
        let error = used(&[("ALL_PROXY", "ftp://p")], "http://g.example").unwrap_err();
        assert!(error.contains("socks5h") && error.contains("its scheme"), "{error}");
    }

    #[test]
    fn what_files_and_consoles_put_around_a_value_is_removed() {
        for url in ["\"http://p:3128\"", " 'p:3128'\r\n", "\u{feff}http://p:3128"] {
            let set = [("HTTP_PROXY", url), ("NO_PROXY", " \"other.example\"\r\n")];
            let expected = "the proxy p:3128 (from the environment variable HTTP_PROXY)";
            assert_eq!(
                used(&set, "http://g.example").unwrap().as_deref(),
                Some(expected),
                "{url:?}"
            );
            assert_eq!(used(&set, "http://other.example").unwrap(), None);
        }
        assert_eq!(used(&[("HTTP_PROXY", "\"\"")], "http://g.example").unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_text_is_named_and_does_not_count_as_unset() {
        use std::os::unix::ffi::OsStringExt as _;
        let target = "http://g.example".parse().unwrap();
        for (wrong, others) in [("HTTP_PROXY", ""), ("NO_PROXY", "HTTP_PROXY")] {
            let environment = |name: &str| match name {
                name if name == wrong => Some(OsString::from_vec(b"canary\xFF".to_vec())),
                name if name == others => Some("http://p:1".into()),
                _ => None,
            };
            let Err(error) = ProxyChoice::Environment.for_target(&target, &environment) else {
                panic!("{wrong} was used");
            };
            let said = format!("{error}: {}", std::error::Error::source(&error).unwrap());
            assert!(said.contains(wrong) && said.contains("UTF-8") && !said.contains("canary"));
        }
    }
}
