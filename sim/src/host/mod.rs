//! Drives the core server over streams: HTTP by hyper, WebSocket by tungstenite.
//!
//! One [`Host`] owns the machine. Connections hand it what arrived, and it puts what the machine
//! says into outboxes and slots, from where the connections' own tasks take it; nothing in here
//! waits while the machine is borrowed.

pub(crate) mod config;
pub(crate) mod observe;
pub(crate) mod serve;
pub(crate) mod visit;
pub(crate) mod watch;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;

use overheard_core::app::{App, Hosted};
use overheard_core::engine::{EngineConfig, Input, Output, Response};
use overheard_core::time::Instant;
use overheard_core::wire::{Frame, RequestId, WsId};
use smol_str::SmolStr;
use tokio::sync::Notify;

pub(crate) use self::observe::{Act, EPOCH, OWN_TOKENS, Recorded, SERVER};
use self::watch::{Outlet as _, Watch, Witness as _};
use crate::net::websocket::Closing;
use crate::signal::Signal;

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

struct State<A, W: Watch> {
    hosted: Hosted<A>,
    witness: W::Witness,
    /// By number; numbers are not used again.
    sockets: BTreeMap<WsId, Rc<W::Outlet>>,
    next_socket: u64,
    requests: BTreeMap<RequestId, Rc<Slot>>,
    next_request: u64,
    acts: VecDeque<W::Act>,
}

/// A server process.
pub(crate) struct Host<A, W: Watch> {
    watch: W,
    state: RefCell<State<A, W>>,
    engine: EngineConfig,
    /// The time that the clerk waits for.
    armed: Cell<u64>,
    news: Notify,
    dead: Cell<bool>,
    closed: Cell<bool>,
    closing: Notify,
}

impl<A, W: Watch> fmt::Debug for Host<A, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("dead", &self.dead.get()).finish_non_exhaustive()
    }
}

impl<A: App, W: Watch> Host<A, W> {
    /// A process with this machine in it.
    pub(crate) fn new(hosted: Hosted<A>, engine: EngineConfig, watch: W) -> Rc<Self> {
        let state = State {
            hosted,
            witness: watch.witness(),
            sockets: BTreeMap::new(),
            next_socket: 0,
            requests: BTreeMap::new(),
            next_request: 0,
            acts: VecDeque::new(),
        };
        Rc::new(Self {
            watch,
            state: RefCell::new(state),
            engine,
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

    /// Options of the layer below.
    pub(crate) const fn engine(&self) -> &EngineConfig {
        &self.engine
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
        self.watch.now()
    }

    /// Hands in what happened on a connection of `client`.
    pub(crate) fn input(&self, client: Option<u32>, input: Input) {
        if self.dead.get() {
            return;
        }
        let mut state = self.state.borrow_mut();
        state.witness.set_client(client);
        if let Err(error) = state.hosted.handle(self.now(), input) {
            self.watch.broken(format!("the server's host: {error}"));
        }
        self.drain(&mut state);
    }

    /// Takes what waits for a WebSocket whose outlet was told so, and has not taken it then.
    pub(crate) fn take_frames(&self, ws: WsId, frames: &mut Vec<Frame>) {
        let mut state = self.state.borrow_mut();
        self.watch.take_frames(&mut state.hosted, ws, frames);
        self.drain(&mut state);
    }

    /// The stream of a WebSocket is gone, and the machine knows: nothing is kept for it.
    pub(crate) fn leave(&self, ws: WsId) {
        self.state.borrow_mut().sockets.remove(&ws);
        self.take_frames(ws, &mut Vec::new());
    }

    /// What stands between the machine and the stream of a WebSocket.
    pub(crate) fn outlet(&self, ws: WsId) -> Option<Rc<W::Outlet>> {
        self.state.borrow().outlet(ws)
    }

    /// The application acts on its own account, soon.
    pub(crate) fn act(&self, act: W::Act) {
        self.state.borrow_mut().acts.push_back(act);
        self.news.notify_one();
    }

    fn carry_out(&self, state: &mut State<A, W>, mut act: W::Act) {
        let commands = self.watch.begin(&mut act, state.hosted.server());
        state.witness.set_client(None);
        if let Err(error) = state.hosted.command(self.now(), commands) {
            self.watch.broken(format!("the server's host: {error}"));
        }
        self.drain(state);
        if self.watch.closes(&act) {
            self.closed.set(true);
            self.closing.notify_one();
        }
        self.watch.end(&act);
    }

    fn drain(&self, state: &mut State<A, W>) {
        while let Some(output) = state.hosted.poll_output(&mut state.witness) {
            self.perform(state, output);
        }
        for (ws, frame) in self.watch.extra() {
            if let Some(outlet) = state.outlet(ws) {
                outlet.announce(|frames| frames.push(frame));
            }
        }
        let next = state.hosted.poll_timeout().map_or(u64::MAX, |(at, _)| at.as_nanos());
        if next < self.armed.get() {
            self.news.notify_one();
        }
    }

    fn perform(&self, state: &mut State<A, W>, output: Output) {
        match output {
            Output::Respond { request, mut response } => {
                if let Some(slot) = state.requests.remove(&request) {
                    self.watch.response(&slot.session, &mut response);
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
                state.sockets.remove(&ws);
                if let Some(slot) = state.requests.remove(&ws_slot(ws)) {
                    slot.put(Answer::Respond(response));
                }
            }
            Output::WsSend(ws) => {
                if let Some(outlet) = state.outlet(ws) {
                    outlet.announce(|frames| self.watch.take_frames(&mut state.hosted, ws, frames));
                }
            }
            Output::WsClose { ws, code } => {
                if let Some(outlet) = state.sockets.remove(&ws) {
                    outlet.close(Closing::Close(code));
                }
            }
            Output::WsBreak { ws, bytes } => {
                if let Some(outlet) = state.sockets.remove(&ws) {
                    outlet.close(Closing::Break(bytes));
                }
            }
        }
    }

    /// Carries out acts and timeouts, for as long as the process lives.
    pub(crate) async fn clerk(self: Rc<Self>) {
        loop {
            let next = self.see(Hosted::poll_timeout).map(|(at, _)| at);
            self.armed.set(next.map_or(u64::MAX, Instant::as_nanos));
            match next {
                None => self.news.notified().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.news.notified() => {}
                        () = self.watch.sleep_until(at) => {}
                    }
                }
            }
            if self.dead.get() {
                return;
            }
            if next.is_some_and(|at| at <= self.now()) {
                self.input(None, Input::Timeout);
            }
            let mut state = self.state.borrow_mut();
            while let Some(act) = state.acts.pop_front() {
                self.carry_out(&mut state, act);
            }
        }
    }
}

impl<A, W: Watch> State<A, W> {
    fn outlet(&self, ws: WsId) -> Option<Rc<W::Outlet>> {
        self.sockets.get(&ws).cloned()
    }

    /// A WebSocket asks to be let in: its number, and where the answer waits.
    fn open_socket(&mut self) -> (WsId, Rc<Slot>) {
        let ws = WsId(self.next_socket);
        self.next_socket += 1;
        self.sockets.insert(ws, Rc::default());
        let slot = Rc::new(Slot::default());
        self.requests.insert(ws_slot(ws), slot.clone());
        (ws, slot)
    }

    /// A request arrives: its number, and where its answers wait.
    fn open_request(&mut self, session: SmolStr) -> (RequestId, Rc<Slot>) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let slot = Rc::new(Slot { session, ..Slot::default() });
        self.requests.insert(id, slot.clone());
        (id, slot)
    }
}

/// The slot of a WebSocket that has not been accepted; those of requests are below.
const fn ws_slot(ws: WsId) -> RequestId {
    RequestId(u64::MAX / 2 + ws.0)
}
