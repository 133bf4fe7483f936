//! Help: `-h` fits one screen, and every text is reviewed.

use crate::support::{Sandbox, snapshot};

const COMMANDS: [&str; 19] = [
    "",
    "run",
    "check",
    "fmt",
    "list",
    "new",
    "replay",
    "serve",
    "target",
    "target check",
    "check-history",
    "trace",
    "trace show",
    "trace export",
    "trace diff",
    "schema",
    "explain",
    "config show",
    "completions",
];

#[test]
fn short_help_fits_one_screen_and_long_help_is_reviewed() {
    let sandbox = Sandbox::new(&[]);
    for command in COMMANDS.into_iter().chain(["man"]) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let short = sandbox.run(&[&words[..], &["-h"]].concat());
        assert_eq!((short.code, short.stderr.as_str()), (0, ""));
        let lines = short.stdout.lines().count();
        assert!(lines <= 40, "{command}: {lines} lines");
        let wide = short.stdout.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{command}");
        let long = sandbox.run(&[&words[..], &["--help"]].concat());
        assert_eq!((long.code, long.stderr.as_str()), (0, ""));
        let name = format!("help{}", [" ", command].concat().trim_end().replace(' ', "-"));
        snapshot!(name, long.stdout);
    }
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let sandbox = Sandbox::new(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = sandbox.run(&["completions", shell]);
        assert_eq!(done.code, 0);
        assert!(done.stdout.contains("check-history"), "{shell}");
    }
    let page = sandbox.run(&["man"]);
    assert!(page.stdout.contains(".TH overheard") && page.stdout.contains("Exit codes"));
    assert_eq!(sandbox.run(&["man", "--out", "man"]).code, 0);
    assert!(sandbox.read("man/overheard-check-history.1").contains(".TH overheard-check-history"));
}

#[test]
fn every_code_can_be_explained() {
    let sandbox = Sandbox::new(&[]);
    let all = sandbox.run(&["explain"]);
    assert_eq!(all.code, 0);
    let codes: Vec<&str> = all.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(codes.len() > 20, "{codes:?}");
    for code in codes {
        let done = sandbox.run(&["explain", &code.to_lowercase()]);
        assert!(done.stdout.starts_with(&format!("{code}\n\n")), "{code}");
    }
    assert_eq!(sandbox.run(&["explain", "OH9999"]).code, 2);
}

#[test]
fn schemas_are_json() {
    let sandbox = Sandbox::new(&[]);
    for format in ["scenario", "history", "report", "config"] {
        let done = sandbox.run(&["schema", format]);
        let schema: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert!(schema["$schema"].is_string() && jsonschema::validator_for(&schema).is_ok());
    }
}
