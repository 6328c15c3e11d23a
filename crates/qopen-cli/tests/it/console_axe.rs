//! The console for people who cannot see it, use no mouse, or have a small window.

use std::io::Write as _;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::chromium::Chromium;
use crate::console_screens::{Look, Show, look_at};

/// The variable that says whether axe is required, and the one with the path of `axe.min.js`.
const VARIABLE: &str = "QOPEN_TEST_AXE";
const PATH: &str = "QOPEN_TEST_AXE_PATH";

/// The script of axe. Without it the test is skipped, which standard error says.
fn axe() -> Option<String> {
    let found = std::env::var_os(PATH).map(std::fs::read_to_string);
    match found {
        Some(Ok(script)) => Some(script),
        found => {
            let is_required = std::env::var(VARIABLE).as_deref() == Ok("required");
            assert!(!is_required, "{VARIABLE} is required, and {PATH} has no script: {found:?}");
            let skip = format!(
                "SKIP: {PATH} names no axe.min.js; {VARIABLE}=required makes that an error\n"
            );
            std::io::stderr().write_all(skip.as_bytes()).unwrap();
            None
        }
    }
}

const LOOKS: [Look; 4] = [
    Look { language: "en", scheme: "light", width: 1100 },
    Look { language: "zh", scheme: "dark", width: 1100 },
    Look { language: "en", scheme: "dark", width: 360 },
    Look { language: "zh", scheme: "light", width: 360 },
];

/// What axe calls serious or critical, with the elements.
const SERIOUS: &str = "axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations
    .filter(it => ['serious', 'critical'].includes(it.impact))
    .map(it => `${it.id}: ${it.help}: ${it.nodes.map(node => node.html + ' ' + node.failureSummary).join(' | ')}`))";

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_serious_on_any_page() {
    let Some(axe) = axe() else { return };
    let Some(mut browser) = Chromium::launch("en") else { return };
    let show = Show::new().await;
    block_in_place(|| {
        // What axe finds on a bad page shows that it looks.
        browser.open(&format!("{}/console/robots", show.served.control));
        browser.eval(&axe);
        browser
            .eval("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\"><input>')");
        assert!(browser.eval(SERIOUS).as_array().is_some_and(|it| it.len() >= 2));
        let mut wrong = Vec::new();
        for (name, url) in show.pages() {
            for look in LOOKS {
                look_at(&mut browser, &url, look);
                browser.eval(&axe);
                let found = browser.eval(SERIOUS);
                wrong.extend(
                    found.as_array().unwrap().iter().map(|it| format!("{name} {look:?}: {it}")),
                );
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_a_small_window_and_a_keyboard_reaches_their_content() {
    let Some(mut browser) = Chromium::launch("en") else { return };
    let show = Show::new().await;
    block_in_place(|| {
        for (name, url) in show.pages() {
            for look in LOOKS {
                look_at(&mut browser, &url, look);
                let width = browser.eval("document.documentElement.scrollWidth").as_u64().unwrap();
                assert!(width <= u64::from(look.width), "{name} is {width} pixels wide: {look:?}");
                let dark = browser.eval("getComputedStyle(document.body).backgroundColor");
                assert_eq!(dark == "rgb(17, 23, 28)", look.scheme == "dark", "{name}: {dark}");
                let lang = browser.eval("document.documentElement.lang");
                assert!(lang.as_str().unwrap().starts_with(look.language), "{name}: {lang}");
            }
            // The login puts the focus into its field, so that a person may type at once.
            if name == "login" {
                assert_eq!(browser.eval("document.activeElement.id"), "token");
                continue;
            }
            press(&mut browser, "Tab", 9);
            assert_eq!(browser.eval("document.activeElement.className"), "skip", "{name}");
            let shown = browser.eval("document.activeElement.getBoundingClientRect().left >= 0");
            assert_eq!(shown, true, "{name}: the link is seen when it has the focus");
            press(&mut browser, "Enter", 13);
            browser.until("location.hash === '#main' && document.activeElement.id === 'main'");
        }
    });
}

fn press(browser: &mut Chromium, key: &str, code: u32) {
    let text: Value = if key == "Enter" { "\r".into() } else { Value::Null };
    for kind in ["keyDown", "keyUp"] {
        let mut event =
            json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
        if kind == "keyDown" && text.is_string() {
            event["text"] = text.clone();
        }
        browser.call("Input.dispatchKeyEvent", event).unwrap();
    }
}
