//! Scenario files: from text to a [`Scenario`], and from there, with a seed, to a plan.
//!
//! Reading goes in three steps: `yaml` makes nodes that know where they stand, the readers turn
//! nodes into the words of [`crate::plan`] (verbs and repetitions unfolded, names resolved), and
//! `lint` looks for what can be read but cannot be meant. All mistakes of a file are reported
//! together. Nothing here touches a file system: texts are handed in.

mod client;
mod clients;
pub(crate) mod codes;
mod cx;
mod fields;
mod file;
mod format;
mod instance;
mod labels;
mod lint;
mod node;
mod retell;
mod schema;
mod server;
mod steps;
mod values;
mod vars;
mod verbs;
mod yaml;

use std::time::Duration;

use cx::Cx;
pub use format::format;
pub use retell::retell;
pub use schema::schema;
pub use vars::Values;

use crate::diagnostic::{Diagnostic, Severity, Sources};
use crate::plan::{
    Answer, Bounds, ClientNamespace, Mark, Sabotage, ServerPlan, Step, TransportName, Unclaimed,
};
use crate::span::Span;

/// A scenario that can be run.
#[derive(Clone, Debug)]
pub struct Scenario {
    name: String,
    file: String,
    tags: Vec<String>,
    rules: Vec<String>,
    vars: Vec<String>,
    seeds: u32,
    network: Network,
    racks: u8,
    server: ServerPlan,
    clients: Vec<Client>,
    steps: Vec<Step>,
    unclaimed: Unclaimed,
    must_reach: Vec<(Mark, Span)>,
    bounds: Bounds,
}

/// Delays of a file's network: a range that each client draws from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Network {
    /// The preset's name, or `custom`.
    name: String,
    latency: (Duration, Duration),
    jitter: Duration,
    chop: Option<u32>,
}

/// A client of a file; what is missing is drawn.
#[derive(Clone, Debug)]
struct Client {
    name: String,
    span: Span,
    /// From 0.
    rack: Option<u8>,
    latency: Option<(Duration, Duration)>,
    jitter: Option<Duration>,
    transports: Vec<TransportName>,
    upgrade: bool,
    namespaces: Vec<ClientNamespace>,
    connect: bool,
    reconnection: bool,
    reconnection_delay: Duration,
    reconnection_delay_max: Duration,
    retries: u32,
    ack_timeout: Option<Duration>,
    answer: Answer,
}

/// A network that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// 0.1 to 1 ms, without jitter.
    Lan,
    /// 2 to 10 ms, and up to 5 ms more.
    Wifi,
    /// 40 to 150 ms, and up to 30 ms more.
    Mobile,
    /// 280 to 320 ms, and up to 10 ms more.
    Satellite,
}

impl Preset {
    /// Each preset with its name in files and on the command line.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Lan, "lan"),
        (Self::Wifi, "wifi"),
        (Self::Mobile, "mobile"),
        (Self::Satellite, "satellite"),
    ];

    /// The preset of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(preset, _)| *preset)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wifi => "wifi",
            Self::Mobile => "mobile",
            Self::Satellite => "satellite",
        }
    }

    /// The least and the greatest one-way delay.
    #[must_use]
    pub const fn latency(self) -> (Duration, Duration) {
        match self {
            Self::Lan => (Duration::from_micros(100), Duration::from_micros(1_000)),
            Self::Wifi => (Duration::from_millis(2), Duration::from_millis(10)),
            Self::Mobile => (Duration::from_millis(40), Duration::from_millis(150)),
            Self::Satellite => (Duration::from_millis(280), Duration::from_millis(320)),
        }
    }

    /// The most that a piece of a stream takes longer than that.
    #[must_use]
    pub const fn jitter(self) -> Duration {
        match self {
            Self::Lan => Duration::ZERO,
            Self::Wifi => Duration::from_millis(5),
            Self::Mobile => Duration::from_millis(30),
            Self::Satellite => Duration::from_millis(10),
        }
    }
}

/// What the command line says about a plan besides the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// This network instead of the file's.
    pub network: Option<Preset>,
    /// A bug to plant.
    pub sabotage: Option<Sabotage>,
}

/// A file that has been read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub scenario: Scenario,
    /// What it probably does not mean.
    pub warnings: Vec<Diagnostic>,
    /// The texts of the file and of those that it uses.
    pub sources: Sources,
}

/// A file that cannot be run.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Why: at least one error, and perhaps warnings, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts of the file and of those that it uses.
    pub sources: Sources,
}

/// Reads a scenario. `path` is the name of the file as the user said it, `read` gives the texts of
/// files that it uses, whose names are made from `path`.
///
/// # Errors
/// The file has mistakes; all that were found are reported.
pub fn load(
    path: &str,
    text: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Loaded, Rejected> {
    load_with(path, text, read, &Values::default())
}

/// Reads a scenario whose variables have these values instead of the file's own; values that the
/// file has no variable for are not for it.
///
/// # Errors
/// The file has mistakes; all that were found are reported.
pub fn load_with(
    path: &str,
    text: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
    values: &Values,
) -> Result<Loaded, Rejected> {
    let (mut cx, mut sources) = (Cx::default(), Sources::new());
    let scenario = file::scenario(&mut cx, (path, text), read, values, &mut sources);
    let mut diagnostics = cx.finish();
    let place = |diagnostic: &Diagnostic| {
        let span = &diagnostic.primary.span;
        (*span.file != *path, span.file.clone(), span.start)
    };
    diagnostics.sort_by_key(place);
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    match scenario {
        Some(scenario) if !failed => Ok(Loaded { scenario, warnings: diagnostics, sources }),
        Some(_) | None => Err(Rejected { diagnostics, sources }),
    }
}

impl Scenario {
    /// Its name: one sentence.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, as the user named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// IDs of the rules that it exercises.
    #[must_use]
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    /// The names of its variables.
    #[must_use]
    pub fn vars(&self) -> &[String] {
        &self.vars
    }

    /// How many seeds a run plays unless it says otherwise.
    #[must_use]
    pub const fn seeds(&self) -> u32 {
        self.seeds
    }

    /// The names of its clients, in the order of the file.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.clients.iter().map(|client| client.name.as_str())
    }

    /// Its steps, verbs and repetitions unfolded.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
