//! Addresses of listeners.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use super::trim;

/// Resolves an address of the command line, with spaces around it or without.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    resolve(trim(text))
}

/// Resolves an address. Host names are resolved only here, so the checked address is the bound one. The first
/// of several addresses counts.
///
/// # Errors
/// The text is not an address. The reason says what to write.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = split(text)?;
    if is_localhost(host) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let resolved = (host, port).to_socket_addrs();
    resolved
        .map_err(|error| format!("the host {host:?} cannot be resolved: {error}"))?
        .next()
        .ok_or_else(|| format!("the host {host:?} has no address"))
}

fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// A host name and a port.
fn split(text: &str) -> Result<(&str, u16), String> {
    if text.contains("://") {
        return Err(format!("{text:?} is a URL; write HOST:PORT, without a scheme"));
    }
    if text.contains('/') {
        return Err(format!("{text:?} has a path; write HOST:PORT"));
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        let hint = text.rsplit_once(':').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok());
        return Err(match hint {
            Some((host, port)) => {
                format!("{text:?} is an IPv6 address without brackets; write [{host}]:{port}")
            }
            None => format!("{text:?} has no port; write [{address}]:8080"),
        });
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(match text.parse::<u16>().is_ok() {
            true => format!("{text:?} is a port without a host; {}", hosts(text)),
            false => format!("{text:?} has no port; write {text}:8080"),
        });
    };
    if port.is_empty() {
        return Err(format!("{text:?} has no port; write {host}:8080"));
    }
    let bad_port = || format!("the port {port:?} is not a whole number from 0 to 65535");
    // `parse` takes a sign.
    let digits = port.bytes().all(|it| it.is_ascii_digit());
    let number =
        Some(port).filter(|_| digits).and_then(|it| it.parse().ok()).ok_or_else(bad_port)?;
    if host.is_empty() || host == "*" {
        return Err(format!("{text:?} names no host; {}", hosts(port)));
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("{text:?} is an IPv6 address without brackets; write [{host}]:{port}"));
    }
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    let numeric = host.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    if !host.bytes().all(plain) || numeric && host.parse::<IpAddr>().is_err() {
        return Err(format!("{host:?} is neither an IP address nor a host name"));
    }
    Ok((host, number))
}

fn hosts(port: &str) -> String {
    format!("write 127.0.0.1:{port} for this machine only, or 0.0.0.0:{port} for every network")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_host_and_a_port() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:8080", "[::1]:8080"),
            ("[::]:80", "[::]:80"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("LocalHost.:8080", "127.0.0.1:8080"),
        ] {
            assert_eq!(resolve(text).map(|it| it.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for (text, hint) in [
            ("8080", "127.0.0.1:8080"),
            (":8080", "0.0.0.0:8080"),
            ("*:8080", "0.0.0.0:8080"),
            ("::1", "[::1]:8080"),
            ("::1:8080", "[::1]:8080"),
            ("1:2:3:4:5:6:7:8:80", "[1:2:3:4:5:6:7:8]:80"),
            ("localhost", "localhost:8080"),
            ("localhost:", "localhost:8080"),
            ("localhost:http", "0 to 65535"),
            ("localhost:65536", "0 to 65535"),
            ("localhost:+80", "0 to 65535"),
            ("127.0.0.1:-1", "0 to 65535"),
            ("256.0.0.1:80", "neither an IP address nor a host name"),
            ("127.1:80", "neither"),
            ("a b:80", "neither"),
            ("http://127.0.0.1:8080", "without a scheme"),
            ("127.0.0.1:8080/callback", "HOST:PORT"),
            ("", "no port"),
        ] {
            let error = resolve(text).expect_err(text);
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
