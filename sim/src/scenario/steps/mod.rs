//! Readers for steps: the words of [`crate::plan`] from nodes, with verbs and repetitions unfolded
//! and names resolved.

mod act;
mod expect;
mod fault;
pub(super) mod words;

use std::collections::BTreeSet;

use super::clients::Clients;
use super::codes;
use super::cx::Cx;
use super::fields::Fields;
use super::labels::{Labels, Use};
use super::node::{Entry, Node};
use super::values::{self, Holes};
use super::verbs::{Verbs, number};
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, ClientId, Step, StepId};
use crate::span::Span;
use words::{STEPS, only_entry, step_names, unknown_step};

/// Steps of a scenario, unfolded.
const MAX_STEPS: usize = 100_000;

/// Values that verbs and repetitions unfold into, and clients that all steps together speak of:
/// `all` of 50,000, in as many steps as a file should have then.
const MAX_WORK: usize = 5_000_000;

/// A value weighs as much as so many mentions of a client.
const WEIGHT: usize = 5;

/// Reads steps.
pub(super) struct Steps<'a> {
    pub(super) cx: &'a mut Cx,
    pub(super) clients: &'a mut Clients,
    pub(super) verbs: &'a Verbs,
    pub(super) racks: u8,
    pub(super) labels: Labels,
    /// Verbs that were called.
    pub(super) called: BTreeSet<String>,
    captures: BTreeSet<String>,
    next: u32,
    work: usize,
    /// Whether a budget is used up: everything else stops then.
    full: bool,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        cx: &'a mut Cx,
        clients: &'a mut Clients,
        verbs: &'a Verbs,
        racks: u8,
    ) -> Self {
        Self {
            cx,
            clients,
            verbs,
            racks,
            labels: Labels::default(),
            called: BTreeSet::new(),
            captures: BTreeSet::new(),
            next: 0,
            work: 0,
            full: false,
        }
    }

    /// Reads the steps of a scenario.
    pub(super) fn read(&mut self, node: &Node) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(items) = self.cx.list(node, "`steps`") else { return steps };
        if items.is_empty() {
            let error = Diagnostic::error(
                codes::EMPTY,
                "a scenario without steps",
                &node.span,
                "nothing happens",
            );
            self.cx.report(error.help("a scenario needs one step at least, to be worth its name"));
        }
        self.labels.open(self.cx, items, None);
        items.iter().for_each(|item| self.step(item, &mut steps));
        // The outermost scope stays open for `lint`.
        steps
    }

    fn step(&mut self, node: &Node, steps: &mut Vec<Step>) {
        self.work += 1;
        if usize::try_from(self.next).unwrap_or(usize::MAX) >= MAX_STEPS {
            self.overflow(node);
        }
        if self.is_full(node) || self.cx.is_fed_up() {
            return;
        }
        let Some(entry) = only_entry(self.cx, node) else { return };
        let name = entry.key.value.as_str();
        let label = self.label(entry);
        match name {
            "together" => self.together(node, entry, steps),
            "repeat" => self.repeat(entry, label.as_deref(), steps),
            _ if step_names().any(|known| known == name) => {
                self.built_in(node, entry, label, steps)
            }
            _ => self.verb(node, entry, label.as_deref(), steps),
        }
    }

    /// Whether a budget is used up; says so once.
    fn is_full(&mut self, node: &Node) -> bool {
        if self.work > MAX_WORK {
            self.overflow(node);
        }
        self.full
    }

    fn overflow(&mut self, node: &Node) {
        if self.full {
            return;
        }
        self.full = true;
        let title =
            format!("the scenario unfolds into more than {MAX_STEPS} steps, or as much work");
        let error = Diagnostic::error(codes::BUDGET, title, &node.span, "too much with this one");
        self.cx.report(error.help("repeat less; an event that is sent often needs `times` only"));
    }

    /// The label of a step, as in the plan.
    fn label(&mut self, entry: &Entry) -> Option<String> {
        let node = entry.value.get("id")?;
        let text = self.cx.text(node, "`id`")?;
        self.cx.name(text, &node.span, "a step")?;
        if ["all", "quiet"].contains(&text) {
            let title = format!("the `id` of a step cannot be `{text}`");
            self.cx.error(codes::BAD_NAME, title, &node.span, "this word has a meaning");
            return None;
        }
        self.labels.own(text)
    }

    fn id(&mut self) -> StepId {
        let id = StepId(self.next);
        self.next += 1;
        id
    }

    /// Where a step stands: the outermost call of a verb, or itself.
    fn place(&self, node: &Node) -> Span {
        self.cx.outer_call().unwrap_or(&node.span).clone()
    }

    fn built_in(
        &mut self,
        node: &Node,
        entry: &Entry,
        label: Option<String>,
        steps: &mut Vec<Step>,
    ) {
        let (id, span) = (self.id(), self.place(node));
        let name = entry.key.value.as_str();
        let what = format!("`{name}`");
        let keys = STEPS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, keys)| keys);
        let known: Vec<&str> = keys.iter().copied().chain(["id"]).collect();
        let empty = Node { data: super::node::Data::Map(Vec::new()), span: entry.key.span.clone() };
        let value = if entry.value.is_null() { &empty } else { &entry.value };
        if let (true, [main, ..]) = (value.map().is_none(), keys) {
            self.shorthand(entry, main);
            return;
        }
        let Some(fields) = self.cx.fields(value, &what, &entry.key.span, &known) else { return };
        let action = match name {
            "expect" => self.expect(&fields, id),
            "never" => self.never(&fields, id),
            "expect-connection" => self.expect_connection(&fields),
            "expect-rooms" => self.expect_rooms(&fields),
            "heal" => self.heal(&fields, id),
            "cut" | "half-close" | "stall" | "black-hole" | "delay" | "chop" | "refuse"
            | "partition" | "hold" | "crash" => self.fault(name, &fields),
            _ => self.act(name, &fields),
        };
        if let Some(action) = action {
            steps.push(Step { id, span, label, action });
        }
    }

    /// Reports a step whose keys were left out: `advance: 1s`.
    fn shorthand(&mut self, entry: &Entry, main: &str) {
        let (name, value) = (&entry.key.value, &entry.value);
        let title = format!("`{name}` is a map, and this is {value}");
        let error = Diagnostic::error(codes::WRONG_TYPE, title, &value.span, "not a map");
        let help = format!("name the key: `{name}: {{ {main}: … }}`");
        let error = error.help(help);
        self.cx.report(match value.written() {
            Some(scalar) if scalar.plain => {
                error.suggest(&value.span, format!("{{ {main}: {} }}", scalar.text))
            }
            Some(_) | None => error,
        });
    }

    fn together(&mut self, node: &Node, entry: &Entry, steps: &mut Vec<Step>) {
        let (id, span) = (self.id(), self.place(node));
        let Some(items) = self.cx.list(&entry.value, "`together`") else { return };
        if items.is_empty() {
            self.cx.error(
                codes::EMPTY,
                "`together` has no steps",
                &entry.key.span,
                "nothing happens",
            );
            return;
        }
        let mut branches = Vec::new();
        for item in items {
            let before = branches.len();
            self.step(item, &mut branches);
            if branches.len() > before + 1 {
                let title = "what stands in `together` must be one step each";
                let label = format!("unfolds into {} steps", branches.len() - before);
                let error = Diagnostic::error(codes::CONFLICT, title, &item.span, label);
                let help =
                    "steps of `together` begin at the same time; write the ones that are meant";
                self.cx.report(error.help(help));
                branches.truncate(before + 1);
            }
        }
        steps.push(Step { id, span, label: None, action: Action::Together(branches) });
    }

    fn repeat(&mut self, entry: &Entry, alias: Option<&str>, steps: &mut Vec<Step>) {
        let known = ["times", "steps", "id"];
        let Some(fields) = self.cx.fields(&entry.value, "`repeat`", &entry.key.span, &known) else {
            return;
        };
        let times = fields.need(self.cx, "times");
        let times = times.and_then(|node| self.cx.integer::<i64>(node, "`times`", 1..=100_000));
        let Some(body) = fields.need(self.cx, "steps") else { return };
        let Some(items) = self.cx.list(body, "`steps`") else { return };
        if items.is_empty() {
            self.cx.error(codes::EMPTY, "`repeat` has no steps", &body.span, "nothing is repeated");
            return;
        }
        let size = body.size();
        for index in 0..times.unwrap_or(1) {
            self.work += size.saturating_mul(WEIGHT);
            if self.is_full(&entry.value) {
                return;
            }
            let before = self.cx.count();
            let alias = alias.filter(|_| index == 0);
            self.labels.open(self.cx, items, alias);
            items.iter().for_each(|item| self.step(&number(item, index), steps));
            self.labels.close();
            // The next repetition would say the same again.
            if self.cx.count() > before {
                break;
            }
        }
    }

    fn verb(&mut self, node: &Node, entry: &Entry, alias: Option<&str>, steps: &mut Vec<Step>) {
        let Some(verb) = self.verbs.get(&entry.key.value) else {
            unknown_step(self.cx, &entry.key, self.verbs.names());
            return;
        };
        self.called.insert(entry.key.value.clone());
        let most = MAX_WORK.saturating_sub(self.work) / WEIGHT;
        let Some((body, values)) = verb.unfold(self.cx, entry, most) else { return };
        self.work += values.saturating_mul(WEIGHT);
        if self.is_full(node) {
            return;
        }
        let before = steps.len();
        self.cx.enter_call(&node.span);
        self.labels.open(self.cx, &body, alias);
        body.iter().for_each(|step| self.step(step, steps));
        self.labels.close();
        self.cx.leave_call();
        if let (Some(alias), Some(first)) = (alias, steps.get_mut(before)) {
            first.label.get_or_insert_with(|| alias.to_owned());
        }
    }

    /// The clients that a key names.
    fn who(&mut self, fields: &Fields<'_>, key: &str) -> Option<Vec<ClientId>> {
        let node = fields.need(self.cx, key)?;
        let clients = self.clients.many(self.cx, node, &format!("`{key}`"))?;
        self.work += clients.len();
        Some(clients)
    }

    /// The namespace of a step: what it says, or where all of its clients are.
    fn namespace(
        &mut self,
        fields: &Fields<'_>,
        clients: &[ClientId],
        key: &str,
    ) -> Option<String> {
        let place = fields.get(key).map_or(&fields.at, |node| &node.span);
        let given = match fields.get("namespace") {
            Some(node) => {
                let name = self.cx.text(node, "`namespace`")?;
                super::server::namespace_name(self.cx, name, &node.span)?;
                Some((name.to_owned(), &node.span))
            }
            None => None,
        };
        if let Some((name, span)) = given {
            for id in clients {
                values::entered(self.cx, self.clients, *id, &name, span)?;
            }
            return Some(name);
        }
        let enters = |id: &ClientId, name: &str| self.clients.client(*id).enters(name);
        if clients.iter().all(|id| enters(id, "/")) {
            return Some("/".into());
        }
        let first = clients.first().map(|id| self.clients.client(*id).namespaces.clone());
        let common: Vec<String> = first
            .unwrap_or_default()
            .into_iter()
            .map(|entered| entered.name)
            .filter(|name| clients.iter().all(|id| enters(id, name)))
            .collect();
        if let [only] = &common[..] {
            return Some(only.clone());
        }
        let title = if common.is_empty() {
            format!("the clients of {} have no namespace in common", fields.what)
        } else {
            format!("{} does not say which namespace is meant", fields.what)
        };
        let help = if common.is_empty() {
            "make a step of each namespace".to_owned()
        } else {
            format!("add `namespace: {}`, or another one of {}", common[0], common.join(", "))
        };
        let error = Diagnostic::error(codes::NOT_IN_NAMESPACE, title, place, "these clients");
        self.cx.report(error.help(help));
        None
    }

    fn holes<'s>(
        &'s mut self,
        namespace: Option<&'s str>,
        repeated: bool,
    ) -> (&'s mut Cx, Holes<'s>) {
        let holes = Holes { clients: self.clients, namespace, captures: &self.captures, repeated };
        (self.cx, holes)
    }

    fn heal(&mut self, fields: &Fields<'_>, id: StepId) -> Option<Action> {
        let what = fields.need(self.cx, "what")?;
        if what.text() == Some("all") {
            return Some(Action::Heal(None));
        }
        self.labels.refer(self.cx, what, Use::Heal, id).map(|label| Action::Heal(Some(label)))
    }
}
