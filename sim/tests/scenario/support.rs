//! Files for tests, and how they are read.

use std::fs;
use std::path::{Path, PathBuf};

use overheard::diagnostic::render;
use overheard::scenario::{Loaded, Rejected, load};

/// The folder of the whole project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of a file of the project.
pub(crate) fn text_of(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|_| "no such file".into())
}

/// All YAML files below a folder of the project, by name.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        // What the reference apps install is not ours.
        if entry.path().is_dir() && !name.ends_with("/targets") {
            names.extend(files(&name));
        } else if name.ends_with(".yaml") {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// Scenarios that must be valid.
pub(crate) fn valid_files() -> Vec<String> {
    let mut names = files("scenarios");
    names.retain(|name| !name.starts_with("scenarios/invalid/") && !name.contains("/verbs/"));
    names
}

/// Reads a scenario of the project.
pub(crate) fn read(path: &str) -> Result<Loaded, Rejected> {
    load(path, &text_of(path).unwrap(), &text_of)
}

/// What is said about a file that is rejected.
pub(crate) fn messages(rejected: &Rejected) -> String {
    let rendered = rejected.diagnostics.iter().map(|one| render(one, &rejected.sources, false));
    rendered.collect::<Vec<_>>().join("\n\n")
}
