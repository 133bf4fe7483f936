//! `.overheard/last.json`: what did not pass last time, for `--failed`.

use std::collections::BTreeMap;
use std::path::Path;

use overheard::report::End;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::exit::Failure;
use super::{engine, files, seeds};

const PATH: &str = ".overheard/last.json";

/// What did not pass: the seeds of each file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Last {
    version: u32,
    failed: BTreeMap<String, Vec<String>>,
}

impl Last {
    /// Reads it; nothing failed if it does not exist.
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let path = config.path_from_root(Path::new(PATH));
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = engine::read_text(&path)?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::usage(format!("{}: {error}", path.display())).help("remove it")
        })
    }

    /// Whether a file is among them.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.failed.contains_key(file)
    }

    /// The seeds that a file did not pass with.
    pub(crate) fn seeds(&self, file: &str) -> Vec<u64> {
        let seeds = self.failed.get(file).into_iter().flatten();
        seeds.filter_map(|seed| seeds::parse(seed).ok()).collect()
    }
}

/// Writes down what did not pass. A suite that selected nothing changes nothing.
pub(crate) fn write(end: &End, config: &Config) -> Result<(), Failure> {
    if end.scenarios.is_empty() {
        return Ok(());
    }
    let mut failed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for scenario in &end.scenarios {
        let seeds: Vec<String> = scenario.bad().map(|run| seeds::show(run.seed)).collect();
        if !seeds.is_empty() {
            failed.entry(scenario.file.clone()).or_default().extend(seeds);
        }
    }
    let last = Last { version: 1, failed };
    // What is kept in this folder is nobody's source.
    let path = config.path_from_root(Path::new(PATH));
    let ignore = path.with_file_name(".gitignore");
    if !ignore.exists() {
        files::write(&ignore, "*\n")?;
    }
    let text = serde_json::to_string_pretty(&last).unwrap_or_default();
    files::write(&path, &(text + "\n"))
}
