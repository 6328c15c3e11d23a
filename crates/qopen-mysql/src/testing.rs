//! A MySQL or MariaDB server for one test: in a temporary folder, on a free port, stopped and removed with the value. It
//! never runs as root.

use std::fmt;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Row, Value};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::blocking::on_a_runtime;
use crate::error::failed;
use crate::server::{Server as Database, end};

/// With the value `required`, a missing program fails the test instead of skipping it.
const REQUIRED: &str = "QOPEN_TEST_MYSQL";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of a user who may do everything, and the name of the first database.
const USER: &str = "qopen";

/// The password of the user.
const PASSWORD: &str = "for tests";

/// A running server.
pub struct Server {
    folder: TempDir,
    program: PathBuf,
    settings: Vec<String>,
    port: u16,
    /// The server ran before, so its port is known and must stay.
    started: bool,
    process: Option<Child>,
}

impl Server {
    /// Starts a server. Returns `None`, with a message on standard error, if no server is installed.
    ///
    /// # Panics
    /// If no server is installed and the environment has `QOPEN_TEST_MYSQL=required`, or if the installed server does
    /// not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts a server with these settings, such as `--max-allowed-packet=1M`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[allow(clippy::panic, reason = "a test fails by panicking")]
    #[must_use]
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        let Some(program) = program(&["mariadbd", "mysqld"]) else {
            assert!(
                std::env::var(REQUIRED).as_deref() != Ok("required"),
                "{REQUIRED} is required, and neither mariadbd nor mysqld was found"
            );
            say("SKIP: neither mariadbd nor mysqld found; what needs MySQL is not tested");
            return None;
        };
        match Self::make(program, settings) {
            Ok(server) => Some(server),
            Err(error) => panic!("the server cannot be started: {error}"),
        }
    }

    fn make(program: PathBuf, settings: &[&str]) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("qopen-mysql-").tempdir()?;
        let settings = settings.iter().map(|it| (*it).to_owned()).collect();
        let mut server = Self { folder, program, settings, port: 0, started: false, process: None };
        let users = format!(
            "CREATE DATABASE {USER};\n\
             CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n"
        );
        std::fs::write(server.path("users.sql"), users)?;
        if let Some((user, group)) = unprivileged_user() {
            chown(server.folder.path(), Some(user), Some(group))?;
            chown(server.path("users.sql"), Some(user), Some(group))?;
        }
        // MariaDB has a program of its own for new folders.
        let mut create = match program_beside(&server.program, "mariadb-install-db") {
            Some(create) => {
                let mut create = server.command(&create);
                create.args(["--auth-root-authentication-method=socket", "--skip-test-db"]);
                create
            }
            None => {
                let mut create = server.command(&server.program);
                create.arg("--initialize-insecure");
                create
            }
        };
        create.arg(format!("--datadir={}", server.path("data").display()));
        let made = create.stdin(Stdio::null()).output()?;
        if !made.status.success() {
            let [out, err] = [&made.stdout, &made.stderr].map(|it| String::from_utf8_lossy(it));
            return Err(io::Error::other(format!("{out}{err}")));
        }
        server.run()?;
        Ok(server)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program, run by a user other than root, without the settings of this machine.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = unprivileged_user() {
            command.uid(user).gid(group);
        }
        command.arg("--no-defaults").current_dir(self.folder.path());
        // Servers name their temporary tables by their process number, which two containers may share.
        command.env("TMPDIR", self.folder.path());
        command
    }

    /// Starts the server, also after [`stop`](Self::stop), and waits until it answers.
    ///
    /// # Errors
    /// An I/O error, if it does not answer within 60 s.
    pub fn run(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.port == 0 {
                self.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            }
            let log = std::fs::File::options().create(true).append(true).open(self.path("log"))?;
            let mut command = self.command(&self.program);
            for (name, value) in [
                ("datadir", self.path("data").display().to_string()),
                ("socket", self.socket().display().to_string()),
                ("pid-file", self.path("pid").display().to_string()),
                ("port", self.port.to_string()),
                ("bind-address", "127.0.0.1".to_owned()),
                ("max-connections", "300".to_owned()),
                // A commit survives the end of the process, which tests bring about, and not the end of the machine.
                ("innodb-flush-log-at-trx-commit", "2".to_owned()),
            ] {
                command.arg(format!("--{name}={value}"));
            }
            if !self.started {
                command.arg(format!("--init-file={}", self.path("users.sql").display()));
            }
            command.args(&self.settings);
            let mut process =
                command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
            while Instant::now() < until && process.try_wait()?.is_none() {
                // The port is opened after the users are made.
                if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                    self.process = Some(process);
                    self.started = true;
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            // Another process may have taken the port; before the first start any other is as good.
            process.kill().and_then(|()| process.wait()).map(drop)?;
            if Instant::now() >= until {
                return Err(io::Error::other(std::fs::read_to_string(self.path("log"))?));
            }
            if !self.started {
                self.port = 0;
            }
        }
    }

    /// Kills the server. The next [`run`](Self::run) recovers what was committed.
    ///
    /// # Errors
    /// An I/O error, if the server cannot be signalled.
    pub fn stop(&mut self) -> io::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::KILL)?;
        }
        process.wait().map(drop)
    }

    /// The path of the server's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    /// The port of the server on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of the user.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Runs a query in the first database, and returns the rows as texts, `NULL` for null.
    ///
    /// # Panics
    /// If the server refuses the query.
    #[allow(clippy::panic, reason = "a test fails by panicking")]
    #[must_use]
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let asked = on_a_runtime(async || {
            let mut connection = Database::new(&self.url())?.connect().await?;
            let rows: Vec<Row> = connection.query(sql).await.map_err(failed)?;
            end(connection).await;
            Ok(rows)
        });
        let text = |value: Value| match value {
            Value::NULL => "NULL".to_owned(),
            Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => format!("{other:?}"),
        };
        let row = |row: Row| row.unwrap().into_iter().map(text).collect();
        match asked {
            Ok(rows) => rows.into_iter().map(row).collect(),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// The URL of the server's first database, `qopen`, with the password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// The URL of a database, with the password.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("mysql://{USER}:{password}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder goes too.
        let _ = self.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("port", &self.port).finish_non_exhaustive()
    }
}

#[allow(clippy::print_stderr, reason = "it is meant to be seen")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// The first of these programs that is installed.
fn program(names: &[&str]) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/bin",
        "/usr/local/bin",
        "/usr/local/mysql/bin",
        "/opt/homebrew/bin",
    ]
    .map(PathBuf::from)
    .into();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let in_folders = |name: &&str| folders.iter().map(|it| it.join(name)).find(|it| it.is_file());
    names.iter().find_map(in_folders)
}

/// A program of the same installation, if the server is MariaDB's.
fn program_beside(server: &Path, name: &str) -> Option<PathBuf> {
    let is_mariadb = server.file_name().is_some_and(|it| it == "mariadbd");
    is_mariadb.then(|| program(&[name])).flatten()
}

/// User and group of the server, if this process is root's.
fn unprivileged_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["mysql", "nobody"].into_iter().find_map(|name| {
        let line = users.lines().find(|it| it.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
