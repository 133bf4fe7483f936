//! Random programs through the whole server, beside a naive twin of plain sets: who gets which
//! packet, who is in which room, and what is left at the end; in every spelling, over every
//! transport.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a twin looks at few of many events")]

#[path = "support/raw.rs"]
mod raw;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use overheard_core::server::{
    AckRequest, Command, Event, EventName, Flags, NamespaceConfig, RoomChange, Selection, Server,
    ServerConfig, ServerStats, SocketRef, Token,
};
use overheard_core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;
use raw::{Carrier, Raw};
use smol_str::SmolStr;
use support::world::World;

const CLIENTS: usize = 6;
const NAMESPACES: [&str; 2] = ["/", "/b"];
/// The namespace that tells of its rooms.
const TELLING: usize = 1;

/// The name of a room, which may be somebody's id.
#[derive(Clone, Copy, Debug)]
enum Name {
    Room(usize),
    IdOf(usize),
}

/// A client and one of the namespaces.
type Place = (usize, usize);

/// An operator's chain: each inner list is one call.
#[derive(Clone, Debug)]
struct Target {
    /// From a socket, or from the namespace.
    from_socket: bool,
    place: Place,
    to: Vec<Vec<Name>>,
    except: Vec<Vec<Name>>,
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize),
    Enter(Place),
    Exit(Place),
    Join(Place, Vec<Name>),
    Leave(Place, Name),
    LeaveAll(Place),
    Listen(Place, bool),
    Emit(Place),
    Broadcast(Target, bool),
    Ask(Target, u64),
    SocketsJoin(Target, Vec<Name>),
    SocketsLeave(Target, Vec<Name>),
    DisconnectSockets(Target, bool),
    Disconnect(Place, bool),
    Cut(usize),
    Wait(u64),
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![3 => (0..4_usize).prop_map(Name::Room), 1 => (0..CLIENTS).prop_map(Name::IdOf)]
}

fn place() -> impl Strategy<Value = Place> {
    (0..CLIENTS, prop_oneof![2 => Just(0), 1 => Just(TELLING)])
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    vec(name(), 0..3)
}

fn target() -> impl Strategy<Value = Target> {
    let lists = || vec(names(), 0..3);
    (any::<bool>(), place(), lists(), lists()).prop_map(|(from_socket, place, to, except)| Target {
        from_socket,
        place,
        to,
        except,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..CLIENTS).prop_map(Step::Open),
        4 => place().prop_map(Step::Enter),
        1 => place().prop_map(Step::Exit),
        8 => (place(), names()).prop_map(|(place, names)| Step::Join(place, names)),
        2 => (place(), name()).prop_map(|(place, name)| Step::Leave(place, name)),
        1 => place().prop_map(Step::LeaveAll),
        1 => (place(), any::<bool>()).prop_map(|(place, on)| Step::Listen(place, on)),
        2 => place().prop_map(Step::Emit),
        12 => (target(), any::<bool>()).prop_map(|(to, volatile)| Step::Broadcast(to, volatile)),
        2 => (target(), 0..9_000_u64).prop_map(|(target, ms)| Step::Ask(target, ms)),
        2 => (target(), names()).prop_map(|(target, names)| Step::SocketsJoin(target, names)),
        1 => (target(), names()).prop_map(|(target, names)| Step::SocketsLeave(target, names)),
        1 => (target(), any::<bool>()).prop_map(|(to, close)| Step::DisconnectSockets(to, close)),
        1 => (place(), any::<bool>()).prop_map(|(place, close)| Step::Disconnect(place, close)),
        1 => (0..CLIENTS).prop_map(Step::Cut),
        2 => (0..9_000_u64).prop_map(Step::Wait),
    ]
}

/// How a program is said; it means the same.
#[derive(Clone, Copy, Debug)]
struct Dialect {
    carriers: [Carrier; 2],
    /// `to([a, b])` or `to(a).to(b)`.
    arrays: bool,
    names: [&'static str; 2],
}

const DIALECTS: [Dialect; 3] = [
    Dialect { carriers: [Carrier::WebSocket; 2], arrays: false, names: ["/", "/b"] },
    Dialect { carriers: [Carrier::Polling; 2], arrays: true, names: ["", "b"] },
    Dialect { carriers: [Carrier::Polling, Carrier::WebSocket], arrays: false, names: ["", "/b"] },
];

/// ROOM-08, ROOM-09: an application that lets a leaving socket join until the end and beyond; all
/// of it is undone, or does nothing.
fn late_joins() -> impl FnMut(&Event, &Server) -> Vec<Command> {
    let mut leaving = None;
    move |event, _| {
        let room = match event {
            Event::Disconnecting { socket, .. } => {
                leaving = Some(*socket);
                "while disconnecting"
            }
            Event::Room { change: RoomChange::Left, .. } => "while leaving",
            Event::Disconnected { .. } => "afterwards",
            _ => return Vec::new(),
        };
        let join = |socket| Command::Join { socket, rooms: vec![room.into()] };
        leaving.map(join).into_iter().collect()
    }
}

/// A socket as the twin sees it.
#[derive(Debug)]
struct Member {
    sid: String,
    rooms: BTreeSet<String>,
    listens: bool,
}

#[derive(Debug)]
struct Client {
    raw: Raw,
    members: [Option<Member>; 2],
    /// Namespaces in the order in which they were entered.
    order: Vec<usize>,
}

struct Twin {
    world: World,
    dialect: Dialect,
    baseline: ServerStats,
    clients: Vec<Option<Client>>,
    /// The last socket of each place, gone or not.
    sockets: BTreeMap<Place, SocketRef>,
    ack_ids: [u64; 2],
    messages: u64,
    /// What each client has still to get, and what it got since the beginning.
    expected: Vec<Vec<String>>,
    transcripts: Vec<Vec<String>>,
    /// Rooms as the events of a namespace tell them.
    told: BTreeMap<SmolStr, BTreeSet<SmolStr>>,
    counts: BTreeMap<&'static str, usize>,
    outgoing: usize,
}

impl Twin {
    fn new(dialect: Dialect) -> Self {
        let telling = NamespaceConfig { room_events: true, ..NamespaceConfig::default() };
        let namespaces = vec![(NAMESPACES[TELLING].into(), telling)];
        let mut world = World::new(ServerConfig { namespaces, ..ServerConfig::default() });
        world.react(late_joins());
        let baseline = world.server.stats();
        Self {
            world,
            dialect,
            baseline,
            clients: (0..CLIENTS).map(|_| None).collect(),
            sockets: BTreeMap::new(),
            ack_ids: [0; 2],
            messages: 0,
            expected: vec![Vec::new(); CLIENTS],
            transcripts: vec![Vec::new(); CLIENTS],
            told: BTreeMap::new(),
            counts: BTreeMap::new(),
            outgoing: 0,
        }
    }

    fn member(&mut self, (client, nsp): Place) -> Option<&mut Member> {
        self.clients[client].as_mut()?.members[nsp].as_mut()
    }

    /// A name as text: an id stands for a room of its own namespace.
    fn resolve(&self, nsp: usize, name: Name) -> String {
        match name {
            Name::Room(number) => format!("room {number}"),
            Name::IdOf(client) => {
                let member = self.clients[client].as_ref().and_then(|c| c.members[nsp].as_ref());
                member.map_or_else(|| "nobody".to_owned(), |member| member.sid.clone())
            }
        }
    }

    fn resolve_all(&self, nsp: usize, names: &[Name]) -> Vec<String> {
        names.iter().map(|name| self.resolve(nsp, *name)).collect()
    }

    /// BC-TGT-01 to BC-TGT-06, with sets.
    fn matching(&self, target: &Target) -> Vec<usize> {
        let (sender, nsp) = target.place;
        let rooms = self.resolve_all(nsp, &target.to.concat());
        let mut except = self.resolve_all(nsp, &target.except.concat());
        let is_there = |client: usize| self.clients[client].as_ref()?.members[nsp].as_ref();
        if let Some(member) = is_there(sender).filter(|_| target.from_socket) {
            except.push(member.sid.clone());
        }
        let is_meant = |member: &Member| {
            (rooms.is_empty() || rooms.iter().any(|room| member.rooms.contains(room)))
                && !except.iter().any(|room| member.rooms.contains(room))
        };
        (0..CLIENTS).filter(|client| is_there(*client).is_some_and(is_meant)).collect()
    }

    /// The same as an operator, in this dialect. A socket that never was is a namespace.
    fn selection(&self, target: &Target) -> Selection {
        let nsp = target.place.1;
        let selection = match self.sockets.get(&target.place) {
            Some(socket) if target.from_socket => Selection::socket(*socket),
            Some(_) | None => Selection::namespace(self.dialect.names[nsp]),
        };
        if self.dialect.arrays {
            let (to, except) = (target.to.concat(), target.except.concat());
            let selection = selection.except(self.resolve_all(nsp, &except));
            return selection.to(self.resolve_all(nsp, &to));
        }
        let to = target.to.concat().into_iter();
        let selection = to.fold(selection, |all, name| all.to([self.resolve(nsp, name)]));
        let except = target.except.concat().into_iter();
        except.fold(selection, |all, name| all.except([self.resolve(nsp, name)]))
    }

    fn packet(nsp: usize, kind: &str, rest: &str) -> String {
        let name = if nsp == 0 { String::new() } else { format!("{},", NAMESPACES[nsp]) };
        format!("{kind}{name}{rest}")
    }

    fn message(&mut self) -> (EventName, String) {
        self.messages += 1;
        let name = format!("m{}", self.messages);
        (EventName::new(&name).unwrap(), format!("[\"{name}\"]"))
    }

    fn broadcast(&mut self, target: &Target, volatile: bool, ack: Option<u64>) {
        let (recipients, selection) = (self.matching(target), self.selection(target));
        let ((name, mut rest), nsp) = (self.message(), target.place.1);
        let ack = ack.map(|ms| {
            rest.insert_str(0, &self.ack_ids[nsp].to_string());
            self.ack_ids[nsp] += 1; // SIO-ACK-02
            let timeout = Some(Duration::from_millis(ms));
            AckRequest { token: Token(self.messages), timeout }
        });
        for client in recipients {
            self.expected[client].push(Self::packet(nsp, "2", &rest));
            self.outgoing += usize::from(self.member((client, nsp)).unwrap().listens);
        }
        *self.counts.entry("asked").or_default() += usize::from(ack.is_some());
        let flags = Flags { volatile, ..Flags::default() };
        self.world.command([Command::Broadcast { selection, name, args: vec![], flags, ack }]);
    }

    /// NSP-10, NSP-11: the packets of a disconnection, and the sets without the sockets.
    fn disconnect(&mut self, (client, nsp): Place, close: bool) {
        let Some(state) = &mut self.clients[client] else { return };
        if state.members[nsp].is_none() {
            return;
        }
        let gone = if close { state.order.clone() } else { vec![nsp] };
        for nsp in gone {
            state.members[nsp] = None;
            state.order.retain(|entered| *entered != nsp);
            self.expected[client].push(Self::packet(nsp, "1", ""));
        }
        if close {
            self.hear(client);
            assert!(self.clients[client].take().unwrap().raw.is_closed, "NSP-11");
        }
    }

    fn open(&mut self, client: usize) {
        if self.clients[client].is_none() {
            let carrier = self.dialect.carriers[client % 2];
            let raw = Raw::open(&mut self.world, carrier);
            self.clients[client] = Some(Client { raw, members: [None, None], order: vec![] });
            self.enter((client, 0));
        }
    }

    fn enter(&mut self, (client, nsp): Place) {
        let Some(state) = &mut self.clients[client] else { return };
        if state.members[nsp].is_some() {
            return;
        }
        state.raw.send(&mut self.world, &[&Self::packet(nsp, "40", "")]);
        let socket = self.world.last_socket.take().expect("NSP-02: a connected socket");
        let sid = self.world.sid(socket);
        self.sockets.insert((client, nsp), socket);
        self.expected[client].push(Self::packet(nsp, "0", &format!("{{\"sid\":\"{sid}\"}}")));
        let rooms = [sid.clone()].into(); // ROOM-01
        state.members[nsp] = Some(Member { sid, rooms, listens: false });
        state.order.push(nsp);
    }

    fn join(&mut self, place: Place, names: &[Name]) {
        let names = self.resolve_all(place.1, names);
        if let Some(socket) = self.sockets.get(&place).copied() {
            let rooms = names.iter().map(SmolStr::from).collect();
            self.world.command([Command::Join { socket, rooms }]);
        }
        if let Some(member) = self.member(place) {
            member.rooms.extend(names); // ROOM-09: a socket that has gone joins nothing
        }
    }

    fn leave(&mut self, place: Place, rooms: Vec<String>) {
        for room in rooms {
            if let Some(socket) = self.sockets.get(&place).copied() {
                self.world.command([Command::Leave { socket, room: room.as_str().into() }]);
            }
            if let Some(member) = self.member(place) {
                member.rooms.remove(&room);
            }
        }
    }

    fn exit(&mut self, (client, nsp): Place) {
        let Some(state) = &mut self.clients[client] else { return };
        if state.members[nsp].take().is_some() {
            state.order.retain(|entered| *entered != nsp);
            state.raw.send(&mut self.world, &[&Self::packet(nsp, "41", "")]);
        }
    }

    fn listen(&mut self, place: Place, outgoing: bool) {
        if let Some(socket) = self.sockets.get(&place).copied() {
            self.world.command([Command::Subscribe { socket, incoming: false, outgoing }]);
        }
        if let Some(member) = self.member(place) {
            member.listens = outgoing;
        }
    }

    fn emit(&mut self, place: Place) {
        let (name, rest) = self.message();
        if let Some(member) = self.member(place) {
            let listens = member.listens;
            self.outgoing += usize::from(listens);
            self.expected[place.0].push(Self::packet(place.1, "2", &rest));
        }
        if let Some(socket) = self.sockets.get(&place).copied() {
            let (args, flags) = (Vec::new(), Flags::default());
            self.world.command([Command::Emit { socket, name, args, flags, ack: None }]);
        }
    }

    /// UTIL-01: sockets that join, or leave.
    fn move_sockets(&mut self, target: &Target, names: &[Name], joins: bool) {
        let nsp = target.place.1;
        let (matching, selection) = (self.matching(target), self.selection(target));
        let names = self.resolve_all(nsp, names);
        let rooms = names.iter().map(SmolStr::from).collect();
        self.world.command([if joins {
            Command::SocketsJoin { selection, rooms }
        } else {
            Command::SocketsLeave { selection, rooms }
        }]);
        for client in matching {
            let rooms = &mut self.member((client, nsp)).unwrap().rooms;
            if joins {
                rooms.extend(names.iter().cloned());
            } else {
                rooms.retain(|room| !names.contains(room));
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Open(client) => self.open(*client),
            Step::Enter(place) => self.enter(*place),
            Step::Exit(place) => self.exit(*place),
            Step::Join(place, names) => self.join(*place, names),
            Step::Leave(place, name) => self.leave(*place, vec![self.resolve(place.1, *name)]),
            Step::LeaveAll(place) => {
                let rooms = self.member(*place).map(|member| member.rooms.clone());
                self.leave(*place, rooms.into_iter().flatten().collect());
            }
            Step::Listen(place, outgoing) => self.listen(*place, *outgoing),
            Step::Emit(place) => self.emit(*place),
            Step::Broadcast(target, volatile) => self.broadcast(target, *volatile, None),
            Step::Ask(target, timeout) => self.broadcast(target, false, Some(*timeout)),
            Step::SocketsJoin(target, names) => self.move_sockets(target, names, true),
            Step::SocketsLeave(target, names) => self.move_sockets(target, names, false),
            Step::DisconnectSockets(target, close) => {
                let (matching, selection) = (self.matching(target), self.selection(target));
                self.world.command([Command::DisconnectSockets { selection, close: *close }]);
                for client in matching {
                    self.disconnect((client, target.place.1), *close);
                }
            }
            Step::Disconnect(place, close) => {
                if let Some(socket) = self.sockets.get(place).copied() {
                    self.world.command([Command::Disconnect { socket, close: *close }]);
                }
                self.disconnect(*place, *close);
            }
            Step::Cut(client) => {
                if let Some(mut state) = self.clients[*client].take() {
                    state.raw.cut(&mut self.world);
                }
            }
            Step::Wait(ms) => self.world.advance_ms(*ms),
        }
    }

    /// A client gets what it has to get: one copy, in order, and nothing else (I1, I2).
    fn hear(&mut self, client: usize) {
        let expected = std::mem::take(&mut self.expected[client]);
        if let Some(state) = &mut self.clients[client] {
            assert_eq!(state.raw.receive(&mut self.world), expected, "client {client}");
            self.transcripts[client].extend(expected);
        }
    }

    fn check(&mut self) {
        (0..CLIENTS).for_each(|client| self.hear(client));
        self.check_events();
        let mut stats = ServerStats::default();
        let names = (0..4).map(Name::Room).chain((0..CLIENTS).map(Name::IdOf));
        let names: Vec<Name> = names.collect();
        for nsp in 0..NAMESPACES.len() {
            let mut rooms = BTreeSet::new();
            for (client, state) in self.clients.iter().enumerate() {
                let Some(state) = state else { continue };
                assert!(!state.raw.is_closed, "client {client} is thrown out");
                let Some(member) = &state.members[nsp] else { continue };
                let of_socket = self.world.server.rooms_of(self.sockets[&(client, nsp)]);
                let of_socket: BTreeSet<String> =
                    of_socket.iter().map(ToString::to_string).collect();
                assert_eq!(of_socket, member.rooms, "rooms of client {client}");
                stats.connected += 1;
                stats.memberships += member.rooms.len();
                rooms.extend(member.rooms.iter().cloned());
            }
            stats.rooms += rooms.len();
            for name in &names {
                let target = Target {
                    from_socket: false,
                    place: (0, nsp),
                    to: vec![vec![*name]],
                    except: vec![],
                };
                let found = self.world.server.select(&self.selection(&target));
                let members = self.matching(&target);
                let members = members.into_iter().map(|client| self.sockets[&(client, nsp)]);
                let (mut members, mut found): (Vec<_>, Vec<_>) = (members.collect(), found);
                members.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, members, "members of {name:?}");
            }
        }
        let real = self.world.server.stats();
        let counted = ServerStats {
            connected: real.connected,
            rooms: real.rooms,
            memberships: real.memberships,
            ..ServerStats::default()
        };
        assert_eq!((counted, real.waiting, real.acks), (stats, 0, 0), "I10");
    }

    /// I8, I11, BC-13, BC-ACK-08.
    fn check_events(&mut self) {
        for event in self.world.take_events() {
            let counted = match event {
                Event::Connection { .. } => "connection",
                Event::Disconnecting { .. } => "disconnecting",
                Event::Disconnected { .. } => "disconnect",
                Event::BroadcastAcked { .. } => "answered",
                Event::Outgoing { .. } => {
                    self.outgoing = self.outgoing.checked_sub(1).expect("BC-13: one too many");
                    continue;
                }
                Event::Room { change, room, sid, .. } => {
                    let sid = sid.unwrap_or_default();
                    let members = self.told.get_mut(&room);
                    let is_right = match (change, members) {
                        (RoomChange::Created, None) => {
                            self.told.insert(room, BTreeSet::new()).is_none()
                        }
                        (RoomChange::Joined, Some(members)) => members.insert(sid),
                        (RoomChange::Left, Some(members)) => members.remove(&sid),
                        (RoomChange::Deleted, Some(members)) => {
                            members.is_empty() && self.told.remove(&room).is_some()
                        }
                        _ => false,
                    };
                    assert!(is_right, "ROOM-11: {change:?} against the events before");
                    continue;
                }
                other => panic!("unexpected: {other:?}"),
            };
            *self.counts.entry(counted).or_default() += 1;
        }
        assert_eq!(self.outgoing, 0, "BC-13: a listener was not told");
    }

    /// P03: everybody goes, all timers fire, and the server holds what a new one holds.
    fn finish(mut self) -> Vec<Vec<String>> {
        for client in 0..CLIENTS {
            self.step(&Step::Cut(client));
        }
        self.world.advance_ms(60_000);
        self.check();
        assert_eq!(self.world.server.stats(), self.baseline, "P03");
        assert_eq!(self.world.server.poll_timeout(), None, "P03: a timer is left");
        assert!(self.told.is_empty(), "I11: {:?}", self.told);
        let count = |name| self.counts.get(name).copied().unwrap_or_default();
        assert_eq!(count("connection"), count("disconnecting"), "I8");
        assert_eq!(count("connection"), count("disconnect"), "I8");
        assert_eq!(count("asked"), count("answered"), "BC-ACK-08");
        self.transcripts
    }
}

fn run(dialect: Dialect, steps: &[Step]) -> Vec<Vec<String>> {
    let mut twin = Twin::new(dialect);
    for step in [0, 1, 2, 3].map(Step::Open).iter().chain(steps) {
        twin.step(step);
        twin.check();
    }
    twin.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// BC-TGT-01 to BC-TGT-09, ROOM-02 to ROOM-09, UTIL-01, NSP-07, NSP-08: the server is the twin,
    /// and how a program is said (`io` or `io.of("/")`, chain or array, polling or WebSocket)
    /// changes no packet of it.
    #[test]
    fn any_program_reaches_whom_plain_sets_say(steps in vec(step(), 0..60)) {
        let [first, others @ ..] = DIALECTS.map(|dialect| run(dialect, &steps));
        for other in others {
            prop_assert_eq!(&other, &first);
        }
    }
}
