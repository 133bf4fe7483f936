//! The rules of the house that a compiler does not know.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of one file: it is read in one sitting.
const MAX_LINES: usize = 700;

/// What core says, by folder or file of `src`, and what it may not speak of.
const LAYERS: &[(&str, &[&str])] = &[
    // words know nothing
    ("time.rs", &["crate::"]),
    ("wire.rs", &["crate::"]),
    ("event.rs", &["crate::"]),
    ("limits.rs", &["crate::"]),
    ("value.rs", &["crate::engine", "crate::server", "crate::client", "crate::app"]),
    // codecs know words
    ("codec", &["crate::engine", "crate::server", "crate::client", "crate::app", "crate::chat"]),
    // the machines: the layer above is unknown, and client and server never meet
    ("engine", &["crate::server", "crate::client", "crate::app", "crate::chat"]),
    ("server", &["crate::client", "crate::app", "crate::chat"]),
    ("client", &["crate::server", "crate::engine", "crate::app", "crate::chat"]),
    ("app.rs", &["crate::client", "crate::chat"]),
    ("chat", &["crate::client", "crate::engine", "crate::codec"]),
];

/// Crates that core may depend on: none of them reads a clock, draws a number or does I/O.
const DEPENDENCIES: &[&str] = &[
    "base64",
    "bytes",
    "bytestring",
    "foldhash",
    "form_urlencoded",
    "hashbrown",
    "regex",
    "serde",
    "serde_json",
    "slotmap",
    "smallvec",
    "smol_str",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn all_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    files.sort();
    let named = files.into_iter().map(|path| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        (name, fs::read_to_string(&path).expect("a source file"))
    });
    named.collect()
}

/// Code without its tests and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    for (name, text) in all_files() {
        assert!(text.starts_with("//! "), "{name}: the first line says what the file is for");
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{name}: {lines} lines are more than one sitting");
    }
}

#[test]
fn layers_know_only_what_lies_below() {
    for (layer, forbidden) in LAYERS {
        let folder = format!("src/{layer}");
        let mut files = all_files();
        files.retain(|(name, _)| name.starts_with(&folder));
        for (name, text) in files {
            for word in *forbidden {
                assert!(!code(&text).contains(word), "{name} speaks of {word}");
            }
        }
    }
}

#[test]
fn core_is_without_std_clock_and_chance() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(lib.contains("#![no_std]") && lib.contains("#![forbid(unsafe_code)]"));
    // `testing.rs` is a part of the unit tests.
    let in_src =
        |(name, _): &(String, String)| name.starts_with("src/") && !name.ends_with("/testing.rs");
    for (name, text) in all_files().into_iter().filter(in_src) {
        for word in ["extern crate std", "std::", "tokio", "rand::", "getrandom"] {
            assert!(!code(&text).contains(word), "{name} speaks of {word}");
        }
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    for line in section.lines().filter(|line| !line.trim().is_empty()) {
        let name = line.split(['.', ' ', '=']).next().unwrap();
        assert!(DEPENDENCIES.contains(&name), "core depends on {name}: is it pure?");
    }
}

#[test]
fn nothing_is_left_for_later() {
    let later = [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["FIX", "ME"].concat()];
    let ignored = ["#[ig", "nore"].concat();
    for (name, text) in all_files() {
        for word in later.iter().chain([&ignored]) {
            assert!(!text.contains(word), "{name} contains {word}");
        }
    }
}
