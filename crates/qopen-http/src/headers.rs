//! Headers that ask to wait, or to go elsewhere.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};

/// The wait that `Retry-After` asks for. A date counts from the answer's own `Date`: both come from
/// the server's clock. A date in the past asks for none.
///
/// # Errors
/// The reason why the wait is unknown.
pub(crate) fn retry_after(headers: &HeaderMap) -> Result<Option<Duration>, &'static str> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    if !headers.contains_key(RETRY_AFTER) {
        return Ok(None);
    }
    let asked = text(RETRY_AFTER).unwrap_or_default();
    if !asked.is_empty() && asked.bytes().all(|it| it.is_ascii_digit()) {
        // Digits beyond a u64 mean for ever.
        return Ok(Some(Duration::from_secs(asked.parse().unwrap_or(u64::MAX))));
    }
    let until = httpdate::parse_http_date(asked)
        .map_err(|_| "it is neither a number of seconds nor an HTTP date in GMT")?;
    let date = text(DATE).ok_or("it is a date, and the answer has no Date to count from")?;
    let now = httpdate::parse_http_date(date)
        .map_err(|_| "it is a date, and the answer's own Date is not an HTTP date in GMT")?;
    Ok(until.duration_since(now).ok())
}

/// Bytes of a target that messages show.
const LONGEST: usize = 256;

/// The target of a redirect of `from`: scheme, host, port and path. User, password, query and
/// fragment may be secret. `None` if the answer is not a redirect.
pub(crate) fn redirect(from: &Url, status: u16, headers: &HeaderMap) -> Option<String> {
    let location = headers.get(LOCATION).filter(|_| (300..400).contains(&status))?;
    let target = from.join(&String::from_utf8_lossy(location.as_bytes()));
    let Ok(mut target) = target else { return Some("an address that is no URL".to_owned()) };
    if !target.has_host() {
        return Some(format!("{}:…", target.scheme()));
    }
    // A URL with a host accepts both.
    let _ = (target.set_username(""), target.set_password(None));
    target.set_query(None);
    target.set_fragment(None);
    // A URL is ASCII.
    let mut shown = target.to_string();
    if shown.len() > LONGEST {
        shown.truncate(LONGEST);
        shown.push('…');
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(value: &str, date: Option<&str>) -> Option<u64> {
        waited(value, date).unwrap_or_default()
    }

    fn waited(value: &str, date: Option<&str>) -> Result<Option<u64>, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        retry_after(&headers).map(|it| it.map(|it| it.as_secs()))
    }

    #[test]
    fn a_wait_that_cannot_be_known_is_an_error_and_not_no_wait() {
        let (good, date) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:51:37 +0000");
        assert_eq!(retry_after(&HeaderMap::new()), Ok(None));
        assert_eq!(waited(good, Some("Sun, 06 Nov 1994 08:49:38 GMT")), Ok(None), "in the past");
        assert!(waited(good, None).unwrap_err().contains("no Date"));
        assert!(waited(good, Some(date)).unwrap_err().contains("own Date"));
        for wrong in [date, "", "soon", "-1", "1.5"] {
            assert!(waited(wrong, Some(good)).unwrap_err().contains("neither"), "{wrong:?}");
        }
    }

    #[test]
    fn seconds_and_every_form_of_an_http_date_are_read() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(asked("120", None), Some(120));
        assert_eq!(asked(" 7 ", None), Some(7));
        for date in [
            "Sun, 06 Nov 1994 08:51:37 GMT",
            "Sunday, 06-Nov-94 08:51:37 GMT",
            "Sun Nov  6 08:51:37 1994",
        ] {
            assert_eq!(asked(date, now), Some(120), "{date}");
            assert_eq!(asked(date, None), None, "{date} without a Date says nothing");
            assert_eq!(asked(date, Some("today")), None);
        }
        // In the past, or now.
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:36 GMT", now), None);
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(0));
    }

    #[test]
    fn an_absurd_wait_is_no_panic() {
        assert_eq!(asked("18446744073709551615", None), Some(u64::MAX));
        assert_eq!(asked(&"9".repeat(400), None), Some(u64::MAX));
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(asked("Fri, 31 Dec 9999 23:59:59 GMT", now).unwrap() > 200_000_000_000);
        for nonsense in ["", "-1", "1.5", "1e3", "+5", "soon", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(asked(nonsense, now), None, "{nonsense:?}");
        }
    }

    #[test]
    fn a_redirect_names_its_target_without_what_may_be_secret() {
        let from = Url::parse("https://gateway.example/gateway/qopen/GetAccessToken").unwrap();
        let to = |location: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_bytes(location).unwrap());
            assert_eq!(redirect(&from, 200, &headers), None);
            redirect(&from, 302, &headers)
        };
        for (location, target) in [
            ("https://u:canary@other.example:1/a?canary#canary", "https://other.example:1/a"),
            ("/login?next=canary", "https://gateway.example/login"),
            ("../x", "https://gateway.example/gateway/x"),
            ("//other.example", "https://other.example/"),
            ("", "https://gateway.example/gateway/qopen/GetAccessToken"),
            ("mailto:canary@x", "mailto:…"),
            ("https://:canary@/", "an address that is no URL"),
        ] {
            assert_eq!(to(location.as_bytes()).as_deref(), Some(target), "{location}");
        }
        assert!(to(b"\xff\xfe").unwrap().starts_with("https://gateway.example/"));
        assert!(to("x".repeat(5000).as_bytes()).unwrap().len() < 300);
        assert_eq!(redirect(&from, 302, &HeaderMap::new()), None);
    }
}
