//! Which hosts `NO_PROXY` exempts from the proxy.

use std::net::IpAddr;

use reqwest::Url;

/// Whether the list exempts the target.
///
/// Commas or spaces separate the entries. An entry is `*` for every host, a host name with its subdomains
/// (a leading dot changes nothing), `*.NAME` for the subdomains alone, an IP address, or a network such as
/// `10.0.0.0/8`. A port after a name or an address exempts that port alone.
pub(crate) fn exempts(list: &str, target: &Url) -> bool {
    let Some(host) = target.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches([']', '.']).to_lowercase();
    let port = target.port_or_known_default();
    let entries = list.split(|it: char| it == ',' || it.is_whitespace()).map(bare);
    entries.filter(|it| !it.is_empty()).any(|entry| {
        let (name, of_port) = split_port(entry);
        of_port.is_none_or(|of_port| port == Some(of_port)) && matches(name, &host)
    })
}

/// A value of the environment without surrounding spaces, byte order marks and quotes.
pub(crate) fn bare(text: &str) -> &str {
    text.trim_matches(|it: char| it.is_whitespace() || matches!(it, '\u{feff}' | '"' | '\''))
}

/// Host and port of an entry. A colon inside an IPv6 address without brackets begins no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let entry = entry.split_once("://").map_or(entry, |(_, rest)| rest.trim_end_matches('/'));
    if entry.parse::<IpAddr>().is_ok() || entry.contains('/') {
        return (entry, None);
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        None => (entry, None),
    };
    (name, port)
}

fn matches(name: &str, host: &str) -> bool {
    if name == "*" {
        return true;
    }
    let name = name.trim_start_matches('[').trim_end_matches([']', '.']);
    if let Ok(host) = host.parse::<IpAddr>() {
        return match name.split_once('/') {
            Some((network, bits)) => match (network.trim_end_matches(']').parse(), bits.parse()) {
                (Ok(network), Ok(bits)) => is_within(host, network, bits),
                _ => false,
            },
            None => name.parse() == Ok(host),
        };
    }
    let name = in_ascii(name);
    if let Some(parent) = name.strip_prefix("*.") {
        return is_below(host, parent);
    }
    let name = name.trim_start_matches('.');
    host == name || is_below(host, name)
}

fn is_below(host: &str, parent: &str) -> bool {
    let below = host.strip_suffix(parent).and_then(|it| it.strip_suffix('.'));
    !parent.is_empty() && below.is_some_and(|it| !it.is_empty())
}

/// A name in ASCII, as URLs have it.
fn in_ascii(name: &str) -> String {
    if name.is_ascii() {
        return name.to_lowercase();
    }
    let start = name.len() - name.trim_start_matches(['*', '.']).len();
    let (dots, rest) = name.split_at(start);
    let url = Url::parse(&format!("http://{rest}/")).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    format!("{dots}{host}")
}

fn is_within(host: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (host, network, width) = match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => {
            (u128::from(host.to_bits()), u128::from(network.to_bits()), 32)
        }
        (IpAddr::V6(host), IpAddr::V6(network)) => (host.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let Some(free) = u32::checked_sub(width, bits) else { return false };
    // A network of every address shifts by the whole width.
    let fixed = |it: u128| it.checked_shr(free).unwrap_or(0);
    fixed(host) == fixed(network)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::exempts;

    #[test]
    fn entries_exempt_hosts_networks_and_ports() {
        for (list, target, exempt) in [
            ("*", "http://127.0.0.1:1", true),
            ("*", "http://[::1]:1", true),
            ("a, *", "https://gw.example", true),
            ("127.0.0.1:8080", "http://127.0.0.1:8080", true),
            ("127.0.0.1:8080", "http://127.0.0.1:8081", false),
            ("[::1]:80", "http://[::1]", true),
            ("[::1]:81", "http://[::1]", false),
            ("[::1]", "http://[::1]", true),
            ("::1", "http://[::1]:5", true),
            ("localhost gw.example\t10.0.0.1", "http://10.0.0.1", true),
            ("localhost gw.example", "http://gw.example", true),
            ("*.gw.example", "https://a.gw.example", true),
            ("*.gw.example", "https://a.b.gw.example", true),
            ("*.gw.example", "https://gw.example", false),
            ("*.gw.example:443", "https://a.gw.example", true),
            ("*.gw.example:444", "https://a.gw.example", false),
            (".gw.example", "https://gw.example", true),
            ("GW.example.", "https://a.gw.EXAMPLE", true),
            ("gw.example", "https://gw.example.", true),
            ("gw.example", "https://agw.example", false),
            ("example", "https://gw.example.com", false),
            ("\"gw.example\"", "https://gw.example", true),
            ("\u{feff}gw.example", "https://gw.example", true),
            ("http://gw.example/", "https://gw.example", true),
            ("客户.example", "https://客户.example", true),
            ("*.客户.example", "https://a.客户.example", true),
            ("10.0.0.0/8", "http://10.9.9.9", true),
            ("10.0.0.0/8", "http://11.0.0.0", false),
            ("0.0.0.0/0", "http://11.0.0.0", true),
            ("10.0.0.0/33", "http://10.0.0.0", false),
            ("fd00::/8", "http://[fd12::1]", true),
            ("::/0", "http://[fd12::1]", true),
            ("10.0.0.0/8", "http://[::1]", false),
            ("", "http://gw.example", false),
            (",. ,*.,", "http://gw.example", false),
        ] {
            assert_eq!(exempts(list, &target.parse().unwrap()), exempt, "{list:?} {target}");
        }
    }
}
