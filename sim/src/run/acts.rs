//! Steps that make clients and the server's application do something.

use std::sync::Arc;

use overheard_core::server::{AckRequest, Command, EventName, Flags, Selection, Token};
use overheard_core::value::{Object, Value};
use smol_str::SmolStr;

use super::world::World;
use crate::history::{self, Audience};
use crate::host::{Act, OWN_TOKENS};
use crate::matching::fill;
use crate::net::clock::nanos;
use crate::peer::{How, Wish};
use crate::plan::{ClientId, Emit, RoomName, ServerAction, Step, Target, Template};

/// How long an operation without a timeout keeps a run from being quiet: a little more than the
/// chat contract's own timeout.
const PATIENCE: u64 = 6_000_000_000;

impl World {
    /// Clients connect, and are let in or refused.
    pub(super) async fn connect(&self, who: &[ClientId], auth: Option<&Object>, step: Option<u32>) {
        let mut ops = Vec::new();
        for client in who {
            let Some(peer) = self.peer(*client) else { continue };
            for nsp in self.namespaces(*client) {
                let (name, planned) = nsp;
                let op = self.recorder.new_op(step, None);
                let auth = auth.cloned().or(planned);
                peer.wish(Wish::Connect { op, nsp: name, auth });
                ops.push(op);
            }
        }
        self.ops_done(&ops, self.latest(0)).await;
    }

    fn namespaces(&self, client: ClientId) -> Vec<(SmolStr, Option<Object>)> {
        let plan = usize::try_from(client.0).ok().and_then(|client| self.plan.clients.get(client));
        let namespaces = plan.into_iter().flat_map(|plan| &plan.namespaces);
        namespaces.map(|nsp| (nsp.name.as_str().into(), nsp.auth.clone())).collect()
    }

    /// When a step that waits for something goes on without it.
    fn latest(&self, at_least: u64) -> u64 {
        let patience = nanos(self.plan.bounds.settle).max(at_least);
        self.now().saturating_add(patience)
    }

    /// Clients leave a namespace, or all.
    pub(super) async fn disconnect(&self, who: &[ClientId], namespace: Option<&str>, step: u32) {
        let mut ops = Vec::new();
        for client in who {
            let Some(peer) = self.peer(*client) else { continue };
            for (nsp, _) in self.namespaces(*client) {
                if namespace.is_none_or(|only| nsp == only) {
                    let op = self.recorder.new_op(Some(step), None);
                    peer.wish(Wish::Disconnect { op, nsp });
                    ops.push(op);
                }
            }
        }
        self.ops_done(&ops, self.latest(0)).await;
    }

    /// Fills templates in; a hole that nothing is known for ends the run.
    fn fill(&self, templates: &[Template], nsp: &str, index: u32) -> Vec<Value> {
        let filled = self.recorder.with_env(|env| {
            env.namespace = nsp.into();
            env.index = index;
            templates.iter().map(|template| fill(template, env)).collect::<Option<Vec<_>>>()
        });
        filled.unwrap_or_else(|| {
            // The scenario's reader has checked the names; only the moment can be wrong.
            self.recorder.broken(format!("nothing is known for a hole in {templates:?}"));
            Vec::new()
        })
    }

    /// Clients emit.
    pub(super) async fn emit(&self, step: &Step, emit: &Emit) {
        let how = How {
            ack: emit.ack.is_some() || emit.ack_fails,
            timeout: emit.timeout,
            volatile: emit.volatile,
        };
        let waits = how.ack.then(|| emit.timeout.map_or(PATIENCE, nanos));
        let nsp = SmolStr::from(&*emit.namespace);
        let event = SmolStr::from(&*emit.event);
        let mut ops = Vec::new();
        for index in 0..emit.times.max(1) {
            if index > 0 && !emit.every.is_zero() {
                let at = self.now().saturating_add(nanos(emit.every));
                self.recorder.clock().sleep_until(at).await;
            }
            let args = Arc::new(self.fill(&emit.args, &nsp, index));
            self.sends(step, &event, &args);
            for client in &emit.from {
                let Some(peer) = self.peer(*client) else { continue };
                let op = self.recorder.new_op(Some(step.id.0), waits);
                let (nsp, event, args) = (nsp.clone(), event.clone(), args.clone());
                peer.wish(Wish::Emit { op, nsp, event, args, how });
                ops.push(op);
            }
        }
        let latest = self.latest(emit.timeout.map_or(0, nanos));
        if emit.no_wait {
            let is_under_way =
                |op: &u64| self.recorder.op(*op).is_none_or(|op| op.invoked.is_some());
            self.until(latest, || ops.iter().all(is_under_way)).await;
        } else {
            self.ops_done(&ops, latest).await;
        }
    }

    /// The server's application acts.
    pub(super) async fn server_acts(&self, step: &Step, action: &ServerAction) {
        match action {
            ServerAction::Broadcast { target, event, args, volatile, ack, times, every } => {
                let mut ops = Vec::new();
                for index in 0..(*times).max(1) {
                    if index > 0 && !every.is_zero() {
                        let at = self.now().saturating_add(nanos(*every));
                        self.recorder.clock().sleep_until(at).await;
                    }
                    let args = Arc::new(self.fill(args, &target.namespace, index));
                    self.notes_sent(step, event);
                    let timeout = ack.as_ref().map(|(timeout, _)| *timeout);
                    let op = self.recorder.new_op(Some(step.id.0), timeout.map(nanos));
                    let audience = self.audience(target);
                    let ack = timeout.map(|timeout| AckRequest {
                        token: Token(OWN_TOKENS + op),
                        timeout: Some(timeout),
                    });
                    let Ok(name) = EventName::new(event) else {
                        return self.recorder.broken(format!("\"{event}\" is a reserved name"));
                    };
                    let command = Command::Broadcast {
                        selection: selection(&audience),
                        name,
                        args: args.to_vec(),
                        flags: Flags { volatile: *volatile, ..Flags::default() },
                        ack,
                    };
                    let action = history::Action::Broadcast {
                        to: audience,
                        event: event.as_str().into(),
                        args,
                        volatile: *volatile,
                        ack: timeout.is_some(),
                    };
                    self.act(op, action, vec![command], timeout.is_some());
                    ops.push(op);
                }
                let timeout = ack.as_ref().map_or(0, |(timeout, _)| nanos(*timeout));
                self.ops_done(&ops, self.latest(timeout)).await;
            }
            ServerAction::Move { target, join, leave } => {
                let audience = self.audience(target);
                let rooms = |names: &[String]| -> Vec<SmolStr> {
                    names.iter().map(|name| name.as_str().into()).collect()
                };
                let (join, leave) = (rooms(join), rooms(leave));
                let mut commands = Vec::new();
                if !leave.is_empty() {
                    let (selection, rooms) = (selection(&audience), leave.clone());
                    commands.push(Command::SocketsLeave { selection, rooms });
                }
                if !join.is_empty() {
                    let (selection, rooms) = (selection(&audience), join.clone());
                    commands.push(Command::SocketsJoin { selection, rooms });
                }
                let action = history::Action::Move { who: audience, join, leave };
                self.act_at_once(step, action, commands).await;
            }
            ServerAction::Kick { target, close } => {
                let audience = self.audience(target);
                let selection = selection(&audience);
                let commands = vec![Command::DisconnectSockets { selection, close: *close }];
                let action = history::Action::Kick { who: audience, close: *close };
                self.act_at_once(step, action, commands).await;
            }
            ServerAction::Close => {
                self.act_at_once(step, history::Action::Close, vec![Command::Close]).await;
            }
        }
    }

    async fn act_at_once(&self, step: &Step, action: history::Action, commands: Vec<Command>) {
        let op = self.recorder.new_op(Some(step.id.0), None);
        self.act(op, action, commands, false);
        self.ops_done(&[op], self.latest(0)).await;
    }

    fn act(&self, op: u64, action: history::Action, commands: Vec<Command>, waits: bool) {
        match self.seat.host() {
            Some(host) => host.act(Act { op, action, commands, waits }),
            // A server that is down does nothing.
            None => self.recorder.done(op),
        }
    }

    fn audience(&self, target: &Target) -> Audience {
        let nsp = SmolStr::from(&*target.namespace);
        let rooms = |names: &[RoomName]| -> Vec<SmolStr> {
            let room = |name: &RoomName| match name {
                RoomName::Named(name) => Some(name.as_str().into()),
                RoomName::Own(client) => self.recorder.with_env(|env| {
                    env.namespace = nsp.clone();
                    env.sid(*client).cloned()
                }),
            };
            // Somebody who was never there has no room.
            names.iter().map(|name| room(name).unwrap_or_default()).collect()
        };
        let (to, except) = (rooms(&target.to), rooms(&target.except));
        Audience { nsp, to, except }
    }

    /// Notes what a client's request makes the server send, for `all-of`.
    fn sends(&self, step: &Step, event: &SmolStr, args: &[Value]) {
        let options = args.first().and_then(Value::as_object);
        let name = match event.as_str() {
            "chat" => Some("chat"),
            "broadcast" | "ask" | "tell" => {
                options.and_then(|options| options.get("event")).and_then(Value::as_str)
            }
            _ => None,
        };
        if let Some(name) = name {
            self.notes_sent(step, name);
        }
    }

    fn notes_sent(&self, step: &Step, event: &str) {
        if let Some(label) = &step.label {
            self.sent.borrow_mut().entry(label.clone()).or_default().push(event.to_owned());
        }
    }
}

fn selection(audience: &Audience) -> Selection {
    Selection::namespace(audience.nsp.clone())
        .to(audience.to.iter().cloned())
        .except(audience.except.iter().cloned())
}
