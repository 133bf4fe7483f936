//! Plays a plan over TCP against a server that is not ours: it runs already, or is started for the
//! run. Only the clients are watched, and time is the wall's.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::conductor::conduct;
use super::launch::{LaunchError, Process};
use super::stage::{build, recorder};
use super::world::{ServerSeat, Stagehand};
use super::{RunOptions, Target, ended};
use crate::history::{EndReason, Event};
use crate::net::Network;
use crate::net::clock::Clock;
use crate::net::postman::Postman;
use crate::net::switchboard::{Switchboard, Weather};
use crate::net::tcp::{Door, Tcp};
use crate::plan::{Plan, ServerOptions};
use crate::recorder::Recorder;

/// How often a server process is asked whether it still lives.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(super) fn play(plan: &Plan, options: &RunOptions) -> Result<Vec<Event>, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let plan = Rc::new(plan.clone());
    LocalSet::new().block_on(&runtime, async {
        let door = Door::default();
        let process = match &options.target {
            Target::BuiltIn | Target::Guest(_) => None,
            Target::At(place, _) => {
                *door.borrow_mut() = Some(place.clone());
                None
            }
            Target::Started(command) => {
                let wanted = ServerOptions::from(&plan.server);
                match Process::start(command, &wanted, 0).await {
                    Ok(process) => {
                        *door.borrow_mut() = Some(process.place().clone());
                        Some((process, command.to_string(), wanted))
                    }
                    Err(error) => return Ok(ended(reason(&error))),
                }
            }
        };
        play_at(&plan, options, door, process).await
    })
}

/// Why a run without a server has ended.
fn reason(error: &LaunchError) -> EndReason {
    match error {
        LaunchError::Cannot(_) => EndReason::Skipped(error.to_string()),
        LaunchError::Spawn { .. } | LaunchError::Ended { .. } | LaunchError::Silent { .. } => {
            EndReason::NoServer(error.to_string())
        }
    }
}

async fn play_at(
    plan: &Rc<Plan>,
    options: &RunOptions,
    door: Door,
    process: Option<(Process, String, ServerOptions)>,
) -> Result<Vec<Event>, String> {
    let clock = Clock::of_runtime();
    let recorder = recorder(plan, clock.clone());
    let board = Switchboard::new(plan);
    let postman = Postman::new(clock.clone());
    let weather = Weather { clock, board: board.clone() };
    let network = Tcp::new(weather, postman.clone(), recorder.clone(), door.clone());
    let network: Rc<dyn Network> = Rc::new(network);
    let seat = ServerSeat::new(plan, &recorder, true);
    let (process, command, wanted) = match process {
        Some((process, command, wanted)) => (Some(process), command, wanted),
        None => (None, String::new(), ServerOptions::default()),
    };
    let stage = Rc::new(Live {
        recorder: recorder.clone(),
        seat: seat.clone(),
        process: RefCell::new(process),
        command,
        wanted,
        door,
        starts: Cell::new(0),
    });
    let parts = (recorder.clone(), board);
    let world = build(plan, options, parts, network, (seat.clone(), Rc::new(Hand(stage.clone()))))?;
    seat.came_up();
    tokio::task::spawn_local(recorder.guard("the postman", postman.clone().rounds()));
    tokio::task::spawn_local(recorder.guard("a watch", stage.clone().watch()));
    for peer in &world.peers {
        tokio::task::spawn_local(recorder.guard("a client", peer.clone().run()));
    }
    conduct(world).await;
    postman.forget();
    // Whoever still holds the stage keeps no process alive.
    drop(stage.process.borrow_mut().take());
    Ok(recorder.take_events())
}

/// The server's process, if it is ours to kill and start.
struct Live {
    recorder: Recorder,
    seat: Rc<ServerSeat>,
    process: RefCell<Option<Process>>,
    command: String,
    wanted: ServerOptions,
    door: Door,
    /// Counts restarts, so that one that was overtaken by a crash is dropped.
    starts: Cell<u32>,
}

impl Live {
    /// Looks whether the process has ended by itself.
    async fn watch(self: Rc<Self>) {
        loop {
            let ended = self.process.borrow_mut().as_mut().and_then(Process::ended);
            if let Some(how) = ended {
                return self.recorder.stop(EndReason::ServerDied(how));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// What the world may do with it.
struct Hand(Rc<Live>);

impl Stagehand for Hand {
    fn crash(&self) {
        let live = &self.0;
        live.starts.set(live.starts.get() + 1);
        drop(live.process.borrow_mut().take());
    }

    fn restart(&self) {
        let this = self.0.clone();
        let turn = this.starts.get();
        let restart = async move {
            // Where it was, if the command does as it is told; or else where it says.
            let port = this.door.borrow().as_ref().map_or(0, |place| place.address.port());
            let started = Process::start(&this.command, &this.wanted, port).await;
            match started {
                Ok(process) if this.starts.get() == turn => {
                    *this.door.borrow_mut() = Some(process.place().clone());
                    *this.process.borrow_mut() = Some(process);
                    this.seat.came_up();
                }
                Ok(_) => {}
                Err(error) => this.recorder.stop(reason(&error)),
            }
        };
        tokio::task::spawn_local(self.0.recorder.guard("the server", restart));
    }

    fn partition(&self, _: u8, _: bool) {}

    fn hold(&self, _: u8, _: bool) {}
}
