//! The listener: connections that are counted, timed and bounded, over TCP or TLS.

mod connections;
mod head;
#[cfg(feature = "tls")]
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
use head::{Head, Watched};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

/// What one connection may hold of what has not been read yet, in bytes: the longest head of a
/// request, and the largest piece of a body.
const BUFFER: usize = 128 * 1024;

/// How long a connection may wait for a place until that counts as a refusal: its peer may give up.
const WAITED: Duration = Duration::from_secs(1);

/// How long nothing is accepted when the process has no file descriptors left.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// What a listener bears. A connection that waits for a request, or for the rest of its head, is
/// idle; one whose request is being read or answered is busy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenerLimits {
    /// Connections at once. At the bound the one that has been idle longest is closed for a new
    /// one; where none is idle, new ones wait. Default 1024, at least 1.
    pub connections: usize,
    /// Connections at once of one peer: an IPv4 address, or an IPv6 network of 64 bits. One more is
    /// closed at once. Behind a proxy everybody is one peer. Default 256, at least 1; from
    /// `connections` on, one peer may have all of them.
    pub per_peer: usize,
    /// How long a connection may be idle, and how long a head may take. Default 30 s.
    pub head_timeout: Duration,
    /// How long the peer may take nothing of what is sent to it. Default 30 s.
    pub write_timeout: Duration,
    /// How long the TLS handshake may take. Default 10 s.
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

/// The local address of a connection, which a [`Listener`] puts into the extensions of each request.
/// Behind a socket of an unspecified address, it is the address that the peer connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalAddress(pub SocketAddr);

impl LocalAddress {
    /// That address.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self(address)
    }
}

/// Serves a router over HTTP/1.1, as `axum::serve` does, to peers that are not trusted.
///
/// Clones share their limits and their counts, however many sockets they serve.
#[derive(Clone, Debug)]
pub struct Listener {
    limits: ListenerLimits,
    table: Arc<Connections>,
    refusals: Refusals,
    /// Connections that began with the PROXY protocol.
    proxies: Arc<AtomicU64>,
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
            proxies: Arc::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The listener, speaking TLS only.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The listener, noting there what it refuses: connections that are closed at once, wait too long
    /// for a place, or end before the head of their callback has come whole.
    #[must_use]
    pub fn refusals(mut self, refusals: Refusals) -> Self {
        self.refusals = refusals;
        self
    }

    /// Connections that began with the PROXY protocol, which is not understood: HTTP must come as it
    /// is, or the proxy must not announce its clients.
    #[must_use]
    pub fn proxy_protocol(&self) -> u64 {
        self.proxies.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.table.open()
    }

    /// Connections that were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.table.accepted()
    }

    /// Connections that were closed at once: their peer had too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.table.refused()
    }

    /// Idle connections that were closed for others.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// Serves until `stop` is done; then accepts nothing more, lets requests that are under way be
    /// answered, and returns when all connections are closed. Dropping the future closes them at
    /// once. A connection that fails is logged and concerns nobody else.
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
            // Whoever is not let in must not cost another one the place.
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
                    // A request that has come already is read before anything else.
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

    /// Until one more connection may be open. One that waits long for that counts as refused.
    async fn make_room(&self) {
        let room = self.table.make_room(self.limits.connections.max(1));
        let mut room = pin!(room);
        if tokio::time::timeout(WAITED, room.as_mut()).await.is_err() {
            self.refusals.note();
            room.await;
        }
    }

    /// The next connection. What fails with one is not the listener's; what fails with all of them,
    /// such as a process with too many files, is waited out, and an idle connection given up for it.
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
                Ok(Ok(stream)) => self.http(stream, slot, router, closing, (head, local)).await,
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "no TLS");
                }
                Err(_) => tracing::debug!("no TLS: the handshake took too long"),
            }
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
        let stream = Watched::new(stream, head.clone(), Arc::clone(&self.proxies));
        let peer = Peer(slot.peer());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let busy = slot.busy();
            head.clear();
            request.extensions_mut().insert(peer);
            if let Some(local) = local {
                request.extensions_mut().insert(local);
            }
            let head = head.clone();
            let answer = router.clone().call(request.map(Body::new));
            async move {
                let answer = answer.await?;
                // What came meanwhile was the body.
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
    // It ends without a word only with the listener.
    let _ = closing.wait_for(|it| *it).await;
}

/// An answer's body; its connection is busy until all of it has been handed to it.
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
