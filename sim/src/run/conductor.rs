//! Carries out the steps of a plan in order, and brings the run to its end.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture, join_all};

use super::world::World;
use crate::history::{EndReason, What};
use crate::net::clock::nanos;
use crate::peer::Wish;
use crate::plan::{Action, ClientId, Step};

/// What the longest timers of a server may take beyond those of its options: the grace of a
/// polling session that is closed, and its last timers.
const GRACE: u64 = 40 * SECOND;

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// Conducts a run to its end, which it writes down.
pub(crate) async fn conduct(world: Rc<World>) {
    let recorder = &world.recorder;
    let longest = nanos(world.plan.bounds.max_virtual);
    tokio::select! {
        biased;
        () = world.stopped() => {}
        () = recorder.clock().sleep_until(longest) => {
            let reason = format!("{:?} of virtual time are over", world.plan.bounds.max_virtual);
            recorder.stop(EndReason::Bound(reason));
        }
        () = world.script() => {}
    }
    let reason = recorder.stopped().unwrap_or(EndReason::Complete);
    world.note(What::End { reason }, None);
    world.seat.stop();
}

impl World {
    async fn stopped(&self) {
        loop {
            let seen = self.recorder.changed().count();
            if self.recorder.stopped().is_some() {
                return;
            }
            self.recorder.changed().changed(seen).await;
        }
    }

    async fn script(self: &Rc<Self>) {
        let first = |(client, plan): (u32, &crate::plan::ClientPlan)| {
            plan.connect.then_some(ClientId(client))
        };
        let who: Vec<ClientId> = (0..).zip(&self.plan.clients).filter_map(first).collect();
        self.connect(&who, None, None).await;
        self.acted.set(self.now());
        for step in &self.plan.steps {
            self.step(step).await;
        }
        self.finish().await;
    }

    fn step<'a>(self: &'a Rc<Self>, step: &'a Step) -> LocalBoxFuture<'a, ()> {
        async move {
            let number = Some(step.id.0);
            self.note(What::StepBegin, number);
            match &step.action {
                Action::Connect { who, auth } => self.connect(who, auth.as_ref(), number).await,
                Action::Disconnect { who, namespace } => {
                    self.disconnect(who, namespace.as_deref(), step.id.0).await;
                }
                Action::Emit(emit) => self.emit(step, emit).await,
                Action::Server(action) => self.server_acts(step, action).await,
                Action::Raw(raw) => self.raw(step.id.0, raw).await,
                Action::Advance(by) => {
                    let at = self.now().saturating_add(nanos(*by));
                    self.recorder.clock().sleep_until(at).await;
                }
                Action::Fault { fault, lasts } => self.break_something(step, fault, *lasts),
                Action::Heal(what) => self.heal(what.as_deref()),
                Action::Together(steps) => {
                    join_all(steps.iter().map(|step| self.step(step))).await;
                }
                Action::Expect(expect) => self.expect(expect).await,
                Action::Never(never) => self.never(never).await,
                Action::ExpectConnection(expect) => self.expect_connection(expect).await,
                Action::ExpectRooms { at, namespace, .. } if self.seat.is_foreign() => {
                    self.ask_rooms(at, namespace, step.id.0).await;
                }
                Action::ExpectRooms { .. } => self.snapshot(true, number),
            }
            if acts(&step.action) {
                self.snapshot(false, number);
                self.acted.set(self.now());
            }
            self.note(What::StepEnd, number);
        }
        .boxed_local()
    }

    /// Mends everything, waits for what is owed, and lets everybody go.
    async fn finish(self: &Rc<Self>) {
        self.heal(None);
        self.note(What::AllHealed, None);
        let server = &self.plan.server;
        let heartbeat = server
            .ping_interval
            .map_or(25 * SECOND, nanos)
            .saturating_add(server.ping_timeout.map_or(20 * SECOND, nanos));
        let settle = nanos(self.plan.bounds.settle);
        // A connection that lost bytes is found out by its heartbeat, however long that takes.
        let limit =
            if self.board.any_wedged() { settle.max(heartbeat.saturating_mul(2)) } else { settle };
        self.quiet(limit, true).await;
        self.snapshot(true, None);
        self.count(false);
        self.note(What::Closing, None);
        for peer in &self.peers {
            peer.wish(Wish::Close);
        }
        self.all_gone().await;
        self.count(true);
    }

    /// Waits until the server holds nothing and waits for nothing.
    async fn all_gone(&self) {
        let server = &self.plan.server;
        let bound = [
            (server.ping_interval, 25),
            (server.ping_timeout, 20),
            (server.connect_timeout, 45),
            (server.upgrade_timeout, 10),
            (server.recovery, 0),
            (server.recovery, 0),
        ];
        let time =
            |(option, default): &(Option<Duration>, u64)| option.map_or(default * SECOND, nanos);
        let bound = bound.iter().map(time).fold(GRACE, u64::saturating_add);
        let deadline = self.now().saturating_add(bound);
        loop {
            let left = self.seat.host().map(|host| host.counters(false));
            let empty = left.is_none_or(|left| left.connections == 0 && left.timers == 0);
            if empty && self.peers.iter().all(|peer| peer.is_idle()) || self.now() >= deadline {
                return;
            }
            self.look_at_the_wall();
            let next = self.now() + 100_000_000;
            self.recorder.clock().sleep_until(next.min(deadline)).await;
        }
    }
}

/// Whether a step does something, rather than wait for something.
fn acts(action: &Action) -> bool {
    match action {
        Action::Expect(_)
        | Action::Never(_)
        | Action::ExpectConnection(_)
        | Action::ExpectRooms { .. } => false,
        Action::Together(steps) => steps.iter().any(|step| acts(&step.action)),
        Action::Connect { .. }
        | Action::Disconnect { .. }
        | Action::Emit(_)
        | Action::Server(_)
        | Action::Raw(_)
        | Action::Advance(_)
        | Action::Fault { .. }
        | Action::Heal(_) => true,
    }
}
