//! The built-in chat as a server that listens: core on real TCP.
//!
//! One thread owns the machine and all connections. What the machine says to a WebSocket is taken
//! as late as possible, so that everything said meanwhile leaves in one write, and waits in the
//! machine, where it is counted, while a client does not read.

mod cors;
mod door;
mod gzip;
mod line;
mod metrics;
mod settings;
mod site;
mod watch;
mod wire;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

pub use self::cors::{Cors, Origins};
pub use self::settings::{Limits, Settings};

/// Why a server cannot run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where it should listen.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// There is no runtime.
    #[error("the runtime does not start: {0}")]
    Runtime(io::Error),
    /// There is no source of ids that nobody can guess.
    #[error("the system has no random numbers: {0}")]
    Random(io::Error),
    /// What drives the machine has stopped.
    #[error("the server has stopped by itself; this is a bug of Overheard")]
    Stopped,
}

/// A token that nobody can guess.
///
/// # Errors
/// The system has no random numbers.
pub fn fresh_token() -> Result<String, ServeError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::Random(io::Error::other(error)))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// A server that listens, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Begins to listen: from here on clients can connect, and wait.
    ///
    /// # Errors
    /// The address cannot be had, or the system lacks what a server needs.
    pub fn bind(settings: Settings) -> Result<Self, ServeError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ServeError::Runtime)?;
        let address = settings.listen;
        let listen = |error| ServeError::Listen { address, error };
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { settings, runtime, listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on this thread until `stop` is over; then closes everything in good order.
    ///
    /// # Errors
    /// The system lacks what a server needs.
    pub fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { settings, runtime, listener, .. } = self;
        LocalSet::new().block_on(&runtime, door::serve(settings, listener, stop))
    }
}
