//! Drives core clients over streams, and writes down what their applications do and are told.
//!
//! One [`Peer`] owns the machine of one client. Its own task carries out commands and timeouts;
//! each request and each WebSocket has a task of its own, which hands in what arrives.

mod events;
mod links;
pub(crate) mod raw;
mod tap;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use overheard_core::client::{
    AckRequest, AckStyle, AckToken, Client, ClientConfig, Command, Emit, Input, OffsetRule, Output,
    Quirks, Random, SocketHandle, SocketOptions, Transport,
};
use overheard_core::value::{Object, Value};
use overheard_core::wire::{RequestId, WsId};
use smol_str::SmolStr;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::links::Pool;
use crate::history::{Args, Operation, What};
use crate::host::EPOCH;
use crate::net::Network;
use crate::net::switchboard::End;
use crate::net::websocket::{Closing, Outbox};
use crate::plan::{Answer, ClientPlan, TransportName};
use crate::recorder::Recorder;
use crate::rng::Stream;
use crate::run::wall::unix_millis;

/// What the conductor asks of a peer.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Enter a namespace.
    Connect { op: u64, nsp: SmolStr, auth: Option<Object> },
    /// Leave a namespace.
    Disconnect { op: u64, nsp: SmolStr },
    /// Emit an event.
    Emit { op: u64, nsp: SmolStr, event: SmolStr, args: Args, how: How },
    /// Leave for good.
    Close,
}

/// How an event is emitted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    pub(crate) ack: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) volatile: bool,
}

/// Seeded chance.
#[derive(Debug)]
struct Chance(Stream);

impl Random for Chance {
    fn next_f64(&mut self) -> f64 {
        // 53 bits are what a number of this kind can tell apart.
        let bits = u32::try_from(self.0.next_u64() >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

struct State {
    client: Client,
    sockets: BTreeMap<SmolStr, SocketHandle>,
    /// Connects that wait to be let in or refused.
    connecting: BTreeMap<SocketHandle, Vec<u64>>,
    /// The operation whose command is being carried out.
    current: Option<u64>,
    wishes: VecDeque<Wish>,
    /// Commands that events led to, for when the machine is drained.
    replies: Vec<Command>,
    /// Operations that were answered since the wire was last looked at.
    acked: Vec<u64>,
    /// Which operation each answer on the wire was for.
    answered: BTreeMap<(SmolStr, u64), u64>,
    outboxes: BTreeMap<WsId, Rc<Outbox>>,
    tasks: BTreeMap<RequestId, AbortHandle>,
    dials: BTreeMap<WsId, AbortHandle>,
}

/// A client.
pub(crate) struct Peer {
    name: SmolStr,
    number: u32,
    answer: Answer,
    reconnection: bool,
    /// Which texts are recovery offsets that the server appended.
    offsets: Option<fn(&str) -> bool>,
    recorder: Recorder,
    network: Rc<dyn Network>,
    end: Rc<End>,
    pool: Pool,
    state: RefCell<State>,
    /// Whether a namespace has ever refused it.
    refused: Cell<bool>,
    armed: Cell<u64>,
    news: Notify,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Peer {
    /// A client that does nothing yet; [`Peer::run`] has to be spawned where it lives.
    ///
    /// # Errors
    /// In words: a namespace of its plan cannot be.
    pub(crate) fn new(
        plan: &ClientPlan,
        offsets: Option<fn(&str) -> bool>,
        (network, end): (Rc<dyn Network>, Rc<End>),
        recorder: Recorder,
    ) -> Result<Rc<Self>, String> {
        let chance = Chance(Stream::new(plan.seed, "backoff"));
        let now = recorder.clock().instant();
        let mut client = Client::new(client_config(plan, offsets), Box::new(chance), now);
        let mut sockets = BTreeMap::new();
        for nsp in &plan.namespaces {
            let (auth, retries, ack_timeout) = (nsp.auth.clone(), plan.retries, plan.ack_timeout);
            let options = SocketOptions { auth, retries, ack_timeout };
            let socket = client.socket(&nsp.name, options);
            let socket = socket.map_err(|refusal| format!("{}: {refusal}", nsp.name))?;
            sockets.insert(SmolStr::from(&*nsp.name), socket);
        }
        let state = State {
            client,
            sockets,
            connecting: BTreeMap::new(),
            current: None,
            wishes: VecDeque::new(),
            replies: Vec::new(),
            acked: Vec::new(),
            answered: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            tasks: BTreeMap::new(),
            dials: BTreeMap::new(),
        };
        Ok(Rc::new(Self {
            name: plan.name.as_str().into(),
            number: end.client().unwrap_or(u32::MAX),
            answer: plan.answer.clone(),
            reconnection: plan.reconnection,
            offsets,
            recorder,
            network,
            end,
            pool: Pool::default(),
            state: RefCell::new(state),
            refused: Cell::new(false),
            armed: Cell::new(u64::MAX),
            news: Notify::new(),
        }))
    }

    /// Asks something of it, soon.
    pub(crate) fn wish(&self, wish: Wish) {
        self.state.borrow_mut().wishes.push_back(wish);
        self.news.notify_one();
    }

    /// The transport that it uses.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.state.borrow().client.transport()
    }

    /// Whether a socket of it wants to be connected, is not, and may become so.
    pub(crate) fn is_on_its_way(&self) -> bool {
        let state = self.state.borrow();
        let waits = |socket: &SocketHandle| {
            state.client.is_active(*socket) && state.client.sid(*socket).is_none()
        };
        !state.client.is_idle() && state.sockets.values().any(waits)
    }

    /// Namespaces in which it has a socket that is connected.
    pub(crate) fn connected(&self) -> Vec<SmolStr> {
        let state = self.state.borrow();
        let sockets = state.sockets.iter();
        let connected = sockets.filter(|(_, socket)| state.client.sid(**socket).is_some());
        connected.map(|(nsp, _)| nsp.clone()).collect()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.borrow().client.is_idle()
    }

    /// Carries out wishes and timeouts, for ever.
    pub(crate) async fn run(self: Rc<Self>) {
        loop {
            let next = self.state.borrow().client.poll_timeout().map(|(at, _)| at.as_nanos());
            self.armed.set(next.unwrap_or(u64::MAX));
            match next {
                None => self.news.notified().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.news.notified() => {}
                        () = self.recorder.clock().sleep_until(at) => {}
                    }
                }
            }
            if next.is_some_and(|at| at <= self.recorder.clock().now()) {
                self.input(Input::Timeout);
            }
            loop {
                let next = self.state.borrow_mut().wishes.pop_front();
                let Some(wish) = next else { break };
                self.fulfil(wish);
            }
        }
    }

    fn fulfil(self: &Rc<Self>, wish: Wish) {
        match wish {
            Wish::Connect { op, nsp, auth } => {
                let Some(socket) = self.socket(op, &nsp) else { return };
                let operation = Operation::Connect { nsp, auth: auth.clone().map(Value::Object) };
                self.recorder.invoke(&self.name, op, operation);
                if self.state.borrow().client.sid(socket).is_some() {
                    return self.recorder.finish(&self.name, op, ok(op, Args::default()));
                }
                self.state.borrow_mut().connecting.entry(socket).or_default().push(op);
                self.input(Input::Command(Command::SetAuth { socket, auth }));
                self.input(Input::Command(Command::Connect { socket }));
            }
            Wish::Disconnect { op, nsp } => {
                let Some(socket) = self.socket(op, &nsp) else { return };
                self.recorder.invoke(&self.name, op, Operation::Disconnect { nsp });
                self.input(Input::Command(Command::Disconnect { socket }));
                self.recorder.finish(&self.name, op, ok(op, Args::default()));
            }
            Wish::Emit { op, nsp, event, args, how } => self.emit(op, nsp, event, args, how),
            Wish::Close => self.input(Input::Command(Command::Close)),
        }
    }

    fn emit(self: &Rc<Self>, op: u64, nsp: SmolStr, event: SmolStr, args: Args, how: How) {
        let Some(socket) = self.socket(op, &nsp) else { return };
        let (ack, volatile) = (how.ack, how.volatile);
        let emit = Emit {
            name: event.to_string(),
            args: args.to_vec(),
            ack: ack.then_some(AckRequest {
                token: AckToken(op),
                style: AckStyle::Callback,
                timeout: how.timeout,
            }),
            volatile,
        };
        let operation = Operation::Emit { nsp, event, args, ack, volatile };
        self.recorder.invoke(&self.name, op, operation);
        self.state.borrow_mut().current = Some(op);
        self.input(Input::Command(Command::Emit { socket, emit }));
        self.state.borrow_mut().current = None;
        if !ack {
            self.recorder.done(op);
        }
    }

    /// The socket of a namespace; an operation without one ends at once.
    fn socket(&self, op: u64, nsp: &str) -> Option<SocketHandle> {
        let socket = self.state.borrow().sockets.get(nsp).copied();
        if socket.is_none() {
            self.recorder.broken(format!("{} has no socket in {nsp}", self.name));
            self.recorder.done(op);
        }
        socket
    }

    /// Hands in what happened.
    fn input(self: &Rc<Self>, input: Input) {
        let mut state = self.state.borrow_mut();
        self.handle(&mut state, input);
        while !state.replies.is_empty() {
            for command in std::mem::take(&mut state.replies) {
                self.handle(&mut state, Input::Command(command));
            }
        }
        let next = state.client.poll_timeout().map_or(u64::MAX, |(at, _)| at.as_nanos());
        if next < self.armed.get() {
            self.news.notify_one();
        }
    }

    fn handle(self: &Rc<Self>, state: &mut State, input: Input) {
        if let Err(error) = state.client.handle(self.recorder.clock().instant(), input) {
            self.recorder.broken(format!("the host of {}: {error}", self.name));
        }
        while let Some(output) = state.client.poll_output() {
            match output {
                Output::Event(event) => self.on_event(state, event),
                Output::HttpGet { request, query } => self.send(state, request, &query, None),
                Output::HttpPost { request, query, body } => {
                    self.send(state, request, &query, Some(body.into_bytes()));
                }
                Output::HttpAbort { request } => {
                    if let Some(task) = state.tasks.remove(&request) {
                        task.abort();
                    }
                }
                Output::OpenWs { ws, query } => self.open(state, ws, &query),
                Output::WsSend { ws, frames } => {
                    if let Some(outbox) = state.outboxes.get(&ws) {
                        outbox.fill(|into| into.extend(frames));
                    }
                }
                Output::WsClose { ws } => {
                    if let Some(dial) = state.dials.remove(&ws) {
                        dial.abort();
                    }
                    if let Some(outbox) = state.outboxes.remove(&ws) {
                        outbox.close(Closing::Close(None));
                    }
                }
            }
        }
    }
}

fn ok(op: u64, values: Args) -> What {
    What::Ok { op, values }
}

fn client_config(plan: &ClientPlan, offsets: Option<fn(&str) -> bool>) -> ClientConfig {
    let transports = plan.transports.iter().map(|name| match name {
        TransportName::Polling => Transport::Polling,
        TransportName::WebSocket => Transport::WebSocket,
    });
    ClientConfig {
        transports: transports.collect(),
        upgrade: plan.upgrade,
        reconnection: plan.reconnection,
        reconnection_delay: plan.reconnection_delay,
        reconnection_delay_max: plan.reconnection_delay_max,
        quirks: Quirks {
            offsets: OffsetRule::Only(offsets.unwrap_or(|_| false)),
            ..Quirks::default()
        },
        ..ClientConfig::default()
    }
}

/// Whether a text is a recovery offset of this server: a time since its clock began, within a
/// range of years, in base 64, perhaps with a number behind. A word of seven letters is one with a
/// chance of less than a hundredth.
pub(crate) fn is_offset(text: &str) -> bool {
    let start = EPOCH / 1_000_000;
    is_offset_of(text, start..start + MOST_MILLIS)
}

/// The same for a server whose clock is real.
pub(crate) fn is_real_offset(text: &str) -> bool {
    let now = unix_millis();
    is_offset_of(text, now.saturating_sub(REAL_MILLIS)..now.saturating_add(REAL_MILLIS))
}

/// The same for a guest, whose clock is its own affair.
pub(crate) fn is_offset_of_a_guest(text: &str) -> bool {
    is_offset(text) || is_real_offset(text)
}

fn is_offset_of(text: &str, times: Range<u64>) -> bool {
    let (time, place) =
        text.split_once('.').map_or((text, None), |(time, place)| (time, Some(place)));
    from_yeast(time).is_some_and(|millis| times.contains(&millis))
        && place.is_none_or(|place| from_yeast(place).is_some())
}

/// An hour: longer than any run in real time, and than clocks differ on one machine.
const REAL_MILLIS: u64 = 3_600_000;

/// Fifty days: longer than any run.
const MOST_MILLIS: u64 = 50 * 24 * 3_600_000;

fn from_yeast(text: &str) -> Option<u64> {
    const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = ALPHABET.iter().position(|digit| *digit == byte)?;
        Some(number * 64 + digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_of_this_server_are_offsets() {
        assert!(!is_offset("hello"));
        assert!(!is_offset("goodbye"));
        assert!(!is_offset(""));
        assert_eq!(from_yeast("10"), Some(64));
        let mut millis = EPOCH / 1_000_000 + 5;
        let mut text = Vec::new();
        while millis > 0 {
            let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
            text.insert(0, alphabet[usize::try_from(millis % 64).unwrap()]);
            millis /= 64;
        }
        let text = String::from_utf8(text).unwrap();
        assert!(is_offset(&text), "{text}");
        assert!(is_offset(&format!("{text}.3")));
        assert!(!is_offset(&format!("{text}.")));
    }
}
