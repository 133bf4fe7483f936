//! A stream whose reads bring all that has arrived, for as long as that is wanted.
//!
//! The WebSocket client takes an answer to its handshake that comes in many small pieces for an
//! attack. It is not what is tested: while it shakes hands, crumbs are put together.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::BoxIo;

/// Such a stream.
pub(crate) struct Gathering {
    inner: BoxIo,
    gathers: Rc<Cell<bool>>,
}

/// Opens a WebSocket as its client.
pub(crate) async fn shake_hands(
    url: String,
    inner: BoxIo,
    config: WebSocketConfig,
) -> Result<WebSocketStream<Gathering>, Error> {
    let gathers = Rc::new(Cell::new(true));
    let io = Gathering { inner, gathers: gathers.clone() };
    let (socket, _) = client_async_with_config(url, io, Some(config)).await?;
    gathers.set(false);
    Ok(socket)
}

impl AsyncRead for Gathering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        loop {
            let had = into.filled().len();
            let read = Pin::new(&mut self.inner).poll_read(cx, into);
            let has_more = matches!(read, Poll::Ready(Ok(()))) && into.filled().len() > had;
            if self.gathers.get() && has_more && into.remaining() > 0 {
                continue;
            }
            // What ends the stream behind bytes is said again when it is read again.
            return if into.filled().len() > before { Poll::Ready(Ok(())) } else { read };
        }
    }
}

impl AsyncWrite for Gathering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
