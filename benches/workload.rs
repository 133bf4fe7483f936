//! The workload W(S), the same bits here and in `peers/node/workload.mjs`.
//!
//! A namespace of S sockets with S/10 small rooms: each socket is in its own-id room and in 8
//! small rooms; 16 overlapping rooms have about 1 % of S, 4 rooms about 10 %.

use std::collections::BTreeSet;

use overheard_core::id::KeyedState;
use overheard_core::server::rooms::{Rooms, Selection, Slot};
use smol_str::{SmolStr, format_smolstr};

/// Rooms of about 1 % of S; drawn from a twentieth of the sockets, so that they overlap.
pub const LARGE: u32 = 16;
/// Rooms of about 10 % of S.
pub const HUGE: u32 = 4;
/// Small rooms of each socket.
pub const SMALL_EACH: usize = 8;
/// Joins and leaves that are timed, at most.
const JOINS_MAX: usize = 100_000;

/// A generator of 32 bits that is short in both languages (mulberry32).
#[derive(Debug)]
pub struct Rng(pub u32);

impl Rng {
    /// The next number.
    pub fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x6D2B_79F5);
        let a = self.0;
        let mut t = (a ^ (a >> 15)).wrapping_mul(1 | a);
        t = t.wrapping_add((t ^ (t >> 7)).wrapping_mul(61 | t)) ^ t;
        t ^ (t >> 14)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.next_u32() % bound
    }
}

/// One broadcast, by room numbers: small, large and huge rooms, then own-id rooms.
#[derive(Clone, Debug, Default)]
pub struct Op {
    /// Target rooms.
    pub rooms: Vec<u32>,
    /// Excepted rooms.
    pub except: Vec<u32>,
}

/// Broadcasts of one kind.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name in tables.
    pub name: &'static str,
    /// Different broadcasts to alternate between.
    pub ops: Vec<Op>,
}

/// The workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// S.
    pub sockets: u32,
    /// How many small rooms there are.
    pub small: u32,
    /// The id of each socket.
    pub sids: Vec<SmolStr>,
    /// The rooms of each socket in join order, after its own-id room.
    pub rooms: Vec<Vec<u32>>,
    /// The ten kinds of broadcasts.
    pub cases: Vec<Case>,
    /// Sockets and small rooms they are not in.
    pub joins: Vec<(u32, u32)>,
    /// Sockets to replace, with the rooms and the id of the replacement.
    pub churn: Vec<Replacement>,
}

/// A socket that takes the place of another.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The socket that goes.
    pub socket: u32,
    /// The rooms of the one that comes.
    pub rooms: [u32; SMALL_EACH],
    /// Its id.
    pub sid: SmolStr,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn sid_of(rng: &mut Rng) -> SmolStr {
    (0..20).map(|_| char::from(ALPHABET[(rng.next_u32() & 63) as usize])).collect()
}

impl Workload {
    /// W(S).
    #[must_use]
    pub fn new(sockets: u32) -> Self {
        let small = (sockets / 10).max(10);
        let rooms = memberships(sockets, small);
        let mut rng = Rng(777);
        let sids = (0..sockets).map(|_| sid_of(&mut rng)).collect();
        let cases = cases(sockets, small, &rooms);
        let (joins, churn) = changes(sockets, small, &rooms);
        Self { sockets, small, sids, rooms, cases, joins, churn }
    }

    /// The number of rooms that are not own-id rooms.
    #[must_use]
    pub fn room_count(&self) -> u32 {
        self.small + LARGE + HUGE
    }

    /// The name of a room by its number.
    #[must_use]
    pub fn room_name(&self, room: u32) -> SmolStr {
        let (large, huge, own) = (self.small, self.small + LARGE, self.room_count());
        if room < large {
            format_smolstr!("r{room}")
        } else if room < huge {
            format_smolstr!("L{}", room - large)
        } else if room < own {
            format_smolstr!("T{}", room - huge)
        } else {
            self.sids[(room - own) as usize].clone()
        }
    }

    /// The names of rooms.
    #[must_use]
    pub fn names(&self, rooms: &[u32]) -> Vec<SmolStr> {
        rooms.iter().map(|&room| self.room_name(room)).collect()
    }

    /// Memberships, own-id rooms included.
    #[must_use]
    pub fn memberships(&self) -> usize {
        self.rooms.iter().map(|rooms| rooms.len() + 1).sum()
    }

    /// The workload in rooms of core; socket i gets slot i.
    ///
    /// # Panics
    /// If the sockets do not fit, which no S makes happen.
    #[must_use]
    pub fn build(&self) -> Rooms {
        let mut rooms = Rooms::new(KeyedState::with_seed(0x5eed));
        let names: Vec<SmolStr> = (0..self.room_count()).map(|room| self.room_name(room)).collect();
        for (sid, joined) in self.sids.iter().zip(&self.rooms) {
            let joined: Vec<&str> = joined.iter().map(|&room| &*names[room as usize]).collect();
            connect(&mut rooms, sid, &joined);
        }
        rooms
    }
}

/// Connects a socket as a server does: it joins its own-id room, is connected, and joins more.
///
/// # Panics
/// If the id is in use.
#[expect(clippy::panic, reason = "a workload that repeats an id is wrong")]
pub fn connect<N: AsRef<str>>(rooms: &mut Rooms, sid: &SmolStr, more: &[N]) -> Slot {
    let Ok(slot) = rooms.insert(sid.clone()) else { panic!("{sid} is in use") };
    rooms.join(slot, sid);
    rooms.set_connected(slot);
    rooms.join_all(slot, more, |_, _| ());
    slot
}

/// The names of a broadcast's rooms.
#[derive(Clone, Debug)]
pub struct NamedOp {
    /// Target rooms.
    pub rooms: Vec<SmolStr>,
    /// Excepted rooms.
    pub except: Vec<SmolStr>,
}

impl NamedOp {
    /// All broadcasts of a case.
    #[must_use]
    pub fn of(workload: &Workload, case: &Case) -> Vec<Self> {
        let named =
            |op: &Op| Self { rooms: workload.names(&op.rooms), except: workload.names(&op.except) };
        case.ops.iter().map(named).collect()
    }

    /// As core takes it.
    #[must_use]
    pub fn selection(&self) -> Selection<'_, SmolStr> {
        Selection { rooms: &self.rooms, except: &self.except }
    }
}

fn memberships(sockets: u32, small: u32) -> Vec<Vec<u32>> {
    let mut rng = Rng(12345);
    let mut all = Vec::with_capacity(sockets as usize);
    for _ in 0..sockets {
        let mut rooms = Vec::with_capacity(SMALL_EACH + 1);
        while rooms.len() < SMALL_EACH {
            let room = rng.below(small);
            if !rooms.contains(&room) {
                rooms.push(room);
            }
        }
        let hot = rng.below(20) == 0;
        for large in 0..LARGE {
            let drawn = rng.below(5) == 0;
            if hot && drawn {
                rooms.push(small + large);
            }
        }
        for huge in 0..HUGE {
            if rng.below(10) == 0 {
                rooms.push(small + LARGE + huge);
            }
        }
        all.push(rooms);
    }
    all
}

fn cases(sockets: u32, small: u32, rooms: &[Vec<u32>]) -> Vec<Case> {
    let mut rng = Rng(4242);
    let own = small + LARGE + HUGE;
    let large = |from: u32, count: std::ops::Range<u32>| -> Vec<u32> {
        count.map(|at| small + (from + at) % LARGE).collect()
    };
    let to = |rooms: Vec<u32>| Op { rooms, except: vec![] };
    let mut drawn = |count: usize| -> Vec<u32> { (0..count).map(|_| rng.below(small)).collect() };
    let room80 = (0..1024).map(|_| to(drawn(1))).collect();
    let ten80 = (0..1024).map(|_| to(drawn(10))).collect();
    let ten80_except = (0..1024)
        .map(|_| {
            let rooms = drawn(10);
            Op { rooms, except: drawn(3) }
        })
        .collect();
    let one = (0..4096).map(|_| to(vec![own + rng.below(sockets)])).collect();
    let chat = (0..1024)
        .map(|_| {
            let sender = rng.below(sockets);
            let room = rooms[sender as usize][rng.below(8) as usize];
            Op { rooms: vec![room], except: vec![own + sender] }
        })
        .collect();
    let all_except = (0..HUGE).map(|at| Op { rooms: vec![], except: vec![small + LARGE + at] });
    let ten_except =
        (0..LARGE).map(|from| Op { rooms: large(from, 0..10), except: large(from, 10..13) });
    let case = |name, ops| Case { name, ops };
    vec![
        case("all", vec![Op::default()]),
        case("room 1 %", (0..LARGE).map(|at| to(vec![small + at])).collect()),
        case("room80", room80),
        case("10 rooms of 1 %", (0..LARGE).map(|from| to(large(from, 0..10))).collect()),
        case("10 rooms of 80", ten80),
        case("all − 10 %", all_except.collect()),
        case("10 − 3 of 1 %", ten_except.collect()),
        case("10 − 3 of 80", ten80_except),
        case("one", one),
        case("chat80", chat),
    ]
}

fn changes(sockets: u32, small: u32, rooms: &[Vec<u32>]) -> (Vec<(u32, u32)>, Vec<Replacement>) {
    let count = (sockets as usize).min(JOINS_MAX);
    let mut rng = Rng(999);
    let mut joins = Vec::with_capacity(count);
    let mut seen = BTreeSet::new();
    while joins.len() < count {
        let pair = (rng.below(sockets), rng.below(small));
        if !rooms[pair.0 as usize].contains(&pair.1) && seen.insert(pair) {
            joins.push(pair);
        }
    }
    let mut churn = Vec::with_capacity(count / 2);
    let mut gone = vec![false; sockets as usize];
    let mut sids = Rng(31337);
    while churn.len() < count / 2 {
        let socket = rng.below(sockets);
        if std::mem::replace(&mut gone[socket as usize], true) {
            continue;
        }
        let mut drawn = [u32::MAX; SMALL_EACH];
        let mut at = 0;
        while at < SMALL_EACH {
            let room = rng.below(small);
            if !drawn[..at].contains(&room) {
                drawn[at] = room;
                at += 1;
            }
        }
        churn.push(Replacement { socket, rooms: drawn, sid: sid_of(&mut sids) });
    }
    (joins, churn)
}
