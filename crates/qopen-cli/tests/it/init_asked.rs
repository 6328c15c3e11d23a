//! `qopen init` at a terminal, which `script` makes.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use qopen_simulator::{Schedule, SimulatedRobot};

use crate::support::{SETTINGS, Stage, qopen, steady, text};
use crate::switches::is_usable;

/// What the terminal shows.
#[derive(Default)]
struct Shown {
    text: String,
    has_ended: bool,
}

/// A command at a terminal: what it shows, and what is typed.
struct Session {
    child: Child,
    typed: ChildStdin,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    /// How much of it was read.
    read: usize,
}

impl Session {
    /// Begins `qopen init`. `None` where there is no `script`.
    fn begin(stage: &Stage, arguments: &str) -> Option<Self> {
        if !is_usable("script", &["-qec", "stty size", "/dev/null"], "QOPEN_TEST_TERMINAL") {
            return None;
        }
        let init = qopen(stage.folder.path(), &[]);
        let program = init.get_program().to_string_lossy();
        // Ctrl-C reaches the shell, too, which must outlive the command. It shows whether the terminal shows again
        // what is typed.
        let shell = format!(
            "trap : INT; stty cols 100 rows 24; {program} init {arguments}; echo exit $?; stty -a | tr ' ' '\\n' | grep -x echo"
        );
        let mut script = Command::new("script");
        script.args(["-qec", &shell, "/dev/null"]).current_dir(stage.folder.path());
        for (name, value) in init.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.env_remove("COLUMNS").env("TERM", "xterm").env("SHELL", "/bin/sh");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = script.spawn().unwrap();
        let typed = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let shown = Arc::<(Mutex<Shown>, Condvar)>::default();
        let writing = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(read) = output.read(&mut buffer) {
                if read == 0 {
                    break;
                }
                bytes.extend_from_slice(&buffer[..read]);
                writing.0.lock().unwrap().text = String::from_utf8_lossy(&bytes).replace('\r', "");
                writing.1.notify_all();
            }
            writing.0.lock().unwrap().has_ended = true;
            writing.1.notify_all();
        });
        Some(Self { child, typed, shown, read: 0 })
    }

    /// Waits until the terminal shows a text after the one of the last question.
    fn until(&mut self, part: &str) {
        let (shown, changed) = &*self.shown;
        let read = self.read;
        let found = |text: &String| text[read..].find(part).map(|at| read + at + part.len());
        let guard = shown.lock().unwrap();
        let wait = |it: &mut Shown| found(&it.text).is_none() && !it.has_ended;
        let (it, _) = changed.wait_timeout_while(guard, Duration::from_secs(60), wait).unwrap();
        self.read =
            found(&it.text).unwrap_or_else(|| panic!("no {part:?} in {}", &it.text[read..]));
    }

    /// Types a line as soon as the question is shown.
    fn answer(&mut self, question: &str, line: &str) {
        self.until(question);
        self.press(&format!("{line}\n"));
    }

    fn press(&mut self, keys: &str) {
        self.typed.write_all(keys.as_bytes()).unwrap();
        self.typed.flush().unwrap();
    }

    /// Ends the session with this exit code, with a terminal that shows what is typed.
    fn end(mut self, exit: i32) -> String {
        self.until(&format!("exit {exit}\n"));
        self.until("echo\n");
        assert!(self.child.wait().unwrap().success());
        let shown = self.shown.0.lock().unwrap().text.clone();
        assert!(!shown.contains("canary"), "{shown}");
        shown
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stage() -> Stage {
    let robot = |(id, name): (&str, &str)| SimulatedRobot::host(id.parse().unwrap(), name);
    let robots = [("r1", "客服小王"), ("r2", "odd\u{1b}]0;title\u{7}\r\nname")].map(robot).into();
    Stage::new(&Schedule { accounts: 30, robots, ..Schedule::default() })
}

fn is_empty(stage: &Stage) -> bool {
    std::fs::read_dir(stage.folder.path()).unwrap().count() == 0
}

#[test]
fn a_person_is_asked_until_each_answer_can_be_used() {
    let stage = stage();
    let Some(mut session) = Session::begin(&stage, "") else { return };
    let [key, secret, token, aes] = SETTINGS.map(|it| it.1);
    session.answer("platform base URL", "gateway.example");
    session.answer("platform base URL, the host", &stage.base_url);
    session.answer("app key, from the platform's console: ", key);
    session.answer("app secret (not shown): ", "");
    session.answer("app secret (not shown): ", secret);
    session.until("access token: the platform issued one");
    session.answer("its number or id, or Enter for all: ", "3");
    session.answer("its number or id, or Enter for all: ", "2");
    session.answer("callback token (not shown): ", token);
    session.answer("EncodingAESKey (not shown): ", "canary-short");
    session.answer("EncodingAESKey (not shown): ", aes);
    session.answer("public callback URL, or Enter for none yet: ", "https://app.example/a?b");
    session.answer("public callback URL, or Enter for none yet: ", "https://app.example/qopen");
    session.answer("callback listener [127.0.0.1:8080]: ", &stage.listen);
    session.answer("a database [customers.jsonl]: ", "no/folder/list.jsonl");
    session.answer("a database [customers.jsonl]: ", "");
    session.answer("in PostgreSQL [qopen-data]: ", "");
    let shown = session.end(0);
    let port = stage.listen.split_once(':').unwrap().1;
    let shown = shown.replace(&stage.base_url, "BASE-URL").replace(port, "PORT");
    insta::assert_snapshot!("init_asks", steady(&shown, stage.folder.path()));
    let pull = ["pull", "--robot", "r2", "--out", "customers.jsonl", "--settle", "1s"];
    // The simulator has no proxy before it, and knows another path.
    let mut pull = qopen(stage.folder.path(), &pull);
    let pulled = pull.env("QOPEN_CALLBACK_PATH", "/callback").output().unwrap();
    assert_eq!(pulled.status.code(), Some(0), "{}", text(&pulled.stderr));
    assert!(stage.read("qopen.toml").contains("\ncallback_path = \"/qopen\"\n"));
}

#[test]
fn an_end_in_the_middle_leaves_nothing_behind() {
    let stage = stage();
    // End of input at a question, and Ctrl-C at a hidden one.
    let Some(mut session) = Session::begin(&stage, "") else { return };
    session.answer("platform base URL", &stage.base_url);
    session.until("app key");
    session.press("\u{4}");
    session.until("the input ended before all questions were answered; nothing was written");
    session.end(2);
    assert!(is_empty(&stage));
    let given = format!("--base-url {} --app-key app", stage.base_url);
    let mut session = Session::begin(&stage, &given).unwrap();
    session.until("app secret (not shown): ");
    session.press("can\u{3}");
    session.until("nothing was written");
    session.end(130);
    assert!(is_empty(&stage));
    // A refusal comes before the other questions.
    let mut session = Session::begin(&stage, &given).unwrap();
    session.answer("app secret (not shown): ", "canary-of-another-app");
    session.until("refused the app key or secret");
    session.until("nothing was written");
    session.end(5);
    assert!(is_empty(&stage));
    // A terminal that is not asked.
    let mut session = Session::begin(&stage, &format!("{given} --no-input")).unwrap();
    session.until("3 settings are missing");
    session.end(2);
    assert!(is_empty(&stage));
}
