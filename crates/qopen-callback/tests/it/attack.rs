//! Attacks on the receiver and its listener, over real sockets. Each attack has a bound, and a
//! genuine callback gets through meanwhile.

use std::io;
use std::time::{Duration, Instant};

use qopen_callback::RejectReason;
use qopen_callback::listener::{Listener, ListenerLimits, LocalAddress};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{PAGE, Server, limits, status};

/// Far longer than anything here takes, and far shorter than for ever.
const LONG: Duration = Duration::from_secs(30);

const HEAD: &str = "POST /callback HTTP/1.1\r\nhost: x\r\n";

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// A connection from another address of this machine.
#[cfg(target_os = "linux")]
async fn connect_from(server: &Server, address: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(std::net::SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
    socket.connect(server.address).await.unwrap()
}

/// The server's answer, until it closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let reading = stream.read_to_end(&mut said);
    // A reset closes it too.
    let _ = tokio::time::timeout(LONG, reading).await.expect("the server hangs up");
    String::from_utf8(said).unwrap()
}

/// Asserts that a genuine callback is accepted soon.
async fn assert_open(server: &Server) {
    let began = Instant::now();
    let answer = server.post(&server.sealed(PAGE)).await;
    assert_eq!(status(&answer), 200);
    assert!(began.elapsed() < LONG, "it took {:?}", began.elapsed());
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn half_open_connections_are_closed() {
    let server = Server::start().await;
    let mut silent = connect(&server).await;
    assert_open(&server).await;
    assert_eq!(rest(&mut silent).await, "");
    until("it is forgotten", || server.listener.open() == 0).await;
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let server = Server::start().await;
    let (mut reading, mut writing) = connect(&server).await.into_split();
    let drip = tokio::spawn(async move {
        for byte in HEAD.bytes().chain(std::iter::repeat(b'x')) {
            writing.write_all(&[byte]).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        io::Result::Ok(())
    });
    assert_open(&server).await;
    let mut said = Vec::new();
    let _ = tokio::time::timeout(LONG, reading.read_to_end(&mut said)).await.unwrap();
    assert!(drip.await.unwrap().is_err(), "it is not let go on");
    assert_eq!(server.stats.received(), 1, "it never was a request");
}

#[tokio::test]
async fn a_body_that_drips_is_cut_off() {
    let server = Server::start().await;
    let (mut reading, mut writing) = connect(&server).await.into_split();
    let drip = tokio::spawn(async move {
        writing.write_all(format!("{HEAD}content-length: 1000000\r\n\r\n").as_bytes()).await?;
        loop {
            writing.write_all(b" ").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        #[allow(unreachable_code, reason = "it gives the block its type")]
        io::Result::Ok(())
    });
    assert_open(&server).await;
    let mut said = Vec::new();
    let _ = tokio::time::timeout(LONG, reading.read_to_end(&mut said)).await.unwrap();
    assert_eq!(status(&String::from_utf8(said).unwrap()), 408);
    assert!(drip.await.unwrap().is_err(), "it is not let go on");
}

#[tokio::test]
async fn i11_thousands_of_idle_connections_are_bounded_and_shut_nobody_out() {
    let mut bounds = ListenerLimits::default();
    bounds.connections = 200;
    bounds.per_peer = 200;
    let server = Server::start_with(Listener::new(bounds), |_| {}).await;
    let mut idle = Vec::new();
    for at in 0..3000 {
        idle.push(connect(&server).await);
        // Connections that were closed for others need not be held here; a test has few files.
        if idle.len() == 600 {
            idle.drain(..300);
        }
        if at % 500 == 0 {
            assert_open(&server).await;
        }
        assert!(server.listener.open() <= 200);
    }
    assert_open(&server).await;
    // The listener accepts one more before it makes room.
    assert!(server.listener.evicted() >= 2790, "{}", server.listener.evicted());
    assert_eq!(server.listener.refused(), 0);
}

#[tokio::test]
async fn i11_where_all_are_busy_new_ones_wait() {
    let mut bounds = limits();
    bounds.connections = 4;
    let server = Server::start_with(Listener::new(bounds), |config| {
        config.read_timeout = Duration::from_secs(2);
    })
    .await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&server).await;
        let head = format!("{HEAD}connection: close\r\ncontent-length: 10\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        busy.push(stream);
    }
    until("all are busy", || server.stats.received() == 4).await;
    assert_open(&server).await;
    assert!(server.stats.rejected(RejectReason::Body) > 0, "it waited until one had ended");
    assert!(server.listener.open() <= 4);
    // A request in flight does not give way to another one.
    for mut stream in busy {
        assert_eq!(status(&rest(&mut stream).await), 408);
    }
}

// Elsewhere loopback has one address.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn i11_one_peer_cannot_take_it_all() {
    let mut bounds = ListenerLimits::default();
    bounds.per_peer = 8;
    let server = Server::start_with(Listener::new(bounds), |_| {}).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(connect_from(&server, "127.0.0.2").await);
    }
    until("they are in", || server.listener.open() == 8).await;
    for _ in 0..100 {
        assert_eq!(rest(&mut connect_from(&server, "127.0.0.2").await).await, "");
    }
    assert_eq!((server.listener.open(), server.listener.refused()), (8, 100));
    // Another peer is not affected, and this one may connect again.
    assert_open(&server).await;
    held.pop();
    until("its place is free", || server.listener.open() == 7).await;
    let mut again = connect_from(&server, "127.0.0.2").await;
    let request = format!("{HEAD}connection: close\r\ncontent-length: 0\r\n\r\n");
    again.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(status(&rest(&mut again).await), 400);
}

#[tokio::test]
async fn bodies_at_one_over_and_far_over_the_limit() {
    let server = Server::start().await;
    let mut body = server.sealed(PAGE);
    body.resize(1_000_000, b' ');
    assert_eq!(status(&server.post(&body).await), 200);
    body.push(b' ');
    assert_eq!(status(&server.post(&body).await), 413);
    // Refused by the declared length alone.
    for (length, expected) in [("1000000000000", 413), ("18446744073709551615", 431)] {
        let head = format!("{HEAD}connection: close\r\ncontent-length: {length}\r\n\r\n");
        assert_eq!(status(&server.send(&head, b"{").await), expected, "{length}");
    }
    // An invalid length is an invalid request.
    for length in ["18446744073709551616", "-1", "1, 2", "0x10", "1\r\ncontent-length: 2"] {
        let head = format!("{HEAD}connection: close\r\ncontent-length: {length}\r\n\r\n");
        assert_eq!(status(&server.send(&head, b"{").await), 400, "{length:?}");
    }
    assert_eq!(server.stats.accepted(), 1);
}

#[tokio::test]
async fn chunks_without_end_or_sense_are_cut_off() {
    let server = Server::start().await;
    let chunked = format!("{HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = [b"186a0\r\n".as_slice(), &[b' '; 100_000], b"\r\n"].concat();
    assert_eq!(status(&server.send(&chunked, &chunk.repeat(20)).await), 413);
    // Pieces of one byte: they take the memory of their content, and the time of a body.
    assert_eq!(status(&server.send(&chunked, &b"1\r\n \r\n".repeat(2_000)).await), 408);
    for rubbish in ["ffffffffffffffffff\r\n", "zz\r\n", "-1\r\n", "1;", "0\r\nx"] {
        let answer = server.send(&chunked, rubbish.as_bytes()).await;
        assert_eq!(status(&answer) / 100, 4, "{rubbish:?}");
    }
    // Both framings of a length at once.
    let both = format!("{HEAD}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n");
    let smuggled = "0\r\n\r\nPOST /callback HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let before = server.stats.received();
    server.send(&both, smuggled.as_bytes()).await;
    assert!(server.stats.received() <= before + 2);
    assert_eq!(server.stats.accepted(), 0);
    assert_open(&server).await;
}

#[tokio::test]
async fn compressed_bombs_are_not_unpacked() {
    let server = Server::start().await;
    // The beginning of a gzip stream that unpacks to a thousand times its size.
    let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xec, 0xc1, 1, 1].repeat(1000);
    for encoding in ["gzip", "br", "deflate", "zstd", "identity, gzip", "x-y"] {
        let answer = server.post_with(&format!("content-encoding: {encoding}\r\n"), &bomb).await;
        assert_eq!(status(&answer), 415, "{encoding}");
    }
    assert_eq!(status(&server.post(&bomb).await), 400);
    let coded = format!("{HEAD}connection: close\r\ntransfer-encoding: gzip, chunked\r\n\r\n");
    assert_eq!(status(&server.send(&coded, b"1\r\n\x1f\r\n0\r\n\r\n").await) / 100, 4);
    assert_open(&server).await;
}

#[tokio::test]
async fn pipelined_rubbish_ends_the_connection_and_nothing_else() {
    let server = Server::start().await;
    let page = server.sealed(PAGE);
    let mut request = format!("{HEAD}content-length: {}\r\n\r\n", page.len()).into_bytes();
    request.extend_from_slice(&page);
    for rubbish in [&b"\0\xff\x16\x03\x01"[..], b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"] {
        let mut stream = connect(&server).await;
        stream.write_all(&[&request[..], rubbish].concat()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 2, "{answer}");
        assert!(!answer.ends_with("success"), "{answer}");
    }
    assert_eq!(server.stats.accepted(), 3);
}

#[tokio::test]
async fn heads_without_bounds_are_refused() {
    let server = Server::start().await;
    let many = format!("{HEAD}{}\r\n", "a: b\r\n".repeat(1000));
    assert_eq!(status(&server.send(&many, b"").await), 431);
    let long = format!("{HEAD}a: {}\r\n\r\n", "b".repeat(200_000));
    assert_eq!(status(&server.send(&long, b"").await), 431);
    let target = format!("POST /{} HTTP/1.1\r\nhost: x\r\n\r\n", "b".repeat(200_000));
    assert_eq!(status(&server.send(&target, b"").await) / 100, 4);
    assert_open(&server).await;
}

#[tokio::test]
async fn a_peer_that_never_reads_is_given_up() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    let request = format!("{HEAD}content-length: 0\r\n\r\n").repeat(1000);
    // Sends requests until the socket takes no more, and reads no answer.
    let asking = async {
        loop {
            stream.write_all(request.as_bytes()).await?;
        }
        #[allow(unreachable_code, reason = "it gives the block its type")]
        io::Result::Ok(())
    };
    let ended = tokio::time::timeout(LONG, asking).await.expect("it is given up");
    assert!(ended.is_err());
    until("it is forgotten", || server.listener.open() == 0).await;
    assert_open(&server).await;
}

#[tokio::test]
async fn replays_are_handed_on_as_they_are_or_refused_by_age() {
    // Idempotence is the journal's. The receiver counts copies, and may refuse them.
    let server = Server::start().await;
    let old = server.sealed(PAGE);
    for _ in 0..3 {
        assert_eq!(status(&server.post(&old).await), 200);
    }
    assert_eq!((server.stats.stale(), server.stats.accepted()), (3, 3));

    let strict = Server::start_with(Listener::new(limits()), |config| {
        config.timestamps = config.timestamps.refuse();
    })
    .await;
    assert_eq!(status(&strict.post(&old).await), 401);
    assert_eq!(strict.stats.rejected(RejectReason::Stale), 1);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let fresh = serde_json::to_vec(&strict.ring.seal(PAGE, "n", now.as_secs())).unwrap();
    assert_eq!(status(&strict.post(&fresh).await), 200);
    // The signature covers the time.
    let renewed = String::from_utf8(old).unwrap().replace("1763850000", &now.as_secs().to_string());
    assert_eq!(status(&strict.post(renewed.as_bytes()).await), 401);
    assert_eq!(strict.stats.rejected(RejectReason::Signature), 1);
}

#[tokio::test]
async fn what_is_under_way_is_answered_when_the_listener_stops() {
    let server = Server::start_with(Listener::default(), |config| {
        config.read_timeout = LONG;
    })
    .await;
    let mut idle = connect(&server).await;
    let mut busy = connect(&server).await;
    let body = server.sealed(PAGE);
    let head = format!("{HEAD}content-length: {}\r\n\r\n", body.len());
    busy.write_all(head.as_bytes()).await.unwrap();
    until("both are there", || server.listener.open() == 2 && server.stats.received() == 1).await;
    server.stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    busy.write_all(&body).await.unwrap();
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("success"), "{answer}");
    tokio::time::timeout(LONG, server.stopped).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "nothing listens any more");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_request_carries_the_address_that_its_peer_connected_to() {
    let socket = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let local = async |request: axum::extract::Request| {
        request.extensions().get::<LocalAddress>().unwrap().0.to_string()
    };
    let router = axum::Router::new().fallback(local);
    let serving = async move |socket| {
        Listener::default().serve(socket, router, std::future::pending()).await;
    };
    tokio::spawn(serving(socket));
    for address in [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}")] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with(&address), "{answer}");
    }
}
