//! One socket: the client's side of a namespace.

use core::mem;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use smol_str::{SmolStr, ToSmolStr};

use super::Client;
use super::acks::PendingAck;
use super::config::SocketOptions;
use super::error::{DisconnectReason, Refusal};
use super::event::{AckHandle, Emit, Event, SocketHandle};
use super::manager::ConnectionState;
use super::retry::RetryQueue;
use crate::codec::sio::{AckId, Body, Packet, RESERVED_EVENTS, encode_ack, encode_event};
use crate::value::{Object, Value};

/// How far a socket is with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// No CONNECT is under way.
    Outside,
    /// CONNECT was sent on this connection and is not answered. Another one would make the
    /// server accept two sockets (`SIO-CONN-08`).
    Asked,
    /// The server has accepted.
    Inside,
}

/// An event that waits for the socket to be connected (`CLI-01`).
#[derive(Debug)]
struct Unsent {
    id: Option<u64>,
    data: Vec<Value>,
}

/// An event that came before the server's consent (`CSR-07`).
#[derive(Debug)]
struct Early {
    id: Option<AckId>,
    data: Vec<Value>,
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) nsp: SmolStr,
    pub(super) options: SocketOptions,
    entry: Entry,
    sid: Option<SmolStr>,
    pid: Option<SmolStr>,
    last_offset: Option<SmolStr>,
    /// How often it was connected, to know answers to an earlier life.
    connects: u64,
    early: Vec<Early>,
    send_buffer: VecDeque<Unsent>,
    pub(super) next_ack: u64,
    pub(super) acks: BTreeMap<u64, PendingAck>,
    pub(super) queue: RetryQueue,
    pub(super) any_incoming: bool,
    pub(super) any_outgoing: bool,
}

impl Socket {
    pub(super) fn new(nsp: SmolStr, options: SocketOptions) -> Self {
        Self {
            nsp,
            options,
            entry: Entry::Outside,
            sid: None,
            pid: None,
            last_offset: None,
            connects: 0,
            early: Vec::new(),
            send_buffer: VecDeque::new(),
            next_ack: 0,
            acks: BTreeMap::new(),
            queue: RetryQueue::default(),
            any_incoming: false,
            any_outgoing: false,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.sid.is_some()
    }

    pub(super) fn sid(&self) -> Option<&SmolStr> {
        self.sid.as_ref()
    }

    pub(super) fn buffered(&self) -> usize {
        self.send_buffer.len()
    }

    /// Ids of pending acks whose events are not held back.
    pub(super) fn sent_acks(&self) -> Vec<u64> {
        let held: BTreeSet<u64> = self.send_buffer.iter().filter_map(|unsent| unsent.id).collect();
        self.acks.keys().copied().filter(|id| !held.contains(id)).collect()
    }

    pub(super) fn forget_buffered(&mut self, ack: u64) {
        self.send_buffer.retain(|unsent| unsent.id != Some(ack));
    }

    /// The connection on which it asked or was accepted is gone.
    pub(super) const fn connection_lost(&mut self) {
        self.entry = Entry::Outside;
    }

    /// The payload of CONNECT: what recovery needs, then the auth payload (`CSR-05`).
    fn connect_payload(&self) -> Option<Object> {
        let Some(pid) = &self.pid else { return self.options.auth.clone() };
        let mut payload = Object::new();
        payload.insert("pid", pid.as_str());
        if let Some(offset) = &self.last_offset {
            payload.insert("offset", offset.as_str());
        }
        for (key, value) in self.options.auth.iter().flat_map(Object::iter) {
            payload.insert(key, value.clone());
        }
        Some(payload)
    }
}

impl Client {
    pub(super) fn connect(&mut self, socket: SocketHandle) {
        if self.sockets[socket.index()].is_connected() {
            return;
        }
        if !self.active.contains(&socket) {
            self.active.push(socket);
        }
        if self.manager.state == ConnectionState::Open {
            self.send_connect(socket);
        } else {
            self.open();
        }
    }

    pub(super) fn send_connect(&mut self, socket: SocketHandle) {
        let this = &mut self.sockets[socket.index()];
        if this.entry == Entry::Outside {
            this.entry = Entry::Asked;
            let encoded = Packet::connect(this.nsp.clone(), this.connect_payload()).encode();
            self.write(encoded.frames());
        }
    }

    pub(super) fn disconnect(&mut self, socket: SocketHandle) {
        let this = &mut self.sockets[socket.index()];
        let connected = this.is_connected();
        if connected {
            this.entry = Entry::Outside;
            let encoded = Packet::disconnect(this.nsp.clone()).encode();
            self.write(encoded.frames());
        }
        self.deactivate(socket);
        if connected {
            self.socket_closed(socket, DisconnectReason::ClientDisconnect, None);
        }
    }

    /// The socket is disconnected, whatever it was before.
    pub(super) fn socket_closed(
        &mut self,
        socket: SocketHandle,
        reason: DisconnectReason,
        details: Option<SmolStr>,
    ) {
        let this = &mut self.sockets[socket.index()];
        let was_connected = this.sid.take().is_some();
        // What came early would come again with the next recovery (`CSR-08`); the reference keeps
        // it and delivers it twice.
        this.early.clear();
        self.shell.event(Event::Disconnected { socket, reason, details, was_connected });
        self.fail_acks(socket);
    }

    pub(super) fn on_packet(&mut self, packet: Packet) {
        let Some(&socket) = self.by_nsp.get(&packet.nsp) else { return };
        let this = &mut self.sockets[socket.index()];
        let answers = matches!(packet.body, Body::Connect(_) | Body::ConnectError(_));
        if answers && this.entry == Entry::Asked {
            this.entry = Entry::Outside;
        }
        if !self.active.contains(&socket) {
            return;
        }
        match packet.body {
            Body::Connect(payload) => self.on_connect(socket, payload.as_ref()),
            Body::Event(data) => self.on_event(socket, packet.id, data.unwrap_or_default()),
            Body::Ack(args) => {
                if let Some(id) = packet.id.and_then(AckId::exact) {
                    self.on_ack(socket, id, args.unwrap_or_default());
                }
            }
            Body::Disconnect => {
                self.sockets[socket.index()].entry = Entry::Outside;
                self.deactivate(socket);
                self.socket_closed(socket, DisconnectReason::ServerDisconnect, None);
            }
            Body::ConnectError(error) => {
                self.sockets[socket.index()].early.clear();
                self.deactivate(socket);
                let (message, data) = refusal(error);
                self.shell.event(Event::ConnectError { socket, message, data });
            }
        }
    }

    /// The server's consent. Then, in this order: what came early, what was held back, the head
    /// of the retry queue, and the event (`CLI-02`).
    fn on_connect(&mut self, socket: SocketHandle, payload: Option<&Object>) {
        let member = |name| {
            let text = payload.and_then(|payload| payload.get(name)).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(SmolStr::from)
        };
        let Some(sid) = member("sid") else {
            let message = SmolStr::new_static("the server's CONNECT has no sid: is it version 2?");
            self.shell.event(Event::ConnectError { socket, message, data: None });
            return;
        };
        let pid = member("pid");
        let this = &mut self.sockets[socket.index()];
        let recovered = pid.is_some() && this.pid == pid;
        this.entry = Entry::Inside;
        this.sid = Some(sid.clone());
        this.pid = pid;
        this.connects += 1;
        for Early { id, data } in mem::take(&mut this.early) {
            self.deliver(socket, id, data);
        }
        for Unsent { id, data } in mem::take(&mut self.sockets[socket.index()].send_buffer) {
            self.write_event(socket, id, &data);
        }
        self.drain_queue(socket, true);
        self.shell.event(Event::Connected { socket, sid, recovered });
    }

    fn on_event(&mut self, socket: SocketHandle, id: Option<AckId>, data: Vec<Value>) {
        let limit = self.shell.config.limits.receive_buffer;
        let this = &mut self.sockets[socket.index()];
        if this.is_connected() {
            self.deliver(socket, id, data);
        } else if this.early.len() < limit {
            this.early.push(Early { id, data });
        } else {
            let details = SmolStr::new_static("too many events before CONNECT");
            self.on_close(DisconnectReason::ParseError, Some(&details));
        }
    }

    fn deliver(&mut self, socket: SocketHandle, id: Option<AckId>, data: Vec<Value>) {
        let this = &mut self.sockets[socket.index()];
        if this.any_incoming {
            self.shell.event(Event::AnyIncoming { socket, data: data.clone() });
        }
        // An answer behind the arguments takes the place of the offset (`CSR-04`). Without
        // arguments the reference takes the event's name for one (`CSR-12`).
        if let (Some(_), None, Some(Value::String(offset))) = (&this.pid, id, data.last())
            && self.shell.config.quirks.offsets.accepts(offset, data.len() > 1)
        {
            this.last_offset = Some(offset.into());
        }
        let mut args = data.into_iter();
        // A packet without payload is an event without a name: no listener can have one.
        let Some(name) = args.next() else { return };
        let ack = id.map(|id| AckHandle { socket, connects: this.connects, id });
        let name = match name {
            Value::String(name) => name.into(),
            Value::Number(number) => number.to_smolstr(),
            // The decoder lets nothing else pass (`SIO-ENC-10`).
            Value::Null
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_)
            | Value::Binary(_) => return,
        };
        self.shell.event(Event::Received { socket, name, args: args.collect(), ack });
    }

    /// Answers an event, unless the socket that received it is gone: on another connection the
    /// answer would arrive before CONNECT and close it (`SIO-CONN-05`).
    pub(super) fn answer(&mut self, ack: &AckHandle, args: &[Value]) {
        let this = &self.sockets[ack.socket.index()];
        if this.is_connected() && this.connects == ack.connects {
            let encoded = encode_ack(&this.nsp, ack.id, args);
            self.write(encoded.frames());
        }
    }

    pub(super) fn emit(&mut self, socket: SocketHandle, emit: Emit) {
        let token = emit.ack.map(|ack| ack.token);
        let sent = if RESERVED_EVENTS.contains(&emit.name.as_str()) {
            Err(Refusal::ReservedName)
        } else if self.sockets[socket.index()].options.retries > 0 && !emit.volatile {
            self.queue_emit(socket, emit)
        } else {
            let Emit { name, args, ack, volatile } = emit;
            let ack = ack.map(|ack| PendingAck::of_application(&ack));
            self.emit_now(socket, event_data(name, args), ack, volatile)
        };
        if let Err(refusal) = sent {
            self.shell.event(Event::Refused { socket, refusal, ack: token });
        }
        self.check_ping_expired();
    }

    /// Sends an event, or holds it back, or drops it (`CLI-01`, `CLI-10`).
    pub(super) fn emit_now(
        &mut self,
        socket: SocketHandle,
        data: Vec<Value>,
        ack: Option<PendingAck>,
        volatile: bool,
    ) -> Result<(), Refusal> {
        let engine = self.engines.current.as_ref();
        let writable = engine.is_some_and(|engine| engine.writable());
        let expired = engine.is_some_and(|engine| engine.ping_has_expired(self.shell.now));
        let waiting = engine.map_or(0, |engine| engine.buffered());
        let limits = &self.shell.config.limits;
        let this = &self.sockets[socket.index()];
        let closing = engine.is_some_and(|engine| !engine.accepts());
        let live = this.is_connected() && !expired && !closing;
        let dropped = volatile && !writable;
        if ack.is_some() && this.acks.len() >= limits.pending_acks {
            return Err(Refusal::TooManyAcks);
        }
        if live && !dropped && waiting >= limits.write_buffer {
            return Err(Refusal::WriteBufferFull);
        }
        if !live && !dropped && this.buffered() >= limits.send_buffer {
            return Err(Refusal::SendBufferFull);
        }
        let id = ack.map(|ack| self.register_ack(socket, ack));
        if dropped {
            let name = data.first().and_then(Value::as_str).unwrap_or_default().into();
            self.shell.event(Event::VolatileDropped { socket, name });
        } else if live {
            self.write_event(socket, id, &data);
        } else {
            self.sockets[socket.index()].send_buffer.push_back(Unsent { id, data });
        }
        Ok(())
    }

    fn write_event(&mut self, socket: SocketHandle, id: Option<u64>, data: &[Value]) {
        let this = &self.sockets[socket.index()];
        if this.any_outgoing {
            self.shell.event(Event::AnyOutgoing { socket, data: data.to_vec() });
        }
        let encoded = encode_event(&this.nsp, id, data, None);
        self.write(encoded.frames());
    }

    /// Closes a connection whose timer is late: found out by who wants to use it (`EIO-HB-08`).
    fn check_ping_expired(&mut self) {
        let now = self.shell.now;
        if let Some(engine) = &mut self.engines.current
            && engine.ping_has_expired(now)
        {
            engine.on_ping_timeout(&mut self.shell);
        }
    }
}

/// An event's name and arguments, as they are encoded.
pub(super) fn event_data(name: String, args: Vec<Value>) -> Vec<Value> {
    let mut data = Vec::with_capacity(1 + args.len());
    data.push(Value::String(name));
    data.extend(args);
    data
}

/// Message and data of a refusal (`NSP-MW-04`).
fn refusal(error: Option<Value>) -> (SmolStr, Option<Value>) {
    match error {
        Some(Value::String(message)) => (message.into(), None),
        Some(Value::Object(error)) => {
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            (message.into(), error.get("data").cloned())
        }
        // The decoder lets nothing else pass (`SIO-ENC-10`).
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Binary(_),
        )
        | None => (SmolStr::default(), None),
    }
}
