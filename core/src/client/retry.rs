//! The queue of a socket with `retries`: one event at a time, again until it is acked
//! (`CLI-06`, `CLI-08`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Client;
use super::acks::{PendingAck, Waiting};
use super::error::{AckError, Refusal};
use super::event::{AckStyle, AckToken, Emit, SocketHandle};
use super::socket::event_data;
use crate::time::Duration;
use crate::value::Value;

#[derive(Debug)]
struct Queued {
    number: u64,
    data: Vec<Value>,
    ack: Option<(AckToken, AckStyle)>,
    timeout: Option<Duration>,
    tries: u64,
    /// Whether a try is under way.
    pending: bool,
}

#[derive(Debug, Default)]
pub(super) struct RetryQueue {
    events: VecDeque<Queued>,
    next: u64,
}

impl RetryQueue {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }
}

impl Client {
    pub(super) fn queue_emit(&mut self, socket: SocketHandle, emit: Emit) -> Result<(), Refusal> {
        let limit = self.shell.config.limits.retry_queue;
        let queue = &mut self.sockets[socket.index()].queue;
        if queue.len() >= limit {
            return Err(Refusal::RetryQueueFull);
        }
        let Emit { name, args, ack, volatile: _ } = emit;
        queue.events.push_back(Queued {
            number: queue.next,
            data: event_data(name, args),
            ack: ack.map(|ack| (ack.token, ack.style)),
            timeout: ack.and_then(|ack| ack.timeout),
            tries: 0,
            pending: false,
        });
        queue.next += 1;
        self.drain_queue(socket, false);
        Ok(())
    }

    /// Sends the event at the head, unless a try is under way; by `force` even then, because the
    /// connection on which it was sent is gone. Every try has an ack id of its own.
    pub(super) fn drain_queue(&mut self, socket: SocketHandle, force: bool) {
        let this = &mut self.sockets[socket.index()];
        if !this.is_connected() {
            return;
        }
        let Some(head) = this.queue.events.front_mut() else { return };
        if head.pending && !force {
            return;
        }
        head.pending = true;
        head.tries += 1;
        let ack = PendingAck::new(Waiting::Queue(head.number), head.timeout);
        let data = head.data.clone();
        let number = head.number;
        if self.emit_now(socket, data, Some(ack), false).is_err() {
            // Over a bound: the try has failed, and the next connection is the next occasion.
            self.release_head(socket, number);
        }
    }

    fn release_head(&mut self, socket: SocketHandle, number: u64) {
        let events = &mut self.sockets[socket.index()].queue.events;
        if let Some(head) = events.front_mut().filter(|head| head.number == number) {
            head.pending = false;
        }
    }

    /// An answer to a try. One to an event that has left the queue is ignored.
    pub(super) fn on_queue_answer(
        &mut self,
        socket: SocketHandle,
        number: u64,
        mut args: Vec<Value>,
        timed: bool,
    ) {
        if !timed && self.shell.config.quirks.retries_need_ack_timeout {
            // The first argument stands where the error should be (`CLI-07`).
            if args.first() != Some(&Value::Null) {
                args.truncate(1);
                return self.on_try_failed(socket, number, Ok(args));
            }
            args.remove(0);
        }
        self.leave_queue(socket, number, Ok(args));
        self.drain_queue(socket, false);
    }

    /// A try has failed: it is repeated until none is left.
    pub(super) fn on_queue_error(&mut self, socket: SocketHandle, number: u64, error: AckError) {
        // Without a timeout no error reaches the queue in the reference: it stays as it is until
        // the socket is connected again.
        if error != AckError::Dropped {
            self.on_try_failed(socket, number, Err(error));
        }
    }

    fn on_try_failed(
        &mut self,
        socket: SocketHandle,
        number: u64,
        result: Result<Vec<Value>, AckError>,
    ) {
        let this = &mut self.sockets[socket.index()];
        let retries = u64::from(this.options.retries);
        let Some(head) = this.queue.events.front().filter(|head| head.number == number) else {
            return;
        };
        if head.tries > retries {
            self.leave_queue(socket, number, result);
        } else {
            self.release_head(socket, number);
        }
        self.drain_queue(socket, false);
    }

    /// Takes the head out of the queue and tells who waits for it.
    fn leave_queue(
        &mut self,
        socket: SocketHandle,
        number: u64,
        result: Result<Vec<Value>, AckError>,
    ) {
        let events = &mut self.sockets[socket.index()].queue.events;
        if events.front().is_none_or(|head| head.number != number) {
            return;
        }
        if let Some((token, style)) = events.pop_front().and_then(|head| head.ack) {
            self.settle(socket, token, style, result);
        }
    }
}
