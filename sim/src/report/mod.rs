//! How a verdict is shown.

pub mod ladder;
