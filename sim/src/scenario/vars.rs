//! Values that a file names and others may give: `vars`, and `$var(name)` wherever a value stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codes;
use super::cx::{Cx, did_you_mean};
use super::node::{Data, Node, Scalar};
use super::yaml;
use crate::diagnostic::Diagnostic;
use crate::span::Span;

/// Values for the variables of scenario files, instead of the files' own.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<String, Node>);

impl Values {
    /// Gives a variable a value that is written in YAML: `5` is a number, `"5"` a text.
    ///
    /// # Errors
    /// It is no YAML, in words.
    pub fn insert(&mut self, name: &str, text: &str) -> Result<(), String> {
        let mut mistakes = Vec::new();
        let file: Arc<str> = format!("the value of `{name}`").into();
        let node = yaml::parse(&file, text, &mut mistakes);
        let value = node.ok_or_else(|| said(&mistakes))?;
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Gives a variable a text, whatever it looks like.
    pub fn insert_text(&mut self, name: &str, text: &str) {
        let scalar = Scalar { text: text.to_owned(), plain: false };
        let value = Node { data: Data::Scalar(scalar), span: Span::default() };
        self.0.insert(name.to_owned(), value);
    }

    /// Gives values to all variables of a file: a map of names to values, in YAML.
    ///
    /// # Errors
    /// It is no such map, in words.
    pub fn insert_file(&mut self, file: &str, text: &str) -> Result<(), String> {
        let mut mistakes = Vec::new();
        let node = yaml::parse(&file.into(), text, &mut mistakes);
        let node = node.ok_or_else(|| said(&mistakes))?;
        let Data::Map(entries) = node.data else {
            return Err("it is no map of names to values".to_owned());
        };
        self.0.extend(entries.into_iter().map(|entry| (entry.key.value, entry.value)));
        Ok(())
    }

    /// The names that have a value.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn said(mistakes: &[Diagnostic]) -> String {
    mistakes.first().map_or_else(String::new, |mistake| mistake.title.clone())
}

/// Puts values where a file names variables; the names of its variables.
pub(super) fn fill(cx: &mut Cx, root: &mut Node, given: &Values) -> Vec<String> {
    let Data::Map(entries) = &mut root.data else { return Vec::new() };
    let mut known = BTreeMap::new();
    if let Some(vars) = entries.iter().find(|entry| entry.key.value == "vars") {
        let Some(vars) = vars.value.map() else {
            cx.wrong(&vars.value, "`vars`", "a map of names to values");
            return Vec::new();
        };
        for entry in vars {
            if let Some(name) = cx.name(&entry.key.value, &entry.key.span, "a variable") {
                let value = given.0.get(name).unwrap_or(&entry.value);
                known.insert(name.to_owned(), value.clone());
            }
        }
    }
    for entry in entries.iter_mut().filter(|entry| entry.key.value != "vars") {
        fill_in(cx, &mut entry.value, &known);
    }
    known.into_keys().collect()
}

fn fill_in(cx: &mut Cx, node: &mut Node, known: &BTreeMap<String, Node>) {
    match &mut node.data {
        Data::List(items) => items.iter_mut().for_each(|item| fill_in(cx, item, known)),
        Data::Map(entries) => {
            entries.iter_mut().for_each(|entry| fill_in(cx, &mut entry.value, known));
        }
        Data::Scalar(scalar) => {
            let name = scalar.text.strip_prefix("$var(").and_then(|rest| rest.strip_suffix(')'));
            let Some(name) = name else { return };
            if let Some(value) = known.get(name) {
                node.data = at(value, &node.span).data;
                return;
            }
            let title = format!("there is no variable `{name}`");
            let error = Diagnostic::error(codes::BAD_TEMPLATE, title, &node.span, "not known");
            let names: Vec<String> = known.keys().map(|name| format!("$var({name})")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let found = scalar.text.clone();
            let error = did_you_mean(error, &found, &node.span, &names, "variables");
            let help = "`vars` at the head of the file gives each variable its value";
            cx.report(error.help(help));
        }
    }
}

/// A value as if it stood there.
fn at(value: &Node, span: &Span) -> Node {
    let data = match &value.data {
        Data::Scalar(scalar) => Data::Scalar(scalar.clone()),
        Data::List(items) => Data::List(items.iter().map(|item| at(item, span)).collect()),
        Data::Map(entries) => {
            let mut entries = entries.clone();
            for entry in &mut entries {
                entry.key.span = span.clone();
                entry.value = at(&entry.value, span);
            }
            Data::Map(entries)
        }
    };
    Node { data, span: span.clone() }
}
