//! Rooms against a naive twin: sets of pairs, asked the same questions after the same operations.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use overheard_core::id::KeyedState;
use overheard_core::server::rooms::{InsertError, Joined, Left, Rooms, Selection, Slot, Stats};
use proptest::prelude::*;
use smol_str::SmolStr;

/// The rules as plain sets, by socket id.
#[derive(Default)]
struct Twin {
    sockets: BTreeMap<String, TwinSocket>,
    /// Pairs of a room and a member.
    pairs: BTreeSet<(String, String)>,
}

#[derive(Default)]
struct TwinSocket {
    slot: Slot,
    connected: bool,
    /// What `rooms_of` shows, in join order.
    rooms: Vec<String>,
    /// While departing, how many of `rooms` are left already.
    departed: Option<usize>,
}

impl Twin {
    fn is_member(&self, sid: &str, room: &str) -> bool {
        self.pairs.contains(&(room.to_owned(), sid.to_owned()))
    }

    fn members(&self, room: &str) -> BTreeSet<Slot> {
        self.pairs
            .range((room.to_owned(), String::new())..)
            .take_while(|(other, _)| other == room)
            .map(|(_, sid)| self.sockets[sid].slot)
            .collect()
    }

    fn exists(&self, room: &str) -> bool {
        let from = (room.to_owned(), String::new());
        self.pairs.range(from..).next().is_some_and(|(other, _)| other == room)
    }

    fn room_count(&self) -> usize {
        self.pairs.iter().map(|(room, _)| room).collect::<BTreeSet<_>>().len()
    }

    fn join(&mut self, sid: &str, room: &str) -> Joined {
        let created = !self.exists(room);
        match self.sockets.get_mut(sid) {
            Some(socket) if socket.departed.is_none() => {
                let joined = self.pairs.insert((room.to_owned(), sid.to_owned()));
                if joined {
                    socket.rooms.push(room.to_owned());
                }
                Joined { created: created && joined, joined }
            }
            _ => Joined::default(),
        }
    }

    fn leave(&mut self, sid: &str, room: &str) -> Left {
        match self.sockets.get_mut(sid) {
            Some(socket) if socket.departed.is_none() => {
                socket.rooms.retain(|other| other != room);
                let left = self.pairs.remove(&(room.to_owned(), sid.to_owned()));
                Left { left, deleted: left && !self.exists(room) }
            }
            _ => Left::default(),
        }
    }

    fn depart_next(&mut self, sid: &str) -> Option<(String, bool)> {
        let socket = self.sockets.get_mut(sid)?;
        let done = socket.departed.as_mut()?;
        let room = socket.rooms.get(*done)?.clone();
        *done += 1;
        self.pairs.remove(&(room.clone(), sid.to_owned()));
        let deleted = !self.exists(&room);
        Some((room, deleted))
    }

    fn remove(&mut self, sid: &str) -> Option<Slot> {
        let socket = self.sockets.remove(sid)?;
        for room in socket.rooms {
            self.pairs.remove(&(room, sid.to_owned()));
        }
        Some(socket.slot)
    }

    /// Who hears: connected, in a target (or there is none), and in no excepted room.
    fn hears(&self, rooms: &[String], except: &[String]) -> BTreeSet<Slot> {
        let in_any =
            |sid: &str, names: &[String]| names.iter().any(|room| self.is_member(sid, room));
        self.sockets
            .iter()
            .filter(|(_, socket)| socket.connected)
            .filter(|(sid, _)| rooms.is_empty() || in_any(sid, rooms))
            .filter(|(sid, _)| !in_any(sid, except))
            .map(|(_, socket)| socket.slot)
            .collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Range),
    Connect(Range),
    Join(Range, Name),
    JoinOwn(Range),
    Leave(Range, Name),
    /// One socket joins or leaves many rooms.
    JoinMany(usize, usize),
    LeaveMany(usize, usize),
    Remove(Range),
    StartDeparture(usize),
    DepartNext(usize, usize),
    Resolve(Vec<Name>, Vec<Name>),
}

/// Every `stride`-th of the sockets from `start`, `count` times.
#[derive(Clone, Debug)]
struct Range {
    start: usize,
    stride: usize,
    count: usize,
}

#[derive(Clone, Debug)]
enum Name {
    Room(usize),
    /// A socket's id, whether or not the socket is here.
    Sid(usize),
    Odd(usize),
}

const ODD: [&str; 4] =
    ["", "a", "a room whose name is longer than any inline string", "\u{1f4ac}\0 "];

impl Name {
    fn text(&self, population: usize) -> String {
        match self {
            Self::Room(at) => format!("r{at}"),
            Self::Sid(at) => sid(at % population),
            Self::Odd(at) => ODD[at % ODD.len()].to_owned(),
        }
    }
}

/// Most ids are as long as the server makes them; an application may choose others.
fn sid(at: usize) -> String {
    if at.is_multiple_of(3) { format!("s{at}") } else { format!("sid-{at:016}") }
}

impl Range {
    fn sids(&self, population: usize) -> impl Iterator<Item = String> + use<> {
        let Self { start, stride, count } = *self;
        (0..count.min(population)).map(move |at| sid((start + at * stride) % population))
    }
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        6 => (0_usize..12).prop_map(Name::Room),
        3 => any::<usize>().prop_map(Name::Sid),
        2 => (0_usize..8).prop_map(Name::Sid),
        1 => (0_usize..4).prop_map(Name::Odd),
    ]
}

fn range(population: usize) -> impl Strategy<Value = Range> {
    let count = prop_oneof![4 => Just(1), 2 => 1..=60_usize, 1 => 1..=population];
    let start = prop_oneof![0..8_usize, 0..population];
    (start, 1_usize..8, count).prop_map(|(start, stride, count)| Range { start, stride, count })
}

fn step(population: usize) -> impl Strategy<Value = Step> {
    let names = || proptest::collection::vec(name(), 0..6);
    let one = || prop_oneof![0..8_usize, 0..population];
    prop_oneof![
        4 => range(population).prop_map(Step::Insert),
        4 => range(population).prop_map(Step::Connect),
        8 => (range(population), name()).prop_map(|(range, name)| Step::Join(range, name)),
        4 => range(population).prop_map(Step::JoinOwn),
        5 => (range(population), name()).prop_map(|(range, name)| Step::Leave(range, name)),
        1 => (one(), 1_usize..150).prop_map(|(at, count)| Step::JoinMany(at, count)),
        1 => (one(), 1_usize..150).prop_map(|(at, count)| Step::LeaveMany(at, count)),
        2 => range(population).prop_map(Step::Remove),
        2 => one().prop_map(Step::StartDeparture),
        2 => (one(), 1_usize..6).prop_map(|(at, count)| Step::DepartNext(at, count)),
        8 => (names(), names()).prop_map(|(rooms, except)| Step::Resolve(rooms, except)),
    ]
}

struct Pair {
    rooms: Rooms,
    twin: Twin,
    population: usize,
}

impl Pair {
    fn new(population: usize) -> Self {
        let rooms = Rooms::new(KeyedState::with_seed(7));
        Self { rooms, twin: Twin::default(), population }
    }

    fn slot(&self, sid: &str) -> Option<Slot> {
        self.twin.sockets.get(sid).map(|socket| socket.slot)
    }

    fn insert(&mut self, sid: String) {
        if let Some(slot) = self.slot(&sid) {
            assert_eq!(self.rooms.insert(sid), Err(InsertError::SidInUse), "{slot:?}");
            return;
        }
        let slot = self.rooms.insert(sid.as_str()).unwrap();
        self.twin.sockets.insert(sid, TwinSocket { slot, ..TwinSocket::default() });
    }

    fn connect(&mut self, sid: &str) {
        let Some(socket) = self.twin.sockets.get_mut(sid) else { return };
        assert_eq!(self.rooms.set_connected(socket.slot), !socket.connected);
        socket.connected = true;
    }

    /// ROOM-02, ROOM-04, ROOM-09, ROOM-11.
    fn join(&mut self, sid: &str, room: &str) {
        let Some(slot) = self.slot(sid) else { return };
        assert_eq!(self.rooms.join(slot, room), self.twin.join(sid, room), "{sid} joins {room}");
    }

    /// The same as joining one after the other.
    fn join_all(&mut self, sid: &str, rooms: &[String]) {
        let Some(slot) = self.slot(sid) else { return };
        let mut got = Vec::new();
        self.rooms.join_all(slot, rooms, |room, joined| got.push((room.clone(), joined)));
        let expected: Vec<_> =
            rooms.iter().map(|room| (room.clone(), self.twin.join(sid, room))).collect();
        assert_eq!(got, expected);
    }

    /// ROOM-03, ROOM-04, ROOM-06, ROOM-11.
    fn leave(&mut self, sid: &str, room: &str) {
        let Some(slot) = self.slot(sid) else { return };
        assert_eq!(self.rooms.leave(slot, room), self.twin.leave(sid, room), "{sid} leaves {room}");
    }

    fn remove(&mut self, sid: &str) {
        let Some(slot) = self.twin.remove(sid) else { return };
        assert!(self.rooms.remove(slot));
        assert!(!self.rooms.contains(slot));
        assert!(!self.rooms.remove(slot));
        // ROOM-09: nothing comes back.
        assert_eq!(self.rooms.join(slot, "late"), Joined::default());
        assert_eq!(self.rooms.leave(slot, "late"), Left::default());
        assert!(!self.rooms.set_connected(slot));
    }

    fn start_departure(&mut self, sid: &str) {
        let Some(socket) = self.twin.sockets.get_mut(sid) else { return };
        assert_eq!(self.rooms.start_departure(socket.slot), socket.departed.is_none());
        socket.departed.get_or_insert(0);
    }

    /// ROOM-12: in join order, and `rooms_of` stays complete.
    fn depart_next(&mut self, sid: &str) {
        let Some(slot) = self.slot(sid) else { return };
        let got = self.rooms.depart_next(slot).map(|left| (left.room.to_string(), left.deleted));
        assert_eq!(got, self.twin.depart_next(sid));
        self.check_socket(sid);
    }

    fn step(&mut self, step: &Step) {
        let population = self.population;
        match step {
            Step::Insert(range) => range.sids(population).for_each(|sid| self.insert(sid)),
            Step::Connect(range) => range.sids(population).for_each(|sid| self.connect(&sid)),
            Step::Join(range, name) => {
                let room = name.text(population);
                range.sids(population).for_each(|sid| self.join(&sid, &room));
            }
            Step::JoinOwn(range) => range.sids(population).for_each(|sid| self.join(&sid, &sid)),
            Step::Leave(range, name) => {
                let room = name.text(population);
                range.sids(population).for_each(|sid| self.leave(&sid, &room));
            }
            Step::JoinMany(at, count) => {
                let rooms: Vec<String> = (0..*count)
                    .map(|room| format!("r{}", room * 7 % 150))
                    .chain([sid(*at), "r0".to_owned(), sid(0)])
                    .collect();
                self.join_all(&sid(*at), &rooms);
            }
            Step::LeaveMany(at, count) => {
                (0..*count).for_each(|room| self.leave(&sid(*at), &format!("r{room}")));
            }
            Step::Remove(range) => range.sids(population).for_each(|sid| self.remove(&sid)),
            Step::StartDeparture(at) => self.start_departure(&sid(*at)),
            Step::DepartNext(at, count) => {
                (0..*count).for_each(|_| self.depart_next(&sid(*at)));
            }
            Step::Resolve(rooms, except) => {
                let text = |names: &[Name]| -> Vec<String> {
                    names.iter().map(|name| name.text(population)).collect()
                };
                self.check_selection(&text(rooms), &text(except));
            }
        }
    }

    fn resolve(&mut self, rooms: &[String], except: &[String]) -> Vec<Slot> {
        let mut slots = Vec::new();
        self.rooms.resolve(&Selection { rooms, except }, |slot| slots.push(slot));
        slots
    }

    /// BC-TGT-01 to BC-TGT-07, BC-TGT-09, BC-SNAP-03, UTIL-03, EDGE-01, EDGE-02, EDGE-03: exactly
    /// the right sockets, each once.
    fn check_selection(&mut self, rooms: &[String], except: &[String]) {
        let got = self.resolve(rooms, except);
        let expected = self.twin.hears(rooms, except);
        assert!(
            got.iter().eq(expected.iter()),
            "to {rooms:?} except {except:?}: {got:?} instead of {expected:?}"
        );
        let selection = Selection { rooms, except };
        assert_eq!(self.rooms.count(&selection), got.len());
        let mut listed = Vec::new();
        self.rooms.resolve_into(&selection, &mut listed);
        assert_eq!(listed, got);

        // Neither order nor repetition counts, nor the type of the names.
        let twice = |names: &[String]| -> Vec<SmolStr> {
            names.iter().rev().chain(names).map(SmolStr::new).collect()
        };
        let (rooms_twice, except_twice) = (twice(rooms), twice(except));
        listed.clear();
        let selection = Selection { rooms: &rooms_twice[..], except: &except_twice[..] };
        self.rooms.resolve_into(&selection, &mut listed);
        assert_eq!(listed, got);

        // BC-TGT-02: several rooms are the union of each; BC-TGT-04: except takes away.
        let mut union = BTreeSet::new();
        for room in rooms {
            union.extend(self.resolve(std::slice::from_ref(room), &[]));
        }
        if rooms.is_empty() {
            union.extend(self.resolve(&[], &[]));
        }
        for room in except {
            for slot in self.resolve(std::slice::from_ref(room), &[]) {
                union.remove(&slot);
            }
        }
        assert!(union.iter().eq(got.iter()));
        assert!(self.rooms.stats().scratch_clean);
    }

    /// ROOM-08: the rooms of a socket, in join order.
    fn check_socket(&self, sid: &str) {
        let Some(socket) = self.twin.sockets.get(sid) else { return };
        let slot = socket.slot;
        assert!(self.rooms.rooms_of(slot).eq(&socket.rooms), "rooms of {sid}");
        assert_eq!(self.rooms.rooms_len(slot), socket.rooms.len());
        assert_eq!(self.rooms.sid(slot).unwrap(), sid);
        assert_eq!(self.rooms.slot_of(sid), Some(slot));
        assert_eq!(self.rooms.is_connected(slot), socket.connected);
        for room in &socket.rooms {
            assert_eq!(self.rooms.is_member(slot, room), self.twin.is_member(sid, room));
        }
    }

    /// Both directions of the tables, and the counters.
    fn check_all(&self) {
        for sid in self.twin.sockets.keys() {
            self.check_socket(sid);
        }
        let names = (0..150).map(Name::Room).chain((0..4).map(Name::Odd));
        for name in names.chain((0..self.population.min(700)).map(Name::Sid)) {
            let room = name.text(self.population);
            let members = self.twin.members(&room);
            assert!(self.rooms.members(&room).eq(members.iter().copied()), "members of {room}");
            assert_eq!(self.rooms.contains_room(&room), !members.is_empty(), "{room} exists");
            assert_eq!(self.rooms.member_count(&room), members.len());
        }
        let stats = self.rooms.stats();
        assert_eq!(stats.sockets, self.twin.sockets.len());
        assert_eq!(stats.memberships, self.twin.pairs.len());
        assert_eq!(stats.rooms, self.twin.room_count());
    }

    /// Removes everybody: nothing may be left.
    fn check_baseline(&mut self) {
        let sids: Vec<String> = self.twin.sockets.keys().cloned().collect();
        for sid in sids {
            self.remove(&sid);
        }
        let Stats { slots, room_records, .. } = self.rooms.stats();
        assert!(slots <= self.population, "slots are reused");
        assert!(room_records <= self.population + 160, "room records are reused");
        let nothing = Stats { slots, room_records, scratch_clean: true, ..Stats::default() };
        assert_eq!(self.rooms.stats(), nothing);
        self.check_all();
    }
}

fn run(population: usize, steps: &[Step]) {
    let mut pair = Pair::new(population);
    for step in steps {
        pair.step(step);
    }
    pair.check_all();
    pair.check_selection(&[], &[]);
    pair.check_baseline();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_few_sockets_behave_like_sets(steps in proptest::collection::vec(step(12), 0..160)) {
        run(12, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Enough sockets for rooms with lists, and with lists and bitmaps.
    #[test]
    fn hundreds_of_sockets_behave_like_sets(steps in proptest::collection::vec(step(600), 0..120)) {
        run(600, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_iters: 50, ..ProptestConfig::default() })]

    /// Enough sockets for rooms that are bitmaps only, and for several blocks of slots.
    #[test]
    fn thousands_of_sockets_behave_like_sets(steps in proptest::collection::vec(step(9_000), 10..40)) {
        let mut pair = Pair::new(9_000);
        let everybody = Range { start: 0, stride: 1, count: 9_000 };
        pair.step(&Step::Insert(everybody.clone()));
        pair.step(&Step::Connect(everybody.clone()));
        pair.step(&Step::JoinOwn(everybody));
        let most = Range { start: 1_000, stride: 1, count: 5_500 };
        pair.step(&Step::Join(most, Name::Room(0)));
        pair.step(&Step::Join(Range { start: 0, stride: 7, count: 700 }, Name::Room(1)));
        pair.step(&Step::Join(Range { start: 3, stride: 101, count: 80 }, Name::Room(2)));
        for step in &steps {
            pair.step(step);
        }
        for name in 0..4 {
            let (room, other) = (format!("r{name}"), format!("r{}", (name + 1) % 4));
            pair.check_selection(&[room.clone(), sid(5)], std::slice::from_ref(&other));
            pair.check_selection(&[], &[room.clone(), other]);
            pair.check_selection(&[room], &[sid(1_001), sid(8_999)]);
        }
        pair.check_all();
        pair.check_baseline();
    }
}

/// EDGE-02, EDGE-03, ROOM-06: an own-id room is a room like any other.
#[test]
fn excepting_a_sid_excepts_its_room() {
    let mut pair = Pair::new(4);
    for at in 0..4 {
        pair.insert(sid(at));
        pair.connect(&sid(at));
        pair.join(&sid(at), &sid(at));
    }
    let slots: Vec<Slot> = (0..4).map(|at| pair.slot(&sid(at)).unwrap()).collect();
    assert_eq!(pair.resolve(&[], &[sid(0)]), slots[1..]);
    pair.join(&sid(1), &sid(0));
    assert_eq!(pair.resolve(&[], &[sid(0)]), slots[2..], "an observer misses the broadcast too");
    assert_eq!(pair.resolve(&[sid(0)], &[]), slots[..2], "and hears what is sent to the sid");
    pair.leave(&sid(0), &sid(0));
    assert_eq!(pair.resolve(&[], &[sid(0)]), [slots[0], slots[2], slots[3]]);
    pair.remove(&sid(0));
    assert!(pair.rooms.contains_room(&sid(0)), "the room outlives its socket");
    pair.check_all();
    pair.check_baseline();
}

/// A socket in 100,000 rooms joins, leaves and disconnects in time that grows with their number;
/// quadratic time would be minutes here.
#[test]
fn many_rooms_of_one_socket_cost_no_more_each() {
    let many = 100_000;
    let mut rooms = Rooms::new(KeyedState::with_seed(1));
    let slot = rooms.insert("s").unwrap();
    let name = |at: usize| format!("room {at}");
    for at in 0..many {
        assert!(rooms.join(slot, &name(at)).created);
    }
    for at in (0..many).step_by(2) {
        assert!(rooms.leave(slot, &name(at)).deleted);
    }
    assert!(rooms.rooms_of(slot).eq((1..many).step_by(2).map(name).collect::<Vec<_>>().iter()));
    assert!(rooms.start_departure(slot));
    for at in (1..many / 2).step_by(2) {
        assert_eq!(rooms.depart_next(slot).unwrap().room, name(at));
    }
    assert!(rooms.remove(slot));
    let Stats { sockets, memberships, .. } = rooms.stats();
    assert_eq!((sockets, memberships, rooms.room_count()), (0, 0, 0));
}

/// A panic of the caller's closure leaves nothing behind for the next selection.
#[test]
fn a_selection_survives_a_panic_in_the_one_before() {
    let mut pair = Pair::new(1_500);
    for at in 0..1_500 {
        pair.insert(sid(at));
        pair.connect(&sid(at));
        pair.join(&sid(at), &format!("r{}", at % 100));
    }
    let all: Vec<String> = (0..100).map(|at| format!("r{at}")).collect();
    let selection = Selection { rooms: &all[..], except: &[] };
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pair.rooms.resolve(&selection, |_| std::panic::resume_unwind(Box::new(())));
    }));
    assert!(stopped.is_err());
    assert!(!pair.rooms.stats().scratch_clean);
    pair.check_selection(&["r7".to_owned(), "r9".to_owned(), sid(3)], &[]);
}

/// ROOM-06, EDGE-01: the own room can be left, and joined again behind others.
#[test]
fn the_own_room_is_left_wherever_it_stands() {
    let mut rooms = Rooms::new(KeyedState::with_seed(1));
    let slot = rooms.insert("a").unwrap();
    rooms.set_connected(slot);
    assert_eq!(u32::from(slot), 0);
    let list = |rooms: &Rooms| rooms.rooms_of(slot).map(ToString::to_string).collect::<Vec<_>>();
    rooms.join(slot, "a");
    assert_eq!(list(&rooms), ["a"]);
    assert_eq!(rooms.leave(slot, "a"), Left { left: true, deleted: true });
    assert!(list(&rooms).is_empty());
    assert_eq!(rooms.join(slot, "r"), Joined { created: true, joined: true });
    assert_eq!(rooms.join(slot, "a"), Joined { created: true, joined: true });
    assert_eq!(list(&rooms), ["r", "a"]);
    assert_eq!(rooms.leave(slot, "a"), Left { left: true, deleted: true });
    assert_eq!(list(&rooms), ["r"]);
    assert_eq!(rooms.names().map(SmolStr::as_str).collect::<Vec<_>>(), ["r"]);
    rooms.leave(slot, "r");
    assert_eq!((rooms.names().count(), rooms.room_count(), rooms.socket_count()), (0, 0, 1));
    assert!(rooms.is_connected(slot));
    let other = rooms.insert("b").unwrap();
    assert_eq!((rooms.is_connected(other), rooms.socket_count()), (false, 2));
}

/// ROOM-01: what every socket has costs no record, however it is joined.
#[test]
fn an_own_room_with_its_owner_alone_needs_no_record() {
    let mut rooms = Rooms::new(KeyedState::with_seed(1));
    let first = rooms.insert("a").unwrap();
    let second = rooms.insert("b").unwrap();
    assert_eq!((u32::from(first), u32::from(second)), (0, 1));
    assert_eq!(rooms.join(second, "b"), Joined { created: true, joined: true });
    assert_eq!(rooms.join(second, "b"), Joined { created: false, joined: false });
    assert_eq!(rooms.stats().room_records, 0);
    assert_eq!((rooms.stats().rooms, rooms.stats().memberships), (1, 1));
    rooms.join(first, "b");
    assert_eq!(rooms.stats().room_records, 1, "two are in it");
    assert_eq!((rooms.stats().rooms, rooms.stats().memberships), (1, 2));
}

/// Two sockets of one id are refused, in words.
#[test]
fn an_id_in_use_is_refused() {
    let mut rooms = Rooms::new(KeyedState::with_seed(1));
    rooms.insert("a").unwrap();
    let refused = rooms.insert("a").unwrap_err();
    assert_eq!(refused.to_string(), "the socket id is in use");
    assert_eq!(rooms.socket_count(), 1);
}
