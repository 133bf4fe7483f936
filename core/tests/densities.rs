//! Selections over rooms of every density and over one block of slots, some, and many, against a
//! plain table: what the small worlds of `rooms.rs` rarely reach.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use overheard_core::id::KeyedState;
use overheard_core::server::rooms::{Rooms, Selection, Slot};

/// Of so many sockets one is a member, by chance; twice each, so that rooms overlap.
const ONE_OF: [u32; 6] = [1, 2, 10, 40, 200, 1_000];

/// Rooms and who is in them, by slot.
struct World {
    rooms: Rooms,
    names: Vec<String>,
    /// For each room, for each slot.
    members: Vec<Vec<bool>>,
    connected: Vec<bool>,
}

/// A number that looks drawn: the same in every run.
fn mixed(a: u32, b: u32) -> u32 {
    let mut hash = a.wrapping_mul(0x9E37_79B9) ^ b.wrapping_mul(0x85EB_CA6B);
    for _ in 0..2 {
        hash = (hash ^ hash >> 15).wrapping_mul(0x2C1B_3C6D);
    }
    hash ^ hash >> 13
}

impl World {
    fn new(population: u32) -> Self {
        let mut rooms = Rooms::new(KeyedState::with_seed(1));
        let slots: Vec<Slot> =
            (0..population).map(|at| rooms.insert(format!("s{at}")).unwrap()).collect();
        let connected: Vec<bool> = (0..population).map(|at| at % 7 != 3).collect();
        for (slot, _) in slots.iter().zip(&connected).filter(|(_, connected)| **connected) {
            assert!(rooms.set_connected(*slot));
        }
        let by_chance = |one_of: u32, turn: u32| {
            (0..population).map(|at| mixed(at, one_of + turn).is_multiple_of(one_of)).collect()
        };
        let mut members: Vec<Vec<bool>> = ONE_OF
            .iter()
            .flat_map(|one_of| [by_chance(*one_of, 0), by_chance(*one_of, 7_000)])
            .collect();
        // In one piece: at the beginning, at the very end, across the border of two blocks.
        let piece = |from: u32, to: u32| (0..population).map(|at| at >= from && at < to).collect();
        members.push(piece(0, population / 2));
        members.push(piece(population - population.min(90), population));
        members.push(piece(4_080.min(population - 1), 4_130.min(population)));
        members.push(piece(0, 0));
        let names: Vec<String> = (0..members.len()).map(|at| format!("room {at}")).collect();
        for (name, members) in names.iter().zip(&members) {
            for (slot, _) in slots.iter().zip(members).filter(|(_, is_member)| **is_member) {
                assert!(rooms.join(*slot, name).joined);
            }
        }
        Self { rooms, names, members, connected }
    }

    /// Asks for a selection in each of the ways that there are.
    fn check(&mut self, targets: &[usize], excepted: &[usize]) {
        let in_any = |rooms: &[usize], at: usize| rooms.iter().any(|room| self.members[*room][at]);
        let hears = |at: &usize| {
            self.connected[*at]
                && (targets.is_empty() || in_any(targets, *at))
                && !in_any(excepted, *at)
        };
        let wanted: Vec<usize> = (0..self.connected.len()).filter(hears).collect();
        let name = |room: &usize| self.names[*room].as_str();
        let (to, except): (Vec<&str>, Vec<&str>) =
            (targets.iter().map(name).collect(), excepted.iter().map(name).collect());
        let selection = Selection { rooms: &to[..], except: &except };
        let mut heard = Vec::new();
        self.rooms.resolve(&selection, |slot| heard.push(slot.index()));
        assert!(heard == wanted, "to {to:?} except {except:?}");
        let mut listed = Vec::new();
        self.rooms.resolve_into(&selection, &mut listed);
        assert!(listed.iter().map(|slot| slot.index()).eq(heard), "to {to:?} except {except:?}");
        assert_eq!(self.rooms.count(&selection), wanted.len(), "to {to:?} except {except:?}");
        assert!(self.rooms.stats().scratch_clean, "to {to:?} except {except:?}");
    }

    /// None, one or two rooms to hear, with none, one or two that do not.
    fn check_all(&mut self) {
        let count = self.names.len();
        for a in 0..count {
            self.check(&[a], &[]);
            self.check(&[], &[a]);
            for b in 0..count {
                self.check(&[a, b], &[]);
                self.check(&[a], &[b]);
                self.check(&[], &[a, b]);
                let third = (3 * a + 5 * b + 1) % count;
                self.check(&[a, b], &[third]);
                self.check(&[third], &[a, b]);
                self.check(&[a, b, third], &[(third + 1) % count, (third + 6) % count]);
            }
        }
        let all: Vec<usize> = (0..count).collect();
        self.check(&[], &[]);
        self.check(&all, &[]);
        self.check(&[], &all);
        self.check(&all[2..], &all[..2]);
        self.check(&all[4..], &all[2..4]);
    }
}

#[test]
fn a_hundred_sockets() {
    World::new(100).check_all();
}

#[test]
fn one_block() {
    World::new(3_000).check_all();
}

#[test]
fn five_blocks_and_a_half() {
    World::new(22_500).check_all();
}

/// Sockets in a row, all connected, are told of without being looked up.
#[test]
fn everybody_is_a_run() {
    let mut rooms = Rooms::new(KeyedState::with_seed(1));
    let slots: Vec<Slot> = (0..5_000).map(|at| rooms.insert(format!("s{at}")).unwrap()).collect();
    slots.iter().for_each(|slot| assert!(rooms.set_connected(*slot)));
    let everybody: Selection<'_, &str> = Selection { rooms: &[], except: &[] };
    let mut heard = Vec::new();
    rooms.resolve(&everybody, |slot| heard.push(slot));
    assert_eq!((heard.len(), rooms.count(&everybody)), (5_000, 5_000));
    assert_eq!(heard, slots);
}

/// A panic of the caller's closure, at any place, leaves nothing for the selections behind it.
#[test]
fn a_panic_anywhere_is_forgotten() {
    let mut world = World::new(22_500);
    for (targets, excepted) in [(vec![6, 8], vec![]), (vec![4, 10], vec![7, 9]), (vec![], vec![9])]
    {
        for at in [0_usize, 1, 30, 250] {
            let name = |room: &usize| world.names[*room].clone();
            let (to, except): (Vec<String>, Vec<String>) =
                (targets.iter().map(name).collect(), excepted.iter().map(name).collect());
            let mut left = at;
            let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let selection = Selection { rooms: &to[..], except: &except };
                world.rooms.resolve(&selection, |_| match left.checked_sub(1) {
                    Some(less) => left = less,
                    None => std::panic::resume_unwind(Box::new(())),
                });
            }));
            assert!(stopped.is_err());
            world.check(&[11], &[]);
            world.check(&[8, 10, 14], &[13]);
            world.check(&[], &[12, 11]);
        }
    }
}

/// Lists of rooms that outgrow their socket's record are counted, and given back.
#[test]
fn long_lists_of_rooms_are_counted_until_they_are_given_back() {
    let mut rooms = Rooms::new(KeyedState::with_seed(1));
    let slots: Vec<Slot> = (0..3).map(|at| rooms.insert(format!("s{at}")).unwrap()).collect();
    assert_eq!(rooms.stats().spilled, 0);
    for (slot, count) in slots.iter().zip([1, 100, 1_000]) {
        (0..count).for_each(|at| assert!(rooms.join(*slot, &format!("r{at}")).joined));
    }
    assert_eq!(rooms.stats().spilled, 2, "the short list is in its socket's record");
    assert!(rooms.remove(slots[1]));
    assert_eq!(rooms.stats().spilled, 1);
    (0..1_000).for_each(|at| assert!(rooms.leave(slots[2], &format!("r{at}")).left));
    assert!(rooms.remove(slots[2]));
    assert_eq!(rooms.stats().spilled, 0);
}
