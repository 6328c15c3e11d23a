//! Watches heads: whether a connection that ends lost a request.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The beginning of a callback's head.
const POST: &[u8] = b"POST ";

/// The beginnings of a PROXY protocol header, version 1 and 2.
const PROXY: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// Bytes of a head that are examined.
const LOOKED_AT: usize = 12;

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

    fn is_proxy(&self) -> bool {
        let bytes = self.bytes();
        PROXY.iter().any(|it| bytes.starts_with(&it[..it.len().min(LOOKED_AT)]))
    }
}

/// A stream whose heads are watched.
pub(super) struct Watched<S> {
    stream: S,
    head: Head,
    /// Connections that began with the PROXY protocol.
    proxies: Arc<AtomicU64>,
    first: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, head: Head, proxies: Arc<AtomicU64>) -> Self {
        Self { stream, head, proxies, first: true }
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
            if self.first && enough {
                self.first = false;
                if self.head.is_proxy() {
                    self.proxies.fetch_add(1, Ordering::Relaxed);
                }
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
