//! A history told again as a scenario is the same story.

use std::fs;

use overheard::check::judge;
use overheard::history::History;
use overheard::run::{NetworkKind, RunOptions, run};
use overheard::scenario::{PlanOptions, format, load, retell};
use overheard::verdict::Outcome;

use crate::support::Told;
use crate::transcripts::{CANON, SEED, file_of, plan_of};

/// What everybody has received, in order, with names in place of ids.
fn heard(told: &Told) -> Vec<(String, Vec<String>)> {
    let clients = told.history.header.clients.iter();
    clients.map(|name| (name.clone(), told.received(name))).collect()
}

fn played(plan: &overheard::plan::Plan) -> Told {
    let options = RunOptions { network: NetworkKind::Memory, ..RunOptions::default() };
    let history = run(plan, &options);
    let verdict = judge(plan, &history);
    Told { history, verdict }
}

fn again(history: &History, source: Option<&str>) -> Told {
    let text = retell(history, source);
    let text = format("again.yaml", &text).unwrap();
    let loaded = load("again.yaml", &text, &|_| Err("no other file".to_owned()));
    let loaded = loaded.unwrap_or_else(|rejected| panic!("{:#?}\n{text}", rejected.diagnostics));
    played(&loaded.scenario.plan(SEED, &PlanOptions::default()))
}

#[test]
fn what_is_told_again_is_heard_by_the_same() {
    // What a volatile message meets is a matter of moments.
    for name in CANON.iter().filter(|name| !name.starts_with("volatile/")) {
        let source = fs::read_to_string(file_of(name)).unwrap();
        let first = played(&plan_of(name));
        let second = again(&first.history, Some(&source));
        assert_eq!(second.verdict.outcome, Outcome::Pass, "{name}: {}", second.findings());
        assert_eq!(heard(&first), heard(&second), "{name}");
        assert_eq!(first.touched().len(), second.touched().len(), "{name}");
    }
}

#[test]
fn a_history_without_its_file_is_told_again() {
    let first = played(&plan_of("rooms/leaving-ends-hearing"));
    let second = again(&first.history, None);
    assert_eq!(heard(&first), heard(&second));
}
