//! Bugs planted on purpose, to show that each would be found.
//!
//! Each has the shape of one that shipped somewhere. They sit behind the host's pen: what a client
//! asked for, and what was let in or told to leave, has been written down before a bug changes
//! what becomes of it. So a history tells the truth about what should have happened.

mod commands;
mod frames;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use overheard_core::app::App;
use overheard_core::engine::Response;
use overheard_core::server::{Command, Event, NspId, Server, ServerConfig};
use overheard_core::time::Instant;
use overheard_core::wire::{Frame, WsId};
use smol_str::SmolStr;

use crate::plan::Sabotage;

/// So long that it never ends within a run.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A broadcast that waits for the next one of the same origin, to change places with it.
#[derive(Debug)]
struct Held {
    command: Command,
    until: Instant,
}

#[derive(Debug, Default)]
struct State {
    bug: Option<Sabotage>,
    /// Counts what every n-th of is spoiled.
    count: u64,
    held: Option<Held>,
    /// Rooms of sockets that have gone.
    lost: VecDeque<(NspId, Vec<SmolStr>)>,
    /// Sockets that were let in though they were refused, and what they are told.
    refused: Vec<(SmolStr, String)>,
    /// Links whose socket in a namespace was disconnected and does not know.
    ghosts: BTreeSet<(Link, SmolStr)>,
    /// Links and the namespaces that their clients were let into.
    entered: BTreeSet<(Link, SmolStr)>,
    /// Those that have missed something already.
    gaps: BTreeSet<(Link, SmolStr)>,
    /// Frames that nobody asked for.
    extra: Vec<(WsId, Frame)>,
    /// What the handshake says about heartbeats, and what it should say.
    interval: Option<(String, String)>,
}

/// What carries frames: a WebSocket, or the session of a polling client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    /// A WebSocket, by number.
    Ws(u64),
    /// A polling session, by its id.
    Polling(SmolStr),
}

/// The bug of a server process, if it has one, shared by its application and its host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bug(Rc<RefCell<State>>);

impl Bug {
    /// Plants a bug, or none, in a server with these options, which it may change.
    pub(crate) fn plant(bug: Option<Sabotage>, config: &mut ServerConfig) -> Self {
        let this = Self::default();
        let mut state = this.0.borrow_mut();
        state.bug = bug;
        match bug {
            Some(Sabotage::OneSeatMore) => {
                let named = config.namespaces.iter_mut().map(|(_, config)| config);
                for config in named.chain(std::iter::once(&mut config.main)) {
                    config.max_sockets = config.max_sockets.map(|seats| seats + 1);
                }
            }
            Some(Sabotage::HeartbeatDead) => {
                let announced =
                    |interval: Duration| format!("\"pingInterval\":{}", interval.as_millis());
                let interval = std::mem::replace(&mut config.engine.ping_interval, FOR_EVER);
                state.interval = Some((announced(FOR_EVER), announced(interval)));
            }
            Some(_) | None => {}
        }
        drop(state);
        this
    }

    /// Whether there is any.
    pub(crate) fn is_planted(&self) -> bool {
        self.0.borrow().bug.is_some()
    }

    /// Spoils commands of the application.
    pub(crate) fn commands(&self, commands: &mut Vec<Command>, server: &Server) {
        let mut state = self.0.borrow_mut();
        if let Some(bug) = state.bug {
            state.spoil_commands(bug, commands, server);
        }
    }

    /// Spoils frames on their way to a WebSocket.
    pub(crate) fn frames(&self, ws: WsId, frames: &mut Vec<Frame>) {
        let mut state = self.0.borrow_mut();
        if let Some(bug) = state.bug {
            state.spoil_frames(bug, &Link::Ws(ws.0), frames);
        }
    }

    /// Spoils the answer to a poll of a session.
    pub(crate) fn response(&self, session: &str, response: &mut Response) {
        let mut state = self.0.borrow_mut();
        if let Some(bug) = state.bug {
            state.spoil_response(bug, &Link::Polling(session.into()), response);
        }
    }

    /// Frames that the bug sends by itself.
    pub(crate) fn extra(&self) -> Vec<(WsId, Frame)> {
        std::mem::take(&mut self.0.borrow_mut().extra)
    }
}

/// An application with a bug in it.
pub(crate) struct Saboteur<A> {
    inner: A,
    bug: Bug,
}

impl<A> fmt::Debug for Saboteur<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saboteur").field("bug", &self.bug).finish_non_exhaustive()
    }
}

impl<A> Saboteur<A> {
    /// Wraps an application.
    pub(crate) const fn new(inner: A, bug: Bug) -> Self {
        Self { inner, bug }
    }
}

impl<A: App> App for Saboteur<A> {
    fn on_event(&mut self, event: Event, server: &Server, commands: &mut Vec<Command>) {
        if !self.bug.is_planted() {
            return self.inner.on_event(event, server, commands);
        }
        self.bug.0.borrow_mut().look_at(&event, server, commands);
        self.inner.on_event(event, server, commands);
        self.bug.commands(commands, server);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let held = self.bug.0.borrow().held.as_ref().map(|held| held.until);
        match (self.inner.poll_timeout(), held) {
            (Some(inner), Some(held)) => Some(inner.min(held)),
            (inner, held) => inner.or(held),
        }
    }

    fn on_timeout(&mut self, now: Instant, server: &Server, commands: &mut Vec<Command>) {
        if self.inner.poll_timeout().is_some_and(|at| at <= now) {
            self.inner.on_timeout(now, server, commands);
            self.bug.commands(commands, server);
        }
        let held = &mut self.bug.0.borrow_mut().held;
        commands.extend(held.take_if(|held| held.until <= now).map(|held| held.command));
    }
}
