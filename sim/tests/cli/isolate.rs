//! A run in a process of its own is the same run.

use crate::support::{BAD, Done, GOOD, INVALID, Sandbox, words};

#[test]
fn runs_in_processes_of_their_own_are_told_as_the_others_are() {
    let sandbox = Sandbox::new(&[("a", GOOD), ("b", BAD), ("c", INVALID)]);
    let line = "run --seeds 3 --jobs 2 --reporter json --network memory,wifi --trace off";
    let together = sandbox.run(&words(line));
    let apart = sandbox.run(&words(&format!("{line} --isolate")));
    let told = |done: &Done| {
        let lines = done.stdout.lines().filter(|line| !line.contains("wall-ms"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (apart_told, together_told) = (told(&apart), told(&together));
    // Each line of a run has the hash of its history.
    let runs = apart_told.iter().filter(|line| line.contains("\"hash\"")).count();
    assert!(apart_told == together_told, "the same runs are told in other words");
    assert_eq!((apart.code, together.code, runs), (3, 3, 6));
}

#[test]
fn a_planted_bug_is_planted_in_the_other_process() {
    let sandbox = Sandbox::new(&[("a", GOOD)]);
    let line = "run --network memory --sabotage sender-included --isolate=on";
    let done = sandbox.run(&words(line));
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.contains("OH0301"), "{}", done.stderr);
}

#[test]
fn what_is_neither_on_nor_off_is_refused() {
    let done = Sandbox::new(&[]).run(&words("run --isolate=perhaps"));
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("expected on or off"), "{}", done.stderr);
}
