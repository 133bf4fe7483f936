//! The commands, each in a file of its own.

pub(crate) mod check;
pub(crate) mod check_history;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod conformance;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod isolated;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod target;
pub(crate) mod targets;
pub(crate) mod trace;
