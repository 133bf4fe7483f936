//! The server machine under raw transport inputs, beside a bystander who must notice nothing; all
//! that is left at the end is the bystander's (P03, P19).

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use overheard_core::app::{App, Hosted};
use overheard_core::chat::{Chat, ChatConfig, Gate};
use overheard_core::engine::{Body, Input, Method, Output, RequestHead};
use overheard_core::id::IdSource;
use overheard_core::server::{
    Command, Event, EventName, Flags, Matcher, NamespaceConfig, ParentConfig, RecoveryConfig,
    Selection, Server, ServerConfig, ServerLimits, Verdict,
};
use overheard_core::time::{Duration, Instant};
use overheard_core::wire::{Frame, RequestId, WsEnd, WsId};

/// Stands between two inputs: a byte that no UTF-8 has.
const NEXT_INPUT: u8 = 0xff;
/// Stands between two text frames that arrive together.
const NEXT_FRAME: u8 = 0xfe;
/// The bystander's namespace, and its request and WebSocket numbers from here on.
const QUIET: &str = "/quiet";
const BYSTANDER: u64 = 1 << 40;
/// Outputs of one input, and deadlines of one wait.
const MAX_OUTPUTS: usize = 100_000;

/// The first byte chooses options, the rest is a sequence of inputs: a letter and its data.
pub(crate) fn run(data: &[u8]) {
    let Some((&options, inputs)) = data.split_first() else { return };
    let mut host = Host::new(options);
    for input in inputs.split(|byte| *byte == NEXT_INPUT) {
        host.input(input);
        host.serve_bystander();
    }
    host.finish();
}

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

/// The chat application, with a namespace that nobody but the first may enter.
struct Guarded {
    chat: Chat,
    is_taken: bool,
    uses_sockets: bool,
}

impl App for Guarded {
    fn on_event(&mut self, event: Event, server: &Server, commands: &mut Vec<Command>) {
        match event {
            Event::Middleware { socket, nsp, .. } if nsp == QUIET => {
                let verdict = if self.is_taken { Verdict::RefuseSilently } else { Verdict::Allow };
                self.is_taken = true;
                commands.push(Command::Next { socket, verdict });
            }
            Event::NamespaceRequested { ticket, name, .. } => {
                let allow = name.starts_with("/dyn");
                commands.push(Command::AllowNamespace { ticket, allow });
            }
            Event::SocketMiddleware { ticket, event, .. } => match event.first() {
                // Some wait for ever, and go with their socket.
                Some(name) if name.as_str() == Some("hold") => {}
                Some(name) if name.as_str() == Some("reject") => {
                    commands.push(Command::NextEvent { ticket, verdict: Err("no".into()) });
                }
                _ => commands.push(Command::NextEvent { ticket, verdict: Ok(None) }),
            },
            Event::Connection { socket, .. } if self.uses_sockets => {
                commands.push(Command::UseSocket(socket));
                commands.push(Command::Subscribe { socket, incoming: true, outgoing: true });
                self.chat.on_event(event, server, commands);
            }
            event => self.chat.on_event(event, server, commands),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.chat.poll_timeout()
    }

    fn on_timeout(&mut self, now: Instant, server: &Server, commands: &mut Vec<Command>) {
        self.chat.on_timeout(now, server, commands);
    }
}

/// The transport of everybody.
struct Host {
    server: Hosted<Guarded>,
    now: Instant,
    requests: u64,
    websockets: u64,
    /// Requests without an answer, and those whose body is wanted.
    pending: BTreeSet<RequestId>,
    wanted: VecDeque<RequestId>,
    /// WebSockets that were not refused or closed.
    open: BTreeSet<WsId>,
    last: WsId,
    holds_flush: bool,
    unflushed: BTreeSet<WsId>,
    /// The last session id that the attacker was told, its last recovery id, and the last offset.
    sid: String,
    pid: String,
    offset: String,
    bystander: Bystander,
}

struct Bystander {
    /// The query of its requests, if it polls.
    query: Option<String>,
    got: Vec<String>,
}

impl Host {
    fn new(options: u8) -> Self {
        let has = |bit: u8| options >> bit & 1 == 1;
        let mut config = if has(0) { ServerConfig::reference() } else { ServerConfig::default() };
        config.recovery = has(1).then(RecoveryConfig::default);
        config.main.room_events = has(2);
        let guard = NamespaceConfig { middlewares: 1, ..NamespaceConfig::default() };
        config.namespaces.push((QUIET.into(), guard));
        let namespace = NamespaceConfig { room_events: has(2), ..NamespaceConfig::default() };
        config.parents.push(ParentConfig { matcher: Matcher::Ask, namespace });
        config.cleanup_empty_child_namespaces = true;
        if has(6) {
            config.engine.max_http_buffer_size = 100;
            config.engine.limits.buffered_bytes = 300;
            config.limits = ServerLimits {
                rooms_per_socket: 3,
                room_name_bytes: 8,
                namespaces_per_connection: 3,
                namespaces: 5,
                pending_acks: 2,
                pending_events: 2,
                recovery_packets: 2,
            };
        }
        let auth_delay = Duration::from_secs(if has(4) { 3 } else { 0 });
        let gate = Gate { token: Some("t".into()), seats: Some(1), auth_delay };
        let chat = ChatConfig::supervised(gate);
        chat.apply(&mut config);
        let app = Guarded { chat: Chat::new(chat), is_taken: false, uses_sockets: has(7) };
        let now = Instant::from_millis(1_000_000);
        let (ids, socket_ids) = (Box::new(Counting(0)), Box::new(Counting(1 << 32)));
        let mut host = Self {
            server: Hosted::new(Server::new(config, ids, socket_ids, now), app),
            now,
            requests: 0,
            websockets: 0,
            pending: BTreeSet::new(),
            wanted: VecDeque::new(),
            open: BTreeSet::new(),
            last: WsId(0),
            holds_flush: false,
            unflushed: BTreeSet::new(),
            sid: String::new(),
            pid: String::new(),
            offset: String::new(),
            bystander: Bystander { query: None, got: Vec::new() },
        };
        host.bring_bystander(has(3));
        host.holds_flush = has(5);
        host
    }

    // The bystander

    fn bring_bystander(&mut self, polls: bool) {
        if polls {
            let query = "EIO=4&transport=polling";
            self.get_as_bystander(query);
            let handshake = self.bystander.got.concat();
            let sid = handshake.split('"').nth(3).unwrap_or_default();
            self.bystander.query = Some(format!("{query}&sid={sid}"));
        } else {
            let ws = WsId(BYSTANDER);
            let head = head(Method::Get, "EIO=4&transport=websocket", &[]);
            self.open.insert(ws);
            self.feed(Input::WsRequest { ws, head });
        }
        self.bystander.got.clear();
        self.say("40/quiet,");
        self.serve_bystander_until_quiet();
        let got = std::mem::take(&mut self.bystander.got).concat();
        assert!(got.starts_with("40/quiet,{\"sid\""), "the bystander is let in: {got}");
    }

    fn get_as_bystander(&mut self, query: &str) {
        self.requests += 1;
        let request = RequestId(BYSTANDER + self.requests);
        self.pending.insert(request);
        self.feed(Input::Request { request, head: head(Method::Get, query, &[]) });
    }

    fn say(&mut self, packet: &'static str) {
        let Some(query) = self.bystander.query.clone() else {
            let frames = vec![Frame::text(packet)];
            return self.feed(Input::WsFrames { ws: WsId(BYSTANDER), frames });
        };
        self.requests += 1;
        let request = RequestId(BYSTANDER + self.requests);
        self.pending.insert(request);
        self.feed(Input::Request { request, head: head(Method::Post, &query, &[]) });
        self.feed(Input::Body { request, body: Body::Complete(packet.as_bytes().into()) });
    }

    fn is_polling_pending(&self) -> bool {
        self.pending.range(RequestId(BYSTANDER)..).next().is_some()
    }

    /// Answers pings, polls again; everything else that comes stays in its records.
    fn serve_bystander_until_quiet(&mut self) {
        for _ in 0..100 {
            let pings = self.bystander.got.iter().filter(|packet| *packet == "2").count();
            self.bystander.got.retain(|packet| packet != "2" && packet != "6");
            for _ in 0..pings {
                self.say("3");
            }
            let query = self.bystander.query.clone();
            match query.filter(|_| !self.is_polling_pending()) {
                Some(query) => self.get_as_bystander(&query),
                None if pings == 0 => return,
                None => {}
            }
        }
        assert!(self.bystander.got.is_empty(), "the bystander is never left alone");
    }

    fn serve_bystander(&mut self) {
        self.serve_bystander_until_quiet();
        assert!(self.bystander.got.is_empty(), "heard: {:?}", self.bystander.got);
    }

    // The attacker

    fn input(&mut self, input: &[u8]) {
        let Some((&letter, data)) = input.split_first() else { return };
        let text = || String::from_utf8_lossy(data).into_owned();
        match letter {
            b'g' => self.request(Method::Get, &text()),
            b'o' => self.request(Method::Other, &text()),
            b'q' => self.request(Method::Post, &text()),
            b'p' => {
                let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
                self.request(Method::Post, &String::from_utf8_lossy(&data[..at]));
                self.body(&data[data.len().min(at + 1)..]);
            }
            b'b' => self.body(data),
            b'l' => {
                if let Some(request) = self.wanted.pop_front() {
                    self.feed(Input::Body { request, body: Body::TooLarge });
                }
            }
            b'a' => {
                let oldest = self.pending.range(..RequestId(BYSTANDER)).next().copied();
                if let Some(request) = oldest {
                    self.abort(request);
                }
            }
            b'w' => {
                let query = self.query(&text(), "websocket");
                self.websockets += 1;
                let ws = WsId(self.websockets);
                self.last = ws;
                self.open.insert(ws);
                self.feed(Input::WsRequest { ws, head: head(Method::Get, &query, &[]) });
            }
            b'y' => {
                let frames = vec![Frame::Binary(Bytes::copy_from_slice(data))];
                self.frames(frames);
            }
            b'f' => {
                self.unflushed.remove(&self.last);
                self.feed(Input::WsFlushed(self.last));
            }
            b'c' => {
                let end = match data.first() {
                    None => WsEnd::Closed,
                    Some(b'l') => WsEnd::TooLarge,
                    Some(_) => WsEnd::ProtocolError("broken".into()),
                };
                self.close(self.last, end);
            }
            b'n' => {
                // The one before: two connections take turns.
                self.last = WsId(self.last.0.saturating_sub(1).max(1));
            }
            b'x' => self.broadcast(),
            b'z' => {
                let tenths: u64 = data.iter().take(4).map(|byte| u64::from(*byte)).sum();
                self.wait(Duration::from_millis(100 * tenths));
            }
            _ => {
                let texts = input.split(|byte| *byte == NEXT_FRAME);
                let frame = |text: &[u8]| Frame::text(self.text(text));
                self.frames(texts.map(frame).collect());
            }
        }
    }

    /// A text in which `^` stands for what a client that comes back would say (CSR-05).
    fn text(&self, text: &[u8]) -> String {
        let (pid, offset) = (&self.pid, &self.offset);
        let auth = || format!("{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}");
        let text = String::from_utf8_lossy(text);
        if text.contains('^') { text.replace('^', &auth()) } else { text.into_owned() }
    }

    /// A query in full: nothing is a handshake, `~` the last session, also in a longer query.
    fn query(&self, query: &str, transport: &str) -> String {
        match query {
            "" => format!("EIO=4&transport={transport}"),
            "~" => format!("EIO=4&transport={transport}&sid={}", self.sid),
            query => query.replace('~', &self.sid),
        }
    }

    fn request(&mut self, method: Method, query: &str) {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.pending.insert(request);
        let (query, is_binary) = match query.strip_prefix('*') {
            Some(query) => (self.query(query, "polling"), true),
            None => (self.query(query, "polling"), false),
        };
        let binary: &[_] = &[("content-type", "application/octet-stream")];
        let head = head(method, &query, if is_binary { binary } else { &[] });
        self.feed(Input::Request { request, head });
    }

    fn body(&mut self, body: &[u8]) {
        if let Some(request) = self.wanted.pop_front() {
            let has_auth = body.contains(&b'^');
            let bytes = || Bytes::copy_from_slice(body);
            let body = if has_auth { self.text(body).into() } else { bytes() };
            self.feed(Input::Body { request, body: Body::Complete(body) });
        }
    }

    fn abort(&mut self, request: RequestId) {
        self.pending.remove(&request);
        self.wanted.retain(|wanted| *wanted != request);
        self.feed(Input::RequestAborted(request));
    }

    fn frames(&mut self, frames: Vec<Frame>) {
        self.feed(Input::WsFrames { ws: self.last, frames });
    }

    fn close(&mut self, ws: WsId, end: WsEnd) {
        // A message that is too large is the server's to close.
        if end != WsEnd::TooLarge {
            self.open.remove(&ws);
        }
        self.feed(Input::WsClosed { ws, end });
    }

    /// The application asks everybody in `/`, and waits for two seconds.
    fn broadcast(&mut self) {
        let (selection, name) = (Selection::namespace("/"), EventName::message());
        let timeout = Some(Duration::from_secs(2));
        let token = overheard_core::server::Token(u64::MAX);
        let ack = Some(overheard_core::server::AckRequest { token, timeout });
        let (args, flags) = (Vec::new(), Flags::default());
        self.command(Command::Broadcast { selection, name, args, flags, ack });
    }

    // The machine

    fn command(&mut self, command: Command) {
        let result = self.server.command(self.now, vec![command]);
        assert_eq!(result, Ok(()), "the contract is kept");
        self.drain();
    }

    fn feed(&mut self, input: Input) {
        let result = self.server.handle(self.now, input);
        assert_eq!(result, Ok(()), "the contract is kept");
        self.drain();
        while let Some(ws) = self.next_flush() {
            let result = self.server.handle(self.now, Input::WsFlushed(ws));
            assert_eq!(result, Ok(()), "the contract is kept");
            self.drain();
        }
    }

    fn next_flush(&mut self) -> Option<WsId> {
        let from = WsId(if self.holds_flush { BYSTANDER } else { 0 });
        let ws = self.unflushed.range(from..).next().copied()?;
        self.unflushed.take(&ws)
    }

    fn drain(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.server.poll_output(&mut ()) {
                Some(output) => self.perform(output),
                None => return,
            }
        }
        assert_eq!(self.server.poll_output(&mut ()), None, "P19: no end of outputs");
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Respond { request, response } => {
                assert!(self.pending.remove(&request), "EIO-POLL-07: {request:?} answered twice");
                let body = String::from_utf8_lossy(&response.body);
                let is_poll = response.status == 200 && body != "ok";
                for packet in body.split('\u{1e}').filter(|_| is_poll) {
                    self.on_packet(request.0, packet);
                }
            }
            Output::ReadBody { request, .. } => {
                assert!(self.pending.contains(&request), "the body of an answered request");
                if request.0 < BYSTANDER {
                    self.wanted.push_back(request);
                }
            }
            Output::Destroy(request) => {
                assert!(self.pending.remove(&request), "EIO-POLL-02: {request:?} has an answer");
                self.wanted.retain(|wanted| *wanted != request);
            }
            Output::WsAccept(ws) => assert!(self.open.contains(&ws), "{ws:?} has ended"),
            Output::WsSend(ws) => {
                let mut frames = Vec::new();
                self.server.take_frames(ws, &mut frames);
                for frame in frames {
                    match frame {
                        Frame::Text(text) => self.on_packet(ws.0, &text),
                        Frame::Binary(_) => self.on_packet(ws.0, "binary"),
                    }
                }
                self.unflushed.insert(ws);
            }
            Output::WsReject { ws, .. }
            | Output::WsClose { ws, .. }
            | Output::WsBreak { ws, .. } => {
                assert!(self.open.remove(&ws), "EIO-WS-04: {ws:?} is closed twice");
                assert!(ws.0 < BYSTANDER, "the bystander is thrown out");
            }
        }
    }

    fn on_packet(&mut self, number: u64, packet: &str) {
        if number >= BYSTANDER {
            self.bystander.got.push(packet.to_owned());
        } else if let Some(rest) = packet.strip_prefix("0{\"sid\":\"") {
            self.sid = rest.split('"').next().unwrap_or_default().to_owned();
        } else if let Some((_, rest)) = packet.split_once("\"pid\":\"") {
            self.pid = rest.split('"').next().unwrap_or_default().to_owned();
        } else if let Some(offset) = packet.strip_suffix("\"]") {
            self.offset = offset.rsplit('"').next().unwrap_or_default().to_owned();
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..MAX_OUTPUTS {
            let Some((at, _)) = self.server.poll_timeout().filter(|(at, _)| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.feed(Input::Timeout);
            self.serve_bystander();
        }
        assert!(self.now >= end, "P19: no end of deadlines");
    }

    /// The attacker's connections end, and all their timers fire.
    fn finish(&mut self) {
        for request in self.pending.range(..RequestId(BYSTANDER)).copied().collect::<Vec<_>>() {
            self.abort(request);
        }
        for ws in self.open.range(..WsId(BYSTANDER)).copied().collect::<Vec<_>>() {
            self.close(ws, WsEnd::Closed);
        }
        self.wait(Duration::from_secs(300));
        let stats = self.server.server().stats();
        let (engine, owed) = (stats.engine, stats.acks + stats.broadcast_acks + stats.waiting);
        let polls = usize::from(self.bystander.query.is_some());
        assert_eq!((engine.sessions, stats.clients, stats.connected), (1, 1, 1), "P03: {stats:?}");
        assert_eq!((engine.requests, engine.websockets), (polls, 1 - polls), "P03: {stats:?}");
        assert_eq!((engine.timers, engine.frames, stats.timers), (1, 0, 0), "P03: {stats:?}");
        assert_eq!((stats.namespaces, stats.rooms, stats.memberships), (3, 1, 1), "P03: {stats:?}");
        assert_eq!((stats.sessions, stats.packets, owed), (0, 0, 0), "P03: {stats:?}");
        assert_eq!((stats.pending_events, stats.pending_namespaces), (0, 0), "P03: {stats:?}");
        let (selection, name) = (Selection::namespace(QUIET), EventName::message());
        let (args, flags) = (Vec::new(), Flags::default());
        self.command(Command::Broadcast { selection, name, args, flags, ack: None });
        self.serve_bystander_until_quiet();
        let got = self.bystander.got.concat();
        assert!(got.starts_with("42/quiet,[\"message\""), "the bystander is deaf: {got}");
    }
}

fn head(method: Method, query: &str, headers: &[(&str, &str)]) -> RequestHead {
    let headers = headers.iter().map(|(key, value)| ((*key).into(), (*value).into()));
    RequestHead {
        method,
        path: "/socket.io/".into(),
        query: query.into(),
        headers: headers.collect(),
    }
}
