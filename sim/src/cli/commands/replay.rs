//! `overheard replay`: plays one run again, tells its story, and says loudly if it has changed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use overheard::check;
use overheard::history::{self, Event, History};
use overheard::plan::Sabotage;
use overheard::report::{Status, human, picture, story, time};

use super::run::sabotage;
use crate::cli::config::Wall;
use crate::cli::context::{Context, out, say};
use crate::cli::engine::{self, Loaded, World};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::network::NetworkChoice;
use crate::cli::pool::{self, Trouble};
use crate::cli::seeds::SeedChoice;
use crate::cli::values::ValueArgs;
use crate::cli::{discover, play, seeds, suite, target};

const EXAMPLES: &str = "\
Examples:
  overheard replay scenarios/room.yaml --seed 0x5eed
  overheard replay scenarios/room.yaml --seed 0x5eed --until 3204us
  overheard replay .overheard/traces/scenarios.room-0x1.jsonl
                            compares with the trace: exit code 6 if it differs";

/// Play one run again, and tell its story.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReplayArgs {
    /// A scenario file, or a trace of an earlier run
    #[arg(value_name = "FILE")]
    file: String,
    /// The seed; a trace knows its own
    #[arg(short, long, value_name = "SEED")]
    seed: Option<SeedChoice>,
    /// Tell nothing later than this virtual time
    #[arg(long, value_name = "TIME", value_parser = virtual_time)]
    until: Option<Duration>,
    /// The scenario of a trace, if it is not where it was
    #[arg(long, value_name = "FILE")]
    scenario: Option<String>,
    /// As in `run`
    #[arg(long, value_name = "NETWORK")]
    network: Option<NetworkChoice>,
    /// As in `run`
    #[arg(long, value_name = "BUG", value_parser = sabotage)]
    sabotage: Option<Sabotage>,
    /// How long it may take on the wall's clock
    #[arg(long, value_name = "TIME", default_value = "10m")]
    max_wall: Wall,
    /// Tell of everything, the run's own bookkeeping too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(crate) values: ValueArgs,
}

/// `3.204ms`, or `t=3.204ms` as messages write it.
pub(crate) fn virtual_time(text: &str) -> Result<Duration, String> {
    let text = text.strip_prefix("t=").unwrap_or(text);
    overheard::duration::parse(text).map_err(|error| error.to_string())
}

/// Runs the command.
pub(crate) fn execute(args: &ReplayArgs, context: &Context) -> Outcome {
    let saved = if is_trace(&args.file) { Some(read_trace(&args.file)?) } else { None };
    let file = match (&saved, &args.scenario) {
        (Some(_), Some(scenario)) => scenario.clone(),
        (Some(saved), None) => saved.header.file.clone(),
        (None, _) => args.file.clone(),
    };
    if !Path::new(file_of(&file)?.as_str()).is_file() {
        let missing = Failure::usage(format!("there is no scenario file `{file}`"));
        return Err(missing.help("--scenario FILE says where it is"));
    }
    let file = file_of(&file)?;
    let loaded = match engine::load_file(&file)? {
        Ok(loaded) => Arc::new(loaded),
        Err(rejected) => {
            let invalid = engine::invalid(&file, &rejected);
            say(&format!("{}\n", invalid.text.get(Context::coloured_stderr())))?;
            return Ok(Exit::Invalid);
        }
    };
    let seed = seed(args, saved.as_ref())?;
    let saved_network = saved.as_ref().and_then(|saved| saved.header.network.parse().ok());
    let network = args.network.or(saved_network).unwrap_or_default();
    let world = World {
        network,
        target: target::own(network)?,
        sabotage: args.sabotage,
        isolate: target::has_guest(),
        ..World::default()
    };
    let history = match replayed(&loaded, seed, &world, args.max_wall.0) {
        Ok(history) => history,
        Err(trouble) => return told_trouble(&trouble, &file, seed, &world),
    };
    tell(args, context, &loaded, &history, seed, &world, saved.as_ref())
}

/// A trace is a file of JSON lines.
fn is_trace(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "jsonl")
}

/// The file without a line behind it.
fn file_of(file: &str) -> Result<String, Failure> {
    let found = discover::find(&[file.to_owned()], discover::NOT_SCENARIOS)?;
    match found.as_slice() {
        [one] => Ok(one.path.clone()),
        _ => Err(Failure::usage(format!("`{file}` is not one scenario file"))),
    }
}

/// Reads a trace.
pub(crate) fn read_trace(file: &str) -> Result<History, Failure> {
    let text = engine::read_text(Path::new(file))?;
    history::read(&text).map_err(|error| {
        Failure::new(Exit::Invalid, format!("{file}: {error}"))
            .help("`overheard schema history` describes a line")
    })
}

fn seed(args: &ReplayArgs, saved: Option<&History>) -> Result<u64, Failure> {
    match (args.seed, saved) {
        (Some(SeedChoice::Fixed(seed)), _) => Ok(seed),
        (Some(SeedChoice::Random), _) => {
            Err(Failure::usage("only a known seed can be played again"))
        }
        (None, Some(saved)) => seeds::parse(&saved.header.seed)
            .map_err(|error| Failure::new(Exit::Invalid, format!("the trace's header: {error}"))),
        (None, None) => {
            Err(Failure::usage("which run? a scenario file needs --seed").help("--seed 1"))
        }
    }
}

fn replayed(
    loaded: &Arc<Loaded>,
    seed: u64,
    world: &World,
    limit: Duration,
) -> Result<History, Trouble> {
    let (loaded, world) = (Arc::clone(loaded), world.clone());
    let play = move || engine::run(&engine::plan(&loaded, seed, &world), &world, limit);
    pool::guarded(limit, play)
}

fn told_trouble(trouble: &Trouble, file: &str, seed: u64, world: &World) -> Outcome {
    let replay = play::replay(file, seed, world);
    let (exit, title) = match trouble {
        Trouble::Panicked(message) => {
            (Exit::Internal, format!("the simulator panicked: {message}"))
        }
        Trouble::TooLong => (Exit::Unknown, "given up on the wall's clock (--max-wall)".to_owned()),
        Trouble::NoThread(error) => (Exit::Unknown, format!("there is no thread for it: {error}")),
    };
    let hint = [play::BUG_HINT.to_owned()];
    let lines: &[String] = if exit == Exit::Internal { &hint } else { &[] };
    say(&story::trouble(&title, lines, &format!("replay: {replay}"), None).plain)?;
    Ok(exit)
}

fn tell(
    args: &ReplayArgs,
    context: &Context,
    loaded: &Loaded,
    history: &History,
    seed: u64,
    world: &World,
    saved: Option<&History>,
) -> Outcome {
    let until = args.until.map(|until| u64::try_from(until.as_nanos()).unwrap_or(u64::MAX));
    let early = |event: &Event| until.is_none_or(|until| event.t <= until);
    let keep = |event: &Event| early(event) && (args.all || picture::matters(event));
    let plan = engine::plan(loaded, seed, world);
    if !context.quiet {
        out(&picture::story(history, &picture::places(&plan.steps), &keep))?;
    }
    let verdict = check::judge(&plan, history);
    let status = Status::from(verdict.outcome);
    let last = history.events.last().map_or(0, |event| event.t);
    let coloured = Context::coloured_stderr();
    let line = human::Human { coloured, quiet: false }.verdict(
        status,
        loaded.scenario.file(),
        &format!("seed {}, t={}", seeds::show(seed), time(last)),
    );
    say(&format!("\n{line}"))?;
    if status.is_bad() {
        let ladder = engine::ladder(history, &verdict);
        let replay = play::replay(loaded.scenario.file(), seed, world);
        let help = format!("replay: {replay}");
        let around =
            story::Around { sources: &loaded.sources, ladder: &ladder, help: &help, trace: None };
        say(story::story(&verdict, &around).get(coloured))?;
    }
    let mut exit = suite::exit_of(verdict.outcome.into());
    if let Some(difference) = saved.and_then(|saved| history::first_difference(saved, history)) {
        let red = human::style(Status::Nondeterministic);
        let (on, off) =
            if coloured { (format!("{red}"), format!("{red:#}")) } else { Default::default() };
        say(&format!(
            "\n{on}THIS IS NOT THE RUN OF THE TRACE{off}: {difference}\n   = help: was it recorded by \
             another version, or has the scenario changed since?\n"
        ))?;
        exit = exit.or_worse(Exit::Nondeterminism);
    } else if saved.is_some() && !context.quiet {
        say("the same, byte for byte, as the trace\n")?;
    }
    Ok(exit)
}
