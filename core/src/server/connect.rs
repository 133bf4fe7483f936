//! How a connection begins and how its sockets are let into namespaces.

use alloc::boxed::Box;
use alloc::string::String;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::namespace::{Socket, SocketSlot, Stage};
use super::{
    Client, CommandError, ConnId, Event, NspId, RoomChange, Server, SocketRef, Timer, Verdict,
    Work, no_auth,
};
use crate::codec::sio::{Body, Decoder, Packet};
use crate::event::{CloseReason, DisconnectReason};
use crate::time::Duration;
use crate::value::{Object, Value};

impl Server {
    pub(super) fn open_client(&mut self, conn: ConnId) {
        let timeout = match self.config.connect_timeout {
            Duration::ZERO => Duration::from_secs(45), // SIO-CONN-03: `||` in the reference
            timeout => timeout,
        };
        let timer = self.timers.arm(self.now + timeout, Timer::Connect(conn));
        let client = Client {
            decoder: Decoder::new(self.config.decoder),
            sockets: SmallVec::new(),
            routes: SmallVec::new(),
            waiting: SmallVec::new(),
            asking: SmallVec::new(),
            left: SmallVec::new(),
            connect_timer: Some(timer),
            destroyed: false,
        };
        self.clients.insert(conn.0, Box::new(client));
    }

    /// No namespace was joined in time: close, unless one was (`SIO-CONN-04`).
    pub(super) fn on_connect_timeout(&mut self, conn: ConnId) {
        if let Some(client) = self.clients.get_mut(conn.0) {
            client.connect_timer = None;
            if client.routes.is_empty() {
                self.client_close(conn);
            }
        }
    }

    /// The session is gone: so are its sockets (`SIO-DISC-04`).
    pub(super) fn on_session_closed(&mut self, conn: ConnId, reason: CloseReason) {
        self.destroy_client(conn, DisconnectReason::Session(reason), true);
    }

    /// Closes the connection. If the transport cannot say so at once, the sockets learn it now
    /// all the same, under another reason (`EDGE-06`).
    pub(super) fn client_close(&mut self, conn: ConnId) {
        if !self.engine.is_open(conn) {
            return;
        }
        self.close_engine(conn);
        if self.engine.sid(conn).is_some() {
            self.destroy_client(conn, DisconnectReason::ForcedServerClose, false);
        }
    }

    /// Closes a session; if it ends at once, its sockets leave before anything else happens.
    pub(super) fn close_engine(&mut self, conn: ConnId) {
        self.stack.push(Work::Settle);
        self.engine.close(conn);
    }

    /// A CONNECT packet (`SIO-CONN-01`).
    pub(super) fn on_connect_packet(&mut self, conn: ConnId, name: SmolStr, auth: Option<Object>) {
        let limit = self.config.limits.namespaces_per_connection;
        let Some(client) = self.clients.get_mut(conn.0) else { return };
        client.left.retain(|left| *left != name);
        let asked = client.sockets.len() + client.waiting.len() + client.asking.len();
        let auth = auth.unwrap_or_else(no_auth);
        let nsp = self.by_name.get(&name).copied();
        let is_under_way = client.asking.contains(&name)
            || client.waiting.iter().any(|socket| Some(socket.nsp) == nsp);
        if asked >= limit {
            self.refuse(CommandError::Limit("namespaces_per_connection"));
            self.client_close(conn);
        } else if is_under_way && !self.config.quirks.double_connect {
            self.client_close(conn); // SIO-CONN-08, mended
        } else if let Some(nsp) = nsp {
            self.begin_connect(conn, nsp, auth);
        } else {
            client.asking.push(name.clone());
            self.request_namespace(super::namespace::Request { conn, name, auth, parent: 0 });
        }
    }

    /// A socket asks to be let in; it is, or is refused, a tick later at the earliest
    /// (`SIO-CONN-06`).
    pub(super) fn begin_connect(&mut self, conn: ConnId, id: NspId, auth: Object) {
        let skip = self.config.recovery.is_some_and(|recovery| recovery.skip_middlewares);
        let fresh = self.ids.next_id();
        let now = self.now;
        let Some(nsp) = self.namespaces.get_mut(id.0) else { return };
        let restore = nsp.recovery.as_mut().and_then(|recovery| recovery.claim(&auth, now));
        let sid = restore.as_ref().map_or(fresh, |restored| restored.sid.clone());
        let Ok(slot) = nsp.rooms.insert(sid.clone()) else {
            // Neither a fresh id nor one that was given up can be in use: the numbers are.
            let name = nsp.name.clone();
            self.refuse(CommandError::Limit("sockets"));
            self.connect_error(conn, name, "namespace is full".into(), None);
            return;
        };
        let of = if restore.is_some() && skip { 0 } else { nsp.config.middlewares };
        let data = restore.as_ref().map_or_else(Object::new, |restored| restored.data.clone());
        if nsp.sockets.len() <= slot.index() {
            nsp.sockets.resize_with(slot.index() + 1, SocketSlot::default);
        }
        let place = &mut nsp.sockets[slot.index()];
        place.generation = place.generation.wrapping_add(1);
        let generation = place.generation;
        place.socket = Some(Box::new(Socket {
            sid,
            conn,
            stage: Stage::Waiting { next: 0, of, asked: false, restore: restore.map(Box::new) },
            disconnecting: false,
            sequence: 0,
            auth,
            data,
            pid: None,
            last_offset: None,
            acks: alloc::vec::Vec::new(),
            middlewares: 0,
            wants_incoming: false,
            wants_outgoing: false,
        }));
        nsp.waiting += 1;
        let socket = SocketRef { nsp: id, slot, generation, conn };
        if let Some(client) = self.clients.get_mut(conn.0) {
            client.waiting.push(socket);
        }
        self.ticks.push_back(Work::Admit(socket));
    }

    /// Asks the next middleware, or lets the socket in.
    pub(super) fn admit(&mut self, socket: SocketRef) {
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        let name = nsp.name.clone();
        let limit = nsp.config.max_sockets;
        let connected = nsp.connected;
        let has_gap = match nsp.socket(socket).map(|socket| &socket.stage) {
            Some(Stage::Waiting { restore: Some(restored), .. }) => {
                nsp.recovery.as_ref().is_some_and(|recovery| !recovery.is_whole(restored))
            }
            Some(Stage::Waiting { .. } | Stage::Connected | Stage::Leaving) | None => false,
        };
        let Some(state) = nsp.socket_mut(socket) else { return };
        let Stage::Waiting { next, of, asked, .. } = &mut state.stage else { return };
        if next < of {
            *asked = true;
            let (index, auth) = (*next, state.auth.clone());
            self.emit_event(Event::Middleware { socket, nsp: name, index, auth });
        } else if limit.is_some_and(|limit| connected >= limit) {
            let data = [("code", Value::from("namespace_full"))].into_iter().collect::<Object>();
            self.reject(socket, "namespace is full".into(), Some(data.into()));
        } else if has_gap {
            self.client_close(socket.conn); // it comes again, and gets a new session (CSR-10)
        } else if self.engine.is_open(socket.conn) {
            self.enter(socket);
        }
    }

    /// The verdict of a middleware. Only the one that is waited for counts, so that a middleware
    /// cannot let a socket in twice (`NSP-MW-08`, mended).
    pub(super) fn on_verdict(&mut self, socket: SocketRef, verdict: Verdict) {
        let waits = match self.socket_mut(socket).map(|socket| &mut socket.stage) {
            Some(Stage::Waiting { next, asked, .. }) if *asked => {
                *asked = false;
                *next += 1;
                true
            }
            Some(Stage::Waiting { .. } | Stage::Connected | Stage::Leaving) | None => false,
        };
        if !waits {
            self.refuse(CommandError::UnknownTicket);
            return;
        }
        match verdict {
            Verdict::Allow => self.ticks.push_back(Work::Admit(socket)),
            Verdict::Refuse { message, data } => self.reject(socket, message, data),
            Verdict::RefuseSilently => {
                let nsp = self.namespace_name(socket.nsp).cloned().unwrap_or_default();
                self.forget_waiting(socket);
                self.write_packet(socket.conn, &Packet::connect_error(nsp.clone(), Object::new()));
                let conn = socket.conn;
                self.emit_event(Event::ConnectRefused { nsp, conn, message: String::new() });
            }
        }
    }

    /// Refuses a waiting socket with a connect error (`NSP-MW-04`).
    fn reject(&mut self, socket: SocketRef, message: String, data: Option<Value>) {
        let nsp = self.namespace_name(socket.nsp).cloned().unwrap_or_default();
        self.forget_waiting(socket);
        self.connect_error(socket.conn, nsp, message, data);
    }

    /// Tells a client that it was refused a namespace (`NSP-05`).
    pub(super) fn connect_error(
        &mut self,
        conn: ConnId,
        nsp: SmolStr,
        message: String,
        data: Option<Value>,
    ) {
        let mut error = Object::new();
        error.insert("message", message.as_str());
        if let Some(data) = data {
            error.insert("data", data);
        }
        self.write_packet(conn, &Packet::connect_error(nsp.clone(), error));
        self.emit_event(Event::ConnectRefused { nsp, conn, message });
    }

    /// Lets a socket in: its own room first, then the reply (`ROOM-01`, `SIO-CONN-11`). What a
    /// recovered socket has missed goes before the reply (`CSR-07`), and nothing can fall between
    /// that and what it gets from now on (`CSR-10`).
    fn enter(&mut self, socket: SocketRef) {
        let pid = self.config.recovery.map(|_| self.ids.next_id());
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        let name = nsp.name.clone();
        let Some(state) = nsp.socket_mut(socket) else { return };
        let stage = core::mem::replace(&mut state.stage, Stage::Connected);
        let restored = match stage {
            Stage::Waiting { restore, .. } => restore,
            Stage::Connected | Stage::Leaving => None,
        };
        let sid = state.sid.clone();
        state.sequence = self.connected_sockets;
        self.connected_sockets += 1;
        state.pid = restored.as_ref().map(|restored| restored.pid.clone()).or(pid);
        state.last_offset = restored.as_ref().and_then(|restored| restored.offset.clone());
        let pid = state.pid.clone();
        nsp.waiting -= 1;
        nsp.connected += 1;
        nsp.rooms.set_connected(socket.slot);
        if let Some(client) = self.clients.get_mut(socket.conn.0) {
            client.waiting.retain(|waiting| *waiting != socket);
            client.sockets.push(socket);
            client.routes.retain(|(nsp, _)| *nsp != socket.nsp);
            client.routes.push((socket.nsp, socket));
            self.timers.cancel(&mut client.connect_timer); // SIO-CONN-04
        }
        let mut reply = Object::new();
        reply.insert("sid", sid.as_str());
        if let Some(pid) = pid {
            reply.insert("pid", pid.as_str());
        }
        let packet = Packet { nsp: name, id: None, body: Body::Connect(Some(reply)) };
        self.stack.push(Work::Announce { socket, recovered: restored.is_some() });
        if let Some(mut restored) = restored {
            self.replay(socket, &restored);
            restored.rooms.push(sid);
            self.rejoin(socket, &restored.rooms);
            self.write_packet(socket.conn, &packet);
        } else {
            self.stack.push(Work::Reply { socket, packet });
            self.join_unchecked(socket, &[sid]);
        }
    }

    /// Puts a recovered socket back into its rooms in one go: a listener of a room event must not
    /// send anything between what was missed and what comes live.
    fn rejoin(&mut self, socket: SocketRef, rooms: &[SmolStr]) {
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        let (name, tells) = (nsp.name.clone(), nsp.config.room_events);
        let sid = nsp.socket(socket).map(|socket| socket.sid.clone());
        let mut events = alloc::vec::Vec::new();
        for room in rooms {
            let joined = nsp.rooms.join(socket.slot, room);
            for (happened, change, sid) in [
                (joined.created, RoomChange::Created, None),
                (joined.joined, RoomChange::Joined, sid.clone()),
            ] {
                let (nsp, room) = (name.clone(), room.clone());
                events.extend(happened.then_some(Event::Room { nsp, change, room, sid }));
            }
        }
        if tells {
            self.stack.extend(events.into_iter().rev().map(Work::Event));
        }
    }

    pub(super) fn announce(&mut self, socket: SocketRef, recovered: bool) {
        if self.is_connected(socket) {
            let nsp = self.namespace_name(socket.nsp).cloned().unwrap_or_default();
            self.emit_event(Event::Connection { socket, nsp, recovered });
        }
    }

    /// A waiting socket goes without ever having been connected: no disconnect event
    /// (`SIO-DISC-06`), and its rooms are left (`NSP-MW-07`).
    pub(super) fn forget_waiting(&mut self, socket: SocketRef) {
        if let Some(client) = self.clients.get_mut(socket.conn.0) {
            client.waiting.retain(|waiting| *waiting != socket);
        }
        let now = self.now;
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        let room_events = nsp.config.room_events;
        let Some(state) = nsp.socket_mut(socket) else { return };
        let stage = core::mem::replace(&mut state.stage, Stage::Leaving);
        if let Stage::Waiting { restore: Some(restored), .. } = stage
            && let Some(recovery) = &mut nsp.recovery
        {
            recovery.give_back(*restored, now); // refused or interrupted: it may be recovered yet
        }
        nsp.waiting -= 1;
        nsp.leaving += 1;
        if room_events {
            nsp.rooms.start_departure(socket.slot);
            self.stack.push(Work::Forget(socket));
        } else {
            self.vacate(socket);
        }
    }

    /// One room after the other, then the socket.
    pub(super) fn forget_step(&mut self, socket: SocketRef) {
        if self.leave_next(socket) {
            self.push_below_event(Work::Forget(socket));
        } else {
            self.vacate(socket);
        }
    }

    /// Takes a socket out of its namespace for good.
    pub(super) fn vacate(&mut self, socket: SocketRef) -> Option<Box<Socket>> {
        let nsp = self.namespaces.get_mut(socket.nsp.0)?;
        nsp.socket(socket)?;
        let state = nsp.sockets[socket.slot.index()].socket.take()?;
        nsp.leaving -= 1;
        nsp.rooms.remove(socket.slot);
        if state.wants_outgoing {
            nsp.outgoing_listeners -= 1;
        }
        self.drop_pending_events(socket, &state);
        self.cleanup_namespace(socket.nsp);
        Some(state)
    }

    pub(super) fn room_event(
        &mut self,
        nsp: NspId,
        change: RoomChange,
        room: SmolStr,
        sid: Option<SmolStr>,
    ) {
        let nsp = self.namespace_name(nsp).cloned().unwrap_or_default();
        self.emit_event(Event::Room { nsp, change, room, sid });
    }
}
