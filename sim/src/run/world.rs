//! Everything that a run consists of, and what can be asked of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use overheard_core::app::{App as _, Hosted};
use overheard_core::chat::Chat;
use overheard_core::server::Server;
use overheard_core::time::Instant;

use super::faults::Faults;
use super::wall::Wall;
use crate::history::{EndReason, What};
use crate::host::config::{SeededIds, chat_config, server_config};
use crate::host::{EPOCH, Host, Recorded, SERVER};
use crate::net::Network;
use crate::net::clock::nanos;
use crate::net::switchboard::Switchboard;
use crate::peer::Peer;
use crate::plan::{ClientId, Plan, Sabotage, ServerPlan};
use crate::recorder::{RUN, Recorder};
use crate::rng::Stream;
use crate::sabotage::{Bug, Saboteur};

/// Most sockets for which the table of rooms is written down after each step.
const SNAPSHOT_SOCKETS: u64 = 64;

/// How long a busy world is left alone before it is asked again.
const LOOK_AGAIN: u64 = 20_000_000;

/// The application under test.
pub(crate) type TestApp = Saboteur<Chat>;

/// What only the stage can do.
pub(crate) trait Stagehand {
    /// Kills the server process.
    fn crash(&self);

    /// Starts the server process again.
    fn restart(&self);

    /// Cuts a rack off from the server, or joins it again.
    fn partition(&self, rack: u8, on: bool);

    /// Holds back what a rack and the server say to each other, or lets it go.
    fn hold(&self, rack: u8, on: bool);
}

/// The server process that runs now, and how the next one is made.
pub(crate) struct ServerSeat {
    plan: Rc<Plan>,
    recorder: Recorder,
    host: RefCell<Option<Rc<Host<TestApp, Recorded>>>>,
    /// How many there were.
    incarnations: Cell<u32>,
    /// Whether somebody else's server sits here, of which only the clients know.
    is_foreign: bool,
    is_down: Cell<bool>,
}

impl fmt::Debug for ServerSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSeat")
            .field("incarnations", &self.incarnations)
            .finish_non_exhaustive()
    }
}

impl ServerSeat {
    pub(crate) fn new(plan: &Rc<Plan>, recorder: &Recorder, is_foreign: bool) -> Rc<Self> {
        if is_foreign {
            recorder.set_foreign();
        }
        Rc::new(Self {
            plan: plan.clone(),
            recorder: recorder.clone(),
            host: RefCell::new(None),
            incarnations: Cell::new(0),
            is_foreign,
            is_down: Cell::new(false),
        })
    }

    /// Whether somebody else's server sits here.
    pub(crate) const fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Somebody else's server is there.
    pub(crate) fn came_up(&self) {
        self.is_down.set(false);
        self.recorder.record(SERVER, What::Up);
    }

    /// Whether nobody is let in: it has died, or closed its door.
    pub(crate) fn is_away(&self) -> bool {
        let host = self.host();
        if self.is_foreign { self.is_down.get() } else { host.is_none_or(|host| host.is_closed()) }
    }

    /// A new process, with nothing in it.
    ///
    /// # Errors
    /// The options cannot be.
    pub(crate) fn start(&self) -> Result<Rc<Host<TestApp, Recorded>>, String> {
        let (plan, sabotage) = (&self.plan.server, self.plan.sabotage);
        let host = process(plan, sabotage, self.next_incarnation(), &self.recorder)?;
        *self.host.borrow_mut() = Some(host.clone());
        Ok(host)
    }

    /// The number of a new process, from 0.
    pub(crate) fn next_incarnation(&self) -> u32 {
        self.incarnations.replace(self.incarnations.get() + 1)
    }

    /// The process that runs now.
    pub(crate) fn host(&self) -> Option<Rc<Host<TestApp, Recorded>>> {
        self.host.borrow().clone().filter(|host| !host.is_dead())
    }

    /// It has died.
    pub(crate) fn died(&self) {
        let host = self.host.borrow_mut().take();
        if let Some(host) = &host {
            host.die();
        }
        if host.is_some() || self.is_foreign {
            self.is_down.set(true);
            self.recorder.record(SERVER, What::Down);
        }
    }

    /// The run is over: nothing is written down any more.
    pub(crate) fn stop(&self) {
        if let Some(host) = self.host.borrow_mut().take() {
            host.die();
        }
    }
}

/// A server process of ours, with nothing in it.
///
/// # Errors
/// The options cannot be.
pub(crate) fn process(
    plan: &ServerPlan,
    sabotage: Option<Sabotage>,
    number: u32,
    recorder: &Recorder,
) -> Result<Rc<Host<TestApp, Recorded>>, String> {
    let mut config = server_config(plan)?;
    let bug = Bug::plant(sabotage, &mut config);
    let engine = config.engine.clone();
    let ids = |what: &str| {
        let name = format!("ids/{what}/{number}");
        Box::new(SeededIds(Stream::new(plan.id_seed, &name)))
    };
    let now = EPOCH.saturating_add(recorder.clock().now());
    let server = Server::new(config, ids("session"), ids("socket"), Instant::from_nanos(now));
    let app = Saboteur::new(Chat::new(chat_config(plan)), bug.clone());
    Ok(Host::new(Hosted::new(server, app), engine, Recorded::new(recorder.clone(), bug)))
}

/// A run.
pub(crate) struct World {
    pub(crate) plan: Rc<Plan>,
    pub(crate) recorder: Recorder,
    pub(crate) board: Switchboard,
    pub(crate) network: Rc<dyn Network>,
    pub(crate) peers: Vec<Rc<Peer>>,
    pub(crate) seat: Rc<ServerSeat>,
    pub(crate) stage: Rc<dyn Stagehand>,
    pub(crate) faults: Faults,
    pub(crate) wall: Wall,
    /// When the last acting step ended.
    pub(crate) acted: Cell<u64>,
    /// The events that labelled steps made the server send.
    pub(crate) sent: RefCell<BTreeMap<String, Vec<String>>>,
}

impl World {
    pub(crate) fn now(&self) -> u64 {
        self.recorder.clock().now()
    }

    pub(crate) fn peer(&self, client: ClientId) -> Option<&Rc<Peer>> {
        self.peers.get(usize::try_from(client.0).ok()?)
    }

    /// Writes an event of the run itself down.
    pub(crate) fn note(&self, what: What, step: Option<u32>) {
        self.recorder.write(RUN, what, None, step);
    }

    /// Writes down the rooms of all namespaces, if the world is small or it has to be.
    pub(crate) fn snapshot(&self, always: bool, step: Option<u32>) {
        let Some(host) = self.seat.host() else { return };
        if !always && host.counters(false).sockets > SNAPSHOT_SOCKETS {
            return;
        }
        let tables: Vec<What> = host.see(|hosted| {
            let server = hosted.server();
            let names = server.namespace_names().into_iter();
            let tables = names.filter_map(|nsp| {
                let table = server.room_table(&nsp)?;
                let (sids, rooms) = (table.sids, table.rooms);
                Some(What::Rooms { nsp, sids, rooms })
            });
            tables.collect()
        });
        for what in tables {
            self.recorder.write(SERVER, what, None, step);
        }
    }

    /// Writes down how much the server holds.
    pub(crate) fn count(&self, last: bool) {
        if let Some(host) = self.seat.host() {
            self.recorder.record(SERVER, What::Counters(host.counters(last)));
        }
    }

    /// Whether something will happen by itself. `last`: also that lost connections are found out.
    fn is_busy(&self, last: bool) -> bool {
        let troubled = self.seat.is_away() || self.faults.any();
        let waits = self.seat.host().is_some_and(|host| {
            host.see(|hosted| {
                let stats = hosted.server().stats();
                hosted.app().poll_timeout().is_some() || stats.broadcast_acks > 0
            })
        });
        waits
            || self.faults.any_mends_itself()
            || self.recorder.ops_wait_until() > self.now()
            || (!troubled && self.peers.iter().any(|peer| peer.is_on_its_way()))
            || (last && self.board.any_wedged())
    }

    /// Waits until nothing has happened for a while and nothing is under way; false if that takes
    /// more than `limit` nanoseconds.
    pub(crate) async fn quiet(&self, limit: u64, last: bool) -> bool {
        let deadline = self.now().saturating_add(limit);
        let quiet = nanos(self.plan.bounds.quiet);
        loop {
            let now = self.now();
            let news = self.recorder.last_news().max(self.board.in_flight_until());
            let at = news.saturating_add(quiet);
            if now >= at && !self.is_busy(last) {
                if self.seat.is_foreign() {
                    self.fence().await;
                }
                self.note(What::Quiet, None);
                return true;
            }
            if now >= deadline {
                return false;
            }
            self.look_at_the_wall();
            let next = at.max(now + LOOK_AGAIN).min(deadline);
            self.recorder.clock().sleep_until(next).await;
        }
    }

    pub(crate) fn look_at_the_wall(&self) {
        if self.wall.is_over() {
            self.recorder.stop(EndReason::Bound("the limit of real time is reached".to_owned()));
        }
    }

    /// Waits until something holds, or until a time; whether it holds.
    pub(crate) async fn until(&self, deadline: u64, mut holds: impl FnMut() -> bool) -> bool {
        loop {
            let seen = self.recorder.changed().count();
            if holds() {
                return true;
            }
            if self.now() >= deadline {
                return false;
            }
            self.look_at_the_wall();
            tokio::select! {
                biased;
                () = self.recorder.changed().changed(seen) => {}
                () = self.recorder.clock().sleep_until(deadline) => {}
            }
        }
    }

    /// Waits until operations have ended, at most until a time.
    pub(crate) async fn ops_done(&self, ops: &[u64], deadline: u64) {
        let mut left = ops.iter().copied().peekable();
        self.until(deadline, || {
            while left.next_if(|op| self.recorder.is_done(*op)).is_some() {}
            left.peek().is_none()
        })
        .await;
    }
}
