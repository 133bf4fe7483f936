//! The requests of the chat contract, read from events.

use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::LOBBY;
use crate::server::{EventName, Flags, Selection, Server, SocketRef};
use crate::time::Duration;
use crate::value::{Object, Value};

/// How long `ask` and `tell` wait unless they say otherwise: a request that never ends would hold
/// its asker's ack for ever.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request of a client.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// Join rooms.
    Join(Vec<SmolStr>),
    /// Leave a room.
    Leave(SmolStr),
    /// Say which rooms I am in.
    Rooms,
    /// Send an event; also what `chat` is.
    Broadcast {
        /// Its name.
        name: EventName,
        /// Its arguments.
        args: Vec<Value>,
        /// To whom.
        target: Target,
    },
    /// Send an event and gather the answers.
    Ask {
        /// Its name.
        name: EventName,
        /// Its arguments.
        args: Vec<Value>,
        /// To whom.
        target: Target,
        /// How long to wait.
        timeout: Option<Duration>,
    },
    /// Send an event to one socket and pass its answer on.
    Tell {
        /// The socket's id.
        id: SmolStr,
        /// The event's name.
        name: EventName,
        /// Its arguments.
        args: Vec<Value>,
        /// How.
        flags: Flags,
        /// How long to wait.
        timeout: Option<Duration>,
    },
    /// Say which sockets are there.
    Who(Target),
    /// Make sockets join or leave rooms.
    Move {
        /// Which sockets.
        target: Target,
        /// Rooms to join.
        join: Vec<SmolStr>,
        /// Rooms to leave, first.
        leave: Vec<SmolStr>,
    },
    /// Disconnect sockets.
    Kick {
        /// Which sockets.
        target: Target,
        /// Whether their connections go too.
        close: bool,
    },
    /// Set a member of my data.
    Set(String, Value),
    /// Say what my data is.
    Get,
    /// Say the same to me.
    Echo(Vec<Value>),
    /// Say who serves, under which options.
    About,
}

/// Whom a request means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Rooms to select.
    pub rooms: Vec<SmolStr>,
    /// Rooms to except.
    pub except: Vec<SmolStr>,
    /// Whether the sender may be among them.
    pub from_namespace: bool,
    /// How to send.
    pub flags: Flags,
}

impl Target {
    /// The operator that this target stands for.
    pub(super) fn selection(self, socket: SocketRef, server: &Server) -> Selection {
        let selection = if self.from_namespace {
            let name = server.namespace_name(socket.namespace());
            Selection::namespace(name.cloned().unwrap_or_default())
        } else {
            Selection::socket(socket)
        };
        selection.to(self.rooms).except(self.except)
    }
}

/// Why an event is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// No such event in the contract.
    UnknownEvent,
    /// An argument is missing or of the wrong type.
    BadArguments,
    /// The name of the event to send is missing or reserved.
    BadEventName,
}

impl BadRequest {
    /// What the client is told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownEvent => "unknown event",
            Self::BadArguments => "bad arguments",
            Self::BadEventName => "bad event name",
        }
    }
}

impl Request {
    /// Reads a request from an event and the id of the socket that sends it.
    ///
    /// # Errors
    /// The event is not of the contract, or its arguments are not.
    pub fn parse(name: &str, args: Vec<Value>, sender: &str) -> Result<Self, BadRequest> {
        let first = args.first();
        let options = || match first {
            None => Ok(Options(None)),
            Some(Value::Object(object)) => Ok(Options(Some(object))),
            Some(_) => Err(BadRequest::BadArguments),
        };
        match name {
            "join" => Ok(Self::Join(rooms(first)?)),
            "leave" => Ok(Self::Leave(text(first)?.into())),
            "rooms" => Ok(Self::Rooms),
            "chat" => {
                let text = first.cloned().ok_or(BadRequest::BadArguments)?;
                let mut target = Options(args.get(1).and_then(Value::as_object)).target()?;
                if target.rooms.is_empty() {
                    target.rooms.push(LOBBY.into());
                }
                let from: Object = [("from", sender)].into_iter().collect();
                let args = alloc::vec![text, Value::Object(from)];
                Ok(Self::Broadcast { name: EventName::chat(), args, target })
            }
            "broadcast" => {
                let options = options()?;
                let (name, args) = options.event()?;
                Ok(Self::Broadcast { name, args, target: options.target()? })
            }
            "ask" => {
                let options = options()?;
                let ((name, args), timeout) = (options.event()?, options.timeout()?);
                Ok(Self::Ask { name, args, target: options.target()?, timeout })
            }
            "tell" => {
                let options = options()?;
                let ((name, args), timeout) = (options.event()?, options.timeout()?);
                let id = text(options.get("id"))?.into();
                Ok(Self::Tell { id, name, args, flags: options.flags()?, timeout })
            }
            "who" => Ok(Self::Who(options()?.target()?)),
            "move" => {
                let options = options()?;
                let (join, leave) = (options.rooms("join")?, options.rooms("leave")?);
                Ok(Self::Move { target: options.target()?, join, leave })
            }
            "kick" => {
                let options = options()?;
                let close = options.flag("close", false)?;
                Ok(Self::Kick { target: options.target()?, close })
            }
            "set" => {
                let key = text(first)?.into();
                Ok(Self::Set(key, args.into_iter().nth(1).ok_or(BadRequest::BadArguments)?))
            }
            "get" => Ok(Self::Get),
            "echo" => Ok(Self::Echo(args)),
            "about" => Ok(Self::About),
            _ => Err(BadRequest::UnknownEvent),
        }
    }
}

/// The options object of a request, which may be missing.
struct Options<'a>(Option<&'a Object>);

impl<'a> Options<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.and_then(|object| object.get(key))
    }

    fn rooms(&self, key: &str) -> Result<Vec<SmolStr>, BadRequest> {
        self.get(key).map_or_else(|| Ok(Vec::new()), |value| rooms(Some(value)))
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, BadRequest> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or(BadRequest::BadArguments),
        }
    }

    fn flags(&self) -> Result<Flags, BadRequest> {
        Ok(Flags {
            volatile: self.flag("volatile", false)?,
            local: self.flag("local", false)?,
            compress: self.flag("compress", true)?,
        })
    }

    fn target(&self) -> Result<Target, BadRequest> {
        let from_namespace = match self.get("from") {
            None => false,
            Some(Value::String(from)) if from == "socket" => false,
            Some(Value::String(from)) if from == "namespace" => true,
            Some(_) => return Err(BadRequest::BadArguments),
        };
        let (rooms, except) = (self.rooms("to")?, self.rooms("except")?);
        Ok(Target { rooms, except, from_namespace, flags: self.flags()? })
    }

    fn event(&self) -> Result<(EventName, Vec<Value>), BadRequest> {
        let name = text(self.get("event")).map_err(|_| BadRequest::BadEventName)?;
        let name = EventName::new(name).map_err(|_| BadRequest::BadEventName)?;
        let args = match self.get("args") {
            None => Vec::new(),
            Some(Value::Array(args)) => args.clone(),
            Some(_) => return Err(BadRequest::BadArguments),
        };
        Ok((name, args))
    }

    fn timeout(&self) -> Result<Option<Duration>, BadRequest> {
        match self.get("timeout") {
            None => Ok(Some(DEFAULT_TIMEOUT)),
            Some(Value::Null) => Ok(None),
            Some(value) => {
                let ms = value.as_int().and_then(|ms| u64::try_from(ms).ok());
                Ok(Some(Duration::from_millis(ms.ok_or(BadRequest::BadArguments)?)))
            }
        }
    }
}

fn text(value: Option<&Value>) -> Result<&str, BadRequest> {
    value.and_then(Value::as_str).ok_or(BadRequest::BadArguments)
}

/// One room, or an array of rooms.
fn rooms(value: Option<&Value>) -> Result<Vec<SmolStr>, BadRequest> {
    match value {
        Some(Value::String(room)) => Ok(alloc::vec![room.as_str().into()]),
        Some(Value::Array(rooms)) => {
            rooms.iter().map(|room| Ok(text(Some(room))?.into())).collect()
        }
        Some(_) | None => Err(BadRequest::BadArguments),
    }
}
