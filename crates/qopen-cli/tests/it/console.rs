//! The console: login, sessions, headers and languages.

use qopen_simulator::Schedule;
use reqwest::{Client, Response, redirect};

use crate::console_seed::{List, days_ago, lists_of, published, pull_id, seed};
use crate::served::Served;
use crate::support::Stage;

const TOKEN: &str = "canary-control-token-0123456789";

/// The pages of the navigation, and those of a robot and a pull.
pub(crate) fn pages(robot: &str, mark: &str) -> Vec<String> {
    let mut pages: Vec<String> = ["robots", "pulls", "held", "quarantine", "callbacks"]
        .map(|it| format!("/console/{it}"))
        .into();
    pages.push(format!("/console/robot?robot_id={robot}"));
    pages.push(format!("/console/pull?robot_id={robot}&mark_id={mark}"));
    pages
}

pub(crate) fn stage() -> Stage {
    Stage::new(&Schedule { silent: true, ..Schedule::default() })
}

/// A browser without JavaScript that keeps no cookie and follows no redirect.
fn client() -> Client {
    Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap()
}

pub(crate) async fn get(served: &Served, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = client().get(format!("{}{path}", served.control));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

pub(crate) async fn post(
    served: &Served,
    path: &str,
    form: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Response {
    let encode = |text: &str| text.bytes().map(|it| format!("%{it:02X}")).collect::<String>();
    let form: Vec<_> =
        form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let mut request = client().post(format!("{}{path}", served.control));
    request = request.header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(form.join("&")).send().await.unwrap()
}

pub(crate) fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |it| it.to_str().unwrap())
}

/// The CSRF token of the first form of a page.
pub(crate) fn csrf(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form has a token");
    rest.split_once('"').unwrap().0.to_owned()
}

pub(crate) async fn login(served: &Served, token: &str, headers: &[(&str, &str)]) -> Response {
    let page = get(served, "/console/login", &[]).await.text().await.unwrap();
    let form = [("csrf", &*csrf(&page)), ("token", token), ("to", "/console/pulls")];
    post(served, "/console/login", &form, headers).await
}

/// The name and value of the cookie that an answer sets.
pub(crate) fn cookie(answer: &Response) -> String {
    header(answer, "set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_begins_a_session_that_a_logout_ends() {
    let stage = stage();
    let served = Served::new(&stage, &[], Some(TOKEN));
    let answer = get(&served, "/console/robots?q=a", &[]).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(header(&answer, "location"), "/console/login?to=%2Fconsole%2Frobots%3Fq%3Da");
    let wrong = login(&served, "canary-control-token-012345678X", &[]).await;
    assert_eq!((wrong.status().as_u16(), header(&wrong, "set-cookie")), (403, ""));
    assert!(wrong.text().await.unwrap().contains("The token is wrong."));

    // A pasted token may have a line break at its end.
    let right = login(&served, &format!("{TOKEN}\n"), &[]).await;
    assert_eq!((right.status().as_u16(), header(&right, "location")), (303, "/console/pulls"));
    let port = served.control.rsplit_once(':').unwrap().1;
    let set = header(&right, "set-cookie").to_owned();
    assert!(set.starts_with(&format!("qopen-console-{port}=")), "{set}");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/console", "; Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure") && !set.contains(TOKEN), "{set}");
    let session = cookie(&right);
    for path in pages("r1", "m1") {
        let page = get(&served, &path, &[("cookie", &session)]).await;
        assert!([200, 404].contains(&page.status().as_u16()), "{path}: {}", page.status());
        assert!(!page.text().await.unwrap().contains(TOKEN), "{path}");
    }
    // A session is for pages only: no program of a browser can use it.
    for path in ["/v1/pulls", "/v1/robots", "/metrics", "/v1/quarantine"] {
        assert_eq!(get(&served, path, &[("cookie", &session)]).await.status(), 401, "{path}");
    }
    // Cookies of other services of the machine are beside it, and one more of its name.
    let name = session.split('=').next().unwrap();
    let several = format!("a=b; {name}=made-up; {session}; c");
    assert_eq!(get(&served, "/console/robots", &[("cookie", &several)]).await.status(), 200);
    for other in [format!("{name}=made-up"), session[..session.len() - 1].to_owned(), "a=b".into()]
    {
        let answer = get(&served, "/console/robots", &[("cookie", &other)]).await;
        assert_eq!(answer.status(), 303, "{other}");
    }

    // The token of a form belongs to its session.
    let page = get(&served, "/console/robots", &[("cookie", &session)]).await.text().await.unwrap();
    let outside = get(&served, "/console/login", &[]).await.text().await.unwrap();
    for token in ["", "x", &csrf(&outside)] {
        let (form, headers) = ([("csrf", token)], [("cookie", &*session)]);
        let answer = post(&served, "/console/logout", &form, &headers).await;
        assert_eq!(answer.status(), 403, "{token}");
    }
    let answer = get(&served, "/console/robots", &[("cookie", &session)]).await;
    assert_eq!(answer.status(), 200, "nothing was done");
    let token = csrf(&page);
    let left = post(&served, "/console/logout", &[("csrf", &token)], &[("cookie", &session)]).await;
    assert_eq!(left.status(), 303);
    assert!(header(&left, "set-cookie").contains("Max-Age=0"));
    let next = header(&left, "location").to_owned();
    assert!(get(&served, &next, &[]).await.text().await.unwrap().contains("You are logged out."));
    let again = get(&served, &next, &[]).await.text().await.unwrap();
    assert!(!again.contains("You are logged out."), "a message is shown once");
    let answer = get(&served, "/console/robots", &[("cookie", &session)]).await;
    assert_eq!(answer.status(), 303, "the session has ended");
    assert!(!served.log().contains(TOKEN));
}

#[tokio::test]
async fn a_cookie_is_secure_behind_tls() {
    let stage = stage();
    let served = Served::new(&stage, &["--control-host", "qopen.example"], Some(TOKEN));
    let headers = [("host", "qopen.example"), ("origin", "https://qopen.example")];
    let answer = login(&served, TOKEN, &headers).await;
    assert_eq!(answer.status(), 303);
    assert!(header(&answer, "set-cookie").ends_with("; Secure"), "{:?}", answer.headers());
    let headers = [("host", "qopen.example"), ("origin", "http://qopen.example")];
    let answer = login(&served, TOKEN, &headers).await;
    assert!(!header(&answer, "set-cookie").contains("Secure"), "{:?}", answer.headers());
}

#[tokio::test]
async fn wrong_tokens_make_the_next_login_wait() {
    let stage = stage();
    let served = Served::new(&stage, &[], Some(TOKEN));
    for _ in 0..5 {
        assert_eq!(login(&served, "canary-wrong-token-000000", &[]).await.status(), 403);
    }
    let answer = login(&served, "canary-wrong-token-000000", &[]).await;
    assert_eq!(answer.status(), 429);
    let wait: u64 = header(&answer, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    let right = login(&served, TOKEN, &[]).await;
    assert_eq!(right.status(), 429, "otherwise it limits nothing");
    tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
    assert_eq!(login(&served, TOKEN, &[]).await.status(), 303);
    assert!(!served.log().contains("canary-wrong-token"), "{}", served.log());
}

#[tokio::test]
async fn a_login_leads_nowhere_but_to_the_console() {
    let stage = stage();
    let served = Served::new(&stage, &[], Some(TOKEN));
    for to in ["https://evil.test/", "//evil.test/console", "/v1/pulls", "/console/login"] {
        let page = get(&served, "/console/login", &[]).await.text().await.unwrap();
        let form = [("csrf", &*csrf(&page)), ("token", TOKEN), ("to", to)];
        let answer = post(&served, "/console/login", &form, &[]).await;
        assert_eq!(header(&answer, "location"), "/console/robots", "{to}");
    }
}

#[tokio::test]
async fn i15_a_page_of_another_site_sees_and_does_nothing() {
    let stage = stage();
    seed(
        &stage.folder.path().join("qopen-data"),
        [(
            pull_id("canary-robot", "canary-mark"),
            published(&List { accounts: 5, changes: None, at: days_ago(1) }),
        )],
    )
    .await;
    let served = Served::new(&stage, &[], None);
    let own = get(&served, "/console/robots", &[]).await.text().await.unwrap();
    assert!(own.contains("canary-robot"), "without a token the console is open");
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")],
        &[("origin", "http://evil.test")],
        &[("host", "evil.test")],
    ] {
        for path in pages("canary-robot", "canary-mark") {
            let answer = get(&served, &path, headers).await;
            assert!([403, 421].contains(&answer.status().as_u16()), "{headers:?}");
            assert!(header(&answer, "content-security-policy").contains("frame-ancestors 'none'"));
            let page = answer.text().await.unwrap();
            assert!(!page.contains("robot_id=canary-robot\">canary"), "{page}");
            assert!(!page.contains("csrf"), "{page}");
        }
        let form = [("csrf", &*csrf_of_open(&served).await)];
        let answer = post(&served, "/console/logout", &form, headers).await;
        assert!([403, 421].contains(&answer.status().as_u16()), "{headers:?}");
    }
    // A reader who followed a link from another site goes on by a click.
    let answer =
        get(&served, "/console/robots?q=%22%3E", &[("sec-fetch-site", "cross-site")]).await;
    assert!(answer.text().await.unwrap().contains("href=\"/console/robots?q=%22%3E\""));
    // A form without its token does nothing here either.
    assert_eq!(post(&served, "/console/logout", &[], &[]).await.status(), 403);
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let request = client().post(format!("{}/console/logout", served.control));
        let answer = request.header("content-type", kind).body("csrf=x").send().await.unwrap();
        assert_eq!(answer.status(), 415, "{kind}");
    }
}

/// The CSRF token of forms without a session.
async fn csrf_of_open(served: &Served) -> String {
    let page = get(served, "/console/held", &[]).await.text().await.unwrap();
    match page.contains("name=\"csrf\"") {
        true => csrf(&page),
        false => "none".to_owned(),
    }
}

#[tokio::test]
async fn every_answer_has_the_policy_and_no_page_has_a_script_or_style_in_it() {
    let stage = stage();
    seed(&stage.folder.path().join("qopen-data"), lists_of("r1", 3)).await;
    let served = Served::new(&stage, &[], None);
    let mut all = pages("r1", "r1-1");
    let others =
        ["", "/", "/login", "/nowhere", "/robot?robot_id=unknown", "/robots?page=x", "/robot"];
    all.extend(others.map(|it| format!("/console{it}")));
    let home = get(&served, "/console/robots", &[]).await.text().await.unwrap();
    let assets: Vec<String> = home
        .split(['"'])
        .filter(|it| it.starts_with("/console/assets/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(assets.len(), 3, "{home}");
    for path in all.iter().chain(&assets) {
        let answer = get(&served, path, &[]).await;
        let is_asset = path.contains("/assets/");
        let policy = header(&answer, "content-security-policy");
        for part in
            ["default-src 'none'", "script-src 'self'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "referrer-policy"), "same-origin", "{path}");
        let kept = header(&answer, "cache-control");
        assert_eq!(kept == "no-store", !is_asset, "{path}: {kept}");
        let kind = header(&answer, "content-type").to_owned();
        let text = answer.text().await.unwrap();
        if is_asset || text.is_empty() {
            continue;
        }
        assert_eq!(kind, "text/html; charset=utf-8", "{path}");
        assert!(text.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{path}");
        for (at, _) in text.match_indices("<script") {
            assert!(text[at..].starts_with("<script src=\"/console/assets/"), "{path}");
        }
        for inline in
            ["<style", " style=", "javascript:", " onclick=", " onload=", "http://", "https://"]
        {
            assert!(!text.contains(inline), "{path} has {inline}");
        }
        assert_eq!(text.matches("<h1").count(), 1, "{path}");
    }
    let unknown = get(&served, "/console/assets/style-0000000000000000.css", &[]).await;
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn the_language_is_the_browsers_until_the_reader_chooses() {
    let stage = stage();
    let served = Served::new(&stage, &[], None);
    for (accepted, lang, title) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans", "<title>机器人 · qopen</title>"),
        ("en;q=0.3, zh;q=0.2", "en", "<title>Robots · qopen</title>"),
        ("fr", "en", "<title>Robots · qopen</title>"),
    ] {
        let page = get(&served, "/console/robots", &[("accept-language", accepted)]).await;
        let page = page.text().await.unwrap();
        assert!(page.contains(&format!("<html lang=\"{lang}\">")), "{accepted}");
        assert!(page.contains(title), "{accepted}");
    }
    let chosen = get(&served, "/console/robots?q=a&lang=zh&sort=size", &[]).await;
    assert_eq!(header(&chosen, "location"), "/console/robots?q=a&sort=size");
    let cookie = cookie(&chosen);
    assert_eq!(cookie, "qopen-lang=zh");
    let headers = [("accept-language", "en"), ("cookie", &*cookie)];
    let page = get(&served, "/console/robots", &headers).await.text().await.unwrap();
    assert!(page.contains("<html lang=\"zh-Hans\">"));
    assert!(page.contains("href=\"/console/robots?lang=en\""), "a switch back");
    let unknown = get(&served, "/console/robots?lang=xx", &[]).await;
    assert_eq!(unknown.status(), 200);
}

#[tokio::test]
async fn a_slash_at_the_end_leads_to_the_first_page() {
    let stage = stage();
    let served = Served::new(&stage, &[], None);
    let answer = get(&served, "/console/", &[]).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "location")), (303, "/console/robots"));
    assert_eq!(served.stop().code(), Some(0));
    let served = Served::new(&stage, &[], Some(TOKEN));
    let answer = get(&served, "/console/", &[]).await;
    assert_eq!(header(&answer, "location"), "/console/login?to=%2Fconsole%2F");
}

#[tokio::test]
async fn a_method_that_no_page_takes_is_called_so() {
    let stage = stage();
    let served = Served::new(&stage, &[], None);
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH", "MADE-UP"] {
        let method = method.parse().unwrap();
        let answer = served.ask(method, "/console/robots").await;
        assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, "GET,HEAD"));
        let page = answer.text().await.unwrap();
        assert!(page.contains("This address does not take that request."), "{page}");
    }
    let answer = served.ask(reqwest::Method::HEAD, "/console/robots").await;
    assert_eq!(answer.status(), 200);
}
