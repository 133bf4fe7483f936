//! A WebSocket on a stream that one task polls: tungstenite without tokio's wrapper around it.
//!
//! The wrapper allows for a reader and a writer in two tasks, so that each wake-up goes through two
//! more wakers; and what it reads into is filled with zeros before each read, also before those that
//! find nothing. A simulation has thousands of connections with little to say on each.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::handshake::client::ClientHandshake;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::BoxIo;

/// Bytes that are read from the stream at a time.
const READ: usize = 4096;

/// Bytes of them that tungstenite gets at a time: the least for which its buffer is made anew in
/// whole.
const SIP: usize = 1024;

/// A WebSocket.
pub(crate) struct Socket {
    inner: WebSocket<Shell>,
    /// Nothing is blocked on the way out.
    ready: bool,
    /// Everything that was read is used up, and nothing of it is a whole message.
    drained: bool,
    ended: bool,
}

impl Socket {
    /// The server's side of a stream that has been switched, with what was read too far.
    pub(crate) fn accepted(io: BoxIo, read: &[u8], config: WebSocketConfig) -> Self {
        let config = config.read_buffer_size(SIP);
        let shell = Shell::new(io, Waker::noop());
        Self::new(WebSocket::from_partially_read(shell, read.to_vec(), Role::Server, Some(config)))
    }

    /// Opens a WebSocket as its client.
    pub(crate) async fn open(
        url: String,
        io: BoxIo,
        config: WebSocketConfig,
    ) -> Result<Self, Error> {
        let request = url.into_client_request()?;
        let config = config.read_buffer_size(SIP);
        let mut shell = Shell::new(io, Waker::noop());
        shell.gathers = true;
        let mut opening = Some(ClientHandshake::start(shell, request, Some(config))?);
        let mut inner = poll_fn(|cx| {
            let Some(mut mid) = opening.take() else { return Poll::Pending };
            mid.get_mut().get_mut().set_waker(cx);
            match mid.handshake() {
                Ok((socket, _)) => Poll::Ready(Ok(socket)),
                Err(HandshakeError::Failure(error)) => Poll::Ready(Err(error)),
                Err(HandshakeError::Interrupted(mid)) => {
                    opening = Some(mid);
                    Poll::Pending
                }
            }
        })
        .await?;
        inner.get_mut().gathers = false;
        Ok(Self::new(inner))
    }

    const fn new(inner: WebSocket<Shell>) -> Self {
        Self { inner, ready: true, drained: false, ended: false }
    }

    /// The stream itself.
    pub(crate) fn io(&mut self) -> &mut BoxIo {
        &mut self.inner.get_mut().io
    }

    fn poll_out(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.get_mut().set_waker(cx);
        let flushed = pending(self.inner.flush());
        self.ready |= flushed.is_ready();
        flushed
    }
}

impl Stream for Socket {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let shell = this.inner.get_mut();
        shell.set_waker(cx);
        if this.drained && !shell.blocked && shell.fill().is_pending() {
            return Poll::Pending;
        }
        let read = pending(this.inner.read());
        this.drained = read.is_pending();
        read.map(|read| match read {
            Ok(message) => Some(Ok(message)),
            Err(error) => {
                this.ended = true;
                let is_over = matches!(error, Error::AlreadyClosed | Error::ConnectionClosed);
                (!is_over).then_some(Err(error))
            }
        })
    }
}

impl Sink<Message> for Socket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.ready { Poll::Ready(Ok(())) } else { self.poll_out(cx) }
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        // A message that the stream does not take yet is kept.
        match pending(self.inner.write(message)) {
            Poll::Ready(written) => {
                self.ready = true;
                written
            }
            Poll::Pending => {
                self.ready = false;
                Ok(())
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_out(cx).map(|flushed| match flushed {
            // All is out, and that was the end of it.
            Err(Error::ConnectionClosed) => Ok(()),
            flushed => flushed,
        })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush(cx)
    }
}

/// What would block is not there yet.
fn pending<T>(result: Result<T, Error>) -> Poll<Result<T, Error>> {
    match result {
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

fn or_would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The stream, as tungstenite wants it.
struct Shell {
    io: BoxIo,
    /// Of the task that polls.
    waker: Waker,
    /// Whether a read brings all that has arrived. The handshake takes an answer that comes in many
    /// small pieces for an attack, which is not what is tested: crumbs are put together.
    gathers: bool,
    /// Whether the stream did not take what was written last.
    blocked: bool,
    /// What was read and has not been asked for.
    ahead: BytesMut,
}

impl Shell {
    fn new(io: BoxIo, waker: &Waker) -> Self {
        Self { io, waker: waker.clone(), gathers: false, blocked: false, ahead: BytesMut::new() }
    }

    fn set_waker(&mut self, cx: &Context<'_>) {
        if !self.waker.will_wake(cx.waker()) {
            self.waker = cx.waker().clone();
        }
    }

    fn poll_read(&mut self, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(&self.waker);
        loop {
            let had = into.filled().len();
            let read = Pin::new(&mut self.io).poll_read(&mut cx, into);
            let has_more = matches!(read, Poll::Ready(Ok(()))) && into.filled().len() > had;
            if self.gathers && has_more && into.remaining() > 0 {
                continue;
            }
            // What ends the stream behind bytes is said again when it is read again.
            return if into.filled().is_empty() { read } else { Poll::Ready(Ok(())) };
        }
    }

    /// Reads ahead of what tungstenite asks for; what ends the stream is left to it.
    fn fill(&mut self) -> Poll<()> {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut read = ReadBuf::uninit(&mut space);
        self.poll_read(&mut read).map(|_| self.ahead.extend_from_slice(read.filled()))
    }
}

impl Read for Shell {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let mut space = [MaybeUninit::uninit(); READ];
            let mut read = ReadBuf::uninit(&mut space);
            or_would_block(self.poll_read(&mut read))?;
            let read = read.filled();
            let (now, later) = read.split_at(read.len().min(into.len()));
            into[..now.len()].copy_from_slice(now);
            self.ahead.extend_from_slice(later);
            return Ok(now.len());
        }
        let count = self.ahead.len().min(into.len());
        self.ahead.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

impl Write for Shell {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        let written = Pin::new(&mut self.io).poll_write(&mut cx, bytes);
        self.blocked = written.is_pending();
        or_would_block(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut cx = Context::from_waker(&self.waker);
        or_would_block(Pin::new(&mut self.io).poll_flush(&mut cx))
    }
}
