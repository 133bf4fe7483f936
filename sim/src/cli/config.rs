//! `overheard.toml`: profiles of behaviour; and the user's own file, for taste only.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::choices::{Color, NoTests, Progress, ReporterName, TraceKeeping, Verification};
use super::commands::serve::options::ServeOptions;
use super::environment::Environment;
use super::exit::Failure;

/// Names of the project's file, in order.
const NAMES: [&str; 2] = ["overheard.toml", ".config/overheard.toml"];

/// The profile below all others.
pub(crate) const DEFAULT_PROFILE: &str = "default";

/// The JSON Schema of `overheard.toml`.
pub(crate) const SCHEMA: &str = include_str!("config.v1.schema.json");

/// The project's file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProjectFile {
    /// Profiles by name.
    #[serde(default)]
    pub(crate) profile: BTreeMap<String, Profile>,
    /// Options of `overheard serve`.
    #[serde(default)]
    pub(crate) serve: ServeOptions,
}

/// What a profile may say; what it leaves out comes from `default`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Profile {
    pub(crate) paths: Option<Vec<String>>,
    pub(crate) exclude: Option<Vec<String>>,
    #[serde(default, deserialize_with = "parsed")]
    pub(crate) tag: Option<super::tags::TagExpression>,
    #[serde(default, deserialize_with = "parsed")]
    pub(crate) seed: Option<super::seeds::SeedChoice>,
    pub(crate) seeds: Option<std::num::NonZeroU32>,
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    #[serde(default, deserialize_with = "parsed")]
    pub(crate) network: Option<super::network::NetworkChoice>,
    pub(crate) target: Option<String>,
    pub(crate) start: Option<String>,
    #[serde(default, deserialize_with = "parsed")]
    pub(crate) slack: Option<Wall>,
    pub(crate) retries: Option<u32>,
    pub(crate) fail_fast: Option<u32>,
    pub(crate) verify_determinism: Option<Verification>,
    #[serde(default, deserialize_with = "parsed")]
    pub(crate) max_wall: Option<Wall>,
    pub(crate) reporter: Option<ReporterName>,
    pub(crate) trace: Option<TraceKeeping>,
    pub(crate) trace_dir: Option<PathBuf>,
    pub(crate) no_tests: Option<NoTests>,
    #[serde(default)]
    pub(crate) report: Reports,
}

/// Files that are written at the end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Reports {
    pub(crate) junit: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) md: Option<PathBuf>,
}

/// The user's own file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct UserFile {
    pub(crate) color: Option<Color>,
    pub(crate) show_progress: Option<Progress>,
}

/// How long one run may take on the wall's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wall(pub(crate) std::time::Duration);

impl std::str::FromStr for Wall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        overheard::duration::parse(text).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&overheard::duration::display(self.0))
    }
}

/// A value that the command line knows how to read; whole numbers may stand without quotes.
fn parsed<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: std::str::FromStr<Err = String>,
{
    struct Text<T>(std::marker::PhantomData<T>);
    impl<T: std::str::FromStr<Err = String>> de::Visitor<'_> for Text<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            text.parse().map(Some).map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            self.visit_str(&number.to_string())
        }
    }
    deserializer.deserialize_any(Text(std::marker::PhantomData))
}

/// The configuration that applies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// The project's file, if there is one.
    pub(crate) path: Option<PathBuf>,
    /// The name of the chosen profile.
    pub(crate) profile: String,
    /// The chosen profile, then `default`; absent ones are empty.
    pub(crate) chosen: Profile,
    /// `profile.default`.
    pub(crate) default: Profile,
    /// Options of `overheard serve`.
    pub(crate) serve: ServeOptions,
    /// The user's own file.
    pub(crate) user: UserFile,
    /// From here to the folder that the file is about; empty for this folder.
    pub(crate) root: PathBuf,
}

impl Config {
    /// A path of the project's file, seen from here.
    pub(crate) fn path_from_root(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// What the chosen profile says, or else the default one.
    pub(crate) fn value<T>(&self, from: impl Fn(&Profile) -> Option<T>) -> Option<T> {
        from(&self.chosen).or_else(|| from(&self.default))
    }

    /// The same for texts.
    pub(crate) fn text_from_root(&self, path: &str) -> String {
        super::discover::shown(&self.root.join(path))
    }

    /// Finds and reads the files.
    pub(crate) fn load(
        environment: &Environment,
        explicit: Option<&Path>,
        profile: Option<&str>,
    ) -> Result<Self, Failure> {
        let explicit = explicit.or(environment.config.as_deref());
        let (path, root) = match explicit {
            Some(path) => (Some(path.to_owned()), PathBuf::new()),
            None => find().map_or_else(Default::default, |(path, root)| (Some(path), root)),
        };
        let file: ProjectFile = match &path {
            Some(path) => read(path)?,
            None => ProjectFile::default(),
        };
        let wanted = profile.or(environment.profile.as_deref()).unwrap_or(DEFAULT_PROFILE);
        let found = file.profile.get(wanted);
        if found.is_none() && wanted != DEFAULT_PROFILE {
            let known: Vec<&str> = file.profile.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let wrong = Failure::usage(format!("there is no profile `{wanted}`"));
            return Err(wrong.help(format!("profiles of overheard.toml: {known}")));
        }
        let user = environment.user_config.iter().find(|path| path.is_file());
        Ok(Self {
            path,
            profile: wanted.to_owned(),
            chosen: found.cloned().unwrap_or_default(),
            serve: file.serve.clone(),
            default: file.profile.get(DEFAULT_PROFILE).cloned().unwrap_or_default(),
            user: user.map(|path| read(path)).transpose()?.unwrap_or_default(),
            root,
        })
    }
}

/// The nearest file, from here upward to the root of the repository, and its folder seen from here.
fn find() -> Option<(PathBuf, PathBuf)> {
    let here = std::env::current_dir().ok()?;
    let mut root = PathBuf::new();
    for folder in here.ancestors() {
        if let Some(name) = NAMES.iter().find(|name| folder.join(name).is_file()) {
            return Some((root.join(name), root));
        }
        root.push("..");
        if [".git", ".hg", ".jj"].iter().any(|marker| folder.join(marker).exists()) {
            return None;
        }
    }
    None
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::read(path.display(), &error))?;
    toml::from_str(&text).map_err(|error| {
        let message = error.to_string();
        Failure::usage(format!("{}: {}", path.display(), message.trim_end()))
            .help("`overheard schema config` lists the keys, `overheard config show` the values")
    })
}

#[cfg(test)]
mod tests {
    use super::{ProjectFile, SCHEMA};

    const FULL: &str = r#"
        [profile.ci]
        paths = ["scenarios"]
        exclude = ["**/slow/**"]
        tag = "not slow"
        seed = 1
        seeds = 20
        jobs = 2
        network = "memory,wifi"
        target = "http://127.0.0.1:3000"
        start = "node server.mjs"
        slack = "1s"
        retries = 2
        fail-fast = 0
        verify-determinism = "sample"
        max-wall = "60s"
        reporter = "tap"
        trace = "on"
        trace-dir = "traces"
        no-tests = "warn"
        report.junit = "a.xml"
        report.json = "a.jsonl"
        report.md = "a.md"
    "#;

    const SERVE: &str = r#"
        [serve]
        listen = "127.0.0.1:0"
        path = "/io/"
        ping-interval = "5s"
        ping-timeout = "5s"
        upgrade-timeout = "5s"
        connect-timeout = "5s"
        max-http-buffer-size = 10000
        transports = ["polling"]
        allow-upgrades = true
        recovery = "2m"
        skip-middlewares = true
        http-compression = 1024
        max-connections = 10000
        quirks = "reference"
        supervisors-token = "s3cret"
        supervisors-seats = 10000
        dynamic = ["^/room$"]
        cleanup-empty-child-namespaces = true
        cors-origin = ["https://a.example"]
        cors-credentials = true
        max-tcp-connections = 10000
        header-timeout = "5s"
        body-timeout = "5s"
        idle-timeout = "5s"
        write-timeout = "5s"
        max-header-size = 10000
        max-buffered-bytes = 10000
        shutdown-grace = "5s"
        log-format = "json"
        [serve.namespaces."/staff"]
        token = "s3cret"
        seats = 3
        auth-delay = "0s"
    "#;

    #[test]
    fn the_schema_knows_every_option_of_the_server() {
        let file: ProjectFile = toml::from_str(SERVE).unwrap();
        let said = format!("{:?}", file.serve);
        assert!(!said.contains("None"), "an option is missing here: {said}");
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let keys = schema["$defs"]["serve"]["properties"].as_object().unwrap();
        let written: toml::Value = toml::from_str(SERVE).unwrap();
        let written: Vec<_> = written["serve"].as_table().unwrap().keys().collect();
        assert_eq!(
            keys.keys().collect::<std::collections::BTreeSet<_>>(),
            written.into_iter().collect()
        );
    }

    #[test]
    fn the_schema_knows_every_key_and_no_other() {
        let file: ProjectFile = toml::from_str(FULL).unwrap();
        assert_eq!(file.profile["ci"].seeds.unwrap().get(), 20);
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let keys = schema["$defs"]["profile"]["properties"].as_object().unwrap();
        for key in keys.keys() {
            assert!(FULL.contains(key.as_str()), "{key} is missing here");
        }
        let written: toml::Value = toml::from_str(FULL).unwrap();
        for key in written["profile"]["ci"].as_table().unwrap().keys() {
            assert!(keys.contains_key(key), "{key} is missing in the schema");
        }
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_errors() {
        for wrong in [
            "jobs = 2",
            "[profile.ci]\nworkers = 2",
            "[profile.ci]\njobs = 0",
            "[profile.ci]\nseed = -1",
            "[profile.ci]\nmax-wall = \"60\"",
            "[profile.ci]\nreporter = \"html\"",
        ] {
            assert!(toml::from_str::<ProjectFile>(wrong).is_err(), "{wrong}");
        }
    }
}
