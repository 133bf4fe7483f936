//! A guest is judged by what clients see, and that is enough.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use overheard::check::judge;
use overheard::guest::{AnyGuest, GuestError, GuestListener, GuestOptions, built_in};
use overheard::history::{EndReason, History, What, first_difference};
use overheard::plan::{Need, Plan, Sabotage, needs};
use overheard::run::{RunOptions, Target, run, unplayable};
use overheard::scenario::{PlanOptions, Scenario, load};
use overheard::verdict::{Outcome, Verdict};
use tokio::io::AsyncWriteExt;

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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn read(file: &Path) -> Scenario {
    let name = file.display().to_string();
    let read = |path: &str| fs::read_to_string(path).map_err(|error| error.to_string());
    load(&name, &fs::read_to_string(file).unwrap(), &read).unwrap().scenario
}

fn suite() -> Vec<(PathBuf, Scenario)> {
    let mut files = Vec::new();
    scenarios(&root(), &mut files);
    files.sort();
    assert!(files.len() > 100, "the suite is where it was");
    let all = files.into_iter().map(|file| (file.clone(), read(&file)));
    all.filter(|(_, scenario)| !scenario.tags().iter().any(|tag| tag == "slow")).collect()
}

fn hosting(guest: AnyGuest) -> RunOptions {
    RunOptions { target: Target::Guest(guest), ..RunOptions::default() }
}

fn plan(scenario: &Scenario) -> Plan {
    scenario.plan(1, &PlanOptions::default()).with_hand()
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
    let What::End { reason } = &history.events.last().unwrap().what else {
        unreachable!("the history does not end");
    };
    reason
}

/// The same server, seen from inside and from outside.
#[test]
fn our_own_server_has_the_same_verdicts_as_a_guest() {
    let options = hosting(AnyGuest::new(built_in(None)));
    let (mut played, mut wrong, mut needed) = (0, Vec::new(), BTreeSet::new());
    for (file, scenario) in suite() {
        let plan = plan(&scenario);
        let history = run(&plan, &options);
        if unplayable(&plan, &options).is_some() {
            assert!(matches!(end(&history), EndReason::Skipped(_)), "{}", file.display());
            continue;
        }
        played += 1;
        needed.extend(needs(&plan).into_keys());
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
    assert!(played > 200, "{played} scenarios are portable");
    for need in [Need::Hand, Need::Restart, Need::Racks, Need::Links, Need::Raw] {
        assert!(needed.contains(&need), "no portable scenario needs {need}");
    }
}

/// Bugs that a guest can have, and what shows them from outside.
const SHOWN: [(Sabotage, &str, &str); 13] = [
    (Sabotage::ExceptIgnored, "broadcast/no-rooms-means-everybody", "OH0301"),
    (Sabotage::SenderIncluded, "chat/lobby-reaches-everybody-else", "OH0301"),
    (Sabotage::UnionHeardTwice, "except/sender-in-the-room-hears-nothing", "OH0303"),
    (Sabotage::RoomIgnored, "chat/supervisors-are-never-overheard", "OH0301"),
    (Sabotage::JoinIgnored, "rooms/message-reaches-the-room-once", "OH0302"),
    (Sabotage::LeaveIgnored, "rooms/leaving-ends-hearing", "OH0301"),
    (Sabotage::GateOpen, "namespaces/second-try-with-the-right-token", "OH0310"),
    (Sabotage::AckLost, "acks/first-request-is-answered", "OH0355"),
    (Sabotage::AckTwice, "acks/first-request-is-answered", "OH0320"),
    (Sabotage::Reordered, "broadcast/flags-change-no-audience", "OH0305"),
    (Sabotage::DeliveryLost, "transports/in-crumbs", "OH0302"),
    (Sabotage::DeliveryTwice, "ordering/a-burst-keeps-its-order", "OH0303"),
    (Sabotage::BinaryMangled, "limits/ten-attachments-are-fine", "OH0302"),
];

#[test]
fn a_guest_with_a_bug_is_found_out() {
    let mut missed = Vec::new();
    for (bug, file, code) in SHOWN {
        let plan = plan(&read(&root().join(format!("{file}.yaml"))));
        let options = hosting(AnyGuest::new(built_in(Some(bug))));
        let (_, verdict) = outcome(&plan, &run(&plan, &options));
        let found: Vec<_> = verdict.findings.iter().map(|finding| finding.code).collect();
        if !found.contains(&code) {
            missed.push((bug.name(), file, found));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// A file in which nobody does anything but connect.
fn quiet(server: &str) -> Plan {
    let text = format!(
        "version: 1\nname: somebody is there\nserver: {server}\nclients: [alice]\n\
         steps: [{{ advance: {{ by: 1s }} }}]\n"
    );
    plan(&load("a.yaml", &text, &|_| Err(String::new())).unwrap().scenario)
}

#[test]
fn a_guest_may_refuse_what_it_cannot_do() {
    async fn picky(_: GuestListener, options: GuestOptions) -> Result<(), GuestError> {
        let told = serde_json::to_value(options.told()).unwrap();
        match told.as_object().unwrap().keys().next() {
            Some(option) => Err(GuestError::Cannot(option.clone())),
            None => std::future::pending().await,
        }
    }
    let plan = quiet("{ max-connections: 3 }");
    let history = run(&plan, &hosting(AnyGuest::new(picky)));
    let reason = EndReason::Skipped("the guest cannot: max-connections".to_owned());
    assert_eq!(end(&history), &reason);
}

#[test]
fn a_guest_that_ends_by_itself_has_failed() {
    async fn clumsy(mut listener: GuestListener, _: GuestOptions) -> Result<(), GuestError> {
        let (_, peer) = listener.accept().await?;
        panic!("{} came at a bad time", peer.is_ipv4());
    }
    async fn lazy(mut listener: GuestListener, _: GuestOptions) -> Result<(), GuestError> {
        drop(listener.accept().await?);
        Ok(())
    }
    let plan = quiet("{}");
    let ends = [
        (AnyGuest::new(clumsy), "it panicked: true came at a bad time"),
        (AnyGuest::new(lazy), "it stopped serving"),
    ];
    for (guest, how) in ends {
        let history = run(&plan, &hosting(guest));
        assert_eq!(end(&history), &EndReason::ServerDied(how.to_owned()));
        assert_eq!(judge(&plan, &history).outcome, Outcome::Fail);
    }
}

#[test]
fn tasks_and_timers_of_a_guest_are_those_of_the_simulation() {
    /// Answers whatever comes with a word of its own, after an hour.
    async fn slow(mut listener: GuestListener, _: GuestOptions) -> Result<(), GuestError> {
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                let answer = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
                drop(stream.write_all(answer).await);
            });
        }
    }
    let plan = quiet("{}");
    let options = hosting(AnyGuest::new(slow));
    let history = run(&plan, &options);
    let again = run(&plan, &options);
    assert_eq!(first_difference(&history, &again), None);
    assert!(history.events.last().unwrap().t > 10_000_000_000, "time is virtual");
}
