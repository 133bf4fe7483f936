//! A broadcast allocates nothing, a namespace keeps a few bytes per membership, and a connection
//! that is idle keeps little.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;

use overheard_benches::measure::Lines;
use overheard_benches::workload::{NamedOp, Workload};
use overheard_core::engine::{Input, Method, Output, RequestHead};
use overheard_core::id::IdSource;
use overheard_core::server::{self, Server, ServerConfig};
use overheard_core::time::Instant;
use overheard_core::wire::{Frame, WsId};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes per membership, all in: the least that the project promises.
const BYTES_PER_MEMBERSHIP_MAX: usize = 34;
/// Bytes of core's state per idle connection that is in one namespace.
const BYTES_PER_CONNECTION_MAX: usize = 2048;
/// What an allocator adds to a chunk, header and rounding.
const CHUNK_OVERHEAD_BYTES: usize = 16;

/// One test, as the counters are of the whole process.
#[test]
fn broadcasts_allocate_nothing_and_what_is_kept_is_small() {
    memberships_and_broadcasts();
    idle_connections();
}

fn memberships_and_broadcasts() {
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
        let run = |rooms: &mut server::rooms::Rooms, lines: &mut Lines| {
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

fn idle_connections() {
    const CONNECTIONS: u64 = 2_000;
    let ids = || Box::new(Counting(0));
    let now = Instant::from_millis(1);
    let mut server = Server::new(ServerConfig::default(), ids(), ids(), now);
    let opened = Region::new(ALLOCATOR);
    for number in 0..CONNECTIONS {
        let ws = WsId(number);
        let head = RequestHead {
            method: Method::Get,
            path: "/socket.io/".into(),
            query: "EIO=4&transport=websocket".into(),
            headers: Vec::new(),
        };
        let inputs = [
            Input::WsRequest { ws, head },
            Input::WsFlushed(ws),
            Input::WsFrames { ws, frames: vec![Frame::text("40")] },
            Input::WsFlushed(ws),
        ];
        for input in inputs {
            server.handle(now, server::Input::Transport(input)).unwrap();
            while let Some(output) = server.poll_output() {
                if let server::Output::Transport(Output::WsSend(ws)) = output {
                    let mut written = Vec::new();
                    server.take_frames(ws, &mut written);
                }
            }
        }
    }
    let kept = opened.change();
    let stats = server.stats();
    assert_eq!(stats.connected as u64, CONNECTIONS);
    let chunks = kept.allocations - kept.deallocations;
    let bytes = kept.bytes_allocated - kept.bytes_deallocated + chunks * CHUNK_OVERHEAD_BYTES;
    let each = bytes / usize::try_from(CONNECTIONS).unwrap();
    assert!(each < BYTES_PER_CONNECTION_MAX, "{each} bytes per idle connection");
    drop(server);
}

/// Ids that count.
#[derive(Debug)]
struct Counting(u64);

impl IdSource for Counting {
    fn next_bytes(&mut self) -> [u8; 12] {
        self.0 += 1;
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
        bytes
    }
}
