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
    let by_id: BTreeMap<StepId, usize> =
        flat.iter().enumerate().map(|(place, (step, _))| (step.id, place)).collect();
    for reference in &labels.references {
        let (from, to) = (by_id.get(&reference.from), by_label.get(&*reference.label));
        let (Some(from), Some(to)) = (from, to) else {
            // A step that could not be read, which is reported.
            continue;
        };
        look(cx, reference, *from, *to, flat[*to].0);
    }
    heal_all(cx, &flat);
    let timeline = Timeline::new(&flat, &by_label);
    for (place, (step, together)) in flat.iter().enumerate() {
        if let Action::Never(never) = &step.action {
            timeline.window(cx, place, never, *together);
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

/// The steps as `never` sees them.
struct Timeline<'s> {
    flat: &'s [(&'s Step, Option<usize>)],
    by_label: &'s BTreeMap<&'s str, usize>,
    /// The first step at or behind a place that stirs something.
    next_stir: Vec<usize>,
    /// The last acting step before a place; the first step of all if there is none.
    previous_act: Vec<usize>,
    /// How much time has certainly passed before a place.
    passed: Vec<Duration>,
}

impl<'s> Timeline<'s> {
    fn new(flat: &'s [(&'s Step, Option<usize>)], by_label: &'s BTreeMap<&'s str, usize>) -> Self {
        let mut next_stir = vec![flat.len(); flat.len() + 1];
        for (place, (step, _)) in flat.iter().enumerate().rev() {
            next_stir[place] = if stirs(&step.action) { place } else { next_stir[place + 1] };
        }
        let (mut previous_act, mut passed) = (Vec::new(), Vec::new());
        let (mut last, mut time) = (0, Duration::ZERO);
        for (place, (step, _)) in flat.iter().enumerate() {
            previous_act.push(last);
            passed.push(time);
            if step.action.acts() {
                last = place;
            }
            if let Action::Advance(by) = step.action {
                time += by;
            }
        }
        Self { flat, by_label, next_stir, previous_act, passed }
    }

    /// Reports a `never` that could not fail.
    fn window(&self, cx: &mut Cx, place: usize, never: &Never, together: Option<usize>) {
        let begin = match &never.since {
            Since::Label(label) => self.by_label.get(&**label).copied(),
            // Beside others in a `together`, the window begins with all of them.
            Since::PreviousAct => Some(together.unwrap_or(self.previous_act[place])),
        };
        let end = match &never.until {
            Until::Label(label) => self.by_label.get(&**label).copied(),
            Until::Quiet => Some(self.flat.len()),
            Until::Time(time) => {
                let end = self.passed[place] + *time;
                Some(self.passed.partition_point(|passed| *passed < end).max(place))
            }
        };
        let (Some(begin), Some(end)) = (begin, end) else { return };
        if self.next_stir[begin] < end {
            return;
        }
        if matches!(never.until, Until::Label(_)) && end <= place {
            // The label is further up, which is reported.
            return;
        }
        cx.report(self.vacuous(place, never, begin, end));
    }

    fn vacuous(&self, place: usize, never: &Never, begin: usize, end: usize) -> Diagnostic {
        let step = self.flat[place].0;
        let title = "this `never` cannot fail: nothing is sent in its window";
        let mut error =
            Diagnostic::error(codes::VACUOUS, title, &step.span, "would pass on any server");
        let first = self.flat[begin].0;
        if begin < place && first.span != step.span {
            error = error.context(&first.span, "the window begins here");
        }
        let limit = match (&never.until, self.flat.get(end)) {
            (Until::Label(_), Some((last, _))) => {
                error = error.context(&last.span, "and ends before this");
                String::new()
            }
            (Until::Time(time), _) => {
                format!("nothing is sent in the {} that follow either; ", duration::display(*time))
            }
            (Until::Label(_) | Until::Quiet, _) => String::new(),
        };
        let before = self.flat[..begin].iter().rev().find(|(step, _)| stirs(&step.action));
        let help = match before {
            Some((sender, _)) => match &sender.label {
                Some(label) => {
                    let label = label.split('@').next().unwrap_or_default();
                    format!("let it begin with the step that sends: `since: {label}`")
                }
                None => format!(
                    "let it begin with the step that sends: give line {} an `id`, and name it by `since`",
                    sender.span.line
                ),
            },
            None => "put it behind the step that sends, or name that by `since`".into(),
        };
        error.help(format!("{limit}{help}"))
    }
}
