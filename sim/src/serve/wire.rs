//! A TCP stream that keeps what the network does not take, in order, and gives up on a reader that
//! takes nothing for too long.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use overheard_core::time::Duration;

/// Pieces that may wait before no more are taken from whom the pump does not hold back: answers to
/// pings, of a client that reads none of them.
const MOST_PIECES: usize = 64;

/// A stream. What is written to it goes behind what waits.
#[derive(Debug)]
pub(super) struct Wire {
    tcp: TcpStream,
    waiting: VecDeque<Bytes>,
    patience: Duration,
    /// Runs while the network takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Gives up on writing when nothing was taken for as long as `patience`.
    pub(super) const fn new(tcp: TcpStream, patience: Duration) -> Self {
        Self { tcp, waiting: VecDeque::new(), patience, stalled: None }
    }

    /// Puts bytes behind what waits.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.waiting.push_back(bytes);
        }
    }

    /// Writes what waits.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(front) = self.waiting.front().cloned() {
            let count = ready!(self.poll_tcp(cx, &front))?;
            if count >= front.len() {
                self.waiting.pop_front();
            } else if let Some(front) = self.waiting.front_mut() {
                front.advance(count);
            }
        }
        if self.waiting.capacity() > MOST_PIECES {
            self.waiting = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes as much as the network takes, if nothing waits, and keeps the rest.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() && self.waiting.is_empty() {
            match self.poll_tcp(cx, rest) {
                Poll::Ready(count) => rest = rest.get(count?..).unwrap_or_default(),
                Poll::Pending => break,
            }
        }
        self.push(Bytes::copy_from_slice(rest));
        Ok(())
    }

    fn poll_tcp(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.tcp).poll_write(cx, bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(written) => {
                self.stalled = None;
                Poll::Ready(written)
            }
            Poll::Pending => {
                let patience = self.patience;
                let sleep = || Box::pin(tokio::time::sleep(patience));
                ready!(self.stalled.get_or_insert_with(sleep).as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.is_empty() {
            return self.poll_tcp(cx, bytes);
        }
        if self.waiting.len() >= MOST_PIECES {
            ready!(self.poll_drain(cx))?;
        }
        self.push(Bytes::copy_from_slice(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        false
    }
}
