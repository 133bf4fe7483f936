//! Plays a plan on turmoil: one host for the server, one for each rack, one for the conductor.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;

use super::RunOptions;
use super::conductor::conduct;
use super::stage::{build, recorder};
use super::wall::Wall;
use super::world::{ServerSeat, Stagehand};
use crate::guest::{AnyGuest, GuestOptions, attend};
use crate::history::{EndReason, Event};
use crate::host::EPOCH;
use crate::host::serve::serve;
use crate::net::Network;
use crate::net::clock::Clock;
use crate::net::eddy::{Eddy, SERVER};
use crate::net::postman::Postman;
use crate::net::switchboard::{Switchboard, Weather};
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::rng::Stream;

/// How much time passes at once. Turmoil's clocks need whole milliseconds and never skip any, so
/// that a millisecond at a time costs ten times as much, and finds the same: delays shorter than
/// this are those of the pipes, which memory plays exactly.
const TICK: Duration = Duration::from_millis(10);

/// Segments that turmoil holds for a connection, and connections that it holds for a listener:
/// it panics over the latter.
const LEAST_CAPACITY: usize = 1024;

/// What only the owner of the simulation can do, between two ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Crash,
    Restart,
}

fn rack_name(rack: u8) -> String {
    format!("rack-{}", u32::from(rack) + 1)
}

/// Every option of turmoil that a run depends on.
fn simulation<'a>(plan: &Plan) -> turmoil::Sim<'a> {
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(plan.network.seed)
        .epoch(SystemTime::UNIX_EPOCH + Duration::from_nanos(EPOCH))
        .tick_duration(TICK)
        .min_message_latency(Duration::ZERO)
        .max_message_latency(Duration::ZERO)
        .tcp_capacity(LEAST_CAPACITY.max(plan.clients.len().saturating_mul(2)))
        // The conductor ends a run; this only has to be later.
        .simulation_duration(plan.bounds.max_virtual.saturating_mul(2));
    builder.build()
}

pub(super) fn play(plan: &Plan, options: &RunOptions) -> Result<Vec<Event>, String> {
    let plan = Rc::new(plan.clone());
    let clock = Clock::of_turmoil();
    let recorder = recorder(&plan, clock.clone());
    let board = Switchboard::new(&plan);
    let racks = 0..plan.network.racks;
    let postmen: Rc<Vec<_>> = Rc::new(racks.map(|_| Postman::new(clock.clone())).collect());
    let weather = Weather { clock, board: board.clone() };
    let eddy = Eddy::new(weather, postmen.clone(), recorder.clone());
    let network: Rc<dyn Network> = Rc::new(eddy.clone());
    let guest = options.target.guest();
    let seat = ServerSeat::new(&plan, &recorder, guest.is_some());
    let stage = Rc::new(Eddies::new(plan.network.racks));
    let parts = (recorder.clone(), board);
    let world = build(&plan, options, parts, network.clone(), (seat.clone(), stage.clone()))?;

    let mut sim = simulation(&plan);
    match guest {
        None => sim.host(SERVER, || process(seat.clone(), recorder.clone(), network.clone())),
        Some(guest) => {
            let (guest, plan, recorder) = (guest.clone(), plan.clone(), recorder.clone());
            sim.host(SERVER, move || visit(guest.clone(), &plan, &seat, &eddy, &recorder));
        }
    }
    for (rack, postman) in (0..).zip(postmen.iter()) {
        let here = world.peers.iter().zip(&plan.clients).filter(|(_, client)| client.rack == rack);
        let peers: Vec<_> = here.map(|(peer, _)| peer.clone()).collect();
        let (postman, recorder) = (postman.clone(), recorder.clone());
        sim.client(rack_name(rack), async move {
            for peer in peers {
                tokio::task::spawn_local(recorder.guard("a client", peer.run()));
            }
            recorder.guard("a postman", postman.rounds()).await;
            Ok(())
        });
    }
    let over = Rc::new(Cell::new(false));
    let (told, conductor) = (over.clone(), recorder.guard("the conductor", conduct(world)));
    sim.client("conductor", async move {
        conductor.await;
        told.set(true);
        Ok(())
    });
    turn(&mut sim, &stage, &over, &recorder, &Wall::new(options.max_wall))?;
    drop(sim);
    for postman in postmen.iter() {
        postman.forget();
    }
    Ok(recorder.take_events())
}

/// The server's process, as turmoil starts it, each time with nothing in it.
async fn process(
    seat: Rc<ServerSeat>,
    recorder: Recorder,
    network: Rc<dyn Network>,
) -> turmoil::Result {
    match seat.start() {
        Ok(host) => recorder.guard("the server", serve(host, network)).await,
        Err(reason) => recorder.broken(reason),
    }
    Ok(())
}

/// The same with a guest in it.
fn visit(
    guest: AnyGuest,
    plan: &Plan,
    seat: &Rc<ServerSeat>,
    eddy: &Eddy,
    recorder: &Recorder,
) -> impl Future<Output = turmoil::Result> + use<> {
    let name = format!("guest/{}", seat.next_incarnation());
    let seed = Stream::new(plan.server.id_seed, &name).next_u64();
    let options = GuestOptions::new(plan.server.clone(), seed);
    attend(guest, eddy.clone(), options, (seat.clone(), recorder.clone())).map(Ok)
}

/// Lets time pass until the conductor is done.
fn turn(
    sim: &mut turmoil::Sim<'_>,
    stage: &Eddies,
    over: &Cell<bool>,
    recorder: &Recorder,
    wall: &Wall,
) -> Result<(), String> {
    while !over.get() {
        sim.step().map_err(|error| format!("turmoil: {error}"))?;
        loop {
            let order = stage.orders.borrow_mut().pop_front();
            match order {
                Some(Order::Crash) => sim.crash(SERVER),
                Some(Order::Restart) => sim.bounce(SERVER),
                None => break,
            }
        }
        if wall.is_over() {
            recorder.stop(EndReason::Bound("the limit of real time is reached".to_owned()));
        }
    }
    Ok(())
}

/// What is wrong with the link of a rack.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    partitions: u32,
    holds: u32,
}

/// Turmoil's own faults.
struct Eddies {
    orders: RefCell<VecDeque<Order>>,
    links: RefCell<Vec<Link>>,
}

impl Eddies {
    fn new(racks: u8) -> Self {
        let links = vec![Link::default(); usize::from(racks)];
        Self { orders: RefCell::default(), links: RefCell::new(links) }
    }

    /// Changes a link, and tells turmoil, which knows one state for each.
    fn change(&self, rack: u8, change: impl FnOnce(&mut Link)) {
        let mut links = self.links.borrow_mut();
        let Some(link) = links.get_mut(usize::from(rack)) else { return };
        change(link);
        let name = rack_name(rack);
        turmoil::release(name.as_str(), SERVER);
        turmoil::repair(name.as_str(), SERVER);
        if link.partitions > 0 {
            turmoil::partition(name.as_str(), SERVER);
        } else if link.holds > 0 {
            turmoil::hold(name.as_str(), SERVER);
        }
    }
}

impl Stagehand for Eddies {
    fn crash(&self) {
        self.orders.borrow_mut().push_back(Order::Crash);
    }

    fn restart(&self) {
        self.orders.borrow_mut().push_back(Order::Restart);
    }

    fn partition(&self, rack: u8, on: bool) {
        self.change(rack, |link| {
            link.partitions =
                if on { link.partitions + 1 } else { link.partitions.saturating_sub(1) };
        });
    }

    fn hold(&self, rack: u8, on: bool) {
        self.change(rack, |link| {
            link.holds = if on { link.holds + 1 } else { link.holds.saturating_sub(1) };
        });
    }
}
