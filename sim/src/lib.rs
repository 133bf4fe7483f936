//! Overheard: deterministic simulation and testing of chat semantics.
//!
//! A scenario file says who connects, what happens, what breaks, and who must or must never hear
//! what. It becomes a [`plan`], a run turns the plan into a [`history`], and the oracle and the
//! checkers turn both into a [`verdict`].
#![forbid(unsafe_code)]

// The command line speaks of the library as everybody does.
#[cfg(feature = "cli")]
extern crate self as overheard;

pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod diagnostic;
pub mod duration;
pub mod generate;
pub mod guest;
pub mod history;
mod host;
pub mod matching;
pub mod net;
pub mod oracle;
mod peer;
pub mod plan;
mod recorder;
pub mod report;
pub mod rng;
pub mod run;
mod sabotage;
pub mod scenario;
#[cfg(feature = "serve")]
pub mod serve;
mod signal;
pub mod span;
pub mod target;
#[cfg(feature = "testing")]
pub mod testing;
pub mod verdict;
