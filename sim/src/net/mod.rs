//! Networks, and what breaks in them.
//!
//! Host and peer are written once, against the small [`Network`] trait. Three networks stand
//! behind it: [`memory`] (in-memory pipes under a paused clock), [`eddy`] (turmoil) and [`tcp`].
//!
//! Faults of single connections are the same on all of them: every connection of a client runs
//! through a [`pipe`], which delays, slices, stalls, swallows, resets and half-closes as the
//! [`switchboard`] says. On the memory network the pipe is the connection; on the others a relay
//! carries its bytes to a stream of that network.

pub(crate) mod clock;
pub(crate) mod eddy;
mod heartbeat;
pub(crate) mod memory;
pub(crate) mod pipe;
mod place;
pub(crate) mod postman;
mod relay;
pub(crate) mod socket;
pub(crate) mod switchboard;
pub(crate) mod tcp;
pub(crate) mod websocket;

use std::fmt;
use std::io;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::place::{Place, PlaceError};
pub use self::switchboard::End;

/// A stream of bytes in both directions.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// Any stream.
pub type BoxIo = Box<dyn Io>;

/// Whose a connection is, as far as the network knows.
#[derive(Clone)]
pub struct Caller(Rc<dyn Fn() -> Option<u32>>);

impl Caller {
    /// One that is looked up when it is asked for: it may be known only when bytes have come.
    pub fn lookup(find: impl Fn() -> Option<u32> + 'static) -> Self {
        Self(Rc::new(find))
    }

    /// A client, by number.
    #[must_use]
    pub fn client(&self) -> Option<u32> {
        (self.0)()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(&self.client()).finish()
    }
}

/// A connection as the server gets it.
pub struct Accepted {
    /// The stream.
    pub io: BoxIo,
    /// Whose it is.
    pub caller: Caller,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// Takes connections in, one after the other.
pub trait Listener {
    /// The next connection.
    fn accept(&mut self) -> LocalBoxFuture<'_, io::Result<Accepted>>;
}

/// Carries bytes between clients and one server.
pub trait Network {
    /// Opens the server's door. Called on the server.
    ///
    /// # Errors
    /// The door cannot be opened.
    fn listen(&self) -> LocalBoxFuture<'static, io::Result<Box<dyn Listener>>>;

    /// A connection from this end to the server. Called where the client lives.
    fn connect(&self, end: &Rc<End>) -> LocalBoxFuture<'static, io::Result<BoxIo>>;

    /// Where requests go.
    fn place(&self) -> Place {
        Place::default()
    }
}
