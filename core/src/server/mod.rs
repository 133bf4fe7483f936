//! The Socket.IO server as a state machine: namespaces, rooms, broadcasts, acks and recovery.
//!
//! # Contract
//!
//! - Hand in inputs with [`Server::handle`], then call [`Server::poll_output`] until it returns
//!   `None`. A transport input before that is refused with [`ContractError::NotDrained`].
//! - Time is monotonic; [`Server::poll_timeout`] names the next deadline. Timers that are due
//!   fire before the input that comes with a later time.
//! - Commands may be handed in at any moment. What the application answers to an
//!   [`Output::Event`] before it polls again happens at once, as if a listener of the reference
//!   had called the server: rooms are still readable in [`Event::Disconnecting`], a broadcast
//!   made there still reaches them.
//!
//! One call of `poll_output` does the least that yields an output. What remains is kept on a
//! stack (consequences of one thing, before anything else) and in a queue (the reference's ticks,
//! `SIO-ORD-03`).

mod acks;
mod broadcast;
mod command;
mod config;
mod connect;
mod disconnect;
mod event;
mod membership;
mod namespace;
mod packets;
mod recovery;
pub mod rooms;
mod table;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use hashbrown::HashMap;
use slotmap::{DefaultKey, SecondaryMap, SlotMap};
use smallvec::SmallVec;
use smol_str::SmolStr;

pub use self::config::{
    Matcher, NamespaceConfig, ParentConfig, RecoveryConfig, ServerConfig, ServerLimits,
    ServerQuirks,
};
pub use self::event::{
    AckRequest, AckTicket, AckTimeout, Command, CommandError, ContractError, Event, EventName,
    EventTicket, Flags, Input, NamespaceTicket, NspId, Origin, Output, ReservedName, RoomChange,
    Selection, SocketRef, Token, Verdict,
};
use self::namespace::Namespace;
use self::packets::PendingEvent;
pub use self::table::RoomTable;
use crate::codec::sio;
use crate::engine::{ConnId, Engine, EngineEvent, EngineStats, EngineTimer, Input as EngineInput};
use crate::event::DisconnectReason;
use crate::id::{IdMaker, IdSource, KeyedState};
use crate::time::Instant;
use crate::timers::{TimerKey, Timers};
use crate::value::Object;
use crate::wire::{Frame, WsId};

/// What is left to do.
#[derive(Debug)]
enum Work {
    Command(Command),
    /// A decoded packet; in the reference one tick after it was decoded (`SIO-ORD-03`).
    Packet {
        socket: SocketRef,
        packet: sio::Packet,
    },
    /// An event for the listeners; in the reference another tick later.
    Dispatch {
        socket: SocketRef,
        packet: EventPacket,
    },
    /// The next thing about a socket that asks to be let in.
    Admit(SocketRef),
    /// The event that tells of a new socket.
    Announce {
        socket: SocketRef,
        recovered: bool,
    },
    Join {
        socket: SocketRef,
        rooms: SmallVec<[SmolStr; 2]>,
        at: usize,
        created: bool,
    },
    /// A room that lost a member may be gone.
    RoomDeleted {
        nsp: NspId,
        room: SmolStr,
    },
    /// Sockets of a connection leave one after the other (`SIO-DISC-04`).
    CloseSockets {
        sockets: VecDeque<SocketRef>,
        reason: DisconnectReason,
        packet: bool,
    },
    /// The rest of one socket's disconnection, after its `disconnecting` listeners ran.
    Leave {
        socket: SocketRef,
        reason: DisconnectReason,
        begun: bool,
    },
    /// A refused or abandoned socket leaves its rooms.
    Forget(SocketRef),
    CloseEngine(ConnId),
    /// What became of the layer below, before anything else is done.
    Settle,
    ClientClose(ConnId),
    CloseServer {
        namespaces: VecDeque<NspId>,
        sockets: VecDeque<SocketRef>,
    },
    Utility(membership::Utility),
    Deliver(broadcast::Delivery),
    SettleBroadcast {
        nsp: NspId,
        id: u64,
    },
    Event(Event),
    /// An undecodable packet, told to the next socket of its connection (`SIO-ERR-01`).
    Error {
        socket: SocketRef,
        message: alloc::string::String,
    },
    /// The answer to a CONNECT, once the room events before it are out.
    Reply {
        socket: SocketRef,
        packet: sio::Packet,
    },
    AskSocketMiddleware(PendingEvent),
    LeaveRoom {
        socket: SocketRef,
        room: SmolStr,
    },
}

/// An event on its way to the listeners.
#[derive(Debug)]
struct EventPacket {
    args: Vec<crate::value::Value>,
    id: Option<sio::AckId>,
}

/// What the server waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// Of the Engine.IO layer.
    Engine(EngineTimer),
    /// A connection that has not joined a namespace (`SIO-CONN-03`).
    ConnectTimeout,
    /// A single ack (`SIO-ACK-05`).
    Ack,
    /// The acks of a broadcast (`BC-ACK-03`).
    BroadcastAck,
    /// The expiry of sessions and packets kept for recovery (`CSR-09`).
    Recovery,
}

#[derive(Clone, Debug)]
enum Timer {
    Connect(ConnId),
    Ack { socket: SocketRef, id: u64, token: Token },
    BroadcastAck { nsp: NspId, id: u64 },
    Recovery(NspId),
}

/// One connection, as the Socket.IO layer sees it.
#[derive(Debug)]
struct Client {
    decoder: sio::Decoder,
    /// Connected sockets, in the order in which they connected.
    sockets: SmallVec<[SocketRef; 1]>,
    /// Which socket a packet of a namespace is for.
    routes: SmallVec<[(NspId, SocketRef); 1]>,
    /// Sockets that wait to be let in.
    waiting: SmallVec<[SocketRef; 1]>,
    /// Namespaces that wait to be allowed.
    asking: SmallVec<[SmolStr; 0]>,
    /// Namespaces that the server left and the client may not know of yet (`NSP-12`).
    left: SmallVec<[SmolStr; 0]>,
    connect_timer: Option<TimerKey>,
    /// Closed as far as this layer is concerned: what still arrives is ignored.
    destroyed: bool,
}

/// The Socket.IO server.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    engine: Engine,
    ids: IdMaker,
    keyed: KeyedState,
    now: Instant,
    namespaces: SlotMap<DefaultKey, Namespace>,
    by_name: HashMap<SmolStr, NspId, KeyedState>,
    /// Boxed, so that a place whose connection has gone costs little: the map never shrinks.
    clients: SecondaryMap<DefaultKey, Box<Client>>,
    pending_events: BTreeMap<EventTicket, PendingEvent>,
    pending_namespaces: BTreeMap<NamespaceTicket, namespace::Request>,
    /// Acks of broadcasts whose namespace was removed meanwhile.
    orphaned_acks: BTreeMap<(NspId, u64), acks::BroadcastAck>,
    next_ticket: u64,
    connected_sockets: u64,
    offsets: recovery::Offsets,
    timers: Timers<Timer>,
    stack: Vec<Work>,
    ticks: VecDeque<Work>,
    input: Option<EngineInput>,
    outputs: VecDeque<Output>,
}

impl Server {
    /// A server without connections. `ids` feeds session ids, `socket_ids` feeds socket ids and
    /// recovery ids.
    #[must_use]
    pub fn new(
        mut config: ServerConfig,
        ids: Box<dyn IdSource>,
        socket_ids: Box<dyn IdSource>,
        now: Instant,
    ) -> Self {
        let mut maker = IdMaker::new(socket_ids);
        let keyed = maker.keyed_state();
        let named = core::mem::take(&mut config.namespaces);
        let main = config.main.clone();
        let mut server = Self {
            engine: Engine::new(config.engine.clone(), ids, now),
            config,
            ids: maker,
            now,
            namespaces: SlotMap::new(),
            by_name: HashMap::with_hasher(keyed.clone()),
            keyed,
            clients: SecondaryMap::new(),
            pending_events: BTreeMap::new(),
            pending_namespaces: BTreeMap::new(),
            orphaned_acks: BTreeMap::new(),
            next_ticket: 0,
            connected_sockets: 0,
            offsets: recovery::Offsets::default(),
            timers: Timers::new(),
            stack: Vec::new(),
            ticks: VecDeque::new(),
            input: None,
            outputs: VecDeque::new(),
        };
        server.add_namespace("/".into(), main, None);
        for (name, config) in named {
            server.create_namespace(&name, config);
        }
        server.outputs.clear(); // nobody asked for these namespaces
        server
    }

    /// Takes one input.
    ///
    /// # Errors
    /// The caller broke the contract; the input was not taken.
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), ContractError> {
        if now < self.now {
            return Err(ContractError::TimeWentBack);
        }
        match input {
            Input::Commands(commands) => {
                self.now = now;
                self.resume(commands);
            }
            Input::Transport(input) => {
                if self.is_busy() {
                    return Err(ContractError::NotDrained);
                }
                self.now = now;
                self.input = Some(input);
            }
        }
        Ok(())
    }

    /// Takes the application's answer to an event, at the time of the event.
    pub(crate) fn resume(&mut self, commands: Vec<Command>) {
        self.stack.extend(commands.into_iter().rev().map(Work::Command));
    }

    fn is_busy(&self) -> bool {
        self.input.is_some()
            || !self.outputs.is_empty()
            || !self.stack.is_empty()
            || !self.ticks.is_empty()
    }

    /// The next output, or `None` when the input is dealt with.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            self.absorb();
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if let Some(work) = self.stack.pop() {
                self.run(work);
            } else if let Some(event) = self.engine.poll_event() {
                self.on_engine_event(event);
            } else if let Some(work) = self.ticks.pop_front() {
                self.run(work);
            } else if !self.fire_due() && !self.take_input() {
                self.absorb();
                return self.outputs.pop_front();
            }
        }
    }

    /// The earliest deadline, and what it is for. When it comes, hand in
    /// `Input::Transport(engine::Input::Timeout)`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, TimerKind)> {
        let engine = self.engine.poll_timeout().map(|(at, kind)| (at, TimerKind::Engine(kind)));
        let own = self.timers.next().map(|(at, timer)| {
            let kind = match timer {
                Timer::Connect(_) => TimerKind::ConnectTimeout,
                Timer::Ack { .. } => TimerKind::Ack,
                Timer::BroadcastAck { .. } => TimerKind::BroadcastAck,
                Timer::Recovery(_) => TimerKind::Recovery,
            };
            (at, kind)
        });
        match (engine, own) {
            (Some(engine), Some(own)) => Some(if own.0 < engine.0 { own } else { engine }),
            (engine, own) => engine.or(own),
        }
    }

    /// Takes the frames that wait for a WebSocket, as [`Engine::take_frames`].
    pub fn take_frames(&mut self, ws: WsId, into: &mut Vec<Frame>) {
        self.engine.take_frames(ws, into);
    }

    /// The layer below, for queries.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The time of the last input.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Moves outputs of the layer below into the one queue, so that their order is kept.
    fn absorb(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.outputs.push_back(Output::Transport(output));
        }
    }

    fn emit_event(&mut self, event: Event) {
        self.absorb();
        self.outputs.push_back(Output::Event(event));
    }

    fn refuse(&mut self, error: CommandError) {
        self.emit_event(Event::Refused(error));
    }

    fn take_input(&mut self) -> bool {
        match self.input.take() {
            // Its timers have fired already.
            None | Some(EngineInput::Timeout) => false,
            Some(input) => {
                self.engine.handle(self.now, input);
                true
            }
        }
    }

    /// Fires the earliest timer, if it is due.
    fn fire_due(&mut self) -> bool {
        let Some((at, kind)) = self.poll_timeout() else { return false };
        if at > self.now {
            return false;
        }
        if let TimerKind::Engine(_) = kind {
            self.engine.handle(self.now, EngineInput::Timeout);
            return true;
        }
        match self.timers.pop_due(self.now) {
            None => return false,
            Some(Timer::Connect(conn)) => self.on_connect_timeout(conn),
            Some(Timer::Ack { socket, id, token }) => self.on_ack_timeout(socket, id, token),
            Some(Timer::BroadcastAck { nsp, id }) => self.on_broadcast_timeout(nsp, id),
            Some(Timer::Recovery(nsp)) => self.expire_recovery(nsp),
        }
        true
    }

    fn run(&mut self, work: Work) {
        match work {
            Work::Command(command) => self.run_command(command),
            Work::Packet { socket, packet } => self.on_socket_packet(socket, packet),
            Work::Dispatch { socket, packet } => self.dispatch(socket, packet),
            Work::Admit(socket) => self.admit(socket),
            Work::Announce { socket, recovered } => self.announce(socket, recovered),
            Work::Join { socket, rooms, at, created } => self.join_step(socket, rooms, at, created),
            Work::RoomDeleted { nsp, room } => {
                self.room_event(nsp, RoomChange::Deleted, room, None);
            }
            Work::CloseSockets { sockets, reason, packet } => {
                self.close_sockets_step(sockets, reason, packet);
            }
            Work::Leave { socket, reason, begun } => self.leave_step(socket, reason, begun),
            Work::Forget(socket) => self.forget_step(socket),
            Work::CloseEngine(conn) => self.close_engine(conn),
            Work::Settle => {
                if let Some(event) = self.engine.take_event() {
                    self.stack.push(Work::Settle);
                    self.on_engine_event(event);
                }
            }
            Work::ClientClose(conn) => self.client_close(conn),
            Work::CloseServer { namespaces, sockets } => self.close_step(namespaces, sockets),
            Work::Utility(utility) => self.utility_step(utility),
            Work::Deliver(delivery) => self.deliver_step(delivery),
            Work::SettleBroadcast { nsp, id } => self.settle_broadcast(nsp, id, None),
            Work::Event(event) => self.emit_event(event),
            Work::Error { socket, message } => {
                if self.is_connected(socket) {
                    self.emit_event(Event::Error { socket, message });
                }
            }
            Work::Reply { socket, packet } => {
                // A listener of its own room events may have disconnected it already.
                if self.is_connected(socket) {
                    self.write_packet(socket.conn, &packet);
                }
            }
            Work::AskSocketMiddleware(pending) => self.ask_socket_middleware(pending),
            Work::LeaveRoom { socket, room } => self.leave(socket, &room),
        }
    }

    fn on_engine_event(&mut self, event: EngineEvent) {
        match &event {
            EngineEvent::Open { conn } => self.open_client(*conn),
            EngineEvent::Close { conn, reason } => {
                self.on_session_closed(*conn, reason.clone());
            }
            EngineEvent::Message { .. } => {
                if let EngineEvent::Message { conn, data } = event {
                    self.on_message(conn, data);
                }
                return;
            }
            EngineEvent::Heartbeat { .. }
            | EngineEvent::Upgrading { .. }
            | EngineEvent::Upgraded { .. }
            | EngineEvent::ConnectionError { .. }
            | EngineEvent::CheckRequest { .. }
            | EngineEvent::ChooseId { .. } => {}
        }
        self.emit_event(Event::Engine(event));
    }

    /// What this machine holds, to be compared with a baseline once everything has ended.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        let mut stats = ServerStats {
            engine: self.engine.stats(),
            clients: self.clients.len(),
            namespaces: self.namespaces.len(),
            pending_events: self.pending_events.len(),
            pending_namespaces: self.pending_namespaces.len(),
            timers: self.timers.len(),
            broadcast_acks: self.orphaned_acks.len(),
            ..ServerStats::default()
        };
        for nsp in self.namespaces.values() {
            nsp.add_stats(&mut stats);
        }
        stats
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }
}

/// What a server holds (P03 of the properties: all of it is at its baseline once everything has
/// ended).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// The layer below.
    pub engine: EngineStats,
    /// Connections.
    pub clients: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// Those of them that were made on demand (`NSP-14`).
    pub dynamic_namespaces: usize,
    /// Sockets that are connected.
    pub connected: usize,
    /// Sockets that wait to be let in.
    pub waiting: usize,
    /// Rooms with a member.
    pub rooms: usize,
    /// Pairs of socket and room.
    pub memberships: usize,
    /// Acks that are owed.
    pub acks: usize,
    /// Broadcasts that wait for acks.
    pub broadcast_acks: usize,
    /// Sessions that may be recovered.
    pub sessions: usize,
    /// Packets that are kept for recovery.
    pub packets: usize,
    /// Events that wait in a socket middleware.
    pub pending_events: usize,
    /// Namespaces that wait to be allowed.
    pub pending_namespaces: usize,
    /// Armed timers of this layer.
    pub timers: usize,
}

/// The auth payload of a socket that sent none (`SIO-CONN-02`).
fn no_auth() -> Object {
    Object::new()
}
