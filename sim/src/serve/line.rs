//! What the machine says to a WebSocket, and how it gets there: as late as possible, so that what
//! was said meanwhile leaves in one write; and not at all while the client takes nothing, so that it
//! waits in the machine, where it is counted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_util::Stream as _;
use overheard_core::app::App;
use overheard_core::engine::Input;
use overheard_core::wire::{Frame, WsEnd, WsId};
use tokio::time::Sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::watch::Live;
use super::wire::Wire;
use crate::host::Host;
use crate::host::watch::Outlet;
use crate::net::websocket::{CLOSE_TIMEOUT, Closing, end_of, frame_of, say_farewell};

/// Bytes of small frames that are put together for one write.
const CHUNK: usize = 16 << 10;

/// From this size on a frame is written from where it is, without a copy.
const LARGE: usize = 4 << 10;

/// Messages, and bytes of them, handed over at a time, so that a busy client does not keep others
/// from their turn.
const MOST_FRAMES: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// What the machine wants of the stream of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Line(RefCell<Wanted>);

#[derive(Debug, Default)]
struct Wanted {
    announced: bool,
    close: Option<Closing>,
    waker: Option<Waker>,
}

impl Line {
    fn want(&self, want: impl FnOnce(&mut Wanted)) {
        let mut wanted = self.0.borrow_mut();
        want(&mut wanted);
        if let Some(waker) = wanted.waker.take() {
            waker.wake();
        }
    }

    fn take_announced(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().announced)
    }

    fn take_close(&self) -> Option<Closing> {
        self.0.borrow_mut().close.take()
    }

    fn is_closing(&self) -> bool {
        self.0.borrow().close.is_some()
    }

    fn register(&self, cx: &Context<'_>) {
        let waker = &mut self.0.borrow_mut().waker;
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

/// Takes frames when the stream does.
impl Outlet for Line {
    fn announce(&self, _: impl FnOnce(&mut Vec<Frame>)) {
        self.want(|wanted| wanted.announced = true);
    }

    fn close(&self, closing: Closing) {
        self.want(|wanted| {
            wanted.close.get_or_insert(closing);
        });
    }
}

/// A WebSocket's place in the host, given up when this is dropped.
pub(super) struct Place<A: App> {
    host: Rc<Host<A, Live>>,
    ws: WsId,
}

impl<A: App> Place<A> {
    pub(super) const fn new(host: Rc<Host<A, Live>>, ws: WsId) -> Self {
        Self { host, ws }
    }

    fn tell(&self, input: Input) {
        self.host.input(None, input);
    }
}

impl<A: App> Drop for Place<A> {
    fn drop(&mut self) {
        self.tell(Input::WsClosed { ws: self.ws, end: WsEnd::Closed });
        self.host.leave(self.ws);
    }
}

/// Where small frames are put together; one for all connections.
pub(super) type Scratch = Rc<RefCell<BytesMut>>;

/// Runs a WebSocket to its end.
pub(super) async fn pump<A: App>(
    mut socket: WebSocketStream<Wire>,
    line: Rc<Line>,
    place: Place<A>,
    scratch: Scratch,
) {
    let mut pump = Pump {
        line: &line,
        place: &place,
        scratch,
        frames: VecDeque::new(),
        in_flight: false,
        broken: false,
        deadline: None,
    };
    let turn = poll_fn(|cx| pump.poll(&mut socket, cx)).await;
    let closing = match turn {
        Turn::Closing(closing) => closing,
        Turn::Ended(end) => {
            let too_large = end == WsEnd::TooLarge;
            place.tell(Input::WsClosed { ws: place.ws, end });
            match line.take_close() {
                Some(closing) if too_large => closing,
                Some(_) | None => return,
            }
        }
    };
    let farewell = async {
        match closing {
            Closing::Close(code) => say_farewell(&mut socket, code).await,
            Closing::Break(bytes) => {
                let wire = socket.get_mut();
                wire.push(bytes);
                // Whether it arrives or not, the stream is dropped.
                drop(poll_fn(|cx| wire.poll_drain(cx)).await);
            }
        }
    };
    drop(tokio::time::timeout(CLOSE_TIMEOUT, farewell).await);
}

/// What the pump goes on with.
enum Turn {
    /// The other side has ended, or broken it.
    Ended(WsEnd),
    /// All is written, and it is to end so.
    Closing(Closing),
}

struct Pump<'a, A: App> {
    line: &'a Line,
    place: &'a Place<A>,
    scratch: Scratch,
    /// Taken from the machine, and not written.
    frames: VecDeque<Frame>,
    /// The machine has not been told that they are written.
    in_flight: bool,
    /// Nothing can be written any more.
    broken: bool,
    /// Until when what is left may be written, once the machine has closed.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<A: App> Pump<'_, A> {
    fn poll(&mut self, socket: &mut WebSocketStream<Wire>, cx: &mut Context<'_>) -> Poll<Turn> {
        loop {
            match self.poll_write(socket.get_mut(), cx) {
                Poll::Ready(Ok(())) => {
                    // The end comes behind everything, also behind what flushing has brought up.
                    if let Some(closing) = self.line.take_close() {
                        return Poll::Ready(Turn::Closing(closing));
                    }
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                    return Poll::Ready(Turn::Ended(WsEnd::Closed));
                }
                // What the other side said before is still read; its end comes behind.
                Poll::Ready(Err(_)) => self.broken = true,
                Poll::Pending if self.line.is_closing() => {
                    let sleep = || Box::pin(tokio::time::sleep(CLOSE_TIMEOUT));
                    if self.deadline.get_or_insert_with(sleep).as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Turn::Ended(WsEnd::Closed));
                    }
                }
                Poll::Pending => {}
            }
            match self.poll_read(socket, cx) {
                Poll::Ready(Some(end)) => return Poll::Ready(Turn::Ended(end)),
                // What arrived may have made the machine say something.
                Poll::Ready(None) => {}
                Poll::Pending => break,
            }
        }
        self.line.register(cx);
        Poll::Pending
    }

    /// Writes all that the machine has to say.
    fn poll_write(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken {
            return Poll::Ready(Ok(()));
        }
        loop {
            std::task::ready!(wire.poll_drain(cx))?;
            if !self.frames.is_empty() {
                self.write_some(wire, cx)?;
            } else if self.in_flight {
                self.in_flight = false;
                self.place.tell(Input::WsFlushed(self.place.ws));
            } else if self.line.take_announced() {
                self.in_flight = true;
                let mut frames = Vec::from(std::mem::take(&mut self.frames));
                self.place.host.take_frames(self.place.ws, &mut frames);
                self.frames = frames.into();
            } else {
                // Idle connections hold nothing.
                self.frames = VecDeque::new();
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes what fits one write, or one large frame.
    fn write_some(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> io::Result<()> {
        let mut chunk = self.scratch.borrow_mut();
        chunk.clear();
        let mut large = Bytes::new();
        while chunk.len() < CHUNK
            && large.is_empty()
            && let Some(frame) = self.frames.pop_front()
        {
            let (opcode, payload) = match frame {
                Frame::Text(text) => (Data::Text, text.into_bytes()),
                Frame::Binary(bytes) => (Data::Binary, bytes),
            };
            let header = FrameHeader { opcode: OpCode::Data(opcode), ..FrameHeader::default() };
            let mut writer = bytes::BufMut::writer(&mut *chunk);
            let formatted = header.format(payload.len() as u64, &mut writer);
            formatted.map_err(io::Error::other)?;
            if payload.len() < LARGE {
                chunk.extend_from_slice(&payload);
            } else {
                large = payload;
            }
        }
        wire.send(cx, &chunk)?;
        wire.push(large);
        Ok(())
    }

    fn poll_read(
        &self,
        socket: &mut WebSocketStream<Wire>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<WsEnd>> {
        let (mut frames, mut bytes) = (Vec::new(), 0);
        let end = loop {
            match Pin::new(&mut *socket).poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    bytes += message.len();
                    match message {
                        Message::Text(text) => frames.extend(frame_of(text)),
                        Message::Binary(bytes) => frames.push(Frame::Binary(bytes)),
                        Message::Close(_) => break Some(WsEnd::Closed),
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    }
                    if frames.len() >= MOST_FRAMES || bytes >= MOST_BYTES {
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
            self.place.tell(Input::WsFrames { ws: self.place.ws, frames });
        }
        if news || end.is_some() { Poll::Ready(end) } else { Poll::Pending }
    }
}
