//! The server under a transcript, the log that transcripts check, and the names they use.

use std::collections::{BTreeMap, VecDeque};

use overheard_core::codec::sio::json;
use overheard_core::engine::Input as Transport;
use overheard_core::server::{
    AckRequest, Command, Event, EventName, Flags, Input, Matcher, NamespaceConfig, Output,
    ParentConfig, RecoveryConfig, Server, ServerConfig, SocketRef, Verdict,
};
use overheard_core::time::{Duration, Instant};
use overheard_core::value::{Object, Value};
use overheard_core::wire::{Frame, RequestId, WsId};

use crate::support::vectors::transports;
use crate::support::{CountingIds, Frames as _, Wire};

/// How long the reference runner waits for quiet after each step.
pub(crate) const SETTLE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) ws: Option<WsId>,
    pub(crate) sid: String,
    pub(crate) poll: Option<RequestId>,
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    pub(crate) wire: Wire,
    pub(crate) clients: BTreeMap<String, Client>,
    /// Connected sockets in order, with their ids: `s1`, `s2`, …
    pub(crate) sockets: Vec<(SocketRef, String)>,
    pub(crate) pids: Vec<String>,
    pub(crate) offsets: Vec<String>,
    pub(crate) log: Vec<Value>,
    pub(crate) listen: Vec<String>,
    pub(crate) socket_use: Vec<String>,
    pub(crate) log_adapter: bool,
    pub(crate) log_disconnecting: bool,
    pub(crate) recovery: bool,
    pub(crate) middlewares: BTreeMap<String, Vec<Value>>,
    pub(crate) gates: VecDeque<SocketRef>,
    pub(crate) acks: Vec<(String, bool)>,
    pub(crate) unflushed: Vec<WsId>,
}

pub(crate) fn millis(value: &Value) -> Duration {
    Duration::from_millis(value.as_int().unwrap().try_into().unwrap())
}

pub(crate) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().map(|s| s.as_str().unwrap().to_owned()).collect(),
        Some(other) => panic!("not a string or strings: {other:?}"),
    }
}

impl World {
    pub(crate) fn new(options: &Object, mut config: ServerConfig) -> Self {
        let none = Value::Null;
        let get = |key: &str| options.get(key).unwrap_or(&none);
        let log_adapter = get("logAdapter").as_bool().unwrap_or(false);
        for (key, value) in get("opts").as_object().into_iter().flat_map(Object::iter) {
            match key {
                "connectTimeout" => config.connect_timeout = millis(value),
                "pingInterval" => config.engine.ping_interval = millis(value),
                "pingTimeout" => config.engine.ping_timeout = millis(value),
                "upgradeTimeout" => config.engine.upgrade_timeout = millis(value),
                "maxHttpBufferSize" => {
                    config.engine.max_http_buffer_size =
                        value.as_int().unwrap().try_into().unwrap();
                }
                "transports" => config.engine.transports = transports(value),
                "allowUpgrades" => config.engine.allow_upgrades = value.as_bool().unwrap(),
                "cleanupEmptyChildNamespaces" => {
                    config.cleanup_empty_child_namespaces = value.as_bool().unwrap();
                }
                "connectionStateRecovery" => {
                    let mut recovery = RecoveryConfig::default();
                    for (key, value) in value.as_object().unwrap().iter() {
                        match key {
                            "maxDisconnectionDuration" => {
                                recovery.max_disconnection_duration = millis(value);
                            }
                            "skipMiddlewares" => {
                                recovery.skip_middlewares = value.as_bool().unwrap();
                            }
                            other => panic!("unknown recovery option {other}"),
                        }
                    }
                    config.recovery = Some(recovery);
                }
                other => panic!("unknown option {other}"),
            }
        }
        let mut middlewares = BTreeMap::new();
        for (nsp, list) in get("middlewares").as_object().into_iter().flat_map(Object::iter) {
            middlewares.insert(nsp.to_owned(), list.as_array().unwrap().to_vec());
        }
        let namespace = |name: &str| NamespaceConfig {
            middlewares: middlewares.get(name).map_or(0, Vec::len).try_into().unwrap(),
            room_events: log_adapter,
            ..NamespaceConfig::default()
        };
        config.main = namespace("/");
        for name in strings(Some(get("namespaces"))) {
            config.namespaces.push((name.as_str().into(), namespace(&name)));
        }
        for pattern in strings(Some(get("dynamic"))) {
            // `/^\/dyn-\d+$/` or the bare pattern
            let bare = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
            let pattern = regex::Regex::new(bare.unwrap_or(&pattern)).unwrap();
            let namespace = namespace("");
            config.parents.push(ParentConfig { matcher: Matcher::Pattern(pattern), namespace });
        }
        let recovery = config.recovery.is_some();
        let (ids, socket_ids) = (Box::new(CountingIds(0)), Box::new(CountingIds(1 << 32)));
        let now = Instant::from_millis(1_700_000_000_000);
        Self {
            server: Server::new(config, ids, socket_ids, now),
            now,
            wire: Wire::default(),
            clients: BTreeMap::new(),
            sockets: Vec::new(),
            pids: Vec::new(),
            offsets: Vec::new(),
            log: Vec::new(),
            listen: strings(Some(get("listen"))),
            socket_use: strings(Some(get("socketUse"))),
            log_adapter,
            log_disconnecting: get("logDisconnecting").as_bool().unwrap_or(false),
            recovery,
            middlewares,
            gates: VecDeque::new(),
            acks: Vec::new(),
            unflushed: Vec::new(),
        }
    }

    pub(crate) fn feed(&mut self, input: Transport) {
        self.server.handle(self.now, Input::Transport(input)).expect("the contract is kept");
        self.drain();
    }

    pub(crate) fn command(&mut self, commands: Vec<Command>) {
        self.server.handle(self.now, Input::Commands(commands)).expect("the contract is kept");
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        for _ in 0..100_000 {
            match self.server.poll_output() {
                None => return,
                Some(Output::Event(event)) => {
                    let commands = self.on_event(event);
                    self.server.handle(self.now, Input::Commands(commands)).unwrap();
                }
                Some(Output::Transport(output)) => {
                    if let Some(ws) = self.wire.perform(output) {
                        let frames = self.server.take(ws);
                        self.note(&frames);
                        self.wire.receive(ws, frames);
                        self.unflushed.push(ws);
                    }
                }
            }
        }
        panic!("the machine does not come to rest");
    }

    /// Lets time pass until everything is quiet.
    pub(crate) fn settle(&mut self, by: Duration) {
        while !self.unflushed.is_empty() {
            for ws in std::mem::take(&mut self.unflushed) {
                self.feed(Transport::WsFlushed(ws));
            }
        }
        let end = self.now + by;
        while let Some((at, _)) = self.server.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.feed(Transport::Timeout);
            while let Some(ws) = self.unflushed.pop() {
                self.feed(Transport::WsFlushed(ws));
            }
        }
        self.now = end;
    }

    /// Notes pids and offsets as they come by.
    pub(crate) fn note(&mut self, frames: &[Frame]) {
        for frame in frames {
            let Frame::Text(text) = frame else { continue };
            self.note_text(text);
        }
    }

    pub(crate) fn note_text(&mut self, text: &str) {
        let Some(at) = text.find(['{', '[']).filter(|_| self.recovery) else { return };
        match json::parse(&text[at..]) {
            Some(Value::Object(object)) if text.starts_with("40") => {
                if let Some(pid) = object.get("pid").and_then(Value::as_str)
                    && !self.pids.iter().any(|known| known == pid)
                {
                    self.pids.push(pid.to_owned());
                }
            }
            Some(Value::Array(args)) if text.starts_with("42") || text.starts_with("45") => {
                let has_no_id =
                    !text[2..at].chars().any(|c| c.is_ascii_digit()) || text.starts_with("45");
                if let Some(offset) = args.last().and_then(Value::as_str).filter(|_| has_no_id)
                    && args.len() > 1
                    && !self.offsets.iter().any(|known| known == offset)
                {
                    self.offsets.push(offset.to_owned());
                }
            }
            Some(_) | None => {}
        }
    }

    pub(crate) fn name_of(&self, socket: SocketRef) -> String {
        let at = self.sockets.iter().rposition(|(known, _)| *known == socket);
        format!("s{}", at.expect("a socket that was connected") + 1)
    }

    /// Ids become `<sN>`.
    pub(crate) fn mask(&self, text: &str) -> String {
        match self.sockets.iter().position(|(_, sid)| sid == text) {
            Some(at) => format!("<s{}>", at + 1),
            None => text.to_owned(),
        }
    }

    /// `<sN>`, `<pN>` and `<oN>` become what they stand for.
    pub(crate) fn unmask(&self, text: &str) -> String {
        let mut out = text.to_owned();
        let sids = self.sockets.iter().map(|(_, sid)| sid);
        let named = [
            ('s', sids.collect::<Vec<_>>()),
            ('p', self.pids.iter().collect()),
            ('o', self.offsets.iter().collect()),
        ];
        for (letter, values) in named {
            for (index, value) in values.into_iter().enumerate() {
                out = out.replace(&format!("<{letter}{}>", index + 1), value);
            }
        }
        out
    }

    pub(crate) fn socket(&self, name: &Value) -> SocketRef {
        let number: usize = name.as_str().unwrap()[1..].parse().unwrap();
        self.sockets[number - 1].0
    }

    pub(crate) fn record(&mut self, kind: &str, rest: impl IntoIterator<Item = Value>) {
        let entry = std::iter::once(Value::from(kind)).chain(rest).collect();
        self.log.push(Value::Array(entry));
    }

    pub(crate) fn on_event(&mut self, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        match event {
            Event::Middleware { socket, nsp, index, .. } => {
                let middleware = self.middlewares[&*nsp][usize::from(index)].clone();
                self.middleware(socket, &middleware, &mut commands);
            }
            Event::Connection { socket, nsp, recovered } => {
                let sid = self.server.sid(socket).unwrap().to_string();
                self.sockets.push((socket, sid));
                let name = Value::from(self.name_of(socket));
                let recovered = recovered.then(|| Value::from("recovered"));
                self.record("connection", [Value::from(&*nsp), name].into_iter().chain(recovered));
                commands.push(Command::Subscribe { socket, incoming: true, outgoing: false });
                for _ in &self.socket_use {
                    commands.push(Command::UseSocket(socket));
                }
            }
            Event::Incoming { socket, event } => {
                let name = Value::from(self.name_of(socket));
                self.record("any", std::iter::once(name).chain(event.iter().map(as_node_buffer)));
            }
            Event::SocketMiddleware { ticket, socket, index, event } => {
                let name = Value::from(self.name_of(socket));
                self.record("use", std::iter::once(name).chain(event));
                let verdict = match self.socket_use[usize::from(index)].as_str() {
                    "reject" => Err("rejected".to_owned()),
                    _ => Ok(None),
                };
                commands.push(Command::NextEvent { ticket, verdict });
            }
            Event::Received { socket, name, args, ack } => {
                let listened =
                    name.as_str().is_some_and(|name| self.listen.iter().any(|l| l == name));
                if listened {
                    let who = Value::from(self.name_of(socket));
                    let event = Value::from(name.as_str().unwrap());
                    self.record("event", [who, event].into_iter().chain(args.clone()));
                    commands.extend(ack.map(|ticket| Command::Ack { ticket, args }));
                }
            }
            Event::Error { socket, message } => {
                let name = Value::from(self.name_of(socket));
                self.record("error", [name, Value::from(message)]);
            }
            Event::Disconnecting { socket, reason } if self.log_disconnecting => {
                let rooms = self.server.rooms_of(socket);
                let rooms = rooms.iter().map(|room| Value::from(self.mask(room))).collect();
                let name = Value::from(self.name_of(socket));
                let reason = Value::from(reason.as_str());
                self.record("disconnecting", [name, reason, Value::Array(rooms)]);
            }
            Event::Disconnected { socket, reason, .. } => {
                let name = Value::from(self.name_of(socket));
                let rooms = self.server.rooms_of(socket);
                let rooms = rooms.iter().map(|room| Value::from(self.mask(room))).collect();
                let rooms = self.log_disconnecting.then_some(Value::Array(rooms));
                let reason = Value::from(reason.as_str());
                self.record("disconnect", [name, reason].into_iter().chain(rooms));
            }
            Event::Room { change, room, sid, .. } if self.log_adapter => {
                // The own-id room is announced before the connection: its name is learnt there.
                let entry = [room.to_string()].into_iter().chain(sid.map(|sid| sid.to_string()));
                let entry: Vec<Value> = entry.map(Value::from).collect();
                self.record(change.as_str(), entry);
            }
            Event::Acked { token, result } => {
                let (name, error_first) = self.acks[usize::try_from(token.0).unwrap()].clone();
                let name = Value::from(name);
                match result {
                    Ok(args) if error_first => {
                        self.record("ack", [name, Value::Null].into_iter().chain(args));
                    }
                    Ok(args) => self.record("ack", std::iter::once(name).chain(args)),
                    Err(error) => {
                        self.record("ack", [name, Value::from(format!("Error: {error}"))]);
                    }
                }
            }
            Event::BroadcastAcked { token, responses, timed_out } => {
                let name = Value::from(self.acks[usize::try_from(token.0).unwrap()].0.clone());
                let error = timed_out.map_or(Value::Null, |e| Value::from(format!("Error: {e}")));
                self.record("ack", [name, error, Value::Array(responses)]);
            }
            Event::Disconnecting { .. }
            | Event::Room { .. }
            | Event::Engine(_)
            | Event::NamespaceRequested { .. }
            | Event::NamespaceCreated(_)
            | Event::NamespaceRemoved(_)
            | Event::ConnectRefused { .. }
            | Event::Outgoing { .. }
            | Event::Fetched { .. } => {}
            Event::Refused(error) => panic!("refused: {error}"),
        }
        commands
    }

    pub(crate) fn middleware(
        &mut self,
        socket: SocketRef,
        what: &Value,
        commands: &mut Vec<Command>,
    ) {
        let verdict = match (what.as_str(), what.as_object()) {
            (Some("ok"), _) => Verdict::Allow,
            (Some("gate"), _) => {
                self.gates.push_back(socket);
                return;
            }
            (Some("emit"), _) => {
                commands.push(emit(socket, "early", Vec::new(), None, Flags::default()));
                Verdict::Allow
            }
            (_, Some(object)) if object.get("errorString").is_some() => Verdict::RefuseSilently,
            (_, Some(object)) if object.get("emit").is_some() => {
                let event = strings(object.get("emit"));
                let args = event[1..].iter().cloned().map(Value::from).collect();
                commands.push(emit(socket, &event[0], args, None, Flags::default()));
                Verdict::Allow
            }
            (_, Some(object)) => Verdict::Refuse {
                message: object.get("error").and_then(Value::as_str).unwrap().to_owned(),
                data: object.get("data").cloned(),
            },
            _ => panic!("unknown middleware {what:?}"),
        };
        commands.push(Command::Next { socket, verdict });
    }
}

pub(crate) fn emit(
    socket: SocketRef,
    name: &str,
    args: Vec<Value>,
    ack: Option<AckRequest>,
    flags: Flags,
) -> Command {
    Command::Emit { socket, name: EventName::new(name).unwrap(), args, flags, ack }
}

/// Node prints a buffer as an object of numbers.
pub(crate) fn as_node_buffer(value: &Value) -> Value {
    match value {
        Value::Binary(data) => {
            let bytes = data.iter().map(|byte| Value::from(i64::from(*byte))).collect();
            let object: Object = [("type", Value::from("Buffer")), ("data", Value::Array(bytes))]
                .into_iter()
                .collect();
            Value::Object(object)
        }
        Value::Array(items) => Value::Array(items.iter().map(as_node_buffer).collect()),
        other => other.clone(),
    }
}
