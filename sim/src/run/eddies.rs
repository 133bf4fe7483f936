//! Plays a plan on turmoil.

use super::RunOptions;
use crate::history::Event;
use crate::plan::Plan;

pub(super) fn play(_: &Plan, _: &RunOptions) -> Result<Vec<Event>, String> {
    Err("not yet".to_owned())
}
