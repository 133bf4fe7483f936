//! From paths, folders and globs to scenario files, in an order that is the same everywhere.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use globset::GlobMatcher;
use ignore::WalkBuilder;

use super::engine;
use super::exit::Failure;

/// Folders that hold other things than scenarios.
pub(crate) const NOT_SCENARIOS: &[&str] = &["verbs", "invalid"];

/// Folders that hold what is wrong on purpose.
pub(crate) const WRONG_ON_PURPOSE: &[&str] = &["invalid"];

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its path as messages write it: as the user named it, with forward slashes.
    pub(crate) path: String,
}

/// A glob on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Glob(GlobMatcher);

impl Glob {
    /// Whether a path or a name matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("./").unwrap_or(text);
        let glob = globset::GlobBuilder::new(text).literal_separator(true).build();
        glob.map(|glob| Self(glob.compile_matcher())).map_err(|error| error.to_string())
    }
}

/// Finds all files; each is listed once, where it is found first.
pub(crate) fn find(paths: &[String], skipped: &'static [&str]) -> Result<Vec<Found>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(find_one(path, skipped)?);
    }
    let mut seen = BTreeSet::new();
    files.retain(|found| seen.insert(found.path.clone()));
    Ok(files)
}

fn find_one(text: &str, skipped: &'static [&str]) -> Result<Vec<Found>, Failure> {
    let path = Path::new(text);
    if path.is_file() {
        return Ok(vec![Found { path: shown(path) }]);
    }
    if path.is_dir() {
        return Ok(walk(path, skipped)?.into_iter().map(|path| Found { path }).collect());
    }
    if let Some((path, line)) = with_line(text) {
        let path = shown(path);
        has_line(&path, line)?;
        return Ok(vec![Found { path }]);
    }
    if text.contains(['*', '?', '[', '{']) {
        let glob: Glob = text.parse().map_err(Failure::usage)?;
        let files = walk(&base(path), skipped)?.into_iter().filter(|path| glob.matches(path));
        return Ok(files.map(|path| Found { path }).collect());
    }
    Err(Failure::usage(format!("there is no file or folder `{text}`")))
}

/// `file.yaml:LINE` or `file.yaml:LINE:COLUMN`, as messages print it.
fn with_line(text: &str) -> Option<(&Path, usize)> {
    let (rest, last) = text.rsplit_once(':')?;
    let last = last.parse().ok()?;
    if Path::new(rest).is_file() {
        return Some((Path::new(rest), last));
    }
    let (file, line) = rest.rsplit_once(':')?;
    let line = line.parse().ok()?;
    Path::new(file).is_file().then(|| (Path::new(file), line))
}

/// A file is one scenario, so that each of its lines chooses it; others are a mistake.
fn has_line(path: &str, line: usize) -> Result<(), Failure> {
    let lines = engine::read_text(Path::new(path))?.lines().count();
    if (1..=lines).contains(&line) {
        return Ok(());
    }
    let count = if lines == 1 { "one line".to_owned() } else { format!("{lines} lines") };
    let failure = Failure::usage(format!("there is no line {line} in {path}: it has {count}"));
    Err(failure.help(format!("a file is one scenario: `{path}` means all of it")))
}

/// The folder in front of the first part with a wildcard.
fn base(path: &Path) -> PathBuf {
    let plain =
        |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    let base: PathBuf = path.components().take_while(plain).collect();
    if base.as_os_str().is_empty() { PathBuf::from(".") } else { base }
}

/// The scenario files below a folder, sorted by path.
fn walk(folder: &Path, skipped: &'static [&str]) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    let mut walk = WalkBuilder::new(folder);
    walk.require_git(false).follow_links(false).filter_entry(|entry| {
        let is_skipped = skipped.iter().any(|name| entry.file_name() == *name);
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        entry.depth() == 0 || !(is_folder && is_skipped)
    });
    for entry in walk.build() {
        let entry = entry.map_err(|error| Failure::usage(error.to_string()))?;
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        let extension = entry.path().extension();
        if is_file && extension.is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(shown(entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// A path as messages write it.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() };
    text.strip_prefix("./").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{NOT_SCENARIOS, base, find, shown};
    use std::path::Path;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in ["b.yaml", "a.yaml", "rooms/c.yml", "verbs/v.yaml", "invalid/x.yaml", "r.md"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    fn names(folder: &Path, paths: &[&str]) -> Vec<String> {
        let root = folder.display().to_string();
        let paths: Vec<String> = paths.iter().map(|path| format!("{root}/{path}")).collect();
        let found = find(&paths, NOT_SCENARIOS).unwrap().into_iter();
        found.map(|found| found.path.replace(&format!("{root}/"), "")).collect()
    }

    #[test]
    fn folders_are_walked_in_order_and_without_verbs_and_invalid_files() {
        let folder = tree();
        assert_eq!(names(folder.path(), &[""]), ["a.yaml", "b.yaml", "rooms/c.yml"]);
        assert_eq!(names(folder.path(), &["invalid"]), ["invalid/x.yaml"]);
        assert_eq!(names(folder.path(), &["b.yaml", "*.yaml"]), ["b.yaml", "a.yaml"]);
        assert_eq!(names(folder.path(), &["**/*.yml"]), ["rooms/c.yml"]);
    }

    #[test]
    fn a_line_of_the_file_may_follow() {
        let folder = tree();
        std::fs::write(folder.path().join("a.yaml"), "version: 1\nname: three\nsteps: []\n")
            .unwrap();
        for line in ["1", "3", "3:5", "2:999"] {
            assert_eq!(names(folder.path(), &[&format!("a.yaml:{line}")]), ["a.yaml"], "{line}");
        }
        let wrong =
            |line: &str| find(&[format!("{}/{line}", folder.path().display())], NOT_SCENARIOS);
        for line in ["a.yaml:0", "a.yaml:4", "a.yaml:4:1", "b.yaml:1", "a.yaml:x", "no.yaml:1"] {
            assert!(wrong(line).is_err(), "{line}");
        }
        // Also where the file is named twice.
        let twice =
            ["a.yaml", "a.yaml:4"].map(|name| format!("{}/{name}", folder.path().display()));
        assert!(find(&twice, NOT_SCENARIOS).is_err());
    }

    #[test]
    fn paths_are_written_as_named() {
        assert_eq!(shown(Path::new("./scenarios/a.yaml")), "scenarios/a.yaml");
        assert_eq!(base(Path::new("scenarios/**/a*.yaml")), Path::new("scenarios"));
        assert_eq!(base(Path::new("*.yaml")), Path::new("."));
    }
}
