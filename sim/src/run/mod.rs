//! Carries a plan out in a world of its own, and gives back its history.
//!
//! A run is a function of its plan: the same plan gives the same history, byte for byte, on every
//! machine and in every build. Each run has a thread of its own with nothing on it but this world,
//! so that runs side by side do not know of each other.

mod acts;
mod conductor;
mod eddies;
mod faults;
mod stage;
mod waits;
mod wall;
pub(crate) mod world;

use std::time::Duration;

use crate::history::{EndReason, Event, Header, History, VERSION, What};
use crate::plan::Plan;
use crate::recorder::RUN;

/// Which network a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkKind {
    /// Real sockets' shape, by turmoil: what verdicts are made on.
    #[default]
    Turmoil,
    /// In-memory pipes: idle time costs nothing.
    Memory,
    /// TCP of the system, in real time. A history is not the same twice.
    Tcp,
}

impl NetworkKind {
    /// Its name in a history.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turmoil => "turmoil",
            Self::Memory => "memory",
            Self::Tcp => "tcp",
        }
    }

    /// Whether time is the wall's, so that nothing can be had twice.
    #[must_use]
    pub const fn is_real(self) -> bool {
        match self {
            Self::Turmoil | Self::Memory => false,
            Self::Tcp => true,
        }
    }
}

/// How a plan is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// On which network.
    pub network: NetworkKind,
    /// When a run is given up that takes too long in real time. Only then does the history depend
    /// on the machine.
    pub max_wall: Option<Duration>,
}

/// Bytes of stack of a run's thread: futures of unoptimised builds are large.
const STACK: usize = 16 << 20;

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan, options: &RunOptions) -> History {
    let events = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("run".to_owned()).stack_size(STACK);
        match thread.spawn_scoped(scope, || stage::play(plan, options)) {
            Ok(run) => run.join().unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                broken(&format!("the run panicked: {}", text.unwrap_or_default()))
            }),
            Err(error) => broken(&format!("no thread: {error}")),
        }
    });
    History { header: header(plan, options.network), events }
}

/// The history of a run that could not be.
fn broken(reason: &str) -> Vec<Event> {
    let what = What::End { reason: EndReason::Broken(reason.to_owned()) };
    vec![Event { n: 0, t: 0, who: RUN, what, parent: None, step: None }]
}

fn header(plan: &Plan, network: NetworkKind) -> Header {
    Header {
        overheard_history: VERSION,
        scenario: plan.name.clone(),
        file: plan.file.clone(),
        seed: format!("{:#x}", plan.seed),
        network: network.name().to_owned(),
        clients: plan.clients.iter().map(|client| client.name.clone()).collect(),
    }
}
