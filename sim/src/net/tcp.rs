//! Real TCP: what scenarios are played on against servers that listen.
//!
//! Time is the wall's. Each connection of a client still runs through a [`Pipe`], so that faults of
//! connections, and the delays of the plan, are the same as in simulation; a relay carries its bytes
//! to a socket of the system.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::{Rc, Weak};

use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::net::{TcpListener, TcpStream};

use super::pipe::Pipe;
use super::postman::Postman;
use super::relay::relay;
use super::switchboard::{End, Weather};
use super::{Accepted, BoxIo, Caller, Listener, Network, Place};
use crate::recorder::Recorder;

/// Which pipe a connection of our own server is the other end of, by the client's address.
type Book = Rc<RefCell<BTreeMap<SocketAddr, Weak<Pipe>>>>;

/// Where the server is, once that is known.
pub(crate) type Door = Rc<RefCell<Option<Place>>>;

/// The network.
#[derive(Clone)]
pub(crate) struct Tcp {
    weather: Weather,
    postman: Rc<Postman>,
    recorder: Recorder,
    door: Door,
    book: Book,
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tcp").field("door", &self.door).finish_non_exhaustive()
    }
}

impl Tcp {
    /// The network around a door, which [`Network::listen`] opens unless somebody else has. The
    /// postman has to be spawned.
    pub(crate) fn new(
        weather: Weather,
        postman: Rc<Postman>,
        recorder: Recorder,
        door: Door,
    ) -> Self {
        Self { weather, postman, recorder, door, book: Book::default() }
    }
}

impl Network for Tcp {
    fn listen(&self) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (door, book) = (self.door.clone(), self.book.clone());
        async move {
            // A server that comes back is found where it was.
            let port = door.borrow().as_ref().map_or(0, |place| place.address.port());
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            *door.borrow_mut() = Some(Place::at(listener.local_addr()?));
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
            let address = this.door.borrow().as_ref().map(|place| place.address);
            let Some(address) = address.filter(|_| !board.is_down()) else {
                board.found_nobody();
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            let inner = TcpStream::connect(address).await;
            let inner = inner.inspect_err(|_| board.found_nobody())?;
            inner.set_nodelay(true)?;
            let (near, far) = Pipe::open(&end, board, clock, &this.postman);
            this.book.borrow_mut().insert(inner.local_addr()?, Rc::downgrade(near.pipe()));
            tokio::task::spawn_local(this.recorder.guard("a relay", relay(far, inner)));
            Ok(Box::new(near) as BoxIo)
        }
        .boxed_local()
    }

    fn place(&self) -> Place {
        self.door.borrow().clone().unwrap_or_default()
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
            inner.set_nodelay(true)?;
            let book = self.book.clone();
            let caller = Caller::lookup(move || {
                let pipe = book.borrow().get(&peer).and_then(Weak::upgrade)?;
                pipe.end().client()
            });
            Ok(Accepted { io: Box::new(inner), caller })
        }
        .boxed_local()
    }
}
