//! `--target` and `--start`: whose server is tested.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use clap::Args;
use overheard::guest::AnyGuest;
use overheard::net::Place;
use overheard::run::{NetworkKind, Target};
use overheard::target;

use super::config::Wall;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::network::NetworkChoice;

/// How much later than a file says something may come where time is real: scheduling, and a process
/// that shares its processors.
const SLACK: Wall = Wall(std::time::Duration::from_secs(1));

/// Runs at a time for each processor where most of them wait most of the time.
const PER_PROCESSOR: usize = 8;

/// Whose server is tested.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Whose server")]
pub(crate) struct TargetArgs {
    /// A server that runs, by its URL: one run at a time, in real time
    #[arg(long, value_name = "URL", conflicts_with_all = ["start", "sabotage"])]
    pub(crate) target: Option<String>,
    /// A command that starts a server, for each run anew
    #[arg(long, value_name = "COMMAND", conflicts_with = "sabotage")]
    pub(crate) start: Option<String>,
    /// How much later something may come where time is real [default: 1s]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub(crate) slack: Option<Wall>,
    /// Play a run that did not pass so many times more where time is real [default: 0]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) retries: Option<u32>,
}

/// The server that this executable brings along, if it is a guest's.
static GUEST: OnceLock<AnyGuest> = OnceLock::new();

/// This executable is a guest's.
pub(crate) fn bring(guest: AnyGuest) {
    // There is one `main`, which says it once.
    let _: Result<(), AnyGuest> = GUEST.set(guest);
}

/// Whether this executable is a guest's.
pub(crate) fn has_guest() -> bool {
    GUEST.get().is_some()
}

/// The command that this executable is started by.
pub(crate) fn program() -> String {
    let own = if has_guest() { std::env::args().next() } else { None };
    own.unwrap_or_else(|| "overheard".to_owned())
}

/// The server that this executable has by itself, on a network that it can be played on.
pub(crate) fn own(network: NetworkChoice) -> Result<Target, Failure> {
    match (GUEST.get(), network.kind) {
        (None, _) => Ok(Target::BuiltIn),
        (Some(guest), None | Some(NetworkKind::Turmoil)) => Ok(Target::Guest(guest.clone())),
        (Some(_), Some(kind)) => {
            let name = kind.name();
            Err(Failure::usage(format!("a guest is played on turmoil, and not on {name}"))
                .help("leave --network out, or let it name links only, as in --network wifi"))
        }
    }
}

/// A target as it was named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Named {
    /// None.
    #[default]
    BuiltIn,
    /// By URL.
    Url(String),
    /// By a command.
    Command(String),
}

/// What is said about a world whose time is real.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// Whose server.
    pub(crate) target: Named,
    /// Whether time is real at all.
    pub(crate) is_real: bool,
    /// How much later something may come.
    pub(crate) slack: Wall,
    /// How many times more a run is played that did not pass.
    pub(crate) retries: u32,
}

impl Live {
    /// Command line, environment, profiles, built in.
    pub(crate) fn resolve(
        args: &TargetArgs,
        network: NetworkChoice,
        context: &Context,
    ) -> Result<Self, Failure> {
        let config = &context.config;
        let target = Named::pick(
            args,
            context.environment.target.as_deref(),
            config.value(|profile| profile.target.clone()),
            config.value(|profile| profile.start.clone()),
        );
        let is_real = target != Named::BuiltIn || network.kind == Some(NetworkKind::Tcp);
        let retries = args.retries.or_else(|| config.value(|profile| profile.retries));
        let slack = args.slack.or_else(|| config.value(|profile| profile.slack));
        if args.retries.is_some_and(|retries| retries > 0) && !is_real {
            let error = Failure::usage("--retries: a run in virtual time comes out the same again");
            return Err(error.help("it is for --target, --start and --network tcp"));
        }
        let retries = retries.filter(|_| is_real).unwrap_or(0);
        Ok(Self { target, is_real, slack: slack.unwrap_or(SLACK), retries })
    }
}

impl Named {
    /// What the command line says, or the environment, or a profile.
    fn pick(
        args: &TargetArgs,
        environment: Option<&str>,
        target: Option<String>,
        start: Option<String>,
    ) -> Self {
        let given = args.target.clone().map(Self::Url);
        let given = given.or_else(|| args.start.clone().map(Self::Command));
        let set = given.or_else(|| environment.map(|url| Self::Url(url.to_owned())));
        let profile = target.map(Self::Url).or_else(|| start.map(Self::Command));
        set.or(profile).unwrap_or_default()
    }

    /// The target itself. A server that runs is asked what it is.
    pub(crate) fn find(&self, network: NetworkChoice) -> Result<Target, Failure> {
        match self {
            Self::BuiltIn => own(network),
            Self::Command(command) => Ok(Target::Started(Arc::from(command.as_str()))),
            Self::Url(url) => {
                let place = Place::find(url);
                let place = place.map_err(|error| Failure::usage(error.to_string()))?;
                let about = target::ask(&place).map_err(|error| {
                    Failure::new(Exit::Unknown, format!("{url}: {error}")).help(error.help())
                })?;
                Ok(Target::At(place, Box::new(about.options)))
            }
        }
    }

    /// As it is written on the command line.
    pub(crate) fn words(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::BuiltIn => None,
            Self::Url(url) => Some(("--target", url)),
            Self::Command(command) => Some(("--start", command)),
        }
    }

    /// How many runs there may be at a time: on one server, they would hear each other.
    pub(crate) fn jobs(
        &self,
        chosen: Option<NonZeroUsize>,
        processors: NonZeroUsize,
    ) -> NonZeroUsize {
        let many =
            processors.saturating_mul(NonZeroUsize::new(PER_PROCESSOR).unwrap_or(processors));
        match self {
            Self::Url(_) => NonZeroUsize::MIN,
            Self::BuiltIn | Self::Command(_) => chosen.unwrap_or(many),
        }
    }
}
