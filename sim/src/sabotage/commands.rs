//! Bugs in what the application does.

use std::time::Duration;

use overheard_core::chat::LOBBY;
use overheard_core::codec::sio::{Packet, json};
use overheard_core::server::{Command, Event, Origin, Selection, Server, SocketRef, Verdict};
use overheard_core::value::{Object, Value};
use overheard_core::wire::WsId;
use smol_str::SmolStr;

use super::{Held, Link, State};
use crate::plan::Sabotage;

/// How long a broadcast waits for the one that it changes places with.
const PATIENCE: Duration = Duration::from_millis(400);

/// Every so many answers one is not given.
const LOST_ANSWERS: u64 = 3;

impl State {
    /// Remembers what a bug needs to know of an event, and adds what it does at once.
    pub(super) fn look_at(&mut self, event: &Event, server: &Server, commands: &mut Vec<Command>) {
        if self.bug != Some(Sabotage::MembershipKept) {
            return;
        }
        match event {
            Event::Disconnecting { socket, .. } => {
                let own = server.sid(*socket).cloned();
                let mut rooms = server.rooms_of(*socket);
                rooms.retain(|room| Some(room) != own.as_ref() && room != LOBBY);
                if !rooms.is_empty() {
                    self.lost.push_back((socket.namespace(), rooms));
                }
            }
            Event::Connection { socket, .. } => {
                let nsp = socket.namespace();
                let place = self.lost.iter().position(|(lost, _)| *lost == nsp);
                if let Some((_, rooms)) = place.and_then(|place| self.lost.remove(place)) {
                    commands.push(Command::Join { socket: *socket, rooms });
                }
            }
            _ => {}
        }
    }

    pub(super) fn spoil_commands(
        &mut self,
        bug: Sabotage,
        commands: &mut Vec<Command>,
        server: &Server,
    ) {
        let spoiled = std::mem::take(commands);
        for command in spoiled {
            self.spoil(bug, command, server, commands);
        }
    }

    fn spoil(
        &mut self,
        bug: Sabotage,
        mut command: Command,
        server: &Server,
        into: &mut Vec<Command>,
    ) {
        match bug {
            Sabotage::ExceptIgnored => {
                if let Some(selection) = selection_of(&mut command) {
                    selection.except.clear();
                }
            }
            Sabotage::SenderIncluded => {
                if let Command::Broadcast { selection, .. } = &mut command
                    && let Some(name) = namespace_of(selection, server)
                {
                    selection.origin = Origin::Namespace(name);
                }
            }
            Sabotage::UnionHeardTwice => return union_twice(command, into),
            Sabotage::RoomIgnored => {
                if let Command::Broadcast { selection, .. } = &mut command {
                    selection.rooms.clear();
                }
            }
            Sabotage::LeaveIgnored => {
                if matches!(command, Command::Leave { .. } | Command::SocketsLeave { .. }) {
                    return;
                }
            }
            Sabotage::LeaveAll => {
                if let Command::Leave { socket, .. } = command {
                    return leave_all(socket, server, into);
                }
            }
            Sabotage::JoinIgnored => {
                let is_lobby =
                    matches!(&command, Command::Join { rooms, .. } if rooms[..] == [LOBBY]);
                let joins = matches!(command, Command::Join { .. } | Command::SocketsJoin { .. });
                if joins && !is_lobby {
                    return;
                }
            }
            Sabotage::NamespaceLeak => leak(&command, server, into),
            Sabotage::GateOpen => open_gate(&mut command),
            Sabotage::RefusedStillHears => self.let_refused_in(&mut command, server),
            Sabotage::AckLost => {
                if matches!(command, Command::Ack { .. }) {
                    self.count += 1;
                    if self.count.is_multiple_of(LOST_ANSWERS) {
                        return;
                    }
                }
            }
            Sabotage::Reordered => return self.change_places(command, server, into),
            Sabotage::HeardAfterKick => self.tell_ghosts(&command, server),
            Sabotage::MembershipKept
            | Sabotage::OneSeatMore
            | Sabotage::AckTwice
            | Sabotage::DeliveryLost
            | Sabotage::DeliveryTwice
            | Sabotage::RecoveryGap
            | Sabotage::HeartbeatDead
            | Sabotage::BinaryMangled => {}
        }
        into.push(command);
    }

    /// Lets somebody in, and keeps what has to be said to make it look like a refusal.
    fn let_refused_in(&mut self, command: &mut Command, server: &Server) {
        let Command::Next { socket, verdict } = command else { return };
        let Verdict::Refuse { message, data } = verdict else { return };
        let mut error: Object = [("message", message.as_str())].into_iter().collect();
        if let Some(data) = data.take() {
            error.insert("data", data);
        }
        let nsp = server.namespace_name(socket.namespace()).cloned().unwrap_or_default();
        let prefix = if nsp == "/" { String::new() } else { format!("{nsp},") };
        let text = format!("44{prefix}{}", json::stringify(&Value::Object(error)));
        self.refused.extend(server.sid(*socket).map(|sid| (sid.clone(), text)));
        *verdict = Verdict::Allow;
    }

    /// Sends every other broadcast behind the next one of the same origin.
    fn change_places(&mut self, command: Command, server: &Server, into: &mut Vec<Command>) {
        let Command::Broadcast { selection, ack: None, .. } = &command else {
            into.push(command);
            return;
        };
        let same = |held: &mut Held| {
            matches!(&held.command, Command::Broadcast { selection: other, .. }
                if other.origin == selection.origin)
        };
        if let Some(held) = self.held.take_if(same) {
            into.extend([command, held.command]);
        } else if self.held.is_none() {
            self.held = Some(Held { command, until: server.now() + PATIENCE });
        } else {
            into.push(command);
        }
    }

    /// Who was disconnected hears every broadcast of the namespace.
    fn tell_ghosts(&mut self, command: &Command, server: &Server) {
        let Command::Broadcast { selection, name, args, ack: None, .. } = command else { return };
        let Some(nsp) = namespace_of(selection, server) else { return };
        let event = std::iter::once(Value::from(name.to_string())).chain(args.iter().cloned());
        let frames: Vec<_> =
            Packet::event(nsp.clone(), None, event.collect()).encode().frames().collect();
        for (link, ghost_of) in &self.ghosts {
            if let Link::Ws(ws) = link
                && *ghost_of == nsp
            {
                self.extra.extend(frames.iter().map(|frame| (WsId(*ws), frame.clone())));
            }
        }
    }
}

fn selection_of(command: &mut Command) -> Option<&mut Selection> {
    match command {
        Command::Broadcast { selection, .. }
        | Command::SocketsJoin { selection, .. }
        | Command::SocketsLeave { selection, .. }
        | Command::DisconnectSockets { selection, .. }
        | Command::FetchSockets { selection, .. } => Some(selection),
        _ => None,
    }
}

fn namespace_of(selection: &Selection, server: &Server) -> Option<SmolStr> {
    match &selection.origin {
        Origin::Namespace(name) => Some(name.clone()),
        Origin::Socket(socket) => server.namespace_name(socket.namespace()).cloned(),
        Origin::Parent(_) => None,
    }
}

/// A broadcast to several rooms goes to each on its own.
fn union_twice(command: Command, into: &mut Vec<Command>) {
    let Command::Broadcast { selection, name, args, flags, ack } = &command else {
        into.push(command);
        return;
    };
    if selection.rooms.len() < 2 {
        into.push(command);
        return;
    }
    for (number, room) in selection.rooms.iter().enumerate() {
        into.push(Command::Broadcast {
            selection: Selection { rooms: vec![room.clone()], ..selection.clone() },
            name: name.clone(),
            args: args.clone(),
            flags: *flags,
            ack: ack.filter(|_| number == 0),
        });
    }
}

fn leave_all(socket: SocketRef, server: &Server, into: &mut Vec<Command>) {
    let own = server.sid(socket).cloned();
    let rooms = server.rooms_of(socket).into_iter().filter(|room| Some(room) != own.as_ref());
    into.extend(rooms.map(|room| Command::Leave { socket, room }));
}

/// A broadcast is heard by everybody in another namespace, too.
fn leak(command: &Command, server: &Server, into: &mut Vec<Command>) {
    let Command::Broadcast { selection, name, args, flags, .. } = command else { return };
    let own = namespace_of(selection, server);
    let others = server.namespace_names().into_iter().filter(|name| Some(name) != own.as_ref());
    into.extend(others.map(|other| Command::Broadcast {
        selection: Selection::namespace(other),
        name: name.clone(),
        args: args.clone(),
        flags: *flags,
        ack: None,
    }));
}

fn open_gate(command: &mut Command) {
    if let Command::Next { verdict, .. } = command {
        *verdict = Verdict::Allow;
    }
}
