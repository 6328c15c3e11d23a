//! What `qopen serve` tells the supervisor that started it.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use qopen_simulator::Schedule;
use tokio::net::TcpStream;

use crate::served::Served;
use crate::support::Stage;

/// The supervisor's end of the socket.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn at(socket: &Path) -> Self {
        let socket = UnixDatagram::bind(socket).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(socket)
    }

    fn heard(&self) -> String {
        let mut message = [0; 512];
        let length = self.0.recv(&mut message).expect("a message");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    fn has_nothing(&self) {
        self.0.set_nonblocking(true).unwrap();
        assert_eq!(self.0.recv(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        self.0.set_nonblocking(false).unwrap();
    }

    /// Hears of a reload from its begin to its end.
    fn hears_of_a_reload(&self) -> i64 {
        let reloading = self.heard();
        let began = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
        assert_eq!(self.heard(), "READY=1");
        began.parse().unwrap()
    }
}

#[tokio::test]
async fn a_supervisor_hears_of_start_reload_and_stop() {
    let stage = Stage::new(&Schedule::default());
    let socket = stage.folder.path().join("notify");
    let supervisor = Supervisor::at(&socket);
    let mut command = Served::command(&stage, &[]);
    command.env("NOTIFY_SOCKET", &socket);
    let served = Served::spawn(command);
    assert_eq!(supervisor.heard(), "READY=1");
    // Ready is not earlier than both listeners.
    TcpStream::connect(&stage.listen).await.unwrap();
    assert_eq!(served.get("/readyz").await.status(), 200);
    supervisor.has_nothing();

    served.signal("HUP");
    let first = supervisor.hears_of_a_reload();
    served.until_it_says(1, "were read again").await;
    // A reload that fails is over, too.
    std::fs::write(stage.folder.path().join("qopen.toml"), "callback_token = \n").unwrap();
    served.signal("HUP");
    let second = supervisor.hears_of_a_reload();
    served.until_it_says(1, "reload failed").await;
    assert!(0 < first && first < second, "{first} {second}");
    supervisor.has_nothing();

    assert_eq!(served.stop().code(), Some(0));
    assert_eq!(supervisor.heard(), "STOPPING=1");
    supervisor.has_nothing();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_abstract_socket_is_told_and_one_that_is_gone_stops_nothing() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;

    let stage = Stage::new(&Schedule::default());
    let name = format!("qopen-test-{}", stage.folder.path().display());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let supervisor = Supervisor(socket);
    let mut command = Served::command(&stage, &[]);
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    let served = Served::spawn(command);
    assert_eq!(supervisor.heard(), "READY=1");
    drop(supervisor);
    assert_eq!(served.stop().code(), Some(0));

    for gone in ["relative", "/nowhere/notify"] {
        let mut command = Served::command(&stage, &[]);
        command.env("NOTIFY_SOCKET", gone);
        let served = Served::spawn(command);
        served.until_it_says(1, "the supervisor at NOTIFY_SOCKET cannot be told: ").await;
        assert_eq!(served.get("/readyz").await.status(), 200);
        assert_eq!(served.stop().code(), Some(0));
    }
}
