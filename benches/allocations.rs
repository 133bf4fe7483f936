//! A broadcast allocates nothing, and a namespace keeps a few bytes per membership.

use std::alloc::System;

use overheard_benches::measure::Lines;
use overheard_benches::workload::{NamedOp, Workload};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes per membership, all in: the least that the project promises.
const BYTES_PER_MEMBERSHIP_MAX: usize = 34;
/// What an allocator adds to a chunk, header and rounding.
const CHUNK_OVERHEAD_BYTES: usize = 16;

/// One test, as the counters are of the whole process.
#[test]
fn broadcasts_allocate_nothing_and_memberships_are_small() {
    let workload = Workload::new(10_000);
    let built = Region::new(ALLOCATOR);
    let mut rooms = workload.build();
    let kept = built.change();
    let chunks = kept.allocations - kept.deallocations;
    let bytes = kept.bytes_allocated - kept.bytes_deallocated + chunks * CHUNK_OVERHEAD_BYTES;
    assert!(
        bytes / workload.memberships() < BYTES_PER_MEMBERSHIP_MAX,
        "{bytes} bytes for {} memberships",
        workload.memberships()
    );

    let mut lines = Lines::new(workload.sockets);
    for case in &workload.cases {
        let ops = NamedOp::of(&workload, case);
        let run = |rooms: &mut overheard_core::server::rooms::Rooms, lines: &mut Lines| {
            for op in &ops {
                rooms.resolve(&op.selection(), |slot| lines.deliver(slot, 1));
            }
        };
        // The lists of names in working memory grow once.
        run(&mut rooms, &mut lines);
        let resolving = Region::new(ALLOCATOR);
        run(&mut rooms, &mut lines);
        let change = resolving.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{}", case.name);
    }
    let dropped = Region::new(ALLOCATOR);
    drop(rooms);
    assert!(dropped.change().deallocations > 0);
}
