//! A host in the real world: the wall's clock, no history, and counters.

use std::rc::Rc;
use std::time::SystemTime;

use overheard_core::app::Observer;
use overheard_core::engine::{EngineEvent, Refusal};
use overheard_core::server::{Command, Event, Server};
use overheard_core::time::{Duration, Instant};
use tokio::time::Instant as TokioInstant;

use super::line::Line;
use super::metrics::Metrics;
use crate::host::watch::{Watch, Witness};
use crate::net::clock::nanos;

/// Reads the time since the Unix epoch. It never goes back, whatever is done to the wall's clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    start: TokioInstant,
    epoch: u64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a server that listens lives in real time")]
    fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self { start: TokioInstant::now(), epoch: since_epoch.map_or(0, nanos) }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.epoch.saturating_add(nanos(self.start.elapsed())))
    }

    async fn sleep_until(&self, at: Instant) {
        let since = at.as_nanos().saturating_sub(self.epoch);
        tokio::time::sleep_until(self.start + Duration::from_nanos(since)).await;
    }
}

/// What surrounds the host of a server that listens.
#[derive(Debug)]
pub(super) struct Live {
    clock: Clock,
    metrics: Rc<Metrics>,
    body_timeout: Duration,
}

impl Live {
    /// Time begins.
    pub(super) fn new(metrics: Rc<Metrics>, body_timeout: Duration) -> Self {
        Self { clock: Clock::start(), metrics, body_timeout }
    }
}

impl Watch for Live {
    type Witness = Tally;
    type Outlet = Line;
    /// Commands; the only thing that the application does by itself is to close.
    type Act = Vec<Command>;

    fn witness(&self) -> Tally {
        Tally(self.metrics.clone())
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    async fn sleep_until(&self, at: Instant) {
        self.clock.sleep_until(at).await;
    }

    fn broken(&self, message: String) {
        tracing::error!(message, "the server itself is wrong");
    }

    fn begin(&self, act: &mut Vec<Command>, _: &Server) -> Vec<Command> {
        std::mem::take(act)
    }

    fn closes(&self, _: &Vec<Command>) -> bool {
        true
    }

    fn body_timeout(&self) -> Option<Duration> {
        Some(self.body_timeout)
    }
}

/// Counts and logs what happens.
#[derive(Debug)]
pub(super) struct Tally(Rc<Metrics>);

impl Witness for Tally {}

impl Observer for Tally {
    fn on_event(&mut self, event: &Event, server: &Server) {
        let metrics = &self.0;
        match event {
            Event::Engine(EngineEvent::Open { .. }) => {
                metrics.sessions_opened.inc();
            }
            Event::Engine(EngineEvent::Close { reason, .. }) => {
                metrics.sessions_closed.of(reason.as_str()).inc();
            }
            Event::Engine(EngineEvent::ConnectionError { refusal }) => {
                metrics.requests_refused.of(Refusal::code_message(refusal.code())).inc();
                tracing::debug!(message = refusal.message(), "a request is refused");
            }
            Event::Engine(EngineEvent::Upgraded { .. }) => {
                metrics.upgrades.inc();
            }
            Event::Connection { socket, nsp, recovered } => {
                metrics.sockets_connected.inc();
                let sid = server.sid(*socket).map_or("", |sid| sid.as_str());
                tracing::debug!(nsp = nsp.as_str(), sid, recovered, "a socket is connected");
            }
            Event::ConnectRefused { .. } => {
                metrics.connects_refused.inc();
            }
            Event::Disconnecting { socket, reason } => {
                metrics.sockets_disconnected.of(reason.as_str()).inc();
                let sid = server.sid(*socket).map_or("", |sid| sid.as_str());
                tracing::debug!(sid, reason = reason.as_str(), "a socket is disconnected");
            }
            Event::Received { .. } => {
                metrics.events_received.inc();
            }
            Event::Refused(error) => {
                metrics.commands_refused.inc();
                tracing::debug!(%error, "a command of the application is refused");
            }
            Event::Engine(_)
            | Event::NamespaceRequested { .. }
            | Event::NamespaceCreated(_)
            | Event::NamespaceRemoved(_)
            | Event::Middleware { .. }
            | Event::Incoming { .. }
            | Event::Outgoing { .. }
            | Event::SocketMiddleware { .. }
            | Event::Error { .. }
            | Event::BroadcastAcked { .. }
            | Event::Disconnected { .. }
            | Event::Room { .. }
            | Event::Acked { .. }
            | Event::Fetched { .. } => {}
        }
    }

    fn on_command(&mut self, command: &Command, _: &Server) {
        if matches!(command, Command::Broadcast { .. }) {
            self.0.broadcasts.inc();
        }
    }
}
