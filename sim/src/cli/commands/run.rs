//! `overheard run`: plays scenarios and judges them.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use overheard::plan::Sabotage;

use super::replay::virtual_time;
use crate::cli::choices::{self, NoTests, Progress, ReporterName, TraceKeeping, Verification};
use crate::cli::config::{Profile, Wall};
use crate::cli::context::Context;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::network::NetworkChoice;
use crate::cli::reporting::ReportFile;
use crate::cli::seeds::SeedChoice;
use crate::cli::select::Selection;
use crate::cli::settings::{Origin, Sourced, pick, pick_env};
use crate::cli::suite;
use crate::cli::target::{Live, TargetArgs, has_guest};
use crate::cli::values::ValueArgs;

const EXAMPLES: &str = "\
Examples:
  overheard run                                   everything below scenarios/
  overheard run scenarios/rooms --tag 'not slow'  one family, without the slow ones
  overheard run a.yaml --seed 0x5eed              one seed, as a message gave it
  overheard run --seeds 500 --network memory      many seeds, quickly
  overheard run --target http://127.0.0.1:3000    against a server that runs
  overheard run --start 'node server.mjs'         against one that is started for each run
  overheard run --report junit=out.xml --reporter github";

const MORE: &str = "\
Without --seed and --seeds, every scenario is played with as many seeds as its file says, from
seed 1 upward: the same on every machine and every day.

Human text and progress go to stderr, machine formats to stdout, a line at a time. A JSON line is
one of suite-started, file-invalid, run-finished, scenario-finished and suite-finished: see
`overheard schema report`. Report files are written whole or not at all.";

/// Play scenarios and judge them.
#[derive(Debug, Default, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{MORE}\n\n{EXAMPLES}"))]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Only what did not pass last time, with the seeds it did not pass with
    #[arg(long, help_heading = "Which scenarios", conflicts_with_all = ["seed", "seeds"])]
    pub(crate) failed: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) how: How,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) values: ValueArgs,
}

/// How scenarios are played.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How they are played")]
pub(crate) struct How {
    /// This seed (7, 0x5eed or random), or the first one
    #[arg(short, long, value_name = "SEED")]
    pub(crate) seed: Option<SeedChoice>,
    /// So many seeds each
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) seeds: Option<NonZeroU32>,
    /// Runs at a time [default: processors]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// turmoil, memory or tcp; lan, wifi, mobile or satellite
    #[arg(long, value_name = "NETWORK")]
    pub(crate) network: Option<NetworkChoice>,
    /// Stop after N runs that did not pass [without N: 1]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub(crate) fail_fast: Option<u32>,
    /// Play twice and compare: on, sample (under CI) or off
    #[arg(long, value_name = "WHICH", value_enum, num_args = 0..=1, require_equals = true,
          default_missing_value = "on", hide_possible_values = true)]
    pub(crate) verify_determinism: Option<Verification>,
    /// Stop each run at this virtual time; what is open then is unknown
    #[arg(long, value_name = "TIME", value_parser = virtual_time, conflicts_with_all = ["target", "start"],
          hide_short_help = true)]
    pub(crate) until: Option<Duration>,
    /// How long one run may take on the wall's clock
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub(crate) max_wall: Option<Wall>,
    /// Plant a bug in the simulated server: what finds it?
    #[arg(long, value_name = "BUG", value_parser = sabotage, hide_short_help = true)]
    pub(crate) sabotage: Option<Sabotage>,
    /// Each run in a process of its own: on or off [default: on for guests, otherwise off]
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, require_equals = true,
          default_missing_value = "on", value_parser = on_or_off, hide_short_help = true)]
    pub(crate) isolate: Option<bool>,
    /// What it means that nothing is selected
    #[arg(long, value_name = "MEANING", value_enum, hide_short_help = true)]
    pub(crate) no_tests: Option<NoTests>,
}

/// What is written.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What is written")]
pub(crate) struct Output {
    /// While results come: human, json, tap or github
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) reporter: Option<ReporterName>,
    /// At the end: junit=FILE, json=FILE or md=FILE; may be repeated
    #[arg(long, value_name = "FORMAT=FILE")]
    pub(crate) report: Vec<ReportFile>,
    /// Histories to keep: retain-on-failure, on or off
    #[arg(long, value_name = "WHICH", value_enum, hide_possible_values = true)]
    pub(crate) trace: Option<TraceKeeping>,
    /// Where they are kept [default: .overheard/traces]
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    pub(crate) trace_dir: Option<PathBuf>,
    /// Progress on stderr
    #[arg(long, value_name = "HOW", value_enum, hide_short_help = true)]
    pub(crate) show_progress: Option<Progress>,
}

/// `on` or `off`.
fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

/// The name of a sabotage.
pub(crate) fn sabotage(name: &str) -> Result<Sabotage, String> {
    let found = Sabotage::ALL.iter().find(|(_, known)| *known == name);
    found.map(|(sabotage, _)| *sabotage).ok_or_else(|| {
        let names: Vec<&str> = Sabotage::ALL.iter().map(|(_, name)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Everything that a run of a suite needs to know, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: Option<Sourced<SeedChoice>>,
    pub(crate) seeds: Option<Sourced<NonZeroU32>>,
    pub(crate) jobs: Sourced<NonZeroUsize>,
    pub(crate) network: Sourced<NetworkChoice>,
    pub(crate) live: Live,
    pub(crate) fail_fast: Sourced<u32>,
    pub(crate) verify_determinism: Sourced<Verification>,
    pub(crate) max_wall: Sourced<Wall>,
    pub(crate) reporter: Sourced<ReporterName>,
    pub(crate) trace: Sourced<TraceKeeping>,
    pub(crate) trace_dir: Sourced<PathBuf>,
    pub(crate) no_tests: Sourced<NoTests>,
    pub(crate) progress: Sourced<Progress>,
    pub(crate) reports: Vec<Sourced<ReportFile>>,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) until: Option<Duration>,
    pub(crate) isolate: bool,
}

/// How long one run may take unless somebody says otherwise.
const MAX_WALL: Wall = Wall(Duration::from_secs(120));

/// The same where time is real.
const MAX_REAL: Wall = Wall(Duration::from_secs(300));

impl Settings {
    /// Command line, environment, profiles, built in.
    pub(crate) fn resolve(args: &RunArgs, context: &Context) -> Result<Self, Failure> {
        let (how, output) = (&args.how, &args.output);
        let (config, env) = (&context.config, &context.environment);
        let seed = variable("OVERHEARD_SEED", env.seed.as_deref(), str::parse)?;
        let jobs = variable("OVERHEARD_JOBS", env.jobs.as_deref(), |text| {
            text.parse::<NonZeroUsize>().map_err(|error| error.to_string())
        })?;
        let reporter = variable(
            "OVERHEARD_REPORTER",
            env.reporter.as_deref(),
            choices::parse::<ReporterName>,
        )?;
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let reporter = pick_env(output.reporter, reporter, config, |profile| profile.reporter);
        let network =
            or(pick(how.network, config, |profile| profile.network), NetworkChoice::default());
        let live = Live::resolve(&args.target, network.value, context)?;
        let is_real = live.is_real;
        if how.until.is_some() && is_real {
            let why = "--until is a virtual time, and time is real over tcp";
            return Err(Failure::usage(why).help("--max-wall ends a run on the wall's clock"));
        }
        let jobs = pick_env(how.jobs, jobs, config, |profile| profile.jobs);
        let jobs = if is_real {
            let origin = jobs.as_ref().map_or(Origin::BuiltIn, |jobs| jobs.origin.clone());
            Sourced::new(live.target.jobs(jobs.map(|jobs| jobs.value), processors), origin)
        } else {
            or(jobs, processors)
        };
        let verify = pick(how.verify_determinism, config, |profile| profile.verify_determinism);
        let folder =
            |profile: &Profile| profile.trace_dir.as_ref().map(|path| config.path_from_root(path));
        let folder = pick(output.trace_dir.clone(), config, folder);
        Ok(Self {
            seed: pick_env(how.seed, seed, config, |profile| profile.seed),
            seeds: pick(how.seeds, config, |profile| profile.seeds),
            jobs,
            network,
            live,
            fail_fast: or(pick(how.fail_fast, config, |profile| profile.fail_fast), 0),
            verify_determinism: verify.unwrap_or_else(|| {
                if env.ci && !is_real && !has_guest() {
                    Sourced::new(Verification::Sample, Origin::Ci)
                } else {
                    Sourced::new(Verification::Off, Origin::BuiltIn)
                }
            }),
            max_wall: or(
                pick(how.max_wall, config, |profile| profile.max_wall),
                if is_real { MAX_REAL } else { MAX_WALL },
            ),
            reporter: reporter.unwrap_or(if env.github_actions {
                Sourced::new(ReporterName::Github, Origin::Environment("GITHUB_ACTIONS"))
            } else {
                Sourced::new(ReporterName::Human, Origin::BuiltIn)
            }),
            trace: or(
                pick(output.trace, config, |profile| profile.trace),
                TraceKeeping::RetainOnFailure,
            ),
            trace_dir: or(folder, config.path_from_root(Path::new(".overheard/traces"))),
            no_tests: or(pick(how.no_tests, config, |profile| profile.no_tests), NoTests::Fail),
            progress: match output.show_progress {
                Some(progress) => Sourced::new(progress, Origin::CommandLine),
                None => context.progress.clone(),
            },
            reports: ReportFile::resolve(&output.report, config),
            sabotage: how.sabotage,
            until: how.until,
            isolate: how.isolate.unwrap_or_else(has_guest),
        })
    }
}

fn or<T>(picked: Option<Sourced<T>>, built_in: T) -> Sourced<T> {
    picked.unwrap_or_else(|| Sourced::new(built_in, Origin::BuiltIn))
}

/// Reads a variable of the environment.
fn variable<T>(
    name: &'static str,
    text: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<(&'static str, Option<T>), Failure> {
    let value = text.map(read).transpose();
    let value = value.map_err(|error| Failure::usage(format!("the variable {name}: {error}")))?;
    Ok((name, value))
}

/// Runs the command.
pub(crate) fn execute(args: &RunArgs, context: &Context) -> Outcome {
    let settings = Settings::resolve(args, context)?;
    suite::run(args, &settings, context)
}
