//! The rooms of core.

use overheard_benches::measure::Lines;
use overheard_benches::workload::{NamedOp, Workload, connect};
use overheard_core::server::rooms::{Rooms, Slot};
use smol_str::SmolStr;

use super::{CaseResult, Effort, Round, System, per_call, per_operation};
use crate::memory::Kept;

/// The rooms of core with a queue for each socket.
#[derive(Debug)]
pub(crate) struct Overheard<'a> {
    workload: &'a Workload,
    effort: Effort,
    rooms: Rooms,
    bytes_per_membership: f64,
    lines: Lines,
    /// The slot of each socket, and the socket of each slot.
    slots: Vec<Slot>,
    owners: Vec<u32>,
}

impl<'a> Overheard<'a> {
    pub(crate) fn new(workload: &'a Workload, effort: Effort) -> Self {
        let kept = Kept::start();
        let rooms = workload.build();
        let bytes_per_membership = kept.bytes() / workload.memberships() as f64;
        let slots = workload.sids.iter().filter_map(|sid| rooms.slot_of(sid)).collect();
        Self {
            workload,
            effort,
            rooms,
            bytes_per_membership,
            lines: Lines::new(workload.sockets),
            slots,
            owners: (0..workload.sockets).collect(),
        }
    }

    fn connect(&mut self, socket: u32, sid: &SmolStr, joined: &[SmolStr]) {
        let slot = connect(&mut self.rooms, sid, joined);
        self.slots[socket as usize] = slot;
        self.owners[slot.index()] = socket;
    }

    fn churn(&mut self) -> Vec<f64> {
        let w = self.workload;
        let joins: Vec<(Slot, SmolStr)> = w
            .joins
            .iter()
            .map(|&(socket, room)| (self.slots[socket as usize], w.room_name(room)))
            .collect();
        let join = per_operation(joins.iter(), |(slot, room)| {
            self.rooms.join(*slot, room);
        });
        let leave = per_operation(joins.iter(), |(slot, room)| {
            self.rooms.leave(*slot, room);
        });
        let disconnect = per_operation(w.churn.iter(), |fresh| {
            self.rooms.remove(self.slots[fresh.socket as usize]);
        });
        let fresh: Vec<_> =
            w.churn.iter().map(|new| (new.socket, new.sid.clone(), w.names(&new.rooms))).collect();
        let connect = per_operation(fresh.iter(), |(socket, sid, joined)| {
            self.connect(*socket, sid, joined);
        });
        // Back to the workload, for the next round.
        for fresh in &w.churn {
            let socket = fresh.socket as usize;
            self.rooms.remove(self.slots[socket]);
            self.connect(fresh.socket, &w.sids[socket], &w.names(&w.rooms[socket]));
        }
        vec![join, leave, disconnect, connect]
    }
}

impl System for Overheard<'_> {
    fn name(&self) -> &'static str {
        "overheard"
    }

    fn bytes_per_membership(&self) -> f64 {
        self.bytes_per_membership
    }

    fn round(&mut self) -> Round {
        let mut round = Round::default();
        for case in &self.workload.cases {
            let ops = NamedOp::of(self.workload, case);
            let (mut recipients, mut checksum) = (0, 0);
            for op in &ops {
                self.rooms.resolve(&op.selection(), |slot| {
                    recipients += 1;
                    checksum += u64::from(self.owners[slot.index()]) + 1;
                });
            }
            let mut next = ops.iter().map(NamedOp::selection).cycle();
            let nanoseconds = per_call(self.effort, || {
                let Some(selection) = next.next() else { return };
                self.rooms.resolve(&selection, |slot| self.lines.deliver(slot, 7));
            });
            let name = case.name.to_owned();
            round.cases.push(CaseResult { name, nanoseconds, recipients, checksum });
            let mut slots = Vec::new();
            round.resolve.push(per_call(self.effort, || {
                slots.clear();
                let Some(selection) = next.next() else { return };
                self.rooms.resolve_into(&selection, &mut slots);
                std::hint::black_box(&slots);
            }));
        }
        round.churn = self.churn();
        round
    }
}
