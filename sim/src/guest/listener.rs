//! The door of a guest, and the streams that come in by it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use crate::net::eddy::written_to;

/// Takes connections in, as a listener of TCP does.
pub struct GuestListener(TcpListener);

impl fmt::Debug for GuestListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GuestListener").field(&self.0.local_addr().ok()).finish()
    }
}

impl GuestListener {
    pub(crate) const fn new(listener: TcpListener) -> Self {
        Self(listener)
    }

    /// The next connection, and whose it is.
    ///
    /// # Errors
    /// As the network says.
    pub async fn accept(&mut self) -> io::Result<(GuestStream, SocketAddr)> {
        let (inner, peer) = self.0.accept().await?;
        Ok((GuestStream { inner, peer }, peer))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// As the network says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection.
#[derive(Debug)]
pub struct GuestStream {
    inner: TcpStream,
    peer: SocketAddr,
}

impl AsyncRead for GuestStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl AsyncWrite for GuestStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(_))) {
            written_to(self.peer);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        written_to(self.peer);
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
