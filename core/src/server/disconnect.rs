//! How sockets leave: one by one, each with its whole sequence before the next.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::namespace::Stage;
use super::{ConnId, Event, NspId, Server, SocketRef, Work};
use crate::codec::sio::Packet;
use crate::event::DisconnectReason;

impl Server {
    /// `socket.disconnect(close)` (`NSP-10`, `NSP-11`). A socket that is not connected is left
    /// alone (`NSP-MW-03`, `SIO-DISC-05`).
    pub(super) fn disconnect(&mut self, socket: SocketRef, close: bool) {
        if !self.is_connected(socket) {
            return;
        }
        let reason = DisconnectReason::ServerNamespaceDisconnect;
        let mut sockets = VecDeque::from([socket]);
        if close {
            if let Some(client) = self.clients.get(socket.conn.0) {
                sockets = client.sockets.iter().copied().collect();
            }
            self.stack.push(Work::ClientClose(socket.conn));
        }
        self.stack.push(Work::CloseSockets { sockets, reason, packet: true });
    }

    /// The connection is over for this layer: its sockets leave in the order in which they came
    /// (`SIO-DISC-04`), and those that wait are forgotten (`NSP-MW-07`).
    pub(super) fn destroy_client(&mut self, conn: ConnId, reason: DisconnectReason, gone: bool) {
        let Some(client) = self.clients.get_mut(conn.0) else { return };
        client.destroyed = true;
        self.timers.cancel(&mut client.connect_timer);
        client.decoder.reset();
        let sockets: VecDeque<SocketRef> = client.sockets.iter().copied().collect();
        let waiting: Vec<SocketRef> = client.waiting.iter().copied().collect();
        if gone {
            self.clients.remove(conn.0);
        }
        for socket in waiting {
            self.forget_waiting(socket);
        }
        self.stack.push(Work::CloseSockets { sockets, reason, packet: false });
    }

    /// The next of several sockets.
    pub(super) fn close_sockets_step(
        &mut self,
        mut sockets: VecDeque<SocketRef>,
        reason: DisconnectReason,
        packet: bool,
    ) {
        let Some(socket) = sockets.pop_front() else { return };
        if !sockets.is_empty() {
            self.stack.push(Work::CloseSockets { sockets, reason: reason.clone(), packet });
        }
        if !self.may_disconnect(socket) {
            return;
        }
        if packet && let Some(nsp) = self.namespace_name(socket.nsp).cloned() {
            let limit = self.config.limits.namespaces_per_connection;
            self.write_packet(socket.conn, &Packet::disconnect(nsp.clone()));
            if let Some(client) = self.clients.get_mut(socket.conn.0) {
                if client.left.len() >= limit.max(1) {
                    client.left.remove(0); // the longest ago: what was in flight has arrived
                }
                client.left.push(nsp); // NSP-12
            }
        }
        self.close_socket(socket, reason);
    }

    /// Begins a socket's disconnection: its listeners run while it is still in its rooms
    /// (`SIO-DISC-03`).
    pub(super) fn close_socket(&mut self, socket: SocketRef, reason: DisconnectReason) {
        if self.may_disconnect(socket) {
            if let Some(state) = self.socket_mut(socket) {
                state.disconnecting = true;
            }
            self.stack.push(Work::Leave { socket, reason: reason.clone(), begun: false });
            self.emit_event(Event::Disconnecting { socket, reason });
        }
    }

    /// Continues it: the session is kept for recovery, the rooms are left one by one, and the
    /// socket is gone.
    pub(super) fn leave_step(&mut self, socket: SocketRef, reason: DisconnectReason, begun: bool) {
        if !begun {
            self.persist(socket, &reason);
            let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
            let room_events = nsp.config.room_events;
            let Some(state) = nsp.socket_mut(socket) else { return };
            state.stage = Stage::Leaving;
            nsp.connected -= 1;
            nsp.leaving += 1;
            if room_events {
                nsp.rooms.start_departure(socket.slot);
                self.stack.push(Work::Leave { socket, reason, begun: true });
            } else {
                self.finish_leave(socket, reason);
            }
        } else if self.leave_next(socket) {
            self.push_below_event(Work::Leave { socket, reason, begun });
        } else {
            self.finish_leave(socket, reason);
        }
    }

    fn finish_leave(&mut self, socket: SocketRef, reason: DisconnectReason) {
        let nsp = self.namespace_name(socket.nsp).cloned().unwrap_or_default();
        let Some(state) = self.vacate(socket) else { return };
        if let Some(client) = self.clients.get_mut(socket.conn.0) {
            client.sockets.retain(|other| *other != socket);
            // The name is un-mapped even if another socket has taken it over (SIO-CONN-08).
            client.routes.retain(|(id, _)| *id != socket.nsp);
        }
        self.emit_event(Event::Disconnected { socket, sid: state.sid, nsp, reason });
    }

    /// `io.close()`: namespace by namespace, socket by socket, without a DISCONNECT packet; then
    /// the connections (`NSP-13`).
    pub(super) fn close_server(&mut self) {
        let namespaces: VecDeque<NspId> = self.namespaces.keys().map(NspId).collect();
        self.stack.push(Work::CloseServer { namespaces, sockets: VecDeque::new() });
    }

    pub(super) fn close_step(
        &mut self,
        mut namespaces: VecDeque<NspId>,
        mut sockets: VecDeque<SocketRef>,
    ) {
        if let Some(socket) = sockets.pop_front() {
            self.stack.push(Work::CloseServer { namespaces, sockets });
            self.close_socket(socket, DisconnectReason::ServerShuttingDown);
        } else if let Some(id) = namespaces.pop_front() {
            let Some(nsp) = self.namespaces.get(id.0) else {
                self.stack.push(Work::CloseServer { namespaces, sockets });
                return;
            };
            let mut connected: Vec<(u64, SocketRef)> = nsp
                .sockets
                .iter()
                .filter_map(|place| place.socket.as_deref())
                .filter(|socket| socket.is_connected())
                .filter_map(|socket| {
                    let slot = nsp.rooms.slot_of(&socket.sid)?;
                    Some((socket.sequence, nsp.at(id, slot)?))
                })
                .collect();
            connected.sort_unstable();
            let sockets = connected.into_iter().map(|(_, socket)| socket).collect();
            self.stack.push(Work::CloseServer { namespaces, sockets });
        } else {
            self.engine.close_all();
            self.stack.push(Work::Settle);
        }
    }
}
