//! Sealed callbacks, and the connections that bring them.

use std::net::SocketAddr;

use qopen::callback::{CallbackKeys, Keyring};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::SETTINGS;

/// The keys of [`crate::support::SETTINGS`], or others.
pub(crate) fn ring(token: &str) -> Keyring {
    let keys = CallbackKeys::new(token, &SETTINGS[3].1.into()).unwrap();
    Keyring::new(SETTINGS[0].1, keys)
}

pub(crate) const TOKEN: &str = SETTINGS[2].1;

/// A request with that payload, sealed.
pub(crate) fn callback(ring: &Keyring, payload: &str, nonce: &str, timestamp: u64) -> Vec<u8> {
    request(&serde_json::to_vec(&ring.seal(payload, nonce, timestamp)).unwrap())
}

/// A request with that body.
pub(crate) fn request(body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /callback HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// Says requests on one connection, all at once, and reads until each is answered; gives the status
/// of each.
pub(crate) async fn say(stream: &mut TcpStream, requests: &[Vec<u8>]) -> Vec<u16> {
    let (mut reading, mut writing) = stream.split();
    let all = requests.concat();
    let reads = async {
        let mut answers = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = reading.read(&mut buffer).await.unwrap();
            assert!(read > 0, "it hung up: {}", String::from_utf8_lossy(&answers));
            answers.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&answers);
            let heads: Vec<_> = text.match_indices("HTTP/1.1 ").collect();
            // The last one is whole when its body is: a word, and no line's end.
            if heads.len() == requests.len() && text.split("\r\n\r\n").last() != Some("") {
                let status = |at: usize| text[at + 9..at + 12].parse().unwrap();
                return heads.iter().map(|(at, _)| status(*at)).collect();
            }
        }
    };
    let (statuses, written) = tokio::join!(reads, writing.write_all(&all));
    written.unwrap();
    statuses
}

pub(crate) async fn connect(address: &str, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}
