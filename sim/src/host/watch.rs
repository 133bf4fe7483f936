//! Who watches a host: whose clock it goes by, who writes down what happens, and what is done to
//! what it says on the way.

use std::future::Future;

use overheard_core::app::{App, Hosted, Observer};
use overheard_core::engine::Response;
use overheard_core::server::{Command, Server};
use overheard_core::time::{Duration, Instant};
use overheard_core::wire::{Frame, WsId};

use crate::net::websocket::{Closing, Outbox};

/// The surroundings of a host. The defaults change nothing.
pub(crate) trait Watch: Sized + 'static {
    /// Sees events before anything acts on them.
    type Witness: Witness;
    /// What stands between the machine and the stream of a WebSocket.
    type Outlet: Outlet;
    /// What the application does on its own account.
    type Act;

    /// A witness for one host.
    fn witness(&self) -> Self::Witness;

    /// The time.
    fn now(&self) -> Instant;

    /// Waits.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()>;

    /// The host itself has failed.
    fn broken(&self, message: String);

    /// An act is about to be carried out: with these commands.
    fn begin(&self, act: &mut Self::Act, server: &Server) -> Vec<Command>;

    /// Whether no connection is to be taken in behind it.
    fn closes(&self, act: &Self::Act) -> bool;

    /// An act was carried out.
    fn end(&self, _act: &Self::Act) {}

    /// The answer to a request of a session is about to leave.
    fn response(&self, _session: &str, _response: &mut Response) {}

    /// Takes what waits for a WebSocket.
    fn take_frames<A: App>(&self, hosted: &mut Hosted<A>, ws: WsId, frames: &mut Vec<Frame>) {
        hosted.take_frames(ws, frames);
    }

    /// Frames that the machine knows nothing of.
    fn extra(&self) -> Vec<(WsId, Frame)> {
        Vec::new()
    }

    /// How long the body of a request may take.
    fn body_timeout(&self) -> Option<Duration> {
        None
    }
}

/// Sees events, and whose they are.
pub(crate) trait Witness: Observer {
    /// What comes now is of this client, or of nobody.
    fn set_client(&mut self, _client: Option<u32>) {}
}

/// What stands between the machine and the stream of a WebSocket.
pub(crate) trait Outlet: Default + 'static {
    /// Frames wait; `take` takes them, now.
    fn announce(&self, take: impl FnOnce(&mut Vec<Frame>));

    /// The stream is to end behind what was announced.
    fn close(&self, closing: Closing);
}

/// Takes frames at once.
impl Outlet for Outbox {
    fn announce(&self, take: impl FnOnce(&mut Vec<Frame>)) {
        self.fill(take);
    }

    fn close(&self, closing: Closing) {
        Self::close(self, closing);
    }
}
