//! The sockets of a namespace and, for each, the rooms it joined, in join order.
//!
//! A socket is one cache line: up to fifteen rooms, more than a socket of a chat is usually in.
//! More of them spill into a list of their own, and many into a list with an index, so that leaving
//! one of 100,000 takes constant time.

use alloc::vec::Vec;

use hashbrown::HashTable;
use smol_str::SmolStr;

use super::Slot;

/// Rooms kept in the socket's record: as many as fill its cache line.
const INLINE: usize = 15;
/// A spilled list returns to the record at this size, well below [`INLINE`]: a socket at the
/// border must not allocate with every join.
const UNSPILL: usize = 8;
/// Up to here a spilled list is searched, which is four cache lines; beyond, it is indexed.
const INDEXED: usize = 64;

/// Stands in a list of rooms for the own-id room while only its owner is in it.
pub(super) const OWN: u32 = u32::MAX;
/// A room that was left, in an indexed list.
const HOLE: u32 = u32::MAX - 1;
/// The end of the list of free records.
const NO_SLOT: u32 = u32::MAX;
/// Numbers of rooms and slots stay below every mark.
pub(super) const NUMBERS: usize = (u32::MAX - 2) as usize;

/// The state of a socket, as bits of its record.
pub(super) mod flag {
    /// The record is in use.
    pub(in super::super) const LIVE: u8 = 1;
    /// The socket is past its middlewares.
    pub(in super::super) const CONNECTED: u8 = 2;
    /// The socket is alone in the room of its own id and joined it before any other, so the list has
    /// no mark for it.
    pub(in super::super) const OWN_FIRST: u8 = 4;
    /// The rooms are in the spill whose number is in `rooms[0]`.
    pub(in super::super) const SPILLED: u8 = 8;
    /// The socket is leaving its rooms one by one.
    pub(in super::super) const DEPARTING: u8 = 16;
}

#[derive(Debug)]
#[repr(align(64))]
struct Socket {
    /// Entries of `rooms`, when not spilled.
    len: u8,
    flags: u8,
    rooms: [u32; INLINE],
}

/// A list of rooms too long for the record.
#[derive(Debug, Default)]
struct Spill {
    /// In join order, with holes only if indexed.
    order: Vec<u32>,
    holes: usize,
    /// From a room to its place in `order`, beyond [`INDEXED`] entries.
    index: Option<HashTable<(u32, u32)>>,
}

/// Room numbers are dense and no client chooses them: multiplying spreads them well enough.
fn spread(room: u32) -> u64 {
    u64::from(room).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Spill {
    fn len(&self) -> usize {
        self.order.len() - self.holes
    }

    fn position(&self, room: u32) -> Option<usize> {
        match &self.index {
            Some(index) => {
                index.find(spread(room), |entry| entry.0 == room).map(|entry| entry.1 as usize)
            }
            None => self.order.iter().position(|&other| other == room),
        }
    }

    fn push(&mut self, room: u32) {
        if self.order.len() == self.order.capacity() {
            self.order.reserve_exact((self.order.len() / 4).max(8));
        }
        self.order.push(room);
        match &mut self.index {
            Some(index) => {
                // A socket is in fewer rooms than there are room numbers, and holes are at most
                // as many: the order is shorter than u32::MAX long before memory ends.
                let at = u32::try_from(self.order.len() - 1).unwrap_or(u32::MAX);
                index.insert_unique(spread(room), (room, at), |entry| spread(entry.0));
            }
            None if self.order.len() > INDEXED => self.reindex(),
            None => {}
        }
    }

    fn remove(&mut self, room: u32) -> bool {
        let Some(at) = self.position(room) else { return false };
        let Some(index) = &mut self.index else {
            self.order.remove(at);
            return true;
        };
        if let Ok(entry) = index.find_entry(spread(room), |entry| entry.0 == room) {
            entry.remove();
        }
        self.order[at] = HOLE;
        self.holes += 1;
        // Half the list is paid for by as many removals.
        if self.holes > self.order.len() / 2 {
            self.reindex();
        }
        true
    }

    fn replace(&mut self, from: u32, to: u32) {
        let Some(at) = self.position(from) else { return };
        self.order[at] = to;
        if let Some(index) = &mut self.index
            && let Ok(entry) = index.find_entry(spread(from), |entry| entry.0 == from)
        {
            let ((_, at), _) = entry.remove();
            index.insert_unique(spread(to), (to, at), |entry| spread(entry.0));
        }
    }

    fn push_first(&mut self, room: u32) {
        self.order.insert(0, room);
        self.reindex();
    }

    /// Closes the holes and builds the index anew, if the list is long enough for one.
    fn reindex(&mut self) {
        self.order.retain(|&room| room != HOLE);
        self.holes = 0;
        self.order.shrink_to(self.order.len() + self.order.len() / 4 + 8);
        self.index = (self.order.len() > INDEXED / 2).then(|| {
            let mut index = HashTable::with_capacity(self.order.len());
            for (&room, at) in self.order.iter().zip(0..) {
                index.insert_unique(spread(room), (room, at), |entry| spread(entry.0));
            }
            index
        });
    }
}

/// The records of all sockets, reused after removal.
#[derive(Debug)]
pub(super) struct Sockets {
    records: Vec<Socket>,
    /// Ids by slot, apart from the records: joining and leaving need none.
    sids: Vec<SmolStr>,
    /// The first free record; `rooms[0]` of each holds the next.
    free: u32,
    live: usize,
    spills: Vec<Spill>,
    free_spills: Vec<u32>,
}

impl Sockets {
    pub(super) fn new() -> Self {
        Self {
            records: Vec::new(),
            sids: Vec::new(),
            free: NO_SLOT,
            live: 0,
            spills: Vec::new(),
            free_spills: Vec::new(),
        }
    }

    /// Slots in use.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Slots ever in use at the same time.
    pub(super) fn span(&self) -> usize {
        self.records.len()
    }

    /// Spilled lists in use.
    pub(super) fn spills(&self) -> usize {
        self.spills.len() - self.free_spills.len()
    }

    /// A record for a new socket; `None` when all numbers are taken.
    pub(super) fn insert(&mut self, sid: SmolStr) -> Option<Slot> {
        let slot = match self.records.get(self.free as usize) {
            Some(record) => core::mem::replace(&mut self.free, record.rooms[0]),
            None => {
                let number = u32::try_from(self.records.len()).ok()?;
                if self.records.len() >= NUMBERS {
                    return None;
                }
                if self.records.len() == self.records.capacity() {
                    // A quarter instead of double: this table is the largest of all.
                    self.records.reserve_exact((self.records.len() / 4).max(16));
                    self.sids.reserve_exact((self.sids.len() / 4).max(16));
                }
                self.sids.push(SmolStr::default());
                self.records.push(Socket { len: 0, flags: 0, rooms: [0; INLINE] });
                number
            }
        };
        self.sids[slot as usize] = sid;
        let record = &mut self.records[slot as usize];
        record.flags = flag::LIVE;
        record.len = 0;
        self.live += 1;
        Some(Slot(slot))
    }

    /// Frees a record, whose rooms are all left.
    pub(super) fn remove(&mut self, slot: Slot) -> SmolStr {
        drop(self.take_rooms(slot));
        let record = &mut self.records[slot.index()];
        record.flags = 0;
        record.rooms[0] = self.free;
        self.free = slot.0;
        self.live -= 1;
        core::mem::take(&mut self.sids[slot.index()])
    }

    #[inline]
    pub(super) fn is(&self, slot: Slot, flags: u8) -> bool {
        self.records.get(slot.index()).is_some_and(|record| record.flags & flags == flags)
    }

    pub(super) fn set(&mut self, slot: Slot, flags: u8) {
        self.records[slot.index()].flags |= flags;
    }

    pub(super) fn unset(&mut self, slot: Slot, flags: u8) {
        self.records[slot.index()].flags &= !flags;
    }

    pub(super) fn sid(&self, slot: Slot) -> &SmolStr {
        &self.sids[slot.index()]
    }

    fn spill(&self, record: &Socket) -> Option<&Spill> {
        if record.flags & flag::SPILLED == 0 {
            return None;
        }
        self.spills.get(record.rooms[0] as usize)
    }

    /// The rooms of a socket in join order, [`OWN`] among them if it is not the first.
    #[inline]
    pub(super) fn rooms(&self, slot: Slot) -> impl Iterator<Item = u32> + Clone + use<'_> {
        let record = &self.records[slot.index()];
        let rooms = match self.spill(record) {
            Some(spill) => &spill.order[..],
            None => &record.rooms[..usize::from(record.len)],
        };
        rooms.iter().copied().filter(|&room| room != HOLE)
    }

    /// How many entries [`Sockets::rooms`] has.
    pub(super) fn rooms_len(&self, slot: Slot) -> usize {
        let record = &self.records[slot.index()];
        self.spill(record).map_or_else(|| usize::from(record.len), Spill::len)
    }

    #[inline]
    pub(super) fn contains(&self, slot: Slot, room: u32) -> bool {
        let record = &self.records[slot.index()];
        match self.spill(record) {
            Some(spill) => spill.position(room).is_some(),
            None => record.rooms[..usize::from(record.len)].contains(&room),
        }
    }

    /// Adds a room that is not in the list.
    #[inline]
    pub(super) fn push(&mut self, slot: Slot, room: u32) {
        let record = &mut self.records[slot.index()];
        if record.flags & flag::SPILLED != 0 {
            self.spills[record.rooms[0] as usize].push(room);
        } else if let Some(place) = record.rooms.get_mut(usize::from(record.len)) {
            *place = room;
            record.len += 1;
        } else {
            self.start_spill(slot).push(room);
        }
    }

    /// Removes a room; whether it was in the list.
    #[inline]
    pub(super) fn remove_room(&mut self, slot: Slot, room: u32) -> bool {
        let record = &mut self.records[slot.index()];
        if record.flags & flag::SPILLED == 0 {
            let rooms = &mut record.rooms[..usize::from(record.len)];
            let Some(at) = rooms.iter().position(|&other| other == room) else { return false };
            rooms.copy_within(at + 1.., at);
            record.len -= 1;
            return true;
        }
        let spill = &mut self.spills[record.rooms[0] as usize];
        let removed = spill.remove(room);
        if spill.len() <= UNSPILL {
            self.end_spill(slot);
        }
        removed
    }

    /// Puts `to` where `from` is.
    pub(super) fn replace_room(&mut self, slot: Slot, from: u32, to: u32) {
        let record = &mut self.records[slot.index()];
        if record.flags & flag::SPILLED != 0 {
            self.spills[record.rooms[0] as usize].replace(from, to);
            return;
        }
        for room in &mut record.rooms[..usize::from(record.len)] {
            if *room == from {
                *room = to;
            }
        }
    }

    /// Puts a room before all others.
    pub(super) fn push_first(&mut self, slot: Slot, room: u32) {
        let record = &mut self.records[slot.index()];
        let len = usize::from(record.len);
        if record.flags & flag::SPILLED != 0 {
            self.spills[record.rooms[0] as usize].push_first(room);
        } else if len < INLINE {
            record.rooms.copy_within(..len, 1);
            record.rooms[0] = room;
            record.len += 1;
        } else {
            self.start_spill(slot).push_first(room);
        }
    }

    /// Takes the rooms of a socket, in join order; its list is empty afterwards.
    pub(super) fn take_rooms(&mut self, slot: Slot) -> Rooms {
        let record = &mut self.records[slot.index()];
        let len = core::mem::take(&mut record.len);
        if record.flags & flag::SPILLED == 0 {
            return Rooms::Inline(record.rooms, len);
        }
        record.flags &= !flag::SPILLED;
        let number = record.rooms[0];
        self.free_spills.push(number);
        let mut spill = core::mem::take(&mut self.spills[number as usize]);
        spill.order.retain(|&room| room != HOLE);
        Rooms::Spilled(spill.order)
    }

    #[cold]
    fn start_spill(&mut self, slot: Slot) -> &mut Spill {
        let record = &mut self.records[slot.index()];
        let order = record.rooms[..usize::from(record.len)].to_vec();
        let spill = Spill { order, holes: 0, index: None };
        let number = match self.free_spills.pop() {
            Some(number) => number,
            None => {
                self.spills.push(Spill::default());
                // At most one spill per slot, and slots are numbered below u32::MAX.
                u32::try_from(self.spills.len() - 1).unwrap_or(u32::MAX)
            }
        };
        record.flags |= flag::SPILLED;
        record.len = 0;
        record.rooms[0] = number;
        let place = &mut self.spills[number as usize];
        *place = spill;
        place
    }

    #[cold]
    fn end_spill(&mut self, slot: Slot) {
        let rooms = self.take_rooms(slot);
        let record = &mut self.records[slot.index()];
        for (&room, place) in rooms.as_slice().iter().zip(&mut record.rooms) {
            *place = room;
            record.len += 1;
        }
    }
}

/// The rooms that a socket was in.
#[derive(Debug)]
pub(super) enum Rooms {
    Inline([u32; INLINE], u8),
    Spilled(Vec<u32>),
}

impl Rooms {
    #[inline]
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::Inline(rooms, len) => &rooms[..usize::from(*len)],
            Self::Spilled(rooms) => rooms,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_fills_one_cache_line() {
        assert_eq!(size_of::<Socket>(), 64);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// ROOM-08: whatever the list's form, the rooms stay in join order.
        #[test]
        fn rooms_stay_in_join_order(
            steps in proptest::collection::vec((0_u8..8, 0_u32..300, 1_u32..120), 1..40),
        ) {
            let mut sockets = Sockets::new();
            let slot = sockets.insert(SmolStr::new("s")).unwrap();
            let mut twin: Vec<u32> = Vec::new();
            let mut marks = 0;
            for (step, start, count) in steps {
                for room in start..start + count {
                    let has = twin.contains(&room);
                    prop_assert_eq!(sockets.contains(slot, room), has);
                    match step {
                        0..=3 if !has => {
                            sockets.push(slot, room);
                            twin.push(room);
                        }
                        4..=6 => {
                            prop_assert_eq!(sockets.remove_room(slot, room), has);
                            twin.retain(|&other| other != room);
                        }
                        7 => {
                            marks += 1;
                            sockets.push_first(slot, 1_000 + marks);
                            sockets.replace_room(slot, 1_000 + marks, 1_000_000 + marks);
                            twin.insert(0, 1_000_000 + marks);
                        }
                        _ => {}
                    }
                }
                prop_assert_eq!(sockets.rooms_len(slot), twin.len());
                prop_assert!(sockets.rooms(slot).eq(twin.iter().copied()));
            }
            let taken = sockets.take_rooms(slot);
            prop_assert_eq!(taken.as_slice(), &twin[..]);
            sockets.remove(slot);
            prop_assert_eq!((sockets.live(), sockets.spills()), (0, 0));
        }
    }
}
