//! Messages to the supervisor of the process: the protocol of systemd's `Type=notify`.

use std::ffi::OsString;
use std::io;

use crate::exit::chained;
use crate::lang::Text;
use crate::say::say;

/// The socket that `NOTIFY_SOCKET` names. Without one every message is skipped.
#[derive(Clone, Debug)]
pub(super) struct Supervisor(Option<OsString>);

impl Supervisor {
    pub(super) fn of_environment() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET").filter(|it| !it.is_empty()))
    }

    /// The service listens, or has reloaded.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The service reloads. [`Supervisor::ready`] ends it.
    pub(super) fn reloading(&self) {
        if self.0.is_some() {
            self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()));
        }
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Sends a message. A failure changes nothing about the service, and is logged.
    fn tell(&self, state: &str) {
        let Some(socket) = &self.0 else { return };
        if let Err(error) = send(socket, state.as_bytes()) {
            let what = Text::new(
                "the supervisor at NOTIFY_SOCKET cannot be told",
                "无法通知 NOTIFY_SOCKET 上的进程管理器",
            );
            say!("qopen: {}", chained(what, &error).shown());
        }
    }
}

/// The time of the clock with which the supervisor compares a reload, in microseconds.
#[cfg(unix)]
fn monotonic_micros() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

#[cfg(not(unix))]
fn monotonic_micros() -> i64 {
    0
}

#[cfg(unix)]
fn send(socket: &std::ffi::OsStr, state: &[u8]) -> io::Result<()> {
    use std::os::unix::net::UnixDatagram;

    /// Time limit for a supervisor that reads nothing.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

    let datagram = UnixDatagram::unbound()?;
    datagram.set_write_timeout(Some(PATIENCE))?;
    let sent = match socket.as_encoded_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            datagram.send_to_addr(state, &address)?
        }
        [b'/', ..] => datagram.send_to(state, socket)?,
        _ => {
            let why = "it is neither a path nor an abstract name";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    };
    if sent == state.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

#[cfg(not(unix))]
fn send(_: &std::ffi::OsStr, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
