//! Joining and leaving rooms, one socket at a time or many.

use alloc::vec::Vec;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::namespace::{Namespace, Stage};
use super::rooms::Selection as RoomSelection;
use super::{
    CommandError, Event, NspId, Origin, RoomChange, Selection, Server, SocketRef, Token, Work,
};

/// A utility method that goes through its sockets one by one (`BC-SNAP-04`).
#[derive(Debug)]
pub(super) struct Utility {
    sockets: Vec<SocketRef>,
    at: usize,
    action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Join(Vec<SmolStr>),
    Leave(Vec<SmolStr>),
    Disconnect { close: bool },
}

impl Server {
    /// Puts a socket into rooms (`ROOM-02`). A socket that is leaving joins nothing (`ROOM-09`).
    pub(super) fn join(&mut self, socket: SocketRef, rooms: &[SmolStr]) {
        let limits = self.config.limits;
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        match nsp.socket(socket).map(|socket| &socket.stage) {
            None | Some(Stage::Leaving) => return,
            Some(Stage::Waiting { .. } | Stage::Connected) => {}
        }
        if rooms.iter().any(|room| room.len() > limits.room_name_bytes) {
            self.refuse(CommandError::Limit("room_name_bytes"));
        } else if nsp.rooms.rooms_len(socket.slot) + rooms.len() > limits.rooms_per_socket {
            self.refuse(CommandError::Limit("rooms_per_socket"));
        } else {
            self.join_unchecked(socket, rooms);
        }
    }

    /// The same for rooms that a socket has by right, whatever the bounds are: the one of its id
    /// (`ROOM-01`), and those of the session that it goes on with (`CSR-03`).
    pub(super) fn join_unchecked(&mut self, socket: SocketRef, rooms: &[SmolStr]) {
        let Some(nsp) = self.namespaces.get(socket.nsp.0) else { return };
        if nsp.config.room_events {
            let rooms = SmallVec::from_iter(rooms.iter().cloned());
            self.stack.push(Work::Join { socket, rooms, at: 0, created: false });
        } else {
            self.join_now(socket, rooms);
        }
    }

    pub(super) fn join_now(&mut self, socket: SocketRef, rooms: &[SmolStr]) {
        if let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) {
            for room in rooms {
                nsp.rooms.join(socket.slot, room);
            }
        }
    }

    /// One step of a join whose events are wanted: `create-room` while the room is still empty,
    /// then `join-room` when the socket is in it (`ROOM-11`).
    pub(super) fn join_step(
        &mut self,
        socket: SocketRef,
        rooms: SmallVec<[SmolStr; 2]>,
        at: usize,
        created: bool,
    ) {
        let Some(room) = rooms.get(at).cloned() else { return };
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        if nsp.socket(socket).is_none_or(|socket| matches!(socket.stage, Stage::Leaving)) {
            if created && nsp.take_announced(&room) {
                self.room_event(socket.nsp, RoomChange::Deleted, room, None);
            }
        } else if nsp.rooms.is_member(socket.slot, &room) {
            self.stack.push(Work::Join { socket, rooms, at: at + 1, created: false });
        } else if !nsp.rooms.contains_room(&room) && !nsp.announced.contains(&room) {
            nsp.announced.push(room.clone());
            self.stack.push(Work::Join { socket, rooms, at, created: true });
            self.room_event(socket.nsp, RoomChange::Created, room, None);
        } else {
            nsp.take_announced(&room);
            nsp.rooms.join(socket.slot, &room);
            let sid = nsp.socket(socket).map(|socket| socket.sid.clone());
            self.stack.push(Work::Join { socket, rooms, at: at + 1, created: false });
            self.room_event(socket.nsp, RoomChange::Joined, room, sid);
        }
    }

    /// Takes a socket out of one room (`ROOM-03`).
    pub(super) fn leave(&mut self, socket: SocketRef, room: &SmolStr) {
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        if nsp.socket(socket).is_none() {
            return;
        }
        let sid = nsp.socket(socket).map(|socket| socket.sid.clone());
        let left = nsp.rooms.leave(socket.slot, room);
        if left.left && nsp.config.room_events {
            if left.deleted {
                let (nsp, room) = (socket.nsp, room.clone());
                self.stack.push(Work::RoomDeleted { nsp, room });
            }
            self.room_event(socket.nsp, RoomChange::Left, room.clone(), sid);
        }
    }

    /// Takes a leaving socket out of its next room while `socket.rooms` stays complete, and tells
    /// so (`ROOM-12`). Returns whether there was one.
    pub(super) fn leave_next(&mut self, socket: SocketRef) -> bool {
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return false };
        let Some(sid) = nsp.socket(socket).map(|socket| socket.sid.clone()) else { return false };
        let Some(departed) = nsp.rooms.depart_next(socket.slot) else { return false };
        if departed.deleted {
            let (nsp, room) = (socket.nsp, departed.room.clone());
            self.stack.push(Work::RoomDeleted { nsp, room });
        }
        self.room_event(socket.nsp, RoomChange::Left, departed.room, Some(sid));
        true
    }

    /// Pushes what follows a room event: below the `delete-room` that may stand on top.
    pub(super) fn push_below_event(&mut self, work: Work) {
        let place = match self.stack.last() {
            Some(Work::RoomDeleted { .. }) => self.stack.len() - 1,
            Some(_) | None => self.stack.len(),
        };
        self.stack.insert(place, work);
    }

    /// The namespaces a selection speaks of.
    pub(super) fn namespaces_of(&mut self, origin: &Origin) -> SmallVec<[NspId; 1]> {
        match origin {
            Origin::Namespace(name) => {
                let id = self.namespace_id(name);
                if id.is_none() {
                    self.refuse(CommandError::NoSuchNamespace(name.clone()));
                }
                id.into_iter().collect()
            }
            Origin::Socket(socket) => {
                let exists = self.namespaces.contains_key(socket.nsp.0);
                exists.then_some(socket.nsp).into_iter().collect()
            }
            Origin::Parent(parent) => {
                if *parent >= self.config.parents.len() {
                    self.refuse(CommandError::NoSuchParent(*parent));
                }
                let of_parent = |nsp: &Namespace| nsp.parent == Some(*parent);
                let children = self.namespaces.iter().filter(|(_, nsp)| of_parent(nsp));
                children.map(|(key, _)| NspId(key)).collect()
            }
        }
    }

    /// The connected sockets that a selection matches, each once, in slot order (`UTIL-01`).
    pub fn select(&mut self, selection: &Selection) -> Vec<SocketRef> {
        let mut matching = Vec::new();
        for id in self.namespaces_of(&selection.origin) {
            let own = self.own_room(&selection.origin);
            let Some(nsp) = self.namespaces.get_mut(id.0) else { continue };
            let except: SmallVec<[SmolStr; 4]> =
                selection.except.iter().cloned().chain(own).collect();
            let mut slots = Vec::new();
            let filter = RoomSelection { rooms: &selection.rooms, except: &except };
            nsp.rooms.resolve_into(&filter, &mut slots);
            matching.extend(slots.into_iter().filter_map(|slot| nsp.at(id, slot)));
        }
        matching
    }

    /// The room that stands for a sender: the one named like it (`BC-TGT-06`, `EDGE-02`).
    pub(super) fn own_room(&self, origin: &Origin) -> Option<SmolStr> {
        match origin {
            Origin::Socket(socket) => self.sid_or_lost(*socket),
            Origin::Namespace(_) | Origin::Parent(_) => None,
        }
    }

    pub(super) fn run_utility(&mut self, selection: &Selection, action: Action) {
        // On a parent these methods act on nobody (NSP-17).
        if let Origin::Parent(_) = selection.origin {
            return;
        }
        let sockets = self.select(selection);
        self.stack.push(Work::Utility(Utility { sockets, at: 0, action }));
    }

    /// One socket of a utility; each is visited once, whatever the listeners do meanwhile
    /// (`BC-SNAP-04`).
    pub(super) fn utility_step(&mut self, mut utility: Utility) {
        let Some(socket) = utility.sockets.get(utility.at).copied() else { return };
        utility.at += 1;
        match &utility.action {
            Action::Join(rooms) => {
                let rooms = rooms.clone();
                self.stack.push(Work::Utility(utility));
                self.join(socket, &rooms);
            }
            Action::Leave(rooms) => {
                let rooms = rooms.clone();
                self.stack.push(Work::Utility(utility));
                for room in rooms.into_iter().rev() {
                    self.stack.push(Work::LeaveRoom { socket, room });
                }
            }
            Action::Disconnect { close } => {
                let close = *close;
                self.stack.push(Work::Utility(utility));
                self.disconnect(socket, close);
            }
        }
    }

    pub(super) fn fetch_sockets(&mut self, token: Token, selection: &Selection) {
        let sockets = match selection.origin {
            Origin::Parent(_) => Vec::new(),
            Origin::Namespace(_) | Origin::Socket(_) => self.select(selection),
        };
        self.emit_event(Event::Fetched { token, sockets });
    }
}
