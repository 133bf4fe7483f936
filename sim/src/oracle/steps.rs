//! The steps of a plan as a flat list: what a step's number means.

use std::collections::BTreeMap;

use crate::plan::{Action, Fault, Plan, Step};

/// A step, and which acting step is before it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The step.
    pub step: &'a Step,
    /// The acting step before it: that one's beginning and end bound windows.
    pub previous: Option<u32>,
}

/// The steps of a plan in the order of the file, nested ones included.
#[must_use]
pub fn flatten(plan: &Plan) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    add(&plan.steps, None, &mut places);
    places
}

fn add<'a>(steps: &'a [Step], mut previous: Option<u32>, places: &mut Vec<Place<'a>>) {
    for step in steps {
        places.push(Place { step, previous });
        if let Action::Together(inner) = &step.action {
            add(inner, previous, places);
        }
        if acts(step) {
            previous = Some(step.id.0);
        }
    }
}

/// Whether a step does something, rather than wait for something.
#[must_use]
pub fn acts(step: &Step) -> bool {
    match &step.action {
        Action::Expect(_)
        | Action::Never(_)
        | Action::ExpectConnection(_)
        | Action::ExpectRooms { .. } => false,
        Action::Together(inner) => inner.iter().any(acts),
        Action::Connect { .. }
        | Action::Disconnect { .. }
        | Action::Emit(_)
        | Action::Server(_)
        | Action::Raw(_)
        | Action::Advance(_)
        | Action::Fault { .. }
        | Action::Heal(_) => true,
    }
}

/// Steps by number.
#[must_use]
pub fn by_number(plan: &Plan) -> BTreeMap<u32, &Step> {
    flatten(plan).into_iter().map(|place| (place.step.id.0, place.step)).collect()
}

/// The rack that a fault's step is about.
pub(super) fn rack_of(plan: &Plan, number: u32) -> Option<u8> {
    let step = *by_number(plan).get(&number)?;
    match &step.action {
        Action::Fault { fault: Fault::Partition { rack } | Fault::Hold { rack }, .. } => {
            Some(*rack)
        }
        Action::Fault { .. }
        | Action::Connect { .. }
        | Action::Disconnect { .. }
        | Action::Emit(_)
        | Action::Server(_)
        | Action::Raw(_)
        | Action::Advance(_)
        | Action::Heal(_)
        | Action::Together(_)
        | Action::Expect(_)
        | Action::Never(_)
        | Action::ExpectConnection(_)
        | Action::ExpectRooms { .. } => None,
    }
}
