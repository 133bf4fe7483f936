//! Drives the core server over streams: HTTP by hyper, WebSocket by tungstenite.
//!
//! One [`Host`] owns the machine. Connections hand it what arrived, and it puts what the machine
//! says into outboxes and slots, from where the connections' own tasks take it; nothing in here
//! waits while the machine is borrowed.

pub(crate) mod config;
mod observe;
pub(crate) mod serve;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;

use overheard_core::app::{App, Hosted};
use overheard_core::engine::{EngineConfig, Input, Output, Response};
use overheard_core::server::Command;
use overheard_core::time::Instant;
use overheard_core::wire::{Frame, RequestId, WsId};
use smol_str::SmolStr;
use tokio::sync::Notify;

pub(crate) use self::observe::OWN_TOKENS;
use self::observe::Watch;
use crate::history::{Action, Counters, What};
use crate::net::websocket::{Closing, Outbox};
use crate::recorder::Recorder;
use crate::sabotage::Bug;
use crate::signal::Signal;

/// Who writes the server's events.
pub(crate) const SERVER: SmolStr = SmolStr::new_static("server");

/// What the server's clock shows at the beginning of a run, in nanoseconds since the Unix epoch:
/// 2023-11-14. Recovery offsets are made of the time; with a real one, an ordinary word is not
/// mistaken for one.
pub(crate) const EPOCH: u64 = 1_700_000_000_000_000_000;

/// What the machine has to say about a request.
#[derive(Debug)]
enum Answer {
    Respond(Response),
    ReadBody(usize),
    Destroy,
    Accept,
}

/// Where the task of a request waits for it.
#[derive(Debug, Default)]
struct Slot {
    /// The session that the request names.
    session: SmolStr,
    answers: RefCell<VecDeque<Answer>>,
    news: Signal,
}

impl Slot {
    fn put(&self, answer: Answer) {
        self.answers.borrow_mut().push_back(answer);
        self.news.raise();
    }

    async fn next(&self) -> Answer {
        loop {
            let seen = self.news.count();
            let next = self.answers.borrow_mut().pop_front();
            if let Some(answer) = next {
                return answer;
            }
            self.news.changed(seen).await;
        }
    }
}

/// Something that the application does on its own account.
#[derive(Debug)]
pub(crate) struct Act {
    /// The number of the operation.
    pub(crate) op: u64,
    /// As it is written down.
    pub(crate) action: Action,
    /// As it is carried out.
    pub(crate) commands: Vec<Command>,
    /// Whether the end of the operation comes later, with its answers.
    pub(crate) waits: bool,
}

struct State<A> {
    hosted: Hosted<A>,
    watch: Watch,
    /// By number; numbers are not used again.
    sockets: Vec<Option<Rc<Outbox>>>,
    requests: BTreeMap<RequestId, Rc<Slot>>,
    next_request: u64,
    acts: VecDeque<Act>,
}

/// A server process.
pub(crate) struct Host<A> {
    recorder: Recorder,
    state: RefCell<State<A>>,
    engine: EngineConfig,
    bug: Bug,
    /// The time that the clerk waits for.
    armed: Cell<u64>,
    news: Notify,
    dead: Cell<bool>,
    closed: Cell<bool>,
    closing: Notify,
}

impl<A> fmt::Debug for Host<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("dead", &self.dead.get()).finish_non_exhaustive()
    }
}

impl<A: App> Host<A> {
    /// A process with this machine in it.
    pub(crate) fn new(
        hosted: Hosted<A>,
        engine: EngineConfig,
        bug: Bug,
        recorder: Recorder,
    ) -> Rc<Self> {
        let state = State {
            hosted,
            watch: Watch::new(recorder.clone()),
            sockets: Vec::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            acts: VecDeque::new(),
        };
        Rc::new(Self {
            recorder,
            state: RefCell::new(state),
            engine,
            bug,
            armed: Cell::new(u64::MAX),
            news: Notify::new(),
            dead: Cell::new(false),
            closed: Cell::new(false),
            closing: Notify::new(),
        })
    }

    /// It has died: nothing reaches the machine any more.
    pub(crate) fn die(&self) {
        self.dead.set(true);
    }

    /// Whether it has died.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Whether it has closed its door.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Looks at the machine.
    pub(crate) fn see<T>(&self, see: impl FnOnce(&Hosted<A>) -> T) -> T {
        see(&self.state.borrow().hosted)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(EPOCH.saturating_add(self.recorder.clock().now()))
    }

    /// Hands in what happened on a connection of `client`.
    fn input(&self, client: Option<u32>, input: Input) {
        if self.dead.get() {
            return;
        }
        let mut state = self.state.borrow_mut();
        state.watch.client = client;
        if let Err(error) = state.hosted.handle(self.now(), input) {
            self.recorder.broken(format!("the server's host: {error}"));
        }
        self.drain(&mut state);
    }

    /// The application acts on its own account, soon.
    pub(crate) fn act(&self, act: Act) {
        self.state.borrow_mut().acts.push_back(act);
        self.news.notify_one();
    }

    fn carry_out(&self, state: &mut State<A>, act: Act) {
        let Act { op, action, mut commands, waits } = act;
        let closes = action == Action::Close;
        let step = self.recorder.op(op).and_then(|op| op.step);
        self.recorder.write(SERVER, What::Acted { op, action }, None, step);
        state.watch.client = None;
        self.bug.commands(&mut commands, state.hosted.server());
        if let Err(error) = state.hosted.command(self.now(), commands) {
            self.recorder.broken(format!("the server's host: {error}"));
        }
        self.drain(state);
        if closes {
            self.closed.set(true);
            self.recorder.set_troubled(true);
            self.closing.notify_one();
        }
        if !waits {
            self.recorder.done(op);
        }
    }

    fn drain(&self, state: &mut State<A>) {
        while let Some(output) = state.hosted.poll_output(&mut state.watch) {
            self.perform(state, output);
        }
        for (ws, frame) in self.bug.extra() {
            if let Some(outbox) = state.outbox(ws) {
                outbox.fill(|frames| frames.push(frame));
            }
        }
        let next = state.hosted.poll_timeout().map_or(u64::MAX, |(at, _)| at.as_nanos());
        if next < self.armed.get() {
            self.news.notify_one();
        }
    }

    fn perform(&self, state: &mut State<A>, output: Output) {
        match output {
            Output::Respond { request, mut response } => {
                if let Some(slot) = state.requests.remove(&request) {
                    self.bug.response(&slot.session, &mut response);
                    slot.put(Answer::Respond(response));
                }
            }
            Output::ReadBody { request, limit } => {
                if let Some(slot) = state.requests.get(&request) {
                    slot.put(Answer::ReadBody(limit));
                }
            }
            Output::Destroy(request) => {
                if let Some(slot) = state.requests.remove(&request) {
                    slot.put(Answer::Destroy);
                }
            }
            Output::WsAccept(ws) => {
                if let Some(slot) = state.requests.remove(&ws_slot(ws)) {
                    slot.put(Answer::Accept);
                }
            }
            Output::WsReject { ws, response } => {
                state.forget(ws);
                if let Some(slot) = state.requests.remove(&ws_slot(ws)) {
                    slot.put(Answer::Respond(response));
                }
            }
            Output::WsSend(ws) => {
                if let Some(outbox) = state.outbox(ws) {
                    outbox.fill(|frames| self.take_frames(state, ws, frames));
                }
            }
            Output::WsClose { ws, code } => {
                if let Some(outbox) = state.forget(ws) {
                    outbox.close(Closing::Close(code));
                }
            }
            Output::WsBreak { ws, bytes } => {
                if let Some(outbox) = state.forget(ws) {
                    outbox.close(Closing::Break(bytes));
                }
            }
        }
    }

    fn take_frames(&self, state: &mut State<A>, ws: WsId, frames: &mut Vec<Frame>) {
        if !self.bug.is_planted() {
            return state.hosted.take_frames(ws, frames);
        }
        let mut taken = Vec::new();
        state.hosted.take_frames(ws, &mut taken);
        self.bug.frames(ws, &mut taken);
        frames.append(&mut taken);
    }

    /// Carries out acts and timeouts, for as long as the process lives.
    pub(crate) async fn clerk(self: Rc<Self>) {
        loop {
            let next = self.see(Hosted::poll_timeout).map(|(at, _)| at.as_nanos());
            self.armed.set(next.unwrap_or(u64::MAX));
            match next.map(|at| at.saturating_sub(EPOCH)) {
                None => self.news.notified().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.news.notified() => {}
                        () = self.recorder.clock().sleep_until(at) => {}
                    }
                }
            }
            if self.dead.get() {
                return;
            }
            if next.is_some_and(|at| at <= self.now().as_nanos()) {
                self.input(None, Input::Timeout);
            }
            let mut state = self.state.borrow_mut();
            while let Some(act) = state.acts.pop_front() {
                self.carry_out(&mut state, act);
            }
        }
    }

    /// How much it holds.
    pub(crate) fn counters(&self, last: bool) -> Counters {
        let stats = self.see(|hosted| hosted.server().stats());
        let count = |number: usize| number as u64;
        Counters {
            connections: count(stats.clients.max(stats.engine.sessions)),
            sockets: count(stats.connected + stats.waiting),
            rooms: count(stats.rooms),
            memberships: count(stats.memberships),
            acks: count(stats.acks + stats.broadcast_acks),
            dynamic_namespaces: count(stats.dynamic_namespaces),
            buffered_bytes: count(stats.engine.buffered_bytes),
            timers: count(stats.timers + stats.engine.timers),
            last,
        }
    }
}

impl<A: App> State<A> {
    fn outbox(&self, ws: WsId) -> Option<Rc<Outbox>> {
        self.sockets.get(usize::try_from(ws.0).ok()?)?.clone()
    }

    fn forget(&mut self, ws: WsId) -> Option<Rc<Outbox>> {
        self.sockets.get_mut(usize::try_from(ws.0).ok()?)?.take()
    }
}

/// The slot of a WebSocket that has not been accepted; those of requests are below.
const fn ws_slot(ws: WsId) -> RequestId {
    RequestId(u64::MAX / 2 + ws.0)
}
