//! Namespaces: how they come to be, what they hold, and how they go.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::acks::{BroadcastAck, PendingAck};
use super::config::{Matcher, NamespaceConfig};
use super::recovery::{Recovery, Restored};
use super::rooms::{Rooms, Slot};
use super::{CommandError, ConnId, Event, NamespaceTicket, NspId, Server, ServerStats, SocketRef};
use crate::value::Object;

/// A namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    pub(super) name: SmolStr,
    pub(super) config: NamespaceConfig,
    /// The parent that made it, by its place in the configuration.
    pub(super) parent: Option<usize>,
    pub(super) rooms: Rooms,
    /// Rooms that are told to be created and wait for their first member (`ROOM-11`): whoever
    /// joins one while listeners run does not create it again.
    pub(super) announced: Vec<SmolStr>,
    /// Sockets by slot of `rooms`.
    pub(super) sockets: Vec<SocketSlot>,
    pub(super) connected: usize,
    pub(super) waiting: usize,
    /// Sockets that are neither any more, and still leave their rooms.
    pub(super) leaving: usize,
    /// The next ack id (`SIO-ACK-02`).
    pub(super) ack_counter: u64,
    /// Sockets that want to hear of outgoing events (`BC-13`).
    pub(super) outgoing_listeners: usize,
    pub(super) broadcast_acks: BTreeMap<u64, BroadcastAck>,
    pub(super) recovery: Option<Recovery>,
}

/// A place for a socket.
#[derive(Debug, Default)]
pub(super) struct SocketSlot {
    pub(super) generation: u32,
    pub(super) socket: Option<Box<Socket>>,
}

/// A socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) sid: SmolStr,
    pub(super) conn: ConnId,
    pub(super) stage: Stage,
    /// Its `disconnecting` listeners run: a further disconnection is none (`SIO-DISC-05`).
    pub(super) disconnecting: bool,
    /// Its place in the order in which sockets were let in.
    pub(super) sequence: u64,
    pub(super) auth: Object,
    pub(super) data: Object,
    /// The secret by which it can be recovered (`CSR-01`).
    pub(super) pid: Option<SmolStr>,
    /// The offset of the last stored packet that was sent to it.
    pub(super) last_offset: Option<SmolStr>,
    pub(super) acks: Vec<PendingAck>,
    /// How many socket middlewares it has.
    pub(super) middlewares: u16,
    pub(super) wants_incoming: bool,
    pub(super) wants_outgoing: bool,
}

/// How far a socket has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// It passes the middlewares; this one is next, of so many (`NSP-MW-01`).
    Waiting {
        next: u16,
        of: u16,
        asked: bool,
        restore: Option<Box<Restored>>,
    },
    Connected,
    /// It is being disconnected: `join` does nothing any more (`ROOM-09`).
    Leaving,
}

impl Socket {
    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.stage, Stage::Connected)
    }

    const fn may_disconnect(&self) -> bool {
        self.is_connected() && !self.disconnecting
    }
}

/// A name that waits for the application's consent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) conn: ConnId,
    pub(super) name: SmolStr,
    pub(super) auth: Object,
    pub(super) parent: usize,
}

impl Namespace {
    pub(super) fn socket(&self, socket: SocketRef) -> Option<&Socket> {
        let slot = self.sockets.get(socket.slot.index())?;
        if slot.generation == socket.generation { slot.socket.as_deref() } else { None }
    }

    pub(super) fn socket_mut(&mut self, socket: SocketRef) -> Option<&mut Socket> {
        let slot = self.sockets.get_mut(socket.slot.index())?;
        if slot.generation == socket.generation { slot.socket.as_deref_mut() } else { None }
    }

    /// A room that was told to be created got its first member, or will not; whether it waited.
    pub(super) fn take_announced(&mut self, room: &SmolStr) -> bool {
        let place = self.announced.iter().position(|announced| announced == room);
        place.map(|place| self.announced.swap_remove(place)).is_some()
    }

    /// The socket in a slot that is known to be taken.
    pub(super) fn at(&self, id: NspId, slot: Slot) -> Option<SocketRef> {
        let place = self.sockets.get(slot.index())?;
        let conn = place.socket.as_deref()?.conn;
        Some(SocketRef { nsp: id, slot, generation: place.generation, conn })
    }

    pub(super) fn add_stats(&self, stats: &mut ServerStats) {
        let rooms = self.rooms.stats();
        stats.dynamic_namespaces += usize::from(self.parent.is_some());
        stats.connected += self.connected;
        stats.waiting += self.waiting;
        stats.rooms += rooms.rooms;
        stats.memberships += rooms.memberships;
        stats.broadcast_acks += self.broadcast_acks.len();
        for socket in self.sockets.iter().filter_map(|slot| slot.socket.as_deref()) {
            stats.acks += socket.acks.len();
        }
        if let Some(recovery) = &self.recovery {
            let (sessions, packets) = recovery.len();
            stats.sessions += sessions;
            stats.packets += packets;
        }
    }
}

impl Server {
    /// The canonical spelling: one leading slash is implied (`NSP-01`).
    fn canonical(name: &str) -> SmolStr {
        if name.starts_with('/') { name.into() } else { format!("/{name}").into() }
    }

    /// Creates a namespace unless it exists (`NSP-06`).
    pub(super) fn create_namespace(&mut self, name: &str, config: NamespaceConfig) -> NspId {
        let name = Self::canonical(name);
        match self.by_name.get(&name) {
            Some(id) => *id,
            None => {
                // A name made by hand belongs to the pattern that it matches, and its sockets pass
                // the pattern's middlewares first: nobody gets around them (NSP-15, NSP-19).
                let parent = self.config.parents.iter().position(|parent| match &parent.matcher {
                    Matcher::Pattern(pattern) => pattern.is_match(&name),
                    Matcher::Ask => false,
                });
                let config = match parent.and_then(|at| self.config.parents.get(at)) {
                    Some(parent) => config.below(&parent.namespace),
                    None => config,
                };
                self.add_namespace(name, config, parent)
            }
        }
    }

    pub(super) fn add_namespace(
        &mut self,
        name: SmolStr,
        config: NamespaceConfig,
        parent: Option<usize>,
    ) -> NspId {
        let recovery = self.config.recovery.map(Recovery::new);
        let key = self.namespaces.insert(Namespace {
            name: name.clone(),
            config,
            parent,
            rooms: Rooms::new(self.keyed.clone()),
            announced: Vec::new(),
            sockets: Vec::new(),
            connected: 0,
            waiting: 0,
            leaving: 0,
            ack_counter: 0,
            outgoing_listeners: 0,
            broadcast_acks: BTreeMap::new(),
            recovery,
        });
        let id = NspId(key);
        self.by_name.insert(name.clone(), id);
        if name != "/" {
            self.emit_event(Event::NamespaceCreated(name));
        }
        id
    }

    /// A CONNECT for a name that does not exist: the parents are asked in order (`NSP-14`).
    pub(super) fn request_namespace(&mut self, request: Request) {
        let mut request = request;
        while let Some(parent) = self.config.parents.get(request.parent) {
            match &parent.matcher {
                Matcher::Pattern(pattern) if pattern.is_match(&request.name) => {
                    self.enter_child(request);
                    return;
                }
                Matcher::Pattern(_) => request.parent += 1,
                Matcher::Ask => {
                    let ticket = NamespaceTicket(self.ticket());
                    let Request { name, auth, parent, .. } = &request;
                    let event = Event::NamespaceRequested {
                        ticket,
                        parent: *parent,
                        name: name.clone(),
                        auth: auth.clone(),
                    };
                    self.pending_namespaces.insert(ticket, request);
                    self.emit_event(event);
                    return;
                }
            }
        }
        self.finish_asking(&request);
        self.connect_error(request.conn, request.name, "Invalid namespace".into(), None);
    }

    /// The application's answer (`NSP-14`).
    pub(super) fn allow_namespace(&mut self, ticket: NamespaceTicket, allow: bool) {
        let Some(mut request) = self.pending_namespaces.remove(&ticket) else {
            self.refuse(CommandError::UnknownTicket);
            return;
        };
        if self.clients.get(request.conn.0).is_none_or(|client| client.destroyed) {
            self.finish_asking(&request);
        } else if allow {
            self.enter_child(request);
        } else {
            request.parent += 1;
            self.request_namespace(request);
        }
    }

    /// Enters a dynamic namespace, which is made unless somebody was faster (`NSP-16`).
    fn enter_child(&mut self, request: Request) {
        self.finish_asking(&request);
        let id = match self.by_name.get(&request.name) {
            Some(id) => *id,
            None if self.namespaces.len() >= self.config.limits.namespaces => {
                self.refuse(CommandError::Limit("namespaces"));
                let message = "Invalid namespace".into();
                self.connect_error(request.conn, request.name, message, None);
                return;
            }
            None => {
                let config = self.config.parents[request.parent].namespace.clone();
                self.add_namespace(request.name, config, Some(request.parent))
            }
        };
        self.begin_connect(request.conn, id, request.auth);
    }

    fn finish_asking(&mut self, request: &Request) {
        if let Some(client) = self.clients.get_mut(request.conn.0)
            && let Some(at) = client.asking.iter().position(|name| *name == request.name)
        {
            client.asking.remove(at);
        }
    }

    /// Removes a dynamic namespace whose last socket has gone, unless another one is on its way
    /// in, or out (`NSP-21`, `NSP-22`).
    pub(super) fn cleanup_namespace(&mut self, id: NspId) {
        let Some(nsp) = self.namespaces.get(id.0) else { return };
        let is_unused = nsp.connected == 0 && nsp.waiting == 0 && nsp.leaving == 0;
        if !self.config.cleanup_empty_child_namespaces || nsp.parent.is_none() || !is_unused {
            return;
        }
        if let Some(mut nsp) = self.namespaces.remove(id.0) {
            self.by_name.remove(&nsp.name);
            if let Some(recovery) = &mut nsp.recovery {
                self.timers.cancel(&mut recovery.timer);
            }
            // Their deadlines still settle them (BC-ACK-08).
            let acks = nsp.broadcast_acks.into_iter();
            self.orphaned_acks.extend(acks.map(|(ack_id, acks)| ((id, ack_id), acks)));
            self.emit_event(Event::NamespaceRemoved(nsp.name));
        }
    }

    /// A namespace by name (`NSP-01`).
    #[must_use]
    pub fn namespace_id(&self, name: &str) -> Option<NspId> {
        self.by_name.get(Self::canonical(name).as_str()).copied()
    }

    /// The name of a namespace.
    #[must_use]
    pub fn namespace_name(&self, id: NspId) -> Option<&SmolStr> {
        self.namespaces.get(id.0).map(|nsp| &nsp.name)
    }

    /// How many sockets are connected to a namespace.
    #[must_use]
    pub fn connected_count(&self, id: NspId) -> usize {
        self.namespaces.get(id.0).map_or(0, |nsp| nsp.connected)
    }

    pub(super) fn socket(&self, socket: SocketRef) -> Option<&Socket> {
        self.namespaces.get(socket.nsp.0)?.socket(socket)
    }

    pub(super) fn socket_mut(&mut self, socket: SocketRef) -> Option<&mut Socket> {
        self.namespaces.get_mut(socket.nsp.0)?.socket_mut(socket)
    }

    /// The id of a socket, also the name of its own room (`ROOM-01`).
    #[must_use]
    pub fn sid(&self, socket: SocketRef) -> Option<&SmolStr> {
        self.socket(socket).map(|socket| &socket.sid)
    }

    /// The connected socket with this id.
    #[must_use]
    pub fn find_socket(&self, nsp: NspId, sid: &str) -> Option<SocketRef> {
        let namespace = self.namespaces.get(nsp.0)?;
        let found = namespace.at(nsp, namespace.rooms.slot_of(sid)?)?;
        namespace.socket(found)?.is_connected().then_some(found)
    }

    /// `socket.handshake.auth` (`SIO-CONN-02`).
    #[must_use]
    pub fn auth(&self, socket: SocketRef) -> Option<&Object> {
        self.socket(socket).map(|socket| &socket.auth)
    }

    /// `socket.data` (`UTIL-08`).
    #[must_use]
    pub fn data(&self, socket: SocketRef) -> Option<&Object> {
        self.socket(socket).map(|socket| &socket.data)
    }

    /// Whether a socket is connected: not waiting, and not gone.
    #[must_use]
    pub fn is_connected(&self, socket: SocketRef) -> bool {
        self.socket(socket).is_some_and(Socket::is_connected)
    }

    /// Whether a socket is connected and its disconnection has not begun.
    pub(super) fn may_disconnect(&self, socket: SocketRef) -> bool {
        self.socket(socket).is_some_and(Socket::may_disconnect)
    }

    /// `socket.rooms`, in join order; empty once it has left (`ROOM-08`).
    #[must_use]
    pub fn rooms_of(&self, socket: SocketRef) -> Vec<SmolStr> {
        match self.namespaces.get(socket.nsp.0) {
            Some(nsp) if nsp.socket(socket).is_some() => {
                nsp.rooms.rooms_of(socket.slot).cloned().collect()
            }
            Some(_) | None => Vec::new(),
        }
    }
}
