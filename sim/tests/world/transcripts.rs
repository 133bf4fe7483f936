//! Whole stories of canonical scenarios with one seed, told as a person reads them.
//!
//! What changes in a transcript has changed for users. Its last line is the digest of every line of
//! the history, what is not told included, so that not one byte changes unseen; debug and release
//! builds are held to the same snapshots.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use overheard::check::judge;
use overheard::history::{History, digest};
use overheard::plan::{Plan, Step};
use overheard::report::picture;
use overheard::run::{NetworkKind, RunOptions, run};
use overheard::scenario::{PlanOptions, load};
use overheard::verdict::Verdict;

pub(crate) const SEED: u64 = 0x5eed;

/// One of each family, the shortest that shows what the family is about.
pub(crate) const CANON: [&str; 13] = [
    "acks/late-answer-is-too-late",
    "binary/nested-bytes-keep-their-places",
    "chat/two-conversations-do-not-mix",
    "disconnects/after-goodbye-silence",
    "except/except-wins-over-to",
    "faults/parted-rack-comes-back",
    "faults/stuck-line-loses-nothing",
    "namespaces/wrong-token-stays-outside",
    "reconnect/what-was-said-meanwhile-is-gone",
    "recovery/missed-words-come-after-all",
    "rooms/leaving-ends-hearing",
    "transports/upgrade-goes-unnoticed",
    "volatile/not-kept-for-a-stalled-receiver",
];

#[test]
fn canonical_stories_are_told_as_ever() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../snapshots/transcripts");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in CANON {
            insta::assert_snapshot!(name.replace('/', "-"), transcript(name));
        }
    });
}

/// The file of a scenario.
pub(crate) fn file_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/{name}.yaml"))
}

/// The plan of a scenario, with the seed of all of them.
pub(crate) fn plan_of(name: &str) -> Plan {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text_of = |path: &str| fs::read_to_string(root.join(path)).map_err(|why| why.to_string());
    let text = fs::read_to_string(file_of(name)).unwrap();
    let loaded = load(&format!("scenarios/{name}.yaml"), &text, &text_of);
    loaded.unwrap().scenario.plan(SEED, &PlanOptions::default())
}

fn transcript(name: &str) -> String {
    let plan = plan_of(name);
    let options = RunOptions { network: NetworkKind::Turmoil, ..RunOptions::default() };
    let history = run(&plan, &options);
    let verdict = judge(&plan, &history);
    let mut text = picture::story(&history, &places(&plan.steps), &picture::matters);
    text.push_str(&judged(&verdict));
    writeln!(text, "{}", last_line(&history)).unwrap();
    text
}

/// Lines of the file without its name, which is in the first line.
fn places(steps: &[Step]) -> BTreeMap<u32, String> {
    let line = |place: String| place.rsplit_once(':').unwrap().1.to_owned();
    let places = picture::places(steps).into_iter();
    places.map(|(step, place)| (step, format!("line {}", line(place)))).collect()
}

/// The verdict, and how much of which property was judged.
fn judged(verdict: &Verdict) -> String {
    let mut by_property = BTreeMap::new();
    for tally in &verdict.tallies {
        *by_property.entry(format!("{:?}", tally.property)).or_insert(0) += tally.judged;
    }
    let judged: Vec<String> = by_property
        .iter()
        .filter(|(_, judged)| **judged > 0)
        .map(|(property, judged)| format!("{property} {judged}"))
        .collect();
    format!("{}: judged {}\n", verdict.outcome, judged.join(", "))
}

fn last_line(history: &History) -> String {
    format!("{} events, digest {}", history.events.len(), digest(history))
}
