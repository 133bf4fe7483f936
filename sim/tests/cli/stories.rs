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
    let chrome = sandbox.run(&["trace", "export", trace, "--to", "chrome"]);
    let chrome: serde_json::Value = serde_json::from_str(&chrome.stdout).unwrap();
    assert!(chrome["traceEvents"].as_array().unwrap().len() > 20);
    assert_eq!(sandbox.run(&["trace", "export", trace, "--to", "html", "-o", "t.html"]).code, 0);
    let page = sandbox.read("t.html");
    assert!(page.contains("bob hears nothing \\u003cof it> | at all") && page.len() < 300_000);
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
