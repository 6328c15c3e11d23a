//! A pgbouncer in front of a server.

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::files::{Certificate, unprivileged_user, write_private};

/// How long a pooler may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running pgbouncer.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl Pooler {
    pub(super) fn start(
        program: &Path,
        server_port: u16,
        pool_mode: &str,
        certificate: Option<Certificate<'_>>,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("qopen-pgbouncer-").tempdir()?;
        let settings = folder.path().join("pgbouncer.ini");
        let mut tls = String::new();
        if let Some(of) = certificate {
            tls.push_str("client_tls_sslmode=require\n");
            for (setting, text) in [("cert", of.certificate), ("key", of.key)] {
                let file = folder.path().join(setting);
                write_private(&file, text)?;
                tls.push_str(&format!("client_tls_{setting}_file={}\n", file.display()));
            }
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let text = format!(
                "[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\nlisten_addr=127.0.0.1\n\
                 listen_port={port}\nunix_socket_dir=\nauth_type=any\npool_mode={pool_mode}\n{tls}\
                 [databases]\npostgres = host=127.0.0.1 port={server_port} user=qopen\n"
            );
            std::fs::write(&settings, text)?;
            let mut command = Command::new(program);
            if let Some((user, group)) = unprivileged_user() {
                chown(folder.path(), Some(user), Some(group))?;
                chown(&settings, Some(user), Some(group))?;
                command.uid(user).gid(group);
            }
            let log = std::fs::File::options()
                .create(true)
                .append(true)
                .open(folder.path().join("log"))?;
            command.arg(&settings).current_dir(folder.path()).stdin(Stdio::null());
            let mut process = command.stdout(log.try_clone()?).stderr(log).spawn()?;
            while Instant::now() < until && process.try_wait()?.is_none() {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Ok(Self { port, process, _folder: folder });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            process.kill().and_then(|()| process.wait()).map(drop)?;
            if Instant::now() >= until {
                let log = std::fs::read_to_string(folder.path().join("log"))?;
                return Err(io::Error::other(log));
            }
        }
    }

    /// The URL of the server's first database through the pooler.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://qopen@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // The folder goes too.
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
