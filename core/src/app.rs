//! The application as a trait, and the server with an application on top.
//!
//! An application is pure code: it is told events and returns commands. It may answer now, in the
//! same call, or later, by handing commands to [`Hosted::command`]; an auth check that takes time
//! is an ordinary case.

use alloc::vec::Vec;

use crate::engine::{Input as EngineInput, Output as EngineOutput};
use crate::server::{Command, ContractError, Event, Input, Output, Server, TimerKind};
use crate::time::Instant;
use crate::wire::{Frame, WsId};

/// Decides who may enter and what an event does.
pub trait App {
    /// Told of an event, adds commands. They take effect at once and in order, each with all its
    /// consequences before the next; `server` shows the state at the moment of the event.
    fn on_event(&mut self, event: Event, server: &Server, commands: &mut Vec<Command>);

    /// When the application wants to be called next, if it waits for something.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The time of [`App::poll_timeout`] has come; adds commands.
    fn on_timeout(&mut self, _now: Instant, _server: &Server, _commands: &mut Vec<Command>) {}
}

/// An application that does nothing: everybody may enter, and nobody is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoApp;

impl App for NoApp {
    fn on_event(&mut self, _: Event, _: &Server, _: &mut Vec<Command>) {}
}

/// Sees what the application sees and does, before it takes effect: how a host writes a history.
pub trait Observer {
    /// An event is about to be told.
    fn on_event(&mut self, event: &Event, server: &Server);

    /// A command is about to be carried out.
    fn on_command(&mut self, command: &Command, server: &Server);
}

/// Sees nothing.
impl Observer for () {
    fn on_event(&mut self, _: &Event, _: &Server) {}

    fn on_command(&mut self, _: &Command, _: &Server) {}
}

/// Whose deadline is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostedTimer {
    /// The server's.
    Server(TimerKind),
    /// The application's.
    App,
}

/// A server and its application, with the same verbs as [`Server`].
#[derive(Debug)]
pub struct Hosted<A> {
    server: Server,
    app: A,
}

impl<A: App> Hosted<A> {
    /// Puts an application on a server.
    pub const fn new(server: Server, app: A) -> Self {
        Self { server, app }
    }

    /// The server, for queries.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The application.
    pub const fn app(&self) -> &A {
        &self.app
    }

    /// Takes one input of the host.
    ///
    /// # Errors
    /// The contract of [`Server`] was broken.
    pub fn handle(&mut self, now: Instant, input: EngineInput) -> Result<(), ContractError> {
        self.server.handle(now, Input::Transport(input))?;
        if self.app.poll_timeout().is_some_and(|at| at <= now) {
            let mut commands = Vec::new();
            self.app.on_timeout(now, &self.server, &mut commands);
            self.server.resume(commands);
        }
        Ok(())
    }

    /// Takes commands that the application gives late, or that come from outside. Drain the
    /// outputs afterwards.
    ///
    /// # Errors
    /// The contract of [`Server`] was broken.
    pub fn command(&mut self, now: Instant, commands: Vec<Command>) -> Result<(), ContractError> {
        self.server.handle(now, Input::Commands(commands))
    }

    /// The next thing for the host to do, telling the application of events on the way.
    pub fn poll_output(&mut self, observer: &mut dyn Observer) -> Option<EngineOutput> {
        loop {
            match self.server.poll_output()? {
                Output::Transport(output) => return Some(output),
                Output::Event(event) => {
                    observer.on_event(&event, &self.server);
                    let mut commands = Vec::new();
                    self.app.on_event(event, &self.server, &mut commands);
                    for command in &commands {
                        observer.on_command(command, &self.server);
                    }
                    self.server.resume(commands);
                }
            }
        }
    }

    /// The earliest deadline of the server or the application. When it comes, hand in
    /// [`EngineInput::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, HostedTimer)> {
        let server = self.server.poll_timeout().map(|(at, kind)| (at, HostedTimer::Server(kind)));
        let app = self.app.poll_timeout().map(|at| (at, HostedTimer::App));
        match (server, app) {
            (Some(server), Some(app)) => Some(if app.0 < server.0 { app } else { server }),
            (server, app) => server.or(app),
        }
    }

    /// As [`Server::take_frames`].
    pub fn take_frames(&mut self, ws: WsId, into: &mut Vec<Frame>) {
        self.server.take_frames(ws, into);
    }
}
