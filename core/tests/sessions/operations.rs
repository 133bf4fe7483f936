//! What transcripts make the server do.

use overheard_core::server::{AckRequest, Command, EventName, Flags, Selection, Token, Verdict};
use overheard_core::time::Duration;
use overheard_core::value::Value;

use crate::support::vectors::with_binary;
use crate::world::{World, millis, strings};

impl World {
    pub(crate) fn operate(&mut self, operation: &[Value]) {
        let [verb, rest @ ..] = operation else { panic!("an operation") };
        let all = Selection::namespace("/");
        let command = match (verb.as_str().unwrap(), rest) {
            ("emit", [socket, event @ ..]) => self.emit(socket, event, None, Flags::default()),
            ("volatile", [socket, event @ ..]) => {
                self.emit(socket, event, None, Flags { volatile: true, ..Flags::default() })
            }
            ("timeoutEmit", [socket, ms, event @ ..]) => {
                self.emit(socket, event, Some(millis(ms)), Flags::default())
            }
            ("io.emit", event) => self.broadcast(all, event, None, Flags::default()),
            ("nsp.emit", [nsp, event @ ..]) => {
                let selection = Selection::namespace(nsp.as_str().unwrap());
                self.broadcast(selection, event, None, Flags::default())
            }
            ("io", [filters, method @ ..]) => self.operator(all, filters, method),
            ("nsp", [nsp, filters, method @ ..]) => {
                self.operator(Selection::namespace(nsp.as_str().unwrap()), filters, method)
            }
            ("sock", [socket, filters, method @ ..]) => {
                self.operator(Selection::socket(self.socket(socket)), filters, method)
            }
            ("join", [socket, rooms]) => {
                let rooms = self.rooms(Some(rooms));
                Some(Command::Join { socket: self.socket(socket), rooms })
            }
            ("leave", [socket, room]) => {
                let room = self.unmask(room.as_str().unwrap()).into();
                Some(Command::Leave { socket: self.socket(socket), room })
            }
            ("disconnect", [socket, rest @ ..]) => {
                let close = rest.first().and_then(Value::as_bool).unwrap_or(false);
                Some(Command::Disconnect { socket: self.socket(socket), close })
            }
            ("conn.close", [socket]) => Some(Command::CloseConnection(self.socket(socket).conn())),
            ("io.close", []) => Some(Command::Close),
            ("gate", rest) => {
                let socket = self.gates.pop_front().expect("a pending middleware");
                let verdict = match rest.first().and_then(Value::as_str) {
                    None => Verdict::Allow,
                    Some(message) => Verdict::Refuse { message: message.into(), data: None },
                };
                Some(Command::Next { socket, verdict })
            }
            ("rooms", [socket]) => {
                let rooms = self.server.rooms_of(self.socket(socket));
                let rooms = rooms.iter().map(|room| Value::from(self.mask(room))).collect();
                self.record("rooms", [socket.clone(), Value::Array(rooms)]);
                None
            }
            (other, _) => panic!("unknown operation {other}"),
        };
        self.command(command.into_iter().collect());
    }

    pub(crate) fn rooms(&self, value: Option<&Value>) -> Vec<smol_str::SmolStr> {
        strings(value).iter().map(|room| self.unmask(room).into()).collect()
    }

    /// Takes `{"$ack": name}` off the end of an event.
    pub(crate) fn ack(
        &mut self,
        event: &[Value],
        timeout: Option<Duration>,
    ) -> (Vec<Value>, Option<AckRequest>) {
        let mut event: Vec<Value> = event.iter().map(with_binary).collect();
        let name = event.last().and_then(Value::as_object).and_then(|last| last.get("$ack"));
        let Some(name) = name.and_then(Value::as_str).map(ToOwned::to_owned) else {
            return (event, None);
        };
        event.pop();
        let token = Token(self.acks.len() as u64);
        self.acks.push((name, timeout.is_some()));
        (event, Some(AckRequest { token, timeout }))
    }

    /// A reserved name throws and sends nothing (BC-09).
    pub(crate) fn event_name(&mut self, event: &mut Vec<Value>) -> Option<EventName> {
        match event.remove(0) {
            Value::Number(number) => Some(EventName::number(number)),
            name => match EventName::new(name.as_str().unwrap()) {
                Ok(name) => Some(name),
                Err(error) => {
                    self.record("throw", [Value::from(error.to_string())]);
                    None
                }
            },
        }
    }

    pub(crate) fn emit(
        &mut self,
        socket: &Value,
        event: &[Value],
        timeout: Option<Duration>,
        flags: Flags,
    ) -> Option<Command> {
        let socket = self.socket(socket);
        let (mut args, ack) = self.ack(event, timeout);
        let name = self.event_name(&mut args)?;
        Some(Command::Emit { socket, name, args, flags, ack })
    }

    pub(crate) fn broadcast(
        &mut self,
        selection: Selection,
        event: &[Value],
        timeout: Option<Duration>,
        flags: Flags,
    ) -> Option<Command> {
        let (mut args, ack) = self.ack(event, timeout);
        let name = self.event_name(&mut args)?;
        Some(Command::Broadcast { selection, name, args, flags, ack })
    }

    pub(crate) fn operator(
        &mut self,
        selection: Selection,
        filters: &Value,
        method: &[Value],
    ) -> Option<Command> {
        let filters = filters.as_object().unwrap();
        let (mut flags, mut timeout) = (Flags::default(), None);
        let listed = filters.get("flags").and_then(Value::as_array).unwrap_or_default();
        for flag in listed {
            let (name, value) = match flag {
                Value::Array(pair) => (pair[0].as_str().unwrap(), Some(&pair[1])),
                name => (name.as_str().unwrap(), None),
            };
            match (name, value) {
                ("local", _) => flags.local = true,
                ("volatile", _) => flags.volatile = true,
                ("timeout", Some(ms)) => timeout = Some(millis(ms)),
                ("compress", Some(compress)) => flags.compress = compress.as_bool().unwrap(),
                (other, _) => panic!("unknown flag {other}"),
            }
        }
        let selection = selection
            .to(self.rooms(filters.get("to")))
            .to(self.rooms(filters.get("in")))
            .except(self.rooms(filters.get("except")));
        let [name, args @ ..] = method else { panic!("a method") };
        let rooms = || self.rooms(args.first());
        match name.as_str().unwrap() {
            "emit" => self.broadcast(selection, args, timeout, flags),
            "socketsJoin" => Some(Command::SocketsJoin { rooms: rooms(), selection }),
            "socketsLeave" => Some(Command::SocketsLeave { rooms: rooms(), selection }),
            "disconnectSockets" => {
                let close = args.first().and_then(Value::as_bool).unwrap_or(false);
                Some(Command::DisconnectSockets { selection, close })
            }
            other => panic!("unknown method {other}"),
        }
    }
}
