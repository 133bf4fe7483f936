//! The environment, read once and in this one place.

use std::path::PathBuf;

/// Every variable that means something to the tool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `OVERHEARD_PROFILE`.
    pub(crate) profile: Option<String>,
    /// `OVERHEARD_SEED`.
    pub(crate) seed: Option<String>,
    /// `OVERHEARD_JOBS`.
    pub(crate) jobs: Option<String>,
    /// `OVERHEARD_TARGET`.
    pub(crate) target: Option<String>,
    /// `OVERHEARD_CONFIG`.
    pub(crate) config: Option<PathBuf>,
    /// `OVERHEARD_LOG`.
    pub(crate) log: Option<String>,
    /// `OVERHEARD_REPORTER`.
    pub(crate) reporter: Option<String>,
    /// `OVERHEARD_SHOW_PROGRESS`.
    pub(crate) show_progress: Option<String>,
    /// `OVERHEARD_COLOR`.
    pub(crate) color: Option<String>,
    /// `OVERHEARD_SERVER`.
    pub(crate) server: Option<String>,
    /// `PORT`.
    pub(crate) port: Option<String>,
    /// `CI`.
    pub(crate) ci: bool,
    /// `GITHUB_ACTIONS`.
    pub(crate) github_actions: bool,
    /// `GITHUB_STEP_SUMMARY`.
    pub(crate) github_step_summary: Option<PathBuf>,
    /// Where the user's own taste is kept.
    pub(crate) user_config: Vec<PathBuf>,
    /// The panic message is wanted with its backtrace.
    pub(crate) backtrace: bool,
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn read() -> Self {
        let flag = |name| text(name).is_some_and(|value| value != "0" && value != "false");
        let under = |name, rest: &str| text(name).map(|folder| PathBuf::from(folder).join(rest));
        let user_config = [
            under("APPDATA", "overheard/config.toml"),
            under("XDG_CONFIG_HOME", "overheard/config.toml"),
            under("HOME", ".config/overheard/config.toml"),
        ];
        Self {
            profile: text("OVERHEARD_PROFILE"),
            seed: text("OVERHEARD_SEED"),
            jobs: text("OVERHEARD_JOBS"),
            target: text("OVERHEARD_TARGET"),
            config: text("OVERHEARD_CONFIG").map(PathBuf::from),
            log: text("OVERHEARD_LOG"),
            reporter: text("OVERHEARD_REPORTER"),
            show_progress: text("OVERHEARD_SHOW_PROGRESS"),
            color: text("OVERHEARD_COLOR"),
            server: text("OVERHEARD_SERVER"),
            port: text("PORT"),
            ci: flag("CI"),
            github_actions: flag("GITHUB_ACTIONS"),
            github_step_summary: text("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            user_config: user_config.into_iter().flatten().collect(),
            backtrace: flag("RUST_BACKTRACE"),
        }
    }

    /// Whether the locale writes UTF-8: the first variable that is set decides; without any, modern
    /// terminals do.
    pub(crate) fn is_utf8() -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(text);
        locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }
}

/// The variables that begin so, by the rest of their names.
pub(crate) fn named(prefix: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix(prefix)?.to_owned();
            let value = value.into_string().ok()?;
            (!name.is_empty() && !value.is_empty()).then_some((name, value))
        })
        .collect();
    found.sort();
    found
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
