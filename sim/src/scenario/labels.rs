//! Labels of steps: `id`, and what refers to it.
//!
//! A label of a verb's or a repetition's step is known inside of it only, and each unfolding has
//! its own: it is renamed, as `hello` to `hello@3`, which no file can spell.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::cx::{Cx, did_you_mean};
use super::node::{Entry, Node};
use crate::diagnostic::Diagnostic;
use crate::plan::StepId;
use crate::span::Span;

/// What refers to a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Since,
    Until,
    AllOf,
    Heal,
}

/// A reference to a label, looked at when all steps are known.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// As in the plan.
    pub(super) label: String,
    /// As in the file.
    pub(super) shown: String,
    pub(super) span: Span,
    pub(super) how: Use,
    pub(super) from: StepId,
}

/// Labels that are known, and references to them.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// Names as in the file, to names as in the plan and places; the innermost last.
    scopes: Vec<BTreeMap<String, (String, Span)>>,
    /// Labels of scopes that are closed.
    hidden: BTreeSet<String>,
    /// Places of labels, and whether something refers to them.
    defined: BTreeMap<Span, (String, bool)>,
    pub(super) references: Vec<Reference>,
    unfoldings: u32,
}

impl Labels {
    /// Opens a scope with the labels of these steps. `alias` is the label of the whole in the scope
    /// around it, which the label of the first step goes by.
    pub(super) fn open(&mut self, cx: &mut Cx, steps: &[Node], alias: Option<&str>) {
        let number = self.unfoldings;
        self.unfoldings += 1;
        let mut found = Vec::new();
        steps.iter().for_each(|step| collect(step, &mut found));
        let first = steps.first().and_then(label_of).map(|(_, span)| span.clone());
        let mut scope: BTreeMap<String, (String, Span)> = BTreeMap::new();
        for (name, span) in found {
            if let Some((_, first)) = scope.get(name) {
                let title = format!("two steps have the `id` `{name}`");
                let error = Diagnostic::error(codes::DUPLICATE_LABEL, title, span, "again");
                cx.report(error.context(first, "first here").help("give one of them another `id`"));
                continue;
            }
            let unique = match alias {
                Some(alias) if first.as_ref() == Some(span) => alias.to_owned(),
                Some(_) | None if number == 0 => name.to_owned(),
                Some(_) | None => format!("{name}@{number}"),
            };
            self.defined.entry(span.clone()).or_insert_with(|| (name.to_owned(), false));
            scope.insert(name.to_owned(), (unique, span.clone()));
        }
        self.scopes.push(scope);
    }

    pub(super) fn close(&mut self) {
        let scope = self.scopes.pop().unwrap_or_default();
        self.hidden.extend(scope.into_keys());
    }

    /// The name in the plan of a label that is defined in the innermost scope.
    pub(super) fn own(&self, name: &str) -> Option<String> {
        self.scopes.last()?.get(name).map(|(unique, _)| unique.clone())
    }

    /// The name in the plan of a label that something refers to.
    pub(super) fn refer(
        &mut self,
        cx: &mut Cx,
        node: &Node,
        how: Use,
        from: StepId,
    ) -> Option<String> {
        let what = match how {
            Use::Since => "`since`",
            Use::Until => "`until`",
            Use::AllOf => "`all-of`",
            Use::Heal => "`what`",
        };
        let shown = cx.text(node, what)?;
        let known = self.scopes.iter().rev().find_map(|scope| scope.get(shown));
        let Some((unique, place)) = known else {
            self.unknown(cx, shown, &node.span);
            return None;
        };
        if let Some((_, used)) = self.defined.get_mut(place) {
            *used = true;
        }
        let label = unique.clone();
        let reference = Reference {
            label: label.clone(),
            shown: shown.into(),
            span: node.span.clone(),
            how,
            from,
        };
        self.references.push(reference);
        Some(label)
    }

    fn unknown(&self, cx: &mut Cx, shown: &str, span: &Span) {
        let title = format!("no step has the `id` `{shown}`");
        let error = Diagnostic::error(codes::UNKNOWN_LABEL, title, span, "refers to nothing");
        if self.hidden.contains(shown) {
            let help = "a step inside of a verb or a `repeat` has it, and it is known there only";
            cx.report(error.help(help));
            return;
        }
        let known: Vec<&str> =
            self.scopes.iter().flat_map(|scope| scope.keys().map(String::as_str)).collect();
        let error = match super::cx::nearest(shown, &known) {
            Some(near) => {
                let place = self.scopes.iter().find_map(|scope| scope.get(near));
                let error = match place {
                    Some((_, place)) => error.context(place, "a label with a similar name"),
                    None => error,
                };
                did_you_mean(error, shown, span, &known, "")
            }
            None if known.is_empty() => {
                error.help(format!("give the step that is meant an `id: {shown}`"))
            }
            None => did_you_mean(error, shown, span, &known, "the labels are"),
        };
        cx.report(error);
    }

    /// Warns about labels that nothing refers to.
    pub(super) fn lint(&self, cx: &mut Cx) {
        for (span, (name, used)) in &self.defined {
            if !used {
                let title = format!("nothing refers to the `id` `{name}`");
                let warning = Diagnostic::warning(codes::UNUSED_LABEL, title, span, "not used");
                let help =
                    "remove it, or use it: `since`, `until`, `all-of` and `what` refer to steps";
                cx.report(warning.help(help));
            }
        }
    }
}

/// The label of a step, if it has one.
fn label_of(step: &Node) -> Option<(&str, &Span)> {
    let [Entry { value, .. }] = step.map()? else { return None };
    let label = value.get("id")?;
    label.text().map(|text| (text, &label.span))
}

/// Labels of a step and of those beside it, but not of repeated ones.
fn collect<'n>(step: &'n Node, found: &mut Vec<(&'n str, &'n Span)>) {
    found.extend(label_of(step));
    if let Some([Entry { key, value }]) = step.map()
        && key.value == "together"
    {
        value.list().unwrap_or_default().iter().for_each(|step| collect(step, found));
    }
}
