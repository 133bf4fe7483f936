//! How a command ends: the exit codes are part of the interface, and never change their meaning.

use std::fmt;
use std::process::ExitCode;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that was selected passed.
    Passed,
    /// Something is not as the files expect or the rules demand.
    Failed,
    /// The command line, the environment or the configuration is wrong.
    Usage,
    /// A scenario file is wrong.
    Invalid,
    /// Nothing was selected.
    Nothing,
    /// Something could not be judged.
    Unknown,
    /// The same seed gave two histories.
    Nondeterminism,
    /// Overheard itself is wrong.
    Internal,
    /// What was asked for could not be written.
    Output,
    /// A server was told an option that it does not know (EX_CONFIG).
    Cannot,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::Nothing => 4,
            Self::Unknown => 5,
            Self::Nondeterminism => 6,
            Self::Internal => 70,
            Self::Output => 74,
            Self::Cannot => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// How much it matters when several apply.
    const fn rank(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Nothing => 1,
            Self::Unknown => 2,
            Self::Failed => 3,
            Self::Invalid => 4,
            Self::Nondeterminism => 5,
            Self::Usage | Self::Cannot => 6,
            Self::Output => 7,
            Self::Internal => 8,
            Self::Interrupted => 9,
            Self::Terminated => 10,
        }
    }

    /// The one that matters more.
    #[must_use]
    pub(crate) const fn or_worse(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How it ends.
    pub(crate) exit: Exit,
    /// One sentence; empty if everything has been said already.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

impl Failure {
    /// A failure with a message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None }
    }

    /// A mistake of the user's outside scenario files.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something could not be written.
    pub(crate) fn output(what: &str, error: &std::io::Error) -> Self {
        Self::new(Exit::Output, format!("cannot write {what}: {error}"))
    }

    /// A file that the user named could not be read.
    pub(crate) fn read(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::usage(format!("cannot read {what}: {error}"))
    }

    /// Says what to do.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What a command returns.
pub(crate) type Outcome = Result<Exit, Failure>;

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn of_several_codes_the_worst_wins() {
        let order = [
            Exit::Nothing,
            Exit::Unknown,
            Exit::Failed,
            Exit::Invalid,
            Exit::Nondeterminism,
            Exit::Internal,
        ];
        for pair in order.windows(2) {
            assert_eq!(pair[0].or_worse(pair[1]), pair[1]);
            assert_eq!(pair[1].or_worse(pair[0]), pair[1]);
        }
    }
}
