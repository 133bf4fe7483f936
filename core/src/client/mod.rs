//! The JavaScript client's behaviour as one pure state machine: a Manager with one connection and
//! the sockets of its namespaces (`CLI-11`).
//!
//! A [`Client`] is driven like the server: [`Client::handle`] takes what happened,
//! [`Client::poll_output`] gives what to do until there is nothing more, [`Client::poll_timeout`]
//! says when to come back. It follows socket.io-client and engine.io-client of version 4.8 / 6.6,
//! packet by packet, with the exception of mistakes that would make a faultless server look
//! faulty. It differs from the reference in this:
//!
//! - Each packet is handled to its end before the next one; the reference defers listeners, so
//!   that an event in front of a broken packet is delivered with the next connection.
//! - A connection that is closed before its handshake fails at once, not at the timeout.
//! - CONNECT is sent once per connection until it is answered (the reference lets the server
//!   accept two sockets, `SIO-CONN-08`).
//! - Events that came before a CONNECT that never came are forgotten; a recovery brings them again.
//! - A late answer to an event of an earlier connection is dropped, not sent in front of CONNECT.
//! - An emit while the connection closes is held back, not lost; a volatile one without a
//!   connection is always dropped (the reference asks the transport that was lost).
//! - `Open` while the loop of attempts waits has no effect; forbidding to reconnect ends the wait,
//!   and allowing it again takes that back. The reference loses track of its loop in these cases.
//! - A failed upgrade never leaves polling paused, and closes its WebSocket.
//! - The packet that ends a polling session waits for the POST that is in flight, and the GET is
//!   cancelled behind it; a second handshake in a session is ignored.
//! - `retries` work without an ack timeout (`CLI-07`), unless [`Quirks`] says otherwise.
//!
//! # Contract
//!
//! All outputs are drained after each input, and time never goes back; else `handle` returns a
//! [`ContractError`] and does nothing. A host answers each request and reports each WebSocket's
//! writes and end; what it reports late, about things that were given up, is ignored.

mod acks;
mod backoff;
mod config;
mod engine;
mod error;
mod event;
pub mod limits;
mod manager;
mod polling;
mod retry;
mod shell;
mod socket;
mod timers;
mod upgrade;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use smol_str::SmolStr;

pub use self::backoff::Random;
pub use self::config::{ClientConfig, Limits, OffsetRule, Quirks, SocketOptions, Transport};
use self::engine::Engine;
pub use self::error::{AckError, ContractError, DisconnectReason, Refusal};
pub use self::event::{
    AckHandle, AckRequest, AckStyle, AckToken, Command, Emit, Event, Input, Output, SocketHandle,
    TimerKind,
};
pub use self::manager::ConnectionState;
use self::manager::{Engines, Manager};
use self::shell::Shell;
use self::socket::Socket;
use crate::codec::engine::payload;
use crate::codec::sio::Decoder;
use crate::time::Instant;
use crate::wire::{Frame, RequestId, WsId};

/// A Manager with its connection and its sockets.
#[derive(Debug)]
pub struct Client {
    shell: Shell,
    manager: Manager,
    engines: Engines,
    decoder: Decoder,
    sockets: Vec<Socket>,
    by_nsp: BTreeMap<SmolStr, SocketHandle>,
    /// Sockets that want to be connected, in the order in which they began to: the order of their
    /// CONNECT packets and of their events.
    active: Vec<SocketHandle>,
}

impl Client {
    /// A client without a connection.
    #[must_use]
    pub fn new(config: ClientConfig, random: Box<dyn Random>, now: Instant) -> Self {
        Self {
            manager: Manager::new(&config),
            decoder: Decoder::new(config.decoder),
            shell: Shell::new(config, random, now),
            engines: Engines::default(),
            sockets: Vec::new(),
            by_nsp: BTreeMap::new(),
            active: Vec::new(),
        }
    }

    /// The socket of a namespace, made with these options if there is none; a missing slash is
    /// added. It connects nothing: that is [`Command::Connect`].
    ///
    /// # Errors
    /// When the name cannot be written on the wire, or there are too many sockets.
    pub fn socket(&mut self, nsp: &str, options: SocketOptions) -> Result<SocketHandle, Refusal> {
        let nsp = if nsp.starts_with('/') { SmolStr::from(nsp) } else { format!("/{nsp}").into() };
        if let Some(&socket) = self.by_nsp.get(&nsp) {
            return Ok(socket);
        }
        if nsp.contains(',') {
            return Err(Refusal::InvalidNamespace);
        }
        let number = u32::try_from(self.sockets.len()).map_err(|_| Refusal::TooManySockets)?;
        if self.sockets.len() >= self.shell.config.limits.sockets {
            return Err(Refusal::TooManySockets);
        }
        let socket = SocketHandle(number);
        self.by_nsp.insert(nsp.clone(), socket);
        self.sockets.push(Socket::new(nsp, options));
        Ok(socket)
    }

    /// Takes one input.
    ///
    /// # Errors
    /// When the caller broke the contract; the input has no effect then.
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), ContractError> {
        if !self.shell.is_drained() {
            return Err(ContractError::NotDrained);
        }
        if now < self.shell.now {
            return Err(ContractError::TimeWentBack { from: self.shell.now, to: now });
        }
        self.check_ids(&input)?;
        self.shell.now = now;
        match input {
            Input::Command(command) => self.on_command(command),
            Input::HttpResponse { request, status, body } => {
                self.on_response(request, status, &body);
            }
            Input::HttpFailed { request } => {
                if let Some(engine) = self.engines.find(|engine| engine.owns_request(request)) {
                    engine.on_request_failed(&mut self.shell, request, None);
                }
            }
            Input::WsOpened { ws } => {
                self.with_ws(ws, |engine, shell| engine.on_ws_opened(shell, ws));
            }
            Input::WsFrames { ws, frames } => self.on_frames(ws, &frames),
            Input::WsFlushed { ws } => {
                self.with_ws(ws, |engine, shell| engine.on_ws_flushed(shell, ws));
            }
            Input::WsClosed { ws, end } => {
                self.with_ws(ws, |engine, shell| engine.on_ws_closed(shell, ws, end));
            }
            Input::Timeout => {
                let mark = self.shell.timers.mark();
                while let Some(key) = self.shell.timers.pop_due(now, mark) {
                    self.on_timer(key);
                }
            }
        }
        self.pump();
        Ok(())
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.shell.next_output()
    }

    /// When to call [`Client::handle`] with [`Input::Timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimerKind)> {
        self.shell.timers.earliest()
    }

    /// How far the connection is.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.manager.state
    }

    /// The transport in use, or to be used by the attempt in flight.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.engines.current.as_ref().map(Engine::transport)
    }

    /// The id of a socket while it is connected.
    #[must_use]
    pub fn sid(&self, socket: SocketHandle) -> Option<&SmolStr> {
        self.sockets.get(socket.index()).and_then(Socket::sid)
    }

    /// The namespace of a socket.
    #[must_use]
    pub fn nsp(&self, socket: SocketHandle) -> Option<&SmolStr> {
        self.sockets.get(socket.index()).map(|socket| &socket.nsp)
    }

    /// Whether a socket wants to be connected, and will be connected again when the connection is
    /// lost (`CLI-04`).
    #[must_use]
    pub fn is_active(&self, socket: SocketHandle) -> bool {
        self.active.contains(&socket)
    }

    /// Events of a socket that wait to be sent: held back, or in its retry queue.
    #[must_use]
    pub fn unsent(&self, socket: SocketHandle) -> usize {
        let socket = self.sockets.get(socket.index());
        socket.map_or(0, |socket| socket.buffered() + socket.queue.len())
    }

    /// Acks that a socket waits for.
    #[must_use]
    pub fn pending_acks(&self, socket: SocketHandle) -> usize {
        self.sockets.get(socket.index()).map_or(0, |socket| socket.acks.len())
    }

    /// Whether nothing is under way: no connection, no attempt, no request, no timer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.manager.state == ConnectionState::Closed
            && self.engines.current.is_none()
            && self.engines.departing.is_empty()
            && self.shell.timers.len() == 0
    }

    fn check_ids(&self, input: &Input) -> Result<(), ContractError> {
        match input {
            Input::HttpResponse { request, .. } | Input::HttpFailed { request } => {
                let known = self.shell.knows_request(*request);
                known.then_some(()).ok_or(ContractError::UnknownRequest(*request))
            }
            Input::WsOpened { ws }
            | Input::WsFrames { ws, .. }
            | Input::WsFlushed { ws }
            | Input::WsClosed { ws, .. } => {
                let known = self.shell.knows_ws(*ws);
                known.then_some(()).ok_or(ContractError::UnknownWs(*ws))
            }
            Input::Command(command) => match command.socket() {
                Some(socket) if socket.index() >= self.sockets.len() => {
                    Err(ContractError::UnknownSocket(socket))
                }
                Some(_) | None => Ok(()),
            },
            Input::Timeout => Ok(()),
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Open => self.open(),
            Command::Connect { socket } => self.connect(socket),
            Command::SetAuth { socket, auth } => self.sockets[socket.index()].options.auth = auth,
            Command::Emit { socket, emit } => self.emit(socket, emit),
            Command::Answer { ack, args } => self.answer(&ack, &args),
            Command::Disconnect { socket } => self.disconnect(socket),
            Command::Close => self.close(),
            Command::CloseEngine => self.close_engine(),
            Command::SetReconnection(allowed) => self.set_reconnection(allowed),
            Command::ListenAny { socket, incoming, outgoing } => {
                let socket = &mut self.sockets[socket.index()];
                socket.any_incoming = incoming;
                socket.any_outgoing = outgoing;
            }
        }
    }

    /// Handles the packets of an answer one by one: what one of them starts may end the rest.
    fn on_response(&mut self, request: RequestId, status: u16, body: &bytes::Bytes) {
        let Some(engine) = self.engines.find(|engine| engine.owns_request(request)) else { return };
        let number = engine.number;
        let Some(text) = engine.on_response(&mut self.shell, request, status, body) else { return };
        for packet in payload::decode(&text) {
            let Some(engine) = self.engines.get_mut(number) else { return };
            if !engine.on_polled_packet(&mut self.shell, packet) {
                return;
            }
            self.pump();
        }
        if let Some(engine) = self.engines.get_mut(number) {
            engine.on_poll_complete(&mut self.shell);
        }
    }

    fn on_frames(&mut self, ws: WsId, frames: &[Frame]) {
        let Some(number) =
            self.engines.find(|engine| engine.owns_ws(ws)).map(|engine| engine.number)
        else {
            return;
        };
        for frame in frames {
            let Some(engine) = self.engines.get_mut(number) else { return };
            if !engine.on_frame(&mut self.shell, ws, frame) {
                return;
            }
            self.pump();
        }
    }

    fn with_ws(&mut self, ws: WsId, act: impl FnOnce(&mut Engine, &mut Shell)) {
        if let Some(engine) = self.engines.find(|engine| engine.owns_ws(ws)) {
            act(engine, &mut self.shell);
        }
    }
}
