//! Addresses of listeners.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use super::trim;
use crate::exit::chained;
use crate::lang::{Phrase, phrase};

/// Resolves an address of the command line, with spaces around it or without.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    resolve(trim(text)).map_err(Phrase::into_english)
}

/// Resolves an address. Host names are resolved only here, so the checked address is the bound one. The first
/// of several addresses counts.
///
/// # Errors
/// The text is not an address. The reason says what to write.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, Phrase> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = split(text)?;
    if is_localhost(host) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let shown = format!("{host:?}");
    let resolved = (host, port).to_socket_addrs().map_err(|error| {
        let what = phrase!("the host {it} cannot be resolved", "无法解析主机 {it}", it = shown);
        chained(what, &error)
    });
    let none = || phrase!("the host {it} has no address", "主机 {it} 没有地址", it = shown);
    resolved?.next().ok_or_else(none)
}

fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// A host name and a port.
fn split(text: &str) -> Result<(&str, u16), Phrase> {
    let shown = format!("{text:?}");
    if text.contains("://") {
        return Err(phrase!(
            "{it} is a URL; write HOST:PORT, without a scheme",
            "{it} 是 URL；请写 HOST:PORT，不带协议",
            it = shown,
        ));
    }
    if text.contains('/') {
        return Err(phrase!(
            "{it} has a path; write HOST:PORT",
            "{it} 含有路径；请写 HOST:PORT",
            it = shown,
        ));
    }
    let no_brackets = |host: &str, port: &str| {
        phrase!(
            "{it} is an IPv6 address without brackets; write [{host}]:{port}",
            "{it} 是没有方括号的 IPv6 地址；请写 [{host}]:{port}",
            it = shown,
            host = host,
            port = port,
        )
    };
    let no_port = |better: &str| {
        phrase!(
            "{it} has no port; write {better}:8080",
            "{it} 没有端口；请写 {better}:8080",
            it = shown,
            better = better,
        )
    };
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        let hint = text.rsplit_once(':').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok());
        return Err(match hint {
            Some((host, port)) => no_brackets(host, port),
            None => no_port(&format!("[{address}]")),
        });
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(match text.parse::<u16>().is_ok() {
            true => phrase!(
                "{it} is a port without a host; {hosts}",
                "{it} 是没有主机的端口；{hosts}",
                it = shown,
                hosts = hosts(text),
            ),
            false => no_port(text),
        });
    };
    if port.is_empty() {
        return Err(no_port(host));
    }
    let bad_port = || {
        phrase!(
            "the port {port} is not a whole number from 0 to 65535",
            "端口 {port} 不是 0 到 65535 的整数",
            port = format!("{port:?}"),
        )
    };
    // `parse` takes a sign.
    let digits = port.bytes().all(|it| it.is_ascii_digit());
    let number =
        Some(port).filter(|_| digits).and_then(|it| it.parse().ok()).ok_or_else(bad_port)?;
    if host.is_empty() || host == "*" {
        return Err(phrase!(
            "{it} names no host; {hosts}",
            "{it} 没有指明主机；{hosts}",
            it = shown,
            hosts = hosts(port),
        ));
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(no_brackets(host, port));
    }
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    let numeric = host.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    if !host.bytes().all(plain) || numeric && host.parse::<IpAddr>().is_err() {
        return Err(phrase!(
            "{host} is neither an IP address nor a host name",
            "{host} 既不是 IP 地址，也不是主机名",
            host = format!("{host:?}"),
        ));
    }
    Ok((host, number))
}

fn hosts(port: &str) -> Phrase {
    phrase!(
        "write 127.0.0.1:{port} for this machine only, or 0.0.0.0:{port} for every network",
        "仅限本机请写 127.0.0.1:{port}，所有网络请写 0.0.0.0:{port}",
        port = port,
    )
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
            error.assert_chinese();
            assert!(error.english().contains(hint), "{text}: {error:?}");
        }
    }
}
