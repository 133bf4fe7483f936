//! A server and raw clients in virtual time, for tests that speak the wire protocol.

use std::collections::BTreeMap;

use overheard_core::engine::{Input as Transport, Method, Response};
use overheard_core::server::{
    AckRequest, Command, Event, EventName, Flags, Input, Output, Selection, Server, ServerConfig,
    SocketRef, Token,
};
use overheard_core::time::{Duration, Instant};
use overheard_core::value::Value;
use overheard_core::wire::{Frame, RequestId, WsId};

use super::{CountingIds, Frames as _, Got, Wire, complete, text, ws_closed};

/// What the application answers to an event.
pub(crate) type React = Box<dyn FnMut(&Event, &Server) -> Vec<Command>>;

/// A server, what it has told its application, and the wires to its clients.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    pub(crate) wire: Wire,
    /// All events since the last [`World::take_events`].
    pub(crate) events: Vec<Event>,
    pub(crate) react: React,
    /// While set, written frames are not reported as flushed: transports stay busy.
    pub(crate) hold_flush: bool,
    unflushed: Vec<WsId>,
    /// Frames of closed messages by WebSocket are read through [`World::rx`].
    pub(crate) last_socket: Option<SocketRef>,
    sids: BTreeMap<WsId, String>,
}

impl World {
    /// A world with these options and an application that does nothing.
    pub(crate) fn new(config: ServerConfig) -> Self {
        let now = Instant::from_millis(1_700_000_000_000);
        let (ids, socket_ids) = (Box::new(CountingIds(0)), Box::new(CountingIds(1 << 32)));
        Self {
            server: Server::new(config, ids, socket_ids, now),
            now,
            wire: Wire::default(),
            events: Vec::new(),
            react: Box::new(|_, _| Vec::new()),
            hold_flush: false,
            unflushed: Vec::new(),
            last_socket: None,
            sids: BTreeMap::new(),
        }
    }

    /// Sets what the application answers.
    pub(crate) fn react(&mut self, react: impl FnMut(&Event, &Server) -> Vec<Command> + 'static) {
        self.react = Box::new(react);
    }

    /// Hands in one input, and carries out everything that follows from it.
    pub(crate) fn feed(&mut self, input: Transport) {
        self.server.handle(self.now, Input::Transport(input)).expect("the contract is kept");
        self.drain();
        self.flush();
    }

    /// Hands in commands of the application.
    pub(crate) fn command(&mut self, commands: impl IntoIterator<Item = Command>) {
        let commands = commands.into_iter().collect();
        self.server.handle(self.now, Input::Commands(commands)).expect("the contract is kept");
        self.drain();
        self.flush();
    }

    fn drain(&mut self) {
        for _ in 0..1_000_000 {
            match self.server.poll_output() {
                None => return,
                Some(Output::Event(event)) => {
                    if let Event::Connection { socket, .. } = &event {
                        self.last_socket = Some(*socket);
                    }
                    let commands = (self.react)(&event, &self.server);
                    self.events.push(event);
                    self.server.handle(self.now, Input::Commands(commands)).unwrap();
                }
                Some(Output::Transport(output)) => {
                    if let Some(ws) = self.wire.perform(output) {
                        let frames = self.server.take(ws);
                        self.wire.receive(ws, frames);
                        self.unflushed.push(ws);
                    }
                }
            }
        }
        panic!("the machine does not come to rest");
    }

    /// Reports written frames as flushed, until nothing is on its way.
    pub(crate) fn flush(&mut self) {
        while !self.hold_flush
            && let Some(ws) = self.unflushed.pop()
        {
            self.server.handle(self.now, Input::Transport(Transport::WsFlushed(ws))).unwrap();
            self.drain();
        }
    }

    /// Lets time pass, firing timers at their deadlines.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((at, _)) = self.server.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.feed(Transport::Timeout);
        }
        self.now = end;
    }

    /// Lets milliseconds pass.
    pub(crate) fn advance_ms(&mut self, ms: u64) {
        self.advance(Duration::from_millis(ms));
    }

    /// Opens a WebSocket session; its open packet is read already.
    pub(crate) fn open(&mut self) -> WsId {
        let (ws, input) = self.wire.websocket("EIO=4&transport=websocket");
        self.feed(input);
        let open = self.rx(ws);
        assert_eq!(open[0], "OPEN");
        self.sids.insert(ws, open[1].clone());
        ws
    }

    /// Opens a WebSocket session and enters `/`.
    pub(crate) fn join(&mut self) -> (WsId, SocketRef) {
        let ws = self.open();
        let socket = self.enter(ws, "/");
        (ws, socket)
    }

    /// Enters a namespace; the reply is read already.
    pub(crate) fn enter(&mut self, ws: WsId, nsp: &str) -> SocketRef {
        self.last_socket = None;
        let connect = if nsp == "/" { "40".to_owned() } else { format!("40{nsp},") };
        self.tx(ws, [connect]);
        let reply = self.rx(ws);
        assert!(reply.iter().any(|frame| frame.starts_with("40")), "not let in: {reply:?}");
        self.last_socket.expect("a socket")
    }

    /// Sends text frames that arrive together.
    pub(crate) fn tx<S: Into<String>>(&mut self, ws: WsId, frames: impl IntoIterator<Item = S>) {
        let frames = frames.into_iter().map(|text| Frame::text(text.into())).collect();
        self.feed(Transport::WsFrames { ws, frames });
    }

    /// Sends any frames that arrive together.
    pub(crate) fn tx_frames(&mut self, ws: WsId, frames: Vec<Frame>) {
        self.feed(Transport::WsFrames { ws, frames });
    }

    /// What a WebSocket received since the last look: text frames as they are, binary ones as
    /// `<hex>`, `OPEN`, `CLOSE:<code>`, `HTTP <status> <body>`, `BROKEN`.
    pub(crate) fn rx(&mut self, ws: WsId) -> Vec<String> {
        let got = self.wire.inboxes.get_mut(&ws).expect("a WebSocket").drain(..);
        got.map(|got| match got {
            Got::Open => "OPEN".into(),
            Got::Frame(Frame::Text(text)) => text.to_string(),
            Got::Frame(Frame::Binary(data)) => format!("<{}>", super::vectors::hex(&data)),
            Got::Http(status, body) => format!("HTTP {status} {body}"),
            Got::Broken => "BROKEN".into(),
            Got::Close(code) => format!("CLOSE:{code}"),
        })
        .collect()
    }

    /// The client cuts its WebSocket.
    pub(crate) fn cut(&mut self, ws: WsId) {
        self.feed(ws_closed(ws));
    }

    /// Starts a request; a wanted body is handed in at once.
    pub(crate) fn http(&mut self, method: Method, query: &str, body: &str) -> RequestId {
        let (request, input) = self.wire.request(method, query, &[]);
        self.feed(input);
        while let Some((request, _)) = self.wire.bodies_wanted.pop_front() {
            self.feed(complete(request, body.to_owned()));
        }
        request
    }

    /// Opens a polling session; returns its query string.
    pub(crate) fn open_polling(&mut self) -> String {
        let request = self.http(Method::Get, "EIO=4&transport=polling", "");
        let body = text(&self.wire.responses[&request]);
        let open = overheard_core::codec::sio::json::parse(&body[1..]).unwrap();
        let sid = open.as_object().unwrap().get("sid").unwrap().as_str().unwrap();
        format!("EIO=4&transport=polling&sid={sid}")
    }

    /// A GET that is answered at once: status and body.
    pub(crate) fn get(&mut self, query: &str) -> (u16, String) {
        let request = self.http(Method::Get, query, "");
        self.answer(request).expect("an answer")
    }

    /// A POST that is answered at once: status and body.
    pub(crate) fn post(&mut self, query: &str, body: &str) -> (u16, String) {
        let request = self.http(Method::Post, query, body);
        self.answer(request).expect("an answer")
    }

    /// The answer to a request, if there is one yet.
    pub(crate) fn answer(&self, request: RequestId) -> Option<(u16, String)> {
        self.wire
            .responses
            .get(&request)
            .map(|response: &Response| (response.status, text(response)))
    }

    /// The events since the last look, without those of the engine.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        let events = std::mem::take(&mut self.events).into_iter();
        events.filter(|event| !matches!(event, Event::Engine(_))).collect()
    }

    /// The id of a socket.
    pub(crate) fn sid(&self, socket: SocketRef) -> String {
        self.server.sid(socket).expect("a live socket").to_string()
    }
}

/// `socket.emit(name, ...args)`.
pub(crate) fn emit(socket: SocketRef, name: &str, args: Vec<Value>) -> Command {
    let name = EventName::new(name).unwrap();
    Command::Emit { socket, name, args, flags: Flags::default(), ack: None }
}

/// An operator's `emit(name)`.
pub(crate) fn broadcast(selection: Selection, name: &str) -> Command {
    let name = EventName::new(name).unwrap();
    Command::Broadcast { selection, name, args: Vec::new(), flags: Flags::default(), ack: None }
}

/// A wish for an answer.
pub(crate) fn ack(token: u64, timeout_ms: Option<u64>) -> Option<AckRequest> {
    let timeout = timeout_ms.map(Duration::from_millis);
    Some(AckRequest { token: Token(token), timeout })
}
