//! Leaving room by room, for servers that tell their application of each (ROOM-12).

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::sockets::{OWN, flag};
use super::{Rooms, Slot};

/// The rooms of a socket that is leaving them one by one.
#[derive(Debug)]
pub(super) struct Departure {
    /// All rooms, as they were at the start.
    names: Vec<SmolStr>,
    /// Their numbers, in the same order.
    rooms: Vec<u32>,
    /// How many are left already.
    done: usize,
}

impl Departure {
    pub(super) fn names(&self) -> &[SmolStr] {
        &self.names
    }

    /// The rooms that the socket is still in.
    pub(super) fn remaining(&self) -> &[u32] {
        &self.rooms[self.done..]
    }

    /// Notes the record that the own-id room got.
    pub(super) fn materialise_own(&mut self, number: u32) {
        for room in &mut self.rooms[self.done..] {
            if *room == OWN {
                *room = number;
            }
        }
    }
}

/// A room that a departing socket left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Departed {
    /// The room's name.
    pub room: SmolStr,
    /// The room was deleted with its last member.
    pub deleted: bool,
}

impl Rooms {
    /// Begins the disconnection of a socket that is to leave its rooms one by one; whether it is
    /// here and was not departing.
    ///
    /// From here on it joins and leaves nothing else (ROOM-09). Selections still have it, by the
    /// rooms it is in, until [`Rooms::remove`].
    pub fn start_departure(&mut self, slot: Slot) -> bool {
        if !self.contains(slot) || self.sockets.is(slot, flag::DEPARTING) {
            return false;
        }
        let names = self.rooms_of(slot).cloned().collect();
        let own_first = self.sockets.is(slot, flag::OWN_FIRST).then_some(OWN);
        let joined = self.sockets.take_rooms(slot);
        let rooms = own_first.into_iter().chain(joined.as_slice().iter().copied()).collect();
        self.departures.insert(slot, Departure { names, rooms, done: 0 });
        self.sockets.set(slot, flag::DEPARTING);
        true
    }

    /// Takes a departing socket out of the next room in join order (ROOM-12); `None` once it is
    /// in no room.
    ///
    /// [`Rooms::rooms_of`] still has all rooms afterwards, until [`Rooms::remove`].
    pub fn depart_next(&mut self, slot: Slot) -> Option<Departed> {
        let departure = self.departures.get_mut(&slot)?;
        let number = *departure.rooms.get(departure.done)?;
        let room = departure.names.get(departure.done)?.clone();
        departure.done += 1;
        let deleted = if number == OWN {
            self.leave_own(slot);
            true
        } else {
            self.leave_room(slot, number)
        };
        Some(Departed { room, deleted })
    }
}
