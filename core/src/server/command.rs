//! Commands of the application, carried out one at a time.

use super::membership::Action;
use super::{Command, CommandError, Server, Work};

impl Server {
    pub(super) fn run_command(&mut self, command: Command) {
        match command {
            Command::Emit { socket, name, args, flags, ack } => {
                self.emit(socket, &name, args, flags, ack);
            }
            Command::Broadcast { selection, name, args, flags, ack } => {
                self.broadcast(&selection, &name, args, flags, ack);
            }
            Command::Ack { ticket, args } => self.answer(&ticket, &args),
            Command::Join { socket, rooms } => self.join(socket, &rooms),
            Command::Leave { socket, room } => self.leave(socket, &room),
            Command::Disconnect { socket, close } => self.disconnect(socket, close),
            Command::CloseConnection(conn) => self.close_engine(conn),
            Command::SocketsJoin { selection, rooms } => {
                self.run_utility(&selection, Action::Join(rooms));
            }
            Command::SocketsLeave { selection, rooms } => {
                self.run_utility(&selection, Action::Leave(rooms));
            }
            Command::DisconnectSockets { selection, close } => {
                self.run_utility(&selection, Action::Disconnect { close });
            }
            Command::FetchSockets { token, selection } => self.fetch_sockets(token, &selection),
            Command::ServerSideEmit { .. } => self.refuse(CommandError::NoServerSideEmit),
            Command::CreateNamespace { name, config } => {
                self.create_namespace(&name, config);
            }
            Command::Next { socket, verdict } => self.on_verdict(socket, verdict),
            Command::AllowNamespace { ticket, allow } => self.allow_namespace(ticket, allow),
            Command::NextEvent { ticket, verdict } => self.on_event_verdict(ticket, verdict),
            Command::UseSocket(socket) => {
                if let Some(state) = self.socket_mut(socket) {
                    state.middlewares = state.middlewares.saturating_add(1);
                }
            }
            Command::Subscribe { socket, incoming, outgoing } => {
                self.subscribe(socket, incoming, outgoing);
            }
            Command::SetData { socket, key, value } => {
                if let Some(state) = self.socket_mut(socket) {
                    state.data.insert(key, value);
                }
            }
            Command::DecideRequest { ticket, decision } => {
                self.stack.push(Work::Settle);
                if !self.engine.decide_request(ticket, decision) {
                    self.refuse(CommandError::UnknownTicket);
                }
            }
            Command::DecideId { ticket, id } => {
                self.stack.push(Work::Settle);
                if !self.engine.decide_id(ticket, id) {
                    self.refuse(CommandError::UnknownTicket);
                }
            }
            Command::Close => self.close_server(),
        }
    }

    fn subscribe(&mut self, socket: super::SocketRef, incoming: bool, outgoing: bool) {
        let Some(nsp) = self.namespaces.get_mut(socket.nsp.0) else { return };
        let Some(state) = nsp.socket_mut(socket) else { return };
        state.wants_incoming = incoming;
        let before = core::mem::replace(&mut state.wants_outgoing, outgoing);
        nsp.outgoing_listeners += usize::from(outgoing && !before);
        nsp.outgoing_listeners -= usize::from(before && !outgoing);
    }
}
