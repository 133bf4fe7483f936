//! What the command line asks of the library: reading, planning, running, judging.

use std::path::Path;
use std::time::Duration;

use overheard::check;
use overheard::diagnostic::render;
use overheard::history::History;
use overheard::plan::{Plan, Sabotage};
use overheard::report::ladder::{self, Style};
use overheard::report::{Invalid, Scenario, Text};
use overheard::run::{self, NetworkKind, RunOptions, Target};
pub(crate) use overheard::scenario::{Loaded, Rejected};
use overheard::scenario::{PlanOptions, load_with};
use overheard::verdict::{Outcome, Verdict};

use super::environment::Environment;
use super::exit::Failure;
use super::isolate;
use super::network::NetworkChoice;
use super::target::Named;
use super::values;

/// What the command line says about a run besides its scenario and seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct World {
    /// The network and its links.
    pub(crate) network: NetworkChoice,
    /// The server.
    pub(crate) target: Target,
    /// The same as it was named.
    pub(crate) named: Named,
    /// How much later something may come where time is real.
    pub(crate) slack: Duration,
    /// A bug to plant.
    pub(crate) sabotage: Option<Sabotage>,
    /// When runs are stopped, in virtual time.
    pub(crate) until: Option<Duration>,
    /// Whether each run has a process of its own.
    pub(crate) isolate: bool,
}

impl World {
    /// What carries the bytes: a server that is not ours is reached by TCP only.
    pub(crate) fn kind(&self) -> NetworkKind {
        match self.target {
            Target::BuiltIn | Target::Guest(_) => self.network.kind.unwrap_or_default(),
            Target::At(..) | Target::Started(_) => NetworkKind::Tcp,
        }
    }
}

/// Reads a scenario file and those that it uses.
pub(crate) fn load_file(path: &str) -> Result<Result<Loaded, Rejected>, Failure> {
    let text = read_text(Path::new(path))?;
    let read = |used: &str| std::fs::read_to_string(used).map_err(|error| error.to_string());
    Ok(load_with(path, &text, &read, &values::values()))
}

/// Reads a file; bytes that are not UTF-8 are left to the parser's own message.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::read(path.display(), &error))?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not UTF-8", path.display())))
}

/// Makes every random choice.
pub(crate) fn plan(loaded: &Loaded, seed: u64, world: &World) -> Plan {
    let options = PlanOptions { network: world.network.links, sabotage: world.sabotage };
    let mut plan = loaded.scenario.plan(seed, &options);
    if world.target != Target::BuiltIn {
        plan = plan.with_hand();
    }
    plan.bounds.max_virtual = plan.bounds.max_virtual.min(world.until.unwrap_or(Duration::MAX));
    if world.kind().is_real() { plan.relaxed(world.slack) } else { plan }
}

/// Plays a plan.
pub(crate) fn run(plan: &Plan, world: &World, max_wall: Duration) -> History {
    if world.isolate {
        return isolate::run(plan, world, max_wall);
    }
    let target = world.target.clone();
    let mut history =
        run::run(plan, &RunOptions { network: world.kind(), target, max_wall: Some(max_wall) });
    if let Some(links) = world.network.links {
        // Links that are not the file's belong to what a trace must say to be played again.
        history.header.network = format!("{},{}", history.header.network, links.name());
    }
    history
}

/// Draws what happened around a finding.
pub(crate) fn ladder(history: &History, verdict: &Verdict) -> String {
    let style = if Environment::is_utf8() { Style::Unicode } else { Style::Ascii };
    let first = verdict.findings.first();
    first.map_or_else(String::new, |finding| ladder::ladder(history, finding, style))
}

/// What a verdict says, without marks that a run did not reach: those are for all runs of a
/// scenario together.
pub(crate) fn judge_without_marks(plan: &Plan, history: &History) -> Verdict {
    let mut verdict = check::judge(plan, history);
    verdict.unknowns.retain(|unknown| unknown.code != check::NOT_REACHED);
    if verdict.outcome == Outcome::Unknown && verdict.unknowns.is_empty() {
        verdict.outcome = Outcome::Pass;
    }
    verdict
}

/// Says which marks no run of a scenario reached.
pub(crate) fn tell_of_marks(scenario: &mut Scenario, loaded: &Loaded) {
    if let Some(diagnostic) = scenario.unreached_diagnostic() {
        scenario.told = Text {
            plain: render(&diagnostic, &loaded.sources, false),
            coloured: render(&diagnostic, &loaded.sources, true),
        };
    }
}

/// A file that cannot be run, for reports.
pub(crate) fn invalid(file: &str, rejected: &Rejected) -> Invalid {
    let draw = |coloured| {
        let drawn = rejected
            .diagnostics
            .iter()
            .map(|diagnostic| render(diagnostic, &rejected.sources, coloured));
        drawn.collect::<Vec<_>>().join("\n\n")
    };
    Invalid {
        file: file.to_owned(),
        diagnostics: rejected.diagnostics.clone(),
        text: Text { plain: draw(false), coloured: draw(true) },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use overheard::run::{Target, unplayable};
    use overheard::scenario::load;

    use super::{RunOptions, World, plan};

    /// What the server's application does is asked for where the server is not our own.
    #[test]
    fn a_hand_is_lent_to_servers_that_are_not_ours_alone() {
        let text = "version: 1\nname: news\nclients: [alice]\n\
                    steps: [{ broadcast: { event: note } }]\n";
        let loaded = load("a.yaml", text, &|_| Err(String::new())).unwrap();
        let started = Target::Started(Arc::from("node server.mjs"));
        let clients = |target: &Target| {
            let world = World { target: target.clone(), ..World::default() };
            let plan = plan(&loaded, 1, &world);
            let options =
                RunOptions { network: world.kind(), target: target.clone(), max_wall: None };
            assert_eq!(unplayable(&plan, &options), None);
            plan.clients.len()
        };
        assert_eq!((clients(&Target::BuiltIn), clients(&started)), (1, 2));
    }
}
