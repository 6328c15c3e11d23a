//! Hosts as requests and settings name them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Maximum length of a DNS name, in bytes.
const LONGEST: usize = 253;

/// A host in canonical form: an IP address, or a name in lower case without a dot at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Host {
    /// Parses a host without a port. An IPv6 address may have brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.parse::<Ipv6Addr>() {
            Ok(ip) => Some(Self::of(ip.into())),
            Err(_) => authority(text).filter(|(_, port)| port.is_none()).map(|(host, _)| host),
        }
    }

    /// An address in canonical form: an IPv4 address inside IPv6 is that IPv4 address.
    pub(crate) fn of(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }

    /// Whether every resolver maps it to this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Parses `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
pub(super) fn authority(text: &str) -> Option<(Host, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (ip, rest) = rest.split_once(']')?;
        let host = Host::of(ip.parse::<Ipv6Addr>().ok()?.into());
        return match rest {
            "" => Some((host, None)),
            rest => Some((host, port(rest.strip_prefix(':')?)?)),
        };
    }
    match text.split_once(':') {
        None => Some((name(text)?, None)),
        Some((host, digits)) => Some((name(host)?, port(digits)?)),
    }
}

/// A port, or nothing where its digits are missing, which a URL allows.
fn port(digits: &str) -> Option<Option<u16>> {
    match digits {
        "" => Some(None),
        digits if digits.bytes().all(|it| it.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    }
}

fn name(text: &str) -> Option<Host> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Host::of(ip));
    }
    let plain = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(plain);
    let is_name = text.len() <= LONGEST && text.split('.').all(is_label);
    is_name.then(|| Host::Name(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_host_is_the_same_however_it_is_spelled() {
        for (one, other) in [
            ("LocalHost", "localhost."),
            ("127.0.0.1", "[::ffff:127.0.0.1]"),
            ("127.0.0.1", "127.0.0.1."),
            ("[::1]", "[0:0:0:0:0:0:0:1]"),
            ("qopen.example", "QOPEN.example."),
        ] {
            assert_eq!(authority(one).unwrap(), authority(other).unwrap(), "{one} {other}");
            assert_eq!(Host::parse(one), Host::parse(other), "{one} {other}");
        }
        assert_eq!(Host::parse("::1"), Host::parse("[::1]"));
        let port = |text| authority(text).unwrap().1;
        assert_eq!((port("a:1"), port("[::1]:65535"), port("a:")), (Some(1), Some(65535), None));
    }

    #[test]
    fn what_is_not_a_host_is_none() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "a b",
            "a/b",
            "a@b",
            "a,b",
            "a:b",
            "a:-1",
            "a:65536",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]1",
            "[a]",
            "[]",
            "[fe80::1%25eth0]",
            "a\t",
            "ä",
            "*",
            "http://a",
            "a:+1",
        ] {
            assert_eq!(authority(text), None, "{text:?}");
        }
        assert_eq!(authority(&"a.".repeat(200)), None);
        assert_eq!(Host::parse("a:1"), None);
        assert_eq!(Host::parse("[::1]:1"), None);
    }

    #[test]
    fn only_loopback_is_loopback() {
        for text in
            ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
        {
            assert!(Host::parse(text).unwrap().is_loopback(), "{text}");
        }
        // The unspecified address reaches this machine, and pages of any site use it for that.
        for text in [
            "0.0.0.0",
            "::",
            "localhost.example",
            "notlocalhost",
            "127.1",
            "2130706433",
            "10.0.0.1",
        ] {
            assert!(!Host::parse(text).unwrap().is_loopback(), "{text}");
        }
    }
}
