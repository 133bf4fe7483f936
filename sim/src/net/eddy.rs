//! Turmoil as a network: real sockets' shape, in simulated hosts.
//!
//! Everything that is peculiar about turmoil is in here and in the stage that runs it. Delays of
//! connections come from the pipes; turmoil itself carries bytes from one tick to the next.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use super::pipe::{Pipe, Way};
use super::postman::Postman;
use super::relay::relay;
use super::switchboard::{Effect, End, Weather};
use super::{Accepted, BoxIo, Caller, Listener, Network};
use crate::recorder::Recorder;

/// The server's name among turmoil's hosts.
pub(crate) const SERVER: &str = "server";

const PORT: u16 = 80;

/// Which pipe a connection of the server is the other end of, by the client's address.
type Book = Rc<RefCell<BTreeMap<SocketAddr, Weak<Pipe>>>>;

thread_local! {
    /// The book of the run on this thread, for streams of a guest: these are sent between tasks, and
    /// cannot have it with them.
    static BOOK: RefCell<Book> = RefCell::default();
}

/// A guest has written to a client's connection.
pub(crate) fn written_to(peer: SocketAddr) {
    let pipe = BOOK.with_borrow(|book| book.borrow().get(&peer).and_then(Weak::upgrade));
    pipe.iter().for_each(touch);
}

/// Counts what a fault of turmoil's own does to what the server has written.
fn touch(pipe: &Rc<Pipe>) {
    if pipe.end().touch_rack_faults() == Some(Effect::Partition) {
        // Turmoil sends nothing again: what comes behind is never read.
        pipe.wedge(Way::Down);
    }
}

/// The network.
#[derive(Clone)]
pub(crate) struct Eddy {
    weather: Weather,
    /// One for each rack.
    postmen: Rc<Vec<Rc<Postman>>>,
    recorder: Recorder,
    book: Book,
}

impl fmt::Debug for Eddy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eddy").finish_non_exhaustive()
    }
}

impl Eddy {
    /// The network; each postman has to be spawned on its rack.
    pub(crate) fn new(weather: Weather, postmen: Rc<Vec<Rc<Postman>>>, recorder: Recorder) -> Self {
        Self { weather, postmen, recorder, book: Book::default() }
    }

    /// Opens the server's door for a guest. Called on the server.
    pub(crate) async fn open_door(&self) -> io::Result<TcpListener> {
        BOOK.set(self.book.clone());
        bind().await
    }
}

async fn bind() -> io::Result<TcpListener> {
    TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await
}

impl Network for Eddy {
    fn listen(&self) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let book = self.book.clone();
        async move {
            let listener = bind().await?;
            Ok(Box::new(Bound { listener, book }) as Box<dyn Listener>)
        }
        .boxed_local()
    }

    fn connect(&self, end: &Rc<End>) -> LocalBoxFuture<'static, io::Result<BoxIo>> {
        let (this, end) = (self.clone(), end.clone());
        async move {
            if !end.may_connect().await {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let Weather { clock, board } = &this.weather;
            clock.sleep_until(clock.now() + end.round_trip()).await;
            if board.is_down() {
                // Turmoil would let it wait for the next process; a dead one refuses.
                board.found_nobody();
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let inner = TcpStream::connect((SERVER, PORT)).await;
            let inner = inner.inspect_err(|_| board.found_nobody())?;
            let postman = this.postmen.get(usize::from(end.rack()));
            let Some(postman) = postman else { return Err(io::ErrorKind::NotFound.into()) };
            let (near, far) = Pipe::open(&end, board, clock, postman);
            this.book.borrow_mut().insert(inner.local_addr()?, Rc::downgrade(near.pipe()));
            tokio::task::spawn_local(this.recorder.guard("a relay", relay(far, inner)));
            Ok(Box::new(near) as BoxIo)
        }
        .boxed_local()
    }
}

struct Bound {
    listener: TcpListener,
    book: Book,
}

impl Listener for Bound {
    fn accept(&mut self) -> LocalBoxFuture<'_, io::Result<Accepted>> {
        async {
            let (inner, peer) = self.listener.accept().await?;
            let book = self.book.clone();
            let found: RefCell<Weak<Pipe>> = RefCell::default();
            let pipe = Rc::new(move || {
                let known = found.borrow().upgrade();
                known.or_else(|| {
                    *found.borrow_mut() = book.borrow().get(&peer)?.clone();
                    found.borrow().upgrade()
                })
            });
            let client = pipe.clone();
            let caller = Caller::lookup(move || client().and_then(|pipe| pipe.end().client()));
            Ok(Accepted { io: Box::new(Counted { inner, pipe }), caller })
        }
        .boxed_local()
    }
}

/// The server's side of a connection, which counts what a fault of turmoil's own touches.
struct Counted<F: Fn() -> Option<Rc<Pipe>>> {
    inner: TcpStream,
    pipe: Rc<F>,
}

impl<F: Fn() -> Option<Rc<Pipe>>> Counted<F> {
    fn touch(&self) {
        (self.pipe)().iter().for_each(touch);
    }
}

impl<F: Fn() -> Option<Rc<Pipe>>> AsyncRead for Counted<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl<F: Fn() -> Option<Rc<Pipe>>> AsyncWrite for Counted<F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(_))) {
            self.touch();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.touch();
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
