//! Readers for steps that act: of clients, of the server itself, of hostile peers.

use std::time::Duration;

use overheard_core::value::Value;

use super::Steps;
use super::words::RESERVED_EVENTS;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, ClientId, Emit, Raw, RoomName, ServerAction, Target, TransportName};
use crate::scenario::client::auth;
use crate::scenario::codes;
use crate::scenario::fields::Fields;
use crate::scenario::node::Node;
use crate::scenario::server::{TRANSPORTS, namespace_name};
use crate::scenario::values::{self, entered, hex, patterns, templates};

/// How long a broadcast waits for answers: the chat contract's default.
const BROADCAST_TIMEOUT: Duration = Duration::from_secs(5);

/// Repetitions of one event.
const MAX_TIMES: i64 = 1_000_000;

impl Steps<'_> {
    pub(super) fn act(&mut self, name: &str, fields: &Fields<'_>) -> Option<Action> {
        match name {
            "connect" => self.connect(fields),
            "disconnect" => self.disconnect(fields),
            "emit" => self.emit(fields),
            "broadcast" => self.broadcast(fields),
            "move" => self.move_sockets(fields),
            "kick" => {
                let target = self.target(fields);
                let close = self.flag(fields, "close", false);
                Some(Action::Server(ServerAction::Kick { target: target?, close: close? }))
            }
            "close-server" => Some(Action::Server(ServerAction::Close)),
            "raw" => self.raw(fields),
            "advance" => {
                let by = fields.need(self.cx, "by")?;
                self.cx.some_time(by, "`by`").map(Action::Advance)
            }
            _ => None,
        }
    }

    fn connect(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let who = self.who(fields, "who");
        let auth = match fields.get("auth") {
            Some(node) => Some(auth(self.cx, node)?),
            None => None,
        };
        Some(Action::Connect { who: who?, auth })
    }

    fn disconnect(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let who = self.who(fields, "who")?;
        let namespace = match fields.get("namespace") {
            Some(_) => Some(self.namespace(fields, &who, "who")?),
            None => None,
        };
        Some(Action::Disconnect { who, namespace })
    }

    fn emit(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let from = self.who(fields, "from");
        let event = self.event(fields);
        let (times, every) = self.times(fields)?;
        let from = from?;
        let namespace = self.namespace(fields, &from, "from")?;
        let repeated = fields.get("times").is_some();
        let (cx, mut holes) = self.holes(Some(&namespace), repeated);
        let args = match fields.get("args") {
            Some(node) => templates(cx, node, &mut holes),
            None => Some(Vec::new()),
        };
        let ack = match fields.get("ack") {
            Some(node) => patterns(cx, node, "`ack`", &mut holes).map(Some),
            None => Some(None),
        };
        let timeout = self.time(fields, "timeout");
        let wait = self.flag(fields, "wait", true);
        let ack_fails = self.flag(fields, "ack-fails", false);
        let volatile = self.flag(fields, "volatile", false);
        self.ack_keys(fields, &from, ack_fails.unwrap_or(false));
        Some(Action::Emit(Emit {
            from,
            namespace,
            event: event?,
            args: args?,
            ack: ack?,
            timeout: timeout?,
            ack_fails: ack_fails?,
            volatile: volatile?,
            times,
            every,
            no_wait: !wait?,
        }))
    }

    /// Keys of acks that need or exclude each other.
    fn ack_keys(&mut self, fields: &Fields<'_>, from: &[ClientId], fails: bool) {
        let help = "`ack` says what the answer must be, `ack-fails` that none comes in time";
        if fails && fields.conflict(self.cx, &["ack", "ack-fails"], help) {
            return;
        }
        let waits = fields.get("ack").is_some() || fails;
        for key in ["timeout", "wait"] {
            if let (false, Some(span)) = (waits, fields.key(key)) {
                let title = format!("`{key}` has no effect on an `emit` that wants no answer");
                let error = Diagnostic::error(codes::DEPENDS, title, span, "nothing is waited for");
                self.cx.report(error.help("say what the answer must be: `ack: [ok]`"));
            }
        }
        let patient = from.iter().find(|id| self.clients.client(**id).ack_timeout.is_none());
        if let (true, None, Some(patient)) = (fails, fields.get("timeout"), patient) {
            let title = "an ack without a timeout never fails";
            let key = fields.key("ack-fails").unwrap_or(&fields.at);
            let label = "would be waited for without end";
            let error = Diagnostic::error(codes::DEPENDS, title, key, label);
            let client = self.clients.client(*patient);
            let label = format!("`{}` has no `ack-timeout`", client.name);
            let error = error.context(&client.span, label);
            self.cx.report(error.help("add a `timeout`, as in `timeout: 2s`"));
        }
    }

    fn broadcast(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let target = self.target(fields);
        let event = self.event(fields);
        let (times, every) = self.times(fields)?;
        let target = target?;
        let repeated = fields.get("times").is_some();
        let (cx, mut holes) = self.holes(Some(&target.namespace), repeated);
        let args = match fields.get("args") {
            Some(node) => templates(cx, node, &mut holes),
            None => Some(Vec::new()),
        };
        let ack = match fields.get("ack") {
            Some(node) => patterns(cx, node, "`ack`", &mut holes).map(Some),
            None => Some(None),
        };
        let volatile = self.flag(fields, "volatile", false);
        let timeout = self.time(fields, "timeout");
        fields.depends(self.cx, "timeout", "ack", "say which answers must come: `ack: [ok, ok]`");
        let timeout = timeout?.unwrap_or(BROADCAST_TIMEOUT);
        let ack = ack?.map(|patterns| (timeout, patterns));
        let (event, args, volatile) = (event?, args?, volatile?);
        Some(Action::Server(ServerAction::Broadcast {
            target,
            event,
            args,
            volatile,
            ack,
            times,
            every,
        }))
    }

    fn move_sockets(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let target = self.target(fields);
        let join = self.room_names(fields, "join");
        let leave = self.room_names(fields, "leave");
        if fields.get("join").is_none() && fields.get("leave").is_none() {
            let title = "`move` moves nobody: it says neither `join` nor `leave`";
            let error =
                Diagnostic::error(codes::MISSING_KEY, title, &fields.at, "from where to where?");
            self.cx.report(error.help("add `join`, `leave`, or both"));
            return None;
        }
        Some(Action::Server(ServerAction::Move { target: target?, join: join?, leave: leave? }))
    }

    fn target(&mut self, fields: &Fields<'_>) -> Option<Target> {
        let namespace = match fields.get("namespace") {
            Some(node) => {
                let name = self.cx.text(node, "`namespace`")?;
                namespace_name(self.cx, name, &node.span)?;
                self.known_namespace(name, node)?;
                name.to_owned()
            }
            None => "/".to_owned(),
        };
        let to = self.rooms(fields, "to", &namespace);
        let except = self.rooms(fields, "except", &namespace);
        Some(Target { namespace, to: to?, except: except? })
    }

    /// The server can speak in a namespace that somebody enters only.
    fn known_namespace(&mut self, name: &str, node: &Node) -> Option<()> {
        if self.clients.all.iter().any(|client| client.enters(name)) {
            return Some(());
        }
        let known: std::collections::BTreeSet<&str> = self
            .clients
            .all
            .iter()
            .flat_map(|client| client.namespaces.iter().map(|entered| entered.name.as_str()))
            .collect();
        let known: Vec<&str> = known.into_iter().collect();
        let title = format!("no client enters the namespace `{name}`");
        let error =
            Diagnostic::error(codes::NOT_IN_NAMESPACE, title, &node.span, "nobody is there");
        let these = "the namespaces of clients are";
        self.cx.report(crate::scenario::cx::did_you_mean(error, name, &node.span, &known, these));
        None
    }

    /// Rooms by name or by the id of a client.
    fn rooms(&mut self, fields: &Fields<'_>, key: &str, namespace: &str) -> Option<Vec<RoomName>> {
        let Some(node) = fields.get(key) else { return Some(Vec::new()) };
        let mut rooms = Vec::new();
        for item in self.cx.one_or_many(node) {
            let text = self.cx.words(item, &format!("a room of `{key}`"))?;
            let owner = text.strip_prefix("sid(").and_then(|text| text.strip_suffix(')'));
            if let (None, Some(rest)) = (owner, text.strip_prefix('$')) {
                let title = format!("`{text}` stands for no room");
                let error =
                    Diagnostic::error(codes::BAD_TEMPLATE, title, &item.span, "begins with `$`");
                let help = "rooms are names, or `sid(alice)` for the room of a client's own id";
                let error = error.help(help);
                self.cx.report(match rest.starts_with("sid(") {
                    true => error.suggest(&item.span, rest),
                    false => error,
                });
                return None;
            }
            rooms.push(match owner {
                Some(name) => {
                    let id = self.clients.one(self.cx, name.trim(), &item.span)?;
                    entered(self.cx, self.clients, id, namespace, &item.span)?;
                    RoomName::Own(id)
                }
                None => RoomName::Named(text.into()),
            });
        }
        Some(rooms)
    }

    /// Names of rooms.
    pub(super) fn room_names(&mut self, fields: &Fields<'_>, key: &str) -> Option<Vec<String>> {
        let Some(node) = fields.get(key) else { return Some(Vec::new()) };
        let mut names = Vec::new();
        for item in self.cx.one_or_many(node) {
            names.push(self.cx.words(item, &format!("a room of `{key}`"))?.to_owned());
        }
        Some(names)
    }

    fn raw(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let help = "`bytes` goes to a bare TCP connection, which has no transport and no messages";
        for key in ["transport", "enter", "send"] {
            if fields.conflict(self.cx, &["bytes", key], help) {
                return None;
            }
        }
        let transport = match fields.get("transport") {
            Some(node) => self.cx.word(node, "`transport`", &TRANSPORTS)?,
            None => TransportName::WebSocket,
        };
        let mut enter = Vec::new();
        for item in fields.get("enter").map(|node| self.cx.one_or_many(node)).unwrap_or_default() {
            let name = self.cx.text(item, "a namespace of `enter`")?;
            namespace_name(self.cx, name, &item.span)?;
            enter.push(name.to_owned());
        }
        let mut send = Vec::new();
        if let Some(node) = fields.get("send") {
            for item in self.cx.list(node, "`send`")? {
                send.push(self.raw_value(item, "a message of `send`")?);
            }
        }
        let bytes = match fields.get("bytes") {
            Some(node) => {
                let value = self.raw_value(node, "`bytes`")?;
                let text = value.as_str().map(|text| text.as_bytes().to_vec());
                text.or_else(|| value.as_binary().map(|bytes| bytes.to_vec()))
            }
            None => None,
        };
        let closes = match fields.get("closes") {
            Some(node) => Some(self.cx.boolean(node, "`closes`")?),
            None => None,
        };
        let linger = self.time(fields, "linger")?.unwrap_or_default();
        if enter.is_empty() && send.is_empty() && bytes.is_none() && fields.get("linger").is_none()
        {
            let title = "`raw` does nothing: it neither sends nor lingers";
            let error =
                Diagnostic::error(codes::MISSING_KEY, title, &fields.at, "what does it do?");
            self.cx.report(error.help("add `send`, `bytes`, `enter` or `linger`"));
            return None;
        }
        Some(Action::Raw(Raw { transport, enter, send, bytes, closes, linger }))
    }

    /// A text as it is, or bytes.
    fn raw_value(&mut self, node: &Node, what: &str) -> Option<Value> {
        match node.map() {
            Some(_) => {
                let fields = self.cx.fields(node, what, &node.span, &["hex"])?;
                let bytes = fields.need(self.cx, "hex")?;
                hex(self.cx, bytes).map(|bytes| Value::Binary(bytes.into()))
            }
            None => self.cx.text(node, what).map(Value::from),
        }
    }

    /// The event that a step emits.
    fn event(&mut self, fields: &Fields<'_>) -> Option<String> {
        let node = fields.need(self.cx, "event")?;
        self.event_name(node)
    }

    pub(super) fn event_name(&mut self, node: &Node) -> Option<String> {
        let name = self.cx.text(node, "`event`")?;
        if RESERVED_EVENTS.contains(&name) {
            let title = format!("the event `{name}` is reserved");
            let label = "nobody can emit it, or hear it";
            let error = Diagnostic::error(codes::RESERVED_EVENT, title, &node.span, label);
            let help = match name {
                "connect" => "clients connect by the step `connect`",
                "disconnect" | "disconnecting" => {
                    "clients leave by the step `disconnect`; `expect-connection` asks how it went"
                }
                "connect_error" => "a refusal is expected by `expect-connection` or `refused`",
                _ => "give the event another name",
            };
            self.cx.report(error.help(help));
            return None;
        }
        if name.starts_with('$') && !name.starts_with("$$") && values::hole(node).is_some() {
            let title = format!("`{name}` stands for nothing here");
            let error =
                Diagnostic::error(codes::BAD_TEMPLATE, title, &node.span, "not a parameter");
            self.cx.report(error.help("the name of an event is fixed, or a parameter of a verb"));
            return None;
        }
        Some(name.into())
    }

    fn times(&mut self, fields: &Fields<'_>) -> Option<(u32, Duration)> {
        let times = match fields.get("times") {
            Some(node) => self.cx.integer(node, "`times`", 1..=MAX_TIMES),
            None => Some(1),
        };
        let every = self.time(fields, "every");
        fields.depends(self.cx, "every", "times", "say how often: `times: 10`");
        Some((times?, every?.unwrap_or_default()))
    }

    /// A time that may be missing; `None` is a mistake.
    pub(super) fn time(&mut self, fields: &Fields<'_>, key: &str) -> Option<Option<Duration>> {
        match fields.get(key) {
            Some(node) => self.cx.some_time(node, &format!("`{key}`")).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn flag(&mut self, fields: &Fields<'_>, key: &str, default: bool) -> Option<bool> {
        match fields.get(key) {
            Some(node) => self.cx.boolean(node, &format!("`{key}`")),
            None => Some(default),
        }
    }
}
