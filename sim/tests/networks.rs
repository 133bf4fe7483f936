//! The same plan has the same verdict on every network.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use overheard::check::judge;
use overheard::plan::Plan;
use overheard::run::{NetworkKind, RunOptions, run};
use overheard::scenario::{PlanOptions, load};
use overheard::verdict::Outcome;

fn scenarios(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["verbs", "invalid", "targets"].contains(&&*name) {
            scenarios(&path, files);
        } else if name.ends_with(".yaml") {
            files.push(path);
        }
    }
}

/// The plan of a file, with a seed that the suite does not begin with, if it is not slow.
fn plan(file: &Path) -> Option<Plan> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| error.to_string());
    let name = file.display().to_string();
    let text = fs::read_to_string(file).unwrap();
    let scenario = load(&name, &text, &read).unwrap().scenario;
    let slow = scenario.tags().iter().any(|tag| tag == "slow");
    (!slow).then(|| scenario.plan(101, &PlanOptions::default()))
}

fn outcome(plan: &Plan, network: NetworkKind) -> Outcome {
    let history = run(plan, &RunOptions { network, ..RunOptions::default() });
    let mut verdict = judge(plan, &history);
    // Whether a situation occurs is a matter of timing: other seeds make up for it.
    verdict.unknowns.retain(|unknown| unknown.code != overheard::check::NOT_REACHED);
    match (verdict.outcome, verdict.unknowns.is_empty()) {
        (Outcome::Unknown, true) => Outcome::Pass,
        (outcome, _) => outcome,
    }
}

fn suite(folder: &str) -> Vec<Plan> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    scenarios(&root.join(folder), &mut files);
    files.sort();
    files.iter().filter_map(|file| plan(file)).collect()
}

/// Every scenario that is not slow.
#[test]
fn verdicts_do_not_depend_on_the_network() {
    let plans = suite("");
    assert!(plans.len() > 100, "the suite is where it was");
    let outcomes = |plan: &Plan| {
        [NetworkKind::Memory, NetworkKind::Turmoil].map(|network| outcome(plan, network))
    };
    let judged = plans.iter().map(|plan| (&plan.file, outcomes(plan)));
    let differing: Vec<_> = judged.filter(|(_, outcomes)| outcomes[0] != outcomes[1]).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

/// The first story over TCP, where time is real; all at once, as they wait most of the time.
#[test]
fn nor_on_whether_time_is_real() {
    let plans = suite("chat");
    assert!(plans.len() >= 10, "the story is where it was");
    let differing = std::thread::scope(|scope| {
        let started: Vec<_> = plans
            .iter()
            .map(|plan| {
                let real = plan.clone().relaxed(Duration::from_secs(5));
                let judged = scope.spawn(move || outcome(&real, NetworkKind::Tcp));
                (plan, judged)
            })
            .collect();
        let judged = started.into_iter().map(|(plan, judged)| {
            (&plan.file, outcome(plan, NetworkKind::Memory), judged.join().unwrap())
        });
        judged.filter(|(_, simulated, real)| simulated != real).collect::<Vec<_>>()
    });
    assert!(differing.is_empty(), "{differing:#?}");
}
