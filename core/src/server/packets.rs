//! Packets from clients: decoding, routing, and the way of an event to its listeners.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::namespace::Socket;
use super::{
    AckTicket, CommandError, ConnId, Event, EventName, EventPacket, EventTicket, Server, SocketRef,
    Work,
};
use crate::codec::engine::Data;
use crate::codec::sio::{Body, DecodeError, Packet};
use crate::event::DisconnectReason;
use crate::value::Value;

/// An event that waits in a socket middleware.
#[derive(Debug)]
pub(super) struct PendingEvent {
    socket: SocketRef,
    packet: EventPacket,
    next: u16,
    of: u16,
}

impl Server {
    pub(super) fn on_message(&mut self, conn: ConnId, data: Data) {
        if !self.engine.is_open(conn) {
            return;
        }
        let Some(client) = self.clients.get_mut(conn.0) else { return };
        if client.destroyed {
            return;
        }
        let decoded = match data {
            Data::Text(text) => client.decoder.push_text(&text),
            Data::Binary(data) => client.decoder.push_binary(data),
            Data::None => Err(DecodeError::EmptyMessage), // SIO-ERR-03
        };
        match decoded {
            Ok(None) => {}
            Ok(Some(packet)) => self.on_decoded(conn, packet),
            Err(error) => self.on_decode_error(conn, &error),
        }
    }

    /// Every socket of the connection learns of it, then the connection closes (`SIO-ERR-01`).
    fn on_decode_error(&mut self, conn: ConnId, error: &DecodeError) {
        let Some(client) = self.clients.get(conn.0) else { return };
        let sockets = client.sockets.clone();
        self.stack.push(Work::CloseEngine(conn));
        for socket in sockets.into_iter().rev() {
            let message = error.to_string();
            self.stack.push(Work::Error { socket, message });
        }
    }

    /// A whole packet: to its socket, or to the door, or out (`SIO-CONN-05`, `SIO-ERR-04`).
    fn on_decoded(&mut self, conn: ConnId, packet: Packet) {
        let quirks = self.config.quirks;
        let Some(client) = self.clients.get_mut(conn.0) else { return };
        let nsp = self.by_name.get(&packet.nsp);
        let route = nsp.and_then(|nsp| client.routes.iter().find(|(id, _)| id == nsp));
        match (route.map(|(_, socket)| *socket), packet.body) {
            (None, Body::Connect(auth)) => self.on_connect_packet(conn, packet.nsp, auth),
            (Some(_), Body::Event(None)) if !quirks.events_without_payload => {
                self.on_decode_error(conn, &DecodeError::InvalidPayload); // SIO-ENC-11, mended
            }
            (Some(socket), body @ (Body::Event(_) | Body::Ack(_) | Body::Disconnect)) => {
                let packet = Packet { nsp: packet.nsp, id: packet.id, body };
                let work = Work::Packet { socket, packet };
                if quirks.listeners_run_late {
                    self.ticks.push_back(work); // SIO-ORD-03
                } else {
                    self.stack.push(work); // EDGE-04, mended: before the next one is decoded
                }
            }
            (None, Body::Event(_) | Body::Ack(_) | Body::Disconnect)
                if !quirks.in_flight_packets_close && client.left.contains(&packet.nsp) => {}
            (None, Body::Event(_) | Body::Ack(_) | Body::Disconnect)
            | (Some(_), Body::Connect(_))
            | (_, Body::ConnectError(_)) => self.client_close(conn),
        }
    }

    /// A packet of a joined namespace (`SIO-ORD-03`).
    pub(super) fn on_socket_packet(&mut self, socket: SocketRef, packet: Packet) {
        if self.socket(socket).is_none() {
            return;
        }
        match packet.body {
            Body::Event(args) => {
                let packet = EventPacket { args: args.unwrap_or_default(), id: packet.id };
                self.on_event(socket, packet);
            }
            Body::Ack(args) => self.on_ack(socket, packet.id, args.unwrap_or_default()),
            Body::Disconnect => {
                self.close_socket(socket, DisconnectReason::ClientNamespaceDisconnect);
            }
            Body::Connect(_) | Body::ConnectError(_) => {}
        }
    }

    /// Catch-all listeners, then middlewares, then listeners (`UTIL-06`).
    fn on_event(&mut self, socket: SocketRef, packet: EventPacket) {
        let Some(state) = self.socket(socket) else { return };
        let (of, incoming) = (state.middlewares, state.wants_incoming);
        let event = incoming.then(|| Event::Incoming { socket, event: packet.args.clone() });
        if of > 0 {
            let pending = PendingEvent { socket, packet, next: 0, of };
            self.stack.push(Work::AskSocketMiddleware(pending));
        } else {
            self.dispatch_soon(socket, packet);
        }
        if let Some(event) = event {
            self.emit_event(event);
        }
    }

    /// The listeners are next, or run a tick later (`SIO-ORD-04`).
    fn dispatch_soon(&mut self, socket: SocketRef, packet: EventPacket) {
        let work = Work::Dispatch { socket, packet };
        if self.config.quirks.listeners_run_late {
            self.ticks.push_back(work);
        } else {
            self.stack.push(work);
        }
    }

    /// Asks the next socket middleware.
    pub(super) fn ask_socket_middleware(&mut self, pending: PendingEvent) {
        if self.pending_events.len() >= self.config.limits.pending_events {
            self.refuse(CommandError::Limit("pending_events"));
            return;
        }
        let ticket = EventTicket(self.ticket());
        let (socket, index) = (pending.socket, pending.next);
        let event = pending.packet.args.clone();
        self.pending_events.insert(ticket, pending);
        self.emit_event(Event::SocketMiddleware { ticket, socket, index, event });
    }

    /// The verdict of a socket middleware (`UTIL-07`).
    pub(super) fn on_event_verdict(
        &mut self,
        ticket: EventTicket,
        verdict: Result<Option<Vec<Value>>, String>,
    ) {
        let Some(mut pending) = self.pending_events.remove(&ticket) else {
            self.refuse(CommandError::UnknownTicket);
            return;
        };
        let socket = pending.socket;
        match verdict {
            Err(message) => self.emit_event(Event::Error { socket, message }),
            Ok(rewritten) => {
                if let Some(args) = rewritten {
                    pending.packet.args = args;
                }
                pending.next += 1;
                if pending.next < pending.of {
                    self.ask_socket_middleware(pending);
                } else {
                    self.dispatch_soon(socket, pending.packet);
                }
            }
        }
    }

    /// The listeners, if the socket is still connected (`EDGE-04`).
    pub(super) fn dispatch(&mut self, socket: SocketRef, packet: EventPacket) {
        if !self.is_connected(socket) || packet.args.is_empty() {
            return;
        }
        let mut args = packet.args;
        let name = EventName::from_wire(args.remove(0));
        let ack = packet.id.map(|id| AckTicket { socket, id });
        self.emit_event(Event::Received { socket, name, args, ack });
    }

    /// Events of a socket that has gone wait for nothing.
    pub(super) fn drop_pending_events(&mut self, socket: SocketRef, state: &Socket) {
        if state.middlewares > 0 {
            self.pending_events.retain(|_, pending| pending.socket != socket);
        }
    }

    /// The namespace to write for a socket, unless it has gone and zombies do not write
    /// (`EDGE-07`).
    pub(super) fn writing_namespace(&self, socket: SocketRef) -> Option<SmolStr> {
        let nsp = self.namespace_name(socket.nsp)?;
        let may_write = self.config.quirks.zombie_writes || self.socket(socket).is_some();
        may_write.then(|| nsp.clone())
    }
}
