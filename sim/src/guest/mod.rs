//! Any server on tokio as a guest in the simulated network.
//!
//! A [`Guest`] is handed a listener, and serves the streams that come from it, as it would serve
//! those of TCP: with `tokio::spawn`, `tokio::time`, hyper, axum, whatever it is made of. Streams
//! are `AsyncRead + AsyncWrite + Send + Unpin`. Time is virtual, and everything that can break in a
//! scenario breaks: connections are cut, stalled, chopped and delayed, racks are parted, and a
//! `crash` drops the guest's whole runtime; `serve` is called once more when it is started again.
//!
//! ```no_run
//! use overheard::guest::{GuestError, GuestListener, GuestOptions};
//!
//! async fn serve(mut listener: GuestListener, options: GuestOptions) -> Result<(), GuestError> {
//!     if options.server().max_connections.is_some() {
//!         return Err(GuestError::Cannot("max-connections".to_owned()));
//!     }
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         // tokio::spawn(my_server.serve_connection(stream));
//!         drop(stream);
//!     }
//! }
//! # fn main() -> std::process::ExitCode {
//! overheard::guest::main(serve)
//! # }
//! ```
//!
//! The guest plays the chat contract. Nothing is known of it but what clients see: operations are
//! intervals, audiences are three-valued, and a scenario that needs more is skipped, with the reason
//! ([`unplayable`](crate::run::unplayable)).
//!
//! # What is not promised
//!
//! The same seed gives the guest the same bytes in the same order as long as it answers with the
//! same bytes. What it draws from the system (ids, hash maps in random order) and what it leaves in
//! `static` variables is its own: therefore each run has a process of its own, and
//! `--verify-determinism` says whether two histories differ in more than the ids of sockets. A guest
//! that starts threads, blocks, reads files or the wall's clock is outside of the simulation.

mod attend;
#[cfg(feature = "cli")]
mod binary;
mod built_in;
mod listener;

use std::future::Future;
use std::sync::Arc;
use std::{fmt, io};

use futures_util::future::{FutureExt, LocalBoxFuture};

pub(crate) use self::attend::attend;
#[cfg(feature = "cli")]
pub use self::binary::main;
pub use self::built_in::built_in;
pub use self::listener::{GuestListener, GuestStream};
use crate::plan::{ServerOptions, ServerPlan};

/// A server under test inside of the simulation. Async functions with these arguments are guests.
pub trait Guest: Send + Sync + 'static {
    /// Serves until it is dropped: the whole life of one server process.
    ///
    /// # Errors
    /// [`GuestError::Cannot`] skips the scenario; anything else, and a return without an error, ends
    /// the run without a verdict.
    fn serve(
        &self,
        listener: GuestListener,
        options: GuestOptions,
    ) -> impl Future<Output = Result<(), GuestError>> + 'static;
}

impl<F, S> Guest for F
where
    F: Fn(GuestListener, GuestOptions) -> S + Send + Sync + 'static,
    S: Future<Output = Result<(), GuestError>> + 'static,
{
    fn serve(
        &self,
        listener: GuestListener,
        options: GuestOptions,
    ) -> impl Future<Output = Result<(), GuestError>> + 'static {
        self(listener, options)
    }
}

/// Why a guest does not serve.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The server cannot do what the options ask for: their name, or a sentence.
    #[error("cannot: {0}")]
    Cannot(String),
    /// It cannot be started, or cannot go on.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for GuestError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What a server process is told when it starts.
#[derive(Clone, Debug)]
pub struct GuestOptions {
    server: ServerPlan,
    seed: u64,
}

impl GuestOptions {
    pub(crate) const fn new(server: ServerPlan, seed: u64) -> Self {
        Self { server, seed }
    }

    /// The `server` block of the scenario.
    #[must_use]
    pub const fn server(&self) -> &ServerPlan {
        &self.server
    }

    /// The same as a live server finds it in `OVERHEARD_SERVER`, as JSON.
    #[must_use]
    pub fn told(&self) -> ServerOptions {
        ServerOptions::from(&self.server)
    }

    /// A number for whatever a guest draws by chance: another one for each seed of the run, and for
    /// each process of it.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }
}

/// A guest, for as many runs as there are.
#[derive(Clone)]
pub struct AnyGuest(Arc<dyn Serve>);

impl fmt::Debug for AnyGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyGuest").finish_non_exhaustive()
    }
}

/// The same guest, not one that is like it.
impl PartialEq for AnyGuest {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for AnyGuest {}

impl AnyGuest {
    /// Any guest.
    pub fn new(guest: impl Guest) -> Self {
        Self(Arc::new(guest))
    }

    fn serve(
        &self,
        listener: GuestListener,
        options: GuestOptions,
    ) -> LocalBoxFuture<'static, Result<(), GuestError>> {
        self.0.serve_boxed(listener, options)
    }
}

/// [`Guest`] without its type.
trait Serve: Send + Sync {
    fn serve_boxed(
        &self,
        listener: GuestListener,
        options: GuestOptions,
    ) -> LocalBoxFuture<'static, Result<(), GuestError>>;
}

impl<G: Guest> Serve for G {
    fn serve_boxed(
        &self,
        listener: GuestListener,
        options: GuestOptions,
    ) -> LocalBoxFuture<'static, Result<(), GuestError>> {
        self.serve(listener, options).boxed_local()
    }
}
