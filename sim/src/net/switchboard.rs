//! Which client's connections are broken, and how: the one place that faults are switched in.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::clock::{Clock, nanos};
use super::pipe::{Pipe, Way};
use crate::plan::{Direction, Plan};
use crate::rng::Stream as Random;
use crate::signal::Signal;

impl Direction {
    /// Whether bytes that go this way are meant.
    pub(super) const fn covers(self, way: Way) -> bool {
        matches!((self, way), (Self::Both, _) | (Self::Up, Way::Up) | (Self::Down, Way::Down))
    }
}

/// What a fault does to the connections of a client while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Bytes wait.
    Stall(Direction),
    /// Bytes are lost.
    BlackHole(Direction),
    /// Each piece takes longer, by a number of nanoseconds between these two.
    Delay(u64, u64),
    /// Reads return at most so many bytes.
    Chop(u32),
    /// New connections are refused.
    Refuse,
    /// Bytes both ways are lost, and new connections are refused.
    Partition,
    /// Bytes both ways wait, and so do new connections.
    Hold,
}

/// A fault at work on one client.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    fault: u32,
    pub(super) effect: Effect,
    touched: Touched,
}

impl Active {
    pub(super) fn touch(&self) {
        self.touched.set(self.touched.get() + 1);
    }
}

/// How many reads, writes and connects a fault has changed.
pub(crate) type Touched = Rc<Cell<u64>>;

/// The client's end of all its connections.
#[derive(Debug)]
pub struct End {
    client: Option<u32>,
    rack: u8,
    /// Least one-way delay of its connections, in nanoseconds.
    latency: u64,
    /// The most that comes on top, in nanoseconds.
    jitter: u64,
    name: String,
    seed: u64,
    handshakes: RefCell<Random>,
    opened: Cell<u64>,
    calm: Cell<bool>,
    active: RefCell<Vec<Active>>,
    pipes: RefCell<Vec<Weak<Pipe>>>,
    changes: Signal,
}

impl End {
    /// The client's number; nobody's for a hostile peer.
    #[must_use]
    pub const fn client(&self) -> Option<u32> {
        self.client
    }

    /// The rack that it is on, from 0.
    #[must_use]
    pub const fn rack(&self) -> u8 {
        self.rack
    }

    /// The random numbers of the next connection: for its slices, and for the delays of each way.
    pub(super) fn next_streams(&self) -> (Random, [Random; 2]) {
        let number = self.opened.replace(self.opened.get() + 1);
        let stream = |of| Random::new(self.seed, &format!("{of}/{}/{number}", self.name));
        (stream("pipe"), [stream("jitter/up"), stream("jitter/down")])
    }

    /// How long a piece is under way that is sent now.
    ///
    /// One number is drawn for everything that trembles, so that a fault changes how far the link's
    /// own numbers reach, and not which they are.
    pub(super) fn delay(&self, random: &RefCell<Random>) -> u64 {
        let (mut least, mut width) = (self.latency, self.jitter);
        self.each(|active| {
            if let Effect::Delay(from, to) = active.effect {
                least = least.saturating_add(from);
                width = width.saturating_add(to.saturating_sub(from));
            }
        });
        if width == 0 {
            return least;
        }
        least.saturating_add(random.borrow_mut().below(width.saturating_add(1)))
    }

    pub(super) fn add(&self, pipe: &Rc<Pipe>) {
        let mut pipes = self.pipes.borrow_mut();
        pipes.retain(|pipe| pipe.strong_count() > 0);
        pipes.push(Rc::downgrade(pipe));
    }

    fn pipes(&self) -> Vec<Rc<Pipe>> {
        self.pipes.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    pub(super) fn each(&self, see: impl FnMut(&Active)) {
        if !self.calm.get() {
            self.active.borrow().iter().for_each(see);
        }
    }

    pub(super) fn any(&self, is: impl Fn(Effect) -> bool) -> bool {
        !self.calm.get() && self.active.borrow().iter().any(|active| is(active.effect))
    }

    /// Something has arrived and has to wait.
    pub(super) fn touch_stalls(&self, way: Way) {
        self.each(|active| match active.effect {
            Effect::Stall(direction) if direction.covers(way) => active.touch(),
            Effect::Hold => active.touch(),
            Effect::Stall(_)
            | Effect::BlackHole(_)
            | Effect::Delay(..)
            | Effect::Chop(_)
            | Effect::Refuse
            | Effect::Partition => {}
        });
    }

    /// The network has lost or held something back that the server sent; which it was.
    pub(super) fn touch_rack_faults(&self) -> Option<Effect> {
        let mut worst = None;
        self.each(|active| match active.effect {
            Effect::Partition | Effect::Hold => {
                active.touch();
                if worst != Some(Effect::Partition) {
                    worst = Some(active.effect);
                }
            }
            Effect::Stall(_)
            | Effect::BlackHole(_)
            | Effect::Delay(..)
            | Effect::Chop(_)
            | Effect::Refuse => {}
        });
        worst
    }

    fn add_effect(&self, active: Active) {
        self.active.borrow_mut().push(active);
        self.calm.set(false);
        self.changed();
    }

    fn remove_fault(&self, fault: u32) {
        let mut active = self.active.borrow_mut();
        let before = active.len();
        active.retain(|active| active.fault != fault);
        self.calm.set(active.is_empty());
        if active.len() != before {
            drop(active);
            self.changed();
        }
    }

    fn changed(&self) {
        self.pipes().iter().for_each(|pipe| pipe.wake());
        self.changes.raise();
    }

    /// Waits until a new connection may go out; false if it is refused.
    pub(super) async fn may_connect(&self) -> bool {
        let mut first = true;
        loop {
            let seen = self.changes.count();
            let mut refused = false;
            let mut waits = false;
            self.each(|active| {
                match active.effect {
                    Effect::Refuse | Effect::Partition => refused = true,
                    Effect::Hold | Effect::BlackHole(_) | Effect::Stall(_) => waits = true,
                    Effect::Delay(..) | Effect::Chop(_) => return,
                }
                if first {
                    active.touch();
                }
            });
            first = false;
            if refused || !waits {
                return !refused;
            }
            self.changes.changed(seen).await;
        }
    }

    /// How long the handshake of a new connection takes: there and back.
    pub(super) fn round_trip(&self) -> u64 {
        self.delay(&self.handshakes).saturating_add(self.delay(&self.handshakes))
    }
}

#[derive(Debug)]
struct Board {
    /// One for each client, and one for hostile peers.
    ends: Vec<Rc<End>>,
    chop: Option<u32>,
    in_flight: Cell<u64>,
    down: RefCell<Option<Touched>>,
}

/// All ends of a run, and the faults that are at work on them.
#[derive(Clone, Debug)]
pub(crate) struct Switchboard(Rc<Board>);

impl Switchboard {
    pub(crate) fn new(plan: &Plan) -> Self {
        let seed = plan.network.seed;
        let end = |client, rack, (latency, jitter), name: &str| {
            Rc::new(End {
                client,
                rack,
                latency: nanos(latency),
                jitter: nanos(jitter),
                name: name.to_owned(),
                seed,
                handshakes: RefCell::new(Random::new(seed, &format!("handshakes/{name}"))),
                opened: Cell::new(0),
                calm: Cell::new(true),
                active: RefCell::default(),
                pipes: RefCell::default(),
                changes: Signal::default(),
            })
        };
        let clients = (0_u32..).zip(&plan.clients);
        let mut ends: Vec<Rc<End>> = clients
            .map(|(number, client)| {
                let delays = (client.latency, client.jitter);
                end(Some(number), client.rack, delays, &client.name)
            })
            .collect();
        ends.push(end(None, 0, (plan.network.latency_min, plan.network.jitter), ""));
        let chop = plan.network.chop.filter(|bytes| *bytes > 0);
        Self(Rc::new(Board { ends, chop, in_flight: Cell::new(0), down: RefCell::default() }))
    }

    /// The end of a client.
    pub(crate) fn end(&self, client: u32) -> Option<Rc<End>> {
        self.0.ends.get(usize::try_from(client).ok()?).cloned()
    }

    /// The end that hostile peers use.
    pub(crate) fn stranger(&self) -> Option<Rc<End>> {
        self.0.ends.last().cloned()
    }

    /// Clients of a rack, by number.
    pub(crate) fn rack(&self, rack: u8) -> Vec<u32> {
        let ends = self.0.ends.iter().filter(|end| end.rack == rack);
        ends.filter_map(|end| end.client).collect()
    }

    /// Switches a fault in at these clients.
    pub(crate) fn add(&self, fault: u32, clients: &[u32], effect: Effect, touched: &Touched) {
        for end in clients.iter().filter_map(|client| self.end(*client)) {
            end.add_effect(Active { fault, effect, touched: touched.clone() });
        }
    }

    /// Takes a fault out everywhere.
    pub(crate) fn remove(&self, fault: u32) {
        self.0.ends.iter().for_each(|end| end.remove_fault(fault));
    }

    /// Resets the connections of a client; how many.
    pub(crate) fn reset(&self, client: u32) -> u64 {
        self.each_pipe(client, |pipe| pipe.reset())
    }

    /// Ends the sending half of a client's connections; how many.
    pub(crate) fn half_close(&self, client: u32) -> u64 {
        self.each_pipe(client, |pipe| pipe.half_close())
    }

    fn each_pipe(&self, client: u32, act: impl Fn(&Pipe)) -> u64 {
        let Some(end) = self.end(client) else { return 0 };
        let pipes: Vec<_> = end.pipes().into_iter().filter(|pipe| pipe.is_open()).collect();
        pipes.iter().for_each(|pipe| act(pipe));
        pipes.len() as u64
    }

    /// Whether a fault is at work on a client.
    pub(crate) fn is_troubled(&self, client: u32) -> bool {
        self.end(client).is_some_and(|end| !end.calm.get())
    }

    /// Open connections of everybody.
    pub(crate) fn connections(&self) -> u64 {
        let open = |end: &Rc<End>| end.pipes().iter().filter(|pipe| pipe.is_open()).count() as u64;
        self.0.ends.iter().map(open).sum()
    }

    /// The server is down, or up again.
    pub(crate) fn set_down(&self, touched: Option<Touched>) {
        *self.0.down.borrow_mut() = touched;
    }

    /// Whether a fault keeps the server down.
    pub(super) fn is_down(&self) -> bool {
        self.0.down.borrow().is_some()
    }

    /// Counts a connection that found no server.
    pub(super) fn found_nobody(&self) {
        if let Some(touched) = &*self.0.down.borrow() {
            touched.set(touched.get() + 1);
        }
    }

    pub(super) fn chop(&self) -> Option<u32> {
        self.0.chop
    }

    /// Bytes that mean something arrive then.
    pub(super) fn in_flight(&self, due: u64) {
        self.0.in_flight.set(self.0.in_flight.get().max(due));
    }

    /// When the last bytes that mean something arrive, or have arrived.
    pub(crate) fn in_flight_until(&self) -> u64 {
        self.0.in_flight.get()
    }

    /// Whether a client still holds on to a connection that bytes were lost on.
    pub(crate) fn any_wedged(&self) -> bool {
        self.0.ends.iter().any(|end| end.pipes().iter().any(|pipe| pipe.is_wedged()))
    }
}

/// The clock and the switchboard, which every network needs.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) clock: Clock,
    pub(crate) board: Switchboard,
}
