//! What can be read but cannot be meant: references that point the wrong way, windows that contain
//! nothing, and the healing of what is not broken.

use std::collections::BTreeMap;
use std::time::Duration;

use super::codes;
use super::cx::Cx;
use super::labels::{Labels, Reference, Use};
use crate::diagnostic::Diagnostic;
use crate::duration;
use crate::plan::{Action, Fault, Never, ServerAction, Since, Step, StepId, Until};

/// Looks at all steps together.
pub(super) fn steps(cx: &mut Cx, steps: &[Step], labels: &Labels) {
    let mut flat = Vec::new();
    flatten(steps, None, &mut flat);
    let by_label: BTreeMap<&str, usize> = flat
        .iter()
        .enumerate()
        .filter_map(|(place, (step, _))| Some((step.label.as_deref()?, place)))
        .collect();
    let place_of = |id: StepId| flat.iter().position(|(step, _)| step.id == id);
    for reference in &labels.references {
        let (Some(from), Some(to)) = (place_of(reference.from), by_label.get(&*reference.label))
        else {
            // A step that could not be read, which is reported.
            continue;
        };
        look(cx, reference, from, *to, flat[*to].0);
    }
    heal_all(cx, &flat);
    for (place, (step, together)) in flat.iter().enumerate() {
        if let Action::Never(never) = &step.action {
            window(cx, &flat, &by_label, place, never, *together);
        }
    }
}

/// All steps in the order of the file, each with the place of the `together` that holds it.
fn flatten<'s>(
    steps: &'s [Step],
    within: Option<usize>,
    flat: &mut Vec<(&'s Step, Option<usize>)>,
) {
    for step in steps {
        let place = flat.len();
        flat.push((step, within));
        if let Action::Together(inner) = &step.action {
            flatten(inner, within.or(Some(place)), flat);
        }
    }
}

/// Looks at a reference: its direction, and what it points at.
fn look(cx: &mut Cx, reference: &Reference, from: usize, to: usize, step: &Step) {
    let shown = &reference.shown;
    let span = &reference.span;
    let error = |code, title, label: &str| {
        Diagnostic::error(code, title, span, label).context(&step.span, "the step that is meant")
    };
    let (above, key) = match reference.how {
        Use::Until => (false, "until"),
        Use::Since => (true, "since"),
        Use::AllOf => (true, "all-of"),
        Use::Heal => (true, "what"),
    };
    if above && to >= from {
        let title = format!("`{key}: {shown}` refers to a step further down");
        let help = "it refers to a step above; move one of the two";
        cx.report(error(codes::LABEL_ORDER, title, "not yet begun").help(help));
        return;
    }
    if !above && to <= from {
        let title = format!("`{key}: {shown}` refers to a step further up");
        let help = "a window that begins here cannot end there: `until` refers to a step below";
        cx.report(error(codes::LABEL_ORDER, title, "already over").help(help));
        return;
    }
    match reference.how {
        Use::AllOf if !sends(&step.action) => {
            let title = format!("the step `{shown}` sends nothing");
            let help = "`all-of` refers to an `emit` or a `broadcast`";
            cx.report(error(codes::SENDS_NOTHING, title, "all of what?").help(help));
        }
        Use::Heal => heal(cx, reference, step),
        Use::Since | Use::Until | Use::AllOf => {}
    }
}

fn heal(cx: &mut Cx, reference: &Reference, step: &Step) {
    let shown = &reference.shown;
    let (title, help) = match &step.action {
        Action::Fault { fault: Fault::Cut { .. } | Fault::HalfClose { .. }, .. } => (
            format!("there is nothing to mend: `{shown}` happens once"),
            "clients come back by themselves, unless `refuse` keeps them out",
        ),
        Action::Fault { .. } => return,
        Action::Connect { .. }
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
        | Action::ExpectRooms { .. } => (
            format!("the step `{shown}` breaks nothing"),
            "`heal` refers to a fault, as `stall` or `partition`",
        ),
    };
    let error = Diagnostic::error(codes::NOT_A_FAULT, title, &reference.span, "nothing to mend");
    cx.report(error.context(&step.span, "the step that is meant").help(help));
}

/// `heal: {what: all}` mends something.
fn heal_all(cx: &mut Cx, flat: &[(&Step, Option<usize>)]) {
    let mut broken = false;
    for (step, _) in flat {
        match &step.action {
            Action::Fault { fault: Fault::Cut { .. } | Fault::HalfClose { .. }, .. } => {}
            Action::Fault { .. } => broken = true,
            Action::Heal(None) if !broken => {
                let title = "nothing is broken here";
                let error =
                    Diagnostic::error(codes::NOT_A_FAULT, title, &step.span, "nothing to mend");
                cx.report(error.help("`heal` stands below the faults that it mends"));
            }
            Action::Connect { .. }
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
            | Action::ExpectRooms { .. } => {}
        }
    }
}

/// Whether a step sends events.
const fn sends(action: &Action) -> bool {
    match action {
        Action::Emit(_) | Action::Server(ServerAction::Broadcast { .. }) => true,
        Action::Connect { .. }
        | Action::Disconnect { .. }
        | Action::Server(_)
        | Action::Raw(_)
        | Action::Advance(_)
        | Action::Fault { .. }
        | Action::Heal(_)
        | Action::Together(_)
        | Action::Expect(_)
        | Action::Never(_)
        | Action::ExpectConnection(_)
        | Action::ExpectRooms { .. } => false,
    }
}

/// Whether something may arrive somewhere because of a step. Faults and their end count: what was
/// lost or held is sent again.
const fn stirs(action: &Action) -> bool {
    match action {
        Action::Connect { .. } | Action::Raw(_) | Action::Fault { .. } | Action::Heal(_) => true,
        Action::Emit(_) | Action::Server(_) => sends(action),
        Action::Disconnect { .. }
        | Action::Advance(_)
        | Action::Together(_)
        | Action::Expect(_)
        | Action::Never(_)
        | Action::ExpectConnection(_)
        | Action::ExpectRooms { .. } => false,
    }
}

/// Reports a `never` that could not fail.
fn window(
    cx: &mut Cx,
    flat: &[(&Step, Option<usize>)],
    by_label: &BTreeMap<&str, usize>,
    place: usize,
    never: &Never,
    together: Option<usize>,
) {
    let step = flat[place].0;
    let begin = match &never.since {
        Since::Label(label) => by_label.get(&**label).copied(),
        // Beside others in a `together`, the window begins with all of them.
        Since::PreviousAct => Some(together.unwrap_or_else(|| previous_act(flat, place))),
    };
    let end = match &never.until {
        Until::Label(label) => by_label.get(&**label).copied(),
        Until::Quiet => Some(flat.len()),
        Until::Time(time) => Some(still_open(flat, place, *time)),
    };
    let (Some(begin), Some(end)) = (begin, end) else { return };
    let inside = flat.get(begin..end).unwrap_or_default();
    if begin >= end && !matches!(never.until, Until::Label(_)) {
        return;
    }
    if inside.iter().any(|(step, _)| stirs(&step.action)) {
        return;
    }
    let title = "this `never` cannot fail: nothing is sent in its window";
    let error = Diagnostic::error(codes::VACUOUS, title, &step.span, "would pass on any server");
    let first = flat.get(begin).filter(|_| begin < place).map(|(step, _)| &step.span);
    let error = match first {
        Some(span) if *span != step.span => error.context(span, "the window begins here"),
        Some(_) | None => error,
    };
    let error = match (&never.until, flat.get(end)) {
        (Until::Label(_), Some((last, _))) => error.context(&last.span, "and ends before this"),
        (Until::Time(time), _) => {
            let help = format!("nothing is sent within {} either", duration::display(*time));
            error.help(help)
        }
        (Until::Label(_) | Until::Quiet, _) => error,
    };
    let before = flat[..begin.min(place)].iter().rev().find(|(step, _)| stirs(&step.action));
    let more = match before {
        Some((sender, _)) if sender.label.is_some() => {
            let label = sender.label.as_deref().unwrap_or_default();
            let label = label.split('@').next().unwrap_or_default();
            format!("let it begin with the step that sends: `since: {label}`")
        }
        Some((sender, _)) => format!(
            "let it begin with the step that sends, in line {}: give that an `id`, and name it by `since`",
            sender.span.line
        ),
        None => "put it behind the step that sends, or name that by `since`".into(),
    };
    let help = error.help.as_ref().map_or_else(|| more.clone(), |help| format!("{help}; {more}"));
    cx.report(error.help(help));
}

/// The place of the last acting step before this one; the first step of all if there is none.
fn previous_act(flat: &[(&Step, Option<usize>)], place: usize) -> usize {
    let acting = |(step, _): &(&Step, Option<usize>)| step.action.acts();
    flat[..place].iter().rposition(acting).unwrap_or(0)
}

/// The place of the first step that certainly begins after a window of this length.
fn still_open(flat: &[(&Step, Option<usize>)], place: usize, window: Duration) -> usize {
    let mut passed = Duration::ZERO;
    for (at, (step, _)) in flat.iter().enumerate().skip(place) {
        if let Action::Advance(by) = step.action {
            passed += by;
        }
        if passed >= window {
            return at + 1;
        }
    }
    flat.len()
}
