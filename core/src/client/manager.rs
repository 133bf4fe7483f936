//! The life of the connection: open, lose, wait, try again (`CLI-04`, `CLI-05`).

use alloc::format;
use alloc::vec::Vec;

use smol_str::{SmolStr, ToSmolStr};

use super::Client;
use super::backoff::Backoff;
use super::config::ClientConfig;
use super::engine::Engine;
use super::error::DisconnectReason;
use super::event::{Event, SocketHandle};
use super::limits::MAX_DEPARTING;
use super::shell::{Failure, News};
use super::timers::{Armed, TimerKey};
use crate::codec::engine::Data;
use crate::wire::Frame;

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionState {
    /// There is none; there may be a time for the next attempt.
    Closed,
    /// An attempt is in flight.
    Opening,
    /// The session is open.
    Open,
}

#[derive(Debug)]
pub(super) struct Manager {
    pub(super) state: ConnectionState,
    reconnection: bool,
    /// Whether the loop of attempts runs: it waits or has an attempt in flight.
    reconnecting: bool,
    /// Stop means stop: set by whoever ends the connection for good, until the next open.
    skip_reconnect: bool,
    /// Whether the attempt in flight is one of the loop.
    by_loop: bool,
    backoff: Backoff,
    connect_timer: Option<Armed>,
    reconnect_timer: Option<Armed>,
}

impl Manager {
    pub(super) const fn new(config: &ClientConfig) -> Self {
        Self {
            state: ConnectionState::Closed,
            reconnection: config.reconnection,
            reconnecting: false,
            skip_reconnect: false,
            by_loop: false,
            backoff: Backoff::new(
                config.reconnection_delay,
                config.reconnection_delay_max,
                config.randomization_factor,
            ),
            connect_timer: None,
            reconnect_timer: None,
        }
    }
}

/// The connection in use, and those that were given up but still write.
#[derive(Debug, Default)]
pub(super) struct Engines {
    pub(super) current: Option<Engine>,
    pub(super) departing: Vec<Engine>,
    next: u64,
}

impl Engines {
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Engine> {
        self.find(|engine| engine.number == number)
    }

    pub(super) fn find(&mut self, is_it: impl Fn(&Engine) -> bool) -> Option<&mut Engine> {
        self.current.iter_mut().chain(&mut self.departing).find(|engine| is_it(engine))
    }

    pub(super) fn is_current(&self, number: u64) -> bool {
        self.current.as_ref().is_some_and(|engine| engine.number == number)
    }
}

impl Client {
    /// Opens the connection, unless it is open, opening or waiting for its next attempt: at most
    /// one attempt is ever in flight, and the loop alone says when.
    pub(super) fn open(&mut self) {
        if !self.manager.reconnecting {
            self.start_attempt(false);
        }
    }

    fn start_attempt(&mut self, by_loop: bool) {
        if self.manager.state != ConnectionState::Closed {
            return;
        }
        self.manager.state = ConnectionState::Opening;
        self.manager.skip_reconnect = false;
        self.manager.by_loop = by_loop;
        if let Some(timeout) = self.shell.config.timeout {
            let timer = self.shell.timers.arm(self.shell.now, timeout, TimerKey::Connect);
            self.manager.connect_timer = Some(timer);
        }
        let number = self.engines.next;
        self.engines.next += 1;
        self.engines.current = Some(Engine::open(&mut self.shell, number));
    }

    /// Handles what the engines have to tell, until they have nothing more.
    pub(super) fn pump(&mut self) {
        while let Some((number, news)) = self.shell.next_news() {
            // What a connection reports after it was given up concerns nobody.
            if self.engines.is_current(number) {
                self.on_news(number, news);
            }
        }
        self.engines.departing.retain(|engine| !engine.is_gone());
    }

    fn on_news(&mut self, number: u64, news: News) {
        let opening = self.manager.state == ConnectionState::Opening;
        match news {
            News::Opened => self.on_open(number),
            // Before the handshake nobody listens.
            News::Data(_) | News::Ping if opening => {}
            News::Data(data) => self.on_data(data),
            News::Ping => self.shell.event(Event::Ping),
            News::Failed(failure) if opening => self.on_attempt_failed(&failure),
            News::Failed(failure) => self.report_error(&failure),
            // The reference does not listen for this and waits for its timeout.
            News::Closed { reason, details } if opening => {
                let message = SmolStr::new_static(reason.as_str());
                self.on_attempt_failed(&Failure { message, details });
            }
            News::Closed { reason, details } => self.on_close(reason, details.as_ref()),
            News::Upgraded => self.shell.event(Event::Upgraded),
            News::UpgradeFailed(failure) => {
                let message = match failure.details {
                    Some(details) => format!("{}: {details}", failure.message).into(),
                    None => failure.message,
                };
                self.shell.event(Event::UpgradeFailed { message });
            }
        }
    }

    fn on_open(&mut self, number: u64) {
        self.clear_timers();
        self.manager.state = ConnectionState::Open;
        self.shell.event(Event::Open);
        for socket in self.active.clone() {
            self.send_connect(socket);
        }
        if self.manager.by_loop {
            let attempt = self.manager.backoff.attempts();
            self.manager.reconnecting = false;
            self.shell.event(Event::Reconnect { attempt });
        }
        if let Some(engine) = self.engines.get_mut(number) {
            engine.after_open(&mut self.shell);
        }
    }

    fn on_data(&mut self, data: Data) {
        let decoded = match data {
            Data::Text(text) => self.decoder.push_text(&text),
            Data::Binary(data) => self.decoder.push_binary(data),
            Data::None => {
                // JavaScript's decoder throws a TypeError (`SIO-ERR-03`).
                let details = SmolStr::new_static("empty message");
                return self.on_close(DisconnectReason::ParseError, Some(&details));
            }
        };
        match decoded {
            Ok(Some(packet)) => self.on_packet(packet),
            Ok(None) => {}
            Err(error) => {
                self.on_close(DisconnectReason::ParseError, Some(&error.to_smolstr()));
            }
        }
    }

    /// The attempt in flight has failed: tells the sockets that wait for it, and plans the next.
    fn on_attempt_failed(&mut self, failure: &Failure) {
        self.clear_timers();
        self.manager.state = ConnectionState::Closed;
        self.give_up_engine();
        let message = failure.message.clone();
        self.report_error(failure);
        if self.manager.by_loop {
            self.manager.reconnecting = false;
            self.reconnect();
            self.shell.event(Event::ReconnectError { message });
        } else if self.manager.reconnection && self.manager.backoff.attempts() == 0 {
            self.reconnect();
        }
    }

    fn report_error(&mut self, failure: &Failure) {
        let Failure { message, details } = failure.clone();
        self.shell.event(Event::Error { message: message.clone(), details });
        for socket in self.active.clone() {
            if !self.sockets[socket.index()].is_connected() {
                let message = message.clone();
                self.shell.event(Event::ConnectError { socket, message, data: None });
            }
        }
    }

    /// The connection has ended: tells the sockets, and plans the next attempt if there may be one.
    pub(super) fn on_close(&mut self, reason: DisconnectReason, details: Option<&SmolStr>) {
        self.clear_timers();
        self.manager.backoff.reset();
        self.manager.state = ConnectionState::Closed;
        self.give_up_engine();
        self.shell.event(Event::Close { reason, details: details.cloned() });
        for socket in self.active.clone() {
            self.socket_closed(socket, reason, details.cloned());
        }
        if self.manager.reconnection && !self.manager.skip_reconnect {
            self.reconnect();
        }
    }

    fn clear_timers(&mut self) {
        self.shell.timers.cancel(&mut self.manager.connect_timer);
        self.shell.timers.cancel(&mut self.manager.reconnect_timer);
        self.decoder.reset();
    }

    /// Lets go of the connection, which writes what was buffered and closes (`DG-06`).
    fn give_up_engine(&mut self) {
        for socket in &mut self.sockets {
            socket.connection_lost();
        }
        let Some(mut engine) = self.engines.current.take() else { return };
        engine.close(&mut self.shell);
        if !engine.is_gone() {
            self.engines.departing.push(engine);
        }
        if self.engines.departing.len() > MAX_DEPARTING {
            self.engines.departing.remove(0).cut(&mut self.shell);
        }
    }

    fn reconnect(&mut self) {
        if self.manager.reconnecting || self.manager.skip_reconnect {
            return;
        }
        let limit = self.shell.config.reconnection_attempts;
        if limit.is_some_and(|limit| self.manager.backoff.attempts() >= limit) {
            self.manager.backoff.reset();
            self.shell.event(Event::ReconnectFailed);
        } else {
            let delay = self.manager.backoff.next_delay(self.shell.random.as_mut());
            let timer = self.shell.timers.arm(self.shell.now, delay, TimerKey::Reconnect);
            self.manager.reconnecting = true;
            self.manager.reconnect_timer = Some(timer);
        }
    }

    /// Closes the connection for good.
    pub(super) fn close(&mut self) {
        self.manager.skip_reconnect = true;
        let idle = self.manager.state == ConnectionState::Closed && !self.manager.reconnecting;
        if idle && self.active.is_empty() {
            return;
        }
        self.manager.reconnecting = false;
        self.on_close(DisconnectReason::ForcedClose, None);
    }

    pub(super) fn close_engine(&mut self) {
        if let Some(engine) = &mut self.engines.current {
            engine.close(&mut self.shell);
        }
    }

    pub(super) fn set_reconnection(&mut self, allowed: bool) {
        self.manager.reconnection = allowed;
        self.manager.skip_reconnect = !allowed;
        if !allowed && self.manager.reconnect_timer.is_some() {
            self.shell.timers.cancel(&mut self.manager.reconnect_timer);
            self.manager.reconnecting = false;
            self.manager.backoff.reset();
        }
    }

    pub(super) fn on_timer(&mut self, key: TimerKey) {
        match key {
            TimerKey::Connect => self.on_attempt_failed(&Failure::new("timeout")),
            TimerKey::Reconnect => {
                self.manager.reconnect_timer = None;
                let attempt = self.manager.backoff.attempts();
                self.shell.event(Event::ReconnectAttempt { attempt });
                self.start_attempt(true);
            }
            TimerKey::Ping(number) => {
                if let Some(engine) = self.engines.get_mut(number) {
                    engine.on_ping_timeout(&mut self.shell);
                }
            }
            TimerKey::Ack(socket, id) => self.on_ack_timeout(socket, id),
        }
        self.pump();
    }

    /// Writes a packet to the connection in use; without one it is lost.
    pub(super) fn write(&mut self, frames: impl Iterator<Item = Frame>) {
        if let Some(engine) = &mut self.engines.current {
            for frame in frames {
                engine.send(&mut self.shell, frame);
            }
        }
    }

    /// Takes a socket off the connection; the last one closes it (`CLI-12`).
    pub(super) fn deactivate(&mut self, socket: SocketHandle) {
        self.active.retain(|active| *active != socket);
        if self.active.is_empty() {
            self.close();
        }
    }
}
