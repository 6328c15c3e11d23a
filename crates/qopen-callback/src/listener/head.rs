//! Watches heads: whether a connection that ends lost a request.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The beginning of a callback's head.
const POST: &[u8] = b"POST ";

/// The beginnings of a PROXY protocol header, version 1 and 2. HTTP allows empty lines before a request, and no zero.
const PROXY: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0"];

/// The beginning of a connection that speaks HTTP/2 without an upgrade.
const HTTP2: &[u8] = b"PRI * HTTP/2";

/// The beginning of a TLS handshake. HTTP refuses it: more bytes may never be read.
const TLS: &[u8] = &[22];

/// Bytes of a head that are examined, as many as the longest beginning has.
const LOOKED_AT: usize = 12;

/// Connections that began with a protocol that the listener does not speak.
#[derive(Debug, Default)]
pub(super) struct OtherProtocols {
    pub(super) proxy: AtomicU64,
    pub(super) http2: AtomicU64,
    /// TLS on a listener without it.
    pub(super) tls: AtomicU64,
    /// TLS handshakes that failed on a listener with TLS.
    pub(super) failed_handshakes: AtomicU64,
}

/// The first bytes since the last request began.
#[derive(Clone, Debug, Default)]
pub(super) struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts anew after a head: its body comes next, and then another head.
    pub(super) fn clear(&self) {
        self.bytes().clear();
    }

    /// Whether a callback's head has begun and is not whole yet.
    pub(super) fn is_begun(&self) -> bool {
        self.bytes().starts_with(POST)
    }

    /// The count of the protocol that the connection begins with, if it is another one.
    fn other_protocol<'a>(&self, counts: &'a OtherProtocols) -> Option<&'a AtomicU64> {
        let bytes = self.bytes();
        let [v1, v2] = PROXY.map(|it| (it, &counts.proxy));
        let begins = |(it, count)| bytes.starts_with(it).then_some(count);
        [v1, v2, (HTTP2, &counts.http2), (TLS, &counts.tls)].into_iter().find_map(begins)
    }
}

/// A stream whose heads are watched.
pub(super) struct Watched<S> {
    stream: S,
    head: Head,
    others: Arc<OtherProtocols>,
    /// Whether the protocol of the connection is unknown as yet.
    first: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, head: Head, others: Arc<OtherProtocols>) -> Self {
        Self { stream, head, others, first: true }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = &buffer.filled()[before..];
        if !new.is_empty() {
            let mut bytes = self.head.bytes();
            let room = LOOKED_AT.saturating_sub(bytes.len());
            bytes.extend_from_slice(&new[..new.len().min(room)]);
            let enough = bytes.len() == LOOKED_AT;
            drop(bytes);
            if self.first {
                let other = self.head.other_protocol(&self.others);
                if let Some(count) = other {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                self.first = other.is_none() && !enough;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
