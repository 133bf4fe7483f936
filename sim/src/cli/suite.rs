//! A suite: from the selection to the summary.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use overheard::plan::Mark;
use overheard::report::{End, Run, Scenario, Start, Status, many};
use overheard::run::kill_servers;
use overheard::span::Span;

use super::choices::{NoTests, Verification};
use super::commands::run::{RunArgs, Settings};
use super::context::{Context, mention};
use super::engine::{self, Loaded, World};
use super::exit::{Exit, Failure, Outcome};
use super::last::{self, Last};
use super::play::{self, Job, Manner};
use super::progress::Bar;
use super::reporting::{self, Reporter};
use super::seeds::{self, SeedChoice};
use super::select::Selected;
use super::signals::Signals;
use super::{pool, progress, values};

/// Under `CI`, one run in so many is played twice.
const SAMPLE: usize = 20;

/// Plays what is selected.
pub(crate) fn run(args: &RunArgs, settings: &Settings, context: &Context) -> Outcome {
    let signals = Signals::listen()?;
    let started = now();
    let mut selected = args.selection.load(context)?;
    values::check(selected.scenarios.iter().map(|loaded| &loaded.scenario))?;
    let last = if args.failed { Some(Last::read(&context.config)?) } else { None };
    if let Some(last) = &last {
        selected.scenarios.retain(|loaded| last.has(loaded.scenario.file()));
    }
    let first = match settings.seed.as_ref().map(|seed| seed.value) {
        Some(SeedChoice::Fixed(seed)) => seed,
        Some(SeedChoice::Random) => seeds::random(),
        None => 1,
    };
    let jobs = jobs(&selected, settings, last.as_ref(), first);
    let start = Start {
        scenarios: selected.scenarios.len(),
        runs: jobs.len(),
        seed: first,
        seeds: seeds_sentence(settings, first, args.failed),
        invalid: selected.rejected.len(),
        marked: selected.scenarios.iter().filter(|loaded| !marks(loaded).is_empty()).count(),
    };
    let mut suite = Suite {
        reporter: Reporter::new(settings.reporter.value, context),
        bar: progress::start(settings.progress.value, jobs.len(), context.quiet),
        end: End { seed: first, ..End::default() },
        current: None,
        planned: planned(&jobs),
        bad: 0,
        fail_fast: settings.fail_fast.value,
        failure: None,
        exit: Exit::Passed,
    };
    suite.begin(&start, &selected)?;
    let total = jobs.len();
    let manner = manner(settings)?;
    let complete = pool::run(
        jobs,
        settings.jobs.value.get(),
        move |job| play::play(job, &manner),
        || signals.exit().is_some(),
        |run| suite.add(run),
    );
    // Runs that were given up leave nobody behind.
    kill_servers();
    let complete = complete
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot start workers: {error}")))?;
    suite.finish(total, complete, &signals);
    let exit = suite.exit_code(&start, settings.no_tests.value, &signals);
    suite.end.exit = exit.code();
    suite.end.wall = now().saturating_duration_since(started);
    suite.close(&start, settings, context, exit)
}

/// Marks that a scenario must reach; they are the same for every seed.
fn marks(loaded: &Loaded) -> Vec<(Mark, Span)> {
    engine::plan(loaded, 1, &World::default()).must_reach
}

/// Wall time is for the summary only.
#[expect(clippy::disallowed_methods, reason = "people want to know how long they waited")]
fn now() -> Instant {
    Instant::now()
}

fn manner(settings: &Settings) -> Result<Manner, Failure> {
    let world = World {
        network: settings.network.value,
        target: settings.live.target.find(settings.network.value)?,
        named: settings.live.target.clone(),
        slack: settings.live.slack.0,
        sabotage: settings.sabotage,
        until: settings.until,
        isolate: settings.isolate,
    };
    Ok(Manner {
        world,
        max_wall: settings.max_wall.value.0,
        retries: settings.live.retries,
        keep: settings.trace.value,
        trace_dir: settings.trace_dir.value.clone(),
    })
}

/// Every run, in the order of the scenarios and of their seeds.
fn jobs(selected: &Selected, settings: &Settings, last: Option<&Last>, first: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    for loaded in &selected.scenarios {
        let loaded: Arc<Loaded> = Arc::new(loaded.clone());
        let seeds: Vec<u64> = match last {
            Some(last) => last.seeds(loaded.scenario.file()),
            None => seeds::range(first, how_many(&loaded, settings)).collect(),
        };
        for seed in seeds {
            let twice = match settings.verify_determinism.value {
                Verification::On => true,
                Verification::Sample => jobs.len() % SAMPLE == 0,
                Verification::Off => false,
            };
            jobs.push(Job { loaded: Arc::clone(&loaded), seed, twice });
        }
    }
    jobs
}

/// `--seeds`, or one seed if `--seed` is given, or as many as the file says.
fn how_many(loaded: &Loaded, settings: &Settings) -> u32 {
    match (&settings.seeds, &settings.seed) {
        (Some(seeds), _) => seeds.value.get(),
        (None, Some(_)) => 1,
        (None, None) => loaded.scenario.seeds(),
    }
}

fn seeds_sentence(settings: &Settings, first: u64, failed: bool) -> String {
    if failed {
        return "with the seeds of last time".to_owned();
    }
    let shown = seeds::show(first);
    match (&settings.seeds, &settings.seed) {
        (Some(seeds), _) if seeds.value.get() > 1 => {
            let last = first.wrapping_add(u64::from(seeds.value.get()) - 1);
            format!("seeds {shown} to {}", seeds::show(last))
        }
        (Some(_), _) | (None, Some(_)) => format!("seed {shown}"),
        (None, None) => format!("seeds from {shown}"),
    }
}

/// How many runs each scenario has, in order.
fn planned(jobs: &[Job]) -> Vec<(Arc<Loaded>, usize)> {
    let mut planned: Vec<(Arc<Loaded>, usize)> = Vec::new();
    for job in jobs {
        match planned.last_mut() {
            Some((loaded, count)) if Arc::ptr_eq(loaded, &job.loaded) => *count += 1,
            Some(_) | None => planned.push((Arc::clone(&job.loaded), 1)),
        }
    }
    planned.reverse();
    planned
}

/// A scenario of which nothing has been played.
fn begun((loaded, count): (Arc<Loaded>, usize)) -> (Scenario, Arc<Loaded>) {
    let scenario = &loaded.scenario;
    let mut begun = Scenario::new(scenario.file(), scenario.name(), scenario.tags(), count);
    begun.must_reach = marks(&loaded);
    (begun, loaded)
}

/// A suite that is being played.
struct Suite {
    reporter: Reporter,
    bar: Bar,
    end: End,
    /// The scenario whose runs are coming in.
    current: Option<(Scenario, Arc<Loaded>)>,
    /// Scenarios to come, the next one last.
    planned: Vec<(Arc<Loaded>, usize)>,
    /// Runs that did not pass.
    bad: u32,
    fail_fast: u32,
    /// Results could not be told any more.
    failure: Option<Failure>,
    exit: Exit,
}

impl Suite {
    fn begin(&mut self, start: &Start, selected: &Selected) -> Result<(), Failure> {
        self.reporter.begin(start)?;
        for (file, rejected) in &selected.rejected {
            let invalid = engine::invalid(file, rejected);
            self.reporter.invalid(&invalid)?;
            self.end.invalid.push(invalid);
            self.exit = self.exit.or_worse(Exit::Invalid);
        }
        Ok(())
    }

    /// Takes a result, tells of it, and says whether to go on.
    fn add(&mut self, run: Run) -> ControlFlow<()> {
        let current = self.current.take().or_else(|| self.planned.pop().map(begun));
        let Some((mut scenario, loaded)) = current else { return ControlFlow::Break(()) };
        self.bad += u32::from(run.status.is_bad());
        let (reporter, bar) = (&mut self.reporter, &self.bar);
        let mut told = bar.suspend(|| reporter.run(&run));
        scenario.add(run);
        if scenario.finish() {
            engine::tell_of_marks(&mut scenario, &loaded);
            told = told.and_then(|()| bar.suspend(|| reporter.scenario(&scenario)));
            self.exit = self.exit.or_worse(exit_of(scenario.status));
            self.end.scenarios.push(scenario);
        } else {
            self.current = Some((scenario, loaded));
        }
        self.bar.step(self.bad);
        if let Err(failure) = told {
            self.failure = Some(failure);
            return ControlFlow::Break(());
        }
        if self.fail_fast > 0 && self.bad >= self.fail_fast {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// What is left when no more results come.
    fn finish(&mut self, total: usize, complete: bool, signals: &Signals) {
        self.bar.finish();
        if let Some((scenario, _)) = self.current.take() {
            if self.failure.is_none() {
                self.failure = self.reporter.scenario(&scenario).err();
            }
            self.exit = self.exit.or_worse(exit_of(scenario.status));
            self.end.scenarios.push(scenario);
        }
        self.end.not_run = total - self.end.played();
        if complete || self.end.not_run == 0 {
            return;
        }
        self.end.stopped = Some(match (&self.failure, signals.exit()) {
            (_, Some(Exit::Terminated)) => "by SIGTERM".to_owned(),
            (_, Some(_)) => "by SIGINT".to_owned(),
            (Some(_), None) => "results cannot be written".to_owned(),
            (None, None) if self.fail_fast > 0 && self.bad >= self.fail_fast => {
                format!(
                    "after {} that did not pass (--fail-fast)",
                    many(self.fail_fast as usize, "run")
                )
            }
            (None, None) => {
                self.exit = self.exit.or_worse(Exit::Internal);
                "a worker died".to_owned()
            }
        });
    }

    fn exit_code(&self, start: &Start, no_tests: NoTests, signals: &Signals) -> Exit {
        let mut exit = self.exit;
        let skipped = self.end.scenarios.iter().all(|scenario| scenario.status == Status::Skip);
        if skipped && self.end.not_run == 0 && start.invalid == 0 && no_tests == NoTests::Fail {
            exit = exit.or_worse(Exit::Nothing);
        }
        signals.exit().map_or(exit, |signal| exit.or_worse(signal))
    }

    /// The summary, the files, and the exit code.
    fn close(
        mut self,
        start: &Start,
        settings: &Settings,
        context: &Context,
        exit: Exit,
    ) -> Outcome {
        let mut result = reporting::write_files(&settings.reports, &self.end, start);
        if let Some(path) = &context.environment.github_step_summary {
            let appended = reporting::append_summary(path, &self.end);
            result = result.and(appended);
        }
        let noted = last::write(&self.end, &context.config);
        result = result.and(noted);
        if self.failure.is_none() {
            self.failure = self.reporter.end(&self.end).err();
        }
        if start.runs == 0 && start.invalid == 0 && settings.no_tests.value != NoTests::Pass {
            mention("warning: no scenario was selected\n");
        }
        match self.failure {
            Some(failure) => Err(failure),
            None => result.map(|()| exit),
        }
    }
}

/// What a status does to the exit code.
pub(crate) const fn exit_of(status: Status) -> Exit {
    match status {
        Status::Pass | Status::Skip => Exit::Passed,
        Status::Unknown => Exit::Unknown,
        Status::Fail => Exit::Failed,
        Status::Nondeterministic => Exit::Nondeterminism,
        Status::Broken => Exit::Internal,
    }
}
