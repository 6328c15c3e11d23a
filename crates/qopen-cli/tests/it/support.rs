//! Running the binary, and making its words the same on every machine.

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use qopen_simulator::Schedule;
use tempfile::TempDir;

/// Settings that the simulator and the puller share.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("QOPEN_APP_KEY", "app"),
    ("QOPEN_APP_SECRET", "canary-app-secret"),
    ("QOPEN_CALLBACK_TOKEN", "canary-callback-token"),
    ("QOPEN_ENCODING_AES_KEY", "canary-aes-key-of-32-bytes-00000"),
];

/// The binary in a folder of its own, with no settings but those given.
pub(crate) fn qopen(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("qopen"));
    for (name, _) in std::env::vars() {
        if name.starts_with("QOPEN_") || name.to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    // Every message is English, unless a test asks for another language.
    command.env("LC_ALL", "C");
    command.current_dir(folder).args(arguments).env("COLUMNS", "100").stdin(Stdio::null());
    command
}

pub(crate) fn with_settings(mut command: Command) -> Command {
    command.envs(SETTINGS);
    command
}

/// The same command under a limit of the shell's `ulimit`.
#[cfg(unix)]
pub(crate) fn limited(limit: &str, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What is different each time, replaced.
pub(crate) fn steady(text: &str, folder: &Path) -> String {
    let folder = std::fs::canonicalize(folder).unwrap();
    let mut out = String::new();
    for line in text.replace(&*folder.to_string_lossy(), "FOLDER").lines() {
        let mut words = Vec::new();
        let all: Vec<&str> = line.split(' ').collect();
        for (at, word) in all.iter().enumerate() {
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let seconds = all.get(at + 1).is_some_and(|next| {
                *next == "s" || next.starts_with("s,") || next.starts_with("秒")
            });
            let is_of_uuid = |it: u8| it.is_ascii_hexdigit() || it == b'-';
            let uuid = bare.len() == 36 && bare.bytes().all(is_of_uuid);
            match word {
                // The time with which the lines of a service begin.
                word if at == 0 && word.parse::<jiff::Timestamp>().is_ok() => {}
                word if uuid => words.push(word.replace(bare, "MARK")),
                _ if seconds && word.parse::<f64>().is_ok() => words.push("N".into()),
                word => words.push((*word).to_owned()),
            }
        }
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    out
}

pub(crate) fn free_port() -> u16 {
    // Below the ports of outgoing connections, of which one may take a port before the binary does.
    const PORTS: std::ops::Range<u32> = 10_000..16_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + number % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A simulator process and the folder of a puller.
pub(crate) struct Stage {
    pub folder: TempDir,
    pub listen: String,
    pub base_url: String,
    simulator: Child,
}

impl Stage {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let schedule = serde_json::to_string(schedule).unwrap();
        let callback = format!("http://{listen}/callback");
        let arguments = [
            "simulate",
            "--on",
            "127.0.0.1:0",
            "--callback-url",
            &callback,
            "--schedule",
            &schedule,
        ];
        let mut command = with_settings(qopen(folder.path(), &arguments));
        let mut simulator = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(simulator.stderr.take().unwrap()).lines();
        let base_url = loop {
            let line = lines.next().expect("the simulator says where it is").unwrap();
            if let Some((_, url)) = line.split_once("QOPEN_BASE_URL=") {
                break url.to_owned();
            }
        };
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { folder, listen, base_url, simulator }
    }

    /// `qopen pull` of robot r1 into `list`, with times for a test.
    pub(crate) fn pull(&self, arguments: &[&str]) -> Command {
        let mut all = Vec::new();
        for default in [["--settle", "1s"], ["--idle-timeout", "4s"]] {
            if !arguments.contains(&default[0]) {
                all.extend(default);
            }
        }
        all.extend(arguments);
        self.verb("pull", &all)
    }

    /// A verb that sends requests and listens for callbacks.
    pub(crate) fn verb(&self, verb: &str, arguments: &[&str]) -> Command {
        let all = [&[verb], arguments].concat();
        let mut command = with_settings(qopen(self.folder.path(), &all));
        command.env("QOPEN_LISTEN", &self.listen).env("QOPEN_BASE_URL", &self.base_url);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.pull(arguments).output().unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.simulator.kill();
        let _ = self.simulator.wait();
    }
}

/// The ids in a list in JSON Lines or CSV.
pub(crate) fn ids(list: &str) -> Vec<String> {
    if !list.is_empty() && !list.starts_with('{') {
        let rows = csv::Reader::from_reader(list.as_bytes()).into_records();
        return rows.map(|row| row.unwrap()[1].to_owned()).collect();
    }
    let id = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["account_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    list.lines().map(id).collect()
}

/// An installed program by one of its names. Without one, the test is skipped, which standard error says,
/// unless the variable is `required`.
pub(crate) fn installed(names: &[&str], variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = names.iter().flat_map(|name| folders.iter().map(move |it| it.join(name)));
    if let Some(program) = found.into_iter().find(|it| it.is_file()) {
        return Some(program);
    }
    let is_required = std::env::var(variable).as_deref() == Ok("required");
    assert!(!is_required, "{variable} is required, and none of {names:?} was found");
    // Past the harness, which keeps what a passing test prints.
    let skip =
        format!("SKIP: none of {names:?} was found; {variable}=required makes that an error\n");
    std::io::stderr().write_all(skip.as_bytes()).unwrap();
    None
}

/// A Python that has the module. Without one, the test is skipped as [`installed`] does.
pub(crate) fn python_with(module: &str, variable: &str) -> Option<PathBuf> {
    let python = installed(&["python3"], variable)?;
    let imported =
        Command::new(&python).args(["-c", &format!("import {module}")]).output().unwrap();
    if imported.status.success() {
        return Some(python);
    }
    let is_required = std::env::var(variable).as_deref() == Ok("required");
    assert!(!is_required, "{variable} is required: {}", text(&imported.stderr));
    let skip = format!("SKIP: python3 has no {module}; {variable}=required makes that an error\n");
    std::io::stderr().write_all(skip.as_bytes()).unwrap();
    None
}

/// What a script beside the tests prints of a file, as JSON.
pub(crate) fn python_reads(python: &Path, script: &str, file: &Path) -> serde_json::Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(script);
    let output = Command::new(python).arg(script).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A process that ends with the test.
pub(crate) struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
