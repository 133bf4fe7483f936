//! Values from the command line, the environment, profiles and what is built in, in this order.

use std::fmt;

use super::config::{Config, DEFAULT_PROFILE, Profile};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag.
    CommandLine,
    /// A variable.
    Environment(&'static str),
    /// A profile of overheard.toml.
    Profile(String),
    /// The user's own file.
    User,
    /// It differs under `CI`.
    Ci,
    /// Nobody said anything.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment(name) => write!(f, "environment: {name}"),
            Self::Profile(name) => write!(f, "overheard.toml: profile.{name}"),
            Self::User => f.write_str("the user's config.toml"),
            Self::Ci => f.write_str("built in, as CI is set"),
            Self::BuiltIn => f.write_str("built in"),
        }
    }
}

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it came from.
    pub(crate) origin: Origin,
}

impl<T> Sourced<T> {
    /// A value of this origin.
    pub(crate) const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// The first that says something: the command line, the chosen profile, the default one.
pub(crate) fn pick<T>(
    named: Option<T>,
    config: &Config,
    from: impl Fn(&Profile) -> Option<T>,
) -> Option<Sourced<T>> {
    let named = named.map(|value| Sourced::new(value, Origin::CommandLine));
    named.or_else(|| pick_profile(config, from))
}

/// The first that says something: the command line, the environment, the chosen profile, the
/// default one.
pub(crate) fn pick_env<T>(
    named: Option<T>,
    variable: (&'static str, Option<T>),
    config: &Config,
    from: impl Fn(&Profile) -> Option<T>,
) -> Option<Sourced<T>> {
    let named = named.map(|value| Sourced::new(value, Origin::CommandLine));
    let set = variable.1.map(|value| Sourced::new(value, Origin::Environment(variable.0)));
    named.or(set).or_else(|| pick_profile(config, from))
}

fn pick_profile<T>(config: &Config, from: impl Fn(&Profile) -> Option<T>) -> Option<Sourced<T>> {
    let profiles = [(&config.chosen, config.profile.as_str()), (&config.default, DEFAULT_PROFILE)];
    profiles.into_iter().find_map(|(profile, name)| {
        from(profile).map(|value| Sourced::new(value, Origin::Profile(name.to_owned())))
    })
}

#[cfg(test)]
mod tests {
    use super::{Origin, pick_env};
    use crate::cli::config::Config;

    fn jobs(number: usize) -> Option<std::num::NonZeroUsize> {
        std::num::NonZeroUsize::new(number)
    }

    #[test]
    fn command_line_then_environment_then_profile_then_default() {
        let mut config = Config { profile: "ci".to_owned(), ..Config::default() };
        let origin = |named, env, config: &Config| {
            let picked = pick_env(named, ("OVERHEARD_JOBS", env), config, |profile| profile.jobs);
            picked.map(|picked| (picked.value.get(), picked.origin))
        };
        assert_eq!(origin(None, None, &config), None);
        config.default.jobs = jobs(1);
        assert_eq!(origin(None, None, &config), Some((1, Origin::Profile("default".to_owned()))));
        config.chosen.jobs = jobs(2);
        assert_eq!(origin(None, None, &config), Some((2, Origin::Profile("ci".to_owned()))));
        let env = Origin::Environment("OVERHEARD_JOBS");
        assert_eq!(origin(None, jobs(3), &config), Some((3, env)));
        assert_eq!(origin(jobs(4), jobs(3), &config), Some((4, Origin::CommandLine)));
    }
}
