//! What the server's host writes down: each thing before anything acts on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use overheard_core::app::Observer;
use overheard_core::engine::{ConnId, EngineEvent};
use overheard_core::server::{Command, Event, Server, SocketRef};
use smol_str::{SmolStr, ToSmolStr};

use super::SERVER;
use crate::history::What;
use crate::recorder::Recorder;

/// Tokens of acks from here on are those of the server's own broadcasts: the number of the
/// operation, and this. The application counts its own from 0.
pub(crate) const OWN_TOKENS: u64 = 1 << 48;

/// Writes events of the server into the history.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) recorder: Recorder,
    /// Whose input is being handled.
    pub(super) client: Option<u32>,
    conns: BTreeMap<ConnId, u32>,
}

impl Watch {
    pub(super) const fn new(recorder: Recorder) -> Self {
        Self { recorder, client: None, conns: BTreeMap::new() }
    }

    fn client_of(&self, socket: SocketRef) -> Option<SmolStr> {
        let client = self.conns.get(&socket.conn())?;
        self.recorder.name(*client).cloned()
    }

    fn place(socket: SocketRef, server: &Server) -> Option<(SmolStr, SmolStr)> {
        let nsp = server.namespace_name(socket.namespace())?;
        Some((nsp.clone(), server.sid(socket)?.clone()))
    }
}

impl Observer for Watch {
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
