//! Sending events: to one socket, and to whom an operator selects.

use alloc::vec::Vec;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::rooms::Selection as RoomSelection;
use super::{
    AckRequest, ConnId, Event, EventName, Flags, NspId, Origin, Selection, Server, SocketRef, Work,
};
use crate::codec::sio::{Encoded, Packet, encode_event};
use crate::engine::FrameHandle;
use crate::value::Value;

/// The frames of one packet: its header and its attachments, which stay together (`SIO-ORD-02`).
type Frames = SmallVec<[FrameHandle; 1]>;

/// A packet on its way to recipients whose listeners are told first (`BC-13`).
#[derive(Debug)]
pub(super) struct Delivery {
    recipients: Vec<SocketRef>,
    at: usize,
    told: bool,
    event: Vec<Value>,
    frames: Frames,
    volatile: bool,
}

impl Server {
    /// Writes a packet that is one connection's own.
    pub(super) fn write_packet(&mut self, conn: ConnId, packet: &Packet) {
        self.write_encoded(conn, &packet.encode());
    }

    pub(super) fn write_encoded(&mut self, conn: ConnId, encoded: &Encoded) {
        let frames = self.pool(encoded, true);
        self.write_frames(conn, &frames, false);
        self.release(&frames);
    }

    fn pool(&mut self, encoded: &Encoded, compress: bool) -> Frames {
        encoded.frames().map(|frame| self.engine.frames.insert(frame, compress)).collect()
    }

    fn release(&mut self, frames: &Frames) {
        for frame in frames {
            self.engine.frames.release(*frame);
        }
    }

    /// Hands a packet to a connection. A volatile one is dropped as a whole unless the transport
    /// is writable (`BC-VOL-01`).
    fn write_frames(&mut self, conn: ConnId, frames: &Frames, volatile: bool) {
        if volatile && !self.engine.is_writable(conn) {
            return;
        }
        for frame in frames {
            self.engine.send(conn, *frame);
        }
    }

    /// `socket.emit(...)`.
    pub(super) fn emit(
        &mut self,
        socket: SocketRef,
        name: &EventName,
        args: Vec<Value>,
        flags: Flags,
        ack: Option<AckRequest>,
    ) {
        if self.config.recovery.is_some() {
            self.emit_to_own_room(socket, name, args, flags, ack);
            return;
        }
        let Some(nsp) = self.writing_namespace(socket) else {
            if let Some(ack) = ack {
                self.miss_ack(socket, ack);
            }
            return;
        };
        let id = match ack.map(|ack| self.expect_ack(socket, ack)).transpose() {
            Ok(id) => id,
            Err(error) => return self.refuse(error),
        };
        let event = event_array(name, args);
        let encoded = encode_event(&nsp, id, &event, None);
        let tells = self.socket(socket).is_some_and(|socket| socket.wants_outgoing);
        self.deliver(alloc::vec![socket], event, &encoded, flags, tells);
    }

    /// With recovery an emit is a broadcast to the socket's own room, so that it is kept, also
    /// while the socket is lost (`CSR-03`).
    fn emit_to_own_room(
        &mut self,
        socket: SocketRef,
        name: &EventName,
        args: Vec<Value>,
        flags: Flags,
        ack: Option<AckRequest>,
    ) {
        let Some(sid) = self.sid_or_lost(socket) else {
            if let Some(ack) = ack {
                self.miss_ack(socket, ack);
            }
            return;
        };
        let id = match ack.map(|ack| self.expect_ack(socket, ack)).transpose() {
            Ok(id) => id,
            Err(error) => return self.refuse(error),
        };
        self.send_to_rooms(socket.nsp, &[sid], &[], event_array(name, args), flags, id);
    }

    /// The id of a socket, also of one that is lost and may be recovered.
    pub(super) fn sid_or_lost(&self, socket: SocketRef) -> Option<SmolStr> {
        let nsp = self.namespaces.get(socket.nsp.0)?;
        let lost = || nsp.recovery.as_ref()?.lost_sid(socket);
        nsp.socket(socket).map(|socket| &socket.sid).or_else(lost).cloned()
    }

    /// An operator's `emit(...)` (`BC-TGT-01` to `BC-TGT-09`).
    pub(super) fn broadcast(
        &mut self,
        selection: &Selection,
        name: &EventName,
        args: Vec<Value>,
        flags: Flags,
        ack: Option<AckRequest>,
    ) {
        let event = event_array(name, args);
        let own = self.own_room(&selection.origin);
        let mut except: SmallVec<[SmolStr; 4]> = selection.except.iter().cloned().collect();
        except.extend(own);
        for nsp in self.namespaces_of(&selection.origin) {
            if let Some(request) = ack {
                if matches!(selection.origin, Origin::Parent(_)) && !selection.rooms.is_empty() {
                    continue; // NSP-17: an operator on a parent asks nobody
                }
                self.broadcast_with_acks(nsp, &selection.rooms, &except, &event, flags, request);
            } else {
                self.send_to_rooms(nsp, &selection.rooms, &except, event.clone(), flags, None);
            }
        }
    }

    fn broadcast_with_acks(
        &mut self,
        id: NspId,
        rooms: &[SmolStr],
        except: &[SmolStr],
        event: &[Value],
        flags: Flags,
        request: AckRequest,
    ) {
        let ack_id = self.next_ack_id(id);
        let recipients = self.recipients(id, rooms, except);
        self.expect_broadcast_acks(id, ack_id, request, &recipients);
        let Some(nsp) = self.namespaces.get(id.0) else { return };
        let tells = nsp.outgoing_listeners > 0;
        let encoded = encode_event(&nsp.name, Some(ack_id), event, None);
        self.deliver(recipients, event.to_vec(), &encoded, flags, tells);
    }

    /// Sends one event to the members of rooms, and keeps it if it may be recovered (`CSR-04`).
    fn send_to_rooms(
        &mut self,
        id: NspId,
        rooms: &[SmolStr],
        except: &[SmolStr],
        event: Vec<Value>,
        flags: Flags,
        ack_id: Option<u64>,
    ) {
        let stored = ack_id.is_none() && !flags.volatile;
        let offset = (stored && self.config.recovery.is_some())
            .then(|| self.offsets.next(self.now.as_millis()));
        let Some(nsp) = self.namespaces.get_mut(id.0) else { return };
        let encoded = encode_event(&nsp.name, ack_id, &event, offset.as_deref());
        if let (Some(offset), Some(recovery)) = (&offset, &mut nsp.recovery) {
            recovery.store(offset, self.now, rooms, except, encoded.clone());
            self.expire_recovery(id);
        }
        let tells = self.namespaces.get(id.0).is_some_and(|nsp| nsp.outgoing_listeners > 0);
        if tells || offset.is_some() {
            let recipients = self.recipients(id, rooms, except);
            if let Some(offset) = offset {
                for socket in &recipients {
                    if let Some(state) = self.socket_mut(*socket) {
                        state.last_offset = Some(offset.clone());
                    }
                }
            }
            self.deliver(recipients, event, &encoded, flags, tells);
        } else {
            self.fan_out(id, rooms, except, &encoded, flags);
        }
    }

    /// The fast path: recipients are streamed from the room sets straight into the queues of
    /// their connections. Nothing is allocated for a recipient.
    fn fan_out(
        &mut self,
        id: NspId,
        rooms: &[SmolStr],
        except: &[SmolStr],
        encoded: &Encoded,
        flags: Flags,
    ) {
        let frames = self.pool(encoded, flags.compress);
        let (engine, namespaces) = (&mut self.engine, &mut self.namespaces);
        if let Some(nsp) = namespaces.get_mut(id.0) {
            let (room_sets, sockets) = (&mut nsp.rooms, &nsp.sockets);
            room_sets.resolve(&RoomSelection { rooms, except }, |slot| {
                let place = sockets.get(slot.index()).and_then(|place| place.socket.as_deref());
                let Some(socket) = place else { return };
                if flags.volatile && !engine.is_writable(socket.conn) {
                    return; // decided for each recipient on its own (BC-VOL-05)
                }
                for frame in &frames {
                    engine.send(socket.conn, *frame);
                }
            });
        }
        self.release(&frames);
    }

    fn recipients(&mut self, id: NspId, rooms: &[SmolStr], except: &[SmolStr]) -> Vec<SocketRef> {
        let Some(nsp) = self.namespaces.get_mut(id.0) else { return Vec::new() };
        let mut slots = Vec::new();
        nsp.rooms.resolve_into(&RoomSelection { rooms, except }, &mut slots);
        slots.into_iter().filter_map(|slot| nsp.at(id, slot)).collect()
    }

    /// The path for recipients that are known one by one.
    fn deliver(
        &mut self,
        recipients: Vec<SocketRef>,
        event: Vec<Value>,
        encoded: &Encoded,
        flags: Flags,
        tells: bool,
    ) {
        let frames = self.pool(encoded, flags.compress);
        let volatile = flags.volatile;
        if tells {
            let delivery = Delivery { recipients, at: 0, told: false, event, frames, volatile };
            self.stack.push(Work::Deliver(delivery));
            return;
        }
        for socket in recipients {
            self.write_frames(socket.conn, &frames, volatile);
        }
        self.release(&frames);
    }

    /// One recipient: its outgoing listeners, then the write (`BC-13`).
    pub(super) fn deliver_step(&mut self, mut delivery: Delivery) {
        while let Some(socket) = delivery.recipients.get(delivery.at).copied() {
            if !delivery.told && self.socket(socket).is_some_and(|socket| socket.wants_outgoing) {
                delivery.told = true;
                let event = delivery.event.clone();
                self.stack.push(Work::Deliver(delivery));
                self.emit_event(Event::Outgoing { socket, event });
                return;
            }
            delivery.told = false;
            delivery.at += 1;
            self.write_frames(socket.conn, &delivery.frames, delivery.volatile);
        }
        for frame in &delivery.frames {
            self.engine.frames.release(*frame);
        }
    }
}

fn event_array(name: &EventName, args: Vec<Value>) -> Vec<Value> {
    let mut event = Vec::with_capacity(args.len() + 1);
    event.push(name.value().clone());
    event.extend(args);
    event
}
