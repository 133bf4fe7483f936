//! Carries a plan out in a world of its own, and gives back its history.
//!
//! In virtual time a run is a function of its plan: the same plan gives the same history, byte for
//! byte, on every machine and in every build. Over TCP, and with a guest, it is not. Each run has a
//! thread of its own with nothing on it but this world, so that runs side by side do not know of
//! each other.

mod acts;
mod conductor;
mod eddies;
mod faults;
mod fence;
mod launch;
mod live;
mod stage;
mod time;
mod waits;
pub(crate) mod wall;
pub(crate) mod world;

use std::sync::Arc;
use std::time::Duration;

pub use self::launch::kill_servers;
use crate::guest::AnyGuest;
use crate::history::{EndReason, Event, Header, History, VERSION, What};
use crate::net::Place;
use crate::plan::{Hands, Need, Plan, ServerOptions, needs};
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

/// The server that a plan is played against. On one that is not our own, [`Plan::with_hand`] makes
/// more plans playable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Our own, in the same process: every acceptance is written down.
    #[default]
    BuiltIn,
    /// A guest of the simulation, of which only the clients know; on [`NetworkKind::Turmoil`].
    Guest(AnyGuest),
    /// One that runs already, with these options; over [`NetworkKind::Tcp`].
    At(Place, Box<ServerOptions>),
    /// One that this command line starts for each run; over [`NetworkKind::Tcp`].
    Started(Arc<str>),
}

impl Target {
    /// The guest, if it is one.
    pub(crate) const fn guest(&self) -> Option<&AnyGuest> {
        match self {
            Self::Guest(guest) => Some(guest),
            Self::BuiltIn | Self::At(..) | Self::Started(_) => None,
        }
    }
}

/// How a plan is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// On which network.
    pub network: NetworkKind,
    /// Against which server.
    pub target: Target,
    /// When a run is given up that takes too long in real time. Only then does the history depend
    /// on the machine.
    pub max_wall: Option<Duration>,
}

/// Bytes of stack of a run's thread: futures of unoptimised builds are large.
const STACK: usize = 16 << 20;

/// Why a plan cannot be played so, as the end of a sentence that begins with "it needs".
#[must_use]
pub fn unplayable(plan: &Plan, options: &RunOptions) -> Option<String> {
    if options.target != Target::BuiltIn {
        let unmet = needs(plan).into_keys().find(|need| !is_met(need, options));
        if let Some(need) = unmet {
            return Some(need.to_string());
        }
        if let Target::At(_, has) = &options.target
            && let Err(option) = has.serve(&ServerOptions::from(&plan.server))
        {
            return Some(format!("another `{option}` than the running server has"));
        }
    }
    let limit = options.max_wall.filter(|_| options.network.is_real())?;
    let least = time::least(&plan.steps);
    (least > limit).then(|| format!("{least:?} of real time, and a run may take {limit:?}"))
}

/// Whether a server of which only the clients know has what is needed. The options of one that runs
/// are compared one by one.
fn is_met(need: &Need, options: &RunOptions) -> bool {
    match (&options.target, need) {
        (Target::BuiltIn, _) | (Target::At(..), Need::Option(_)) => true,
        (Target::At(..), _) => need.hands() <= Hands::Running,
        (Target::Started(_) | Target::Guest(_), _) => need.hands() <= Hands::Started,
    }
}

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan, options: &RunOptions) -> History {
    if let Some(reason) = unplayable(plan, options) {
        let events = ended(EndReason::Skipped(format!("it needs {reason}")));
        return History { header: header(plan, options.network), events };
    }
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

/// A run that was over before it began.
#[cfg(feature = "cli")]
pub(crate) fn ended_early(plan: &Plan, network: NetworkKind, reason: EndReason) -> History {
    History { header: header(plan, network), events: ended(reason) }
}

/// The history of a run that could not be.
fn broken(reason: &str) -> Vec<Event> {
    ended(EndReason::Broken(reason.to_owned()))
}

/// The history of a run that has ended before it began.
fn ended(reason: EndReason) -> Vec<Event> {
    let what = What::End { reason };
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
