//! Criterion figures of the rooms: recipients of a broadcast, and joining and leaving.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use overheard_benches::measure::{Lines, sizes};
use overheard_benches::workload::{NamedOp, Workload, connect};

fn fanout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fanout");
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    for sockets in sizes() {
        let workload = Workload::new(sockets);
        let mut rooms = workload.build();
        let mut lines = Lines::new(sockets);
        for case in &workload.cases {
            let ops = NamedOp::of(&workload, case);
            let recipients: usize = ops.iter().map(|op| rooms.count(&op.selection())).sum();
            group.throughput(Throughput::Elements((recipients / ops.len()) as u64));
            let mut at = 0;
            let mut slots = Vec::new();
            group.bench_function(
                BenchmarkId::new(format!("resolve/{}", case.name), sockets),
                |b| {
                    b.iter(|| {
                        at = (at + 1) % ops.len();
                        slots.clear();
                        rooms.resolve_into(&ops[at].selection(), &mut slots);
                        black_box(slots.len())
                    });
                },
            );
            group.bench_function(
                BenchmarkId::new(format!("deliver/{}", case.name), sockets),
                |b| {
                    b.iter(|| {
                        at = (at + 1) % ops.len();
                        rooms.resolve(&ops[at].selection(), |slot| lines.deliver(slot, 7));
                    });
                },
            );
        }
    }
    group.finish();
}

fn churn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("churn");
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800));
    group.sample_size(20);
    for sockets in sizes() {
        let workload = Workload::new(sockets);
        let mut rooms = workload.build();
        let names: Vec<_> =
            (0..workload.room_count()).map(|room| workload.room_name(room)).collect();
        let mut slots: Vec<_> = workload.sids.iter().filter_map(|sid| rooms.slot_of(sid)).collect();

        // One iteration is all joins, then all leaves: both tables are then as before.
        group.throughput(Throughput::Elements(2 * workload.joins.len() as u64));
        group.bench_function(BenchmarkId::new("join and leave", sockets), |b| {
            b.iter(|| {
                for &(socket, room) in &workload.joins {
                    rooms.join(slots[socket as usize], &names[room as usize]);
                }
                for &(socket, room) in &workload.joins {
                    rooms.leave(slots[socket as usize], &names[room as usize]);
                }
            });
        });

        group.throughput(Throughput::Elements(workload.churn.len() as u64));
        let mut fresh = false;
        group.bench_function(BenchmarkId::new("disconnect, connect and 9 joins", sockets), |b| {
            b.iter_batched(
                || (),
                |()| {
                    // Every other time the first sockets come back.
                    fresh = !fresh;
                    for new in &workload.churn {
                        rooms.remove(slots[new.socket as usize]);
                    }
                    for new in &workload.churn {
                        let socket = new.socket as usize;
                        let sid = if fresh { &new.sid } else { &workload.sids[socket] };
                        let joined = new.rooms.map(|room| names[room as usize].as_str());
                        slots[socket] = connect(&mut rooms, sid, &joined);
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, fanout, churn);
criterion_main!(benches);
