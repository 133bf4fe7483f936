//! A server and its clients, all machines of core, joined by a network in virtual time.
//!
//! What one machine wants done is an input of the other, after the latency of the way: nothing
//! here knows the protocol. Each way of each client keeps its order, as one TCP connection would.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "each test binary uses a part of it, looks at few of many kinds, and panics to fail"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Write as _};

use bytes::Bytes;
use overheard_core::app::{App, Hosted, Observer};
use overheard_core::chat::{Chat, ChatConfig};
use overheard_core::client::{
    AckStyle, AckToken, Client, ClientConfig, Command, Emit, Event, Input, Output, Random,
    SocketHandle, SocketOptions,
};
use overheard_core::codec::sio::json;
use overheard_core::engine::{Body, Input as Up, Method, Output as Down};
use overheard_core::server::{Command as Order, Event as Told, Server, ServerConfig, ServerStats};
use overheard_core::time::{Duration, Instant};
use overheard_core::value::{Object, Value};
use overheard_core::wire::{RequestId, WsEnd, WsId};

use crate::support::{CountingIds, head};

/// Outputs of one input, and steps of one run, after which a machine counts as caught in a loop.
const MAX_OUTPUTS: usize = 100_000;
const MAX_STEPS: usize = 1_000_000;

/// A number per client, so that a run repeats itself.
#[derive(Debug)]
struct Dice(u64);

impl Random for Dice {
    fn next_f64(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(1_u32 << 31)
    }
}

/// A rolling hash (FNV-1a) of everything that crossed the wire and of every event, in order.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) hash: u64,
    pub(crate) entries: u64,
}

impl Trace {
    fn add(&mut self, at: Instant, who: &str, what: &impl Debug) {
        self.entries += 1;
        writeln!(self, "{at} {who} {what:?}").unwrap();
    }
}

impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

/// Something on its way.
#[derive(Debug)]
enum Parcel {
    Up(Up),
    Down(Input),
}

/// The two ways between a client and the server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    /// How long what the client sends takes.
    pub(crate) up: Duration,
    /// How long what the server sends takes.
    pub(crate) down: Duration,
    /// Whether what is sent from now on is lost, without anybody being told.
    pub(crate) is_dead: bool,
    /// When the last of each way arrives: nothing overtakes it.
    last_up: Instant,
    last_down: Instant,
}

/// A client and its end of the wire.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) client: Client,
    pub(crate) link: Link,
    /// What the application was told, until it is taken.
    pub(crate) events: Vec<Event>,
    /// What every question of the server is answered with.
    pub(crate) answer: Option<Vec<Value>>,
    /// Requests and WebSockets so far.
    pub(crate) requests: usize,
    pub(crate) websockets: usize,
    pending: BTreeSet<RequestId>,
    open: BTreeSet<WsId>,
}

/// What the server's application was told, in words, and everything in the hash.
#[derive(Debug)]
struct Log {
    now: Instant,
    trace: Trace,
    told: Vec<String>,
}

impl Observer for Log {
    fn on_event(&mut self, event: &Told, _: &Server) {
        self.trace.add(self.now, "server", event);
        self.told.extend(match event {
            Told::Connection { nsp, recovered: false, .. } => Some(format!("connection {nsp}")),
            Told::Connection { nsp, .. } => Some(format!("recovery {nsp}")),
            Told::ConnectRefused { nsp, message, .. } => Some(format!("refused {nsp} {message}")),
            Told::Disconnected { nsp, reason, .. } => Some(format!("disconnect {nsp} {reason}")),
            Told::Refused(error) => Some(format!("no: {error}")),
            _ => None,
        });
    }

    fn on_command(&mut self, command: &Order, _: &Server) {
        self.trace.add(self.now, "app", command);
    }
}

/// A server and its clients.
#[derive(Debug)]
pub(crate) struct Pair<A> {
    pub(crate) server: Hosted<A>,
    pub(crate) now: Instant,
    pub(crate) peers: Vec<Peer>,
    log: Log,
    /// By arrival, then in the order in which it was sent; with the client's number.
    travel: BTreeMap<(Instant, u64), (usize, Parcel)>,
    sent: u64,
    bodies: BTreeMap<RequestId, Bytes>,
}

impl Pair<Chat> {
    /// The chat application.
    pub(crate) fn chat(chat: ChatConfig, mut config: ServerConfig) -> Self {
        chat.apply(&mut config);
        Self::new(config, Chat::new(chat))
    }
}

impl<A: App> Pair<A> {
    pub(crate) fn new(config: ServerConfig, app: A) -> Self {
        let now = Instant::from_millis(1_700_000_000_000);
        let (ids, socket_ids) = (Box::new(CountingIds(0)), Box::new(CountingIds(1 << 32)));
        let trace = Trace { hash: 0xcbf2_9ce4_8422_2325, entries: 0 };
        Self {
            server: Hosted::new(Server::new(config, ids, socket_ids, now), app),
            now,
            peers: Vec::new(),
            log: Log { now, trace, told: Vec::new() },
            travel: BTreeMap::new(),
            sent: 0,
            bodies: BTreeMap::new(),
        }
    }

    /// Adds a client without a connection.
    pub(crate) fn client(&mut self, config: ClientConfig) -> usize {
        let number = self.peers.len();
        let dice = Box::new(Dice(number as u64 + 1));
        self.peers.push(Peer {
            client: Client::new(config, dice, self.now),
            link: Link::default(),
            events: Vec::new(),
            answer: None,
            requests: 0,
            websockets: 0,
            pending: BTreeSet::new(),
            open: BTreeSet::new(),
        });
        number
    }

    /// Makes the socket of a namespace and lets it connect.
    pub(crate) fn connect(&mut self, peer: usize, nsp: &str, auth: Option<&str>) -> SocketHandle {
        let options = SocketOptions { auth: auth.map(object), ..SocketOptions::default() };
        let socket = self.peers[peer].client.socket(nsp, options).unwrap();
        self.command(peer, Command::Connect { socket });
        socket
    }

    /// A client with a socket in `/` that is connected, and nothing in its records.
    pub(crate) fn person(&mut self, config: ClientConfig) -> (usize, SocketHandle) {
        let peer = self.client(config);
        let socket = self.connect(peer, "/", None);
        self.run_until("a connected person", |pair| pair.sid(peer, socket).is_some());
        self.heard(peer);
        (peer, socket)
    }

    pub(crate) fn sid(&self, peer: usize, socket: SocketHandle) -> Option<String> {
        self.peers[peer].client.sid(socket).map(ToString::to_string)
    }

    pub(crate) fn command(&mut self, peer: usize, command: Command) {
        self.log.trace.add(self.now, &format!("client {peer}"), &command);
        self.tell(peer, Input::Command(command));
    }

    /// Emits an event whose arguments are written as JSON.
    pub(crate) fn emit(&mut self, peer: usize, socket: SocketHandle, name: &str, args: &str) {
        let emit = Emit::new(name, array(args));
        self.command(peer, Command::Emit { socket, emit });
    }

    /// The same, with a wish for an answer within ten seconds.
    pub(crate) fn ask(
        &mut self,
        peer: usize,
        socket: SocketHandle,
        name: &str,
        args: &str,
        token: u64,
    ) {
        let timeout = Some(Duration::from_secs(10));
        let emit = Emit::new(name, array(args));
        let emit = emit.with_ack(AckToken(token), AckStyle::Callback, timeout);
        self.command(peer, Command::Emit { socket, emit });
    }

    /// The application wants something on its own account.
    pub(crate) fn order(&mut self, orders: Vec<Order>) {
        self.server.command(self.now, orders).expect("the server's contract is kept");
        self.drain_server();
    }

    // Time

    /// When the next thing happens.
    fn next(&self) -> Option<Instant> {
        let travel = self.travel.keys().next().map(|(at, _)| *at);
        let server = self.server.poll_timeout().map(|(at, _)| at);
        let peers = self.peers.iter().filter_map(|peer| Some(peer.client.poll_timeout()?.0));
        travel.into_iter().chain(server).chain(peers).min()
    }

    /// Lets the next thing happen, if it does by `end`: an arrival first, then a deadline.
    fn step(&mut self, end: Instant) -> bool {
        let Some(at) = self.next().filter(|at| *at <= end) else { return false };
        self.now = self.now.max(at);
        self.log.now = self.now;
        let now = self.now;
        if let Some(entry) = self.travel.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                (peer, Parcel::Up(input)) => self.arrive(peer, input),
                (peer, Parcel::Down(input)) => self.deliver(peer, input),
            }
        } else if self.server.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.arrive(0, Up::Timeout);
        } else {
            let is_due = |peer: &Peer| peer.client.poll_timeout().is_some_and(|(at, _)| at <= now);
            let peer = self.peers.iter().position(is_due).expect("somebody's deadline");
            self.tell(peer, Input::Timeout);
        }
        true
    }

    /// Lets time pass, from deadline to deadline.
    #[track_caller]
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..MAX_STEPS {
            if !self.step(end) {
                self.now = end;
                self.log.now = end;
                return;
            }
        }
        panic!("{MAX_STEPS} steps and only {} of {end}: the machines are in a loop", self.now);
    }

    /// Lets a second pass: longer than any exchange of these tests.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        self.run_for(Duration::from_secs(1));
    }

    /// Lets time pass until something holds, for ten minutes at most.
    #[track_caller]
    pub(crate) fn run_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(600);
        for _ in 0..MAX_STEPS {
            if holds(self) {
                return;
            }
            assert!(self.step(end), "{what}: still not so at {end}, and nothing else happens");
        }
        panic!("{what}: still not so after {MAX_STEPS} steps, at {}", self.now);
    }

    // The network

    fn send_up(&mut self, peer: usize, input: Up) {
        let link = &mut self.peers[peer].link;
        self.log.trace.add(self.now, &format!("{peer} up"), &input);
        if !link.is_dead {
            link.last_up = link.last_up.max(self.now + link.up);
            let at = link.last_up;
            self.post(at, peer, Parcel::Up(input));
        }
    }

    fn send_down(&mut self, peer: usize, input: Input) {
        let link = &mut self.peers[peer].link;
        self.log.trace.add(self.now, &format!("{peer} down"), &input);
        if !link.is_dead {
            link.last_down = link.last_down.max(self.now + link.down);
            let at = link.last_down;
            self.post(at, peer, Parcel::Down(input));
        }
    }

    fn post(&mut self, at: Instant, peer: usize, parcel: Parcel) {
        self.travel.insert((at, self.sent), (peer, parcel));
        self.sent += 1;
    }

    /// The network between a client and the server breaks, and both notice at once.
    pub(crate) fn cut(&mut self, peer: usize) {
        self.travel.retain(|_, (owner, _)| *owner != peer);
        let (pending, open) = (self.peers[peer].pending.clone(), self.peers[peer].open.clone());
        for request in pending {
            self.post(self.now, peer, Parcel::Up(Up::RequestAborted(above(peer, request))));
            self.post(self.now, peer, Parcel::Down(Input::HttpFailed { request }));
        }
        for ws in open {
            let up = Up::WsClosed { ws: ws_above(peer, ws), end: WsEnd::Closed };
            self.post(self.now, peer, Parcel::Up(up));
            self.post(self.now, peer, Parcel::Down(Input::WsClosed { ws, end: WsEnd::Closed }));
        }
    }

    // The client's end

    /// Something arrives at a client, unless the client gave it up meanwhile.
    fn deliver(&mut self, number: usize, input: Input) {
        let peer = &mut self.peers[number];
        let is_wanted = match &input {
            Input::HttpResponse { request, .. } | Input::HttpFailed { request } => {
                peer.pending.remove(request)
            }
            Input::WsClosed { ws, .. } => peer.open.remove(ws),
            Input::WsOpened { ws } | Input::WsFrames { ws, .. } | Input::WsFlushed { ws } => {
                peer.open.contains(ws)
            }
            Input::Command(_) | Input::Timeout => true,
        };
        if is_wanted {
            self.tell(number, input);
        }
    }

    fn tell(&mut self, peer: usize, input: Input) {
        self.peers[peer].client.handle(self.now, input).expect("the client's contract is kept");
        for _ in 0..MAX_OUTPUTS {
            match self.peers[peer].client.poll_output() {
                Some(output) => self.on_client(peer, output),
                None => return self.answer_questions(peer),
            }
        }
        panic!("client {peer} gives {MAX_OUTPUTS} outputs to one input");
    }

    fn on_client(&mut self, number: usize, output: Output) {
        let peer = &mut self.peers[number];
        match output {
            Output::HttpGet { request, query } => {
                peer.requests += 1;
                peer.pending.insert(request);
                let head = head(Method::Get, &query, &[]);
                self.send_up(number, Up::Request { request: above(number, request), head });
            }
            Output::HttpPost { request, query, body } => {
                peer.requests += 1;
                peer.pending.insert(request);
                let head = head(Method::Post, &query, &[]);
                let request = above(number, request);
                self.log.trace.add(self.now, "body", &body);
                self.bodies.insert(request, body.into_bytes());
                self.send_up(number, Up::Request { request, head });
            }
            Output::HttpAbort { request } => {
                peer.pending.remove(&request);
                self.send_up(number, Up::RequestAborted(above(number, request)));
            }
            Output::OpenWs { ws, query } => {
                peer.websockets += 1;
                peer.open.insert(ws);
                let head = head(Method::Get, &query, &[]);
                self.send_up(number, Up::WsRequest { ws: ws_above(number, ws), head });
            }
            Output::WsSend { ws, frames } => {
                self.send_up(number, Up::WsFrames { ws: ws_above(number, ws), frames });
                self.post(self.now, number, Parcel::Down(Input::WsFlushed { ws }));
            }
            Output::WsClose { ws } => {
                peer.open.remove(&ws);
                let ws = ws_above(number, ws);
                self.send_up(number, Up::WsClosed { ws, end: WsEnd::Closed });
            }
            Output::Event(event) => {
                self.log.trace.add(self.now, &format!("client {number}"), &event);
                peer.events.push(event);
            }
        }
    }

    /// The application of a client answers what it was asked.
    fn answer_questions(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        let Some(args) = peer.answer.clone() else { return };
        let mut questions = Vec::new();
        for event in &mut peer.events {
            if let Event::Received { ack, .. } = event {
                questions.extend(ack.take());
            }
        }
        for ack in questions {
            self.command(number, Command::Answer { ack, args: args.clone() });
        }
    }

    // The server's end

    fn arrive(&mut self, peer: usize, input: Up) {
        if let Up::RequestAborted(request) = &input {
            self.bodies.remove(request);
        }
        self.server.handle(self.now, input).unwrap_or_else(|error| panic!("{peer}: {error}"));
        self.drain_server();
    }

    fn drain_server(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.server.poll_output(&mut self.log) {
                Some(output) => self.on_server(output),
                None => return,
            }
        }
        panic!("the server gives {MAX_OUTPUTS} outputs to one input");
    }

    fn on_server(&mut self, output: Down) {
        match output {
            Down::Respond { request, response } => {
                self.bodies.remove(&request);
                let (peer, request) = below(request);
                let (status, body) = (response.status, response.body);
                self.send_down(peer, Input::HttpResponse { request, status, body });
            }
            Down::ReadBody { request, limit } => {
                let body = self.bodies.remove(&request).expect("a POST has a body, read once");
                let is_fit = body.len() <= limit;
                let body = if is_fit { Body::Complete(body) } else { Body::TooLarge };
                self.post(self.now, below(request).0, Parcel::Up(Up::Body { request, body }));
            }
            Down::Destroy(request) => {
                let (peer, request) = below(request);
                self.send_down(peer, Input::HttpFailed { request });
            }
            Down::WsAccept(ws) => {
                let (peer, ws) = ws_below(ws);
                self.send_down(peer, Input::WsOpened { ws });
            }
            Down::WsSend(id) => {
                let ((peer, ws), mut frames) = (ws_below(id), Vec::new());
                self.server.take_frames(id, &mut frames);
                self.send_down(peer, Input::WsFrames { ws, frames });
                self.post(self.now, peer, Parcel::Up(Up::WsFlushed(id)));
            }
            Down::WsReject { ws, .. } | Down::WsClose { ws, .. } => {
                let (peer, ws) = ws_below(ws);
                self.send_down(peer, Input::WsClosed { ws, end: WsEnd::Closed });
            }
            Down::WsBreak { ws, .. } => {
                let (peer, ws) = ws_below(ws);
                let end = WsEnd::ProtocolError("no frame".into());
                self.send_down(peer, Input::WsClosed { ws, end });
            }
        }
    }

    // Records

    pub(crate) const fn trace(&self) -> &Trace {
        &self.log.trace
    }

    pub(crate) fn stats(&self) -> ServerStats {
        self.server.server().stats()
    }

    /// What the server's application was told since the last look: who came, and who went.
    pub(crate) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log.told)
    }

    /// What a client's application was told since the last look, in words; heartbeats and the
    /// connection's own events are left out.
    pub(crate) fn heard(&mut self, number: usize) -> Vec<String> {
        let peer = &mut self.peers[number];
        let events = std::mem::take(&mut peer.events);
        let nsp = |socket| peer.client.nsp(socket).unwrap().as_str();
        let words = |args| json::stringify(&Value::Array(args));
        let lines = events.into_iter().filter_map(|event| match event {
            Event::Connected { socket, recovered, .. } => {
                let recovered = if recovered { " recovered" } else { "" };
                Some(format!("{} connect{recovered}", nsp(socket)))
            }
            Event::ConnectError { socket, message, .. } => {
                Some(format!("{} connect_error: {message}", nsp(socket)))
            }
            Event::Received { socket, name, args, .. } => {
                Some(format!("{} {name} {}", nsp(socket), words(args)))
            }
            Event::Acked { socket, token, result } => {
                let result = result.map_or_else(|error| error.to_string(), words);
                Some(format!("{} ack {}: {result}", nsp(socket), token.0))
            }
            Event::Disconnected { socket, reason, .. } => {
                Some(format!("{} disconnect: {reason}", nsp(socket)))
            }
            _ => None,
        });
        lines.collect()
    }
}

/// The number that the server's host gives to a request of a client, and the way back.
const fn above(peer: usize, request: RequestId) -> RequestId {
    RequestId(((peer as u64) << 32) | request.0)
}

fn below(request: RequestId) -> (usize, RequestId) {
    let peer = usize::try_from(request.0 >> 32).unwrap();
    (peer, RequestId(request.0 & u64::from(u32::MAX)))
}

const fn ws_above(peer: usize, ws: WsId) -> WsId {
    WsId(((peer as u64) << 32) | ws.0)
}

fn ws_below(ws: WsId) -> (usize, WsId) {
    let (peer, RequestId(id)) = below(RequestId(ws.0));
    (peer, WsId(id))
}

pub(crate) fn array(text: &str) -> Vec<Value> {
    json::parse(text).unwrap().as_array().unwrap().to_vec()
}

pub(crate) fn object(text: &str) -> Object {
    json::parse(text).unwrap().as_object().unwrap().clone()
}
