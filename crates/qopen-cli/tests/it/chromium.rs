//! Chromium, driven over the pipe of its DevTools protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Killed, installed};

pub(crate) const VARIABLE: &str = "QOPEN_TEST_CHROMIUM";

/// Time limit for one answer, and for what a page does by itself.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser with one page.
pub(crate) struct Chromium {
    commands: ChildStdin,
    answers: Receiver<Value>,
    session: String,
    last: u64,
    _process: Killed,
    _profile: TempDir,
}

impl Chromium {
    /// Starts a browser with this `Accept-Language`. `None` if none is installed, which standard error says.
    pub(crate) fn launch(language: &str) -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let program = installed(&names, VARIABLE)?;
        let profile = tempfile::tempdir().unwrap();
        // The pipe is at the descriptors 3 and 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>&2"]).arg(program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args(["--no-first-run", "--no-proxy-server", "--remote-debugging-pipe"]);
        // The same letter is the same picture everywhere.
        command.args(["--disable-lcd-text", "--disable-font-subpixel-positioning"]);
        command.arg("--hide-scrollbars");
        command.arg(format!("--accept-lang={language}"));
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Killed(command.spawn().unwrap());
        let commands = process.0.stdin.take().unwrap();
        let mut output = BufReader::new(process.0.stdout.take().unwrap());
        let (say, answers) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                if say.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let session = String::new();
        let (_process, _profile) = (process, profile);
        let mut browser = Self { commands, answers, session, last: 0, _process, _profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).unwrap();
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).unwrap();
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        browser.call("Page.enable", json!({})).unwrap();
        Some(browser)
    }

    /// Calls a method, and returns its result or its error.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.answers.recv_timeout(PATIENCE);
            let answer = answer.unwrap_or_else(|_| panic!("the browser does not answer {method}"));
            if answer["id"] == self.last {
                return match answer.get("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    /// Evaluates an expression in the page, and returns its value. Fails while the page is replaced.
    fn try_eval(&mut self, script: &str) -> Result<Value, Value> {
        let expression =
            json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", expression)?;
        match answer.get("exceptionDetails") {
            Some(thrown) => Err(thrown.clone()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Evaluates an expression in the page.
    pub(crate) fn eval(&mut self, script: &str) -> Value {
        self.try_eval(script).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an expression has a value other than `false`, `null` and `""`, and returns the value.
    pub(crate) fn until(&mut self, script: &str) -> Value {
        let began = Instant::now();
        loop {
            match self.try_eval(script) {
                Ok(Value::Null | Value::Bool(false)) | Err(_) => {}
                Ok(Value::String(text)) if text.is_empty() => {}
                Ok(value) => return value,
            }
            if began.elapsed() > PATIENCE {
                let page = self.eval("location.href + '\\n' + document.body.innerText");
                panic!("{script} has no value at {}", page.as_str().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url })).unwrap();
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        self.loaded();
    }

    fn loaded(&mut self) {
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Clicks an element, as a person does.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = format!(
            "(() => {{ const it = document.querySelector('{selector}'); if (!it) return null;
              it.scrollIntoView({{ block: 'center' }}); const box = it.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let at = self.until(&place);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1
            });
            self.call("Input.dispatchMouseEvent", event).unwrap();
        }
    }

    /// Clicks an element that leads to a page with this path, and waits for the page.
    pub(crate) fn follow(&mut self, selector: &str, path: &str) {
        self.eval("window.left = true");
        self.click(selector);
        self.until(&format!("!window.left && location.pathname === '{path}'"));
        self.loaded();
    }

    /// Returns the text of an element as a person sees it.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.until(&format!("document.querySelector('{selector}')?.innerText"));
        text.as_str().unwrap().to_owned()
    }
}
