//! socketioxide's core adapter, with an emitter that looks sockets up as the real one does.
#![expect(clippy::panic, reason = "a comparison stops at the first system that fails")]
#![expect(clippy::disallowed_types, reason = "the peer's own tables are hash maps")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use overheard_benches::workload::{Op, Workload};
use serde::{Deserialize, Serialize};
use socketioxide_core::adapter::errors::SocketError;
use socketioxide_core::adapter::{
    BroadcastFlags, BroadcastIter, BroadcastOptions, CoreLocalAdapter, RemoteSocketData, Room,
    SocketEmitter,
};
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::Parse;
use socketioxide_core::{Sid, Str, Uid, Value};
use socketioxide_parser_common::CommonParser;

use super::{CaseResult, Effort, Round, System, per_call, per_operation};
use crate::memory::Kept;

#[derive(Debug)]
struct Stub {
    socket: u32,
}

type Sockets = Arc<RwLock<HashMap<Sid, Arc<Stub>>>>;

#[derive(Debug, Default)]
struct Sums {
    recipients: AtomicU64,
    checksum: AtomicU64,
}

struct Emitter {
    sockets: Sockets,
    path: Str,
    sums: Arc<Sums>,
}

#[derive(Debug, Deserialize, Serialize)]
struct NoAck;

impl fmt::Display for NoAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no ack is asked for")
    }
}

impl std::error::Error for NoAck {}

struct NoAcks;

impl futures_core::Stream for NoAcks {
    type Item = (Sid, Result<Value, NoAck>);

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

impl futures_core::FusedStream for NoAcks {
    fn is_terminated(&self) -> bool {
        true
    }
}

impl SocketEmitter for Emitter {
    type AckError = NoAck;
    type AckStream = NoAcks;

    fn get_all_sids(&self, filter: impl Fn(&Sid) -> bool) -> Vec<Sid> {
        let sockets = self.sockets.read().unwrap_or_else(PoisonError::into_inner);
        sockets.keys().filter(|sid| filter(sid)).copied().collect()
    }

    fn get_remote_sockets(&self, _: BroadcastIter<'_>) -> Vec<RemoteSocketData> {
        Vec::new()
    }

    /// The shape of the real one: look each sid up, clone the encoded value, hand it over.
    fn send_many(&self, sids: BroadcastIter<'_>, data: Value) -> Result<(), Vec<SocketError>> {
        let sockets = self.sockets.read().unwrap_or_else(PoisonError::into_inner);
        let (mut recipients, mut checksum) = (0, 0);
        for stub in sids.filter_map(|sid| sockets.get(&sid)) {
            black_box(&data.clone());
            recipients += 1;
            checksum += u64::from(stub.socket) + 1;
        }
        self.sums.recipients.fetch_add(recipients, Relaxed);
        self.sums.checksum.fetch_add(checksum, Relaxed);
        Ok(())
    }

    fn send_many_volatile(&self, _: BroadcastIter<'_>, _: Value) {}

    fn send_many_with_ack(
        &self,
        _: BroadcastIter<'_>,
        _: Packet,
        _: Option<Duration>,
    ) -> (Self::AckStream, u32) {
        (NoAcks, 0)
    }

    fn disconnect_many(&self, _: Vec<Sid>) -> Result<(), Vec<SocketError>> {
        Ok(())
    }

    fn path(&self) -> &Str {
        &self.path
    }

    fn parser(&self) -> impl Parse {
        CommonParser
    }

    fn server_id(&self) -> Uid {
        Uid::ZERO
    }

    fn ack_timeout(&self) -> Duration {
        Duration::from_secs(5)
    }
}

#[derive(Serialize)]
struct Payload {
    from: &'static str,
    text: String,
    ts: u64,
}

/// The adapter and its sockets.
pub(crate) struct Socketioxide<'a> {
    workload: &'a Workload,
    effort: Effort,
    adapter: CoreLocalAdapter<Emitter>,
    sockets: Sockets,
    sums: Arc<Sums>,
    sids: Vec<Sid>,
    bytes_per_membership: f64,
}

impl<'a> Socketioxide<'a> {
    pub(crate) fn new(workload: &'a Workload, effort: Effort) -> Self {
        let sids: Vec<Sid> = workload.sids.iter().map(|_| Sid::new()).collect();
        let stubs = sids.iter().zip(0..).map(|(&sid, socket)| (sid, Arc::new(Stub { socket })));
        let sockets: Sockets = Arc::new(RwLock::new(stubs.collect()));
        let sums = Arc::new(Sums::default());
        let emitter =
            Emitter { sockets: sockets.clone(), path: Str::from("/"), sums: sums.clone() };
        let adapter = CoreLocalAdapter::new(emitter);
        let bytes_per_membership = 0.0;
        let mut this =
            Self { workload, effort, adapter, sockets, sums, sids, bytes_per_membership };
        let kept = Kept::start();
        for (socket, joined) in workload.rooms.iter().enumerate() {
            this.join_all(this.sids[socket], this.rooms(joined));
        }
        this.bytes_per_membership = kept.bytes() / workload.memberships() as f64;
        this
    }

    fn name(&self, room: u32) -> String {
        match room.checked_sub(self.workload.room_count()) {
            Some(socket) => self.sids[socket as usize].to_string(),
            None => self.workload.room_name(room).to_string(),
        }
    }

    fn rooms(&self, rooms: &[u32]) -> Vec<Room> {
        rooms.iter().map(|&room| Cow::Owned(self.name(room))).collect()
    }

    /// The own-id room, which the peer does not join by itself, and others.
    fn join_all(&self, sid: Sid, rooms: Vec<Room>) {
        self.adapter.add_all(sid, sid);
        self.adapter.add_all(sid, rooms);
    }

    fn connect(&self, sid: Sid, stub: Arc<Stub>, rooms: Vec<Room>) {
        self.sockets.write().unwrap_or_else(PoisonError::into_inner).insert(sid, stub);
        self.join_all(sid, rooms);
    }

    fn disconnect(&self, sid: Sid) {
        self.sockets.write().unwrap_or_else(PoisonError::into_inner).remove(&sid);
        self.adapter.del_all(sid);
    }

    fn options(&self, op: &Op) -> BroadcastOptions {
        let mut options = BroadcastOptions::default();
        // The names live as long as the process: the peer then clones references.
        let leak = |&room: &u32| Cow::Borrowed(&*self.name(room).leak());
        options.rooms = op.rooms.iter().map(leak).collect();
        options.except = op.except.iter().map(leak).collect();
        if op.rooms.is_empty() {
            options.add_flag(BroadcastFlags::Broadcast);
        }
        options
    }

    fn broadcast(&self, packet: Packet, options: &BroadcastOptions) {
        if self.adapter.broadcast(packet, options.clone()).is_err() {
            panic!("socketioxide does not broadcast");
        }
    }

    fn churn(&self) -> Vec<f64> {
        let w = self.workload;
        let joins: Vec<(Sid, String)> = w
            .joins
            .iter()
            .map(|&(socket, room)| (self.sids[socket as usize], self.name(room)))
            .collect();
        let join = per_operation(joins.clone().into_iter(), |(sid, room)| {
            self.adapter.add_all(sid, room);
        });
        let leave = per_operation(joins.into_iter(), |(sid, room)| self.adapter.del(sid, room));
        let disconnect =
            per_operation(w.churn.iter(), |old| self.disconnect(self.sids[old.socket as usize]));
        let fresh: Vec<(Sid, Arc<Stub>, Vec<Room>)> = w
            .churn
            .iter()
            .map(|new| (Sid::new(), Arc::new(Stub { socket: new.socket }), self.rooms(&new.rooms)))
            .collect();
        let sids: Vec<Sid> = fresh.iter().map(|new| new.0).collect();
        let connect =
            per_operation(fresh.into_iter(), |(sid, stub, rooms)| self.connect(sid, stub, rooms));
        // Back to the workload, for the next round.
        for (new, sid) in w.churn.iter().zip(sids) {
            self.disconnect(sid);
            let rooms = self.rooms(&w.rooms[new.socket as usize]);
            let stub = Arc::new(Stub { socket: new.socket });
            self.connect(self.sids[new.socket as usize], stub, rooms);
        }
        vec![join, leave, disconnect, connect]
    }
}

impl System for Socketioxide<'_> {
    fn name(&self) -> &'static str {
        "socketioxide-core"
    }

    fn bytes_per_membership(&self) -> f64 {
        self.bytes_per_membership
    }

    fn round(&mut self) -> Round {
        let payload = Payload { from: "user-1234", text: "x".repeat(64), ts: 1_700_000_000_000 };
        let packet = || {
            let Ok(value) = CommonParser.encode_value(&payload, Some("message")) else {
                panic!("socketioxide does not encode")
            };
            Packet::event("/", value)
        };
        let mut round = Round::default();
        for case in &self.workload.cases {
            let options: Vec<BroadcastOptions> =
                case.ops.iter().map(|op| self.options(op)).collect();
            self.sums.recipients.store(0, Relaxed);
            self.sums.checksum.store(0, Relaxed);
            for each in &options {
                self.broadcast(packet(), each);
            }
            let name = case.name.to_owned();
            let recipients = self.sums.recipients.load(Relaxed);
            let checksum = self.sums.checksum.load(Relaxed);
            let mut next = options.iter().cycle();
            let nanoseconds = per_call(self.effort, || {
                let Some(options) = next.next() else { return };
                self.broadcast(packet(), options);
            });
            round.cases.push(CaseResult { name, nanoseconds, recipients, checksum });
        }
        round.churn = self.churn();
        round
    }
}
