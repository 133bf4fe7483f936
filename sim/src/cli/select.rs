//! Which scenarios a command is about.

use clap::Args;

use super::config::Config;
use super::context::Context;
use super::discover::{self, Found, Glob};
use super::engine::{Loaded, Rejected};
use super::exit::Failure;
use super::partition::Partition;
use super::settings::{Origin, Sourced, pick};
use super::tags::TagExpression;

/// What narrows the choice of scenarios.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which scenarios")]
pub(crate) struct Selection {
    /// Files, folders or globs; FILE:LINE is the scenario of FILE [default: scenarios]
    #[arg(value_name = "PATH", help_heading = None::<&'static str>)]
    pub(crate) paths: Vec<String>,
    /// Only scenarios whose tags match, as in 'rooms and not slow'
    #[arg(short, long, value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) tag: Option<TagExpression>,
    /// Only scenarios whose file or name matches this glob
    #[arg(long, value_name = "GLOB", hide_short_help = true)]
    pub(crate) filter: Vec<Glob>,
    /// No scenarios whose file matches this glob
    #[arg(long, value_name = "GLOB", hide_short_help = true)]
    pub(crate) exclude: Vec<Glob>,
    /// Only this shard: slice:M/N or hash:M/N
    #[arg(long, value_name = "SHARD")]
    pub(crate) partition: Option<Partition>,
}

/// The scenarios that were selected, and files that cannot be.
#[derive(Debug)]
pub(crate) struct Selected {
    /// In the order of the list.
    pub(crate) scenarios: Vec<Loaded>,
    /// In the order of the list.
    pub(crate) rejected: Vec<(String, Rejected)>,
}

impl Selection {
    /// The paths that apply.
    pub(crate) fn paths(&self, config: &Config) -> Sourced<Vec<String>> {
        let named = (!self.paths.is_empty()).then(|| self.paths.clone());
        let from = |profile: &super::config::Profile| {
            let paths = profile.paths.as_ref()?;
            Some(paths.iter().map(|path| config.text_from_root(path)).collect())
        };
        let built_in = || Sourced::new(vec![config.text_from_root("scenarios")], Origin::BuiltIn);
        pick(named, config, from).unwrap_or_else(built_in)
    }

    /// The tags that apply.
    pub(crate) fn tag(&self, config: &Config) -> Option<Sourced<TagExpression>> {
        pick(self.tag.clone(), config, |profile| profile.tag.clone())
    }

    /// The globs that apply.
    pub(crate) fn exclude(&self, config: &Config) -> Result<Vec<Glob>, Failure> {
        let named = (!self.exclude.is_empty()).then(|| self.exclude.clone());
        if let Some(named) = named {
            return Ok(named);
        }
        let globs = pick(None, config, |profile| profile.exclude.clone());
        let globs = globs.map(|globs| globs.value).unwrap_or_default();
        let parsed: Result<_, String> = globs.iter().map(|glob| glob.parse()).collect();
        parsed.map_err(|error| Failure::usage(format!("`exclude` of overheard.toml: {error}")))
    }

    /// Finds the files.
    pub(crate) fn files(&self, config: &Config) -> Result<Vec<Found>, Failure> {
        self.files_but(discover::NOT_SCENARIOS, config)
    }

    /// Finds the files, also those of verbs.
    pub(crate) fn files_and_verbs(&self, config: &Config) -> Result<Vec<Found>, Failure> {
        self.files_but(discover::WRONG_ON_PURPOSE, config)
    }

    fn files_but(&self, skipped: &'static [&str], config: &Config) -> Result<Vec<Found>, Failure> {
        let paths = self.paths(config);
        let mut files =
            discover::find(&paths.value, skipped).map_err(|failure| match paths.origin {
                Origin::BuiltIn => failure.help("`overheard new NAME` writes a first scenario"),
                Origin::CommandLine
                | Origin::Environment(_)
                | Origin::Profile(_)
                | Origin::User
                | Origin::Ci => failure,
            })?;
        let exclude = self.exclude(config)?;
        files.retain(|found| !exclude.iter().any(|glob| glob.matches(&found.path)));
        Ok(files)
    }

    /// Finds and reads the files, and leaves out what is not meant.
    pub(crate) fn load(&self, context: &Context) -> Result<Selected, Failure> {
        let mut selected = Selected { scenarios: Vec::new(), rejected: Vec::new() };
        let tag = self.tag(&context.config);
        for found in self.files(&context.config)? {
            match super::engine::load_file(&found.path)? {
                Ok(loaded) => {
                    let scenario = &loaded.scenario;
                    let by_tag = tag.as_ref().is_none_or(|tag| tag.value.matches(scenario.tags()));
                    let matches =
                        |glob: &Glob| glob.matches(&found.path) || glob.matches(scenario.name());
                    if by_tag && (self.filter.is_empty() || self.filter.iter().any(matches)) {
                        selected.scenarios.push(loaded);
                    }
                }
                Err(rejected) => selected.rejected.push((found.path, rejected)),
            }
        }
        if let Some(partition) = self.partition {
            let mut index = 0;
            selected.scenarios.retain(|loaded| {
                index += 1;
                partition.has(index - 1, loaded.scenario.file())
            });
            // Not every shard tells of a wrong file: the first slice, or the one of its name.
            selected.rejected.retain(|(file, _)| partition.has(0, file));
        }
        Ok(selected)
    }
}
