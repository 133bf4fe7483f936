//! The acks that a socket waits for (`CLI-09`).

use alloc::vec::Vec;

use super::Client;
use super::error::AckError;
use super::event::{AckRequest, AckStyle, AckToken, Event, SocketHandle};
use super::timers::{Armed, TimerKey};
use crate::time::Duration;
use crate::value::Value;

/// Who waits for an ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The application.
    Application(AckToken, AckStyle),
    /// The retry queue, for the event of this number.
    Queue(u64),
}

/// An ack that has not come.
#[derive(Debug)]
pub(super) struct PendingAck {
    pub(super) waiting: Waiting,
    /// Its own timeout; else the socket's holds.
    pub(super) timeout: Option<Duration>,
    timer: Option<Armed>,
}

impl PendingAck {
    pub(super) const fn new(waiting: Waiting, timeout: Option<Duration>) -> Self {
        Self { waiting, timeout, timer: None }
    }

    pub(super) const fn of_application(ack: &AckRequest) -> Self {
        Self::new(Waiting::Application(ack.token, ack.style), ack.timeout)
    }

    /// Whether it is told of an error: plain callbacks have no argument for one.
    const fn with_error(&self) -> bool {
        self.timer.is_some() || matches!(self.waiting, Waiting::Application(_, AckStyle::Promise))
    }
}

impl Client {
    /// Gives an ack its id; its time runs from here, also while the event is held back.
    pub(super) fn register_ack(&mut self, socket: SocketHandle, mut ack: PendingAck) -> u64 {
        let this = &mut self.sockets[socket.index()];
        let id = this.next_ack;
        this.next_ack += 1;
        if let Some(timeout) = ack.timeout.or(this.options.ack_timeout) {
            let key = TimerKey::Ack(socket, id);
            ack.timer = Some(self.shell.timers.arm(self.shell.now, timeout, key));
        }
        this.acks.insert(id, ack);
        id
    }

    /// An answer; one that nobody waits for is ignored.
    pub(super) fn on_ack(&mut self, socket: SocketHandle, id: u64, args: Vec<Value>) {
        if let Some(mut ack) = self.sockets[socket.index()].acks.remove(&id) {
            let timed = ack.timer.is_some();
            self.shell.timers.cancel(&mut ack.timer);
            match ack.waiting {
                Waiting::Application(token, style) => {
                    self.settle(socket, token, style, Ok(args));
                }
                Waiting::Queue(number) => self.on_queue_answer(socket, number, args, timed),
            }
        }
    }

    /// The answer is late: the event is not sent any more, a later answer is ignored.
    pub(super) fn on_ack_timeout(&mut self, socket: SocketHandle, id: u64) {
        let this = &mut self.sockets[socket.index()];
        this.forget_buffered(id);
        if let Some(ack) = this.acks.remove(&id) {
            self.fail_ack(socket, &ack, AckError::TimedOut);
        }
    }

    /// The socket is disconnected: no answer will come to what was sent, but what is held back
    /// will be sent (`CLI-09`).
    pub(super) fn fail_acks(&mut self, socket: SocketHandle) {
        let this = &mut self.sockets[socket.index()];
        let sent: Vec<u64> = this.sent_acks();
        for id in sent {
            let Some(mut ack) = self.sockets[socket.index()].acks.remove(&id) else { continue };
            let error = if ack.with_error() { AckError::Disconnected } else { AckError::Dropped };
            self.shell.timers.cancel(&mut ack.timer);
            self.fail_ack(socket, &ack, error);
        }
    }

    fn fail_ack(&mut self, socket: SocketHandle, ack: &PendingAck, error: AckError) {
        match ack.waiting {
            Waiting::Application(token, style) => self.settle(socket, token, style, Err(error)),
            Waiting::Queue(number) => self.on_queue_error(socket, number, error),
        }
    }

    pub(super) fn settle(
        &mut self,
        socket: SocketHandle,
        token: AckToken,
        style: AckStyle,
        mut result: Result<Vec<Value>, AckError>,
    ) {
        if let (Ok(args), AckStyle::Promise) = (&mut result, style) {
            args.truncate(1);
        }
        self.shell.event(Event::Acked { socket, token, result });
    }
}
