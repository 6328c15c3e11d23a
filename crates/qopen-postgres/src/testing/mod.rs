//! A PostgreSQL server for one test: in a temporary folder, on a free port, stopped and removed with the
//! value. It never runs as root.

mod files;
mod pooler;

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::database::Database;
use crate::error::DatabaseError;
pub use files::Certificate;
use files::{unprivileged_user, write_private};
pub use pooler::Pooler;

/// With the value `required`, a missing program fails the test instead of skipping it.
const REQUIRED: &str = "QOPEN_TEST_POSTGRES";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    /// Settings of `postgresql.conf`, each as `name=value`.
    settings: Vec<String>,
    /// The server ran before, so its port is known and must stay.
    started: bool,
    process: Option<Child>,
}

impl Server {
    /// Starts a server. Returns `None`, with a message on standard error, if `initdb` is not installed.
    ///
    /// # Panics
    /// If `initdb` is not installed and the environment has `QOPEN_TEST_POSTGRES=required`, or if the
    /// installed server does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_as(None)
    }

    /// Starts a server with TLS.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with_tls(certificate: Certificate<'_>) -> Option<Self> {
        Self::start_as(Some(certificate))
    }

    #[allow(clippy::panic, reason = "a test fails by panicking")]
    fn start_as(certificate: Option<Certificate<'_>>) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var(REQUIRED).as_deref() != Ok("required"),
                "{REQUIRED} is required, and initdb was not found"
            );
            say("SKIP: initdb not found; what needs PostgreSQL is not tested");
            return None;
        };
        match Self::make(programs, certificate) {
            Ok(server) => Some(server),
            Err(error) => panic!("PostgreSQL cannot be started: {error}"),
        }
    }

    fn make(programs: PathBuf, certificate: Option<Certificate<'_>>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("qopen-postgres-").tempdir()?;
        if let Some((user, group)) = unprivileged_user() {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let settings = Vec::new();
        let mut server =
            Self { folder, programs, port: 0, settings, started: false, process: None };
        if let Some(certificate) = certificate {
            server.set_certificate(certificate)?;
        }
        let mut initdb = server.command("initdb");
        initdb.args(["--username=qopen", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "-D"]).arg(server.data());
        let made = initdb.stdin(Stdio::null()).output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        server.run()?;
        Ok(server)
    }

    fn set_certificate(&mut self, of: Certificate<'_>) -> io::Result<()> {
        self.settings.push("ssl=on".to_owned());
        for (setting, text) in [("ssl_cert_file", of.certificate), ("ssl_key_file", of.key)] {
            let file = self.folder.path().join(setting);
            write_private(&file, text)?;
            self.settings.push(format!("{setting}={}", file.display()));
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of the server, run by a user other than root.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        if let Some((user, group)) = unprivileged_user() {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path());
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
            let log = std::fs::File::options()
                .create(true)
                .append(true)
                .open(self.folder.path().join("log"))?;
            let mut command = self.command("postgres");
            command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
            for setting in [
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "max_connections=300",
                "shared_buffers=128MB",
            ] {
                command.args(["-c", setting]);
            }
            for setting in &self.settings {
                command.args(["-c", setting]);
            }
            let mut process =
                command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
            while Instant::now() < until {
                if process.try_wait()?.is_some() {
                    break;
                }
                if self.answers() {
                    self.process = Some(process);
                    self.started = true;
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            // Another process may have taken the port; before the first start any other is as good.
            process.kill().and_then(|()| process.wait()).map(drop)?;
            if Instant::now() >= until {
                let log = std::fs::read_to_string(self.folder.path().join("log"))?;
                return Err(io::Error::other(log));
            }
            if !self.started {
                self.port = 0;
            }
        }
    }

    fn answers(&self) -> bool {
        let mut ready = self.command("pg_isready");
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "qopen"]);
        match ready.status() {
            Ok(status) => status.success(),
            // The client programs may not be installed.
            Err(_) => std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
        }
    }

    /// Stops the server at once, without a checkpoint. The next [`run`](Self::run) recovers what was
    /// committed.
    ///
    /// # Errors
    /// An I/O error, if the server cannot be signalled.
    pub fn stop(&mut self) -> io::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::QUIT)?;
        }
        process.wait().map(drop)
    }

    /// The folder of the server's programs.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// A client program of the server for one of its databases, such as `pg_dump`. Returns `None`, with a message on
    /// standard error, if it is not installed.
    ///
    /// # Panics
    /// If it is not installed and the environment has `QOPEN_TEST_POSTGRES=required`.
    #[must_use]
    pub fn client(&self, program: &str, database: &str) -> Option<Command> {
        let path = self.programs.join(program);
        if !path.is_file() {
            let is_required = std::env::var(REQUIRED).as_deref() == Ok("required");
            assert!(!is_required, "{REQUIRED} is required, and {program} was not found");
            say(&format!("SKIP: {program} not found; what needs it is not tested"));
            return None;
        }
        let mut command = Command::new(path);
        command.args(["-h", "127.0.0.1", "-U", "qopen", "-d", database]);
        command.args(["-p", &self.port.to_string()]).stdin(Stdio::null());
        Some(command)
    }

    /// The URL of the server's first database.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of a database that [`create`](Self::create) made.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://qopen@127.0.0.1:{}/{database}", self.port)
    }

    /// Sets the rules of `pg_hba.conf`. The server reads them soon after.
    ///
    /// # Errors
    /// [`DatabaseError`], if the file cannot be written or the server does not answer.
    pub async fn let_in(&self, rules: &str) -> Result<(), DatabaseError> {
        let client = Database::new(&self.url())?.connect(None).await?;
        let written = std::fs::write(self.data().join("pg_hba.conf"), rules);
        written.map_err(|error| DatabaseError::Url(error.to_string()))?;
        client.batch_execute("SELECT pg_reload_conf()").await.map_err(DatabaseError::of)?;
        Ok(())
    }

    /// Starts a pgbouncer in front of the server, with that `pool_mode`. Returns `None`, with a message on
    /// standard error, if it is not installed.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn pooler(&self, pool_mode: &str) -> Option<Pooler> {
        self.pooler_as(pool_mode, None)
    }

    /// As [`pooler`](Self::pooler), with TLS, which the pooler requires.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn pooler_with_tls(&self, pool_mode: &str, of: Certificate<'_>) -> Option<Pooler> {
        self.pooler_as(pool_mode, Some(of))
    }

    #[allow(clippy::panic, reason = "a test fails by panicking")]
    fn pooler_as(&self, pool_mode: &str, certificate: Option<Certificate<'_>>) -> Option<Pooler> {
        let places = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
        let program = places.iter().map(|it| Path::new(it).join("pgbouncer"));
        let Some(program) = program.into_iter().find(|it| it.is_file()) else {
            assert!(
                std::env::var(REQUIRED).as_deref() != Ok("required"),
                "{REQUIRED} is required, and pgbouncer was not found"
            );
            say("SKIP: pgbouncer not found; what needs it is not tested");
            return None;
        };
        match Pooler::start(&program, self.port, pool_mode, certificate) {
            Ok(pooler) => Some(pooler),
            Err(error) => panic!("pgbouncer cannot be started: {error}"),
        }
    }

    /// Creates a database, and returns its URL.
    ///
    /// # Errors
    /// [`DatabaseError`], if it cannot be created.
    pub async fn create(&self, database: &str) -> Result<String, DatabaseError> {
        let client = Database::new(&self.url())?.connect(None).await?;
        client
            .batch_execute(&format!("CREATE DATABASE {database}"))
            .await
            .map_err(DatabaseError::of)?;
        Ok(self.url_of(database))
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

/// The folder of the server's programs, the latest version first.
fn programs() -> Option<PathBuf> {
    let version = |path: &Path| -> u32 {
        let name = path.parent().and_then(Path::file_name).and_then(|it| it.to_str());
        name.and_then(|it| it.parse().ok()).unwrap_or(0)
    };
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|it| it.path().join("bin")).collect();
    folders.sort_by_key(|it| std::cmp::Reverse(version(it)));
    folders.extend(["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|it| it.join("initdb").is_file() && it.join("postgres").is_file())
}
