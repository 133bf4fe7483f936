//! Builds the world of a plan on a network, and plays it there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use smol_str::SmolStr;
use tokio::runtime::Builder;
use tokio::task::{AbortHandle, LocalSet};

use super::conductor::conduct;
use super::faults::Faults;
use super::wall::Wall;
use super::world::{ServerSeat, Stagehand, World};
use super::{NetworkKind, RunOptions, Target, broken};
use crate::history::Event;
use crate::host::serve::serve;
use crate::net::Network;
use crate::net::clock::Clock;
use crate::net::memory::Memory;
use crate::net::postman::Postman;
use crate::net::switchboard::{Switchboard, Weather};
use crate::net::tcp::{Door, Tcp};
use crate::peer::{Peer, is_offset, is_offset_of_a_guest, is_real_offset};
use crate::plan::Plan;
use crate::recorder::Recorder;

/// Most racks of a plan.
const MOST_RACKS: u8 = 8;

/// Plays a plan on the current thread, which has nothing else to do.
pub(super) fn play(plan: &Plan, options: &RunOptions) -> Vec<Event> {
    let played = check(plan).and_then(|()| match options.network {
        NetworkKind::Tcp if options.target != Target::BuiltIn => super::live::play(plan, options),
        NetworkKind::Memory | NetworkKind::Tcp => play_here(plan, options),
        NetworkKind::Turmoil => super::eddies::play(plan, options),
    });
    played.unwrap_or_else(|reason| broken(&reason))
}

/// Refuses what cannot be played.
fn check(plan: &Plan) -> Result<(), String> {
    let racks = plan.network.racks;
    if racks == 0 || racks > MOST_RACKS {
        return Err(format!(
            "{racks} racks: a run has 1 to {MOST_RACKS}, since each more makes time pass slower"
        ));
    }
    let lost = plan.clients.iter().find(|client| client.rack >= racks);
    lost.map_or(Ok(()), |client| {
        Err(format!("{} is on rack {}, and there are {racks}", client.name, client.rack + 1))
    })
}

/// The parts of a world that are the same on each network.
pub(super) fn build(
    plan: &Rc<Plan>,
    options: &RunOptions,
    (recorder, board): (Recorder, Switchboard),
    network: Rc<dyn Network>,
    (seat, stage): (Rc<ServerSeat>, Rc<dyn Stagehand>),
) -> Result<Rc<World>, String> {
    let is_offset: fn(&str) -> bool = match options.target {
        Target::BuiltIn => is_offset,
        Target::Guest(_) => is_offset_of_a_guest,
        Target::At(..) | Target::Started(_) => is_real_offset,
    };
    let offsets = plan.server.recovery.is_some().then_some(is_offset);
    let mut peers = Vec::new();
    for (number, client) in (0..).zip(&plan.clients) {
        let Some(end) = board.end(number) else { continue };
        peers.push(Peer::new(client, offsets, (network.clone(), end), recorder.clone())?);
    }
    Ok(Rc::new(World {
        plan: plan.clone(),
        recorder,
        board,
        network,
        peers,
        seat,
        stage,
        faults: Faults::default(),
        wall: Wall::new(options.max_wall),
        acted: Cell::new(0),
        sent: RefCell::default(),
    }))
}

/// The history of a world without a past.
pub(super) fn recorder(plan: &Plan, clock: Clock) -> Recorder {
    let names = plan.clients.iter().map(|client| SmolStr::from(&*client.name)).collect();
    Recorder::new(clock, names, plan.bounds.max_events)
}

/// Plays a plan on one runtime, with paused time in memory or with the wall's over TCP.
fn play_here(plan: &Plan, options: &RunOptions) -> Result<Vec<Event>, String> {
    let is_real = options.network.is_real();
    let mut runtime = Builder::new_current_thread();
    let runtime =
        if is_real { runtime.enable_all() } else { runtime.enable_time().start_paused(true) };
    let runtime = runtime.build().map_err(|error| format!("no runtime: {error}"))?;
    let local = LocalSet::new();
    let plan = Rc::new(plan.clone());
    local.block_on(&runtime, async {
        let clock = Clock::of_runtime();
        let recorder = recorder(&plan, clock.clone());
        let board = Switchboard::new(&plan);
        let postman = Postman::new(clock.clone());
        let weather = Weather { clock, board: board.clone() };
        let network: Rc<dyn Network> = if is_real {
            Rc::new(Tcp::new(weather, postman.clone(), recorder.clone(), Door::default()))
        } else {
            Rc::new(Memory::new(weather, postman.clone()))
        };
        let seat = ServerSeat::new(&plan, &recorder, false);
        let stage = Rc::new(Bare {
            seat: seat.clone(),
            recorder: recorder.clone(),
            network: network.clone(),
            server: RefCell::new(None),
        });
        let parts = (recorder.clone(), board);
        let world = build(&plan, options, parts, network, (seat, stage.clone()))?;
        tokio::task::spawn_local(recorder.guard("the postman", postman.clone().rounds()));
        stage.restart();
        for peer in &world.peers {
            tokio::task::spawn_local(recorder.guard("a client", peer.clone().run()));
        }
        conduct(world).await;
        postman.forget();
        Ok(recorder.take_events())
    })
}

/// Without a network of its own, everything that breaks is in the pipes.
struct Bare {
    seat: Rc<ServerSeat>,
    recorder: Recorder,
    network: Rc<dyn Network>,
    server: RefCell<Option<AbortHandle>>,
}

impl Stagehand for Bare {
    fn crash(&self) {
        if let Some(server) = self.server.borrow_mut().take() {
            server.abort();
        }
    }

    fn restart(&self) {
        match self.seat.start() {
            Ok(host) => {
                let server = serve(host, self.network.clone());
                let server = tokio::task::spawn_local(self.recorder.guard("the server", server));
                *self.server.borrow_mut() = Some(server.abort_handle());
            }
            Err(reason) => self.recorder.broken(reason),
        }
    }

    fn partition(&self, _: u8, _: bool) {}

    fn hold(&self, _: u8, _: bool) {}
}
