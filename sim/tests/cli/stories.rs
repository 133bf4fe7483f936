//! New scenarios, traces and histories.

use crate::support::{BAD, GOOD, Sandbox, seen, snapshot, words};

#[test]
fn every_template_is_well_formed_and_runs_green() {
    let sandbox = Sandbox::new(&[]);
    for template in ["room", "auth", "fault"] {
        let written = sandbox.run(&["new", template, "--template", template]);
        assert_eq!(written.code, 0, "{}", written.stderr);
    }
    let checked = sandbox.run(&words("check --deny-warnings"));
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let formatted = sandbox.run(&words("fmt --check"));
    assert_eq!(formatted.code, 0, "{}", formatted.stderr);
    let done = sandbox.run(&words("run --seeds 3 --verify-determinism"));
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn fmt_writes_what_check_accepts() {
    let sandbox = Sandbox::new(&[("a", &GOOD.replace("{ from", "{from"))]);
    let before = sandbox.run(&words("fmt --check"));
    let expected = "scenarios/a.yaml:6: would be formatted\n";
    assert_eq!((before.code, before.stderr.as_str()), (1, expected));
    assert_eq!(sandbox.run(&["fmt"]).code, 0);
    assert_eq!(sandbox.run(&words("fmt --check")).code, 0);
    assert_eq!(sandbox.read("scenarios/a.yaml"), GOOD);
}

#[test]
fn traces_are_shown_and_drawn() {
    let sandbox = Sandbox::new(&[("bad", BAD)]);
    assert_eq!(sandbox.run(&["run"]).code, 1);
    let trace = ".overheard/traces/scenarios.bad-0x1.jsonl";
    snapshot!("trace-show", seen(&sandbox.run(&["trace", "show", trace, "--client", "bob"])));
    let mermaid = sandbox.run(&["trace", "export", trace, "--to", "mermaid"]);
    assert!(mermaid.stdout.starts_with("sequenceDiagram\n"));
    snapshot!("trace-mermaid", mermaid.stdout);
    let svg = sandbox.run(&["trace", "export", trace, "--to", "svg"]);
    assert!(svg.stdout.starts_with("<svg ") && svg.stdout.ends_with("</svg>\n"));
    assert!(svg.stdout.contains("bob hears nothing &lt;of it&gt; | at all"), "{}", svg.stdout);
    let shiviz = sandbox.run(&["trace", "export", trace, "--to", "shiviz"]);
    snapshot!("trace-shiviz", shiviz.stdout);
    let chrome = sandbox.run(&["trace", "export", trace, "--to", "chrome"]);
    let chrome: serde_json::Value = serde_json::from_str(&chrome.stdout).unwrap();
    assert!(chrome["traceEvents"].as_array().unwrap().len() > 20);
    assert_eq!(sandbox.run(&["trace", "export", trace, "--to", "html", "-o", "t.html"]).code, 0);
    let page = sandbox.read("t.html");
    assert!(page.contains("bob hears nothing \\u003cof it> | at all") && page.len() < 300_000);
}

#[test]
fn a_trace_becomes_a_scenario_that_fails_as_it_did() {
    let sandbox = Sandbox::new(&[("good", GOOD)]);
    let run = |line: &str| sandbox.run(&words(line));
    assert_eq!(run("run --sabotage sender-included").code, 1);
    let trace = ".overheard/traces/scenarios.good-0x1.jsonl";
    let written = run(&format!("new kept --from {trace}"));
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{}", written.stderr);
    assert_eq!(run("check scenarios/kept.yaml").code, 0);
    assert_eq!(run("fmt --check scenarios/kept.yaml").code, 0);
    assert_eq!(run("run scenarios/kept.yaml").code, 0);
    let again = run("run scenarios/kept.yaml --sabotage sender-included");
    assert!(again.code == 1 && again.stderr.contains("OH0301"), "{}", again.stderr);
    assert_eq!(run(&format!("new kept --from {trace}")).code, 2, "it is there already");
    assert_eq!(run(&format!("new other --from {trace} --template room")).code, 2);
    assert_eq!(run("new other --from nothing.jsonl").code, 2);
    snapshot!("new-from-trace", sandbox.read("scenarios/kept.yaml"));
}

#[test]
fn a_run_can_be_stopped_early() {
    let sandbox = Sandbox::new(&[("bad", BAD)]);
    let run = |line: &str| sandbox.run(&words(line));
    for isolate in ["off", "on"] {
        let early = run(&format!("run --until 20ms --isolate={isolate}"));
        assert!(early.code == 5 && early.stderr.contains("OH0401"), "{}", early.stderr);
        let late = run(&format!("run --until 1m --isolate={isolate}"));
        assert!(late.code == 1 && late.stderr.contains("OH0353"), "{}", late.stderr);
    }
    for real in ["--network tcp", "--target http://127.0.0.1:9", "--start true"] {
        let refused = run(&format!("run --until 20ms {real}"));
        assert_eq!(refused.code, 2, "{real}: {}", refused.stderr);
    }
}

#[test]
fn histories_are_judged_offline() {
    let sandbox = Sandbox::new(&[("bad", BAD), ("good", GOOD)]);
    sandbox.run(&words("run --trace on"));
    let judged = |name: &str, rest: &str| {
        let line = format!("check-history .overheard/traces/scenarios.{name}-0x1.jsonl {rest}");
        sandbox.run(&words(&line)).code
    };
    assert_eq!(judged("good", ""), 0);
    assert_eq!(judged("good", "--scenario scenarios/good.yaml"), 0);
    assert_eq!(judged("bad", ""), 0);
    assert_eq!(judged("bad", "--scenario scenarios/bad.yaml --format json"), 1);
    sandbox.write("broken.jsonl", "{}\n");
    assert_eq!(sandbox.run(&["check-history", "broken.jsonl"]).code, 3);
}
