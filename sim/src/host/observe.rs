//! A host in a simulation: each thing is written down before anything acts on it, and a planted bug
//! spoils what the server says.

use std::collections::BTreeMap;
use std::sync::Arc;

use overheard_core::app::{App, Hosted, Observer};
use overheard_core::engine::{ConnId, EngineEvent, Response};
use overheard_core::server::{Command, Event, Server, SocketRef};
use overheard_core::time::Instant;
use overheard_core::wire::{Frame, WsId};
use smol_str::{SmolStr, ToSmolStr};

use super::Host;
use super::watch::{Watch, Witness};
use crate::history::{Action, Counters, What};
use crate::net::websocket::Outbox;
use crate::recorder::Recorder;
use crate::sabotage::Bug;

/// Who writes the server's events.
pub(crate) const SERVER: SmolStr = SmolStr::new_static("server");

/// What the server's clock shows at the beginning of a run, in nanoseconds since the Unix epoch:
/// 2023-11-14. Recovery offsets are made of the time; with a real one, an ordinary word is not
/// mistaken for one.
pub(crate) const EPOCH: u64 = 1_700_000_000_000_000_000;

/// Tokens of acks from here on are those of the server's own broadcasts: the number of the
/// operation, and this. The application counts its own from 0.
pub(crate) const OWN_TOKENS: u64 = 1 << 48;

/// Something that the application does on its own account.
#[derive(Debug)]
pub(crate) struct Act {
    /// The number of the operation.
    pub(crate) op: u64,
    /// As it is written down.
    pub(crate) action: Action,
    /// As it is carried out.
    pub(crate) commands: Vec<Command>,
    /// Whether the end of the operation comes later, with its answers.
    pub(crate) waits: bool,
}

/// A host whose events are written into the history.
#[derive(Debug)]
pub(crate) struct Recorded {
    recorder: Recorder,
    bug: Bug,
}

impl Recorded {
    /// Writes into `recorder`, and spoils what `bug` spoils.
    pub(crate) const fn new(recorder: Recorder, bug: Bug) -> Self {
        Self { recorder, bug }
    }

    /// The history.
    pub(super) const fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl Watch for Recorded {
    type Witness = Notes;
    type Outlet = Outbox;
    type Act = Act;

    fn witness(&self) -> Notes {
        Notes { recorder: self.recorder.clone(), client: None, conns: BTreeMap::new() }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(EPOCH.saturating_add(self.recorder.clock().now()))
    }

    async fn sleep_until(&self, at: Instant) {
        self.recorder.clock().sleep_until(at.as_nanos().saturating_sub(EPOCH)).await;
    }

    fn broken(&self, message: String) {
        self.recorder.broken(message);
    }

    fn begin(&self, act: &mut Act, server: &Server) -> Vec<Command> {
        let step = self.recorder.op(act.op).and_then(|op| op.step);
        let what = What::Acted { op: act.op, action: act.action.clone() };
        self.recorder.write(SERVER, what, None, step);
        let mut commands = std::mem::take(&mut act.commands);
        self.bug.commands(&mut commands, server);
        commands
    }

    fn closes(&self, act: &Act) -> bool {
        act.action == Action::Close
    }

    fn end(&self, act: &Act) {
        if self.closes(act) {
            self.recorder.set_troubled(true);
        }
        if !act.waits {
            self.recorder.done(act.op);
        }
    }

    fn response(&self, session: &str, response: &mut Response) {
        self.bug.response(session, response);
    }

    fn take_frames<A: App>(&self, hosted: &mut Hosted<A>, ws: WsId, frames: &mut Vec<Frame>) {
        if !self.bug.is_planted() {
            return hosted.take_frames(ws, frames);
        }
        let mut taken = Vec::new();
        hosted.take_frames(ws, &mut taken);
        self.bug.frames(ws, &mut taken);
        frames.append(&mut taken);
    }

    fn extra(&self) -> Vec<(WsId, Frame)> {
        self.bug.extra()
    }
}

impl<A: App> Host<A, Recorded> {
    /// How much it holds.
    pub(crate) fn counters(&self, last: bool) -> Counters {
        let stats = self.see(|hosted| hosted.server().stats());
        let count = |number: usize| number as u64;
        Counters {
            connections: count(stats.clients.max(stats.engine.sessions)),
            sockets: count(stats.connected + stats.waiting),
            rooms: count(stats.rooms),
            memberships: count(stats.memberships),
            acks: count(stats.acks + stats.broadcast_acks),
            dynamic_namespaces: count(stats.dynamic_namespaces),
            buffered_bytes: count(stats.engine.buffered_bytes),
            timers: count(stats.timers + stats.engine.timers),
            last,
        }
    }
}

/// Writes events of the server into the history.
#[derive(Debug)]
pub(crate) struct Notes {
    recorder: Recorder,
    /// Whose input is being handled.
    client: Option<u32>,
    conns: BTreeMap<ConnId, u32>,
}

impl Witness for Notes {
    fn set_client(&mut self, client: Option<u32>) {
        self.client = client;
    }
}

impl Notes {
    fn client_of(&self, socket: SocketRef) -> Option<SmolStr> {
        let client = self.conns.get(&socket.conn())?;
        self.recorder.name(*client).cloned()
    }

    fn place(socket: SocketRef, server: &Server) -> Option<(SmolStr, SmolStr)> {
        let nsp = server.namespace_name(socket.namespace())?;
        Some((nsp.clone(), server.sid(socket)?.clone()))
    }
}

impl Observer for Notes {
    fn on_event(&mut self, event: &Event, server: &Server) {
        match event {
            Event::Engine(EngineEvent::Open { conn }) => {
                self.conns.extend(self.client.map(|client| (*conn, client)));
            }
            Event::Engine(EngineEvent::Close { conn, .. }) => {
                self.conns.remove(conn);
            }
            Event::Connection { socket, nsp, recovered } => {
                let Some(sid) = server.sid(*socket).cloned() else { return };
                let (nsp, recovered, client) = (nsp.clone(), *recovered, self.client_of(*socket));
                self.recorder.record(SERVER, What::Entered { nsp, sid, recovered, client });
            }
            Event::Disconnecting { socket, reason } => {
                let Some((nsp, sid)) = Self::place(*socket, server) else { return };
                let reason = SmolStr::new_static(reason.as_str());
                self.recorder.record(SERVER, What::Left { nsp, sid, reason });
            }
            Event::Received { socket, name, args, ack } => {
                let Some((nsp, sid)) = Self::place(*socket, server) else { return };
                let event = name.to_smolstr();
                let client = self.client_of(*socket);
                let parent =
                    client.and_then(|client| self.recorder.accepted(&client, &nsp, &event, args));
                let (args, ack) = (Arc::new(args.clone()), ack.is_some());
                let what = What::Accepted { nsp, sid, event, args, ack };
                self.recorder.write(SERVER, what, parent, None);
            }
            Event::BroadcastAcked { token, responses, timed_out } => {
                let Some(op) = token.0.checked_sub(OWN_TOKENS) else { return };
                let (responses, timed_out) = (Arc::new(responses.clone()), timed_out.is_some());
                let what = What::BroadcastAcked { op, responses, timed_out };
                self.recorder.finish(&SERVER, op, what);
            }
            Event::Engine(_)
            | Event::NamespaceRequested { .. }
            | Event::NamespaceCreated(_)
            | Event::NamespaceRemoved(_)
            | Event::Middleware { .. }
            | Event::ConnectRefused { .. }
            | Event::Incoming { .. }
            | Event::Outgoing { .. }
            | Event::SocketMiddleware { .. }
            | Event::Error { .. }
            | Event::Disconnected { .. }
            | Event::Room { .. }
            | Event::Acked { .. }
            | Event::Fetched { .. }
            | Event::Refused(_) => {}
        }
    }

    fn on_command(&mut self, _: &Command, _: &Server) {}
}
