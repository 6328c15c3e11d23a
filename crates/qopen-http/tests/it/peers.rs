//! Peers on loopback with scripted answers: an HTTP server and a SOCKS5 proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An HTTP server that gives one answer, and records its requests.
#[derive(Clone)]
pub(crate) struct Peer {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// Answers with this status line, these header lines, and a body.
    pub(crate) async fn new(head: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let peer = Self { address: listener.local_addr().unwrap(), heard: Arc::clone(&heard) };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let answer = answer.replace("SELF", &peer.url());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                heard.lock().unwrap().push(request);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        peer
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The recorded requests, head and body.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|it| it.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |it| it.parse().unwrap()) {
                return String::from_utf8(request).unwrap();
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return String::from_utf8(request).unwrap(),
            Ok(n) => request.extend_from_slice(&buffer[..n]),
        }
    }
}

/// A SOCKS5 proxy (RFC 1928, RFC 1929) that asks for user and password, and connects to one place
/// only.
pub(crate) struct Socks {
    pub address: SocketAddr,
    /// The recorded requests: `user:password host:port`.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Socks {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(lead(stream, target, Arc::clone(&log)));
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn lead(
    mut stream: TcpStream,
    target: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let [_, methods] = read(&mut stream).await?;
    let mut offered = vec![0; methods.into()];
    stream.read_exact(&mut offered).await?;
    let login = offered.contains(&2);
    stream.write_all(&[5, if login { 2 } else { 0 }]).await?;
    let mut who = String::new();
    if login {
        let [_version] = read(&mut stream).await?;
        who = format!("{}:{}", text(&mut stream).await?, text(&mut stream).await?);
        stream.write_all(&[1, 0]).await?;
    }
    let [_, _, _, kind] = read(&mut stream).await?;
    let host = match kind {
        1 => std::net::Ipv4Addr::from(read::<4>(&mut stream).await?).to_string(),
        3 => text(&mut stream).await?,
        _ => std::net::Ipv6Addr::from(read::<16>(&mut stream).await?).to_string(),
    };
    let port = u16::from_be_bytes(read(&mut stream).await?);
    log.lock().unwrap().push(format!("{who} {host}:{port}"));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut beyond = TcpStream::connect(target).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut beyond).await?;
    Ok(())
}

async fn read<const N: usize>(stream: &mut TcpStream) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn text(stream: &mut TcpStream) -> std::io::Result<String> {
    let [length] = read(stream).await?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8(bytes).unwrap())
}
