//! The same plan has the same verdict on every network.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use overheard::check::judge;
use overheard::run::{NetworkKind, RunOptions, run};
use overheard::scenario::{PlanOptions, load};
use overheard::verdict::Outcome;

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

/// Every scenario that is not slow, with a seed that the suite does not begin with.
#[test]
fn verdicts_do_not_depend_on_the_network() {
    let mut files = Vec::new();
    scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios"), &mut files);
    files.sort();
    assert!(files.len() > 100, "the suite is where it was");
    let read = |path: &str| fs::read_to_string(path).map_err(|error| error.to_string());
    let mut differing = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let scenario = load(&name, &text, &read).unwrap().scenario;
        if scenario.tags().iter().any(|tag| tag == "slow") {
            continue;
        }
        let plan = scenario.plan(101, &PlanOptions::default());
        let outcomes = [NetworkKind::Memory, NetworkKind::Turmoil].map(|network| {
            let history = run(&plan, &RunOptions { network, ..RunOptions::default() });
            let mut verdict = judge(&plan, &history);
            // Whether a situation occurs is a matter of timing: other seeds make up for it.
            verdict.unknowns.retain(|unknown| unknown.code != overheard::check::NOT_REACHED);
            match (verdict.outcome, verdict.unknowns.is_empty()) {
                (Outcome::Unknown, true) => Outcome::Pass,
                (outcome, _) => outcome,
            }
        });
        if outcomes[0] != outcomes[1] {
            differing.push((name, outcomes));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}
