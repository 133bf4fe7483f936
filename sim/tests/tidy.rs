//! The rules of this house that no compiler checks: who may know whom, and what a file looks like.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The pure half: it makes and judges histories without ever running anything.
const PURE: &[&str] = &[
    "check",
    "diagnostic.rs",
    "duration.rs",
    "generate.rs",
    "history",
    "matching.rs",
    "oracle",
    "plan",
    "plan.rs",
    "report",
    "rng.rs",
    "scenario",
    "span.rs",
    "verdict.rs",
];

/// What the pure half may not speak of.
const IMPURE: &[&str] = &[
    "tokio",
    "turmoil",
    "hyper",
    "tungstenite",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "overheard_core::server",
    "overheard_core::client",
    "overheard_core::engine",
    "overheard_core::chat",
    "overheard_core::app",
    "overheard_core::codec",
    "crate::run",
    "crate::host",
    "crate::peer",
    "crate::net",
    "crate::sabotage",
];

/// Lines that still read in one sitting.
const MAX_LINES: usize = 700;

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, fs::read_to_string(&path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// Code without its tests and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_judge_never_knows_the_judged() {
    let mut seen = 0;
    for (name, text) in sources("src") {
        if !PURE.iter().any(|pure| name == *pure || name.starts_with(&format!("{pure}/"))) {
            continue;
        }
        seen += 1;
        for word in IMPURE {
            assert!(!code(&text).contains(word), "{name} speaks of {word}");
        }
    }
    assert!(seen >= PURE.len(), "the pure half is where it was");
}

#[test]
fn every_choice_between_futures_is_made_in_order() {
    for (name, text) in sources("src") {
        let code = code(&text);
        for at in code.match_indices("select! {").map(|(at, word)| at + word.len()) {
            assert!(code[at..].trim_start().starts_with("biased;"), "{name}: an unseeded choice");
        }
    }
}

#[test]
fn a_reference_app_is_under_150_lines() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/targets");
    let mut seen = Vec::new();
    for folder in fs::read_dir(targets).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let sources = files.filter(|path| {
            path.extension().is_some_and(|extension| {
                ["mjs", "py", "rs"].map(AsRef::as_ref).contains(&extension)
            })
        });
        let lines: usize =
            sources.map(|path| fs::read_to_string(path).unwrap().lines().count()).sum();
        assert!((1..150).contains(&lines), "{}: {lines} lines", folder.display());
        seen.push(folder);
    }
    assert!(seen.len() >= 4, "the apps are where they were: {seen:?}");
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    for (name, text) in sources("src").into_iter().chain(sources("tests")) {
        assert!(text.starts_with("//! "), "{name}: the first line says what the file is for");
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{name}: {lines} lines are more than one sitting");
    }
}
