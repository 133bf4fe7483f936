//! `overheard targets`: what each scenario needs of a server, and on which it can be played.

use std::fmt::Write as _;

use clap::Args;
use overheard::plan::{Action, Hands, Need, Needs, Step, StepId, needs};
use overheard::report::human::one_line;
use overheard::report::many;
use serde_json::json;

use crate::cli::context::{Context, out, say};
use crate::cli::engine::{self, Loaded, World};
use crate::cli::exit::{Exit, Outcome};
use crate::cli::select::Selection;

const EXAMPLES: &str = "\
Examples:
  overheard targets                     what does each scenario need of a server?
  overheard targets --on running        which ones can be played against any server?
  overheard targets scenarios/rooms --format json";

const MORE: &str = "\
A scenario is played on a server that is
  running    known by its URL (run --target URL); it must have the options that a file names
  started    by a command (run --start COMMAND), with those options; it can be killed
  built-in   Overheard's own, in simulation or over TCP (--network tcp): all scenarios
and what is played on one kind is played on those below it, too.";

/// List what scenarios need of a server.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{MORE}\n\n{EXAMPLES}"))]
pub(crate) struct TargetsArgs {
    #[command(flatten)]
    selection: Selection,
    /// Only those that can be played on such a server: running or started
    #[arg(long, value_name = "KIND", value_enum, hide_possible_values = true)]
    on: Option<On>,
    /// human, json (a scenario a line) or names
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Human, hide_possible_values = true)]
    format: Format,
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum On {
    Running,
    Started,
}

impl From<On> for Hands {
    fn from(on: On) -> Self {
        match on {
            On::Running => Self::Running,
            On::Started => Self::Started,
        }
    }
}

/// How scenarios are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
    Names,
}

/// A scenario's needs.
struct Listed<'a> {
    loaded: &'a Loaded,
    steps: Vec<Step>,
    needs: Needs,
    hands: Hands,
}

impl<'a> Listed<'a> {
    fn of(loaded: &'a Loaded) -> Self {
        let plan = engine::plan(loaded, 1, &World::default());
        let steps = flat(plan.steps.clone());
        let needs = needs(&plan.with_hand());
        let hands = needs.keys().map(Need::hands).max();
        Self { loaded, steps, needs, hands: hands.unwrap_or(Hands::Running) }
    }

    /// Lines of steps that need something, in the order of the file.
    fn lines(&self, ids: &[StepId]) -> Vec<u32> {
        let named = self.steps.iter().filter(|step| ids.contains(&step.id));
        let mut lines: Vec<u32> = named.map(|step| step.span.line).collect();
        lines.dedup();
        lines
    }

    /// Steps that can be carried out on any server that runs.
    fn portable(&self) -> usize {
        let bound = |step: &&Step| {
            let mut needs = self.needs.iter();
            !needs.any(|(need, ids)| need.hands() > Hands::Running && ids.contains(&step.id))
        };
        self.steps.iter().filter(bound).count()
    }

    fn human(&self) -> String {
        let scenario = &self.loaded.scenario;
        let mut text = format!(
            "{}: {} [{}, {} of {}]\n",
            scenario.file(),
            one_line(scenario.name()),
            self.hands.name(),
            self.portable(),
            many(self.steps.len(), "step"),
        );
        for (need, ids) in &self.needs {
            let lines: Vec<String> = self.lines(ids).iter().map(u32::to_string).collect();
            let at = match lines.as_slice() {
                [] => String::new(),
                [one] => format!(" (line {one})"),
                some => format!(" (lines {})", some.join(", ")),
            };
            let _ = writeln!(text, "    {need}{at}");
        }
        text
    }

    fn json(&self) -> String {
        let need = |(need, ids): (&Need, &Vec<StepId>)| {
            json!({"need": need.name(), "what": need.to_string(), "lines": self.lines(ids),
                   "on": need.hands().name()})
        };
        json!({"file": self.loaded.scenario.file(), "name": self.loaded.scenario.name(),
               "on": self.hands.name(), "steps": self.steps.len(), "portable": self.portable(),
               "needs": self.needs.iter().map(need).collect::<Vec<_>>()})
        .to_string()
            + "\n"
    }
}

/// Steps, nested ones in the place of those that hold them.
fn flat(steps: Vec<Step>) -> Vec<Step> {
    let inner = |step: Step| {
        if let Action::Together(steps) = step.action { flat(steps) } else { vec![step] }
    };
    steps.into_iter().flat_map(inner).collect()
}

/// Runs the command.
pub(crate) fn execute(args: &TargetsArgs, context: &Context) -> Outcome {
    let selected = args.selection.load(context)?;
    let most = args.on.map_or(Hands::BuiltIn, Hands::from);
    let listed: Vec<Listed<'_>> = selected.scenarios.iter().map(Listed::of).collect();
    let listed: Vec<&Listed<'_>> = listed.iter().filter(|one| one.hands <= most).collect();
    for one in &listed {
        out(&match args.format {
            Format::Names => format!("{}\n", one.loaded.scenario.file()),
            Format::Human => one.human(),
            Format::Json => one.json(),
        })?;
    }
    for (file, rejected) in &selected.rejected {
        let invalid = engine::invalid(file, rejected);
        say(&format!("{}\n\n", invalid.text.get(Context::coloured_stderr()).trim_end()))?;
    }
    if args.format == Format::Human && !context.quiet {
        let count = |hands| listed.iter().filter(|one| one.hands == hands).count();
        say(&format!(
            "{}: {} on any server, {} more on one that is started, {} on the built-in one only\n",
            many(listed.len(), "scenario"),
            count(Hands::Running),
            count(Hands::Started),
            count(Hands::BuiltIn),
        ))?;
    }
    Ok(if !selected.rejected.is_empty() {
        Exit::Invalid
    } else if listed.is_empty() {
        Exit::Nothing
    } else {
        Exit::Passed
    })
}
