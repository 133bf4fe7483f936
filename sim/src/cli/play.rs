//! One run from its seed to what is told of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use overheard::history::{self, EndReason, History, What};
use overheard::plan::{Mark, Plan};
use overheard::report::{Run, Status, Text, story};
use overheard::verdict::Verdict;

use super::choices::TraceKeeping;
use super::engine::{self, Loaded, World};
use super::pool::{self, Trouble};
use super::seeds;
use super::target::{self, Named};
use super::values;

/// Where a bug of the tool itself can be told.
pub(crate) const BUG_HINT: &str =
    "this is a bug of Overheard: please report it with the trace and the command below";

/// How much longer than allowed a run may take before it is left to itself.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// A run that is to be played.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The scenario.
    pub(crate) loaded: Arc<Loaded>,
    /// The seed.
    pub(crate) seed: u64,
    /// Whether it is played twice.
    pub(crate) twice: bool,
}

/// What is the same for all runs.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// The world.
    pub(crate) world: World,
    /// How long a run may take.
    pub(crate) max_wall: Duration,
    /// How many times more a run is played that did not pass.
    pub(crate) retries: u32,
    /// Which histories are kept.
    pub(crate) keep: TraceKeeping,
    /// Where.
    pub(crate) trace_dir: PathBuf,
}

/// What came of a run.
struct Played {
    plan: Plan,
    history: History,
    verdict: Verdict,
    ladder: String,
    /// Where a second run differs from the first.
    difference: Option<(String, History)>,
}

/// Plays a job; where time is real, more than once if it does not pass and that is allowed.
pub(crate) fn play(job: &Job, manner: &Manner) -> Run {
    let mut run = play_once(job, manner);
    for attempt in 2..manner.retries.saturating_add(2) {
        if !run.status.is_bad() {
            break;
        }
        run = play_once(job, manner);
        run.attempts = attempt;
    }
    run
}

fn play_once(job: &Job, manner: &Manner) -> Run {
    let partial: Arc<Mutex<Option<History>>> = Arc::default();
    let (world, max_wall) = (manner.world.clone(), manner.max_wall);
    let work = {
        let (job, partial) = (job.clone(), Arc::clone(&partial));
        move || {
            let plan = engine::plan(&job.loaded, job.seed, &world);
            let history = engine::run(&plan, &world, max_wall);
            *partial.lock().unwrap_or_else(PoisonError::into_inner) = Some(history.clone());
            let difference =
                job.twice.then(|| differs(&history, engine::run(&plan, &world, max_wall)));
            let verdict = engine::judge_without_marks(&plan, &history);
            let ladder = engine::ladder(&history, &verdict);
            Played { plan, history, verdict, ladder, difference: difference.flatten() }
        }
    };
    // The run keeps to its limit by itself, unless it hangs.
    let limit = manner.max_wall.saturating_mul(1 + u32::from(job.twice)).saturating_add(GRACE);
    match pool::guarded(limit, work) {
        Ok(played) => told(job, manner, played),
        Err(trouble) => {
            let left = partial.lock().unwrap_or_else(PoisonError::into_inner).take();
            failed(job, manner, &trouble, left.as_ref())
        }
    }
}

fn differs(first: &History, second: History) -> Option<(String, History)> {
    if history::digest(first) == history::digest(&second) {
        return None;
    }
    let difference = if target::has_guest() {
        // The ids of a guest are its own.
        history::first_difference(&history::without_ids(first), &history::without_ids(&second))
    } else {
        history::first_difference(first, &second)
    };
    difference.map(|difference| (difference.to_string(), second))
}

/// A run that came to an end.
fn told(job: &Job, manner: &Manner, played: Played) -> Run {
    let mut run = blank(job, manner);
    let history = &played.history;
    let last = history.events.last();
    run.t = last.map_or(0, |event| event.t);
    run.events = u64::try_from(history.events.len()).unwrap_or(u64::MAX);
    run.hash = history::digest(history).to_string();
    let reason = match last.map(|event| &event.what) {
        Some(What::End { reason }) => reason,
        Some(_) | None => &EndReason::Complete,
    };
    run.unreached = unreached(&played.plan, &played.verdict);
    run.status = played.verdict.outcome.into();
    let mut details = Vec::new();
    if let EndReason::Broken(why) = reason {
        run.status = Status::Broken;
        let place = pool::place_of_panic(why);
        run.trouble = Some(format!("the simulator failed: {why}{place}"));
        details.push(BUG_HINT.to_owned());
    } else if let EndReason::Skipped(why) = reason {
        run.status = Status::Skip;
        run.trouble = Some(why.clone());
    } else if let EndReason::NoServer(why) = reason {
        run.status = Status::Unknown;
        run.trouble = Some(why.clone());
    } else if let Some((difference, second)) = &played.difference {
        run.status = Status::Nondeterministic;
        run.trouble = Some("the same seed gave two histories".to_owned());
        details = difference.lines().map(str::to_owned).collect();
        let kept = keep(job, manner, "-second", second);
        details.extend(kept.map(|path| format!("the second history: {path}")));
    }
    let wanted = match manner.keep {
        TraceKeeping::On => true,
        TraceKeeping::RetainOnFailure => run.status.is_bad(),
        TraceKeeping::Off => false,
    };
    run.trace = if wanted { keep(job, manner, "", history) } else { None };
    if run.status.is_bad() {
        let help = format!("replay: {}", run.replay);
        run.story = match &run.trouble {
            Some(title) => story::trouble(title, &details, &help, run.trace.as_deref()),
            None => story_of(job, manner, &played, &mut run),
        };
    }
    run.verdict = Some(played.verdict);
    run
}

fn story_of(job: &Job, manner: &Manner, played: &Played, run: &mut Run) -> Text {
    // Only `replay` tells a story up to a time, and only our own server can be replayed.
    let is_ours = manner.world.named == Named::BuiltIn;
    if let Some(finding) = played.verdict.findings.first().filter(|_| is_ours) {
        let until = overheard::duration::display(Duration::from_nanos(finding.t));
        run.replay = format!("{} --until {until}", run.replay);
    }
    let around = story::Around {
        sources: &job.loaded.sources,
        ladder: &played.ladder,
        help: &format!("replay: {}", run.replay),
        trace: run.trace.as_deref(),
    };
    story::story(&played.verdict, &around)
}

/// A run that has no verdict.
fn failed(job: &Job, manner: &Manner, trouble: &Trouble, left: Option<&History>) -> Run {
    let mut run = blank(job, manner);
    let wall = overheard::duration::display(manner.max_wall);
    let (status, title, hint) = match trouble {
        Trouble::Panicked(message) => {
            (Status::Broken, format!("the simulator panicked: {message}"), BUG_HINT.to_owned())
        }
        Trouble::TooLong => (
            Status::Unknown,
            format!("given up after {wall} on the wall's clock"),
            "--max-wall allows more; `bounds` in the file asks for less".to_owned(),
        ),
        Trouble::NoThread(error) => (
            Status::Unknown,
            format!("there is no thread for it: {error}"),
            "use fewer --jobs".to_owned(),
        ),
    };
    let wanted = manner.keep != TraceKeeping::Off;
    run.trace = left.filter(|_| wanted).and_then(|history| keep(job, manner, "", history));
    run.status = status;
    run.story =
        story::trouble(&title, &[hint], &format!("replay: {}", run.replay), run.trace.as_deref());
    run.trouble = Some(title);
    run
}

fn blank(job: &Job, manner: &Manner) -> Run {
    let scenario = &job.loaded.scenario;
    Run {
        file: scenario.file().to_owned(),
        scenario: scenario.name().to_owned(),
        seed: job.seed,
        status: Status::Pass,
        t: 0,
        events: 0,
        hash: String::new(),
        verdict: None,
        unreached: BTreeSet::new(),
        trouble: None,
        story: Text::default(),
        replay: replay(scenario.file(), job.seed, &manner.world),
        trace: None,
        attempts: 1,
    }
}

/// The command that plays a run again, to be pasted.
pub(crate) fn replay(file: &str, seed: u64, world: &World) -> String {
    let verb = if world.named == Named::BuiltIn { "replay" } else { "run" };
    let program = quoted(&target::program());
    let mut command = format!("{program} {verb} {} --seed {}", quoted(file), seeds::show(seed));
    if let Some((flag, value)) = world.named.words() {
        command.extend([" ", flag, " ", &quoted(value)]);
    }
    command.push_str(values::flags());
    let network = world.network.to_string();
    if !network.is_empty() {
        command.push_str(" --network ");
        command.push_str(&network);
    }
    if let Some(sabotage) = world.sabotage {
        command.push_str(" --sabotage ");
        command.push_str(sabotage.name());
    }
    command
}

/// A word for a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Marks that the file asks for and the run did not reach.
fn unreached(plan: &Plan, verdict: &Verdict) -> BTreeSet<Mark> {
    let wanted = plan.must_reach.iter().map(|(mark, _)| *mark);
    wanted.filter(|mark| verdict.reached.get(mark).copied().unwrap_or_default() == 0).collect()
}

/// Writes a history down. A disk that is full does not change what is told of the run.
fn keep(job: &Job, manner: &Manner, suffix: &str, history: &History) -> Option<String> {
    let name = trace_name(job.loaded.scenario.file(), job.seed, suffix);
    let path = manner.trace_dir.join(name);
    match super::files::write(&path, &history::write(history)) {
        Ok(()) => Some(super::discover::shown(&path)),
        Err(failure) => {
            super::context::mention(&format!("warning: {}\n", failure.message));
            None
        }
    }
}

/// A file's name from a scenario's: `scenarios/rooms/a.yaml` becomes `scenarios.rooms.a-0x1.jsonl`.
fn trace_name(file: &str, seed: u64, suffix: &str) -> String {
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file);
    let plain = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '.' };
    let stem: String = stem.chars().map(plain).collect();
    format!("{}-{}{suffix}.jsonl", stem.trim_start_matches('.'), seeds::show(seed))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use overheard::history::{EndReason, What};
    use overheard::report::Status;
    use overheard::scenario::load;
    use overheard::verdict::{Outcome, Verdict};

    use super::{Job, Manner, Played, differs, failed, quoted, replay, told, trace_name};
    use crate::cli::choices::TraceKeeping;
    use crate::cli::engine::{self, World};
    use crate::cli::pool::Trouble;
    use crate::cli::suite::exit_of;
    use crate::cli::target::Named;

    const TEXT: &str = "version: 1\nname: nothing\nclients: [alice]\n\
                        steps: [{ advance: { by: 1s } }]\n";

    fn job() -> (Job, Manner, tempfile::TempDir) {
        let loaded = load("a.yaml", TEXT, &|_| Err(String::new())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let manner = Manner {
            world: World { network: "memory".parse().unwrap(), ..World::default() },
            max_wall: Duration::from_secs(60),
            retries: 0,
            keep: TraceKeeping::RetainOnFailure,
            trace_dir: folder.path().to_owned(),
        };
        (Job { loaded: Arc::new(loaded), seed: 1, twice: true }, manner, folder)
    }

    #[test]
    fn two_histories_of_one_seed_are_told_and_kept() {
        let (job, manner, folder) = job();
        let plan = engine::plan(&job.loaded, 1, &manner.world);
        let history = engine::run(&plan, &manner.world, manner.max_wall);
        assert_eq!(differs(&history, history.clone()), None);
        let mut second = history.clone();
        second.events[1].t += 1;
        let difference = differs(&history, second);
        let verdict = Verdict {
            outcome: Outcome::Pass,
            findings: Vec::new(),
            unknowns: Vec::new(),
            tallies: Vec::new(),
            reached: std::collections::BTreeMap::new(),
        };
        let ladder = String::new();
        let run = told(&job, &manner, Played { plan, history, verdict, ladder, difference });
        assert_eq!((run.status, exit_of(run.status).code()), (Status::Nondeterministic, 6));
        let told = run.story.plain;
        assert!(told.contains("= note: the histories differ from event 1 on\n"), "{told}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_panic_is_an_internal_error_with_its_place_and_trace() {
        let (job, manner, folder) = job();
        let plan = engine::plan(&job.loaded, 1, &manner.world);
        let history = engine::run(&plan, &manner.world, manner.max_wall);
        let trouble = Trouble::Panicked("index out of bounds at src/lib.rs:1:1".to_owned());
        let run = failed(&job, &manner, &trouble, Some(&history));
        assert_eq!((run.status, exit_of(run.status).code()), (Status::Broken, 70));
        let told = run.story.plain;
        assert!(told.contains("the simulator panicked: index out of bounds at src/lib.rs:1:1"));
        assert!(told.contains("a bug of Overheard: please report it with the trace"), "{told}");
        assert!(told.contains("= trace: ") && folder.path().join("a-0x1.jsonl").exists());
    }

    #[test]
    fn the_command_can_be_pasted() {
        let command = replay("a b/it's.yaml", 0x5eed, &World::default());
        assert_eq!(command, r"overheard replay 'a b/it'\''s.yaml' --seed 0x5eed");
        let world = World { network: "memory,wifi".parse().unwrap(), ..World::default() };
        assert_eq!(
            replay("a.yaml", 1, &world),
            "overheard replay a.yaml --seed 0x1 --network memory,wifi"
        );
        assert_eq!(quoted("-x.yaml"), "'-x.yaml'");
    }

    #[test]
    fn a_run_stops_when_it_is_told_to() {
        let (job, manner, _) = job();
        let end = |until| {
            let world = World { until, ..manner.world.clone() };
            let history =
                engine::run(&engine::plan(&job.loaded, 1, &world), &world, manner.max_wall);
            let last = history.events.last().unwrap();
            (last.t, matches!(last.what, What::End { reason: EndReason::Bound(_) }))
        };
        assert_eq!(end(Some(Duration::from_millis(700))), (700_000_000, true));
        assert!(!end(Some(Duration::from_secs(600))).1);
        // No later than the file says.
        let world = World { until: Some(Duration::from_secs(7_200)), ..World::default() };
        let plan = engine::plan(&job.loaded, 1, &world);
        assert_eq!(plan.bounds.max_virtual, Duration::from_secs(3_600));
    }

    #[test]
    fn only_what_can_be_replayed_is_told_up_to_a_time() {
        let (_, ours, _) = job();
        let named = Named::Url("http://127.0.0.1:3000".to_owned());
        let theirs = Manner { world: World { named, ..ours.world.clone() }, ..ours.clone() };
        let text = "version: 1\nname: deaf\nclients: [alice]\nsteps:\n  - emit: { from: alice, event: echo, args: [1], ack: [no] }\n";
        let loaded = Arc::new(load("a.yaml", text, &|_| Err(String::new())).unwrap());
        let job = Job { loaded, seed: 1, twice: false };
        let help = |manner| super::play(&job, manner).replay;
        assert!(help(&ours).contains(" replay ") && help(&ours).contains(" --until "));
        assert!(help(&theirs).contains(" run ") && !help(&theirs).contains("--until"));
    }

    #[test]
    fn traces_have_names_without_folders() {
        let name = trace_name("scenarios/rooms/a.yaml", 1, "");
        assert_eq!(name, "scenarios.rooms.a-0x1.jsonl");
        assert_eq!(trace_name("../x.yml", 1, "-second"), "x-0x1-second.jsonl");
    }
}
