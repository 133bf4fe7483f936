//! One connection as two lines of bytes, on which everything can go wrong.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::Clock;
use super::heartbeat::is_heartbeat;
use super::postman::Postman;
use super::switchboard::{Effect, End, Switchboard};
use crate::rng::Stream as Random;

/// Bytes that one line holds before its writer has to wait: the default of Linux for a socket that
/// has not grown.
const CAPACITY: usize = 64 * 1024;

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Way {
    const fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// One direction.
#[derive(Default)]
struct Line {
    bytes: VecDeque<u8>,
    /// How many of `bytes` arrive when.
    marks: VecDeque<(u64, usize)>,
    last_due: u64,
    /// The writer has ended; the reader learns it then.
    end: Option<u64>,
    /// Bytes were lost: nothing that comes behind them can be read.
    wedged: bool,
    reader_gone: bool,
    /// The postman comes then.
    scheduled: Option<u64>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Line {
    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn await_bytes(&mut self, cx: &Context<'_>) {
        if !self.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            self.reader = Some(cx.waker().clone());
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    fn push(&mut self, due: u64, bytes: &[u8]) {
        self.last_due = self.last_due.max(due);
        self.bytes.extend(bytes);
        match self.marks.back_mut() {
            Some((at, count)) if *at == self.last_due => *count += bytes.len(),
            Some(_) | None => self.marks.push_back((self.last_due, bytes.len())),
        }
    }

    /// How many bytes have arrived.
    fn arrived(&self, now: u64) -> usize {
        self.marks.iter().take_while(|(at, _)| *at <= now).map(|(_, count)| count).sum()
    }

    /// When the next thing arrives that has not yet.
    fn next_due(&self, now: u64) -> Option<u64> {
        let bytes = self.marks.iter().map(|(at, _)| *at).find(|at| *at > now);
        bytes.or(self.end).filter(|at| *at > now)
    }

    fn take(&mut self, count: usize, into: &mut ReadBuf<'_>) {
        let (front, back) = self.bytes.as_slices();
        let first = count.min(front.len());
        into.put_slice(&front[..first]);
        into.put_slice(&back[..count - first]);
        self.bytes.drain(..count);
        let mut left = count;
        while let Some((_, marked)) = self.marks.front_mut().filter(|_| left > 0) {
            let part = left.min(*marked);
            *marked -= part;
            left -= part;
            if *marked == 0 {
                self.marks.pop_front();
            }
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.marks.clear();
    }
}

/// A connection.
pub(crate) struct Pipe {
    end: Rc<End>,
    board: Switchboard,
    clock: Clock,
    postman: Rc<Postman>,
    lines: [RefCell<Line>; 2],
    reset: Cell<bool>,
    client_gone: Cell<bool>,
    /// Decides how reads are sliced.
    random: RefCell<Random>,
    /// Decide how long each piece is under way, one for each way.
    trembling: [RefCell<Random>; 2],
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("reset", &self.reset.get()).finish_non_exhaustive()
    }
}

impl Pipe {
    /// A connection, as its client and as the other side see it.
    pub(super) fn open(
        end: &Rc<End>,
        board: &Switchboard,
        clock: &Clock,
        postman: &Rc<Postman>,
    ) -> (Stream, Stream) {
        let (slices, trembling) = end.next_streams();
        let pipe = Rc::new(Self {
            end: end.clone(),
            board: board.clone(),
            clock: clock.clone(),
            postman: postman.clone(),
            lines: Default::default(),
            reset: Cell::new(false),
            client_gone: Cell::new(false),
            random: RefCell::new(slices),
            trembling: trembling.map(RefCell::new),
        });
        end.add(&pipe);
        (Stream { pipe: pipe.clone(), writes: Way::Up }, Stream { pipe, writes: Way::Down })
    }

    /// Cuts it at once.
    pub(super) fn reset(&self) {
        self.reset.set(true);
        for line in &self.lines {
            line.borrow_mut().clear();
        }
        self.wake();
    }

    /// Ends the client's sending half.
    pub(super) fn half_close(&self) {
        self.end_line(Way::Up);
    }

    /// Lets both sides look again.
    pub(super) fn wake(&self) {
        for line in &self.lines {
            let mut line = line.borrow_mut();
            line.wake_reader();
            line.wake_writer();
        }
    }

    /// Bytes of this way were lost outside of the pipe.
    pub(super) fn wedge(&self, way: Way) {
        self.lines[way.index()].borrow_mut().wedged = true;
    }

    /// Whether the client holds on to a connection that bytes were lost on.
    pub(super) fn is_wedged(&self) -> bool {
        !self.reset.get()
            && !self.client_gone.get()
            && self.lines.iter().any(|line| line.borrow().wedged)
    }

    pub(super) const fn end(&self) -> &Rc<End> {
        &self.end
    }

    /// Whether neither side has gone.
    pub(super) fn is_open(&self) -> bool {
        !self.reset.get() && !self.client_gone.get()
    }

    /// The postman's call.
    pub(super) fn arrived(&self, way: Way) {
        let mut line = self.lines[way.index()].borrow_mut();
        line.scheduled = None;
        line.wake_reader();
    }

    fn schedule(self: &Rc<Self>, line: &mut Line, way: Way, due: u64) {
        if line.scheduled.is_none_or(|at| due < at) {
            line.scheduled = Some(due);
            self.postman.at(due, self.clone(), way);
        }
    }

    /// When what is written now arrives, if nothing before it comes later; `None` if it never does.
    fn due(&self, way: Way, now: u64) -> Option<u64> {
        let mut lost = false;
        self.end.each(|active| match active.effect {
            Effect::BlackHole(direction) if direction.covers(way) => {
                active.touch();
                lost = true;
            }
            Effect::Partition => {
                active.touch();
                lost = true;
            }
            Effect::Delay(..) => active.touch(),
            Effect::Stall(direction) if direction.covers(way) => active.touch(),
            Effect::Hold => active.touch(),
            Effect::BlackHole(_) | Effect::Stall(_) | Effect::Chop(_) | Effect::Refuse => {}
        });
        let delay = self.end.delay(&self.trembling[way.index()]);
        (!lost).then(|| now.saturating_add(delay))
    }

    fn write(self: &Rc<Self>, way: Way, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.reset.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let now = self.clock.now();
        let mut line = self.lines[way.index()].borrow_mut();
        let gone = line.reader_gone && {
            // The writer learns it when the other side's end has come through.
            let back = self.lines[way.other().index()].borrow();
            back.end.is_some_and(|at| at <= now) && !self.is_stalled(way.other())
        };
        if line.end.is_some() || gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if line.bytes.len() >= CAPACITY {
            line.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let Some(due) = self.due(way, now).filter(|_| !line.wedged) else {
            line.wedged = true;
            return Poll::Ready(Ok(bytes.len()));
        };
        if line.reader_gone {
            return Poll::Ready(Ok(bytes.len()));
        }
        let count = bytes.len().min(CAPACITY - line.bytes.len());
        line.push(due, &bytes[..count]);
        if !is_heartbeat(bytes) {
            self.board.in_flight(line.last_due);
        }
        if line.last_due <= now {
            line.wake_reader();
        } else if line.reader.is_some() {
            let due = line.last_due;
            self.schedule(&mut line, way, due);
        }
        Poll::Ready(Ok(count))
    }

    fn is_stalled(&self, way: Way) -> bool {
        self.end.any(|effect| match effect {
            Effect::Stall(direction) => direction.covers(way),
            Effect::Hold => true,
            Effect::BlackHole(_)
            | Effect::Partition
            | Effect::Delay(..)
            | Effect::Chop(_)
            | Effect::Refuse => false,
        })
    }

    /// The most that one read returns.
    fn slice(&self, available: usize) -> usize {
        let mut most = self.board.chop().unwrap_or(u32::MAX);
        self.end.each(|active| {
            if let Effect::Chop(bytes) = active.effect {
                most = most.min(bytes);
                active.touch();
            }
        });
        if most == u32::MAX || available <= 1 {
            return available;
        }
        let drawn = 1 + self.random.borrow_mut().below(u64::from(most));
        available.min(usize::try_from(drawn).unwrap_or(usize::MAX))
    }

    fn read(
        self: &Rc<Self>,
        way: Way,
        cx: &Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reset.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut line = self.lines[way.index()].borrow_mut();
        if line.marks.is_empty() && line.end.is_none() {
            // Most reads find nothing; what time it is does not matter to them.
            line.await_bytes(cx);
            return Poll::Pending;
        }
        let now = self.clock.now();
        let stalled = self.is_stalled(way);
        let available = if stalled { 0 } else { line.arrived(now).min(into.remaining()) };
        if available > 0 {
            let count = self.slice(available);
            line.take(count, into);
            line.wake_writer();
            return Poll::Ready(Ok(()));
        }
        let ended = line.bytes.is_empty() && line.end.is_some_and(|at| at <= now);
        if ended && !stalled && !line.wedged {
            return Poll::Ready(Ok(()));
        }
        line.await_bytes(cx);
        if stalled && line.arrived(now) > 0 {
            self.end.touch_stalls(way);
        }
        if let Some(due) = line.next_due(now).filter(|_| !stalled && !line.wedged) {
            self.schedule(&mut line, way, due);
        }
        Poll::Pending
    }

    /// The writer of this way says no more.
    fn end_line(&self, way: Way) {
        let due = self.due(way, self.clock.now());
        let mut line = self.lines[way.index()].borrow_mut();
        if line.end.is_some() {
            return;
        }
        match due.filter(|_| !line.wedged) {
            Some(due) => {
                line.end = Some(due.max(line.last_due));
                // Whoever waits for bytes schedules the end.
                line.wake_reader();
            }
            None => {
                line.wedged = true;
                line.end = Some(u64::MAX);
            }
        }
    }

    fn leave(&self, writes: Way) {
        self.end_line(writes);
        let mut line = self.lines[writes.other().index()].borrow_mut();
        line.reader_gone = true;
        line.clear();
        line.wake_writer();
        if writes == Way::Up {
            self.client_gone.set(true);
        }
    }
}

/// One side of a [`Pipe`].
#[derive(Debug)]
pub(crate) struct Stream {
    pipe: Rc<Pipe>,
    writes: Way,
}

impl Stream {
    pub(super) const fn pipe(&self) -> &Rc<Pipe> {
        &self.pipe
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pipe.read(self.writes.other(), cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pipe.write(self.writes, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.end_line(self.writes);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.pipe.leave(self.writes);
    }
}
