//! Checks a running server against the chat contract, part by part.
//!
//! Each part is a small scenario, played over TCP like any other and judged by the same checkers;
//! what is said about it names the section of `CONTRACT.md` to read. What is no server of the
//! contract at all is told apart before.

mod about;
mod parts;
mod probe;
mod scene;

pub use self::about::About;
use self::parts::{Part, parts};
pub use self::probe::Unreachable;
use crate::net::Place;

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It is as the contract has it.
    Ok,
    /// It was not checked, or the server says that its library cannot do it.
    Skipped,
    /// The server does not know it.
    Missing,
    /// It is there, and other than in the contract.
    Wrong,
}

impl Status {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        }
    }
}

/// A part that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it is.
    pub part: String,
    /// The section of `CONTRACT.md` that describes it.
    pub section: &'static str,
    /// What became of it.
    pub status: Status,
    /// What was expected and what came; empty if it is as it must be.
    pub message: String,
}

impl Checked {
    /// Where the section stands, as a link.
    #[must_use]
    pub fn link(&self) -> String {
        let words = self.section.to_lowercase().replace(' ', "-");
        format!("CONTRACT.md#{words}")
    }
}

/// Finds out whether a server of the contract is there, and what it says about itself.
///
/// # Errors
/// There is none: see [`Unreachable`].
pub fn ask(place: &Place) -> Result<About, Unreachable> {
    let found = probe::probe(place)?;
    about::ask(place, found)
}

/// Checks every part, and tells of each as soon as it is known. Takes some ten seconds.
pub fn check(place: &Place, about: &About, mut tell: impl FnMut(&Checked)) {
    for part in parts(about) {
        let Part { name, section, scene } = part;
        let (status, message) = match scene {
            Ok(scene) => scene.check(place, about),
            Err(reason) => (Status::Skipped, reason),
        };
        tell(&Checked { part: name, section, status, message });
    }
}
