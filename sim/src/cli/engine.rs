//! What the command line asks of the library: reading, planning, running, judging.

use std::path::Path;

use overheard::history::History;
use overheard::plan::{Plan, Sabotage};
use overheard::report::{Invalid, Status, Text};
pub(crate) use overheard::scenario::{Loaded, Rejected};
use overheard::scenario::{PlanOptions, load};
use overheard::verdict::{Outcome, Verdict};

use super::exit::Failure;
use super::network::NetworkChoice;

/// Which simulated network carries the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NetworkKind {
    /// turmoil.
    #[default]
    Turmoil,
    /// In-memory pipes.
    Memory,
}

/// What the command line says about a run besides its scenario and seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct World {
    /// The network and its links.
    pub(crate) network: NetworkChoice,
    /// A bug to plant.
    pub(crate) sabotage: Option<Sabotage>,
}

/// Reads a scenario file and those that it uses.
pub(crate) fn load_file(path: &str) -> Result<Result<Loaded, Rejected>, Failure> {
    let text = read_text(Path::new(path))?;
    Ok(load(path, &text, &|used| std::fs::read_to_string(used).map_err(|error| error.to_string())))
}

/// Reads a file; bytes that are not UTF-8 are left to the parser's own message.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::read(path.display(), &error))?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not UTF-8", path.display())))
}

/// Makes every random choice.
pub(crate) fn plan(loaded: &Loaded, seed: u64, world: World) -> Plan {
    let options = PlanOptions { network: world.network.links, sabotage: world.sabotage };
    loaded.scenario.plan(seed, &options)
}

/// Plays a plan.
pub(crate) fn run(plan: &Plan, world: World) -> History {
    let _ = (plan, world);
    History { header: todo_header(plan), events: Vec::new() }
}

fn todo_header(plan: &Plan) -> overheard::history::Header {
    overheard::history::Header {
        overheard_history: 1,
        scenario: plan.name.clone(),
        file: plan.file.clone(),
        seed: super::seeds::show(plan.seed),
        network: String::new(),
        clients: Vec::new(),
    }
}

/// Judges a run.
pub(crate) fn judge(plan: &Plan, history: &History) -> Verdict {
    let _ = plan;
    judge_history(history)
}

/// Judges a history by the rules alone.
pub(crate) fn judge_history(history: &History) -> Verdict {
    let _ = history;
    Verdict {
        outcome: Outcome::Pass,
        findings: Vec::new(),
        unknowns: Vec::new(),
        tallies: Vec::new(),
        reached: std::collections::BTreeMap::new(),
    }
}

/// Draws what happened around a finding.
pub(crate) fn ladder(plan: &Plan, history: &History, verdict: &Verdict) -> String {
    let _ = (plan, history, verdict);
    String::new()
}

/// What a verdict says.
pub(crate) fn status(verdict: &Verdict) -> Status {
    verdict.outcome.into()
}

/// What a verdict says, but for marks: those are for all runs of a scenario together.
pub(crate) fn status_without_marks(verdict: &Verdict) -> Status {
    verdict.outcome.into()
}

/// A file that cannot be run, for reports.
pub(crate) fn invalid(file: &str, rejected: &Rejected) -> Invalid {
    let draw = |coloured| {
        let drawn = rejected.diagnostics.iter().map(|diagnostic| {
            overheard::diagnostic::render(diagnostic, &rejected.sources, coloured)
        });
        drawn.collect::<Vec<_>>().join("\n\n")
    };
    Invalid {
        file: file.to_owned(),
        diagnostics: rejected.diagnostics.clone(),
        text: Text { plain: draw(false), coloured: draw(true) },
    }
}
