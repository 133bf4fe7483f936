//! Moves WebSocket messages between a stream and a machine, in both roles.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use overheard_core::wire::{Frame, WsEnd};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Error, Message, Utf8Bytes};

use super::socket::Socket;

/// How long a side that has closed waits for the other one: what `ws` does.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Messages handed over at a time, so that a busy peer does not keep others from their turn.
const MOST_FRAMES: usize = 256;

/// What a machine wants to be written, until the stream is there and takes it.
#[derive(Debug, Default)]
pub(crate) struct Outbox(RefCell<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    frames: Vec<Frame>,
    /// How many times frames were put in since they were last taken.
    batches: u32,
    close: Option<Closing>,
    waker: Option<Waker>,
}

/// How a stream is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// With a close frame.
    Close(Option<u16>),
    /// With these bytes, in the middle of nowhere.
    Break(Bytes),
}

impl Outbox {
    /// Lets the machine put frames in.
    pub(crate) fn fill(&self, put: impl FnOnce(&mut Vec<Frame>)) {
        let mut waiting = self.0.borrow_mut();
        put(&mut waiting.frames);
        waiting.batches += 1;
        waiting.wake();
    }

    /// The stream is to end behind what was put in.
    pub(crate) fn close(&self, closing: Closing) {
        let mut waiting = self.0.borrow_mut();
        if waiting.close.is_none() {
            waiting.close = Some(closing);
            waiting.wake();
        }
    }

    /// How it is to end, if nothing is left to be written before.
    fn take_close(&self) -> Option<Closing> {
        let mut waiting = self.0.borrow_mut();
        if waiting.frames.is_empty() { waiting.close.take() } else { None }
    }
}

impl Waiting {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Who is told what happens on a WebSocket.
pub(crate) trait Feed {
    /// Messages arrived together.
    fn frames(&self, frames: Vec<Frame>);

    /// What was put in that many times is written.
    fn flushed(&self, batches: u32);

    /// It has ended, other than by the machine's own wish. After [`WsEnd::TooLarge`] the machine
    /// may still say how to close it.
    fn ended(&self, end: WsEnd);
}

/// What the pump goes on with.
enum Turn {
    /// The other side has ended, or broken it.
    Ended(WsEnd),
    /// All is written, and it is to end so.
    Closing(Closing),
}

/// Runs a WebSocket to its end.
pub(crate) async fn pump(mut socket: Socket, outbox: &Outbox, feed: &dyn Feed) {
    let mut pump = Pump { written: 0, flushing: false, write_failed: false };
    let turn = poll_fn(|cx| pump.poll(&mut socket, outbox, feed, cx)).await;
    let closing = match turn {
        Turn::Closing(closing) => closing,
        Turn::Ended(end) => {
            let too_large = end == WsEnd::TooLarge;
            feed.ended(end);
            match outbox.0.borrow_mut().close.take() {
                Some(closing) if too_large => closing,
                Some(_) | None => return,
            }
        }
    };
    match closing {
        Closing::Break(bytes) => {
            // Whether it arrives or not, the stream is dropped.
            drop(tokio::io::AsyncWriteExt::write_all(socket.io(), &bytes).await);
        }
        Closing::Close(code) => {
            let farewell = say_farewell(&mut socket, code);
            drop(tokio::time::timeout(CLOSE_TIMEOUT, farewell).await);
        }
    }
}

/// Closes a WebSocket as the protocol wants it: with a frame that is answered.
pub(crate) async fn say_farewell(
    socket: &mut (impl Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin),
    code: Option<u16>,
) {
    let frame = code.map(|code| CloseFrame { code: code.into(), reason: Utf8Bytes::default() });
    if socket.send(Message::Close(frame)).await.is_err() {
        return;
    }
    loop {
        match socket.next().await {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

struct Pump {
    /// Batches that were written and wait to be flushed.
    written: u32,
    flushing: bool,
    write_failed: bool,
}

impl Pump {
    fn poll(
        &mut self,
        socket: &mut Socket,
        outbox: &Outbox,
        feed: &dyn Feed,
        cx: &mut Context<'_>,
    ) -> Poll<Turn> {
        loop {
            let wrote = self.poll_write(socket, outbox, feed, cx);
            // The end comes behind everything, also behind what flushing has made the machine say.
            if !self.flushing
                && let Some(closing) = outbox.take_close()
            {
                return Poll::Ready(Turn::Closing(closing));
            }
            match Self::poll_read(socket, feed, cx) {
                Poll::Ready(Some(end)) => return Poll::Ready(Turn::Ended(end)),
                // What arrived may have made the machine say something.
                Poll::Ready(None) => {}
                Poll::Pending if wrote => {}
                Poll::Pending => break,
            }
        }
        let mut waiting = outbox.0.borrow_mut();
        if !waiting.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            waiting.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Writes what waits; whether the machine was told of something.
    fn poll_write(
        &mut self,
        socket: &mut Socket,
        outbox: &Outbox,
        feed: &dyn Feed,
        cx: &mut Context<'_>,
    ) -> bool {
        let mut frames = {
            let mut waiting = outbox.0.borrow_mut();
            self.written += std::mem::take(&mut waiting.batches);
            std::mem::take(&mut waiting.frames)
        };
        for frame in frames.drain(..) {
            self.flushing = true;
            if !self.write_failed {
                // It is only buffered here; a full buffer grows.
                self.write_failed = Pin::new(&mut *socket).start_send(message(frame)).is_err();
            }
        }
        {
            // Hands the memory back.
            let mut waiting = outbox.0.borrow_mut();
            if waiting.frames.is_empty() {
                waiting.frames = frames;
            }
        }
        if self.flushing && !self.write_failed {
            match Pin::new(&mut *socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.flushing = false,
                Poll::Ready(Err(_)) => self.write_failed = true,
                Poll::Pending => {}
            }
        }
        if self.write_failed {
            // What the other side said before is still read; its end comes behind.
            self.flushing = false;
        }
        if !self.flushing && self.written > 0 {
            feed.flushed(std::mem::take(&mut self.written));
            return true;
        }
        false
    }

    fn poll_read(
        socket: &mut Socket,
        feed: &dyn Feed,
        cx: &mut Context<'_>,
    ) -> Poll<Option<WsEnd>> {
        let mut frames = Vec::new();
        let end = loop {
            match Pin::new(&mut *socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    match message {
                        Message::Text(text) => frames.extend(frame_of(text)),
                        Message::Binary(bytes) => frames.push(Frame::Binary(bytes)),
                        Message::Close(_) => break Some(WsEnd::Closed),
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    }
                    if frames.len() >= MOST_FRAMES {
                        break None;
                    }
                }
                Poll::Ready(Some(Err(error))) => break Some(end_of(&error)),
                Poll::Ready(None) => break Some(WsEnd::Closed),
                Poll::Pending => break None,
            }
        };
        let news = !frames.is_empty();
        if news {
            feed.frames(frames);
        }
        if news || end.is_some() { Poll::Ready(end) } else { Poll::Pending }
    }
}

fn message(frame: Frame) -> Message {
    match frame {
        Frame::Text(text) => {
            // Valid UTF-8 is checked again: the two crates do not know each other.
            Message::Text(Utf8Bytes::try_from(text.into_bytes()).unwrap_or_default())
        }
        Frame::Binary(bytes) => Message::Binary(bytes),
    }
}

pub(crate) fn frame_of(text: Utf8Bytes) -> Option<Frame> {
    ByteString::try_from(Bytes::from(text)).ok().map(Frame::Text)
}

pub(crate) fn end_of(error: &Error) -> WsEnd {
    match error {
        Error::Capacity(_) => WsEnd::TooLarge,
        // The reference's parser does not miss the closing handshake either.
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_) => WsEnd::Closed,
        Error::Protocol(_)
        | Error::Utf8(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_)
        | Error::Tls(_) => WsEnd::ProtocolError(error.to_string().into()),
    }
}
