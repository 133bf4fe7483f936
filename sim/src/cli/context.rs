//! What every command has at hand: its surroundings, and the ways to say something.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::ColorChoice;

use super::choices::{self, Color, Progress};
use super::config::Config;
use super::environment::Environment;
use super::exit::Failure;
use super::settings::{Origin, Sourced};
use super::values::hide;

/// The surroundings of a command.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The environment.
    pub(crate) environment: Environment,
    /// The configuration.
    pub(crate) config: Config,
    /// Say only what is wrong.
    pub(crate) quiet: bool,
    /// When text is coloured.
    pub(crate) color: Sourced<Color>,
    /// How progress is shown.
    pub(crate) progress: Sourced<Progress>,
}

impl Context {
    /// Resolves what all commands share. Colours apply from here on.
    pub(crate) fn new(
        environment: Environment,
        config: Config,
        color: Option<Color>,
        quiet: bool,
    ) -> Result<Self, Failure> {
        let from_env = environment.color.as_deref().map(choices::parse::<Color>).transpose();
        let from_env = from_env
            .map_err(|error| Failure::usage(format!("the variable OVERHEARD_COLOR: {error}")))?;
        let taste = |value| Sourced::new(value, Origin::User);
        let color = color
            .map(|color| Sourced::new(color, Origin::CommandLine))
            .or_else(|| {
                from_env.map(|color| Sourced::new(color, Origin::Environment("OVERHEARD_COLOR")))
            })
            .or_else(|| config.user.color.map(taste))
            .unwrap_or_else(|| Sourced::new(Color::Auto, Origin::BuiltIn));
        match color.value {
            Color::Auto => ColorChoice::Auto.write_global(),
            Color::Always => ColorChoice::Always.write_global(),
            Color::Never => ColorChoice::Never.write_global(),
        }
        let name = "OVERHEARD_SHOW_PROGRESS";
        let shown = environment.show_progress.as_deref().map(choices::parse::<Progress>);
        let shown = shown
            .transpose()
            .map_err(|error| Failure::usage(format!("the variable {name}: {error}")))?;
        let progress = shown
            .map(|shown| Sourced::new(shown, Origin::Environment(name)))
            .or_else(|| config.user.show_progress.map(|shown| Sourced::new(shown, Origin::User)))
            .unwrap_or_else(|| Sourced::new(Progress::Auto, Origin::BuiltIn));
        Ok(Self { environment, config, quiet, color, progress })
    }

    /// Whether text on stderr is coloured.
    pub(crate) fn coloured_stderr() -> bool {
        anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never
    }

    /// Whether text on stdout is coloured.
    pub(crate) fn coloured_stdout() -> bool {
        anstream::AutoStream::choice(&io::stdout()) != ColorChoice::Never
    }

    /// Whether stderr is a terminal.
    pub(crate) fn stderr_is_terminal() -> bool {
        io::stderr().is_terminal()
    }
}

/// Writes what was asked for to stdout, at once.
pub(crate) fn out(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(hide(text).as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::output("to stdout", &error))
}

/// Says something to people, on stderr, at once.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut stderr = anstream::stderr().lock();
    let written = stderr.write_all(hide(text).as_bytes()).and_then(|()| stderr.flush());
    written.map_err(|error| Failure::output("to stderr", &error))
}

/// Says something to people, if anybody listens.
pub(crate) fn mention(text: &str) {
    // There is nobody left to tell that nobody can be told.
    let _: Result<(), Failure> = say(text);
}
