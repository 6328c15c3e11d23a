#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn status(target: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::builder().uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let local = LocalAddress::new("192.0.2.7:8081".parse().unwrap());
    request.extensions_mut().insert(local);
    let doors = Doors::new([Host::parse("qopen.example").unwrap()].into());
    doors.admit(&request).map_or_else(|refusal| refusal.0.as_u16(), |()| 200)
}

#[test]
fn i15_a_host_is_loopback_the_listeners_or_listed() {
    for host in [
        "localhost",
        "LOCALHOST:1",
        "localhost.:8081",
        "a.localhost",
        "127.0.0.1:8081",
        "127.8.9.1",
        "[::1]:8081",
        "[::ffff:127.0.0.1]",
        "192.0.2.7:9",
        "[::ffff:192.0.2.7]",
        "qopen.example",
        "QOPEN.example.:443",
    ] {
        assert_eq!(status("/v1/pulls", &[("host", host)]), 200, "{host}");
    }
    for host in [
        "attacker.test",
        "attacker.test:8081",
        "localhost.attacker.test",
        "127.0.0.1.nip.io",
        "0.0.0.0:8081",
        "[::]",
        "192.0.2.8",
        "a.qopen.example",
        "127.1",
        "2130706433",
    ] {
        assert_eq!(status("/v1/pulls", &[("host", host)]), 421, "{host}");
    }
    for host in ["", "a b", "localhost:x", "user@localhost", "localhost,attacker.test", "[::1"] {
        assert_eq!(status("/v1/pulls", &[("host", host)]), 400, "{host:?}");
    }
    assert_eq!(status("/v1/pulls", &[]), 400);
    let two = [("host", "localhost"), ("host", "localhost")];
    assert_eq!(status("/v1/pulls", &two), 400);
}

#[test]
fn i15_a_target_in_absolute_form_is_checked_like_a_host() {
    let host = [("host", "localhost:8081")];
    assert_eq!(status("http://127.0.0.1:8081/v1/pulls", &host), 200);
    assert_eq!(status("http://attacker.test/v1/pulls", &host), 421);
    assert_eq!(status("http://user@127.0.0.1/v1/pulls", &host), 400);
    assert_eq!(status("http://localhost/v1/pulls", &[("host", "attacker.test")]), 421);
}

#[test]
fn i15_an_origin_is_the_same_host_and_port() {
    for (host, origin) in [
        ("localhost:8081", "http://localhost:8081"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("qopen.example", "https://qopen.example"),
        ("qopen.example", "https://qopen.example:443"),
        ("[::1]:8081", "http://[::1]:8081"),
    ] {
        assert_eq!(status("/", &[("host", host), ("origin", origin)]), 200, "{origin}");
    }
    for origin in [
        "null",
        "",
        "http://localhost",
        "http://localhost:8082",
        "http://127.0.0.1:8081",
        "http://attacker.test:8081",
        "file://",
        "localhost:8081",
        "ftp://localhost:8081",
        "http://localhost:8081/",
        "http://localhost:8081 http://localhost:8081",
        "chrome-extension://abcdef",
    ] {
        let headers = [("host", "localhost:8081"), ("origin", origin)];
        assert_eq!(status("/", &headers), 403, "{origin:?}");
    }
    let host = ("host", "localhost:8081");
    let own = ("origin", "http://localhost:8081");
    assert_eq!(status("/", &[host, own, own]), 403);
}

#[test]
fn i15_a_request_that_another_site_caused_is_refused() {
    let host = ("host", "localhost");
    for (site, expected) in [
        ("same-origin", 200),
        ("none", 200),
        ("cross-site", 403),
        ("same-site", 403),
        ("", 403),
        ("SAME-ORIGIN", 403),
        ("same-origin, none", 403),
        ("new-kind", 403),
    ] {
        assert_eq!(status("/", &[host, ("sec-fetch-site", site)]), expected, "{site:?}");
    }
    let none = ("sec-fetch-site", "none");
    assert_eq!(status("/", &[host, none, none]), 403);
}
