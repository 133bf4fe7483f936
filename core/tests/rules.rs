//! Every rule of `core/RULES.md` is cited by a test, or stands here with the reason why not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Rules, or families of them, that no test of core can show.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("MN-", "several nodes: core is one"),
    ("RED-", "the Redis adapter: core has the in-memory one"),
    ("RST-", "the Redis streams adapter: core has the in-memory one"),
    ("BC-SNAP-02", "adapters that deliver later: core has the in-memory one"),
    ("BC-ORD-02", "adapters that deliver later: core has the in-memory one"),
    ("BC-ORD-03", "the order between nodes: core is one"),
    ("CSR-16", "recovery on another node: core is one"),
    ("EIO-PKT-09", "WebTransport sessions: core has its framing only"),
    ("VER-", "a list of what changed between versions of the reference; its rules are cited"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

/// All rule ids, with the families that they belong to.
fn rules() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = fs::read_to_string(root().join("RULES.md")).expect("the rules");
    let definition = Regex::new(r"(?m)^- \*\*([A-Z]+(?:-[A-Z]+)*)-(\d+)\*\*").unwrap();
    let mut ids = BTreeSet::new();
    let mut families = BTreeSet::new();
    for found in definition.captures_iter(&text) {
        ids.insert(format!("{}-{}", &found[1], &found[2]));
        families.insert(found[1].to_owned());
    }
    assert!(ids.len() > 300, "the rules are read");
    (ids, families)
}

/// The citations of a text, lists such as `NSP-01, 02` excluded: an id is written out.
fn cited(text: &str, families: &BTreeSet<String>) -> BTreeSet<String> {
    let word = Regex::new(r"\b([A-Z]+(?:-[A-Z]+)*)-(\d{2,})\b").unwrap();
    let ids = word.captures_iter(text).filter(|found| families.contains(&found[1]));
    ids.map(|found| found[0].to_owned()).collect()
}

/// What stands in tests: integration tests whole, of sources the part behind `cfg(test)`, and the
/// bodies of fuzz targets, which a test replays.
fn test_texts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root().join("tests"), "rs", &mut found);
    files(&root().join("fuzz/bodies"), "rs", &mut found);
    let mut texts: Vec<_> = found
        .into_iter()
        .filter(|path| !path.ends_with("tests/rules.rs"))
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a test")))
        .collect();
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    for path in sources {
        let text = fs::read_to_string(&path).expect("a source");
        if let Some((_, tests)) = text.split_once("#[cfg(test)]\nmod tests") {
            texts.push((path, tests.to_owned()));
        }
    }
    texts
}

#[test]
fn every_rule_is_cited_by_a_test() {
    let (ids, families) = rules();
    let mut seen = BTreeSet::new();
    for (_, text) in test_texts() {
        seen.extend(cited(&text, &families));
    }
    let excused = |id: &str| NOT_SHOWN.iter().any(|(rule, _)| id == *rule || is_family(rule, id));
    let missing: Vec<_> = ids.iter().filter(|id| !seen.contains(*id) && !excused(id)).collect();
    assert!(missing.is_empty(), "no test cites {missing:?}");
    for (rule, _) in NOT_SHOWN {
        let stale = ids.iter().filter(|id| *id == rule || is_family(rule, id));
        let stale: Vec<_> = stale.collect();
        assert!(!stale.is_empty(), "{rule} is excused, and does not exist");
        assert!(stale.iter().any(|id| !seen.contains(*id)), "{rule} is excused, and cited");
    }
}

fn is_family(rule: &str, id: &str) -> bool {
    rule.ends_with('-') && id.strip_prefix(rule).is_some_and(|rest| rest.parse::<u32>().is_ok())
}

#[test]
fn every_rule_that_is_cited_exists() {
    let (ids, families) = rules();
    let mut unknown: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut paths = Vec::new();
    for folder in ["src", "tests", "fuzz/bodies", "fuzz/fuzz_targets"] {
        files(&root().join(folder), "rs", &mut paths);
    }
    for path in paths {
        let text = fs::read_to_string(&path).expect("a file");
        for id in cited(&text, &families) {
            if !ids.contains(&id) {
                unknown.entry(path.clone()).or_default().push(id);
            }
        }
    }
    assert!(unknown.is_empty(), "no such rules: {unknown:?}");
}
