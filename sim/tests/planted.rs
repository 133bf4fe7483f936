//! Every bug that can be planted fails the suite, at the checker that is meant for it; and the
//! table of README.md says so.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use overheard::plan::Sabotage;
use overheard::testing::Check;

/// What shows each planted bug: a file of the suite, and the code of the first finding.
const SHOWN: [(Sabotage, &str, &str); 21] = [
    (Sabotage::ExceptIgnored, "except/excepted-socket-hears-nothing", "OH0301"),
    (Sabotage::SenderIncluded, "chat/lobby-reaches-everybody-else", "OH0301"),
    (Sabotage::UnionHeardTwice, "except/sender-in-the-room-hears-nothing", "OH0303"),
    (Sabotage::RoomIgnored, "chat/supervisors-are-never-overheard", "OH0301"),
    (Sabotage::LeaveIgnored, "broadcast/who-joins-later-missed-it", "OH0316"),
    (Sabotage::LeaveAll, "ordering/requests-take-effect-in-order", "OH0316"),
    (Sabotage::JoinIgnored, "disconnects/away-and-back-at-once", "OH0316"),
    (Sabotage::MembershipKept, "recovery/off-means-off", "OH0316"),
    (Sabotage::NamespaceLeak, "namespaces/thrown-out-of-one-keeps-the-others", "OH0306"),
    (Sabotage::GateOpen, "namespaces/second-try-with-the-right-token", "OH0310"),
    (Sabotage::RefusedStillHears, "namespaces/a-wrong-token-takes-no-seat", "OH0359"),
    (Sabotage::OneSeatMore, "namespaces/last-seat-goes-to-the-first", "OH0311"),
    (Sabotage::AckTwice, "acks/asker-gives-up-once", "OH0320"),
    (Sabotage::AckLost, "acks/first-request-is-answered", "OH0323"),
    (Sabotage::Reordered, "recovery/again-and-again", "OH0305"),
    (Sabotage::DeliveryLost, "transports/in-crumbs", "OH0302"),
    (Sabotage::DeliveryTwice, "except/excepted-socket-hears-nothing", "OH0303"),
    (Sabotage::HeardAfterKick, "chat/heckler-is-shown-the-door", "OH0313"),
    (Sabotage::RecoveryGap, "recovery/long-idle-short-cut", "OH0330"),
    (Sabotage::HeartbeatDead, "reconnect/refused-do-not-insist", "OH0328"),
    (Sabotage::BinaryMangled, "limits/ten-attachments-are-fine", "OH0302"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn every_bug_that_can_be_planted_is_shown() {
    let shown = SHOWN.map(|(sabotage, ..)| sabotage);
    assert_eq!(shown, Sabotage::ALL.map(|(sabotage, _)| sabotage));
}

#[test]
fn planted_bugs_are_found_where_they_are_meant_to_be() {
    for (sabotage, file, code) in SHOWN {
        let name = format!("scenarios/{file}.yaml");
        let path = root().join(&name);
        let check = Check { sabotage: Some(sabotage), seeds: Some(1), ..Check::default() };
        let Err(failure) = check.file(&path) else { panic!("{}: {name} passes", sabotage.name()) };
        let finding = failure.verdict.as_ref().and_then(|verdict| verdict.findings.first());
        let found = finding.map(|finding| finding.code);
        assert_eq!(found, Some(code), "{}: {failure}", sabotage.name());
        // Without it the same file with the same seed accuses nobody.
        Check { sabotage: None, ..check }.file(&path).unwrap();
        // The report, with the file named as a person in the project's folder would.
        let folder = format!("{}/", root().display());
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../snapshots/planted");
        settings.set_prepend_module_to_snapshot(false);
        settings
            .bind(|| insta::assert_snapshot!(sabotage.name(), failure.story.replace(&folder, "")));
    }
}

#[test]
fn the_table_of_the_readme_is_this_one() {
    let mut table = String::from("| planted bug | found by | shown by |\n|---|---|---|\n");
    for (sabotage, file, code) in SHOWN {
        let (name, text) = (sabotage.name(), format!("`scenarios/{file}.yaml`"));
        writeln!(table, "| `{name}` | {code} | {text} |").unwrap();
    }
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&table), "README.md should say:\n{table}");
}
