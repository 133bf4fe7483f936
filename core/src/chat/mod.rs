//! The built-in chat application: a lobby, rooms, and namespaces behind a gate, with a token and a
//! limited number of seats.
//!
//! It speaks the *chat contract*: events by which a client makes the server use its own API, so
//! that any server that maps them can be tested by the same scenarios. Every event may ask for an
//! ack, whose first argument is `"ok"`, `"timeout"` or `"error"`.
//!
//! | event | arguments | answer after `"ok"` |
//! |---|---|---|
//! | `join` | room, or an array of rooms | |
//! | `leave` | room | |
//! | `rooms` | | the socket's rooms, in join order |
//! | `chat` | text, options | |
//! | `broadcast` | options with `event` and `args` | |
//! | `ask` | options with `event`, `args` and `timeout` | the answers; also after `"timeout"` |
//! | `tell` | options with `event`, `args`, `id` and `timeout` | the answer's arguments |
//! | `who` | options | ids of the selected sockets |
//! | `move` | options with `join` or `leave`: arrays of rooms | |
//! | `kick` | options, perhaps with `close` | |
//! | `set` | key, value: a member of `socket.data` | |
//! | `get` | | `socket.data` |
//! | `echo` | anything | the same |
//! | `about` | | [`About`]: the contract's version, who serves, under which options |
//!
//! *Options* are an object: `to` and `except` (a room or an array of rooms), `from` (`"socket"`,
//! which excepts the sender and is the default, or `"namespace"`), `volatile`, `local` and
//! `compress`. `chat` delivers the event `chat` with the text and `{"from": id}`, to the lobby if
//! no room is named. `timeout` is in milliseconds,
//! 5,000 if it is missing and none if it is `null`. `kick` with `close` ends whole connections.
//! `CONTRACT.md` is the same for implementers in any language.

mod answer;
mod args;
mod gate;
mod request;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

pub use self::answer::Answer;
pub use self::args::Args;
pub use self::gate::Gate;
pub use self::request::{BadRequest, Request, Target};
use crate::app::App;
use crate::server::{
    AckRequest, AckTicket, Command, Event, EventName, Flags, NamespaceConfig, Server, ServerConfig,
    SocketRef, Token, Verdict,
};
use crate::time::{Duration, Instant};
use crate::value::{Object, Value};

/// The room that every socket of `/` starts in.
pub const LOBBY: &str = "lobby";

/// The namespace of the supervisors.
pub const SUPERVISORS: &str = "/supervisors";

/// The version of the chat contract.
pub const CONTRACT: i64 = 1;

/// Options of the chat application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatConfig {
    /// Namespaces besides `/`, and who may enter them. A gate of `/` itself guards that.
    pub gates: BTreeMap<SmolStr, Gate>,
    /// What is answered to `about`.
    pub about: About,
}

/// Who serves, under which options. Answered as
/// `{"contract": 1, "server": "name version", "options": {…}}`.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The server's name and version. Default: this crate's.
    pub server: SmolStr,
    /// The options that it was given, by the names of the contract. Everybody may read them: what
    /// is secret is for the host to leave out. Default: none.
    pub options: Object,
}

impl Default for About {
    fn default() -> Self {
        let server = concat!("overheard ", env!("CARGO_PKG_VERSION"));
        Self { server: SmolStr::new_static(server), options: Object::default() }
    }
}

impl About {
    /// What is answered.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut about = Object::default();
        about.insert("contract", CONTRACT);
        about.insert("server", self.server.as_str());
        about.insert("options", self.options.clone());
        about.into()
    }
}

impl ChatConfig {
    /// A chat with a namespace for supervisors, [`SUPERVISORS`].
    #[must_use]
    pub fn supervised(gate: Gate) -> Self {
        let gates = BTreeMap::from([(SmolStr::new_static(SUPERVISORS), gate)]);
        Self { gates, about: About::default() }
    }

    /// A chat with `/`, and with what the member `namespaces` of `options` names
    /// ([`Gate::read`]): the options of `CONTRACT.md`, which are told to whoever asks.
    ///
    /// # Errors
    /// The member that is not known, or is of another type. Other options are not looked at.
    pub fn read(server: &'static str, options: Object) -> Result<Self, String> {
        const MEMBER: &str = "namespaces";
        let mut gates = BTreeMap::from([("/".into(), Gate::default())]);
        let named = options.get(MEMBER).map(|named| named.as_object().ok_or(MEMBER)).transpose()?;
        for (name, members) in named.into_iter().flat_map(Object::iter) {
            gates.insert(name.into(), Gate::read(members.as_object().ok_or(MEMBER)?)?);
        }
        Ok(Self { gates, about: About { server: SmolStr::new_static(server), options } })
    }

    /// Adds what the application needs to the options of a server: a namespace with its seats for
    /// each gate, and one middleware where there is something to check.
    pub fn apply(&self, server: &mut ServerConfig) {
        let room_events = server.main.room_events;
        for (name, gate) in &self.gates {
            let middlewares = u16::from(gate.is_watched());
            let config = NamespaceConfig { middlewares, max_sockets: gate.seats, room_events };
            if name == "/" {
                server.main = config;
            } else {
                server.namespaces.push((name.clone(), config));
            }
        }
    }
}

/// The chat application.
#[derive(Debug)]
pub struct Chat {
    config: ChatConfig,
    /// Checks under way, in the order in which they end.
    checks: VecDeque<(Instant, SocketRef, Verdict)>,
    /// Requests that wait for the answers of others, with those who asked.
    waiting: BTreeMap<Token, Option<AckTicket>>,
    next_token: u64,
}

impl Chat {
    /// The application with these options.
    #[must_use]
    pub const fn new(config: ChatConfig) -> Self {
        Self { config, checks: VecDeque::new(), waiting: BTreeMap::new(), next_token: 0 }
    }

    /// Checks who asks to be let in, now or after a while. Without a gate nobody watches.
    fn check(
        &mut self,
        socket: SocketRef,
        nsp: &SmolStr,
        auth: &Object,
        now: Instant,
    ) -> Option<Command> {
        let gate = self.config.gates.get(nsp);
        let verdict = gate.map_or(Verdict::Allow, |gate| gate.verdict(auth));
        let delay = gate.map_or(Duration::ZERO, |gate| gate.auth_delay);
        if delay.is_zero() {
            return Some(Command::Next { socket, verdict });
        }
        let at = now + delay;
        let place = self.checks.partition_point(|(other, ..)| *other <= at);
        self.checks.insert(place, (at, socket, verdict));
        None
    }

    fn token(&mut self, ticket: Option<AckTicket>) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.waiting.insert(token, ticket);
        token
    }

    fn on_received(
        &mut self,
        socket: SocketRef,
        request: Result<Request, BadRequest>,
        ack: Option<AckTicket>,
        server: &Server,
        commands: &mut Vec<Command>,
    ) {
        match request {
            Err(bad) => commands.extend(reply(ack, Answer::Error(bad.as_str()))),
            Ok(request) => match self.carry_out(socket, request, ack, server, commands) {
                Outcome::Done(ack, values) => commands.extend(reply(ack, Answer::Done(values))),
                Outcome::Waits => {}
            },
        }
    }

    /// Adds the commands of a request; some are answered later.
    fn carry_out(
        &mut self,
        socket: SocketRef,
        request: Request,
        ack: Option<AckTicket>,
        server: &Server,
        commands: &mut Vec<Command>,
    ) -> Outcome {
        let mut values = Vec::new();
        match request {
            Request::Join(rooms) => commands.push(Command::Join { socket, rooms }),
            Request::Leave(room) => commands.push(Command::Leave { socket, room }),
            Request::Rooms => values.push(strings(server.rooms_of(socket))),
            Request::Broadcast { name, args, target } => {
                let flags = target.flags;
                let selection = target.selection(socket, server);
                commands.push(Command::Broadcast { selection, name, args, flags, ack: None });
            }
            Request::Ask { name, args, target, timeout } => {
                let flags = target.flags;
                let selection = target.selection(socket, server);
                let ack = Some(AckRequest { token: self.token(ack), timeout });
                commands.push(Command::Broadcast { selection, name, args, flags, ack });
                return Outcome::Waits;
            }
            Request::Tell { id, name, args, flags, timeout } => {
                return self.tell(socket, &id, (name, args, flags, timeout), ack, server, commands);
            }
            Request::Who(target) => {
                let selection = target.selection(socket, server);
                let token = self.token(ack);
                commands.push(Command::FetchSockets { token, selection });
                return Outcome::Waits;
            }
            Request::Move { target, join, leave } => {
                let selection = target.selection(socket, server);
                if !leave.is_empty() {
                    let selection = selection.clone();
                    commands.push(Command::SocketsLeave { selection, rooms: leave });
                }
                if !join.is_empty() {
                    commands.push(Command::SocketsJoin { selection, rooms: join });
                }
            }
            Request::Kick { target, close } => {
                let selection = target.selection(socket, server);
                commands.push(Command::DisconnectSockets { selection, close });
            }
            Request::Set(key, value) => commands.push(Command::SetData { socket, key, value }),
            Request::Get => values.extend(server.data(socket).cloned().map(Value::Object)),
            Request::Echo(args) => values = args,
            Request::About => values.push(self.config.about.to_value()),
        }
        Outcome::Done(ack, values)
    }

    /// Emits to one socket, whose answer is passed on.
    fn tell(
        &mut self,
        socket: SocketRef,
        id: &str,
        (name, args, flags, timeout): (EventName, Vec<Value>, Flags, Option<Duration>),
        ack: Option<AckTicket>,
        server: &Server,
        commands: &mut Vec<Command>,
    ) -> Outcome {
        let Some(other) = server.find_socket(socket.namespace(), id) else {
            commands.extend(reply(ack, Answer::Error("no such socket")));
            return Outcome::Waits;
        };
        let waits = ack.is_some();
        let request = ack.map(|ack| AckRequest { token: self.token(Some(ack)), timeout });
        commands.push(Command::Emit { socket: other, name, args, flags, ack: request });
        if waits { Outcome::Waits } else { Outcome::Done(None, Vec::new()) }
    }
}

/// Whether a request is answered now.
enum Outcome {
    Done(Option<AckTicket>, Vec<Value>),
    Waits,
}

impl App for Chat {
    fn on_event(&mut self, event: Event, server: &Server, commands: &mut Vec<Command>) {
        match event {
            Event::Middleware { socket, nsp, auth, .. } => {
                commands.extend(self.check(socket, &nsp, &auth, server.now()));
            }
            Event::Connection { socket, nsp, recovered: false } if nsp == "/" => {
                commands.push(Command::Join { socket, rooms: alloc::vec![LOBBY.into()] });
            }
            Event::Received { socket, name, args, ack } => {
                let sender = server.sid(socket).map_or("", SmolStr::as_str);
                // A number is the name of no request.
                let name = name.as_str().unwrap_or_default();
                let request = Request::parse(name, args, sender);
                self.on_received(socket, request, ack, server, commands);
            }
            Event::Acked { token, result } => {
                let ack = self.waiting.remove(&token).flatten();
                let answer = result.map_or_else(|_| Answer::Late(Vec::new()), Answer::Done);
                commands.extend(reply(ack, answer));
            }
            Event::BroadcastAcked { token, responses, timed_out } => {
                let ack = self.waiting.remove(&token).flatten();
                let answer = if timed_out.is_some() { Answer::Late } else { Answer::Done };
                commands.extend(reply(ack, answer(alloc::vec![Value::Array(responses)])));
            }
            Event::Fetched { token, sockets } => {
                let ack = self.waiting.remove(&token).flatten();
                let ids = sockets.iter().filter_map(|socket| server.sid(*socket).cloned());
                commands.extend(reply(ack, Answer::Done(alloc::vec![strings(ids)])));
            }
            Event::Connection { .. }
            | Event::Engine(_)
            | Event::NamespaceRequested { .. }
            | Event::NamespaceCreated(_)
            | Event::NamespaceRemoved(_)
            | Event::ConnectRefused { .. }
            | Event::Incoming { .. }
            | Event::Outgoing { .. }
            | Event::SocketMiddleware { .. }
            | Event::Error { .. }
            | Event::Disconnecting { .. }
            | Event::Disconnected { .. }
            | Event::Room { .. }
            | Event::Refused(_) => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.checks.front().map(|(at, ..)| *at)
    }

    fn on_timeout(&mut self, now: Instant, _: &Server, commands: &mut Vec<Command>) {
        while self.poll_timeout().is_some_and(|at| at <= now)
            && let Some((_, socket, verdict)) = self.checks.pop_front()
        {
            commands.push(Command::Next { socket, verdict });
        }
    }
}

fn reply(ack: Option<AckTicket>, answer: Answer) -> Option<Command> {
    let Args(args) = answer.into();
    ack.map(|ticket| Command::Ack { ticket, args })
}

fn strings(texts: impl IntoIterator<Item = SmolStr>) -> Value {
    Value::Array(texts.into_iter().map(|text| Value::from(text.as_str())).collect())
}
