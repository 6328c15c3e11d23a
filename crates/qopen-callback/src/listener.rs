//! The listener: counts, times and bounds connections, over TCP or TLS.

mod connections;
mod head;
#[cfg(feature = "tls")]
mod tls;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;
use tower_service::Service as _;

use crate::Refusals;
use crate::receiver::Peer;
use connections::{BusyGuard, ConnectionSlot, Connections};
use head::{Head, OtherProtocols, Watched};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

/// Bytes that a connection may buffer unread: the longest head of a request, and the largest piece
/// of a body.
const BUFFER: usize = 128 * 1024;

/// Time after which a waiting connection counts as refused: its peer may give up.
const WAITED: Duration = Duration::from_secs(1);

/// Pause in accepting when the process has no file descriptors left.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// Connection limits and timeouts of a listener. A connection is idle while it waits for a request
/// or for the rest of a head. It is busy while a request is read or answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenerLimits {
    /// Most open connections. At the limit the listener closes the longest-idle one for a new one;
    /// if none is idle, new ones wait. Default 1024, at least 1.
    pub connections: usize,
    /// Most open connections of one peer: an IPv4 address, or an IPv6 network of 64 bits. The
    /// listener closes one more at once. Behind a proxy all clients are one peer. Default 256, at
    /// least 1; a value of `connections` or more sets no limit per peer.
    pub per_peer: usize,
    /// Longest time that a connection may be idle, and that a head may take. Default 30 s.
    pub head_timeout: Duration,
    /// Longest time without progress of a write to the peer. Default 30 s.
    pub write_timeout: Duration,
    /// Longest time of a TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            per_peer: 256,
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

impl ListenerLimits {
    fn of_one_peer(&self) -> usize {
        match self.per_peer.max(1) {
            per_peer if per_peer < self.connections => per_peer,
            _ => usize::MAX,
        }
    }
}

/// The local address of a connection. A [`Listener`] puts it into the extensions of each request.
/// If the socket's address is unspecified, it is the address that the peer connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalAddress(pub SocketAddr);

impl LocalAddress {
    /// The address.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self(address)
    }
}

/// The address of the peer of a connection. A [`Listener`] puts it into the extensions of each request.
/// Behind a proxy it is the proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerAddress(pub IpAddr);

/// Serves a router over HTTP/1.1 to untrusted peers, as `axum::serve` does to trusted ones.
///
/// Clones share limits and counts across all their sockets.
#[derive(Clone, Debug)]
pub struct Listener {
    limits: ListenerLimits,
    table: Arc<Connections>,
    refusals: Refusals,
    others: Arc<OtherProtocols>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Default for Listener {
    fn default() -> Self {
        Self::new(ListenerLimits::default())
    }
}

impl Listener {
    /// A listener with these limits, without TLS.
    #[must_use]
    pub fn new(limits: ListenerLimits) -> Self {
        Self {
            limits,
            table: Arc::default(),
            refusals: Refusals::default(),
            others: Arc::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Makes the listener speak TLS only.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets where the listener counts refusals: connections that it closes at once, that wait too
    /// long for a place, or that end before the whole head of their callback.
    #[must_use]
    pub fn refusals(mut self, refusals: Refusals) -> Self {
        self.refusals = refusals;
        self
    }

    /// Connections that began with the PROXY protocol, which the listener does not speak.
    #[must_use]
    pub fn proxy_protocol(&self) -> u64 {
        self.others.proxy.load(Ordering::Relaxed)
    }

    /// Connections that began with HTTP/2, which the listener does not speak.
    #[must_use]
    pub fn http2(&self) -> u64 {
        self.others.http2.load(Ordering::Relaxed)
    }

    /// Connections that began with TLS on a listener without TLS.
    #[must_use]
    pub fn tls_without_certificate(&self) -> u64 {
        self.others.tls.load(Ordering::Relaxed)
    }

    /// TLS handshakes that failed: no TLS, no trust in the certificate, or no end in time.
    #[must_use]
    pub fn failed_handshakes(&self) -> u64 {
        self.others.failed_handshakes.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.table.open()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.table.accepted()
    }

    /// Connections closed at once, because their peer had too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.table.refused()
    }

    /// Idle connections closed for new ones.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// Serves until `stop` is ready. Then it accepts no more connections, lets requests in flight
    /// finish, and returns when all connections are closed. A failed connection is logged and does
    /// not affect others.
    ///
    /// # Cancellation
    /// Dropping the future closes all connections at once.
    pub async fn serve(&self, socket: TcpListener, router: Router, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut tasks = JoinSet::new();
        let (close, closing) = watch::channel(false);
        loop {
            let next = async {
                tokio::select! {
                    accepted = self.accept(&socket) => Some(accepted),
                    Some(_) = tasks.join_next() => None,
                }
            };
            let accepted = tokio::select! {
                () = &mut stop => break,
                next = next => next,
            };
            let Some((stream, peer)) = accepted else { continue };
            let per_peer = self.limits.of_one_peer();
            // A peer at its limit must not cost another peer its connection.
            if !self.table.admits(peer.ip(), per_peer) {
                tracing::debug!("connection refused: its peer has too many");
                self.refusals.note();
                continue;
            }
            tokio::select! {
                () = &mut stop => break,
                () = self.make_room() => {}
            }
            let Some(slot) = self.table.enter(peer.ip(), per_peer) else {
                self.refusals.note();
                continue;
            };
            let (listener, router, closing) = (self.clone(), router.clone(), closing.clone());
            tasks.spawn(async move {
                let head = Head::default();
                tokio::select! {
                    // A request that has already come is read first.
                    biased;
                    () = listener.connection(stream, &slot, router, closing, head.clone()) => {}
                    () = slot.evicted() => tracing::debug!("idle connection closed for another"),
                }
                if head.is_begun() {
                    listener.refusals.note();
                }
            });
        }
        drop(socket);
        close.send_replace(true);
        while tasks.join_next().await.is_some() {}
    }

    /// Waits until one more connection may be open. A long wait counts as a refusal.
    async fn make_room(&self) {
        let room = self.table.make_room(self.limits.connections.max(1));
        let mut room = pin!(room);
        if tokio::time::timeout(WAITED, room.as_mut()).await.is_err() {
            self.refusals.note();
            room.await;
        }
    }

    /// Accepts the next connection. Errors of one connection are ignored. An error of the process,
    /// such as too many open files, is waited out, and an idle connection closed for it.
    async fn accept(&self, socket: &TcpListener) -> (TcpStream, SocketAddr) {
        use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        loop {
            match socket.accept().await {
                Ok(accepted) => return accepted,
                Err(error)
                    if matches!(
                        error.kind(),
                        ConnectionAborted | ConnectionRefused | ConnectionReset
                    ) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept");
                    self.table.evict_idlest();
                    tokio::time::sleep(OUT_OF_FILES).await;
                }
            }
        }
    }

    async fn connection(
        &self,
        stream: TcpStream,
        slot: &ConnectionSlot,
        router: Router,
        closing: watch::Receiver<bool>,
        head: Head,
    ) {
        // An answer is one small write.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().ok().map(LocalAddress);
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(self.limits.write_timeout));
        let stream = Box::pin(stream);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let handshake = tls.acceptor().accept(stream);
            match tokio::time::timeout(self.limits.handshake_timeout, handshake).await {
                Ok(Ok(stream)) => {
                    return self.http(stream, slot, router, closing, (head, local)).await;
                }
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "no TLS");
                }
                Err(_) => tracing::debug!("no TLS: the handshake took too long"),
            }
            self.others.failed_handshakes.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.http(stream, slot, router, closing, (head, local)).await;
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        slot: &ConnectionSlot,
        router: Router,
        mut closing: watch::Receiver<bool>,
        (head, local): (Head, Option<LocalAddress>),
    ) {
        let stream = Watched::new(stream, head.clone(), Arc::clone(&self.others));
        let peer = Peer(slot.peer());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let busy = slot.busy();
            head.clear();
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(PeerAddress(peer.0));
            if let Some(local) = local {
                request.extensions_mut().insert(local);
            }
            let head = head.clone();
            let answer = router.clone().call(request.map(Body::new));
            async move {
                let answer = answer.await?;
                // The bytes in between were the body.
                head.clear();
                Ok::<_, Infallible>(answer.map(|body| Answer { body, _busy: busy }))
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_buf_size(BUFFER);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = told(&mut closing) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = &error as &dyn std::error::Error, "connection failed");
        }
    }
}

async fn told(closing: &mut watch::Receiver<bool>) {
    // The sender closes only when the listener ends.
    let _ = closing.wait_for(|it| *it).await;
}

/// An answer's body. Its connection is busy until the body was sent.
struct Answer {
    body: Body,
    _busy: BusyGuard,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
