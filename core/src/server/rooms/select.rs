//! Whom a broadcast reaches: the algebra of target rooms, excepted rooms and connected sockets.

use alloc::vec::Vec;

use super::bitmap::{BLOCK_WORDS, Batch, Bitmap, FEW_TOUCHED, GROUP, Scratch};
use super::members::Members;
use super::{Found, Room, Rooms, Slot};

/// Excepted sockets up to this number are cut out of a single room's list one by one.
const FEW_EXCEPTED: usize = 8;

/// Which sockets a broadcast or a utility means (BC-TGT-02, BC-TGT-04, UTIL-01).
///
/// They are the connected sockets that are in one of `rooms`, or any if there are none
/// (BC-TGT-05), and in none of `except`. A sender is excepted by its id's room (BC-TGT-06).
/// Unknown rooms have no members (BC-TGT-03), and naming a room twice changes nothing.
#[derive(Debug)]
pub struct Selection<'a, N = &'a str> {
    /// Names of target rooms.
    pub rooms: &'a [N],
    /// Names of excepted rooms.
    pub except: &'a [N],
}

impl<N> Clone for Selection<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Selection<'_, N> {}

impl<N> Selection<'_, N> {
    /// Everybody who is connected (BC-TGT-01).
    pub const ALL: Self = Self { rooms: &[], except: &[] };
}

/// Where recipients go.
trait Sink {
    fn take(&mut self, slots: &[Slot]);

    /// Takes so many slots from this one on.
    fn take_run(&mut self, first: u32, len: u32);
}

fn run_from(first: u32, len: u32) -> impl Iterator<Item = Slot> {
    (0..len).map(move |at| Slot(first.wrapping_add(at)))
}

struct Each<F>(F);

impl<F: FnMut(Slot)> Sink for Each<F> {
    #[inline]
    fn take(&mut self, slots: &[Slot]) {
        for &slot in slots {
            (self.0)(slot);
        }
    }

    #[inline]
    fn take_run(&mut self, first: u32, len: u32) {
        run_from(first, len).for_each(&mut self.0);
    }
}

struct Append<'a>(&'a mut Vec<Slot>);

impl Sink for Append<'_> {
    #[inline]
    fn take(&mut self, slots: &[Slot]) {
        self.0.extend_from_slice(slots);
    }

    #[inline]
    fn take_run(&mut self, first: u32, len: u32) {
        self.0.extend(run_from(first, len));
    }
}

struct Count(usize);

impl Sink for Count {
    #[inline]
    fn take(&mut self, slots: &[Slot]) {
        self.0 += slots.len();
    }

    #[inline]
    fn take_run(&mut self, _: u32, len: u32) {
        self.0 += len as usize;
    }
}

/// The working memory of selections; empty between them.
#[derive(Debug)]
pub(super) struct Selector {
    targets: Vec<Found>,
    excepted: Vec<Found>,
    /// Slots of target rooms without a bitmap.
    inside: Scratch,
    /// Slots of excepted rooms without a bitmap.
    outside: Scratch,
    batch: Batch,
    /// A selection is under way, or was when the caller's closure panicked.
    busy: bool,
}

impl Selector {
    pub(super) fn new() -> Self {
        Self {
            targets: Vec::new(),
            excepted: Vec::new(),
            inside: Scratch::default(),
            outside: Scratch::default(),
            batch: Batch::new(),
            busy: false,
        }
    }

    /// Makes room for `slots` slots.
    pub(super) fn grow(&mut self, slots: usize) {
        self.inside.grow(slots);
        self.outside.grow(slots);
    }

    pub(super) fn is_clean(&self) -> bool {
        !self.busy && self.inside.is_clean() && self.outside.is_clean()
    }

    fn start(&mut self) {
        if self.busy {
            self.inside.reset();
            self.outside.reset();
        }
        self.busy = true;
        self.targets.clear();
        self.excepted.clear();
    }
}

impl Rooms {
    /// Calls `each` once for every selected socket, in slot order; nothing is allocated.
    pub fn resolve<N: AsRef<str>>(&mut self, selection: &Selection<'_, N>, each: impl FnMut(Slot)) {
        self.select(selection, &mut Each(each));
    }

    /// Appends every selected socket to `slots`, in slot order.
    pub fn resolve_into<N: AsRef<str>>(
        &mut self,
        selection: &Selection<'_, N>,
        slots: &mut Vec<Slot>,
    ) {
        self.select(selection, &mut Append(slots));
    }

    /// How many sockets are selected.
    pub fn count<N: AsRef<str>>(&mut self, selection: &Selection<'_, N>) -> usize {
        if selection.rooms.is_empty() && selection.except.is_empty() {
            return self.connected_len;
        }
        let mut count = Count(0);
        self.select(selection, &mut count);
        count.0
    }

    fn select<N: AsRef<str>>(&mut self, selection: &Selection<'_, N>, sink: &mut impl Sink) {
        let everybody_connected = self.connected_len == self.sockets.live();
        if !(everybody_connected && self.select_simply(selection, sink)) {
            self.select_fully(selection, sink);
        }
    }

    /// Whatever is selected. Apart, so that the simple ones need no frame of this one's size.
    #[inline(never)]
    fn select_fully<N: AsRef<str>>(&mut self, selection: &Selection<'_, N>, sink: &mut impl Sink) {
        self.selector.start();
        for name in selection.rooms {
            if let Some(found) = self.find(name.as_ref()) {
                self.selector.targets.push(found);
            }
        }
        if self.selector.targets.is_empty() && !selection.rooms.is_empty() {
            self.selector.busy = false;
            return;
        }
        for name in selection.except {
            if let Some(found) = self.find(name.as_ref()) {
                self.selector.excepted.push(found);
            }
        }
        let selector = &mut self.selector;
        let mut run = Run {
            rooms: &self.rooms,
            connected: &self.connected,
            everybody_connected: self.connected_len == self.sockets.live(),
            everybody: selector.targets.is_empty(),
            targets: &mut selector.targets,
            excepted: &mut selector.excepted,
            inside: &mut selector.inside,
            outside: &mut selector.outside,
            batch: &mut selector.batch,
        };
        if !run.one_room(sink) {
            run.many_rooms(sink);
        }
        self.selector.busy = false;
    }

    /// What most broadcasts of a chat are: everybody, or one room, with or without its sender.
    /// One or two lookups and a list are enough for these, if all are connected; whether they were.
    #[inline]
    fn select_simply<N: AsRef<str>>(
        &self,
        selection: &Selection<'_, N>,
        sink: &mut impl Sink,
    ) -> bool {
        let room = match selection.rooms {
            [] if selection.except.is_empty() && self.sockets.live() == self.sockets.span() => {
                // Numbers of sockets are below u32::MAX.
                let len = u32::try_from(self.sockets.span()).unwrap_or(u32::MAX);
                sink.take_run(0, len);
                return true;
            }
            [room] if selection.except.len() < 2 => self.find(room.as_ref()),
            _ => return false,
        };
        let list = match room {
            None => return true,
            Some(Found::Own(slot)) if selection.except.is_empty() => {
                sink.take(&[slot]);
                return true;
            }
            Some(Found::Own(_)) => return false,
            Some(Found::Room(number)) => match self.rooms[number as usize].members.list() {
                Some(list) => list,
                None => return false,
            },
        };
        let [name] = selection.except else {
            sink.take(list);
            return true;
        };
        match self.find(name.as_ref()) {
            None => sink.take(list),
            Some(Found::Own(slot)) => {
                let (below, rest) = cut_out(list, slot);
                sink.take(below);
                sink.take(rest);
            }
            Some(Found::Room(_)) => return false,
        }
        true
    }
}

/// One selection at work.
struct Run<'a> {
    rooms: &'a [Room],
    connected: &'a Bitmap,
    /// No socket is in its middlewares, so membership is enough.
    everybody_connected: bool,
    /// There is no target room, which means everybody (BC-TGT-05).
    everybody: bool,
    targets: &'a mut Vec<Found>,
    excepted: &'a mut Vec<Found>,
    inside: &'a mut Scratch,
    outside: &'a mut Scratch,
    batch: &'a mut Batch,
}

/// A room as far as it is listed, or else its bitmap.
enum Part<'a> {
    List(&'a [Slot]),
    Bits(&'a Bitmap),
}

/// The members of what a name stands for, as a bitmap if there is one.
fn part<'a>(rooms: &'a [Room], found: &'a Found) -> Part<'a> {
    match found {
        Found::Own(slot) => Part::List(core::slice::from_ref(slot)),
        Found::Room(number) => {
            let members = &rooms[*number as usize].members;
            match (members.bits(), members.list()) {
                (Some(bits), _) => Part::Bits(bits),
                (None, list) => Part::List(list.unwrap_or_default()),
            }
        }
    }
}

impl Run<'_> {
    /// Streams a single target room straight from its list; whether that was possible.
    fn one_room(&mut self, sink: &mut impl Sink) -> bool {
        let [target] = self.targets[..] else { return false };
        let list = match &target {
            Found::Own(slot) => core::slice::from_ref(slot),
            Found::Room(number) => match self.rooms[*number as usize].members.list() {
                Some(list) => list,
                None => return false,
            },
        };
        if let [slot] = list {
            if !self.excepted.iter().any(|found| contains(self.rooms, found, *slot)) {
                self.emit(list, sink);
            }
            return true;
        }
        if self.excepted.len() > FEW_EXCEPTED {
            return false;
        }
        let mut few = [Slot::FIRST; FEW_EXCEPTED];
        let mut count = 0;
        for found in &*self.excepted {
            let Part::List([slot]) = part(self.rooms, found) else { return false };
            few[count] = *slot;
            count += 1;
        }
        few[..count].sort_unstable();
        let mut rest = list;
        for &slot in &few[..count] {
            let (below, after) = cut_out(rest, slot);
            self.emit(below, sink);
            rest = after;
        }
        self.emit(rest, sink);
        true
    }

    /// Hands over the connected ones of a list.
    #[inline]
    fn emit(&mut self, list: &[Slot], sink: &mut impl Sink) {
        if self.everybody_connected {
            sink.take(list);
            return;
        }
        for &slot in list {
            if self.connected.contains(slot) {
                if self.batch.is_full() {
                    sink.take(self.batch.take());
                }
                self.batch.push(slot);
            }
        }
        sink.take(self.batch.take());
    }

    /// Lists go through bitmaps of working memory, bitmaps are combined block by block.
    fn many_rooms(&mut self, sink: &mut impl Sink) {
        let rooms = self.rooms;
        self.targets.retain(|found| match part(rooms, found) {
            Part::List(list) => {
                self.inside.insert(list);
                false
            }
            Part::Bits(_) => true,
        });
        let dense = self.everybody || !self.targets.is_empty();
        self.excepted.retain(|found| match part(rooms, found) {
            Part::List(list) if dense => {
                self.outside.insert(list);
                false
            }
            Part::List(list) => {
                self.inside.remove(list);
                false
            }
            Part::Bits(_) => true,
        });
        // What is left of both are bitmaps.
        if dense {
            self.stream_dense(sink);
        } else {
            self.stream_sparse(sink);
        }
        sink.take(self.batch.take());
    }

    /// All targets are in working memory: only the words they touched are looked at.
    fn stream_sparse(&mut self, sink: &mut impl Sink) {
        for block in 0..self.inside.blocks() {
            match self.inside.touched(block) {
                0 => {}
                touched if touched <= FEW_TOUCHED => self.stream_touched(block, sink),
                _ => {
                    let mut words = [0; BLOCK_WORDS];
                    self.inside.drain_into(block, &mut words, |_, word| word);
                    self.cut(&mut words, block);
                    push_block(self.batch, &words, block, sink);
                }
            }
        }
    }

    /// Adds the target rooms that are bitmaps, two at a time: half as many passes over the words.
    fn unite(&self, words: &mut [u64; BLOCK_WORDS], block: usize) {
        let mut blocks = self.targets.iter().filter_map(|found| match part(self.rooms, found) {
            Part::Bits(bits) => Some(bits.block(block)),
            Part::List(_) => None,
        });
        while let Some(one) = blocks.next() {
            let other = blocks.next().unwrap_or_default();
            let both = one.len().min(other.len());
            for ((word, one), other) in words.iter_mut().zip(one).zip(other) {
                *word |= one | other;
            }
            let longer = if one.len() > both { one } else { other };
            for (word, bits) in words[both..].iter_mut().zip(&longer[both..]) {
                *word |= bits;
            }
        }
    }

    /// Takes what is excepted, or is not connected, out of a block.
    fn cut(&self, words: &mut [u64; BLOCK_WORDS], block: usize) {
        for found in &*self.excepted {
            if let Part::Bits(bits) = part(self.rooms, found) {
                for (word, other) in words.iter_mut().zip(bits.block(block)) {
                    *word &= !other;
                }
            }
        }
        if !self.everybody_connected {
            let connected = self.connected.block(block);
            for (word, other) in words.iter_mut().zip(connected) {
                *word &= other;
            }
            words[connected.len()..].fill(0);
        }
    }

    /// The same, word by word.
    fn stream_touched(&mut self, block: usize, sink: &mut impl Sink) {
        self.inside.drain_block(block, |at, mut word| {
            let number = block * BLOCK_WORDS + at;
            for found in &*self.excepted {
                if let Part::Bits(bits) = part(self.rooms, found) {
                    word &= !bits.word(number);
                }
            }
            if !self.everybody_connected {
                word &= self.connected.word(number);
            }
            if self.batch.is_full() {
                sink.take(self.batch.take());
            }
            self.batch.push_words::<4>(&[word], first_slot(number));
        });
    }

    /// Some target is a bitmap, or everybody is meant: every word is looked at.
    fn stream_dense(&mut self, sink: &mut impl Sink) {
        // Working memory covers all slots, and its every block must be drained.
        for block in 0..self.inside.blocks() {
            let mut words = [0_u64; BLOCK_WORDS];
            let connected = self.connected.block(block);
            if self.everybody {
                words[..connected.len()].copy_from_slice(connected);
            }
            self.unite(&mut words, block);
            self.inside.drain_into(block, &mut words, |word, other| word | other);
            self.outside.drain_into(block, &mut words, |word, other| word & !other);
            self.cut(&mut words, block);
            push_block(self.batch, &words[..connected.len()], block, sink);
        }
    }
}

/// How full the words of a block are.
#[derive(Clone, Copy)]
enum Fill {
    /// Hardly any has more than two bits.
    Rare,
    /// Hardly any has more than four bits.
    Few,
    /// Hardly any has more than eight.
    Some,
    Many,
}

/// A guess from a sample: a wrong one costs time only.
fn fill(words: &[u64]) -> Fill {
    let sample = words.iter().skip(3).step_by(16);
    let (count, bits) =
        sample.fold((0, 0), |(count, bits), word| (count + 1, bits + word.count_ones()));
    if bits <= count {
        Fill::Rare
    } else if bits <= 3 * count {
        Fill::Few
    } else if bits <= 7 * count {
        Fill::Some
    } else {
        Fill::Many
    }
}

/// Decodes the words of a block into the batch, which goes to the sink when it is full.
fn push_block(batch: &mut Batch, words: &[u64], block: usize, sink: &mut impl Sink) {
    match fill(words) {
        Fill::Rare => push_words::<2>(batch, words, block, sink),
        Fill::Few => push_words::<4>(batch, words, block, sink),
        Fill::Some => push_words::<8>(batch, words, block, sink),
        Fill::Many => push_words::<0>(batch, words, block, sink),
    }
}

fn push_words<const FEW: usize>(
    batch: &mut Batch,
    words: &[u64],
    block: usize,
    sink: &mut impl Sink,
) {
    let numbers = (block * BLOCK_WORDS..).step_by(GROUP);
    for (words, number) in words.chunks(GROUP).zip(numbers) {
        if batch.is_full() {
            sink.take(batch.take());
        }
        batch.push_words::<FEW>(words, first_slot(number));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a word's first bit is a slot, a u32")]
const fn first_slot(word: usize) -> u32 {
    (word as u32).wrapping_mul(64)
}

/// What is below and above a slot in an ascending list.
#[inline]
fn cut_out(list: &[Slot], slot: Slot) -> (&[Slot], &[Slot]) {
    let at = list.partition_point(|other| *other < slot);
    let (below, from) = list.split_at(at);
    match from.split_first() {
        Some((first, above)) if *first == slot => (below, above),
        _ => (below, from),
    }
}

fn contains(rooms: &[Room], found: &Found, slot: Slot) -> bool {
    match found {
        Found::Own(owner) => *owner == slot,
        Found::Room(number) => Members::contains(&rooms[*number as usize].members, slot),
    }
}
