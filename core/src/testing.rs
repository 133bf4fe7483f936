//! What unit tests share: the facts that were observed of the reference.

extern crate std;

use alloc::vec::Vec;

use serde_json::Value;

/// A section of every `tests/vectors/facts*.json` that has it.
pub(crate) fn facts(section: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("facts"))
        .collect();
    files.sort();
    let sections: Vec<Value> = files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .map(|text| serde_json::from_str::<Value>(&text).unwrap())
        .filter_map(|facts| facts.get(section).cloned())
        .collect();
    assert!(!sections.is_empty(), "no facts of {section}");
    sections
}
