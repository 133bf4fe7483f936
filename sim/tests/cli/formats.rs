//! Formats for machines are what they say they are.

use serde_json::Value as Json;

use crate::support::{BAD, GOOD, INVALID, Sandbox, UNKNOWN, snapshot, without_wall, words};

fn all() -> Sandbox {
    Sandbox::new(&[("bad", BAD), ("good", GOOD), ("invalid", INVALID), ("unknown", UNKNOWN)])
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn json_lines_fit_their_schema() {
    let sandbox = all();
    let schema: Json = serde_json::from_str(&sandbox.run(&["schema", "report"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let done = sandbox.run(&words("run --seeds 2 --reporter json --report json=out.jsonl"));
    assert_eq!((done.code, done.stderr.as_str()), (3, ""));
    let streamed = lines(&done.stdout);
    for line in streamed.iter().chain(&lines(&sandbox.read("out.jsonl"))) {
        let errors: Vec<String> = validator.iter_errors(line).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
    let kinds: Vec<&str> = streamed.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["suite-started", "file-invalid", "run-finished"]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "run-finished").count(), 6);
    assert_eq!(*kinds.last().unwrap(), "suite-finished");
}

#[test]
fn the_text_is_the_same_for_any_number_of_jobs() {
    let sandbox = all();
    for reporter in ["human", "tap", "github"] {
        let line = format!("run --seeds 3 --reporter {reporter} --jobs");
        let one = sandbox.run(&words(&format!("{line} 1")));
        let four = sandbox.run(&words(&format!("{line} 4")));
        assert_eq!(without_wall(&one.stdout), without_wall(&four.stdout));
        assert_eq!(without_wall(&one.stderr), without_wall(&four.stderr));
    }
}

#[test]
fn tap_has_a_plan_and_as_many_points() {
    let done = all().run(&words("run --reporter tap"));
    let points = |text: &str| {
        let is_point = |line: &&str| line.starts_with("ok ") || line.starts_with("not ok ");
        text.lines().filter(is_point).count()
    };
    assert!(done.stdout.starts_with("TAP version 14\n1..5\n"), "{}", done.stdout);
    assert_eq!(points(&done.stdout), 5);
    snapshot!("run-tap", done.stdout);
}

#[test]
fn junit_can_be_read_back() {
    let sandbox = all();
    sandbox.run(&words("run --report junit=out/junit.xml -q"));
    let report = quick_junit::Report::deserialize_from_str(&sandbox.read("out/junit.xml")).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (4, 1, 2));
    assert_eq!(report.test_suites.len(), 4);
}

#[test]
fn github_gets_annotations_and_a_summary() {
    let sandbox = all();
    sandbox.write("summary.md", "before\n");
    let mut command = sandbox.command(&["run"]);
    command.env("GITHUB_ACTIONS", "true").env("CI", "true");
    let output = command.env("GITHUB_STEP_SUMMARY", "summary.md").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("::error file=scenarios/bad.yaml,line=9,col=5,title=OH"), "{text}");
    assert!(text.contains("::error file=scenarios/invalid.yaml,line=5,col="), "{text}");
    assert!(text.contains("::group::passed\n"), "{text}");
    let summary = sandbox.read("summary.md");
    assert!(summary.starts_with("before\n## Overheard\n"), "{summary}");
    assert!(summary.contains("| FAIL | scenarios/bad.yaml | 0x1 | "), "{summary}");
    snapshot!("run-summary", summary);
}

#[test]
fn colours_only_where_they_are_wanted() {
    let sandbox = all();
    let plain = sandbox.run(&words("run scenarios/bad.yaml"));
    assert!(!plain.stderr.contains('\u{1b}'));
    let coloured = sandbox.run(&words("run scenarios/bad.yaml --color always"));
    assert!(coloured.stderr.contains('\u{1b}'));
    let mut command = sandbox.command(&words("run scenarios/bad.yaml"));
    let output = command.env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains('\u{1b}'));
}

#[test]
fn check_and_list_speak_json() {
    let sandbox = all();
    let done = sandbox.run(&words("check --format json"));
    let diagnostics = lines(&done.stdout);
    assert_eq!((done.code, diagnostics[0]["file"].as_str()), (3, Some("scenarios/invalid.yaml")));
    let listed = lines(&sandbox.run(&words("list --format json")).stdout);
    assert_eq!(listed[1]["tags"], serde_json::json!(["rooms"]));
    let names = sandbox.run(&words("list --format names --tag slow"));
    assert_eq!(names.stdout, "scenarios/bad.yaml\n");
}

#[test]
fn a_project_is_the_same_from_every_folder() {
    let sandbox = all();
    sandbox.write("overheard.toml", "[profile.default]\nreport.junit = \"out/j.xml\"\n");
    sandbox.write("deep/er/file", "");
    let mut command = sandbox.command(&words("run --network memory -q"));
    let output = command.current_dir(sandbox.path("deep/er")).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let report = quick_junit::Report::deserialize_from_str(&sandbox.read("out/j.xml")).unwrap();
    assert_eq!(report.tests, 4);
    assert!(sandbox.read(".overheard/last.json").contains("../../scenarios/bad.yaml"));
    assert!(!sandbox.path("deep/er/.overheard").exists());
}

#[test]
fn configuration_has_an_order_and_origins() {
    let sandbox = all();
    let text = "[profile.default]\njobs = 2\nseeds = 3\n[profile.ci]\nseeds = 5\n\
                report.junit = \"j.xml\"\n";
    sandbox.write("overheard.toml", text);
    let mut command = sandbox.command(&words("config show --origin --profile ci"));
    let output = command.env("OVERHEARD_SEED", "0x5eed").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("seed"), "seed = \"0x5eed\" # environment: OVERHEARD_SEED");
    assert_eq!(line("seeds"), "seeds = 5 # overheard.toml: profile.ci");
    assert_eq!(line("jobs"), "jobs = 2 # overheard.toml: profile.default");
    assert_eq!(line("report.junit"), "report.junit = \"j.xml\" # overheard.toml: profile.ci");
    assert_eq!(line("trace"), "trace = \"retain-on-failure\" # built in");
}
