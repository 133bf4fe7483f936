//! Answers: those that clients owe the application, and those that it owes them.

use alloc::vec::Vec;

use super::rooms::Slot;
use super::{
    AckTicket, AckTimeout, CommandError, Event, NspId, Server, SocketRef, Timer, Token, Work,
};
use crate::codec::sio::{self, AckId};
use crate::time::Duration;
use crate::timers::TimerKey;
use crate::value::Value;

/// An ack that one socket owes.
#[derive(Debug)]
pub(super) struct PendingAck {
    pub(super) id: u64,
    pub(super) token: Token,
    pub(super) timer: Option<TimerKey>,
}

/// The acks of one broadcast. Who was asked is frozen when it is made (`BC-ACK-06`).
#[derive(Debug)]
pub(super) struct BroadcastAck {
    pub(super) token: Token,
    /// Slot, generation, and whether the answer came; in slot order.
    pub(super) asked: Vec<(Slot, u32, bool)>,
    pub(super) responses: Vec<Value>,
    pub(super) timer: Option<TimerKey>,
}

/// What `setTimeout(fn, undefined)` waits: a broadcast with acks and without timeout fails almost
/// at once (`BC-ACK-05`).
const NO_TIMEOUT: Duration = Duration::from_millis(1);

impl Server {
    /// The next ack id of a namespace: one counter for all its sockets and broadcasts
    /// (`SIO-ACK-02`).
    pub(super) fn next_ack_id(&mut self, nsp: NspId) -> u64 {
        match self.namespaces.get_mut(nsp.0) {
            Some(nsp) => {
                nsp.ack_counter += 1;
                nsp.ack_counter - 1
            }
            None => 0,
        }
    }

    /// Registers a single ack, and its deadline from now on (`SIO-ACK-05`). Returns its id.
    ///
    /// # Errors
    /// The socket owes as many as it may; no id was spent.
    pub(super) fn expect_ack(
        &mut self,
        socket: SocketRef,
        request: super::AckRequest,
    ) -> Result<u64, CommandError> {
        let limit = self.config.limits.pending_acks;
        if self.socket(socket).is_some_and(|state| state.acks.len() >= limit) {
            return Err(CommandError::Limit("pending_acks"));
        }
        let id = self.next_ack_id(socket.nsp);
        let timer = self.arm_ack(socket, id, request);
        if let Some(state) = self.socket_mut(socket) {
            state.acks.push(PendingAck { id, token: request.token, timer });
        }
        Ok(id)
    }

    /// An ack that no packet asks for, because the socket has gone: only its deadline settles it
    /// (`SIO-ACK-06`).
    pub(super) fn miss_ack(&mut self, socket: SocketRef, request: super::AckRequest) {
        self.arm_ack(socket, u64::MAX, request); // the id of no ack: there are no others of it
    }

    fn arm_ack(
        &mut self,
        socket: SocketRef,
        id: u64,
        request: super::AckRequest,
    ) -> Option<TimerKey> {
        let timer = Timer::Ack { socket, id, token: request.token };
        request.timeout.map(|timeout| self.timers.arm(self.now + timeout, timer))
    }

    /// An ACK packet. One with an unknown, used, foreign or missing id is ignored
    /// (`SIO-ACK-03`).
    pub(super) fn on_ack(&mut self, socket: SocketRef, id: Option<AckId>, args: Vec<Value>) {
        let Some(AckId::Exact(id)) = id else { return };
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        let Some(state) = nsp.socket_mut(socket) else { return };
        if let Some(at) = state.acks.iter().position(|ack| ack.id == id) {
            let mut ack = state.acks.remove(at);
            self.timers.cancel(&mut ack.timer);
            self.emit_event(Event::Acked { token: ack.token, result: Ok(args) });
            return;
        }
        let Some(broadcast) = nsp.broadcast_acks.get_mut(&id) else { return };
        let Ok(at) = broadcast.asked.binary_search_by_key(&socket.slot, |(slot, ..)| *slot) else {
            return;
        };
        let (_, generation, answered) = &mut broadcast.asked[at];
        if *generation != socket.generation || *answered {
            return;
        }
        *answered = true;
        broadcast.responses.push(args.into_iter().next().unwrap_or(Value::Null)); // BC-ACK-02
        if broadcast.responses.len() == broadcast.asked.len() {
            self.settle_broadcast(socket.nsp, id, None);
        }
    }

    /// A disconnection does not settle an ack; its deadline does (`SIO-ACK-06`).
    pub(super) fn on_ack_timeout(&mut self, socket: SocketRef, id: u64, token: Token) {
        if let Some(state) = self.socket_mut(socket) {
            state.acks.retain(|ack| ack.id != id);
        }
        self.emit_event(Event::Acked { token, result: Err(AckTimeout) });
    }

    /// Registers the acks of a broadcast. Without recipients it is settled at once
    /// (`BC-ACK-04`).
    pub(super) fn expect_broadcast_acks(
        &mut self,
        id: NspId,
        ack_id: u64,
        request: super::AckRequest,
        recipients: &[SocketRef],
    ) {
        let at = self.now + request.timeout.unwrap_or(NO_TIMEOUT);
        let timer = self.timers.arm(at, Timer::BroadcastAck { nsp: id, id: ack_id });
        let Some(nsp) = self.namespaces.get_mut(id.0) else { return };
        let asked = recipients.iter().map(|socket| (socket.slot, socket.generation, false));
        let broadcast = BroadcastAck {
            token: request.token,
            asked: asked.collect(),
            responses: Vec::new(),
            timer: Some(timer),
        };
        nsp.broadcast_acks.insert(ack_id, broadcast);
        if recipients.is_empty() {
            self.ticks.push_back(Work::SettleBroadcast { nsp: id, id: ack_id });
        }
    }

    pub(super) fn on_broadcast_timeout(&mut self, nsp: NspId, id: u64) {
        self.settle_broadcast(nsp, id, Some(AckTimeout));
    }

    /// Tells the application once; what comes later is ignored (`BC-ACK-03`, `BC-ACK-08`).
    pub(super) fn settle_broadcast(&mut self, id: NspId, ack_id: u64, late: Option<AckTimeout>) {
        let acks = match self.namespaces.get_mut(id.0) {
            Some(nsp) => nsp.broadcast_acks.remove(&ack_id),
            None => self.orphaned_acks.remove(&(id, ack_id)),
        };
        let Some(mut broadcast) = acks else { return };
        self.timers.cancel(&mut broadcast.timer);
        self.emit_event(Event::BroadcastAcked {
            token: broadcast.token,
            responses: broadcast.responses,
            timed_out: late,
        });
    }

    /// Answers a client's event (`SIO-ACK-01`).
    pub(super) fn answer(&mut self, ticket: &AckTicket, args: &[Value]) {
        if let Some(nsp) = self.writing_namespace(ticket.socket) {
            self.write_encoded(ticket.socket.conn, &sio::encode_ack(&nsp, ticket.id, args));
        }
    }
}
