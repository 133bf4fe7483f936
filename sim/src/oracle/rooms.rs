//! Who is in which room: for each room the sockets that were ever put into it, and when.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use super::facts::{Pos, Table};
use super::names::index;
use super::tri::Tri;

/// The time in which something took effect: a point where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Not before this.
    pub lo: Pos,
    /// Not after this.
    pub hi: Pos,
}

impl Window {
    /// A point.
    #[must_use]
    pub const fn point(pos: Pos) -> Self {
        Self { lo: pos, hi: pos }
    }
}

/// Something began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Window,
    /// Whether it began.
    pub begins: bool,
    /// Whether it happened at all.
    pub certain: bool,
}

/// When something began and ended: a membership, or a socket.
#[derive(Clone, Debug, Default)]
pub struct Timeline(SmallVec<[Change; 1]>);

impl Timeline {
    /// Adds a change. Where changes and questions come in the order of time, a point behind
    /// everything else makes that history.
    pub fn add(&mut self, change: Change, in_order: bool) {
        let point = change.certain && change.at.lo == change.at.hi;
        if in_order && point && self.0.iter().all(|known| known.at.hi <= change.at.lo) {
            self.0.clear();
        }
        self.0.push(change);
    }

    /// Whether it was so when something else took effect.
    #[must_use]
    pub fn at(&self, now: Window) -> Tri {
        // Whatever ended before this began does not count any more.
        let settled = self.0.iter().filter(|change| change.certain && change.at.hi < now.lo);
        let since = settled.map(|change| change.at.lo).max();
        let last = self.0.iter().filter(|change| {
            change.at.lo < now.hi && since.is_none_or(|since| change.at.hi >= since)
        });
        let (mut yes, mut no) = (false, since.is_none());
        for change in last {
            yes |= change.begins;
            no |= !change.begins;
        }
        match (yes, no) {
            (true, false) => Tri::Yes,
            (true, true) => Tri::Maybe,
            (false, _) => Tri::No,
        }
    }
}

/// The sockets and rooms of all namespaces.
#[derive(Debug)]
pub struct Rooms {
    /// The sockets of each namespace that are or may be connected.
    sockets: BTreeMap<u32, BTreeMap<u32, Timeline>>,
    /// The sockets of each room of each namespace.
    members: Table<(u32, u32), BTreeMap<u32, Timeline>>,
    /// The rooms of each socket, in join order.
    joined: Vec<Vec<u32>>,
    /// Sockets whose connection is lost, and that will be recovered.
    lost: Vec<bool>,
    /// Whether changes and questions come in the order of time.
    in_order: bool,
}

impl Rooms {
    /// Nobody is there, out of so many.
    #[must_use]
    pub fn new(sockets: usize, in_order: bool) -> Self {
        Self {
            sockets: BTreeMap::new(),
            members: Table::with_hasher(FixedState::with_seed(3)),
            joined: vec![Vec::new(); sockets],
            lost: vec![false; sockets],
            in_order,
        }
    }

    /// A socket is let in, or leaves and may come back.
    pub fn connect(&mut self, nsp: u32, sid: u32, change: Change) {
        self.lost[index(sid)] = false;
        self.sockets.entry(nsp).or_default().entry(sid).or_default().add(change, self.in_order);
    }

    /// A socket is lost; it keeps its rooms.
    pub fn lose(&mut self, sid: u32) {
        self.lost[index(sid)] = true;
    }

    /// Whether a socket is lost.
    #[must_use]
    pub fn is_lost(&self, sid: u32) -> bool {
        self.lost[index(sid)]
    }

    /// A socket is gone, with all its memberships.
    pub fn remove(&mut self, nsp: u32, sid: u32) {
        self.lost[index(sid)] = false;
        if let Some(sockets) = self.sockets.get_mut(&nsp) {
            sockets.remove(&sid);
        }
        for room in std::mem::take(&mut self.joined[index(sid)]) {
            self.forget(nsp, sid, room);
        }
    }

    fn forget(&mut self, nsp: u32, sid: u32, room: u32) {
        if let Some(members) = self.members.get_mut(&(nsp, room)) {
            members.remove(&sid);
        }
    }

    /// A socket joins or leaves a room.
    pub fn change(&mut self, nsp: u32, sid: u32, room: u32, change: Change) {
        let point = change.certain && change.at.lo == change.at.hi;
        let joined = &mut self.joined[index(sid)];
        if change.begins {
            let members = self.members.entry((nsp, room)).or_default();
            let timeline = members.entry(sid).or_insert_with(|| {
                joined.push(room);
                Timeline::default()
            });
            timeline.add(change, self.in_order);
        } else if point {
            joined.retain(|known| *known != room);
            self.forget(nsp, sid, room);
        } else {
            // It may leave what it is about to join: what is known of that may come later.
            let members = self.members.entry((nsp, room)).or_default();
            members.entry(sid).or_default().add(change, self.in_order);
        }
    }

    /// The rooms of a socket, in join order.
    #[must_use]
    pub fn of(&self, sid: u32) -> &[u32] {
        &self.joined[index(sid)]
    }

    /// The sockets of a namespace that are or may be connected; lost ones are among them.
    pub fn sockets(&self, nsp: u32) -> impl Iterator<Item = u32> {
        self.sockets.get(&nsp).into_iter().flat_map(|sockets| sockets.keys().copied())
    }

    /// Whether a socket is connected.
    #[must_use]
    pub fn connected(&self, nsp: u32, sid: u32, now: Window) -> Tri {
        let timeline = self.sockets.get(&nsp).and_then(|sockets| sockets.get(&sid));
        timeline.map_or(Tri::No, |timeline| timeline.at(now))
    }

    fn member(&self, nsp: u32, sid: u32, room: u32, now: Window) -> Tri {
        let timeline = self.members.get(&(nsp, room)).and_then(|members| members.get(&sid));
        timeline.map_or(Tri::No, |timeline| timeline.at(now))
    }

    /// Who hears, in the order of ids: everybody for whom the answer is not no.
    pub fn hears(
        &self,
        nsp: u32,
        targets: Option<&[u32]>,
        excepts: &[u32],
        now: Window,
        hear: &mut Vec<(u32, Tri)>,
    ) {
        hear.clear();
        let empty = BTreeMap::new();
        let sockets = self.sockets.get(&nsp).unwrap_or(&empty);
        let silent =
            |sid| excepts.iter().fold(Tri::No, |sum, room| sum | self.member(nsp, sid, *room, now));
        let mut add = |sid: u32, targeted: Tri, connected: Option<&Timeline>| {
            let connected = connected.map_or(Tri::No, |timeline| timeline.at(now));
            let mut answer = targeted & connected;
            if answer != Tri::No && !excepts.is_empty() {
                answer = answer & !silent(sid);
            }
            if answer != Tri::No {
                hear.push((sid, answer));
            }
        };
        match targets {
            None => sockets.iter().for_each(|(sid, timeline)| add(*sid, Tri::Yes, Some(timeline))),
            Some([room]) => {
                for (sid, timeline) in self.members.get(&(nsp, *room)).unwrap_or(&empty) {
                    add(*sid, timeline.at(now), sockets.get(sid));
                }
            }
            Some(rooms) => {
                let mut any: BTreeMap<u32, Tri> = BTreeMap::new();
                for room in rooms {
                    for (sid, timeline) in self.members.get(&(nsp, *room)).unwrap_or(&empty) {
                        let sum = any.entry(*sid).or_insert(Tri::No);
                        *sum = *sum | timeline.at(now);
                    }
                }
                any.into_iter().for_each(|(sid, targeted)| add(sid, targeted, sockets.get(&sid)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(lo: Pos, hi: Pos, begins: bool) -> Change {
        Change { at: Window { lo, hi }, begins, certain: true }
    }

    fn timeline(changes: &[Change]) -> Timeline {
        let mut timeline = Timeline::default();
        changes.iter().for_each(|change| timeline.add(*change, true));
        timeline
    }

    #[test]
    fn what_is_over_counts_and_what_overlaps_may() {
        let joins = timeline(&[change(10, 20, true)]);
        let at = |lo, hi| joins.at(Window { lo, hi });
        assert_eq!(
            [at(1, 5), at(5, 15), at(12, 13), at(25, 30)],
            [Tri::No, Tri::Maybe, Tri::Maybe, Tri::Yes]
        );
    }

    #[test]
    fn the_last_change_wins_if_there_is_one() {
        let both = timeline(&[change(10, 20, true), change(30, 40, false)]);
        assert_eq!(both.at(Window::point(25)), Tri::Yes);
        assert_eq!(both.at(Window::point(35)), Tri::Maybe);
        assert_eq!(both.at(Window::point(45)), Tri::No);
        let crossing = timeline(&[change(10, 30, true), change(20, 40, false)]);
        assert_eq!(crossing.at(Window::point(50)), Tri::Maybe);
    }

    #[test]
    fn an_uncertain_change_settles_nothing() {
        let mut joins = timeline(&[change(1, 2, true)]);
        joins.add(Change { at: Window { lo: 5, hi: 6 }, begins: false, certain: false }, true);
        assert_eq!(joins.at(Window::point(9)), Tri::Maybe);
        joins.add(change(10, 11, false), true);
        assert_eq!(joins.at(Window::point(12)), Tri::No);
    }

    #[test]
    fn points_are_exact() {
        let mut joins = timeline(&[change(5, 5, true)]);
        assert_eq!([joins.at(Window::point(4)), joins.at(Window::point(6))], [Tri::No, Tri::Yes]);
        joins.add(change(7, 7, false), true);
        assert_eq!(joins.at(Window::point(8)), Tri::No);
        let mut known = timeline(&[change(1, 2, true)]);
        known.add(change(9, 9, false), false);
        assert_eq!(known.at(Window::point(5)), Tri::Yes, "asked later of an earlier time");
    }
}
