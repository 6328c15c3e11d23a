//! The note with the address of the control API that `qopen serve` leaves in the folder of its journal.
//!
//! Verbs read the note only while another process holds the journal. Every process that opens the journal
//! removes the note first. The note of a killed process is therefore harmless.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde::{Deserialize, Serialize};

const NAME: &str = "control.json";

/// The name during writing.
const UNFINISHED: &str = ".control.json.tmp";

/// Maximum size of a note, in bytes.
const LARGEST: u64 = 4096;

#[derive(Deserialize, Serialize)]
struct Note {
    /// The address of the control API.
    control: SocketAddr,
}

/// Writes the note atomically, with mode 0600. The process holds the journal.
pub(crate) fn leave(folder: &Path, control: SocketAddr) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    remove_file(&unfinished)?;
    let mut file = options.open(&unfinished)?;
    serde_json::to_writer(&mut file, &Note { control })?;
    file.write_all(b"\n")?;
    fs::rename(&unfinished, folder.join(NAME))
}

/// Removes the note of an ended or ending process. The process holds the journal.
pub(crate) fn remove(folder: &Path) {
    // Without a note, or with one that stays, the journal is as good.
    let _ = remove_file(&folder.join(NAME));
}

/// Returns the control address of the process that holds the journal, or `None` without a note.
pub(crate) fn read(folder: &Path) -> Option<SocketAddr> {
    let file = fs::File::open(folder.join(NAME)).ok()?;
    let Note { control } = serde_json::from_reader(io::Read::take(file, LARGEST)).ok()?;
    Some(on_this_machine(control))
}

/// Returns the address at which this machine asks a listener: loopback for a listener on every address.
pub(crate) fn on_this_machine(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_note_is_read_back_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(read(folder), None);
        for (said, asked) in [
            ("127.0.0.1:81", "127.0.0.1:81"),
            ("0.0.0.0:82", "127.0.0.1:82"),
            ("[::]:83", "[::1]:83"),
            ("192.0.2.1:84", "192.0.2.1:84"),
        ] {
            // Also over one that a killed process has left unfinished.
            fs::write(folder.join(UNFINISHED), "{").unwrap();
            leave(folder, said.parse().unwrap()).unwrap();
            assert_eq!(read(folder), Some(asked.parse().unwrap()));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(folder.join(NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        remove(folder);
        remove(folder);
        assert_eq!((read(folder), fs::read_dir(folder).unwrap().count()), (None, 0));
        for garbled in ["", "{", "{}", "{\"control\":\"localhost\"}", "[]"] {
            fs::write(folder.join(NAME), garbled).unwrap();
            assert_eq!(read(folder), None, "{garbled}");
        }
    }
}
