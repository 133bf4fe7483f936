//! What a client's application is told, and what it does about it.

use std::rc::Rc;
use std::sync::Arc;

use overheard_core::client::{AckError, AckHandle, Command, Event, SocketHandle, Transport};
use overheard_core::value::Value;
use smol_str::{SmolStr, ToSmolStr};

use super::{Peer, State, ok};
use crate::history::{Args, What};
use crate::net::clock::nanos;
use crate::plan::{Answer, ConnectionState};

impl Peer {
    pub(super) fn on_event(self: &Rc<Self>, state: &mut State, event: Event) {
        match event {
            Event::Open => {
                let transport = state.client.transport().map_or("", Transport::name);
                self.note(What::Opened { transport: SmolStr::new_static(transport) });
            }
            Event::Upgraded => self.note(What::Upgraded),
            Event::ReconnectAttempt { attempt } => self.note(What::Reconnecting { attempt }),
            Event::Connected { socket, sid, recovered } => {
                self.on_connected(state, socket, sid, recovered);
            }
            Event::ConnectError { socket, message, data } => {
                self.on_connect_error(state, socket, &message, data);
            }
            Event::Received { socket, name, args, ack } => {
                self.on_received(state, socket, name, args, ack);
            }
            Event::Acked { token, result, .. } => {
                let op = token.0;
                let what = match result {
                    Ok(values) => {
                        state.acked.push(op);
                        ok(op, self.recorder.share(self.number, values))
                    }
                    Err(error) => What::Info { op, error: ack_error(error) },
                };
                self.recorder.finish(&self.name, op, what);
            }
            Event::VolatileDropped { .. } => {
                if let Some(op) = state.current {
                    self.recorder.finish(&self.name, op, What::Dropped { op });
                }
            }
            Event::Disconnected { socket, reason, was_connected, .. } => {
                if was_connected {
                    let nsp = nsp_of(state, socket);
                    let known = ConnectionState::Disconnected(Some(reason.as_str().to_owned()));
                    let reason = SmolStr::new_static(reason.as_str());
                    self.note(What::Disconnected { nsp: nsp.clone(), reason });
                    self.recorder.set_state(self.number, nsp, known);
                }
            }
            Event::Refused { refusal, ack, .. } => {
                if let Some(op) = ack.map(|token| token.0).or(state.current) {
                    let error = refusal.to_smolstr();
                    self.recorder.finish(&self.name, op, What::Fail { op, error });
                }
            }
            Event::Close { .. }
            | Event::Error { .. }
            | Event::Ping
            | Event::UpgradeFailed { .. }
            | Event::Reconnect { .. }
            | Event::ReconnectError { .. }
            | Event::ReconnectFailed
            | Event::AnyIncoming { .. }
            | Event::AnyOutgoing { .. } => {}
        }
    }

    fn on_connected(&self, state: &mut State, socket: SocketHandle, sid: SmolStr, recovered: bool) {
        let nsp = nsp_of(state, socket);
        self.recorder.set_sid(self.number, nsp.clone(), sid.clone());
        let known = if recovered { ConnectionState::Recovered } else { ConnectionState::Connected };
        self.note(What::Connected { nsp: nsp.clone(), sid, recovered });
        self.recorder.set_state(self.number, nsp, known);
        for op in state.connecting.remove(&socket).unwrap_or_default() {
            self.recorder.finish(&self.name, op, ok(op, Args::default()));
        }
    }

    fn on_connect_error(
        &self,
        state: &mut State,
        socket: SocketHandle,
        message: &SmolStr,
        data: Option<Value>,
    ) {
        // Who was not refused tries again.
        let refused = !state.client.is_active(socket);
        if refused {
            let nsp = nsp_of(state, socket);
            let known = ConnectionState::Refused(Some(message.to_string()));
            self.note(What::Refused { nsp: nsp.clone(), message: message.clone(), data });
            self.recorder.set_state(self.number, nsp, known);
            self.refused.set(true);
        }
        if refused || !self.reconnection {
            for op in state.connecting.remove(&socket).unwrap_or_default() {
                let error = message.clone();
                self.recorder.finish(&self.name, op, What::Fail { op, error });
            }
        }
    }

    fn note(&self, what: What) {
        self.recorder.record(self.name.clone(), what);
    }

    fn on_received(
        self: &Rc<Self>,
        state: &mut State,
        socket: SocketHandle,
        event: SmolStr,
        mut args: Vec<Value>,
        ack: Option<AckHandle>,
    ) {
        let nsp = nsp_of(state, socket);
        let mut offset = None;
        if let Some(is_offset) = self.offsets.filter(|_| ack.is_none()) {
            offset = args.pop_if(|last| last.as_str().is_some_and(is_offset));
        }
        let offset = offset.as_ref().and_then(Value::as_str).map(SmolStr::from);
        let args = self.recorder.share(self.number, args);
        let wanted = ack.is_some();
        let given = args.clone();
        let what = What::Received { nsp: nsp.clone(), event, args, offset, ack: wanted };
        self.recorder.received(self.number, self.name.clone(), what);
        let Some(ack) = ack else { return };
        match &self.answer {
            Answer::Echo => self.answer(state, nsp, ack, given),
            Answer::With(values) => self.answer(state, nsp, ack, Arc::new(values.clone())),
            Answer::Never => {}
            Answer::Late(after) => {
                let this = self.clone();
                let at = self.recorder.clock().now().saturating_add(nanos(*after));
                let late = async move {
                    this.recorder.clock().sleep_until(at).await;
                    let mut state = this.state.borrow_mut();
                    this.answer(&mut state, nsp, ack, given);
                    drop(state);
                    this.carry_out_replies();
                };
                tokio::task::spawn_local(self.recorder.guard("a late answer", late));
            }
        }
    }

    /// Answers, unless the socket has gone meanwhile.
    fn answer(&self, state: &mut State, nsp: SmolStr, ack: AckHandle, values: Args) {
        if state.client.sid(ack.socket()).is_some() {
            let args = values.to_vec();
            self.note(What::Answered { nsp, values });
            state.replies.push(Command::Answer { ack, args });
        }
    }
}

fn nsp_of(state: &State, socket: SocketHandle) -> SmolStr {
    state.client.nsp(socket).cloned().unwrap_or_default()
}

fn ack_error(error: AckError) -> SmolStr {
    error.to_smolstr()
}
