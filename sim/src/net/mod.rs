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
mod heartbeat;
pub(crate) mod memory;
pub(crate) mod pipe;
pub(crate) mod postman;
pub(crate) mod switchboard;
pub(crate) mod websocket;

use std::fmt;
use std::io;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use self::switchboard::End;

/// A stream of bytes in both directions.
pub trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// Any stream.
pub type BoxIo = Box<dyn Io>;

/// A connection as the server gets it.
pub struct Accepted {
    /// The stream.
    pub io: BoxIo,
    /// Whose it is, by number, when the network knows.
    pub client: Option<u32>,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("client", &self.client).finish_non_exhaustive()
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
}
