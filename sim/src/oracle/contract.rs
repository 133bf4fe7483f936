//! The chat contract, read from events.
//!
//! This is written from the contract's text, not from the application that implements it: what
//! both misread in the same way, nobody finds.

use overheard_core::value::{Object, Value};
use smol_str::SmolStr;

use crate::history::Args;

/// The room that every new socket of `/` is in.
pub const LOBBY: &str = "lobby";

/// Event names that nobody may emit (`BC-09`).
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A request of a client to the application.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// The sender joins these rooms.
    Join(Vec<SmolStr>),
    /// The sender leaves this room.
    Leave(SmolStr),
    /// The sender asks which rooms it is in.
    Rooms,
    /// An event for those whom the options select.
    Send {
        /// The event.
        event: SmolStr,
        /// Its arguments.
        args: Args,
        /// For whom.
        options: Options,
        /// Whether their answers are gathered.
        asks: bool,
    },
    /// An event for one socket, whose answer is passed on.
    Tell {
        /// The socket's id.
        id: SmolStr,
        /// The event.
        event: SmolStr,
        /// Its arguments.
        args: Args,
        /// Whether it may be dropped.
        volatile: bool,
    },
    /// The sender asks who is there.
    Who(Options),
    /// Selected sockets leave rooms and join others.
    Move {
        /// Who.
        options: Options,
        /// Rooms to join.
        join: Vec<SmolStr>,
        /// Rooms to leave, first.
        leave: Vec<SmolStr>,
    },
    /// Selected sockets are disconnected.
    Kick {
        /// Who.
        options: Options,
        /// Whether their connections go too.
        close: bool,
    },
    /// A member of the sender's data is set.
    Set(String, Value),
    /// The sender asks for its data.
    Get,
    /// The sender wants its arguments back.
    Echo,
    /// The sender asks who serves, under which options.
    About,
}

/// Whom a request means, and how to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Rooms to select; everybody if there is none (`BC-TGT-05`).
    pub to: Vec<SmolStr>,
    /// Rooms to except.
    pub except: Vec<SmolStr>,
    /// Whether the sender is like everybody else.
    pub from_namespace: bool,
    /// Whether the message may be dropped.
    pub volatile: bool,
}

/// Reads a request, if the event is one.
pub fn read(event: &str, args: &Args, sender: &str) -> Option<Request> {
    let first = args.first();
    Some(match event {
        "join" => Request::Join(rooms(first?)?),
        "leave" => Request::Leave(first?.as_str()?.into()),
        "rooms" => Request::Rooms,
        "chat" => {
            let text = first?.clone();
            let mut options = options(args.get(1).and_then(Value::as_object))?;
            if options.to.is_empty() {
                options.to.push(LOBBY.into());
            }
            let from: Object = [("from", sender)].into_iter().collect();
            let args = Args::new(vec![text, Value::Object(from)]);
            Request::Send { event: "chat".into(), args, options, asks: false }
        }
        "broadcast" | "ask" => {
            let object = first_object(first)?;
            let (name, args) = event_to_send(object)?;
            timeout_is_valid(event, object)?;
            Request::Send { event: name, args, options: options(object)?, asks: event == "ask" }
        }
        "tell" => {
            let object = first_object(first)?;
            let (name, args) = event_to_send(object)?;
            timeout_is_valid(event, object)?;
            let id = object?.get("id")?.as_str()?.into();
            let volatile = flags(object)?;
            Request::Tell { id, event: name, args, volatile }
        }
        "who" => Request::Who(options(first_object(first)?)?),
        "move" => {
            let object = first_object(first)?;
            let list = |key| object.and_then(|object| object.get(key)).map_or(Some(vec![]), rooms);
            Request::Move { options: options(object)?, join: list("join")?, leave: list("leave")? }
        }
        "kick" => {
            let object = first_object(first)?;
            Request::Kick { options: options(object)?, close: flag(object, "close", false)? }
        }
        "set" => Request::Set(first?.as_str()?.into(), args.get(1)?.clone()),
        "get" => Request::Get,
        "echo" => Request::Echo,
        "about" => Request::About,
        _ => return None,
    })
}

/// One room, or an array of rooms.
fn rooms(value: &Value) -> Option<Vec<SmolStr>> {
    if let Some(room) = value.as_str() {
        return Some(vec![room.into()]);
    }
    value.as_array()?.iter().map(|room| room.as_str().map(SmolStr::from)).collect()
}

/// The options, which may be missing but must be an object.
fn first_object(value: Option<&Value>) -> Option<Option<&Object>> {
    match value {
        None => Some(None),
        Some(value) => value.as_object().map(Some),
    }
}

fn flag(object: Option<&Object>, key: &str, default: bool) -> Option<bool> {
    object.and_then(|object| object.get(key)).map_or(Some(default), Value::as_bool)
}

fn options(object: Option<&Object>) -> Option<Options> {
    let list = |key| object.and_then(|object| object.get(key)).map_or(Some(vec![]), rooms);
    let from = object.and_then(|object| object.get("from"));
    let from_namespace = match from.map(Value::as_str) {
        None | Some(Some("socket")) => false,
        Some(Some("namespace")) => true,
        Some(_) => return None,
    };
    let (to, except, volatile) = (list("to")?, list("except")?, flags(object)?);
    Some(Options { to, except, from_namespace, volatile })
}

/// Whether the message may be dropped; the other flags change nothing here.
fn flags(object: Option<&Object>) -> Option<bool> {
    flag(object, "local", false)?;
    flag(object, "compress", true)?;
    flag(object, "volatile", false)
}

fn event_to_send(object: Option<&Object>) -> Option<(SmolStr, Args)> {
    let object = object?;
    let name = object.get("event")?.as_str()?;
    if RESERVED.contains(&name) {
        return None;
    }
    let args = object.get("args").map_or(Some(&[][..]), Value::as_array)?;
    Some((name.into(), Args::new(args.to_vec())))
}

/// Only `ask` and `tell` have a timeout: milliseconds, or `null`.
fn timeout_is_valid(event: &str, object: Option<&Object>) -> Option<()> {
    let timeout = object.and_then(|object| object.get("timeout"));
    match timeout {
        None | Some(Value::Null) => Some(()),
        Some(_) if event == "broadcast" => Some(()),
        Some(value) => value.as_int().filter(|ms| *ms >= 0).map(|_| ()),
    }
}
