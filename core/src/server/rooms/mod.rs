//! The adapter of one namespace: which socket is in which room, and whom a broadcast reaches.
//!
//! Sockets have dense numbers, rooms are sets of them, and a broadcast is set algebra that streams
//! its recipients in the order of those numbers without allocating. A room named by its only
//! member's id, which every socket has (ROOM-01), is a flag of that socket; it gets a record when
//! anybody else joins it (EDGE-02).

mod bitmap;
mod departure;
mod members;
mod names;
mod select;
mod sockets;

use core::fmt;

use alloc::vec::Vec;

use hashbrown::HashMap;
use smol_str::SmolStr;

use crate::id::KeyedState;

use bitmap::Bitmap;
pub use departure::Departed;
use departure::Departure;
use members::Members;
use names::{NameHash, NameTable};
pub use select::Selection;
use select::Selector;
use sockets::{NUMBERS, OWN, Sockets, flag};

/// The number of a socket in its namespace: dense from zero, and reused after removal.
///
/// Whoever keeps one longer than the socket lives, keeps the number of its successor.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Slot(u32);

impl Slot {
    const FIRST: Self = Self(0);

    /// The number, to index a table of the caller's.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<Slot> for u32 {
    fn from(slot: Slot) -> Self {
        slot.0
    }
}

/// Why a socket was not taken in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InsertError {
    /// A socket with this id is here already.
    SidInUse,
    /// All numbers are taken, nearly 2^32.
    Full,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SidInUse => "the socket id is in use",
            Self::Full => "the namespace has no number left for a socket",
        })
    }
}

impl core::error::Error for InsertError {}

/// What a join changed; nothing if the socket was a member already (ROOM-02), is unknown, or is
/// leaving (ROOM-09).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Joined {
    /// The room exists since this join (`create-room`, ROOM-11).
    pub created: bool,
    /// The socket is a member since this join (`join-room`).
    pub joined: bool,
}

/// What a leave changed; nothing if the socket was no member (ROOM-03).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Left {
    /// The socket is a member no longer (`leave-room`, ROOM-11).
    pub left: bool,
    /// The room was deleted with its last member (`delete-room`, ROOM-04).
    pub deleted: bool,
}

/// How much is kept, to show that nothing leaks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Sockets, connected or not.
    pub sockets: usize,
    /// Sockets that are connected.
    pub connected: usize,
    /// Rooms, own-id rooms included.
    pub rooms: usize,
    /// Pairs of a socket and a room it is in, own-id rooms included.
    pub memberships: usize,
    /// Sockets that are leaving their rooms one by one.
    pub departing: usize,
    /// Slots ever in use at once: the size of tables by slot.
    pub slots: usize,
    /// Room records ever in use at once.
    pub room_records: usize,
    /// Lists of rooms that outgrew their socket's record.
    pub spilled: usize,
    /// Whether the working memory of selections holds nothing.
    pub scratch_clean: bool,
}

/// The length of an id as this server makes them (EIO-HS-05).
const SID_BYTES: usize = 20;

/// Rooms looked at before the first of them is changed: about as many as cache misses can be
/// under way at once.
const AHEAD: usize = 12;

/// A room with a record: every room, except an own-id room with its owner alone.
#[derive(Debug)]
#[repr(align(64))]
struct Room {
    name: SmolStr,
    members: Members,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// A room with a record, by its number.
    Room(u32),
    /// An own-id room with its owner alone.
    Own(Slot),
}

/// The sockets and rooms of one namespace.
#[derive(Debug)]
pub struct Rooms {
    keyed: KeyedState,
    rooms: Vec<Room>,
    free_rooms: Vec<u32>,
    room_names: NameTable,
    sockets: Sockets,
    sids: NameTable,
    connected: Bitmap,
    connected_len: usize,
    departures: HashMap<Slot, Departure, KeyedState>,
    /// Sockets that are alone in the room of their own id, which has no record. Apart from their own
    /// records: a whisper then reads one cache line less.
    own_alone: Bitmap,
    /// How many they are.
    implicit: usize,
    memberships: usize,
    selector: Selector,
}

impl Rooms {
    /// An empty namespace, whose tables are hashed by `keyed`: clients choose names.
    #[must_use]
    pub fn new(keyed: KeyedState) -> Self {
        Self {
            departures: HashMap::with_hasher(keyed.clone()),
            keyed,
            rooms: Vec::new(),
            free_rooms: Vec::new(),
            room_names: NameTable::default(),
            sockets: Sockets::new(),
            sids: NameTable::default(),
            connected: Bitmap::default(),
            connected_len: 0,
            own_alone: Bitmap::default(),
            implicit: 0,
            memberships: 0,
            selector: Selector::new(),
        }
    }

    /// Takes in a socket that is not connected yet: it may join rooms, and no selection has it
    /// (BC-TGT-09, BC-SNAP-03).
    ///
    /// # Errors
    /// If its id is in use, or all slots are.
    pub fn insert(&mut self, sid: impl Into<SmolStr>) -> Result<Slot, InsertError> {
        let sid = sid.into();
        let hash = self.hash(&sid);
        if self.find_sid(hash, &sid).is_some() {
            return Err(InsertError::SidInUse);
        }
        let slot = self.sockets.insert(sid).ok_or(InsertError::Full)?;
        self.sids.insert(hash, slot.0);
        self.selector.grow(self.sockets.span());
        Ok(slot)
    }

    /// Lets selections have a socket; whether it was here and not connected.
    pub fn set_connected(&mut self, slot: Slot) -> bool {
        if !self.contains(slot) || self.is_connected(slot) {
            return false;
        }
        self.sockets.set(slot, flag::CONNECTED);
        self.connected.insert(slot);
        self.connected_len += 1;
        true
    }

    /// Whether a slot is in use.
    #[must_use]
    pub fn contains(&self, slot: Slot) -> bool {
        self.sockets.is(slot, flag::LIVE)
    }

    /// Whether selections can have the socket.
    #[must_use]
    pub fn is_connected(&self, slot: Slot) -> bool {
        self.sockets.is(slot, flag::CONNECTED)
    }

    /// The id of a socket.
    #[must_use]
    pub fn sid(&self, slot: Slot) -> Option<&SmolStr> {
        self.contains(slot).then(|| self.sockets.sid(slot))
    }

    /// The socket with an id.
    #[must_use]
    pub fn slot_of(&self, sid: &str) -> Option<Slot> {
        self.find_sid(self.hash(sid), sid)
    }

    /// Makes a socket a member of a room, which it creates if need be (ROOM-02, ROOM-04).
    ///
    /// Nothing happens if it is one already, is unknown or is departing, or if there are nearly
    /// 2^32 rooms.
    pub fn join(&mut self, slot: Slot, room: &str) -> Joined {
        const NOTHING: Joined = Joined { created: false, joined: false };
        if !self.contains(slot) || self.sockets.is(slot, flag::DEPARTING) {
            return NOTHING;
        }
        let (number, created) = match self.find(room) {
            Some(Found::Room(number)) => (number, false),
            Some(Found::Own(owner)) if owner == slot => return NOTHING,
            Some(Found::Own(owner)) => match self.materialise(owner) {
                Some(number) => (number, false),
                None => return NOTHING,
            },
            None if self.sockets.sid(slot) == room => {
                self.join_own(slot);
                return Joined { created: true, joined: true };
            }
            None => match self.create_room(SmolStr::new(room)) {
                Some(number) => (number, true),
                None => return NOTHING,
            },
        };
        Joined { created, joined: self.join_room(slot, number) }
    }

    /// Joins rooms one after the other as [`Rooms::join`] does, and calls `each` after every one.
    ///
    /// Faster than single joins: the rooms are looked up first, so that their cache misses overlap.
    pub fn join_all<N: AsRef<str>>(
        &mut self,
        slot: Slot,
        rooms: &[N],
        mut each: impl FnMut(&N, Joined),
    ) {
        let may_join = self.contains(slot) && !self.sockets.is(slot, flag::DEPARTING);
        for some in rooms.chunks(AHEAD) {
            let mut guesses = [u32::MAX; AHEAD];
            for (guess, room) in guesses.iter_mut().zip(some) {
                *guess = self.room_names.guess(self.hash(room.as_ref())).unwrap_or(u32::MAX);
            }
            self.touch(&guesses);
            for (&guess, room) in guesses.iter().zip(some) {
                let joined = match self.rooms.get(guess as usize) {
                    // A room that was there still is, as joins delete none.
                    Some(record) if may_join && record.name == room.as_ref() => {
                        Joined { created: false, joined: self.join_room(slot, guess) }
                    }
                    _ => self.join(slot, room.as_ref()),
                };
                each(room, joined);
            }
        }
    }

    /// Reads what changing these rooms is going to need: they are far apart, and reading them
    /// ahead lets their cache misses overlap.
    #[inline]
    fn touch(&self, numbers: &[u32]) {
        let mut touched = 0;
        for &number in numbers {
            touched ^= self.rooms.get(number as usize).map_or(0, |room| room.members.len());
        }
        core::hint::black_box(touched);
        let mut touched = 0;
        for &number in numbers {
            touched ^= self.rooms.get(number as usize).map_or(0, |room| room.members.touch());
        }
        core::hint::black_box(touched);
    }

    /// Makes a socket a member of a room with a record; whether it was none.
    #[inline]
    fn join_room(&mut self, slot: Slot, number: u32) -> bool {
        if self.sockets.contains(slot, number) {
            return false;
        }
        self.sockets.push(slot, number);
        let span = self.sockets.span();
        self.rooms[number as usize].members.insert(slot, span);
        self.memberships += 1;
        true
    }

    /// Makes a socket leave a room, which is deleted with its last member (ROOM-03, ROOM-04).
    pub fn leave(&mut self, slot: Slot, room: &str) -> Left {
        if !self.contains(slot) || self.sockets.is(slot, flag::DEPARTING) {
            return Left::default();
        }
        match self.find(room) {
            Some(Found::Own(owner)) if owner == slot => {
                if !self.sockets.is(slot, flag::OWN_FIRST) {
                    self.sockets.remove_room(slot, OWN);
                }
                self.leave_own(slot);
                Left { left: true, deleted: true }
            }
            Some(Found::Room(number)) if self.sockets.remove_room(slot, number) => {
                Left { left: true, deleted: self.leave_room(slot, number) }
            }
            _ => Left::default(),
        }
    }

    /// Whether a room exists, that is, has a member (ROOM-04).
    #[must_use]
    pub fn contains_room(&self, room: &str) -> bool {
        self.find(room).is_some()
    }

    /// Whether a socket is in a room.
    #[must_use]
    pub fn is_member(&self, slot: Slot, room: &str) -> bool {
        match self.find(room) {
            Some(Found::Own(owner)) => owner == slot,
            Some(Found::Room(number)) => self.rooms[number as usize].members.contains(slot),
            None => false,
        }
    }

    /// The members of a room in slot order, connected or not; none if there is no such room.
    pub fn members(&self, room: &str) -> impl Iterator<Item = Slot> + use<'_> {
        let (own, members) = match self.find(room) {
            Some(Found::Own(owner)) => (Some(owner), None),
            Some(Found::Room(number)) => (None, Some(self.rooms[number as usize].members.iter())),
            None => (None, None),
        };
        own.into_iter().chain(members.into_iter().flatten())
    }

    /// How many members a room has, connected or not.
    #[must_use]
    pub fn member_count(&self, room: &str) -> usize {
        match self.find(room) {
            Some(Found::Own(_)) => 1,
            Some(Found::Room(number)) => self.rooms[number as usize].members.len(),
            None => 0,
        }
    }

    /// The rooms of a socket in the order it joined them (ROOM-08); all of them until the end of
    /// a departure (ROOM-12).
    pub fn rooms_of(&self, slot: Slot) -> impl Iterator<Item = &SmolStr> {
        let departure =
            self.sockets.is(slot, flag::DEPARTING).then(|| self.departures.get(&slot)).flatten();
        let live = self.contains(slot) && departure.is_none();
        let own_first = live && self.sockets.is(slot, flag::OWN_FIRST);
        let joined = live.then(|| self.sockets.rooms(slot)).into_iter().flatten();
        departure.map(Departure::names).unwrap_or_default().iter().chain(
            own_first.then_some(OWN).into_iter().chain(joined).map(move |room| {
                if room == OWN { self.sockets.sid(slot) } else { &self.rooms[room as usize].name }
            }),
        )
    }

    /// How many rooms [`Rooms::rooms_of`] has.
    #[must_use]
    pub fn rooms_len(&self, slot: Slot) -> usize {
        if !self.contains(slot) {
            return 0;
        }
        match self.departures.get(&slot) {
            Some(departure) => departure.names().len(),
            None => {
                self.sockets.rooms_len(slot) + usize::from(self.sockets.is(slot, flag::OWN_FIRST))
            }
        }
    }

    /// The names of the rooms with a record: all but own-id rooms with their owner alone. In no
    /// particular order.
    pub fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.rooms.iter().filter(|room| room.members.len() > 0).map(|room| &room.name)
    }

    /// How many rooms exist, own-id rooms included.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.room_names.len() + self.implicit
    }

    /// How many sockets there are, connected or not.
    #[must_use]
    pub fn socket_count(&self) -> usize {
        self.sockets.live()
    }

    /// How much is kept.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            sockets: self.sockets.live(),
            connected: self.connected_len,
            rooms: self.room_count(),
            memberships: self.memberships,
            departing: self.departures.len(),
            slots: self.sockets.span(),
            room_records: self.rooms.len(),
            spilled: self.sockets.spills(),
            scratch_clean: self.selector.is_clean(),
        }
    }

    /// Takes a socket out of all rooms it is still in, and forgets it; whether it was here.
    pub fn remove(&mut self, slot: Slot) -> bool {
        if !self.contains(slot) {
            return false;
        }
        let hash = self.hash(self.sockets.sid(slot));
        // Needed last, and a cache miss that the rooms' misses can hide.
        core::hint::black_box(self.sids.guess(hash));
        if let Some(departure) = self.departures.remove(&slot) {
            self.leave_all(slot, departure.remaining());
        } else {
            let rooms = self.sockets.take_rooms(slot);
            self.leave_all(slot, rooms.as_slice());
        }
        if self.own_alone.contains(slot) {
            self.leave_own(slot);
        }
        if self.is_connected(slot) {
            self.connected.remove(slot);
            self.connected_len -= 1;
        }
        drop(self.sockets.remove(slot));
        self.sids.remove(hash, slot.0);
        true
    }

    /// Takes a socket out of rooms with a record, which are no longer in its list.
    fn leave_all(&mut self, slot: Slot, rooms: &[u32]) {
        for some in rooms.chunks(AHEAD) {
            self.touch(some);
            for &room in some {
                if room != OWN {
                    self.leave_room(slot, room);
                }
            }
        }
    }

    fn hash(&self, name: &str) -> NameHash {
        NameHash::of(&self.keyed, name)
    }

    #[inline]
    fn find_sid(&self, hash: NameHash, sid: &str) -> Option<Slot> {
        self.sids.find(hash, |number| self.sockets.sid(Slot(number)) == sid).map(Slot)
    }

    #[inline]
    fn find_room(&self, hash: NameHash, name: &str) -> Option<u32> {
        self.room_names.find(hash, |number| self.rooms[number as usize].name == name)
    }

    /// What a room's name stands for, if the room exists.
    #[inline]
    fn find(&self, name: &str) -> Option<Found> {
        let hash = self.hash(name);
        // A name as long as an id is probably one, and then there is no record to look for.
        let is_like_a_sid = name.len() == SID_BYTES;
        if is_like_a_sid && let Some(own) = self.find_own(hash, name) {
            return Some(own);
        }
        match self.find_room(hash, name) {
            Some(number) => Some(Found::Room(number)),
            None if is_like_a_sid => None,
            None => self.find_own(hash, name),
        }
    }

    /// The room of an id that nobody but its owner is in.
    #[inline]
    fn find_own(&self, hash: NameHash, name: &str) -> Option<Found> {
        let slot = self.find_sid(hash, name)?;
        self.own_alone.contains(slot).then_some(Found::Own(slot))
    }

    /// A record for a room that has none; `None` when all numbers are taken.
    fn create_room(&mut self, name: SmolStr) -> Option<u32> {
        let hash = self.hash(&name);
        let room = Room { name, members: Members::NONE };
        let number = match self.free_rooms.pop() {
            Some(number) => {
                self.rooms[number as usize] = room;
                number
            }
            None => {
                let number = u32::try_from(self.rooms.len()).ok()?;
                if self.rooms.len() >= NUMBERS {
                    return None;
                }
                self.rooms.push(room);
                number
            }
        };
        self.room_names.insert(hash, number);
        Some(number)
    }

    /// Takes a member out of a room that is no longer in its list; whether the room was deleted.
    fn leave_room(&mut self, slot: Slot, number: u32) -> bool {
        let span = self.sockets.span();
        let room = &mut self.rooms[number as usize];
        if room.members.remove(slot, span) {
            self.memberships -= 1;
        }
        if room.members.len() > 0 {
            return false;
        }
        let name = core::mem::take(&mut room.name);
        self.room_names.remove(self.hash(&name), number);
        self.free_rooms.push(number);
        true
    }

    /// Puts a socket into its own-id room, where nobody is.
    fn join_own(&mut self, slot: Slot) {
        if self.sockets.rooms_len(slot) == 0 {
            self.sockets.set(slot, flag::OWN_FIRST);
        } else {
            self.sockets.push(slot, OWN);
        }
        self.own_alone.insert(slot);
        self.implicit += 1;
        self.memberships += 1;
    }

    /// Ends the implicit membership in an own-id room, which is no longer in its owner's list.
    fn leave_own(&mut self, slot: Slot) {
        self.sockets.unset(slot, flag::OWN_FIRST);
        self.own_alone.remove(slot);
        self.implicit -= 1;
        self.memberships -= 1;
    }

    /// Gives an own-id room a record, as somebody else is about to join it (EDGE-02).
    #[cold]
    fn materialise(&mut self, owner: Slot) -> Option<u32> {
        let number = self.create_room(self.sockets.sid(owner).clone())?;
        let span = self.sockets.span();
        self.rooms[number as usize].members.insert(owner, span);
        if let Some(departure) = self.departures.get_mut(&owner) {
            departure.materialise_own(number);
        } else if self.sockets.is(owner, flag::OWN_FIRST) {
            self.sockets.push_first(owner, number);
        } else {
            self.sockets.replace_room(owner, OWN, number);
        }
        // The membership stays, now in the record.
        self.leave_own(owner);
        self.memberships += 1;
        Some(number)
    }
}
