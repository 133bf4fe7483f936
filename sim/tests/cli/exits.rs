//! Every exit code, and what is said with it.

use std::fmt::Write as _;

use crate::support::{BAD, Done, GOOD, INVALID, Sandbox, UNKNOWN, seen, snapshot, words};

fn all() -> Sandbox {
    Sandbox::new(&[("good", GOOD), ("bad", BAD), ("unknown", UNKNOWN), ("invalid", INVALID)])
}

fn run(sandbox: &Sandbox, line: &str) -> Done {
    sandbox.run(&words(line))
}

#[test]
fn passed_is_0() {
    let done = run(&all(), "run scenarios/good.yaml");
    snapshot!("run-passed", seen(&done));
}

#[test]
fn failed_is_1_and_its_block_fits_in_30_lines() {
    let sandbox = all();
    let done = run(&sandbox, "run scenarios/bad.yaml");
    let block = done.stderr.split("Summary").next().unwrap();
    assert!(block.lines().count() <= 32, "{block}");
    snapshot!("run-failed", seen(&done));
}

#[test]
fn the_replay_command_works_when_pasted() {
    let sandbox = all();
    let done = run(&sandbox, "run scenarios/bad.yaml");
    let line = done.stderr.lines().find_map(|line| line.split_once("replay: overheard "));
    let done = run(&sandbox, line.unwrap().1);
    assert_eq!(done.code, 1);
    snapshot!("replay-failed", seen(&done));
}

#[test]
fn usage_is_2() {
    let sandbox = all();
    sandbox.write("wrong.toml", "[profile.ci]\nworkers = 2\n");
    let cases = [
        "run --bogus",
        "run --jobs 0",
        "run --tag rooms&&slow",
        "run --partition slice:5/4",
        "run --seed 5eed",
        "run --report pdf=a.pdf",
        "run --network udp",
        "run nothing.yaml",
        "run scenarios/good.yaml:999",
        "run --profile nightly",
        "run --config wrong.toml",
        "run --failed --seed 1",
        "replay scenarios/good.yaml",
        "replay nothing.yaml --seed 1",
        "new good",
        "explain OH9999",
        "trace show nothing.jsonl",
        "bogus",
    ];
    let mut text = String::new();
    for case in cases {
        let done = run(&sandbox, case);
        assert_eq!(done.code, 2, "{case}: {}", done.stderr);
        assert_eq!(done.stdout, "", "{case}");
        writeln!(text, "$ overheard {case}\n{}\n", done.stderr.trim_end()).unwrap();
    }
    snapshot!("usage", text);
}

#[test]
fn a_wrong_variable_is_2() {
    let sandbox = all();
    for (name, value) in [
        ("OVERHEARD_SEED", "x"),
        ("OVERHEARD_JOBS", "0"),
        ("OVERHEARD_REPORTER", "html"),
        ("OVERHEARD_COLOR", "yes"),
        ("OVERHEARD_SHOW_PROGRESS", "1"),
        ("OVERHEARD_LOG", "loud"),
        ("OVERHEARD_PROFILE", "none"),
        ("OVERHEARD_CONFIG", "none.toml"),
    ] {
        let output = sandbox.command(&["run"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
}

#[test]
fn an_invalid_file_is_3_and_the_others_are_run() {
    let sandbox = all();
    let done = run(&sandbox, "run scenarios/good.yaml scenarios/invalid.yaml");
    snapshot!("run-invalid", seen(&done));
    assert_eq!(run(&sandbox, "check").code, 3);
    assert_eq!(run(&sandbox, "list").code, 3);
    assert_eq!(run(&sandbox, "fmt --check scenarios/good.yaml").code, 0);
}

#[test]
fn nothing_selected_is_4_unless_that_is_fine() {
    let sandbox = all();
    let nothing = "run scenarios/good.yaml --tag nothing";
    snapshot!("run-nothing", seen(&run(&sandbox, nothing)));
    assert_eq!(run(&sandbox, &format!("{nothing} --no-tests pass")).code, 0);
    assert_eq!(run(&sandbox, "run scenarios/*.yml").code, 4);
    assert_eq!(run(&sandbox, "run --failed scenarios/good.yaml").code, 4);
}

#[test]
fn unknown_is_5() {
    let sandbox = all();
    let done = run(&sandbox, "run scenarios/unknown.yaml");
    snapshot!("run-unknown", seen(&done));
}

#[test]
fn of_several_the_worst_counts() {
    let sandbox = all();
    assert_eq!(run(&sandbox, "run scenarios/unknown.yaml scenarios/bad.yaml").code, 1);
    assert_eq!(run(&sandbox, "run").code, 3);
}

#[test]
fn a_history_that_has_changed_is_6() {
    let sandbox = all();
    assert_eq!(run(&sandbox, "run scenarios/good.yaml --trace on --verify-determinism").code, 0);
    let path = ".overheard/traces/scenarios.good-0x1.jsonl";
    let same = run(&sandbox, &format!("replay {path}"));
    assert_eq!(same.code, 0, "{}", same.stderr);
    assert!(same.stderr.ends_with("the same, byte for byte, as the trace\n"));
    let text = sandbox.read(path).replacen("tea", "tee", 1);
    sandbox.write("other.jsonl", &text);
    let done = run(&sandbox, "replay other.jsonl");
    assert_eq!(done.code, 6);
    assert!(
        done.stderr.contains("THIS IS NOT THE RUN OF THE TRACE: the histories differ from event")
    );
    assert_eq!(run(&sandbox, &format!("trace diff {path} {path}")).code, 0);
    assert_eq!(run(&sandbox, &format!("trace diff {path} other.jsonl")).code, 6);
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_74_and_other_reports_stay_whole() {
    let sandbox = all();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(&["list"]).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: cannot write to stdout: No space left on device"), "{text}");

    let line = "run scenarios/good.yaml --report md=/dev/full --report junit=out.xml";
    let done = run(&sandbox, line);
    assert_eq!(done.code, 74);
    assert!(done.stderr.contains("error: cannot write /dev/full: "), "{}", done.stderr);
    assert!(quick_junit::Report::deserialize_from_str(&sandbox.read("out.xml")).is_ok());
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_74() {
    let sandbox = all();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = sandbox.command(&words("run scenarios/good.yaml --reporter json"));
    let output = command.stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: cannot write to stdout: Broken pipe"), "{text}");
}

#[test]
fn fail_fast_stops_and_failed_plays_again() {
    let sandbox = Sandbox::new(&[("a", BAD), ("b", BAD), ("c", GOOD)]);
    let done = run(&sandbox, "run --fail-fast --jobs 2");
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("Stopped after 1 run that did not pass"), "{}", done.stderr);
    assert!(done.stderr.contains("1 scenario, 1 run: 0 passed, 1 failed, 2 runs not run"));
    assert_eq!(run(&sandbox, "run").code, 1);
    let again = run(&sandbox, "run --failed");
    assert!(again.stderr.contains("2 scenarios, 2 runs: 0 passed, 2 failed"), "{}", again.stderr);
}
