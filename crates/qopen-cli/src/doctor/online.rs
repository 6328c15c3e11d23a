//! `qopen doctor --online`: checks at the platform, and the list of what it cannot check.

use std::error::Error;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use qopen::http::{RetryPolicy, SendError, Sender};
use tokio::net::{TcpStream, lookup_host};

use super::report::Report;
use crate::causes::Plain;
use crate::exit::{Exit, Failure};
use crate::lang::{self, Phrase, Text, phrase};
use crate::report::{Noun, refusal};
use crate::say::answer;
use crate::settings::{ACCESS_TOKEN, BASE_URL, PROXY, Settings};
use crate::topics::warnings::CLOCK_SKEW;

const PLATFORM: Text = Text::new("platform", "平台");
const TOKEN: Text = Text::new("access token", "访问令牌");
const CLOCK: Text = Text::new("clock", "时钟");
const ADDRESSES: Noun = Noun::new("address", "addresses", "个地址");

/// Time limit for a connection to one address of the platform.
const CONNECT: Duration = Duration::from_secs(5);

/// A difference of clocks that is worth a warning.
const SKEW: Duration = Duration::from_secs(60);

pub(super) async fn run(settings: &Settings, report: &mut Report) {
    let Ok(sender) = settings.sender(|it| it.retry(RetryPolicy::default().attempts(1))) else {
        answer!("");
        let said = phrase!(
            "not checked online: the settings above come first",
            "未联网检查：请先处理以上设置",
        );
        answer!("{}", said.shown());
        return;
    };
    let proxied = is_proxied(settings);
    if !proxied && let Some(url) = settings.text(&BASE_URL) {
        report.check(PLATFORM, connect(url).await);
    }
    let fixed = settings.get(&ACCESS_TOKEN).is_some();
    if !fixed {
        report.check(TOKEN, token(&sender).await);
        if let Some(clock) = sender.last_date().and_then(|it| clock(&it, Timestamp::now())) {
            answer!("{}", clock.shown());
        }
    }
    answer!("");
    answer!("{}", Text::new("not checked:", "未检查：").of(lang::chosen()));
    for (what, why) in not_checked(proxied, fixed) {
        answer!("  {}", Phrase::about(what, why).shown());
    }
}

/// What a check online cannot find, and why.
fn not_checked(proxied: bool, fixed: bool) -> Vec<(Text, Text)> {
    let mut all = Vec::new();
    if proxied {
        let why = Text::new(
            "a direct connection, because a proxy is set",
            "设置了代理，因此不检查直接连接",
        );
        all.push((PLATFORM, why));
    }
    if fixed {
        let why = Text::new(
            "a fixed one is only checked by the first request of a pull",
            "固定的令牌只有在拉取的首个请求时才得到检查",
        );
        all.push((TOKEN, why));
        let why = Text::new(
            "only a response of the platform shows its time",
            "只有平台的响应才能显示其时间",
        );
        all.push((CLOCK, why));
    }
    all.extend([
        (
            Text::new("robots", "机器人"),
            Text::new(
                "`qopen robots list` asks the platform for them, if it offers that",
                "若平台提供该接口，`qopen robots list` 会向平台查询",
            ),
        ),
        (
            Text::new("callback URL", "回调地址"),
            Text::new(
                "only a callback shows that the platform reaches this listener",
                "只有收到回调才能表明平台可以到达本监听器",
            ),
        ),
        (
            Text::new("callback token and EncodingAESKey", "回调令牌与 EncodingAESKey"),
            Text::new(
                "only a callback shows that they are the console's",
                "只有收到回调才能表明它们与平台后台一致",
            ),
        ),
    ]);
    all
}

/// Whether requests go through a proxy of the settings or of the environment.
fn is_proxied(settings: &Settings) -> bool {
    const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];
    let set = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    match settings.text(&PROXY) {
        // It also turns off the proxies of the environment.
        Some(none) if none.eq_ignore_ascii_case("none") => false,
        Some(_) => true,
        None => NAMES.iter().any(|name| set(name) || set(&name.to_uppercase())),
    }
}

/// Connects to the first address that answers, as a request would.
async fn connect(url: &str) -> Result<Phrase, Failure> {
    let place = host_and_port(url);
    let what = |verb: Text| {
        phrase!(
            "{place} cannot be {verb}; is {name} right?",
            "无法{verb} {place}；{name} 是否正确？",
            place = place,
            verb = verb,
            name = BASE_URL.env,
        )
    };
    let began = Instant::now();
    let addresses = lookup_host(&place).await;
    let addresses: Vec<_> = addresses
        .map_err(|error| Failure::unexpected(what(Text::new("resolved", "解析")), &error))?
        .collect();
    let mut last: Box<dyn Error> =
        Box::new(Plain::new(Text::new("it has no address", "没有对应的地址")));
    for address in &addresses {
        last = match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                return Ok(phrase!(
                    "{place} has {known}; {address} answers after {ms} ms",
                    "{place} 有 {known}；{address} 在 {ms} 毫秒后应答",
                    place = place,
                    known = ADDRESSES.count(addresses.len() as u64),
                    address = address,
                    ms = began.elapsed().as_millis(),
                ));
            }
            Ok(Err(error)) => Box::new(error),
            Err(_) => Box::new(Plain::new(phrase!(
                "no answer within {s} s",
                "{s} 秒内没有应答",
                s = CONNECT.as_secs(),
            ))),
        };
    }
    Err(Failure::unexpected(what(Text::new("reached", "连接")), &*last))
}

/// `HOST:PORT` of a URL that a sender has accepted.
fn host_and_port(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split(['/', '\\']).find(|it| !it.is_empty()).unwrap_or_default();
    let bare = host.rsplit_once(']').map_or(host, |(_, after)| after);
    match bare.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() => host.to_owned(),
        _ => {
            let port = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
            format!("{}:{port}", host.strip_suffix(':').unwrap_or(host))
        }
    }
}

/// Asks the platform for an access token.
pub(crate) async fn token(sender: &Sender) -> Result<Phrase, Failure> {
    match sender.check_token().await {
        Ok(()) => Ok(phrase!(
            "the platform issued one for app key and secret",
            "平台已为应用 key 与 secret 签发",
        )),
        Err(error) => Err(refused(&error)),
    }
}

/// Describes a request that failed.
pub(crate) fn refused(error: &SendError) -> Failure {
    match error.is_refusal() {
        true => Failure::new(Exit::Refused, refusal(error)),
        false => Failure::unexpected("", error),
    }
}

/// Compares the platform's clock with this one. `None` if the date cannot be read.
fn clock(date: &str, now: Timestamp) -> Option<Phrase> {
    let there = rfc2822::parse(date).ok()?.timestamp();
    let difference = there.duration_since(now);
    let (seconds, far) = (difference.as_secs(), difference.unsigned_abs() >= SKEW);
    let side = match seconds < 0 {
        true => Text::new("behind", "慢"),
        false => Text::new("ahead of", "快"),
    };
    let said = phrase!(
        "the platform's is {s} s {side} this one",
        "平台的时钟比本机{side} {s} 秒",
        s = seconds.unsigned_abs(),
        side = side,
    );
    let said = Phrase::about(CLOCK, said);
    Some(match far {
        true => phrase!(
            "WARN  {said}; set this machine's clock by NTP [{name}]",
            "WARN  {said}；请用 NTP 校准本机时钟 [{name}]",
            said = said,
            name = CLOCK_SKEW.name,
        ),
        false => phrase!("ok    {said}", "ok    {said}", said = said),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_url_gives_the_place_that_is_connected_to() {
        for (url, place) in [
            ("https://a.example", "a.example:443"),
            ("http://a.example/x:1/", "a.example:80"),
            ("HTTP://a.example:8080/x", "a.example:8080"),
            ("https://[::1]", "[::1]:443"),
            ("https://[::1]:7/", "[::1]:7"),
            ("https://a.example:", "a.example:443"),
        ] {
            assert_eq!(host_and_port(url), place, "{url}");
        }
    }

    #[test]
    fn a_clock_that_is_far_off_is_warned_of() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let say = |date: &str| clock(date, now).map(|it| it.english().to_owned());
        assert_eq!(
            say("Sun, 01 Mar 2026 12:00:02 GMT").unwrap(),
            "ok    clock: the platform's is 2 s ahead of this one"
        );
        assert!(
            say("Sun, 01 Mar 2026 11:58:00 GMT")
                .unwrap()
                .starts_with("WARN  clock: the platform's is 120 s behind")
        );
        assert_eq!(say("yesterday"), None);
    }
}
