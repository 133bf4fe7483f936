//! Verbs: words of the application, read from the files under `use` and unfolded where they are
//! called. Unfolding works on nodes, so that every message can point at the argument itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cx::{Cx, did_you_mean, nearest};
use super::node::{Data, Entry, Node, Scalar, Word};
use super::steps::words::{STEPS, step_names};
use super::{codes, values, yaml};
use crate::diagnostic::{Diagnostic, Sources};
use crate::duration;
use crate::span::{Span, Spanned};

pub(super) const FILE: &[&str] = &["version", "verbs"];
pub(super) const VERB: &[&str] = &["params", "steps"];
pub(super) const PARAM: &[&str] = &["type", "default", "optional"];

/// Types of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Clients,
    Client,
    String,
    Number,
    Boolean,
    Duration,
    List,
    Value,
}

pub(super) const TYPES: [(Type, &str); 8] = [
    (Type::Clients, "clients"),
    (Type::Client, "client"),
    (Type::String, "string"),
    (Type::Number, "number"),
    (Type::Boolean, "boolean"),
    (Type::Duration, "duration"),
    (Type::List, "list"),
    (Type::Value, "value"),
];

/// A verb.
#[derive(Clone, Debug)]
pub(super) struct Verb {
    pub(super) span: Span,
    params: Vec<Param>,
    steps: Vec<Node>,
    /// Whether it uses what it may not: that is reported, and calls say no more.
    broken: bool,
}

#[derive(Clone, Debug)]
struct Param {
    name: String,
    span: Span,
    kind: Type,
    default: Option<Node>,
    optional: bool,
}

/// All verbs that a scenario knows.
#[derive(Debug, Default)]
pub(super) struct Verbs {
    by_name: BTreeMap<String, Arc<Verb>>,
}

impl Verbs {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Verb>> {
        self.by_name.get(name).cloned()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Names of verbs that stand in this file.
    pub(super) fn of_file(&self, file: &str) -> impl Iterator<Item = &str> {
        let own = move |(_, verb): &(&String, &Arc<Verb>)| &*verb.span.file == file;
        self.by_name.iter().filter(own).map(|(name, _)| name.as_str())
    }

    /// Reads a file of verbs.
    pub(super) fn read(
        &mut self,
        cx: &mut Cx,
        name: &Arc<str>,
        text: &str,
        used_at: &Span,
        sources: &mut Sources,
    ) {
        sources.insert(Arc::clone(name), text);
        let mut diagnostics = Vec::new();
        let root = yaml::parse(name, text, &mut diagnostics);
        diagnostics.into_iter().for_each(|diagnostic| cx.report(diagnostic));
        let Some(root) = root else { return };
        if root.get("verbs").is_none() && root.get("steps").is_some() {
            let title = format!("`{name}` is a scenario, and not a file of verbs");
            let error = Diagnostic::error(codes::BAD_USE, title, used_at, "named under `use`");
            cx.report(error.help("move the steps that are shared to a file with `verbs`"));
            return;
        }
        let Some(fields) = cx.fields(&root, "a file of verbs", &root.span, FILE) else { return };
        super::file::version(cx, &fields);
        let Some(verbs) = fields.need(cx, "verbs") else { return };
        let Some(entries) = verbs.map() else {
            cx.wrong(verbs, "`verbs`", "a map of names to verbs");
            return;
        };
        let later: Vec<&str> = entries.iter().map(|entry| entry.key.value.as_str()).collect();
        for (place, entry) in entries.iter().enumerate() {
            self.verb(cx, entry, later.get(place..).unwrap_or_default());
        }
    }

    fn verb(&mut self, cx: &mut Cx, entry: &Entry, later: &[&str]) {
        let (name, span) = (&entry.key.value, &entry.key.span);
        if cx.name(name, span, "a verb").is_none() {
            return;
        }
        if step_names().any(|step| step == name) {
            let title = format!("`{name}` is a built-in step, and cannot be a verb");
            let error = Diagnostic::error(codes::BAD_VERB, title, span, "this name is taken");
            cx.report(error.help("give the verb another name"));
            return;
        }
        if let Some(first) = self.by_name.get(name) {
            let title = format!("the verb `{name}` is defined twice");
            let error = Diagnostic::error(codes::BAD_VERB, title, span, "again");
            cx.report(error.context(&first.span, "first here").help("rename one of them"));
            return;
        }
        let what = format!("the verb `{name}`");
        let before = cx.count();
        let fields = cx.fields(&entry.value, &what, span, VERB);
        let params = fields.as_ref().and_then(|fields| fields.get("params"));
        let params = params.map(|node| params_of(cx, node)).unwrap_or_default();
        let body = fields.and_then(|fields| fields.need(cx, "steps"));
        let steps = body.and_then(|body| cx.list(body, "`steps`")).unwrap_or_default();
        if let (true, Some(body)) = (steps.is_empty(), body.filter(|body| body.list().is_some())) {
            cx.error(codes::EMPTY, format!("{what} does nothing"), &body.span, "no steps");
        }
        let known = steps.iter().map(|step| self.look(cx, step, later)).collect::<Vec<_>>();
        let broken = known.contains(&false) || cx.count() > before;
        for param in &params {
            if !steps.iter().any(|step| mentions(step, &param.name)) {
                let title = format!("no step of {what} uses the parameter `{}`", param.name);
                let warning =
                    Diagnostic::warning(codes::UNUSED_VERBS, title, &param.span, "not used");
                cx.report(
                    warning.help(format!("put `${}` where it belongs, or remove it", param.name)),
                );
            }
        }
        let verb = Verb { span: span.clone(), params, steps: steps.to_vec(), broken };
        self.by_name.insert(name.clone(), Arc::new(verb));
    }

    /// Looks at a verb's step before anything calls it; whether there is such a step.
    fn look(&self, cx: &mut Cx, step: &Node, later: &[&str]) -> bool {
        let Some([Entry { key, value }]) = step.map() else {
            super::steps::words::not_a_step(cx, step);
            return false;
        };
        let name = key.value.as_str();
        if let Some(verb) = self.by_name.get(name) {
            return !verb.broken;
        }
        if later.contains(&name) {
            not_yet(cx, key, later.first() == Some(&name));
            return false;
        }
        let Some((_, keys)) = STEPS.iter().find(|(known, _)| *known == name) else {
            super::steps::words::unknown_step(cx, key, self.names());
            return false;
        };
        match (name, value.list(), value.get("steps").and_then(Node::list)) {
            ("together", Some(steps), _) | ("repeat", _, Some(steps)) => {
                let known = steps.iter().map(|step| self.look(cx, step, later)).collect::<Vec<_>>();
                !known.contains(&false)
            }
            _ => {
                let keys: Vec<&str> = keys.iter().copied().chain(["id"]).collect();
                value.map().is_none()
                    || cx.fields(value, &format!("`{name}`"), &key.span, &keys).is_some()
            }
        }
    }
}

/// Reports a verb that is used above its definition, or in it.
fn not_yet(cx: &mut Cx, key: &Spanned<String>, own: bool) {
    let name = &key.value;
    let (title, help) = if own {
        (
            format!("the verb `{name}` uses itself"),
            "a verb uses the verbs above it; `repeat` repeats steps",
        )
    } else {
        (
            format!("the verb `{name}` stands further down"),
            "move it up: a verb uses the verbs above it",
        )
    };
    let error = Diagnostic::error(codes::VERB_ORDER, title, &key.span, "not known yet");
    cx.report(error.help(help));
}

fn params_of(cx: &mut Cx, node: &Node) -> Vec<Param> {
    let Some(entries) = node.map() else {
        cx.wrong(node, "`params`", "a map of names to types");
        return Vec::new();
    };
    entries.iter().filter_map(|entry| param(cx, entry)).collect()
}

fn param(cx: &mut Cx, entry: &Entry) -> Option<Param> {
    let (name, span) = (&entry.key.value, &entry.key.span);
    cx.name(name, span, "a parameter")?;
    if ["id", "i", "sid"].contains(&name.as_str()) {
        let title = format!("a parameter cannot be called `{name}`");
        cx.error(codes::BAD_VERB, title, span, "this name has a meaning");
        return None;
    }
    let (name, span) = (name.clone(), span.clone());
    if entry.value.map().is_none() {
        let kind = kind(cx, &entry.value)?;
        return Some(Param { name, span, kind, default: None, optional: false });
    }
    let what = format!("the parameter `{name}`");
    let fields = cx.fields(&entry.value, &what, &span, PARAM)?;
    let word = fields.need(cx, "type")?;
    let kind = kind(cx, word)?;
    fields.conflict(cx, &["default", "optional"], "a parameter with a default is never missing");
    let optional = fields.get("optional").and_then(|node| cx.boolean(node, "`optional`"));
    let default = fields.get("default").cloned();
    if let Some(default) = &default
        && let Some(wanted) = misfit(kind, default)
    {
        let title = format!("the default of `{name}` must be {wanted}");
        let label = format!("this is {default}");
        cx.report(Diagnostic::error(codes::BAD_VERB, title, &default.span, label));
    }
    Some(Param { name, span, kind, default, optional: optional.unwrap_or(false) })
}

fn kind(cx: &mut Cx, node: &Node) -> Option<Type> {
    let text = cx.text(node, "the type of a parameter")?;
    if let Some((kind, _)) = TYPES.iter().find(|(_, name)| *name == text) {
        return Some(*kind);
    }
    let names = TYPES.map(|(_, name)| name);
    let title = format!("there is no type `{text}`");
    let error = Diagnostic::error(codes::BAD_VERB, title, &node.span, "not a type");
    cx.report(did_you_mean(error, text, &node.span, &names, "the types are"));
    None
}

/// What the argument must be and is not.
fn misfit(kind: Type, node: &Node) -> Option<&'static str> {
    // A hole of the caller's, which is looked at where it is used.
    if node.text().is_some_and(|text| text.starts_with('$') && !text.starts_with("$$")) {
        return None;
    }
    let word = node.word();
    let text = matches!(word, Some(Word::Text(_)));
    let number = matches!(word, Some(Word::Int(_) | Word::Float(_)));
    let (fits, wanted) = match kind {
        Type::Clients => {
            let names =
                node.list().is_some_and(|items| items.iter().all(|item| item.text().is_some()));
            (text || names, "a client or a list of clients")
        }
        Type::Client => (text, "the name of one client"),
        Type::String => (text, "a text"),
        Type::Number => (number, "a number"),
        Type::Boolean => (matches!(word, Some(Word::Bool(_))), "`true` or `false`"),
        Type::Duration => {
            let fits = node.written().is_some_and(|scalar| duration::parse(&scalar.text).is_ok());
            (fits, "a duration, as in `250ms`")
        }
        Type::List => (node.list().is_some(), "a list"),
        Type::Value => (true, "a value"),
    };
    (!fits).then_some(wanted)
}

/// Whether a parameter is used in a node.
fn mentions(node: &Node, name: &str) -> bool {
    match &node.data {
        Data::Scalar(_) => {
            let inner = node.text().and_then(inner_hole).map(|(_, name)| name);
            values::hole(node).or(inner) == Some(name)
        }
        Data::List(items) => items.iter().any(|item| mentions(item, name)),
        Data::Map(entries) => entries.iter().any(|entry| mentions(&entry.value, name)),
    }
}

/// The parameter whose client's id is meant, as in `$sid($to)` and `sid($to)`.
fn inner_hole(text: &str) -> Option<(&'static str, &str)> {
    let before = if text.starts_with('$') { "$sid(" } else { "sid(" };
    let name = text.strip_prefix(before)?.strip_suffix(')')?.trim().strip_prefix('$')?;
    Some((before, name))
}

impl Verb {
    /// The verb's steps with the arguments of a call put in, and how many values they have: at
    /// most so many, or a little more.
    pub(super) fn unfold(
        &self,
        cx: &mut Cx,
        call: &Entry,
        most: usize,
    ) -> Option<(Vec<Node>, usize)> {
        if self.broken {
            return None;
        }
        let arguments = self.arguments(cx, call)?;
        let mut unfolding = Unfolding { arguments: &arguments, values: 0, most };
        let steps = self.steps.iter().filter_map(|step| unfolding.substitute(step)).collect();
        Some((steps, unfolding.values))
    }

    fn arguments(&self, cx: &mut Cx, call: &Entry) -> Option<BTreeMap<String, Option<Node>>> {
        let what = format!("`{}`", call.key.value);
        let known: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
        let given: &[Entry] = match call.value.map() {
            Some(entries) => entries,
            None if call.value.is_null() => &[],
            None => {
                let title =
                    format!("the arguments of {what} are a map, and this is {}", call.value);
                let error =
                    Diagnostic::error(codes::VERB_ARGUMENT, title, &call.value.span, "not a map");
                let required = self.params.iter().filter(|param| param.is_required());
                let names = required.map(|param| format!("{}: …", param.name)).collect::<Vec<_>>();
                let names = names.join(", ");
                let error = error.context(&self.span, "defined here");
                cx.report(error.help(format!("write `{}: {{ {names} }}`", call.key.value)));
                return None;
            }
        };
        let mut complete = true;
        let mut meant = Vec::new();
        for entry in given.iter().filter(|entry| entry.key.value != "id") {
            if !known.contains(&entry.key.value.as_str()) {
                let title = format!("{what} has no parameter `{}`", entry.key.value);
                let error = Diagnostic::error(
                    codes::VERB_ARGUMENT,
                    title,
                    &entry.key.span,
                    "not a parameter",
                );
                let error = error.context(&self.span, "defined here");
                let these = "its parameters are";
                meant.extend(nearest(&entry.key.value, &known));
                cx.report(did_you_mean(error, &entry.key.value, &entry.key.span, &known, these));
                complete = false;
            }
        }
        let mut arguments = BTreeMap::new();
        for param in &self.params {
            let argument = given.iter().find(|entry| entry.key.value == param.name);
            if let Some(argument) = argument {
                complete &= param.fits(cx, &what, argument);
            } else if meant.contains(&param.name.as_str()) {
                complete = false;
            } else if param.is_required() {
                let title = format!("{what} needs the parameter `{}`", param.name);
                let label = format!("`{}` is missing", param.name);
                let error = Diagnostic::error(codes::VERB_ARGUMENT, title, &call.key.span, label);
                cx.report(error.context(&param.span, "declared here"));
                complete = false;
            }
            let value = argument.map(|entry| entry.value.clone()).or_else(|| param.default.clone());
            arguments.insert(param.name.clone(), value);
        }
        complete.then_some(arguments)
    }
}

impl Param {
    const fn is_required(&self) -> bool {
        self.default.is_none() && !self.optional
    }

    fn fits(&self, cx: &mut Cx, verb: &str, argument: &Entry) -> bool {
        let Some(wanted) = misfit(self.kind, &argument.value) else { return true };
        let title = format!("`{}` of {verb} must be {wanted}", self.name);
        let place =
            if argument.value.is_null() { &argument.key.span } else { &argument.value.span };
        let label = format!("this is {}", argument.value);
        let error = Diagnostic::error(codes::VERB_ARGUMENT, title, place, label);
        cx.report(error.context(&self.span, "declared here"));
        false
    }
}

/// Arguments on their way into the steps of a verb.
struct Unfolding<'a> {
    arguments: &'a BTreeMap<String, Option<Node>>,
    /// How many values came out of it.
    values: usize,
    most: usize,
}

impl Unfolding<'_> {
    /// A node with values in the places of parameters; nothing in the place of a missing one, and
    /// nothing at all when there are too many.
    fn substitute(&mut self, node: &Node) -> Option<Node> {
        self.values += 1;
        if self.values > self.most {
            return None;
        }
        let data = match &node.data {
            Data::Scalar(scalar) => match self.argument(node, scalar) {
                Some(value) => {
                    self.values += value.as_ref().map_or(0, Node::size);
                    return value.filter(|_| self.values <= self.most);
                }
                None => Data::Scalar(scalar.clone()),
            },
            Data::List(items) => {
                Data::List(items.iter().filter_map(|item| self.substitute(item)).collect())
            }
            Data::Map(entries) => {
                let entry = |entry: &Entry| {
                    let value = self.substitute(&entry.value)?;
                    Some(Entry { key: entry.key.clone(), value })
                };
                Data::Map(entries.iter().filter_map(entry).collect())
            }
        };
        Some(Node { data, span: node.span.clone() })
    }

    /// What a scalar stands for, if it is a parameter or `$sid(…)` of one.
    fn argument(&self, node: &Node, scalar: &Scalar) -> Option<Option<Node>> {
        if let Some(value) = values::hole(node).and_then(|name| self.arguments.get(name)) {
            return Some(value.clone());
        }
        let (before, name) = inner_hole(node.text()?)?;
        let client = self.arguments.get(name)?.as_ref()?;
        let text = format!("{before}{})", client.text()?);
        let data = Data::Scalar(Scalar { text, plain: scalar.plain });
        Some(Some(Node { data, span: client.span.clone() }))
    }
}

/// A step with the number of a repetition in the places of `$i`, except where a step or a
/// repetition inside of it counts by itself.
pub(super) fn number(step: &Node, index: i64) -> Node {
    let Some([Entry { key, value }]) = step.map() else { return step.clone() };
    let value = if key.value == "repeat" || value.get("times").is_some() {
        value.clone()
    } else if let (true, Some(steps)) = (key.value == "together", value.list()) {
        let steps = steps.iter().map(|step| number(step, index)).collect();
        Node { data: Data::List(steps), span: value.span.clone() }
    } else {
        put_index(value, index)
    };
    let entry = Entry { key: key.clone(), value };
    Node { data: Data::Map(vec![entry]), span: step.span.clone() }
}

fn put_index(node: &Node, index: i64) -> Node {
    let data = match &node.data {
        Data::Scalar(_) if values::hole(node) == Some("i") => {
            let text = index.to_string();
            Data::Scalar(Scalar { text, plain: true })
        }
        Data::Scalar(scalar) => Data::Scalar(scalar.clone()),
        Data::List(items) => Data::List(items.iter().map(|item| put_index(item, index)).collect()),
        Data::Map(entries) => {
            let entry = |entry: &Entry| Entry {
                key: entry.key.clone(),
                value: put_index(&entry.value, index),
            };
            Data::Map(entries.iter().map(entry).collect())
        }
    };
    Node { data, span: node.span.clone() }
}
