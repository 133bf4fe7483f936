//! `CI.md`: what it tells people to copy is well formed.

use granit_parser::Parser;

use crate::support::root;

/// The text of the code blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("CI.md")).unwrap();
    let opening = format!("```{language}\n");
    let parts = text.split(opening.as_str()).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_workflow_is_yaml() {
    let blocks = blocks("yaml");
    assert!(!blocks.is_empty());
    for block in blocks {
        for event in Parser::new_from_str(&block) {
            assert!(event.is_ok(), "{event:?}\n{block}");
        }
    }
}

#[test]
fn every_command_and_profile_exists() {
    let sandbox = crate::support::Sandbox::new(&[]);
    for block in blocks("toml") {
        sandbox.write("overheard.toml", &block);
        let done = sandbox.run(&["config", "show", "--profile", "ci"]);
        assert_eq!(done.code, 0, "{}", done.stderr);
    }
    let text = std::fs::read_to_string(root().join("CI.md")).unwrap();
    let commands = text.lines().filter_map(|line| line.trim().split_once("overheard run"));
    for (_, rest) in commands.filter(|(before, _)| before.is_empty() || before.ends_with("run: ")) {
        let rest = rest.replace("${{ matrix.shard }}", "1").replace("SEED", "1");
        let words: Vec<&str> = rest.split_whitespace().collect();
        let done = sandbox.run(&[&["run"], &words[..], &["--help"]].concat());
        assert_eq!(done.code, 0, "overheard run{rest}: {}", done.stderr);
    }
}
