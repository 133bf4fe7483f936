//! A guest is judged by what clients see, and that is enough.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use overheard::check::judge;
use overheard::guest::{AnyGuest, built_in};
use overheard::history::{EndReason, History, What};
use overheard::plan::Plan;
use overheard::run::{RunOptions, Target, run, unplayable};
use overheard::scenario::{PlanOptions, Scenario, load};
use overheard::verdict::{Outcome, Verdict};

fn scenarios(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "verbs" && name != "invalid" {
            scenarios(&path, files);
        } else if name.ends_with(".yaml") {
            files.push(path);
        }
    }
}

fn read(file: &Path) -> Scenario {
    let name = file.display().to_string();
    let read = |path: &str| fs::read_to_string(path).map_err(|error| error.to_string());
    load(&name, &fs::read_to_string(file).unwrap(), &read).unwrap().scenario
}

fn suite() -> Vec<(PathBuf, Scenario)> {
    let mut files = Vec::new();
    scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios"), &mut files);
    files.sort();
    assert!(files.len() > 100, "the suite is where it was");
    let all = files.into_iter().map(|file| (file.clone(), read(&file)));
    all.filter(|(_, scenario)| !scenario.tags().iter().any(|tag| tag == "slow")).collect()
}

fn plan(scenario: &Scenario) -> Plan {
    scenario.plan(1, &PlanOptions::default())
}

/// Whether a situation occurs is a matter of timing: other seeds make up for it.
fn outcome(plan: &Plan, history: &History) -> (Outcome, Verdict) {
    let mut verdict = judge(plan, history);
    verdict.unknowns.retain(|unknown| unknown.code != overheard::check::NOT_REACHED);
    match (verdict.outcome, verdict.unknowns.is_empty()) {
        (Outcome::Unknown, true) => (Outcome::Pass, verdict),
        (outcome, _) => (outcome, verdict),
    }
}

fn end(history: &History) -> &EndReason {
    match &history.events.last().unwrap().what {
        What::End { reason } => reason,
        other => panic!("the last event is {other:?}"),
    }
}

/// The same server, seen from inside and from outside.
#[test]
fn our_own_server_has_the_same_verdicts_as_a_guest() {
    let target = Target::Guest(AnyGuest::new(built_in(None)));
    let options = RunOptions { target, ..RunOptions::default() };
    let (mut played, mut wrong) = (0, Vec::new());
    for (file, scenario) in suite() {
        let plan = plan(&scenario);
        let history = run(&plan, &options);
        if unplayable(&plan, &options).is_some() {
            assert!(matches!(end(&history), EndReason::Skipped(_)), "{}", file.display());
            continue;
        }
        played += 1;
        let is_seen_from_inside = |what: &What| {
            matches!(what, What::Accepted { .. } | What::Entered { .. } | What::Rooms { .. })
        };
        assert!(!history.events.iter().any(|event| is_seen_from_inside(&event.what)));
        let (outcome, verdict) = outcome(&plan, &history);
        if outcome != Outcome::Pass {
            wrong.push((file, verdict.findings, verdict.unknowns));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(played > 100, "{played} scenarios are portable");
}
