//! Events of a server as short lines, with sockets named in the order in which they turn up.

use overheard_core::codec::sio::json;
use overheard_core::server::{Event, EventName, SocketRef};
use overheard_core::value::Value;

/// Names the sockets of one world.
#[derive(Debug, Default)]
pub(crate) struct Told(Vec<SocketRef>);

impl Told {
    /// `s1`, `s2`, …
    pub(crate) fn name(&mut self, socket: SocketRef) -> String {
        let known = self.0.iter().position(|other| *other == socket);
        let at = known.unwrap_or_else(|| {
            self.0.push(socket);
            self.0.len() - 1
        });
        format!("s{}", at + 1)
    }

    /// One line per event.
    pub(crate) fn lines<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>) -> Vec<String> {
        events.into_iter().map(|event| self.line(event)).collect()
    }

    fn line(&mut self, event: &Event) -> String {
        match event {
            Event::Engine(event) => format!("engine {event:?}"),
            Event::NamespaceRequested { name, parent, .. } => format!("may {name} {parent}"),
            Event::NamespaceCreated(name) => format!("created {name}"),
            Event::NamespaceRemoved(name) => format!("removed {name}"),
            Event::Middleware { socket, nsp, index, .. } => {
                format!("middleware {} {nsp} {index}", self.name(*socket))
            }
            Event::Connection { socket, nsp, .. } => {
                format!("connection {} {nsp}", self.name(*socket))
            }
            Event::ConnectRefused { nsp, message, .. } => format!("refused {nsp} {message}"),
            Event::Incoming { socket, event } => {
                format!("any {} {}", self.name(*socket), words(event))
            }
            Event::Outgoing { socket, event } => {
                format!("outgoing {} {}", self.name(*socket), words(event))
            }
            Event::SocketMiddleware { socket, index, event, .. } => {
                format!("use {} {index} {}", self.name(*socket), words(event))
            }
            Event::Received { socket, name, args, ack } => {
                let ack = if ack.is_some() { " +ack" } else { "" };
                format!("on {} {}{}{ack}", self.name(*socket), event_name(name), tail(args))
            }
            Event::Error { socket, message } => format!("error {} {message}", self.name(*socket)),
            Event::Disconnecting { socket, reason } => {
                format!("disconnecting {} {reason}", self.name(*socket))
            }
            Event::Disconnected { socket, reason, .. } => {
                format!("disconnect {} {reason}", self.name(*socket))
            }
            Event::Room { change, room, .. } => format!("{} {room}", change.as_str()),
            Event::Acked { token, result } => match result {
                Ok(args) => format!("acked {}{}", token.0, tail(args)),
                Err(error) => format!("acked {}: {error}", token.0),
            },
            Event::BroadcastAcked { token, responses, timed_out } => {
                let late = if timed_out.is_some() { " late" } else { "" };
                format!("all acked {}{}{late}", token.0, tail(responses))
            }
            Event::Fetched { token, sockets } => format!("fetched {}: {}", token.0, sockets.len()),
            Event::Refused(error) => format!("no: {error}"),
        }
    }
}

fn event_name(name: &EventName) -> String {
    name.as_str().map_or_else(|| "a number".to_owned(), ToOwned::to_owned)
}

fn words(event: &[Value]) -> String {
    event.iter().map(json::stringify).collect::<Vec<_>>().join(" ")
}

fn tail(args: &[Value]) -> String {
    args.iter().map(|arg| format!(" {}", json::stringify(arg))).collect()
}
